"""Guests of 512 bytes, for what needs no operating system: machine code that
the firmware boots from the first sector of a disk."""

import struct

SIZE = 512


def sector(code):
    return code.ljust(SIZE - 2, b'\0') + b'\x55\xaa'


def install(image, code):
    """On a raw image that is there already."""
    with open(image.path, 'r+b') as file:
        file.write(sector(code))


# Writes: in real mode, with one segment of 4 GiB, it adds 1 to the first word
# of each page from 1 MiB to the address in the last four bytes, waits for the
# clock, and begins again.
_WRITER = bytes.fromhex(
    'fa31c08ed88ed0bc0070e4920c02e692660f0116487c0f20c00c010f22c0'
    'bb08008ee324fe0f22c0fb66bf00001000646766ff076681c70010000066'
    '3b3e607c72edf4ebe48d74000f00507c000066900000000000000000ffff'
    '000000928f00')
FIRST_WORD = 1 << 20


def writer(mib):
    return _WRITER + struct.pack('<I', mib << 20)


# Listens at the serial port (Qemu.tell()): 'p' writes to the pvpanic port,
# 'w' lets an ib700 watchdog expire, 'd' writes a sector to the disk that it was
# booted from, each time another one from 16 MiB on.
LISTENER = bytes.fromhex(
    '31c08ed88ed0bc00708816607cfbbafd03eca8017412baf803ec3c70740d'
    '3c7774113c647415ebe6f4ebe3ba0505b001eeebdbba4304b00feeebd3be'
    '507cb800438a16607ccd13ff06587cebc18d740010000100007c00000080'
    '00000000000000')
