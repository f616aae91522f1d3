"""Disks that are hard to copy: written faster than they are copied, sparse,
fragmented, on block devices; destinations that are full, broken, slow."""

import json
import os
import re
import subprocess

import pytest

import binaries
from cases import FAILED, Case, Move
from qemu import MIB, Image, Qemu, make_image
from wire import Wire

SIZE = 64 * MIB


class Stored(Move):
    """A Move whose images are made by images(lab, side). A destination may
    have its disk behind another node: blockdevs(image) are the options of
    'disk0' and of what is below."""

    def __init__(self, lab, pki, case, images, blockdevs=None):
        self.images = {side: images(lab, side)
                       for side in ('source', 'destination')}
        self.blockdevs = blockdevs
        super().__init__(lab, pki, case)

    def _qemu(self, name, binary):
        image = self.images[name]
        more, disks, how = [], [image], None
        if image.path.startswith('/dev/'):
            how = as_device
        elif name == 'destination':
            how = self.blockdevs
        if how:
            disks = []
            for one in how(image):
                more += ['-object' if one.startswith('throttle-group') else
                         '-blockdev', one]
            more += ['-device', 'virtio-blk-pci,id=vd0,drive=disk0,'
                     'serial=disk0']
        qemu = Qemu(self.lab, self.lab.host(name), disks, extra=more,
                    incoming=name == 'destination', live=self.case.live,
                    binary=BINARIES[binary](),
                    state=self._state(name, binary, [image]))
        qemu.disks = [image]
        return qemu

    def warnings(self):
        return [e['data']['message'] for e in self.engine.events('WARNING')]


BINARIES = {'qemu10': binaries.qemu10, 'system': binaries.system,
            'trixie': lambda: binaries.suite('trixie'),
            'sid': lambda: binaries.suite('sid')}


def empty(format='raw', size=SIZE):
    return lambda lab, side: make_image(lab, f'{side}0', format, size)


def as_device(image):
    return [f'driver=host_device,node-name=disk0-file,cache.direct=on,'
            f'filename={image.path},discard=unmap',
            'driver=raw,node-name=disk0,file=disk0-file,discard=unmap']


def fill(image, chunks, pattern=0xa5):
    """Writes (offset, size) chunks through the image's own format."""
    for at in range(0, len(chunks), 200):
        argv = ['qemu-io', '-f', image.format]
        for offset, size in chunks[at:at + 200]:
            argv += ['-c', f'write -q -P {pattern} {offset} {size}']
        subprocess.run([*argv, str(image.path)], check=True, timeout=120,
                       stdout=subprocess.DEVNULL)


def allocated(image):
    return os.stat(image.path).st_blocks * 512


# ---- written faster than copied ----

BUSY = {'qemu10': ('qemu10', 'qemu10'), 'system': ('system', 'system')}


@pytest.mark.sample(2)
@pytest.mark.parametrize('pair', BUSY.values(), ids=BUSY)
def test_disk_is_written_faster_than_copied(lab, pki, pair):
    """In the background it would never be in sync. (7.2 is not to be trusted
    with a guest that runs while its RAM moves: this ends before.)"""
    case = Case(binaries=pair, disk_rate=2000, mem_rate=0,
                options=('--disk-bandwidth', '8M'))
    move = Stored(lab, pki, case, empty(size=4 * SIZE)).start(
        QMIGRATE_FAIL='open the door:before=fail')
    result = move.undone((FAILED,), 'waiting')
    assert any('faster than it is copied' in w for w in move.warnings())
    assert result['disks'][0]['write-blocking']
    assert result['disk-bandwidth-bps'] == 8 * MIB


# ---- destinations that fail ----

def data(lab, side):
    """The source's disk holds 32 MiB."""
    image = make_image(lab, f'{side}0', 'raw', SIZE)
    if side == 'source':
        fill(image, [(n * 2 * MIB, MIB) for n in range(32)])
    return image


def small_room(lab, side):
    """The destination's disk is on a file system of 20 MiB."""
    if side == 'source':
        return data(lab, side)
    folder = lab.folder('small')
    lab.on_exit(subprocess.run, ['umount', folder], check=True)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', folder],
                   check=True)
    path = folder / 'disk.raw'
    with open(path, 'wb') as f:
        f.truncate(SIZE)
    return Image(str(path), 'raw', SIZE)


