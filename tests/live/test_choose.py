"""Which disks are copied: what both sides use is left, what each has for
itself is copied, and what nobody can tell is refused.

File systems that hosts may share are FUSE's here: two mounts of one folder
look to the engine like two hosts' mounts of one export.
"""

import os
import re
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import NamedTuple

import pytest

from cases import BINARIES, REFUSED, Case, Move
from engine import Engine, program
from lab import wait_until
from qemu import Image, Qemu, make_image
from refusals import Pair, Refusal, blockers, state_of, unlike
from snapshot import Snapshot
from sshd import Sshd, ssh_env
from test_refuse import pc

SIZE = 16 << 20


def mount(lab, *words):
    subprocess.run(['mount', *map(str, words)], check=True, timeout=30)
    lab.on_exit(subprocess.run, ['umount', '-l', str(words[-1])], timeout=30,
                check=False)


def bind(lab, folder):
    """The folder again, elsewhere, as a host of its own would mount it."""
    there = lab.folder('bound')
    mount(lab, '--bind', folder, there)
    return there


def fuse(lab, folder, *words, before=()):
    """The same, but by FUSE: with another device number."""
    if not shutil.which('bindfs'):
        pytest.skip('bindfs is not installed')
    there = lab.folder('fuse')
    lab.on_exit(subprocess.run, ['umount', '-l', str(there)], timeout=30,
                check=False)
    lab.spawn([*before, 'bindfs', '-f', *words, folder, there],
              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: os.path.ismount(there), 10, 'bindfs mounts')
    return there


def loop(lab, path):
    device = subprocess.run(['losetup', '-f', '--show', str(path)], check=True,
                            capture_output=True, text=True,
                            timeout=30).stdout.strip()
    lab.on_exit(subprocess.run, ['losetup', '-d', device], timeout=30,
                check=False)
    return device


def image_in(folder, name='vm.img'):
    path = Path(folder, name)
    with open(path, 'ab') as f:
        f.truncate(SIZE)
    return path


# ---- each gives the two paths of vd0 ----

def one_path(lab):
    path = image_in(lab.folder('images'))
    return path, path


def two_files(lab):
    folder = lab.folder('images')
    return image_in(folder), image_in(folder, 'other.img')


def symlink(lab):
    path = image_in(lab.folder('images'))
    link = lab.path('link')
    link.symlink_to(path)
    return path, link


def bound(lab):
    folder = lab.folder('images')
    return image_in(folder), bind(lab, folder) / 'vm.img'


def fuse_one(lab):
    """Of one export two mounts."""
    folder = lab.folder('images')
    image_in(folder)
    return fuse(lab, folder) / 'vm.img', fuse(lab, folder) / 'vm.img'


def fuse_and_server(lab):
    """One side is the server itself."""
    folder = lab.folder('images')
    return image_in(folder), fuse(lab, folder) / 'vm.img'


def fuse_link(lab):
    """A link in another folder leads there."""
    source, destination = fuse_one(lab)
    link = lab.path('link')
    link.symlink_to(destination)
    return source, link


def fuse_two_names(lab):
    folder = lab.folder('images')
    image_in(folder)
    image_in(folder, 'other.img')
    return fuse(lab, folder) / 'vm.img', fuse(lab, folder) / 'other.img'


def fuse_two_folders(lab):
    paths = [fuse(lab, image_in(lab.folder('images')).parent)
             for _ in range(2)]
    return paths[0] / 'vm.img', paths[1] / 'vm.img'


def closed(lab, *which):
    """Folders into which nobody may write, as an export that does not trust
    root: the image itself can be written."""
    folder = lab.folder('images')
    image_in(folder).chmod(0o666)
    os.chown(folder, 65534, 65534)
    folder.chmod(0o555)
    squashed = ('setpriv', '--bounding-set=-dac_override,-dac_read_search')
    paths = [fuse(lab, folder, before=squashed if n in which else ())
             for n in range(2)]
    return paths[0] / 'vm.img', paths[1] / 'vm.img'


def mounted_alone(lab):
    """A single file is mounted beside another one of its folder."""
    folder = lab.folder('images')
    image_in(folder)
    image_in(folder, 'other.img')
    here, there = fuse(lab, folder), fuse(lab, folder)
    mount(lab, '--bind', there / 'vm.img', there / 'other.img')
    return here / 'vm.img', there / 'other.img'


