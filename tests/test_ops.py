"""The layers, against NumPy and by their variables."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import ops


def evaluate(*tensors, feed=None):
    """Return the values of tensors, and of variables given by their names."""
    variables = {v.op.name: v for v in tf.global_variables()}
    tensors = [variables.get(t, t) if isinstance(t, str) else t for t in tensors]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        return sess.run(tensors, feed)


def test_variables_are_resource_variables(graph):
    ops.linear(tf.zeros([2, 3]), 4)
    assert all(v.handle.dtype == tf.resource for v in tf.global_variables())


@pytest.mark.parametrize('height, width', [(8, 8), (7, 10), (5, 3), (1, 2)])
def test_conv2d_halves_rounding_up(graph, height, width):
    y = ops.conv2d(tf.zeros([2, height, width, 3]), 6, 4, name='c')
    assert y.shape.as_list() == [2, (height + 1) // 2, (width + 1) // 2, 6]
    assert {v.name: v.shape.as_list() for v in tf.global_variables()} == {
        'c/w:0': [4, 4, 3, 6], 'c/biases:0': [6]}


def test_conv2d_is_the_sum_over_the_window(graph):
    x = np.random.RandomState(0).randn(1, 4, 4, 2).astype('f')
    y = ops.conv2d(tf.constant(x), 1, 4, name='c')
    w, got = evaluate('c/w', y)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for i in range(2):
        for j in range(2):
            window = padded[0, 2 * i:2 * i + 4, 2 * j:2 * j + 4]
            expected = (window * w[..., 0]).sum()
            assert got[0, i, j, 0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize('size', [(8, 8), (7, 9), (33, 47)])
def test_deconv2d_is_the_transpose_of_conv2d(graph, size):
    rng = np.random.RandomState(0)
    small = tuple((s + 1) // 2 for s in size)
    a, b = rng.randn(2, *small, 3).astype('f'), rng.randn(2, *size, 5).astype('f')
    up = ops.deconv2d(tf.constant(a), size + (5,), 4, name='d')
    w = graph.get_tensor_by_name('d/w/Read/ReadVariableOp:0')
    down = tf.nn.conv2d(tf.constant(b), w, strides=[1, 2, 2, 1], padding='SAME')
    up, down = evaluate(up, down)
    assert up.shape == (2,) + size + (5,)
    # <W^T a, b> = <a, W b>
    assert (up * b).sum() == pytest.approx((a * down).sum(), rel=1e-4)


def test_deconv2d_keeps_the_batch_dimension_dynamic(graph):
    x = tf.placeholder(tf.float32, [None, 4, 4, 3])
    y = ops.deconv2d(x, (8, 8, 5), 5, name='d')
    assert y.shape.as_list() == [None, 8, 8, 5]
    assert evaluate(y, feed={x: np.zeros((3, 4, 4, 3))})[0].shape == (3, 8, 8, 5)
    assert {v.name: v.shape.as_list() for v in tf.global_variables()} == {
        'd/w:0': [5, 5, 5, 3], 'd/biases:0': [5]}


def test_linear_multiplies_and_adds(graph):
    x = np.array([[1., 2.], [3., 4.]], 'f')
    y, matrix, bias = evaluate(ops.linear(tf.constant(x), 3, name='l'), 'l/Matrix',
                               'l/bias')
    np.testing.assert_allclose(y, x @ matrix + bias, atol=1e-6)
    assert (bias == 0).all()


def test_weights_start_with_a_deviation_of_two_hundredths(graph):
    ops.deconv2d(tf.zeros([1, 2, 2, 64]), (4, 4, 64), 5, name='d')
    ops.linear(tf.zeros([1, 100]), 500, name='l')
    ops.conv2d(tf.zeros([1, 4, 4, 64]), 64, 5, name='c')
    d, m, c = evaluate('d/w', 'l/Matrix', 'c/w')
    assert 0.0195 < d.std() < 0.0205
    assert 0.0195 < m.std() < 0.0205
    assert 0.0170 < c.std() < 0.0182        # cut off at two deviations
    assert np.abs(c).max() <= 0.04


def test_batch_norm_in_training_uses_the_batch_and_moves_nothing(graph):
    x = np.random.RandomState(0).randn(6, 3, 3, 2).astype('f') * 3 + 5
    y = ops.batch_norm(tf.constant(x), True, 'b')
    y, gamma, beta, mean = evaluate(y, 'b/gamma', 'b/beta', 'b/moving_mean')
    normal = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5)
    np.testing.assert_allclose(y, normal * gamma + beta, atol=1e-4)
    assert (mean == 0).all()
    assert 0.9 < gamma.min() <= gamma.max() < 1.1
    assert len(ops.take_batch_stats()) == 2
    assert ops.take_batch_stats() == []


def test_batch_norm_in_sampling_uses_the_moving_averages(graph):
    x = np.random.RandomState(0).randn(2, 3, 3, 2).astype('f')
    y = ops.batch_norm(tf.constant(x), False, 'b')
    assert ops.take_batch_stats() == []
    y, gamma = evaluate(y, 'b/gamma')
    np.testing.assert_allclose(y, x / np.sqrt(1 + 1e-5) * gamma, atol=1e-5)


def test_moving_averages_take_two_batches_in_order(graph):
    moving = tf.get_variable('m', [1], initializer=tf.zeros_initializer())
    first = ops.move_averages([(moving, tf.constant([10.0]))])
    second = ops.move_averages([(moving, tf.constant([20.0]))], after=first)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(second)
        assert sess.run(moving)[0] == pytest.approx(0.9 * (0.1 * 10) + 0.1 * 20)


def test_lrelu(graph):
    x = tf.constant([-2.0, 0.0, 3.0])
    y = ops.lrelu(x)
    slope, = tf.gradients(y, x)
    usual, = tf.gradients(tf.nn.leaky_relu(x), x)
    y, slope, usual = evaluate(y, slope, usual)
    np.testing.assert_allclose(y, [-0.4, 0, 3])
    np.testing.assert_allclose(slope, [0.2, usual[1], 1])


def test_lrelu_has_a_second_gradient(graph):
    x = tf.constant([-2.0, 3.0])
    slope, = tf.gradients(ops.lrelu(x) * x, x)
    second, = tf.gradients(slope, x)
    np.testing.assert_allclose(evaluate(second)[0], [0.4, 2])


def test_concat_label(graph):
    y = np.array([[1, 0], [0, 1]], 'f')
    flat, maps = evaluate(ops.concat_label(tf.zeros([2, 3]), tf.constant(y)),
                          ops.concat_label(tf.zeros([2, 4, 5, 3]), tf.constant(y)))
    assert flat.shape == (2, 5)
    np.testing.assert_array_equal(flat[:, 3:], y)
    assert maps.shape == (2, 4, 5, 5)
    np.testing.assert_array_equal(maps[:, 1, 2, 3:], y)
    np.testing.assert_array_equal(maps.std((1, 2)), 0)
    x = tf.zeros([2, 3])
    assert ops.concat_label(x, None) is x


@pytest.mark.parametrize('z_dist, low, high, mean, deviation', [
    ('normal01', -6, 6, 0, 1), ('uniform_signed', -1, 1, 0, 1 / np.sqrt(3)),
    ('uniform_unsigned', 0, 1, 0.5, 1 / np.sqrt(12))])
def test_draw_z(graph, z_dist, low, high, mean, deviation):
    a, again, b = evaluate(*(ops.draw_z(z_dist, [1000, 100], [7, key])
                             for key in (1, 1, 2)))
    assert low <= a.min() < a.max() <= high
    assert a.mean() == pytest.approx(mean, abs=0.02)
    assert a.std() == pytest.approx(deviation, rel=0.02)
    np.testing.assert_array_equal(a, again)
    assert (a != b).mean() > 0.99
