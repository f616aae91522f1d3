"""A guest moves, and nothing of the move is left."""

import pytest

import records
from cases import DONE, Case, Move
from qemu import Qemu

TWO = ('qcow2', 'raw')

RUNNING = {
    'raw': Case(),
    'qcow2': Case(formats=('qcow2',)),
    'two-disks-multifd': Case(formats=TWO, options=('--channels', '2')),
    'single-stream': Case(options=('--channels', '0')),
    'no-disks': Case(formats=()),
    'scsi': Case(formats=('raw', 'qcow2'), device='scsi'),
    'no-dh-params': Case(formats=(),
                         tls_variant=({}, {'without': ('dh-params',)})),
    'psk': Case(psk=True, formats=TWO),
    'psk-multifd': Case(psk=True, options=('--channels', '2')),
    'psk-verified': Case(psk=True, options=('--verify',)),
    'insecure': Case(tls=False),
    'insecure-multifd': Case(tls=False, formats=(),
                             options=('--channels', '3')),
}

STOPPED = {
    'qemu10': Case(stopped=True, formats=TWO),
    'system': Case(stopped=True, binaries=('system', 'system')),
    'system-qcow2': Case(stopped=True, formats=('qcow2',),
                         binaries=('system', 'system')),
    'system-to-qemu10': Case(stopped=True, binaries=('system', 'qemu10')),
    'qemu10-to-system': Case(stopped=True, binaries=('qemu10', 'system')),
}

# A guest that only waits for a disk to boot from: 7.2 is to be trusted with it.
FIRMWARE = {
    'system': Case(live=False, binaries=('system', 'system')),
    'system-multifd': Case(live=False, binaries=('system', 'system'),
                           options=('--channels', '2')),
    'system-psk': Case(live=False, psk=True, binaries=('system', 'system'),
                       options=('--channels', '2')),
    'system-clear': Case(live=False, tls=False, formats=TWO,
                         binaries=('system', 'system')),
    'system-to-qemu10': Case(live=False, binaries=('system', 'qemu10')),
}


@pytest.mark.sample(2)
@pytest.mark.parametrize('case', RUNNING.values(), ids=RUNNING)
def test_running_guest_moves(lab, pki, case):
    move = Move(lab, pki, case).start()
    result = move.moved()
    assert result['tls'] is case.tls
    assert not result['paused']
    assert len(result['disks']) == len(case.formats)
    for disk, image in zip(result['disks'], move.source.disks):
        assert disk['source-file'] == image.path
        assert disk['tls-proved'] is case.tls
        assert disk['copied-bytes'] >= image.size
    assert move.guest.handover()[0] < 5000
    assert 0 <= result['handover']['blackout-ms'] < 5000


@pytest.mark.sample(2)
@pytest.mark.parametrize('case', STOPPED.values(), ids=STOPPED)
def test_stopped_guest_stays_stopped(lab, pki, case):
    """Nobody tells it `cont`; and when somebody does, it lives."""
    move = Move(lab, pki, case).start()
    assert move.engine.wait(60) == DONE
    assert move.destination.status() == 'paused'
    assert not [e for e in move.destination.spy.events if e.name == 'RESUME']
    if case.formats[0] == 'raw':
        assert records.missing_records(
            move.guest, {0: move.destination.disks[0]}) == []
    move.destination.spy.cmd('cont')
    result = move.moved()
    assert result['paused']


@pytest.mark.parametrize('case', FIRMWARE.values(), ids=FIRMWARE)
def test_firmware_moves(lab, pki, case):
    Move(lab, pki, case).start().moved()


@pytest.mark.parametrize('wanted', [0, 3])
def test_channels_as_asked(lab, pki, wanted):
    case = Case(formats=(), live=False, options=('--channels', str(wanted)))
    move = Move(lab, pki, case).start()
    result = move.moved()
    assert result['ram']['channels'] == wanted


def test_paused_there(lab, pki):
    move = Move(lab, pki, Case(options=('--paused',))).start()
    result = move.moved(paused=True)
    assert result['paused']


def test_source_is_kept(lab, pki):
    """It stays, stopped for good and as it was."""
    move = Move(lab, pki, Case(formats=TWO, options=('--keep-source',)))
    result = move.start().moved(kept=True)
    assert result['source-kept']


def test_source_is_kept_with_a_stopped_guest(lab, pki):
    case = Case(stopped=True, options=('--keep-source',))
    move = Move(lab, pki, case).start()
    move.moved(paused=True, kept=True)


def test_no_disk_is_copied(lab, pki):
    """--disks none: as if the images were shared. The guest does not write,
    since they are not."""
    case = Case(formats=TWO, disk_rate=0, copied=(),
                options=('--disks', 'none'))
    result = Move(lab, pki, case).start().moved()
    assert result['disks'] == []


@pytest.mark.parametrize('name', ['disk1', 'vd1'])
def test_one_disk_of_two(lab, pki, name):
    """By node name or by device id."""
    case = Case(formats=TWO, disk_rate=0, copied=(1,),
                options=('--disks', name))
    move = Move(lab, pki, case)
    move.guest.load(disk_rate=50)
    move.guest.wait_acks(20)
    move.guest.load(disk_rate=0)
    result = move.start().moved()
    assert [d['source-file'] for d in result['disks']] == \
        [move.source.disks[1].path]
    stale = records.missing_records(move.guest, {0: move.destination.disks[0]})
    assert stale, 'only the disk that was named is copied'


def test_dry_run_touches_nothing(lab, pki):
    """And says what would be done: each row of the recipe."""
    move = Move(lab, pki, Case(live=False)).start('--dry-run')
    assert move.engine.wait(30) == DONE
    (plan,) = move.engine.events('PLAN')
    assert plan['data']['steps'][0] == 'connect'
    assert plan['data']['steps'][-1] == 'retire the source'
    assert [d['copy'] for d in plan['data']['disks']] == [True]
    for qemu in move.qemus:
        assert move.unlike_before(qemu) == []
    move.check_folders()
    move.start()
    move.moved()
    assert move.steps('done') == plan['data']['steps']


def test_two_at_once_would_be_seen(lab, pki):
    """The judge itself is tried: somebody starts a second guest."""
    move = Move(lab, pki, Case(formats=(), live=False))
    assert move.ran_at_once() == []
    move.destination = Qemu(lab, lab.host('destination'), live=False,
                            paused=True)
    move.destination.spy.cmd('cont')
    assert move.ran_at_once()
