"""Sheets: the pictures that a run in training draws, and the animation of them."""

import glob
import os
import re

from utils import make_gif

ANIMATION = 'training.gif'


def sheet_path(run, epoch, step):
    """Return where the sheet of a step is, which is in an epoch."""
    return os.path.join(run.sample_dir, 'train_%04d_%08d.png' % (epoch, step))


def list_sheets(run, after=-1):
    """Return the paths of a run's sheets of the steps after `after`, in order."""
    paths = glob.glob(os.path.join(glob.escape(run.sample_dir), 'train_*.png'))
    found = [(re.search(r'train_\d+_(\d+)\.png$', path), path) for path in paths]
    steps = sorted((int(match.group(1)), path) for match, path in found if match)
    return [path for step, path in steps if step > after]


def remove_stale(run, step):
    """Remove sheets of later steps, left by a run that once went further."""
    stale = list_sheets(run, after=step)
    animation = os.path.join(run.sample_dir, ANIMATION)
    if stale and os.path.exists(animation):     # it shows them
        stale.append(animation)
    for path in stale:
        os.remove(path)


def animate(run):
    """Write the animation of a run's sheets; return its path."""
    return make_gif(list_sheets(run), os.path.join(run.sample_dir, ANIMATION))
