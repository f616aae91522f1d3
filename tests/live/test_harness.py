"""The harness proves itself, with a migration that is not the engine's.

Half of the cases show that it sees what must be seen: a record that is
missing, a gap, a namespace left behind.
"""

import signal
import socket
import subprocess
import threading
import time
from typing import NamedTuple

import pytest

import binaries
import host
import lab as lab_module
import records
import reference
from engine import Engine
from guest import Guest
from proxy import QmpProxy
from qemu import Qemu, make_image
from qmp import LinkLost, Qmp, QmpError
from snapshot import Snapshot
from sshd import Sshd, ssh_env


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


def make_pair(lab, formats=('raw',), **options):
    """(source, destination), each with empty images of those formats."""
    pair = []
    for name, incoming in (('source', False), ('destination', True)):
        images = [make_image(lab, f'{name}{n}', f)
                  for n, f in enumerate(formats)]
        pair.append(Qemu(lab, lab.host(name), images, incoming=incoming,
                         **options))
    return pair


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
    stopped = time.monotonic()
    threading.Event().wait(0.2)
    continued = time.monotonic()
    qemu.spy.cmd('cont')
    guest.wait_alive()
    assert guest.blackout(since=began - 1) >= (continued - stopped) * 1000 - 5
    assert guest.blackout(since=began - 1) < 2000
    assert guest.blackout(since=continued + 0.1) < 150
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
                    b.recorder.beats[0] + 0.2, 10, 'heartbeat')
    assert any('at once' in fault for fault in guest.faults())


def test_leftovers_are_seen(lab):
    """A namespace, a process and a folder that nobody removes."""
    other = lab_module.Lab()
    name = f'{other.name}-lost'
    lab.on_exit(host.remove_namespace, name)
    host.ip('netns', 'add', name)
    assert lab_module.leftovers(other.name) == [f'namespace {name}']
    process = lab.spawn(['sleep', '60'], env=other.env())
    lab_module.wait_until(
        lambda: f'process {process.pid}: sleep 60' in
        lab_module.leftovers(other.name), 10, 'the process is seen')
    with other:
        assert len(lab_module.leftovers(other.name)) == 3
    host.remove_namespace(name)
    process.kill()
    process.wait(10)
    assert lab_module.leftovers(other.name) == []


def test_broken_qemu_says_why(lab):
    began = time.monotonic()
    with pytest.raises(RuntimeError, match='no-such-device'):
        Qemu(lab, lab.host('source'), live=False,
             extra=['-device', 'no-such-device'])
    assert time.monotonic() - began < 8
    assert any('no-such-device' in text for _, text in lab.describe())


def test_lab_leaves_nothing_after_failure():
    class Oops(Exception):
        pass

    with pytest.raises(Oops), lab_module.Lab() as broken:
        qemu = Qemu(broken, broken.host('source'))
        raise Oops
    assert lab_module.leftovers(broken.name) == []
    assert not lab_module.is_running(qemu.pid)


def test_snapshot_sees_each_change(lab, pki):
    image = make_image(lab, 'disk')
    qemu = Qemu(lab, lab.host('source'), [image], live=False, paused=True)
    before = Snapshot(qemu)
    assert Snapshot(qemu) == before
    folder = pki.for_host(lab.folder('pki'), qemu.host)
    spy = qemu.spy
    spy.cmd('object-add', qom_type='tls-creds-x509', id='t', dir=str(folder),
            endpoint='server')
    spy.cmd('migrate-set-parameters', tls_creds='t')
    spy.cmd('migrate-set-capabilities', capabilities=[
        {'capability': 'events', 'state': True}])
    spy.cmd('nbd-server-start', addr={'type': 'inet', 'data': {
        'host': qemu.host.address, 'port': '49200'}})
    spy.cmd('block-export-add', type='nbd', id='e', node_name='disk0')
    parts = {line.split()[0] for line in Snapshot(qemu).diff(before)}
    assert parts == {'objects', 'parameters', 'capabilities', 'exports',
                     'listening'}


