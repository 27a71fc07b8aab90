"""The history of a run: its losses as CSV, a line a step, and as a picture."""

import collections
import contextlib
import csv
import math
import os
import re
import warnings

import numpy as np
from scipy.ndimage import uniform_filter1d

from settings.errors import UserError
from utils import atomic_write, naming, to_disk

COLUMNS = ('step', 'epoch', 'seconds', 'd_loss_real', 'd_loss_fake', 'g_loss',
           'd_acc_real', 'd_acc_fake')
# Filled at the steps at which --eval_freq judges: the Fréchet distance, the kernel
# distance, and which features and how many samples they were computed from.
JUDGED = ('fd', 'kid', 'judged_by')
ENOUGH = 2048       # images; of fewer, numbers have a note


class History:
    """The file history.csv of a run that goes on from `step`.

    A run that was cut off has lines after its last checkpoint. They are dropped, so
    that no step is there twice. `seconds` is the training time of all starts together.
    """

    def __init__(self, path, step):
        self.path, row = path, {'seconds': 0}
        with atomic_write(path, 'w') as file:
            writer = csv.DictWriter(file, COLUMNS + JUDGED, extrasaction='ignore',
                                    lineterminator='\n')
            writer.writeheader()
            for row in read_rows(path, step):
                writer.writerow(dict(dict.fromkeys(COLUMNS, 'nan'), **row))
        self.seconds = float(row['seconds'])
        # line by line, for those who watch the run
        self.file = open(path, 'a', buffering=1, encoding='utf-8', newline='')
        self.writer = csv.writer(self.file, lineterminator='\n')

    def append(self, step, epoch, seconds, values):
        """Add the line of a step: losses, accuracies and, where judged, JUDGED."""
        self.seconds += seconds
        row = ['%d' % step, '%d' % epoch, '%.3f' % self.seconds]
        row += ['%.6g' % values[name] for name in COLUMNS[3:]]
        row += ['%.6g' % values[name] if name in values else ''
                for name in JUDGED[:-1]]
        with naming(self.path):
            self.writer.writerow(row + [values.get(JUDGED[-1], '')])

    def flush(self):
        """Bring all lines to the disk; called before each checkpoint."""
        with naming(self.path):
            to_disk(self.file)

    def close(self):
        """Flush and close the file."""
        try:
            self.flush()
        finally:
            with contextlib.suppress(OSError):      # flush has raised it
                self.file.close()


def read_rows(path, last=math.inf):
    """Yield the whole lines of a history, up to step `last`, as dicts of texts.

    There may be millions. UserError for a file that is not a history.
    """
    if not os.path.exists(path):
        return
    try:
        with open(path, encoding='utf-8', newline='') as file:
            lines = (line.lstrip('\ufeff') for line in file if line.endswith('\n'))
            for row in csv.DictReader(lines):
                if None not in row.values() and None not in row and (
                        float(row['seconds']) >= 0 and int(row['step']) <= last):
                    yield row
    except (KeyError, ValueError, csv.Error) as error:
        raise UserError('%s is not a history of this program (%s): move it away.'
                        % (path, error))


def read(path):
    """Return a history as {column: float64 array}; NaN where a value is no number."""
    rows = (tuple(number(row.get(name)) for name in COLUMNS) for row in read_rows(path))
    table = np.fromiter(rows, [(name, float) for name in COLUMNS])
    return {name: table[name] for name in COLUMNS}


def read_judged(path):
    """Return {features and number of samples: {'step', 'fd', 'kid'}} of a history.

    Those are float64 arrays, one number for each step that was judged. Never compare
    numbers of different features.
    """
    found = collections.defaultdict(list)
    for row in read_rows(path):
        if row.get(JUDGED[-1]):
            found[row[JUDGED[-1]]].append(row)
    return {name: {column: np.array([number(row[column]) for row in rows])
                   for column in ('step', 'fd', 'kid')}
            for name, rows in found.items()}


def few_note(*counts):
    """Return a note on numbers of so many images each; '' where all are of ENOUGH."""
    few = sorted({count for count in counts if count < ENOUGH})
    return few and (
        'note: numbers of fewer than %s images (here %s) are rough, and the Fréchet\n'
        'distance is then too large: compare them with numbers of as many images alone.'
        % (format(ENOUGH, ','), ' and '.join(format(n, ',') for n in few))) or ''


