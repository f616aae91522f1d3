"""What the guest says, on every QEMU it has been on.

A Recorder hears one QEMU's debugcon and writes down when. A Guest puts the
recorders of its QEMUs together, in the order of its journey: where it ran,
for how long nobody heard it, what it was told is on its disks, and whether
its memory is what it wrote.
"""

import itertools
import re
import threading
import time


class Recorder:
    """beats: the time of each heartbeat heard (time.monotonic()). text: all
    else, as it came. Wait for either with wait()."""

    def __init__(self, sock):
        self.beats = []
        self.text = bytearray()
        self._socket = sock
        self._heard = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        while True:
            try:
                data = self._socket.recv(65536)
            except OSError:
                data = b''
            now = time.monotonic()
            with self._heard:
                if not data:
                    self._closed = True
                else:
                    beats = data.count(b'.')
                    self.beats.extend(itertools.repeat(now, beats))
                    self.text += data.replace(b'.', b'')
                self._heard.notify_all()
            if not data:
                return

    def say(self, text):
        """As if that had been heard here."""
        with self._heard:
            self.text += text
            self._heard.notify_all()

    def wait(self, fact, timeout, what):
        """Until fact() holds, asked whenever something was heard."""
        end = time.monotonic() + timeout
        with self._heard:
            while True:
                found = fact()
                if found:
                    return found
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f'guest: no {what} within {timeout} s; '
                                       f'last: {bytes(self.text[-200:])}')
                if self._closed:
                    raise EOFError(f'guest: no {what}, and its QEMU is gone; '
                                   f'last: {bytes(self.text[-200:])}')
                self._heard.wait(left)

    def close(self):
        """After the QEMU's end: all that it said has been heard then."""
        self._thread.join(10)


