"""What an image has beside what the guest sees: internal snapshots, which stay
behind, and encryption, which the destination's image has or has not."""

import subprocess
from pathlib import Path

import pytest

from cases import REFUSED, Case, Move
from lab import wait_until
from made import Made, placeholder
from qemu import MIB, Image, Qemu, device_args

SECRET = ('-object', 'secret,id=key0,data=not-for-everybody')
KEY = ('--object', 'secret,id=key0,data=not-for-everybody')
WORDS = b'the guest keeps this to itself. ' * 128
QUICK = Case(formats=('qcow2',), live=False, options=('--paused',))


def verdicts(move, which):
    return [v for v in move.engine.events('PREFLIGHT')[0]['data']['verdicts']
            if v['id'] == which]


def digest(path):
    return subprocess.run(['sha256sum', path], check=True,
                          stdout=subprocess.PIPE, timeout=30).stdout


# ---- internal snapshots ----

class Snapshots(Move):
    """The source's image has two, that of the destination those of there."""
    there = ()

    def _make_image(self, name, image_format):
        image = super()._make_image(name, image_format)
        names = ('before-upgrade', 'clean') if name.startswith('source') else \
            self.there
        for snapshot in names:
            subprocess.run(['qemu-img', 'snapshot', '-c', snapshot,
                            image.path], check=True, timeout=30)
        return image


def snapshots(image):
    out = subprocess.run(['qemu-img', 'snapshot', '-U', '-l', image.path],
                         check=True, stdout=subprocess.PIPE, text=True,
                         timeout=30).stdout
    return [line.split()[1] for line in out.splitlines()[2:]]


def test_snapshots_are_refused_by_name(lab, pki):
    move = Snapshots(lab, pki, QUICK)
    before = digest(move.destination.disks[0].path)
    move.start().undone((REFUSED,), 'waiting')
    assert 'snapshots of disk vd0 cannot travel: before-upgrade, clean' in \
        move.error
    assert '--drop-snapshots' in move.error
    assert digest(move.destination.disks[0].path) == before


@pytest.mark.parametrize('binary', ['qemu10', pytest.param(
    'system', marks=pytest.mark.long)])
def test_snapshots_are_left_if_one_says_so(lab, pki, binary):
    move = Snapshots(lab, pki, Case(
        formats=('qcow2',), live=False, binaries=(binary, binary),
        options=('--paused', '--drop-snapshots')))
    result = move.start().moved(paused=True)
    [warning] = verdicts(move, 'snapshots')
    assert warning['level'] == 'warning'
    assert 'stay behind' in warning['what']
    assert result['disks'][0]['snapshots-left'] == 'before-upgrade, clean'
    assert snapshots(move.source.disks[0]) == ['before-upgrade', 'clean']
    move.destination.quit()
    assert snapshots(move.destination.disks[0]) == []


@pytest.mark.long
def test_snapshots_of_the_old_image_are_named(lab, pki):
    class Returned(Snapshots):
        there = ('of-last-year',)

    move = Returned(lab, pki, Case(
        formats=('qcow2',), live=False,
        options=('--paused', '--drop-snapshots')))
    move.start().moved(paused=True)
    assert [v['side'] for v in verdicts(move, 'snapshots')] == \
        ['source', 'destination']
    assert 'already: of-last-year' in verdicts(move, 'snapshots')[1]['what']


# ---- encryption ----

def encrypted_image(lab, name, kind):
    """kind: 'luks', 'qcow2', or 'raw' for none."""
    path = lab.path(f'{name}.{kind}')
    options = {'luks': ['-o', 'key-secret=key0,iter-time=10'],
               'qcow2': ['-o', 'encrypt.format=luks,encrypt.key-secret=key0,'
                         'encrypt.iter-time=10'],
               'raw': []}[kind]
    def is_made():
        # it measures this CPU first, and gives up where others use it
        return subprocess.run(
            ['qemu-img', 'create', '-q', *KEY, '-f', kind, *options, path,
             str(16 * MIB)], timeout=60, check=False).returncode == 0

    wait_until(is_made, 60, 'an encrypted image is made')
    return Image(str(path), kind, 16 * MIB)


def node(image, how, number=0):
    """Over it, as operators do: directly, or below raw or a filter."""
    name = f'disk{number}'
    top = f'driver={image.format},node-name={{}},file={name}-file' + {
        'luks': ',key-secret=key0', 'raw': '',
        'qcow2': ',encrypt.format=luks,encrypt.key-secret=key0'}[image.format]
    words = ['-blockdev', f'driver=file,node-name={name}-file,'
             f'filename={image.path}']
    if how == 'plain':
        return [*words, '-blockdev', top.format(name)]
    return [*words, '-blockdev', top.format(f'{name}-below'), '-blockdev',
            f'driver={how},node-name={name},file={name}-below']


