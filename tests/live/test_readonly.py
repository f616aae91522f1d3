"""Read-only disks: what the destination does not have is copied with the rest,
what it has, byte for byte, is not, and nothing of ours is left there.
"""

import os
import subprocess

import pytest

import binaries
from cases import FAILED, REFUSED, Case, Move
from qemu import Qemu

MIB = 1 << 20
SIZE = 4 * MIB
NODE = 'cd'


def medium(size=SIZE):
    """What nobody else has, with holes, and an end that is odd to a
    mirror."""
    return os.urandom(MIB) + bytes(MIB) + os.urandom(size - 2 * MIB - 2048) + \
        bytes(2048)


def blockdev(path, format):
    return ('-blockdev', f'driver=file,node-name={NODE}-file,filename={path},'
            'read-only=on', '-blockdev', f'driver={format},node-name={NODE},'
            f'file={NODE}-file,read-only=on')


def scsi_cd(path, format):
    return (*blockdev(path, format), '-device', 'virtio-scsi-pci,id=scsi9',
            '-device', f'scsi-cd,id=cd0,bus=scsi9.0,drive={NODE}')


def ide_cd(path, format):
    return (*blockdev(path, format),
            '-device', f'ide-cd,id=cd0,bus=ide.1,drive={NODE}')


def virtio(path, format):
    return (*blockdev(path, format), '-device',
            f'virtio-blk-pci,id=cd0,drive={NODE},serial=cd0,addr=1a.0')


def cdrom(path, format):
    """By the oldest of options; its node has a name of QEMU's own."""
    return '-drive', f'if=ide,media=cdrom,file={path},format={format}'


def usb(path, format):
    return (*blockdev(path, format), '-device', 'qemu-xhci,id=xhci',
            '-device', f'usb-storage,id=cd0,drive={NODE},removable=on')


class WithMedium(Move):
    """Beside the disk there is a read-only one; here and there are what its
    images hold at first, raw."""

    def __init__(self, lab, pki, case, here, there, device=scsi_cd,
                 format='raw', there_format=None):
        self.content = {'source': here, 'destination': there}
        self.format = {'source': format,
                       'destination': there_format or format}
        self.device = device
        self.path = {}
        super().__init__(lab, pki, case)

    def _qemu(self, name, binary):
        from cases import BINARIES
        from qemu import make_image
        c = self.case
        images = [make_image(self.lab, f'{name}{n}', f)
                  for n, f in enumerate(c.formats)]
        self.path[name] = self._image(name)
        return Qemu(self.lab, self.lab.host(name), images,
                    incoming=name == 'destination', live=c.live,
                    binary=BINARIES[binary](), proxied=c.proxied,
                    extra=self.device(self.path[name], self.format[name]))

    def _image(self, name):
        raw = self.lab.path(f'{name}.iso')
        raw.write_bytes(self.content[name])
        if self.format[name] == 'raw':
            return raw
        path = self.lab.path(f'{name}-cd.qcow2')
        subprocess.run(['qemu-img', 'convert', '-O', 'qcow2', raw, path],
                       check=True, timeout=30)
        return path

    def read(self, name):
        """What its image holds now."""
        path = self.path[name]
        if self.format[name] == 'raw':
            return path.read_bytes()
        raw = self.lab.path(f'{name}-read')
        subprocess.run(['qemu-img', 'convert', '-U', '-O', 'raw', path, raw],
                       check=True, timeout=30)
        return raw.read_bytes()

    def guest_reads(self):
        """All that the destination's device has for the guest, through its
        own node."""
        spy, path = self.destination.spy, self.lab.path('read.nbd')
        [node] = [d['inserted']['node-name'] for d in spy.cmd('query-block')
                  if d.get('inserted', {}).get('ro')]
        spy.cmd('nbd-server-start',
                addr={'type': 'unix', 'data': {'path': str(path)}})
        spy.cmd('block-export-add', type='nbd', id='read', node_name=node,
                name='read', writable=False)
        raw = self.lab.path('guest-read')
        subprocess.run(['qemu-img', 'convert', '-f', 'raw', '-O', 'raw',
                        f'nbd+unix:///read?socket={path}', raw],
                       check=True, timeout=30)
        spy.cmd('nbd-server-stop')
        return raw.read_bytes()

    def mirrors(self):
        """Jobs that the source was heard to begin."""
        self.source.spy.hear_all()
        return {e.data['id'] for e in self.source.spy.events
                if e.name == 'JOB_STATUS_CHANGE'}

    def verdict(self, command='check'):
        """What --dry-run says of the disk, and nothing is done."""
        before = self.read('destination')
        self.start('--dry-run')
        self.engine.wait(60)
        assert self.read('destination') == before
        [plan] = self.engine.events('PLAN')
        [disk] = [d for d in plan['data']['disks'] if d['disk'] != 'vd0']
        return disk['verdict'], disk['reason']


def copied(result):
    return sorted(d['disk'] for d in result['disks'])


LIVE = {
    'scsi-cd': {},
    'ide-cd': {'device': ide_cd},
    'virtio': {'device': virtio},
    'usb-stick': {'device': usb},
    'cdrom': {'device': cdrom},
    'qcow2': {'device': virtio, 'format': 'qcow2'},
    'raw-to-qcow2': {'there_format': 'qcow2'},
}


@pytest.mark.parametrize('how', LIVE.values(), ids=LIVE)
@pytest.mark.parametrize('pair', ['qemu10', 'system'])
def test_what_is_not_there_is_copied(lab, pki, pair, how):
    """Written by a guest that runs; by 7.2 of one without a system."""
    content = medium()
    case = Case(live=pair == 'qemu10', binaries=(pair, pair))
    move = WithMedium(lab, pki, case, content, bytes(SIZE), **how)
    verdict, reason = move.verdict()
    assert (verdict, reason) == ('copy', reason)
    assert reason.startswith('read-only, and ')
    move.start()
    move.wait_step('run the destination', 'done')
    assert move.guest_reads() == content
    result = move.moved()
    assert len(copied(result)) == 2
    assert len(move.mirrors()) == 2
    assert move.read('destination') == content
    assert move.read('source') == content
