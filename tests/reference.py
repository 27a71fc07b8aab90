"""carpedm20's network worked out in NumPy, and a checkpoint as his code writes it."""

import numpy as np
import tensorflow.compat.v1 as tf


def variable_shapes(dim, z_dim=100, kernel=5, base=4):
    """Return {name: shape} of his 64 x 64 x 3 model with gf_dim = df_dim = dim."""
    g, d = [8 * dim, 4 * dim, 2 * dim, dim, 3], [3, dim, 2 * dim, 4 * dim, 8 * dim]
    units = base * base * g[0]
    shapes = {'generator/g_h0_lin/Matrix': [z_dim, units],
              'generator/g_h0_lin/bias': [units],
              'discriminator/d_h4_lin/Matrix': [units, 1],
              'discriminator/d_h4_lin/bias': [1]}
    for i in range(4):
        shapes['generator/g_h%d/w' % (i + 1)] = [kernel, kernel, g[i + 1], g[i]]
        shapes['generator/g_h%d/biases' % (i + 1)] = [g[i + 1]]
        shapes['discriminator/d_h%d_conv/w' % i] = [kernel, kernel, d[i], d[i + 1]]
        shapes['discriminator/d_h%d_conv/biases' % i] = [d[i + 1]]
        for name in ('beta', 'gamma', 'moving_mean', 'moving_variance'):
            shapes['generator/g_bn%d/%s' % (i, name)] = [g[i]]
            if i:
                shapes['discriminator/d_bn%d/%s' % (i, name)] = [d[i + 1]]
    return shapes


def random_values(shapes, seed=0):
    """Return a value for each variable, of the size that training gives them."""
    rng = np.random.RandomState(seed)
    values = {}
    for name, shape in sorted(shapes.items()):
        noise = rng.randn(*shape)
        if name.endswith(('gamma', 'moving_variance')):
            value = np.abs(1 + 0.2 * noise)
        else:
            value = noise * (0.2 if len(shape) == 1 else 0.05)
        values[name] = value.astype('f')
    return values


def write_checkpoint(folder, values, step=1002):
    """Write model variables alone by bare get_variable and Saver, as his code does."""
    with tf.Graph().as_default():
        variables = [tf.get_variable(name, initializer=tf.constant(value),
                                     use_resource=False)
                     for name, value in values.items()]
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            return tf.train.Saver(variables).save(
                sess, folder + '/DCGAN.model', global_step=step)


def deconv(x, w, b):
    """Return tf.nn.conv2d_transpose(x, w), SAME, stride 2, to twice the size, + b."""
    n, height, width, _ = x.shape
    kernel = w.shape[0]
    full = np.zeros((n, 2 * height + kernel - 2, 2 * width + kernel - 2, w.shape[2]))
    for i in range(kernel):
        for j in range(kernel):
            full[:, i:i + 2 * height:2, j:j + 2 * width:2] += x @ w[i, j].T
    before = (kernel - 2) // 2
    return full[:, before:before + 2 * height, before:before + 2 * width] + b


def sampler(values, z):
    """Return the images [N, 64, 64, 3] that his sampler draws from z."""
    v = {k.split('/', 1)[1]: np.float64(x) for k, x in values.items()}
    h = z @ v['g_h0_lin/Matrix'] + v['g_h0_lin/bias']
    h = h.reshape(len(z), 4, 4, -1)
    for i in range(4):
        mean, var = v['g_bn%d/moving_mean' % i], v['g_bn%d/moving_variance' % i]
        h = (h - mean) / np.sqrt(var + 1e-5) * v['g_bn%d/gamma' % i]
        h = np.maximum(h + v['g_bn%d/beta' % i], 0)
        h = deconv(h, v['g_h%d/w' % (i + 1)], v['g_h%d/biases' % (i + 1)])
    return np.tanh(h)
