"""Strangers at the ports that a destination opens: a scanner that hangs up,
one that says nothing, one that talks of other things; at each moment in which
somebody can come. None of them may cost the guest anything.

QEMU's main loop blocks in the TLS handshake of an incoming migration: a
stranger who is silent freezes a destination, and a source that connects to a
frozen destination freezes too, with its guest.
"""

import re
import socket
import struct

import pytest

from cases import CANCELLED, FAILED, LEFT_HERE, Case, Move
from lab import wait_until
from test_control import NAME, SLOW_RAM, command

OPT_STARTTLS = 5
GARBAGE = b'GET / HTTP/1.0\r\n\r\n' + bytes(range(256)) * 8
STILL = Case(live=False, proxied=True)
PLAIN = Case(live=False, proxied=True, tls=False)
SECURE = {True: STILL, False: PLAIN}

# What a stranger costs: nothing, or the destination and these words.
TAKEN = 'somebody connected to its RAM port .* before the source did'
REFUSED = 'the migration failed; source: '
SILENT = 'somebody may have connected to its RAM port and be silent'
HANGS = 'source: it hangs in the TLS handshake'
FRESH = 'start a fresh destination before trying again'

COSTS = {
    # (when, TLS, kind): the door is open; the source is about to come
    ('asked', False, 'close'): TAKEN,
    ('asked', False, 'silence'): TAKEN,
    ('asked', False, 'garbage'): TAKEN,
    ('asked', True, 'silence'): SILENT,
    ('sent', False, 'close'): REFUSED,
    ('sent', False, 'silence'): REFUSED,
    ('sent', False, 'garbage'): REFUSED,
    ('sent', True, 'silence'): HANGS,
}


class Stranger:
    """Comes from a host of its own; stay(port) to a port of the
    destination's, and what it opened stays open until leave()."""

    def __init__(self, lab, move, kind):
        self.host = lab.host('stranger')
        self.address = move.destination.host.address
        self.kind = kind
        self.sockets = []
        lab.on_exit(self.leave)

    def come(self, port):
        s = self.host.socket()
        self.sockets.append(s)
        s.settimeout(10)
        s.connect((self.address, port))
        if self.kind == 'garbage':
            s.sendall(GARBAGE)
        if self.kind != 'silence':
            self.leave()

    def leave(self):
        while self.sockets:
            self.sockets.pop().close()


def hold_when_asked(move):
    """The question that the engine asks when the door is open."""
    proxy, holds = move.destination.proxy, []
    proxy.call('migrate-incoming',
               lambda: holds.append(proxy.hold('query-status')))
    return lambda: wait_until(lambda: holds, 60, 'the open door')[0]


def hold_when_sent(move):
    """What sends the source there."""
    hold = move.source.proxy.hold('migrate')
    return lambda: hold


MOMENTS = {'asked': hold_when_asked, 'sent': hold_when_sent}


def ram_port(move):
    """With a disk, the first port of the range is the NBD server's."""
    return move.destination.listening()[-1]


def visit(move, moment, stranger):
    """The stranger comes at that moment."""
    held = MOMENTS[moment](move)
    move.start()
    hold = held()
    hold.wait(60)
    assert len(move.destination.listening()) == 2
    stranger.come(ram_port(move))
    # QEMU has taken it once the queue of its port is empty
    wait_until(lambda: queue_is_empty(move), 10, 'QEMU takes the stranger')
    hold.release()


def queue_is_empty(move):
    """No connection waits to be accepted (a QEMU that has ended has none)."""
    out = move.destination.host.run(['ss', '-Hltn']).stdout
    return all(line.split()[1] == '0' for line in out.splitlines())


def check_cost(move, cost):
    if cost is None:
        move.moved()
        return
    move.undone((FAILED,))
    assert re.search(cost, move.error), move.error
    assert FRESH in move.error
    move.new_destination()
    move.start()
    move.moved()


@pytest.mark.sample(4)
@pytest.mark.parametrize('kind', ['close', 'silence', 'garbage'])
@pytest.mark.parametrize('tls', [True, False], ids=['tls', 'plain'])
@pytest.mark.parametrize('moment', MOMENTS)
def test_stranger_at_the_door(lab, pki, moment, tls, kind):
    move = Move(lab, pki, SECURE[tls])
    visit(move, moment, Stranger(lab, move, kind))
    check_cost(move, COSTS.get((moment, tls, kind)))


