"""The engine is killed at every row of the recipe, and `recover` settles it.

Until the owner changes the guest is taken back, from then on it is brought to
its end at the destination; either way exactly one guest runs, with all that it
had, and what survives holds nothing of the engine's. The rows are read from
the recipe, so that a new one is attacked by itself.
"""

import json
import os
import signal

import pytest

from cases import (DONE, FAILED, LEFT_HERE, LEFT_THERE, NOWHERE, REFUSED,
                   UNDECIDED, Case, Move, recipe_rows)
from engine import ROOT, Engine
from qemu import MIB
from sshd import ssh_env
from test_ssh import Journey

ROWS = recipe_rows(ROOT / 'src/core/recipe.c')
REMEMBER = ROWS.index('remember the source')
DOOR = ROWS.index('open the door')
CONVERGE = ROWS.index('converge')
OWNER = ROWS.index('run the destination')

# Before a row is after the one above it, but for what the journal says: so
# each is attacked once, with a disk after it, and without one before it.
POINTS = {
    **{f'raw-{row}:after': (Case(), f'{row}:after') for row in ROWS},
    'raw-owner:written': (Case(), 'owner:written'),
    **{f'no-disk-{row}:before': (Case(formats=()), f'{row}:before')
       for row in ROWS},
}
STILL = Case(live=False, proxied=True)
# Whose process is not known does not show what its disks are, either: that has
# to be said.
UNKNOWN = Case(live=False, proxied=True, options=('--disks', 'vd0'))


def place(at):
    """How many rows were done when the engine died there."""
    row, when = at.split(':')
    return OWNER + 1 if row == 'owner' else ROWS.index(row) + (when == 'after')


def finish(move, at):
    """Recover, and see that all is as it has to be."""
    move.recover()
    if place(at) > OWNER:
        return move.moved()
    return move.undone((FAILED,),
                       'gone' if place(at) > DOOR else 'any')


def owners(move):
    """The owner lines of the one journal that is open."""
    move.check_folders(open_journals=1)
    (path,) = [p for p in move.journals() if p.suffix == '.journal']
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]['qmigrate-journal'] == 1
    assert lines[0]['source']['pid'] == move.source.pid
    assert lines[0]['destination']['pid'] == move.destination.pid
    return [line['owner'] for line in lines if 'owner' in line]


def check_orphan(move, at):
    """One guest at most, and the journal says whose it is."""
    move.remove_private_folder()
    if place(at) <= REMEMBER:
        move.check_folders()
        return
    running = [q.host.name for q in move.qemus
               if q.is_alive() and q.status() == 'running']
    if at == 'owner:written':
        assert running == []
    elif place(at) > OWNER:
        assert running == ['destination']
    elif place(at) > CONVERGE:
        assert running == []
    else:
        assert move.source.status() in ('running', 'finish-migrate')
    assert move.ran_at_once() == []
    assert owners(move) == ['source', 'destination'][:1 + (place(at) > OWNER)]


@pytest.mark.sample(3)
@pytest.mark.parametrize('case,at', POINTS.values(), ids=POINTS)
def test_engine_dies(lab, pki, case, at):
    move = Move(lab, pki, case).die(at)
    check_orphan(move, at)
    if place(at) <= REMEMBER:
        move.recover()
        assert move.engine.wait(30) == DONE
        for qemu in move.qemus:
            assert move.unlike_before(qemu) == []
        return
    finish(move, at)
    check_nothing_is_left(move)


def check_nothing_is_left(move):
    assert move.recover().engine.wait(30) == DONE
    result = move.engine.result()
    assert (result['outcome'], result['exit']) == ('completed', DONE)
    assert 'name' not in result
    again = Engine(move.lab, 'recover', host=move.source.host,
                   env=move.lab.env())
    assert again.wait(30) == DONE
    assert (again.out, again.err) == ('there is nothing to recover', '')


@pytest.mark.sample(3)
@pytest.mark.parametrize('at', ['mirror disks:after', 'converge:after',
                                'switch over:after', 'owner:written'])
