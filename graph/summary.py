"""Summary: what TensorBoard shows of a training step."""

import tensorflow.compat.v1 as tf

SCALARS = ('d_loss_real', 'd_loss_fake', 'g_loss', 'd_acc_real', 'd_acc_fake', 'd_loss',
           'd_penalty', 'augment_p')
HISTOGRAMS = {'z': 'z', 'd': 'D', 'd_': 'D_'}       # by the names there
WATCHED = SCALARS + tuple(HISTOGRAMS.values())      # the model's tensors in it


def make(model):
    """Return the summary of a model that has its losses: a string, to be fetched."""
    return tf.summary.merge(
        [tf.summary.scalar(name, getattr(model, name)) for name in sorted(SCALARS)]
        + [tf.summary.histogram(name, getattr(model, tensor))
           for name, tensor in HISTOGRAMS.items()])
