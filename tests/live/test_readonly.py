"""Read-only disks: what the destination does not have is copied with the rest,
what it has, byte for byte, is not, and nothing of ours is left there.
"""

import os
import subprocess

import pytest

from cases import CANCELLED, DONE, FAILED, REFUSED, Case, Move, recipe_rows
from engine import ROOT
from lab import wait_until
from qemu import Qemu
from refusals import blockers
from test_ssh import Journey

ROWS = recipe_rows(ROOT / 'src/core/recipe.c')
MIB = 1 << 20
SIZE = 4 * MIB
NODE = 'cd'


def medium(size=SIZE):
    """What nobody else has, with holes, and an end that is odd to a
    mirror."""
    return os.urandom(MIB) + bytes(MIB) + os.urandom(size - 2 * MIB - 2048) + \
        bytes(2048)


def blockdev(path, format):
    return ('-blockdev', f'driver=file,node-name={NODE}-file,filename={path},'
            'read-only=on', '-blockdev', f'driver={format},node-name={NODE},'
            f'file={NODE}-file,read-only=on')


def scsi_cd(path, format):
    return (*blockdev(path, format), '-device', 'virtio-scsi-pci,id=scsi9',
            '-device', f'scsi-cd,id=cd0,bus=scsi9.0,drive={NODE}')


def ide_cd(path, format):
    return (*blockdev(path, format),
            '-device', f'ide-cd,id=cd0,bus=ide.1,drive={NODE}')


def virtio(path, format):
    return (*blockdev(path, format), '-device',
            f'virtio-blk-pci,id=cd0,drive={NODE},serial=cd0,addr=1a.0')


def cdrom(path, format):
    """By the oldest of options; its node has a name of QEMU's own."""
    return '-drive', f'if=ide,media=cdrom,file={path},format={format}'


def usb(path, format):
    return (*blockdev(path, format), '-device', 'qemu-xhci,id=xhci',
            '-device', f'usb-storage,id=cd0,drive={NODE},removable=on')


class WithMedium(Move):
    """Beside the disk there is a read-only one; here and there are what its
    images hold at first, raw."""

    def __init__(self, lab, pki, case, here, there, device=scsi_cd,
                 format='raw', there_format=None):
        self.content = {'source': here, 'destination': there}
        self.format = {'source': format,
                       'destination': there_format or format}
        self.device = device
        self.path = {}
        super().__init__(lab, pki, case)

    def _extra(self, name):
        self.path[name] = self._image(name)
        return self.device(self.path[name], self.format[name])

    def _image(self, name):
        raw = self.lab.path(f'{name}.iso')
        raw.write_bytes(self.content[name])
        if self.format[name] == 'raw':
            return raw
        path = self.lab.path(f'{name}-cd.qcow2')
        subprocess.run(['qemu-img', 'convert', '-O', 'qcow2', raw, path],
                       check=True, timeout=30)
        return path

    def read(self, name):
        """What its image holds now."""
        path = self.path[name]
        if self.format[name] == 'raw':
            return path.read_bytes()
        raw = self.lab.path(f'{name}-read')
        subprocess.run(['qemu-img', 'convert', '-U', '-O', 'raw', path, raw],
                       check=True, timeout=30)
        return raw.read_bytes()

    def guest_reads(self):
        """All that the destination's device has for the guest, through its
        own node."""
        spy, path = self.destination.spy, self.lab.path('read.nbd')
        [node] = [d['inserted']['node-name'] for d in spy.cmd('query-block')
                  if d.get('inserted', {}).get('ro')]
        spy.cmd('nbd-server-start',
                addr={'type': 'unix', 'data': {'path': str(path)}})
        spy.cmd('block-export-add', type='nbd', id='read', node_name=node,
                name='read', writable=False)
        raw = self.lab.path('guest-read')
        subprocess.run(['qemu-img', 'convert', '-f', 'raw', '-O', 'raw',
                        f'nbd+unix:///read?socket={path}', raw],
                       check=True, timeout=30)
        spy.cmd('nbd-server-stop')
        return raw.read_bytes()

    def mirrors(self):
        """Jobs that the source was heard to begin."""
        self.source.spy.hear_all()
        return {e.data['id'] for e in self.source.spy.events
                if e.name == 'JOB_STATUS_CHANGE'}

    def verdict(self):
        """What --dry-run says of it, and nothing is done."""
        before = self.read('destination')
        self.start('--dry-run')
        self.engine.wait(60)
        assert self.read('destination') == before
        [plan] = self.engine.events('PLAN')
        [disk] = [d for d in plan['data']['disks'] if d['disk'] != 'vd0']
        assert disk['copy'] == (disk['verdict'] == 'copy')
        return disk['verdict'], disk['reason']

    def warnings(self):
        return [e['data']['message'] for e in self.engine.events('WARNING')]


