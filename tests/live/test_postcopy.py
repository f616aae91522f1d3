"""Post-copy: the guest goes on at the destination before its RAM is across.
From then on there is no way back, and only the network may fail."""

import signal
import threading
from dataclasses import dataclass

import pytest

from cases import DONE, NOWHERE, UNDECIDED, Case, Move
from lab import wait_until
from test_control import command

LINK_MBIT = 100                 # about 11.9 MiB/s
CASE = dict(mem_rate=30, hot=24, calm=False)
SILENCE = {'QMIGRATE_PATIENCE_MS': '1500'}      # in the place of 10 s


def make(lab, pki, *options, formats=(), **more):
    """A guest that writes twice as fast as the link carries."""
    case = Case(formats=formats, disk_rate=50 if formats else 0,
                options=options, **{**CASE, **more})
    move = Move(lab, pki, case)
    move.source.host.limit(LINK_MBIT)
    return move


def words(move):
    return [e['data']['message'] for e in move.engine.events('WARNING')]


def has_switched(move):
    return any('the guest goes on at the destination' in w
               for w in words(move))


NOW = '--postcopy', '--policy', 'gentle', '--patience', '1'
# As soon as it may be: all that the guest writes on is then still to come.
EARLY = '--on-timeout', 'postcopy', '--timeout-s', '1', '--auto-converge', 'off'


def stays_on_its_way(lab, pki, *options, **more):
    """From the switch on the link is so slow that what is left takes more
    than ten seconds, until let_go(): pages that the guest asks for pass by
    --postcopy-bandwidth. (Slower still, the sender would be woken too seldom
    not to be taken for cut off.)"""
    move = make(lab, pki, *options, proxied=True, **more)
    move.source.proxy.call('migrate-start-postcopy',
                           lambda: move.source.host.limit(16))
    return move


def let_go(move):
    move.source.host.limit(None)
    return move


@dataclass(frozen=True)
class Way:
    options: tuple
    formats: tuple = ()
    says: str = ''
    more: tuple = ()


WAYS = {
    'policy': Way(NOW, says="policy 'gentle'"),
    'disk': Way(NOW, ('raw',), "policy 'gentle'"),
    'qcow2': Way(NOW, ('qcow2',), "policy 'gentle'"),
    'timeout': Way(('--on-timeout', 'postcopy', '--timeout-s', '5',
                    '--auto-converge', 'off'), says='timeout-s'),
    'psk': Way(NOW, ('raw',), more=(('tls', False), ('psk', True))),
    'insecure': Way(NOW, more=(('tls', False),)),
    'trixie': Way(NOW, ('raw',),
                  more=(('binaries', ('trixie', 'trixie')),)),
}


@pytest.mark.sample(3)
@pytest.mark.parametrize('way', WAYS)
def test_switches(lab, pki, way):
    way = WAYS[way]
    move = make(lab, pki, *way.options, formats=way.formats,
                **dict(way.more)).start()
    result = move.moved()
    assert any(way.says in w for w in words(move) if 'goes on at' in w)
    assert result['postcopy']['recoveries'] == 0
    assert result['postcopy']['ms'] > 0
    assert result['handover']['blackout-ms'] < 3000
    assert 'last page' in move.steps('done')


OLD = {'7.2': ('system', 'system'), 'to-10': ('system', 'qemu10'),
       'from-10': ('qemu10', 'system')}


@pytest.mark.sample(4)
@pytest.mark.parametrize('name,cut', [
    ('7.2', False), ('7.2', True), ('to-10', False), ('from-10', False),
    pytest.param('to-10', True, marks=pytest.mark.long),
    pytest.param('from-10', True, marks=pytest.mark.long)])
def test_qemu_7_2(lab, pki, name, cut):
    """Its TCG leaves pages behind when a guest runs, which then dies: looked
    at is what both QEMUs went through."""
    move = stays_on_its_way(lab, pki, *EARLY, binaries=OLD[name])
    move.start(**(SILENCE if cut else {})).wait_step('last page', timeout=90)
    if cut:
        move.source.host.cut()
        wait_until(lambda: lost(move), 60, 'the loss is noticed')
        move.source.host.mend()
    let_go(move)
    assert move.engine.wait(120) == DONE, move.engine.text()
    result = move.engine.result()
    assert (result['postcopy']['recoveries'] > 0) == cut
    assert move.destination.spy.wait_event('RESUME')
    assert move.destination.spy.cmd('query-migrate')['status'] == 'completed'
    assert not move.source.is_alive()


