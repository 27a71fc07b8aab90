"""Log: a history.csv that a training may be writing, of which only news is read.

Unlike history.read it takes any file: lines that are no steps are left out.
"""

import array
import csv
import math
import os

import numpy as np

from runs import history
from tasks.parts.watching import plain

LONGEST = 2**16     # bytes of a line; a longer one is none of ours
LARGEST = 2**53     # of a step, and of seconds; and so all are finite
COLUMNS = history.COLUMNS
LOSSES = COLUMNS[3:]    # and accuracies: what is drawn
POINTS = 500        # of a curve, however many steps it has
MOST = 1e300        # of a loss that is drawn
SMOOTHED = 20       # steps or more, of a running mean; a tenth where there are few


class Log:
    """The steps of a history so far; `update` reads those that were added.

    `last`: only about so many bytes at its end are read at first, which is quick.
    `judged` holds (judged_by, step, fd, kid) of each step that was judged.
    """

    def __init__(self, path, last=None):
        self.path, self.last, self.identity = path, last, None
        self.forget()

    def forget(self):
        """Have read nothing."""
        self.place, self.header = 0, None
        self.numbers, self.judged = array.array('d'), []

    @property
    def table(self):
        """The steps as {column: float64 array}."""
        rows = np.array(self.numbers).reshape(-1, len(COLUMNS))
        return dict(zip(COLUMNS, rows.T))

    def update(self):
        """Read what was added; all of it where the file is another one than before.

        A line that is being written is read the next time. A file that is missing has
        no steps. Return self.
        """
        try:
            with plain.open_file(self.path) as file:
                info = os.fstat(file.fileno())
                identity = info.st_dev, info.st_ino
                if identity != self.identity or info.st_size < self.place:
                    self.forget()
                self.identity = identity
                self.read(file, info.st_size)
        except OSError:
            self.forget()
        return self

    def read(self, file, size):
        """Read the lines of an open file, of this size, that were not read yet."""
        file.seek(self.place)
        while True:
            line = file.readline(LONGEST)
            if not line.endswith(b'\n'):
                return
            self.add(line.decode('utf-8', 'replace').rstrip('\r\n'))
            self.place += len(line)
            if self.last and self.place == len(line) and size > self.place + self.last:
                file.seek(size - self.last)
                self.place = size - self.last + len(file.readline(LONGEST))

    def add(self, line):
        """Take up a line: the header, or a step that is later than those before."""
        cells = split(line)
        if self.header is None:
            self.header = cells
            self.places = [cells.index(name) if name in cells else len(cells)
                           for name in COLUMNS + history.JUDGED]
            return
        if len(cells) != len(self.header):
            return
        cells.append('')        # what a column that is missing holds
        *values, fd, kid, judged_by = [cells[place] for place in self.places]
        values = list(map(history.number, values))
        step, seconds = values[0], values[2]
        if self.step < step < LARGEST and 0 <= seconds < LARGEST:
            self.numbers.extend(values)
            if judged_by:
                self.judged.append((judged_by, step, history.number(fd),
                                    history.number(kid)))

    @property
    def step(self):
        """The last step, 0 before the first."""
        return int(self.numbers[-len(COLUMNS)]) if self.numbers else 0

    @property
    def strange(self):
        """Whether there is a file, and it is not a history."""
        return self.header is not None and not {'step', 'seconds'} <= set(self.header)

    def seconds_a_line(self, lines=100):
        """Return (training seconds of a line, of a step), means of the last lines.

        NaN where there are less than two lines.
        """
        table = self.table
        steps, seconds = (table[name][-lines:] for name in ('step', 'seconds'))
        if len(steps) < 2:
            return math.nan, math.nan
        took = seconds[-1] - seconds[0]
        return took / (len(steps) - 1), took / (steps[-1] - steps[0])


def split(line):
    """Return the cells of a line of CSV; those of a broken one are as they are."""
    if '"' in line:
        try:
            return next(csv.reader([line], strict=True))
        except csv.Error:
            pass
    return line.split(',')


def curves(table):
    """Return the curves of a history's table for a page: lists, of at most POINTS.

    Each point stands for some steps: `step` is the last of them, `low` and `high` are
    the least and greatest value in them, `mean` is the running mean there. Columns
    without a number are left out.
    """
    total = len(table['step'])
    starts = np.unique(np.linspace(0, total, min(total, POINTS), endpoint=False
                                   ).astype(int))
    ends = np.append(starts[1:], total)[:len(starts)] - 1
    found = {'step': table['step'][ends].astype(int).tolist()}
    for name in LOSSES:
        values = np.where(np.isfinite(table[name]), table[name], np.nan)
        if np.isnan(values).all():
            continue
        # an even number: D and G may win by turns
        smoothed = history.smooth(values, min(SMOOTHED, total // 20 * 2))
        found[name] = {'low': short(np.fmin.reduceat(values, starts)),
                       'high': short(np.fmax.reduceat(values, starts)),
                       'mean': short(smoothed[ends])}
    return found


def short(values):
    """Return numbers as a list for JSON: four digits, None for what is no number."""
    return [float('%.4g' % value) if abs(value) < MOST else None for value in values]
