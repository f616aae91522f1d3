"""The command line against real QEMUs: looking changes nothing, and what is
said can be read by people and by programs."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from cases import REFUSED, recipe_rows
from engine import ROOT, Engine, program
from refusals import (Pair, Refusal, blockers, check_folders, refuse,
                      state_of, told, unlike)

EVENT = {'event', 'data', 'timestamp'}
FINE = Refusal('')


def look(pair, refusal=FINE, command='check', json=True, code=0):
    """Run it; nothing of the pair may be changed, nothing be left."""
    before, events = state_of(pair), told(pair)
    engine = pair.run(refusal, command, json)
    assert engine.process.returncode == code, engine.text()
    assert unlike(pair, before) == []
    assert told(pair) == events
    check_folders(pair.lab)
    return engine


def options(*words, **more):
    return Refusal('', options=words, **more)


def table_of_checks():
    """The ids of preflight's checks, from its source."""
    text = (ROOT / 'src/core/preflight.c').read_text()
    return re.findall(r'\{ "([a-z-]+)", preflight_', text)


# ---- for programs ----

def test_check_tells_programs(lab, pki):
    engine = look(Pair(lab, pki))
    events = engine.events()
    assert all(set(e) == EVENT for e in events)
    assert all(set(e['timestamp']) == {'seconds', 'microseconds'}
               for e in events)
    assert events[-1]['event'] == 'RESULT'
    assert [e['event'] for e in events].count('RESULT') == 1
    result = engine.result()
    assert (result['outcome'], result['exit']) == ('completed', 0)
    assert result['guest'] == 'source'
    assert result['name'] == 'guest'
    assert 'error' not in result
    [judged] = engine.events('PREFLIGHT')
    verdicts = judged['data']['verdicts']
    assert blockers(engine) == []
    assert {v['level'] for v in verdicts} <= {'ok', 'warning'}
    assert {v['side'] for v in verdicts} <= {'source', 'destination', 'both'}
    # what has nothing to say of such a pair
    silent = {'same-process', 'libvirt', 'multifd', 'postcopy', 'restart',
              'boot', 'backing', 'bitmaps', 'snapshots', 'encryption',
              'memory-room', 'disk-room'}
    order = table_of_checks()
    found = [v['id'] for v in verdicts]
    assert set(order) - silent <= set(found) <= set(order)
    assert found == sorted(found, key=order.index)
    for level, count in (('ok', 'ok'), ('warning', 'warnings')):
        assert judged['data'][count] == sum(v['level'] == level
                                            for v in verdicts)
    assert engine.err == ''


def test_dry_run_tells_programs(lab, pki):
    """The whole recipe, and what would be done with the disk."""
    pair = Pair(lab, pki)
    engine = look(pair, options('--dry-run', '--name', 'a.name'), 'migrate')
    [plan] = [e['data'] for e in engine.events('PLAN')]
    assert plan['steps'] == recipe_rows(ROOT / 'src/core/recipe.c')
    assert plan['name'] == 'a.name'
    assert plan['address'] == plan['bind'] == pair.words['there']
    assert plan['insecure'] is False
    [disk] = plan['disks']
    assert disk['copy'] and disk['disk'] == 'vd0'
    assert disk['source-file'] == pair.source.disks[0].path
    assert disk['destination-file'] == pair.destination.disks[0].path
    assert disk['size-bytes'] == 16 << 20
    begun = [e['data']['step'] for e in engine.events('STEP')
             if e['data']['state'] == 'begins']
    assert begun == ['connect', 'preflight']
    assert engine.result()['outcome'] == 'completed'


def test_dry_run_without_disks(lab, pki):
    """Different images that are not copied are warned of."""
    pair = Pair(lab, pki)
    engine = look(pair, options('--dry-run', '--disks', 'none', '--insecure'),
                  'migrate')
    [plan] = [e['data'] for e in engine.events('PLAN')]
    assert [d['copy'] for d in plan['disks']] == [False]
    assert plan['insecure'] is True
    [judged] = engine.events('PREFLIGHT')
    warned = {v['id']: v for v in judged['data']['verdicts']
              if v['level'] == 'warning'}
    assert set(warned) == {'disks', 'tls'}
    assert 'different files' in warned['disks']['what']
    assert 'add it to --disks' == warned['disks']['fix']
    assert 'unencrypted' in warned['tls']['what']


@pytest.mark.parametrize('command, more', [
    ('check', ()), ('migrate', ('--dry-run',)), ('migrate', ())],
    ids=['check', 'dry-run', 'migrate'])
def test_all_reasons_are_told(lab, pki, command, more):
    """Three blockers: the first in the error, each in the verdicts."""
    refusal = Refusal(
        r'RAM is 64 MiB .* 96 MiB at the destination \(and 3 more reasons\)',
        "the source's -m", ('ram-size', 'memory-backends', 'tls',
                            'cpu-topology'),
        options=(*more, '--tls-hostname', 'elsewhere'),
        destination={'mem': 96, 'smp': 2})
    pair = Pair(lab, pki, refusal)
    refuse(pair, refusal, command)