def test_the_guest_need_not_write_too_fast(lab, pki):
    """It was allowed, and not needed."""
    move = Move(lab, pki, Case(formats=('raw',), options=('--postcopy',)))
    result = move.start().moved()
    assert not has_switched(move)
    assert 'postcopy' not in result


# ---- the operator ----

def test_complete_and_cancel(lab, pki):
    move = stays_on_its_way(lab, pki, '--name', 'c', '--postcopy',
                            '--patience', '99', formats=('raw',)).start()
    move.engine.wait_event('PASS', 60, **{'pass': 2})
    command(move, 'complete', 'c', '--mode', 'postcopy')
    move.wait_step('last page')
    for words_of_it in (('cancel', 'c'), ('complete', 'c')):
        said = command(move, *words_of_it, code=3).text()
        assert 'can only be finished' in said
    said = command(move, 'set', 'c', 'timeout-s=9', code=3).text()
    assert 'bandwidth and postcopy-bandwidth alone can be set' in said
    said = command(move, 'set', 'c', 'postcopy-bandwidth=8M').text()
    limit = move.source.spy.cmd('query-migrate-parameters')
    assert limit['max-postcopy-bandwidth'] == 8 << 20, said
    move.engine.interrupt()
    let_go(move).moved()
    assert any('the operator wants it' in w for w in words(move))


def test_complete_before_the_first_pass(lab, pki):
    """It is remembered until a whole pass is over."""
    move = make(lab, pki, '--name', 'c', '--postcopy').start()
    move.engine.wait_event('PASS', 60, **{'pass': 1})
    said = command(move, 'complete', 'c', '--mode', 'postcopy').text()
    assert 'once a whole pass' in said
    move.moved()
    assert has_switched(move)


def test_complete_without_being_prepared(lab, pki):
    move = make(lab, pki, '--name', 'c', mem_rate=4).start()
    move.engine.wait_event('PASS', 60, **{'pass': 1})
    said = command(move, 'complete', 'c', '--mode', 'postcopy', code=3).text()
    assert 'not prepared' in said
    said = command(move, 'set', 'c', 'on-timeout=postcopy', code=3).text()
    assert 'not prepared' in said
    move.moved()


# ---- the network ----

CUTS = {
    'before': ('source', 'migrate-start-postcopy'),
    'at-the-switch': ('source', 'migrate-continue'),
    'at-the-start': ('destination', 'cont'),
    'after': ('destination', 'announce-self'),
}


def cut_for(host, seconds):
    """In a thread: the proxy waits for this function."""
    host.cut()
    timer = threading.Timer(seconds, host.mend)
    timer.daemon = True
    timer.start()


@pytest.mark.sample(4)
@pytest.mark.parametrize('seconds', (
    1, 5, pytest.param(30, marks=pytest.mark.long)))
@pytest.mark.parametrize('when', CUTS)
def test_link_is_cut(lab, pki, when, seconds):
    side, name = CUTS[when]
    move = make(lab, pki, *NOW, '--postcopy-bandwidth', '4M', proxied=True,
                formats=('raw',))
    getattr(move, side).proxy.call(
        name, lambda: cut_for(move.source.host, seconds))
    move.start(**SILENCE)
    move.engine.wait(200)
    move.moved()


@pytest.mark.long
@pytest.mark.parametrize('seconds', (1, 5, 30))
@pytest.mark.parametrize('when', CUTS)
def test_link_is_cut_repeatedly(lab, pki, when, seconds):
    """Three times, as long as it was there in between, since TCP's own pauses
    double; and with the limits that a user has."""
    side, name = CUTS[when]
    move = make(lab, pki, *NOW, '--postcopy-bandwidth', '1M', proxied=True,
                formats=('raw',))
    ended = threading.Event()

    def cut():
        host = move.source.host
        for left in (2, 1, 0):
            host.cut()
            ended.wait(seconds)
            host.mend()
            if left:
                ended.wait(max(3, seconds))
        ended.set()

    getattr(move, side).proxy.call(
        name, lambda: threading.Thread(target=cut, daemon=True).start())
    move.start()
    move.engine.wait(400)
    assert ended.wait(120)
    move.moved()


def lost(move):
    return [w for w in words(move) if 'is lost' in w]


def rates(move):
    """Of the last page; no word of what was foretold before it."""
    ram = [e['data']['ram'] for e in move.engine.events('PROGRESS')
           if e['data']['step'] == 'last page']
    assert not [r for r in ram if {'converges', 'timeout-left-ms',
                                   'blackout-ms'} & set(r)]
    return [(r['bps'], r.get('network-lost', False)) for r in ram]


