#!/usr/bin/python3
"""./dev bench converge: do guests that write get across?

A grid: how fast the guest writes, beside what the link carries; whether it
writes to a disk that is mirrored too; and who moves it: the engine with each
policy, or QEMU with its own defaults (a downtime limit of 300 ms, and nothing
else). Each cell has an expected outcome. The guest is booted once and put in
a file, from which each cell begins; what a cell measured is kept in --results,
and a cell that is there already is not measured again.

All figures but the throttle are seen from outside. The guest's work is its
heartbeat: what is lost of it, between `migrate` and the guest's running at the
destination, is told in seconds of a guest left alone.
"""

import argparse
import contextlib
import fcntl
import itertools
import json
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

import reference
from bench import machine, show_progress
from engine import Engine
from guest import Guest
from lab import Lab, sweep, wait_until
from qemu import MIB, Qemu, make_image

LINK_MBIT = 200
LINK_MIB = LINK_MBIT * 1e6 / 8 / MIB
MEM, DATA, HOT = 256, 96, 64        # MiB: RAM, what it checks, writes to
DISK_RATE = 200                     # records of 4 KiB a second
TIMEOUT_S = 52                      # of the RAM
BASELINE_S = 1.5                    # of heartbeats, before

RATES = (0.2, 0.5, 0.8, 1.0, 1.5, 2, 4)     # of the link's
POLICIES = ('gentle', 'balanced', 'urgent')
REFERENCE = 'QEMU'
MOVED, NEVER, EITHER = 'moved', 'never', 'either'

# What is to come of it, from which rate on: the first row that applies.
# About as fast as the link is anybody's guess where nothing is done about it.
EXPECTED = {
    'gentle': ((1.5, NEVER), (1.0, EITHER), (0, MOVED)),
    'balanced': ((0, MOVED),),
    'urgent': ((0, MOVED),),
    REFERENCE: ((0, EITHER),),      # this is to be seen
}


class Cell(NamedTuple):
    by: str
    disk: bool
    rate: float

    @property
    def key(self):
        return f'{self.by}, {"disk" if self.disk else "no disk"}, {self.rate}'

    @property
    def expected(self):
        return next(outcome for least, outcome in EXPECTED[self.by]
                    if self.rate >= least)


def all_cells(by, rates):
    return [Cell(*c) for c in itertools.product(by, (False, True), rates)]


# ---------------------------------------------------------------------------
# The saved state

numbers = itertools.count()


def images_of(lab, disk):
    return [make_image(lab, f'disk-{next(numbers)}')] if disk else []


class Saved:
    """A booted guest in a file; its disk, if it has one, is still empty."""

    def __init__(self, lab, disk, mem=MEM, data=DATA):
        self.path = lab.path(f'booted-{disk}-{mem}')
        with Lab() as boot:
            qemu = Qemu(boot, boot.host('source'), images_of(boot, disk),
                        mem=mem, kernel_line=f'guest_mem={data}')
            Guest(qemu).wait_ready()
            qemu.spy.cmd('migrate-set-parameters', max_bandwidth=0)
            qemu.spy.cmd('migrate', uri=f'file:{self.path}')
            qemu.spy.wait_status('completed')
        self.disk, self.mem = disk, mem

    def pair(self, lab, mbit):
        """(source, where the guest runs; destination, which waits)."""
        images = [images_of(lab, self.disk) for _ in range(2)]
        source = Qemu(lab, lab.host('source'), images[0], live=True,
                      mem=self.mem, extra=['-incoming', f'file:{self.path}'])
        # what it is told while it is loaded would be lost
        wait_until(lambda: source.status() == 'running', 30, 'the guest runs')
        source.host.limit(mbit)
        return source, Qemu(lab, lab.host('destination'), images[1],
                            live=True, mem=self.mem, incoming=True)


# ---------------------------------------------------------------------------
# One cell

def beats_per_s(guest, since, until):
    """What is heard of it in that time."""
    count = sum(since <= t <= until for t, _ in guest.beats())
    return count / (until - since)


def wait_baseline(guest):
    """How fast its heart beats when nothing is done to it."""
    since = time.monotonic()
    recorder = guest.qemu.recorder
    recorder.wait(lambda: recorder.beats[-1] > since + BASELINE_S, 20,
                  'heartbeats')
    return beats_per_s(guest, since, since + BASELINE_S)


def by_engine(lab, policy, disk, source, destination):
    engine = Engine(lab, 'migrate', '--json', '--keep-source', '--insecure',
                    '--policy', policy, '--timeout-s', TIMEOUT_S,
                    '--disks', 'all' if disk else 'none',
                    '--address', destination.host.address,
                    source.qmp, destination.qmp, host=source.host)
    code = engine.wait(TIMEOUT_S + 30)
    result = engine.result()
    figures = {
        'outcome': MOVED if code == 0 else
                   NEVER if code == 4 and
                   result['error']['code'] == 'timeout' else 'failed',
        'throttle': max((e['data'].get('ram', {}).get('throttle-percent', 0)
                         for e in engine.events('PROGRESS')), default=0),
        'passes': result.get('ram', {}).get('passes'),
        'warnings': [e['data']['message'] for e in engine.events('WARNING')],
    }
    if figures['outcome'] == 'failed':
        figures['said'] = engine.text()
    return figures


