"""A QEMU dies at every row of the recipe.

The destination may die at any time before it owns the guest: the guest runs
on, and nothing is left at the source. A source that dies takes the guest
with it: nobody starts it again from what the destination has.
"""

import threading
from dataclasses import replace

import pytest

from cases import (DONE, ENGINE_LIMIT_S, FAILED, LEFT_THERE, NOWHERE, REFUSED,
                   UNDECIDED, Case, Move)

STILL = Case(live=False, proxied=True)
LIVE = Case(formats=('qcow2', 'raw'), proxied=True)

# A command that is sent in that row, by the engine to that side: the QEMU
# dies just before it comes.
BEFORE_OWNER = {
    'preflight': ('source', 'query-block'),
    'hold': ('destination', 'stop'),
    'credentials': ('destination', 'object-add'),
    'source-credentials': ('source', 'object-add'),
    'capabilities': ('destination', 'migrate-set-capabilities'),
    'parameters': ('source', 'migrate-set-parameters'),
    'export-server': ('destination', 'nbd-server-start'),
    'export': ('destination', 'block-export-add'),
    'mirror-node': ('source', 'blockdev-add'),
    'mirror': ('source', 'blockdev-mirror'),
    'mirror-write-blocking': ('source', 'block-job-change'),
    'door': ('destination', 'migrate-incoming'),
    'start': ('source', 'migrate'),
    'settle': ('source', 'block-job-cancel'),
    'switch-over': ('source', 'migrate-continue'),
    'close-exports': ('destination', 'nbd-server-stop'),
}
EARLY = ('preflight',)
LIVING = ('mirror-write-blocking', 'start', 'settle', 'switch-over',
          'close-exports')


# With multifd, 10.0.2 sometimes (1 in 50) waits for ever for a channel that
# broke while it sends the last pages, with the lock of its main loop held:
# nothing gets such a source back.
SINGLE_STREAM = ('switch-over',)


def case_for(at, case):
    if at in SINGLE_STREAM:
        return replace(case, options=('--channels', '0'))
    return case


# 10.0.2 corrupts its heap, one time in forty, when a mirror fails in the moment
# in which it is made to write to both sides; 10.0.13 does not.
SOUND = {'mirror-write-blocking': ('trixie', 'trixie')}


def kill_at(move, victim, side, command):
    """The victim dies when that command has come to that side."""
    return getattr(move, side).proxy.call(command,
                                          getattr(move, victim).kill)


@pytest.mark.sample(3)
@pytest.mark.parametrize('at', BEFORE_OWNER)
def test_destination_dies(lab, pki, at):
    move = Move(lab, pki, case_for(at, STILL))
    rule = kill_at(move, 'destination', *BEFORE_OWNER[at])
    move.start()
    move.undone((REFUSED if at in EARLY else FAILED,))
    assert rule.has_arrived
    assert 'destination' in move.error


@pytest.mark.sample(3)
@pytest.mark.parametrize('at', LIVING)
def test_destination_of_a_living_guest_dies(lab, pki, at):
    case = replace(case_for(at, LIVE),
                   binaries=SOUND.get(at, LIVE.binaries))
    move = Move(lab, pki, case)
    rule = kill_at(move, 'destination', *BEFORE_OWNER[at])
    move.start()
    move.undone()
    assert rule.has_arrived
    assert 'destination' in move.error


@pytest.mark.sample(2)
@pytest.mark.parametrize('state', ['begins', 'done'])
@pytest.mark.parametrize('row', ['mirror disks', 'converge'])
def test_destination_dies_while_it_copies(lab, pki, row, state):
    """At a time of its own, and not between two commands. The bandwidth is
    limited, so that there is time."""
    limit = {'mirror disks': '--disk-bandwidth', 'converge': '--bandwidth'}
    case = Case(options=(limit[row], '24M'), mem_rate=5)
    move = Move(lab, pki, case).start()
    move.wait_step(row, state)
    move.destination.kill()
    move.engine.wait(ENGINE_LIMIT_S)
    if 'run the destination' in move.steps('begins'):
        # the rest was done before the blow fell
        assert move.engine.result()['exit'] == NOWHERE, move.engine.text()
        return
    move.undone()
    # the source may see its connection break before the process is gone
    assert 'destination' in move.error or 'reset by peer' in move.error


@pytest.mark.parametrize('command', ['cont', 'announce-self', 'object-del'])
def test_destination_dies_with_the_guest(lab, pki, command):
    """From `cont` on the guest may have run there: it is nowhere, and the
    source is neither started nor ended."""
    move = Move(lab, pki, STILL)
    rule = kill_at(move, 'destination', 'destination', command)
    move.start()
    code = move.engine.wait(120)
    assert rule.has_arrived
    assert code == NOWHERE, move.engine.text()
    assert move.engine.result()['guest'] == 'nowhere'
    assert move.source.status() == 'postmigrate'
    assert not [e for e in move.source.spy.events if e.name == 'RESUME']
    assert 'destination' in move.error


