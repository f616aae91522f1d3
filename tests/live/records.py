"""Are the acknowledged records on the image?

The guest (tests/guest/disks.c) writes record SEQ, one block, to slot
SEQ % SLOTS, slots spread evenly over the disk. Of each slot the newest
acknowledged record must be there, or a newer one that was still on its way.
"""

import struct
import subprocess
import tempfile
import zlib
from pathlib import Path
from typing import NamedTuple

BLOCK = 4096
HEAD = struct.Struct('<8sIIQQ')          # magic, crc, disk, seq, slot
MAGIC = b'QMRECORD'


class Missing(NamedTuple):
    disk: int
    seq: int
    why: str


def read_record(block):
    """(disk, seq, slot) of a whole record, else None."""
    magic, crc, disk, seq, slot = HEAD.unpack_from(block)
    if magic != MAGIC:
        return None
    blank = block[:8] + bytes(4) + block[12:]
    return (disk, seq, slot) if zlib.crc32(blank) == crc else None


def check_raw(path, disk, seqs, blocks, slots):
    """What is missing of the acknowledged records seqs, on a raw image."""
    newest = {}
    for seq in seqs:
        newest[seq % slots] = max(seq, newest.get(seq % slots, 0))
    missing = []
    with open(path, 'rb') as f:
        for slot, seq in sorted(newest.items()):
            f.seek(slot * (blocks // slots) * BLOCK)
            block = f.read(BLOCK)
            found = read_record(block) if len(block) == BLOCK else None
            if found is None:
                what = 'zeroes' if not any(block) else \
                    f'not a record: {block[:64].hex()}...'
                missing.append(Missing(disk, seq, what))
            elif found[0] != disk or found[2] != slot:
                missing.append(Missing(disk, seq, f'another: {found}'))
            elif found[1] < seq:
                missing.append(Missing(disk, seq, f'older: {found[1]}'))
    return missing


def missing_records(guest, images):
    """images: {disk number: Image}, or a list of images in disk order. They
    must not be in use, except raw ones whose guest is stopped."""
    if not isinstance(images, dict):
        images = dict(enumerate(images))
    acks, geometry = guest.acks(), guest.geometry()
    missing = []
    for disk, image in images.items():
        blocks, slots = geometry[disk]
        if image.format == 'raw':
            missing += check_raw(image.path, disk, acks.get(disk, []),
                                 blocks, slots)
            continue
        with tempfile.TemporaryDirectory(dir=Path(image.path).parent) as tmp:
            raw = f'{tmp}/raw'
            subprocess.run(['qemu-img', 'convert', '-U', '-f', image.format,
                            '-O', 'raw', image.path, raw], check=True,
                           timeout=60)
            missing += check_raw(raw, disk, acks.get(disk, []), blocks, slots)
    return missing