def hard_link(lab):
    """One file by two names, in two folders of one export."""
    folder = lab.folder('images')
    (folder / 'other').mkdir()
    os.link(image_in(folder), folder / 'other' / 'disk')
    return fuse(lab, folder) / 'vm.img', fuse(lab, folder) / 'other' / 'disk'


def closed_here(lab):
    return closed(lab, 0)


def closed_everywhere(lab):
    return closed(lab, 0, 1)


def loop_and_file(lab):
    path = image_in(lab.folder('images'))
    return path, loop(lab, path)


def two_loops_one_file(lab):
    path = image_in(lab.folder('images'))
    return loop(lab, path), loop(lab, path)


def two_loops(lab):
    return tuple(loop(lab, path) for path in two_files(lab))


class Choice(NamedTuple):
    make: object
    verdict: str
    reason: str
    options: tuple = ()


MARK = 'one file: a mark beside it was seen'
NO_MARK = 'where no mark could be made'
ONE_MACHINE = {
    'one-path': Choice(one_path, 'shared', 'one file, which both sides use'),
    'symlink': Choice(symlink, 'shared', 'one file, which both sides use'),
    'bind-mount': Choice(bound, 'shared', 'one file, which both sides use'),
    'two-files': Choice(two_files, 'copy', 'two files of one machine'),
    'loop-and-file': Choice(loop_and_file, 'shared', 'one file'),
    'two-loops-one-file': Choice(two_loops_one_file, 'shared', 'one file'),
    'two-loops': Choice(two_loops, 'copy', 'two files of one machine'),
    'none': Choice(two_files, 'leave', '--disks none', ('--disks', 'none')),
}
ANY_MACHINE = {
    'fuse-one': Choice(fuse_one, 'shared', MARK),
    'fuse-and-server': Choice(fuse_and_server, 'shared', MARK),
    'fuse-link': Choice(fuse_link, 'shared', MARK),
    'fuse-two-names': Choice(fuse_two_names, 'copy', 'two files of one folder'),
    'fuse-two-folders': Choice(fuse_two_folders, 'copy', 'in another folder'),
    'mounted-alone': Choice(mounted_alone, 'refuse', 'as a single file'),
    'hard-link': Choice(hard_link, 'refuse', 'was not seen'),
    'closed-here': Choice(closed_here, 'shared', MARK),
    'closed': Choice(closed_everywhere, 'refuse', NO_MARK),
    'closed-said-shared': Choice(closed_everywhere, 'shared',
                                 'named by --shared', ('--shared', 'vd0')),
    'closed-said-own': Choice(closed_everywhere, 'copy', 'as you said',
                              ('--disks', 'vd0')),
    'own-said-shared': Choice(fuse_two_folders, 'refuse', 'is not shared',
                              ('--shared', 'vd0')),
    'shared-said-own': Choice(fuse_one, 'refuse', 'is the same image',
                              ('--disks', 'all')),
}


def driver_of(path):
    return 'host_device' if Path(path).is_block_device() else 'file'


def disk_on(path):
    return {'disks': [], 'extra': (
        '-blockdev', f'driver={driver_of(path)},node-name=disk0-file,'
        f'filename={path}',
        '-blockdev', 'driver=raw,node-name=disk0,file=disk0-file',
        '-device', 'virtio-blk-pci,id=vd0,drive=disk0,serial=disk0')}


def marks(lab):
    return [str(p) for p in lab.dir.rglob('.qmigrate-mark*')]


def run_choice(lab, pki, choice, env=None, peers=None):
    """Look twice, by check and --dry-run; nothing is changed."""
    here, there = choice.make(lab)
    refusal = Refusal('', source=disk_on(here), destination=disk_on(there),
                      options=choice.options,
                      **({'peers': peers} if peers else {}))
    pair = Pair(lab, pki, refusal)
    before = state_of(pair)
    check = pair.run(refusal, 'check', env=env)
    dry = Refusal(
        '', options=('--dry-run', *choice.options),
        **({'peers': peers} if peers else {}))
    engine = pair.run(dry, 'migrate', env=env)
    assert unlike(pair, before) == []
    assert marks(lab) == []
    assert check.process.returncode == engine.process.returncode
    found = [v for v in check.events('PREFLIGHT')[0]['data']['verdicts']
             if v['id'] == 'disks']
    return check, engine, found


