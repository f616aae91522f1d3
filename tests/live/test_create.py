"""Disks that the destination does not have yet: it has placeholders, and the
engine makes their images."""

import json
import os
import pwd
import signal
import stat
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from cases import DONE, FAILED, LEFT_HERE, Case
from made import SIZE, STILL, Made, check_alike, hide, small
from qemu import MIB
from test_container import child_of, contained
from test_mirror import allocated

# ---- images are made ----

IMAGES = {
    'raw': (Case(), 'raw'),
    'qcow2': (Case(formats=('qcow2',)), 'qcow2'),
    'two': (Case(formats=('raw', 'qcow2')), 'qcow2'),
    'scsi': (Case(formats=('raw', 'qcow2'), device='scsi'), 'qcow2'),
    'ide': (replace(STILL, device='ide'), 'raw'),
    'old-qcow2': (replace(STILL, formats=('qcow2',)), 'old'),
    'wide-qcow2': (replace(STILL, formats=('qcow2',)), 'wide'),
}


@pytest.mark.sample(2)
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


def test_image_is_made_in_a_folder(lab, pki):
    """With the name of the source's; the destination's QEMU sees a file system
    there that the engine does not."""
    folder = lab.folder('images')
    case = replace(STILL, options=(f'--create-disks={folder}/',))
    move = Made(lab, pki, case, folder=folder, given=False,
                binary=hide(folder))
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


def test_image_belongs_to_the_user_of_its_qemu(lab, pki):
    """It opens its images as nobody."""
    folder = lab.folder('made')
    for path in (lab.dir, folder):
        path.chmod(0o755)
    move = Made(lab, pki, replace(STILL, tls=False), folder=folder,
                binary=lambda binary:
                binary._replace(argv=(*binary.argv, '-run-with',
                                            'user=nobody')))
    move.start().moved()
    owner = pwd.getpwnam('nobody')
    found = os.stat(move.paths[0])
    assert (found.st_uid, found.st_gid) == (owner.pw_uid, owner.pw_gid)
    assert stat.S_IMODE(found.st_mode) == 0o600


def test_image_is_verified(lab, pki):
    case = Case(formats=('qcow2',), options=('--verify',))
    result = Made(lab, pki, case, options='qcow2').start().moved()
    assert result['verified']


def test_image_is_full_before_the_copy_is(lab, pki):
    """There was room when it was made; the mirror finds that there is none
    any more."""
    folder = small(lab, '20m')
    move = Made(lab, pki, replace(STILL, proxied=True), folder=folder,
                fill=[(n * 4 * MIB, MIB) for n in range(14)])

    def use_up():
        Path(folder, 'other').write_bytes(bytes(10 * MIB))

    move.destination.proxy.call('nbd-server-start', use_up)
    move.start()
    move.undone((FAILED,), 'waiting')
    assert 'No space left' in move.error
    assert os.listdir(folder) == ['other']


def test_there_is_no_room_for_an_image_that_exists(lab, pki):
    """Said before: it is sparse, and its file system is too small."""
    there = Path(small(lab, '20m'), 'sparse.raw')
    with open(there, 'xb') as file:
        file.truncate(SIZE)

    def sparse(number):
        return ['-blockdev', f'driver=file,filename={there},'
                f'node-name=disk{number}']

    move = Made(lab, pki, STILL, blockdevs=sparse, given=False,
                fill=[(n * 4 * MIB, MIB * 2) for n in range(15)])
    move.start(command='check')
    move.engine.wait(30)
    told = [v['what'] for e in move.engine.events('PREFLIGHT')
            for v in e['data']['verdicts'] if v['id'] == 'disk-room']
    assert told == ['there is hardly room for disk vd0: about 30 MiB more are '
                    'needed there, and 20 MiB are free']
    assert there.stat().st_blocks == 0


def test_plan_names_the_image(lab, pki):
    move = Made(lab, pki, STILL)
    move.start('--dry-run')
    assert move.engine.wait(30) == DONE
    [plan] = move.engine.events('PLAN')
    [disk] = plan['data']['disks']
    assert disk['destination-file'] == str(move.paths[0])
    assert 'its image is made at the destination' in disk['reason']
    move.start(command='check')
    assert move.engine.wait(30) == DONE
    told = [v['what'] for e in move.engine.events('PREFLIGHT')
            for v in e['data']['verdicts'] if v['id'] == 'disks']
    assert told == ['disk vd0 will be copied (64 MiB, raw), onto an image '
                    f'that is made: {move.paths[0]}']
    assert not move.paths[0].exists()


# ---- where others may write ----