# ---- for people ----

def test_check_tells_people(lab, pki):
    pair = Pair(lab, pki)
    engine = look(pair, json=False)
    lines = engine.out.splitlines()
    assert '     ok   machine type pc-q35-7.2 on both sides' in lines
    assert any(re.match(r'     ok   destination: .*10\.77\.0\.2 ports '
                        r'49152-49215', line) for line in lines), engine.out
    assert re.search(r'^\d+ ok, \d+ warnings?, 0 blockers$', engine.out,
                     re.M)
    assert lines[-1] == 'guest can be moved'
    assert engine.err == ''
    assert '\x1b' not in engine.out     # no terminal, no colours


def test_refusal_tells_people(lab, pki):
    refusal = Refusal('', destination={'mem': 96, 'smp': 2})
    pair = Pair(lab, pki, refusal)
    engine = look(pair, refusal, json=False, code=3)
    assert '\nBLOCKER   RAM is 64 MiB at the source and 96 MiB at the ' \
        in engine.out
    assert "\n          -> give the destination the source's -m\n" \
        in engine.out
    assert ' 3 blockers' in engine.out
    assert 'can be moved' not in engine.out
    assert engine.err.startswith('qmigrate: preflight: RAM is 64 MiB at ')
    assert "\n  hint: give the destination the source's -m" in engine.err


def test_dry_run_tells_people(lab, pki):
    engine = look(Pair(lab, pki), options('--dry-run'), 'migrate', json=False)
    steps = re.findall(r'^    [ \d]\d\. (.*)$', engine.out, re.M)
    assert steps == recipe_rows(ROOT / 'src/core/recipe.c')
    assert 'vd0: 16.0 MiB, copied: writable, two files of one machine' in engine.out
    assert 'under TLS, both ends verified; the destination must be ' \
        '10.77.0.2' in engine.out


# ---- twice, and on a guest that runs elsewhere meanwhile ----

def test_check_then_migrate(lab, pki):
    """What was only looked at is moved as if nobody had looked."""
    pair = Pair(lab, pki)
    for _ in range(2):
        look(pair)
    engine = pair.run(FINE)
    assert engine.process.returncode == 0, engine.text()
    assert pair.destination.status() == 'running'
    pair.source.wait_exit()
    # and again: the destination is none any more, the source is gone
    assert pair.run(FINE, 'check').process.returncode == 3


# ---- the command line alone ----

NO_QEMU = ('/nowhere/source', '/nowhere/destination')

USAGE = {
    'no-addresses': ([], 'SOURCE and DESTINATION are needed'),
    'one-address': (['/a'], 'SOURCE and DESTINATION are needed'),
    'three-addresses': ([*NO_QEMU, '/c'], 'more than SOURCE and DESTINATION'),
    'unknown-option': (['--frobnicate', *NO_QEMU],
                       'there is no option --frobnicate'),
    'abbreviation': (['--insec', *NO_QEMU], 'there is no option --insec'),
    'twice': (['--name', 'a', '--name', 'b', *NO_QEMU], 'twice'),
    'no-value': ([*NO_QEMU, '--name'], '--name needs a value'),
    'value-of-a-flag': (['--insecure=yes', *NO_QEMU], '--insecure takes no'),
    'no-address': (['vm', '/b'],
                   "source: the address 'vm' has an unknown form"),
    'relative': (['unix:vm', '/b'], 'has no absolute path'),
    'ssh-without-path': (['/a', 'ssh://host'], 'has no path behind its host'),
    'ssh-option': (['/a', 'ssh://-oProxyCommand=x/b'], "begins with '-'"),
    'tls': (['/a', 'tls:host'], 'has no port'),
    'ports': (['--ports', '10-5', *NO_QEMU], '--ports 10-5: not LOW-HIGH'),
    'size': (['--bandwidth', '5X', *NO_QEMU], "'5X' is not a size"),
    'channels': (['--channels', '256', *NO_QEMU], 'between 0 and 255'),
    'downtime': (['--max-downtime-ms', '0', *NO_QEMU], 'between 1 and'),
    'on-timeout': (['--on-timeout', 'pray', *NO_QEMU], 'not abort, pause or postcopy'),
    'disks-empty': (['--disks', 'a,,b', *NO_QEMU], 'an empty name'),
    'disks-twice': (['--disks', 'a,a', *NO_QEMU], '--disks names a twice'),
    'address': (['--address', 'a b', *NO_QEMU], 'neither a host name'),
    'host': (['--source-host', 'host', *NO_QEMU],
             "--source-host: 'host' is not a host"),
    'name': (['--name', '.x', *NO_QEMU], "--name '.x' is not a valid name"),
    'both-tls': (['--insecure', '--tls-hostname', 'x', *NO_QEMU],
                 'exclude each other'),
}


