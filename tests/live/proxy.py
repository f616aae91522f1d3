"""A man in the middle of a QMP link, who makes steps fail.

It stands between the engine and a real QEMU, passes everything through, and
writes down each command and when it came. Rules make the Nth command of a
name (counted from when the rule is made, across re-connections) do something
else; each rule works once.

    proxy.fail('migrate')                    answer with an error instead
    proxy.fail('cont', passing=True)         do it, and answer with an error
    hold = proxy.hold('migrate-continue')    until hold.release();
                                             hold.wait() until it is there
    proxy.drop('cont', when='before')        cut the link; 'after': QEMU did
                                             it, the reply is lost
    proxy.late('migrate', seconds)           the answer, and all after it, come
                                             so much later
    proxy.call('stop', function)             call it, then pass the command

delay() makes the way longer for everything, in both directions.
"""

import json
import os
import queue
import selectors
import socket
import threading
import time
from typing import NamedTuple


class Command(NamedTuple):
    time: float
    name: str
    arguments: dict
    oob: bool


class Rule:
    """What happens to the nth command of a name."""

    def __init__(self, name, nth, kind, **what):
        self.name = name
        self.left = nth
        self.kind = kind
        self.what = what
        self._arrived = threading.Event()
        self._released = threading.Event()

    def wait(self, timeout=30):
        """Until the command has arrived at the proxy."""
        if not self._arrived.wait(timeout):
            raise TimeoutError(f'{self.name} did not come in {timeout} s')

    def release(self):
        self._released.set()

    @property
    def has_arrived(self):
        return self._arrived.is_set()


class QmpProxy:
    """path: what the engine is given. commands: all that was asked.

    A socket's peer is the process that called listen(): Qemu(proxied=True)
    has it called where that process is the QEMU-to-be, so that the engine
    takes the right one for its peer (and kills that one, if it must).
    """

    def __init__(self, lab, upstream, name='proxy'):
        self.path = str(lab.path(f'{name}.qmp'))
        self.commands = []
        self.upstream = str(upstream)
        self.delay_s = 0.0          # of each message, each way: delay()
        self.hear = None            # called with each line that QEMU says
        self._rules = []
        self._lock = threading.Lock()
        self._links = []
        self._refusing = False
        self._closed = False
        lab.on_exit(self._close)
        lab.show(f'commands through {name}', lambda: ' '.join(self.names()))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._wake_r, self._wake_w = os.pipe()

    def listen(self):
        """To be called in the process that is to be the peer."""
        self._listener.listen(8)

    def start(self):
        """From now on it accepts; listen() was called somewhere."""
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    # ---- rules ----

    def fail(self, name, nth=1, desc='told to fail by the test',
             cls='GenericError', passing=False):
        return self._rule(Rule(name, nth, 'fail', passing=passing,
                               error={'class': cls, 'desc': desc}))

    def answer(self, name, value, nth=1):
        """Answer with that return value instead of asking QEMU."""
        return self._rule(Rule(name, nth, 'answer', value=value))

    def hold(self, name, nth=1):
        return self._rule(Rule(name, nth, 'hold'))

    def drop(self, name, nth=1, when='before'):
        assert when in ('before', 'after')
        return self._rule(Rule(name, nth, 'drop', when=when))

    def late(self, name, seconds, nth=1):
        return self._rule(Rule(name, nth, 'late', seconds=seconds))

    def call(self, name, function, nth=1):
        return self._rule(Rule(name, nth, 'call', function=function))

    def delay(self, seconds):
        """The way is so long from now on, each way; what is under way at once
        arrives at once."""
        self.delay_s = seconds

    def _rule(self, rule):
        with self._lock:
            self._rules.append(rule)
        return rule

    # ---- the link itself ----

    def cut(self):
        """Cuts every link now; new ones are accepted."""
        with self._lock:
            links = list(self._links)
        for link in links:
            link.close()

    def refuse(self, refusing=True):
        """While refusing, new links are closed at once."""
        self._refusing = refusing

    def say(self, message):
        """Says that to the engine, as if QEMU had: an event, or rubbish
        (bytes)."""
        if not isinstance(message, bytes):
            message = json.dumps(message).encode() + b'\r\n'
        with self._lock:
            links = list(self._links)
        for link in links:
            link.to_client(message)

    def names(self):
        """The names of all commands so far, in order."""
        return [c.name for c in self.commands]

    def decide(self, message, oob):
        """The rule for a command that came, if one is due."""
        name = message.get('exec-oob' if oob else 'execute')
        with self._lock:
            self.commands.append(Command(time.monotonic(), name,
                                         message.get('arguments', {}), oob))
            for rule in self._rules:
                if rule.name != name or rule.left == 0:
                    continue
                rule.left -= 1
                if rule.left == 0:
                    return rule
        return None

    def forget(self, link):
        with self._lock:
            if link in self._links:
                self._links.remove(link)

    def _accept(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake_r, selectors.EVENT_READ)
            while not self._closed:
                selector.select()
                if self._closed:
                    return
                client, _ = self._listener.accept()
                if self._refusing:
                    client.close()
                    continue
                try:
                    link = Link(self, client)
                except OSError:
                    client.close()
                    continue
                with self._lock:
                    self._links.append(link)
                link.start()

    def _close(self):
        self._closed = True
        for rule in self._rules:
            rule.release()
        if hasattr(self, '_thread'):
            os.write(self._wake_w, b'x')
            self._thread.join(10)
        if hasattr(self, '_wake_r'):
            os.close(self._wake_r)
            os.close(self._wake_w)
        if hasattr(self, '_listener'):
            self._listener.close()
        self.cut()


