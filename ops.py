"""The layers: conv2d, deconv2d, linear, batch_norm, lrelu, concat_label.

Each opens its own variable_scope, so that under `reuse=True` the same call with the
same name finds the same variables. Names and initial values are carpedm20's; the
batch dimension is dynamic everywhere.
"""

import contextlib

import tensorflow.compat.v1 as tf

from graph import convolution

tf.logging.set_verbosity(tf.logging.ERROR)
tf.disable_v2_behavior()
# A reference variable may be overwritten by Adam while another part of the same run
# still reads it; what is read from a resource variable stays as it was read.
tf.enable_resource_variables()

BATCH_STATS = 'batch_stats'
LRELU_GRADIENT = 'lrelu_gradient'
DECAY, EPSILON = 0.9, 1e-5


def conv2d(x, channels, kernel, stride=2, stddev=0.02, name='conv2d', biases='add'):
    """Convolve [N, H, W, C] to [N, ceil(H/stride), ceil(W/stride), channels].

    The biases are added; or returned 'apart', as (x, biases), for batch_norm to know
    of; or there are none: 'none' returns (x, None).
    """
    with tf.variable_scope(name):
        w = tf.get_variable('w', [kernel, kernel, channels_of(x), channels],
                            initializer=tf.truncated_normal_initializer(stddev=stddev))
        return with_biases(convolution.conv2d(x, w, stride), biases)


def conv2d_whole(x, stddev=0.02, name='conv2d_whole'):
    """Convolve [N, H, W, C] with one kernel as large as the map: a number each, [N, 1].

    No bias is added.
    """
    with tf.variable_scope(name):
        w = tf.get_variable('w', x.shape.as_list()[1:] + [1],
                            initializer=tf.random_normal_initializer(stddev=stddev))
        y = tf.nn.conv2d(tf.cast(x, w.dtype), w, strides=[1, 1, 1, 1], padding='VALID')
    return tf.reshape(tf.cast(y, x.dtype), [-1, 1])


def deconv2d(x, output_shape, kernel, stride=2, stddev=0.02, name='deconv2d',
             biases='add'):
    """Convolve, transposed, [N, H, W, C] to [N] + output_shape ([height, width, c]).

    This is the gradient of a SAME convolution with respect to its input, so H must be
    ceil(height / stride), and W likewise; that is how odd sizes come about. `biases` as
    for conv2d.
    """
    with tf.variable_scope(name):
        channels = output_shape[-1]
        w = tf.get_variable('w', [kernel, kernel, channels, channels_of(x)],
                            initializer=tf.random_normal_initializer(stddev=stddev))
        x = convolution.conv2d_transpose(x, w, output_shape[:2], stride)
        x.set_shape([None] + list(output_shape))
        return with_biases(x, biases)


def with_biases(x, biases):
    """Make the biases of a convolution and add them, or hand them on; see conv2d."""
    if biases == 'none':
        return x, None
    values = tf.get_variable('biases', [channels_of(x)],
                             initializer=tf.zeros_initializer())
    return (x, values) if biases == 'apart' else tf.nn.bias_add(x, values)


def linear(x, size, stddev=0.02, name='linear', bias=True):
    """Multiply [N, D] by a matrix and add a bias, if there is one: [N, size]."""
    with tf.variable_scope(name):
        matrix = tf.get_variable('Matrix', [channels_of(x), size],
                                 initializer=tf.random_normal_initializer(stddev=stddev))
        x = tf.cast(tf.matmul(tf.cast(x, matrix.dtype), matrix), x.dtype)
        if not bias:
            return x
        return tf.nn.bias_add(x, tf.get_variable(
            'bias', [size], initializer=tf.zeros_initializer()))


def batch_norm(x, train, name='batch_norm', biases=None, moments=None):
    """Normalise [N, H, W, C] for each channel: Ioffe and Szegedy, 2015.

    `biases` [C] are those of the layer before, which has not added them to x. Adding
    them would move the mean as much as the values, and normalising would take them away
    again. So only the moving mean counts them, and no gradient reaches them.

    In training by the batch's own mean and variance, else by the moving averages. A
    training call moves no average by itself: it puts (moving average, batch value)
    pairs aside for take_batch_stats, so that whoever builds the updates decides which
    op moves them, and in which order. gamma starts at N(1, 0.02) as in the DCGAN
    authors' Torch code; carpedm20's starts at 1. `moments`, a function of x, gives
    the mean, the variance and the unbiased one of a larger batch that x is a part of.
    """
    with tf.variable_scope(name):
        shape = [channels_of(x)]
        beta = tf.get_variable('beta', shape, initializer=tf.zeros_initializer())
        gamma = tf.get_variable(
            'gamma', shape, initializer=tf.random_normal_initializer(1.0, 0.02))
        moving_mean = tf.get_variable(
            'moving_mean', shape, initializer=tf.zeros_initializer(), trainable=False)
        moving_variance = tf.get_variable(
            'moving_variance', shape, initializer=tf.ones_initializer(),
            trainable=False)
        moving = moving_mean, moving_variance
        if train and moments:
            mean, variance, unbiased = moments(x)
            put_aside(moving, mean, unbiased, biases)
            return tf.nn.batch_normalization(x, mean, variance, beta, gamma, EPSILON)
        # Not tf.nn.fused_batch_norm, which in TensorFlow 1 raises epsilon to 1.001e-5.
        if not train:
            mean = moving_mean if biases is None else moving_mean - biases
            return tf.raw_ops.FusedBatchNormV3(
                x=x, scale=gamma, offset=beta, mean=mean,
                variance=moving_variance, epsilon=EPSILON, is_training=False).y
        x, mean, variance = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=EPSILON)[:3]
        put_aside(moving, mean, variance, biases)
        return x


