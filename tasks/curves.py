"""Curves: the losses of several runs over one another, as a picture and a table.

No checkpoint and no TensorFlow: it reads history.csv and config.json alone.
"""

import contextlib
import itertools
import os
import typing

import numpy as np
from tqdm import tqdm

from runs import folders, history
from settings.config import Config
from settings.errors import NotFoundError, UserError

WARM_UP = 0.1       # share of a run before its best step is looked for
PANELS = (('d_loss', "D's loss"), ('g_loss', "G's loss"),
          ('d_acc', 'share that D gets right'))


class Curve(typing.NamedTuple):
    """A run's history; `raw` and `smoothed` hold a float64 array for each column."""

    name: str
    raw: dict
    smoothed: dict
    images_per_step: float      # NaN where there is no config.json to tell
    loss: str
    judged: dict = {}           # as of history.read_judged


def main(config):
    """Draw the runs of --runs into --sample_dir/curves.png and print their table."""
    curves = read_all(config)
    folders.make_folder(config.sample_dir)
    print(table(curves))
    losses = sorted({curve.loss for curve in curves})
    if len(losses) > 1:
        print('note: trained with different losses (%s), whose values do not compare'
              % ', '.join(losses))
    print('curves: %s' % save_picture(curves, os.path.join(config.sample_dir,
                                                           'curves.png')))


# --- reading -----------------------------------------------------------------

def read_all(config):
    """Return the Curves of --runs, else of --name, else of all runs that there are.

    Raises NotFoundError, with the names that there are, where one has no history.
    """
    folder, names = os.path.abspath(config.checkpoint_dir), []
    if config.runs:
        names = list(dict.fromkeys(name.strip() for name in config.runs.split(',')))
    elif config.name:
        names = [config.name]
    elif os.path.exists(folders.Run('', folder, '').history_path):
        folder, name = os.path.split(folder)        # a run's own folder
        names = [name]
    curves = {name: read(folder, name) for name in names or subfolders(folder)}
    missing = [name for name in names if curves[name] is None]
    if missing or not any(curves.values()):
        there = [name for name in subfolders(folder) if has_steps(folder, name)]
        raise NotFoundError(
            'No run%s with a history of at least one step in %s. Runs there: %s. To '
            'train one, add --train.' % (''.join(' ' + repr(n) for n in missing),
                                         folder, ', '.join(there) or 'none'))
    return [curve for curve in curves.values() if curve]


def subfolders(folder):
    """Return the names of what is in a folder, [] where there is none."""
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def has_steps(folder, name):
    """Tell whether a run has a history that can be drawn."""
    with contextlib.suppress(UserError):
        return read(folder, name) is not None


def read(folder, name):
    """Return the Curve of a run, None where it has no step yet.

    Raises UserError where its history.csv is another kind of file.
    """
    run = folders.Run(name, os.path.join(folder, name), '')
    raw = history.read(run.history_path)
    if not len(raw['step']):
        return None
    if not np.isfinite([raw['step'], raw['seconds']]).all():
        raise UserError('%s is not a history of this program: expected numbers in its '
                        'columns %s.' % (run.history_path, ', '.join(history.COLUMNS)))
    raw['minutes'] = raw['seconds'] / 60
    raw['d_loss'] = raw['d_loss_real'] + raw['d_loss_fake']
    raw['d_acc'] = (raw['d_acc_real'] + raw['d_acc_fake']) / 2
    smoothed = {column: history.smooth(raw[column]) for column, _ in PANELS}
    images, loss = np.nan, 'unknown'
    if os.path.exists(run.config_path):
        config = Config.load(run.config_path)
        images, loss = config.batch_size * config.d_steps, config.loss
    return Curve(name, raw, smoothed, images, loss,
                 history.read_judged(run.history_path))


# --- the table ---------------------------------------------------------------

