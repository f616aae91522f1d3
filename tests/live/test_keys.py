"""`qmigrate keys`, and what real QEMUs think of certificates."""

import fcntl
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

import binaries
from cases import Case, Move
from engine import ROOT, program

QEMUS = {'7.2': binaries.system, '10.0.2': binaries.qemu10}
LIMIT_S = 120


class Keys:
    """In the place of a Pki: folders made by the commands that the page
    shows, with the lab's hosts for its own."""

    def __init__(self, lab):
        self.dir = lab.folder('keys')
        page = (ROOT / 'doc' / 'qmigrate-tls.7').read_text()
        [text] = [t for t in re.findall(r'^\.Bd -literal.*?\n(.*?)^\.Ed$', page,
                                        re.MULTILINE | re.DOTALL)
                  if 'create-ca' in t]
        for shown, number in (('a', 0), ('b', 1)):
            host = lab.host(('source', 'destination')[number])
            text = text.replace(f'host{shown}.example,192.0.2.{number + 1}',
                                f'{host.migration_address},{host.address}')
            text = text.replace(f'host{shown}', host.name)
        assert 'host' not in text.replace('create-host', '')
        env = {**os.environ, 'PATH': f'{Path(program()).parent}:/usr/bin:/bin'}
        self.said = lab.run(['sh', '-ec', f'cd {self.dir}; {text}'], env=env,
                            timeout=LIMIT_S).stdout

    def for_host(self, _, host):
        return self.dir / 'qmigrate-keys' / 'hosts' / host.name


MOVES = {
    '7.2': Case(live=False, binaries=('system', 'system')),
    '7.2-to-10.0.2': Case(live=False, binaries=('system', 'qemu10')),
    '10.0.2': Case(formats=('qcow2',)),
}


@pytest.mark.parametrize('case', MOVES.values(), ids=MOVES)
def test_migrate_with_keys_of_ours(lab, case):
    move = Move(lab, Keys(lab), case).start()
    move.moved()
    assert move.engine.result()['tls']


@pytest.mark.sample(2)
@pytest.mark.parametrize('qemu', QEMUS.values(), ids=QEMUS)
def test_checks_agree_with_qemu(qemu):
    """The unit test of the checks, with this QEMU's own opinion: each case
    is an object-add with sanity-check=on."""
    build = Path(program()).parent
    test = 'tests/unit/test-tls-check'
    if not (build / 'Makefile').exists():
        pytest.skip(f'{build} is no build folder')
    with open(build / '.lock', 'w') as lock:     # as ./dev does
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(['make', '-s', '-C', build, test], check=True,
                       timeout=600, stdout=subprocess.DEVNULL)
    b = qemu()
    setting = [f'{name}={value}' for name, value in b.env.items()]
    run = subprocess.run(
        [build / test], text=True, timeout=600, check=False,
        env={**os.environ,
             'QEMU_SYSTEM': shlex.join(['env', *setting, *b.argv])},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert run.returncode == 0, run.stdout
    asked = re.search(r'QEMU (\S+) was asked (\d+) times', run.stdout)
    assert asked, run.stdout
    assert b.version.startswith(asked[1])
    assert int(asked[2]) > 50


def test_priority_is_given_to_both(lab, pki):
    """TLS 1.2 alone: it must be said to both QEMUs, and by the engine's own
    handshake with the export, or they would not have agreed."""
    priority = 'NORMAL:-VERS-ALL:+VERS-TLS1.2'
    move = Move(lab, pki, Case(live=False, proxied=True,
                               options=('--tls-priority', priority)))
    result = move.start().moved()
    assert [d['tls-proved'] for d in result['disks']] == [True]
    for qemu in move.source, move.destination:
        [made] = [c.arguments for c in qemu.proxy.commands
                  if c.name == 'object-add' and
                  c.arguments['qom-type'] == 'tls-creds-x509']
        assert made['priority'] == priority
