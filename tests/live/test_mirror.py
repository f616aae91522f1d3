"""Disks that are hard to copy: written faster than they are copied, sparse,
fragmented, on block devices; destinations that are full, broken, slow."""

import pytest

import binaries
from cases import FAILED, Case, Move
from qemu import MIB, Qemu, make_image

SIZE = 64 * MIB



class Stored(Move):
    """A Move whose images are made by images(lab, side). A destination may
    have its disk behind another node: blockdevs(image) are the options of
    'disk0' and of what is below."""

    def __init__(self, lab, pki, case, images, blockdevs=None):
        self.images = {side: images(lab, side)
                       for side in ('source', 'destination')}
        self.blockdevs = blockdevs
        super().__init__(lab, pki, case)

    def _qemu(self, name, binary):
        image = self.images[name]
        more, disks = [], [image]
        if self.blockdevs and name == 'destination':
            disks = []
            for one in self.blockdevs(image):
                more += ['-object' if one.startswith('throttle-group') else
                         '-blockdev', one]
            more += ['-device', 'virtio-blk-pci,id=vd0,drive=disk0,'
                     'serial=disk0']
        qemu = Qemu(self.lab, self.lab.host(name), disks, extra=more,
                    incoming=name == 'destination', live=self.case.live,
                    binary=BINARIES[binary]())
        qemu.disks = [image]
        return qemu

    def warnings(self):
        return [e['data']['message'] for e in self.engine.events('WARNING')]


BINARIES = {'qemu10': binaries.qemu10, 'system': binaries.system,
            'trixie': lambda: binaries.suite('trixie'),
            'sid': lambda: binaries.suite('sid')}


def empty(format='raw', size=SIZE):
    return lambda lab, side: make_image(lab, f'{side}0', format, size)


# ---- written faster than copied ----

BUSY = {'qemu10': ('qemu10', 'qemu10'), 'system': ('system', 'system')}


@pytest.mark.parametrize('pair', BUSY.values(), ids=BUSY)
def test_disk_is_written_faster_than_copied(lab, pki, pair):
    """In the background it would never be in sync. (7.2 is not to be trusted
    with a guest that runs while its RAM moves: this ends before.)"""
    case = Case(binaries=pair, disk_rate=2000, mem_rate=0,
                options=('--disk-bandwidth', '4M'))
    move = Stored(lab, pki, case, empty()).start(
        QMIGRATE_FAIL='open the door:before=fail')
    result = move.undone((FAILED,), 'waiting')
    assert any('faster than it is copied' in w for w in move.warnings())
    assert result['disks'][0]['write-blocking']
