"""A file system that can be filled: what is on it then takes no new block."""

import contextlib
import subprocess

from qemu import make_image


class SmallDisk:
    """An image made there may be larger than what is free."""

    SIZE = '96M'

    def __init__(self, lab):
        self._lab = lab
        self._dir = lab.folder('small')
        lab.on_exit(subprocess.run, ['umount', '-l', self._dir], check=False)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={self.SIZE}',
                        'qmigrate-test', self._dir], check=True, timeout=30)

    def make_image(self, name, image_format):
        return make_image(self._lab, f'{self._dir.name}/{name}', image_format)

    def fill(self):
        """Until there is no block left, whoever else takes some."""
        with open(self._dir / 'filler', 'wb', buffering=0) as file:
            for size in (1 << 20, 4096):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def clear(self):
        (self._dir / 'filler').unlink()
