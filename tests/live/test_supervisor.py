"""The engine is killed, and nobody does anything: its supervisor has the guest
run on, at one side alone. And what a supervisor must not change: signals, the
terminal, exit status.
"""

import contextlib
import json
import os
import pty
import re
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cases import CANCELLED, DONE, FAILED, UNDECIDED, Case, Move
from engine import Engine, command_line, state_dir
from lab import is_running, orphans, parent, wait_until
from sshd import ssh_env
from test_control import DISK_BPS, NAME, SLOW_DISK, command, disk_speeds
from test_mirror import Stored, data
from test_recover import DOOR, OWNER, Far, place

KILLED = "qmigrate's engine was killed (signal 9): recovering"
STILL = Case(live=False, proxied=True, supervised=True)
SLOW = ('--bandwidth', '2M', '--auto-converge', 'off')
CASES = {
    'ram': Case(formats=(), supervised=True),
    'disks': Case(formats=('qcow2', 'raw'), supervised=True),
}
POINTS = ('mirror disks:after', 'converge:before', 'converge:after',
          'settle disks:after', 'switch over:after', 'owner:written',
          'run the destination:after', 'announce:after')
SECONDS = 20        # much for a busy machine; alone it takes one


def settled(move, at):
    """Within seconds, and as a recovery by hand would have."""
    if place(at) > OWNER:
        result = move.moved()
    else:
        result = move.undone((FAILED,), 'gone' if place(at) > DOOR else 'any')
    said, = [t for t, line in move.engine.stderr if line.startswith(KILLED)]
    end = max(t for t, _ in move.engine.stdout)
    assert end - said < SECONDS, move.engine.text()
    return result


@pytest.mark.sample(4)
@pytest.mark.parametrize('at', POINTS)
@pytest.mark.parametrize('case', CASES.values(), ids=CASES)
def test_killed_engine(lab, pki, case, at):
    move = Move(lab, pki, case).start(QMIGRATE_FAIL=f'{at}=kill')
    settled(move, at)
    assert orphans(lab.name) == []


@pytest.mark.parametrize('case', CASES.values(), ids=CASES)
def test_killed_while_it_converges(lab, pki, case):
    """At a time of its own, while the guest writes."""
    figures = lab.path('figures')
    move = Move(lab, pki, case).start(*SLOW, '--metrics', figures)
    move.wait_step('converge')
    move.engine.wait_event('PROGRESS', step='converge')
    os.kill(move.engine.worker(), signal.SIGKILL)
    settled(move, 'start migration:after')
    results = [e['data'] for e in move.engine.events('RESULT')]
    assert [r['exit'] for r in results] == [FAILED]     # recover's alone
    text = figures.read_text()
    name = move.engine.result()['name']
    assert f'qmigrate_running{{name="{name}"}} 0' in text
    assert f'qmigrate_exit_status{{name="{name}"}} {FAILED}' in text


def test_killed_before_anything_began(lab, pki):
    """Nothing is to be recovered: we end as it did."""
    move = Move(lab, pki, STILL).start(QMIGRATE_FAIL='preflight:before=kill')
    assert move.engine.wait(60) == -signal.SIGKILL
    assert 'no journal is open' in move.engine.err
    assert move.engine.events('RESULT') == []
    for qemu in move.qemus:
        assert move.unlike_before(qemu) == []


def test_other_journal_of_that_name(lab, pki):
    """That of another migration, of other QEMUs, is left as it is."""
    move = Move(lab, pki, Case(live=False, options=('--name', NAME)))
    move.die('hold the destination:after')
    journal = state_dir(lab) / f'{NAME}.journal'
    other = re.sub(rb'"pid":[0-9]+', b'"pid":1', journal.read_bytes())
    other = re.sub(rb'qm-[0-9a-f]{8}', b'qm-00000000', other)
    move.recover().undone((FAILED,), 'waiting')
    journal.write_bytes(other)
    move.case = replace(move.case, supervised=True)
    move.start(QMIGRATE_FAIL='remember the source:before=kill')
    assert move.engine.wait(60) == -signal.SIGKILL
    assert 'no journal is open' in move.engine.err
    assert journal.read_bytes() == other


