"""A small QMP client for the tests, which believe no other one.

A thread receives and records; callers send, and wait for what is recorded.
Times are time.monotonic() of the moment a message was received.
"""

import itertools
import json
import socket
import threading
import time
from typing import NamedTuple


class QmpError(Exception):
    def __init__(self, command, error):
        super().__init__(f"{command}: {error['class']}: {error['desc']}")
        self.cls = error['class']
        self.desc = error['desc']


class LinkLost(Exception):
    """The other end is gone."""


class Event(NamedTuple):
    time: float
    name: str
    data: dict
    said: float                 # by QEMU's own clock: time.time()


class Qmp:
    """Connects, negotiates and listens. Use cmd(), or oob() while the
    monitor itself is stuck; events is everything heard so far."""

    def __init__(self, path, timeout=10, alive=lambda: True):
        self.events = []
        self._replies = {}
        self._ids = itertools.count(1)
        self._changed = threading.Condition()
        self._lost = None
        self._socket = connect(path, timeout, alive)
        self._file = self._socket.makefile('rb')
        self._socket.settimeout(timeout)
        self.greeting = self._read_greeting()
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._receive, daemon=True)
        self._thread.start()
        caps = self.greeting['capabilities']
        self.cmd('qmp_capabilities',
                 enable=['oob'] if 'oob' in caps else [])

    @property
    def version(self):
        v = self.greeting['version']['qemu']
        return (v['major'], v['minor'], v['micro'])

    def cmd(self, command, _timeout=30, **arguments):
        """Its return value; raises QmpError, LinkLost or TimeoutError.
        An underscore in an argument's name stands for a dash."""
        return self._ask('execute', command, arguments, _timeout)

    def oob(self, command, _timeout=10, **arguments):
        return self._ask('exec-oob', command, arguments, _timeout)

    def wait_event(self, name, timeout=30, since=0, **data):
        """The first event of that name from the index since on, with that
        data: wait_event('JOB_STATUS_CHANGE', id='j', status='ready')."""
        def find():
            for event in self.events[since:]:
                if event.name == name and \
                        all(event.data.get(k) == v for k, v in data.items()):
                    return event
            return None

        return self._wait(find, timeout, f'event {name} {data or ""}')

    def wait_status(self, *wanted, timeout=60, failing=('failed',)):
        """What query-migrate says once its status is one of those wanted. It
        is asked at each MIGRATION event (capability `events`), and every
        half second without."""
        end = time.monotonic() + timeout
        while True:
            heard = len(self.events)
            info = self.cmd('query-migrate')
            status = info.get('status')
            if status in wanted:
                return info
            if status in failing:
                raise RuntimeError(f'migration is {status}: '
                                   f'{info.get("error-desc")}')
            if time.monotonic() > end:
                raise TimeoutError(f'migration is {status}, not {wanted}')
            try:
                self.wait_event('MIGRATION', 0.5, since=heard)
            except TimeoutError:
                pass

    def hear_all(self, timeout=10):
        """Until everything that was said before is recorded."""
        try:
            self.cmd('query-name', _timeout=timeout)
        except LinkLost:
            self._thread.join(timeout)

    def close(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._thread.join(10)
        self._file.close()
        self._socket.close()

    def _read_greeting(self):
        """An event may come before it: QEMU's main thread emits while its
        monitor's thread accepts."""
        for line in self._file:
            message = json.loads(line)
            if 'QMP' in message:
                return message['QMP']
            self._record(message, time.monotonic())
        raise LinkLost('no greeting, but the end of the file')

    def _ask(self, verb, command, arguments, timeout):
        number = next(self._ids)
        request = {verb: command, 'id': number}
        if arguments:
            request['arguments'] = {k.replace('_', '-'): v
                                    for k, v in arguments.items()}
        try:
            self._socket.sendall(json.dumps(request).encode() + b'\n')
        except OSError as e:
            raise LinkLost(f'{command}: {e}') from e
        reply = self._wait(lambda: self._replies.pop(number, None), timeout,
                           f'reply to {command}')
        if 'error' in reply:
            raise QmpError(command, reply['error'])
        return reply['return']

    def _wait(self, find, timeout, what):
        with self._changed:
            end = time.monotonic() + timeout
            while True:
                found = find()
                if found is not None:
                    return found
                if self._lost:
                    raise LinkLost(f'{what}: {self._lost}')
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f'no {what} within {timeout} s')
                self._changed.wait(left)

    def _receive(self):
        reason = 'end of file'
        try:
            for line in self._file:
                self._record(json.loads(line), time.monotonic())
        except (OSError, ValueError) as e:
            reason = str(e)
        with self._changed:
            self._lost = reason
            self._changed.notify_all()

    def _record(self, message, now):
        with self._changed:
            if 'event' in message:
                stamp = message['timestamp']
                self.events.append(Event(
                    now, message['event'], message.get('data', {}),
                    stamp['seconds'] + stamp['microseconds'] / 1e6))
            else:
                self._replies[message.get('id')] = message
            self._changed.notify_all()


def connect(path, timeout, alive):
    """A connected unix socket, once somebody listens there; not waited for
    if the one who should listen is not alive."""
    end = time.monotonic() + timeout
    while True:
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(str(path))
            return s
        except (FileNotFoundError, ConnectionRefusedError):
            s.close()
            if time.monotonic() > end or not alive():
                raise
            time.sleep(0.01)
