"""What qmigrate(1) shows to people, done as it stands there.

The texts are taken from the page, so that they cannot differ from it.
"""

import json
import re
import shlex
import threading

import pytest

from cases import FAILED, REFUSED, Case, Move
from engine import ROOT, command_line
from lab import wait_until
from test_mirror import Stored, data

OF_THE_PAGE = 'qmigrate migrate --json /run/vm.qmp ssh://hostb/run/vm.qmp'
ID = 'qm-1a2b3c4d'
HELLO = '{"execute": "qmp_capabilities"}\n'


def literals():
    """The pages' examples, as a reader sees them."""
    page = ''.join((ROOT / 'doc' / name).read_text()
                   for name in ('qmigrate.1', 'qmigrate-recovery.7'))
    return [text.replace('\\e', '\\').replace('\\-', '-')
            for text in re.findall(r'^\.Bd -literal.*?\n(.*?)^\.Ed$', page,
                                   re.MULTILINE | re.DOTALL)]


def example(word):
    [text] = [text for text in literals() if word in text]
    return text


# ---- in a script ----

def run_script(move, *options):
    """The script of the page, with this pair in it; what it prints."""
    script = example('case $? in')
    command = command_line(move.lab, 'migrate', '--json', *options,
                           *move.arguments())
    assert OF_THE_PAGE in script
    script = script.replace(OF_THE_PAGE, shlex.join(map(str, command)))
    run = move.lab.run(['sh', '-c', f'cd {move.lab.dir} && {script}'],
                       host=move.source.host, timeout=60)
    return run.stdout, json.loads(
        (move.lab.dir / 'vm.log').read_text().splitlines()[-1])


def test_script(lab, pki):
    move = Move(lab, pki, Case(live=False))
    said, last = run_script(move, '--abort-handover-ms', '10000', '--bind',
                            '10.77.0.99')
    assert said == 'it runs here, as before\n'
    assert (last['event'], last['data']['exit']) == ('RESULT', REFUSED)
    said, last = run_script(move)
    assert said == 'it runs on hostb\n'
    assert last['data']['guest'] == 'destination'
    assert move.destination.status() == 'running'


# ---- two disks of three ----

def test_two_disks_of_three(lab, pki):
    [shown] = [text for text in literals() if '--disks vda,vdb' in text]
    words = shown.replace('\\\n', ' ').replace('vda,vdb', 'vd0,vd1').split()
    options = tuple(words[2:-2])        # qmigrate migrate ... from to
    assert options[:2] == ('--disks', 'vd0,vd1')
    move = Move(lab, pki, Case(formats=('raw',) * 3, live=False,
                               options=options))
    result = move.start().moved()
    assert [d['disk'] for d in result['disks']] == ['vd0', 'vd1']
    assert all(d['tls-proved'] for d in result['disks'])


# ---- behind a translated address ----

NAT = """
table ip nat {{
    chain in {{
        type nat hook prerouting priority -100;
        ip daddr {outside} dnat to {inside}
    }}
    chain out {{
        type nat hook postrouting priority 100;
        ip daddr {inside} masquerade
    }}
}}
"""


