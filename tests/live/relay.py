"""A man in the middle of the migration network.

Relay(lab, host, address) listens on a host of its own at the first ports of
the engine's range, and passes each connection on to the same port of address.
It writes down what of the guest it could read, and does worse if told to:

    relay.cut = {port: bytes}   hang up once so much came from the source
    relay.mute = {port, ...}    take connections, and pass nothing on
    relay.tls = (context, context)  end TLS here, and begin it anew (the first
                                port is taken for an NBD server's)
"""

import contextlib
import socket
import threading

from wire import secrets_in

LOW, COUNT = 49152, 2
CHUNK = 1 << 16


def starttls(client, server):
    """What goes over an NBD connection before its TLS: the greeting; flags,
    and the option; the answer that it may begin."""
    for here, there, length in ((server, client, 18), (client, server, 20),
                                (server, client, 20)):
        there.sendall(here.recv(length, socket.MSG_WAITALL))


class Relay:
    def __init__(self, lab, host, address):
        self.host = host
        self.address = address
        self.cut, self.mute, self.tls = {}, set(), None
        self.passed = {}            # {port: bytes from the source}
        self.leaks = {}             # {port: names of SECRETS}
        self.cuts = 0
        self.speaks_nbd = True
        self._sockets = []
        lab.on_exit(self.close)
        for port in range(LOW, LOW + COUNT):
            s = self._keep(host.socket())
            s.bind((host.address, port))
            s.listen(16)
            self._start(self._accept, s, port)

    def close(self):
        for s in self._sockets:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()

    def _keep(self, s):
        self._sockets.append(s)
        return s

    @staticmethod
    def _start(target, *args):
        threading.Thread(target=target, args=args, daemon=True).start()

    def _accept(self, listener, port):
        while True:
            try:
                client = self._keep(listener.accept()[0])
            except OSError:
                return
            if port not in self.mute:
                self._start(self._serve, client, port)

    def _serve(self, client, port):
        server = self._keep(self.host.socket())
        try:
            server.connect((self.address, port))
            if self.tls:
                if self.speaks_nbd and port == LOW:
                    starttls(client, server)
                client = self._keep(
                    self.tls[0].wrap_socket(client, server_side=True))
                server = self._keep(self.tls[1].wrap_socket(server))
        except OSError:
            client.close()
            server.close()
            return
        self._start(self._pump, server, client, port, False)
        self._pump(client, server, port, True)

    def _pump(self, here, there, port, counted):
        passed, tail = 0, b''
        limit = self.cut.get(port) if counted else None
        with contextlib.suppress(OSError):
            while data := here.recv(CHUNK):
                passed += len(data)
                self._read(port, tail + data)
                tail = data[-80:]
                if counted:
                    self.passed[port] = self.passed.get(port, 0) + len(data)
                if limit is not None and passed >= limit:
                    self.cuts += 1
                    break
                there.sendall(data)
        for s in (here, there):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def _read(self, port, data):
        if found := secrets_in(data):
            self.leaks.setdefault(port, set()).update(found)
