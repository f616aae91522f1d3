"""What a bench says: how far it is, on which machine it ran, what it found; on
the terminal, and as a page to be committed beside it, in lines that read well
as text and as Markdown."""

import argparse
import datetime
import json
import os
import platform
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

import binaries


def filled(text):
    """A paragraph, in lines."""
    return textwrap.fill(' '.join(text.split()), 76, break_on_hyphens=False)


def table(rows):
    """The lines of a table; the first row is its head."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    rows = [rows[0], ['-' * width for width in widths], *rows[1:]]
    return ['| ' + ' | '.join(f'{cell:<{width}}' for cell, width in
                              zip(row, widths)) + ' |' for row in rows]


def machine(accel='TCG'):
    return (f'{os.cpu_count()} CPUs, Linux {platform.release()}, '
            f'QEMU {binaries.qemu10().version.split()[0]}, {accel}, load '
            f'{os.getloadavg()[0]:.1f}')


def show_progress(text):
    if sys.stderr.isatty():
        print(f'\r\033[K{text}', end='', file=sys.stderr, flush=True)


class Bench(NamedTuple):
    """./dev bench NAME, and its page."""
    name: str
    title: str
    legend: str
    accel: str = 'TCG'

    @property
    def path(self):
        return Path(__file__).parent / f'{self.name.upper()}.md'

    def parser(self, description):
        parser = argparse.ArgumentParser(prog=f'./dev bench {self.name}',
                                         description=description)
        parser.add_argument('--write', action='store_true',
                            help=f'write the result to {self.path.name}')
        return parser

    def as_page(self, parts):
        """Each of PARTS is a list of lines: a paragraph, or a table."""
        said = f"""
            Written by `./dev bench {self.name} --write` on
            {datetime.date.today().isoformat()}; QEMU
            {binaries.qemu10().version}, {machine(self.accel)}."""
        blocks = [[f'# {self.title}'], [filled(said)], [filled(self.legend)],
                  *parts]
        return '\n\n'.join('\n'.join(lines) for lines in blocks) + '\n'

    def tell(self, parts, write):
        """On the terminal, and WRITE: in its page."""
        print('', machine(self.accel), filled(self.legend), sep='\n')
        for lines in parts:
            print('', *lines, sep='\n')
        if write:
            self.path.write_text(self.as_page(parts))


def keep_json(path, **found):
    """All that was measured, if a file is wanted."""
    if path:
        Path(path).write_text(
            json.dumps({'machine': machine(), **found}, indent=1) + '\n')
