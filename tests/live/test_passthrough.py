"""Disks that a guest drives with SCSI commands of its own: they fail while a
mirror runs, so that such a disk can only be shared."""

import pytest

import servers
from cases import BINARIES
from refusals import Pair, Refusal, refuse

pytestmark = pytest.mark.long


def disk(side, device, volume):
    return {'disks': [], 'extra': (
        '-device', 'virtio-scsi-pci,id=scsi0', '-blockdev',
        f'{volume.at(side)},node-name=lun,cache.direct=on', '-device',
        f'{device},id=sd0,bus=scsi0.0,drive=lun')}


def pair_of(lab, pki, binary, device, here, there):
    return Pair(lab, pki, Refusal(
        '', both={'binary': servers.with_drivers(BINARIES[binary]())},
        source=disk('source', device, here),
        destination=disk('destination', device, there)))


@pytest.mark.parametrize('binary', ['qemu10', 'system'])
@pytest.mark.parametrize('device', ['scsi-block', 'scsi-generic'])
def test_never_copied(lab, pki, device, binary):
    server = servers.Iscsi(lab)
    one, other = server.make('one', b'A'), server.make('other', b'B')
    pair = pair_of(lab, pki, binary, device, one, other)
    before = other.read()
    refuse(pair, Refusal(f'disk sd0 is a {device}, which cannot be copied',
                         'scsi-hd', ('disks',), options=('--disks', 'all')))
    assert other.read() == before


@pytest.mark.parametrize('binary', ['qemu10', 'system'])
def test_shared(lab, pki, binary):
    one = servers.Iscsi(lab).make('one', b'A')
    pair = pair_of(lab, pki, binary, 'scsi-block', one, one)
    before = one.read()
    engine = pair.run(Refusal('', options=('--shared', 'sd0')))
    assert engine.process.returncode == 0, engine.text()
    assert one.read() == before
