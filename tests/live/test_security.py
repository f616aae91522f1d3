"""Credentials that are wrong in every way: what preflight sees of them, and
what happens where only the two QEMUs can see it.

To blind preflight, files, objects and parameters are replaced behind the
engine's back, when a command of its passes by.  Whatever is wrong, the guest
runs on at the source, and the source is as it was.
"""

import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import pytest

from engine import run_dir, state_dir
from pki import certtool
from refusals import Pair, Refusal, refuse, state_of, unlike
from snapshot import Snapshot

SOURCE, DESTINATION = 0, 1
ROLE = {SOURCE: 'client', DESTINATION: 'server'}
PROXIED = {'proxied': True}
NO_DISK = {'disks': []}
PREFIX = {SOURCE: 'source: ', DESTINATION: 'destination: '}


# ---- certificates that are wrong ----

def remake(pki, pair, side, **variant):
    """Everything in the folder of a side, anew."""
    host = pair.qemus[side].host
    empty(pki, pair, side)
    pki.for_host(pair.tls[side], host, **variant)


def made(**variant):
    def spoil(pki, pair, side):
        remake(pki, pair, side, **variant)
    return spoil


def named(names, addresses=()):
    def spoil(pki, pair, side):
        pki.make(pair.tls[side], names, addresses)
    return spoil


def signed(*lines):
    """A certificate of exactly these lines of certtool's template."""
    def spoil(pki, pair, side):
        host = pair.qemus[side].host
        ca_key, ca_cert = pki._ca('ca')
        template = pair.lab.path('template')
        template.write_text('\n'.join([
            f'cn = "{host.name}"', f'dns_name = "{host.name}"',
            f'ip_address = "{host.address}"', *lines]) + '\n')
        target = pair.tls[side] / f'{ROLE[side]}-cert.pem'
        certtool('--generate-certificate', '--load-privkey', pki._key('leaf'),
                 '--load-ca-privkey', ca_key, '--load-ca-certificate',
                 ca_cert, '--template', template, '--outfile', target)
    return spoil


def nameless(pki, pair, side):
    """Names enough, but no subject."""
    host = pair.qemus[side].host
    ca_key, ca_cert = pki._ca('ca')
    template = pair.lab.path('template')
    template.write_text('\n'.join([
        f'dns_name = "{host.name}"', f'ip_address = "{host.address}"', LONG,
        *USAGES, *BOTH_ROLES]) + '\n')
    certtool('--generate-certificate', '--load-privkey', pki._key('leaf'),
             '--load-ca-privkey', ca_key, '--load-ca-certificate', ca_cert,
             '--template', template,
             '--outfile', pair.tls[side] / f'{ROLE[side]}-cert.pem')


def leaf_as_ca(pki, pair, side):
    folder = pair.tls[side]
    shutil.copyfile(folder / f'{ROLE[side]}-cert.pem', folder / 'ca-cert.pem')


def revoke_other(pki, pair, side):
    """This side's list revokes what the other one shows."""
    ca_key, ca_cert = pki._ca('ca')
    other = pair.tls[1 - side] / f'{ROLE[1 - side]}-cert.pem'
    template = pair.lab.path('crl')
    template.write_text('crl_next_update = 100\ncrl_number = 1\n')
    certtool('--generate-crl', '--load-ca-privkey', ca_key,
             '--load-ca-certificate', ca_cert, '--load-certificate', other,
             '--template', template,
             '--outfile', pair.tls[side] / 'ca-crl.pem')


def truncate(pki, pair, side):
    path = pair.tls[side] / f'{ROLE[side]}-cert.pem'
    path.write_bytes(path.read_bytes()[:500])


def hide_key(pki, pair, side):
    """Unreadable: a folder in its place, as the tests are root."""
    path = pair.tls[side] / f'{ROLE[side]}-key.pem'
    path.unlink()
    path.mkdir()


def empty(pki, pair, side):
    for path in pair.tls[side].iterdir():
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()


LONG = 'expiration_days = 400'
BOTH_ROLES = ('tls_www_server', 'tls_www_client')
USAGES = ('signing_key', 'encryption_key')
ONLY_CERTS = 'add_critical_extension = "2.5.29.15 0x03020204"'
ONLY_SERVER = 'add_critical_extension = "2.5.29.37 0x300a06082b06010505070301"'
ONLY_CLIENT = 'add_critical_extension = "2.5.29.37 0x300a06082b06010505070302"'


