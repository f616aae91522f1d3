#!/usr/bin/python3
"""./dev bench disks: how fast disks are copied.

A mirror that the engine started and watches, beside one that the same QEMUs
are told of by QMP and then left alone; and `qmigrate copy` beside nbdcopy, on
the same files, through the same servers. Both of a pair are run in turn,
again and again, the first of them in turn too, so that what else the machine
does meets both alike; what counts is the median of the rounds' ratios.

All files are on a tmpfs: what is measured is the way, and not a disk. (Nor is
it then an advantage of nbdcopy that it does not flush the destination unless
it is told to, as the engine always does.) nbdcopy has its own defaults: four
connections, a thread for each CPU, 64 requests of 256 KiB a connection, and
it looks for zeroes in what it reads, as the engine does.
"""

import argparse
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import time
from typing import NamedTuple

import page
import reference
import script
from bench import dh_params
from engine import Engine, program
from lab import Lab, wait_until
from pki import Pki
from qemu import MIB, Image, Qemu

GIB = 1 << 30
FULL = 1 * GIB                      # all of it data
SPARSE, HELD = 10 * GIB, 300        # MiB of data, scattered
ROOM = '4g'                         # of the tmpfs, at most


class Way(NamedTuple):
    """What is measured in each round, by the engine and by the other."""
    text: str
    goal: float                     # of the ratio of their rates
    kind: str                       # 'mirror' or 'copy'
    tls: bool = False
    server: str = ''                # of copies
    content: str = 'full'


WAYS = {
    'mirror': Way('mirror, in clear', 0.95, 'mirror'),
    'mirror-tls': Way('mirror, under TLS', 0.95, 'mirror', tls=True),
    'qemu-nbd': Way('copy, full, qemu-nbd', 1.0, 'copy', server='qemu-nbd'),
    'qemu-nbd-sparse': Way('copy, sparse, qemu-nbd', 1.0, 'copy',
                           server='qemu-nbd', content='sparse'),
    'nbdkit': Way('copy, full, nbdkit', 1.0, 'copy', server='nbdkit'),
    'nbdkit-sparse': Way('copy, sparse, nbdkit', 1.0, 'copy',
                         server='nbdkit', content='sparse'),
}


# ---------------------------------------------------------------------------
# Files