def titled(judged_by):
    """Return the title of a panel of judged numbers, with a note where they are few."""
    found = re.search('([0-9,]+) samples', judged_by)
    few = found and int(found.group(1).replace(',', '')) < ENOUGH
    return plain(judged_by) + '; fewer than %s: rough' % format(ENOUGH, ',') * bool(few)


def number(text):
    """Return a text as a float, NaN where it is none."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return float('nan')


def smooth(values, least=1):
    """Return the running mean over a fiftieth of the run; at its ends, over less.

    It is over `least` values or more. Those that are not finite are left out.
    """
    def filtered(x):
        return uniform_filter1d(x, width, mode='constant')
    width, known = max(1, least, len(values) // 50), np.isfinite(values)
    share = filtered(known.astype(float))
    share[share < 0.5 / width] = np.nan
    return filtered(np.where(known, values, 0.0)) / share


def save_picture(history_path, path, title):
    """Draw a history as PNG; return its path.

    The losses, D's accuracy, and a panel for each kind of features that judged.
    """
    history, judged = read(history_path), read_judged(history_path)
    with figure(path, (9, 6 + 2.4 * len(judged)), 2 + len(judged), 1, sharex=True,
                gridspec_kw={'height_ratios': [3, 2] + [2] * len(judged)}) as axes:
        draw_panels(axes, history, judged, title)
    return path


def draw_panels(panels, history, judged, title):
    """Draw the losses, D's accuracy, and how the samples were judged."""
    losses, accuracy, *distances = panels
    draw(losses, history, {'g_loss': ('G', 'tab:red'),
                           'd_loss_real': ('D on real', 'tab:blue'),
                           'd_loss_fake': ('D on generated', 'tab:cyan')},
         'upper right')
    draw(accuracy, history, {'d_acc_real': ('on real', 'tab:blue'),
                             'd_acc_fake': ('on generated', 'tab:cyan')},
         'lower right')
    losses.set(title=plain(title), ylabel='loss')
    losses.set_ylim(0, max(1, 1.1 * np.percentile(history['g_loss'], 99)))
    accuracy.axhline(0.5, color='gray', linewidth=0.8, linestyle='--')
    accuracy.set(ylabel='share that D gets right', ylim=(0, 1.02))
    for axes, (name, values) in zip(distances, judged.items()):
        draw_judged(axes, values['step'], values['fd'], 'tab:red')
        axes.set_title(titled(name), fontsize='medium')
    panels[-1].set_xlabel('step')


def draw_judged(axes, x, distances, colour):
    """Draw Fréchet distances, and a ring around the smallest."""
    best = distances.argmin()
    axes.plot(x, distances, '.-', color=colour, linewidth=1.5)
    axes.plot(x[best], distances[best], 'o', color=colour, fillstyle='none',
              markersize=9)
    axes.set(ylabel='Fréchet distance', yscale='log')
    axes.yaxis.set_major_formatter('{x:g}')
    axes.yaxis.set_minor_formatter('{x:g}')
    axes.tick_params(axis='y', which='minor', labelsize=7)
    axes.grid(alpha=0.3, which='both')


def plain(name):
    """Return a run's name so that matplotlib does not read $ in it as a formula."""
    return name.replace('$', r'\$')


def draw(axes, history, lines, place):
    """Draw columns of a history and their legend."""
    for name, (label, colour) in lines.items():
        draw_line(axes, history['step'], history[name], label, colour)
    axes.legend(loc=place)


def draw_line(axes, x, y, label, colour):
    """Draw a faint line, and its smoothed one over it."""
    axes.plot(x, y, color=colour, alpha=0.2, linewidth=0.6)
    axes.plot(x, smooth(y), color=colour, label=label, linewidth=1.5)
    axes.grid(alpha=0.3)


@contextlib.contextmanager
def figure(path, size, *rows, **layout):
    """Give a figure's axes to draw on; write it as PNG, whole or not at all."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=size)
    with any_letters():
        yield drawn.subplots(*rows, **layout)
        drawn.tight_layout()
        save_figure(drawn, path)


@contextlib.contextmanager
def any_letters():
    """Take names in all letters; a box stands for one that the font lacks, as of 日."""
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'Glyph')
        yield


def save_figure(figure, path):
    """Write a figure of matplotlib as PNG; return its path."""
    with atomic_write(path) as file:
        figure.savefig(file, format='png', dpi=100)
    return path