@pytest.mark.sample(3)
@pytest.mark.parametrize('moment,tls,kind', [
    ('asked', True, 'silence'), ('sent', True, 'silence'),
    ('sent', False, 'close')])
def test_stranger_at_an_old_door(lab, pki, moment, tls, kind):
    """7.2 ends itself where 10.0 stays to tell why."""
    move = Move(lab, pki, Case(live=False, proxied=True, tls=tls,
                               binaries=('system', 'system')))
    visit(move, moment, Stranger(lab, move, kind))
    move.undone((FAILED,))
    assert FRESH in move.error


# Less than the engine takes to give up, and less than for ever.
LIMITS_MS = {'asked': 8000, 'sent': 40000}


@pytest.mark.sample(2)
@pytest.mark.parametrize('moment', MOMENTS)
def test_guest_lives_on_beside_a_silent_stranger(lab, pki, moment):
    """It runs all the time; but if the stranger came in the moment between,
    it stands still until the engine has noticed, which is seconds, and not
    as long as the stranger likes."""
    move = Move(lab, pki, Case(proxied=True))
    stranger = Stranger(lab, move, 'silence')
    visit(move, moment, stranger)
    move.engine.wait(60)
    assert move.source.status() == 'running'
    move.guest.wait_alive(move.source)
    assert move.guest.blackout() < LIMITS_MS[moment]
    move.undone((FAILED,))
    assert re.search(COSTS[moment, True, 'silence'], move.error)


def test_stranger_who_leaves_in_time(lab, pki):
    """Silent for seconds: the engine asks again, and then sends the source."""
    move = Move(lab, pki, STILL)
    stranger = Stranger(lab, move, 'silence')
    visit(move, 'asked', stranger)
    asked = len(move.destination.proxy.names())
    wait_until(lambda: len(move.destination.proxy.names()) > asked, 30,
               'a second question')
    assert 'migrate' not in move.source.proxy.names()
    stranger.leave()
    move.moved()


def test_killer_of_the_destination_is_not_there(lab, pki):
    """A destination that is frozen, and that nobody can end: the guest is at
    the source all the same, and what is left is named."""
    move = Move(lab, pki, STILL)
    stranger = Stranger(lab, move, 'silence')
    proxy = move.destination.proxy
    proxy.call('migrate-incoming', proxy.refuse)
    visit(move, 'sent', stranger)
    proxy.cut()
    code = move.engine.wait(150)
    assert code in (FAILED, LEFT_HERE), move.engine.text()
    assert move.engine.result()['guest'] == 'source'
    assert move.source.status() == 'running'


@pytest.mark.sample(3)
@pytest.mark.parametrize('kind', ['close', 'silence', 'garbage'])
@pytest.mark.parametrize('tls,channels', [(True, '0'), (False, '2')],
                         ids=['tls', 'plain-2'])
def test_stranger_while_ram_moves(lab, pki, tls, channels, kind):
    """QEMU's port stays open, but all channels are there: it turns away who
    comes now, and does not shake hands."""
    move = Move(lab, pki, Case(tls=tls, options=(
        *SLOW_RAM, '--channels', channels)))
    stranger = Stranger(lab, move, kind)
    move.start()
    move.wait_step('converge')
    for _ in range(4):
        stranger.come(ram_port(move))
    wait_until(lambda: queue_is_empty(move), 10, 'QEMU takes the strangers')
    assert 'converge' not in move.steps('done')
    command(move, 'set', NAME, 'bandwidth=0')
    move.engine.wait(90)
    assert move.destination.listening() == []
    move.moved()


