"""Monitors that are far away, or slow: silence is not what is merely late."""

import pytest

from cases import Case, Move

FAR = Case(live=False, proxied=True)


def delayed(move, seconds):
    """Each answer comes so much after its question."""
    for qemu in move.qemus:
        qemu.proxy.delay(seconds / 2)
    return move


@pytest.mark.long
@pytest.mark.parametrize('disks', [0, 1])
@pytest.mark.parametrize('seconds', [1.0, 1.5])
def test_round_trip_of_seconds(lab, pki, seconds, disks):
    case = Case(live=False, proxied=True, formats=('raw',) * disks)
    move = delayed(Move(lab, pki, case), seconds)
    move.start()
    move.engine.wait(400)
    move.moved()