def test_without_supervisor(lab, pki):
    """Then nobody recovers."""
    move = Move(lab, pki, Case(live=False, supervised=False,
                               options=('--name', NAME)))
    move.start(QMIGRATE_FAIL='converge:after=kill')
    assert move.engine.wait(60) == -signal.SIGKILL
    assert move.engine.err == ''
    assert move.source.status() == 'finish-migrate'
    status = command(move, 'status').out
    assert status == f'{NAME}  did not finish: `qmigrate recover {NAME}`'
    status = json.loads(command(move, 'status', '--json').out)
    assert status == {'name': NAME, 'unfinished': True, 'recovering': False}
    said = command(move, 'status', NAME, code=3)
    assert f'it did not finish: `qmigrate recover {NAME}`' in said.err
    move.recover().undone((FAILED,), 'gone')
    assert 'no migration is under way' in command(move, 'status').out


# ---- recovery, too, may be killed, or have to wait ----

def test_killed_recovery(lab, pki):
    move = Move(lab, pki, STILL)
    hold = move.source.proxy.hold('migrate_cancel')
    move.start('--name', NAME, QMIGRATE_FAIL='converge:after=kill')
    hold.wait()
    assert f'{NAME}  recovering: ' in command(move, 'status').out
    os.kill(move.engine.worker(), signal.SIGKILL)
    move.engine.wait_for(lambda: 'recovering again in 1 s' in move.engine.err,
                         what='another try')
    hold.release()
    settled(move, 'converge:after')
    assert "qmigrate's recovery was killed (signal 9)" in move.engine.err


def unreachable(move):
    """The destination is, from before it owns the guest; then the engine is
    killed."""
    proxy = move.destination.proxy
    move.source.proxy.call('migrate-continue', proxy.refuse)
    move.start('--name', NAME, QMIGRATE_FAIL='owner:written=kill')
    move.engine.wait_for(lambda: 'recovering again in 2 s' in move.engine.err,
                         60, 'a second try')


def test_side_comes_back(lab, pki):
    move = Move(lab, pki, STILL)
    unreachable(move)
    move.destination.proxy.refuse(False)
    move.moved()
    results = [e['data']['exit'] for e in move.engine.events('RESULT')]
    assert results[-1] == DONE
    assert set(results[:-1]) == {UNDECIDED}


def test_engine_gives_up(lab, pki):
    """Nobody is there any more who could tell where the guest is: it is asked
    again."""
    move = Move(lab, pki, STILL)
    proxy = move.destination.proxy

    def cut():
        proxy.refuse()
        proxy.cut()

    proxy.call('cont', cut)
    move.start(QMIGRATE_PATIENCE_MS='2000')
    move.engine.wait_for(lambda: "qmigrate's engine ended with 7: recovering "
                         'in 1 s' in move.engine.err, 60, 'it gave up')
    proxy.refuse(False)
    move.moved()
    results = [e['data']['exit'] for e in move.engine.events('RESULT')]
    assert results[0] == UNDECIDED and results[-1] == DONE


def stop_between_tries(engine):
    engine.interrupt(signal.SIGSTOP)
    while engine.worker():
        engine.interrupt(signal.SIGCONT)
        wait_until(lambda: not engine.worker(), 60, 'a try ends')
        engine.interrupt(signal.SIGSTOP)


def test_operator_recovers_meanwhile(lab, pki):
    """Then there is nothing to try any more; where the guest is, the operator
    was told."""
    move = Move(lab, pki, STILL)
    unreachable(move)
    supervised = move.engine
    stop_between_tries(supervised)
    tries = len(supervised.events('RESULT'))
    move.destination.proxy.refuse(False)
    move.recover().engine.wait(60)
    supervised.interrupt(signal.SIGCONT)
    assert supervised.wait(30) == UNDECIDED
    assert len(supervised.events('RESULT')) == tries
    assert 'still needed' not in supervised.err
    move.moved()


def test_operator_wants_no_more_tries(lab, pki):
    move = Move(lab, pki, STILL)
    unreachable(move)
    assert command(move, 'status').out.startswith(f'{NAME}  recovering: ')
    move.engine.interrupt(signal.SIGTERM)
    assert move.engine.wait(30) == UNDECIDED
    assert 'the guest may be stopped, so this goes on until' in \
        move.engine.err
    assert '` is still needed' in move.engine.err
    assert move.ran_at_once() == []
    move.destination.proxy.refuse(False)
    move.recover().moved()


