#!/usr/bin/python3
"""./dev bench blackout: how long the guest stands still.

A guest of 1 GiB, 512 MiB of which hold data, writes 20 MiB/s into 64 MiB of
it, over a link of 1 Gbit/s. The engine, whose limit on the stop starts strict,
beside the same QEMUs with QEMU's own default of 300 ms, one after the other,
the first of them in turn. The blackout is that of the guest's heartbeat, and
the time is from `migrate` to the guest's running at the destination.
"""

import statistics
from typing import NamedTuple

import page
import script
import reference
from benchconverge import Saved, migrate_began
from engine import Engine
from guest import Guest
from lab import Lab

LINK_MBIT = 1000
MEM, DATA, HOT, RATE = 1024, 512, 64, 20    # MiB, MiB/s


def move(lab, source, destination, by_engine):
    if not by_engine:
        reference.migrate(source, destination, quit_source=False)
        return
    engine = Engine(lab, 'migrate', '--json', '--keep-source', '--insecure',
                    '--disks', 'none', '--address', destination.host.address,
                    source.qmp, destination.qmp, host=source.host)
    if engine.wait(120) != 0:
        raise RuntimeError(f'the engine failed:\n{engine.text()}')


def measure(saved, by_engine):
    """(blackout in ms, time in ms)"""
    with Lab() as lab:
        source, destination = saved.pair(lab, LINK_MBIT)
        guest = Guest(source).load(RATE, HOT)
        guest.follow(destination)
        source.spy.cmd('migrate-set-capabilities', capabilities=[
            {'capability': 'events', 'state': True}])
        move(lab, source, destination, by_engine)
        resumed = destination.spy.wait_event('RESUME').time
        guest.wait_alive(destination)
        if guest.faults():
            raise RuntimeError(f'the guest was harmed: {guest.faults()}')
        return (guest.handover()[0],
                (resumed - migrate_began(source)) * 1000)


def run_pairs(count):
    """[((blackout, time) of the engine, of the other)]"""
    pairs = []
    with Lab() as lab:
        saved = Saved(lab, False, MEM, DATA)
        for n in range(count):
            both = {}
            for by_engine in (True, False) if n % 2 else (False, True):
                page.show_progress(f'pair {n + 1} of {count}: '
                              f'{"engine" if by_engine else "QEMU"}')
                both[by_engine] = measure(saved, by_engine)
            pairs.append((both[True], both[False]))
    page.show_progress('')
    return pairs


class Goal(NamedTuple):
    text: str
    part: int               # of a pair
    most: float             # the engine's over the other's


GOALS = (Goal('blackout', 0, 1 / 3), Goal('time', 1, 1.1))


def shown(values):
    return (f'{statistics.median(values):.0f} ms ({min(values):.0f} to '
            f'{max(values):.0f})')


def judge(pairs):
    """(lines of a table, whether each goal was met)"""
    rows, met = [('', 'engine', 'QEMU', 'ratio', 'goal', '')], True
    for goal in GOALS:
        ours, theirs = ([one[goal.part] for one in who]
                        for who in zip(*pairs))
        ratio = statistics.median(ours) / statistics.median(theirs)
        ok = ratio <= goal.most
        met = met and ok
        rows.append((goal.text, shown(ours), shown(theirs), f'{ratio:.2f}',
                     f'<= {goal.most:.2f}', 'ok' if ok else 'OVER'))
    return page.table(rows), met


BENCH = page.Bench('blackout', 'How long the guest stands still', f"""
    A guest of {MEM} MiB, {DATA} of them with data, that writes {RATE} MiB/s
    in {HOT} MiB of it, over a link of {LINK_MBIT} Mbit/s: the stop as its
    heartbeat shows it, and the time from `migrate` to its running at the
    destination. QEMU: the same with QEMU's own limit of 300 ms. Medians of
    pairs, one after the other (lowest to highest).""")


def report(pairs):
    """(parts of a page, whether each goal was met)"""
    lines, met = judge(pairs)
    return [lines, [f'{len(pairs)} pairs; ' +
                    ('both goals are met.' if met else
                     'NOT each goal is met.')]], met


def parse_arguments():
    parser = BENCH.parser('How long the guest stands still, beside QEMU\'s '
                          'default limit: medians of pairs.')
    parser.add_argument('-n', type=int, default=5, metavar='N',
                        help='pairs (default: 5)')
    parser.add_argument('--json', metavar='FILE',
                        help='write all that was measured there')
    return parser.parse_args()


def main():
    options = parse_arguments()
    script.begin('bench')
    pairs = run_pairs(options.n)
    page.keep_json(options.json, pairs=pairs)
    parts, met = report(pairs)
    BENCH.tell(parts, options.write)
    return 0 if met else 1


if __name__ == '__main__':
    script.run(main)
