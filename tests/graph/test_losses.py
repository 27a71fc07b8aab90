"""Losses against values worked out by hand."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graph import losses


def test_gan_losses(graph):
    real, fake = np.array([[2.0], [-1.0]], 'f'), np.array([[0.5], [-3.0]], 'f')
    with tf.Session() as sess:
        d_real, d_fake, g = sess.run(losses.gan(tf.constant(real), tf.constant(fake)))
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    assert d_real == pytest.approx(-np.log(sigmoid(real)).mean(), rel=1e-5)
    assert d_fake == pytest.approx(-np.log(1 - sigmoid(fake)).mean(), rel=1e-5)
    assert g == pytest.approx(-np.log(sigmoid(fake)).mean(), rel=1e-5)


def test_an_undecided_discriminator_loses_log_2(graph):
    zero = tf.zeros([4, 1])
    with tf.Session() as sess:
        values = sess.run(losses.gan(zero, zero))
    np.testing.assert_allclose(values, np.log(2), rtol=1e-6)


def test_losses_stay_finite_for_large_logits(graph):
    large = tf.constant([[1e4]])
    with tf.Session() as sess:
        np.testing.assert_allclose(sess.run(losses.gan(-large, large)), [1e4, 1e4, 0])