# A server that says no in TLS 1.3 does so when the client is done: what the
# client sees is an end, sooner or later.
SHUT = ('source: .*(Unable to (read from|write to) socket: (Connection reset|'
        'Broken)|Cannot (read from|write to) TLS channel)')

# QEMU's client reads no revocation list: only preflight, and the engine's own
# look at the disks, find that one.
NOBODY_SEES = 'nobody sees'


@dataclass(frozen=True)
class Row:
    """seen: what preflight says; '' if it has nothing against it. ram, disk:
    what is said if it cannot see it; disk None: as of ram."""
    side: int
    spoil: Callable
    seen: str
    ram: str
    disk: str = None


CERTIFICATES = {
    'expired-server': Row(
        DESTINATION, made(expired=True), 'server-cert.pem .*expired on 2021',
        'destination.*has expired'),
    'expired-client': Row(
        SOURCE, made(expired=True), 'client-cert.pem .*expired on 2021',
        'source.*has expired'),
    'not-yet-server': Row(
        DESTINATION, signed('activation_date = "2040-01-01 00:00:00"',
                            'expiration_date = "2041-01-01 00:00:00"',
                            *USAGES, *BOTH_ROLES),
        'server-cert.pem.*2040', 'destination.*not yet active'),
    'not-yet-client': Row(
        SOURCE, signed('activation_date = "2040-01-01 00:00:00"',
                       'expiration_date = "2041-01-01 00:00:00"',
                       *USAGES, *BOTH_ROLES),
        'client-cert.pem.*2040', 'source.*not yet active'),
    'wrong-ca-server': Row(
        DESTINATION, made(ca='other'), 'ca-cert.pem',
        "source: The certificate hasn't got a known issuer",
        'certificate.*does not hold'),
    'wrong-ca-client': Row(
        SOURCE, made(ca='other', trusted_ca='ca'), 'client-cert.pem',
        'source.*failed validation'),
    'wrong-name': Row(
        DESTINATION, named(('elsewhere.example',)), 'elsewhere.example',
        'does not match the hostname', 'is not for "10.77.0.2"'),
    'wrong-address': Row(
        DESTINATION, named((), ('10.77.0.99',)), '10.77.0.99',
        'does not match the hostname', 'is not for "10.77.0.2"'),
    'no-client-certificate': Row(
        SOURCE, made(without=('client-cert', 'client-key')),
        'client-cert.pem',
        SHUT, SHUT),
    'not-authorised': Row(
        SOURCE, named(('stranger',), ('10.77.0.1',)), '',
        SHUT, SHUT),
    'no-subject-server': Row(
        DESTINATION, nameless, 'server-cert.pem has no subject',
        'source: .*distinguished name'),
    'no-subject-client': Row(
        SOURCE, nameless, 'client-cert.pem has no subject', SHUT, SHUT),
    'ca-is-none-server': Row(
        DESTINATION, leaf_as_ca, 'ca-cert.pem', 'destination.*CA'),
    'ca-is-none-client': Row(
        SOURCE, leaf_as_ca, 'ca-cert.pem', 'source.*CA'),
    'key-usage-server': Row(
        DESTINATION, signed(LONG, ONLY_CERTS, *BOTH_ROLES),
        'server-cert.pem.*(usage|Signature|sign)',
        'destination.*usage does not permit'),
    'key-usage-client': Row(
        SOURCE, signed(LONG, ONLY_CERTS, *BOTH_ROLES),
        'client-cert.pem.*(usage|Signature|sign)',
        'source.*usage does not permit'),
    'purpose-server': Row(
        DESTINATION, signed(LONG, *USAGES, ONLY_CLIENT),
        'server-cert.pem.*(purpose|serverAuth|server)',
        'destination.*purpose does not allow'),
    'purpose-client': Row(
        SOURCE, signed(LONG, *USAGES, ONLY_SERVER),
        'client-cert.pem.*(purpose|clientAuth|client)',
        'source.*purpose does not allow'),
    'revoked-client': Row(
        DESTINATION, revoke_other, 'revoked',
        SHUT, 'accept .*client-cert.pem'),
    'revoked-server': Row(
        SOURCE, revoke_other, 'revoked', NOBODY_SEES, 'revoked'),
    'key-does-not-fit-server': Row(
        DESTINATION, made(wrong_key=True), 'server-key.pem',
        'destination.*(key|mismatch)'),
    'key-does-not-fit-client': Row(
        SOURCE, made(wrong_key=True), 'client-key.pem',
        'source.*(key|mismatch)'),
    'key-unreadable-server': Row(
        DESTINATION, hide_key, '', 'destination.*server-key.pem'),
    'key-unreadable-client': Row(
        SOURCE, hide_key, '', 'source.*client-key.pem'),
    'truncated-server': Row(
        DESTINATION, truncate, 'server-cert.pem',
        'destination.*server-cert.pem'),
    'truncated-client': Row(
        SOURCE, truncate, 'client-cert.pem', 'source.*client-cert.pem'),
    'empty-server': Row(
        DESTINATION, empty, 'ca-cert.pem', 'destination.*ca-cert.pem'),
    'empty-client': Row(
        SOURCE, empty, 'ca-cert.pem', 'source.*ca-cert.pem'),
}