def test_link_in_the_root_of_its_qemu(lab, pki):
    """A folder of the path is an absolute link: it is meant in that QEMU's
    root, and the image is made there."""
    folder, other, root = (lab.folder(n) for n in ('made', 'other', 'root'))
    link = lab.path('link')
    link.symlink_to(folder)

    def boxed(binary):
        return contained(lab, root, (other, folder))._replace(
            name=binary.name)

    move = Made(lab, pki, replace(STILL, tls=False), folder=link, binary=boxed)
    move.destination.pid = child_of(move.destination.process.pid)
    move.start()
    assert move.engine.wait(60) == DONE, move.engine.text()
    assert os.listdir(folder) == []
    assert os.listdir(other) == ['made0.raw']


class Swapper(threading.Thread):
    """Puts a link to the victim in the place of a file as soon as that is
    there, again and again."""

    def __init__(self, lab, path, victim):
        super().__init__(daemon=True)
        self.path, self.victim = path, victim
        self.link = path.with_name('link')
        self.swapped = 0
        self._over = threading.Event()
        lab.on_exit(self.stop)
        self.start()

    def run(self):
        self.link.symlink_to(self.victim)
        while not self._over.is_set():
            if os.path.lexists(self.path):
                os.rename(self.link, self.path)
                self.link.symlink_to(self.victim)
                self.swapped += 1

    def stop(self):
        self._over.set()
        self.join(5)


def test_file_is_swapped_for_a_link(lab, pki):
    """By whoever may write to the folder, while root makes it: what the link
    leads to is neither written to nor given away."""
    folder, victim = lab.folder('made'), lab.path('secret')
    for path in (lab.dir, folder):
        path.chmod(0o755)
    victim.write_text("root's alone")
    victim.chmod(0o600)
    before = os.stat(victim)
    move = Made(lab, pki, replace(STILL, tls=False, formats=('qcow2',)),
                folder=folder, options='qcow2',
                binary=lambda binary: binary._replace(
                    argv=(*binary.argv, '-run-with', 'user=nobody')))
    swapper = Swapper(lab, move.paths[0], victim)
    move.start()
    assert move.engine.wait(60) == FAILED, move.engine.text()
    swapper.stop()
    assert swapper.swapped > 0
    assert victim.read_text() == "root's alone"
    after = os.stat(victim)
    assert (after.st_uid, after.st_mode) == (before.st_uid, before.st_mode)
    assert move.source.status() == 'running'


# ---- failures in the middle ----

FAILPOINTS = ['make disks:after', 'export disks:after', 'mirror disks:after',
              'open the door:after', 'converge:after', 'switch over:after']


@pytest.mark.sample(2)
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


@pytest.mark.parametrize('at', ['make disks:after', 'mirror disks:after'])
def test_older_qemu_has_its_placeholder_back(lab, pki, at):
    """It does not tell, but it knows that its device may write by then."""
    case = Case(live=False, stopped=True, binaries=('system', 'system'))
    move = Made(lab, pki, case)
    for _ in range(2):
        move.start(QMIGRATE_FAIL=f'{at}=fail')
        move.undone((FAILED,), 'waiting')
        assert os.listdir(move.folder) == []
    move.start().moved(paused=True)


def test_file_that_came_meanwhile_is_not_overwritten(lab, pki):
    """There was none when it was looked."""
    move = Made(lab, pki, replace(STILL, proxied=True))
    move.destination.proxy.call('migrate-set-parameters', lambda:
                                move.paths[0].write_text('mine'))
    move.start()
    move.undone((FAILED,), 'waiting')
    assert f'{move.paths[0]} exists already' in move.error
    assert move.paths[0].read_text() == 'mine'


def test_living_guest_is_taken_back(lab, pki):
    move = Made(lab, pki, Case(formats=('qcow2',)))
    move.start(QMIGRATE_FAIL='settle disks:after=fail')
    move.undone((FAILED,), 'any')
    assert os.listdir(move.folder) == []


def test_journal_names_what_was_made(lab, pki):
    """An engine that is killed removes nothing, recover does."""
    move = Made(lab, pki, STILL)
    move.start(QMIGRATE_FAIL='make disks:after=kill')
    assert move.engine.wait(60) == -signal.SIGKILL
    [journal] = move.journals()
    records = [json.loads(line) for line in
               journal.read_text().splitlines()]
    assert {'makes': str(move.paths[0])} in records
    (made,) = [r for r in records if 'made' in r]
    status = os.stat(move.paths[0])
    assert made == {'made': str(move.paths[0]), 'device': status.st_dev,
                    'inode': status.st_ino}
    assert move.paths[0].exists()
    assert move.source.status() == 'running'
    move.recover().undone((FAILED,), 'gone')
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


@pytest.mark.sample(4)
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
