"""Watched and steered from another process, over the control socket."""

import json
import os
import socket
import stat

import pytest

from cases import CANCELLED, DONE, FAILED, REFUSED, Case, Move
from engine import Engine, run_dir, state_dir
from lab import wait_until
from qemu import MIB
from test_cancel import HELD, ROWS, VERIFIES, check
from test_mirror import Stored, data

NAME = 'vm-1'
DISK_BPS = MIB // 2             # of 32 MiB
SLOW_DISK = ('--name', NAME, '--disk-bandwidth', str(DISK_BPS))
SLOW_RAM = ('--name', NAME, '--bandwidth', '2M', '--auto-converge', 'off')
STILL = Case(live=False, options=('--name', NAME))


def sock(move, name=NAME):
    return run_dir(move.lab) / f'{name}.sock'


def command(move, *args, code=DONE):
    """Another qmigrate on the same machine; what it said."""
    engine = Engine(move.lab, *args, host=move.source.host, env=move.lab.env())
    assert engine.wait(60) == code, engine.text()
    assert not engine.crashes()
    return engine


def ram_limit(move):
    return move.source.spy.cmd('query-migrate-parameters')['max-bandwidth']


def disk_speeds(move):
    return [job['speed'] for job in move.source.spy.cmd('query-block-jobs')]


class Client:
    """A client that may do what it likes."""

    def __init__(self, move):
        self.socket = socket.socket(socket.AF_UNIX)
        move.lab.on_exit(self.socket.close)
        self.socket.settimeout(10)
        self.socket.connect(str(sock(move)))
        self.file = self.socket.makefile('rb')

    def close(self):
        self.file.close()
        self.socket.close()

    def say(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else
                            text.encode() + b'\n')

    def hear(self, key='return'):
        """The next message with that key; None at the end."""
        for line in self.file:
            message = json.loads(line)
            if key in message:
                return message[key]
        return None

    def hear_answer(self):
        """The next answer, whole; None at the end."""
        for line in self.file:
            message = json.loads(line)
            if 'return' in message or 'error' in message:
                return message
        return None

    def ask(self, name, **arguments):
        self.say(json.dumps({'execute': name, 'arguments': arguments}))
        return self.hear_answer()


# ---- set ----

def test_set_while_a_disk_is_copied(lab, pki):
    """Both limits are changed in the source QEMU, which the test asks."""
    case = Case(live=False, options=SLOW_DISK)
    move = Stored(lab, pki, case, data).start()
    wait_until(lambda: disk_speeds(move) == [DISK_BPS], 30, 'the mirror')
    said = command(move, 'set', NAME, 'bandwidth=8M', 'disk-bandwidth=3m').out
    assert said == (f'{NAME}: bandwidth 8.0 MiB/s, disk-bandwidth 3.0 MiB/s, '
                    'max-downtime-ms 300, timeout-s 0')
    assert disk_speeds(move) == [3 * MIB]
    assert ram_limit(move) == 8 * MIB
    command(move, 'set', NAME, 'disk-bandwidth=0')
    result = move.moved()
    assert result['disk-bandwidth-bps'] == 0
    assert result['ram']['bandwidth-bps'] == 8 * MIB
    told = [e['data']['disk-bandwidth-bps']
            for e in move.engine.events('LIMITS')]
    assert told == [3 * MIB, 0]


def test_set_while_ram_moves(lab, pki):
    move = Move(lab, pki, Case(options=SLOW_RAM)).start()
    move.wait_step('converge')
    assert ram_limit(move) == 2 * MIB
    command(move, 'set', NAME, 'bandwidth=3M', 'max-downtime-ms=5')
    now = move.source.spy.cmd('query-migrate-parameters')
    assert (now['max-bandwidth'], now['downtime-limit'] <= 5) == \
        (3 * MIB, True)
    command(move, 'set', NAME, 'bandwidth=0', 'max-downtime-ms=300')
    result = move.moved()
    assert result['ram']['bandwidth-bps'] == 0


def test_set_a_timeout(lab, pki):
    move = Move(lab, pki, Case(options=SLOW_RAM)).start()
    move.wait_step('converge')
    command(move, 'set', NAME, 'timeout-s=1')
    move.undone((FAILED,))
    assert 'timeout-s' in move.error


# ---- cancel ----

CANCEL = [row for row in HELD
          if ROWS.index(row) >= ROWS.index('hold the destination')]


