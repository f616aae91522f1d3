"""Every command that a migration sends is refused once, and its link is cut
once before it and once after it.

Whatever comes of it, the guest is at one place, whole, and the engine says
where. The commands are in tables that are compared with a real migration: a
new one has to be added, and is attacked from then on.
"""

import collections

import pytest

from cases import DONE, FAILED, LEFT_HERE, LEFT_THERE, REFUSED, Case, Move
from test_control import NAME, SLOW_RAM, command

PROXIED = Case(live=False, proxied=True)

# Each with how many of them there are at least; of more than two the first and
# the last are attacked, each in a case of its own.
READS = {
    'qmp_capabilities': 1, 'query-qmp-schema': 1, 'query-status': 6,
    'query-name': 1, 'query-uuid': 1, 'query-kvm': 1,
    'query-memory-size-summary': 1, 'query-memory-devices': 1,
    'query-memdev': 1, 'query-cpus-fast': 1, 'query-hotpluggable-cpus': 1,
    'query-pci': 1, 'query-named-block-nodes': 1, 'query-block': 1,
    'x-debug-query-block-graph': 1,
    'query-block-exports': 1, 'query-jobs': 1, 'query-block-jobs': 1,
    'query-migrate': 2, 'query-migrate-capabilities': 2,
    'query-migrate-parameters': 2, 'qom-list': 2, 'qom-get': 1,
}
TABLES = {
    'source': {
        'reads': {**READS, 'query-jobs': 4, 'query-block-jobs': 4,
                  'query-migrate': 3, 'query-blockstats': 1},
        'acts': {'object-add': 1, 'migrate-set-capabilities': 1,
                 'migrate-set-parameters': 1, 'blockdev-add': 1,
                 'blockdev-mirror': 1, 'block-job-change': 1, 'migrate': 1,
                 'block-job-cancel': 1, 'migrate-continue': 1, 'quit': 1},
    },
    'destination': {
        'reads': {**READS, 'query-machines': 1},
        'acts': {'stop': 1, 'object-add': 1, 'migrate-set-capabilities': 2,
                 'migrate-set-parameters': 2, 'nbd-server-start': 1,
                 'block-export-add': 1, 'migrate-incoming': 1,
                 'nbd-server-stop': 1, 'cont': 1, 'announce-self': 1,
                 'object-del': 1},
    },
}
# What an undo sends after the guest has stopped, and of these the nth.
UNDO = {
    'source': {'migrate_cancel': 1, 'yank': 1, 'block-job-cancel': 1,
               'job-dismiss': 1, 'blockdev-del': 1,
               'migrate-set-capabilities': 2, 'migrate-set-parameters': 2,
               'object-del': 1, 'query-status': 7},
    'destination': {'quit': 1},
}
NEVER_REFUSED = {'migrate_cancel', 'query-status', 'query-migrate'}
# Not every machine has what they ask about: no answer is one.
OPTIONAL = {'query-pci', 'query-hotpluggable-cpus'}


def rows(kinds, parts=('reads', 'acts')):
    return [(side, name, nth, kind)
            for side, table in TABLES.items() for part in parts
            for name, count in table[part].items() for nth in {1, count}
            for kind in kinds]


def ids(table):
    return ['-'.join(map(str, row)) for row in table]


def attack(qemu, kind, name, nth):
    if kind == 'fail':
        return qemu.proxy.fail(name, nth)
    return qemu.proxy.drop(name, nth, when=kind)


def settle(move):
    """The end is one of the good ones: the guest has moved, or all is as it
    was; or it has moved, and what is left behind it is named."""
    code = move.engine.wait(120)
    assert code in (DONE, REFUSED, FAILED, LEFT_THERE), move.engine.text()
    if code == LEFT_THERE:
        result = move.engine.result()
        assert result['guest'] == 'destination'
        assert result['left'], 'what is left is named'
        assert move.destination.status() == 'running'
        assert move.ran_at_once() == []
        assert not move.source.is_alive() or \
            move.source.status() == 'postmigrate'
    elif code == DONE:
        move.moved()
    else:
        move.undone((code,), 'any')
        assert move.error.strip()
    return code


def test_tables_are_complete(lab, pki):
    move = Move(lab, pki, PROXIED).start()
    move.moved()
    for qemu in move.qemus:
        sent = collections.Counter(qemu.proxy.names())
        table = TABLES[qemu.host.name]
        assert set(sent) == {*table['reads'], *table['acts']}
        for name, count in {**table['reads'], **table['acts']}.items():
            assert sent[name] >= count, name


