"""Disks on real storage, as clouds use it, by QEMU's own drivers: an iSCSI
target (tgt), an NFS export (nfs-ganesha), a Ceph cluster (one monitor, one OSD
in memory) and a GlusterFS volume; two FUSE mounts of one folder (bindfs), and
loop devices. What became of a disk is read behind the server.

Not tested: the kernel's clients of NFS, iSCSI, RBD and CephFS, LIO, and
NVMe over fabrics. The kernel of the test machines has no driver for them.
"""

import uuid
from pathlib import Path

import pytest

import records
import servers
from cases import BINARIES, CALM, Case, Move
from qemu import MIB, Image, Qemu, make_image
from refusals import Pair, Refusal, blockers, state_of, unlike
from servers import Ceph, Gluster, Iscsi, Nfs, Volume, pattern
from sshd import Sshd, ssh_env
from test_choose import fuse, loop

pytestmark = pytest.mark.long


class Fuse:
    """A folder. Each side sees it through a FUSE mount of its own."""

    over_qemu = None

    def __init__(self, lab, name='storage'):
        self.folder = lab.folder(name)
        self.here, self.there = fuse(lab, self.folder), fuse(lab, self.folder)

    def make(self, name, byte=b'\0'):
        path = self.folder / name
        path.write_bytes(pattern(byte))
        return Volume(f'driver=file,filename={self.here}/{name}',
                      path.read_bytes,
                      f'driver=file,filename={self.there}/{name}')


class Loop:
    """Files. Each side sees them through loop devices of its own."""

    over_qemu = None

    def __init__(self, lab, name='storage'):
        self.lab = lab
        self.folder = lab.folder(name)

    def make(self, name, byte=b'\0'):
        path = self.folder / name
        path.write_bytes(pattern(byte))
        here, there = (f'driver=host_device,filename={loop(self.lab, path)}'
                       for _ in range(2))
        return Volume(here, path.read_bytes, there)


KINDS = {'iscsi': Iscsi, 'nfs': Nfs, 'ceph': Ceph, 'gluster': Gluster,
         'fuse': Fuse, 'loop': Loop}
every_kind = pytest.mark.parametrize('kind', KINDS.values(), ids=KINDS)
every_binary = pytest.mark.parametrize('binary', ['qemu10', 'system'])


def disks(side, *volumes):
    """Options of a QEMU: device vdN over volume N."""
    words = []
    for n, volume in enumerate(volumes):
        words += ['-blockdev', f'{volume.at(side)},node-name=disk{n}-file,'
                  'cache.direct=on',
                  '-blockdev', f'driver=raw,node-name=disk{n},'
                  f'file=disk{n}-file',
                  '-device', f'virtio-blk-pci,id=vd{n},drive=disk{n}']
    return {'disks': [], 'extra': words}


def pair_of(lab, pki, binary, kind, here, there):
    qemu = BINARIES[binary]()
    if issubclass(kind, servers.Server):
        qemu = servers.with_drivers(qemu, kind.over_qemu)
    return Pair(lab, pki, Refusal(
        '', source=disks('source', *here),
        destination=disks('destination', *there), both={'binary': qemu}))


def local(lab, name, byte=b'\0'):
    path = Path(make_image(lab, name, size=servers.SIZE).path)
    path.write_bytes(pattern(byte))
    return Volume(f'driver=file,filename={path}', path.read_bytes)


def move(pair, *options, **refusal):
    engine = pair.run(Refusal('', options=options, **refusal),
                      env=ssh_env(pair.lab))
    assert engine.process.returncode == 0, engine.text()
    assert pair.destination.status() == 'running'
    pair.source.wait_exit()
    return engine


def refused(pair, volumes, *options, **refusal):
    """The blockers. Neither a QEMU nor a volume has been touched."""
    before, content = state_of(pair), [v.read() for v in volumes]
    engine = pair.run(Refusal('', options=options, **refusal),
                      env=ssh_env(pair.lab))
    assert engine.process.returncode == 3, engine.text()
    assert unlike(pair, before) == []
    assert [v.read() for v in volumes] == content
    return blockers(engine)


def write_at(qemu, disk, volume):
    """What that QEMU writes for its guest arrives on the storage."""
    qemu.spy.cmd('human-monitor-command', command_line=(
        f'qemu-io -d /machine/peripheral/{disk}/virtio-backend '
        '"write -P 0x77 1M 64k"'))
    qemu.quit()
    assert volume.read()[MIB:][:65536] == b'\x77' * 65536


