"""Monitors at tls:HOST:PORT: both ends are verified, or nothing is said."""

import os
import subprocess

import pytest

from engine import Engine, run_dir
from refusals import Pair, Refusal, refuse

SOURCE, DESTINATION = 'tls:{here}:4444', 'tls:{there}:4445'
DIRS = ('--qmp-tls-dir', '{source_tls}', '--source-tls-dir', '{source_tls}',
        '--destination-tls-dir', '{destination_tls}')
FAR = ('{source}', DESTINATION)     # most faults are shown on one side


def tls_monitor(side, port, folder=None, priority='NORMAL'):
    """Options of Qemu(): one more monitor, with the side's certificate."""
    def extra(pair):
        host = pair.lab.host(side).address
        return ('-object', f'tls-creds-x509,id=mon,endpoint=server,'
                f'priority={priority},'
                f"dir={folder or pair.lab.dir / f'pki-{side}'}",
                '-chardev', f'socket,id=tls,host={host},port={port},'
                'server=on,wait=off,tls-creds=mon',
                '-mon', 'chardev=tls,mode=control')
    return {'extra': extra}


def refusal(says, hint='', **more):
    return Refusal(says, hint, **{
        'destination': tls_monitor('destination', 4445), 'peers': FAR,
        'code': 'tls', 'options': DIRS} | more)


def test_tls_monitors(lab, pki):
    """RAM and a disk move; both monitors are on the network."""
    pair = Pair(lab, pki, Refusal(
        '', source=tls_monitor('source', 4444),
        destination=tls_monitor('destination', 4445)))
    engine = pair.run(Refusal('', peers=(SOURCE, DESTINATION), options=(
        *DIRS, '--disks', 'vd0')))
    assert engine.process.returncode == 0, engine.text()
    pair.source.wait_exit()
    assert pair.destination.status() == 'running'
    assert [p.name for p in run_dir(lab).iterdir()] == []


def test_link_is_secured_again(lab, pki):
    """Both connections are cut while the disk is copied: the engine shakes
    hands anew, and goes on."""
    pair = Pair(lab, pki, Refusal(
        '', source=tls_monitor('source', 4444),
        destination=tls_monitor('destination', 4445)))
    with open(pair.source.disks[0].path, 'r+b') as image:
        image.write(os.urandom(16 << 20))
    engine = Engine(lab, 'migrate', '--json', *pair.arguments(Refusal(
        '', peers=(SOURCE, DESTINATION), options=(
            *DIRS, '--disks', 'vd0', '--disk-bandwidth', '2M'))), host=pair.source.host)
    engine.wait_event('STEP', step='mirror disks', state='begins')
    for port in 4444, 4445:
        killed = pair.source.host.run(
            ['ss', '-K', '-H', 'state', 'established', 'dport', '=',
             f':{port}'])
        assert str(port) in killed.stdout, killed
    engine.wait(60)
    assert engine.process.returncode == 0, engine.text()
    assert pair.destination.status() == 'running'


REFUSALS = {
    'other-ca': refusal(
        r'destination: the certificate of tls:\S+:4445 .*does not hold '
        r'against \S+/pki-source/ca-cert.pem', 'compare the ca-cert.pem',
        tls_variant=({}, {'ca': 'foreign'})),
    'not-let-in': refusal(
        r'destination: tls:\S+:4445 closed the connection without a greeting',
        'does it accept .*/pki-source/client-cert.pem', code='connect',
        tls_variant=({'ca': 'foreign', 'trusted_ca': 'ca'}, {})),
    'no-key': refusal(
        'destination: .*/pki-source/client-key.pem cannot be read',
        tls_variant=({'without': ('client-key',)}, {})),
    'old-tls': refusal(
        r'destination: what answers at tls:\S+:4445 speaks .* older than 1\.2',
        destination=tls_monitor('destination', 4445, priority='NORMAL:'
                                '-VERS-ALL:+VERS-TLS1.1:%COMPAT')),
    'plain': refusal(
        r'destination: what answers at tls:\S+:4445 speaks no TLS', destination={'extra': lambda pair: (
            '-chardev', f'socket,id=tls,host='
            f'{pair.lab.host("destination").address},port=4445,'
            'server=on,wait=off', '-mon', 'chardev=tls,mode=control')}),
}


@pytest.mark.parametrize('case', REFUSALS)
def test_monitor_is_not_trusted(lab, pki, case):
    pair = Pair(lab, pki, REFUSALS[case])
    refuse(pair, REFUSALS[case])


def test_certificate_of_another(lab, pki):
    folder = pki.make(lab.folder('pki-elsewhere'), ('elsewhere',))
    case = refusal(
        r'destination: the certificate of tls:\S+:4445 \(CN=elsewhere\) is '
        r'not for "10\.77\.0\.2"',
        destination=tls_monitor('destination', 4445, folder))
    refuse(Pair(lab, pki, case), case)


def test_monitor_has_a_client(lab, pki):
    """It need not even have begun to shake hands."""
    case = refusal(r'destination: the monitor at tls:\S+ did not greet within '
                   '5 s: another client holds it', 'a second monitor',
                   code='busy')
    pair = Pair(lab, pki, case)
    client = pair.source.host.spawn(
        ['bash', '-c', 'exec 3<>/dev/tcp/$0/4445 && echo there && read',
         pair.destination.host.address],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert client.stdout.readline() == b'there\n'
    refuse(pair, case)
    client.communicate(b'\n', timeout=10)