# ---- the supervisor is killed ----

def test_supervisor_dies(lab, pki):
    """The engine goes on as if nothing had happened."""
    move = Move(lab, pki, Case(supervised=True))
    move.start(*SLOW, '--name', NAME).wait_step('converge')
    worker = move.engine.worker()
    move.engine.process.kill()
    assert move.engine.process.wait(10) == -signal.SIGKILL
    command(move, 'set', NAME, 'bandwidth=0')
    move.engine.wait_for(lambda: move.engine.events('RESULT'), 60, 'RESULT')
    wait_until(lambda: not is_running(worker), 10, 'the engine ends')
    assert move.engine.result()['exit'] == DONE
    assert move.ran_at_once() == []
    move.guest.wait_alive(move.destination)
    move.source.wait_exit()
    move.check_folders()


# ---- signals, and a terminal ----

def test_signals_are_handed_on(lab, pki):
    """One each, to the supervisor alone; those that the engine ignores."""
    move = Stored(lab, pki, Case(live=False, options=SLOW_DISK), data).start()
    wait_until(lambda: disk_speeds(move) == [DISK_BPS], 30, 'the mirror')
    for number in (signal.SIGHUP, signal.SIGTSTP, signal.SIGTTOU):
        move.engine.interrupt(number)
    move.engine.interrupt(signal.SIGTERM)
    move.undone((CANCELLED,), 'waiting')
    assert 'already cancelling' not in move.engine.err


TERMINAL = '''
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGQUIT, signal.SIG_DFL)   # a shell's & ignores it
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
'''


class Terminal:
    """The program at a terminal of its own."""

    def __init__(self, move, *options):
        self.master, slave = pty.openpty()
        move.lab.on_exit(self.hang_up)
        self.process = move.lab.spawn(
            command_line(move.lab, 'migrate', *options, *move.arguments(),
                         through=(sys.executable, '-c', TERMINAL)),
            host=move.source.host, env=move.lab.env(TERM='xterm'),
            stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        os.set_blocking(self.master, False)
        self.seen = b''
        move.lab.show('terminal', lambda: self.seen)

    def hang_up(self):
        with contextlib.suppress(OSError):      # done already
            os.close(self.master)

    def type(self, key):
        os.write(self.master, key)

    def read(self):
        with contextlib.suppress(OSError):      # nothing now, or its end
            while True:
                self.seen += os.read(self.master, 65536)
        return self.seen

    def wait(self, limit_s=60):
        end = time.monotonic() + limit_s
        while self.process.poll() is None:
            assert time.monotonic() < end
            self.read()
            time.sleep(0.05)
        self.read()
        return self.process.returncode


def at_terminal(lab, pki, *options):
    move = Stored(lab, pki, Case(live=False, options=SLOW_DISK), data)
    terminal = Terminal(move, *options)
    wait_until(lambda: terminal.read() and disk_speeds(move) == [DISK_BPS], 60,
               'the mirror')
    return move, terminal


@pytest.mark.parametrize('options', [(), ('--no-supervisor',)],
                         ids=['supervised', 'alone'])
def test_keys_of_a_terminal(lab, pki, options):
    """Ctrl-Z does nothing, Ctrl-C cancels, once."""
    move, terminal = at_terminal(lab, pki, *options)
    terminal.type(b'\x1a')
    terminal.type(b'\x03')
    assert terminal.wait() == CANCELLED
    assert terminal.seen.count(b'cancelling') == 1, terminal.seen
    assert b'cancelled by the operator' in terminal.seen
    assert move.unlike_before(move.source) == []
    move.check_folders()


def is_pending(pid, number):
    """Has a signal been sent to that process that it did not take yet?"""
    status = Path(f'/proc/{pid}/status').read_text()
    mask = int(re.search(r'^ShdPnd:\s*(\w+)$', status, re.M)[1], 16)
    return bool(mask & 1 << number - 1)


def test_key_is_not_handed_on(lab, pki):
    """The engine has it already: it would be a second one."""
    move = Move(lab, pki, STILL)
    hold = move.source.proxy.hold('blockdev-mirror')
    terminal = Terminal(move)
    hold.wait()
    pid = terminal.process.pid
    os.kill(pid, signal.SIGSTOP)
    terminal.type(b'\x03')
    wait_until(lambda: b'cancelling' in terminal.read(), 10, 'a word')
    assert is_pending(pid, signal.SIGINT)
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: not is_pending(pid, signal.SIGINT), 10, 'it is taken')
    hold.release()
    assert terminal.wait() == CANCELLED
    assert terminal.seen.count(b'cancelling') == 1, terminal.seen