def copied(result):
    return sorted(d['disk'] for d in result['disks'])


OTHER = 'read-only, and the destination has something else'
UNKNOWN = ('read-only, and it cannot be determined whether the destination '
           'has the same')
SAME = 'read-only, and the destination has the same, byte for byte'

LIVE = {
    'scsi-cd': {},
    'ide-cd': {'device': ide_cd},
    'virtio': {'device': virtio},
    'usb-stick': {'device': usb},
    'cdrom': {'device': cdrom},
    'qcow2': {'device': virtio, 'format': 'qcow2'},
    'raw-to-qcow2': {'there_format': 'qcow2'},
}


@pytest.mark.sample(5)
@pytest.mark.parametrize('how', LIVE.values(), ids=LIVE)
@pytest.mark.parametrize('pair', ['qemu10', 'system'])
def test_what_is_not_there_is_copied(lab, pki, pair, how):
    """Written by a guest that runs; by 7.2 of one without a system."""
    content = medium()
    case = Case(live=pair == 'qemu10', binaries=(pair, pair))
    move = WithMedium(lab, pki, case, content, bytes(SIZE), **how)
    verdict, reason = move.verdict()
    assert verdict == 'copy'
    assert reason == (UNKNOWN if 'there_format' in how else OTHER)
    move.start()
    move.wait_step('run the destination', 'done')
    assert move.guest_reads() == content
    result = move.moved()
    assert len(copied(result)) == 2
    assert len(move.mirrors()) == 2
    assert move.read('destination') == content
    assert move.read('source') == content


@pytest.mark.parametrize('pair', [('qemu10', 'qemu10'), ('system', 'system'),
                                  ('system', 'qemu10')], ids='-'.join)
def test_a_guest_that_is_stopped(lab, pki, pair):
    """It wakes up later, with the medium."""
    content = medium()
    case = Case(live=False, stopped=True, binaries=pair)
    move = WithMedium(lab, pki, case, content, bytes(SIZE))
    assert move.start().engine.wait(60) == DONE
    assert move.read('destination') == content
    assert move.destination.status() == 'paused'
    move.destination.spy.cmd('cont')
    assert move.guest_reads() == content


STILL = Case(live=False)


@pytest.mark.sample(2)
@pytest.mark.parametrize('format', ['raw', 'qcow2'])
@pytest.mark.parametrize('options', [(), ('--disks', 'all'),
                                     ('--disks', 'vd0,cd0')])
def test_what_is_there_is_not_copied(lab, pki, format, options):
    content = medium()
    case = Case(live=False, options=options)
    move = WithMedium(lab, pki, case, content, content, format=format)
    if format == 'qcow2':
        # another one may have the same in other places
        move.path['destination'].write_bytes(move.path['source'].read_bytes())
    there = os.stat(move.path['destination'])
    assert move.verdict() == ('leave', SAME)
    result = move.start().moved()
    assert copied(result) == ['vd0']
    assert len(move.mirrors()) == 1
    assert os.stat(move.path['destination']).st_mtime_ns == there.st_mtime_ns
    assert move.read('destination') == content


@pytest.mark.parametrize('offset', [0, 3 * MIB + 77, SIZE - 1])
def test_a_byte_makes_a_difference(lab, pki, offset):
    content = medium()
    other = bytearray(content)
    other[offset] ^= 1
    move = WithMedium(lab, pki, STILL, content, bytes(other))
    result = move.start().moved()
    assert copied(result) == ['cd0', 'vd0']
    assert move.read('destination') == content


def test_a_size_that_differs_is_refused(lab, pki):
    move = WithMedium(lab, pki, STILL, medium(), bytes(SIZE + 2048))
    assert move.start().engine.wait(60) == REFUSED
    [b] = blockers(move.engine)
    assert f'disk cd0 has {SIZE} bytes at the source and {SIZE + 2048} at ' \
        'the destination' in b['what']
    assert move.read('destination') == bytes(SIZE + 2048)


@pytest.mark.parametrize('options', [('--disks', 'none'), ('--disks', 'vd0')])
@pytest.mark.parametrize('same', [True, False])
def test_what_nobody_asks_for_is_left(lab, pki, options, same):
    case = Case(live=False, options=options)
    there = medium()
    move = WithMedium(lab, pki, case, there if same else medium(), there)
    assert move.verdict()[0] == 'leave'
    result = move.start().moved()
    assert 'cd0' not in copied(result)
    assert move.read('destination') == there
    [event] = move.engine.events('PREFLIGHT')
    warned = [v['what'] for v in event['data']['verdicts']
              if v['what'].startswith('read-only disk cd0 is not copied')]
    assert len(warned) == (not same)


