"""What may come between the two sides while they hand the guest over, and
what the engine says of it."""

import os
import re
import signal
import subprocess
from dataclasses import replace

import pytest

from cases import CANCELLED, FAILED, REFUSED, UNDECIDED, Case, Move
from engine import Engine, program, run_dir
from proxy import rounds
from test_ssh import FROM_A_DESK, Journey

STILL = Case(live=False, proxied=True)
ALONE = replace(STILL, supervised=False)        # nobody recovers


def test_panic_that_goes_on(lab, pki):
    """-action panic=none: the guest said that it panicked, and runs on."""
    move = Move(lab, pki, STILL)
    move.source.proxy.call('migrate', lambda: move.source.proxy.say(
        {'event': 'GUEST_PANICKED', 'data': {'action': 'run'},
         'timestamp': {'seconds': 1, 'microseconds': 0}}))
    move.start()
    move.moved()


def test_cancelled_step_is_no_failed_one(lab, pki):
    move = Move(lab, pki, STILL)
    hold = move.source.proxy.hold('blockdev-mirror')
    move.start()
    hold.wait()
    move.engine.interrupt()
    move.engine.wait_for(lambda: 'cancelling' in move.engine.err)
    hold.release()
    move.undone((CANCELLED,), 'waiting')
    assert move.steps('cancelled') == ['mirror disks']
    assert move.steps('failed') == []


def test_not_known_to_be_paused(lab, pki):
    """Cancelled before anybody was asked: it is not said to be stopped."""
    move = Move(lab, pki, STILL)
    hold = move.destination.proxy.hold('qmp_capabilities')
    move.start()
    hold.wait()
    move.engine.interrupt()
    hold.release()
    assert move.undone((CANCELLED,), 'waiting')['paused'] is False


def test_paused_is_where_it_is(lab, pki):
    """--paused is for the destination; it never got there."""
    move = Move(lab, pki, Case(live=False))
    move.start('--paused', QMIGRATE_FAIL='switch over:after=fail')
    assert move.undone()['paused'] is False


def test_destination_fails_at_last(lab, pki):
    """The source is done, and then the destination says that it is not."""
    move = Move(lab, pki, STILL)
    proxy = move.destination.proxy

    def cut():
        proxy.refuse()
        proxy.cut()

    move.source.proxy.call('migrate-continue', cut)
    move.start()
    move.source.spy.wait_status('completed')
    for _ in range(2):
        proxy.answer('query-migrate', {
            'status': 'failed', 'error-desc': 'told so by the test'})
    proxy.refuse(False)
    move.undone()
    assert 'it could not load the guest: told so by the test' in move.error


def commands(qemu, name):
    """When those of that name came, s."""
    return [c.time for c in qemu.proxy.commands if c.name == name]


@pytest.mark.parametrize('known', [True, False], ids=['', 'pid-unknown'])
def test_image_is_locked_by_the_destination(lab, pki, known):
    """The source cannot run again while the destination holds its image: the
    destination is ended first."""
    move = Move(lab, pki, STILL if known else replace(
        STILL, options=('--disks', 'vd0')))
    move.source.proxy.fail('cont', desc='Failed to get "write" lock')
    if not known:
        move.destination.proxy.fail('query-cpus-fast')
    move.start(QMIGRATE_FAIL='switch over:after=fail')
    move.undone()
    refused, again = commands(move.source, 'cont')
    assert refused < commands(move.destination, 'quit')[0] < again


def test_source_refuses_to_run(lab, pki):
    """For any other reason: the destination, held, may be the only guest."""
    move = Move(lab, pki, ALONE)
    move.source.proxy.fail('cont', desc='No space left on device')
    move.start(QMIGRATE_FAIL='switch over:after=fail')
    assert move.engine.wait(60) == UNDECIDED
    assert 'quit' not in move.destination.proxy.names()
    assert move.destination.status() == 'paused'
    assert any('No space left' in left
               for left in move.engine.result()['left'])


# ---- the destination owns the guest, and cannot be reached ----

def cut_at_cont(move):
    """Its link is cut for now, with `cont` on its way to QEMU or not."""
    proxy = move.destination.proxy

    def cut():
        proxy.refuse()
        proxy.cut()

    return proxy.call('cont', cut)


def test_owner_comes_back_late(lab, pki):
    """After more than the 30 s that a link is given before: nobody else may
    have the guest, so it is worth it."""
    move = Move(lab, pki, STILL)
    rule = cut_at_cont(move)
    move.start()
    rule.wait()
    with pytest.raises(subprocess.TimeoutExpired):
        move.engine.process.wait(35)
    move.destination.proxy.refuse(False)
    move.moved()


def test_owner_does_not_come_back(lab, pki):
    move = Move(lab, pki, ALONE)
    cut_at_cont(move)
    move.start(QMIGRATE_PATIENCE_MS='2000')
    assert move.engine.wait(30) == UNDECIDED
    assert move.source.status() == 'postmigrate'
    assert not [e for e in move.source.spy.events if e.name == 'RESUME']
    move.check_folders(open_journals=1)


