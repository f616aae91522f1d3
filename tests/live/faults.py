"""./dev faults: every fault at every point of a migration, and what came of it.

The points are those that a migration of each kind passed in a run without
faults, as the engine itself wrote them down: a new row, or a new command, is
attacked from the day it exists. What was done is kept in build/faults.json;
the same command again goes on from there, until the engine is another one.
"""

import argparse
import datetime
import functools
import hashlib
import json
import multiprocessing.util
import subprocess
import time
import traceback
from concurrent import futures
from pathlib import Path

import binaries
import page
import script
from attack import (ANSWERS, FAULTS, KINDS, OWNERS, ROWS, SUPERVISED, Attack,
                    Cell, FaultMove, expected)
from engine import ROOT, program
from lab import Lab, end_marked, leftovers
from pki import Pki

PAGE = Path(__file__).parent / 'FAULTS.md'
KEPT = ROOT / 'build' / 'faults.json'
WELL, UNEXPECTED, KNOWN = 'ok', 'UNEXPECTED', 'known'
FIRST_CHANGE = ROWS.index('remember the source')

# What QEMU itself gets wrong: (kind or None, row, fault), and where it is
# told. Such a cell may end otherwise; it is counted on its own.
BUGS = {
}


# ---- which cells there are ----

def list_points(kind):
    """As the engine passes them, without a fault."""
    with Pki() as pki, Lab() as lab:
        move = FaultMove(lab, pki, KINDS[kind], False)
        path = lab.path('points')
        if kind == 'undo':
            move.refuse_the_switch()
            move.start(QMIGRATE_POINTS=str(path)).undone()
        else:
            move.start(QMIGRATE_POINTS=str(path)).moved()
        return path.read_text().splitlines()


def acts(point):
    """Is it the answer to a command that changes something?"""
    words = point.split(':')
    return len(words) == 4 and not words[3].startswith(('query-', 'qom-'))


def first_reads(points):
    """The first question to each side in each row."""
    found = {}
    for point in points:
        words = point.split(':')
        if len(words) == 4 and not acts(point):
            found.setdefault((words[0], words[2]), point)
    return list(found.values())


def while_written(points):
    """The points at which disks are being copied: from the first mirror on
    until the guest may stop."""
    mirror = [n for n, p in enumerate(points) if p.endswith('blockdev-mirror')]
    if not mirror or 'converge:before' not in points:
        return []
    end = points.index('converge:before')
    return [p for p in points[mirror[0]:end + 1]
            if p.count(':') == 1 or acts(p)]


def rows_of(kind):
    if kind == 'undo':
        return [f'undo {row}' for row in reversed(ROWS)]
    return ROWS if kind == 'mirror' else ROWS[FIRST_CHANGE:]


def cells_of(kind, points):
    """Nothing that is attacked with mirrored disks is attacked again where
    the other kinds do the same: before anything is changed. Before a row is
    after the one above it, but for what the journal says, which matters to
    an engine that died."""
    everywhere = [f for f in FAULTS if f not in ANSWERS and f != 'disk full']
    rows = rows_of(kind)
    if kind == 'undo':
        points = [p for p in points if p.startswith('undo ')]
    mine = [p for p in points if p.partition(':')[0] in rows]
    after = [p for p in mine if p.endswith(':after')]
    before = [p for p in mine if p.endswith(':before')]
    commands = [p for p in mine if acts(p)]
    during = [f for f in everywhere if f != SUPERVISED] \
        if kind == 'mirror' else ['engine killed']
    pairs = [(p, f) for p in after for f in everywhere]
    pairs += [(p, 'disk full') for p in while_written(points)]
    pairs += [(p, f) for p in commands for f in (*during, *ANSWERS)]
    pairs += [(p, 'engine killed') for p in before]
    pairs += [(p, 'answer lost') for p in first_reads(mine)]
    return [Cell(kind, p, f) for p, f in pairs]


def in_an_order(cells):
    """In which a run that ends early has seen a part of each row, and of each
    fault."""
    return sorted(cells, key=lambda cell: hashlib.sha256(
        str(cell).encode()).digest())


# ---- one cell ----

