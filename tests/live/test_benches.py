"""What the benches make of what they measured: a verdict that can be bad."""

import benchblackout
import benchconverge
import benchhandover
import benchrekey
from benchconverge import MOVED, NEVER, Cell


def figures(outcome, cell_s=30):
    return {'outcome': outcome, 'throttle': 97, 'ram_s': 20.0, 'lost_s': 1.0,
            'blackout_ms': 50.0, 'cell_s': cell_s}


def test_cells_are_judged():
    slow, fast = Cell('gentle', False, 0.5), Cell('gentle', False, 4)
    even = Cell('gentle', True, 1.0)
    judge = benchconverge.judge
    assert judge(slow, figures(MOVED)) == judge(fast, figures(NEVER)) == 'ok'
    assert judge(slow, figures(NEVER)) == 'NOT moved'
    assert judge(fast, figures(MOVED)) == 'NOT never'
    assert judge(even, figures(MOVED)) == judge(even, figures(NEVER)) == 'ok'
    assert judge(even, figures('failed')) == 'NOT either'
    assert judge(slow, figures(MOVED, 61)) == 'TOOK 61 s'


def test_the_grid_is_judged():
    cells = benchconverge.all_cells(('gentle', 'urgent'), (0.5, 4))
    assert len(cells) == len({c.key for c in cells}) == 8
    found = {c.key: figures(NEVER if c.by == 'gentle' and c.rate > 1 else
                            MOVED) for c in cells}
    said, well = benchconverge.verdict(cells, found)
    assert (said, well) == (
        '8 of 8 cells measured, 0 not as expected.', True)
    assert 'gentle 2 of 4, urgent 4 of 4' in \
        benchconverge.arrivals(cells, found)
    text = benchconverge.BENCH.as_page(
        benchconverge.report(cells, found)[0])
    assert text.count('| ok ') == 8
    found[cells[-1].key] = figures(NEVER)
    del found[cells[0].key]
    said, well = benchconverge.verdict(cells, found)
    assert (said, well) == ('7 of 8 cells measured, 1 not as expected: '
                            'urgent, disk, 4.', False)


def test_pairs_are_judged():
    good, slow = (30, 1000), (95, 1000)
    other = (91, 1000)
    lines, met = benchblackout.judge([(good, other)] * 3 + [(slow, other)])
    assert met, lines
    lines, met = benchblackout.judge([(good, other)] + [(slow, other)] * 3)
    assert not met and 'OVER' in lines[2]
    _, met = benchblackout.judge([((30, 1200), other)])
    assert not met
    parts, _ = benchblackout.report([(slow, other)])
    assert 'NOT each goal is met' in benchblackout.BENCH.as_page(parts)


def handover(blackout, downtime):
    return {'blackout': blackout, 'downtime': downtime,
            'beyond': blackout - downtime, 'commands': [['cont']],
            'split': {'blackout-ms': blackout}}


def test_round_trips_are_judged():
    near, far = handover(30, 20), handover(330, 220)    # 3, of which 1
    longer = handover(630, 420)                         # 6, of which 2
    good = {name: [(near, far)] * 2 + [(near, longer)]
            for name in benchhandover.WAYS}
    lines, met = benchhandover.judge(good)
    assert met and ' 3.0 ' in lines[2] and ' 1.0 ' in lines[3], lines
    bad = {**good, 'no disk': [(near, longer)]}
    lines, met = benchhandover.judge(bad)
    assert not met
    assert [line.count('OVER') for line in lines[2:]] == [1, 1, 0, 0]
    text = benchhandover.BENCH.as_page(benchhandover.report(bad)[0])
    assert 'NOT each goal is met' in text
    assert '1. cont' in text


def sent(records, outcome='moved', qemu='10.0.2'):
    return {'qemu': qemu, 'gnutls': '3.7.9', 'gib': 100, 'pages': records // 2,
            'plain_bytes': 1000, 'seconds': 9, 'passes': 3,
            'wire_bytes': 1000 + records * benchrekey.RECORD_COST,
            'outcome': outcome}


def test_long_streams_are_judged():
    new = 1 << 24
    lines, said, well = benchrekey.judge([sent(2 * new + 1)] * 3)
    assert well and said == '3 of 3 measured; no fault was seen.'
    assert '| 33.6 million | 2 ' in lines[2]
    lines, said, well = benchrekey.judge([sent(new - 1), sent(
        new + 1, 'the source ended with exit status -11', '7.2.22')])
    assert not well
    assert 'TOO LITTLE' in lines[2] and 'BAD' in lines[3]
    assert said == ('2 of 3 measured; NOT well: 7.2.22. Too little was sent '
                    'for new keys, so that nothing is known of 10.0.2.')
    assert not benchrekey.judge([])[2]
