#!/usr/bin/python3
"""./dev matrix: a guest with a disk moves between all QEMU versions we know.

Every ordered pair of them, under TLS, with the disk as raw and as qcow2. A
pair is well if the guest lives at the destination with all that it had; or if
QEMU itself refuses, as is known of it below, and the guest lives on at the
source while the engine's message has the destination's own reason.

QEMU 7.2 loses memory of a running guest under TCG, so where it is the source
the guest is stopped before, and continued afterwards.
"""

import argparse
import datetime
import sys
import textwrap
import time
import traceback
from pathlib import Path
from typing import NamedTuple

import binaries
import cases
import page
import script
from cases import DONE, FAILED, Case, Move
from lab import Lab, end_marked, leftovers, orphans
from pki import Pki

PAGE = Path(__file__).parent / 'MATRIX.md'
FORMATS = ('raw', 'qcow2')

# Debian 12, its backports, Debian 13, and what comes after it.
VERSIONS = {
    'system': binaries.system,
    'backports': binaries.qemu10,
    'trixie': lambda: binaries.suite('trixie'),
    'sid': lambda: binaries.suite('sid'),
}

# (source, destination): what QEMU says by QMP when it refuses. (On its stderr:
# "VQ 0 vring.num 1024 exceeds allocated max 256".) It may also work one day.
REFUSALS = {
    ('trixie', 'sid'): 'virtio-blk\': Failed to load element',
}

WELL, REFUSED, BAD = 'ok', 'refused', 'FAILED'


class Outcome(NamedTuple):
    word: str
    why: str = ''
    blackout_ms: float = None


def version(name):
    """As '10.0.13'."""
    return VERSIONS[name]().version.split()[0]


def judge(move, pair):
    """How it ended; raises if anything is not as it must be."""
    code = move.engine.wait(cases.ENGINE_LIMIT_S)
    if code == DONE:
        if move.case.stopped:
            move.destination.spy.cmd('cont')
        move.moved()
        return Outcome(WELL, blackout_ms=move.guest.handover()[0])
    if code == FAILED and pair in REFUSALS:
        error = move.engine.result()['error']['message']
        move.undone(destination='any')
        if REFUSALS[pair] not in error:
            raise RuntimeError(f'another reason was expected: {error}')
        return Outcome(REFUSED, error)
    raise RuntimeError(f'exit status {code}: {move.error.strip()}')


def move_one(pki, pair, image_format, talkative):
    """The outcome of one move; it is BAD if anything is left of it, too."""
    case = Case(formats=(image_format,), binaries=pair,
                stopped=pair[0] == 'system')
    outcome = None
    with Lab() as lab:
        try:
            outcome = judge(Move(lab, pki, case).start(), pair)
        except Exception as e:      # whatever it is, the others go on
            at = traceback.extract_tb(e.__traceback__)[-1]
            outcome = Outcome(BAD, f'{type(e).__name__}: {e} ({at.name}: '
                              f'{at.line})')
            if talkative:
                print(*(f'--- {t}\n{text}' for t, text in lab.describe()),
                      sep='\n', file=sys.stderr)
        left = orphans(lab.name)
    left += leftovers(lab.name)
    end_marked(lab.name)
    if left and outcome.word != BAD:
        outcome = Outcome(BAD, f'left behind: {left}')
    return outcome


def show(pair, image_format, outcome, seconds):
    stopped = ', stopped' if pair[0] == 'system' else ''
    note = f', blackout {outcome.blackout_ms:.0f} ms' \
        if outcome.blackout_ms and not stopped else ''
    print(f'{version(pair[0]):>8} -> {version(pair[1]):8} {image_format:6} '
          f'{outcome.word}{stopped}{note} ({seconds:.0f} s)', flush=True)
    if outcome.why:
        print(textwrap.fill(outcome.why, 78, initial_indent=' ' * 10,
                            subsequent_indent=' ' * 10,
                            break_on_hyphens=False), flush=True)


def run(pki, pairs, talkative):
    outcomes = {}
    for pair in pairs:
        for image_format in FORMATS:
            began = time.monotonic()
            outcome = move_one(pki, pair, image_format, talkative)
            outcomes[pair, image_format] = outcome
            show(pair, image_format, outcome, time.monotonic() - began)
    return outcomes


# ---------------------------------------------------------------------------
# The table

def cell(outcomes, pair):
    """'ok', or what differs between the formats."""
    words = [outcomes[pair, f].word if (pair, f) in outcomes else '-'
             for f in FORMATS]
    if len(set(words)) == 1:
        return words[0]
    return ', '.join(f'{f} {w}' for f, w in zip(FORMATS, words))


def table(outcomes):
    names = list(VERSIONS)
    rows = [['from \\ to', *map(version, names)]]
    rows += [[version(s), *(cell(outcomes, (s, d)) for d in names)]
             for s in names]
    return page.table(rows)


def reasons(outcomes):
    return [f'{version(s)} -> {version(d)}, {image_format}: {outcome.word}: '
            f'{outcome.why}'
            for ((s, d), image_format), outcome in outcomes.items()
            if outcome.why]


def page_of(outcomes):
    today = datetime.date.today().isoformat()
    text = f"""
        Written by `./dev matrix --write` on {today}. A Linux guest with a
        virtio-blk disk (raw, and again qcow2) moved under TLS between QEMUs
        with `-machine pc-q35-7.2`, under TCG. From 7.2 it was stopped before
        and continued afterwards, from the others it was at work. It lived on
        with its memory and all of its acknowledged writes where the table
        says ok; and at the source, undisturbed, where QEMU refused."""
    lines = ['# Moves between versions of QEMU', '', page.filled(text), '',
             *table(outcomes), '']
    for name in VERSIONS:
        lines.append(f'- {name}: {VERSIONS[name]().version}')
    for reason in reasons(outcomes):
        lines += ['', page.filled(reason)]
    return '\n'.join(lines) + '\n'


# ---------------------------------------------------------------------------

def parse_pair(text):
    names = tuple(text.split(':'))
    if len(names) != 2 or not set(names) <= set(VERSIONS):
        raise argparse.ArgumentTypeError(
            f'{text}: two of {", ".join(VERSIONS)}, as system:sid')
    return names


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog='./dev matrix', description='A guest with a disk moves between '
        'all QEMU versions we know.')
    parser.add_argument('--pair', action='append', type=parse_pair,
                        metavar='SOURCE:DESTINATION', help='only this one; '
                        'may be given again: ' + ', '.join(VERSIONS))
    parser.add_argument('--write', action='store_true',
                        help=f'write the result to {PAGE.name}')
    parser.add_argument('-v', action='store_true', dest='talkative',
                        help='all that is known about what failed')
    options = parser.parse_args()
    if options.write and options.pair:
        parser.error('--write is for the whole of it')
    return options


def main():
    options = parse_arguments()
    script.begin('matrix')
    cases.BINARIES.update(VERSIONS)
    for name, binary in VERSIONS.items():
        print(f'{name:10} {binary().version}', flush=True)
    pairs = options.pair or [(s, d) for s in VERSIONS for d in VERSIONS]
    with Pki() as pki:
        outcomes = run(pki, pairs, options.talkative)
    if not options.pair:
        print('', *table(outcomes), sep='\n')
    bad = [o for o in outcomes.values() if o.word == BAD]
    if options.write:
        PAGE.write_text(page_of(outcomes))
    print(f'\n{len(outcomes)} moves, {len(bad)} not as they must be')
    return 1 if bad else 0


if __name__ == '__main__':
    script.run(main)
