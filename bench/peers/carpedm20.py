"""carpedm20's training step on today's TensorFlow, written from its description.

D's update; G's update twice on the same z; then d_loss_fake, d_loss_real and g_loss
each by itself, only to print them: six runs, 22 passes. Kernel 5, batch 64, reference
variables, batch norm that moves its averages in place, lrelu as a maximum. Reading of
image files is left out (carpedm20_learn.py has it), and so are the summaries.
"""

import os
import pathlib
import sys
import types

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from utils import tensorflow_environment

os.environ.update(tensorflow_environment())

import numpy as np
import tensorflow.compat.v1 as tf

from bench import turns

BATCH, Z, WIDTH = 64, 100, 64


def weights(name, shape, start=0.0):
    """Return a variable: normal with deviation 0.02 around `start`, or all `start`."""
    if len(shape) > 1:
        return tf.get_variable(name, shape,
                               initializer=tf.random_normal_initializer(start, 0.02))
    return tf.get_variable(name, shape, initializer=tf.constant_initializer(start))


def average(name, size, start):
    """Return a variable that is not trained."""
    return tf.get_variable(name, [size], trainable=False,
                           initializer=tf.constant_initializer(start))


def batch_norm(x, name, train=True):
    """Normalise by the batch, and move the averages before the result is used.

    Without `train`, normalise by the averages.
    """
    with tf.variable_scope(name):
        size = int(x.shape[-1])
        beta, gamma = weights('beta', [size]), weights('gamma', [size], 1.0)
        moving = [average('moving_mean', size, 0.0),
                  average('moving_variance', size, 1.0)]
        if not train:
            return tf.nn.fused_batch_norm(x, gamma, beta, *moving, epsilon=1e-5,
                                          is_training=False)[0]
        x, mean, variance = tf.nn.fused_batch_norm(x, gamma, beta, epsilon=1e-5)
        updates = [tf.assign_sub(m, (m - value) * 0.1)
                   for m, value in zip(moving, (mean, variance))]
        with tf.control_dependencies(updates):
            return tf.identity(x)


def linear(x, size, name):
    """Multiply by a matrix and add a bias."""
    with tf.variable_scope(name):
        return tf.matmul(x, weights('Matrix', [int(x.shape[-1]), size])
                         ) + weights('bias', [size])


def generator(z, train=True):
    """Return images [64, 64, 64, 3].

    Without `train` by the weights of an earlier call, and by the moving averages.
    """
    with tf.variable_scope('generator', reuse=not train):
        h = tf.reshape(linear(z, 16 * WIDTH * 8, 'g_h0_lin'), [BATCH, 4, 4, WIDTH * 8])
        for i, channels in enumerate((WIDTH * 4, WIDTH * 2, WIDTH, 3), 1):
            h = tf.nn.relu(batch_norm(h, 'g_bn%d' % (i - 1), train))
            with tf.variable_scope('g_h%d' % i):
                w = weights('w', [5, 5, channels, int(h.shape[-1])])
                side = 4 * 2 ** i
                h = tf.nn.conv2d_transpose(h, w, [BATCH, side, side, channels],
                                           [1, 2, 2, 1])
                h = tf.nn.bias_add(h, weights('biases', [channels]))
        return tf.nn.tanh(h)


def discriminator(h, reuse):
    """Return logits [64, 1]."""
    with tf.variable_scope('discriminator', reuse=reuse):
        for i, channels in enumerate((WIDTH, WIDTH * 2, WIDTH * 4, WIDTH * 8)):
            with tf.variable_scope('d_h%d_conv' % i):
                w = weights('w', [5, 5, int(h.shape[-1]), channels])
                h = tf.nn.conv2d(h, w, [1, 2, 2, 1], 'SAME')
                h = tf.nn.bias_add(h, weights('biases', [channels]))
            if i:
                h = batch_norm(h, 'd_bn%d' % i)
            h = tf.maximum(h, 0.2 * h)
        return linear(tf.reshape(h, [BATCH, -1]), 1, 'd_h4_lin')


def cross_entropy(logits, label):
    """Return the mean loss of logits against one label."""
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(
        logits=logits, labels=tf.fill(tf.shape(logits), label)))


def minimize(loss, scope):
    """Return the Adam update of the variables of a scope."""
    return tf.train.AdamOptimizer(2e-4, beta1=0.5).minimize(
        loss, var_list=tf.trainable_variables(scope))


def build():
    """Return the graph's ends: images, z, sampler, the updates and the losses."""
    images = tf.placeholder(tf.float32, [BATCH, 64, 64, 3])
    z = tf.placeholder(tf.float32, [BATCH, Z])
    G = generator(z)
    D_logits, D_logits_ = discriminator(images, False), discriminator(G, True)
    d_loss_real = cross_entropy(D_logits, 1.0)
    d_loss_fake = cross_entropy(D_logits_, 0.0)
    g_loss = cross_entropy(D_logits_, 1.0)
    d_optim = minimize(d_loss_real + d_loss_fake, 'discriminator')
    g_optim = minimize(g_loss, 'generator')
    return types.SimpleNamespace(
        images=images, z=z, sampler=generator(z, train=False), d_optim=d_optim,
        g_optim=g_optim, d_loss_real=d_loss_real, d_loss_fake=d_loss_fake,
        g_loss=g_loss)


def step(sess, net, batch, noise):
    """Take one of his steps: six runs."""
    sess.run(net.d_optim, {net.images: batch, net.z: noise})
    sess.run(net.g_optim, {net.z: noise})
    sess.run(net.g_optim, {net.z: noise})
    sess.run(net.d_loss_fake, {net.z: noise})
    sess.run(net.d_loss_real, {net.images: batch})
    sess.run(net.g_loss, {net.z: noise})


def main():
    """Serve his training steps on random images."""
    out = turns.keep_stdout()
    tf.disable_v2_behavior()
    net = build()
    data = np.random.default_rng(0).uniform(-1, 1, (512, 64, 64, 3)).astype('f')
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())

        def run(steps):
            for _ in range(steps):
                batch = data[np.random.randint(0, len(data), BATCH)]
                noise = np.random.uniform(-1, 1, (BATCH, Z)).astype('f')
                step(sess, net, batch, noise)
        turns.serve(run, BATCH, out, warm_up=3, passes=22)


if __name__ == '__main__':
    main()
