"""The engine itself: another user than root, who owns nothing but the two
monitors' sockets and its own folders."""

import os
import stat

import pytest

from cases import DONE, REFUSED, Case, Move
from engine import Engine, program, run_dir, state_dir

NOBODY = 65534
BECOME = ('setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}',
          '--clear-groups', '--no-new-privs', '--inh-caps=-all',
          '--bounding-set=-all', '--')
NOT_OURS = 'is not a directory of mode 0700 that belongs to this user'


class Unprivileged(Move):
    """A move whose engine is nobody. run, state: its two folders."""

    def __init__(self, lab, pki, case):
        super().__init__(lab, pki, case)
        if not os.access(program(), os.X_OK):
            pytest.skip('the program is not there')
        lab.dir.chmod(0o711)
        self.run, self.state = lab.folder('run'), lab.folder('state')
        run_dir(lab).mkdir()        # not used by this user
        state_dir(lab).mkdir()
        for qemu in self.qemus:
            qemu.dir.chmod(0o711)
            os.chown(qemu.address, NOBODY, NOBODY)
        for folder in (self.run, self.state, *self.tls):
            self.give(folder)
            for path in folder.iterdir():
                self.give(path)

    @staticmethod
    def give(path, owner=NOBODY):
        os.chown(path, owner, owner, follow_symlinks=False)

    def start(self, *options, command='migrate', **env):
        self.engine = Engine(
            self.lab, command, '--json', *options, *self.arguments(),
            host=self.source.host, through=BECOME, isolated=False,
            env=self.lab.env(XDG_RUNTIME_DIR=str(self.run),
                             XDG_STATE_HOME=str(self.state), **env))
        return self


def kinds(folder):
    """{name: (what it is, mode, owner)} of what is in a folder."""
    found = {}
    for path in folder.iterdir():
        st = path.lstat()
        what = 'socket' if stat.S_ISSOCK(st.st_mode) else \
            'folder' if stat.S_ISDIR(st.st_mode) else 'file'
        found[path.name] = (what, stat.S_IMODE(st.st_mode), st.st_uid)
    return found


def test_nobody_moves_a_guest(lab, pki):
    """And whatever it makes meanwhile is its own alone."""
    move = Unprivileged(lab, pki, Case(live=False, proxied=True))
    hold = move.source.proxy.hold('migrate')
    move.start()
    hold.wait(60)
    for folder, expected in ((move.run, {'socket', 'folder', 'file'}),
                             (move.state, {'file'})):
        assert kinds(folder) == {'qmigrate': ('folder', 0o700, NOBODY)}
        found = kinds(folder / 'qmigrate')
        assert {what for what, _, _ in found.values()} == expected
        for name, (what, mode, owner) in found.items():
            assert (mode, owner) == (0o700 if what == 'folder' else 0o600,
                                     NOBODY), name
    hold.release()
    assert move.engine.wait(60) == DONE, move.engine.text()
    move.moved()
    assert kinds(move.run / 'qmigrate') == {}
    (journal,) = (move.state / 'qmigrate').iterdir()
    assert journal.suffix == '.done'


def link(move, ours):
    """To a folder that is ours, and whose name is another's."""
    elsewhere = move.lab.folder('elsewhere')
    move.give(elsewhere)
    ours.symlink_to(elsewhere)
    move.give(ours)


def dangling_link(move, ours):
    ours.symlink_to(move.lab.dir / 'nowhere')
    move.give(ours)


def foreign(move, ours):
    ours.mkdir(mode=0o700)


def open_to_the_group(move, ours):
    ours.mkdir()
    ours.chmod(0o770)
    move.give(ours)


def open_to_read(move, ours):
    ours.mkdir()
    ours.chmod(0o755)
    move.give(ours)


def a_file(move, ours):
    ours.touch(mode=0o600)
    move.give(ours)


@pytest.mark.parametrize('where', ['run', 'state'])
@pytest.mark.parametrize('spoil', [link, dangling_link, foreign,
                                   open_to_the_group, open_to_read, a_file])
def test_folder_that_is_not_ours(lab, pki, where, spoil):
    move = Unprivileged(lab, pki, Case(live=False))
    folder = getattr(move, where) / 'qmigrate'
    spoil(move, folder)
    move.start()
    assert move.engine.wait(60) == REFUSED, move.engine.text()
    assert NOT_OURS in move.error
    assert str(folder) in move.error
    for qemu in move.qemus:
        assert move.unlike_before(qemu) == []


@pytest.mark.parametrize('row', ['open the door', 'switch over'])
def test_nobody_undoes(lab, pki, row):
    """With QEMUs of another user's, which it may not kill."""
    move = Unprivileged(lab, pki, Case(live=False))
    move.start(QMIGRATE_FAIL=f'{row}:after=fail')
    move.undone()


def test_planted_journal_is_not_followed(lab, pki):
    """A link in the place of a journal, made while the folder was open."""
    move = Unprivileged(lab, pki, Case(live=False))
    folder = move.state / 'qmigrate'
    folder.mkdir(mode=0o700)
    move.give(folder)
    target = lab.path('precious')
    target.write_text('precious')
    move.give(target)
    (folder / 'guest.journal').symlink_to(target)
    move.start()
    assert move.engine.wait(60) == REFUSED, move.engine.text()
    assert target.read_text() == 'precious'
