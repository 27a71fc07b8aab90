"""The tables and pictures of bench/quality/race.py, from what was measured and judged.

A row is a dict: side, seed, minutes, way (of sampling), label (of the features), the
numbers of judging, and seconds and load of its training.
"""

import itertools
import os
import statistics

import numpy as np
from matplotlib.figure import Figure

from bench.peers import learn
from runs.history import save_figure
from utils import merge, transform

BAR = 0.5               # ours at most so much of the better peer's distance
COMPARED_AT = (8, 32)   # minutes
DUPLICATES = 0.5        # a side has collapsed where more of its samples are such
RECALL = 0.001          # or where its samples cover less of the real images
PROTOCOL = ('Minutes of training on a quiet machine: steps = minutes times the median '
            'speed above, measured in turn before; imports, packing, sampling and '
            'judging not counted.')


def report(rows, anchors):
    """Return all tables as Markdown."""
    if not rows:
        return 'nothing is trained yet'
    parts = [PROTOCOL]
    for label in unique(rows, 'label'):
        of = best_way([row for row in rows if row['label'] == label])
        samples = '/'.join('%d' % n for n in unique(of, 'samples'))
        parts += ['## Fréchet distance in %s, %s samples' % (label, samples),
                  table(of, 'distance'), anchor_line(anchors, label)]
        parts += ratios(of)
        if of[0]['held_out'] is not None:
            parts += ['The same to the images held out, which no side saw:',
                      table(of, 'held_out')]
        parts += ['Collapse, at the last milestone of each seed, in %s:' % label,
                  collapse_table(of), collapse_line(of)]
    return '\n\n'.join(parts + ['What the training really took:', took_table(rows)])


def unique(rows, key):
    """Return the values of a key in the order of the rows."""
    return list(dict.fromkeys(row[key] for row in rows))


def best_way(rows):
    """Keep of each milestone the way of sampling whose distance is the smallest."""
    best = {}
    for row in rows:
        key = row['side'], row['seed'], row['minutes']
        if key not in best or row['distance'] < best[key]['distance']:
            best[key] = row
    return list(best.values())


def values(rows, what, side, minutes):
    """Return a number of all seeds of a side at a milestone."""
    return [row[what] for row in rows
            if (row['side'], row['minutes']) == (side, minutes)]


def table(rows, what):
    """Return a table of medians over the seeds, with their range and number."""
    minutes = sorted(set(unique(rows, 'minutes')))
    lines = ['| side | %s |' % ' | '.join('%g min' % m for m in minutes),
             '| --- ' * (1 + len(minutes)) + '|']
    for side in unique(rows, 'side'):
        lines.append('| %s | %s |' % (side, ' | '.join(
            cell(values(rows, what, side, m)) for m in minutes)))
    return '\n'.join(lines)


def cell(numbers):
    """Return median (smallest to largest, how many) as a text."""
    if not numbers:
        return ''
    if len(numbers) == 1:
        return '%.4g (1 seed)' % numbers[0]
    return '%.4g (%.4g to %.4g, %d seeds)' % (
        statistics.median(numbers), min(numbers), max(numbers), len(numbers))


def anchor_line(anchors, label):
    """Return the distance of held-out images, as the scale of the table."""
    for anchor in anchors:
        if anchor['label'] == label and anchor['distance'] is not None:
            return ('Real images held out (%d) to those learned from: %.4g'
                    % (anchor['held_out_images'], anchor['distance']))
    return 'No images are held out.'


def ratios(rows):
    """Return a line each for 8 and 32 minutes: ours over the better peer.

    Medians over the seeds of either side.
    """
    lines = []
    for minutes in COMPARED_AT:
        medians = {side: statistics.median(values(rows, 'distance', side, minutes))
                   for side in unique(rows, 'side')
                   if values(rows, 'distance', side, minutes)}
        mine = medians.pop('ours', None)
        if mine is None or not medians:
            continue
        peer = min(medians, key=medians.get)
        lines.append('ours at %g minutes over the better peer (%s): %.2f (bar %.2f) %s'
                     % (minutes, peer, mine / medians[peer], BAR,
                        'met' if mine <= BAR * medians[peer] else 'MISSED'))
    return lines


def last_rows(rows):
    """Return the last milestone of each side and seed."""
    last = {}
    for row in sorted(rows, key=lambda row: row['minutes']):
        last[row['side'], row['seed']] = row
    return [row for row in rows if row is last[row['side'], row['seed']]]


