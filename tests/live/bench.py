#!/usr/bin/python3
"""./dev bench: what a migration costs besides what QEMU itself takes.

All ways of moving are tried in turn, again and again, so that what else the
machine does meets all of them alike; then medians are shown. What is measured
is seen from outside: through the test's own QMP, the guest's heartbeats, and
/proc. The reference is tests/live/reference.py, which does the least there is
to do, and checks and undoes nothing.
"""

import argparse
import json
import statistics
import subprocess
import threading
import time
from pathlib import Path
from typing import NamedTuple

import page
import script
import reference
from engine import Engine, program
from guest import Guest
from lab import Lab, wait_until
from pki import Pki
from qemu import Qemu, make_image

SAMPLE_S = 0.002
KIB = 1024
LOAD = {'mem_rate': 20, 'hot': 8, 'disk_rate': 100}


class Way(NamedTuple):
    """A way of moving, tried once in each round."""
    tls: bool = True
    live: bool = False          # a Linux at work, else nothing was booted
    disks: int = 0
    mem: int = 128
    bandwidth: str = ''
    dh_params: bool = True      # else QEMU makes them when TLS is set up
    watched: bool = False       # memory and CPU; not where time is measured
    reference: bool = False     # is there to be compared with


WAYS = {
    'clear': Way(tls=False, reference=True),
    'tls': Way(reference=True),
    'tls, no dh-params': Way(dh_params=False, reference=True),
    'at work': Way(live=True, reference=True),
    'at work, a disk': Way(live=True, disks=1, reference=True),
    'watched': Way(watched=True),
    'watched, a disk': Way(disks=1, watched=True),
    'watched, slow': Way(live=True, mem=256, bandwidth='24M', watched=True),
}


class Row(NamedTuple):
    """A line of the table: a figure of a way of moving."""
    text: str
    way: str
    figure: str
    unit: str
    goal: float = None


ROWS = [
    Row('wall time beyond QEMU\'s total-time, in clear', 'clear', 'beyond',
        'ms', 200),
    Row('  the same under TLS', 'tls', 'beyond', 'ms', 200),
    Row('  the same under TLS, without dh-params.pem', 'tls, no dh-params',
        'beyond', 'ms'),
    Row('QEMU\'s total-time, in clear', 'clear', 'total', 'ms'),
    Row('  the same under TLS', 'tls', 'total', 'ms'),
    Row('blackout beyond QEMU\'s downtime', 'at work', 'over', 'ms', 10),
    Row('  the same with a mirrored disk', 'at work, a disk', 'over', 'ms',
        30),
    Row('blackout seen from outside', 'at work', 'blackout', 'ms'),
    Row('  the same with a mirrored disk', 'at work, a disk', 'blackout',
        'ms'),
    Row('QEMU\'s downtime', 'at work', 'downtime', 'ms'),
    Row('  the same with a mirrored disk', 'at work, a disk', 'downtime',
        'ms'),
    Row('memory of the engine, at most', 'watched', 'rss', 'MiB', 24),
    Row('  of it anonymous', 'watched', 'anon', 'MiB', 12),
    Row('  with a disk', 'watched, a disk', 'rss', 'MiB'),
    Row('  of it anonymous', 'watched, a disk', 'anon', 'MiB'),
    Row('CPU of the engine while RAM moves, of a core', 'watched, slow',
        'cpu', '%', 1),
    Row('CPU time of the engine in all', 'watched', 'cpu_all', 'ms'),
]


# ---------------------------------------------------------------------------
# One move

