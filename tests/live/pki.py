"""Certificates in QEMU's layout, good ones and bad ones.

A certificate serves both roles. Keys are slow to make and are made once for
all of a test run.
"""

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

FILES = ('ca-cert', 'server-cert', 'server-key', 'client-cert', 'client-key',
         'dh-params')
USAGE = ('signing_key', 'encryption_key', 'tls_www_server', 'tls_www_client')
EXPIRED = ('activation_date = "2020-01-01 00:00:00"',
           'expiration_date = "2021-01-01 00:00:00"')
LATER = ('activation_date = "2035-01-01 00:00:00"',
         'expiration_date = "2036-01-01 00:00:00"')
# extendedKeyUsage, critical, with nothing but serverAuth or clientAuth
ONLY_SERVER = ('signing_key', 'encryption_key', 'add_critical_extension = '
               '"2.5.29.37 0x300a06082b06010505070301"')
ONLY_CLIENT = ('signing_key', 'encryption_key', 'add_critical_extension = '
               '"2.5.29.37 0x300a06082b06010505070302"')


def certtool(*args):
    run = subprocess.run(['certtool', *map(str, args)], timeout=60,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, check=False)
    if run.returncode:
        raise RuntimeError(f'certtool: {run.stdout}')


class Pki:
    """make() returns a directory; the directories live as long as this."""

    def __init__(self):
        self.dir = None

    def __enter__(self):
        self.dir = Path(tempfile.mkdtemp(prefix=f'qmt-{os.getpid()}-pki'))
        self._certificate = functools.cache(self._certificate)
        self._key = functools.cache(self._key)
        self._ca = functools.cache(self._ca)
        self._group = functools.cache(self._group)
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.dir, ignore_errors=True)

    def make(self, where, names=(), addresses=(), ca='ca', trusted_ca=None,
             expired=False, wrong_key=False, without=(), usage=USAGE,
             revokes=False):
        """Fills the folder where (which must be there) with a certificate
        for those DNS names and IP addresses, and the CA; returns it.

        ca: who signs. trusted_ca: whom this side trusts, if another one.
        expired: its time is over. wrong_key: the key is another one's.
        without: files to leave out, as 'client-key'. usage: lines of
        certtool's template for what the certificate is for, and until when.
        revokes: a ca-crl.pem with that certificate in it. A ca whose name
        begins with 'no-' is none.
        """
        where = Path(where)
        key = self._key('leaf')
        cert = self._certificate(tuple(names), tuple(addresses), ca,
                                 EXPIRED if expired else (), tuple(usage))
        if wrong_key:
            key = self._key('other')
        source = {'ca-cert': self._ca(trusted_ca or ca)[1],
                  'server-cert': cert, 'client-cert': cert,
                  'server-key': key, 'client-key': key,
                  'dh-params': self._group()}
        for name in FILES:
            if name not in without:
                target = where / f'{name}.pem'
                shutil.copyfile(source[name], target)
                target.chmod(0o600)
        if revokes:
            self._revoke(cert, ca, where / 'ca-crl.pem')
        return where

    def for_host(self, where, host, **variant):
        """A good certificate for a host of the lab: its name and both its
        addresses; variant as in make()."""
        return self.make(where, (host.name, f'{host.name}.example'),
                         (host.address, host.migration_address), **variant)

    def _new(self, suffix):
        fd, path = tempfile.mkstemp(suffix=suffix, dir=self.dir)
        os.close(fd)
        return Path(path)

    def _key(self, name):
        path = self._new(f'-{name}.pem')
        certtool('--generate-privkey', '--key-type', 'rsa', '--bits', '2048',
                 '--outfile', path)
        return path

    def _group(self):
        """Without one, each server of QEMU 10.0 looks for one of its own:
        half a second."""
        path = self._new('.pem')
        certtool('--generate-dh-params', '--sec-param', 'medium', '--outfile',
                 path)
        return path

    def _template(self, lines):
        path = self._new('.cfg')
        path.write_text('\n'.join(lines) + '\n')
        return path

    def _ca(self, name):
        key = self._key(name)
        lines = [f'cn = "{name} of the tests"', 'expiration_days = 400']
        if not name.startswith('no-'):
            lines += ['ca', 'cert_signing_key', 'crl_signing_key']
        template = self._template(lines)
        cert = self._new('.pem')
        certtool('--generate-self-signed', '--load-privkey', key,
                 '--template', template, '--outfile', cert)
        return key, cert

    def _revoke(self, cert, ca, where):
        ca_key, ca_cert = self._ca(ca)
        template = self._template(['crl_next_update = 400'])
        certtool('--generate-crl', '--load-ca-privkey', ca_key,
                 '--load-ca-certificate', ca_cert, '--load-certificate', cert,
                 '--template', template, '--outfile', where)

    def _certificate(self, names, addresses, ca, times, usage):
        lines = [f'cn = "{names[0] if names else "leaf"}"', *usage]
        lines += [f'dns_name = "{name}"' for name in names]
        lines += [f'ip_address = "{address}"' for address in addresses]
        if not any('expiration' in line for line in usage):
            lines += times or ['expiration_days = 400']
        ca_key, ca_cert = self._ca(ca)
        cert = self._new('.pem')
        certtool('--generate-certificate', '--load-privkey', self._key('leaf'),
                 '--load-ca-privkey', ca_key, '--load-ca-certificate', ca_cert,
                 '--template', self._template(lines), '--outfile', cert)
        return cert
