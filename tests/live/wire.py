"""What somebody hears who listens on the wire.

Wire(lab, host) listens at that host's port of the switch until heard() is
called. It is a process of its own, so that it disturbs no clock here.
"""

import json
import re
import select
import signal
import socket
import struct
import subprocess
import sys
from typing import NamedTuple

# The pages of tests/guest/memory.c that it writes once, at its start: beyond
# the hot set, and few, since every packet is searched for them.
PAGES = range(2100, 2160, 20)
WORD_STEP = 8


def page_word(page, index, generation=1):
    seed = (page << 32 | generation) * 0x9e3779b97f4a7c15
    return (seed ^ index * 0xff51afd7ed558ccd) & (1 << 64) - 1


def page_begin(page):
    """The first two words of a page, and what is between them."""
    return struct.pack('<Q56xQ', page_word(page, 0),
                       page_word(page, WORD_STEP))


# What the guest's disk and the guest's memory are full of.
SECRETS = {
    'records': [b'QMRECORD'],
    'kernel': [b'Linux version '],
    'memory': [page_begin(page) for page in PAGES],
}

# A record of the handshake (any version), then a client's or server's hello:
# two bytes alone stand at the begin of some packet of any large transfer.
TLS_HELLO = re.compile(rb'\x16\x03[\x00-\x04]..[\x01\x02]\x00', re.DOTALL)
PACKET_STATISTICS = 6
SOL_PACKET = 263
SO_RCVBUFFORCE = 33
ETH_P_ALL = 3
SYN, ACK = 2, 16
QUIET_S = 0.2


class Heard(NamedTuple):
    bytes: int                  # of TCP payload
    dropped: int                # packets that came too fast to be heard
    connections: dict           # {'address:port': those opened to it}
    clear: list                 # of them, where no TLS was begun
    records: int                # packets with the guest's records in clear
    kernel: int                 # packets with its kernel in clear
    memory: int                 # packets with pages that it wrote, in clear
    leaks: dict                 # {'address:port': names of SECRETS heard}


class Wire:
    def __init__(self, lab, host):
        self.process = lab.spawn(
            ['nsenter', f'--net=/run/netns/{host.switch.netns}', '--',
             sys.executable, __file__, f'port{host.number}'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdout.readline()          # it listens

    def heard(self):
        """Stops to listen, and says what was heard."""
        out, _ = self.process.communicate(b'\n', timeout=30)
        return Heard(**json.loads(out))


def split(packet):
    """((source, port, destination, port), opens, payload) of a TCP segment;
    opens: it is the first of a connection."""
    if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
        return None, False, b''
    head = (packet[0] & 15) * 4
    ports = struct.unpack_from('!HH', packet, head)
    flow = (socket.inet_ntoa(packet[12:16]), ports[0],
            socket.inet_ntoa(packet[16:20]), ports[1])
    opens = packet[head + 13] & (SYN | ACK) == SYN
    return flow, opens, packet[head + (packet[head + 12] >> 4) * 4:]


def secrets_in(payload):
    """The names of what is of the guest in these bytes."""
    return [name for name, needles in SECRETS.items()
            if any(needle in payload for needle in needles)]


class Ear:
    """flows: who opened each connection, and what the opener said first.
    secure: those in which a TLS handshake was begun."""

    def __init__(self):
        self.bytes = 0
        self.leaks = {}         # (flow, name of a secret): packets
        self.flows = {}
        self.secure = set()

    def hear(self, packet):
        flow, opens, payload = split(packet)
        if opens:
            self.flows[flow] = b''
        if not payload:
            return
        self.bytes += len(payload)
        for name in secrets_in(payload):
            self.leaks[flow, name] = self.leaks.get((flow, name), 0) + 1
        if self.flows.get(flow) == b'':
            self.flows[flow] = payload[:4]
        if TLS_HELLO.match(payload):
            self.secure.add(flow)

    def sum_up(self, dropped):
        """One that carried nothing is no connection, one of ssh no secret."""
        opened, clear = {}, []
        for flow, begin in self.flows.items():
            if begin in (b'', b'SSH-'):
                continue
            name = f'{flow[2]}:{flow[3]}'
            opened[name] = opened.get(name, 0) + 1
            if flow not in self.secure:
                clear.append(name)
        leaks, count = {}, dict.fromkeys(SECRETS, 0)
        for (flow, name), packets in self.leaks.items():
            count[name] += packets
            leaks.setdefault(f'{flow[2]}:{flow[3]}', []).append(name)
        return Heard(self.bytes, dropped, opened, clear, **count,
                     leaks={name: sorted(set(found))
                            for name, found in leaks.items()})


def listen(port):
    """Until a line comes from stdin and nothing more from the wire."""
    ear = Ear()
    waiting = [sys.stdin]
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                       socket.htons(ETH_P_ALL)) as s:
        s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
        s.bind((port, ETH_P_ALL))
        print('listening', flush=True)
        while True:
            ready = select.select([s, *waiting], [], [],
                                  None if waiting else QUIET_S)[0]
            if sys.stdin in ready:
                waiting = []
            if s in ready:
                ear.hear(s.recv(1 << 18))
            elif not waiting:
                break
        stats = s.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
    return ear.sum_up(struct.unpack('II', stats)[1])


if __name__ == '__main__':
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # the terminal's ^C
    print(json.dumps(listen(sys.argv[1])._asdict()))