@pytest.mark.sample(3)
@pytest.mark.parametrize('row', CANCEL)
def test_cancel_in_each_row(lab, pki, row):
    """From another process, with a command of the row on its way."""
    options = ('--name', NAME) + (('--verify',) if row in VERIFIES else ())
    move = Move(lab, pki, Case(live=False, proxied=True, options=options))
    side, name, nth = HELD[row]
    held = getattr(move, side).proxy.hold(name, nth)
    move.start()
    held.wait()
    cancel = Engine(lab, 'cancel', NAME, host=move.source.host, env=lab.env())
    client = Client(move)
    wait_until(lambda: client.ask('query-status')['return']['cancelling'] or
               cancel.process.poll() is not None, 10, 'the cancel to arrive')
    held.release()
    check(move, row)
    code = cancel.wait(60)
    moved = move.engine.result()['guest'] == 'destination'
    assert code == (REFUSED if moved else DONE), cancel.text()
    assert ('too late' in cancel.err) == moved


def test_cancel_while_a_disk_is_copied(lab, pki):
    move = Stored(lab, pki, Case(live=False, options=SLOW_DISK), data).start()
    wait_until(lambda: disk_speeds(move) == [DISK_BPS], 30, 'the mirror')
    said = command(move, 'cancel', NAME)
    assert 'is where it was: the migration was cancelled' in said.out
    move.undone((CANCELLED,), 'waiting')


def test_cancel_while_ram_moves(lab, pki):
    move = Move(lab, pki, Case(options=SLOW_RAM)).start()
    move.wait_step('converge')
    command(move, 'cancel', NAME)
    move.undone((CANCELLED,))


# ---- complete ----

NEVER = Case(mem_rate=300, hot=48, disk_rate=20, options=(
    '--name', NAME, '--bandwidth', '8M', '--auto-converge', 'off',
    '--abort-handover-ms', '5000'))


def test_complete_lets_it_end(lab, pki):
    """It writes faster than the link carries; stopped, it gets across, though
    that takes longer than a handover may. It runs again at the end."""
    move = Move(lab, pki, NEVER).start()
    move.engine.wait_event('PROGRESS', 60, step='converge')
    wait_until(lambda: any(e['data'].get('ram', {}).get('pass', 0) >= 2
                           for e in move.engine.events('PROGRESS')),
               90, 'a second pass')
    said = command(move, 'complete', NAME)
    assert said.out == f'{NAME}: the guest is stopped until its RAM is across'
    result = move.moved()
    assert result['handover']['blackout-ms'] >= result['handover']['stop-ms'] > 0


def test_complete_and_cancel(lab, pki):
    """The guest that was stopped for it runs again."""
    move = Move(lab, pki, NEVER).start()
    move.wait_step('converge')
    command(move, 'complete', NAME, '--mode', 'pause')
    assert move.source.status() == 'paused'
    command(move, 'cancel', NAME)
    move.undone((CANCELLED,))


def test_complete_before_ram_moves(lab, pki):
    case = Case(mem_rate=300, hot=48, disk_rate=20, options=(
        *SLOW_DISK, '--bandwidth', '16M', '--auto-converge', 'off'))
    move = Stored(lab, pki, case, data).start()
    wait_until(lambda: disk_speeds(move) == [DISK_BPS], 30, 'the mirror')
    said = command(move, 'complete', NAME)
    assert said.out == f'{NAME}: the guest will be stopped once its RAM moves'
    assert move.source.status() == 'running'
    command(move, 'set', NAME, 'disk-bandwidth=0')
    move.moved()


# ---- clients that do not behave ----

def test_clients_do_no_harm(lab, pki):
    """One that never reads, one that sends no end of a line, garbage; and one
    that hears all, to the end."""
    move = Move(lab, pki, Case(options=SLOW_RAM)).start()
    move.wait_step('converge')
    assert stat.S_IMODE(os.lstat(sock(move)).st_mode) == 0o600
    assert stat.S_IMODE(os.lstat(run_dir(lab)).st_mode) == 0o700
    silent, endless, garbage, good, other = (Client(move) for _ in range(5))
    assert good.hear('qmigrate')['protocol'] == 1
    silent.socket.settimeout(0.2)
    with pytest.raises(OSError):
        for _ in range(100000):
            silent.say('{"execute": "query-status"}')
    garbage.say(b'\x00\xff no JSON {]\n')
    assert 'not QMP' in garbage.hear('error')['desc']
    assert garbage.hear() is None
    endless.say(b'{"execute": "')
    with pytest.raises(OSError):
        for _ in range(1000):
            endless.say(b'x' * 65536)
    error = good.ask('quit')['error']
    assert error['class'] == 'CommandNotFound'
    error = good.ask('complete', mode='postcopy')['error']
    assert 'post-copy was not prepared' in error['desc']
    assert good.ask('set', bandwidth=0)['return']['bandwidth-bps'] == 0
    assert other.hear('event') and good.hear('event')
    move.moved()
    last = None
    for line in other.file:
        last = json.loads(line)
    assert last['event'] == 'RESULT'
    assert last['data'] == move.engine.result()
    assert not sock(move).exists()


