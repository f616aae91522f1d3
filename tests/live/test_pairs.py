"""Each disk arrives at the device that had it, whatever it is called there
and in whatever order the devices are listed.

No guest runs here: what is looked at are the images.
"""

import pathlib

import pytest

from qemu import make_image
from refusals import Pair, Refusal, refuse

SIZE = 1 << 20


def filled(lab, name, byte):
    image = make_image(lab, name, size=SIZE)
    pathlib.Path(image.path).write_bytes(bytes([byte]) * SIZE)
    return image


def blockdev(name, image):
    return ['-blockdev', f'driver=raw,node-name={name},file.driver=file,'
            f'file.filename={image.path}']


def drive(name, image):
    return ['-drive', f'if=none,id={name},format=raw,file={image.path}']


def virtio(name, place):
    return ['-device', f'virtio-blk-pci,addr={place},drive={name}']


def scsi(name, place):
    return ['-device', f'scsi-hd,scsi-id={place},drive={name}']


def ide(name, place):
    return ['-device', f'ide-hd,bus=ide.{place},drive={name}']


def usb(name, place):
    return ['-device', f'usb-storage,port={place},drive={name}']


def onboard(name, image, place):
    return ['-drive', f'if=ide,id={name},index={place},format=raw,'
            f'file={image.path}']


BUSES = {virtio: (), ide: (), scsi: ('-device', 'virtio-scsi-pci,addr=7'),
         usb: ('-device', 'qemu-xhci,addr=7')}


def crossed(make, device):
    """The disks d0 and d1 at places 4 and 5 (or 1 and 2), listed the other
    way round by the destination."""
    first, second = (4, 5) if device is virtio else (1, 2)

    def arguments(images, names, backwards):
        argv = list(BUSES[device])
        if make is onboard:
            rows = [onboard(names[n], images[n], n + 1) for n in (0, 1)]
        else:
            for n in (0, 1):
                argv += make(names[n], images[n])
            rows = [device(names[0], first), device(names[1], second)]
        for row in reversed(rows) if backwards else rows:
            argv += row
        return argv
    return arguments


def pair_of(lab, pki, arguments, names=('d0', 'd1'), options=()):
    """The source's disks hold 1 and 2, the destination's 0xee and 0xdd."""
    source = [filled(lab, 's0', 1), filled(lab, 's1', 2)]
    there = [filled(lab, 't0', 0xee), filled(lab, 't1', 0xdd)]
    refusal = Refusal(
        '', both={'disks': []}, options=options,
        source={'extra': tuple(arguments(source, ('d0', 'd1'), False))},
        destination={'extra': tuple(arguments(there, names, True))})
    return Pair(lab, pki, refusal), refusal, there


def contents(images):
    """The one byte that each is full of."""
    found = []
    for image in images:
        data = pathlib.Path(image.path).read_bytes()
        assert data == data[:1] * SIZE
        found.append(data[0])
    return found


CASES = {
    'blockdev-verify': (blockdev, virtio, ('--verify',)),
    'drive-all': (drive, virtio, ('--disks', 'all')),
    'drive-auto': (drive, virtio, ()),
    'scsi': (blockdev, scsi, ()),
    'ide': (blockdev, ide, ()),
    'usb': (blockdev, usb, ()),
    'onboard': (onboard, ide, ()),
}
QUICK = 'blockdev-verify', 'onboard'


@pytest.mark.parametrize('case', [
    pytest.param(case, id=name,
                 marks=() if name in QUICK else pytest.mark.long)
    for name, case in CASES.items()])
def test_reversed_list(lab, pki, case):
    """Equal devices without an id: their addresses tell which is which."""
    make, device, options = case
    pair, how, there = pair_of(lab, pki, crossed(make, device),
                               options=options)
    engine = pair.run(how)
    assert engine.process.returncode == 0, engine.text()
    assert contents(there) == [1, 2]




@pytest.mark.parametrize('make', [
    pytest.param(blockdev, id='node'),
    pytest.param(drive, id='drive', marks=pytest.mark.long)])
def test_names_contradict(lab, pki, make):
    """The device at address 4 uses d0 here and d1 there."""
    pair, _, there = pair_of(lab, pki, crossed(make, virtio), ('d1', 'd0'))
    refuse(pair, Refusal(
        r'disk d0: the same device of the destination uses \w+ d1, and '
        'another device uses d0', 'the node or drive that it has at the',
        ('disks',)))
    assert contents(there) == [0xee, 0xdd]


def test_alike(lab, pki):
    """Two sticks on the ports that QEMU gave them, in the order of a list."""
    def arguments(images, names, backwards):
        argv = ['-device', 'qemu-xhci,addr=7']
        for n in (1, 0) if backwards else (0, 1):
            argv += blockdev(names[n], images[n])
            argv += ['-device', f'usb-storage,drive={names[n]}']
        return argv
    pair, _, there = pair_of(lab, pki, arguments)
    refuse(pair, Refusal('disk d0 has no counterpart', 'an id= on both sides',
                         ('disks',)))
    assert contents(there) == [0xee, 0xdd]