@pytest.mark.parametrize('case', [
    Case(formats=('qcow2', 'raw'), options=('--verify',)),
    Case(psk=True, tls=False)], ids=['verify', 'psk'])
def test_engine_dies_otherwise(lab, pki, case, at):
    finish(Move(lab, pki, case).die(at), at)


@pytest.mark.parametrize('at', ['converge:after', 'owner:written'])
def test_stopped_guest_is_started_nowhere(lab, pki, at):
    move = Move(lab, pki, Case(live=False, stopped=True)).die(at).recover()
    assert move.engine.wait(60) == (DONE if place(at) > OWNER else FAILED)
    assert not [e for q in move.qemus for e in q.spy.events
                if e.name == 'RESUME']


RULES = ('--name', 'vm-1', '--max-downtime-ms', '123', '--bandwidth', '2M',
         '--on-timeout', 'postcopy', '--timeout-s', '999')


def status(move):
    """What another process hears of the recover that runs."""
    engine = Engine(move.lab, 'status', 'vm-1', '--json',
                    host=move.source.host, env=move.lab.env())
    assert engine.wait(30) == DONE, engine.text()
    return json.loads(engine.out)


def test_limits_are_those_of_the_migration(lab, pki):
    """Those it was given, and what an operator made of them."""
    move = Move(lab, pki, Case(proxied=True, options=RULES)).start()
    move.wait_step('converge')
    change = Engine(lab, 'set', 'vm-1', 'disk-bandwidth=3M', 'timeout-s=99',
                    host=move.source.host, env=lab.env())
    assert change.wait(30) == DONE, change.text()
    move.engine.kill()
    hold = move.destination.proxy.hold('query-status')
    move.recover()
    hold.wait()
    said = status(move)
    hold.release()
    assert said['recovering']
    limits = said['limits']
    assert limits['max-downtime-ms'] == 123
    assert limits['bandwidth-bps'] == 2 * MIB
    assert limits['disk-bandwidth-bps'] == 3 * MIB
    assert (limits['timeout-s'], limits['on-timeout']) == (99, 'postcopy')
    move.undone((FAILED,), 'any')


def test_announces_as_often_as_the_migration_was_told(lab, pki):
    move = Move(lab, pki, Case(live=False, proxied=True,
                               options=('--announce-rounds', '7')))
    move.die('owner:written').recover()
    move.moved()
    [rounds] = [c.arguments['rounds'] for c in move.destination.proxy.commands
                if c.name == 'announce-self']
    assert rounds == 7


def test_ports_are_those_that_were_opened(lab, pki):
    """The engine says which one is left open, if it cannot close it."""
    move = Move(lab, pki, STILL).die('open the door:after')
    (journal,) = move.journals()
    records = [json.loads(line) for line in journal.read_text().splitlines()]
    [nbd] = [r['nbd-port'] for r in records if 'nbd-port' in r]
    [ram] = [r['ram-port'] for r in records if 'ram-port' in r]
    told = {c.name: c.arguments for c in move.destination.proxy.commands}
    assert told['nbd-server-start']['addr']['data']['port'] == str(nbd)
    first = told['migrate-incoming']['uri'].partition(',')[0]
    assert first.endswith(f':{ram}')
    assert sorted(move.destination.listening()) == sorted([nbd, ram])
    finish(move, 'open the door:after')


def test_port_that_is_left_open_is_named(lab, pki):
    move = Move(lab, pki, STILL).die('export disks:after')
    (journal,) = move.journals()
    [port] = [json.loads(line)['nbd-port']
              for line in journal.read_text().splitlines() if 'nbd-port' in line]
    move.destination.proxy.fail('nbd-server-stop')
    move.recover()
    assert move.engine.wait(60) == LEFT_HERE, move.engine.text()
    assert any(f'NBD server of the destination, port {port}' in left
               for left in move.engine.result()['left'])