def test_the_copy_is_verified(lab, pki):
    content = medium()
    case = Case(live=False, options=('--verify',))
    move = WithMedium(lab, pki, case, content, bytes(SIZE))
    assert move.start().moved()['verified']
    assert move.read('destination') == content


class Split(WithMedium):
    """qcow2, whose data lies in a raw file of one name on both hosts: the
    qcow2 files are equal. A relative name starts where QEMU was started."""

    def _binary(self, name, binary):
        folder = self.lab.dir / f'split-{name}'
        binary = super()._binary(name, binary)
        return binary._replace(argv=('env', '-C', str(folder), *binary.argv))

    def _image(self, name):
        folder = self.lab.folder(f'split-{name}')
        path, data = folder / 'cd.qcow2', folder / 'cd.data'
        subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-o',
                        'data_file=cd.data,data_file_raw=on', path, str(SIZE)],
                       cwd=folder, check=True, timeout=30)
        data.write_bytes(self.content[name])
        return path

    def read(self, name):
        return (self.path[name].parent / 'cd.data').read_bytes()


@pytest.mark.parametrize('pair', ['qemu10', 'system'])
def test_equal_files_may_hold_something_else(lab, pki, pair):
    content = medium()
    case = Case(live=False, binaries=(pair, pair))
    move = Split(lab, pki, case, content, bytes(SIZE), device=virtio,
                 format='qcow2')
    assert move.path['source'].read_bytes() == \
        move.path['destination'].read_bytes()
    assert move.verdict() == ('copy', UNKNOWN)
    assert copied(move.start().moved()) == ['cd0', 'vd0']
    assert move.read('destination') == content


class Part(WithMedium):
    """Of files that are equal each side has another half."""

    def _extra(self, name):
        self.path[name] = self._image(name)
        offset = 0 if name == 'source' else SIZE // 2
        return ('-blockdev', f'driver=file,node-name={NODE}-file,filename='
                f'{self.path[name]},read-only=on', '-blockdev',
                f'driver=raw,node-name={NODE},file={NODE}-file,read-only=on,'
                f'offset={offset},size={SIZE // 2}', '-device',
                f'virtio-blk-pci,id=cd0,drive={NODE},addr=1a.0')


@pytest.mark.parametrize('pair', ['qemu10', 'system'])
def test_parts_of_equal_files_are_refused(lab, pki, pair):
    content = medium()
    case = Case(live=False, binaries=(pair, pair))
    move = Part(lab, pki, case, content, content)
    assert move.start().engine.wait(60) == REFUSED
    [b] = blockers(move.engine)
    assert 'read-only disk cd0 cannot be written' in b['what']
    assert 'part of a file' in b['what']
    assert move.read('destination') == content


class Far(WithMedium, Journey):
    """Each side on a machine of its own, as far as the engine sees."""

    def __init__(self, lab, pki, case, here, there):
        self.sshd = {}
        self.content = {'source': here, 'destination': there}
        self.format = dict.fromkeys(self.content, 'raw')
        self.device, self.path = scsi_cd, {}
        Journey.__init__(self, lab, pki, case, ('destination',))


@pytest.mark.sample(2)
@pytest.mark.parametrize('same', [True, False])
def test_hosts_are_compared_by_ssh(lab, pki, same):
    content = medium()
    move = Far(lab, pki, STILL, content, content if same else bytes(SIZE))
    assert move.verdict() == (('leave', SAME) if same else ('copy', OTHER))
    result = move.start().moved()
    assert copied(result) == (['vd0'] if same else ['cd0', 'vd0'])
    assert move.read('destination') == content


def with_sha256sum(lab, script):
    """A PATH on which it is another one."""
    folder = lab.folder('bin')
    program = folder / 'sha256sum'
    program.write_text(f'#!/bin/sh\n{script}\n')
    program.chmod(0o755)
    return f'{folder}:{os.environ["PATH"]}'


@pytest.mark.parametrize('script', ['exit 127', 'echo; echo x', 'echo abc'])
def test_what_nobody_can_compare_is_copied(lab, pki, script):
    content = medium()
    case = Case(live=False, env={'PATH': with_sha256sum(lab, script)})
    move = WithMedium(lab, pki, case, content, content)
    assert move.verdict() == ('copy', UNKNOWN)
    assert copied(move.start().moved()) == ['cd0', 'vd0']
    assert move.read('destination') == content


