"""Names that somebody chose to hurt: file names, names of guests. They go
through JSON, through ssh to a shell's standard input, into messages and into
the journal; nowhere are they a format, a path of ours, a word of a shell, or
bytes for a terminal."""

import os
from pathlib import Path

import pytest

from cases import DONE, REFUSED, Case, Move
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

    def check_harmless(self):
        assert self.engine.crashes() == []
        for text in (self.engine.out, self.engine.err):
            for char in text.replace('\n', ''):
                assert char.isprintable(), repr(text)
        for folder in (Path.cwd(), Path.home(), Path('/'), self.lab.dir):
            assert not (folder / 'pwned').exists()
        assert not list(self.lab.dir.rglob('pwned'))


@pytest.mark.parametrize('kind', NAMES)
def test_evil_names(lab, pki, kind):
    """People and programs are told, and the guest moves, or is refused with
    nothing changed."""
    move = Evil(lab, pki, Case(live=False), NAMES[kind])
    plain = move.run('check', '--name', 'tame', json=False)
    move.check_harmless()
    code = move.run('migrate', '--name', 'tame')
    move.check_harmless()
    assert (code == DONE) == (plain == DONE)
    if code == DONE:
        assert move.destination.status() == 'running'
        (journal,) = move.journals()
        assert journal.name.startswith('tame.')
        return
    assert code == REFUSED, move.engine.text()
    for qemu in move.qemus:
        assert move.unlike_before(qemu) == []


@pytest.mark.parametrize('kind', [k for k in NAMES if k != 'long'])
def test_evil_name_is_no_name(lab, pki, kind):
    """What the guest calls itself becomes a file's name only if it is one."""
    move = Evil(lab, pki, Case(live=False), NAMES[kind])
    code = move.run('migrate')
    move.check_harmless()
    assert code in (REFUSED, DONE), move.engine.text()
    for path in [*lab.dir.rglob('*.journal'), *lab.dir.rglob('*.done')]:
        assert path.parent == lab.dir / 'engine-state'
    if code == REFUSED:
        assert '--name' in move.error
