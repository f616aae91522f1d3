#!/usr/bin/python3
"""./dev bench blackout: how long the guest stands still.

A guest of 1 GiB, 512 MiB of which hold data, writes 20 MiB/s into 64 MiB of
it, over a link of 1 Gbit/s. The engine, whose limit on the stop starts strict,
beside the same QEMUs with QEMU's own default of 300 ms, one after the other,
the first of them in turn. The blackout is that of the guest's heartbeat, and
the time is from `migrate` to the guest's running at the destination.
"""

import argparse
import datetime
import json
import statistics
from pathlib import Path
from typing import NamedTuple

import binaries
import page
import script
import reference
from bench import machine, show_progress
from benchconverge import Saved, migrate_began
from engine import Engine
from guest import Guest
from lab import Lab

PAGE = Path(__file__).parent / 'BLACKOUT.md'
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
                show_progress(f'pair {n + 1} of {count}: '
                              f'{"engine" if by_engine else "QEMU"}')
                both[by_engine] = measure(saved, by_engine)
            pairs.append((both[True], both[False]))
    show_progress('')
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


LEGEND = f"""
    A guest of {MEM} MiB, {DATA} of them with data, that writes {RATE} MiB/s
    in {HOT} MiB of it, over a link of {LINK_MBIT} Mbit/s: the stop as its
    heartbeat shows it, and the time from `migrate` to its running at the
    destination. QEMU: the same with QEMU's own limit of 300 ms. Medians of
    pairs, one after the other (lowest to highest)."""


def verdict(pairs, met):
    return (f'{len(pairs)} pairs; ' +
            ('both goals are met.' if met else 'NOT each goal is met.'))


def page_of(pairs):
    lines, met = judge(pairs)
    said = f"""
        Written by `./dev bench blackout --write` on
        {datetime.date.today().isoformat()}; QEMU
        {binaries.qemu10().version}, {machine()}."""
    return '\n'.join(['# How long the guest stands still', '',
                      page.filled(said), '', page.filled(LEGEND), '', *lines,
                      '', verdict(pairs, met)]) + '\n'


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog='./dev bench blackout', description='How long the guest stands '
        'still, beside QEMU\'s default limit: medians of pairs.')
    parser.add_argument('-n', type=int, default=5, metavar='N',
                        help='pairs (default: 5)')
    parser.add_argument('--json', metavar='FILE',
                        help='write all that was measured there')
    parser.add_argument('--write', action='store_true',
                        help=f'write the result to {PAGE.name}')
    return parser.parse_args()


def main():
    options = parse_arguments()
    script.begin('bench')
    pairs = run_pairs(options.n)
    if options.json:
        Path(options.json).write_text(json.dumps(
            {'machine': machine(), 'pairs': pairs}, indent=1) + '\n')
    lines, met = judge(pairs)
    print('', machine(), page.filled(LEGEND), '', *lines, '',
          verdict(pairs, met), sep='\n')
    if options.write:
        PAGE.write_text(page_of(pairs))
    return 0 if met else 1


if __name__ == '__main__':
    script.run(main)
