"""A migration by the engine is a value, and one class runs them all.

    move = Move(lab, pki, Case(formats=('qcow2',)))     two QEMUs, a guest
    move.start()                                        the engine
    move.moved()                                        how it must have ended

The end is either moved() or undone(); nothing else is good. Both look at
the QEMUs themselves, and only then at what the engine says of itself.
"""

import contextlib
import re
import signal
from dataclasses import dataclass, field

import binaries
import records
import saved
from engine import Engine, run_dir, state_dir
from guest import Guest
from lab import wait_until
from qemu import Qemu, make_image
from snapshot import Snapshot

ENGINE_LIMIT_S = 120
CALM = 'guest_pace=5'       # of the kernel: many such guests run at once
# The exit codes of DESIGN.md, as the engine's RESULT tells them again.
DONE, REFUSED, FAILED, CANCELLED, LEFT_THERE, UNDECIDED, LEFT_HERE, NOWHERE = \
    0, 3, 4, 5, 6, 7, 8, 9
OUTCOMES = {DONE: 'completed', REFUSED: 'refused', FAILED: 'failed',
            CANCELLED: 'cancelled', UNDECIDED: 'undecided'}

BINARIES = {'qemu10': binaries.qemu10, 'system': binaries.system,
            'trixie': lambda: binaries.suite('trixie')}


@dataclass(frozen=True)
class Case:
    """What is moved, and how."""
    formats: tuple = ('raw',)
    options: tuple = ()             # of the engine
    tls: bool = True
    psk: bool = False
    live: bool = True               # a Linux; else a firmware without a disk
    boots: bool = False             # the Linux: not from a saved state
    calm: bool = True               # the Linux: it beats each 5 ms, not 1
    stopped: bool = False           # the guest is stopped before
    mem_rate: int = 20              # MiB/s, into ...
    hot: int = 8                    # ... so many MiB
    disk_rate: int = 40             # records/s and disk
    binaries: tuple = ('qemu10', 'qemu10')
    device: str = 'virtio-blk'
    proxied: bool = False           # a QmpProxy before each QEMU
    copied: tuple = None            # numbers of the disks; None: all
    env: dict = field(default_factory=dict)         # of the engine
    supervised: bool = None         # None: unless the engine is to be killed
    tls_variant: tuple = ({}, {})   # of the certificates: see pki.make()


