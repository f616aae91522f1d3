"""Over how many connections the RAM goes, and whether it is compressed."""

import pytest

from cases import DONE, REFUSED, Case, Move


def first_told(qemu):
    """What it was told of multifd before the RAM moved."""
    told = {}
    for command in qemu.proxy.commands:
        if command.name == 'migrate-set-parameters':
            for name, value in command.arguments.items():
                told.setdefault(name, value)
    return {name: value for name, value in told.items() if 'multifd' in name}


# options: (channels, compression, what both QEMUs are told besides)
MOVES = {
    ('--compress', 'zstd'): (1, 'zstd', {}),
    ('--compress', 'zlib:3', '--channels', '3'):
        (3, 'zlib', {'multifd-zlib-level': 3}),
    ('--channels', '4'): (4, 'none', {}),
}


@pytest.mark.parametrize('options', MOVES, ids=' '.join)
def test_channels_and_compression(lab, pki, options):
    channels, compression, levels = MOVES[options]
    move = Move(lab, pki, Case(formats=(), proxied=True, options=options))
    result = move.start().moved()
    assert (result['ram']['channels'], result['ram']['compression']) == \
        (channels, compression)
    wanted = {'multifd-channels': channels, **levels}
    if compression != 'none':           # what QEMU has already is not told
        wanted['multifd-compression'] = compression
    for qemu in move.qemus:
        assert first_told(qemu) == wanted


def plan_of(move):
    move.start('--dry-run')
    assert move.engine.wait(30) == DONE
    plan, = move.engine.events('PLAN')
    return plan['data']


@pytest.mark.parametrize('tls,why', [
    (True, 'to cancel several under TLS can hang the source\'s QEMU'),
    # an engine sees no other network namespace's interfaces in its /sys
    (False, 'the link\'s speed is not known')],
    ids=['tls', 'clear'])
def test_choice_is_told(lab, pki, tls, why):
    """Of 10.0.2, and of a link that nobody knows."""
    plan = plan_of(Move(lab, pki, Case(formats=(), live=False, tls=tls)))
    assert (plan['channels'], plan['channels-why'], plan['compression']) == \
        (0, why, 'none')


def test_asked_for_channels_are_had(lab, pki):
    """Though they are known to be bad, which is said."""
    move = Move(lab, pki, Case(formats=(), live=False,
                               options=('--channels', '2')))
    assert plan_of(move)['channels-why'] == 'as asked for'
    preflight, = move.engine.events('PREFLIGHT')
    assert ['to cancel several under TLS can hang the source\'s QEMU'] == [
        v['why'] for v in preflight['data']['verdicts']
        if v['id'] == 'multifd' and v['level'] == 'warning']


def test_level_of_7_2(lab, pki):
    """It would forget it."""
    case = Case(formats=(), live=False, binaries=('system', 'qemu10'),
                options=('--compress', 'zlib:9'))
    move = Move(lab, pki, case).start()
    move.undone((REFUSED,), 'waiting')
    assert 'cannot be told a level of zlib' in move.error


@pytest.mark.parametrize('options', [('--channels', '2'),
                                     ('--compress', 'zlib')], ids=' '.join)
def test_no_channels_with_postcopy(lab, pki, options):
    """Before 10.1."""
    move = Move(lab, pki, Case(formats=(), live=False,
                               options=('--postcopy', *options))).start()
    assert move.engine.wait(30) == REFUSED
    assert 'cannot do post-copy with several channels' in move.error
    assert move.engine.result()['guest'] == 'source'
