"""EMA: running averages of the generator's variables, which the sampler draws with."""

import tensorflow.compat.v1 as tf


def make(config):
    """Return {name: (variable, its average)} of the generator; {} without --ema.

    An average starts with the same value as its variable.
    """
    if not config.ema:
        return {}
    return {v.op.name: (v, tf.get_variable(
        'ema/' + v.op.name, initializer=v.initial_value, trainable=False))
        for v in tf.global_variables('generator/')}


def getter(averages):
    """Return a custom getter that hands out averages in place of their variables."""
    def averaged(getter, name, *args, **kwargs):
        variable = getter(name, *args, **kwargs)
        return averages.get(name, (variable, variable))[1]
    return averaged


def follow(config, averages, index, after):
    """Return ops that move the averages of `make` after G's updates, the ops `after`.

    Early in training they follow faster. With --ema_rampup their half-life is that
    share of G's updates so far, up to that of --ema: an average over the last part of
    the training, however long it is (Karras et al., 2020, StyleGAN2-ADA). `index` is
    the number of the batch, int64.
    """
    step = tf.cast(index, tf.float32) + 1
    early = step / (9 + step)
    if config.ema_rampup:
        early = 0.5 ** (config.d_steps / (config.ema_rampup * config.g_steps * step))
    decay = tf.minimum(float(config.ema), early)
    with tf.control_dependencies(after):
        return [average.assign_sub((1 - decay) * (average - weights.read_value()))
                for weights, average in averages.values()]
