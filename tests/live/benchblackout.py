#!/usr/bin/python3
"""./dev bench blackout: how long the guest stands still.

A guest of 1 GiB, 512 MiB of which hold data, writes 20 MiB/s into 64 MiB of
it, over a link of 1 Gbit/s. The engine, whose limit on the stop starts strict,
beside the same QEMUs with QEMU's own default of 300 ms, one after the other,
the first of them in turn. The blackout is that of the guest's heartbeat, and
the time is from `migrate` to the guest's running at the destination.
"""

import argparse
import json
import os
import statistics
import sys
from pathlib import Path

import reference
from bench import machine, show_progress
from benchconverge import Saved, migrate_began
from engine import Engine
from guest import Guest
from lab import Lab, sweep

LINK_MBIT = 1000
MEM, DATA, HOT, RATE = 1024, 512, 64, 20    # MiB, MiB/s
BLACKOUT_GOAL, TIME_GOAL = 1 / 3, 1.1       # the engine's over the other's


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


def print_table(pairs):
    """Returns whether both goals were met."""
    print(f'\nmedians of {len(pairs)} pairs; a guest of {MEM} MiB, {DATA} '
          f'with data, writes {RATE} MiB/s in {HOT};\nlink of {LINK_MBIT} '
          f'Mbit/s; {machine()}\n')
    met = True
    for text, part, goal in (('blackout', 0, BLACKOUT_GOAL),
                             ('time', 1, TIME_GOAL)):
        ours, theirs = ([one[part] for one in who] for who in zip(*pairs))
        ratio = statistics.median(ours) / statistics.median(theirs)
        ok = ratio <= goal
        met = met and ok
        print(f'{text:9} engine {statistics.median(ours):6.0f} ms '
              f'({min(ours):.0f} to {max(ours):.0f})   QEMU '
              f'{statistics.median(theirs):6.0f} ms ({min(theirs):.0f} to '
              f'{max(theirs):.0f})   {ratio:.2f} <= {goal:.2f}: '
              f'{"ok" if ok else "OVER"}')
    return met


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog='./dev bench blackout', description='How long the guest stands '
        'still, beside QEMU\'s default limit: medians of pairs.')
    parser.add_argument('-n', type=int, default=5, metavar='N',
                        help='pairs (default: 5)')
    parser.add_argument('--json', metavar='FILE',
                        help='write all that was measured there')
    return parser.parse_args()


def main():
    options = parse_arguments()
    if os.geteuid() != 0:
        sys.exit('bench: network namespaces need root')
    sweep()
    pairs = run_pairs(options.n)
    if options.json:
        Path(options.json).write_text(json.dumps(
            {'machine': machine(), 'pairs': pairs}, indent=1) + '\n')
    return 0 if print_table(pairs) else 1


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
