"""One fault, at one point of one migration, and what came of it.

    attack = Attack(lab, pki, Cell('mirror', 'converge:after', 'source dies'))
    attack.run()                                the fault, and its end
    attack.problems()                           sentences; none if all is well

The engine stands still (SIGSTOP) at its point until the fault is there; that
of an answer is told to the proxy while the engine stands before the row.
Afterwards the fault is lifted, `recover` runs once if the engine died or left
its journal open, and the table says where the guest has to be.
"""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import threading
from dataclasses import replace
from typing import NamedTuple

import records
from cases import (LEFT_HERE, LEFT_THERE, UNDECIDED, Case, Move, differences,
                   recipe_rows)
from engine import ROOT
from full import SmallDisk

ROWS = recipe_rows(ROOT / 'src/core/recipe.c')
# From here on nothing waits before the source is told to complete.
LAST_WAIT = ROWS.index('settle disks') + 1
POINT_LIMIT_S = 60
END_LIMIT_S = 120
LATE_S = 2                      # an answer

SAME = {'proxied': True, 'supervised': False, 'calm': False}
KINDS = {
    'precopy': Case(formats=(), mem_rate=8, **SAME),
    'mirror': Case(formats=('raw',), mem_rate=8, disk_rate=25, **SAME),
    # The first pass takes about a second; then there is no end without it.
    'postcopy': Case(formats=('raw',), disk_rate=25, mem_rate=100, hot=24,
                     **SAME, options=(
                         '--postcopy', '--bandwidth', '48M',
                         '--postcopy-bandwidth', '16M', '--auto-converge',
                         'off', '--on-timeout', 'postcopy', '--timeout-s',
                         '1')),
}
# It is refused the switch, and takes everything back.
KINDS['undo'] = KINDS['mirror']


class Cell(NamedTuple):
    kind: str                   # of KINDS
    point: str                  # as the engine names it
    fault: str                  # of FAULTS

    @property
    def row(self):
        return self.point.partition(':')[0]

    @property
    def answer(self):
        """(nth, side, command) if the point is one; else None."""
        words = self.point.split(':')
        return (int(words[1]), words[2], words[3]) if len(words) == 4 else None

    def __str__(self):
        return f'{self.kind}, {self.point}, {self.fault}'


# ---- faults ----

def signal_engine(number):
    return lambda a: a.move.engine.process.send_signal(number)


def kill(side):
    return lambda a: getattr(a.move, side).kill()


def if_there(act):
    """For one who may have ended before."""
    def do(a):
        with contextlib.suppress(ProcessLookupError):
            act(a)
    return do


def freeze(side):
    return if_there(lambda a: getattr(a.move, side).freeze())


def thaw(side):
    return if_there(lambda a: getattr(a.move, side).thaw())


def unplug(side):
    def do(a):
        proxy = getattr(a.move, side).proxy
        proxy.refuse()
        proxy.cut()
    return do


def plug(side):
    return lambda a: getattr(a.move, side).proxy.refuse(False)


def nothing(_):
    pass


class Fault(NamedTuple):
    do: object
    lift: object = nothing
    lasts_s: float = 0          # at most; the engine's end ends it too


FAULTS = {
    'engine killed': Fault(signal_engine(signal.SIGKILL)),
    'supervised engine killed': Fault(nothing),
    'engine terminated': Fault(signal_engine(signal.SIGTERM)),
    'source killed': Fault(kill('source')),
    'destination killed': Fault(kill('destination')),
    'source stopped': Fault(freeze('source'), thaw('source'), 4),
    'destination stopped': Fault(freeze('destination'), thaw('destination'),
                                 4),
    'data link cut': Fault(lambda a: a.move.source.host.cut(),
                           lambda a: a.move.source.host.mend(), 3),
    'source QMP cut': Fault(unplug('source'), plug('source'), 1.5),
    'destination QMP cut': Fault(unplug('destination'), plug('destination'),
                                 1.5),
    'disk full': Fault(lambda a: a.move.small_disk.fill(),
                       lambda a: a.move.small_disk.clear(), 5),
    'answer lost': Fault(nothing),
    'answer late': Fault(nothing),
}
ANSWERS = ('answer lost', 'answer late')
# Its supervisor recovers by itself; in all the others it has none.
SUPERVISED = 'supervised engine killed'


# ---- where the guest has to be ----

SOURCE, DESTINATION, NOWHERE = 'source', 'destination', 'nowhere'
ONE, ONWARD = 'source or destination', 'destination or nowhere'