@functools.cache
def own_pki():
    """That of this process, whose end removes it."""
    pki = Pki()
    multiprocessing.util.Finalize(None, pki.__exit__, exitpriority=1)
    return pki.__enter__()



def is_known(cell):
    return BUGS.get((cell.kind, cell.row, cell.fault)) or \
        BUGS.get((None, cell.row, cell.fault))


def attack_one(cell):
    """What came of it, as it is kept. In a process of its own."""
    began = time.monotonic()
    found, one, shown = {}, None, ''
    with Lab() as lab:
        try:
            one = Attack(lab, own_pki(), cell)
            found = one.run().problems()
        except Exception as e:      # whatever it is, the others go on
            at = traceback.extract_tb(e.__traceback__)[-1]
            found['outcome'] = [f'{type(e).__name__}: {e} ({at.name}: '
                                f'{at.line})']
        if found:
            shown = '\n'.join(f'--- {t}\n{x}' for t, x in lab.describe())
    if left := leftovers(lab.name):
        found.setdefault('outcome', []).append(f'left behind: {left}')
    end_marked(lab.name)
    word = WELL if not found else KNOWN if is_known(cell) and not (
        found.get('split') or found.get('writes')) else UNEXPECTED
    return {'word': word, 'found': found, 'shown': shown[-40000:],
            'owner': one and one.owner,
            'place': one and one.place_found,
            'recovered': bool(one and one.recovered),
            'undecided': bool(one and one.undecided),
            's': round(time.monotonic() - began, 1)}


# ---- all of them ----

class Results:
    """What is kept: {cell: result}, of one engine."""

    def __init__(self, fresh):
        self.identity = {'engine': hashlib.sha256(
            Path(program()).read_bytes()).hexdigest()[:16],
            'qemu': binaries.qemu10().version, 'commit': commit()}
        self.cells, self.points = {}, {}
        if not fresh and KEPT.exists():
            kept = json.loads(KEPT.read_text())
            if kept['identity']['engine'] == self.identity['engine']:
                self.__dict__.update(kept)
            else:
                print('faults: another engine than before: begun anew')

    def keep(self):
        part = KEPT.with_suffix('.part')
        part.write_text(json.dumps(self.__dict__, indent=1))
        part.rename(KEPT)

    def key(self, cell):
        return ' / '.join(cell)

    def of(self, cell):
        return self.cells.get(self.key(cell))

    def add(self, cell, result):
        self.cells[self.key(cell)] = result
        self.keep()


def commit():
    out = subprocess.run(['git', '-C', ROOT, 'describe', '--always', '--dirty',
                          '--abbrev=12'], capture_output=True, text=True,
                         check=False)
    return out.stdout.strip() or 'unknown'


def show(cell, result, number, count):
    print(f"{number:5}/{count} {result['s']:5.1f} s  {result['word']:10} "
          f"{cell}", flush=True)
    for kind, sentences in result['found'].items():
        for sentence in sentences[:3]:
            print(f'{"":20}{kind}: {sentence[:600]}', flush=True)


def run(cells, results, jobs):
    todo = [c for c in cells if not results.of(c)]
    done = len(cells) - len(todo)
    with futures.ProcessPoolExecutor(
            jobs, multiprocessing.get_context('spawn')) as pool:
        running = {pool.submit(attack_one, c): c for c in todo}
        try:
            for future in futures.as_completed(running):
                done += 1
                results.add(running[future], future.result())
                show(running[future], future.result(), done, len(cells))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


# ---- the table ----

def counted(results):
    def count(fact):
        return sum(bool(fact(r)) for r in results)
    return {
        'injections': len(results),
        'unexpected': count(lambda r: r['word'] == UNEXPECTED),
        'split brains': count(lambda r: r['found'].get('split')),
        'missing writes': count(lambda r: r['found'].get('writes')),
        'undecided': count(lambda r: r['undecided']),
        "QEMU's own faults": count(lambda r: r['word'] == KNOWN),
        'recovered': count(lambda r: r['recovered']),
    }


def summary(results):
    return ', '.join(f'{n} {what}' for what, n in counted(results).items())


def square(results, kind, row, fault):
    """'3' if all three are well, '2/3' otherwise."""
    there = [r for key, r in results.cells.items()
             if (cell := Cell(*key.split(' / '))).kind == kind and
             cell.row == row and cell.fault == fault]
    well = sum(r['word'] == WELL for r in there)
    return '' if not there else f'{well}' if well == len(there) \
        else f'{well}/{len(there)}'