def put_aside(moving, mean, variance, biases):
    """Put (moving average, batch value) pairs aside; see batch_norm."""
    if biases is not None:
        mean += biases
    tf.add_to_collection(BATCH_STATS, (moving[0], mean))
    tf.add_to_collection(BATCH_STATS, (moving[1], variance))


def take_batch_stats():
    """Return the (moving average, batch value) pairs put aside since the last call."""
    stats = tf.get_collection_ref(BATCH_STATS)
    taken = list(stats)
    del stats[:]
    return taken


def move_averages(stats, after=()):
    """Return ops that move each average a tenth of the way to its batch value.

    They run after the ops in `after`, which makes the order of two batches defined.
    """
    with tf.control_dependencies(list(after)):
        return [moving.assign_sub((moving.read_value() - value) * (1 - DECAY))
                for moving, value in stats]


def channels_of(x):
    """Return the size of the last dimension as an int."""
    return int(x.shape[-1])


def lrelu(x, leak=0.2):
    """Return x where it is positive, else leak * x (leak above 0).

    Its gradient is the usual one, but within guided_backprop.
    """
    gradient = (tf.get_collection(LRELU_GRADIENT) or ['LeakyReluByOutput'])[-1]
    with tf.get_default_graph().gradient_override_map({'LeakyRelu': gradient}):
        return tf.nn.leaky_relu(x, leak)


@tf.RegisterGradient('LeakyReluByOutput')
def lrelu_gradient(op, grad):
    """Return lrelu's gradient from its output, which has the sign of its input.

    So lrelu's input need not be kept; and where TensorFlow fuses the convolution, bias
    and lrelu before it into one kernel there is none. 2.21 fuses them regardless and
    then complains.
    """
    return tf.raw_ops.LeakyReluGrad(gradients=grad, features=op.outputs[0],
                                    alpha=op.get_attr('alpha'))


@contextlib.contextmanager
def guided_backprop():
    """Give lrelu, where it is called within, guided backpropagation's gradient.

    Springenberg et al., 2014, section 3.4: a gradient passes where both it and the
    unit's input are positive, else 0 does. They have rectified units; a leaky one is
    treated as one: it leaks forward as ever, and nothing back.
    """
    gradients = tf.get_collection_ref(LRELU_GRADIENT)
    gradients.append('LeakyReluGuided')
    try:
        yield
    finally:
        gradients.pop()


@tf.RegisterGradient('LeakyReluGuided')
def lrelu_guided_gradient(op, grad):
    """Return the gradient where it and lrelu's output are positive, else 0."""
    passes = (grad > 0) & (op.outputs[0] > 0)
    return tf.where(passes, grad, tf.zeros_like(grad))


def concat_label(x, y):
    """Append labels [N, K] to [N, D] as columns or to [N, H, W, C] as constant maps.

    Without labels (y is None) x comes back as it is.
    """
    if y is None:
        return x
    if x.shape.ndims == 4:
        maps = tf.ones([tf.shape(x)[0], int(x.shape[1]), int(x.shape[2]), 1], x.dtype)
        y = y[:, None, None, :] * maps
    return tf.concat([x, y], axis=-1)


def make_optimizer(config, learning_rate):
    """Return the tf.train.Optimizer of --optimizer: Adam, or SGD with its momentum."""
    if config.optimizer == 'sgd':
        return tf.train.MomentumOptimizer(learning_rate, config.momentum)
    return tf.train.AdamOptimizer(learning_rate, beta1=config.beta1, beta2=config.beta2)


def draw_z(z_dist, shape, seed):
    """Draw z, float32 of `shape`, as a pure function of `seed` (two integers).

    `z_dist`: normal01 is N(0, 1), uniform_signed is U[-1, 1), uniform_unsigned U[0, 1).
    """
    if z_dist == 'normal01':
        return tf.random.stateless_normal(shape, seed)
    low = {'uniform_signed': -1.0, 'uniform_unsigned': 0.0}[z_dist]
    return tf.random.stateless_uniform(shape, seed, minval=low, maxval=1.0)
