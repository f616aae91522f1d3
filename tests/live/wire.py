"""What somebody hears who listens on the wire.

Wire(lab, host) listens at that host's port of the switch until heard() is
called. It is a process of its own, so that it disturbs no clock here.
"""

import json
import signal
import socket
import struct
import subprocess
import sys
from typing import NamedTuple

# What the guest's disk and the guest's memory are full of.
RECORD = b'QMRECORD'
KERNEL = b'Linux version '

TLS_HANDSHAKE = b'\x16\x03'
PACKET_STATISTICS = 6
SOL_PACKET = 263
SO_RCVBUFFORCE = 33


class Heard(NamedTuple):
    bytes: int                  # of TCP payload
    dropped: int                # packets that came too fast to be heard
    connections: dict           # {'address:port': those opened to it}
    clear: list                 # of them, where no TLS was begun
    records: int                # packets with the guest's records in clear
    kernel: int                 # packets with its kernel in clear


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
    """((source, port, destination, port), payload) of a TCP segment."""
    if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
        return None, b''
    head = (packet[0] & 15) * 4
    ports = struct.unpack_from('!HH', packet, head)
    flow = (socket.inet_ntoa(packet[12:16]), ports[0],
            socket.inet_ntoa(packet[16:20]), ports[1])
    return flow, packet[head + (packet[head + 12] >> 4) * 4:]


class Ear:
    def __init__(self):
        self.heard = dict(bytes=0, dropped=0, connections={}, clear=[],
                          records=0, kernel=0)
        self.first = {}         # flow: its first payload came from it
        self.secure = set()     # flows in which a TLS handshake was begun

    def hear(self, packet):
        flow, payload = split(packet)
        if not payload:
            return
        self.heard['bytes'] += len(payload)
        self.heard['records'] += RECORD in payload
        self.heard['kernel'] += KERNEL in payload
        if flow not in self.first:
            self.first[flow] = payload[:4]
        if payload.startswith(TLS_HANDSHAKE):
            self.secure.add(flow)

    def sum_up(self):
        """The side with the lower port is the one that listened. A
        connection of ssh says so."""
        for flow, begin in self.first.items():
            back = flow[2:] + flow[:2]
            if flow[3] > flow[1] and back in self.first:
                continue
            if begin == b'SSH-':
                continue
            name = f'{flow[2]}:{flow[3]}'
            seen = self.heard['connections']
            seen[name] = seen.get(name, 0) + 1
            if flow not in self.secure:
                self.heard['clear'].append(name)
        return self.heard


def main():
    ear = Ear()
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # the terminal's ^C
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                       socket.htons(3)) as s:
        s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
        s.bind((sys.argv[1], 3))
        s.settimeout(0.2)
        print('listening', flush=True)
        over = [False]
        import threading
        threading.Thread(target=lambda: (sys.stdin.read(1),
                                         over.__setitem__(0, True)),
                         daemon=True).start()
        while True:
            try:
                ear.hear(s.recv(1 << 18))
            except socket.timeout:
                if over[0]:
                    break
        raw = s.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        ear.heard['dropped'] = struct.unpack('II', raw)[1]
    print(json.dumps(ear.sum_up()))


if __name__ == '__main__':
    main()