class Move:
    """One case on its way; source, destination, guest, engine."""

    def __init__(self, lab, pki, case):
        self.lab = lab
        self.case = case
        self.engine = None
        self.guest = None
        self.tls = [pki.for_host(lab.folder(f'pki-{name}'), lab.host(name),
                                 **variant)
                    for name, variant in zip(('source', 'destination'),
                                             case.tls_variant)] \
            if case.tls else None
        self.source = self._qemu('source', case.binaries[0])
        self.destination = self._qemu('destination', case.binaries[1])
        if case.live:
            self._boot()
        if case.stopped:
            self.source.spy.cmd('stop')
        self.before = {q: Snapshot(q) for q in self.qemus}

    @property
    def qemus(self):
        return self.source, self.destination

    @property
    def copied(self):
        if self.case.copied is None:
            return tuple(range(len(self.case.formats)))
        return self.case.copied

    def _qemu(self, name, binary):
        c = self.case
        images = [self._make_image(f'{name}{n}', f)
                  for n, f in enumerate(c.formats)]
        extra = self._extra(name)
        return Qemu(self.lab, self.lab.host(name), images,
                    incoming=name == 'destination', live=c.live,
                    binary=self._binary(name, binary), device=c.device,
                    proxied=c.proxied, extra=extra,
                    kernel_line=self._kernel_line(),
                    state=self._state(name, binary, images, extra))

    def _make_image(self, name, image_format):
        return make_image(self.lab, name, image_format)

    def _binary(self, name, binary):
        return BINARIES[binary]()

    def _state(self, name, binary, images, extra=()):
        """What the guest of the source goes on from, if it need not boot. Not
        on 7.2: under TCG that kills a Linux that goes on from a state."""
        c = self.case
        if name != 'source' or not c.live or c.boots or binary == 'system':
            return None
        return saved.get(self.lab, self.lab.host(name), images, extra,
                         binary=self._binary(name, binary), device=c.device,
                         kernel_line=self._kernel_line())

    def _kernel_line(self):
        return CALM if self.case.calm else ''

    def _extra(self, name):
        """More of a QEMU's command line."""
        return ()

    def _boot(self):
        c = self.case
        self.guest = Guest(self.source).wait_ready()
        self.guest.load(c.mem_rate, c.hot, c.disk_rate)
        self.guest.follow(self.destination)
        if c.formats and c.disk_rate:
            self.guest.wait_acks(10)

    def new_destination(self):
        """A fresh one, as for a second attempt."""
        if self.destination.is_alive():
            self.destination.kill()
        self.destination = self._qemu('destination', self.case.binaries[1])
        self.before[self.destination] = Snapshot(self.destination)
        if self.guest:
            self.guest.follow(self.destination)

    # ---- the engine ----

    def arguments(self):
        c = self.case
        where = ['--tls-psk'] if c.psk else \
            ['--insecure'] if self.tls is None else \
            ['--source-tls-dir', self.tls[0],
             '--destination-tls-dir', self.tls[1]]
        if '--address' not in c.options:
            where += ['--address', self.destination.host.address]
        return [*where, *c.options, self.source.address,
                self.destination.address]

    def start(self, *options, command='migrate', **env):
        self.engine = Engine(
            self.lab, command, '--json', *options, *self.arguments(),
            host=self.source.host, env=self.lab.env(**self.case.env, **env),
            supervised=self.case.supervised)
        return self

    def recover(self, *options, **env):
        """Another engine settles what that one, which is dead, has left."""
        self.engine = Engine(
            self.lab, 'recover', '--json', *options, host=self.source.host,
            env=self.lab.env(**self.case.env, **env))
        return self

    def die(self, at):
        """The engine is killed at that point of the recipe."""
        self.start(QMIGRATE_FAIL=f'{at}=kill')
        assert self.engine.wait(ENGINE_LIMIT_S) == -signal.SIGKILL
        return self

    def wait_step(self, step, state='begins', timeout=60):
        return self.engine.wait_event('STEP', timeout, step=step, state=state)

    def steps(self, state):
        """The rows of the recipe that came to that state, in order."""
        return [e['data']['step'] for e in self.engine.events('STEP')
                if e['data']['state'] == state]

    @property
    def error(self):
        """What it says went wrong: message and hint in one."""
        error = self.engine.result().get('error', {})
        return f"{error.get('message', '')}\n{error.get('hint', '')}"

    def _ended(self, codes, guest):
        code = self.engine.wait(ENGINE_LIMIT_S)
        result = self.engine.result()
        assert not self.engine.crashes()
        assert code in codes, result
        assert result['exit'] == code
        assert result['guest'] == guest
        assert result['outcome'] == OUTCOMES.get(code, result['outcome'])
        assert ('error' in result) == (result['outcome'] != 'completed')
        assert bool(result['left']) == (code == LEFT_HERE) or \
            code in (LEFT_THERE, UNDECIDED, NOWHERE), result['left']
        return result

    # ---- the two good ends ----

    def moved(self, codes=(DONE,), paused=False, kept=False):
        """The guest is at the destination with all that it had."""
        result = self._ended(codes, 'destination')
        assert self.ran_at_once() == []
        assert self.destination.status() == ('paused' if paused else
                                             'running')
        assert differences(self.destination, self.before[self.destination],
                           disks_in_use=True) == []
        if kept:
            assert self.source.status() == 'postmigrate'
            assert differences(self.source, self.before[self.source],
                               disks_in_use=False) == []
        else:
            self.source.wait_exit()
        if self.guest:
            self._check_guest(self.destination, self.copied, paused)
        self.check_folders()
        return result

    def undone(self, codes=(FAILED,), destination='gone'):
        """The guest is at the source, which is exactly as it was; the
        destination is 'gone', or 'waiting' as it was, or 'any' of these."""
        result = self._ended(codes, 'source')
        assert self.ran_at_once() == []
        assert self.unlike_before(self.source) == []
        if destination == 'gone' or (destination == 'any' and
                                     not self.is_waiting()):
            self.destination.wait_exit()
        else:
            assert self.unlike_before(self.destination) == []
        if self.guest:
            self._check_guest(self.source, range(len(self.case.formats)),
                              self.case.stopped)
        self.check_folders()
        return result

    def settled(self):
        """One of the two, as the engine says; True if it moved."""
        self.engine.wait(ENGINE_LIMIT_S)
        if self.engine.result()['guest'] == 'destination':
            self.moved()
            return True
        self.undone((REFUSED, FAILED), 'any')
        return False

    # ---- what is looked at ----

    def is_waiting(self):
        with contextlib.suppress(Exception):
            return self.destination.status() == 'inmigrate'
        return False

    def unlike_before(self, qemu, *without):
        return Snapshot(qemu).without(*without).diff(
            self.before[qemu].without(*without))

    def ran_at_once(self):
        """By STOP and RESUME of both QEMUs: a sentence if both ran."""
        for qemu in self.qemus:
            qemu.spy.hear_all()
        runs = {self.source: self.before[self.source].state['run state'] ==
                'running', self.destination: False}
        heard = sorted(((e.said, q, e.name) for q in self.qemus
                        for e in q.spy.events if e.name in ('STOP', 'RESUME')),
                       key=lambda event: event[0])
        since, found = None, []
        for time, qemu, name in heard + [(float('inf'), self.source, '')]:
            if since is not None and time > since:
                found.append(f'both ran for {time - since:.3f} s')
            if name:
                runs[qemu] = name == 'RESUME'
            since = time if all(runs.values()) else None
        return found

    def _check_guest(self, qemu, disks, paused):
        """It lives where it should, and its acknowledged records are on the
        disks there; the QEMU is ended for that."""
        if paused:
            assert self.guest.beats()[-1][1] is self.source
        else:
            self.guest.wait_alive(qemu)
        qemu.quit()
        assert self.guest.faults() == []
        images = {n: qemu.disks[n] for n in disks}
        assert records.missing_records(self.guest, images) == []

    def journals(self):
        folder = state_dir(self.lab)
        return sorted(folder.iterdir()) if folder.exists() else []

    def remove_private_folder(self):
        """What an engine that was killed could not remove itself."""
        for path in run_dir(self.lab).glob('tmp.*'):
            path.rmdir()
        for path in run_dir(self.lab).glob('*.sock'):
            path.unlink()

    def check_folders(self, open_journals=0):
        """Nothing of the engine's is left but finished journals (and the
        lock files of engines that were killed)."""
        names = [p.name for p in run_dir(self.lab).iterdir()]
        assert [n for n in names if not re.match(r'qemu-.*\.lock$', n)] == []
        unfinished = [p.name for p in self.journals() if p.suffix != '.done']
        assert len(unfinished) == open_journals, unfinished


def differences(qemu, before, disks_in_use):
    """Between a QEMU after a move and before, but for the run state: its
    disks are now in use, or are given up. (7.2 does not tell.)"""
    now = Snapshot(qemu).without('run state')
    found = [f'node {name} is {"not " if disks_in_use else ""}in use'
             for name, node in now.state['nodes'].items()
             if node['active'] not in (None, disks_in_use)]
    then = before.without('run state')
    for snapshot in (now, then):
        snapshot.state['nodes'] = {
            name: {**node, 'active': None}
            for name, node in snapshot.state['nodes'].items()}
    return now.diff(then) + found


def recipe_rows(path):
    """The names of the recipe's rows, in order, from its source: the cases
    are named for them. What the program itself says is compared with it."""
    return re.findall(r'\{ "([a-z ]+)", step_', path.read_text())


def wait_gone(qemu):
    wait_until(lambda: not qemu.is_alive(), 10, 'the QEMU ends')
