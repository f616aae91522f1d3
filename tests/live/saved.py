"""Guests that need no boot: their state was saved once, and is loaded.

    source = saved.start(lab, lab.host('source'), images)
    guest = Guest(source).wait_ready()          at once

The state is that of a guest with as many empty disks of those sizes, right
after it was ready and before it wrote anything, so the images may be of any
format. It is made when it is first asked for, by the QEMU that is to load it,
and kept beside the guest's kernel: a changed guest, QEMU or machine has one
of its own.

Its kernel wipes what it frees, so that there is little RAM to save, to load,
and to migrate: about 60 MiB.
"""

import contextlib
import fcntl
import hashlib
import os
from typing import NamedTuple

import binaries
from guest import Guest
from lab import wait_until
from qemu import MIB, Image, Qemu, make_image

KERNEL_LINE = 'init_on_free=1'
BOOT_LIMIT_S = 120              # on a machine that does much else, too
KEEP = 32                       # states, of 85 MB; the tests have about 25


class State(NamedTuple):
    path: str                   # what QEMU saved
    text: bytes                 # what the guest had said until then


def start(lab, host, disks=(), *, paused=False, proxied=False, name='guest',
          **machine):
    """A Qemu whose guest goes on from its saved state. machine: those
    options of Qemu that are the machine's: mem, smp, machine, device, binary,
    kernel_line."""
    state = get(lab, host, disks, **machine)
    return Qemu(lab, host, disks, name=name, paused=paused, proxied=proxied,
                state=state, **machine)


def get(lab, host, disks=(), extra=(), **machine):
    """The State for such a guest, made now if it has never been. extra: more
    devices of the machine, as arguments; those of the disks may be among
    them, in the place of Qemu's."""
    shape = [str(word).replace(str(lab.dir), '') for word in extra]
    path = _path(disks, machine, shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_suffix('.lock'), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _save(lab, host, disks, {**machine, 'extra': extra}, path)
    os.utime(path)              # those in use are kept
    return State(str(path), path.with_suffix('.text').read_bytes())


def _path(disks, machine, shape):
    binary = machine.get('binary') or binaries.qemu10()
    what = {**machine, 'binary': (binary.name, binary.version),
            'disks': [image.size for image in disks], 'line': KERNEL_LINE,
            'extra': shape}
    digest = hashlib.sha256(repr(sorted(what.items())).encode()).hexdigest()
    kernel, _ = binaries.guest()
    return kernel.parent / 'saved' / digest[:16]


def _save(lab, host, disks, machine, path):
    images = [Image(str(make_image(lab, f'saved{n}', 'raw', image.size).path),
                    'raw', image.size) for n, image in enumerate(disks)]
    line = f"{KERNEL_LINE} {machine.get('kernel_line', '')}"
    qemu = Qemu(lab, host, images, name='saved',
                **{**machine, 'kernel_line': line})
    Guest(qemu).wait_ready(BOOT_LIMIT_S)
    qemu.spy.cmd('stop')
    part = path.with_suffix('.part')
    qemu.spy.cmd('migrate-set-parameters', max_bandwidth=1 << 40)
    qemu.spy.cmd('migrate', uri=f'file:{part}')
    wait_until(lambda: _is_saved(qemu), 60, 'the state is saved', 0.02)
    qemu.quit()
    qemu.recorder.close()
    path.with_suffix('.text').write_bytes(qemu.recorder.text)
    part.rename(path)
    _forget_old(path.parent)


def _is_saved(qemu):
    status = qemu.spy.cmd('query-migrate')
    if status['status'] == 'failed':
        raise RuntimeError(f'the state was not saved: {status}')
    return status['status'] == 'completed'


def _forget_old(folder):
    with contextlib.suppress(FileNotFoundError):    # by another worker
        states = sorted((p for p in folder.iterdir() if not p.suffix),
                        key=lambda p: p.stat().st_mtime)
        for path in states[:-KEEP]:
            path.unlink()


if __name__ == '__main__':      # how large, and how fast
    import time

    from lab import Lab
    with Lab() as lab:
        images = [make_image(lab, f'disk{n}', size=16 * MIB) for n in range(2)]
        state = get(lab, lab.host('source'), images)
        began = time.monotonic()
        Guest(start(lab, lab.host('source'), images)).wait_ready()
        print(f'{os.path.getsize(state.path) / MIB:.0f} MiB, '
              f'{time.monotonic() - began:.2f} s')
