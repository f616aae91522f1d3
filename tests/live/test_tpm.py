"""A TPM emulator's state travels in the stream: what was measured into a PCR,
and what was stored in it, is there at the destination.

No guest runs here: the registers of its TPM are written through qtest, QEMU's
own way for tests to play the CPU.
"""

import socket
import struct

import pytest

import binaries
from lab import wait_until
from refusals import Pair, Refusal

TPM = 0xfed40000
OWNER, INDEX, PCR = 0x40000001, 0x01500001, 10
SHA256 = 0x000b
ATTRIBUTES = 0x00060006         # owner and index may read and write
NO_PASSWORD = struct.pack('>IIHBH', 9, 0x40000009, 0, 0, 0)


class Qtest:
    """Reads and writes of the guest's physical memory."""

    def __init__(self, lab, path):
        self.socket = socket.socket(socket.AF_UNIX)
        lab.on_exit(self.socket.close)
        self.socket.settimeout(10)
        self.socket.connect(str(path))
        self.file = self.socket.makefile('r')

    def ask(self, line):
        self.socket.sendall(line.encode() + b'\n')
        answer = self.file.readline().split()
        assert answer[0] == 'OK', answer
        return int(answer[1], 16) if len(answer) > 1 else None

    def read(self, size, at):
        return self.ask(f'read{size} {TPM + at:#x}')

    def write(self, size, at, value):
        self.ask(f'write{size} {TPM + at:#x} {value:#x}')


def wait(fact, what):
    wait_until(fact, 10, what, 0.001)


def tis(q, command):
    """One command through the FIFO of a tpm-tis."""
    q.write('b', 0x00, 0x02)
    wait(lambda: q.read('b', 0x00) & 0x20, 'the locality is ours')
    q.write('b', 0x18, 0x40)
    wait(lambda: q.read('b', 0x18) & 0x40, 'the TPM is ready')
    for byte in command:
        q.write('b', 0x24, byte)
    q.write('b', 0x18, 0x20)
    wait(lambda: q.read('b', 0x18) & 0x90 == 0x90, 'the TPM has answered')
    answer = []
    while q.read('b', 0x18) & 0x10:
        answer.append(q.read('b', 0x24))
    q.write('b', 0x18, 0x40)
    return bytes(answer)


def crb(q, command):
    """One command through the buffer of a tpm-crb."""
    q.write('l', 0x08, 1)
    wait(lambda: q.read('l', 0x0c) & 1, 'the locality is ours')
    q.write('l', 0x40, 1)
    wait(lambda: not q.read('l', 0x40) & 1, 'the TPM is ready')
    for n, byte in enumerate(command):
        q.write('b', 0x80 + n, byte)
    q.write('l', 0x4c, 1)
    wait(lambda: not q.read('l', 0x4c) & 1, 'the TPM has answered')
    size = int.from_bytes(bytes(q.read('b', 0x82 + n) for n in range(4)),
                          'big')
    return bytes(q.read('b', 0x80 + n) for n in range(size))


def tpm(send, q, code, body, sessions=False):
    """One TPM 2.0 command; its answer, which must be a success."""
    command = struct.pack('>HII', 0x8002 if sessions else 0x8001,
                          10 + len(body), code) + body
    answer = send(q, command)
    assert struct.unpack('>I', answer[6:10]) == (0,), answer.hex()
    return answer


def fill(send, q):
    """As a firmware begins; then measure something, and store something."""
    tpm(send, q, 0x144, struct.pack('>H', 0))
    tpm(send, q, 0x182, struct.pack('>I', PCR) + NO_PASSWORD +
        struct.pack('>IH', 1, SHA256) + bytes(range(32)), True)
    public = struct.pack('>IHIHH', INDEX, SHA256, ATTRIBUTES, 0, 8)
    tpm(send, q, 0x12a, struct.pack('>I', OWNER) + NO_PASSWORD +
        struct.pack('>HH', 0, len(public)) + public, True)
    tpm(send, q, 0x137, struct.pack('>II', OWNER, INDEX) + NO_PASSWORD +
        struct.pack('>H', 8) + b'moved it' + struct.pack('>H', 0), True)


def look(send, q):
    """The PCR and the index."""
    pcr = tpm(send, q, 0x17e, struct.pack('>IHB3B', 1, SHA256, 3, 0, 4, 0))
    stored = tpm(send, q, 0x14e, struct.pack('>II', OWNER, INDEX) +
                 NO_PASSWORD + struct.pack('>HH', 8, 0), True)
    return pcr, stored


def with_tpm(name, model):
    """A QEMU with a TPM emulator of its own."""
    def extra(pair):
        folder = pair.lab.folder(f'tpm-{name}')
        pair.lab.spawn(['swtpm', 'socket', '--tpm2', '--tpmstate',
                        f'dir={folder}', '--ctrl',
                        f'type=unixio,path={folder}/ctrl', '--flags',
                        'startup-clear'])
        wait_until((folder / 'ctrl').exists, 10, 'the TPM emulator is there')
        return ('-chardev', f'socket,id=tpmc,path={folder}/ctrl', '-tpmdev',
                'emulator,id=tpm0,chardev=tpmc', '-device',
                f'{model},tpmdev=tpm0', '-qtest',
                f'unix:{folder}/qtest,server=on,wait=off', '-qtest-log',
                '/dev/null')
    return {'extra': extra}


CASES = {
    'tis': (binaries.system, 'tpm-tis', tis),
    'crb': (binaries.qemu10, 'tpm-crb', crb),
}


@pytest.mark.parametrize('name', [
    pytest.param(n, marks=() if n == 'crb' else pytest.mark.long)
    for n in CASES])
def test_state_travels(lab, pki, name):
    binary, model, send = CASES[name]
    how = Refusal('', both={'disks': [], 'binary': lambda pair: binary(),
                            'paused': True},
                  source=with_tpm('source', model),
                  destination=with_tpm('destination', model))
    pair = Pair(lab, pki, how)
    here = Qtest(lab, lab.dir / 'tpm-source' / 'qtest')
    fill(send, here)
    before = look(send, here)
    assert b'moved it' in before[1]
    engine = pair.run(how)
    assert engine.process.returncode == 0, engine.text()
    there = Qtest(lab, lab.dir / 'tpm-destination' / 'qtest')
    assert look(send, there) == before
