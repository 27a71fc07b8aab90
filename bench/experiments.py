"""Redo the comparisons of docs/experiments.md: train, draw pictures, print tables.

python bench/experiments.py [--only initial,batch] [--no_training]

A run that is finished is not trained again. For each comparison docs/images/ gets
experiment-NAME.png, the curves of its runs over one another, and
experiment-NAME-sheets.png, the beginning of the last sheet of each.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from matplotlib.figure import Figure
from PIL import Image

from bench.turns import ROOT
from runs.history import save_figure

COMPARISONS = {
    'initial': ['base', 'xavier', 'sgd', 'sgd-xavier', 'sgd-middle', 'sgd-fast',
                'sgd-fast-xavier'],
    'batch': ['base', 'batch128', 'batch512'],
    'head': ['base', 'head-conv', 'head-pool'],
    'updates': ['base', 'g2'],
    'output-norm': ['base', 'output-norm'],
    'size': ['faces64', 'faces128'],
}
ROWS = 4        # of each sheet that are shown


def run_of(name):
    """Return the name of the run of an experiment."""
    return name if name in COMPARISONS['size'] else 'exp-' + name


def train(name):
    """Train the run of an experiment, unless it is finished."""
    folder = 'configs' if name in COMPARISONS['size'] else 'configs/experiments'
    command = ['main.py', '--train', '--flagfile', '%s/%s.flags' % (folder, name)]
    if name == 'output-norm':
        command = ['bench/output_norm.py', '--flagfile',
                   'configs/experiments/base.flags', '--name', run_of(name)]
    subprocess.run([sys.executable] + command, cwd=ROOT, check=True)


def last_sheet(name):
    """Return the beginning of the last sheet of a run."""
    folder = os.path.join(ROOT, 'samples', run_of(name))
    path = max(f for f in os.listdir(folder) if f.startswith('train_'))
    sheet = Image.open(os.path.join(folder, path)).convert('RGB')
    side = sheet.width * ROWS // 8
    return sheet.crop((0, 0, side, side))


def draw_sheets(names, path):
    """Draw the sheets of runs side by side, each under its name."""
    figure = Figure(figsize=(2.6 * len(names), 2.9))
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        axes.imshow(last_sheet(name), interpolation='nearest')
        axes.set_title(name)
        axes.axis('off')
    figure.tight_layout()
    return save_figure(figure, path)


def compare(comparison, names):
    """Print the table of a comparison and draw its two pictures."""
    subprocess.run([sys.executable, 'main.py', '--task', 'curves', '--runs',
                    ','.join(map(run_of, names))], cwd=ROOT, check=True)
    picture = os.path.join(ROOT, 'docs', 'images', 'experiment-%s' % comparison)
    shutil.copy(os.path.join(ROOT, 'samples', 'curves.png'), picture + '.png')
    print(draw_sheets(names, picture + '-sheets.png'))


def main():
    """Do the comparisons that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--only', default=','.join(COMPARISONS))
    parser.add_argument('--no_training', action='store_true')
    options = parser.parse_args()
    for comparison in options.only.split(','):
        names = COMPARISONS[comparison]
        for name in names if not options.no_training else []:
            train(name)
        compare(comparison, names)


if __name__ == '__main__':
    main()
