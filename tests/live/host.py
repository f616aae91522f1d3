"""Hosts: network namespaces on a switch of their own.

Addresses are the same in every lab, since no lab sees another one: host N is
10.77.0.N, and 10.78.0.N on a second network over the same wire (the migration
network). Nothing leads out of a lab.
"""

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

NETNS = Path('/run/netns')

libc = ctypes.CDLL(None, use_errno=True)


def list_namespaces(prefix):
    try:
        return sorted(n for n in os.listdir(NETNS) if n.startswith(prefix))
    except FileNotFoundError:
        return []


def enter_namespace(file):
    """For this thread alone."""
    if libc.setns(file.fileno(), 0) != 0:
        raise OSError(ctypes.get_errno(), 'setns')


def ip(*args):
    subprocess.run(['ip', *args], check=True, stdin=subprocess.DEVNULL,
                   timeout=30)


def processes_in(name):
    """The pids of all that runs in a namespace, whoever started it."""
    out = subprocess.run(['ip', 'netns', 'pids', name], check=False, text=True,
                         stdout=subprocess.PIPE, timeout=30).stdout
    return [int(pid) for pid in out.split()]


def remove_namespace(name):
    if (NETNS / name).exists():
        ip('netns', 'del', name)


def empty_namespace(lab, name):
    """All processes of the lab were told to end before this; one that does
    not within 2 s is a straggler, and fails the case."""
    end = time.monotonic() + 2
    while (pids := processes_in(name)) and time.monotonic() < end:
        time.sleep(0.02)
    for pid in pids:
        lab.stragglers.append(f'process {pid} in {name}: {command_line(pid)}')
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def command_line(pid):
    try:
        line = Path(f'/proc/{pid}/cmdline').read_bytes()
    except OSError:
        return 'gone'
    return line.replace(b'\0', b' ').decode(errors='replace').strip()[:200]


def make_namespace(lab, name):
    full = f'{lab.name}-{name}'
    lab.on_exit(remove_namespace, full)
    lab.on_exit(empty_namespace, lab, full)
    ip('netns', 'add', full)
    ip('-n', full, 'link', 'set', 'lo', 'up')
    return full


class Switch:
    """What the hosts of a lab are plugged into."""

    def __init__(self, lab):
        self.netns = make_namespace(lab, 'switch')
        ip('-n', self.netns, 'link', 'add', 'br0', 'type', 'bridge')
        ip('-n', self.netns, 'link', 'set', 'br0', 'up')

    def plug(self, netns, number):
        ip('-n', self.netns, 'link', 'add', f'port{number}',
           'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns)
        ip('-n', self.netns, 'link', 'set', f'port{number}',
           'master', 'br0', 'up')


class Host:
    """address: where other hosts reach it; migration_address: the same on
    the second network."""

    def __init__(self, lab, switch, name, number):
        self.lab = lab
        self.name = name
        self.number = number
        self.switch = switch
        self.address = f'10.77.0.{number}'
        self.migration_address = f'10.78.0.{number}'
        self.netns = make_namespace(lab, name)
        self.netns_path = NETNS / self.netns
        switch.plug(self.netns, number)
        for address in (self.address, self.migration_address):
            ip('-n', self.netns, 'addr', 'add', f'{address}/24', 'dev', 'eth0')
        ip('-n', self.netns, 'link', 'set', 'eth0', 'up')

    def spawn(self, argv, **kwargs):
        return self.lab.spawn(argv, host=self, **kwargs)

    def run(self, argv, **kwargs):
        return self.lab.run(argv, host=self, **kwargs)

    def cut(self):
        """From now on nothing arrives, and nobody is told."""
        self._port_state(0)

    def mend(self):
        self._port_state(3)

    def _port_state(self, state):
        subprocess.run(['ip', 'netns', 'exec', self.switch.netns, 'bridge',
                        'link', 'set', 'dev', f'port{self.number}',
                        'state', str(state)], check=True, timeout=30)

    def limit(self, mbit, queue_ms=100):
        """Limits what the host sends, in Mbit/s, with a queue of that length
        before it; None lifts the limit."""
        tc = ['ip', 'netns', 'exec', self.netns, 'tc', 'qdisc']
        if mbit is None:
            subprocess.run([*tc, 'del', 'dev', 'eth0', 'root'], check=True)
        else:
            subprocess.run([*tc, 'replace', 'dev', 'eth0', 'root', 'tbf',
                            'rate', f'{mbit}mbit', 'burst', '128k',
                            'latency', f'{queue_ms}ms'], check=True, timeout=30)

    def listening(self, pid=None):
        """The TCP ports somebody (or one process) listens on here."""
        out = subprocess.run(
            ['nsenter', f'--net={self.netns_path}', 'ss', '-Hltnp'],
            check=True, capture_output=True, text=True, timeout=30).stdout
        ports = set()
        for line in out.splitlines():
            if pid is None or re.search(rf'pid={pid}\b', line):
                ports.add(int(line.split()[3].rpartition(':')[2]))
        return sorted(ports)

    def socket(self):
        """A TCP socket as a process on this host has it: what it connects
        to or listens at is seen from here."""
        with open('/proc/thread-self/ns/net', 'rb') as here, \
                open(self.netns_path, 'rb') as there:
            enter_namespace(there)
            try:
                return socket.socket()
            finally:
                enter_namespace(here)
