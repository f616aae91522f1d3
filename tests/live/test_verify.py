"""--verify: each copied disk is proved equal before the guest runs there."""

import os

import pytest

import records
from cases import FAILED, LEFT_HERE, REFUSED, Case, Move, recipe_rows
from engine import ROOT
from snapshot import Snapshot

ROWS = recipe_rows(ROOT / 'src/core/recipe.c')
MIB = 1 << 20
VERIFY = ('--verify',)

CASES = {
    'raw': Case(options=VERIFY, disk_rate=300),
    'two-disks': Case(options=VERIFY, formats=('qcow2', 'raw'), disk_rate=300),
    'insecure': Case(options=VERIFY, tls=False),
    'stopped': Case(options=VERIFY, stopped=True, formats=('qcow2',)),
    'system': Case(options=VERIFY, live=False, formats=('raw', 'qcow2'),
                   binaries=('system', 'system')),
    'system-to-qemu10': Case(options=VERIFY, live=False,
                             binaries=('system', 'qemu10')),
}


def plant(image, offset, byte=b'\x55'):
    """A byte that no mirror wrote."""
    fd = os.open(image.path, os.O_RDWR)
    try:
        assert os.pread(fd, 1, offset) != byte
        os.pwrite(fd, byte, offset)
        os.fsync(fd)
    finally:
        os.close(fd)


@pytest.mark.sample(2)
@pytest.mark.parametrize('case', CASES.values(), ids=CASES)
def test_equal_disks_pass(lab, pki, case):
    move = Move(lab, pki, case).start()
    result = move.moved(paused=case.stopped)
    assert result['verified']
    if case.live:
        assert 0 < result['compared-bytes'] <= len(case.formats) * 70 * MIB
    if case.live and not case.stopped:
        # what was written since, and not all of it
        assert 0 < result['compared-stopped-bytes'] < \
            len(case.formats) * 64 * MIB
        print(f"\nblackout added by --verify: "
              f"{result['handover']['verify-ms']} ms of "
              f"{result['handover']['blackout-ms']}, "
              f"{result['compared-stopped-bytes']} bytes")


def test_without_it_nothing_is_compared(lab, pki):
    result = Move(lab, pki, Case()).start().moved()
    assert not result['verified']
    assert 'compared-bytes' not in result


@pytest.mark.parametrize('offset', [63 * MIB + 12345, 64 * MIB - 1])
def test_a_single_byte_is_found(lab, pki, offset):
    """Planted when the mirrors are in sync, before anything is compared."""
    case = Case(options=VERIFY, formats=('raw', 'raw'), proxied=True)
    move = Move(lab, pki, case)
    hold = move.source.proxy.hold('block-dirty-bitmap-add')
    move.start()
    hold.wait()
    plant(move.destination.disks[1], offset)
    hold.release()
    result = move.undone()
    assert 'disk vd1: ' in move.error
    assert f'the first byte at offset {offset},' in move.error
    assert result['error']['code'] == 'disk'
    assert not result['verified']


def test_what_differs_in_a_written_block_is_found(lab, pki):
    """Planted after all was compared, where the guest writes."""
    case = Case(options=VERIFY, disk_rate=300, proxied=True)
    move = Move(lab, pki, case)
    hold = move.source.proxy.hold('block-dirty-bitmap-disable')
    move.start()
    hold.wait()
    newest = move.guest.acks()[0][-1]
    blocks, slots = move.guest.geometry()[0]
    written = newest % slots * (blocks // slots) * records.BLOCK + 100
    plant(move.destination.disks[0], written)
    hold.release()
    move.undone()
    assert f'the first byte at offset {written},' in move.error


@pytest.mark.sample(2)
@pytest.mark.parametrize('at', ['compare disks:before', 'compare disks:after',
                                'converge:after', 'verify disks:before',
                                'verify disks:after'])
def test_failure_is_undone(lab, pki, at):
    case = Case(options=VERIFY, formats=('raw', 'qcow2'),
                env={'QMIGRATE_FAIL': f'{at}=fail'})
    move = Move(lab, pki, case).start()
    place = ROWS.index(at.partition(':')[0])
    move.undone(destination='gone' if place > ROWS.index('open the door')
                else 'waiting')


FAULTS = {
    'cut': lambda move: move.destination.host.cut(),
    'killed': lambda move: move.destination.kill(),
}


# When the source is told: the destination is about to be read.
@pytest.mark.parametrize('command', ['block-export-add',
                                     'block-dirty-bitmap-disable'])
@pytest.mark.parametrize('fault', FAULTS)
@pytest.mark.sample(4)
def test_destination_vanishes(lab, pki, command, fault):
    """What the source has is taken away all the same, and the guest runs on:
    a disk that is drained must not wait for what cannot come."""
    case = Case(options=(*VERIFY, '--abort-handover-ms', '3000'),
                proxied=True, disk_rate=300)
    move = Move(lab, pki, case)
    hold = move.source.proxy.hold(command)
    move.start()
    hold.wait()
    FAULTS[fault](move)
    hold.release()
    code = move.engine.wait(90)
    assert code in (FAILED, LEFT_HERE), move.engine.text()
    move.guest.wait_alive(move.source)
    assert move.unlike_before(move.source) == []
    assert move.guest.faults() == []


@pytest.mark.parametrize('exports, code', [([], FAILED), (['own'], REFUSED)],
                         ids=['empty', 'exports'])
def test_a_server_in_use_is_left_alone(lab, pki, exports, code):
    """The operator's own: it is named, and it stays. One without exports is
    shown by no query."""
    move = Move(lab, pki, Case(options=VERIFY, live=False))
    move.source.spy.cmd('nbd-server-start', addr={
        'type': 'unix', 'data': {'path': str(lab.path('own.nbd'))}})
    for name in exports:
        move.source.spy.cmd('block-export-add', type='nbd', id=name,
                            node_name='disk0', name=name, writable=False)
    before = Snapshot(move.source)
    move.start()
    assert move.engine.wait(60) == code
    assert 'nbd-server-stop at the source' in move.error
    assert Snapshot(move.source).diff(before) == []
    assert move.source.spy.cmd('query-block-exports') == [] or exports