def on_tmpfs(image):
    """cache.direct is nothing for it."""
    return [f'driver=file,node-name=disk0-file,filename={image.path},'
            'discard=unmap',
            'driver=raw,node-name=disk0,file=disk0-file,discard=unmap']


def with_bad_sector(image):
    return [f'driver=file,node-name=disk0-file,filename={image.path},'
            'discard=unmap',
            'driver=blkdebug,node-name=disk0-bad,image=disk0-file,'
            'discard=unmap,inject-error.0.event=none,'
            'inject-error.0.iotype=write,inject-error.0.errno=5,'
            'inject-error.0.sector=65536,inject-error.0.once=off',
            'driver=raw,node-name=disk0,file=disk0-bad,discard=unmap']


FAIL = {
    'full': (small_room, on_tmpfs, ('No space left', 'MiB are free there')),
    'broken': (data, with_bad_sector, ('Input/output error', 'is sound')),
}


# A guest that runs on 10, and one that is stopped on 7.2.
OLD_AND_NEW = {'qemu10': {},
               'system': {'stopped': True, 'binaries': ('system', 'system')}}


@pytest.mark.sample(2)
@pytest.mark.parametrize('how', OLD_AND_NEW.values(), ids=OLD_AND_NEW)
@pytest.mark.parametrize('images,blockdevs,says', FAIL.values(), ids=FAIL)
def test_destination_cannot_be_written(lab, pki, images, blockdevs, says, how):
    """The guest does not notice; the disk, the host and what is missing are
    named."""
    case = Case(options=('--disks', 'vd0'), **how)
    move = Stored(lab, pki, case, images, blockdevs).start()
    move.undone((FAILED,), 'waiting')
    assert 'destination: disk vd0 could not be written' in move.error
    assert move.destination.disks[0].path in move.error
    assert 'on this machine' in move.error
    for words in says:
        assert words in move.error


def throttled(image):
    return ['throttle-group,id=slow',
            f'driver=file,node-name=disk0-file,filename={image.path},'
            'discard=unmap,cache.direct=on',
            'driver=throttle,node-name=disk0-slow,throttle-group=slow,'
            'file=disk0-file',
            'driver=raw,node-name=disk0,file=disk0-slow']


def test_slow_destination_is_told(lab, pki):
    """It becomes slow when the disk is there and the guest's writes wait for
    it: that is said, with figures, while the RAM does not get across."""
    case = Case(disk_rate=50, mem_rate=50, hot=32, options=(
        '--bandwidth', '4M', '--timeout-s', '20', '--auto-converge', 'off'))
    move = Stored(lab, pki, case, empty(), throttled).start()
    move.wait_step('mirror disks', 'done')
    move.destination.spy.cmd('qom-set', path='/objects/slow',
                             property='limits', value={'iops-write': 2})
    move.undone((FAILED,))
    told = re.findall(r'a write of the guest takes (\d+) ms \((\S+) ms before',
                      '\n'.join(move.warnings()))[0]
    assert int(told[0]) >= max(100, 4 * float(told[1])), told


# ---- holes stay holes ----