class Encrypted(Move):
    """kinds: of the images of both sides; how: the source's graph."""

    def __init__(self, lab, pki, kinds, how='plain', options=(),
                 binary='qemu10'):
        self.kinds = kinds
        self.how = how
        self.images = {}
        super().__init__(lab, pki, Case(
            live=False, options=('--paused', *options),
            binaries=(binary, binary)))

    def _qemu(self, name, binary):
        there = name == 'destination'
        image = encrypted_image(self.lab, name, self.kinds[there])
        self.images[name] = image.path
        if not there:
            self._fill(image)
        qemu = Qemu(self.lab, self.lab.host(name), [], incoming=there,
                    live=False, binary=self._binary(name, binary),
                    extra=[*SECRET, *node(image, 'plain' if there
                                          else self.how), *device_args(0)])
        qemu.disks = [image]
        return qemu

    def _fill(self, image):
        """What the guest has on it."""
        words = self.lab.path('words')
        Path(words).write_bytes(WORDS)
        keys = [] if image.format == 'raw' else [*KEY]
        opts = f'driver={image.format},file.filename={image.path}' + {
            'luks': ',key-secret=key0', 'raw': '',
            'qcow2': ',encrypt.key-secret=key0'}[image.format]
        subprocess.run(['qemu-io', *keys, '--image-opts', '-c',
                        f'write -s {words} 1M {len(WORDS)}', opts],
                       check=True, timeout=60, stdout=subprocess.DEVNULL)

    def is_readable(self, name):
        """Can the guest's words be read in that image without a key?"""
        return WORDS[:32] in Path(self.images[name]).read_bytes()


REFUSALS = [('luks', 'plain'), ('luks', 'raw'), ('qcow2', 'copy-on-read')]


@pytest.mark.parametrize('kind,how', [
    REFUSALS[1], *(pytest.param(*r, marks=pytest.mark.long)
                   for r in (REFUSALS[0], REFUSALS[2]))])
def test_encrypted_disk_is_not_copied_in_clear(lab, pki, kind, how):
    """However the guest's device comes to it."""
    move = Encrypted(lab, pki, (kind, 'raw'), how)
    before = digest(move.images['destination'])
    move.start().undone((REFUSED,), 'waiting')
    assert 'disk vd0 is encrypted at the source, and the destination\'s ' \
        'image is not' in move.error
    assert '--allow-unencrypted-destination vd0' in move.error
    assert digest(move.images['destination']) == before
    assert not move.is_readable('source')


@pytest.mark.parametrize('binary', ['qemu10', pytest.param(
    'system', marks=pytest.mark.long)])
def test_encrypted_disk_is_copied_in_clear_if_allowed(lab, pki, binary):
    move = Encrypted(lab, pki, ('luks', 'raw'), 'raw',
                     ('--allow-unencrypted-destination', 'vd0'), binary)
    result = move.start().moved(paused=True)
    [warning] = verdicts(move, 'encryption')
    assert warning['level'] == 'warning'
    assert 'as you allowed' in warning['what']
    assert result['disks'][0]['encryption'] == 'lost'
    move.destination.quit()
    assert move.is_readable('destination')


@pytest.mark.parametrize('kinds,word', [
    (('raw', 'luks'), 'gained'),
    pytest.param(('qcow2', 'luks'), 'kept', marks=pytest.mark.long)])
def test_encrypted_destination_is_said(lab, pki, kinds, word):
    move = Encrypted(lab, pki, kinds)
    result = move.start().moved(paused=True)
    [verdict] = verdicts(move, 'encryption')
    assert verdict['level'] == 'ok'
    assert result['disks'][0]['encryption'] == word
    move.destination.quit()
    assert not move.is_readable('destination')


class MadeOfEncrypted(Made):
    """Of a small encrypted disk, for which there is a placeholder."""

    def _qemu(self, name, binary):
        if name == 'destination':
            return super()._qemu(name, binary)
        image = encrypted_image(self.lab, name, 'luks')
        qemu = Qemu(self.lab, self.lab.host(name), [], live=False,
                    extra=[*SECRET, *node(image, 'raw'), *device_args(0)])
        qemu.disks = [image]
        return qemu


@pytest.mark.long
def test_image_that_is_made_is_not_encrypted(lab, pki):
    """Which is said, and refused."""
    move = MadeOfEncrypted(
        lab, pki, Case(live=False),
        blockdevs=lambda n: placeholder(n, 16 * MIB))
    move.refused('disk vd0 is encrypted at the source, and the image that is '
                 'made at the destination is not',
                 'allow-unencrypted-destination')