def collapsed(row):
    """Tell whether samples have collapsed: most near-duplicates, or nothing covered."""
    return row['duplicates'] > DUPLICATES or row['recall'] < RECALL


def collapse_table(rows):
    """Return precision, recall and near-duplicates of each side and seed."""
    lines = ['| side, seed | minutes | precision | recall | near-duplicates (real: 1 %)'
             ' | collapsed |', '| --- ' * 6 + '|']
    for row in last_rows(rows):
        lines.append('| %s, %d | %g | %.3f | %.3f | %.1f %% | %s |' % (
            row['side'], row['seed'], row['minutes'], row['precision'], row['recall'],
            100 * row['duplicates'], 'yes' if collapsed(row) else 'no'))
    return '\n'.join(lines)


def collapse_line(rows):
    """Say of how many seeds each side has collapsed."""
    counts = []
    for side in unique(rows, 'side'):
        mine = [row for row in last_rows(rows) if row['side'] == side]
        counts.append('%s %d of %d' % (side, sum(map(collapsed, mine)), len(mine)))
    return ('collapsed seeds (over %.0f %% near-duplicates, or recall under %g): %s'
            % (100 * DUPLICATES, RECALL, ', '.join(counts)))


def took_table(rows):
    """Return the seconds that each side and seed really took, and the load."""
    lines = ['| side, seed | minutes | steps | seconds | load at its end |',
             '| --- ' * 5 + '|']
    seen = {(row['side'], row['seed'], row['minutes']): row for row in rows}
    for row in last_rows(list(seen.values())):
        known = row['seconds'] is not None
        lines.append('| %s, %d | %g | %d | %s | %s |' % (
            row['side'], row['seed'], row['minutes'], row['step'],
            '%.0f' % row['seconds'] if known else '',
            '%.1f' % row['load'] if known else ''))
    return '\n'.join(lines)


def speeds_table(speeds):
    """Return the table of the measured training loops."""
    lines = ['%s, %d cores, torch on %s, %s; load average before %.1f, after %.1f; '
             'ours: %s'
             % (speeds['processor'], speeds['cores'], speeds['torch_device'],
                speeds['date'], *speeds['load'], speeds['ours'] or 'the defaults'), '',
             '| side | images/s, median | smallest | largest | images a step |',
             '| --- ' * 5 + '|']
    for name, side in speeds['sides'].items():
        lines.append('| %s | %.1f | %.1f | %.1f | %d |' % (
            name, side['images_per_s'], min(side['rounds']), max(side['rounds']),
            side['images_a_step']))
    return '\n'.join(lines)


# --- pictures ----------------------------------------------------------------

def draw(rows, folder):
    """Draw sheets.png, sides by minutes, and last.png, large; yield their paths.

    Of each side its first seed, sampled in the better way by the first features.
    """
    if not rows:
        return
    rows = best_way([row for row in rows if row['label'] == rows[0]['label']])
    chosen = {}
    for row in sorted(rows, key=lambda row: -row['seed']):
        chosen[row['side'], row['minutes']] = row
    sides, minutes = unique(rows, 'side'), sorted(set(unique(rows, 'minutes')))
    yield draw_grid(sides, minutes, chosen, (6, 6), 2.9, os.path.join(
        folder, 'sheets.png'))
    last = [m for m in minutes if all((side, m) in chosen for side in sides)][-1:]
    yield draw_grid(sides, last, chosen, (5, 16), 11, os.path.join(folder, 'last.png'))


def draw_grid(sides, minutes, chosen, size, width, path):
    """Draw the first samples of sides (rows) at minutes (columns); return the path."""
    height = width * size[0] / size[1] + 0.3
    figure = Figure(figsize=(width * max(1, len(minutes)), height * len(sides)))
    axes = figure.subplots(len(sides), max(1, len(minutes)), squeeze=False)
    for (i, side), (j, m) in itertools.product(enumerate(sides), enumerate(minutes)):
        axes[i, j].axis('off')
        if (side, m) in chosen:
            row = chosen[side, m]
            axes[i, j].imshow(sheet(row, size))
            axes[i, j].set_title('%s, %g min, seed %d: %.4g'
                                 % (side, m, row['seed'], row['distance']), fontsize=9)
    figure.tight_layout(pad=0.4)
    return save_figure(figure, path)


def sheet(row, size):
    """Return the first samples of a row as uint8 [H, W, C]."""
    images = np.load(learn.samples_path(row['path'], row['step'], row['way']),
                     mmap_mode='r')
    return merge(transform(images[:size[0] * size[1]]), size)