def test_comparing_can_be_cancelled(lab, pki):
    seen = lab.path('seen')
    path = with_sha256sum(lab, f'echo >{seen}; exec sleep 60')
    case = Case(live=False, env={'PATH': path})
    move = WithMedium(lab, pki, case, medium(), bytes(SIZE)).start()
    wait_until(seen.exists, 30, 'the image is read')
    move.engine.interrupt()
    move.undone((CANCELLED,), destination='waiting')
    assert move.read('destination') == bytes(SIZE)


class Absent(WithMedium):
    """The destination has a placeholder."""

    def _extra(self, name):
        if name == 'source':
            return super()._extra(name)
        self.path[name] = self.lab.folder('made') / 'cd'
        words = self.device('', self.format[name])
        return ('-blockdev', f'driver=null-co,node-name={NODE},size={SIZE},'
                'read-zeroes=on,read-only=on', *words[4:])

    def arguments(self):
        return [f'--create-disks=cd0={self.path["destination"]}',
                *super().arguments()]

    def moved(self, *args, **options):
        """Onto an image in the place of the placeholder, as read-only."""
        nodes = self.before[self.destination].state['nodes']
        nodes[NODE]['driver'] = self.format['destination']
        nodes[f'#auto file {self.path["destination"]}'] = {
            'driver': 'file', 'ro': True, 'active': None,
            'detect-zeroes': 'off', 'bitmaps': []}
        return super().moved(*args, **options)


MAKE = {'virtio': virtio, 'scsi-cd': scsi_cd, 'ide-cd': ide_cd,
        'usb-stick': usb}


MADE = [(device, ('raw', 'qcow2')[(n + old) % 2], ('qemu10', 'system')[old])
        for n, device in enumerate(MAKE) for old in (0, 1)]


@pytest.mark.sample(3)
@pytest.mark.parametrize('device,format,pair', MADE,
                         ids=['-'.join(row) for row in MADE])
def test_an_image_is_made_for_it(lab, pki, device, format, pair):
    content = medium()
    device = MAKE[device]
    case = Case(live=False, binaries=(pair, pair))
    move = Absent(lab, pki, case, content, b'', device=device, format=format)
    move.start()
    move.wait_step('run the destination', 'done')
    assert move.guest_reads() == content
    assert copied(move.moved()) == ['cd0', 'vd0']
    assert move.read('destination') == content


@pytest.mark.parametrize('at', ['make disks:after', 'export disks:after',
                                'mirror disks:after', 'close exports:after'])
def test_what_was_made_for_it_is_removed(lab, pki, at):
    case = Case(live=False, env={'QMIGRATE_FAIL': f'{at}=fail'})
    move = Absent(lab, pki, case, medium(), b'').start()
    move.undone(destination='gone' if at.startswith('close') else 'waiting')
    assert not move.path['destination'].exists()
    assert not any('was written to' in w for w in move.warnings())


# ---- failures ----

@pytest.mark.sample(4)
@pytest.mark.parametrize('row', ROWS[ROWS.index('export disks'):
                                     ROWS.index('run the destination')])
def test_failure_is_undone(lab, pki, row):
    """No node and no export stays; what became of the image is said."""
    case = Case(live=False, env={'QMIGRATE_FAIL': f'{row}:after=fail'})
    move = WithMedium(lab, pki, case, medium(), bytes(SIZE)).start()
    place = ROWS.index(row)
    move.undone(destination='gone' if place >= ROWS.index('open the door')
                else 'waiting')
    told = [w for w in move.warnings() if w.startswith('read-only disk cd0')]
    if place >= ROWS.index('mirror disks'):
        [text] = told
        assert 'destination.iso of the destination was written to' in text
    else:
        assert told == []
        assert move.read('destination') == bytes(SIZE)


def test_an_image_that_another_guest_uses_is_not_changed(lab, pki):
    move = WithMedium(lab, pki, STILL, medium(), bytes(SIZE))
    other = Qemu(lab, move.destination.host, live=False, name='other',
                 extra=scsi_cd(move.path['destination'], 'raw'))
    assert other.status() == 'running'
    move.start().undone(destination='waiting')
    assert 'disk cd0: ' in move.error and 'lock' in move.error
    assert 'another QEMU has ' in move.error
    assert move.read('destination') == bytes(SIZE)