@pytest.mark.parametrize(
    'row', [r for r in CERTIFICATES.values() if r.seen],
    ids=[n for n, r in CERTIFICATES.items() if r.seen])
def test_preflight_sees(lab, pki, row):
    refusal = Refusal(row.seen, ids=('tls',))
    pair = Pair(lab, pki, refusal)
    row.spoil(pki, pair, row.side)
    refuse(pair, refusal)


def blind_pair(lab, pki, disks=True, **options):
    return Pair(lab, pki, Refusal('', both=PROXIED | options | (
        {} if disks else NO_DISK)))


def fails(pair, says, options=()):
    """The engine fails for that reason; the guest runs on."""
    before = Snapshot(pair.source)
    engine = pair.run(Refusal('', options=options))
    result = engine.result()
    assert engine.process.returncode == 4, engine.text()
    assert (result['outcome'], result['guest']) == ('failed', 'source')
    assert result['left'] == []
    assert re.search(says, result['error']['message']), result['error']
    assert pair.source.status() == 'running'
    assert Snapshot(pair.source).diff(before) == []
    return engine, result


LATE = {f'{name}-{what}': (row, what) for name, row in CERTIFICATES.items()
        for what in ('ram', 'disk')
        if what == 'disk' or row.ram != NOBODY_SEES}


@pytest.mark.sample(4)
@pytest.mark.parametrize('row, what', LATE.values(), ids=LATE)
def test_qemu_finds_out(lab, pki, row, what):
    """The files are other ones when QEMU reads them."""
    pair = blind_pair(lab, pki, disks=what == 'disk')
    proxy = pair.qemus[row.side].proxy
    proxy.call('object-add', lambda: row.spoil(pki, pair, row.side))
    says = row.disk or row.ram
    if what == 'ram':       # the engine may have seen it before QEMU does
        says = f'{row.ram}|{says}'
    fails(pair, says)


# ---- what the two were told is changed behind the engine's back ----

def own_object(pair, side):
    return next(c.arguments['id'] for c in pair.qemus[side].proxy.commands
                if c.name == 'object-add')


def clear(side):
    def act(pki, pair):
        pair.qemus[side].spy.cmd('migrate-set-parameters', tls_creds='')
    return act


def clear_both(pki, pair):
    clear(SOURCE)(pki, pair)
    clear(DESTINATION)(pki, pair)


def to_x509(side):
    """The object of that name is another one now."""
    def act(pki, pair):
        spy, name = pair.qemus[side].spy, own_object(pair, side)
        spy.cmd('object-del', id=name)
        spy.cmd('object-add', **{
            'qom-type': 'tls-creds-x509', 'id': name, 'dir':
            str(pair.tls[side]), 'verify-peer': True,
            'endpoint': 'client' if side == SOURCE else 'server'})
    return act


def clear_server(pki, pair):
    """An NBD server without TLS in the place of the engine's."""
    spy = pair.destination.spy
    export = spy.cmd('query-block-exports')[0]
    spy.cmd('nbd-server-stop')
    started = next(c for c in pair.destination.proxy.commands
                   if c.name == 'nbd-server-start')
    spy.cmd('nbd-server-start', addr=started.arguments['addr'])
    added = next(c for c in pair.destination.proxy.commands
                 if c.name == 'block-export-add')
    assert export['id'] == added.arguments['id']
    spy.cmd('block-export-add', **added.arguments)


def other_key(pki, pair):
    """The source reads another key than the destination has."""
    command = pair.source.proxy.commands[-1]
    assert command.name == 'object-add', command
    path = Path(command.arguments['dir']) / 'keys.psk'
    name = path.read_text().split(':')[0]
    path.write_text(f'{name}:{"ab" * 32}\n')


