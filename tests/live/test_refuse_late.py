"""Refused by QEMU or the network, after preflight found nothing: undone, the
destination goes on waiting, and takes the guest once the cause is gone."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Callable

import pytest

from engine import state_dir
from refusals import Pair, Refusal, nothing, state_of, unlike

PORTS = '50000-50003'


@dataclass(frozen=True)
class Late:
    step: str                       # the row that fails
    says: str
    hint: str = ''
    options: tuple = ()             # of the engine
    spoil: Callable = nothing       # called with the pair
    mend: Callable = nothing


def hide(side, name):
    """A file that nobody can read is a folder here: the tests are root."""
    def spoil(pair):
        path = pair.tls[side] / name
        path.rename(path.with_suffix('.hidden'))
        path.mkdir()
    return spoil


def show(side, name):
    def mend(pair):
        path = pair.tls[side] / name
        path.rmdir()
        path.with_suffix('.hidden').rename(path)
    return mend


LISTEN = """
import socket, sys
held = [socket.create_server((sys.argv[1], int(p))) for p in sys.argv[2:]]
print(flush=True)
sys.stdin.read()
"""


def take_ports(pair):
    pair.taker = pair.destination.host.spawn(
        [sys.executable, '-c', LISTEN, pair.words['there'],
         *range(50000, 50004)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE)
    pair.taker.stdout.readline()


def free_ports(pair):
    pair.taker.stdin.close()
    pair.taker.wait(10)


def start_server(pair):
    pair.destination.spy.cmd('nbd-server-start', addr={
        'type': 'inet', 'data': {'host': pair.words['there'],
                                 'port': '49999'}})


def stop_server(pair):
    pair.destination.spy.cmd('nbd-server-stop')


CASES = {
    'server-certificate-unreadable': Late(
        'install credentials', 'destination.*server-cert.pem',
        'destination QEMU must be able to read',
        spoil=hide(1, 'server-cert.pem'), mend=show(1, 'server-cert.pem')),
    'client-key-unreadable': Late(
        'install credentials', 'source.*client-key.pem',
        'source QEMU must be able to read',
        spoil=hide(0, 'client-key.pem'), mend=show(0, 'client-key.pem')),
    'foreign-nbd-server': Late(
        'export disks', 'NBD server already running',
        'nbd-server-stop at the destination', spoil=start_server,
        mend=stop_server),
    'ports-taken': Late(
        'export disks', PORTS, '--ports', options=('--ports', PORTS),
        spoil=take_ports, mend=free_ports),
    'listens-elsewhere': Late(
        'probe exports', '10.78.0.2 port 49152: Connection refused',
        "source's host must reach 10.78.0.2 port 49152.*--address",
        options=('--address', '10.78.0.2', '--bind', '10.77.0.2')),
    'silent-network': Late(
        'probe exports', 'cannot connect to 10.77.0.2 port 49152: No route',
        'is a firewall between',
        spoil=lambda pair: pair.destination.host.cut(),
        mend=lambda pair: pair.destination.host.mend()),
}


@pytest.mark.parametrize('late', CASES.values(), ids=CASES)
def test_late(lab, pki, late):
    pair = Pair(lab, pki)
    late.spoil(pair)
    before = state_of(pair)
    engine = pair.run(Refusal('', options=late.options))
    result = engine.result()
    assert engine.process.returncode == 4, engine.text()
    assert (result['outcome'], result['guest']) == ('failed', 'source')
    assert result['left'] == []
    message = result['error']['message']
    assert message.startswith(late.step + ': '), message
    assert re.search(late.says, message), message
    hint = result['error'].get('hint', '')
    assert re.search(late.hint, hint), hint
    assert 'fresh destination' not in hint
    assert unlike(pair, before) == []
    late.mend(pair)
    shutil.rmtree(state_dir(lab))       # of journals; looked at elsewhere
    engine = pair.run(Refusal(''))
    assert engine.process.returncode == 0, engine.text()
    pair.source.wait_exit()
    assert pair.destination.status() == 'running'
