"""Inherit: the weights that a new run begins with, --from another's checkpoint.

What has the same name and shape is taken. Where the labels differ, the weights of a
label that both have are taken, and those of a new label begin anew. An optimizer's
memory of a network is taken whole or not at all: if Adam remembered some weights and
not others, the others would leap.
"""

import os

import numpy as np
import tensorflow.compat.v1 as tf

from runs import checkpoints, holding, origin
from settings.config import Config
from settings.errors import UserError

FIRST = 'generator/g_h0_lin/Matrix'     # [z_dim + labels, units] in every architecture
AVERAGES, OPTIMIZERS = 'ema/', ('d_optim/', 'g_optim/')
SCOPES = {AVERAGES: "averages of G's weights, with the weights themselves",
          'd_optim/': "the optimizer's memory of D",
          'g_optim/': "the optimizer's memory of G"}
FOUND = 'augment/'      # how many images D sees changed; not there, it is soon found
NAMED = 3       # of the variables of a scope


def begin(sess, config, variables, echo=print):
    """Give `variables`, initialised, the values of --from; return the path of these.

    Says by name what is not there. Raises UserError where it does not fit, is damaged,
    or holds what is no number.
    """
    run, which = origin.find(config)
    starts = dict(zip([v.op.name for v in variables], sess.run(variables)))
    with holding.held(run, which) as (step, path, copy):
        echo('beginning with the weights of %s (step %d)' % (path, step))
        values = read(copy, starts)
    try:
        taken, anew = match(starts, values, Labels(run, config, values))
    except ValueError as error:
        raise UserError('--from %s: the weights of %s do not fit:\n  %s'
                        % (config.from_, path, error))
    for v in variables:
        if v.op.name in taken:
            sess.run(v.initializer, {v.initializer.inputs[1]: taken[v.op.name]})
    if anew:
        echo('what is not there begins anew:\n%s' % '\n'.join(
            '  ' + line for line in describe(anew)))
    return path


def read(path, names):
    """Return {name: array} of those of `names` that a checkpoint has.

    Of one that holds averages alone (the bundled network's) these are the weights too.
    """
    try:
        reader = tf.train.NewCheckpointReader(path)
        found = {name: reader.get_tensor(stored) for name in names
                 for stored in (AVERAGES + name, name) if reader.has_tensor(stored)}
    except checkpoints.DAMAGE as error:
        raise UserError('The checkpoint %s cannot be read (%s). Take another: --from '
                        'RUN@STEP.' % (path, str(error).partition('\n')[0]))
    wrong = [name for name, value in found.items() if not np.isfinite(value).all()]
    if wrong:
        raise UserError('The checkpoint %s has NaN or infinity in %s. Take an earlier '
                        'one: --from RUN@STEP.' % (path, wrong[0]))
    return found


class Labels:
    """The labels of a checkpoint and of the new run.

    there, here   how many
    same          {index of a label here: that of the same name there}
    """

    def __init__(self, run, config, values):
        self.here, self.there, names = config.y_dim, 0, ()
        if FIRST in values:
            self.there = values[FIRST].shape[0] - config.z_dim
        if os.path.exists(run.config_path):
            names = Config.load(run.config_path).classes
        self.same = {here: names.index(name)
                     for here, name in enumerate(config.classes) if name in names}

    def fit(self, name, value, first):
        """Return a value in the shape of `first`, whose labels' part begins as there.

        The labels come last on one axis. Raises ValueError, with the name, where the
        shapes differ by something else.
        """
        axes = [axis for axis, (a, b) in enumerate(zip(value.shape, first.shape))
                if a != b]
        if value.shape == first.shape:
            return value
        axis = axes[0] if len(axes) == 1 and value.ndim == first.ndim else None
        if axis is None or (value.shape[axis] - self.there
                            != first.shape[axis] - self.here):
            raise ValueError('%s: %s here, %s there' % (
                name, list(first.shape), list(value.shape)))
        old, new = (np.moveaxis(array, axis, 0) for array in (value, first.copy()))
        features = len(old) - self.there
        new[:features] = old[:features]
        for here, there in self.same.items():
            new[features + here] = old[features + there]
        return np.moveaxis(new, 0, axis)


def match(starts, values, labels):
    """Return {name: the value to begin with}, and the names of what begins anew.

    `starts` are the first values of all variables, `values` those of the checkpoint.
    Raises ValueError naming a weight that does not fit.
    """
    taken, anew = {}, []
    for name in (n for n in starts if not n.startswith(OPTIMIZERS)):
        first, value = starts[name], values.get(name)
        if value is not None:
            taken[name] = labels.fit(name, value, first)
            if value.shape != first.shape and len(labels.same) < labels.here:
                anew.append(name + ', its part for new labels')
            continue
        if not name.startswith(FOUND):
            anew.append(name)
        if name.startswith(AVERAGES) and name[len(AVERAGES):] in taken:
            taken[name] = taken[name[len(AVERAGES):]]
    for scope in OPTIMIZERS:
        mine = [name for name in starts if name.startswith(scope)]
        if all(name in values and values[name].shape == starts[name].shape
               for name in mine):
            taken.update((name, values[name]) for name in mine)
        else:
            anew += mine
    return taken, anew


def describe(anew):
    """Return lines that name what begins anew, the weights each, the others by some."""
    lines = [name for name in anew if not name.startswith(tuple(SCOPES))]
    for scope, what in SCOPES.items():
        names = [name for name in anew if name.startswith(scope)]
        if names:
            more = len(names) - NAMED
            lines.append('%s: %s%s' % (what, ', '.join(names[:NAMED]),
                                       ' and %d more' % more if more > 0 else ''))
    return lines
