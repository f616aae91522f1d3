"""What is in the way of RAM: one file for both sides' memory, memory that
does not travel, and settings that somebody left behind."""

import os
import pathlib

import pytest

from cases import Case, Move
from qemu import Image
from refusals import Pair, Refusal, refuse, run_case
from test_choose import fuse

MIB = 1 << 20


def backed(path, kind='memory-backend-file', share='on', size=64):
    """RAM in that file."""
    where = '' if path is None else f',mem-path={path}'
    return {'machine': 'pc-q35-7.2,memory-backend=m0',
            'extra': ('-object', f'{kind},id=m0,size={size}M,share={share}'
                      f'{where}')}


def second_backend(path, share='on'):
    """A DIMM in that file, beside RAM of its own."""
    return {'extra': (
        '-m', '64,slots=2,maxmem=1G', '-object',
        f'memory-backend-file,id=m1,size=32M,share={share},mem-path={path}',
        '-device', 'pc-dimm,id=dimm0,memdev=m1')}


def nvdimm(path):
    return {'machine': 'pc-q35-7.2,nvdimm=on', 'extra': (
        '-m', '64,slots=2,maxmem=1G', '-object',
        f'memory-backend-file,id=m1,size=32M,share=on,mem-path={path}',
        '-device', 'nvdimm,id=nv0,memdev=m1')}


def ram_file(lab, name='ram'):
    """Below /dev/shm, where lab.dir need not be a tmpfs."""
    path = f'/dev/shm/{lab.dir.name}-{name}'
    lab.on_exit(lambda: os.path.exists(path) and os.unlink(path))
    return path


def one_file(make):
    def both(pair):
        return make(ram_file(pair.lab))['extra']
    options = {'extra': both}
    machine = make('x').get('machine')
    return options | ({'machine': machine} if machine else {})


SAME = {
    'ram': one_file(backed),
    'dimm': one_file(second_backend),
    'nvdimm': one_file(nvdimm),
}
QUICK = ('ram',)


@pytest.mark.parametrize('both', [
    pytest.param(both, id=name,
                 marks=() if name in QUICK else pytest.mark.long)
    for name, both in SAME.items()])
def test_one_file(lab, pki, both):
    """The memory of the running guest is not loaded over."""
    pair = Pair(lab, pki, Refusal('', both=both))
    path = pathlib.Path(ram_file(lab))
    before = path.read_bytes()
    refuse(pair, Refusal(
        r'memory backend m\d of the destination is the file that the source '
        'has', 'another mem-path', ('memory-backends',), both=both))
    after = path.read_bytes()
    assert len(after) == len(before)
    assert pair.source.status() == 'running'


HARMLESS = {
    'two-files': lambda lab: (backed(ram_file(lab, 'a')),
                              backed(ram_file(lab, 'b'))),
    'private-there': lambda lab: (backed(ram_file(lab)),
                                  backed(ram_file(lab), share='off')),
    'folder': lambda lab: (backed('/dev/shm'), backed('/dev/shm')),
    'memfd': lambda lab: (backed(None, 'memory-backend-memfd'),
                          backed(None, 'memory-backend-memfd')),
}


@pytest.mark.parametrize('name', [
    pytest.param(n, marks=() if n == 'folder' else pytest.mark.long)
    for n in HARMLESS])
def test_harmless(lab, pki, name):
    """What is not one file is moved."""
    source, destination = HARMLESS[name](lab)
    pair = Pair(lab, pki, Refusal('', both={'disks': []}, source=source,
                                  destination=destination))
    engine = pair.run(Refusal(''))
    assert engine.process.returncode == 0, engine.text()
    assert pair.destination.status() == 'running'


@pytest.mark.long
def test_two_views_of_one_file(lab, pki):
    """A file system that hosts share: a mark tells, and is taken away."""
    folder = lab.folder('shared')
    here, there = fuse(lab, folder), fuse(lab, folder)
    pair = Pair(lab, pki, Refusal('', source=backed(f'{here}/ram'),
                                  destination=backed(f'{there}/ram')))
    refuse(pair, Refusal('memory backend m0 of the destination is the file',
                         'another mem-path', ('memory-backends',)))
    assert [p.name for p in folder.iterdir()] == ['ram']


