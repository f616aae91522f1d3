"""The QEMUs to test with, and the guest to boot."""

import fcntl
import functools
import hashlib
import os
import subprocess
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).resolve().parent.parent
FIRMWARE = '/usr/share/seabios'


class Binary(NamedTuple):
    """One QEMU: what to put before its options, and its environment."""
    name: str
    argv: tuple
    img: tuple
    env: dict
    version: str


def cache_dir():
    path = os.environ.get('QMIGRATE_CACHE')
    if not path:
        base = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
        path = Path(base) / 'qmigrate'
    return Path(path)


def fetch(script, *args):
    """Runs tests/tools/SCRIPT; the directory it prints."""
    run = subprocess.run([TESTS / 'tools' / script, *args], check=True,
                         stdout=subprocess.PIPE, text=True, timeout=600)
    return Path(run.stdout.splitlines()[-1])


def make_binary(name, argv, img, env=None):
    out = subprocess.run([*argv, '--version'], check=True, text=True,
                         stdout=subprocess.PIPE, timeout=30,
                         env={**os.environ, **(env or {})}).stdout
    return Binary(name, tuple(map(str, argv)), tuple(map(str, img)),
                  env or {}, out.splitlines()[0].split('version ')[1])


@functools.cache
def qemu10():
    """10.0 from backports: what live guests use."""
    d = fetch('fetch-qemu10')
    return make_binary(
        'qemu10',
        [d / 'usr/bin/qemu-system-x86_64', '-L', d / 'usr/share/qemu',
         '-L', FIRMWARE],
        [d / 'usr/bin/qemu-img'],
        {'LD_LIBRARY_PATH': f'{d}/usr/lib/x86_64-linux-gnu'})


@functools.cache
def system():
    """The machine's own, 7.2 on Debian 12: for guests that stand still."""
    return make_binary('system', ['/usr/bin/qemu-system-x86_64'],
                       ['/usr/bin/qemu-img'])


@functools.cache
def suite(name):
    """The QEMU of another Debian, run through its own loader."""
    d = fetch('fetch-suite', name)
    lib = d / 'usr/lib/x86_64-linux-gnu'
    folders = [lib] + sorted({so.parent for so in lib.glob('*/*.so*')} - {lib})
    loader = [d / 'lib64/ld-linux-x86-64.so.2', '--library-path',
              ':'.join(map(str, folders))]
    return make_binary(
        name,
        [*loader, d / 'usr/bin/qemu-system-x86_64', '-L', d / 'usr/share/qemu',
         '-L', d / 'usr/share/seabios'],
        [*loader, d / 'usr/bin/qemu-img'])


@functools.cache
def guest():
    """(kernel, initrd) of tests/guest, built into the cache when changed."""
    kernel = fetch('fetch-kernel')
    digest = hashlib.sha256((kernel / '.complete').read_bytes())
    for part in sorted((TESTS / 'guest').glob('[!.]*')):
        digest.update(part.read_bytes())
    out = cache_dir() / 'guest' / digest.hexdigest()[:16]
    out.parent.mkdir(exist_ok=True)
    with open(out.parent / '.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out / 'vmlinuz').exists():
            subprocess.run([TESTS / 'guest/build', out, kernel], check=True,
                           timeout=120)
    return out / 'vmlinuz', out / 'initrd'
