"""Random pairs of graphs on real QEMUs: what the source uses is never written,
and what is harmless is copied. tests/unit/test-core-world.c has the breadth;
here QEMU itself tells of the graphs, and the kernel of the files.

The seed is part of a case's name. No guest runs, since none has to.
"""

import random
from pathlib import Path

import pytest

from qemu import make_image
from refusals import Pair, Refusal, blockers
from test_choose import fuse, loop, marks
from test_overwrite import blockdev, filled, machine, second_node

SIZE = 4 << 20
HALF = SIZE // 2
FILES = 6


class World:
    """Files, and the ways to each: its path, a link, two FUSE mounts, a loop
    device by two nodes."""

    def __init__(self, lab, seed):
        self.lab, self.random = lab, random.Random(seed)
        self.folder = lab.folder('images')
        self.files = [Path(filled(self.folder / f'f{n}', bytes([n + 1]), SIZE))
                      for n in range(FILES)]
        self.mounts = [fuse(lab, self.folder) for _ in range(2)]
        self.loops = {}

    def way_to(self, n, side):
        """A driver and a name by which that side opens file N."""
        way = self.random.choice(['path', 'path', 'link', 'fuse', 'loop'])
        if way == 'link':
            link = self.lab.path('link')
            link.symlink_to(self.files[n])
            return 'file', link
        if way == 'fuse':
            return 'file', self.mounts[side] / f'f{n}'
        if way == 'loop':
            if n not in self.loops:
                self.loops[n] = loop(self.lab, self.files[n])
            return 'host_device', (second_node(self.lab, self.loops[n]) if side
                                   else self.loops[n])
        return 'file', self.files[n]

    def disk(self, number, side, n, half, backing):
        """Options, and the bytes that it uses: (file, half), written first.
        HALF: 0 or 1, or None for all; BACKING: a file, or None."""
        words, name = [], f'd{number}'
        driver, path = self.way_to(n, side)
        words += blockdev(f'driver={driver},node-name={name}-file,'
                          f'filename={path},locking=off')
        part = '' if half is None else f',offset={half * HALF},size={HALF}'
        if backing is None:
            words += blockdev(f'driver=raw,node-name={name},file={name}-file'
                              + part)
            return words, [(n, half)]
        # an overlay of its own, over file N
        words += blockdev(f'driver=raw,node-name={name}-base,read-only=on,'
                          f'file={name}-file' + part)
        top = make_image(self.lab, f'top{side}{number}', 'qcow2',
                         SIZE if half is None else HALF)
        words += blockdev(f'driver=qcow2,node-name={name},file.driver=file,'
                          f'file.filename={top.path},backing={name}-base')
        return words, [(f'top{side}{number}', None), (n, half)]

    def side(self, side, plans):
        words, used = [], []
        for number, plan in enumerate(plans):
            more, bytes_used = self.disk(number, side, *plan)
            words += [*more, '-device', f'virtio-blk-pci,id=vd{number},'
                      f'drive=d{number}']
            used.append(bytes_used)
        return machine(words), used

    def plans(self):
        """Of both sides: mostly the destination has files of its own."""
        r, half = self.random, self.random.choice([True, False])
        source, destination = [], []
        for number in range(r.choice([1, 2])):
            part = r.choice([0, 1]) if half else None
            source.append((number, part, r.choice([None, None, 'over'])))
            own = r.randrange(3, FILES), (r.choice([0, 1]) if half else None)
            there = (own if r.random() < 0.6 else
                     (r.randrange(2), r.choice([0, 1]) if half else None))
            destination.append((*there, r.choice([None, None, None, 'over'])))
        return source, destination


def meet(a, b):
    return a[0] == b[0] and (a[1] == b[1] or None in (a[1], b[1]))


def is_harmless(source, destination):
    """What is written there is nothing that is used here, nor twice there."""
    written = [disk[0] for disk in destination]
    used = [part for disk in source for part in disk]
    there = [part for disk in destination for part in disk]
    return not any(meet(w, u) for w in written for u in used) and \
        all(sum(meet(w, t) for t in there) == 1 for w in written)


SEEDS = [pytest.param(n, marks=[] if n < 4 else pytest.mark.long)
         for n in range(60)]


@pytest.mark.parametrize('seed', SEEDS)
def test_what_the_source_uses_is_never_written(lab, pki, seed):
    world = World(lab, seed)
    here, there = world.plans()
    source, source_uses = world.side(0, here)
    destination, destination_uses = world.side(1, there)
    pair = Pair(lab, pki, Refusal('', source=source, destination=destination))
    used = {n for disk in source_uses for n, _ in disk if isinstance(n, int)}
    halves = {(n, h): world.files[n].read_bytes()[h * HALF:][:HALF]
              for n in used for h in (0, 1)
              if any(meet((n, h), part) for disk in source_uses
                     for part in disk)}
    engine = pair.run(Refusal(''))
    for (n, h), content in halves.items():
        assert world.files[n].read_bytes()[h * HALF:][:HALF] == content, \
            (n, h, here, there, engine.text())
    assert engine.process.returncode in (0, 3), engine.text()
    assert marks(lab) == []
    if is_harmless(source_uses, destination_uses):
        assert engine.process.returncode == 0, (here, there, blockers(engine))