class Guest:
    """Guest(source), then follow(destination) before it migrates there."""

    _counter = itertools.count(1)

    def __init__(self, qemu):
        self.qemus = [qemu]

    def follow(self, qemu):
        self.qemus.append(qemu)

    @property
    def qemu(self):
        """Where it was heard last, of those that are still there."""
        there = [q for q in self.qemus if q.is_alive()] or self.qemus
        heard = [q for q in there if q.recorder.beats]
        if not heard:
            return there[0]
        return max(heard, key=lambda q: q.recorder.beats[-1])

    # ---- what it was heard to say ----

    def lines(self):
        """All complete lines. One that was begun here and ended there is one
        line, as the guest meant it."""
        text = b''.join(bytes(q.recorder.text) for q in self.qemus)
        return text.decode('ascii', 'replace').split('\n')[:-1]

    def numbers(self, word):
        """The numbers of each line that begins with that word."""
        pattern = re.compile(rf'{word}((?: \d+)+)$')
        return [tuple(map(int, m[1].split()))
                for m in map(pattern.match, self.lines()) if m]

    def acks(self):
        """{disk: [the numbers of its acknowledged records]}"""
        found = {}
        for disk, seq in self.numbers('a'):
            found.setdefault(disk, []).append(seq)
        return found

    def geometry(self):
        """{disk: (blocks, slots)}"""
        return {d: (blocks, slots)
                for d, blocks, slots in self.numbers('disk')}

    def beats(self):
        """(time, QEMU) of each heartbeat, by time."""
        return sorted(((t, q) for q in self.qemus for t in q.recorder.beats),
                      key=lambda beat: beat[0])

    def blackout(self, since=0.0, until=float('inf')):
        """The longest time, in ms, in which nobody heard it, between the
        first and the last heartbeat heard in that span."""
        times = [t for t, _ in self.beats() if since <= t <= until]
        if len(times) < 2:
            raise ValueError('too few heartbeats to tell')
        return max(b - a for a, b in zip(times, times[1:])) * 1000

    def handover(self):
        """(ms from the last heartbeat at one QEMU to the first at the next)
        for each move of its journey."""
        moves = []
        for a, b in zip(self.qemus, self.qemus[1:]):
            if a.recorder.beats and b.recorder.beats:
                moves.append((b.recorder.beats[0] - a.recorder.beats[-1])
                             * 1000)
        return moves

    # ---- what it is told ----

    def wait_ready(self, timeout=60):
        """Booted, its disks found, its heart beating."""
        recorder = self.qemu.recorder
        recorder.wait(lambda: re.search(rb'(?m)^ready \d+\n', recorder.text),
                      timeout, 'ready')
        recorder.wait(lambda: len(recorder.beats) > 10, timeout, 'heartbeat')
        return self

    def load(self, mem_rate=0, hot=8, disk_rate=0):
        """MiB/s written into a hot set of so many MiB; records/s to each
        disk."""
        self._tell(f'mem {mem_rate} {hot}', f'load mem {mem_rate} {hot}')
        self._tell(f'disk {disk_rate}', f'load disk {disk_rate}')
        return self

    def ping(self, timeout=10):
        token = f'{next(self._counter)}'
        self._tell(f'ping {token}', f'pong {token}', timeout)

    def _tell(self, line, answer, timeout=10):
        qemu = self.qemu
        wanted = answer.encode() + b'\n'
        before = len(qemu.recorder.text)
        qemu.tell(line)
        qemu.recorder.wait(lambda: qemu.recorder.text.find(wanted, before) >= 0,
                           timeout, answer)

    def wait_acks(self, count=50, timeout=20):
        """Until each disk has that many more acknowledged records."""
        recorder = self.qemu.recorder
        start = len(recorder.text)
        disks = self.geometry()
        for disk in disks:
            recorder.wait(
                lambda d=disk: recorder.text.count(b'\na %d ' % d, start)
                >= count, timeout, f'{count} records on disk {disk}')

    def wait_alive(self, qemu=None, timeout=20):
        """It lives there now: its heart beats, it answers, it has looked at
        all of its memory anew, and its disks (if it writes) take records."""
        qemu = qemu or self.qemu
        recorder = qemu.recorder
        beats, start = len(recorder.beats), len(recorder.text)
        recorder.wait(lambda: len(recorder.beats) > beats + 10, timeout,
                      'heartbeat')
        self.ping(timeout)
        begun = recorder.wait(
            lambda: re.search(rb'\nm (\d+)\n', recorder.text[start:]),
            timeout, 'memory check')
        end = b'\nM %s ' % begun[1]
        recorder.wait(lambda: recorder.text.find(end, start) >= 0, timeout,
                      'end of the memory check')
        if self.is_writing():
            self.wait_acks(5, timeout)

    def is_writing(self):
        rates = self.numbers('load disk')
        return bool(self.geometry()) and bool(rates) and rates[-1][0] > 0

    # ---- what must never be ----

    def faults(self):
        """Everything wrong that was heard: sentences, none if all is well."""
        found = [line for line in self.lines()
                 if line.startswith(('x ', 'e ', 'fatal', 'unknown'))]
        found += [f'memory check {n}: {errors} wrong pages'
                  for n, errors in self.numbers('M') if errors]
        for disk, seqs in self.acks().items():
            for a, b in zip(seqs, seqs[1:]):
                if b != a + 1:
                    found.append(f'disk {disk}: record {b} after {a}')
        found += self._two_at_once()
        return found

    def _two_at_once(self, slack=1):
        """A heartbeat heard here after one from the next QEMU of the journey
        means that two guests ran. (slack s: one of the two threads that hear
        them may be late; Move.ran_at_once() knows it by QEMU's own clock.)"""
        found = []
        for a, b in zip(self.qemus, self.qemus[1:]):
            if not a.recorder.beats or not b.recorder.beats:
                continue
            over = a.recorder.beats[-1] - b.recorder.beats[0]
            if over > slack:
                found.append(f'ran on {a.host.name} and {b.host.name} at once '
                             f'for {over * 1000:.0f} ms')
        return found