def test_source_is_kept(lab, pki):
    move = Move(lab, pki, Case(live=False, options=('--keep-source',)))
    move.die('owner:written').recover()
    assert move.engine.wait(60) == DONE
    # that it was to be kept is in the journal
    assert move.source.status() == 'postmigrate'
    assert move.destination.status() == 'running'


# ---- what is said, and done twice ----

def notes(move):
    return [e['data']['message'] for e in move.engine.events('NOTE')]


@pytest.mark.parametrize('at,word', [('converge:after', 'undo'),
                                     ('owner:written', 'start'),
                                     ('announce:after', 'finish')])
def test_dry_run_touches_nothing(lab, pki, at, word):
    move = Move(lab, pki, STILL).die(at)
    (journal,) = move.journals()
    before = journal.read_bytes()
    status = [q.status() for q in move.qemus]
    for qemu in move.qemus:
        qemu.proxy.commands.clear()
    move.recover('--dry-run')
    assert move.engine.wait(30) == DONE
    (note,) = notes(move)
    assert f': {word}: ' in note
    assert journal.read_bytes() == before
    assert status == [q.status() for q in move.qemus]
    for qemu in move.qemus:
        assert [name for name in qemu.proxy.names()
                if not name.startswith('query-') and
                name != 'qmp_capabilities'] == []
    finish(move, at)


@pytest.mark.parametrize('at', ['converge:after', 'owner:written'])
def test_two_at_once(lab, pki, at):
    """One does it, the other one is refused."""
    move = Move(lab, pki, STILL).die(at)
    hold = move.destination.proxy.hold('query-status')
    move.recover()
    first = move.engine
    hold.wait()
    move.recover()
    assert move.engine.wait(30) == REFUSED, move.engine.text()
    assert 'under way' in move.error
    assert move.engine.result()['guest'] == 'unknown'
    hold.release()
    move.engine = first
    if place(at) > OWNER:
        move.moved()
    else:
        move.undone((FAILED,), 'gone')


@pytest.mark.parametrize('command,at', [
    ('migrate_cancel', 'converge:after'), ('object-del', 'converge:after'),
    ('cont', 'owner:written'), ('object-del', 'owner:written')])
def test_recover_dies(lab, pki, command, at):
    """And is run again."""
    move = Move(lab, pki, STILL).die(at)
    side = move.destination if place(at) > OWNER else move.source
    hold = side.proxy.hold(command)
    move.recover()
    hold.wait()
    move.engine.process.send_signal(signal.SIGKILL)
    move.engine.wait(30)
    hold.release()
    finish(move, at)


# ---- the journal begins and ends at once ----

def test_engine_dies_before_its_journal_is_there(lab, pki):
    move = Move(lab, pki, STILL).die('journal:new')
    (new,) = move.journals()
    assert new.suffix == '.new'
    for qemu in move.qemus:
        assert move.unlike_before(qemu) == []
    check_nothing_is_left(move)
    new.unlink()
    move.remove_private_folder()
    move.start().moved()


@pytest.mark.parametrize('fails', [False, True], ids=['moved', 'undone'])
def test_journal_had_ended(lab, pki, fails):
    """Only its new name is missing; and so its engine's word."""
    move = Move(lab, pki, STILL)
    if fails:
        move.source.proxy.fail('migrate')
    move.die('journal:ended')
    move.remove_private_folder()
    move.check_folders(open_journals=1)
    again = Engine(lab, 'recover', '--dry-run', host=move.source.host,
                   env=lab.env())
    assert again.wait(30) == DONE, again.text()
    assert 'it had ended (' + ('failed; the guest: source)' if fails else
                               'completed; the guest: destination)') \
        in again.text()
    move.check_folders(open_journals=1)
    move.recover()
    assert move.engine.wait(30) == DONE, move.engine.text()
    assert move.engine.result()['guest'] == \
        ('source' if fails else 'destination')
    move.check_folders()
    check_nothing_is_left(move)


# ---- the destination refused the guest ----

