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


def feed(model, step=0):
    """Return a batch: images of the first label are bright, of the second dark."""
    c = model.config
    rng = np.random.RandomState(step)
    y = np.eye(2, dtype='f')[rng.permutation(np.arange(c.batch_size) % 2)]
    images = rng.uniform(-0.2, 0.2, (c.batch_size, c.output_height, c.output_width, 3))
    images += (y[:, 0] - y[:, 1])[:, None, None, None] * 0.7
    return {model.images: images.astype('f'), model.y: y, model.step: step}


def of(labels, share):
    """Return mix's images and labels: real images are 1, generated ones are -1."""
    y = np.eye(3, dtype='f')[list(labels)]
    ones = np.ones((len(y), 2, 2, 1), 'f')
    with tf.Session() as sess:
        images, y = sess.run(wrong_labels.mix(
            tf.constant(ones), tf.constant(-ones), tf.constant(y), share))
    assert (images == images[:, :1, :1]).all()
    return images[:, 0, 0, 0].tolist(), y.argmax(1).tolist()


@pytest.mark.parametrize('share, real', [
    (0.0, 0), (0.1, 1), (0.25, 1), (0.26, 2), (0.5, 2), (0.75, 3)])
def test_the_first_are_real_ones_with_the_label_before(graph, share, real):
    images, labels = of([0, 1, 2, 1], share)
    assert images == [1] * real + [-1] * (4 - real)
    assert labels == [1, 0, 1, 2][:real] + [0, 1, 2, 1][real:]


def test_a_label_that_is_the_same_stays_with_a_generated_image(graph):
    assert of([2, 2, 0, 0, 2], 0.999) == ([-1, -1, 1, -1, 1], [2, 2, 2, 0, 0])


def test_attributes_are_wrong_where_one_of_them_is(graph):
    y = np.float32([[1, 1], [1, -1], [1, -1]])
    with tf.Session() as sess:
        images, y = sess.run(wrong_labels.mix(
            tf.ones([3, 2, 2, 1]), -tf.ones([3, 2, 2, 1]), tf.constant(y), 0.999))
    assert images[:, 0, 0, 0].tolist() == [1, 1, -1]
    assert y.tolist() == [[1, -1], [1, 1], [1, -1]]


@pytest.mark.parametrize('updates', ['alternate', 'together'])
def test_g_is_judged_by_its_own_images_alone(graph, tiny_config, updates):
    model = DCGAN(tiny_config(**dict(CLASSES, updates=updates, wrong_labels=0.5)))
    with start() as sess:
        real, refused, fake, d_loss, g_loss, right = sess.run(
            [model.D_logits, model.refused, model.D_logits_, model.d_loss_fake,
             model.g_loss, model.d_acc_fake], feed(model))
        expected = sess.run([losses.gan(real, refused)[1], losses.gan(real, fake)[2]])
    assert not np.allclose(refused, fake)
    np.testing.assert_allclose([d_loss, g_loss], expected, rtol=1e-6)
    assert right == pytest.approx((refused <= 0).mean())


@pytest.mark.parametrize('changes', [{'wrong_labels': 0.0}, {'classes': ()}])
def test_without_them_or_without_labels_d_refuses_what_g_draws(
        graph, tiny_config, changes):
    model = DCGAN(tiny_config(**dict(CLASSES, **changes)))
    assert model.refused is model.D_logits_


def test_they_cost_no_pass_of_a_step(graph, tiny_config):
    """D's answers to G's images alone are asked for by none of a step's ops."""
    model = DCGAN(tiny_config(**CLASSES))
    model.build_optimizers()
    seen, left = set(), list(tf.nest.flatten(model.updates))
    while left:
        op = left.pop()
        if op not in seen:
            seen.add(op)
            left += [t.op for t in op.inputs] + list(op.control_inputs)
    assert model.refused.op in seen and model.D_logits_.op not in seen


def test_d_learns_to_heed_the_label(tiny_config):
    """Of real images D comes to prefer those that have their own label."""
    def preference(share):
        with tf.Graph().as_default():
            tf.set_random_seed(0)
            model = DCGAN(tiny_config(
                wrong_labels=share, learning_rate=3e-3, **CLASSES))
            model.build_optimizers()
            with start() as sess:
                for step in range(60):
                    sess.run(model.d_optim, feed(model, step))
                values = feed(model, 99)
                right = sess.run(model.D_logits, values)
                return (right - sess.run(model.D_logits, {
                    **values, model.y: values[model.y][:, ::-1]})).mean()
    with_, without = preference(0.25), preference(0.0)
    assert with_ > 1 and with_ > without + 1, (with_, without)