FAILS = rows(['fail'])


@pytest.mark.sample(6)
@pytest.mark.parametrize('side,name,nth,kind', FAILS, ids=ids(FAILS))
def test_command_is_refused(lab, pki, side, name, nth, kind):
    move = Move(lab, pki, PROXIED)
    rule = attack(getattr(move, side), kind, name, nth)
    move.start()
    code = settle(move)
    assert rule.has_arrived
    if code in (REFUSED, FAILED) and name not in OPTIONAL:
        assert 'told to fail by the test' in move.error
        assert side in move.error


CUTS = rows(['before', 'after'], ['acts']) + rows(['after'], ['reads'])


@pytest.mark.sample(6)
@pytest.mark.parametrize('side,name,nth,kind', CUTS, ids=ids(CUTS))
def test_link_is_cut(lab, pki, side, name, nth, kind):
    """It is opened again; what became of the command is asked."""
    move = Move(lab, pki, PROXIED)
    rule = attack(getattr(move, side), kind, name, nth)
    move.start()
    settle(move)
    assert rule.has_arrived


# ---- what goes wrong while what went wrong is undone ----

UNDOS = [(side, name, nth, kind) for side, names in UNDO.items()
         for name, nth in names.items()
         for kind in ('fail', 'before', 'after')
         if not (kind == 'fail' and name in NEVER_REFUSED)]


@pytest.mark.sample(4)
@pytest.mark.parametrize('side,name,nth,kind', UNDOS, ids=ids(UNDOS))
def test_undo_is_disturbed(lab, pki, side, name, nth, kind):
    """A link that is cut is no excuse; what QEMU refuses to undo is said."""
    move = Move(lab, pki, PROXIED)
    rule = attack(getattr(move, side), kind, name, nth)
    move.start(QMIGRATE_FAIL='converge:after=fail')
    code = move.engine.wait(120)
    assert rule.has_arrived
    if kind != 'fail':
        assert code == FAILED, move.engine.text()
    if code == FAILED:
        move.undone()
        return
    assert code == LEFT_HERE, move.engine.text()
    result = move.engine.result()
    assert result['guest'] == 'source'
    assert move.source.status() == 'running'
    assert move.ran_at_once() == []
    assert result['left']


def test_every_undo_is_disturbed(lab, pki):
    move = Move(lab, pki, PROXIED)
    move.start(QMIGRATE_FAIL='converge:after=fail')
    move.undone()
    for qemu in move.qemus:
        name = qemu.host.name
        table = TABLES[name]
        extra = set(qemu.proxy.names()) - {*table['reads'], *table['acts']}
        assert extra <= set(UNDO[name])


# ---- links that stay away ----

@pytest.mark.sample(2)
@pytest.mark.parametrize('side', ['source', 'destination'])
@pytest.mark.parametrize('row', ['mirror disks', 'converge'])
def test_link_is_away_for_a_while(lab, pki, row, side):
    """QEMU goes on, and so does the engine once it can ask again."""
    move = Move(lab, pki, Case(proxied=True, options=SLOW_RAM)).start()
    proxy = getattr(move, side).proxy
    move.wait_step(row)
    proxy.refuse()
    proxy.cut()
    move.guest.wait_alive(move.source)
    proxy.refuse(False)
    command(move, 'set', NAME, 'bandwidth=0')
    move.moved()


def test_link_to_the_destination_is_lost(lab, pki):
    """It lives, but nobody can end it: that is said, and the journal stays
    open. The guest runs where it was."""
    case = Case(live=False, proxied=True, options=SLOW_RAM)
    move = Move(lab, pki, case).start()
    move.wait_step('converge')
    move.destination.proxy.refuse()
    move.destination.proxy.cut()
    code = move.engine.wait(150)
    assert code in (FAILED, LEFT_HERE), move.engine.text()
    assert move.engine.result()['guest'] == 'source'
    assert move.unlike_before(move.source) == []
    assert move.ran_at_once() == []
    assert 'destination' in move.error
    if code == FAILED:
        move.destination.wait_exit()
    else:
        assert 'destination' in ' '.join(move.engine.result()['left'])
        move.check_folders(open_journals=1)
