"""The history of a run: its losses as CSV, a line a step, and as a picture."""

import csv
import os

import numpy as np
from scipy.ndimage import uniform_filter1d

from config import UserError
from utils import atomic_write

COLUMNS = ('step', 'epoch', 'seconds', 'd_loss_real', 'd_loss_fake', 'g_loss',
           'd_acc_real', 'd_acc_fake')


class History:
    """The file history.csv of a run that goes on from `step`.

    Lines after that step, left by a run that was cut off after its last checkpoint,
    are dropped, so that no step is there twice. `seconds` is the training time so far,
    added up over all starts.
    """

    def __init__(self, path, step):
        rows = [row for row in read_rows(path) if int(row['step']) <= step]
        self.seconds = float(rows[-1]['seconds']) if rows else 0.0
        with atomic_write(path, 'w') as file:
            writer = csv.DictWriter(file, COLUMNS, restval='nan',
                                    extrasaction='ignore', lineterminator='\n')
            writer.writeheader()
            writer.writerows(rows)
        self.file = open(path, 'a', encoding='utf-8')

    def append(self, step, epoch, seconds, values):
        """Add the line of a step; `values` holds the losses and accuracies."""
        self.seconds += seconds
        row = ['%d' % step, '%d' % epoch, '%.3f' % self.seconds]
        row += ['%.6g' % values[name] for name in COLUMNS[3:]]
        self.file.write(','.join(row) + '\n')

    def flush(self):
        """Bring all lines to the disk; called before each checkpoint."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def close(self):
        """Flush and close the file."""
        self.flush()
        self.file.close()


def read_rows(path):
    """Return the whole lines of a history as dicts of texts; [] where there is none."""
    if not os.path.exists(path):
        return []
    try:
        with open(path, encoding='utf-8', newline='') as file:
            return [row for row in csv.DictReader(file)
                    if None not in row.values() and None not in row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError('%s is not a history of this program: %s' % (path, error))


def read(path):
    """Return a history as {column: float64 array}; NaN where a value is no number."""
    rows = read_rows(path)
    return {name: np.array([number(row.get(name)) for row in rows])
            for name in COLUMNS}


def number(text):
    """Return a text as a float, NaN where it is none."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return float('nan')


def smooth(values):
    """Return the running mean over a fiftieth of the run, over less at its ends.

    What is not finite is left out.
    """
    def filtered(x):
        return uniform_filter1d(x, width, mode='constant')
    width, known = max(1, len(values) // 50), np.isfinite(values)
    share = filtered(known.astype(float))
    share[share < 0.5 / width] = np.nan
    return filtered(np.where(known, values, 0.0)) / share


def save_picture(history_path, path, title):
    """Draw the losses and D's accuracy of a history as PNG; return its path."""
    from matplotlib.figure import Figure

    history, figure = read(history_path), Figure(figsize=(9, 6))
    losses, accuracy = figure.subplots(
        2, 1, sharex=True, gridspec_kw={'height_ratios': (3, 2)})
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
    accuracy.set(xlabel='step', ylabel='share that D gets right', ylim=(0, 1.02))
    figure.tight_layout()
    return save_figure(figure, path)


def plain(name):
    """Return a run's name so that matplotlib takes no part of it for a formula."""
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


def save_figure(figure, path):
    """Write a figure of matplotlib as PNG; return its path."""
    with atomic_write(path) as file:
        figure.savefig(file, format='png', dpi=100)
    return path
