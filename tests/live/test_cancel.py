"""Ctrl-C in every phase: the guest stays, and all is as it was; or it came
too late, and the guest has moved.
"""

import signal

import pytest

from cases import CANCELLED, DONE, Case, Move, recipe_rows
from engine import ROOT

ROWS = recipe_rows(ROOT / 'src/core/recipe.c')
DOOR = ROWS.index('open the door')
# From here on a cancel comes too late.
SWITCHED = ROWS.index('close exports')

# The engine is held with a command of the row on its way, so that the signal
# comes in that row for certain: (side, command, nth).
HELD = {
    'connect': ('destination', 'qmp_capabilities', 1),
    'preflight': ('source', 'query-block', 1),
    'remember the source': ('destination', 'query-migrate', 1),
    'hold the destination': ('destination', 'stop', 1),
    'install credentials': ('source', 'object-add', 1),
    'agree capabilities': ('source', 'migrate-set-parameters', 1),
    'export disks': ('destination', 'block-export-add', 1),
    'mirror disks': ('source', 'blockdev-mirror', 1),
    'compare disks': ('source', 'nbd-server-start', 1),
    'open the door': ('destination', 'migrate-incoming', 1),
    'start migration': ('source', 'migrate', 1),
    'settle disks': ('source', 'block-job-cancel', 1),
    'verify disks': ('source', 'block-dirty-bitmap-disable', 1),
    'switch over': ('source', 'migrate-continue', 1),
    'close exports': ('destination', 'nbd-server-stop', 1),
    'run the destination': ('destination', 'cont', 1),
    'announce': ('destination', 'announce-self', 1),
    'retire the source': ('source', 'quit', 1),
}
# Rows of --verify alone.
VERIFIES = 'compare disks', 'verify disks'
# Rows that send nothing of their own, or wait for long: told by STEP.
TOLD = ['make disks', 'probe exports', 'prove backing files', 'mirror disks',
        'converge', 'last page']

STILL = Case(live=False, proxied=True)
SLOW = ('--bandwidth', '24M', '--disk-bandwidth', '24M')


def check(move, row):
    """Both ends are good; which one it was follows from the row."""
    place = ROWS.index(row)
    code = move.engine.wait(60)
    if place >= SWITCHED:
        assert code == DONE, move.engine.text()
        move.moved()
    elif code == DONE:
        assert row == 'switch over'
        move.moved()
    else:
        move.undone((CANCELLED,), 'gone' if place >= DOOR else 'waiting')
        assert 'cancelled by the operator' in move.error


@pytest.mark.sample(2)
@pytest.mark.parametrize('row', HELD)
def test_cancel_in_row(lab, pki, row):
    """By one of the two signals, in turn."""
    number = (signal.SIGINT, signal.SIGTERM)[ROWS.index(row) % 2]
    move = Move(lab, pki, STILL)
    side, command, nth = HELD[row]
    hold = getattr(move, side).proxy.hold(command, nth)
    move.start(*(['--verify'] if row in VERIFIES else []))
    hold.wait()
    move.engine.interrupt(number)
    move.engine.wait_for(lambda: 'cancelling' in move.engine.err)
    hold.release()
    check(move, row)


def test_every_row_is_cancelled():
    assert set(HELD) | set(TOLD) == set(ROWS)


@pytest.mark.sample(3)
@pytest.mark.parametrize('row', TOLD)
def test_living_guest_is_not_disturbed(lab, pki, row):
    case = Case(formats=('qcow2', 'raw'), options=SLOW)
    move = Move(lab, pki, case).start()
    move.wait_step(row)
    move.engine.interrupt()
    check(move, row)


@pytest.mark.sample(2)
@pytest.mark.parametrize('row', ['mirror disks', 'converge'])
def test_second_attempt_succeeds(lab, pki, row):
    """What was undone is really gone: a move that is cancelled half-way and
    begun anew arrives with all that the guest wrote."""
    case = Case(formats=('qcow2', 'raw'), options=SLOW)
    move = Move(lab, pki, case).start()
    move.wait_step(row)
    if row == 'converge':
        move.engine.wait_event('PASS')
    move.engine.interrupt()
    assert move.engine.wait(60) == CANCELLED
    assert move.engine.result()['retryable']
    assert move.unlike_before(move.source) == []
    if not move.is_waiting():
        move.new_destination()
    move.start()
    move.moved()


@pytest.mark.parametrize('second', [signal.SIGINT, signal.SIGTERM,
                                    signal.SIGHUP])
def test_second_signal_changes_nothing(lab, pki, second):
    """It comes while the first one is being obeyed."""
    move = Move(lab, pki, STILL)
    begun = move.source.proxy.hold('blockdev-mirror')
    undo = move.source.proxy.hold('block-job-cancel')
    move.start()
    begun.wait()
    move.engine.interrupt()
    move.engine.wait_for(lambda: 'cancelling' in move.engine.err)
    begun.release()
    undo.wait()
    for _ in range(3):
        move.engine.interrupt(second)
    undo.release()
    check(move, 'mirror disks')


def test_hangup_is_ignored(lab, pki):
    """The terminal is closed: the guest moves on."""
    move = Move(lab, pki, STILL).start(*SLOW)
    for row in ('mirror disks', 'converge'):
        move.wait_step(row)
        move.engine.interrupt(signal.SIGHUP)
    move.moved()
