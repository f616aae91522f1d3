"""What a bench found, as a page to be committed beside it: lines that read
well as text and as Markdown."""

import textwrap


def filled(text):
    """A paragraph, in lines."""
    return textwrap.fill(' '.join(text.split()), 76, break_on_hyphens=False)


def table(rows):
    """The lines of a table; the first row is its head."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    rows = [rows[0], ['-' * width for width in widths], *rows[1:]]
    return ['| ' + ' | '.join(f'{cell:<{width}}' for cell, width in
                              zip(row, widths)) + ' |' for row in rows]