def test_quit_key_of_a_terminal(lab, pki):
    """It kills the engine; the guest is not to suffer from that."""
    move, terminal = at_terminal(lab, pki)
    terminal.type(b'\x1c')
    assert terminal.wait() == FAILED
    assert b'(signal 3): recovering' in terminal.seen
    assert move.unlike_before(move.source) == []
    move.check_folders()


def test_terminal_that_goes_away(lab, pki):
    move, terminal = at_terminal(lab, pki)
    terminal.hang_up()
    command(move, 'set', NAME, 'disk-bandwidth=0')
    assert terminal.process.wait(60) == DONE
    assert move.destination.status() == 'running'
    move.source.wait_exit()


# ---- from far ----

@pytest.mark.sample(2)
@pytest.mark.parametrize('at', ['converge:after', 'owner:written'])
def test_killed_on_a_third_machine(lab, pki, at):
    """Its ssh children die with it; recovery has its own."""
    move = Far(lab, pki)
    move.engine = Engine(
        lab, 'migrate', '--json', *move.arguments(), host=lab.host(move.where),
        env={**ssh_env(lab), 'QMIGRATE_FAIL': f'{at}=kill'}, supervised=True)
    settled(move, at)
    assert orphans(lab.name) == []


# ---- in the background ----

def test_killed_in_the_background(lab, pki):
    move = Move(lab, pki, Case(supervised=True, options=(
        *SLOW, '--name', NAME)))
    log = lab.path('log')
    with log.open('wb') as file:
        started = lab.spawn(
            command_line(lab, 'migrate', '--detach', '--json',
                         *move.arguments()),
            host=move.source.host, stdout=file, stderr=file)
    assert started.wait(60) == DONE
    wait_until(lambda: move.source.spy.cmd('query-migrate').get('status') ==
               'active', 60, 'RAM that moves')
    pid = json.loads(command(move, 'status', '--json').out)['pid']
    supervisor = parent(pid)
    assert os.getsid(pid) == pid and os.getsid(supervisor) == supervisor
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: orphans(lab.name) == [], SECONDS, 'both have ended')
    assert KILLED in log.read_text()
    last = json.loads(log.read_text().splitlines()[-1])
    assert (last['event'], last['data']['exit']) == ('RESULT', FAILED)
    assert move.ran_at_once() == []
    assert move.unlike_before(move.source) == []
    move.guest.wait_alive(move.source)
    move.check_folders()


# ---- all of them, as after a boot ----

def test_recover_all(lab, pki):
    move = Move(lab, pki, Case(live=False, options=('--name', NAME)))
    move.die('converge:after')
    broken = state_dir(lab) / 'broken.journal'
    broken.write_text('{"qmigrate-journal": 1}\n')
    both = command(move, 'recover', '--all', code=UNDECIDED)
    lines = both.out.splitlines()
    assert [line.partition(':')[0] for line in lines] == ['broken', NAME]
    assert 'undecided' in lines[0]
    assert 'where it was' in lines[1]
    broken.unlink()
    assert move.unlike_before(move.source) == []
    assert command(move, 'recover', '--all').out == \
        'there is nothing to recover'
    move.check_folders()


def test_recover_all_leaves_the_living(lab, pki):
    move = Move(lab, pki, Case(live=False, options=('--name', NAME),
                               proxied=True))
    hold = move.source.proxy.hold('migrate')
    move.start()
    hold.wait()
    assert command(move, 'recover', '--all').out == f'{NAME}: under way'
    hold.release()
    move.moved()