def table(results, kind):
    names = [f for f in FAULTS]
    rows = [['', *(f.replace('destination', 'dest.').replace('terminated',
                                                             'term.')
                   for f in names)]]
    rows += [[row, *there] for row in rows_of(kind)
             if any(there := [square(results, kind, row, f) for f in names])]
    return page.table(rows)


def expectations():
    return page.table([('', *OWNERS.values()),
                       *((fault, *(expected(fault, owner) for owner in OWNERS))
                         for fault in FAULTS)])


def page_of(results, cells):
    today = datetime.date.today().isoformat()
    done = list(results.cells.values())
    text = f"""
        Written by `./dev faults --write` on {today}, with qmigrate
        {results.identity['commit']} and QEMU {results.identity['qemu']},
        under TCG. A guest that dirties memory and writes records to its disks
        is moved, and at each point of the recipe, as the engine passes it, the
        fault is made; then it is lifted, and `qmigrate recover` runs once if
        the engine died or left something. The guest has to be where the first
        table says, alone, with its memory whole and each acknowledged write on
        its disk, and the survivor as it was. A number is how many injections
        ended so; 2/3 would be one that did not."""
    lines = ['# Faults', '', page.filled(text), '',
             page.filled(f'{summary(done)}; of {len(cells)} that there are.'),
             '', '## Where the guest has to be', '', 'By who owned it at the '
             'fault:', '', *expectations()]
    titles = {'precopy': 'Pre-copy', 'mirror': 'Mirrored disks',
              'postcopy': 'Post-copy', 'undo': 'Undo'}
    for kind, title in titles.items():
        lines += ['', f'## {title}', '', *table(results, kind)]
    for key, result in results.cells.items():
        if result['word'] != WELL:
            lines += ['', page.filled(f"{key}: {result['word']}: "
                                      f"{result['found']}")]
    return '\n'.join(lines) + '\n'


# ---------------------------------------------------------------------------

def parse_arguments():
    parser = argparse.ArgumentParser(
        prog='./dev faults', description='Every fault at every point of a '
        'migration, and what came of it. The same command again goes on.')
    parser.add_argument('--jobs', type=int, default=1, metavar='N',
                        help='so many at once')
    parser.add_argument('--fresh', action='store_true',
                        help='begin anew')
    parser.add_argument('--only', action='append', default=[], metavar='WORDS',
                        help='cells whose name has them: "converge", '
                        '"source killed"; given again, all of them')
    parser.add_argument('--count', type=int, metavar='N',
                        help='stop once there are N')
    parser.add_argument('--again', action='store_true',
                        help='those that were unexpected, once more')
    parser.add_argument('--list', action='store_true', help='only say which')
    parser.add_argument('--write', action='store_true',
                        help=f'write the result to {PAGE.name}')
    options = parser.parse_args()
    if options.write and options.only:
        parser.error('--write is for the whole of it')
    return options


def find_cells(results):
    for kind in KINDS:
        if kind not in results.points:
            results.points[kind] = list_points(kind)
    results.keep()
    return in_an_order(c for kind in KINDS
                          for c in cells_of(kind, results.points[kind]))


def chosen(cells, options):
    found = [c for c in cells
             if all(word in str(c) for word in options.only)]
    return found[:options.count]


def main():
    options = parse_arguments()
    script.begin('faults')
    results = Results(options.fresh)
    if options.again:
        results.cells = {k: r for k, r in results.cells.items()
                         if r['word'] != UNEXPECTED}
    cells = find_cells(results)
    wanted = chosen(cells, options)
    if options.list:
        print(*wanted, sep='\n')
        return 0
    run(wanted, results, options.jobs)
    done = [results.of(c) for c in wanted]
    for kind in KINDS:
        print('', kind, *table(results, kind), sep='\n')
    print(f'\n{summary(done)}; {KEPT.name} has them')
    if options.write:
        PAGE.write_text(page_of(results, cells))
    return 1 if any(r['word'] == UNEXPECTED for r in done) else 0


if __name__ == '__main__':
    script.run(main)
