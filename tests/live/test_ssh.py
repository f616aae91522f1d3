"""Monitors on other hosts, by a real ssh to a real sshd.

Each sshd shows a boot of its own, so that the engine takes every host for
another machine, as it would be.
"""

import os
import re
import threading
import time
import uuid
from pathlib import Path

import pytest

from cases import FAILED, LEFT_HERE, UNDECIDED, Case, Move
from engine import Engine, program, run_dir
from lab import marked_processes
from refusals import Pair, Refusal, refuse
from sshd import Sshd, make_key, ssh_env

# A stream slow enough to be met on its way: Mbit/s.
SLOW = 60


def make_sshd(lab, name, *options):
    return Sshd(lab, lab.host(name), options, boot_id=str(uuid.uuid4()))


def shells(lab):
    """The ssh processes of the lab's engines."""
    return [line for _, line in marked_processes(lab.name)
            if re.match(r'(/\S*/)?ssh ', line)]


class Journey(Move):
    """A Move whose engine runs on any host, and reaches by ssh those that
    have an sshd."""

    def __init__(self, lab, pki, case, by_ssh, where='source', fill=False):
        self.fill = fill
        self.sshd = {name: make_sshd(lab, name, 'LogLevel DEBUG1')
                     for name in by_ssh}
        self.where = where
        super().__init__(lab, pki, case)

    def _qemu(self, name, binary):
        qemu = super()._qemu(name, binary)
        if name == 'source' and self.fill:
            for image in qemu.disks:
                with open(image.path, 'r+b') as f:
                    f.seek(image.size // 2)
                    f.write(os.urandom(image.size // 2))
        return qemu

    def arguments(self):
        words = ['--tls-psk'] if self.case.psk else \
            ['--source-tls-dir', self.tls[0],
             '--destination-tls-dir', self.tls[1]]
        words += self.case.options
        for qemu in self.qemus:
            sshd = self.sshd.get(qemu.host.name)
            words.append(sshd.url + qemu.address if sshd else qemu.address)
        return words

    def start(self, *options, command='migrate', **env):
        self.engine = Engine(
            self.lab, command, '--json', *options, *self.arguments(),
            host=self.lab.host(self.where), env=ssh_env(self.lab),
            supervised=self.case.supervised)
        return self

    def verdicts(self, ident):
        [event] = self.engine.events('PREFLIGHT')
        return [v for v in event['data']['verdicts'] if v['id'] == ident]

    def abandoned(self):
        """The guest lives on at the source, which is as it was; of the
        destination nothing is known."""
        result = self._ended((LEFT_HERE,), 'source')
        assert self.unlike_before(self.source) == []
        self._check_guest(self.source, range(len(self.case.formats)), False)
        self.check_folders(open_journals=1)
        return result

    def check_folders(self, open_journals=0):
        super().check_folders(open_journals)
        assert shells(self.lab) == []


HERE_TO_THERE = {'by_ssh': ('destination',)}
THERE_TO_HERE = {'by_ssh': ('source',), 'where': 'destination'}
FROM_A_DESK = {'by_ssh': ('source', 'destination'), 'where': 'desk'}
LOCAL_ADDRESS = ('--address', '10.77.0.2')


# ---- full success ----

@pytest.mark.parametrize('way, options', [
    (HERE_TO_THERE, ()), (THERE_TO_HERE, LOCAL_ADDRESS), (FROM_A_DESK, ())],
    ids=['from-the-source', 'from-the-destination', 'from-a-desk'])
def test_running_guest_moves(lab, pki, way, options):
    """The address and the certificate's name come from ssh's alias."""
    lab.host('source'), lab.host('destination')
    move = Journey(lab, pki, Case(options=options), **way).start()
    result = move.moved()
    assert [d['tls-proved'] for d in result['disks']] == [True]
    assert [v['level'] for v in move.verdicts('hosts')] == ['ok', 'ok']
    if 'source' in move.sshd:           # proved through the source's host
        assert re.search(r'direct_tcpip: .* target 10\.77\.0\.2 port 49\d+',
                         move.sshd['source'].log())


def test_certificates_that_only_the_source_has(lab, pki, monkeypatch):
    """The engine cannot open the source's folder, and reads by ssh what is
    public of it; what it cannot prove it says."""
    move = Journey(lab, pki, Case(live=False), **FROM_A_DESK)
    script = lab.path('blind')
    script.write_text(f'#!/bin/sh\nmount -t tmpfs none {move.tls[0]} &&\n'
                      f'exec {program()} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv('QMIGRATE', str(script))
    result = move.start().moved()
    assert [v['level'] for v in move.verdicts('tls')] == ['ok'] * 3
    assert [d['tls-proved'] for d in result['disks']] == [False]
    warnings = [w['data']['message'] for w in move.engine.events('WARNING')]
    assert any('requested, not proved' in w for w in warnings), warnings


class KeyWatch(threading.Thread):
    """Reads the keys that appear while it runs: text by folder."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.keys = {}
        self._before = set(self._folders())
        self._over = threading.Event()
        lab.on_exit(self._over.set)
        self.start()

    @staticmethod
    def _folders():
        return [p for base in ('/run', '/dev/shm')
                for p in Path(base).glob('qm-*')]

    def run(self):
        while not self._over.wait(0.001):
            for folder in set(self._folders()) - self._before:
                try:
                    text = (folder / 'keys.psk').read_text()
                except OSError:
                    continue
                if text:
                    self.keys[folder] = text

    def of(self, name):
        """Those of the migration of that name."""
        return {f: k for f, k in self.keys.items() if k.startswith(name)}


@pytest.mark.parametrize('way', [HERE_TO_THERE, FROM_A_DESK],
                         ids=['from-the-source', 'from-a-desk'])
def test_key_goes_by_ssh(lab, pki, way):
    lab.host('source'), lab.host('destination')
    move = Journey(lab, pki, Case(live=False, psk=True), **way)
    watch = KeyWatch(lab)
    result = move.start().moved()
    ram, disk = result['connections']
    assert [ram['proof'], disk['proof']] == ['read-back', 'full']
    keys = watch.of(ram['source'])
    assert any(f.name.endswith('-destination') for f in keys), watch.keys
    assert len(set(keys.values())) == 1
    key = next(iter(keys.values())).split(':')[1].strip()
    assert re.fullmatch('[0-9a-f]{64}', key)
    assert not any(key in sshd.log() for sshd in move.sshd.values())
    assert key not in move.engine.out + move.engine.err
    assert not any(folder.exists() for folder in keys)


def test_wrong_certificate_is_seen_by_ssh(lab, pki):
    case = Case(live=False, tls_variant=({}, {'expired': True}))
    move = Journey(lab, pki, case, **FROM_A_DESK).start()
    assert move.engine.wait() == 3
    assert 'destination: ' in move.error
    assert 'expired on 2021-01-01' in move.error
    assert [move.unlike_before(q) for q in move.qemus] == [[], []]
    move.check_folders()


@pytest.mark.long
def test_keys_of_others_are_only_looked_at(lab, pki):
    """Of a key on another host its mode is asked, and whether it is there."""
    move = Journey(lab, pki, Case(live=False), **FROM_A_DESK)
    key = move.tls[1] / 'server-key.pem'
    key.chmod(0o644)
    assert move.start(command='check').engine.wait() == 0
    said = [v['what'] for v in move.verdicts('tls')
            if v['level'] == 'warning']
    assert said == [f'destination: {key} can be read by everybody '
                    '(mode 0644)']
    key.unlink()
    assert move.start().engine.wait() == 3
    assert f'{key} is missing' in move.error
    assert [move.unlike_before(q) for q in move.qemus] == [[], []]


# ---- what breaks on the way ----

@pytest.mark.sample(4)
@pytest.mark.parametrize('row', ['mirror disks', 'converge'])
@pytest.mark.parametrize('which', ['source', 'destination'])
def test_sshd_comes_back(lab, pki, row, which):
    """It is gone for two seconds, with all its connections."""
    move = Journey(lab, pki, Case(live=row == 'converge', mem_rate=5),
                   fill=row == 'mirror disks', **FROM_A_DESK)
    lab.host('source').limit(SLOW)
    move.start().wait_step(row)
    move.sshd[which].stop()
    time.sleep(2)                       # the fault, not a synchronisation
    assert row not in move.steps('done')
    move.sshd[which].start()
    lab.host('source').limit(None)
    move.moved()


def test_destination_dies(lab, pki):
    """Its death is proved by ssh, and undone."""
    move = Journey(lab, pki, Case(mem_rate=5), **FROM_A_DESK)
    lab.host('source').limit(SLOW)
    move.start().wait_step('converge')
    move.destination.kill()
    result = move.undone((FAILED,))
    assert result['left'] == []


def test_destination_host_vanishes(lab, pki):
    """Silently, as when its power fails: neither ssh nor the stream tells.
    What is left is said; whether it is dead nobody knows."""
    move = Journey(lab, pki, Case(mem_rate=5), **HERE_TO_THERE)
    lab.host('source').limit(SLOW)
    move.start().wait_step('converge')
    lab.host('destination').cut()
    result = move.abandoned()
    assert re.search('no byte of (the RAM|disk vd0) has moved', move.error)
    assert any(f'kill process {move.destination.pid}: ' in left
               for left in result['left']), result['left']
    lab.host('destination').mend()
    move.sshd['destination'].stop()     # its sessions have heard nothing
    assert move.destination.status() == 'inmigrate'


@pytest.mark.long
def test_desk_vanishes(lab, pki):
    """The engine's own host loses both: nothing is started anywhere, nobody
    is told where the guest is, and it can be taken back by hand."""
    move = Journey(lab, pki, Case(mem_rate=5, supervised=False),
                   **FROM_A_DESK)
    lab.host('source').limit(SLOW)
    move.start().wait_step('converge')
    lab.host('desk').cut()
    result = move._ended((UNDECIDED,), 'unknown')
    assert result['left'] != []
    assert move.destination.status() == 'inmigrate'
    assert move.ran_at_once() == []
    move.check_folders(open_journals=1)
    lab.host('desk').mend()
    for sshd in move.sshd.values():
        sshd.stop()                     # its sessions have heard nothing
    move.source.spy.cmd('migrate_cancel')
    move.guest.wait_alive(move.source)
    assert move.guest.faults() == []


# ---- refused ----

def with_ssh(lab, pki, refusal, *options):
    """Where the destination is to be reached by ssh."""
    pair = Pair(lab, pki)
    sshd = make_sshd(lab, 'destination', *options)
    refusal.spoil(sshd)
    result = refuse(pair, refusal, env=ssh_env(lab))
    assert shells(lab) == []
    return result


def change_key(sshd):
    (sshd.dir / 'authorized').write_text(
        (make_key(sshd.dir / 'other').with_suffix('.pub')).read_text())


def change_host_key(sshd):
    known = sshd.dir / 'known_hosts'
    kind, key = (make_key(sshd.dir / 'other').with_suffix('.pub')
                 ).read_text().split()[:2]
    known.write_text(f'{known.read_text().split()[0]} {kind} {key}\n')


def forget_host_key(sshd):
    (sshd.dir / 'known_hosts').write_text('')


def by_ssh(says, hint='', peer='ssh://destination{destination}', **more):
    return Refusal(says, hint, code='connect', peers=('{source}', peer),
                   **more)


REFUSED = {
    'key': by_ssh('destination: .*Permission denied', spoil=change_key),
    'host-key-unknown': by_ssh('destination: .*Host key verification failed',
                               spoil=forget_host_key),
    'host-key-changed': by_ssh('destination: .*Host key verification failed',
                               spoil=change_host_key),
    'host': by_ssh('destination: ssh to nowhere.invalid: .*Could not resolve',
                   peer='ssh://nowhere.invalid/run/qmp'),
    'port': by_ssh('destination: ssh to .*Connection refused',
                   spoil=Sshd.stop),
    'user': by_ssh('destination: .*Permission denied',
                   peer='ssh://nobody@destination{destination}'),
    'no-socket': by_ssh('destination: .*open failed', 'path of a QMP socket',
                        peer='ssh://destination{lab}/none'),
}


@pytest.mark.parametrize('refusal', REFUSED.values(), ids=REFUSED)
def test_refused_by_ssh(lab, pki, refusal):
    with_ssh(lab, pki, refusal)


def test_the_users_own_configuration(lab, pki):
    """Forwards of a user's own that fail, and a command: not ours to mind."""
    pair = Pair(lab, pki)
    make_sshd(lab, 'destination')
    taken = lab.host('source').socket()
    taken.bind(('127.0.0.1', 8081))
    taken.listen()
    lab.on_exit(taken.close)
    config = lab.dir / 'ssh-config'
    config.write_text('Host destination\n'
                      '    LocalForward 127.0.0.1:8081 127.0.0.1:80\n'
                      '    RemoteForward 8082 127.0.0.1:80\n'
                      '    RemoteForward 8082 127.0.0.1:81\n'
                      '    ExitOnForwardFailure yes\n'
                      '    RemoteCommand echo hello\n' + config.read_text())
    engine = pair.run(Refusal(
        '', peers=('{source}', 'ssh://destination{destination}')),
        env=ssh_env(lab))
    assert engine.process.returncode == 0, engine.text()
    pair.source.wait_exit()
    assert pair.destination.status() == 'running'


def test_a_socket_of_root(lab, pki):
    """Over a login that may not open it, that is said."""
    pair = Pair(lab, pki)
    sshd = Sshd(lab, lab.host('destination'), shell='/bin/sh')
    for path in (lab.dir, sshd.dir, sshd.dir / 'authorized'):
        path.chmod(0o755)
    refuse(pair, Refusal(
        "destination: the user who connects to ssh://games@\\S* may not open "
        'that socket', 'as root or as the user', code='connect',
        peers=('{source}', 'ssh://games@destination{destination}')),
        env=ssh_env(lab))


@pytest.mark.parametrize('kind', ['folder', 'file'])
def test_what_is_no_socket(lab, pki, kind):
    """Here and over there."""
    pair = Pair(lab, pki)
    make_sshd(lab, 'destination')
    path = lab.folder('x') if kind == 'folder' else lab.path('x')
    if kind == 'file':
        path.write_text('')
    for peer in (str(path), f'ssh://destination{path}'):
        refuse(pair, Refusal(
            f'destination: {peer} is a {kind}, not a QMP socket',
            'the path of the socket', code='connect',
            peers=('{source}', peer)), env=ssh_env(lab))


def test_forwarding_forbidden(lab, pki):
    with_ssh(lab, pki, by_ssh('destination: .*(prohibited|open failed)'),
             'DisableForwarding yes')


def test_addresses_of_another_machine(lab, pki):
    """What leads to the source's own host is refused, and so is a socket
    here for a source elsewhere."""
    pair = Pair(lab, pki)
    make_sshd(lab, 'destination'), make_sshd(lab, 'source')
    refuse(pair, Refusal(
        "the destination's address is 127.0.0.1, which on the source's host "
        "is the source's host itself", 'give with --address', ('address',),
        options=('--address', '127.0.0.1', '--tls-hostname', 'destination'),
        peers=('{source}', 'ssh://destination{destination}')),
        env=ssh_env(lab))
    refuse(pair, Refusal(
        'no address at which the source could reach the destination: '
        '.*is a socket on this machine, and the source is elsewhere',
        'give it with --address', ('address',), address=False,
        options=('--tls-hostname', 'destination'),
        peers=('ssh://source{source}', '{destination}')), env=ssh_env(lab))


# ---- tcp: monitors ----

def tcp_monitor(host, port):
    return {'extra': (
        '-chardev', f'socket,id=tcp,host={host},port={port},server=on,'
        'wait=off', '-mon', 'chardev=tcp,mode=control')}


def test_tcp_monitors(lab, pki):
    """The engine beside the source knows where to look by --source-host;
    whose monitor it is, the port tells."""
    there = lab.host('source') and lab.host('destination').address
    pair = Pair(lab, pki, Refusal(
        '', source=tcp_monitor('127.0.0.1', 4444),
        destination=tcp_monitor(there, 4445)))
    make_sshd(lab, 'destination')
    engine = pair.run(Refusal(
        '', address=False,
        options=('--insecure', '--source-host', 'local',
                 '--destination-host', 'ssh://destination'),
        peers=('tcp:127.0.0.1:4444', f'tcp:{there}:4445')),
        env=ssh_env(lab))
    assert engine.process.returncode == 0, engine.text()
    pair.source.wait_exit()
    assert pair.destination.status() == 'running'
    [verdicts] = [e['data']['verdicts'] for e in engine.events('PREFLIGHT')]
    assert [v['level'] for v in verdicts if v['id'] == 'hosts'] == ['ok', 'ok']
    assert shells(lab) == []
    assert list(run_dir(lab).iterdir()) == []


def test_tcp_source_of_an_unknown_host(lab, pki):
    """The engine cannot look at the export with the source's eyes; without
    TLS that says nothing of TLS."""
    pair = Pair(lab, pki, Refusal('', source=tcp_monitor('127.0.0.1', 4444)))
    engine = pair.run(Refusal(
        '', options=('--insecure', '--disks', 'vd0'),
        peers=('tcp:127.0.0.1:4444', '{destination}')))
    assert engine.process.returncode == 0, engine.text()
    warnings = [e['data']['message'] for e in engine.events('WARNING')]
    assert 'disk vd0: its export is not looked at beforehand: the engine ' \
        "cannot reach the source's host" in warnings
    assert not any('TLS' in w for w in warnings), warnings
    pair.source.wait_exit()
    assert pair.destination.status() == 'running'


# ---- names with several addresses ----

def test_a_name_with_a_stale_address(lab, pki, monkeypatch):
    """It comes first, and nobody has it; the monitor is reached by the other
    one, and the guest moves to that."""
    there = lab.host('source') and lab.host('destination').address
    hosts = lab.path('hosts')
    hosts.write_text(f'127.0.0.1 localhost\n10.77.0.3 two.example\n'
                     f'{there} two.example\n')
    script = lab.path('named')
    script.write_text(f'#!/bin/sh\nmount --bind {hosts} /etc/hosts &&\n'
                      f'exec {program()} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv('QMIGRATE', str(script))
    pair = Pair(lab, pki, Refusal('', destination=tcp_monitor(there, 4445)))
    make_sshd(lab, 'destination')
    said = []
    for command, peer, more in (
            ('check', '{destination}', ('--address', 'two.example')),
            ('migrate', 'tcp:two.example:4445', ())):
        engine = pair.run(Refusal(
            '', address=False, peers=('{source}', peer),
            options=('--insecure', *more, '--source-host', 'local',
                     '--destination-host', 'ssh://destination')),
            command, env=ssh_env(lab))
        assert engine.process.returncode == 0, engine.text()
        [verdicts] = [e['data']['verdicts']
                      for e in engine.events('PREFLIGHT')]
        said += [v['what'] for v in verdicts if v['id'] == 'address']
    assert pair.destination.status() == 'running'
    connects = f'the source connects to {there} ports 49152-49215'
    assert said == [connects + ': the name has 10.77.0.3 too, which the '
                    "destination's host does not have", connects]


def test_a_name_none_of_whose_addresses_answers(lab, pki, monkeypatch):
    hosts = lab.path('hosts')
    hosts.write_text('127.0.0.2 none.example\n127.0.0.3 none.example\n')
    script = lab.path('named')
    script.write_text(f'#!/bin/sh\nmount --bind {hosts} /etc/hosts &&\n'
                      f'exec {program()} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv('QMIGRATE', str(script))
    refuse(Pair(lab, pki), Refusal(
        r'destination: none of the addresses of none.example answers \('
        '127.0.0.[23]: .*refused; 127.0.0.[23]: .*refused', code='connect',
        options=('--insecure',), peers=('{source}', 'tcp:none.example:9')))


# ---- an account that may only forward ----

def test_host_that_runs_nothing(lab, pki):
    """Its monitor is reached all the same; what could not be looked at is
    said, and that the disk is not shared has to be."""
    pair = Pair(lab, pki)
    make_sshd(lab, 'destination', 'ForceCommand /bin/false')
    peers = ('{source}', 'ssh://destination{destination}')
    refuse(pair, Refusal(
        "disk vd0 is shared: the destination's could not be looked at",
        '--shared vd0', ('disks',), peers=peers), env=ssh_env(lab))
    engine = pair.run(Refusal('', peers=peers, options=('--disks', 'vd0')),
                      env=ssh_env(lab))
    assert engine.process.returncode == 0, engine.text()
    pair.source.wait_exit()
    assert pair.destination.status() == 'running'
    [verdicts] = [e['data']['verdicts'] for e in engine.events('PREFLIGHT')]
    assert any("the destination's host could not be asked" in v['what']
               for v in verdicts if v['level'] == 'warning')
    assert shells(lab) == []


# ---- login shells ----

GREETINGS = {'bash': '.bashrc', 'tcsh': '.tcshrc',
             'fish': '.config/fish/config.fish'}


def with_shell(lab, pki, shell, *options):
    """A destination behind that login shell; its startup file prints."""
    pair = Pair(lab, pki)
    rc = lab.dir / GREETINGS.get(Path(shell).name, 'none')
    rc.parent.mkdir(parents=True, exist_ok=True)
    rc.write_text('echo "Welcome!"\necho -n "Today: "\n')
    Sshd(lab, lab.host('destination'), options, shell=shell,
         boot_id=str(uuid.uuid4()))
    return pair


@pytest.mark.parametrize('shell', [
    '/bin/bash', pytest.param('/bin/tcsh', marks=pytest.mark.long),
    pytest.param('/usr/bin/fish', marks=pytest.mark.long)])
def test_login_shell(lab, pki, shell):
    """Whatever it is, and whatever it prints."""
    if not Path(shell).exists():
        pytest.skip(f'{shell} is not installed')
    pair = with_shell(lab, pki, shell)
    engine = pair.run(Refusal(
        '', peers=('{source}', 'ssh://destination{destination}'),
        options=('--tls-psk',)), env=ssh_env(lab))
    assert engine.process.returncode == 0, engine.text()
    pair.source.wait_exit()
    assert pair.destination.status() == 'running'
    [verdicts] = [e['data']['verdicts'] for e in engine.events('PREFLIGHT')]
    assert [v['level'] for v in verdicts if v['id'] == 'hosts'] == ['ok', 'ok']


def test_login_shell_for_no_commands(lab, pki):
    """It is named, and what it said."""
    pair = with_shell(lab, pki, '/usr/sbin/nologin')
    result = refuse(pair, Refusal(
        'disk vd0 is shared: .*could not be looked at', '', ('disks',),
        peers=('{source}', 'ssh://destination{destination}')),
        env=ssh_env(lab))
    assert result
    engine = pair.run(Refusal('', peers=(
        '{source}', 'ssh://destination{destination}')), 'check',
        env=ssh_env(lab))
    assert 'the login shell there cannot run `exec sh`: This account is ' \
        'currently not available' in engine.text()
