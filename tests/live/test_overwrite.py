"""What a copy would destroy: the destination's image holds bytes of something
that the source uses, and names, locks and pairs of disks do not show it.

The engine must refuse, by what it found out and not by luck, and neither QEMU
nor image may be touched.  No guest runs here, since none has to.
"""

import hashlib
import os
import stat
from pathlib import Path

import pytest

from cases import BINARIES
from lab import wait_until
from qemu import make_image
from refusals import Pair, Refusal, blockers, state_of, unlike
from test_choose import fuse, loop, marks

SIZE = 16 << 20
HALF = SIZE // 2


def filled(path, byte=b'\xa5', size=SIZE):
    Path(path).write_bytes(byte * size)
    return str(path)


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def second_node(lab, device):
    """The device again, by another node in another folder, where no lock
    meets another."""
    path = str(lab.path('node'))
    os.mknod(path, 0o600 | stat.S_IFBLK, os.stat(device).st_rdev)
    return path


def blockdev(text):
    return '-blockdev', text


def raw(number, path, driver='file', more='', locking=True):
    lock = '' if locking else ',locking=off'
    return (*blockdev(f'driver={driver},node-name=disk{number}-file,'
                      f'filename={path}{lock}'),
            *blockdev(f'driver=raw,node-name=disk{number},'
                      f'file=disk{number}-file{more}'),
            '-device', f'virtio-blk-pci,id=vd{number},drive=disk{number}')


def machine(*parts, **more):
    return {'disks': [], 'extra': tuple(w for p in parts for w in p)} | more


def refused(lab, pki, refusal, victims, says, spoil=None):
    """The engine says so, and has changed nothing, nor have the images."""
    pair = Pair(lab, pki, refusal)
    if spoil:
        spoil(pair)
    before, bytes_before = state_of(pair), [digest(v) for v in victims]
    engine = pair.run(refusal, 'migrate')
    assert [digest(v) for v in victims] == bytes_before, engine.text()
    assert engine.process.returncode == 3, engine.text()
    found = [b['what'] for b in blockers(engine)]
    assert any(says in what for what in found), found
    assert all(b['id'] == 'disks' for b in blockers(engine))
    assert unlike(pair, before) == []
    assert marks(lab) == []
    return engine


def moved(lab, pki, refusal):
    pair = Pair(lab, pki, refusal)
    engine = pair.run(refusal, 'migrate')
    assert engine.process.returncode == 0, engine.text()
    for qemu in pair.qemus:
        if qemu.is_alive():
            qemu.quit()
    return engine


def take_snapshot(pair):
    """The guest's disk goes on in an overlay; what it was is its base."""
    overlay = make_image(pair.lab, 'snap1', 'qcow2', SIZE)
    spy = pair.source.spy
    spy.cmd('blockdev-add', driver='qcow2', node_name='snap1',
            file={'driver': 'file', 'filename': overlay.path}, backing=None)
    spy.cmd('blockdev-snapshot', node='disk0', overlay='snap1')


@pytest.mark.parametrize('binary', ['system', 'qemu10'])
def test_onto_the_sources_backing_file(lab, pki, binary):
    """The destination was started with the command line from before the
    source's snapshot was taken."""
    base = filled(lab.path('base'))
    device = loop(lab, base)
    node = second_node(lab, device)
    refusal = Refusal('', both={'binary': BINARIES[binary]()},
                      source=machine(raw(0, device, 'host_device')),
                      destination=machine(raw(0, node, 'host_device')))
    refused(lab, pki, refusal, [base],
            "vd0 would be copied over the source's backing file of disk vd0",
            take_snapshot)


def with_data_file(lab, name, common):
    """A qcow2 of its own, whose data lies in COMMON."""
    header = make_image(lab, f'{name}-header', 'qcow2', SIZE,
                        options=(f'data_file={common}', 'data_file_raw=on'))
    return machine(
        blockdev(f'driver=file,node-name=disk0-file,filename={header.path}'),
        blockdev(f'driver=file,node-name=disk0-data,filename={common},'
                 'locking=off'),
        blockdev('driver=qcow2,node-name=disk0,file=disk0-file,'
                 'data-file=disk0-data'),
        ('-device', 'virtio-blk-pci,id=vd0,drive=disk0'))


@pytest.mark.parametrize('binary', ['system', 'qemu10'])
def test_one_data_file(lab, pki, binary):
    common = lab.path('common')
    sides = [with_data_file(lab, name, common) for name in 'ab']
    filled(common)
    refusal = Refusal('', both={'binary': BINARIES[binary]()},
                      source=sides[0], destination=sides[1])
    refused(lab, pki, refusal, [common],
            "vd0 would be copied over the source's data file of disk vd0")


def test_crossed_disks_on_a_shared_file_system(lab, pki):
    """Two mounts of one folder, as two hosts have them."""
    folder = lab.folder('images')
    a, b = (filled(folder / name, byte)
            for name, byte in (('a', b'\xa5'), ('b', b'\x5a')))
    here, there = fuse(lab, folder), fuse(lab, folder)
    refusal = Refusal(
        '', source=machine(raw(0, here / 'a'), raw(1, here / 'b')),
        destination=machine(raw(0, there / 'b'), raw(1, there / 'a')))
    refused(lab, pki, refusal, [a, b],
            "disk vd0 would be copied over the source's disk vd1")


def slices(lab, here, there):
    file = lab.path('disks')
    file.write_bytes(b'\xa5' * HALF + b'\x5a' * HALF)
    return file, Refusal(
        '', source=machine(raw(0, file, more=here, locking=False)),
        destination=machine(raw(0, file, more=there, locking=False)))


