"""A disk that both sides use gets another image while the guest's RAM moves: a
backup's snapshot, another medium. The destination has the former one."""

import pytest

from refusals import Pair, Refusal
from test_overwrite import SIZE, filled, machine, raw

FAILED = 4


def medium(path):
    return ('-device', 'virtio-scsi-pci,id=scsi0', '-blockdev',
            f'driver=raw,node-name=cd,file.driver=file,file.filename={path},'
            'read-only=on', '-device', 'scsi-cd,id=cd0,drive=cd')


def take_snapshot(pair):
    pair.source.spy.cmd(
        'blockdev-snapshot-sync', node_name='disk0', format='qcow2',
        snapshot_file=str(pair.lab.path('snap')), snapshot_node_name='snap0')


def change_medium(pair):
    pair.source.spy.cmd(
        'blockdev-change-medium', id='cd0', format='raw', force=True,
        filename=filled(pair.lab.path('other'), b'\x22', SIZE))


def eject_medium(pair):
    pair.source.spy.cmd('eject', id='cd0', force=True)


def run(lab, pki, parts, change):
    path = filled(lab.path('common'))
    pair = Pair(lab, pki, Refusal('', both=machine(parts(path),
                                                   proxied=True)))
    pair.source.proxy.call('migrate', lambda *_: change(pair))
    return pair, pair.run(Refusal(''))


@pytest.mark.parametrize('parts, change, disk', [
    pytest.param(lambda path: raw(0, path), take_snapshot, 'vd0',
                 id='snapshot'),
    pytest.param(medium, change_medium, 'cd0', id='medium')])
def test_another_image(lab, pki, parts, change, disk):
    """What the guest wrote since then would be lost with the source."""
    pair, engine = run(lab, pki, parts, change)
    assert engine.process.returncode == FAILED, engine.text()
    assert f'disk {disk} has another image' in engine.err
    assert engine.result()['guest'] == 'source'
    assert pair.source.status() == 'running'
    assert not any(e.name == 'RESUME' for e in pair.destination.spy.events)


def test_an_ejected_medium(lab, pki):
    """The guest has given it out itself: no reason to stay."""
    pair, engine = run(lab, pki, medium, eject_medium)
    assert engine.process.returncode == 0, engine.text()
    assert pair.destination.status() == 'running'