RETURNED = 'returned:written', 'returned:ended'


@pytest.mark.parametrize('at', RETURNED)
def test_guest_is_returned(lab, pki, at):
    """Written down before the destination ends, which is never told `cont`
    again."""
    move = Move(lab, pki, Case(proxied=True))
    move.destination.proxy.fail('cont')
    move.die(at)
    assert move.destination.is_alive() == (at == 'returned:written')
    assert move.source.status() == 'postmigrate'
    move.recover().undone()
    assert move.destination.proxy.names().count('cont') == 1


def test_guest_is_returned_only_by_the_dead(lab, pki):
    """A destination of which nobody knows whether it lives."""
    move = Move(lab, pki, UNKNOWN)
    move.destination.proxy.fail('query-cpus-fast')
    move.destination.proxy.fail('cont')
    move.die('returned:written')
    move.destination.proxy.refuse()
    move.recover()
    assert move.engine.wait(60) == UNDECIDED, move.engine.text()
    assert move.source.status() == 'postmigrate'
    move.recover('--i-have-checked', 'destination-is-down')
    assert move.engine.wait(60) == FAILED, move.engine.text()
    assert move.source.status() == 'running'


# ---- a side is dead, or cannot be reached ----

EARLY, LATE, OWNED = 'export disks:after', 'converge:after', 'owner:written'


@pytest.mark.parametrize('at', [EARLY, LATE])
def test_destination_dies_while_no_engine_lives(lab, pki, at):
    move = Move(lab, pki, Case()).die(at)
    move.destination.kill()
    move.recover().undone((FAILED,), 'gone')


@pytest.mark.parametrize('at', [EARLY, LATE, 'switch over:after'])
def test_source_dies_while_no_engine_lives(lab, pki, at):
    """The guest is lost, and what the destination has is not started."""
    move = Move(lab, pki, STILL).die(at)
    move.source.kill()
    move.recover()
    assert move.engine.wait(60) == NOWHERE, move.engine.text()
    assert not [e for e in move.destination.spy.events if e.name == 'RESUME']
    assert "boot the guest again from the source's disks" in move.error


def test_source_dies_after_the_owner(lab, pki):
    move = Move(lab, pki, STILL).die(OWNED)
    move.source.kill()
    move.recover()
    assert move.engine.wait(60) == DONE, move.engine.text()
    assert move.destination.status() == 'running'


def test_owner_dies(lab, pki):
    """It may have run: the source is neither started nor ended."""
    move = Move(lab, pki, STILL).die(OWNED)
    move.destination.kill()
    move.recover()
    assert move.engine.wait(60) == NOWHERE, move.engine.text()
    assert move.source.status() == 'postmigrate'
    assert not [e for e in move.source.spy.events if e.name == 'RESUME']
    move.check_folders()


PROOFS = {
    'none': ((), UNDECIDED),
    'fence-fails': (('--fence', 'exit 3'), UNDECIDED),
    'fence': (('--fence', 'test "$1" = source'), NOWHERE),
    'checked-other': (('--i-have-checked', 'destination-is-down'), UNDECIDED),
    'checked': (('--i-have-checked', 'source-is-down'), NOWHERE),
}


@pytest.mark.parametrize('proof', PROOFS)
def test_source_cannot_be_reached(lab, pki, proof):
    """Alive or dead, nobody knows; and nothing is touched without a proof."""
    options, code = PROOFS[proof]
    move = Move(lab, pki, UNKNOWN)
    move.source.proxy.fail('query-cpus-fast')   # which process it is neither
    move.die('switch over:after')
    move.source.proxy.refuse()
    move.recover(*options)
    assert move.engine.wait(90) == code, move.engine.text()
    assert not [e for q in move.qemus for e in q.spy.events
                if e.name == 'RESUME']
    assert move.source.status() == 'postmigrate'
    assert move.destination.status() == 'paused'
    if code == UNDECIDED:
        assert 'source-is-down' in move.error
        assert move.ran_at_once() == []