# ---- status and watch ----

def test_status(lab, pki):
    move = Move(lab, pki, STILL)
    none = command(move, 'status')
    assert none.out == 'no migration is under way on this machine'
    assert command(move, 'status', '--json').out == ''
    for name in ('status', 'watch', 'cancel', 'complete'):
        said = command(move, name, 'vm-2', code=REFUSED)
        assert 'no migration called vm-2 is under way' in said.err
        assert 'no migration is under way on this machine' in said.err
    move = Stored(lab, pki, Case(live=False, options=SLOW_DISK), data).start()
    wait_until(lambda: disk_speeds(move) == [DISK_BPS], 30, 'the mirror')
    said = command(move, 'watch', 'vm', code=REFUSED)
    assert f'there is one: {NAME}' in said.err
    line = command(move, 'status').out
    assert line.startswith(f'{NAME}  mirror disks  disks ')
    full = command(move, 'status', NAME).out
    assert move.source.address in full and move.destination.address in full
    assert 'disk-bandwidth 0.5 MiB/s' in full
    value = json.loads(command(move, 'status', NAME, '--json').out)
    assert value['limits']['disk-bandwidth-bps'] == DISK_BPS
    assert value['progress']['disks']['count'] == 1
    # the same name again
    second = Engine(lab, 'check', *move.arguments(), host=move.source.host,
                    env=lab.env())
    assert second.wait(60) == REFUSED
    command(move, 'cancel', NAME)
    move.undone((CANCELLED,), 'waiting')


@pytest.mark.parametrize('json_too', (True, False), ids=('json', 'words'))
def test_watch(lab, pki, json_too):
    """It shows what `migrate` shows, and ends as that ends."""
    move = Stored(lab, pki, Case(live=False, options=SLOW_DISK), data).start()
    wait_until(lambda: disk_speeds(move) == [DISK_BPS], 30, 'the mirror')
    watch = Engine(lab, 'watch', *(['--json'] if json_too else []), NAME,
                   host=move.source.host, env=lab.env())
    watch.wait_for(lambda: watch.out or watch.err, 30, 'first word')
    command(move, 'set', NAME, 'disk-bandwidth=0')
    move.moved()
    assert watch.wait(30) == DONE
    if json_too:
        assert watch.result() == move.engine.result()
        steps = [e['data']['step'] for e in watch.events('STEP')]
        assert steps[-1] == 'retire the source'
    else:
        assert f'{NAME} runs at the destination' in watch.out
        assert 'retire the source' in watch.err


def test_those_that_have_ended(lab, pki):
    """One that was undone and one that moved, in the order of their ends."""
    move = Move(lab, pki, STILL)
    assert command(move, 'status', '--all').out == \
        'no migration is under way on this machine, and none has ended'
    move.start(QMIGRATE_FAIL='converge:after=fail').undone((FAILED,))
    move.new_destination()
    move.start().moved()
    undone, moved = [json.loads(line) for line in
                     command(move, 'status', '--all', '--json').out
                     .splitlines()]
    assert (undone['outcome'], undone['guest']) == ('failed', 'source')
    assert (moved['outcome'], moved['guest']) == ('completed', 'destination')
    times = []
    for past in (undone, moved):
        assert past['name'] == NAME and past['finished']
        assert past['source'] == move.source.address
        assert (state_dir(lab) / f'{NAME}.{past["id"]}.done').exists()
        times += [past['began-at'], past['ended-at']]
    assert times == sorted(times) and len(set(times)) == 4

    said = command(move, 'status', '--all').out.splitlines()
    assert len(said) == 2
    assert 'failed, the guest is at the source' in said[0]
    assert 'completed, the guest is at the destination' in said[1]
    assert all(NAME in line and ' UTC ' in line for line in said)
    # without --all, and with a name
    assert 'no migration is under way' in command(move, 'status').out
    error = command(move, 'status', '--all', NAME, code=2).err
    assert 'exclude each other' in error

    # the older one is damaged, and its time is that of its file
    path = state_dir(lab) / f'{NAME}.{undone["id"]}.done'
    path.write_bytes(path.read_bytes()[:-10])
    said = command(move, 'status', '--all').out.splitlines()
    assert 'completed' in said[0] and 'damaged: ' in said[1]
    said = command(move, 'status', '--all', '--json').out.splitlines()
    damaged = json.loads(said[1])
    assert damaged['id'] == undone['id'] and 'no end' in damaged['damaged']
    assert 'outcome' not in damaged