def judge(lab, pki, choice, **more):
    check, engine, found = run_choice(lab, pki, choice, **more)
    if choice.verdict == 'refuse':
        assert engine.process.returncode == 3, engine.text()
        [b] = blockers(check)
        assert (b['id'], b['side']) == ('disks', 'both')
        assert choice.reason in b['what'], b
        return found
    assert engine.process.returncode == 0, engine.text()
    [plan] = engine.events('PLAN')
    [disk] = plan['data']['disks']
    assert (disk['verdict'], disk['copy']) == (choice.verdict,
                                               choice.verdict == 'copy')
    assert choice.reason in disk['reason'], disk
    return found


@pytest.mark.parametrize('choice', (ONE_MACHINE | ANY_MACHINE).values(),
                         ids=ONE_MACHINE | ANY_MACHINE)
def test_on_one_machine(lab, pki, choice):
    judge(lab, pki, choice)


@pytest.mark.sample(3)
@pytest.mark.parametrize('choice', ANY_MACHINE.values(), ids=ANY_MACHINE)
def test_on_two_machines(lab, pki, choice):
    """The destination's host, behind ssh, says that it is another."""
    lab.host('source')
    Sshd(lab, lab.host('destination'), boot_id=str(uuid.uuid4()))
    found = judge(lab, pki, choice, env=ssh_env(lab),
                  peers=('{source}', 'ssh://destination{destination}'))
    cached = [v['side'] for v in found if 'page cache' in v['what']]
    shared = choice.verdict == 'shared'
    assert cached == (['source', 'destination'] if shared else [])


def test_on_hosts_that_nobody_can_ask(lab, pki):
    """A TCP monitor does not say where it is."""
    def tcp(port):
        return {'extra': ('-chardev', 'socket,id=tcp,host=127.0.0.1,'
                          f'port={port},server=on,wait=off',
                          '-mon', 'chardev=tcp,mode=control')}

    peers = ('tcp:127.0.0.1:4444', '{destination}')
    pair = Pair(lab, pki, Refusal('', source=tcp(4444)))
    engine = pair.run(Refusal('', peers=peers), 'check')
    assert engine.process.returncode == 3
    [b] = blockers(engine)
    assert re.fullmatch("cannot determine whether disk vd0 is shared: the "
                        "source's could not be looked at", b['what'])
    assert '--shared vd0' in b['fix'] and '--disks' in b['fix']
    for words in (('--disks', 'vd0'), ('--source-host', 'local')):
        engine = pair.run(Refusal('', peers=peers, options=words), 'check')
        assert engine.process.returncode == 0, engine.text()


@pytest.mark.parametrize('side', ['source', 'destination'])
def test_file_that_was_replaced(lab, pki, side):
    """The name leads to another file than the one that QEMU has open."""
    folders = {name: lab.folder(name) for name in ('source', 'destination')}
    paths = {name: image_in(folder) for name, folder in folders.items()}
    options = {name: {'disks': [Image(path, size=SIZE)]}
               for name, path in paths.items()}
    pair = Pair(lab, pki, Refusal('', **options))
    other = {'source': 'destination', 'destination': 'source'}[side]
    paths[side].unlink()
    os.link(paths[other], paths[side])
    before = state_of(pair)
    engine = pair.run(Refusal(''))
    assert engine.process.returncode == 3, engine.text()
    [b] = blockers(engine)
    assert f"the {side}'s QEMU has another file open" in b['what']
    assert unlike(pair, before) == []


# ---- block devices, as /sys shows them ----

SYS = '/sys/dev/block'
WITH_SYS = f"""#!/bin/sh
mount --bind {{folder}} {SYS} && exec {{program}} "$@"
"""
# Two paths to one LUN, with a partition; and another LUN.
PATHS = {'sda/dev': '8:0', 'sda/device/wwid': 'naa.600',
         'sda/sda1/dev': '8:1', 'sda/sda1/partition': '1',
         'sda/sda1/start': '2048', 'sda/sda1/size': '2048',
         'sda/sda2/dev': '8:2', 'sda/sda2/partition': '2',
         'sda/sda2/start': '4096', 'sda/sda2/size': '2048',
         'sdb/dev': '8:16', 'sdb/device/wwid': 'naa.600',
         'sdc/dev': '8:32', 'sdc/device/wwid': 'naa.601',
         'sdd/dev': '8:48', 'sdd/serial': 'disk0',
         'sde/dev': '8:64', 'sde/serial': 'disk0',
         'sdf/dev': '8:80'}
