"""The program under test, run as an operator would run it.

The binary is the one named by QMIGRATE, else build/qmigrate.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

# What a sanitizer, a failed assertion or valgrind prints. (No .* at the
# beginning: in a line of 100,000 characters it is looked for half a minute.)
CRASHED = re.compile(r'ERROR: \w+Sanitizer|runtime error: |'
                     r'Assertion .* failed|==\d+== .*(Invalid|lost)')


# What the engine keeps in the machine's folders is the lab's own: cases run
# side by side, and each can look at what was left there.
ISOLATE = """
mkdir -p -m 0700 /run/qmigrate /var/lib/qmigrate "$1" "$2" &&
mount --bind "$1" /run/qmigrate && mount --bind "$2" /var/lib/qmigrate &&
shift 2 && exec "$@"
"""


def run_dir(lab):
    """What the engine sees as /run/qmigrate."""
    return lab.dir / 'engine-run'


def state_dir(lab):
    """What the engine sees as /var/lib/qmigrate: its journals."""
    return lab.dir / 'engine-state'


def program():
    return os.environ.get('QMIGRATE') or str(ROOT / 'build' / 'qmigrate')


def command_line(lab, *args, through=()):
    """To run the program with these arguments, in folders of the lab's own;
    through: a command that runs it."""
    return ['unshare', '--mount', '--', 'sh', '-c', ISOLATE, 'sh',
            run_dir(lab), state_dir(lab), *through, program(),
            *map(str, args)]


def child_alike(pid):
    """The child of that process that runs the same program, or None."""
    with contextlib.suppress(OSError):
        name = Path(f'/proc/{pid}/comm').read_text()
        for child in Path(f'/proc/{pid}/task/{pid}/children').read_text(
                ).split():
            if name == Path(f'/proc/{child}/comm').read_text() == \
                    'qmigrate\n':
                return int(child)
    return None


class Engine:
    """Engine(lab, 'migrate', '--json', source.qmp, ..., host=source.host).

    stdout and stderr are lists of (time, line), growing as it speaks.

    process is what was started: for a migration that is its supervisor, and
    signals are sent to it as an operator does. A case that kills the engine
    by QMIGRATE_FAIL wants it to stay dead, and has --no-supervisor; kill()
    takes the supervisor along.

    Not isolated: it sees the machine's own folders, and has to be told by its
    environment to use others.
    """

    def __init__(self, lab, *args, host=None, env=None, through=(),
                 supervised=None, isolated=True):
        self.args = [str(a) for a in args]
        if supervised is None:
            supervised = not (env or {}).get('QMIGRATE_FAIL',
                                             '').endswith('=kill')
        if self.args[0] == 'migrate' and not supervised:
            self.args.insert(1, '--no-supervisor')
        self.stdout = []
        self.stderr = []
        self._heard = threading.Condition()
        self._open = 2
        self.began = time.monotonic()
        self.process = lab.spawn(
            command_line(lab, *self.args, through=through) if isolated else
            [*through, program(), *self.args], host=host, env=env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lab.on_exit(self.kill)      # before the lab ends the supervisor alone
        lab.check(self.reports)
        lab.show('engine ' + ' '.join(self.args), lambda: (
            f'exit status {self.process.poll()}\n{self.text()}'))
        self._threads = [
            threading.Thread(target=self._listen, args=pair, daemon=True)
            for pair in ((self.process.stdout, self.stdout),
                         (self.process.stderr, self.stderr))]
        for thread in self._threads:
            thread.start()

    def _listen(self, pipe, lines):
        try:
            for line in pipe:
                with self._heard:
                    lines.append((time.monotonic(), line.decode(
                        'utf-8', 'replace').rstrip('\n')))
                    self._heard.notify_all()
        except (OSError, ValueError):
            pass
        with self._heard:
            self._open -= 1
            self._heard.notify_all()

    def wait(self, timeout=60):
        """Its exit status; it is killed, and this raises, if it takes
        longer."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f'engine: still running after {timeout} s\n'
                               f'{self.text()}') from None
        for thread in self._threads:
            thread.join(5)
        return self.process.returncode

    def is_heard_out(self):
        """Nobody can say anything more: its pipes are at their end."""
        return self._open == 0

    def worker(self):
        """The pid of the engine (or the recovery) that a supervisor waits
        for; None if there is none now."""
        return child_alike(self.process.pid)

    def kill(self):
        """SIGKILL, to its supervisor first: nobody recovers."""
        worker = self.worker() if self.process.poll() is None else None
        self.process.kill()
        if worker:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)

    def interrupt(self, number=signal.SIGINT):
        self.process.send_signal(number)

    def text(self):
        """All that it said, for a person."""
        lines = sorted(self.stdout + self.stderr)
        return '\n'.join(f'{t - self.began:8.3f} {line}' for t, line in lines)

    @property
    def err(self):
        return '\n'.join(line for _, line in self.stderr)

    @property
    def out(self):
        return '\n'.join(line for _, line in self.stdout)

    def events(self, name=None):
        """The events of --json, in order."""
        found = [json.loads(line) for _, line in list(self.stdout)]
        return [e for e in found if name is None or e['event'] == name]

    def result(self):
        """The data of the last event, which is RESULT."""
        last = self.events()[-1]
        assert last['event'] == 'RESULT', last
        return last['data']

    def wait_for(self, fact, timeout=30, what='fact'):
        """Until fact() holds, asked at each line that it says."""
        end = time.monotonic() + timeout
        with self._heard:
            while True:
                found = fact()
                if found:
                    return found
                left = end - time.monotonic()
                if left <= 0 or self._open == 0:
                    raise TimeoutError(f'engine: no {what}\n{self.text()}')
                self._heard.wait(left)

    def wait_event(self, name, timeout=30, **data):
        """The first event of that name with that data."""
        def find():
            for event in self.events(name):
                if all(event['data'].get(k) == v for k, v in data.items()):
                    return event
            return None

        return self.wait_for(find, timeout, f'{name} {data or ""}')

    def reports(self):
        """What a sanitizer or an assertion said; none if all is well."""
        return [line for _, line in self.stderr if CRASHED.search(line)]

    def crashes(self):
        """The same, and by which signal it ended."""
        found = self.reports()
        code = self.process.poll()
        if code is not None and code < 0:
            found.append(f'ended by signal {-code}')
        return found
