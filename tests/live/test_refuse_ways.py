"""Refused for how the two are reached: monitors, addresses, certificates,
names, and what is in the way on this machine."""

import fcntl
import os
import socket
import subprocess
from pathlib import Path

import pytest

from engine import run_dir, state_dir
from lab import wait_until
from pki import FILES
from qmp import Qmp
from refusals import (USAGE, Pair, Refusal, refuse, run_case,
                      spoil_file)


# ---- what is done to a pair ----

def second_monitor(mode):
    return {'extra': lambda pair: (
        '-chardev', f'socket,id=second,path={pair.lab.dir}/second,'
        'server=on,wait=off', '-mon', f'chardev=second,mode={mode}')}


def hold_monitor(qemu):
    holder = Qmp(qemu.qmp)
    qemu.lab.on_exit(holder.close)


def abandon_socket(pair):
    """A socket whose QEMU has ended."""
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(f'{pair.lab.dir}/abandoned')
        s.listen()


def link_to_source(pair):
    (pair.lab.dir / 'link').symlink_to(pair.source.qmp)


def leave_journal(pair):
    state_dir(pair.lab).mkdir(mode=0o700)
    path = state_dir(pair.lab) / 'theirs.journal'
    path.write_text('{"qmigrate-journal":1,"name":"theirs",'
                    '"source":{},"destination":{}}\n')
    return path