def test_announces_as_often_as_told(lab, pki):
    move = Move(lab, pki, STILL).start('--announce-rounds', '7')
    move.moved()
    said, = [c for c in move.destination.proxy.commands
             if c.name == 'announce-self']
    assert said.arguments['rounds'] == 7


# ---- a long way to both monitors ----

ONE_WAY_S = 0.2                 # long beside what a busy machine takes


@pytest.mark.sample(3)
@pytest.mark.parametrize('disks', [0, 1, 3])
def test_no_needless_round_trip(lab, pki, disks):
    """Between the source's STOP and the destination's RESUME: what it stands
    on, which images it has (and, with disks, that the mirrors end; then their exports), the switch,
    and `cont`. A sample that was under way as the guest stopped comes once
    more."""
    # so slow that the engine is through with the start of it before its end
    move = Move(lab, pki, Case(formats=('raw',) * disks, proxied=True,
                               mem_rate=2, options=('--bandwidth', '12M')))
    move.source.proxy.call('migrate', lambda: [
        qemu.proxy.delay(ONE_WAY_S) for qemu in move.qemus])
    move.start()
    move.destination.spy.wait_event('RESUME', 60)
    stopped = move.source.spy.wait_event('STOP').time
    resumed = move.destination.spy.wait_event('RESUME').time
    found = rounds([q.proxy for q in move.qemus], stopped, resumed, ONE_WAY_S)
    moved = move.moved()
    wanted = [['query-status', 'query-block'] + ['block-job-cancel'] * disks,
              ['migrate-continue'], *([['nbd-server-stop']] if disks else []),
              ['cont']]
    assert [sorted(names) for names in found[-len(wanted):]] == \
        [sorted(names) for names in wanted]
    # a sample that was under way when the guest stopped
    early = found[:-len(wanted)]
    assert len(early) <= 2, early
    assert all(name.startswith('query-') for names in early
               for name in names), early
    print(f'{disks} disks: {(resumed - stopped) * 1000:.0f} ms, '
          f'{moved["handover"]}')


# ---- --abort-handover-ms bounds every command of the handover ----

@pytest.mark.parametrize('side,command,row', [
    ('destination', 'query-status', 'settle disks'),
    ('source', 'block-job-cancel', 'settle disks'),
    ('source', 'migrate-continue', 'switch over')])
def test_silent_command_is_undone(lab, pki, side, command, row):
    """It is answered after the guest was given back, and not before."""
    move = Move(lab, pki, STILL)
    held = []

    def hold():
        held.append(getattr(move, side).proxy.hold(command))

    # from then on, so that what was asked before does not count
    move.source.proxy.call('migrate', hold)
    move.start('--abort-handover-ms', '4000')
    move.wait_step(row, 'failed')
    held[0].release()
    move.undone()
    assert re.search(f'{side}: {command}: no answer within [1-4]', move.error)


# ---- the engine's private folder ----

def private_folders(lab):
    return sorted(path.name for path in run_dir(lab).glob('tmp.*'))


def test_killed_engine_leaves_no_folder_for_long(lab, pki):
    """The next engine removes it, sockets and all, but not that of one that
    is at work."""
    move = Move(lab, pki, STILL)
    move.start(QMIGRATE_FAIL='preflight:before=kill')
    assert move.engine.wait(60) == -signal.SIGKILL
    (left,) = private_folders(lab)
    (run_dir(lab) / left / 'qmp-source-1-1.sock').touch()
    hold = move.source.proxy.hold('query-block')
    move.start()
    hold.wait()
    (mine,) = private_folders(lab)
    assert mine != left
    other = Engine(lab, 'check', '--insecure', '/nobody', '/nowhere',
                   host=move.source.host)
    assert other.wait(30) == REFUSED
    assert private_folders(lab) == [mine]
    hold.release()
    move.moved()
    assert private_folders(lab) == []


# ---- a cancel where nothing was changed yet ----

@pytest.mark.sample(3)
@pytest.mark.parametrize('command', ['migrate', 'check'])
@pytest.mark.parametrize('side,held', [
    ('source', 'qmp_capabilities'), ('destination', 'qmp_capabilities'),
    ('source', 'query-block'), ('destination', 'query-qmp-schema')])
def test_cancel_does_not_wait_for_an_answer(lab, pki, command, side, held):
    """The answer comes only when all is over."""
    move = Move(lab, pki, STILL)
    hold = getattr(move, side).proxy.hold(held)
    move.start(command=command)
    hold.wait()
    move.engine.interrupt()
    assert move.engine.wait(8) == CANCELLED     # 10 s are for an answer
    hold.release()
    move.undone((CANCELLED,), 'waiting')
    assert move.steps('cancelled') == [
        'connect' if held == 'qmp_capabilities' else 'preflight']
    assert move.engine.events('PREFLIGHT') == []