@pytest.mark.long
def test_link_is_cut_twice(lab, pki):
    """So long that both sides are paused, and a new stream is made."""
    move = stays_on_its_way(lab, pki, *EARLY).start(**SILENCE)
    move.wait_step('last page')
    for n in (1, 2):
        move.source.host.cut()
        wait_until(lambda n=n: len(lost(move)) == n, 30, 'the loss is noticed')
        move.source.spy.wait_status('postcopy-paused', timeout=30)
        wait_until(lambda: rates(move)[-1] == (0, True), 30, 'it is shown')
        move.source.host.mend()
        wait_until(lambda n=n: len([w for w in words(move)
                                    if 'is back after' in w]) == n,
                   60, 'the stream goes on')
    wait_until(lambda: rates(move)[-1][0] > 0, 30, 'so fast')
    result = let_go(move).moved()
    assert result['postcopy']['recoveries'] == 2


# ---- the way to the monitors ----

def away(move):
    return [w for w in words(move) if 'cannot be reached' in w]


@pytest.mark.sample(3)
@pytest.mark.parametrize('network', ('there', 'to the end', 'cut'))
def test_monitors_are_away(lab, pki, network):
    """For longer than a link is given otherwise, as where the engine reaches
    both over the network that is away: each has a part of the guest, or even
    until the last page is across."""
    move = stays_on_its_way(lab, pki, *EARLY, supervised=False)
    move.start(QMIGRATE_PATIENCE_MS='5000')
    move.wait_step('last page')
    if network == 'cut':
        move.source.host.cut()
    for qemu in move.qemus:
        qemu.proxy.refuse()
        qemu.proxy.cut()
    wait_until(lambda: len(away(move)) == 2 or
               move.engine.process.poll() is not None, 30, 'it is noticed')
    if network == 'to the end':
        let_go(move)
        for qemu in move.qemus:
            qemu.spy.wait_status('completed', timeout=60)
    for qemu in move.qemus:
        qemu.proxy.refuse(False)
    move.source.host.mend()
    if network != 'to the end':
        let_go(move)
    result = move.moved()
    assert len([w for w in words(move) if 'reached again' in w]) == 2
    if network != 'cut':        # what could not be asked was not cut off
        assert result['postcopy']['recoveries'] == 0


@pytest.mark.sample(2)
@pytest.mark.parametrize('side, name', (
    ('source', 'migrate-continue'), ('destination', 'cont')))
def test_monitor_is_away_at_the_switch(lab, pki, side, name):
    """The command is not even heard; nobody else can give it."""
    move = make(lab, pki, *NOW, proxied=True, supervised=False)
    proxy = getattr(move, side).proxy

    def cut():
        proxy.refuse()
        threading.Thread(target=proxy.cut).start()
        threading.Timer(4, proxy.refuse, (False,)).start()

    proxy.call(name, cut)
    move.start(**SILENCE)
    move.moved()


@pytest.mark.long
def test_the_engine_gives_up(lab, pki):
    """What is told then sounds like what is true: nothing is lost."""
    move = make(lab, pki, *NOW, '--postcopy-bandwidth', '8M', supervised=False)
    move.start(QMIGRATE_FAIL='last page:before=fail')
    assert move.engine.wait(120) == UNDECIDED
    assert 'nothing is lost' in move.error
    assert 'qmigrate recover ' in move.error
    move.recover().moved()


# ---- who dies ----

@pytest.mark.sample(2)
@pytest.mark.parametrize('victim', ('source', 'destination'))
def test_a_side_dies(lab, pki, victim):
    """Each had a part of the guest."""
    move = stays_on_its_way(lab, pki, *EARLY).start()
    move.wait_step('last page')
    getattr(move, victim).kill()
    assert move.engine.wait(60) == NOWHERE, move.engine.text()
    result = move.engine.result()
    assert result['guest'] == 'nowhere'
    assert "a part of the guest's RAM is lost" in move.error
    assert "boot the guest again from the destination's disks" in move.error


@pytest.mark.long
def test_the_switch_fails(lab, pki):
    """The destination dies when the owner is written, and the source has not
    given the guest up: it runs on there."""
    move = make(lab, pki, *NOW, formats=('raw',), proxied=True,
                supervised=False)
    move.source.proxy.call('migrate-continue', move.destination.kill)
    move.start()
    code = move.engine.wait(120)
    if code == UNDECIDED:       # 10.0.2: see step-postcopy.c
        assert move.source.status() == 'finish-migrate'
        assert 'stopped at the source: device' in str(
            move.engine.result()['left'])
    else:
        move.undone()


def test_channels_are_refused(lab, pki):
    move = make(lab, pki, '--postcopy', '--channels', '2').start()
    assert move.engine.wait(60) == 3
    assert 'post-copy' in move.error


