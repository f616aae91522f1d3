"""The harness proves itself, with a migration that is not the engine's.

Half of the cases show that it sees what must be seen: a record that is
missing, a gap, a page that is wrong, two guests.
"""

import socket
import subprocess
import threading
import time
from typing import NamedTuple

import pytest

import binaries
import records
import reference
from guest import Guest
from qemu import Qemu, make_image, make_pair


class Move(NamedTuple):
    """One reference migration."""
    formats: tuple = ('raw',)
    channels: int = 0
    tls: bool = True
    mem_rate: int = 20
    disk_rate: int = 100


MOVES = {
    'tls-raw': Move(),
    'tls-qcow2': Move(formats=('qcow2',)),
    'tls-two-disks-multifd': Move(formats=('raw', 'qcow2'), channels=2),
    'clear-no-disks': Move(formats=(), tls=False),
}


@pytest.mark.sample(4)
@pytest.mark.parametrize('move', MOVES.values(), ids=MOVES)
def test_reference_migration(lab, pki, move):
    source, destination = make_pair(lab, move.formats)
    guest = Guest(source).wait_ready()
    guest.load(move.mem_rate, 8, move.disk_rate)
    guest.follow(destination)
    tls = None
    if move.tls:
        tls = [pki.for_host(lab.folder(f'pki-{h.name}'), h)
               for h in (source.host, destination.host)]
    if move.formats:
        guest.wait_acks(100)

    result = reference.migrate(source, destination, tls=tls,
                               disks=range(len(move.formats)),
                               channels=move.channels)

    guest.wait_alive(destination)
    destination.quit()
    blackout = guest.handover()[0]
    print(f'\n{result} blackout {blackout:.1f} ms, '
          f'acknowledged {[len(a) for a in guest.acks().values()]}')
    assert guest.faults() == []
    assert records.missing_records(guest, destination.disks) == []
    assert blackout < 5000
    assert blackout > result.stopped_ms * 0.5
    if move.formats:
        stale = records.missing_records(guest, source.disks)
        assert stale, 'the guest wrote on at the destination'


@pytest.mark.sample(2)
@pytest.mark.parametrize('format', ['raw', 'qcow2'])
def test_checker_sees_destroyed_record(lab, format):
    """One byte of one record, and one record that became an older one."""
    image = make_image(lab, 'disk', format)
    qemu = Qemu(lab, lab.host('source'), [image])
    guest = Guest(qemu).wait_ready().load(disk_rate=200)
    guest.wait_acks(60)
    qemu.quit()
    assert records.missing_records(guest, [image]) == []

    victim = guest.acks()[0][10]
    blocks, slots = guest.geometry()[0]
    at = victim % slots * (blocks // slots) * records.BLOCK
    subprocess.run(['qemu-io', '-f', format, '-c', f'write -P 7 {at + 3000} 1',
                    image.path], check=True, stdout=subprocess.DEVNULL)
    missing = records.missing_records(guest, [image])
    assert [m.seq for m in missing] == [victim]

    subprocess.run(['qemu-io', '-f', format, '-c', f'write -z {at} 4096',
                    image.path], check=True, stdout=subprocess.DEVNULL)
    assert records.missing_records(guest, [image]) == \
        [records.Missing(0, victim, 'zeroes')]


@pytest.mark.long
def test_stopped_guest_moves_between_72(lab, pki):
    """7.2 under TCG is not to be trusted with a guest that runs: it is
    stopped first, moves with its disk, and goes on at the end."""
    source, destination = make_pair(lab, binary=binaries.system())
    guest = Guest(source).wait_ready().load(disk_rate=100)
    guest.wait_acks(50)
    source.spy.cmd('stop')
    guest.follow(destination)
    tls = [pki.for_host(lab.folder('pki'), destination.host)] * 2
    reference.migrate(source, destination, tls=tls, disks=[0], resume=False)
    assert destination.status() == 'paused'
    assert records.missing_records(guest, destination.disks) == []
    destination.spy.cmd('cont')
    guest.wait_alive(destination)
    assert guest.faults() == []


def test_observer_sees_stopped_guest(lab):
    qemu = Qemu(lab, lab.host('source'))
    guest = Guest(qemu).wait_ready()
    began = time.monotonic()
    qemu.spy.cmd('stop')
    threading.Event().wait(2)
    continued = time.monotonic()
    qemu.spy.cmd('cont')
    guest.wait_alive()
    assert guest.blackout(since=began - 1) >= 1800
    assert guest.blackout(since=continued + 0.1) < 1800
    assert guest.faults() == []


def test_observer_sees_corrupt_memory(lab):
    """One byte of a page changes behind the guest's back, as a page that was
    sent stale would."""
    qemu = Qemu(lab, lab.host('source'))
    guest = Guest(qemu).wait_ready()
    guest.wait_alive()
    assert guest.faults() == []
    qemu.spy.cmd('stop')
    dump, stub = lab.path('memory'), lab.path('gdb')
    qemu.spy.cmd('pmemsave', val=0, size=128 << 20, filename=str(dump))
    at = dump.read_bytes().find(cold_page_start(8000))
    assert at > 0 and at % 4096 == 0
    write_physical(qemu, stub, at + 64, 0x5a)
    qemu.spy.cmd('cont')
    guest.wait_alive()
    assert any(f.startswith('x 8000 ') for f in guest.faults())


def cold_page_start(page):
    """The first word of a page that was written once (see memory.c)."""
    word = (page << 32 | 1) * 0x9e3779b97f4a7c15 % 2 ** 64
    return word.to_bytes(8, 'little')


def write_physical(qemu, path, address, value):
    """One byte of the guest's memory, through QEMU's gdb server."""
    qemu.spy.cmd('human-monitor-command', command_line=
                 f'gdbserver unix:{path},server=on,wait=off')
    with socket.socket(socket.AF_UNIX) as gdb:
        gdb.settimeout(10)
        gdb.connect(str(path))
        for packet in ('Qqemu.PhyMemMode:1', f'M{address:x},1:{value:02x}'):
            total = sum(packet.encode()) % 256
            gdb.sendall(f'${packet}#{total:02x}'.encode())
            answer = b''
            while b'#' not in answer:
                answer += gdb.recv(100)
            assert b'$OK#' in answer, (packet, answer)
            gdb.sendall(b'+')
    qemu.spy.cmd('human-monitor-command', command_line='gdbserver none')


@pytest.mark.long
def test_guest_ends_as_told(lab):
    qemu = Qemu(lab, lab.host('source'))
    recorder = qemu.recorder
    Guest(qemu).wait_ready()
    for boots, command in enumerate(('reboot', 'panic'), start=2):
        since = len(qemu.spy.events)
        qemu.tell(command)
        qemu.spy.wait_event('RESET', since=since)
        recorder.wait(lambda n=boots: recorder.text.count(b'ready ') >= n,
                      60, 'another start')
    qemu.tell('off')
    qemu.spy.wait_event('SHUTDOWN', guest=True, reason='guest-shutdown')
    qemu.wait_exit()


def test_observer_sees_two_guests(lab):
    a = Qemu(lab, lab.host('source'))
    b = Qemu(lab, lab.host('destination'))
    guest = Guest(a)
    guest.follow(b)
    for qemu in (a, b):
        Guest(qemu).wait_ready()
    a.recorder.wait(lambda: a.recorder.beats[-1] >
                    b.recorder.beats[0] + 1.2, 10, 'heartbeat')
    assert any('at once' in fault for fault in guest.faults())