def dh_params(pki):
    """As `certtool --get-dh-params`: those of RFC 7919, at no cost."""
    path = pki.dir / 'dh-params.pem'
    if not path.exists():
        subprocess.run(['certtool', '--get-dh-params', '--bits', '2048',
                        '--outfile', path], check=True, timeout=30,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path.read_bytes()


def make_pair(lab, way):
    pair = []
    for name, incoming in (('source', False), ('destination', True)):
        images = [make_image(lab, f'{name}{n}') for n in range(way.disks)]
        pair.append(Qemu(lab, lab.host(name), images, incoming=incoming,
                         live=way.live, mem=way.mem))
    return pair


def make_tls(lab, pki, way, hosts):
    if not way.tls:
        return None
    folders = [pki.for_host(lab.folder(f'pki-{h.name}'), h) for h in hosts]
    for folder in folders:
        if way.dh_params:
            (folder / 'dh-params.pem').write_bytes(dh_params(pki))
    return folders


def when_executed(pid):
    """What is between spawn() and the program costs time that is not its."""
    comm = Path('/proc', str(pid), 'comm')
    wait_until(lambda: comm.read_text().strip() == Path(program()).name[:15],
               10, 'the engine is executed', interval=0.0005)
    return time.monotonic()


class Watch(threading.Thread):
    """Memory and CPU time of a process, looked at until it ends."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.proc = Path('/proc', str(pid))
        self.rss = self.anon = 0        # KiB
        self.cpu = []                   # (time, ns)
        self.over = threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            try:
                self._look()
            except (OSError, KeyError):
                return
            time.sleep(SAMPLE_S)

    def _look(self):
        status = dict(line.split(':', 1) for line in
                      (self.proc / 'status').read_text().splitlines())
        self.rss = max(self.rss, int(status['VmHWM'].split()[0]))
        self.anon = max(self.anon, int(status['RssAnon'].split()[0]))
        ns = sum(int(task.joinpath('schedstat').read_text().split()[0])
                 for task in (self.proc / 'task').iterdir())
        self.cpu.append((time.monotonic(), ns))

    def cpu_between(self, since, until):
        """Percent of a core."""
        inside = [s for s in self.cpu if since <= s[0] <= until]
        (t0, ns0), (t1, ns1) = inside[0], inside[-1]
        return (ns1 - ns0) / (t1 - t0) / 1e9 * 100


def step_began(engine, step):
    for at, line in engine.stdout:
        event = json.loads(line)
        if event['event'] == 'STEP' and event['data'] == {
                'step': step, 'state': 'begins'}:
            return at
    raise RuntimeError(f'engine: no step {step}\n{engine.text()}')


def engine_arguments(way, tls, source, destination):
    arguments = ['--json', '--keep-source',
                 '--address', destination.host.address]
    if way.bandwidth:
        arguments += ['--bandwidth', way.bandwidth]
    if tls:
        arguments += ['--source-tls-dir', tls[0],
                      '--destination-tls-dir', tls[1],
                      '--tls-hostname', destination.host.name]
    else:
        arguments += ['--insecure']
    return [*arguments, source.qmp, destination.qmp]


def move_by_engine(lab, way, tls, source, destination):
    """Figures of the engine alone, and when it was begun."""
    engine = Engine(lab, 'migrate',
                    *engine_arguments(way, tls, source, destination),
                    host=source.host, supervised=False)     # it is watched
    began = when_executed(engine.process.pid)
    watch = Watch(engine.process.pid) if way.watched else None
    if engine.wait(120) != 0:
        raise RuntimeError(f'the engine failed:\n{engine.text()}')
    figures = {}
    if watch:
        watch.join(5)
        figures = {'rss': watch.rss / KIB, 'anon': watch.anon / KIB,
                   'cpu_all': watch.cpu[-1][1] / 1e6}
    if way.bandwidth:
        figures['cpu'] = watch.cpu_between(
            step_began(engine, 'converge'),
            step_began(engine, 'settle disks'))
    return figures, began


def move_by_reference(way, tls, source, destination):
    began = time.monotonic()
    reference.migrate(source, destination, tls=tls, disks=range(way.disks),
                      channels=4 if tls else 0, quit_source=False)
    return {}, began


def measure(pki, way, by_engine):
    """The figures of one move."""
    with Lab() as lab:
        source, destination = make_pair(lab, way)
        tls = make_tls(lab, pki, way, (source.host, destination.host))
        guest = None
        if way.live:
            guest = Guest(source).wait_ready()
            guest.follow(destination)
            guest.load(**LOAD)
            if way.disks:
                guest.wait_acks(50)
        if by_engine:
            figures, began = move_by_engine(lab, way, tls, source,
                                            destination)
        else:
            figures, began = move_by_reference(way, tls, source, destination)
        resumed = destination.spy.wait_event('RESUME').time
        info = source.spy.cmd('query-migrate')
        figures['total'] = info['total-time']
        figures['downtime'] = info['downtime']
        figures['beyond'] = (resumed - began) * 1000 - info['total-time']
        if guest:
            guest.wait_alive(destination)
            if guest.faults():
                raise RuntimeError(f'the guest was harmed: {guest.faults()}')
            figures['blackout'] = guest.handover()[0]
            figures['over'] = figures['blackout'] - info['downtime']
        return figures


# ---------------------------------------------------------------------------
# All of them, and the table

class Collection:
    """{(way, by whom): {figure: [values]}}"""

    def __init__(self):
        self.values = {}

    def add(self, way, by, figures):
        there = self.values.setdefault((way, by), {})
        for name, value in figures.items():
            there.setdefault(name, []).append(value)

    def get(self, way, by, figure):
        return self.values.get((way, by), {}).get(figure, [])

    def as_json(self, rounds):
        return {'rounds': rounds, 'rows': [
            {'text': row.text.strip(), 'way': row.way, 'by': by,
             'figure': row.figure, 'unit': row.unit, 'goal': row.goal,
             'median': statistics.median(values), 'values': values}
            for row in ROWS for by in ('engine', 'reference')
            if (values := self.get(row.way, by, row.figure))]}


def shown(values, unit):
    """'  85 ms (80..91)'"""
    if not values:
        return ''
    digits = 0 if unit == 'ms' else 1 if unit == 'MiB' else 2
    low, middle, high = (f'{f(values):.{digits}f}' for f in
                         (min, statistics.median, max))
    return f'{middle:>6} {unit:3} ({low} to {high})'


def print_table(collection, rounds):
    """Returns whether each goal that was measured was met."""
    print(f'\nmedians of {rounds} (lowest to highest); {page.machine()}\n')
    print(f'{"":46} {"engine":26} {"reference":26} goal')
    met = True
    for row in ROWS:
        engine = collection.get(row.way, 'engine', row.figure)
        if not engine:
            continue
        goal = ''
        if row.goal is not None:
            ok = statistics.median(engine) <= row.goal
            met = met and ok
            goal = f'<= {row.goal} {row.unit}: {"ok" if ok else "OVER"}'
        theirs = collection.get(row.way, 'reference', row.figure)
        print(f'{row.text:46} {shown(engine, row.unit):26} '
              f'{shown(theirs, row.unit):26} {goal}'.rstrip())
    return met


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog='./dev bench', description='What a migration costs besides '
        'what QEMU itself takes: medians of repeated moves.')
    parser.add_argument('-n', type=int, default=10, metavar='N',
                        help='rounds (default: 10)')
    parser.add_argument('--quick', action='store_true', help='3 rounds')
    parser.add_argument('--only', action='append', choices=WAYS,
                        metavar='WAY', help='only this way of moving; may '
                        'be given again: ' + ', '.join(WAYS))
    parser.add_argument('--json', metavar='FILE',
                        help='write all that was measured there')
    options = parser.parse_args()
    if options.quick:
        options.n = 3
    return options


def run_rounds(pki, ways, rounds):
    collection = Collection()
    for n in range(rounds):
        for name, way in ways.items():
            for by in ('engine', 'reference'):
                if by == 'reference' and not way.reference:
                    continue
                page.show_progress(f'round {n + 1} of {rounds}: {name}, {by}')
                collection.add(name, by, measure(pki, way, by == 'engine'))
    page.show_progress('')
    return collection


def main():
    options = parse_arguments()
    script.begin('bench')
    ways = {name: way for name, way in WAYS.items()
            if not options.only or name in options.only}
    with Pki() as pki:
        collection = run_rounds(pki, ways, options.n)
    page.keep_json(options.json, **collection.as_json(options.n))
    return 0 if print_table(collection, options.n) else 1


if __name__ == '__main__':
    script.run(main)
