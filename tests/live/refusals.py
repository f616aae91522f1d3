"""A refusal is a value: what is wrong with a pair of QEMUs or a command line,
and what the engine has to say about it.

    pair = Pair(lab, pki, refusal)      two QEMUs without a guest's system
    refuse(pair, refusal)               run the engine; nothing may change
"""

import re
from dataclasses import dataclass, field
from typing import Callable

from engine import Engine, run_dir, state_dir
from qemu import Qemu, make_image
from snapshot import Snapshot

USAGE, REFUSED = 2, 3


def nothing(pair):
    """What most refusals do to a pair."""


@dataclass(frozen=True)
class Refusal:
    """says, hint: regular expressions. ids: the verdicts that forbid it; ()
    if it ends before or after preflight's judgement, with the error's code.
    """
    says: str
    hint: str = ''
    ids: tuple = ()
    code: str = 'refused'
    exit: int = REFUSED
    options: tuple = ()             # of the engine; {NAME} as in Pair.words
    # of Qemu(), or functions from the pair to such; size: of its disk
    source: dict = field(default_factory=dict)
    destination: dict = field(default_factory=dict)
    both: dict = field(default_factory=dict)
    spoil: Callable = nothing       # called with the pair, before it begins
    tls_variant: tuple = ({}, {})   # of the certificates: see pki.make()
    peers: tuple = ('{source}', '{destination}')
    address: bool = True            # give --address
    changes: tuple = ()             # parts that pass by themselves meanwhile


class Pair:
    """A source and a destination with a disk each. words: what options may
    name."""

    def __init__(self, lab, pki, refusal=Refusal('')):
        self.lab = lab
        self.tls = [pki.for_host(lab.folder(f'pki-{name}'), lab.host(name),
                                 **variant)
                    for name, variant in zip(('source', 'destination'),
                                             refusal.tls_variant)]
        self.source = self._qemu('source', refusal.both | refusal.source)
        self.destination = self._qemu(
            'destination', {'incoming': True} | refusal.both |
            refusal.destination)
        self.words = {
            'source': self.source.address, 'lab': lab.dir,
            'destination': self.destination.address,
            'source_spy': self.source.spy_path,
            'there': self.destination.host.address,
            'here': self.source.host.address,
            'source_tls': self.tls[0], 'destination_tls': self.tls[1]}

    def _qemu(self, name, options):
        options = {k: v(self) if callable(v) else v
                   for k, v in options.items()}
        size = options.pop('size', 16 << 20)
        images = options.pop('disks', None)
        if images is None:
            images = [make_image(self.lab, f'{name}0', size=size)]
        return Qemu(self.lab, self.lab.host(name), images,
                    **{'live': False, 'mem': 64} | options)

    @property
    def qemus(self):
        return self.source, self.destination

    def arguments(self, refusal):
        given = ' '.join(refusal.options)
        words = list(refusal.options)
        if '--insecure' not in given and 'tls-dir' not in given:
            words += ['--source-tls-dir', '{source_tls}',
                      '--destination-tls-dir', '{destination_tls}']
        if refusal.address and '--address' not in given:
            words += ['--address', '{there}']
        return [str(word).format(**self.words)
                for word in [*words, *refusal.peers]]

    def run(self, refusal, command='migrate', json=True, env=None):
        """The engine's end, as it ran beside the source."""
        engine = Engine(self.lab, command, *['--json'] * json,
                        *self.arguments(refusal), host=self.source.host,
                        env=env)
        engine.wait(60)
        assert not engine.crashes()
        return engine


def state_of(pair):
    return [Snapshot(q) for q in pair.qemus]


def unlike(pair, before, *without):
    """What a pair is not as it was: sentences."""
    return [line for q, b in zip(pair.qemus, before)
            for line in Snapshot(q).without(*without).diff(
                b.without(*without))]


def told(pair):
    """The events of both that tell of a change made by somebody; a job rests
    by itself while QEMU drains its disk."""
    return [e.name for q in pair.qemus for e in q.spy.events
            if e.name in ('STOP', 'RESUME', 'MIGRATION', 'SHUTDOWN') or
            (e.name == 'JOB_STATUS_CHANGE' and
             e.data['status'] not in ('standby', 'ready'))]


def blockers(engine):
    return [v for e in engine.events('PREFLIGHT')
            for v in e['data']['verdicts'] if v['level'] == 'blocker']


def refuse(pair, refusal, command='migrate', env=None):
    """The engine refuses it for that reason, and has changed nothing."""
    before, events = state_of(pair), told(pair)
    engine = pair.run(refusal, command, env=env)
    result = engine.result()
    check_result(engine, result, refusal)
    assert unlike(pair, before, *refusal.changes) == []
    assert told(pair) == events
    check_folders(pair.lab)
    return result


def check_result(engine, result, refusal):
    error = result['error']
    assert re.search(refusal.says, error['message']), error['message']
    assert re.search(refusal.hint, error.get('hint', '')), error.get('hint')
    assert engine.process.returncode == refusal.exit, engine.text()
    assert result['exit'] == refusal.exit
    assert (result['outcome'], result['guest']) == ('refused', 'source')
    assert result['left'] == []
    found = sorted({v['id'] for v in blockers(engine)})
    assert found == sorted(refusal.ids), blockers(engine)
    assert error['code'] == ('usage' if refusal.exit == USAGE
                             else refusal.code)
    # people are told the same, on stderr
    assert re.search(refusal.says, engine.err), engine.err
    assert 'hint' not in error or f"  hint: {error['hint']}" in engine.err


def check_folders(lab):
    """No socket, no private folder; journals only if the test made them."""
    for folder in (run_dir(lab), state_dir(lab)):
        if folder.exists():
            found = [p.name for p in folder.iterdir()
                     if not re.match(r'(qemu-.*\.lock|theirs.*)$', p.name)]
            assert found == []


def run_case(lab, pki, refusal):
    """A pair, spoilt as the refusal says, is refused; what refuse() says."""
    pair = Pair(lab, pki, refusal)
    refusal.spoil(pair)
    return refuse(pair, refusal)


def spoil_file(side, name, text):
    """To spoil: a file of that side's certificates gets this content."""
    def spoil(pair):
        (pair.tls[side] / name).write_text(text)
    return spoil
