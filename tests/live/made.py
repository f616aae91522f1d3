"""Destinations that have placeholders in the place of disks."""

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

from cases import BINARIES, REFUSED, Case, Move
from engine import Engine
from qemu import MIB, Image, Qemu, device_args, make_image
from sshd import ssh_env
from test_mirror import fill
from test_ssh import make_sshd

SIZE = 64 * MIB
NAMES = {'virtio-blk': 'vd', 'scsi': 'sd', 'ide': 'hd'}
OPTIONS = {'raw': (), 'qcow2': ('cluster_size=128k', 'compat=1.1'),
           'old': ('compat=0.10', 'cluster_size=4k'),
           'wide': ('extended_l2=on', 'cluster_size=128k',
                    'refcount_bits=64')}


def placeholder(number, size=SIZE, driver='null-co', more=''):
    return ['-blockdev', f'driver={driver},node-name=disk{number},'
            f'size={size},read-zeroes=on{more}']


class Made(Move):
    """A Move to a destination that has placeholders. folder: where its
    images are to be; by_ssh: its host is another one; blockdevs(number): the
    options of its nodes; given: --create-disks with the paths; destination:
    another address of its monitor."""

    def __init__(self, lab, pki, case, folder=None, by_ssh=False,
                 blockdevs=placeholder, given=True, options='raw', fill=(),
                 binary=None, destination=None):
        self.address = destination
        self.folder = folder or lab.folder('made')
        self.blockdevs = blockdevs
        self.given = given
        self.image_options = OPTIONS[options]
        self.fill = fill
        self.binary = binary
        lab.host('source'), lab.host('destination')
        self.sshd = make_sshd(lab, 'destination') if by_ssh else None
        super().__init__(lab, pki, case)

    def _qemu(self, name, binary):
        c = self.case
        options = {'live': c.live, 'binary': BINARIES[binary](),
                   'proxied': c.proxied}
        if name == 'source':
            images = [make_image(self.lab, f'source{n}', f, SIZE,
                                 self.image_options if f == 'qcow2' else ())
                      for n, f in enumerate(c.formats)]
            if not self.given:
                images = [i._replace(path=shutil.move(i.path, self.folder))
                          for i in images]
            for image in images:
                if self.fill:
                    fill(image, self.fill)
            return Qemu(self.lab, self.lab.host(name), images,
                        device=c.device, **options,
                        state=self._state(name, binary, images))
        if self.binary:
            options['binary'] = self.binary(options['binary'])
        extra = []
        for n, _ in enumerate(c.formats):
            extra += self.blockdevs(n) + device_args(n, c.device)
        qemu = Qemu(self.lab, self.lab.host(name), [], incoming=True,
                    extra=extra, **options)
        qemu.disks = self.source.disks if not self.given else [
            Image(str(Path(self.folder, f'made{n}.{f}')), f, SIZE)
            for n, f in enumerate(c.formats)]
        return qemu

    @property
    def paths(self):
        return [Path(image.path) for image in self.destination.disks]

    def arguments(self):
        words = super().arguments()
        if self.given:
            words.insert(0, '--create-disks=' + ','.join(
                f'{NAMES[self.case.device]}{n}={path}'
                for n, path in enumerate(self.paths)))
        if self.sshd:
            words[-1] = self.sshd.url + self.destination.address
        if self.address:
            words[-1] = self.address
        return words

    def start(self, *options, command='migrate', **env):
        if not self.sshd:
            return super().start(*options, command=command, **env)
        self.engine = Engine(
            self.lab, command, '--json', *options, *self.arguments(),
            host=self.source.host, env={**ssh_env(self.lab), **env})
        return self

    def moved(self, *args, **options):
        """Onto images in the place of the placeholders."""
        nodes = self.before[self.destination].state['nodes']
        for n, image in enumerate(self.destination.disks):
            if self.blockdevs is not placeholder:
                break
            nodes[f'disk{n}']['driver'] = image.format
            nodes[f'#auto file {image.path}'] = {
                'driver': 'file', 'ro': False, 'active': None,
                'detect-zeroes': 'off', 'bitmaps': []}
        return super().moved(*args, **options)

    def refused(self, says, hint=''):
        """Before anything was touched, and nothing was made."""
        before = sorted(os.listdir(self.folder))
        self.start()
        self.undone((REFUSED,), 'waiting')
        message, advice = self.error.split('\n', 1)
        assert re.search(says, message), message
        assert re.search(hint, advice), advice
        assert sorted(os.listdir(self.folder)) == before
        return self


def image_info(path):
    out = subprocess.run(['qemu-img', 'info', '-U', '--output=json', path],
                         check=True, capture_output=True, timeout=30).stdout
    return json.loads(out)


def check_alike(source, made):
    """The image that was made is like the source's."""
    a, b = image_info(source), image_info(made)
    for key in ('format', 'virtual-size', 'cluster-size'):
        assert a.get(key) == b.get(key), key
    for key in ('compat', 'extended-l2', 'refcount-bits'):
        assert a.get('format-specific', {}).get('data', {}).get(key) == \
            b.get('format-specific', {}).get('data', {}).get(key), key
    mode = os.stat(made)
    assert stat.S_IMODE(mode.st_mode) == 0o600
    assert (mode.st_uid, mode.st_gid) == (os.getuid(), os.getgid())


STILL = Case(live=False)


def hide(folder, *words):
    """For a QEMU of its own mount namespace another file system is there."""
    def wrapped(binary):
        script = f'mount -t tmpfs {" ".join(words)} tmpfs {folder} && exec "$@"'
        return binary._replace(argv=('unshare', '--mount', '--', 'sh', '-c',
                                     script, 'sh', *binary.argv))

    return wrapped


def small(lab, size):
    """A folder on a file system of that size."""
    folder = lab.folder('small')
    lab.on_exit(subprocess.run, ['umount', folder], check=True)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}', 'tmpfs',
                    folder], check=True)
    return folder
