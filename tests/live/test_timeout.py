"""--timeout-s-per-gib and --on-timeout: said beforehand, kept at the right time,
and acted on once."""

import re

from cases import FAILED, Case, Move
from test_control import NAME, command
from test_converge import HOT_MIB, LINK_MBIT

PER_GIB_S = 64                      # of 128 MiB: 8 s
NEVER_S = 800                       # for each GiB: 100 s
GIB = 1 << 30
LATE_MS = 15000                     # on a busy machine
EARLY_MS = 500                      # `migrate` may be seen late as well


def commands(move, name):
    return [c for c in move.source.proxy.commands if c.name == name]


def start(lab, pki, *options, per_gib_s=PER_GIB_S):
    """A guest that never gets across by itself."""
    move = Move(lab, pki, Case(
        formats=(), mem_rate=24, hot=HOT_MIB, disk_rate=0, proxied=True,
        options=('--policy', 'gentle', '--timeout-s-per-gib', per_gib_s,
                 *options)))
    move.source.host.limit(LINK_MBIT)
    return move.start()


def said_beforehand(move, what):
    """The limit in ms, which each PROGRESS told until it was reached."""
    said = [e['data'] for e in move.engine.events('PROGRESS')
            if 'timeout-left-ms' in e['data'].get('ram', {})]
    limit_ms = PER_GIB_S * 1000 * said[0]['ram']['total-bytes'] / GIB
    left = [s['ram']['timeout-left-ms'] for s in said]
    assert 0 < left[0] <= limit_ms
    assert left == sorted(left, reverse=True)
    assert {s['ram']['on-timeout'] for s in said} == {what}
    return limit_ms


def at_the_right_time(move, command, limit_ms):
    """That command came once, and then."""
    migrate, = commands(move, 'migrate')
    acted, = commands(move, command)
    late_ms = (acted.time - migrate.time) * 1000 - limit_ms
    assert -EARLY_MS <= late_ms < LATE_MS


def test_aborts_at_the_timeout(lab, pki):
    move = start(lab, pki)
    move.engine.wait(60)
    move.undone((FAILED,))
    error = move.engine.result()['error']
    assert error['code'] == 'timeout'
    assert re.search(r'within \d+\.\d s, which are timeout-s-per-gib '
                     f'{PER_GIB_S}$', error['message']), error
    at_the_right_time(move, 'migrate_cancel', said_beforehand(move, 'abort'))


def test_pauses_once_at_the_timeout(lab, pki):
    move = start(lab, pki, '--on-timeout', 'pause')
    move.engine.wait(60)
    move.moved()
    at_the_right_time(move, 'stop', said_beforehand(move, 'pause'))
    assert [e['data']['message'] for e in move.engine.events('WARNING')
            if 'timeout' in e['data']['message']] == [
        'timeout-s has passed: the guest is stopped so that its RAM gets '
        'across']


def test_a_timeout_that_is_set_replaces_both(lab, pki):
    """0 lifts the one for each GiB too; and a short one is kept."""
    move = start(lab, pki, '--name', NAME, '--max-throttle', '0',
                 per_gib_s=NEVER_S)
    move.engine.wait_for(lambda: any(
        'timeout-left-ms' in e['data'].get('ram', {})
        for e in move.engine.events('PROGRESS')), what='a timeout')
    status = ' '.join(command(move, 'status', NAME).out.split())
    assert f'timeout-s 0, timeout-s-per-gib {NEVER_S} (in all ' in status
    said = command(move, 'set', NAME, 'timeout-s=0').out
    assert said.endswith('timeout-s 0')
    told, = move.engine.events('LIMITS')
    assert told['data']['timeout-s-per-gib'] == 0
    assert 'timeout-ms' not in told['data']
    # the next sample but one was made with it
    seen = len(move.engine.events('PROGRESS'))
    move.engine.wait_for(
        lambda: len(move.engine.events('PROGRESS')) > seen + 1, what='samples')
    assert 'timeout-left-ms' not in \
        move.engine.events('PROGRESS')[-1]['data']['ram']
    command(move, 'set', NAME, 'timeout-s=1')
    move.engine.wait(60)
    move.undone((FAILED,))
    assert 'did not get across within timeout-s 1' in move.error
