"""Disks that the destination does not have yet: it has placeholders, and the
engine makes their images; and block devices that are larger than the
source's disk, of which a slice is used."""

import json
import os
import re
import shutil
import stat
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from cases import BINARIES, DONE, ENGINE_LIMIT_S, FAILED, LEFT_HERE, REFUSED, Case, Move
from engine import Engine
from qemu import MIB, Image, Qemu, device_args, disk_args, make_image
from snapshot import Snapshot
from sshd import ssh_env
from test_mirror import allocated, fill, loop_device
from test_ssh import make_sshd

SIZE = 64 * MIB
NAMES = {'virtio-blk': 'vd', 'scsi': 'sd', 'ide': 'hd'}
OPTIONS = {'raw': (), 'qcow2': ('cluster_size=128k', 'compat=1.1'),
           'old': ('compat=0.10', 'cluster_size=4k'),
           'wide': ('extended_l2=on', 'cluster_size=128k',
                    'refcount_bits=64')}


def placeholder(number, size=SIZE, driver='null-co', more=''):
    return ['-blockdev', f'driver={driver},node-name=disk{number},'
            f'size={size},read-zeroes=on{more}']


class Made(Move):
    """A Move to a destination that has placeholders. folder: where its
    images are to be; by_ssh: its host is another one; blockdevs(number): the
    options of its nodes; given: --create-disks with the paths; destination:
    another address of its monitor."""

    def __init__(self, lab, pki, case, folder=None, by_ssh=False,
                 blockdevs=placeholder, given=True, options='raw', fill=(),
                 binary=None, destination=None):
        self.address = destination
        self.folder = folder or lab.folder('made')
        self.blockdevs = blockdevs
        self.given = given
        self.image_options = OPTIONS[options]
        self.fill = fill
        self.binary = binary
        lab.host('source'), lab.host('destination')
        self.sshd = make_sshd(lab, 'destination') if by_ssh else None
        super().__init__(lab, pki, case)

    def _qemu(self, name, binary):
        c = self.case
        options = {'live': c.live, 'binary': BINARIES[binary](),
                   'proxied': c.proxied}
        if name == 'source':
            images = [make_image(self.lab, f'source{n}', f, SIZE,
                                 self.image_options if f == 'qcow2' else ())
                      for n, f in enumerate(c.formats)]
            if not self.given:
                images = [i._replace(path=shutil.move(i.path, self.folder))
                          for i in images]
            for image in images:
                if self.fill:
                    fill(image, self.fill)
            return Qemu(self.lab, self.lab.host(name), images,
                        device=c.device, **options)
        if self.binary:
            options['binary'] = self.binary(options['binary'])
        extra = []
        for n, _ in enumerate(c.formats):
            extra += self.blockdevs(n) + device_args(n, c.device)
        qemu = Qemu(self.lab, self.lab.host(name), [], incoming=True,
                    extra=extra, **options)
        qemu.disks = self.source.disks if not self.given else [
            Image(str(Path(self.folder, f'made{n}.{f}')), f, SIZE)
            for n, f in enumerate(c.formats)]
        return qemu

    @property
    def paths(self):
        return [Path(image.path) for image in self.destination.disks]

    def arguments(self):
        words = super().arguments()
        if self.given:
            words.insert(0, '--create-disks=' + ','.join(
                f'{NAMES[self.case.device]}{n}={path}'
                for n, path in enumerate(self.paths)))
        if self.sshd:
            words[-1] = self.sshd.url + self.destination.address
        if self.address:
            words[-1] = self.address
        return words

    def start(self, *options, command='migrate', **env):
        if not self.sshd:
            return super().start(*options, command=command, **env)
        self.engine = Engine(
            self.lab, command, '--json', *options, *self.arguments(),
            host=self.source.host, env={**ssh_env(self.lab), **env})
        return self

    def moved(self, *args, **options):
        """Onto images in the place of the placeholders."""
        nodes = self.before[self.destination].state['nodes']
        for n, image in enumerate(self.destination.disks):
            if self.blockdevs is not placeholder:
                break
            nodes[f'disk{n}']['driver'] = image.format
            nodes[f'#auto file {image.path}'] = {
                'driver': 'file', 'ro': False, 'active': None,
                'detect-zeroes': 'off', 'bitmaps': []}
        return super().moved(*args, **options)

    def refused(self, says, hint=''):
        """Before anything was touched, and nothing was made."""
        before = sorted(os.listdir(self.folder))
        self.start()
        self.undone((REFUSED,), 'waiting')
        message, advice = self.error.split('\n', 1)
        assert re.search(says, message), message
        assert re.search(hint, advice), advice
        assert sorted(os.listdir(self.folder)) == before
        return self


