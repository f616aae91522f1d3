"""Disks that are hard to copy: written faster than they are copied, sparse,
fragmented, on block devices; destinations that are full, broken, slow."""

import os
import re
import subprocess

import pytest

import binaries
from cases import FAILED, Case, Move
from qemu import MIB, Image, Qemu, make_image

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
        more, disks = [], [image]
        if self.blockdevs and name == 'destination':
            disks = []
            for one in self.blockdevs(image):
                more += ['-object' if one.startswith('throttle-group') else
                         '-blockdev', one]
            more += ['-device', 'virtio-blk-pci,id=vd0,drive=disk0,'
                     'serial=disk0']
        qemu = Qemu(self.lab, self.lab.host(name), disks, extra=more,
                    incoming=name == 'destination', live=self.case.live,
                    binary=BINARIES[binary]())
        qemu.disks = [image]
        return qemu

    def warnings(self):
        return [e['data']['message'] for e in self.engine.events('WARNING')]


BINARIES = {'qemu10': binaries.qemu10, 'system': binaries.system,
            'trixie': lambda: binaries.suite('trixie'),
            'sid': lambda: binaries.suite('sid')}


def empty(format='raw', size=SIZE):
    return lambda lab, side: make_image(lab, f'{side}0', format, size)


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


@pytest.mark.parametrize('pair', BUSY.values(), ids=BUSY)
def test_disk_is_written_faster_than_copied(lab, pki, pair):
    """In the background it would never be in sync. (7.2 is not to be trusted
    with a guest that runs while its RAM moves: this ends before.)"""
    case = Case(binaries=pair, disk_rate=2000, mem_rate=0,
                options=('--disk-bandwidth', '4M'))
    move = Stored(lab, pki, case, empty()).start(
        QMIGRATE_FAIL='open the door:before=fail')
    result = move.undone((FAILED,), 'waiting')
    assert any('faster than it is copied' in w for w in move.warnings())
    assert result['disks'][0]['write-blocking']


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


@pytest.mark.parametrize('images,blockdevs,says', FAIL.values(), ids=FAIL)
def test_destination_cannot_be_written(lab, pki, images, blockdevs, says):
    """The guest does not notice; the disk, the host and what is missing are
    named."""
    move = Stored(lab, pki, Case(), images, blockdevs).start()
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
    assert int(told[0]) >= 100 > 4 * float(told[1]), told
