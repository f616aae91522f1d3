"""Certificates with which no migration is begun; the plainer ones are in
test_refuse_ways.py. Both QEMUs are as they were afterwards."""

import pytest

from pki import LATER, ONLY_CLIENT, ONLY_SERVER, USAGE
from refusals import Refusal, run_case, spoil_file


def cut(which, name):
    """A file of that side's folder loses its second half."""
    def spoil(pair):
        path = pair.tls[which] / name
        path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
    return spoil


def here(**variant):
    return variant, {}


def there(**variant):
    return {}, variant


MAKE = 'qmigrate keys create-'
WRONG = {
    'not-yet-valid-here': Refusal(
        'source: .*/client-cert.pem .*is not valid before 2035-01-01',
        'clocks', ('tls',), tls_variant=here(usage=USAGE + LATER)),
    'not-yet-valid-there': Refusal(
        'destination: .*/server-cert.pem .*is not valid before 2035-01-01',
        'clocks', ('tls',), tls_variant=there(usage=USAGE + LATER)),
    'ca-that-is-none': Refusal(
        'destination: .*/ca-cert.pem .*is not the certificate of a CA',
        f'{MAKE}ca', ('tls',), tls_variant=there(ca='no-ca')),
    'no-signatures': Refusal(
        'source: .*/client-cert.pem .*forbids digital signatures',
        f'{MAKE}host', ('tls',), tls_variant=here(usage=USAGE[1:])),
    'no-encipherment': Refusal(
        'destination: .*/server-cert.pem .*forbids key encipherment .*which '
        r'QEMU 10\.0\.2 insists on', f'{MAKE}host', ('tls',),
        tls_variant=there(usage=USAGE[:1] + USAGE[2:])),
    'not-for-servers': Refusal(
        'destination: .*/server-cert.pem .*is not for servers',
        f'{MAKE}host', ('tls',), tls_variant=there(usage=ONLY_CLIENT)),
    'not-for-clients': Refusal(
        'source: .*/client-cert.pem .*is not for clients',
        f'{MAKE}host', ('tls',), tls_variant=here(usage=ONLY_SERVER)),
    'revoked-there': Refusal(
        'destination: .*/server-cert.pem .*is revoked by .*/ca-crl.pem',
        f'{MAKE}host', ('tls',), tls_variant=there(revokes=True)),
    'revoked-by-the-other': Refusal(
        "the destination's .*/server-cert.pem .*is revoked by the source's",
        f'{MAKE}host', ('tls',),
        spoil=lambda pair: (pair.tls[1] / 'ca-crl.pem').rename(
            pair.tls[0] / 'ca-crl.pem'),
        tls_variant=there(revokes=True)),
    'cut-short': Refusal(
        'source: .*/client-cert.pem is not a certificate in PEM',
        f'{MAKE}host', ('tls',), spoil=cut(0, 'client-cert.pem')),
    'key-cut-short': Refusal(
        'destination: .*/server-key.pem is not a private key in PEM',
        f'{MAKE}host', ('tls',), spoil=cut(1, 'server-key.pem')),
    'no-list': Refusal(
        'destination: .*/ca-crl.pem is not a revocation list in PEM',
        'certtool --crl-info', ('tls',), spoil=spoil_file(1, 'ca-crl.pem', 'x')),
    'no-group': Refusal(
        'destination: .*/dh-params.pem is not DH parameters in PEM',
        'it is not needed', ('tls',), spoil=spoil_file(1, 'dh-params.pem', 'x')),
    'no-priority': Refusal(
        "the TLS priority 'NORMAL:.NULL': it allows NULL", 'VERS-TLS1.3',
        exit=2, options=('--tls-priority', 'NORMAL:+NULL')),
}


@pytest.mark.parametrize('refusal', WRONG.values(), ids=WRONG)
def test_wrong_certificates(lab, pki, refusal):
    run_case(lab, pki, refusal)