def image_info(path):
    out = subprocess.run(['qemu-img', 'info', '-U', '--output=json', path],
                         check=True, capture_output=True, timeout=30).stdout
    return json.loads(out)


def check_alike(source, made):
    """The image that was made is like the source's."""
    a, b = image_info(source), image_info(made)
    for key in ('format', 'virtual-size', 'cluster-size'):
        assert a.get(key) == b.get(key), key
    for key in ('compat', 'extended-l2', 'refcount-bits'):
        assert a.get('format-specific', {}).get('data', {}).get(key) == \
            b.get('format-specific', {}).get('data', {}).get(key), key
    mode = os.stat(made)
    assert stat.S_IMODE(mode.st_mode) == 0o600
    assert (mode.st_uid, mode.st_gid) == (os.getuid(), os.getgid())


STILL = Case(live=False)

# ---- images are made ----

IMAGES = {
    'raw': (Case(), 'raw'),
    'qcow2': (Case(formats=('qcow2',)), 'qcow2'),
    'scsi-two': (Case(formats=('raw', 'qcow2'), device='scsi'), 'qcow2'),
    'ide': (replace(STILL, device='ide'), 'raw'),
    'old-qcow2': (replace(STILL, formats=('qcow2',)), 'old'),
    'wide-qcow2': (replace(STILL, formats=('qcow2',)), 'wide'),
}


@pytest.mark.parametrize('case,options', IMAGES.values(), ids=IMAGES)
def test_image_is_made(lab, pki, case, options):
    move = Made(lab, pki, case, options=options).start()
    move.moved()
    for a, b in zip(move.source.disks, move.destination.disks):
        check_alike(a.path, b.path)
        assert move.guest is None or allocated(b) > 0


def test_image_is_made_by_ssh(lab, pki):
    move = Made(lab, pki, Case(formats=('qcow2',)), by_ssh=True,
                options='qcow2').start()
    move.moved()
    check_alike(move.source.disks[0].path, move.paths[0])


def hide(folder, *words):
    """For a QEMU of its own mount namespace another file system is there."""
    def wrapped(binary):
        script = f'mount -t tmpfs {" ".join(words)} tmpfs {folder} && exec "$@"'
        return binary._replace(argv=('unshare', '--mount', '--', 'sh', '-c',
                                     script, 'sh', *binary.argv))

    return wrapped


def test_image_is_made_where_the_source_has_it(lab, pki):
    """No path is given, and the destination's QEMU sees a file system there
    that the engine does not."""
    folder = lab.folder('images')
    move = Made(lab, pki, replace(STILL, options=('--create-disks',)),
                folder=folder, given=False, binary=hide(folder))
    [path] = move.paths
    move.start().moved()
    there = Path(f'/proc/{move.destination.pid}/root{path}')
    assert there.stat().st_size == SIZE
    assert there.stat().st_ino != path.stat().st_ino


def test_image_holds_what_the_source_had_on_an_older_qemu(lab, pki):
    case = Case(formats=('raw', 'qcow2'), live=False, stopped=True,
                binaries=('system', 'system'))
    move = Made(lab, pki, case, options='qcow2',
                fill=[(n * 4 * MIB, MIB) for n in range(16)]).start()
    move.moved(paused=True)
    move.destination.quit()
    for a, b in zip(move.source.disks, move.destination.disks):
        check_alike(a.path, b.path)
        subprocess.run(['qemu-img', 'compare', '-f', a.format, '-F', b.format,
                        a.path, b.path], check=True, timeout=60,
                       stdout=subprocess.DEVNULL)


