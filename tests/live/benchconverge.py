#!/usr/bin/python3
"""./dev bench converge: do guests that write get across?

A grid: how fast the guest writes, beside what the link carries; whether it
writes to a disk that is mirrored too; and who moves it: the engine with each
policy, or QEMU with its own defaults (a downtime limit of 300 ms, and nothing
else). Each cell has an expected outcome, and a minute. The guest is booted once
and put in a file, from which each cell begins; what a cell measured is kept in
--results, and a cell that is there already is not measured again. --write makes
CONVERGE.md of the whole of it: the machine should have nothing else to do.

All figures but the throttle are seen from outside. The guest's work is its
heartbeat: what is lost of it, between `migrate` and the guest's running at the
destination, is told in seconds of a guest left alone.
"""

import contextlib
import fcntl
import hashlib
import itertools
import json
import time
from pathlib import Path
from typing import NamedTuple

import binaries
import page
import script
import reference
from engine import Engine, program
from guest import Guest
from lab import Lab, wait_until
from qemu import MIB, Qemu, make_image

LINK_MBIT = 200
LINK_MIB = LINK_MBIT * 1e6 / 8 / MIB
MEM, DATA, HOT = 256, 96, 64        # MiB: RAM, what it checks, writes to
DISK_RATE = 200                     # records of 4 KiB a second
TIMEOUT_S = 48                      # of the RAM
CELL_S = 60                         # with all that is around it
BASELINE_S, WINDOW_S = 1.5, 0.5     # of heartbeats, before

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
    """Those that differ in who moves it alone, one after the other."""
    return [Cell(who, disk, rate) for disk, rate, who in
            itertools.product((False, True), rates, by)]


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

def wait_baseline(guest):
    """How fast its heart beats when nothing is done to it: beats a second in
    the best of some windows, as it has only just begun to run."""
    since = time.monotonic()
    recorder = guest.qemu.recorder
    recorder.wait(lambda: recorder.beats[-1] > since + BASELINE_S, 20,
                  'heartbeats')
    times = [t - since for t, _ in guest.beats()]
    starts = [n / 10 for n in range(round((BASELINE_S - WINDOW_S) * 10) + 1)]
    return max(sum(start <= t < start + WINDOW_S for t in times)
               for start in starts) / WINDOW_S


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
    """What came of it, and how long all of that took."""
    began = time.monotonic()
    figures = measure_in_lab(saved, cell)
    return {**figures, 'cell_s': time.monotonic() - began}


def measure_in_lab(saved, cell):
    with Lab() as lab:
        source, destination = saved[cell.disk].pair(lab, LINK_MBIT)
        guest = Guest(source)
        guest.load(round(cell.rate * LINK_MIB), HOT,
                   DISK_RATE if cell.disk else 0)
        normal = wait_baseline(guest)
        guest.follow(destination)
        source.spy.cmd('migrate-set-capabilities', capabilities=[
            {'capability': 'events', 'state': True}])
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
        figures['lost_s'] = max(0, until - since - heard / normal)
        return figures


# ---------------------------------------------------------------------------
# All of them, and the table

def measured():
    """Cells of another program or QEMU are not to be mixed with these."""
    digest = hashlib.sha256(Path(program()).read_bytes()).hexdigest()[:16]
    return f'qmigrate {digest}, QEMU {binaries.qemu10().version}'


class Results:
    """{key of a cell: its figures}, in a file; others may add to it too."""

    def __init__(self, path):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.of = measured()

    @contextlib.contextmanager
    def _locked(self):
        with open(self.path.with_suffix('.lock'), 'w',
                  encoding='ascii') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self):
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def read(self):
        return {key: figures for key, figures in self._read().items()
                if figures['of'] == self.of}

    def add(self, key, figures):
        with self._locked():
            new = self.path.with_suffix('.new')
            cells = {**self._read(), key: {'of': self.of, **figures}}
            new.write_text(json.dumps(cells, indent=1) + '\n')
            new.rename(self.path)


