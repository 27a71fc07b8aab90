"""Compare two TensorFlows: losses, images and one update from the same weights."""

import os
import re

import numpy as np

LIMIT = 1e-4
DUMP = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'dump.py')
SMALL = '--output_height 16 --gf_dim 4 --df_dim 4 --epoch 24'
MODERATE = '--output_height 64 --gf_dim 16 --df_dim 16 --epoch 12'
# One TensorFlow trains the first and third of these networks, the other the rest.
CASES = (SMALL + ' --kernel_size 4',
         SMALL + ' --kernel_size 5 --conditional',
         MODERATE + ' --kernel_size 4 --conditional --ema 0.99',
         MODERATE + ' --kernel_size 5')


def agree(one, other):
    """Return both versions and the largest difference; raise where it is too large."""
    names = ['case%d' % number for number in range(len(CASES))]
    for number, flags in enumerate(CASES):
        print('training with', flags)
        (one, other)[number % 2].main('--train', '--name', names[number],
                                      '--batch_size', '16', '--precision', 'float32',
                                      *flags.split())
    for core, path in (one, 'one.npz'), (other, 'other.npz'):
        core.run(DUMP, 'data', path, *('runs/' + name for name in names))
    ours, theirs = load(one.path('one.npz')), load(other.path('other.npz'))
    versions = str(ours.pop('version')), str(theirs.pop('version'))
    print('\nlargest differences between TensorFlow %s and %s' % versions)
    largest = max(table(flags, name + '/', ours, theirs)
                  for name, flags in zip(names, CASES))
    if not largest <= LIMIT:
        raise AssertionError('they differ by %.1e, more than %g' % (largest, LIMIT))
    return versions + (largest,)


def load(path):
    """Return the arrays of an .npz file."""
    with np.load(path) as file:
        return dict(file)


def table(case, prefix, ours, theirs):
    """Print the largest difference of each kind of value; return the largest judged."""
    mine = {k[len(prefix):]: v for k, v in ours.items() if k.startswith(prefix)}
    other = {k[len(prefix):]: v for k, v in theirs.items() if k.startswith(prefix)}
    if not mine or set(mine) != set(other):
        raise AssertionError('%s: %s differ in name' % (case, set(mine) ^ set(other)))
    kinds = {}
    for name in mine:
        difference = np.abs(mine[name].astype(float) - other[name]).max()
        difference = np.nan_to_num(difference, nan=np.inf)      # max() passes NaN over
        kinds.setdefault(kind(name, mine), []).append((difference, name))
    print(case)
    for title, found in sorted(kinds.items()):
        print('  %-36s %.1e  %s' % ((title,) + max(found)))
    return max(max(found)[0] for title, found in kinds.items() if judged(title))


def kind(name, names):
    """Return the row of the table that a value belongs to."""
    if '/' not in name:
        return name
    if before_batch_norm(name, names):
        return 'not judged: biases in front of BN'
    return 'updated: ' + name.split('/')[0]


def judged(title):
    """Tell whether the limit holds for a row."""
    return not title.startswith('not judged')


def before_batch_norm(name, names):
    """Tell whether a variable is a bias that batch norm takes away again.

    Such a bias has a gradient of 0 but for rounding. Adam divides by the size of past
    gradients and makes of it steps like the learning rate's, in any direction.
    """
    match = re.match(r'(?:ema/)?(generator/g|discriminator/d)_h(\d+)(_conv)?/biases$',
                     name)
    return bool(match) and '%s_bn%s/beta' % match.group(1, 2) in names
