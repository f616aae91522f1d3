"""Disks with a backing file: the whole is copied, or the overlay alone, once
it is proved that what lies below it is the same on both sides."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cases import BINARIES, REFUSED, Case, Move
from engine import ROOT
from qemu import MIB, Image, Qemu
from test_choose import bind

TOP = ('--disks-sync', 'top')
STAY = ('--paused', '--keep-source')

# What the overlay has: the guest writes elsewhere in the disk, too. Zeroes
# that hide what the backing file has are the trap: they must arrive as such.
OVERLAY = ('write -P 0x11 1M 64k', 'write -P 0x12 3000k 512',
           'write -z 4M 1M', 'write -z -u 6M 1M', 'write -P 0 8M 1M',
           'write -P 0x13 20M 64k', 'discard 24M 1M', 'write -z 40M 1M')


def img(*words):
    subprocess.run(['qemu-img', *map(str, words)], check=True, timeout=60)


def qemu_io(path, *commands, format='qcow2'):
    words = [word for c in commands for word in ('-c', c)]
    subprocess.run(['qemu-io', '-f', format, *words, str(path)], check=True,
                   stdout=subprocess.DEVNULL, timeout=60)


def overlay(path, base, *options):
    img('create', '-q', '-f', 'qcow2', *options, '-b', base, '-F', 'qcow2',
        path, '64M')
    return path


# ---- what is below the destination's overlay: (lab, source's base) -> base --

def copied(lab, base):
    there = lab.folder('there') / 'base'
    shutil.copy(base, there)
    return there


def shared(lab, base):
    return bind(lab, base.parent) / base.name


def flattened(lab, base):
    """The same content in another file, of another format's grain."""
    there = lab.folder('there') / 'base'
    img('convert', '-O', 'qcow2', '-o', 'cluster_size=4k', base, there)
    return there


def one_byte_differs(lab, base):
    there = copied(lab, base)
    qemu_io(there, f'write -P 0xab {30 * MIB + 777} 1')
    return there


def longer(lab, base):
    there = copied(lab, base)
    img('resize', '-q', there, '33M')
    return there


class Chain(Move):
    """A base of 32 MiB full of data, on a raw root, below a disk of 64."""

    def __init__(self, lab, pki, case, below=copied, options=(), used=None):
        self.below, self.options, self.used = below, options, used
        super().__init__(lab, pki, case)

    def _qemu(self, name, binary):
        lab, there = self.lab, name == 'destination'
        if not there:
            root = lab.folder('root') / 'root.raw'
            root.write_bytes(b'\x55' * (16 * MIB))
            self.base = lab.folder('here') / 'base'
            img('create', '-q', '-f', 'qcow2', '-b', root, '-F', 'raw',
                self.base, '32M')
            qemu_io(self.base, 'write -P 0xaa 3M 20M', 'write -P 0xbb 30M 1M')
        folder = lab.folder(f'{name}-overlay')
        if there and self.below is None:
            path = folder / 'disk'
            img('create', '-q', '-f', 'qcow2', path, '64M')
        else:
            base = self.below(lab, self.base) if there else self.base
            path = overlay(folder / 'disk', base, *self.options)
        if not there:
            qemu_io(path, *OVERLAY)
        elif self.used:
            qemu_io(path, self.used)
        make = BINARIES.get(binary)
        images = [Image(str(path), 'qcow2')]
        return Qemu(lab, lab.host(name), images, incoming=there,
                    live=self.case.live, binary=make(),
                    proxied=self.case.proxied,
                    state=self._state(name, binary, images))

    def compare(self):
        """Both have ended. What each presents is one, and both are sound;
        how much each allocates."""
        paths = [q.disks[0].path for q in self.qemus]
        for qemu in self.qemus:
            if qemu.is_alive():
                qemu.quit()
        img('compare', '-q', *paths)
        for path in paths:
            img('check', '-q', path)
        return [os.stat(p).st_blocks * 512 for p in paths]

    def verdicts(self, id='backing'):
        return [(v['level'], v['what']) for v in
                self.engine.events('PREFLIGHT')[0]['data']['verdicts']
                if v['id'] == id]


