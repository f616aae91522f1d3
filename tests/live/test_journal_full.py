"""The state directory is full when the engine writes its last lines.

Where the guest is, is said once, and rightly: by the engine, by its journal,
and by the `recover` that follows.
"""

import contextlib
import subprocess

import pytest

from cases import (DONE, FAILED, LEFT_HERE, LEFT_THERE, REFUSED, Case,
                   Move)
from engine import state_dir
from qemu import MIB
from test_control import SLOW_DISK, Client
from test_mirror import Stored, data

PAGE = 4096
PAD = b'{"of":"another kind"}\n'
STILL = Case(live=False, formats=(), proxied=True)


class Small(Move):
    """Its state directory is a file system of a few pages."""

    def __init__(self, lab, pki, case=STILL):
        folder = state_dir(lab)
        folder.mkdir(mode=0o700)
        lab.on_exit(subprocess.run, ['umount', '-l', folder], check=False)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k,mode=0700',
                        'qmigrate-test', folder], check=True, timeout=30)
        self.filler = folder / 'filler'
        super().__init__(lab, pki, case)

    def fill(self):
        """But for what the engine has reserved."""
        with contextlib.suppress(OSError), \
                open(self.filler, 'wb', buffering=0) as file:
            while True:
                file.write(bytes(PAGE))

    def journal(self):
        (journal,) = [p for p in self.journals() if p.suffix == '.journal']
        return journal

    def fill_page(self):
        """So that the next line needs another one, and fill()."""
        with open(self.journal(), 'ab', buffering=0) as file:
            while file.tell() % PAGE < PAGE - len(PAD):
                file.write(PAD)
        self.fill()

    def fill_journal(self):
        """That too, with records of a kind that says nothing."""
        with open(self.journal(), 'ab', buffering=0) as file:
            while True:
                before = file.tell()
                with contextlib.suppress(OSError):
                    if file.write(PAD) == len(PAD):
                        continue
                file.truncate(before)
                return

    def check_folders(self, open_journals=0):
        self.filler.unlink()
        super().check_folders(open_journals)


def notes(move):
    return '\n'.join(e['data']['message'] for e in move.engine.events()
                     if e['event'] in ('NOTE', 'WARNING'))


def test_room_is_reserved(lab, pki):
    """For the last lines: nobody need do anything."""
    move = Small(lab, pki)
    move.source.proxy.call('quit', move.fill_page)
    move.start().moved()


def test_no_room_for_a_journal(lab, pki):
    """Is known before anything is touched."""
    move = Small(lab, pki)
    move.fill()
    move.start()
    assert move.engine.wait(60) == REFUSED, move.engine.text()
    assert 'No space left' in move.error
    assert [move.unlike_before(q) for q in move.qemus] == [[], []]


def full(move):
    move.fill()
    move.fill_journal()


@pytest.mark.parametrize('fails', [False, True], ids=['moved', 'undone'])
def test_last_lines_cannot_be_written(lab, pki, fails):
    """Where the guest is, is said all the same, and what is left to do."""
    move = Small(lab, pki)
    if fails:
        move.source.proxy.fail('migrate-continue')
        move.source.proxy.call('object-del', lambda: full(move))
    else:
        move.source.proxy.call('quit', lambda: full(move))
    move.start()
    assert move.engine.wait(60) == (LEFT_HERE if fails else LEFT_THERE), \
        move.engine.text()
    result = move.engine.result()
    assert result['guest'] == ('source' if fails else 'destination')
    assert 'the journal is still open' in '\n'.join(result['left'])
    where = move.source if fails else move.destination
    assert where.status() == 'running'
    # the same is said by who comes after, though it can write nothing either
    move.recover()
    assert move.engine.wait(60) == (LEFT_HERE if fails else LEFT_THERE), \
        move.engine.text()
    assert move.engine.result()['guest'] == result['guest']
    assert where.status() == 'running'
    move.filler.unlink()
    move.recover()
    assert move.engine.wait(60) == (FAILED if fails else DONE), \
        move.engine.text()
    move.filler.touch()
    move.check_folders()


def test_guest_that_stands_still_is_freed(lab, pki):
    """Though what is decided cannot be written down."""
    move = Small(lab, pki).die('converge:after')
    assert move.source.status() == 'finish-migrate'
    full(move)
    move.recover()
    assert move.engine.wait(60) == LEFT_HERE, move.engine.text()
    assert move.source.status() == 'running'
    assert 'could not be written down' in notes(move)
    move.filler.unlink()
    move.recover()
    move.filler.touch()
    move.undone((FAILED,), 'gone')


# ---- an operator who sets limits without end ----

@pytest.mark.long
def test_set_does_not_let_it_grow(lab, pki):
    """A thousand times; then its journal is long for another reason."""
    move = Stored(lab, pki, Case(live=False, options=SLOW_DISK), data).start()
    move.wait_step('mirror disks')
    client = Client(move)
    for n in range(1, 1001):
        assert client.ask('set', **{'timeout-s': n})['return']['timeout-s'] == n
    (journal,) = move.journals()
    assert journal.stat().st_size < 100_000
    with open(journal, 'ab', buffering=0) as file:
        file.write(PAD * (9 * MIB // len(PAD)))
    before = move.source.spy.cmd('query-migrate-parameters')
    refused = client.ask('set', bandwidth=1)['error']
    assert 'takes no more changes' in refused['desc']
    assert move.source.spy.cmd('query-migrate-parameters') == before
    client.close()
    move.engine.kill()
    move.recover()
    move.undone((FAILED,), 'any')