class Files:
    """The sources, and room for a destination."""

    def __init__(self, lab):
        self.dir = lab.folder('ram')
        lab.on_exit(subprocess.run, ['umount', '--lazy', self.dir],
                    check=True)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={ROOM}',
                        'tmpfs', self.dir], check=True)
        self.full = self._make('full', FULL, [(0, FULL // MIB)])
        places = random.Random(1).sample(range(SPARSE // MIB), HELD)
        self.sparse = self._make('sparse', SPARSE, [(at, 1) for at in places])

    def _make(self, name, size, chunks):
        path = self.dir / name
        with open(path, 'wb') as f:
            f.truncate(size)
            for at, count in chunks:
                f.seek(at * MIB)
                for _ in range(count):
                    f.write(os.urandom(MIB))
        return Image(str(path), 'raw', size)

    def source(self, way):
        return getattr(self, way.content)

    def destination(self, way):
        """Empty, anew."""
        path = self.dir / 'destination'
        path.unlink(missing_ok=True)
        with open(path, 'wb') as f:
            f.truncate(self.source(way).size)
        return Image(str(path), 'raw', self.source(way).size)


def must_be_equal(a, b):
    subprocess.run(['cmp', a.path, b.path], check=True, timeout=120)


# ---------------------------------------------------------------------------
# Mirrors

def make_qemu(lab, name, image):
    nodes = ['-blockdev', 'driver=file,node-name=disk0-file,discard=unmap,'
             f'filename={image.path}', '-blockdev',
             'driver=raw,node-name=disk0,file=disk0-file,discard=unmap',
             '-device', 'virtio-blk-pci,id=vd0,drive=disk0']
    # held, so that no firmware takes one of the CPUs while it starts
    qemu = Qemu(lab, lab.host(name), extra=nodes, live=False,
                paused=name == 'source', incoming=name == 'destination')
    qemu.disks = [image]
    return qemu


def make_tls(lab, pki, source, destination):
    folders = [pki.for_host(lab.folder(f'pki-{q.host.name}'), q.host)
               for q in (source, destination)]
    for folder in folders:
        (folder / 'dh-params.pem').write_bytes(dh_params(pki))
    return folders


def mirror_by_engine(lab, tls, source, destination):
    how = ['--source-tls-dir', tls[0], '--destination-tls-dir', tls[1],
           '--tls-hostname', destination.host.name] if tls else ['--insecure']
    engine = Engine(lab, 'migrate', '--json', '--keep-source', '--disks',
                    'vd0', '--address', destination.host.address, *how,
                    source.qmp, destination.qmp, host=source.host)
    if engine.wait(180) != 0:
        raise RuntimeError(f'the engine failed:\n{engine.text()}')


def mirror_by_hand(tls, source, destination):
    if tls:
        reference.add_credentials(source, 'client', tls[0])
        reference.add_credentials(destination, 'server', tls[1])
    reference.mirror(source, destination, [0], destination.host.address,
                     49153, tls, destination.host.name,
                     copy_mode='background')
    reference.settle(source, [0])


def measure_mirror(pki, files, way, by_engine):
    """Seconds between the job's start and its being ready, by QEMU's own
    clock."""
    with Lab() as lab:
        images = files.source(way), files.destination(way)
        source, destination = (make_qemu(lab, name, image) for name, image in
                               zip(('source', 'destination'), images))
        tls = make_tls(lab, pki, source, destination) if way.tls else None
        if by_engine:
            mirror_by_engine(lab, tls, source, destination)
        else:
            mirror_by_hand(tls, source, destination)
        source.spy.hear_all()
        began = source.spy.wait_event('JOB_STATUS_CHANGE', status='running')
        ready = source.spy.wait_event('BLOCK_JOB_READY')
        for qemu in (source, destination):
            qemu.quit()
        must_be_equal(*images)
        return ready.said - began.said


# ---------------------------------------------------------------------------
# Copies

SERVERS = {
    'qemu-nbd': lambda path, at: [
        'qemu-nbd', '--persistent', '--shared=8', '--format=raw',
        '--discard=unmap', '--export-name=disk0', f'--socket={at}', path],
    'nbdkit': lambda path, at: [
        'nbdkit', '--foreground', f'--unix={at}', 'file', path],
}


def listens(path):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(str(path)) == 0


def serve(lab, server, image):
    """The URI of that image."""
    at = lab.path('nbd.sock')
    lab.spawn(SERVERS[server](image.path, at), stderr=subprocess.DEVNULL)
    wait_until(lambda: listens(at), 10, f'{server} listens', interval=0.005)
    return f'nbd+unix:///disk0?socket={at}'


def measure_copy(files, way, by_engine):
    with Lab() as lab:
        images = files.source(way), files.destination(way)
        uris = [serve(lab, way.server, image) for image in images]
        argv = [program(), 'copy'] if by_engine else ['nbdcopy']
        began = time.monotonic()
        lab.run([*argv, *uris], timeout=180)
        took = time.monotonic() - began
        must_be_equal(*images)
        return took


# ---------------------------------------------------------------------------
# All of them, and the table

def measure(pki, files, way, by_engine):
    """Bytes a second, of the data that there is."""
    took = measure_mirror(pki, files, way, by_engine) \
        if way.kind == 'mirror' else measure_copy(files, way, by_engine)
    data = FULL if way.content == 'full' else HELD * MIB
    return data / took


def run_rounds(pki, files, ways, rounds):
    """{name of the way: [(the engine's rate, the other's)]}"""
    rates = {name: [] for name in ways}
    for n in range(rounds):
        for name, way in ways.items():
            both = {}
            for by_engine in (True, False) if n % 2 else (False, True):
                page.show_progress(f'round {n + 1} of {rounds}: {name}, '
                              f'{"engine" if by_engine else "other"}')
                both[by_engine] = measure(pki, files, way, by_engine)
            rates[name].append((both[True], both[False]))
    page.show_progress('')
    return rates


class Verdict(NamedTuple):
    engine: float                   # MiB/s, medians
    other: float
    ratio: float                    # the median of the rounds'
    low: float
    high: float

    @classmethod
    def of(cls, pairs):
        ratios = [ours / theirs for ours, theirs in pairs]
        ours, theirs = (statistics.median(rates) / MIB
                        for rates in zip(*pairs))
        return cls(ours, theirs, statistics.median(ratios), min(ratios),
                   max(ratios))


def print_table(ways, rates, rounds):
    """Returns whether each goal was met."""
    print(f'\nmedians of {rounds} rounds; {page.machine()}\n\n'
          f'{"":26} {"engine":>12} {"other":>12}   {"ratio":22} goal')
    met = True
    for name, way in ways.items():
        v = Verdict.of(rates[name])
        ok = round(v.ratio, 2) >= way.goal
        met = met and ok
        print(f'{way.text:26} {v.engine:6.0f} MiB/s {v.other:6.0f} MiB/s   '
              f'{v.ratio:.2f} ({v.low:.2f} to {v.high:.2f})    '
              f'>= {way.goal}: {"ok" if ok else "UNDER"}')
    print('\nother: a bare blockdev-mirror; nbdcopy. The rate is of data, '
          'without holes.')
    return met


def as_json(ways, rates, rounds):
    return {'rounds': rounds, 'rows': [
        {'way': name, 'goal': way.goal, 'ratio': Verdict.of(rates[name]).ratio,
         'bytes-per-second': rates[name]} for name, way in ways.items()]}


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog='./dev bench disks', description='How fast disks are copied, '
        'beside a bare mirror and nbdcopy: medians of repeated copies.')
    parser.add_argument('-n', type=int, default=7, metavar='N',
                        help='rounds (default: 7)')
    parser.add_argument('--only', action='append', choices=WAYS,
                        metavar='WAY', help='only this way; may be given '
                        'again: ' + ', '.join(WAYS))
    parser.add_argument('--json', metavar='FILE',
                        help='write all that was measured there')
    return parser.parse_args()


def main():
    options = parse_arguments()
    for needed in ('nbdcopy', 'nbdkit', 'qemu-nbd'):
        if not shutil.which(needed):
            sys.exit(f'bench: there is no {needed}')
    script.begin('bench')
    ways = {name: way for name, way in WAYS.items()
            if not options.only or name in options.only}
    with Pki() as pki, Lab() as lab:
        rates = run_rounds(pki, Files(lab), ways, options.n)
    page.keep_json(options.json, **as_json(ways, rates, options.n))
    return 0 if print_table(ways, rates, options.n) else 1


if __name__ == '__main__':
    script.run(main)
