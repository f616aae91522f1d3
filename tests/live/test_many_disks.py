"""More disks than a QEMU has by its own limits: its NBD server takes 100
connections and turns away without a word whoever is one too many."""

import pytest

from cases import Case, Move


def many(count, *options):
    return Case(formats=('raw',) * count, live=False, device='scsi',
                options=options)


def test_both_servers_are_told_how_many_may_come(lab, pki):
    case = Case(formats=('raw',) * 2, live=False, proxied=True,
                options=('--verify',))
    move = Move(lab, pki, case)
    move.start().moved()
    for qemu in move.qemus:
        told, = (c.arguments for c in qemu.proxy.commands
                 if c.name == 'nbd-server-start')
        assert told['max-connections'] >= 100 + 2 * 6


@pytest.mark.long
def test_26_verified_disks(lab, pki):
    result = Move(lab, pki, many(26, '--verify')).start().moved()
    assert len(result['disks']) == 26
    assert result['verified']


@pytest.mark.long
def test_120_disks(lab, pki):
    result = Move(lab, pki, many(120)).start().moved()
    assert len(result['disks']) == 120