def by_reference(disk, source, destination):
    try:
        reference.migrate(source, destination, disks=[0] if disk else [],
                          parameters={'max-bandwidth': 128 * MIB},
                          timeout=TIMEOUT_S, quit_source=False)
    except TimeoutError:
        source.spy.cmd('migrate_cancel')
        return {'outcome': NEVER, 'throttle': 0}
    return {'outcome': MOVED, 'throttle': 0}


def migrate_began(source):
    """When its stream was set up, by our clock."""
    return source.spy.wait_event('MIGRATION', status='setup').time


def measure(saved, cell):
    """What came of it."""
    with Lab() as lab:
        source, destination = saved[cell.disk].pair(lab, LINK_MBIT)
        guest = Guest(source)
        guest.load(round(cell.rate * LINK_MIB), HOT,
                   DISK_RATE if cell.disk else 0)
        normal = wait_baseline(guest)
        guest.follow(destination)
        source.spy.cmd('migrate-set-capabilities', capabilities=[
            {'capability': 'events', 'state': True}])
        began = time.monotonic()
        figures = by_reference(cell.disk, source, destination) \
            if cell.by == REFERENCE else \
            by_engine(lab, cell.by, cell.disk, source, destination)
        since, until = migrate_began(source), time.monotonic()
        if figures['outcome'] == MOVED:
            until = destination.spy.wait_event('RESUME').time
            guest.wait_alive(destination)
            figures['blackout_ms'] = guest.handover()[0]
        if guest.faults():
            raise RuntimeError(f'the guest was harmed: {guest.faults()}')
        heard = sum(since <= t <= until for t, _ in guest.beats())
        figures['ram_s'] = until - since
        figures['wall_s'] = until - began
        figures['lost_s'] = max(0, until - since - heard / normal)
        return figures


# ---------------------------------------------------------------------------
# All of them, and the table

class Results:
    """{key of a cell: its figures}, in a file; others may add to it too."""

    def __init__(self, path):
        self.path = Path(path)

    @contextlib.contextmanager
    def _locked(self):
        with open(self.path.with_suffix('.lock'), 'w',
                  encoding='ascii') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def read(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def add(self, key, figures):
        with self._locked():
            new = self.path.with_suffix('.new')
            new.write_text(json.dumps({**self.read(), key: figures},
                                      indent=1) + '\n')
            new.rename(self.path)


def is_as_expected(cell, figures):
    return figures['outcome'] == cell.expected or \
        cell.expected == EITHER and figures['outcome'] in (MOVED, NEVER)


def print_table(cells, results):
    """Returns whether each cell ended as expected."""
    print(f'\na guest of {MEM} MiB that writes to {HOT} MiB of it, a link of '
          f'{LINK_MBIT} Mbit/s, at most {TIMEOUT_S} s;\n{machine()}\n\n'
          f'{"":9} {"disk":4} {"writes":>8} {"outcome":7} {"RAM":>8} '
          f'{"blackout":>9} {"throttle":>8} {"lost":>7}  expected')
    met = True
    for cell in cells:
        f = results.get(cell.key)
        if not f:
            continue
        ok = is_as_expected(cell, f)
        met = met and ok
        blackout = f'{f["blackout_ms"]:6.0f} ms' if 'blackout_ms' in f else ''
        print(f'{cell.by:9} {"yes" if cell.disk else "":4} '
              f'{cell.rate:>4} * B {f["outcome"]:7} {f["ram_s"]:6.1f} s '
              f'{blackout:>9} {f["throttle"]:6} % {f["lost_s"]:5.1f} s  '
              f'{cell.expected}: {"ok" if ok else "NOT SO"}')
    print('\nB: what the link carries. lost: of the guest\'s own work, while '
          'its RAM moved.')
    return met


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog='./dev bench converge', description='Do guests that write get '
        'across? A grid of how fast they write and of policies.')
    parser.add_argument('--only', action='append', metavar='WHO',
                        choices=(*POLICIES, REFERENCE), help='only this '
                        'policy, or QEMU; may be given again')
    parser.add_argument('--rate', action='append', type=float, metavar='N',
                        choices=RATES, help='only this rate; may be given '
                        'again: ' + ', '.join(map(str, RATES)))
    parser.add_argument('--results', metavar='FILE',
                        default='build/bench-converge.json',
                        help='where the cells are kept (default: '
                        '%(default)s); remove it to begin anew')
    return parser.parse_args()


def run_cells(cells, results):
    with Lab() as lab:
        saved = {}
        for n, cell in enumerate(cells):
            if cell.key in results.read():
                continue
            show_progress(f'cell {n + 1} of {len(cells)}: {cell.key}')
            if cell.disk not in saved:
                saved[cell.disk] = Saved(lab, cell.disk)
            results.add(cell.key, measure(saved, cell))
        show_progress('')


def main():
    options = parse_arguments()
    if os.geteuid() != 0:
        sys.exit('bench: network namespaces need root')
    sweep()
    cells = all_cells(options.only or (*POLICIES, REFERENCE),
                      [r for r in RATES if r in (options.rate or RATES)])
    results = Results(options.results)
    run_cells(cells, results)
    return 0 if print_table(cells, results.read()) else 1


if __name__ == '__main__':
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