@pytest.mark.long
def test_two_files_of_one_folder(lab, pki):
    folder = lab.folder('shared')
    here, there = fuse(lab, folder), fuse(lab, folder)
    pair = Pair(lab, pki, Refusal('', source=backed(f'{here}/a'),
                                  destination=backed(f'{there}/b'),
                                  both={'disks': []}))
    engine = pair.run(Refusal(''))
    assert engine.process.returncode == 0, engine.text()
    assert sorted(p.name for p in folder.iterdir()) == ['a', 'b']


def test_ram_over_a_disk(lab, pki):
    """What the source has as a disk is no file for the destination's RAM."""
    path = lab.path('vm')
    path.write_bytes(b'\xa5' * 64 * MIB)
    run_case(lab, pki, Refusal(
        "memory backend m0 of the destination is the source's disk vd0",
        'another mem-path', ('memory-backends',),
        both={'machine': backed('x')['machine']},
        source={'disks': [Image(str(path))],
                'extra': backed(lab.path('ram'))['extra']},
        destination={'size': 64 * MIB, 'extra': backed(path)['extra']}))
    assert set(path.read_bytes()) == {0xa5}


def test_a_disk_over_ram(lab, pki):
    """Nor is what it has for its RAM a disk of the destination's."""
    path = str(lab.path('ram'))
    pair_of = Refusal(
        "disk vd0 would be copied over the source's memory backend m0", '',
        ('disks',), both={'machine': backed('x')['machine']},
        source={'size': 64 * MIB, 'extra': backed(path)['extra']},
        destination={'disks': lambda pair: [Image(path)],
                     'extra': backed(lab.path('other'))['extra']})
    run_case(lab, pki, pair_of)


def pmem(path):
    return {'extra': (
        '-m', '64,slots=2,maxmem=1G', '-object',
        f'memory-backend-file,id=m1,size=32M,share=on,mem-path={path}',
        '-device', 'virtio-pmem-pci,id=pmem0,memdev=m1')}


def test_virtio_pmem(lab, pki):
    """Neither what it holds nor its state travels."""
    run_case(lab, pki, Refusal(
        'memory device pmem0 of the source is a virtio-pmem', 'unplug it',
        ('memory-devices',),
        source={'extra': lambda p: pmem(ram_file(p.lab, 'a'))['extra']},
        destination={'extra': lambda p: pmem(ram_file(p.lab, 'b'))['extra']}))


# ---- settings that were left behind ----

LEFT = {'mode': 'cpr-reboot', 'avail-switchover-bandwidth': 10 << 30,
        'max-bandwidth': 1 << 20, 'zero-page-detection': 'none',
        'xbzrle-cache-size': 1 << 20}
LEFT_ON = ('x-ignore-shared', 'xbzrle')


class Left(Move):
    """A source that another migration has left its settings in."""

    def _qemu(self, name, binary):
        qemu = super()._qemu(name, binary)
        qemu.spy.cmd('migrate-set-capabilities', capabilities=[
            {'capability': c, 'state': True} for c in LEFT_ON])
        qemu.spy.cmd('migrate-set-parameters', **LEFT)
        return qemu


def test_settings_left_behind(lab, pki):
    """The guest runs while its memory is sent; the settings are put back."""
    move = Left(lab, pki, Case(live=False, formats=()))
    move.start()
    move.moved()
    events = move.source.spy.events
    first_pass = next(e for e in events if e.name == 'MIGRATION_PASS')
    stop = next(e for e in events if e.name == 'STOP')
    assert stop.said > first_pass.said
    told = [v['what'] for e in move.engine.events('PREFLIGHT')
            for v in e['data']['verdicts'] if v['id'] == 'settings']
    assert any('mode is \'cpr-reboot\'' in line for line in told), told


def test_settings_put_back(lab, pki):
    """At a source whose move failed."""
    move = Left(lab, pki, Case(live=False, formats=()))
    move.start(QMIGRATE_FAIL='converge:after=fail')
    move.undone()