def test_plan_names_the_image(lab, pki):
    move = Made(lab, pki, STILL)
    move.start(command='check')
    assert move.engine.wait(30) == DONE
    told = [v['what'] for e in move.engine.events('PREFLIGHT')
            for v in e['data']['verdicts'] if v['id'] == 'disks']
    assert told == ['disk vd0 will be copied (64 MiB, raw), onto an image '
                    f'that is made: {move.paths[0]}']
    assert not move.paths[0].exists()


# ---- it is refused before anything is touched ----

def small(lab, size):
    """A folder on a file system of that size."""
    folder = lab.folder('small')
    lab.on_exit(subprocess.run, ['umount', folder], check=True)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}', 'tmpfs',
                    folder], check=True)
    return folder


def test_refused_without_the_option(lab, pki):
    move = Made(lab, pki, STILL, given=False)
    move.refused(r'disk vd0 is only a placeholder at the destination '
                 r'\(null-co\)', '--create-disks')


def test_refused_where_there_is_no_room(lab, pki):
    move = Made(lab, pki, STILL, folder=small(lab, '8m'),
                fill=[(n * 4 * MIB, MIB) for n in range(12)])
    held = allocated(move.source.disks[0])
    move.refused(f'there is no room for disk vd0 at {move.paths[0]}: {held} '
                 'bytes are needed, and 8388608 are free',
                 '--create-disks=vd0=PATH')


def test_two_disks_share_the_room(lab, pki):
    """Each alone would fit."""
    case = replace(STILL, formats=('raw', 'raw'))
    move = Made(lab, pki, case, folder=small(lab, '16m'),
                fill=[(n * 4 * MIB, MIB) for n in range(10)])
    move.refused('no room for disk vd1 .* 16777216 are free')


def test_warned_where_room_may_become_short(lab, pki):
    move = Made(lab, pki, STILL, folder=small(lab, '16m')).start()
    move.moved()
    verdicts = [v for e in move.engine.events('PREFLIGHT')
                for v in e['data']['verdicts'] if v['level'] == 'warning']
    assert any('can become 67108864 bytes, and 16777216 are free' in v['what']
               for v in verdicts), verdicts


def test_nothing_is_overwritten(lab, pki):
    move = Made(lab, pki, STILL)
    move.paths[0].write_text('mine')
    move.refused('that name is taken, and nothing is overwritten')
    assert move.paths[0].read_text() == 'mine'


def test_dangling_link_is_not_followed(lab, pki):
    move = Made(lab, pki, STILL)
    move.paths[0].symlink_to('nowhere')
    move.refused('that name is taken')


def test_folder_must_be_there(lab, pki):
    move = Made(lab, pki, STILL)
    move.folder.rmdir()
    move.start()
    move.undone((REFUSED,), 'waiting')
    assert 'its folder is not there' in move.error
    assert not move.folder.exists()


def test_two_images_of_one_path(lab, pki):
    move = Made(lab, pki, replace(STILL, formats=('raw', 'raw')))
    move.destination.disks = [move.destination.disks[0]] * 2
    move.refused('disk vd1 .* another disk is to be made there')


def as_filter(number):
    return ['-blockdev', f'driver=null-co,node-name=below,size={SIZE}',
            '-blockdev', f'driver=raw,node-name=disk{number},file=below']


PLACEHOLDERS = {
    'size': (lambda n: placeholder(n, 32 * MIB),
             'cannot be replaced: its size is another one'),
    'filter': (as_filter, 'it is not directly under the device'),
    'read-only': (lambda n: placeholder(n, more=',read-only=on'),
                  'read-only'),
    'drive': (lambda n: ['-drive', 'if=none,driver=null-co,read-zeroes=on,'
                         f'id=disk{n},size={SIZE}'], 'it has no name'),
}


@pytest.mark.parametrize('blockdevs,says', PLACEHOLDERS.values(),
                         ids=PLACEHOLDERS)
