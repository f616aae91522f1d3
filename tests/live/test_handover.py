"""What may come between the two sides while they hand the guest over, and
what the engine says of it."""

from cases import CANCELLED, Case, Move

STILL = Case(live=False, proxied=True)


def test_panic_that_goes_on(lab, pki):
    """-action panic=none: the guest said that it panicked, and runs on."""
    move = Move(lab, pki, STILL)
    move.source.proxy.call('migrate', lambda: move.source.proxy.say(
        {'event': 'GUEST_PANICKED', 'data': {'action': 'run'},
         'timestamp': {'seconds': 1, 'microseconds': 0}}))
    move.start()
    move.moved()


def test_cancelled_step_is_no_failed_one(lab, pki):
    move = Move(lab, pki, Case(live=False)).start('--disk-bandwidth', '16M')
    move.wait_step('mirror disks')
    move.engine.interrupt()
    move.undone((CANCELLED,), 'waiting')
    assert move.steps('cancelled') == ['mirror disks']
    assert move.steps('failed') == []