@pytest.mark.parametrize('command', ['check', 'migrate'])
def test_usage(lab, command):
    """Each wrong command line: 2, and one RESULT that says so."""
    for name, (words, says) in USAGE.items():
        engine = Engine(lab, command, '--json', *words)
        assert engine.wait(10) == 2, name
        [event] = engine.events()
        result = engine.result()
        assert event['event'] == 'RESULT', name
        assert says in result['error']['message'], (name, result)
        assert result['error']['code'] == 'usage', name
        assert result['exit'] == 2, name
        assert engine.err.startswith('qmigrate: '), name
        assert not engine.crashes(), name
    check_folders(lab)


def test_help(lab):
    """Help goes to stdout and needs no QEMU; each documented option is in
    it."""
    documented = re.findall(r'^\{? *\{ "([a-z-]+)", (?:"|NULL)',
                            Path(ROOT / 'src/cli/options-migrate.c').read_text(),
                            re.M)
    for command in ('check', 'migrate'):
        for words in ([command, '--help'], [command, '-h'],
                      [command, '--help', '/a']):
            engine = Engine(lab, *words)
            assert engine.wait(10) == 0
            assert engine.out.startswith(f'usage: qmigrate {command} ')
            assert engine.err == ''
            assert max(map(len, engine.out.splitlines())) <= 80
    shown = re.findall(r'^  --([a-z-]+)', engine.out, re.M)
    assert set(shown) == set(documented)
    engine = Engine(lab, '--help')
    assert engine.wait(10) == 0
    assert re.findall(r'^  qmigrate (\w+)', engine.out, re.M) == [
        'migrate', 'check', 'copy', 'status', 'watch', 'cancel', 'complete',
        'set', 'keys', 'recover']
    for code in range(10):
        assert re.search(rf'^  {code}  \w', engine.out, re.M)


def test_unheard_results(lab, pki):
    """A reader who goes away changes neither the end nor the status."""
    pair = Pair(lab, pki)
    before = state_of(pair)
    engine = Engine(lab, 'check', '--json', *pair.arguments(FINE),
                    host=pair.source.host)
    engine.process.stdout.close()
    assert engine.wait(20) == 0
    assert unlike(pair, before) == []


def test_lines_are_whole(lab, pki):
    """Names with quotes, backslashes and control characters in the middle."""
    pair = Pair(lab, pki)
    name = 'a"b\\c\x1b[31m\n'
    engine = pair.run(options('--disks', name))
    assert engine.process.returncode == 3
    for _, line in engine.stdout:
        json.loads(line)
        assert '\x1b' not in line
    assert 'not a disk of the source' in engine.result()['error']['message']
    assert '\x1b' not in engine.err


# ---- who is not root ----

AS_NOBODY = """#!/bin/sh
exec setpriv --reuid=65534 --regid=65534 --clear-groups -- {program} "$@"
"""


def open_to_nobody(lab, pair):
    """What belongs to root but the sockets; returns the engine's
    environment."""
    lab.dir.chmod(0o711)
    for qemu in pair.qemus:
        qemu.dir.chmod(0o711)
        Path(qemu.qmp).chmod(0o666)
    env = lab.env()
    for key in ('XDG_RUNTIME_DIR', 'XDG_STATE_HOME'):
        Path(env[key]).mkdir(mode=0o700)
        os.chown(env[key], 65534, 65534)
    return env


def test_nobody_moves_a_guest(lab, pki, monkeypatch):
    """Who may read neither certificates nor images, but talk to both
    monitors, has to name what is copied: what was not looked at is said, and
    TLS is QEMU's own."""
    script = lab.path('as-nobody')
    copy = shutil.copy(program(), lab.path('qmigrate'))
    script.write_text(AS_NOBODY.format(program=copy))
    script.chmod(0o755)
    monkeypatch.setenv('QMIGRATE', str(script))
    pair = Pair(lab, pki)
    env = open_to_nobody(lab, pair)
    engine = pair.run(FINE, env=env)
    assert engine.process.returncode == REFUSED, engine.text()
    assert "neither side's could be looked at" in engine.result()['error'][
        'message']
    engine = pair.run(Refusal('', options=('--disks', 'vd0')), env=env)
    assert engine.process.returncode == 0, engine.text()
    [judged] = engine.events('PREFLIGHT')
    warned = [v['what'] for v in judged['data']['verdicts']
              if v['level'] == 'warning']
    for side, folder in zip(('source', 'destination'), pair.tls):
        assert f'TLS is requested, not proved: the files in {folder} of the ' \
            f'{side} could not be read' in warned
    assert any('requested, not proved' in e['data']['message']
               for e in engine.events('WARNING'))
    [disk] = engine.result()['disks']
    assert disk['tls-proved'] is False
    assert engine.result()['tls'] is True
    pair.source.wait_exit()
    assert pair.destination.status() == 'running'
    assert list(Path(env['XDG_RUNTIME_DIR'], 'qmigrate').iterdir()) == []
