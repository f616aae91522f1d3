"""Destinations whose block device is larger than the source's disk: the guest
gets a slice of it."""

from dataclasses import replace

import pytest

from cases import DONE, ENGINE_LIMIT_S, FAILED, Case
from engine import Engine
from made import SIZE, STILL, Made
from qemu import MIB, Image, Qemu, make_image
from snapshot import Snapshot
from test_mirror import loop_device


def devices(lab, size, top):
    def blockdevs(number):
        image = loop_device(make_image(lab, f'large{number}', 'raw', size),
                            lab)
        node = f'driver=host_device,filename={image.path},cache.direct=on,' \
               f'discard=unmap,node-name=disk{number}'
        return ['-blockdev', node] if not top else [
            '-blockdev', f'{node}-file', '-blockdev',
            f'driver=raw,node-name=disk{number},file=disk{number}-file']

    return blockdevs


class Sliced(Made):
    """A Move onto a loop device that is larger than the source's disk."""

    def __init__(self, lab, pki, case, size=96 * MIB, top=True, **options):
        super().__init__(lab, pki, case, given=False,
                         blockdevs=devices(lab, size, top), **options)

    def _qemu(self, name, binary):
        qemu = super()._qemu(name, binary)
        if name == 'destination':
            qemu.disks = [Image(n['file'], 'raw', SIZE) for n in
                          qemu.spy.cmd('query-named-block-nodes', flat=True)
                          if n['drv'] == 'host_device']
        return qemu

    def moved(self, *args, **options):
        """The guest has its size; the rest of the device stays below."""
        self.engine.wait(ENGINE_LIMIT_S)
        for disk in self.destination.spy.cmd('query-block'):
            assert disk['inserted']['image']['virtual-size'] == SIZE
        state = self.before[self.destination].state
        for key in state['disks']:
            [slice_] = [name for name in Snapshot(
                self.destination).state['nodes'] if 'slice' in name]
            state['disks'][key] = slice_
            state['nodes'][slice_] = {
                'driver': 'raw', 'ro': False, 'active': None,
                'detect-zeroes': 'off', 'bitmaps': []}
        return super().moved(*args, **options)


OLD = replace(STILL, stopped=True, binaries=('system', 'system'))
SLICES = {
    'raw': (Case(), {}),
    'direct': (STILL, {'top': False}),
    'qcow2-source': (replace(STILL, formats=('qcow2',)), {}),
    'scsi': (Case(device='scsi'), {}),
}


@pytest.mark.sample(2)
@pytest.mark.parametrize('case,options', SLICES.values(), ids=SLICES)
def test_slice_of_a_larger_block_device(lab, pki, case, options):
    """The guest sees the size that it knows."""
    move = Sliced(lab, pki, case, **options).start()
    move.moved()


def test_slice_on_an_older_qemu(lab, pki):
    move = Sliced(lab, pki, OLD,
                  fill=[(n * 4 * MIB, MIB) for n in range(16)]).start()
    move.moved(paused=True)
    move.destination.quit()
    with open(move.source.disks[0].path, 'rb') as a, \
            open(move.destination.disks[0].path, 'rb') as b:
        assert a.read() == b.read(SIZE)


@pytest.mark.parametrize('case,at', [
    (STILL, 'make disks:after'), (STILL, 'mirror disks:after'),
    (STILL, 'converge:after'), (OLD, 'make disks:after'),
    (OLD, 'mirror disks:after')])
def test_slice_is_taken_back(lab, pki, case, at):
    move = Sliced(lab, pki, case)
    move.start(QMIGRATE_FAIL=f'{at}=fail')
    move.undone((FAILED,), 'any')


def test_ide_takes_no_slice(lab, pki):
    """It knows the size that its disk had when QEMU started."""
    Sliced(lab, pki, replace(STILL, device='ide')).refused(
        'disk hd0 has 67108864 bytes at the source and 100663296 at the '
        'destination', 'size=67108864')


def test_smaller_block_device(lab, pki):
    Sliced(lab, pki, STILL, size=32 * MIB).refused(
        'disk vd0 has 67108864 bytes at the source and 33554432 at the '
        'destination', 'anew with 67108864 bytes')


def test_slice_is_a_source_again(lab, pki):
    """The guest moves on from it, to a file of its size."""
    move = Sliced(lab, pki, STILL, fill=[(n * 4 * MIB, MIB)
                                         for n in range(16)]).start()
    move.moved()
    there = make_image(lab, 'third0', 'raw', SIZE)
    third = Qemu(lab, lab.host('third'), [there], incoming=True, live=False)
    tls = pki.for_host(lab.folder('pki-third'), lab.host('third'))
    engine = Engine(lab, 'migrate', '--json', '--source-tls-dir', move.tls[1],
                    '--destination-tls-dir', tls, '--address',
                    third.host.address, move.destination.address,
                    third.address, host=move.destination.host)
    assert engine.wait(60) == DONE, engine.text()
    third.quit()
    with open(move.source.disks[0].path, 'rb') as a, \
            open(there.path, 'rb') as b:
        assert a.read() == b.read()