CASES = {
    'live': Case(binaries=('trixie', 'trixie')),
    'live-verify': Case(binaries=('trixie', 'trixie'), options=('--verify',)),
    'stopped': Case(stopped=True),
    'stopped-verify': Case(stopped=True, options=('--verify',)),
    'insecure': Case(stopped=True, tls=False),
    'system': Case(live=False, stopped=True, binaries=('system', 'system')),
    'system-to-qemu10': Case(live=False, stopped=True,
                             binaries=('system', 'qemu10')),
}


def with_options(case, *options):
    return Case(**{**vars(case), 'formats': ('qcow2',),
                   'options': (*case.options, *options)})


@pytest.mark.sample(7)
@pytest.mark.parametrize('below', [copied, shared, flattened],
                         ids=lambda f: f.__name__)
@pytest.mark.parametrize('case', CASES.values(), ids=CASES)
def test_overlay_alone(lab, pki, case, below):
    """It stays thin, and every byte and record is there."""
    move = Chain(lab, pki, with_options(case, *TOP, *STAY), below)
    result = move.start().moved(paused=True, kept=True)
    [plan] = result['disks']
    assert plan['copied-bytes'] < 40 * MIB
    [(level, what)] = move.verdicts()
    assert level == 'ok' and 'the overlay alone of disk vd0' in what
    assert ('one that both sides use' in what) == (below is shared)
    here, there = move.compare()
    assert there < here + 2 * MIB
    assert str(move.destination.disks[0].path) != str(
        move.source.disks[0].path)


@pytest.mark.sample(4)
@pytest.mark.parametrize('options', [
    ('-o', 'compat=0.10'), ('-o', 'cluster_size=512'),
    ('-o', 'cluster_size=2M'), ('-o', 'extended_l2=on,cluster_size=128k')],
    ids=lambda o: o[1])
@pytest.mark.parametrize('binary', ['qemu10', 'system'])
def test_any_grain(lab, pki, binary, options):
    case = Case(formats=('qcow2',), live=False, stopped=True,
                binaries=(binary, binary), options=(*TOP, *STAY))
    move = Chain(lab, pki, case, options=options)
    move.start().moved(paused=True, kept=True)
    move.compare()


@pytest.mark.sample(4)
@pytest.mark.parametrize('below, used, offset', [
    (one_byte_differs, None, 30 * MIB + 777),
    (copied, f'write -P 0xcd {10 * MIB} 1', 10 * MIB),
    (copied, f'write -P 0xcd {50 * MIB} 64k', 50 * MIB),
    (shared, f'write -P 0xcd {10 * MIB} 1', 10 * MIB),
    (shared, f'write -P 0xcd {50 * MIB} 64k', 50 * MIB),
    (shared, f'write -z {10 * MIB} 64k', 10 * MIB),
], ids=['base', 'used-overlay', 'used-beyond-the-base', 'shared-used',
        'shared-used-beyond', 'shared-zeroed'])
@pytest.mark.parametrize('binary', ['qemu10', 'system'])
def test_a_difference_is_undone(lab, pki, binary, below, used, offset):
    """Nothing was copied: the destination waits as before."""
    case = Case(formats=('qcow2',), live=False, stopped=True,
                binaries=(binary, binary), options=TOP)
    move = Chain(lab, pki, case, below, used=used)
    before = Path(move.destination.disks[0].path).read_bytes()
    result = move.start().undone(destination='waiting')
    assert result['error']['code'] == 'disk'
    assert f'differs is at offset {offset}\n' in move.error
    assert '--disks-sync full' in move.error
    assert 'prove backing files' in move.error
    assert Path(move.destination.disks[0].path).read_bytes() == before


@pytest.mark.sample(3)
@pytest.mark.parametrize('below, used, reads', [
    (copied, None, True), (shared, None, False),
    # what it has is what the backing file has
    (shared, f'write -P 0xaa {10 * MIB} 64k', True),
], ids=['copied', 'shared', 'shared-used'])
@pytest.mark.parametrize('binary', ['qemu10', 'system'])
def test_one_chain_is_not_read(lab, pki, binary, below, used, reads):
    case = Case(formats=('qcow2',), live=False, stopped=True, proxied=True,
                binaries=(binary, binary), options=(*TOP, *STAY))
    move = Chain(lab, pki, case, below, used=used)
    move.start().moved(paused=True, kept=True)
    assert ('nbd-server-start' in move.source.proxy.names()) == reads
    move.compare()