def hold(pair, path):
    """As a process that is at work there."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    pair.lab.on_exit(os.close, fd)
    fcntl.flock(fd, fcntl.LOCK_EX)


def hold_lock(pair, side):
    """The lock that an engine at work on that QEMU has."""
    pid = pair.qemus[side].pid
    stat = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    boot = Path('/proc/sys/kernel/random/boot_id').read_text()[:8]
    run_dir(pair.lab).mkdir(mode=0o700, exist_ok=True)
    hold(pair, run_dir(pair.lab) / f'qemu-{boot}-{pid}-{stat[19]}.lock')


def read_only_state(pair):
    path = state_dir(pair.lab)
    path.mkdir(mode=0o700)
    pair.lab.on_exit(subprocess.run, ['umount', path], check=True)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'ro,mode=0700', 'none',
                    path], check=True)


MONITORS = {
    'source-busy': Refusal(
        'source: the monitor at .*/qmp did not greet within 5 s: another '
        'client holds it', 'end that client.*-qmp unix:', code='busy',
        spoil=lambda pair: hold_monitor(pair.source)),
    'destination-busy': Refusal(
        'destination: the monitor at .*/qmp did not greet', 'end that client',
        code='busy', spoil=lambda pair: hold_monitor(pair.destination)),
    'no-socket': Refusal(
        'source: cannot connect to .*/none: No such file',
        'start QEMU with -qmp unix:', code='connect',
        peers=('{lab}/none', '{destination}')),
    'no-socket-there': Refusal(
        'destination: cannot connect to unix:.*/none: No such file',
        'start QEMU with -qmp unix:', code='connect',
        peers=('{source}', 'unix:{lab}/none')),
    'abandoned': Refusal(
        'source: cannot connect to .*/abandoned: Connection refused',
        'has the QEMU behind it ended', code='connect',
        peers=('{lab}/abandoned', '{destination}'), spoil=abandon_socket),
    'a-folder': Refusal(
        'source: .* is a folder, not a QMP socket', 'the path of the socket',
        code='connect', peers=('{lab}', '{destination}')),
    'not-qmp': Refusal(
        'source: what answers at .*/second is not a QMP monitor',
        'monitor for people', code='protocol',
        source=second_monitor('readline'),
        peers=('{lab}/second', '{destination}')),
    'hangs-up': Refusal(
        'destination: .* closed the connection without a greeting', '',
        code='connect', destination={'proxied': True},
        spoil=lambda pair: pair.destination.proxy.refuse()),
    'tcp-in-vain': Refusal(
        'destination: cannot connect to tcp:127.0.0.1:9: Connection refused',
        '', code='connect', peers=('{source}', 'tcp:127.0.0.1:9')),
    'same-words': Refusal(
        'source and destination are the same monitor', '', exit=USAGE,
        peers=('{source}', '{source}')),
    'same-path': Refusal(
        'source and destination are the same QEMU', 'second QEMU',
        peers=('{source}', 'unix:{source}')),
    'same-qemu': Refusal(
        'source and destination are the same QEMU',
        'second QEMU.*-incoming defer', source=second_monitor('control'),
        peers=('{source}', '{lab}/second')),
    'same-by-symlink': Refusal(
        'source and destination are the same QEMU', 'second QEMU',
        peers=('{source}', '{lab}/link'), spoil=link_to_source),
}

ADDRESSES = {
    'wildcard': Refusal(
        '0.0.0.0 is not an address that a source could connect to',
        "one address of the destination's host", ('address',),
        options=('--address', '0.0.0.0', '--tls-hostname', 'destination')),
    'wildcard-bind': Refusal(
        '--bind 0.0.0.0 would listen on every network', 'give --bind one',
        ('address',), options=('--bind', '0.0.0.0')),
    'wildcard-bind-v6': Refusal(
        '--bind :: would listen on every network', 'give --bind one',
        ('address',), options=('--bind', '::')),
    'unknown-host': Refusal(
        'no address at which the source could reach the destination: cannot '
        'find the address of host nowhere.invalid', 'give it with --address',
        ('address',),
        options=('--address', 'nowhere.invalid', '--tls-hostname',
                 'destination')),
    'unknown-bind': Refusal(
        'no address for the destination to listen on: cannot find the '
        'address of host nowhere.invalid', 'give it with --bind',
        ('address',), options=('--bind', 'nowhere.invalid')),
    'bind-here': Refusal(
        'who connects to 10.77.0.2 cannot reach what listens on 127.0.0.1',
        'of the same network', ('address',),
        options=('--bind', '127.0.0.1')),
    'bind-of-another-family': Refusal(
        'who connects to 10.77.0.2 cannot reach what listens on fe80::1',
        'of the same network', ('address',), options=('--bind', 'fe80::1')),
    'no-zone': Refusal(
        'the address fe80::1 means nothing without an interface', 'routed',
        ('address',),
        options=('--address', 'fe80::1', '--tls-hostname', 'destination')),
    'not-its-address': Refusal(
        "10.77.0.99 is not an address of the destination's host, which cannot",
        'give --bind one that it has', ('address',),
        options=('--bind', '10.77.0.99')),
    'not-its-v6-address': Refusal(
        "fd00::99 is not an address of the destination's host, which cannot",
        'give --bind one that it has', ('address',),
        options=('--address', 'fd00::99', '--tls-hostname', 'destination')),
    'of-the-source': Refusal(
        "10.77.0.1 is not an address of the destination's host, which cannot",
        'give --bind one that it has', ('address',),
        options=('--address', '10.77.0.1', '--tls-hostname', 'destination')),
    'clear-monitor': Refusal(
        'destination: the connection to tcp:10.77.0.2:4444 would not be '
        'encrypted',
        'ssh://HOST/PATH', exit=USAGE,
        peers=('{source}', 'tcp:10.77.0.2:4444')),
}

TLS = {
    'empty': Refusal(
        'source: .*/ca-cert.pem is missing.*and 2 more reasons',
        'certificate of the CA', ('tls',),
        tls_variant=({'without': FILES}, {})),
    'no-folder': Refusal(
        'destination: /nowhere/ca-cert.pem is missing', '', ('tls',),
        options=('--source-tls-dir', '{source_tls}',
                 '--destination-tls-dir', '/nowhere')),
    'no-server-key': Refusal(
        'destination: .*/server-key.pem is missing', 'server certificate',
        ('tls',), tls_variant=({}, {'without': ('server-key',)})),
    'no-client-certificate': Refusal(
        'source: .*/client-cert.pem is missing', 'client certificate',
        ('tls',), tls_variant=({'without': ('client-cert',)}, {})),
    'another-ca-there': Refusal(
        "the source's .*/client-cert.pem .*does not hold against the "
        "destination's .*/ca-cert.pem .*other of the tests.*the CA that "
        'signed it is not there', 'append the certificate of the CA',
        ('tls',), tls_variant=({}, {'ca': 'other'})),
    'not-its-ca': Refusal(
        'destination: .*/server-cert.pem .*does not hold against', '',
        ('tls',), tls_variant=({}, {'trusted_ca': 'other'})),
    'expired-there': Refusal(
        r'destination: .*/server-cert.pem \(CN=destination\) expired on '
        '2021-01-01', 'new certificate', ('tls',),
        tls_variant=({}, {'expired': True})),
    'expired-here': Refusal(
        r'source: .*/client-cert.pem \(CN=source\) expired on 2021-01-01',
        'new certificate', ('tls',), tls_variant=({'expired': True}, {})),
    'wrong-key': Refusal(
        'destination: .*/server-key.pem is not the key of .*server-cert',
        'made with', ('tls',), tls_variant=({}, {'wrong_key': True})),
    'wrong-name': Refusal(
        'destination: .*/server-cert.pem is not for "elsewhere": it carries '
        'destination, destination.example, 10.77.0.2 and 10.78.0.2',
        '--tls-hostname', ('tls',), options=('--tls-hostname', 'elsewhere')),
    'no-pem': Refusal(
        'source: .*/client-cert.pem is not a certificate in PEM',
        'certtool -i', ('tls',),
        spoil=spoil_file(0, 'client-cert.pem', 'nonsense\n')),
    'empty-key': Refusal(
        'destination: .*/server-key.pem is not a private key in PEM',
        'certtool -k', ('tls',), spoil=spoil_file(1, 'server-key.pem', '')),
    'relative-folder': Refusal(
        "the source's TLS directory 'pki' is not an absolute path", '',
        exit=USAGE, options=('--tls-dir', 'pki')),
}

HERE = {
    'name': Refusal(
        "--name 'a/b' is not a valid name", '1 to 48 of the characters',
        exit=USAGE, options=('--name', 'a/b')),
    "guest's-name": Refusal(
        "the guest's name 'my guest' cannot name a migration",
        'give one with --name', both={'name': 'my guest'}),
    'name-left': Refusal(
        "an earlier migration named 'theirs' did not finish: .*theirs.journal",
        '`qmigrate recover theirs` finishes or undoes it', options=('--name', 'theirs'), spoil=leave_journal),
    'name-taken': Refusal(
        "a migration named 'theirs' is under way on this machine",
        'another name with --name', options=('--name', 'theirs'),
        spoil=lambda pair: hold(pair, leave_journal(pair))),
    'source-locked': Refusal(
        r'source: another qmigrate is at work on this QEMU \(pid \d+\)',
        'wait for it', code='busy', spoil=lambda pair: hold_lock(pair, 0)),
    'destination-locked': Refusal(
        'destination: another qmigrate is at work on this QEMU',
        'wait for it', code='busy', spoil=lambda pair: hold_lock(pair, 1)),
    "state-not-one's-own": Refusal(
        'connect: /var/lib/qmigrate is not a directory of mode '
        '0700', 'look who made it', code='system',
        spoil=lambda pair: state_dir(pair.lab).mkdir(mode=0o755)),
    "run-not-one's-own": Refusal(
        'connect: /run/qmigrate is not a directory of mode 0700',
        'look who made it', code='system',
        spoil=lambda pair: run_dir(pair.lab).mkdir(mode=0o755)),
    'state-read-only': Refusal(
        'create /var/lib/qmigrate/guest.qm-.*.new: Read-only file system', '',
        code='system', spoil=read_only_state),
    'ports-too-few': Refusal(
        '--ports 50000-50000: a guest needs 2', '', exit=USAGE,
        options=('--ports', '50000-50000')),
}


@pytest.mark.parametrize('refusal', MONITORS.values(), ids=MONITORS)
def test_monitor(lab, pki, refusal):
    run_case(lab, pki, refusal)


@pytest.mark.parametrize('refusal', ADDRESSES.values(), ids=ADDRESSES)
def test_address(lab, pki, refusal):
    run_case(lab, pki, refusal)


@pytest.mark.parametrize('refusal', TLS.values(), ids=TLS)
def test_tls(lab, pki, refusal):
    run_case(lab, pki, refusal)


@pytest.mark.parametrize('refusal', HERE.values(), ids=HERE)
def test_here(lab, pki, refusal):
    run_case(lab, pki, refusal)


def test_refused_often_and_then_moved(lab, pki):
    """One pair, refused for many reasons: it still waits, and is moved."""
    pair = Pair(lab, pki)
    for name in ('wildcard', 'bind-here', 'unknown-host'):
        refuse(pair, ADDRESSES[name])
    for name in ('wrong-name', 'no-folder'):
        refuse(pair, TLS[name])
    refuse(pair, MONITORS['no-socket'])
    refuse(pair, HERE['name'])
    assert pair.destination.status() == 'inmigrate'
    engine = pair.run(Refusal(''))
    assert engine.process.returncode == 0, engine.text()
    assert pair.destination.status() == 'running'
    wait_until(lambda: not pair.source.is_alive(), 10, 'the source ends')
