"""Whom the destination accepts: subjects that are written in odd ways must be
the same to the engine, which makes the rule, and to QEMU, which goes by it;
and who is not meant is not let in."""

import pytest

from pki import certtool
from refusals import Pair, Refusal

SUBJECTS = {
    'comma': ['cn = "host, of the lab"', 'organization = "Example, Inc."'],
    'quotes': ['cn = "a \\"host\\" \\\\ of + some; <kind> = #1"'],
    'hash': ['cn = "#host"', 'organization = " blank before and behind "'],
    'utf8': ['cn = "hôte-ü-主机"', 'organization = "Пример"'],
    'order': ['country = "DE"', 'state = "Bavaria"', 'locality = "Munich"',
              'organization = "Example"', 'unit = "Lab"', 'unit = "Hosts"',
              'cn = "host"', 'uid = "h1"', 'dc = "example"', 'dc = "org"'],
    'email': ['cn = "host"', 'pkcs9_email = "root@host.example"',
              'dn_oid = "2.5.4.5 4711"', 'dn_oid = "2.5.4.12 Mx."'],
    'json': ['cn = "a\\",\\"policy\\":\\"allow\\",\\"x\\":\\"%s%n"'],
    'glob': ['cn = "*"'],
}


def certify(pki, pair, lines):
    """The source's certificate anew, by that CA, with that subject."""
    ca_key, ca_cert = pki._ca('ca')
    template = pair.lab.path('template')
    template.write_text('\n'.join([
        *lines, 'signing_key', 'encryption_key', 'tls_www_client',
        'expiration_days = 400']) + '\n')
    certtool('--generate-certificate', '--load-privkey', pki._key('leaf'),
             '--load-ca-privkey', ca_key, '--load-ca-certificate', ca_cert,
             '--template', template,
             '--outfile', pair.tls[0] / 'client-cert.pem')


@pytest.mark.parametrize('kind', SUBJECTS)
def test_odd_subject_is_accepted(lab, pki, kind):
    """For the disk and for RAM, of which each has the rule."""
    pair = Pair(lab, pki)
    certify(pki, pair, SUBJECTS[kind])
    engine = pair.run(Refusal(''))
    assert engine.process.returncode == 0, engine.text()
    assert pair.destination.status() == 'running'
    ram, disk = engine.result()['connections']
    assert ram['authz'] == disk['authz'] == ram['source'] != 'CN=source'


@pytest.mark.parametrize('kind', SUBJECTS)
def test_odd_subject_is_the_only_one(lab, pki, kind):
    """The rule is for that subject: another one of the CA gets nowhere, when
    the source's QEMU has it instead."""
    pair = Pair(lab, pki, Refusal('', both={'proxied': True}))
    certify(pki, pair, SUBJECTS[kind])
    pair.source.proxy.call('object-add', lambda: pki.make(
        pair.tls[0], ('stranger',), ('10.77.0.1',)))
    engine = pair.run(Refusal(''))
    assert engine.process.returncode == 4, engine.text()
    assert pair.source.status() == 'running'