def judge(cell, figures):
    """'ok', or what is not as it must be."""
    if figures['outcome'] != cell.expected and not (
            cell.expected == EITHER and figures['outcome'] in (MOVED, NEVER)):
        return f'NOT {cell.expected}'
    return 'ok' if figures['cell_s'] <= CELL_S else \
        f'TOOK {figures["cell_s"]:.0f} s'


HEAD = ('disk', 'writes', 'moved by', 'outcome', 'RAM', 'blackout', 'throttle',
        'lost', 'as expected')


def row_of(cell, f):
    return ('yes' if cell.disk else '', f'{cell.rate:g} B', cell.by,
            f['outcome'], f'{f["ram_s"]:.1f} s',
            f'{f["blackout_ms"]:.0f} ms' if 'blackout_ms' in f else '',
            f'{f["throttle"]} %' if f['throttle'] else '',
            f'{f["lost_s"]:.1f} s', judge(cell, f))


def table(cells, results):
    return page.table([HEAD, *(row_of(c, results[c.key]) for c in cells
                               if c.key in results)])


def verdict(cells, results):
    """(a sentence, whether all is well)"""
    done = [c for c in cells if c.key in results]
    bad = [c.key for c in done if judge(c, results[c.key]) != 'ok']
    said = f'{len(done)} of {len(cells)} cells measured, {len(bad)} not as ' \
        'expected' + (': ' if bad else '') + '; '.join(bad) + '.'
    return said, not bad and len(done) == len(cells)


def arrivals(cells, results):
    """How many guests each of them got across."""
    said = []
    for who in dict.fromkeys(c.by for c in cells):
        its = [results[c.key] for c in cells
               if c.by == who and c.key in results]
        moved = sum(f['outcome'] == MOVED for f in its)
        said.append(f'{who} {moved} of {len(its)}')
    return 'Guests that got across: ' + ', '.join(said) + '.'


BENCH = page.Bench('converge', 'Guests that write, and who gets them across', f"""
    A guest of {MEM} MiB, {DATA} of them with data, that writes to {HOT} MiB
    of it, and with a disk {DISK_RATE} records of 4 KiB a second to that too,
    which is mirrored; a link of {LINK_MBIT} Mbit/s, which is B; at most
    {TIMEOUT_S} s for the RAM. QEMU: its own defaults, a limit of 300 ms and
    nothing else. The throttle is the highest seen. lost: of the guest's own
    work while its RAM moved, in seconds of a guest left alone.""")


def report(cells, results):
    """(parts of a page, whether all is well)"""
    said, well = verdict(cells, results)
    return [table(cells, results),
            [page.filled(f'{said} {arrivals(cells, results)}')]], well


def parse_arguments():
    parser = BENCH.parser('Do guests that write get across? A grid of how '
                          'fast they write and of policies.')
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
    options = parser.parse_args()
    if options.write and (options.only or options.rate):
        parser.error('--write is for the whole of it')
    return options


def run_cells(cells, results):
    with Lab() as lab:
        saved = {}
        for n, cell in enumerate(cells):
            if cell.key in results.read():
                continue
            page.show_progress(f'cell {n + 1} of {len(cells)}: {cell.key}')
            if cell.disk not in saved:
                saved[cell.disk] = Saved(lab, cell.disk)
            figures = measure(saved, cell)
            results.add(cell.key, figures)
            page.show_progress('')
            print(f'{cell.key}: {figures["outcome"]} in '
                  f'{figures["ram_s"]:.1f} s, {judge(cell, figures)}',
                  flush=True)


def main():
    options = parse_arguments()
    script.begin('bench')
    cells = all_cells(options.only or (*POLICIES, REFERENCE),
                      [r for r in RATES if r in (options.rate or RATES)])
    results = Results(options.results)
    run_cells(cells, results)
    parts, well = report(cells, results.read())
    BENCH.tell(parts, options.write)
    return 0 if well else 1


if __name__ == '__main__':
    script.run(main)