@pytest.mark.parametrize('below, says', [
    (None, "the destination's image has none"),
    (longer, 'has 33554432 bytes at the source and 34603008 at the'),
], ids=['none', 'longer'])
def test_refused(lab, pki, below, says):
    case = Case(formats=('qcow2',), live=False, options=(*TOP, '--verify'))
    move = Chain(lab, pki, case, below).start()
    move.undone((REFUSED,), 'waiting')
    assert says in move.error and '--disks-sync full' in move.error


def test_refused_where_writes_would_be_lost(lab, pki):
    """QEMU 10.0.2 with a guest that runs; not with one that is stopped, as
    above, nor if all is compared afterwards."""
    case = Case(formats=('qcow2',), options=TOP)
    move = Chain(lab, pki, case).start()
    move.undone((REFUSED,), 'waiting')
    assert 'this QEMU loses what the guest writes to disk vd0' in move.error
    assert '--verify' in move.error


def test_with_verify_it_may_run(lab, pki):
    case = Case(formats=('qcow2',), options=(*TOP, '--verify'), disk_rate=0)
    move = Chain(lab, pki, case)
    move.start().moved()
    assert move.verdicts()[0][0] == 'warning'


@pytest.mark.parametrize('number', [0, 1])
def test_without_a_backing_file_all_is_copied(lab, pki, number):
    case = Case(formats=(('qcow2', 'raw')[number],), options=TOP, live=False)
    move = Move(lab, pki, case)
    result = move.start().moved()
    assert result['disks'][0]['disk'] == 'vd0'
    assert Chain.verdicts(move) == [
        ('ok', 'disk vd0 has no backing file, and is copied whole')]


@pytest.mark.sample(2)
@pytest.mark.parametrize('below', [None, copied], ids=['none', 'overlay'])
@pytest.mark.parametrize('case', [
    Case(), Case(live=False, stopped=True, binaries=('system', 'system'))],
    ids=['live', 'system'])
def test_full_flattens(lab, pki, case, below):
    move = Chain(lab, pki, with_options(case, *STAY), below)
    move.start('--dry-run')
    assert move.engine.wait(30) == 0
    [plan] = move.engine.events('PLAN')
    [disk] = plan['data']['disks']
    assert disk['sync'] == 'full'
    assert disk['reason'].endswith('; its backing chain is flattened')
    assert move.verdicts() == [
        ('ok', 'disk vd0 is copied whole: its backing chain is flattened')]
    move.start().moved(paused=True, kept=True)
    move.compare()


ROW = 'prove backing files'


@pytest.mark.parametrize('at', [f'{ROW}:before', f'{ROW}:after',
                                'mirror disks:after', 'converge:after'])
def test_failure_is_undone(lab, pki, at):
    case = Case(formats=('qcow2',), live=False, stopped=True, options=TOP,
                env={'QMIGRATE_FAIL': f'{at}=fail'})
    move = Chain(lab, pki, case).start()
    move.undone(destination='gone' if 'converge' in at else 'waiting')


@pytest.mark.parametrize('fault', ['cut', 'killed', 'cancelled'])
def test_destination_vanishes(lab, pki, fault):
    """While it is about to be read; the source's server is taken away."""
    case = Case(formats=('qcow2',), live=False, stopped=True, options=TOP,
                proxied=True)
    move = Chain(lab, pki, case)
    hold = move.source.proxy.hold('block-export-add')
    move.start()
    hold.wait()
    {'cut': move.destination.host.cut, 'killed': move.destination.kill,
     'cancelled': move.engine.interrupt}[fault]()
    hold.release()
    code = move.engine.wait(90)
    assert code in (4, 5, 8), move.engine.text()
    assert move.unlike_before(move.source) == []
    assert ROW in (ROOT / 'src/core/recipe.c').read_text()


def test_a_server_in_use_is_left_alone(lab, pki):
    case = Case(formats=('qcow2',), live=False, stopped=True, options=TOP)
    move = Chain(lab, pki, case)
    move.source.spy.cmd('nbd-server-start', addr={
        'type': 'unix', 'data': {'path': str(lab.path('own.nbd'))}})
    move.before[move.source] = type(move.before[move.source])(move.source)
    move.start().undone(destination='waiting')
    assert 'nbd-server-stop at the source' in move.error