GIB = 1 << 30
KIB = 1 << 10
VIRTUAL = 10 * GIB
GRANULARITY = 64 * KIB                  # of QEMU's mirrors
# 300 MiB in 60 pieces of about 5 MiB, which begin and end at any 4 KiB.
CHUNKS = [(n * 170 * MIB + n * 7919 % 1000 * 4 * KIB,
           5 * MIB + (n % 2 * 2 - 1) * (n // 2 * 37) * 4 * KIB)
          for n in range(60)]
# (source's QEMU and destination's, format, whether the target may discard)
SPARSE = {
    'raw-qemu10': ('qemu10', 'raw', True),
    'qcow2-qemu10': ('qemu10', 'qcow2', False),
    'raw-system': ('system', 'raw', True),
    'qcow2-system': ('system', 'qcow2', True),
    'qcow2-trixie': ('trixie', 'qcow2', True),
}


def sparse(format):
    def make(lab, side):
        image = make_image(lab, f'{side}0', format, VIRTUAL)
        if side == 'source':
            fill(image, CHUNKS)
        return image

    return make


def rounded_extents(image):
    """Bytes of what the image holds, in whole blocks of a mirror."""
    out = subprocess.run(['qemu-img', 'map', '-U', '--output=json', '-f',
                          image.format, image.path], check=True, timeout=60,
                         capture_output=True).stdout
    blocks, held = 0, -1
    for extent in json.loads(out):
        if not extent['data']:
            continue
        first = extent['start'] // GRANULARITY
        last = (extent['start'] + extent['length'] - 1) // GRANULARITY
        blocks += last - max(first, held + 1) + 1
        held = last
    return blocks * GRANULARITY


@pytest.mark.sample(3)
@pytest.mark.parametrize('binary,format,discard', SPARSE.values(), ids=SPARSE)
def test_holes_stay_holes(lab, pki, binary, format, discard):
    """An idle guest's disk costs on the wire and at the destination what it
    holds. Where discard would lose writes, it does not: printed."""
    case = Case(live=False, tls=False, binaries=(binary, binary))
    move = Stored(lab, pki, case, sparse(format))
    held = allocated(move.source.disks[0])
    extents = rounded_extents(move.source.disks[0])
    assert extents >= 300 * MIB
    wire = Wire(lab, move.destination.host)
    move.start(QMIGRATE_FAIL='open the door:before=fail')
    result = move.undone((FAILED,), 'waiting')
    heard = wire.heard()
    assert heard.dropped == 0
    move.destination.quit()
    there = allocated(move.destination.disks[0])
    print(f'\n{binary} {format}: {extents} bytes of extents, {heard.bytes} on '
          f'the wire ({heard.bytes / extents:.4f}), {held} bytes held, {there} '
          f'at the destination ({there / held:.4f})' + ('' if discard else
          ': no discard, or writes would be lost while the mirror starts'))
    assert result['disks'][0]['discard'] is discard
    if discard:
        assert heard.bytes <= 1.02 * extents
        assert abs(there - held) <= 0.02 * held


# ---- block devices ----

def loop_device(image, lab):
    """That image as a block device."""
    path = lab.run(['losetup', '--find', '--show', '--direct-io=on',
                    image.path]).stdout.strip()
    lab.on_exit(subprocess.run, ['losetup', '--detach', path], check=True)
    return Image(path, 'raw', image.size)


LOOPS = {'both': ('source', 'destination'), 'source': ('source',),
         'destination': ('destination',)}


@pytest.mark.sample(2)
@pytest.mark.parametrize('how', OLD_AND_NEW.values(), ids=OLD_AND_NEW)
@pytest.mark.parametrize('sides', LOOPS.values(), ids=LOOPS)
def test_block_device(lab, pki, sides, how):
    def make(lab, side):
        image = make_image(lab, f'{side}0', 'raw', SIZE)
        return loop_device(image, lab) if side in sides else image

    case = Case(disk_rate=300, **how)
    Stored(lab, pki, case, make).start().moved(paused=case.stopped)


# ---- thousands of writes while the mirror starts ----

def fragmented(lab, side):
    """A qcow2 image of small clusters, written in no order, with holes
    between for the guest to allocate."""
    image = make_image(lab, f'{side}0', 'qcow2', SIZE, ['cluster_size=512'])
    if side == 'source':
        places = list(range(0, SIZE // (64 << 10)))
        fill(image, [(place * 7919 % len(places) * (64 << 10) + (32 << 10),
                      512 * (1 + place % 5)) for place in places])
    return image


@pytest.mark.sample(3)
@pytest.mark.parametrize('run', range(3))
def test_no_write_is_lost_while_a_mirror_starts(lab, pki, run):
    """A fragmented qcow2 image, a mirror that starts, a guest that writes as
    fast as it can: what it was told is there afterwards. (It is too slow to
    hit QEMU's start-up fault: test_mirror_start.py does.)"""
    case = Case(disk_rate=3000, mem_rate=0)
    move = Stored(lab, pki, case, fragmented).start()
    move.moved()
    acks = len(move.guest.acks()[0])
    print(f'\n{acks} acknowledged writes')
    assert acks > 1000