SOURCE_DIES = {
    'credentials': ('destination', 'object-add'),
    'export': ('destination', 'block-export-add'),
    'mirror': ('source', 'blockdev-mirror'),
    'door': ('destination', 'migrate-incoming'),
    'start': ('source', 'migrate'),
    'settle': ('source', 'block-job-cancel'),
    'switch-over': ('source', 'migrate-continue'),
}


@pytest.mark.sample(2)
@pytest.mark.parametrize('at', SOURCE_DIES)
def test_source_dies(lab, pki, at):
    """The guest is lost, and what the destination has of it is not
    started."""
    move = Move(lab, pki, STILL)
    rule = kill_at(move, 'source', *SOURCE_DIES[at])
    move.start()
    code = move.engine.wait(120)
    assert rule.has_arrived
    assert code == NOWHERE, move.engine.text()
    result = move.engine.result()
    assert result['guest'] == 'nowhere'
    assert not [e for e in move.destination.spy.events if e.name == 'RESUME']
    assert not move.destination.is_alive() or \
        move.destination.status() in ('inmigrate', 'paused')
    assert 'source' in move.error
    assert "boot the guest again from the source's disks" in move.error


def test_source_dies_after_the_owner(lab, pki):
    """The guest has left it: that is a success."""
    move = Move(lab, pki, STILL)
    kill_at(move, 'source', 'destination', 'cont')
    move.start()
    code = move.engine.wait(120)
    assert code in (DONE, LEFT_THERE), move.engine.text()
    assert move.engine.result()['guest'] == 'destination'
    assert move.destination.status() == 'running'


def test_guest_ends_while_it_moves(lab, pki):
    """It shuts down: there is nothing to move any more."""
    case = Case(options=('--bandwidth', '16M'), formats=())
    move = Move(lab, pki, case).start()
    move.engine.wait_for(lambda: len(move.engine.events('PROGRESS')) > 2,
                         what='progress')
    move.source.tell('off')
    assert move.engine.wait(60) == NOWHERE
    assert move.engine.result()['guest'] == 'nowhere'
    assert 'guest' in move.error
    move.destination.wait_exit()
    move.check_folders()


def test_guest_that_reboots_moves(lab, pki):
    case = Case(options=('--bandwidth', '32M'), formats=())
    move = Move(lab, pki, case).start()
    move.wait_step('converge')
    move.source.tell('reboot')
    assert move.engine.wait(90) == DONE, move.engine.text()
    assert move.destination.status() == 'running'
    assert move.ran_at_once() == []


def test_undecided_is_never_started(lab, pki):
    """Both links are cut for good once the owner is written and `cont` has
    been sent: nobody can know, so nothing is touched."""
    move = Move(lab, pki, replace(STILL, supervised=False))

    def cut():
        for qemu in move.qemus:
            qemu.proxy.refuse()
        threading.Thread(target=move.destination.proxy.cut).start()

    move.destination.proxy.call('cont', cut)
    move.start(QMIGRATE_PATIENCE_MS='5000')
    assert move.engine.wait(200) == UNDECIDED, move.engine.text()
    assert move.ran_at_once() == []
    assert move.source.status() == 'postmigrate'
    move.check_folders(open_journals=1)


# ---- a guest that comes to its end ----

class Ending(Move):
    """One that a reset ends."""

    def _extra(self, name):
        return ('-no-reboot',)

    def reset(self):
        self.source.spy.cmd('system_reset')


def end_at_migrate(lab, pki, how):
    move = Ending(lab, pki, replace(STILL, formats=()))
    rule = move.source.proxy.call('migrate', lambda: how(move))
    move.start()
    move.engine.wait(60)
    assert rule.has_arrived
    return move


def nothing_is_left(move):
    """An end, not a question: nothing waits, and nothing is open."""
    assert move.engine.wait(60) == NOWHERE, move.engine.text()
    assert move.engine.result()['guest'] == 'nowhere'
    assert move.engine.result()['left'] == []
    move.destination.wait_exit()
    move.check_folders()


def test_guest_that_ends_leaves_nothing(lab, pki):
    nothing_is_left(end_at_migrate(lab, pki, Ending.reset))


@pytest.mark.long
def test_guest_that_ends_is_recovered(lab, pki):
    """The destination could not be told: that is made up for."""
    def end(move):
        move.destination.proxy.refuse()
        move.destination.proxy.cut()
        move.reset()

    move = Ending(lab, pki, replace(STILL, formats=()))
    # nor killed: it is not known which process it is
    move.destination.proxy.fail('query-cpus-fast')
    move.source.proxy.call('migrate', lambda: end(move))
    move.start(QMIGRATE_PATIENCE_MS='2000')
    assert move.engine.wait(90) == NOWHERE, move.engine.text()
    assert move.engine.result()['left'] != []
    move.check_folders(open_journals=1)
    move.destination.proxy.refuse(False)
    move.recover()
    nothing_is_left(move)