@pytest.mark.parametrize('options,code', [
    ((), UNDECIDED), (('--i-have-checked', 'destination-is-down'), NOWHERE)])
def test_owner_cannot_be_reached(lab, pki, options, code):
    move = Move(lab, pki, UNKNOWN)
    move.destination.proxy.fail('query-cpus-fast')
    move.die(OWNED)
    move.destination.proxy.refuse()
    move.recover(*options)
    assert move.engine.wait(90) == code, move.engine.text()
    assert move.source.status() == 'postmigrate'
    assert move.destination.status() == 'paused'


@pytest.mark.parametrize('options', [
    ('--i-have-checked', 'destination-is-down'), ('--fence', 'true')],
    ids=['checked', 'fence'])
def test_who_is_seen_alive_is_not_down(lab, pki, options):
    """Whatever is said; the guest may live there."""
    move = Move(lab, pki, STILL).die(OWNED)
    move.destination.proxy.refuse()
    move.recover(*options)
    assert move.engine.wait(90) == UNDECIDED, move.engine.text()
    assert f'process {move.destination.pid} lives' in move.engine.out
    move.check_folders(open_journals=1)
    move.destination.proxy.refuse(False)
    move.recover().moved()


@pytest.mark.parametrize('at', [EARLY, LATE])
def test_destination_cannot_be_reached(lab, pki, at):
    """It can be told nothing; its process is known, and held: it ends."""
    move = Move(lab, pki, STILL).die(at)
    move.destination.proxy.refuse()
    move.recover().undone((FAILED,), 'gone')


def test_source_cannot_be_reached_after_the_owner(lab, pki):
    """The guest is started; the source, which gave it up, is retired later."""
    move = Move(lab, pki, STILL).die(OWNED)
    move.source.proxy.refuse()
    move.recover()
    assert move.engine.wait(90) == LEFT_THERE, move.engine.text()
    assert move.destination.status() == 'running'
    move.check_folders(open_journals=1)
    move.source.proxy.refuse(False)
    move.recover().moved()


def test_fresh_destination_at_the_same_address(lab, pki):
    """It is not the one of the journal, and is left alone."""
    move = Move(lab, pki, Case(live=False)).die(LATE)
    path = move.destination.address
    move.new_destination()
    os.unlink(path)
    os.symlink(move.destination.address, path)
    move.recover().undone((FAILED,), 'waiting')


# ---- another QEMU, another migration, a journal that is damaged ----

class Named(Move):
    """Its QEMUs have the guest's UUID."""

    def _extra(self, name):
        return '-uuid', '6f0e5a8c-1f0b-4f0e-9d6b-2f6d3c1f7a01'


def test_qemu_of_another_guest(lab, pki):
    """Where the process is not known, the guest's UUID is: nothing is told to
    it."""
    move = Named(lab, pki, UNKNOWN)
    proxy = move.destination.proxy
    proxy.fail('query-cpus-fast')
    move.die('export disks:after')
    proxy.answer('query-uuid', {'UUID': '00000000-0000-0000-0000-000000000001'})
    before = len(proxy.names())
    move.recover()
    assert move.engine.wait(60) == LEFT_HERE, move.engine.text()
    assert 'the QEMU of another guest' in move.engine.out
    assert set(proxy.names()[before:]) <= {
        'qmp_capabilities', 'query-cpus-fast', 'query-qmp-schema',
        'query-uuid'}
    assert move.source.status() == 'running'
    move.recover()
    assert move.engine.wait(60) == FAILED, move.engine.text()


def test_next_migration_is_refused_until_then(lab, pki):
    """By any name: the journal would speak of a past that is none."""
    move = Move(lab, pki, STILL).die('hold the destination:after')
    move.start('--name', 'another')
    assert move.engine.wait(60) == REFUSED
    assert 'did not finish' in move.error
    assert 'qmigrate recover' in move.error
    finish(move, 'hold the destination:after')
    move.start()
    move.moved()