def rounds(proxies, since, until, apart_s):
    """Names of the commands that came in that time, those together that came
    within APART_S: each list had to wait for what the one before it brought,
    where the way is as long as that."""
    came = sorted((c.time, c.name) for proxy in proxies
                  for c in proxy.commands if since < c.time < until)
    found = []
    for at, name in came:
        if not found or at - found[-1][0] > apart_s:
            found.append((at, []))
        found[-1][1].append(name)
    return [names for _, names in found]


class Way:
    """One direction of a link: what is put in comes out, in its order, once
    the proxy's delay has passed; then what is to be done at its end."""

    def __init__(self, proxy, deliver, at_end):
        self._proxy = proxy
        self._deliver = deliver
        self._at_end = at_end
        self._queue = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def put(self, message):
        self._queue.put((time.monotonic() + self._proxy.delay_s, message))

    def end(self):
        self.put(None)

    def _run(self):
        while True:
            due, message = self._queue.get()
            time.sleep(max(0, due - time.monotonic()))
            if message is None:
                self._at_end()
                return
            self._deliver(message)


class Link:
    """One connection through the proxy, with a thread for each direction and
    one for what is held."""

    def __init__(self, proxy, client):
        self.proxy = proxy
        self._client = client
        self._server = socket.socket(socket.AF_UNIX)
        self._server.connect(proxy.upstream)
        self._write_lock = threading.Lock()
        self._held = None           # in-band commands behind a held one
        self._held_lock = threading.Lock()
        self._swapped = {}          # id of a command: the error to answer
        self._fatal_id = None       # its reply ends the link
        self._late = {}             # id of a command: how late its reply is
        self._up = Way(proxy, self._command, self._client_left)
        self._down = Way(proxy, self._pass_on, self._server_left)

    def start(self):
        for target in (self._from_client, self._from_server):
            threading.Thread(target=target, daemon=True).start()

    def close(self):
        for s in (self._client, self._server):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.proxy.forget(self)

    def to_client(self, data):
        with self._write_lock:
            try:
                self._client.sendall(data)
            except OSError:
                self.close()

    def _to_server(self, message):
        try:
            self._server.sendall(json.dumps(message).encode() + b'\n')
        except OSError:
            self.close()

    def _from_client(self):
        decoder = json.JSONDecoder()
        text = ''
        while True:
            try:
                data = self._client.recv(65536)
            except OSError:
                data = b''
            if not data:
                break
            text += data.decode('utf-8', 'replace')
            while text := text.lstrip():
                try:
                    message, end = decoder.raw_decode(text)
                except ValueError:
                    break           # not all of it is there yet
                text = text[end:]
                self._up.put(message)
        self._up.end()

    def _client_left(self):
        self.close()
        self._client.close()

    def _command(self, message):
        oob = 'exec-oob' in message
        rule = self.proxy.decide(message, oob)
        with self._held_lock:
            if self._held is not None and not oob:
                self._held.append((message, rule))
                return
        self._act(message, rule)

    def _act(self, message, rule):
        if rule is None:
            self._to_server(message)
            return
        rule._arrived.set()
        identity = message.get('id')
        if rule.kind == 'fail' and rule.what['passing']:
            self._swapped[json.dumps(identity)] = rule.what['error']
            self._to_server(message)
        elif rule.kind == 'fail':
            self._reply({'error': rule.what['error']}, identity)
        elif rule.kind == 'answer':
            self._reply({'return': rule.what['value']}, identity)
        elif rule.kind == 'drop' and rule.what['when'] == 'before':
            self.close()
        elif rule.kind == 'drop':
            self._fatal_id = json.dumps(identity)
            self._to_server(message)
        elif rule.kind == 'late':
            self._late[json.dumps(identity)] = rule.what['seconds']
            self._to_server(message)
        elif rule.kind == 'call':
            rule.what['function']()
            self._to_server(message)
        elif rule.kind == 'hold':
            with self._held_lock:
                self._held = []
            threading.Thread(target=self._wait_release, args=(message, rule),
                             daemon=True).start()

    def _wait_release(self, message, rule):
        rule._released.wait()
        self._to_server(message)
        while True:
            with self._held_lock:
                if not self._held:
                    self._held = None
                    return
                later = self._held.pop(0)
            self._act(*later)

    def _reply(self, reply, identity):
        if identity is not None:
            reply['id'] = identity
        self.to_client(json.dumps(reply).encode() + b'\r\n')

    def _from_server(self):
        with self._server.makefile('rb') as lines:
            try:
                for line in lines:
                    if self.proxy.hear:
                        self.proxy.hear(line)
                    self._down.put(line)
            except OSError:
                pass
        self._down.end()

    def _server_left(self):
        self.close()
        self._server.close()

    def _pass_on(self, line):
        if self._swapped or self._fatal_id or self._late:
            message = json.loads(line)
            identity = json.dumps(message.get('id'))
            if 'event' not in message:
                time.sleep(self._late.pop(identity, 0))
            if 'event' not in message and identity == self._fatal_id:
                self.close()
                return
            if 'event' not in message and identity in self._swapped:
                self._reply({'error': self._swapped.pop(identity)},
                            message.get('id'))
                return
        self.to_client(line)
