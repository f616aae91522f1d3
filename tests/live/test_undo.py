"""Every row of the recipe is made to fail.

Until the owner changes, all is as it was: capabilities, parameters, objects,
nodes, jobs, exports, and a guest that runs. From then on the guest is at the
destination. The rows are read from the recipe, so that a new one is attacked
by itself.
"""

import re
import signal
from dataclasses import replace

import pytest

from cases import (DONE, FAILED, LEFT_THERE, REFUSED, UNDECIDED, Case, Move,
                   recipe_rows)
from engine import ROOT

ROWS = recipe_rows(ROOT / 'src/core/recipe.c')
DOOR = ROWS.index('open the door')
OWNER = ROWS.index('run the destination')
REMEMBER = ROWS.index('remember the source')

# Before a row is after the one above it, but that there is more to undo: for
# those that can be undone.
UNDOABLE = re.findall(r'\{ "([a-z ]+)", step_\w+, undo_',
                      (ROOT / 'src/core/recipe.c').read_text())
BEFORE_OWNER = [(row, when) for row in ROWS[:OWNER + 1]
                for when in ('before', 'after')
                if (row, when) != (ROWS[OWNER], 'after') and
                (when == 'after' or row in UNDOABLE or row == ROWS[OWNER])]
AFTER_OWNER = [(row, 'after') for row in ROWS[OWNER:]]

# Where a guest that lives and writes shows more than a firmware does.
LIVE = ['mirror disks:after', 'converge:after', 'settle disks:after',
        'switch over:after', 'run the destination:before']

STILL = Case(live=False)


def point(row, when):
    return f'{row}:{when}'


def expected(row, when):
    """(exit code, what becomes of the destination)"""
    place = ROWS.index(row) + (when == 'after')
    if place <= REMEMBER:
        return REFUSED, 'waiting'
    return FAILED, 'gone' if place > DOOR else 'waiting'


def names(pairs):
    return [point(*pair) for pair in pairs]


def test_rows_are_those_of_the_program(lab, pki):
    move = Move(lab, pki, STILL).start('--dry-run')
    assert move.engine.wait(30) == DONE
    (plan,) = move.engine.events('PLAN')
    assert plan['data']['steps'] == ROWS


@pytest.mark.sample(2)
@pytest.mark.parametrize('row,when', BEFORE_OWNER, ids=names(BEFORE_OWNER))
def test_row_fails_and_is_undone(lab, pki, row, when):
    move = Move(lab, pki, STILL)
    move.start(QMIGRATE_FAIL=f'{row}:{when}=fail')
    code, destination = expected(row, when)
    move.undone((code,), destination)
    assert move.error.startswith(f'{row}: failed on demand {when} the step')
    assert ('start a fresh destination' in move.error) == \
        (destination == 'gone')
    assert (row in move.steps('done')) is False
    if destination == 'gone':
        move.new_destination()
    move.start()
    move.moved()


@pytest.mark.sample(3)
@pytest.mark.parametrize('at', LIVE)
def test_living_guest_is_taken_back(lab, pki, at):
    move = Move(lab, pki, Case(formats=('qcow2', 'raw')))
    move.start(QMIGRATE_FAIL=f'{at}=fail')
    move.undone((FAILED,), 'any')


@pytest.mark.parametrize('at,state', [('mirror disks:after', 'paused'),
                                      ('converge:after', 'paused'),
                                      ('switch over:after', 'postmigrate')])
def test_stopped_guest_is_taken_back(lab, pki, at, state):
    """Once the stream is complete, QEMU has no way back to `paused`: that is
    said."""
    move = Move(lab, pki, Case(live=False, stopped=True))
    move.start(QMIGRATE_FAIL=f'{at}=fail')
    assert move.engine.wait(60) == FAILED
    assert move.source.status() == state
    assert not [e for q in move.qemus for e in q.spy.events
                if e.name == 'RESUME']
    warnings = [e['data']['message'] for e in move.engine.events('WARNING')]
    assert any('postmigrate' in w for w in warnings) == \
        (state == 'postmigrate')
    assert move.unlike_before(move.source, 'run state', 'nodes') == []
    move.source.spy.cmd('cont')
    assert move.source.status() == 'running'


@pytest.mark.parametrize('row,when', AFTER_OWNER, ids=names(AFTER_OWNER))
def test_row_fails_after_the_owner(lab, pki, row, when):
    """The guest stays where it is now; what is left is said."""
    move = Move(lab, pki, STILL)
    move.start(QMIGRATE_FAIL=f'{row}:{when}=fail')
    assert move.engine.wait(60) == LEFT_THERE
    result = move.engine.result()
    assert result['guest'] == 'destination'
    assert move.destination.status() == 'running'
    assert move.ran_at_once() == []
    assert move.steps('undone') == []
    if move.source.is_alive():
        assert move.source.status() == 'postmigrate'
    move.check_folders()


def test_fails_between_owner_and_start(lab, pki):
    """Nobody knows whether the guest was started: nobody starts it again."""
    move = Move(lab, pki, replace(STILL, supervised=False)).start(QMIGRATE_FAIL='owner:written=fail')
    assert move.engine.wait(60) == UNDECIDED
    assert move.engine.result()['outcome'] == 'undecided'
    assert move.source.status() == 'postmigrate'
    assert move.destination.status() == 'paused'



# ---- the engine dies ----

def test_second_attempt_after_a_death_is_refused(lab, pki):
    move = Move(lab, pki, STILL)
    move.start(QMIGRATE_FAIL='hold the destination:after=kill')
    assert move.engine.wait(60) == -signal.SIGKILL
    move.remove_private_folder()
    move.start()
    assert move.engine.wait(60) == REFUSED
    assert 'did not finish' in move.error
    (journal,) = move.journals()
    assert journal.name in move.error
    for qemu in move.qemus:
        assert move.unlike_before(qemu) == []