def test_placeholder_must_be_replaceable(lab, pki, blockdevs, says):
    move = Made(lab, pki, STILL, blockdevs=blockdevs)
    move.refused(f'disk vd0 .*{says}', 'driver=null-co,node-name=NAME,'
                 'size=67108864,read-zeroes=on')


def test_placeholder_is_not_left_behind(lab, pki):
    """A guest would find nothing on it."""
    case = replace(STILL, options=('--disks', 'none'))
    Made(lab, pki, case).refused(
        'disk vd0 is only a placeholder at the destination, and it is not '
        'copied: --disks none')


TCP = 'tcp:10.77.0.2:4445'


def test_host_that_nobody_can_reach(lab, pki):
    """A monitor over TCP does not say where commands can be run."""
    def monitored(number):
        return placeholder(number) + [
            '-chardev', 'socket,id=tcp,host=10.77.0.2,port=4445,server=on,'
            'wait=off', '-mon', 'chardev=tcp,mode=control']

    move = Made(lab, pki, replace(STILL, tls=False), blockdevs=monitored,
                destination=TCP)
    move.refused('the image of disk vd0 cannot be made: on the destination'
                 "'s host no command can be run: nobody said how to reach it",
                 '--destination-host')


# ---- failures in the middle ----

FAILPOINTS = ['make disks:after', 'export disks:after', 'mirror disks:after',
              'open the door:after', 'converge:after', 'switch over:after']


@pytest.mark.parametrize('at', FAILPOINTS)
def test_what_was_made_is_removed(lab, pki, at):
    """And the placeholder is back, if that QEMU is still there: a second
    attempt succeeds."""
    case = replace(STILL, formats=('raw', 'qcow2'))
    move = Made(lab, pki, case)
    move.start(QMIGRATE_FAIL=f'{at}=fail')
    move.undone((FAILED,), 'any')
    assert os.listdir(move.folder) == []
    if not move.destination.is_alive():
        move.new_destination()
    move.start()
    move.moved()
    for a, b in zip(move.source.disks, move.destination.disks):
        check_alike(a.path, b.path)


def test_living_guest_is_taken_back(lab, pki):
    move = Made(lab, pki, Case(formats=('qcow2',)))
    move.start(QMIGRATE_FAIL='settle disks:after=fail')
    move.undone((FAILED,), 'any')
    assert os.listdir(move.folder) == []


COMMANDS = [(name, nth) for name, count in (('blockdev-add', 2),
                                            ('qom-set', 2),
                                            ('blockdev-del', 2))
            for nth in range(1, count + 1)]


@pytest.mark.parametrize('name,nth', COMMANDS)
def test_destination_refuses(lab, pki, name, nth):
    """Each command with which the image is put under the device."""
    move = Made(lab, pki, replace(STILL, proxied=True))
    move.destination.proxy.fail(name, nth)
    move.start()
    move.undone((FAILED,), 'waiting')
    assert 'told to fail by the test' in move.error
    assert os.listdir(move.folder) == []


@pytest.mark.parametrize('when', ['before', 'after'])
@pytest.mark.parametrize('name,nth', COMMANDS)
def test_reply_is_lost(lab, pki, name, nth, when):
    move = Made(lab, pki, replace(STILL, proxied=True))
    move.destination.proxy.drop(name, nth, when)
    move.start().moved()
    check_alike(move.source.disks[0].path, move.paths[0])


def test_another_file_is_not_removed(lab, pki):
    """Somebody put his own in the place of what the engine had made."""
    move = Made(lab, pki, replace(STILL, proxied=True))

    def exchange():
        move.paths[0].unlink()
        move.paths[0].write_text('mine')

    move.destination.proxy.call('nbd-server-start', exchange)
    move.destination.proxy.fail('block-export-add')
    move.start()
    assert move.engine.wait(60) == LEFT_HERE
    assert any(str(move.paths[0]) in line
               for line in move.engine.result()['left'])
    assert move.paths[0].read_text() == 'mine'


# ---- slices of larger block devices ----