def translate(lab, source, outside, inside):
    """A gateway at which INSIDE is called OUTSIDE; the source goes there."""
    gateway = lab.host('gateway')
    gateway.run(['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
    rules = lab.path('nat.nft')
    rules.write_text(NAT.format(outside=outside, inside=inside))
    gateway.run(['nft', '-f', rules])
    source.run(['ip', 'route', 'add', outside, 'via', gateway.address])


def test_translated_address(lab, pki):
    outside, inside = '198.51.100.7', lab.host('source') and \
        lab.host('destination').migration_address
    move = Move(lab, pki, Case(live=False, options=(
        '--address', outside, '--tls-hostname', 'destination.example',
        '--ports', '50000-50007')))
    translate(lab, lab.host('source'), outside, inside)
    assert move.start().engine.wait(30) == REFUSED
    assert f"{outside} is not an address of the destination's host" in move.error
    assert '--bind' in move.error
    result = move.start('--bind', inside).moved()
    [disk] = result['disks']
    assert disk['tls-proved']


# ---- after a crash ----

def replies(lab, monitor, text, limit_s=2):
    """What a monitor says to what somebody types, until it is silent for so
    long; the greeting is left out."""
    typed = lab.path('typed')
    typed.write_text(text)
    out = lab.run(['sh', '-c', f'socat -t{limit_s} - UNIX-CONNECT:{monitor} '
                   f'<{typed}'], timeout=30).stdout
    lines = [json.loads(line) for line in out.splitlines()]
    return [line for line in lines if 'return' in line or 'error' in line]


def ours(qemu):
    """All in it that somebody has to take away."""
    spy = qemu.spy
    return [x for x in
            [j['id'] for j in spy.cmd('query-jobs')] +
            [n['node-name'] for n in spy.cmd('query-named-block-nodes')] +
            [o['name'] for o in spy.cmd('qom-list', path='/objects')]
            if x.startswith('qm-')]


def killed_in_the_mirror(lab, pki, **case):
    """An engine that was killed while a disk was copied, at 1 MiB/s."""
    move = Stored(lab, pki, Case(options=('--disk-bandwidth', '1M'), **case),
                  data).start()
    wait_until(lambda: any(j['current-progress'] > 0
                           for j in move.source.spy.cmd('query-jobs')),
               60, 'a mirror that has written something')
    move.engine.kill()
    move.engine.process.wait(10)
    return move


def id_of(move):
    [journal] = move.journals()
    first = json.loads(journal.read_text().splitlines()[0])
    return first['id']


def by_hand(move, text):
    """Typed as the page has it, at the source's monitor."""
    return replies(move.lab, move.source.qmp,
                   text.replace(ID, id_of(move)))


FAULTS = {
    'there': lambda move: None,
    'cut': lambda move: move.destination.host.cut(),
}


@pytest.mark.parametrize('fault', FAULTS)
def test_what_is_left_is_taken_away_by_hand(lab, pki, fault):
    """Back to the source, whose peer is gone or not, with what the page
    says; then it moves after all."""
    move = killed_in_the_mirror(lab, pki, live=False)
    assert len(ours(move.source)) == 3
    FAULTS[fault](move)
    yank = by_hand(move, example('"yank"'))
    assert [list(r) for r in yank] == [['return'], ['return']]
    move.destination.quit()
    by_hand(move, HELLO + example('block-job-cancel'))
    wait_until(lambda: [j['status'] for j in
                        move.source.spy.cmd('query-jobs')] == ['concluded'],
               20, 'the mirror ends')
    for text in (example('job-dismiss'), example('"object-del"')):
        done = by_hand(move, HELLO + text)
        assert [list(r) for r in done] == [['return']] * 3
    assert ours(move.source) == []
    move.remove_private_folder()
    for path in move.journals():
        path.unlink()
    move.destination.host.mend()
    move.new_destination()
    move.case = Case(live=False)
    move.start().moved()


def stands_still(move):
    """The mirror: what it sends is not acknowledged."""
    done = [j['current-progress'] for j in move.source.spy.cmd('query-jobs')]
    threading.Event().wait(0.5)
    return done == [j['current-progress']
                    for j in move.source.spy.cmd('query-jobs')]


def is_deaf(move):
    return replies(move.lab, move.source.qmp, HELLO, 1) == []


def hang_the_source(move):
    """The network goes, and then somebody stops the guest: QEMU waits for the
    mirror, and reads nothing that is typed, until its connection is cut. (Not
    for one that sleeps, since it was too fast: it is woken.)"""
    move.destination.host.cut()
    [job] = move.source.spy.cmd('query-jobs')
    move.source.spy.cmd('block-job-set-speed', device=job['id'], speed=0)
    wait_until(lambda: stands_still(move), 20, 'the mirror waits')
    stopped = threading.Event()

    def stop():
        move.source.spy.cmd('stop')
        stopped.set()

    threading.Thread(target=stop, daemon=True).start()
    wait_until(lambda: is_deaf(move), 20, 'QEMU waits')
    assert by_hand(move, example('"yank"')) == []
    assert not stopped.is_set()
    return stopped


def test_recover_frees_a_source_that_hangs(lab, pki):
    move = killed_in_the_mirror(lab, pki, live=False)
    stopped = hang_the_source(move)
    move.recover()
    assert move.engine.wait(90) == FAILED, move.engine.text()
    assert "connections to the destination's disks were cut" in move.engine.out
    assert stopped.wait(20)
    assert ours(move.source) == []
    assert move.source.status() == 'paused'
    move.check_folders()


def test_source_that_hangs(lab, pki):
    move = killed_in_the_mirror(lab, pki, live=False)
    stopped = hang_the_source(move)
    command = example('ss -K').replace('192.0.2.2',
                                       move.destination.host.address)
    move.source.host.run(command.split())
    assert stopped.wait(20)
    assert move.source.status() == 'paused'
    yank = by_hand(move, example('"yank"'))
    assert [list(r) for r in yank] == [['return'], ['return']]