def test_proxy_rules(lab):
    qemu = Qemu(lab, lab.host('source'), live=False, paused=True)
    proxy = QmpProxy(lab, qemu.qmp)
    client = Qmp(proxy.path)
    assert client.cmd('query-status')['status'] == 'prelaunch'

    proxy.fail('query-uuid', nth=2, desc='told so')
    client.cmd('query-uuid')
    with pytest.raises(QmpError, match='told so'):
        client.cmd('query-uuid')
    client.cmd('query-uuid')

    proxy.fail('cont', passing=True)
    with pytest.raises(QmpError):
        client.cmd('cont')
    assert qemu.status() == 'running'

    hold = proxy.hold('stop')
    worker = threading.Thread(target=client.cmd, args=('stop',))
    worker.start()
    hold.wait()
    assert qemu.status() == 'running'
    assert client.oob('yank', instances=[]) == {}
    hold.release()
    worker.join(10)
    assert qemu.status() == 'paused'

    proxy.drop('cont', when='after')
    with pytest.raises(LinkLost):
        client.cmd('cont')
    assert qemu.status() == 'running'
    client.close()

    client = Qmp(proxy.path)
    proxy.drop('stop', when='before')
    with pytest.raises(LinkLost):
        client.cmd('stop')
    assert qemu.status() == 'running'
    assert proxy.names().count('stop') == 2
    client.close()


def test_sshd_forwards_socket(lab):
    """From a third host to both others, as an engine there would."""
    for name in ('source', 'destination'):
        qemu = Qemu(lab, lab.host(name), live=False, paused=True, name=name)
        Sshd(lab, qemu.host)
        local = lab.path('forwarded')
        ssh = lab.host('desk').spawn(
            ['ssh', '-N', '-o', 'BatchMode=yes', '-o', 'ControlMaster=no',
             '-L', f'{local}:{qemu.qmp}', name], env=ssh_env(lab))
        client = Qmp(local)
        assert client.cmd('query-name')['name'] == name
        client.close()
        ssh.send_signal(signal.SIGTERM)
        ssh.wait(10)


def test_orphans_are_seen(lab):
    """A child that its parent did not end, as a forgotten ssh would be."""
    lab.run(['sh', '-c', 'sleep 60 > /dev/null 2>&1 & '])
    found = lab_module.orphans(lab.name)
    assert len(found) == 1 and found[0].endswith('sleep 60')
    lab_module.end_marked(lab.name)
    lab_module.wait_until(lambda: not lab_module.orphans(lab.name), 10, 'end')


def test_engine_is_heard(lab, monkeypatch):
    script = lab.path('fake')
    script.write_text(FAKE_ENGINE)
    script.chmod(0o755)
    monkeypatch.setenv('QMIGRATE', str(script))
    engine = Engine(lab, 'migrate', host=lab.host('source'))
    engine.wait_event('PROGRESS', phase='ram')
    engine.wait_for(engine.crashes, what='crash')
    engine.interrupt()
    assert engine.wait(10) == 5
    assert engine.result() == {'outcome': 'cancelled'}
    assert engine.err.endswith('undone')
    with pytest.raises(TimeoutError):
        engine.wait_event('PROGRESS', phase='other')


FAKE_ENGINE = """#!/bin/sh
end()
{
    echo '{"event": "RESULT", "data": {"outcome": "cancelled"}}'
    echo undone >&2
    exit 5
}
trap end INT
echo '{"event": "PROGRESS", "data": {"phase": "ram"}}'
echo 'x.c:1:2: runtime error: overflow' >&2
while :; do
    sleep 0.05
done
"""


def test_cut_host_is_silent(lab):
    a, b = lab.host('source'), lab.host('destination')
    sshd = Sshd(lab, b)

    def reaches():
        return a.run(
            ['bash', '-c', 'read -t 0.5 < /dev/tcp/$0/$1', b.address,
             str(sshd.port)], check=False, timeout=10).returncode == 0

    assert reaches()
    a.limit(100)
    assert reaches()
    a.limit(None)
    b.cut()
    with pytest.raises(subprocess.TimeoutExpired):
        a.run(['bash', '-c', ': < /dev/tcp/$0/$1', b.address, str(sshd.port)],
              timeout=1)
    b.mend()
    lab_module.wait_until(reaches, 10, 'mended')


def test_certificates(lab, pki):
    """The good one is taken by QEMU, each bad one refused or different."""
    qemu = Qemu(lab, lab.host('source'), live=False, paused=True)

    def add(name, **variant):
        folder = pki.for_host(lab.folder(name), qemu.host, **variant)
        qemu.spy.cmd('object-add', qom_type='tls-creds-x509', id=name,
                     dir=str(folder), endpoint='server')

    add('good')
    for name, variant in {
            'expired': {'expired': True},
            'foreign': {'ca': 'ca', 'trusted_ca': 'other'},
            'unfit': {'wrong_key': True},
            'keyless': {'without': ('server-key',)}}.items():
        with pytest.raises(QmpError):
            add(name, **variant)
