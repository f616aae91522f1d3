"""A guest that stands still is moved twice, over a disk that all hosts share.

QEMU 7.2 aborts if the disks of such a source were never taken over.
"""

import pytest

from cases import BINARIES
from engine import Engine
from qemu import Qemu, make_image
from snapshot import Snapshot


class Chain:
    """QEMUs on three hosts, which share one image."""

    def __init__(self, lab, pki, binary, paused):
        self.lab = lab
        self.hosts = [lab.host(n) for n in ('first', 'second', 'third')]
        image = make_image(lab, 'shared')
        self.qemus = [Qemu(lab, host, [image], live=False, mem=32,
                           binary=BINARIES[binary](), incoming=n > 0,
                           paused=paused and n == 0)
                      for n, host in enumerate(self.hosts)]
        self.tls = [pki.for_host(lab.folder(f'pki-{h.name}'), h)
                    for h in self.hosts]

    def move(self, n, *options):
        """From host N to the next one; the engine's exit status."""
        engine = Engine(
            self.lab, 'migrate', '--json', '--source-tls-dir', self.tls[n],
            '--destination-tls-dir', self.tls[n + 1], '--address',
            self.hosts[n + 1].address, *options, self.qemus[n].address,
            self.qemus[n + 1].address, host=self.hosts[n])
        engine.wait(60)
        return engine


@pytest.mark.parametrize('binary', [
    'system', pytest.param('qemu10', marks=pytest.mark.long)])
def test_stopped_twice(lab, pki, binary):
    chain = Chain(lab, pki, binary, paused=True)
    for n in (0, 1):
        engine = chain.move(n)
        assert engine.process.returncode == 0, engine.text()
        assert chain.qemus[n].wait_exit() == 0
    chain.qemus[2].spy.cmd('cont')
    assert chain.qemus[2].status() == 'running'


def test_never_continued(lab, pki):
    """--paused left the disks inactive: refused, and the source lives on; once
    it was continued it moves."""
    chain = Chain(lab, pki, 'system', paused=False)
    assert chain.move(0, '--paused').process.returncode == 0
    before = [Snapshot(q) for q in chain.qemus[1:]]
    engine = chain.move(1)
    assert engine.process.returncode == 3, engine.text()
    error = engine.result()['error']
    assert 'was never continued: its disks are inactive' in error['message']
    assert 'cont, and stop again' in error['hint']
    assert [Snapshot(q).diff(b)
            for q, b in zip(chain.qemus[1:], before)] == [[], []]
    chain.qemus[1].spy.cmd('cont')
    chain.qemus[1].spy.cmd('stop')
    engine = chain.move(1)
    assert engine.process.returncode == 0, engine.text()
    assert chain.qemus[2].is_alive()
