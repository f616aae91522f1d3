"""A lab: everything that one case makes, and its removal.

Whatever is made is registered for removal before it is made, so that nothing
survives a case that fails half-way. Every process of a lab carries its name
in the environment; leftovers() finds what was missed by looking, not by
remembering.
"""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from host import (Host, Switch, command_line, list_namespaces,
                  remove_namespace)

MARK = 'QMIGRATE_TEST_LAB'
PREFIX = 'qmt-'

_counter = itertools.count(1)


def wait_until(fact, timeout, what, interval=0.05):
    """Polls fact() until it is true; returns its value."""
    end = time.monotonic() + timeout
    while True:
        value = fact()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f'{what}: not within {timeout} s')
        time.sleep(interval)


def is_running(pid):
    """True unless the process is gone, or dead and not yet reaped."""
    try:
        stat = Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return False
    return stat.rpartition(')')[2].split()[0] not in 'ZX'


def marked_processes(name):
    """(pid, command line) of every process that carries a lab's name."""
    wanted = f'{MARK}={name}'.encode()
    found = []
    for entry in os.scandir('/proc'):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            environ = Path(entry.path, 'environ').read_bytes()
            if wanted in environ.split(b'\0') and is_running(entry.name):
                found.append((int(entry.name), command_line(entry.name)))
        except OSError:
            pass                # it ended, or is another user's
    return found


def parent(pid):
    try:
        stat = Path(f'/proc/{pid}/stat').read_text()
    except OSError:
        return 0
    return int(stat.rpartition(')')[2].split()[1])


def orphans(name):
    """Processes of a lab that outlived the one that started them."""
    found = []
    for pid, line in marked_processes(name):
        ancestor = pid
        while ancestor > 1 and ancestor != os.getpid():
            ancestor = parent(ancestor)
        if ancestor != os.getpid() and is_running(pid):
            found.append(f'orphan {pid}: {line}')
    return found


def end_marked(name):
    for pid, _ in marked_processes(name):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def leftovers(name):
    """What of a lab is still there: sentences, none if all is well."""
    found = [f'process {pid}: {line}'
             for pid, line in marked_processes(name)]
    found += [f'namespace {ns}' for ns in list_namespaces(name + '-')]
    folder = Path(tempfile.gettempdir(), name)
    if folder.exists():
        found.append(f'folder {folder}')
    return found


def sweep():
    """Removes what test runs that were killed outright left behind."""
    for name in {'-'.join(ns.split('-')[:3])
                 for ns in list_namespaces(PREFIX)}:
        if is_running(name.split('-')[1]):
            continue
        end_marked(name)
        for ns in list_namespaces(name + '-'):
            remove_namespace(ns)
    for folder in Path(tempfile.gettempdir()).glob(PREFIX + '*-*'):
        pid = folder.name.split('-')[1]
        if pid.isdigit() and not is_running(pid):
            shutil.rmtree(folder, ignore_errors=True)


class Lab:
    """with Lab() as lab: hosts, files and processes until the end of it."""

    def __init__(self):
        self.name = f'{PREFIX}{os.getpid()}-{next(_counter)}'
        self.dir = Path(tempfile.gettempdir(), self.name)
        self._stack = contextlib.ExitStack()
        self._names = itertools.count(1)
        self._switch = None
        self.hosts = {}
        self.stragglers = []
        self._shown = []
        self._checks = []

    def __enter__(self):
        self.on_exit(shutil.rmtree, self.dir, ignore_errors=True)
        self.dir.mkdir(mode=0o700)
        return self

    def __exit__(self, *exc):
        self._stack.__exit__(*exc)

    def on_exit(self, function, *args, **kwargs):
        """Register a removal; the latest one runs first."""
        self._stack.callback(function, *args, **kwargs)

    def enter(self, thing):
        """Keep a context manager open until the lab ends."""
        return self._stack.enter_context(thing)

    def show(self, title, text):
        """text() is printed if the case fails."""
        self._shown.append((title, text))

    def check(self, find):
        """What find() finds in the end fails the case."""
        self._checks.append(find)

    def found(self):
        return [one for find in self._checks for one in find()]

    def forgive(self):
        """What was found is what the case itself has made."""
        self._checks.clear()

    def describe(self):
        """(title, text) of everything that has something to say."""
        found = []
        for title, text in self._shown:
            try:
                found.append((title, str(text())))
            except Exception as e:      # it describes what is broken already
                found.append((title, f'cannot be shown: {e!r}'))
        return [(title, text) for title, text in found if text.strip()]

    def path(self, name):
        """A file of that name in the lab's folder, made unique."""
        path = self.dir / name
        while path.exists() or path.is_symlink():
            path = self.dir / f'{next(self._names)}-{name}'
        return path

    def folder(self, name):
        path = self.path(name)
        path.mkdir(mode=0o700)
        return path

    def host(self, name):
        """The host of that name; made when first asked for. All hosts of a
        lab reach each other, and nothing else."""
        if name not in self.hosts:
            if self._switch is None:
                self._switch = Switch(self)
            self.hosts[name] = Host(self, self._switch, name,
                                    len(self.hosts) + 1)
        return self.hosts[name]

    def env(self, **more):
        """The environment of the lab's processes. HOME and the run time
        folders are the lab's own."""
        env = {key: value for key, value in os.environ.items()
               if not key.startswith(('XDG_', 'SSH_'))}
        env.update({MARK: self.name, 'HOME': str(self.dir),
                    'XDG_RUNTIME_DIR': str(self.dir / 'run'),
                    'XDG_STATE_HOME': str(self.dir / 'state'),
                    'LC_ALL': 'C.UTF-8'})
        env.update(more)
        return env

    def spawn(self, argv, host=None, env=None, **popen):
        """Starts a process that dies with the test, on a host if one is
        given. The returned Popen's pid is that of argv[0] itself. Call it
        from the main thread: the process dies with the thread. It is in a
        session of its own: ^C at a terminal is the test's alone."""
        argv = [str(arg) for arg in argv]
        if host is not None:
            argv = ['nsenter', f'--net={host.netns_path}', '--', *argv]
        argv = ['setpriv', '--pdeathsig', 'KILL', '--', *argv]
        box = []
        self.on_exit(self._end, box)
        popen.setdefault('stdin', subprocess.DEVNULL)
        popen.setdefault('start_new_session', True)
        box.append(subprocess.Popen(argv, env=env or self.env(), **popen))
        return box[0]

    def run(self, argv, host=None, timeout=30, check=True, env=None):
        """Runs a short command; returns its CompletedProcess, output as
        text. With check, a failure raises and shows what was said."""
        process = self.spawn(argv, host, env, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        out, err = process.communicate(timeout=timeout)
        if check and process.returncode:
            raise RuntimeError(f'{argv[0]}: exit {process.returncode}\n'
                               f'{out}{err}')
        return subprocess.CompletedProcess(argv, process.returncode, out, err)

    @staticmethod
    def _end(box):
        for process in box:
            if process.poll() is None:
                process.kill()
            process.wait(10)
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()
