"""Ports of the range that are taken, by a stranger or by other migrations.

From 10.0 on a QEMU whose `migrate-incoming` was refused is used up, so the
engine must not try the ports one by one.
"""

import pytest

from cases import DONE, FAILED, Case, Move

LOW = 50000
BOTH = pytest.mark.parametrize('binary', ['qemu10', 'system'])


def options(*more, ports=8):
    return ('--ports', f'{LOW}-{LOW + ports - 1}', *more)


def take(move, *ports):
    """Another process listens there."""
    for port in ports:
        s = move.destination.host.socket()
        move.lab.on_exit(s.close)
        s.bind((move.destination.host.address, port))
        s.listen()


@BOTH
def test_next_port_where_the_first_are_taken(lab, pki, binary):
    move = Move(lab, pki, Case(formats=(), live=False, options=options(),
                               binaries=(binary, binary)))
    take(move, LOW, LOW + 1)
    move.start().moved()


def test_next_port_behind_that_of_the_disks(lab, pki):
    """The first free one is for the disks, and its neighbour is taken."""
    move = Move(lab, pki, Case(live=False, proxied=True, options=options()))
    take(move, LOW, LOW + 2)
    hold = move.source.proxy.hold('migrate')
    move.start()
    hold.wait(60)
    assert move.destination.listening() == [LOW + 1, LOW + 3]
    hold.release()
    move.moved()


@BOTH
def test_no_port_is_free(lab, pki, binary):
    """7.2 may be told again; the other one may not, and that is said."""
    move = Move(lab, pki, Case(formats=(), live=False, binaries=(binary,) * 2,
                               options=options(ports=2)))
    take(move, LOW, LOW + 1)
    move.start()
    move.undone(destination='gone' if binary == 'qemu10' else 'waiting')
    assert f'no port of {LOW}-{LOW + 1} on ' in move.error
    assert ('start a fresh destination' in move.error) == (binary == 'qemu10')


def move_at_once(lab, pki, count):
    """Each is held where it asks for its port, until all are there."""
    moves, holds = [], []
    for n in range(count):
        move = Move(lab, pki, Case(
            formats=('raw',) if n % 2 else (), live=False, proxied=True,
            options=options('--name', f'guest{n}', ports=2 * count)))
        moves.append(move)
        holds.append(move.destination.proxy.hold('migrate-incoming'))
        move.start()
    for hold in holds:
        hold.wait(120)
    for hold in holds:
        hold.release()
    assert [move.engine.wait(120) for move in moves] == [DONE] * count
    for move in moves:
        move.moved()


def test_four_guests_at_once_to_one_host(lab, pki):
    move_at_once(lab, pki, 4)


@pytest.mark.long
def test_ten_guests_at_once_to_one_host(lab, pki):
    move_at_once(lab, pki, 10)