@pytest.mark.parametrize('damage,says', [
    (lambda b: b'', 'ends before its first owner'),
    (lambda b: b[:100], 'ends before its first owner'),
    (lambda b: b'\x7fELF\n' + b, 'first line cannot be read'),
    (lambda b: b.replace(b'-journal":1', b'-journal":2'), 'another version'),
    (lambda b: b.replace(b'{"owner":"source"}', b'{"owner":"nobody"}'),
     'neither source nor destination'),
    (lambda b: b[:-30] + b'\n', 'line '),
], ids=['empty', 'cut', 'foreign', 'newer', 'owner', 'corrupt'])
def test_damaged_journal(lab, pki, damage, says):
    """It is explained, and nothing is touched."""
    move = Move(lab, pki, STILL).die(LATE)
    (journal,) = move.journals()
    whole = journal.read_bytes()
    journal.write_bytes(damage(whole))
    # it still protects its QEMUs, as far as it can be read
    move.start('--name', 'another')
    assert move.engine.wait(60) == REFUSED, move.engine.text()
    assert ('did not finish' if b'"boot-id"' in journal.read_bytes().split(
        b'\n')[0] else 'cannot determine whether') in move.error
    move.recover()
    assert move.engine.wait(30) == UNDECIDED, move.engine.text()
    assert says in move.error
    assert move.source.status() == 'finish-migrate'
    journal.write_bytes(whole)
    finish(move, LATE)


def test_last_line_without_its_end(lab, pki):
    """What it announced was never done."""
    move = Move(lab, pki, STILL).die('switch over:after')
    (journal,) = move.journals()
    with journal.open('ab') as file:
        file.write(b'{"owner":"destination"')
    finish(move, 'switch over:after')
    (journal,) = move.journals()
    for line in journal.read_text().splitlines():
        json.loads(line)


# ---- through ssh: what is proved there ----

class Far(Journey):
    """Both QEMUs are behind ssh, the engines on a third host."""

    def __init__(self, lab, pki, case=Case(live=False)):
        super().__init__(lab, pki, case, ('source', 'destination'), 'desk')

    def start(self, *options, command='migrate', **env):
        self.engine = Engine(
            self.lab, command, '--json', *options,
            *(self.arguments() if command == 'migrate' else ()),
            host=self.lab.host(self.where), env={**ssh_env(self.lab), **env})
        return self

    def recover(self, *options, **env):
        return self.start(*options, command='recover', **env)


@pytest.mark.sample(3)
@pytest.mark.parametrize('at', ['mirror disks:after', LATE, OWNED])
def test_from_far(lab, pki, at):
    finish(Far(lab, pki).die(at), at)


@pytest.mark.sample(2)
@pytest.mark.parametrize('victim,at,code', [
    ('source', LATE, NOWHERE), ('destination', LATE, FAILED),
    ('source', OWNED, DONE), ('destination', OWNED, NOWHERE)])
def test_death_is_proved_from_far(lab, pki, victim, at, code):
    move = Far(lab, pki).die(at)
    getattr(move, victim).kill()
    move.recover()
    assert move.engine.wait(90) == code, move.engine.text()
    survivor, = {*move.qemus} - {getattr(move, victim)}
    if code != NOWHERE:
        assert survivor.status() == 'running'
    else:
        assert not [e for e in survivor.spy.events if e.name == 'RESUME']


@pytest.mark.sample(2)
@pytest.mark.parametrize('victim,at', [('source', LATE),
                                       ('destination', OWNED)])
def test_silent_host_is_not_dead(lab, pki, victim, at):
    """The owner may run there for all that is known."""
    move = Far(lab, pki).die(at)
    move.sshd[victim].stop()
    move.recover()
    assert move.engine.wait(120) == UNDECIDED, move.engine.text()
    assert f'{victim}-is-down' in move.error
    assert move.ran_at_once() == []
    assert move.source.status() in ('finish-migrate', 'postmigrate')
    assert move.destination.status() in ('inmigrate', 'paused')
