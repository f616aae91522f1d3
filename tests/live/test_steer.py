"""Steered in every phase, and asked again and again."""

import json
import os
import time
from pathlib import Path

import pytest

from cases import DONE, Case, Move
from engine import Engine
from qemu import MIB
from test_cancel import HELD, ROWS, TOLD, VERIFIES
from test_control import CANCEL, NAME, SLOW_RAM, Client, command

# From here on the guest has stopped for good at the source.
STOPPED = ROWS.index('settle disks')

LIMITS = {'bandwidth': 900 * MIB, 'disk-bandwidth': 800 * MIB,
          'max-downtime-ms': 77, 'timeout-s': 500, 'on-timeout': 'pause'}
IN_FORCE = {'bandwidth-bps': 900 * MIB, 'disk-bandwidth-bps': 800 * MIB,
            'max-downtime-ms': 77, 'timeout-s': 500, 'timeout-s-per-gib': 0,
            'timeout-ms': 500000, 'on-timeout': 'pause',
            'postcopy-bandwidth-bps': 0}


def ask_in(lab, pki, row, name, arguments, *more):
    """(the move, the answer to what was asked while that row was held)"""
    options = ('--name', NAME, *more) + (('--verify',) if row in VERIFIES
                                         else ())
    move = Move(lab, pki, Case(live=False, proxied=True, options=options))
    side, held_name, nth = HELD[row]
    held = getattr(move, side).proxy.hold(held_name, nth)
    move.start()
    held.wait()
    client = Client(move)
    client.say(json.dumps({'execute': name, 'arguments': arguments, 'id': 1}))
    # it was heard if what comes behind it is
    client.say('{"execute": "query-status", "id": 2}')
    answers = {}
    while 2 not in answers:
        answer = client.hear_answer()
        answers[answer['id']] = answer
    assert answers[2]['return']['progress']['step'] == row
    held.release()
    while 1 not in answers:
        answer = client.hear_answer()
        answers[answer['id']] = answer
    return move, answers[1]


def check_refused(answer):
    assert 'it is too late' in answer['error']['desc'], answer


@pytest.mark.sample(3)
@pytest.mark.parametrize('row', CANCEL)
def test_set_in_each_row(lab, pki, row):
    """In force at the source, or refused, and nothing in between."""
    move, answer = ask_in(lab, pki, row, 'set', LIMITS)
    result = move.moved()
    told = [e['data'] for e in move.engine.events('LIMITS')]
    if ROWS.index(row) >= STOPPED:
        check_refused(answer)
        assert told == [] and result['ram']['bandwidth-bps'] == 0
        return
    assert answer['return'] == IN_FORCE
    assert told == [IN_FORCE]
    assert result['ram']['bandwidth-bps'] == 900 * MIB
    assert result['disk-bandwidth-bps'] == 800 * MIB
    asked = [c.arguments['max-bandwidth'] for c in move.source.proxy.commands
             if c.name == 'migrate-set-parameters' and
             'max-bandwidth' in c.arguments]
    assert asked[-1] == 900 * MIB, asked


@pytest.mark.sample(3)
@pytest.mark.parametrize('row', CANCEL)
def test_complete_in_each_row(lab, pki, row):
    """The guest is stopped, or will be once its RAM moves (unless that is over
    before), and runs at the end; or it is too late to be stopped."""
    move, answer = ask_in(lab, pki, row, 'complete', {'mode': 'pause'})
    move.moved()
    place = ROWS.index(row)
    if place >= STOPPED:
        check_refused(answer)
        return
    stopped = place > ROWS.index('start migration')
    assert answer['return']['stopped'] == stopped, answer
    assert not stopped or any('the operator wants it' in e['data']['message']
                              for e in move.engine.events('WARNING'))


@pytest.mark.sample(4)
@pytest.mark.parametrize('row', CANCEL)
def test_complete_by_postcopy_in_each_row(lab, pki, row):
    """It is remembered until a whole pass is over (a guest that writes nothing
    is across by then), or it is too late."""
    move, answer = ask_in(lab, pki, row, 'complete', {'mode': 'postcopy'},
                          '--postcopy')
    move.moved()
    if ROWS.index(row) >= STOPPED:
        check_refused(answer)
    else:
        assert answer['return'] == {'switching': False}, answer


def test_every_row_is_steered():
    """What cannot be held is steered by test_control.py: `converge`; or has
    nothing to wait for."""
    quick = {'make disks', 'probe exports', 'prove backing files',
             'last page', 'remember the source'}
    assert set(CANCEL) | quick | {'converge'} == \
        set(ROWS[ROWS.index('remember the source'):])
    assert quick <= {*TOLD, 'remember the source'}


# ---- a thousand questions ----

def cpu_s(pid):
    """Of a process, all of its threads."""
    stat = Path(f'/proc/{pid}/stat').read_text(encoding='ascii')
    fields = stat.rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def test_a_thousand_questions(lab, pki):
    """By clients of their own, and the command itself a hundred times: the
    RAM moves on, and the engine works for two seconds at most."""
    move = Move(lab, pki, Case(formats=(), options=SLOW_RAM)).start()
    move.engine.wait_event('PASS', 60)
    pid = Client(move).ask('query-status')['return']['pid']

    def moved_bytes():
        return move.source.spy.cmd('query-migrate')['ram']['transferred']

    cpu, first, began = cpu_s(pid), moved_bytes(), time.monotonic()
    for _ in range(1000):
        client = Client(move)
        assert client.ask('query-status')['return']['name'] == NAME
        client.close()
    asked = time.monotonic() - began
    loop = Engine(lab, 'status', NAME, host=move.source.host, env=lab.env(),
                  through=('sh', '-c',
                           'for i in $(seq 100); do "$@" || exit; done', 'sh'))
    assert loop.wait(120) == DONE, loop.err
    took = time.monotonic() - began
    rate = (moved_bytes() - first) / took
    cpu = cpu_s(pid) - cpu
    assert loop.out.count('  step ') == 100
    print(f'\n1000 questions in {asked:.1f} s, 100 times `status` in '
          f'{took - asked:.1f} s: {cpu:.2f} s of the engine, '
          f'{rate / MIB:.2f} of 2 MiB/s')
    assert 0.5 < rate / (2 * MIB), rate     # a busy machine may be slower
    assert cpu < 2 + took / 50, cpu         # beside what it works anyway
    command(move, 'set', NAME, 'bandwidth=0')
    move.moved()