def add_object(pair, side, name='theirs'):
    pair.qemus[side].spy.cmd('object-add', **{
        'qom-type': 'tls-creds-x509', 'id': name,
        'dir': str(pair.tls[side]), 'verify-peer': True,
        'endpoint': 'client' if side == SOURCE else 'server'})


@dataclass(frozen=True)
class Twist:
    side: int
    command: str            # before it passes
    act: Callable
    says: str
    disks: bool = False
    psk: bool = False


NOT_TOLD = ('QEMU uses something else than it was told: source: the parameter '
            "tls-creds was set to .* but reads ''")

TWISTS = {
    # The destination's refusal, unless the engine has looked before.
    'plain-to-tls': Twist(SOURCE, 'migrate', clear(SOURCE),
                          f'{SHUT}|{NOT_TOLD}'),
    'tls-to-plain': Twist(DESTINATION, 'migrate-incoming',
                          clear(DESTINATION),
                          'source: TLS handshake failed'),
    'tls-to-plain-disk': Twist(SOURCE, 'blockdev-add', clear_server,
                               'starttls', disks=True),
    'plain-both': Twist(SOURCE, 'migrate', clear_both, NOT_TOLD),
    'psk-mismatch': Twist(SOURCE, 'object-add', other_key,
                          'source: TLS handshake failed',
                          psk=True),
    'psk-mismatch-disk': Twist(SOURCE, 'object-add', other_key,
                               'TLS handshake', disks=True,
                               psk=True),
    'x509-to-psk': Twist(SOURCE, 'migrate', to_x509(SOURCE),
                         'source: TLS handshake failed', psk=True),
    'x509-to-psk-disk': Twist(SOURCE, 'blockdev-add', to_x509(SOURCE),
                              'source: .*TLS handshake failed', disks=True,
                              psk=True),
    'psk-to-x509': Twist(DESTINATION, 'migrate-incoming',
                         to_x509(DESTINATION),
                         'source: TLS handshake failed', psk=True),
    'psk-to-x509-disk': Twist(DESTINATION, 'nbd-server-start',
                              to_x509(DESTINATION),
                              'TLS handshake with', disks=True,
                              psk=True),
}


@pytest.mark.sample(3)
@pytest.mark.parametrize('twist', TWISTS.values(), ids=TWISTS)
def test_twisted(lab, pki, twist):
    pair = blind_pair(lab, pki, disks=twist.disks)
    pair.qemus[twist.side].proxy.call(twist.command,
                                      lambda: twist.act(pki, pair))
    fails(pair, twist.says, ('--tls-psk',) if twist.psk else ())
    check_no_key(pair)


# ---- what an earlier migration left ----

STALE = {'tls-creds': 'gone', 'tls-hostname': 'stale.example'}


def make_stale(pair):
    pair.source.spy.cmd('migrate-set-parameters', **STALE)
    pair.destination.spy.cmd('migrate-set-parameters', **STALE,
                             **{'tls-authz': 'gone'})


@pytest.mark.parametrize('psk', [False, True], ids=['x509', 'psk'])
def test_stale_parameters_do_not_matter(lab, pki, psk):
    pair = Pair(lab, pki)
    make_stale(pair)
    engine = pair.run(Refusal('', options=('--tls-psk',) if psk else ()))
    assert engine.process.returncode == 0, engine.text()
    pair.source.wait_exit()
    now = pair.destination.spy.cmd('query-migrate-parameters')
    assert {k: now[k] for k in STALE} == STALE
    assert now['tls-authz'] == 'gone'


def test_stale_parameters_are_put_back(lab, pki):
    pair = Pair(lab, pki, Refusal('', both=PROXIED))
    make_stale(pair)
    before = state_of(pair)
    pair.source.proxy.fail('blockdev-mirror')
    engine = pair.run(Refusal(''))
    assert engine.process.returncode == 4, engine.text()
    assert unlike(pair, before) == []


# ---- keys ----

HEX = re.compile(rb'[0-9a-f]{64}')


def key_folders():
    return [p for base in ('/run', '/dev/shm') for p in
            Path(base).glob('qm-*')]


def read_all(paths):
    for path in paths:
        try:
            if path.is_file():
                yield path, path.read_bytes()
        except OSError:
            pass        # a process that has ended