# Who owned the guest at the fault. Meanwhile: the source, which was told to
# complete, or is to be told at once, so that a cancel may come too late; if it
# dies, it may have been seen to be done before.
# Split: the destination, without all of the RAM.
# A disk that is full need not be noticed before the guest writes there itself.
EXPECTED = {
    'engine killed': dict(source=SOURCE, meanwhile=SOURCE,
                          destination=DESTINATION, split=DESTINATION),
    SUPERVISED: dict(source=SOURCE, meanwhile=SOURCE,
                     destination=DESTINATION, split=DESTINATION),
    'engine terminated': dict(source=SOURCE, meanwhile=ONE,
                              destination=DESTINATION, split=DESTINATION),
    'source killed': dict(source=NOWHERE, meanwhile=ONWARD,
                          destination=DESTINATION, split=NOWHERE),
    'destination killed': dict(source=SOURCE, meanwhile=SOURCE,
                               destination=NOWHERE, split=NOWHERE),
    'disk full': dict(source=ONE, meanwhile=ONE, destination=DESTINATION,
                      split=DESTINATION),
    None: dict(source=ONE, meanwhile=ONE, destination=DESTINATION,
               split=DESTINATION),
}


OWNERS = {'source': 'the source', 'meanwhile': 'the source, at the switch',
          'destination': 'the destination',
          'split': 'the destination, in post-copy', 'undoing': 'the source, as '
          'all is undone'}


def expected(fault, owner):
    """One place, or "one or another"."""
    if owner == 'undoing':      # there is no way but back
        return NOWHERE if fault == 'source killed' else SOURCE
    return EXPECTED.get(fault, EXPECTED[None])[owner]


class FaultMove(Move):
    """With a destination's disk that can be filled."""

    def __init__(self, lab, pki, case, small):
        self.small_disk = SmallDisk(lab) if small else None
        super().__init__(lab, pki, case)

    def refuse_the_switch(self):
        self.source.proxy.fail('migrate-continue')

    def _make_image(self, name, image_format):
        if self.small_disk and name.startswith('destination'):
            return self.small_disk.make_image(name, image_format)
        return super()._make_image(name, image_format)