def table(curves):
    """Return the runs at their end, at their best and at equal time, as text."""
    seconds = min(curve.raw['seconds'][-1] for curve in curves)
    wide = max(len(curve.name) for curve in curves)
    lines = ['%*s      step       images      time    d_loss    g_loss   D right'
             % (wide, '')]
    for title, place in (
            ('final', lambda curve: len(curve.raw['step']) - 1),
            ("best (D's accuracy nearest to 50%, the first tenth left out)", best),
            ('after %s of training, as long as the shortest run took'
             % tqdm.format_interval(seconds), lambda curve: at(curve, seconds))):
        lines.append(title)
        lines += ['  %-*s%s' % (wide, curve.name, entry(curve, place(curve)))
                  for curve in curves]
    lines.append('Losses and accuracy are running means over a fiftieth of each run.\n'
                 'An even game is not yet a good picture: see the sheets.')
    return '\n'.join(lines)


def best(curve):
    """Return the index of the line where D, smoothed, is nearest to guessing."""
    off = abs(curve.smoothed['d_acc'] - 0.5)
    start = int(WARM_UP * len(off))
    return start + int(np.where(np.isfinite(off), off, np.inf)[start:].argmin())


def at(curve, seconds):
    """Return the index of the last line by that training time; -1 before the first."""
    return int(np.searchsorted(curve.raw['seconds'], seconds, side='right')) - 1


def entry(curve, index):
    """Return the numbers of one line of a run as text; -1: before the first."""
    if index < 0:
        return ' no step was done by then'
    step, images = curve.raw['step'][index], curve.images_per_step
    return '%8d %12s %9s %9.3f %9.3f %8.0f%%' % (
        step, '?' if np.isnan(images) else format(int(step * images), ','),
        tqdm.format_interval(curve.raw['seconds'][index]),
        round(curve.smoothed['d_loss'][index], 3) + 0.0,        # not -0.000
        curve.smoothed['g_loss'][index], 100 * curve.smoothed['d_acc'][index])


# --- the picture -------------------------------------------------------------

def save_picture(curves, path):
    """Draw the losses and D's accuracy by step and by time as PNG; return its path."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    colours = colormaps['tab10' if len(curves) <= 10 else 'tab20'].colors
    kinds = list(dict.fromkeys(kind for curve in curves for kind in curve.judged))
    figure = Figure(figsize=(12, 9 + 3 * len(kinds)))
    axes = figure.subplots(3 + len(kinds), 2, sharex='col', sharey='row')
    for (column, title), row in zip(PANELS, axes):
        for curve, colour in zip(curves, itertools.cycle(colours)):
            for axis, x in zip(row, ('step', 'minutes')):
                history.draw_line(axis, curve.raw[x], curve.raw[column],
                                  history.plain(curve.name), colour)
        row[0].set(ylabel=title, ylim=limits([curve.raw[column] for curve in curves]))
    for kind, row in zip(kinds, axes[len(PANELS):]):
        draw_judged(curves, kind, row, colours)
    for axis in axes[len(PANELS) - 1]:
        axis.axhline(0.5, color='gray', linewidth=0.8, linestyle='--')
        axis.set_ylim(0, 1.02)
    for axis, label in zip(axes[-1], ('step', 'minutes of training')):
        axis.set_xlabel(label)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc='upper center', ncol=4)
    with history.any_letters():
        figure.tight_layout(rect=(0, 0, 1, 0.97 - 0.025 * ((len(curves) - 1) // 4)))
        return history.save_figure(figure, path)


def draw_judged(curves, kind, row, colours):
    """Draw the Fréchet distances of one kind of features, by step and by time."""
    for curve, colour in zip(curves, itertools.cycle(colours)):
        values = curve.judged.get(kind)
        if values:
            minutes = np.interp(values['step'], curve.raw['step'], curve.raw['minutes'])
            for axis, x in zip(row, (values['step'], minutes)):
                history.draw_judged(axis, x, values['fd'], colour)
    row[0].set_title(history.titled(kind), fontsize='medium')
    row[1].set_ylabel('')


def limits(columns):
    """Return the range of losses shown, so that a run that explodes does not set it.

    It ends at the largest 99th percentile of a run, at most at twice the middle one.
    """
    known = [column[np.isfinite(column)] for column in columns]
    low, high = np.transpose([np.percentile(values, (1, 99)) for values in known
                              if len(values)] or [(0, 1)])
    middle = np.sort(high)[(len(high) - 1) // 2]
    return 1.1 * min(0, low.min()), 1.1 * max(1.5, min(high.max(), 2 * middle))