def test_an_image_that_cannot_be_written_is_named(lab, pki):
    class Closed(WithMedium):
        def _image(self, name):
            path = super()._image(name)
            if name == 'destination':
                for words in (('--bind',), ('-o', 'remount,bind,ro')):
                    subprocess.run(['mount', *words, path, path], check=True,
                                   timeout=30)
                self.lab.on_exit(subprocess.run, ['umount', '-l', path],
                                 timeout=30, check=False)
            return path

    move = Closed(lab, pki, STILL, medium(), bytes(SIZE))
    move.start().undone(destination='waiting')
    assert 'disk cd0: open the read-only image for writing' in move.error
    assert f'must be able to write {move.path["destination"]}' in move.error


def test_a_destination_that_dies_is_told_of(lab, pki):
    case = Case(live=False, proxied=True)
    move = WithMedium(lab, pki, case, medium(), bytes(SIZE))
    hold = move.source.proxy.hold('migrate')
    move.start()
    hold.wait()
    move.destination.kill()
    hold.release()
    assert move.engine.wait(90) == FAILED
    assert any('was written to' in w for w in move.warnings())
    assert move.unlike_before(move.source) == []


# ---- what else a guest has in its slots ----

def fat(label):
    """A file system for a configuration drive: FAT12, and a label."""
    boot = bytearray(512)
    boot[0:11] = b'\xeb\x3c\x90mkfs.fat'
    boot[11:28] = bytes([0, 2, 4, 1, 0, 2, 0, 2, 0, 32, 0xf8, 6, 0, 32, 0,
                         2, 0])
    boot[38] = 0x29
    boot[43:62] = label.ljust(11).encode() + b'FAT12   '
    boot[510:512] = b'\x55\xaa'
    table = b'\xf8\xff\xff'.ljust(6 * 512, b'\0')
    root = (label.ljust(11).encode() + b'\x08').ljust(512 * 32, b'\0')
    return (bytes(boot) + 2 * table + root + os.urandom(MIB)).ljust(
        SIZE, b'\0')


def swap(label):
    """What mkswap makes."""
    page = bytearray(4096)
    page[1024:1032] = (1).to_bytes(4, 'little') + (1023).to_bytes(4, 'little')
    page[-10:] = b'SWAPSPACE2'
    return (bytes(page) + os.urandom(MIB)).ljust(SIZE, b'\0')


def writable(path, format):
    return ('-blockdev', f'driver=file,node-name={NODE}-file,filename={path}',
            '-blockdev', f'driver={format},node-name={NODE},'
            f'file={NODE}-file', '-device', 'virtio-scsi-pci,id=scsi9',
            '-device', f'scsi-hd,id=cd0,bus=scsi9.0,drive={NODE}')


SLOTS = {'vfat-read-only': (fat, virtio, OTHER),
         'vfat-on-a-stick': (fat, usb, OTHER),
         'vfat-writable': (fat, writable, 'writable, two files of one machine'),
         'swap': (swap, writable, 'writable, two files of one machine')}


@pytest.mark.sample(3)
@pytest.mark.parametrize('pair', ['qemu10', 'system'])
@pytest.mark.parametrize('slot', SLOTS.values(), ids=SLOTS)
def test_configuration_drives_and_swap(lab, pki, slot, pair):
    make, device, reason = slot
    content = make('config-2')
    case = Case(live=False, binaries=(pair, pair))
    move = WithMedium(lab, pki, case, content, bytes(SIZE), device=device)
    assert move.verdict() == ('copy', reason)
    assert copied(move.start().moved()) == ['cd0', 'vd0']
    assert move.read('destination') == content


def drive_with(path):
    """A drive at both, and a medium only where there is a path."""
    def device(_, format):
        tray = ('-device', 'virtio-scsi-pci,id=scsi9')
        return (*blockdev(path, format), *tray, '-device',
                f'scsi-cd,id=cd0,bus=scsi9.0,drive={NODE}') if path else \
            (*tray, '-device', 'scsi-cd,id=cd0,bus=scsi9.0')
    return device


@pytest.mark.parametrize('where', ['source', 'destination'])
def test_a_medium_on_one_side_alone(lab, pki, where):
    """The guest moves, and it is warned that the drive is not as it was."""
    class OneTray(WithMedium):
        def _extra(self, name):
            self.path[name] = self._image(name)
            return drive_with(self.path[name] if name == where else None)(
                None, 'raw')

    move = OneTray(lab, pki, STILL, medium(), medium())
    assert move.verdict() == ('leave', 'read-only' if where == 'source' else
                              'empty tray')
    result = move.start().moved()
    assert copied(result) == ['vd0']
    [event] = move.engine.events('PREFLIGHT')
    [warning] = [v['what'] for v in event['data']['verdicts']
                 if v['id'] == 'disks' and v['level'] == 'warning']
    assert f'disk cd0 has a medium at the {where} and none at the' in warning
