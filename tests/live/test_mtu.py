"""A way on which large packets are lost: a connection begins, and then hangs.
The engine meets that before QEMU does, so no guest stands still."""

import pytest

from cases import FAILED, Case, Move

CASES = {
    'tls': Case(live=False, proxied=True, formats=()),
    'tls-disk': Case(live=False, proxied=True),
    # neither has a certificate that would fill a packet
    'clear': Case(live=False, proxied=True, formats=(), tls=False),
    'psk': Case(live=False, proxied=True, formats=(), tls=False, psk=True),
}


@pytest.mark.long
@pytest.mark.parametrize('case', CASES.values(), ids=CASES)
def test_black_hole_for_large_packets(lab, pki, case):
    move = Move(lab, pki, case)
    move.source.host.lose_large()
    move.start()
    move.undone((FAILED,), 'waiting')
    assert 'the way from the source to the destination' in move.error
    assert 'compare the MTU' in move.error
    names = move.source.proxy.names()
    assert 'migrate' not in names and 'blockdev-add' not in names
    assert move.destination.listening() == []


def test_no_server_is_left_by_a_look_at_the_way(lab, pki):
    """Without a disk it is there for the look alone."""
    move = Move(lab, pki, CASES['tls'])
    hold = move.destination.proxy.hold('migrate-incoming')
    move.start()
    hold.wait(60)
    assert move.destination.listening() == []
    names = move.destination.proxy.names()
    assert names.count('nbd-server-start') == 1
    assert names.count('nbd-server-stop') == 1
    hold.release()
    move.moved()
