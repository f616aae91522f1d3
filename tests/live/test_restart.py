"""Who starts the source again once it has ended.

A second guest would boot from the disks that were left behind. Each real
supervisor here starts its QEMU again at once, and writes down how often: the
engine has to refuse before anything is touched, and the command that it names
has to help.
"""

import contextlib
import json
import os
import re
import shutil
import signal

import pytest

import binaries
from cases import DONE, REFUSED
from engine import Engine
from lab import marked_processes, wait_until
from qmp import LinkLost, Qmp
from systemd_host import SystemdHost

ARGUMENTS = ('-name', 'guest', '-machine', 'pc-q35-7.2', '-accel', 'tcg', '-m',
             '64', '-nodefaults', '-no-user-config', '-display', 'none')


class Light:
    """A QEMU without a guest's system, which anybody may start: by script.
    starts: how often that was."""

    def __init__(self, lab, name, *extra):
        self.lab = lab
        self.dir = lab.folder(f'light-{name}')
        self.address = self.dir / 'qmp'
        self.count = self.dir / 'starts'
        self.script = self.dir / 'run'
        binary = binaries.qemu10()
        argv = [*binary.argv, *ARGUMENTS, *extra]
        for path in (self.address, self.dir / 'spy'):
            argv += ['-qmp', f'unix:{path},server=on,wait=off']
        words = ' '.join(f"'{word}'" for word in argv)
        env = ' '.join(f"'{k}={v}'" for k, v in binary.env.items())
        self.script.write_text(f'#!/bin/sh\necho >>{self.count}\n'
                               f'exec env {env} {words}\n')
        self.script.chmod(0o755)

    @property
    def starts(self):
        return len(self.count.read_text()) if self.count.exists() else 0

    def connect(self):
        self.spy = Qmp(str(self.dir / 'spy'))
        self.lab.on_exit(self.spy.close)
        return self

    def status(self):
        return self.spy.cmd('query-status')['status']

    def has_ended(self):
        with contextlib.suppress(LinkLost):
            self.status()
            return False
        return True


class Supervised:
    """A Light source that a supervisor keeps up, and a destination."""

    def __init__(self, lab, supervisor):
        self.lab = lab
        self.inside = ()
        for name in ('source', 'destination'):
            lab.host(name)      # made before, and so removed after
        self.source = Light(lab, 'source')
        self.destination = Light(lab, 'destination', '-S', '-incoming',
                                 'defer')
        lab.on_exit(self._end)
        self.process = supervisor(self)
        self.source.connect()
        lab.spawn([self.destination.script], host=lab.host('destination'))
        self.destination.connect()

    def spawn(self, *argv, **options):
        return self.lab.spawn(argv, host=self.lab.host('source'), **options)

    def _end(self):
        """The supervisor is stopped first, so that it starts nothing."""
        process = getattr(self, 'process', None)
        if process and process.poll() is None:
            process.send_signal(signal.SIGSTOP)
        for pid in self._qemus():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self._qemus(), 10, 'the QEMUs end')

    def _qemus(self):
        return [pid for pid, line in marked_processes(self.lab.name)
                if 'qemu-system' in line]

    def migrate(self, *options):
        self.engine = Engine(
            self.lab, 'migrate', '--json', '--insecure', *options,
            '--address', self.lab.host('destination').address,
            self.source.address, self.destination.address,
            host=self.lab.host('source'), through=self.inside)
        return self.engine.wait(60)

    def verdicts(self):
        return [v for e in self.engine.events('PREFLIGHT')
                for v in e['data']['verdicts'] if v['id'] == 'restart']

    def fix(self):
        """What the engine says is to be done, done."""
        (verdict,) = self.verdicts()
        place, _, command = verdict['fix'].partition(': ')
        assert place == "on the source's host"
        self.lab.run([*self.inside, 'sh', '-c', command],
                     host=self.lab.host('source'))

    def refused(self, says):
        assert self.migrate() == REFUSED, self.engine.text()
        (verdict,) = self.verdicts()
        assert verdict['level'] == 'blocker'
        assert re.search(says, verdict['what'])
        assert self.source.starts == 1
        assert self.source.status() == 'running'
        assert self.destination.status() == 'inmigrate'

    def moves(self):
        assert self.migrate() == DONE, self.engine.text()
        assert self.source.has_ended()
        assert self.destination.status() == 'running'


