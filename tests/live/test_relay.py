"""A man in the middle of the migration network: he relays, he reads, he shows
a certificate of his own, he cuts, he is silent.

What he may do is stop a migration. He never gets anything of the guest to
read, and the guest never suffers.
"""

import dataclasses
import os
import re
import ssl

import pytest

from cases import FAILED, Case, Move
from relay import LOW, Relay

DISK, RAM = LOW, LOW + 1            # with a disk, the NBD server comes first
THROUGH = ('--tls-hostname', 'destination')
MIB = 1 << 20


class Relayed(Move):
    """A move whose migration network is a relay's."""

    def __init__(self, lab, pki, case):
        _, there, between = map(lab.host, ('source', 'destination', 'relay'))
        way = ('--address', between.address, '--bind', there.address)
        super().__init__(lab, pki, dataclasses.replace(
            case, options=(*case.options, *way)))
        self.relay = Relay(lab, between, there.address)

    def fill_disk(self):
        """More than the relay lets through before it cuts."""
        with open(self.source.disks[0].path, 'r+b') as image:
            image.seek(32 * MIB)
            image.write(os.urandom(16 * MIB))



def test_relay_that_only_listens(lab, pki):
    """Under TLS it works, since the name in the certificate is right, and he
    reads nothing; without, he reads memory and disk."""
    move = Relayed(lab, pki, Case(options=THROUGH))
    move.fill_disk()
    move.start()
    move.moved()
    assert move.relay.passed[DISK] > 16 * MIB
    assert move.relay.passed[RAM] > 4 * MIB
    assert move.relay.leaks == {}


def test_relay_reads_what_is_in_clear(lab, pki):
    move = Relayed(lab, pki, Case(tls=False))
    move.start()
    move.moved()
    assert 'records' in move.relay.leaks[DISK]
    assert {'kernel', 'memory'} <= move.relay.leaks[RAM]


def own_tls(lab, pki, host, **variant):
    """Contexts for a relay that ends TLS, with a certificate of its own."""
    folder = pki.for_host(lab.folder('pki-relay'), host, **variant)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.maximum_version = ssl.TLSVersion.TLSv1_2     # he sees the refusal
    server.load_cert_chain(folder / 'server-cert.pem',
                           folder / 'server-key.pem')
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    client.load_cert_chain(folder / 'client-cert.pem',
                           folder / 'client-key.pem')
    return server, client


FORGED = {
    'other-ca': ('destination', {'ca': 'relay'},
                 'not signed by|not trusted|signer|issuer'),
    'other-name': ('relay', {}, 'is not for "destination"|hostname'),
}


@pytest.mark.parametrize('formats', [('raw',), ()], ids=['disk', 'ram'])
@pytest.mark.parametrize('kind', FORGED)
def test_relay_with_its_own_certificate(lab, pki, kind, formats):
    """Whether another CA signed him, or the right one for another name: the
    engine's probe refuses him, with a disk or without. If he is slow to leave
    the destination's handshake, that QEMU hangs in nbd-server-stop, and is
    ended."""
    name, variant, words = FORGED[kind]
    move = Relayed(lab, pki, Case(live=False, formats=formats,
                                  options=THROUGH))
    move.relay.speaks_nbd = True
    move.relay.tls = own_tls(lab, pki, lab.host(name), **variant)
    move.start()
    move.undone((FAILED,), 'any')
    assert move.error.startswith('probe exports: ')
    assert re.search(words, move.error), move.error
    assert move.relay.leaks == {}


@pytest.mark.sample(3)
@pytest.mark.parametrize('limit', [1, 300, 4 * MIB],
                         ids=['hello', 'handshake', 'middle'])
@pytest.mark.parametrize('port', [DISK, RAM], ids=['disk', 'ram'])
def test_relay_that_cuts(lab, pki, port, limit):
    """At that byte of each connection there. The source's QEMU begins a new
    one at once: the destination's server is not ended amid that."""
    move = Relayed(lab, pki, Case(options=THROUGH))
    move.fill_disk()
    move.relay.cut[port] = limit
    move.start()
    move.engine.wait(120)
    assert move.relay.cuts > 0
    move.undone((FAILED,), 'gone' if port == RAM else 'waiting')


@pytest.mark.sample(2)
@pytest.mark.parametrize('port', [DISK, RAM], ids=['disk', 'ram'])
def test_relay_that_is_silent(lab, pki, port):
    """He takes the connection, and that is all. For the disks the engine's
    probe notices. For the RAM QEMU's main loop hangs in the handshake, until
    the engine cuts it."""
    move = Relayed(lab, pki, Case(options=THROUGH))
    move.relay.mute.add(port)
    move.start()
    move.engine.wait(120)
    move.guest.wait_alive(move.source)
    assert move.guest.blackout() < (8000 if port == DISK else 60000)
    move.undone((FAILED,), 'waiting' if port == DISK else 'gone')