@every_kind
@every_binary
def test_shared_disk_is_not_copied(lab, pki, kind, binary):
    """After the move the destination writes to it."""
    one = kind(lab).make('a', b'A')
    pair = pair_of(lab, pki, binary, kind, [one], [one])
    assert move(pair).result()['disks'] == []
    assert one.read() == pattern(b'A')
    write_at(pair.destination, 'vd0', one)


@every_kind
@every_binary
def test_each_side_has_its_own(lab, pki, kind, binary):
    """On one server. Where names do not tell, the operator has to."""
    server = kind(lab)
    a, b = server.make('a', b'A'), server.make('b', b'B')
    pair = pair_of(lab, pki, binary, kind, [a], [b])
    if issubclass(kind, servers.Server):
        [blocker] = refused(pair, [a, b])
        assert 'whether disk vd0 is shared' in blocker['what'], blocker
    move(pair, '--disks', 'vd0', '--verify')
    assert a.read() == b.read() == pattern(b'A')
    write_at(pair.destination, 'vd0', b)
    assert a.read() == pattern(b'A')


@every_kind
@every_binary
def test_crossed_disks_are_refused(lab, pki, kind, binary):
    """Each would be copied over the other; no option allows it."""
    server = kind(lab)
    a, b = server.make('a', b'A'), server.make('b', b'B')
    pair = pair_of(lab, pki, binary, kind, [a, b], [b, a])
    for options in ((), ('--disks', 'all'), ('--disks', 'vd0,vd1'),
                    ('--disks', 'vd0')):
        assert refused(pair, [a, b], *options), options
    assert a.read() == pattern(b'A')
    assert b.read() == pattern(b'B')


@every_kind
@every_binary
def test_beside_a_local_disk(lab, pki, kind, binary):
    """Only the local disk is copied. No name tells that its file is not what
    the server offers, but that Ceph offers none."""
    one = kind(lab).make('a', b'A')
    source, destination = local(lab, 'source', b'S'), local(lab, 'there')
    pair = pair_of(lab, pki, binary, kind, [one, source], [one, destination])
    words = ()
    if issubclass(kind, servers.Server) and kind is not Ceph:
        [blocker] = refused(pair, [one, source, destination])
        assert '--separate vd1' in blocker['fix'], blocker
        words = '--separate', 'vd1'
    [disk] = move(pair, *words).result()['disks']
    assert disk['disk'] == 'vd1'
    assert destination.read() == source.read() == pattern(b'S')
    assert one.read() == pattern(b'A')
    write_at(pair.destination, 'vd0', one)


NEAR = {k: v for k, v in KINDS.items() if issubclass(v, servers.Server)}


every_server = pytest.mark.parametrize('kind', NEAR.values(), ids=NEAR)


def servers_near_each_host(lab, kind):
    """Each host has its own server, and its QEMU names that 127.0.0.1."""
    return [kind(lab, name, '127.0.0.1').make('a', byte)
            for name, byte in (('source', b'A'), ('destination', b'B'))]


@every_server
@every_binary
def test_servers_of_one_name(lab, pki, kind, binary):
    """On one machine they are taken for one, whatever the options say."""
    a, b = servers_near_each_host(lab, kind)
    pair = pair_of(lab, pki, binary, kind, [a], [b])
    for options in ((), ('--disks', 'vd0'), ('--disks', 'all')):
        assert 'vd0' in refused(pair, [a, b], *options)[0]['what']


@every_server
def test_servers_of_one_name_on_two_machines(lab, pki, kind):
    """A tunnel may make them one: the operator says that they are not."""
    a, b = servers_near_each_host(lab, kind)
    Sshd(lab, lab.host('destination'), boot_id=str(uuid.uuid4()))
    pair = pair_of(lab, pki, 'qemu10', kind, [a], [b])
    two = {'peers': ('{source}', 'ssh://destination{destination}')}
    [blocker] = refused(pair, [a, b], **two)
    assert 'whether disk vd0 is shared' in blocker['what'], blocker
    move(pair, '--disks', 'vd0', '--verify', **two)
    assert a.read() == b.read() == pattern(b'A')