# Who offers all of them, or those of the other folder.
TARGETS = {'session1/iscsi_session/session1/targetname': 'iqn.2026-01.org.a',
           'session2/iscsi_session/session2/targetname': 'iqn.2026-01.org.b',
           'session2/sdg/device/wwid': 'naa.602'}


def dm(uuid, *slaves):
    """What /sys has of a device mapper's device over these."""
    found = {'dm/uuid': uuid}
    for slave in slaves:
        files = {name: text for name, text in PATHS.items()
                 if name.startswith(slave + '/')}
        found |= {f'slaves/{slave.rpartition("/")[2]}/{name}':
                  files[f'{slave}/{name}'] for name in ('dev', 'partition')
                  if f'{slave}/{name}' in files}
    return found


MPATH = dm('mpath-3600', 'sda', 'sdb')
GROUP = 'LVM-0123456789abcdef0123456789abcdef'
VOLUME = dm(GROUP + 'lv0', 'sda/sda1')
DEVICES = {
    'one-lun': ('sda', 'sdb', 'shared', 'one block device'),
    'two-luns': ('sda', 'sdc', 'copy', 'two block devices'),
    'multipath': (MPATH, 'sdb', 'shared', 'one block device'),
    'multipath-other': (MPATH, 'sdc', 'copy', 'two block devices'),
    'partition': ('sda/sda1', 'sda/sda1', 'shared', 'one block device'),
    'two-luns-of-two-targets': ('sda', '../session2/sdg', 'refuse',
                                'nothing says'),
    'two-partitions': ('sda/sda1', 'sda/sda2', 'copy', 'no byte in common'),
    'whole-and-partition': ('sda', 'sda/sda1', 'refuse', 'which overlap'),
    'kpartx': (dm('part1-mpath-3600', 'sda'), 'sda/sda1', 'shared',
               'one block device'),
    'volume': (VOLUME, VOLUME, 'shared', 'one block device'),
    'two-volumes': (VOLUME, dm(GROUP + 'lv1', 'sda/sda1'), 'copy',
                    'two block devices'),
    'volume-and-its-lun': (VOLUME, 'sdb', 'refuse', 'the same hardware'),
    'volume-without-a-name': (dm('', 'sda'), 'sdc', 'refuse',
                              'nothing says'),
    'serial-numbers': ('sdd', 'sde', 'refuse', 'nothing says'),
    'nameless-and-named': ('sdf', 'sdc', 'refuse', 'nothing says'),
}


def fake_sys(lab, devices):
    """A folder in the place of /sys/dev/block; the two loop devices are what
    they are told to be: a name of PATHS, or the files of a device."""
    folder, top = lab.folder('sys'), lab.folder('devices')
    real = top / 'session1'
    for name, text in TARGETS.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text + '\n')
    for name, text in PATHS.items():
        path = real / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + '\n')
        if path.name == 'dev':
            (folder / text).symlink_to(path.parent)
    for path, is_like in devices.items():
        number = os.stat(path).st_rdev
        there = folder / f'{os.major(number)}:{os.minor(number)}'
        if isinstance(is_like, str):
            there.symlink_to(real / is_like)
            continue
        for name, text in is_like.items():
            file = there / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text + '\n')
    return folder


@pytest.mark.parametrize('case', DEVICES.values(), ids=DEVICES)
def test_block_devices(lab, pki, monkeypatch, case):
    here, there, verdict, reason = case
    pair = two_loops(lab)
    folder = fake_sys(lab, dict(zip(pair, (here, there))))
    script = lab.path('with-sys')
    # /sys is mounted before, in the namespace of the engine alone
    script.write_text(WITH_SYS.format(folder=folder, program=program()))
    script.chmod(0o755)
    monkeypatch.setenv('QMIGRATE', str(script))
    judge(lab, pki, Choice(lambda lab: pair, verdict, reason))


# ---- and then it moves ----

