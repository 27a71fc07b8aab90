"""What the tasks write: the path of an output, and tables as Markdown and CSV."""

import csv
import os
import re

from runs import folders
from utils import atomic_write


def output_path(run, name):
    """Return the path of a run's output, without its ending; make the folder."""
    folders.make_folder(run.sample_dir)
    return os.path.join(run.sample_dir, re.sub(r'[/\\]', '_', name))


def markdown(rows, left=None):
    """Return rows of texts, the first of them titles, as a Markdown table.

    It is aligned for a terminal: the first `left` columns (by default all) to the left,
    the others to the right.
    """
    left = len(rows[0]) if left is None else left
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ['| %s |' % ' | '.join(
        text.ljust(width) if place < left else text.rjust(width)
        for place, (text, width) in enumerate(zip(row, widths))) for row in rows]
    rule = '|%s|' % '|'.join('-' * (width + 1) + ('-' if place < left else ':')
                             for place, width in enumerate(widths))
    return '\n'.join([lines[0], rule] + lines[1:])


def save_text(text, path):
    """Write a text into a file; return its path."""
    with atomic_write(path, 'w') as file:
        file.write(text)
    return path


def save_csv(rows, path):
    """Write rows as CSV; return the path."""
    with atomic_write(path, 'w') as file:
        csv.writer(file, lineterminator='\n').writerows(rows)
    return path