def test_cancel_does_not_wait_for_ssh(lab):
    folder = lab.folder('bin')
    script = folder / 'ssh'
    script.write_text('#!/bin/sh\nexec sleep 60\n')
    script.chmod(0o755)
    engine = Engine(lab, 'migrate', '--json', '--insecure', 'ssh://a/vm',
                    'ssh://b/vm', host=lab.host('source'),
                    env=lab.env(PATH=f'{folder}:{os.environ["PATH"]}'))
    engine.wait_event('STEP', step='connect', state='begins')
    engine.interrupt()
    assert engine.wait(15) == CANCELLED         # 20 s are for ssh
    assert not engine.crashes()


# ---- the engine's own look at the exports ----

@pytest.mark.sample(2)
@pytest.mark.parametrize('ca,proved', [('ca', True), ('another ca', False)])
def test_ca_beside_the_engine(lab, pki, monkeypatch, ca, proved):
    """In the folder that has the source's certificates at the source the
    engine's machine has its own: of another CA they prove nothing, nor do
    they refute anything."""
    move = Journey(lab, pki, Case(live=False), **FROM_A_DESK)
    own = pki.for_host(lab.folder('own'), lab.host('source'), ca=ca)
    script = lab.path('elsewhere')
    script.write_text(f'#!/bin/sh\nmount --bind {own} {move.tls[0]} &&\n'
                      f'exec {program()} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv('QMIGRATE', str(script))
    result = move.start().moved()
    assert [d['tls-proved'] for d in result['disks']] == [proved]
    warnings = [w['data']['message'] for w in move.engine.events('WARNING')]
    assert any("own CA is not known to be the source's" in w
               for w in warnings) == (not proved)


# ---- what the engine reckons for its own commands ----

def limit_and_warnings(move):
    """(the limit that QEMU began with, what was said of the commands)"""
    limits = [c.arguments['downtime-limit']
              for c in move.source.proxy.commands
              if c.name == 'migrate-set-parameters' and
              'downtime-limit' in c.arguments]
    return limits[0], [e['data']['message']
                       for e in move.engine.events('WARNING')
                       if "engine's own commands" in e['data']['message']]


def test_one_slow_answer_is_an_accident(lab, pki):
    """It is not taken for what each of them takes."""
    move = Move(lab, pki, STILL)
    for qemu in move.qemus:
        # preflight's question, and then the first that is measured
        qemu.proxy.late('query-status', 1)
        qemu.proxy.late('query-status', 1)
    move.start('--max-downtime-ms', '1500')     # of which the second is most
    move.moved()
    assert limit_and_warnings(move) == (20, [])


def test_far_monitors_are_said(lab, pki):
    """They leave QEMU next to nothing of the stop: it has its first limit."""
    move = Move(lab, pki, STILL)
    for qemu in move.qemus:
        qemu.proxy.delay(0.05)
    move.start()
    move.moved()
    limit, (warning,) = limit_and_warnings(move)
    assert limit == 20
    assert 'more than half of max-downtime-ms 300' in warning


@pytest.mark.long
@pytest.mark.parametrize('allowed', [True, False], ids=['allowed', 'not'])
def test_slow_devices_as_long_as_is_allowed(lab, pki, allowed):
    """Over a link that all at once is so slow that the state of the devices
    alone takes more than 10 s."""
    options = ('--max-downtime-ms', '60000', '--abort-handover-ms', '120000')
    move = Move(lab, pki, Case(formats=(), live=False, proxied=True,
                               options=options if allowed else ()))
    host = move.source.host
    move.source.proxy.call('migrate-continue', lambda: host.limit(
        0.04, queue_ms=60000, burst='4k'))
    move.start()
    if not allowed:
        move.engine.wait(90)
        host.limit(None)
        move.undone((FAILED,))
        return
    result = move.moved()
    assert result['handover']['device-ms'] > 10000


def test_stopped_guest_of_an_old_qemu_is_tried_again(lab, pki):
    """7.2 leaves a stopped guest `postmigrate` where its move failed at the
    switch, and refuses to move it again until it has run."""
    move = Move(lab, pki, Case(formats=(), live=False, stopped=True,
                               proxied=True, binaries=('system', 'system')))
    move.source.proxy.call('migrate-continue', move.destination.kill)
    move.start()
    assert move.engine.wait(60) == FAILED
    assert move.engine.result()['guest'] == 'source'
    assert move.source.status() == 'postmigrate'
    assert 'does not let it be moved' in move.engine.text()
    move.new_destination()
    move.start()
    assert move.engine.wait(60) == REFUSED
    assert 'still there: a migration of it failed' in move.error
    assert '`cont` at the source' in move.error
    assert move.source.status() == 'postmigrate'
    assert move.unlike_before(move.destination) == []
    move.source.spy.cmd('cont')
    move.source.spy.cmd('stop')
    move.start().moved(paused=True)