class OneShared(Move):
    """The first of two disks is seen by both hosts, each by its own mount."""

    def _qemu(self, name, binary):
        if name == 'source':
            self.folders = [self.lab.folder('export')]
            self.folders.append(bind(self.lab, self.folders[0]))
            make = make_image(self.lab, 'export/vm')
            assert Path(make.path).parent == self.folders[0]
            self.image = make
        folder = self.folders[name == 'destination']
        shared = Image(str(folder / Path(self.image.path).name))
        own = make_image(self.lab, f'{name}-own')
        return Qemu(self.lab, self.lab.host(name), [shared, own],
                    incoming=name == 'destination', live=self.case.live,
                    binary=BINARIES[binary](),
                    state=self._state(name, binary, [shared, own]))


@pytest.mark.sample(2)
@pytest.mark.parametrize('case', [
    Case(formats=('raw', 'raw')),
    Case(formats=('raw', 'raw'), stopped=True, binaries=('system', 'system')),
], ids=['qemu10', 'system'])
def test_one_disk_of_two_is_shared(lab, pki, case):
    """Nothing is said of disks, and every record is where the guest is."""
    move = OneShared(lab, pki, case)
    result = move.start().moved(paused=case.stopped)
    assert [d['source-file'] for d in result['disks']] == \
        [move.source.disks[1].path]
    assert marks(lab) == []


@pytest.mark.parametrize('binary', ['qemu10', 'system'])
def test_an_empty_tray_moves(lab, pki, binary):
    tray = Refusal('', both={'binary': BINARIES[binary](),
                             **pc('ide-cd', id='cd0', bus='ide.0')})
    pair = Pair(lab, pki, tray)
    engine = pair.run(tray)
    assert engine.process.returncode == 0, engine.text()
    assert [d['disk'] for d in engine.result()['disks']] == ['vd0']
    assert pair.destination.status() == 'running'


BIOS = Path('/usr/share/seabios/bios-256k.bin')


def flash(lab, name, variables, size=1 << 18):
    """Firmware and its variables, as OVMF is used."""
    path = lab.path(f'{name}-vars')
    path.write_bytes(variables.ljust(size, b'\xff'))
    return path, {
        'machine': 'pc-q35-7.2,pflash0=code,pflash1=vars', 'extra': (
            '-blockdev', f'driver=file,node-name=code-f,filename={BIOS},'
            'read-only=on',
            '-blockdev', 'driver=raw,node-name=code,file=code-f,read-only=on',
            '-blockdev', f'driver=file,node-name=vars-f,filename={path}',
            '-blockdev', 'driver=raw,node-name=vars,file=vars-f')}


@pytest.mark.parametrize('binary', ['qemu10', 'system'])
def test_flash_travels_with_ram(lab, pki, binary):
    """It is not mirrored, and its file at the destination is written."""
    here, source = flash(lab, 'source', b'what the firmware knows')
    there, destination = flash(lab, 'destination', b'')
    case = Refusal('', both={'binary': BINARIES[binary]()}, source=source,
                   destination=destination)
    pair = Pair(lab, pki, case)
    engine = pair.run(case)
    assert engine.process.returncode == 0, engine.text()
    assert [d['disk'] for d in engine.result()['disks']] == ['vd0']
    pair.source.wait_exit()
    pair.destination.quit()
    assert there.read_bytes() == here.read_bytes()


def test_flash_of_another_size_is_refused(lab, pki):
    _, source = flash(lab, 'source', b'')
    _, destination = flash(lab, 'destination', b'', 1 << 17)
    case = Refusal('', source=source, destination=destination)
    pair = Pair(lab, pki, case)
    engine = pair.run(case, 'check')
    assert engine.process.returncode == 3, engine.text()
    assert any('has 262144 bytes at the source and 131072' in b['what']
               for b in blockers(engine))


def test_shared_disk_that_has_grown(lab, pki):
    """The destination has the size that the image had when it was started."""
    image = make_image(lab, 'shared')
    source = Qemu(lab, lab.host('source'), [image], live=False)
    destination = Qemu(lab, lab.host('destination'), [image], incoming=True,
                       live=False)
    source.spy.cmd('block_resize', node_name='disk0', size=2 * image.size)
    before = Snapshot(source), Snapshot(destination)
    engine = Engine(lab, 'migrate', '--json', '--insecure', '--address',
                    destination.host.address, source.qmp, destination.qmp,
                    host=source.host, env=lab.env())
    assert engine.wait() == REFUSED
    text = engine.text()
    assert f'{2 * image.size} bytes at the source and {image.size}' in text
    assert 'start a fresh destination' in text and '--shared' not in text
    assert (Snapshot(source), Snapshot(destination)) == before
