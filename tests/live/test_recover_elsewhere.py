"""`recover` where the processes of the journal cannot be seen.

Another machine that shares the state directory, or another PID namespace:
what is not found there is not dead, and nothing is touched. Whether anything
was is looked at in both QEMUs.
"""

import json
import os
import uuid

import pytest

from cases import FAILED, NOWHERE, UNDECIDED, Case, Move
from engine import Engine
from test_recover import LATE, OWNED, Far

STILL = Case(live=False, formats=())
BOOT_ID = '/proc/sys/kernel/random/boot_id'
NAMESPACE = ('unshare', '--pid', '--fork', '--kill-child', '--mount-proc')
BIND = """
mount --bind "$1" /etc/machine-id &&
{ [ -z "$2" ] || mount --bind "$2" /proc/sys/kernel/random/boot_id; } &&
shift 2 && exec "$@"
"""


def machine(lab, boot=None):
    """A command that runs another one on a machine of another id."""
    path = lab.dir / f'machine-{uuid.uuid4().hex}'
    path.write_text(uuid.uuid4().hex + '\n')
    return ('unshare', '--mount', 'sh', '-c', BIND, 'sh', path, boot or '')


def boot(lab):
    path = lab.dir / f'boot-{uuid.uuid4().hex}'
    path.write_text(f'{uuid.uuid4()}\n')
    return path


def recover(move, *options, through=(), host=None):
    move.engine = Engine(move.lab, 'recover', '--json', *options,
                         host=host or move.source.host, env=move.lab.env(),
                         through=through)
    return move.engine.wait(90)


def said(move):
    return '\n'.join(e['data']['message'] for e in move.engine.events('NOTE'))


def unseen(move):
    """The sockets answer nobody, as if they were on another machine."""
    for qemu in move.qemus:
        os.rename(qemu.address, f'{qemu.address}.away')


def seen(move):
    for qemu in move.qemus:
        os.rename(f'{qemu.address}.away', qemu.address)


def check_untouched(move, states):
    assert [q.status() for q in move.qemus] == states
    assert not [e for q in move.qemus for e in q.spy.events
                if e.name == 'RESUME']
    move.check_folders(open_journals=1)


ELSEWHERE = {
    'namespace': lambda lab: (NAMESPACE, 'another PID namespace'),
    'machine': lambda lab: (machine(lab), 'another machine'),
    'host': lambda lab: ((*machine(lab, boot(lab)), *NAMESPACE),
                         'another machine'),
}


def undecided_there(lab, pki, where, at):
    move = Move(lab, pki, STILL).die(at)
    states = [q.status() for q in move.qemus]
    through, says = ELSEWHERE[where](lab)
    unseen(move)
    code = recover(move, through=through, host=lab.host('another'))
    seen(move)
    assert code == UNDECIDED, move.engine.text()
    assert says in said(move)
    assert 'where the migration ran' in move.error
    check_untouched(move, states)
    return move


@pytest.mark.parametrize('where', [
    pytest.param('namespace', marks=pytest.mark.long),
    pytest.param('machine', marks=pytest.mark.long), 'host'])
@pytest.mark.parametrize('at', [LATE, pytest.param(
    OWNED, marks=pytest.mark.long)])
def test_process_that_cannot_be_seen_is_not_dead(lab, pki, where, at):
    move = undecided_there(lab, pki, where, at)
    move.recover()
    if at == LATE:
        move.undone((FAILED,), 'gone')
    else:
        move.moved()


def test_answering_source_is_not_dead(lab, pki):
    """Though it is said to be down, and its process cannot be seen."""
    move = Move(lab, pki, STILL).die(LATE)
    states = [q.status() for q in move.qemus]
    assert recover(move, '--i-have-checked', 'source-is-down',
                   through=NAMESPACE) == UNDECIDED, move.engine.text()
    assert 'said to be down' in said(move)
    check_untouched(move, states)


def journal_of_old(move):
    """As an older qmigrate wrote it."""
    (path,) = move.journals()
    lines = path.read_text().splitlines()
    story = json.loads(lines[0])
    for side in ('source', 'destination'):
        for key in ('machine-id', 'pid-namespace', 'time-namespace'):
            del story[side][key]
    path.write_text('\n'.join([json.dumps(story), *lines[1:], '']))


@pytest.mark.long
def test_old_journal_proves_no_death(lab, pki):
    move = Move(lab, pki, STILL).die(LATE)
    journal_of_old(move)
    move.source.kill()
    assert recover(move) == UNDECIDED, move.engine.text()
    assert 'does not say' in said(move)
    assert recover(move, '--i-have-checked', 'source-is-down') == NOWHERE


@pytest.mark.long
@pytest.mark.parametrize('which', ['rebooted', 'clone', 'another'])
def test_alias_leads_to_another_boot(lab, pki, which):
    """Of the same machine: all that ran there is gone. Of another machine,
    which may have a copy of the machine id: nothing is known."""
    move = Far(lab, pki).die(LATE)
    sshd = move.sshd['source']
    sshd.stop()
    sshd.boot_id = str(uuid.uuid4())
    if which == 'rebooted':
        sshd.uptime = '0.00 0.00'
    if which == 'another':
        sshd.machine_id = uuid.uuid4().hex
    sshd.start()
    move.source.kill()
    move.recover()
    assert move.engine.wait(120) == \
        (NOWHERE if which == 'rebooted' else UNDECIDED), move.engine.text()
    assert which == 'rebooted' or 'another machine' in said(move)