def test_two_nodes_of_one_file_are_not_compared(lab, pki):
    """That a disk equals itself is no proof, but a refusal."""
    disk = filled(lab.path('disk'))
    device = loop(lab, disk)
    node = second_node(lab, device)
    refusal = Refusal('', source=machine(raw(0, device, 'host_device')),
                      destination=machine(raw(0, node, 'host_device')),
                      options=('--disks', 'vd0', '--verify'))
    refused(lab, pki, refusal, [disk], 'is the same image')


def test_what_was_compared_is_said(lab, pki):
    paths = [filled(lab.path(name)) for name in 'ab']
    refusal = Refusal('', source=machine(raw(0, paths[0])),
                      destination=machine(raw(0, paths[1])),
                      options=('--verify',))
    result = moved(lab, pki, refusal).result()
    assert result['verified']
    [disk] = result['disks']
    assert [disk['source-file'], disk['destination-file']] == paths


def test_slices_that_lie_apart_are_copied(lab, pki):
    """They are not one disk, though they are of one file."""
    file, refusal = slices(lab, f',offset=0,size={HALF}',
                           f',offset={HALF},size={HALF}')
    engine = moved(lab, pki, refusal)
    [disk] = engine.result()['disks']
    assert disk['disk'] == 'vd0'
    assert digest(file) == hashlib.sha256(b'\xa5' * SIZE).hexdigest()


@pytest.mark.parametrize('options', [(), ('--disks', 'all'),
                                     ('--shared', 'vd0')], ids=str)
def test_slices_that_overlap_are_refused(lab, pki, options):
    file, refusal = slices(lab, f',offset=0,size={HALF}',
                           f',offset=4096,size={HALF}')
    says = ('is not shared' if '--shared' in options
            else 'can be neither copied nor shared')
    refused(lab, pki, Refusal('', source=refusal.source, options=options,
                              destination=refusal.destination), [file], says)


def export(lab, path):
    """A file behind an NBD server of another host's network."""
    socket = lab.path('export')
    lab.spawn(['qemu-nbd', '--persistent', '--shared=8', '--format=raw',
               f'--socket={socket}', '--export-name=x', path])
    wait_until(socket.exists, 10, 'qemu-nbd')
    return (*blockdev(f'driver=nbd,node-name=disk1,server.type=unix,'
                      f'server.path={socket},export=x'),
            '-device', 'virtio-blk-pci,id=vd1,drive=disk1')


def exported(lab, options=()):
    """The source's second disk is the destination's file of the first, offered
    by its host."""
    victim = filled(lab.path('victim'))
    own, other = (make_image(lab, name, size=SIZE).path
                  for name in ('own', 'other'))
    return victim, Refusal(
        '', source=machine(raw(0, own), export(lab, victim)),
        destination=machine(raw(0, victim, locking=False), raw(1, other)),
        options=options)


def test_a_file_that_its_host_exports(lab, pki):
    """No name says that it is the same; none says that it is not."""
    victim, refusal = exported(lab, ('--disks', 'vd0'))
    engine = refused(
        lab, pki, refusal, [victim],
        "cannot determine whether disk vd0 would be copied over the source's "
        'disk vd1')
    assert '--separate vd0' in blockers(engine)[0]['fix']


def test_a_word_tells_what_an_export_is_not(lab, pki):
    """One of another file: the operator knows, and the copy is made."""
    far = filled(lab.path('far'), b'\x5a')
    own, other = (filled(lab.path('own')),
                  make_image(lab, 'other', size=SIZE).path)
    there = make_image(lab, 'there', size=SIZE).path
    refusal = Refusal(
        '', source=machine(raw(0, own), export(lab, far)),
        destination=machine(raw(0, there), raw(1, other)),
        options=('--disks', 'vd0', '--separate', 'vd0'))
    moved(lab, pki, refusal)
    assert digest(there) == digest(own)
    assert Path(far).read_bytes() == b'\x5a' * SIZE


def test_no_word_overrules_what_is_known(lab, pki):
    """The backing file is the destination's image, whatever is said."""
    base = filled(lab.path('base'))
    refusal = Refusal('', source=machine(raw(0, base, locking=False)),
                      destination=machine(raw(0, base, locking=False)),
                      options=('--disks', 'vd0', '--separate', 'vd0'))
    refused(lab, pki, refusal, [base],
            "vd0 would be copied over the source's backing file of disk vd0",
            take_snapshot)


def test_two_disks_onto_one_file(lab, pki):
    """The destination has one file twice."""
    own = [filled(lab.path(f'own{n}'), bytes([n + 1])) for n in range(2)]
    one = filled(lab.path('one'))
    refusal = Refusal(
        '', source=machine(raw(0, own[0]), raw(1, own[1])),
        destination=machine(raw(0, one, locking=False),
                            raw(1, one, locking=False)))
    refused(lab, pki, refusal, [one],
            "disk vd0 would be copied over the destination's disk vd1")


def test_one_image_over_two_backing_files(lab, pki):
    """The overlay is one, and what it shows is not."""
    bases = [make_image(lab, f'base{n}', size=SIZE) for n in range(2)]
    top = make_image(lab, 'top', 'qcow2', SIZE, backing=bases[0])
    sides = [machine(
        blockdev(f'driver=file,node-name=base,filename={base.path}'),
        blockdev(f'driver=qcow2,node-name=disk0,backing=base,'
                 f'file.driver=file,file.filename={top.path},'
                 'file.locking=off'),
        ('-device', 'virtio-blk-pci,id=vd0,drive=disk0')) for base in bases]
    refused(lab, pki, Refusal('', source=sides[0], destination=sides[1]),
            [top.path], 'can be neither copied nor shared')
