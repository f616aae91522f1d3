"""Names that somebody chose to hurt: file names, names of guests. They go
through JSON, through ssh to a shell's standard input, into messages and into
the journal; nowhere are they a format, a path of ours, a word of a shell, or
bytes for a terminal."""

import os
from pathlib import Path

import pytest

from cases import DONE, FAILED, REFUSED, Case, Move
from engine import Engine
from qemu import Image, Qemu, make_image
from sshd import Sshd, ssh_env

SHELL = "$(touch pwned)`touch pwned`;touch pwned;' \" %s%n \\ * && touch pwned"
TERMINAL = '\x1b]0;pwned\x07\x1b[2J\x1b[31m\x9b31m\x7f'
NAMES = {
    'shell': SHELL,
    'terminal': TERMINAL,
    'newline': 'a\npwned\nraw\n$(touch pwned)\nb',
    'long': 'x' * 200,
    'option': '-oProxyCommand=touch pwned',
    'dots': '..',
}


class Evil(Move):
    """Both QEMUs have a guest and an image of that name; the destination is
    reached by ssh, so that it meets a real shell."""

    def __init__(self, lab, pki, case, name):
        self.name = name
        self.sshd = Sshd(lab, lab.host('destination'))
        super().__init__(lab, pki, case)

    def _qemu(self, name, binary):
        folder = self.lab.folder(name)
        plain = make_image(self.lab, name)
        path = folder / (self.name if self.name != '..' else '...')
        os.rename(plain.path, path)
        image = Image(str(path).replace(',', ',,'))
        return Qemu(self.lab, self.lab.host(name), [image], live=False,
                    incoming=name == 'destination',
                    extra=('-name', f'guest={self.name}'))

    def run(self, command, *options, json=True):
        self.engine = Engine(
            self.lab, command, *['--json'] * json, *options, '--disks', 'vd0',
            '--source-tls-dir', self.tls[0], '--destination-tls-dir',
            self.tls[1], self.source.qmp,
            self.sshd.url + self.destination.qmp,
            host=self.source.host, env=ssh_env(self.lab))
        return self.engine.wait(90)


def check_harmless(lab, engine):
    assert engine.crashes() == []
    for text in (engine.out, engine.err):
        for char in text.replace('\n', ''):
            assert char.isprintable(), repr(text)
    for folder in (Path.cwd(), Path.home(), Path('/')):
        assert not (folder / 'pwned').exists()
    assert not list(lab.dir.rglob('pwned'))


@pytest.mark.sample(3)
@pytest.mark.parametrize('kind', NAMES)
def test_evil_names(lab, pki, kind):
    """People and programs are told, and the guest moves, or is refused with
    nothing changed."""
    move = Evil(lab, pki, Case(live=False), NAMES[kind])
    plain = move.run('check', '--name', 'tame', json=False)
    check_harmless(lab, move.engine)
    code = move.run('migrate', '--name', 'tame')
    check_harmless(lab, move.engine)
    assert (code == DONE) == (plain == DONE)
    if code == DONE:
        assert move.destination.status() == 'running'
        (journal,) = move.journals()
        assert journal.name.startswith('tame.')
        return
    assert code == REFUSED, move.engine.text()
    for qemu in move.qemus:
        assert move.unlike_before(qemu) == []


@pytest.mark.sample(2)
@pytest.mark.parametrize('kind', [k for k in NAMES if k != 'long'])
def test_evil_name_is_no_name(lab, pki, kind):
    """What the guest calls itself becomes a file's name only if it is one."""
    move = Evil(lab, pki, Case(live=False), NAMES[kind])
    code = move.run('migrate')
    check_harmless(lab, move.engine)
    assert code in (REFUSED, DONE), move.engine.text()
    for path in [*lab.dir.rglob('*.journal'), *lab.dir.rglob('*.done')]:
        assert path.parent == lab.dir / 'engine-state'
    if code == REFUSED:
        assert '--name' in move.error


@pytest.mark.sample(4)
@pytest.mark.parametrize('json', [True, False], ids=['json', 'people'])
@pytest.mark.parametrize('side,command', [
    ('source', 'blockdev-mirror'), ('source', 'migrate'),
    ('destination', 'block-export-add'), ('destination', 'query-name')])
def test_evil_words(lab, pki, side, command, json):
    """What a QEMU gives as its reason is told, and that is all."""
    words = f'{SHELL}\r\n{TERMINAL}{"x" * 100000}'
    move = Move(lab, pki, Case(live=False, proxied=True))
    getattr(move, side).proxy.fail(command, desc=words)
    move.engine = Engine(lab, 'migrate', *['--json'] * json,
                         *move.arguments(), host=move.source.host)
    assert move.engine.wait(60) in (REFUSED, FAILED)
    check_harmless(lab, move.engine)
    assert 'touch pwned' in move.engine.err
    if json:
        move.undone((REFUSED, FAILED), 'any')
        assert 'touch pwned' in move.error
