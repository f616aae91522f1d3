"""The six promises of the design, each by name, each by one telling case.

The other files attack them from every side; here is the short proof that each
of them is looked at, and that each look can find something.
"""

import json
import signal

import pytest

import records
from cases import FAILED, Case, Move
from refusals import USAGE, Pair, Refusal, refuse
from wire import Wire


def move_listened_to(lab, pki, case):
    """A move, and what was heard on the wire meanwhile."""
    move = Move(lab, pki, case)
    wire = Wire(lab, move.destination.host)
    move.start()
    move.moved()
    return wire.heard()


def test_promise_1_one_guest(lab, pki):
    """A destination that would start by itself (`cont` asks a waiting QEMU
    for that, as does a command line without -S) had all of the guest when it
    was taken back; another one gets it at the second attempt."""
    move = Move(lab, pki, Case())
    move.destination.spy.cmd('cont')
    move.start(QMIGRATE_FAIL='close exports:after=fail')
    assert move.engine.wait(60) == FAILED
    assert 'completed' in [e.data['status'] for e in
                           move.destination.spy.events
                           if e.name == 'MIGRATION']
    assert not [e for e in move.destination.spy.events if e.name == 'RESUME']
    move.guest.wait_alive(move.source)
    assert move.ran_at_once() == []
    move.new_destination()
    move.destination.spy.cmd('cont')
    move.start()
    move.moved()                # asks the heartbeats, and both QEMUs


def test_promise_2_no_write_is_lost(lab, pki):
    """The guest writes as fast as it can while it is moved; what it was told
    is on the disk is on the disks that it has now, and on no others."""
    move = Move(lab, pki, Case(formats=('qcow2', 'raw'), disk_rate=500))
    acknowledged = {disk: len(seqs) for disk, seqs in
                    move.guest.acks().items()}
    move.start()
    move.moved()
    for disk, seqs in move.guest.acks().items():
        assert len(seqs) > acknowledged[disk]
    assert records.missing_records(
        move.guest, dict(enumerate(move.source.disks)))


def test_promise_3_nothing_in_clear(lab, pki):
    """By default; and the same ears hear the guest's memory in the RAM's
    connection, and its disk's records in the disk's, when nobody wants
    TLS."""
    heard = move_listened_to(lab, pki, Case())
    assert heard.dropped == 0
    assert heard.bytes > 16 << 20
    assert len(heard.connections) >= 2
    assert (heard.clear, heard.leaks) == ([], {})
    heard = move_listened_to(lab, pki, Case(tls=False))
    assert set(heard.clear) == set(heard.connections)
    disk, ram = sorted(heard.connections)
    assert 'records' in heard.leaks[disk]
    assert {'kernel', 'memory'} <= set(heard.leaks[ram])


def test_promise_4_everything_is_undone(lab, pki):
    """What fails last undoes all of it; what succeeds takes it away, here on
    both sides, since the source is kept."""
    move = Move(lab, pki, Case(live=False, formats=('qcow2', 'raw')))
    move.start(QMIGRATE_FAIL='run the destination:before=fail')
    move.undone()
    move.new_destination()
    move.start('--keep-source')
    move.moved(kept=True)


@pytest.mark.parametrize('at,owner', [('close exports:after', 'source'),
                                      ('owner:written', 'destination')])
def test_promise_5_death_is_survivable(lab, pki, at, owner):
    """Dead while the guest runs on neither side: the journal says whose it
    is, and there it lives on."""
    move = Move(lab, pki, Case())
    move.start(QMIGRATE_FAIL=f'{at}=kill')
    assert move.engine.wait(60) == -signal.SIGKILL
    assert (move.source.status(), move.destination.status()) == \
        ('postmigrate', 'paused')
    (journal,) = move.journals()
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [line['owner'] for line in lines if 'owner' in line][-1] == owner
    survivor = getattr(move, owner)
    (other,) = set(move.qemus) - {survivor}
    other.quit()
    survivor.spy.cmd('cont')
    move.guest.wait_alive(survivor)
    survivor.quit()
    assert move.guest.faults() == []
    assert records.missing_records(move.guest,
                                   dict(enumerate(survivor.disks))) == []


WRONG = (
    Refusal('0.0.0.0 is not an address', ids=('address',), options=(
        '--address', '0.0.0.0', '--tls-hostname', 'destination')),
    Refusal('server-cert.pem is not for "elsewhere"', ids=('tls',),
            options=('--tls-hostname', 'elsewhere')),
    Refusal('--disks names nobody', ids=('disks',),
            options=('--disks', 'nobody')),
    Refusal("--name 'a/b' is not a valid name", exit=USAGE,
            options=('--name', 'a/b')),
)


def test_promise_6_bad_input_changes_nothing(lab, pki):
    """An address, a certificate, a disk, an option; refuse() compares both
    QEMUs with what they were before."""
    pair = Pair(lab, pki)
    for refusal in WRONG:
        refuse(pair, refusal)