# ---- the engine dies, and recover goes on ----

# All of them are at the switch, or after it, but the first.
DEATHS = 'owner:written', 'switch over:after', 'gave-up:written', \
    'run the destination:after', 'announce:after'


def test_engine_dies_before_the_switch(lab, pki):
    """The source owns the guest: back."""
    make(lab, pki, *NOW, formats=('raw',)).die('settle disks:after') \
        .recover().undone()


@pytest.mark.sample(3)
@pytest.mark.parametrize('at', DEATHS)
def test_engine_dies(lab, pki, at):
    move = make(lab, pki, *NOW, '--postcopy-bandwidth', '8M', formats=('raw',))
    move.die(at).recover('--dry-run')
    assert move.engine.wait(30) == 0
    assert move.engine.result()['guest'] == 'destination'
    result = move.recover().moved()
    assert result['postcopy']['recoveries'] == 0


def test_engine_dies_with_the_psk(lab, pki):
    move = make(lab, pki, *NOW, '--postcopy-bandwidth', '8M', tls=False,
                psk=True)
    move.die('gave-up:written').recover().moved()


def test_psk_is_gone_when_the_link_is_cut(lab, pki):
    """With the engine that knew it: both sides are given another one."""
    move = stays_on_its_way(lab, pki, *EARLY, tls=False, psk=True)
    move.die('announce:after').recover(**SILENCE).wait_step('last page')
    move.source.host.cut()
    wait_until(lambda: lost(move), 60, 'the loss is noticed')
    move.source.host.mend()
    assert let_go(move).moved()['postcopy']['recoveries'] >= 1


@pytest.mark.long
def test_set_while_recover_goes_on(lab, pki):
    move = stays_on_its_way(lab, pki, '--name', 'c', *EARLY,
                            '--postcopy-bandwidth', '1M')
    move.die('announce:after').recover()
    move.wait_step('last page')
    said = command(move, 'set', 'c', 'timeout-s=5', code=3).text()
    assert 'alone can be set' in said
    said = command(move, 'set', 'c', 'bandwidth=3M').text()
    assert 'postcopy-bandwidth' in said and '1.0 MiB/s' in said
    command(move, 'set', 'c', 'postcopy-bandwidth=9M')
    limit = move.source.spy.cmd('query-migrate-parameters')
    assert limit['max-bandwidth'] == 3 << 20
    assert limit['max-postcopy-bandwidth'] == 9 << 20
    let_go(move).moved()


def recover_and_notice(move):
    """Whether recover notices that the link is cut. Where the destination's
    main loop waits for a page it answers no new monitor: then recover is
    undecided, until the link is mended, and has nothing to make anew. Where
    `cont` waits for one, it is given up after a minute."""
    move.recover(**SILENCE)
    wait_until(lambda: lost(move) or move.engine.process.poll() is not None,
               120, 'the loss is noticed')
    if lost(move):
        return True
    assert move.engine.wait(10) == UNDECIDED, move.engine.text()
    let_go(move).source.host.mend()
    move.recover(**SILENCE).moved()
    return False


@pytest.mark.sample(2)
@pytest.mark.parametrize('at', ['switch over:after', 'announce:after'])
def test_engine_dies_while_the_link_is_cut(lab, pki, at):
    """Recover makes the stream anew, with the engine's own TLS."""
    move = stays_on_its_way(lab, pki, *EARLY).die(at)
    move.source.host.cut()
    if not recover_and_notice(move):
        return
    move.source.host.mend()
    wait_until(lambda: any(bps > 0 for bps, _ in rates(move)), 60, 'it moves')
    result = let_go(move).moved()
    assert result['postcopy']['recoveries'] >= 1


@pytest.mark.long
def test_recover_dies_while_the_link_is_cut(lab, pki):
    """And is run again."""
    move = stays_on_its_way(lab, pki, *EARLY).die('announce:after')
    move.source.host.cut()
    if not recover_and_notice(move):
        return
    move.engine.interrupt(signal.SIGKILL)
    move.engine.wait(30)
    let_go(move).source.host.mend()
    move.recover(**SILENCE).moved()


def test_engine_dies_and_the_switch_fails(lab, pki):
    """The source has it, and whoever recovers is killed as it says so."""
    move = make(lab, pki, *NOW, formats=('raw',))
    move.die('owner:written')
    move.destination.kill()
    move.recover(QMIGRATE_FAIL='returned:written=kill')
    code = move.engine.wait(120)
    if code == UNDECIDED:       # 10.0.2: see step-postcopy.c
        assert move.source.status() == 'finish-migrate'
        return
    assert code == -signal.SIGKILL
    move.recover().undone()