def runit(s):
    return s.spawn('runsv', s.source.dir)


def s6(s):
    return s.spawn('s6-supervise', s.source.dir)


def daemontools(s):
    return s.spawn('supervise', s.source.dir)


SUPERVISORS = {'runit': runit, 's6': s6, 'daemontools': daemontools}
CHEAP = 'runit'


@pytest.mark.parametrize('kind', [
    kind if kind == CHEAP else pytest.param(kind, marks=pytest.mark.long)
    for kind in SUPERVISORS])
def test_supervisor_starts_it_again(lab, kind):
    s = Supervised(lab, SUPERVISORS[kind])
    s.refused(f'would be started again by {kind} ')
    s.fix()
    s.moves()
    assert [v['level'] for v in s.verdicts()] == ['ok']
    # it has had its turn once its child is reaped
    wait_until(lambda: not [line for _, line in marked_processes(lab.name)
                            if str(s.source.address) in line and
                            'qemu-system' in line], 10, 'the source is gone')
    assert s.source.starts == 1


UNIT = """
[Service]
ExecStart={script}
Restart={restart}
RestartSec=0
"""


def systemd(restart):
    def start(s):
        host = SystemdHost(s.lab, s.lab.host('source'), units={
            'vm.service': UNIT.format(script=s.source.script,
                                      restart=restart)})
        host.run('systemctl', 'start', 'vm')
        s.inside = host.inside
        s.machine = host
        return None
    return start


def test_systemd_starts_it_again(lab):
    """On a machine whose version 1 hierarchy says nothing of the unit."""
    s = Supervised(lab, systemd('always'))
    s.refused('vm.service has Restart=always')
    s.fix()
    s.moves()
    assert s.machine.run('systemctl', 'is-active', 'vm',
                         check=False).stdout.strip() == 'inactive'
    assert s.source.starts == 1


@pytest.mark.long
def test_systemd_cannot_be_asked(lab):
    """It runs, and its tool does not: that is said."""
    s = Supervised(lab, systemd('always'))
    mute = s.source.dir / 'systemctl'
    mute.write_text('#!/bin/sh\nexit 1\n')
    mute.chmod(0o755)
    real = shutil.which('systemctl')
    s.inside = (*s.inside, 'unshare', '--mount', 'sh', '-c',
                f'mount --bind {mute} {real} && exec "$@"', 'sh')
    assert s.migrate('--dry-run') == DONE, s.engine.text()
    (verdict,) = s.verdicts()
    assert verdict['level'] == 'warning'
    assert re.search('which unit|whether systemd starts', verdict['what'])


LIKELY = {
    'loop': (None, 'while :; do {run}; done', r'the script that waits for it'),
    'cron': ('cron', 'system("{run}") while 1', 'cron'),
    'supervisord': ('supervisord', 'system("{run}") while 1', 'supervisord'),
}


def likely(name, program):
    """A process of that name; or a shell."""
    def start(s):
        text = program.format(run=s.source.script)
        if not name:
            return s.spawn('sh', '-c', text)
        perl = s.source.dir / name
        shutil.copy(shutil.which('perl'), perl)
        return s.spawn(perl, '-e', text)
    return start


@pytest.mark.long
@pytest.mark.parametrize('kind', LIKELY)
def test_who_may_start_it_again_is_warned_of(lab, kind):
    name, text, says = LIKELY[kind]
    s = Supervised(lab, likely(name, text))
    assert s.migrate('--dry-run') == DONE, s.engine.text()
    (verdict,) = s.verdicts()
    assert verdict['level'] == 'warning'
    assert re.search(says, verdict['what'])
    assert json.dumps(verdict['fix'])
