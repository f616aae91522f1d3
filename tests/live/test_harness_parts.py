"""The harness proves itself: what the labs, links and files of a case do."""

import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

import host
import lab as lab_module
from engine import Engine
from host import processes_in
from qemu import Qemu, make_image
from qmp import LinkLost, Qmp, QmpError
from snapshot import Snapshot
from sshd import Sshd, ssh_env


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


def peer_pid(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        return struct.unpack('iii', s.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def test_proxy_rules(lab):
    qemu = Qemu(lab, lab.host('source'), live=False, paused=True,
                proxied=True)
    proxy = qemu.proxy
    assert peer_pid(qemu.address) == qemu.pid
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


def test_straggler_is_seen():
    """A process of a host that hid from everything else."""
    with lab_module.Lab() as one:
        one.run(['env', '-i', 'sh', '-c', 'sleep 60 > /dev/null 2>&1 &'],
                host=one.host('source'))
        assert lab_module.leftovers(one.name)[0].startswith('namespace')
    assert len(one.stragglers) == 1 and 'sleep 60' in one.stragglers[0]
    assert lab_module.leftovers(one.name) == []


def test_stopped_sshd_cuts_its_links(lab):
    qemu = Qemu(lab, lab.host('destination'), live=False, paused=True)
    sshd = Sshd(lab, qemu.host)
    local = lab.path('forwarded')
    ssh = lab.host('source').spawn(
        ['ssh', '-N', '-o', 'BatchMode=yes', '-L', f'{local}:{qemu.qmp}',
         'destination'], env=ssh_env(lab))
    client = Qmp(local)
    sshd.stop()
    with pytest.raises(LinkLost):
        client.cmd('query-status')
    ssh.wait(10)
    assert processes_in(qemu.host.netns) == [qemu.pid]
    client.close()


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
    assert lab.found() == ['x.c:1:2: runtime error: overflow']
    lab.forgive()


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
            ['bash', '-c', 'read -t 8 < /dev/tcp/$0/$1', b.address,
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