class Attack:
    def __init__(self, lab, pki, cell):
        self.cell = cell
        case = replace(KINDS[cell.kind], supervised=cell.fault == SUPERVISED)
        self.move = FaultMove(lab, pki, case, cell.fault == 'disk full')
        if cell.kind == 'undo':
            self.move.refuse_the_switch()
        self.fault = FAULTS[cell.fault]
        self.owner = None
        self.place_found = None
        self.recovered = False
        self.resumed = {}           # RESUME events of each before the fault

    # ---- doing it ----

    def run(self, lasts_s=None):
        cell = self.cell
        on_answer = cell.fault in ANSWERS
        at = f'{cell.row}:before' if on_answer else cell.point
        if cell.fault == SUPERVISED:
            return self._run_supervised()
        self.move.start(QMIGRATE_FAIL=f'{at}=stop')
        self._await_point(at)
        self.owner = self._find_owner()
        self._count_resumes()
        if on_answer:
            self._attack_answer()
        self.fault.do(self)
        self._split_after_all()
        self._let_go(self.fault.lasts_s if lasts_s is None or
                     not self.fault.lasts_s else lasts_s)
        self._recover()
        return self

    def _run_supervised(self):
        """It dies by itself, and nobody but its supervisor is there."""
        self._count_resumes()
        self.move.start(QMIGRATE_FAIL=f'{self.cell.point}=kill')
        self.move.engine.wait(END_LIMIT_S)
        self.move.remove_private_folder()
        self.owner = self._find_owner()
        return self

    def _await_point(self, at):
        """Its parent is told when it stands still: nothing is polled."""
        pid = self.move.engine.process.pid
        limit = threading.Timer(POINT_LIMIT_S, self.move.engine.process.kill)
        limit.start()
        state = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        limit.cancel()
        if state.si_code != os.CLD_STOPPED:
            self.move.engine.wait()
            raise RuntimeError(f'{at} was not reached\n'
                               f'{self.move.engine.text()}')

    def _find_owner(self):
        """By what the engine wrote, not a recover after it."""
        if self.cell.kind == 'undo':
            return 'undoing'
        lines = [json.loads(line) for path in self.move.journals()
                 for line in path.read_text().splitlines()]
        owners = [line['owner'] for line in itertools.takewhile(
            lambda line: 'recover' not in line, lines) if 'owner' in line]
        if owners[-1:] != ['destination']:
            after = self.cell.point.endswith(':after')
            return 'meanwhile' if ROWS.index(self.cell.row) + after >= \
                LAST_WAIT else 'source'
        return 'split' if self._is_split() else 'destination'

    def _is_split(self):
        return self.cell.kind == 'postcopy' and not all(
            self._stream(q) == 'completed'
            for q in self.move.qemus if q.is_alive())

    def _split_after_all(self):
        """The last page may have come just before the source died."""
        if self.owner == 'split' and self.cell.fault == 'source killed' and \
                not self._is_split():
            self.owner = 'destination'

    def _count_resumes(self):
        for qemu in self.move.qemus:
            qemu.spy.hear_all()
        self.resumed = {q: self._resumes(q) for q in self.move.qemus}

    @staticmethod
    def _resumes(qemu):
        return len([e for e in qemu.spy.events if e.name == 'RESUME'])

    def _attack_answer(self):
        nth, side, command = self.cell.answer
        proxy = getattr(self.move, side).proxy
        if self.cell.fault == 'answer lost':
            proxy.drop(command, nth, when='after')
        else:
            proxy.late(command, LATE_S, nth)

    def _let_go(self, lasts_s):
        """The engine goes on, with the fault and then without."""
        process = self.move.engine.process
        process.send_signal(signal.SIGCONT)
        if lasts_s:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(lasts_s)
        self.fault.lift(self)
        self.move.engine.wait(END_LIMIT_S)

    def _recover(self):
        if self.cell.fault == 'engine killed':
            self.move.remove_private_folder()
        elif self.move.engine.process.returncode not in (
                LEFT_HERE, LEFT_THERE, UNDECIDED):
            return
        self.recovered = True
        self.first = self.move.engine
        self.move.recover()
        self.move.engine.wait(END_LIMIT_S)

    # ---- looking at it ----

    @property
    def place(self):
        """Where the guest runs; a list if that is not one place. One whose
        RAM stopped coming runs only until it needs some, and is none."""
        running = [q.host.name for q in self.move.qemus
                   if q.is_alive() and q.status() == 'running' and
                   self._stream(q) != 'postcopy-paused']
        return running[0] if len(running) == 1 else running or NOWHERE

    @staticmethod
    def _stream(qemu):
        return qemu.spy.cmd('query-migrate').get('status')

    def problems(self):
        """What is not as it has to be: {class: sentences}."""
        move, found = self.move, {}
        self._continue_when_full()
        wanted = expected(self.cell.fault, self.owner)
        place = self.place_found = self.place
        found['split'] = move.ran_at_once()
        if isinstance(place, list) or place not in wanted.split(' or '):
            found['outcome'] = [f'the guest is at {place}, not at {wanted}']
        else:
            found['outcome'] = self._look(place)
        found['outcome'] += self._said(place)
        if move.guest:
            found['split'] += [f for f in move.guest.faults() if 'at once' in f]
            found['outcome'] += move.guest.faults()
        found['writes'] = self._missing(place)
        return {kind: what for kind, what in found.items() if what}

    def _continue_when_full(self):
        """A guest that wrote to a full disk stands still until it is told."""
        for qemu in self.move.qemus:
            if qemu.is_alive() and qemu.status() == 'io-error':
                qemu.spy.cmd('cont')

    def _look(self, place):
        if place == NOWHERE:
            return self._resurrected()
        qemu = getattr(self.move, place)
        other, = set(self.move.qemus) - {qemu}
        found = self._differences(qemu, place)
        if place == DESTINATION and other.is_alive():
            found.append(f'the source is {other.status()}')
        if place == SOURCE and other.is_alive():
            found += [f'destination: {d}'
                      for d in self.move.unlike_before(other)]
        self.move.guest.wait_alive(qemu)
        return found + self._folders()

    def _differences(self, qemu, place):
        if place == SOURCE:
            return self.move.unlike_before(qemu)
        return differences(qemu, self.move.before[qemu], disks_in_use=True)

    def _folders(self):
        try:
            self.move.check_folders()
        except AssertionError as e:
            return [f'left in folders: {e}']
        return []

    def _resurrected(self):
        return [f'{q.host.name} was started after the fault'
                for q in self.move.qemus
                if self._resumes(q) > self.resumed[q]]

    def _said(self, place):
        """What the last engine says must be so."""
        engine = self.move.engine
        if self.cell.fault == SUPERVISED and not self.move.journals():
            return []           # nothing was to be recovered: it ends as well
        found = [f'crash: {c}' for c in engine.crashes()]
        if not self.recovered or engine.process.returncode != 0:
            result = engine.result()
            if result['guest'] != place and not (
                    place == NOWHERE and (result['outcome'] == 'refused' or
                                          self._was_over())):
                found.append(f"it says {result['outcome']}, "
                             f"{result['guest']}: {self.move.error.strip()}")
        return found

    def _was_over(self):
        """After the last row nobody looks any more."""
        return self.cell.point == f'{ROWS[-1]}:after'

    def _missing(self, place):
        """Acknowledged records that are not on the owner's disks."""
        if not KINDS[self.cell.kind].formats:
            return []
        if isinstance(place, list):
            return []
        owner = place if place != NOWHERE else SOURCE \
            if self.owner in ('source', 'meanwhile', 'undoing') else DESTINATION
        qemu = getattr(self.move, owner)
        if qemu.is_alive():
            qemu.kill()         # one that lacks RAM may never quit
        return [str(m) for m in records.missing_records(
            self.move.guest, dict(enumerate(qemu.disks)))]

    @property
    def undecided(self):
        return self.move.engine.process.returncode == UNDECIDED