def test_ports_are_open_from_row_to_row(lab, pki):
    """The disks' server from "export disks" to "close exports", the RAM's port
    from "open the door" on; both at the address that was asked for."""
    move = Move(lab, pki, STILL)
    source, destination = move.source.proxy, move.destination.proxy
    before = destination.hold('nbd-server-start')
    mirror = source.hold('blockdev-mirror')
    last = destination.hold('cont')
    move.start()
    before.wait()
    assert move.destination.listening() == []
    before.release()
    mirror.wait()
    (nbd,) = move.destination.listening()
    bound = move.destination.host.run(['ss', '-Hltn']).stdout.split()[3]
    assert bound == f'{move.destination.host.address}:{nbd}'
    mirror.release()
    last.wait()
    assert nbd not in move.destination.listening()
    last.release()
    assert move.engine.wait(60) == 0
    assert move.qemus[1].listening() == []
    assert move.source.listening() == []
    move.moved()


@pytest.mark.sample(4)
@pytest.mark.parametrize('kind', ['close', 'silence', 'garbage'])
@pytest.mark.parametrize('tls', [True, False], ids=['tls', 'plain'])
@pytest.mark.parametrize('row', ['mirror disks', 'open the door'])
def test_stranger_at_the_disks(lab, pki, row, tls, kind):
    """Before the mirror is there, and while it runs: the NBD server shakes
    hands in the background. Those who stay are there when it ends."""
    move = Move(lab, pki, SECURE[tls])
    name = {'mirror disks': 'blockdev-mirror', 'open the door': 'migrate'}[row]
    hold = move.source.proxy.hold(name)
    move.start()
    hold.wait(60)
    stranger = Stranger(lab, move, kind)
    for _ in range(8):
        stranger.come(move.destination.listening()[0])
    hold.release()
    move.moved()


def test_stranger_at_the_disks_of_an_old_qemu(lab, pki):
    """CVE-2024-7409: a server that ended with a client in its handshake
    brought QEMU down. That is before anything runs there."""
    move = Move(lab, pki, Case(live=False, proxied=True,
                               binaries=('system', 'system')))
    hold = move.source.proxy.hold('migrate')
    move.start()
    hold.wait(60)
    stranger = Stranger(lab, move, 'silence')
    for _ in range(8):
        stranger.come(move.destination.listening()[0])
    hold.release()
    move.settled()


def begin_tls(move):
    """A stranger at the disks' port, in a handshake with QEMU, silent."""
    stranger = Stranger(move.lab, move, 'silence')
    stranger.come(move.destination.listening()[0])
    s = stranger.sockets[0]
    s.recv(18, socket.MSG_WAITALL)      # NBD's greeting
    s.sendall(struct.pack('>I8sII', 3, b'IHAVEOPT', OPT_STARTTLS, 0))
    s.recv(20, socket.MSG_WAITALL)      # it may begin


def test_stranger_who_begins_tls_at_the_disks(lab, pki):
    """QEMU's nbd-server-stop waits for ever for one who began a handshake and
    is silent. It is the last thing before the guest would run there, so the
    guest stands still until --abort-handover-ms; then it runs on where it
    was."""
    move = Move(lab, pki, Case(proxied=True,
                               options=('--abort-handover-ms', '3000')))
    hold = move.source.proxy.hold('migrate')
    move.start()
    hold.wait(60)
    begin_tls(move)
    hold.release()
    move.engine.wait(120)
    move.guest.wait_alive(move.source)
    assert move.guest.blackout() < 20000    # not for ever
    move.undone((FAILED,))
    assert move.error.startswith('close exports: ')


@pytest.mark.sample(2)
@pytest.mark.parametrize('qemu', ['qemu10', 'system'])
def test_stranger_who_begins_tls_while_it_is_undone(lab, pki, qemu):
    """The destination hangs in nbd-server-stop, and can be told nothing more:
    it is ended, once, and is not waited for row by row."""
    move = Move(lab, pki, Case(live=False, proxied=True,
                               binaries=(qemu, qemu)))
    hold = move.source.proxy.hold('blockdev-mirror')
    move.start()
    hold.wait(60)
    begin_tls(move)
    move.engine.interrupt()
    hold.release()
    assert move.engine.wait(60) == CANCELLED, move.engine.text()
    move.undone((CANCELLED,))
    assert FRESH in move.error
    assert any('nbd-server-stop' in w and 'hangs' in w for w in
               (e['data']['message'] for e in move.engine.events('WARNING')))