def test_an_engine_that_is_killed(lab, pki):
    """Who watches hears that it ended without a word; others are told what
    to do."""
    move = Stored(lab, pki, Case(live=False, options=SLOW_DISK), data).start()
    wait_until(lambda: disk_speeds(move) == [DISK_BPS], 30, 'the mirror')
    watch = Engine(lab, 'watch', NAME, host=move.source.host, env=lab.env())
    watch.wait_for(lambda: watch.err, 30, 'first word')
    move.engine.kill()
    assert watch.wait(30) == 7
    assert 'has ended without a word' in watch.err
    assert f'`qmigrate recover {NAME}`' in watch.err
    assert sock(move).exists()
    assert 'did not finish' in command(move, 'status').out
    said = command(move, 'cancel', NAME, code=REFUSED)
    assert f'it did not finish: `qmigrate recover {NAME}`' in said.err


# ---- in the background ----

def in_background(move, *options):
    """`migrate --detach`; Popen-like: what it said, and its status."""
    return Engine(move.lab, 'migrate', '--detach', *options,
                  *move.arguments(), host=move.source.host,
                  env=move.lab.env())


def test_detach(lab, pki):
    """It prints the name and returns while the guest is on its way; the rest
    is seen by who watches."""
    move = Stored(lab, pki, Case(live=False, options=SLOW_DISK), data)
    log = lab.path('log')
    started = in_background(move, '--metrics', log)
    assert started.wait(60) == DONE, started.text()
    assert started.out == NAME
    assert started.is_heard_out()
    wait_until(lambda: disk_speeds(move) == [DISK_BPS], 30, 'the mirror')
    wait_until(lambda: f'qmigrate_running{{name="{NAME}"}} 1' in
               log.read_text(), 10, 'the first figures')
    move.engine = Engine(lab, 'watch', '--json', NAME, host=move.source.host,
                         env=lab.env())
    wait_until(lambda: 'qmigrate_disk_copied_bytes' in log.read_text(), 30,
               'figures of the disk')
    pid = json.loads(command(move, 'status', '--json').out)['pid']
    assert os.getsid(pid) == pid
    command(move, 'set', NAME, 'disk-bandwidth=0')
    move.moved()
    wait_until(lambda: f'qmigrate_running{{name="{NAME}"}} 0' in
               log.read_text(), 10, 'the last figures')
    assert f'qmigrate_outcome{{name="{NAME}",outcome="completed"}} 1' in \
        log.read_text()
    assert [p.name for p in log.parent.glob(f'{log.name}.*')] == []


def test_detach_is_refused(lab, pki):
    """What preflight refuses is said, and is the exit status."""
    move = Stored(lab, pki, Case(live=False, options=('--name', NAME)), data)
    move.destination.spy.cmd('quit')
    move.destination.wait_exit()
    started = in_background(move)
    assert started.wait(60) == REFUSED
    assert 'qmigrate: connect: destination: ' in started.err
    assert started.out == ''
    for options, says in ((('--detach', '--dry-run'), 'not for --dry-run'),
                          (('--metrics', '/nowhere/x'),
                           'write --metrics /nowhere/x')):
        engine = Engine(lab, 'migrate', *options, *move.arguments(),
                        host=move.source.host, env=lab.env())
        assert engine.wait(60) in (2, REFUSED)
        assert says in engine.err


def test_pause_at_a_timeout(lab, pki):
    """The guest stands still for longer than a handover may take."""
    options = (*NEVER.options, '--timeout-s', '6', '--on-timeout', 'pause')
    move = Move(lab, pki, Case(mem_rate=300, hot=48, disk_rate=20,
                               options=options)).start()
    move.moved()
    assert any('timeout-s' in e['data']['message']
               for e in move.engine.events('WARNING'))