def devices(lab, size, top):
    def blockdevs(number):
        image = loop_device(make_image(lab, f'large{number}', 'raw', size),
                            lab)
        node = f'driver=host_device,filename={image.path},cache.direct=on,' \
               f'discard=unmap,node-name=disk{number}'
        return ['-blockdev', node] if not top else [
            '-blockdev', f'{node}-file', '-blockdev',
            f'driver=raw,node-name=disk{number},file=disk{number}-file']

    return blockdevs


class Sliced(Made):
    """A Move onto a loop device that is larger than the source's disk."""

    def __init__(self, lab, pki, case, size=96 * MIB, top=True, **options):
        super().__init__(lab, pki, case, given=False,
                         blockdevs=devices(lab, size, top), **options)

    def _qemu(self, name, binary):
        qemu = super()._qemu(name, binary)
        if name == 'destination':
            qemu.disks = [Image(n['file'], 'raw', SIZE) for n in
                          qemu.spy.cmd('query-named-block-nodes', flat=True)
                          if n['drv'] == 'host_device']
        return qemu

    def moved(self, *args, **options):
        """The guest has its size; the rest of the device stays below."""
        self.engine.wait(ENGINE_LIMIT_S)
        for disk in self.destination.spy.cmd('query-block'):
            assert disk['inserted']['image']['virtual-size'] == SIZE
        state = self.before[self.destination].state
        for key in state['disks']:
            [slice_] = [name for name in Snapshot(
                self.destination).state['nodes'] if 'slice' in name]
            state['disks'][key] = slice_
            state['nodes'][slice_] = {
                'driver': 'raw', 'ro': False, 'active': None,
                'detect-zeroes': 'off', 'bitmaps': []}
        return super().moved(*args, **options)


SLICES = {
    'raw': (Case(), {}),
    'direct': (STILL, {'top': False}),
    'qcow2-source': (replace(STILL, formats=('qcow2',)), {}),
    'scsi': (Case(device='scsi'), {}),
}


@pytest.mark.parametrize('case,options', SLICES.values(), ids=SLICES)
def test_slice_of_a_larger_block_device(lab, pki, case, options):
    """The guest sees the size that it knows."""
    move = Sliced(lab, pki, case, **options).start()
    move.moved()


def test_slice_on_an_older_qemu(lab, pki):
    case = Case(live=False, stopped=True, binaries=('system', 'system'))
    move = Sliced(lab, pki, case,
                  fill=[(n * 4 * MIB, MIB) for n in range(16)]).start()
    move.moved(paused=True)
    move.destination.quit()
    with open(move.source.disks[0].path, 'rb') as a, \
            open(move.destination.disks[0].path, 'rb') as b:
        assert a.read() == b.read(SIZE)


@pytest.mark.parametrize('at', ['make disks:after', 'mirror disks:after',
                                'converge:after'])
def test_slice_is_taken_back(lab, pki, at):
    move = Sliced(lab, pki, STILL)
    move.start(QMIGRATE_FAIL=f'{at}=fail')
    move.undone((FAILED,), 'any')


def test_ide_takes_no_slice(lab, pki):
    """It knows the size that its disk had when QEMU started."""
    Sliced(lab, pki, replace(STILL, device='ide')).refused(
        'disk hd0 has 67108864 bytes at the source and 100663296 at the '
        'destination', 'size=67108864')


def test_smaller_block_device(lab, pki):
    Sliced(lab, pki, STILL, size=32 * MIB).refused(
        'disk vd0 has 67108864 bytes at the source and 33554432 at the '
        'destination', 'anew with 67108864 bytes')


def other_file(lab, size):
    def blockdevs(number):
        image = make_image(lab, 'other', 'raw', size)
        return disk_args(number, image)[:4]

    return blockdevs


SIZES = {'larger': (96 * MIB, 'size=67108864 .*resize'),
         'smaller': (32 * MIB, 'anew with 67108864 bytes')}


@pytest.mark.parametrize('size,hint', SIZES.values(), ids=SIZES)
def test_file_of_another_size(lab, pki, size, hint):
    Made(lab, pki, STILL, given=False,
         blockdevs=other_file(lab, size)).refused(
        f'disk vd0 has 67108864 bytes at the source and {size} at the '
        'destination', hint)
