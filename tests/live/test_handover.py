"""What may come between the two sides while they hand the guest over, and
what the engine says of it."""

from cases import Case, Move

STILL = Case(live=False, proxied=True)


def test_panic_that_goes_on(lab, pki):
    """-action panic=none: the guest said that it panicked, and runs on."""
    move = Move(lab, pki, STILL)
    move.source.proxy.call('migrate', lambda: move.source.proxy.say(
        {'event': 'GUEST_PANICKED', 'data': {'action': 'run'},
         'timestamp': {'seconds': 1, 'microseconds': 0}}))
    move.start()
    move.moved()
