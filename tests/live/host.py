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
MNT_DETACH = 2                  # sys/mount.h
LISTEN = '0A'                   # in /proc/net/tcp: net/tcp_states.h


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


def ip_all(netns, *lines):
    """One process for all of them."""
    subprocess.run(['ip', '-n', netns, '-batch', '-'], check=True, text=True,
                   input='\n'.join(lines), timeout=30)


def processes_in(name):
    """The pids of all that runs in a namespace, whoever started it."""
    try:
        wanted = os.stat(NETNS / name)
    except FileNotFoundError:
        return []
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError):      # it ended
            if os.path.samestat(os.stat(f'/proc/{pid}/ns/net'), wanted):
                found.append(int(pid))
    return found


def remove_namespace(name):
    """As `ip netns del`; another worker may do so, too."""
    path = NETNS / name
    if path.exists():
        libc.umount2(os.fsencode(path), MNT_DETACH)
        path.unlink(missing_ok=True)


def empty_namespace(lab, name):
    """All processes of the lab were told to end before this; one that does
    not within 10 s is a straggler, and fails the case."""
    end = time.monotonic() + 10
    while processes_in(name) and time.monotonic() < end:
        time.sleep(0.02)
    for pid in processes_in(name):
        lab.stragglers.append(f'process {pid} in {name}: {command_line(pid)}')
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def command_line(pid):
    try:
        line = Path(f'/proc/{pid}/cmdline').read_bytes()
    except OSError:
        return 'gone'
    return line.replace(b'\0', b' ').decode(errors='replace').strip()[:200]


def sockets_of(pid):
    """The inodes of a process's sockets, as /proc writes them."""
    found = set()
    with contextlib.suppress(FileNotFoundError):            # it has ended
        for fd in Path(f'/proc/{pid}/fd').iterdir():
            with contextlib.suppress(FileNotFoundError):    # it was closed
                found.update(re.findall(r'^socket:\[(\d+)\]$',
                                        os.readlink(fd)))
    return found


def make_namespace(lab, name):
    full = f'{lab.name}-{name}'
    lab.on_exit(remove_namespace, full)
    lab.on_exit(empty_namespace, lab, full)
    ip('netns', 'add', full)
    return full


class Switch:
    """What the hosts of a lab are plugged into."""

    def __init__(self, lab):
        self.netns = make_namespace(lab, 'switch')
        ip_all(self.netns, 'link add br0 type bridge', 'link set br0 up')

    def plug(self, netns, number):
        port = f'port{number}'
        ip_all(self.netns,
               f'link add {port} type veth peer name eth0 netns {netns}',
               f'link set {port} master br0 up')


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
        ip_all(self.netns, 'link set lo up',
               f'addr add {self.address}/24 dev eth0',
               f'addr add {self.migration_address}/24 dev eth0',
               'link set eth0 up')

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

    def limit(self, mbit, queue_ms=100, burst='128k'):
        """Limits what the host sends, in Mbit/s, with a queue of that length
        before it; None lifts the limit. What the burst allows is not
        delayed."""
        tc = ['ip', 'netns', 'exec', self.netns, 'tc', 'qdisc']
        if mbit is None:
            subprocess.run([*tc, 'del', 'dev', 'eth0', 'root'], check=True)
        else:
            subprocess.run([*tc, 'replace', 'dev', 'eth0', 'root', 'tbf',
                            'rate', f'{mbit}mbit', 'burst', burst,
                            'latency', f'{queue_ms}ms'], check=True, timeout=30)

    def lose_large(self, above=1000):
        """Packets of more bytes are sent and never arrive, and nobody is told:
        an MTU black hole."""
        subprocess.run(
            ['ip', 'netns', 'exec', self.netns, 'nft', '-f', '-'],
            input='table inet large { chain out { type filter hook output '
                  f'priority 0; meta length > {above} drop; }}; }}',
            check=True, timeout=30, text=True)

    def listening(self, pid=None):
        """The TCP ports somebody (or one process) listens on here."""
        with self.entered():
            table = Path('/proc/thread-self/net/tcp').read_text() + \
                Path('/proc/thread-self/net/tcp6').read_text()
        rows = [line.split() for line in table.splitlines()]
        ports = {row[9]: int(row[1].rpartition(':')[2], 16) for row in rows
                 if len(row) > 9 and row[3] == LISTEN}
        if pid is not None:
            held = sockets_of(pid)
            ports = {i: port for i, port in ports.items() if i in held}
        return sorted(set(ports.values()))

    @contextlib.contextmanager
    def entered(self):
        """This thread is on the host."""
        with open('/proc/thread-self/ns/net', 'rb') as here, \
                open(self.netns_path, 'rb') as there:
            enter_namespace(there)
            try:
                yield
            finally:
                enter_namespace(here)

    def socket(self):
        """A TCP socket as a process on this host has it: what it connects
        to or listens at is seen from here."""
        with self.entered():
            return socket.socket()