def check_no_key(pair, key=None):
    """No key on either host, in no process, and in nothing written."""
    ours = [f for f in key_folders() if f.name.startswith(tuple(
        c.arguments['id'][:11] for q in pair.qemus if q.proxy
        for c in q.proxy.commands if c.name == 'object-add'))]
    assert ours == []
    if key is None:
        return
    places = [p for d in (pair.lab.dir, run_dir(pair.lab),
                          state_dir(pair.lab)) if Path(d).exists()
              for p in Path(d).rglob('*')
              if not p.name.endswith(('.raw', '.qcow2'))]
    places += Path('/proc').glob('[0-9]*/environ')
    places += Path('/proc').glob('[0-9]*/cmdline')
    assert [p for p, text in read_all(places) if key in text] == []


@dataclass(frozen=True)
class Life:
    fault: str              # a command that fails at the source, or ''
    exit: int


LIVES = {
    'moved': Life('', 0),
    'credentials-refused': Life('object-add', 4),
    'mirror-fails': Life('blockdev-mirror', 4),
    'migrate-fails': Life('migrate', 4),
}


@pytest.mark.parametrize('life', LIVES.values(), ids=LIVES)
def test_no_key_is_left(lab, pki, life):
    """The test reads the key while it is there, and then looks for it."""
    pair = blind_pair(lab, pki)
    keys = []

    def steal():
        command = pair.destination.proxy.commands[-1]
        folder = Path(command.arguments['dir'])
        assert folder.stat().st_mode & 0o7777 == 0o700
        assert (folder / 'keys.psk').stat().st_mode & 0o7777 == 0o600
        keys.append((folder / 'keys.psk').read_bytes().split(b':')[1].strip())

    pair.destination.proxy.call('object-add', steal)
    if life.fault:
        pair.source.proxy.fail(life.fault)
    engine = pair.run(Refusal('', options=('--tls-psk',)))
    assert engine.process.returncode == life.exit, engine.text()
    assert len(keys) == 1 and HEX.fullmatch(keys[0])
    told = (engine.out + engine.err).encode()
    assert keys[0] not in told and not HEX.search(told)
    for qemu in pair.qemus:
        assert keys[0].decode() not in str(qemu.proxy.commands)
    check_no_key(pair, keys[0])


def test_key_goes_with_the_engine(lab, pki):
    """Killed while both keys are there."""
    from engine import Engine
    pair = blind_pair(lab, pki)
    hold = pair.source.proxy.hold('object-add')
    refusal = Refusal('', options=('--tls-psk',))
    engine = Engine(lab, 'migrate', '--json', *pair.arguments(refusal),
                    host=pair.source.host)
    hold.wait()
    name = pair.source.proxy.commands[-1].arguments['id'][:11]
    assert len([f for f in key_folders() if f.name.startswith(name)]) == 2
    engine.kill()
    engine.process.wait(10)
    limit = time.monotonic() + 10
    while any(f.name.startswith(name) for f in key_folders()):
        assert time.monotonic() < limit
        time.sleep(0.05)
    hold.release()


# ---- evidence ----

def test_evidence_of_x509(lab, pki):
    pair = Pair(lab, pki)
    engine = pair.run(Refusal(''))
    ram, disk = engine.result()['connections']
    who = {'tls': 'x509', 'source': 'CN=source',
           'destination': 'CN=destination', 'authz': 'CN=source'}
    assert ram == {'connection': 'RAM', 'proof': 'read-back', **who}
    assert disk == {'connection': 'vd0', 'proof': 'full', 'version': 'TLS1.3',
                    'cipher': disk['cipher'], **who}
    assert re.match('AES|CHACHA', disk['cipher'])


def test_evidence_of_a_key(lab, pki):
    pair = Pair(lab, pki)
    engine = pair.run(Refusal('', options=('--tls-psk',)))
    ram, disk = engine.result()['connections']
    assert (ram['tls'], ram['proof']) == ('psk', 'read-back')
    assert (disk['tls'], disk['proof']) == ('psk', 'full')
    assert ram['source'] == ram['destination'] == disk['source']
    assert 'authz' not in disk


def test_evidence_of_none(lab, pki):
    pair = Pair(lab, pki)
    engine = pair.run(Refusal('', options=('--insecure',)))
    result = engine.result()
    assert [c['proof'] for c in result['connections']] == ['none', 'none']
    assert result['tls'] is False
    assert 'INSECURE' in engine.err