class OnServer(Move):
    """A Linux whose disk vda is a volume, the destination's too, and vdb a
    file of each host."""

    def __init__(self, lab, pki, kind, volumes, options=()):
        self.kind = kind
        self.volumes = {side: (volume, local(lab, side)) for side, volume in
                        zip(('source', 'destination'), volumes)}
        super().__init__(lab, pki, Case(formats=('raw', 'raw'),
                                        options=options))

    def _qemu(self, name, binary):
        return Qemu(self.lab, self.lab.host(name), [],
                    incoming=name == 'destination', kernel_line=CALM,
                    binary=servers.with_drivers(BINARIES[binary](),
                                                self.kind.over_qemu),
                    extra=disks(name, *self.volumes[name])['extra'])

    def _check_guest(self, qemu, disks, paused):
        """As there, but on what is behind the server."""
        self.guest.wait_alive(qemu)
        qemu.quit()
        assert self.guest.faults() == []
        side = 'source' if qemu is self.source else 'destination'
        images = []
        for volume in self.volumes[side]:
            path = self.lab.path('read')
            path.write_bytes(volume.read())
            images.append(Image(path))
        assert records.missing_records(self.guest, images) == []


@every_server
def test_running_guest_keeps_its_shared_disk(lab, pki, kind):
    """No record is lost where one QEMU gives up the disk and the other takes
    it."""
    one = kind(lab).make('a')
    move = OnServer(lab, pki, kind, [one, one],
                    ('--separate', 'vd1')).start()
    assert [d['disk'] for d in move.moved()['disks']] == ['vd1']


@every_server
def test_running_guest_is_copied_between_servers(lab, pki, kind):
    here, there = (kind(lab, name).make('a') for name in ('near', 'far'))
    move = OnServer(lab, pki, kind, [here, there],
                    ('--disks', 'vd0,vd1', '--separate', 'vd0,vd1',
                     '--verify')).start()
    assert len(move.moved()['disks']) == 2


def with_conf(binary, server):
    """The QEMU on a host whose /srv/ceph.conf leads to that cluster."""
    return binary._replace(argv=(
        'unshare', '--mount', '--', 'sh', '-c',
        'mount --bind "$1" /srv && shift && exec "$@"', 'sh',
        str(server.folder), *binary.argv))


def two_clusters(lab, pki):
    """A pair whose disks have one name; each host's configuration file leads
    to a cluster of its own."""
    clusters = [Ceph(lab, name) for name in ('near', 'far')]
    volumes = [one.make('a', byte) for one, byte in zip(clusters,
                                                        (b'A', b'B'))]
    qemu = servers.with_drivers(BINARIES['qemu10']())
    here, there = (
        disks(side, Volume('driver=rbd,pool=rbd,image=a,conf=/srv/ceph.conf',
                           None)) | {'binary': with_conf(qemu, cluster)}
        for side, cluster in zip(('source', 'destination'), clusters))
    return volumes, Pair(lab, pki, Refusal('', source=here, destination=there))


def test_one_name_in_two_clusters(lab, pki):
    """Each host's /etc/ceph/ceph.conf is its own."""
    (a, b), pair = two_clusters(lab, pki)
    assert 'vd0' in refused(pair, [a, b])[0]['what']


def test_one_name_in_two_clusters_on_two_machines(lab, pki):
    Sshd(lab, lab.host('destination'), boot_id=str(uuid.uuid4()))
    (a, b), pair = two_clusters(lab, pki)
    two = {'peers': ('{source}', 'ssh://destination{destination}')}
    assert 'vd0' in refused(pair, [a, b], **two)[0]['what']
    move(pair, '--disks', 'vd0', '--verify', **two)
    assert a.read() == b.read() == pattern(b'A')


@every_server
def test_private_address_is_not_a_proof(lab, pki, kind):
    """Another network may have another server there: the operator says that
    it is one."""
    Sshd(lab, lab.host('destination'), boot_id=str(uuid.uuid4()))
    one = kind(lab, 'storage', lab.host('storage').address).make('a', b'A')
    pair = pair_of(lab, pki, 'qemu10', kind, [one], [one])
    two = {'peers': ('{source}', 'ssh://destination{destination}')}
    [blocker] = refused(pair, [one], **two)
    assert 'whether disk vd0 is shared' in blocker['what'], blocker
    move(pair, '--shared', 'vd0', **two)
    assert one.read() == pattern(b'A')
    write_at(pair.destination, 'vd0', one)
