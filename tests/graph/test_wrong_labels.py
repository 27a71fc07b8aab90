"""Wrong labels: what D is shown to refuse, and what it learns from it."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graph import losses, wrong_labels
from model import DCGAN

CLASSES = dict(classes=('a', 'b'), updates='alternate')


def start():
    sess = tf.Session()
    sess.run(tf.global_variables_initializer())
    return sess


def build(config):
    tf.set_random_seed(0)
    model = DCGAN(config)
    model.build_optimizers()
    return model


def feed(model, step=0):
    """Return a batch: images of the first label are bright, of the second dark."""
    c = model.config
    rng = np.random.RandomState(step)
    y = np.eye(2, dtype='f')[rng.permutation(np.arange(c.batch_size) % 2)]
    images = rng.uniform(-0.2, 0.2, (c.batch_size, c.output_height, c.output_width, 3))
    images += (y[:, 0] - y[:, 1])[:, None, None, None] * 0.7
    return {model.images: images.astype('f'), model.y: y, model.step: step}


def mixed(config, y):
    """Return which rows of mix are real images, and the labels [N, y_dim] of all."""
    ones = np.ones((len(y), 2, 2, 1), 'f')
    with tf.Session() as sess:
        images, y = sess.run(wrong_labels.mix(
            config, tf.constant(ones), tf.constant(-ones), tf.constant(y)))
    assert (images == images[:, :1, :1]).all()
    return np.flatnonzero(images[:, 0, 0, 0] > 0).tolist(), y


@pytest.mark.parametrize('share, labels, real', [
    (0.01, [0, 1, 2, 1], [0]), (0.25, [0, 1, 2, 1], [0]),
    (0.26, [0, 1, 2, 1], [0, 1]), (0.75, [0, 1, 2, 1], [0, 1, 2]),
    (0.03, [2, 2, 2, 0], [0]), (0.03, [2, 2, 0, 2], [2]),      # the first that differ
    (0.5, [2, 2, 0, 0, 2], [2, 4]), (0.999, [1, 1, 1], []), (0.999, [1], []),
    (0.15, list(range(100)), list(range(15)))])     # 0.15 * 100 > 15 in float32
def test_the_first_are_real_ones_with_the_label_before(
        graph, tiny_config, share, labels, real):
    y = np.eye(100, dtype='f')[labels]
    rows, found = mixed(tiny_config(wrong_labels=share, **CLASSES), y)
    assert rows == real
    expected = [labels[i - 1] if i in real else label for i, label in enumerate(labels)]
    assert found.argmax(1).tolist() == expected


def test_attributes_are_wrong_where_one_of_them_is(graph, tiny_config):
    y = np.float32([[1, 1], [1, -1], [1, -1]])
    rows, found = mixed(tiny_config(wrong_labels=0.999, **CLASSES), y)
    assert rows == [0, 1] and found.tolist() == [[1, -1], [1, 1], [1, -1]]


@pytest.mark.parametrize('changes', [
    {'wrong_labels': 0.0}, {'loss': 'wgan', 'penalty': 'wgan-gp'}])
def test_where_there_are_none_d_refuses_what_g_draws(graph, tiny_config, changes):
    config = tiny_config(**dict(CLASSES, **changes))
    assert wrong_labels.mix(config, 'images', 'G', 'y') == ('G', 'y')


def test_without_labels_d_refuses_what_g_draws(graph, tiny_config):
    assert wrong_labels.mix(tiny_config(), 'images', 'G', None) == ('G', None)


def test_g_is_judged_by_the_images_that_it_draws(graph, tiny_config):
    """A step's loss of G is the new D's on G's images alone, with labels asked for."""
    model = build(tiny_config(wrong_labels=0.5, augment='none', **CLASSES))
    with start() as sess:
        values = feed(model)
        images, loss, _ = sess.run([model.G, model.step_loss, model.updates], values)
        logits = sess.run(model.D_logits, {**values, model.images: images})
        expected = sess.run(losses.gan(logits, logits)[2])
    assert loss == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize('updates', ['alternate', 'together'])
def test_they_cost_no_pass_of_a_step(tiny_config, updates):
    def layers(share):
        with tf.Graph().as_default() as graph:
            model = build(tiny_config(**dict(
                CLASSES, updates=updates, wrong_labels=share)))
            assert len(model.d_stats_fake) == len(model.d_stats_real)
            return sum(op.type.startswith('Conv2D') for op in graph.get_operations())
    assert layers(0.03) == layers(0.0)


def test_d_learns_to_heed_the_label(tiny_config):
    """Of real images D comes to prefer those that have their own label."""
    def preference(share):
        with tf.Graph().as_default():
            model = build(tiny_config(
                wrong_labels=share, learning_rate=3e-3, **CLASSES))
            with start() as sess:
                for step in range(60):
                    sess.run(model.d_optim, feed(model, step))
                values = feed(model, 99)
                right = sess.run(model.D_logits, values)
                return (right - sess.run(model.D_logits, {
                    **values, model.y: values[model.y][:, ::-1]})).mean()
    with_, without = preference(0.25), preference(0.0)
    assert with_ > 1 and with_ > without + 1, (with_, without)
