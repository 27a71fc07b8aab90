"""Every way to convolve, against TensorFlow's own."""

import flops
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graph import convolution, hardware, winograd

CASES = [(3, (5, 3)), (4, (8, 8)), (4, (7, 10)), (4, (1, 2)), (5, (7, 10)), (5, (5, 3))]


def evaluate(tensors):
    """Return the values of tensors."""
    with tf.Session() as sess:
        return sess.run(tensors)


def plain(monkeypatch, function, *arguments):
    """Call a function of convolution as if there were a GPU: TensorFlow's own way."""
    with monkeypatch.context() as patch:
        patch.setattr(convolution, 'has_gpu', lambda: True)
        return function(*arguments)


def draw(*shape):
    """Return a constant of random numbers."""
    return tf.constant(np.random.RandomState(len(shape)).randn(*shape).astype('f'))


def small(size):
    """Return the size of the halved map."""
    return tuple((side + 1) // 2 for side in size)


def weights(kernel, c):
    """Return a placeholder for weights of c channels, which nothing computes."""
    return tf.placeholder(tf.float32, [kernel, kernel, c, 2 * c])


def derivatives(y, x, w):
    """Return y, its gradients, and the gradients of a gradient penalty."""
    first = tf.gradients(tf.reduce_sum(tf.sin(y)), [x, w])
    return [y] + first + tf.gradients(tf.reduce_sum(tf.square(first[0])), [x, w])


@pytest.mark.parametrize('kernel, size', CASES)
@pytest.mark.parametrize('way', ['deep', 'narrow', 'plain'])
def test_conv2d_and_its_gradients(graph, monkeypatch, size, kernel, way):
    x, w = draw(2, *size, 3), draw(kernel, kernel, 3, 6)
    monkeypatch.setattr(convolution, 'kind_of_layer', lambda *arguments: way)
    got = derivatives(convolution.conv2d(x, w), x, w)
    expected = derivatives(tf.nn.conv2d(x, w, strides=[1, 2, 2, 1], padding='SAME'),
                           x, w)
    assert got[0].shape.as_list() == expected[0].shape.as_list()
    for a, b in zip(*evaluate([got, expected])):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3 * np.abs(b).max())


@pytest.mark.parametrize('kernel, size', CASES)
@pytest.mark.parametrize('way', ['deep', 'narrow', 'plain'])
def test_conv2d_transpose_and_its_gradients(graph, monkeypatch, size, kernel, way):
    x, w = draw(2, *small(size), 6), draw(kernel, kernel, 3, 6)
    monkeypatch.setattr(convolution, 'kind_of_layer', lambda *arguments: way)
    got = derivatives(convolution.conv2d_transpose(x, w, size), x, w)
    expected = derivatives(tf.nn.conv2d_transpose(
        x, w, (2,) + size + (3,), strides=[1, 2, 2, 1], padding='SAME'), x, w)
    for a, b in zip(*evaluate([got, expected])):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3 * np.abs(b).max())


@pytest.mark.parametrize('size', [(8, 8), (4, 4), (4, 12), (20, 8)])
@pytest.mark.parametrize('dtype', [tf.float32, tf.float64])
def test_winograd_and_its_gradients(graph, size, dtype):
    w = tf.get_variable('w', initializer=tf.cast(draw(4, 4, 3, 6), dtype))
    x, y = (tf.placeholder_with_default(
        tf.cast(draw(2, *shape), dtype), (None,) + shape)
        for shape in (size + (3,), small(size) + (6,)))
    strides = dict(strides=[1, 2, 2, 1], padding='SAME')
    got = derivatives(winograd.conv2d(x, w), x, w) + derivatives(
        winograd.conv2d_transpose(y, w, size), y, w)
    expected = derivatives(tf.nn.conv2d(x, w, **strides), x, w) + derivatives(
        tf.nn.conv2d_transpose(y, w, (2,) + size + (3,), **strides), y, w)
    near = 1e-4 if dtype == tf.float32 else 1e-12
    with tf.Session() as sess:
        sess.run(w.initializer)
        values = sess.run([got, expected])
    for a, b in zip(*values):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=near, atol=near * np.abs(b).max())


@pytest.mark.parametrize('way, shape', [('conv2d', (4, 8, 3)),
                                        ('conv2d_transpose', (2, 4, 6))])
def test_winograd_takes_batches_of_any_size(graph, way, shape):
    w, size = draw(4, 4, 3, 6), [(4, 8)] if way == 'conv2d_transpose' else []
    maps = tf.placeholder(tf.float32, (None,) + shape)
    y = getattr(winograd, way)(maps, w, *size)
    values = np.random.RandomState(0).randn(5, *shape).astype('f')
    with tf.Session() as sess:
        five, three, none = (sess.run(y, {maps: values[:n]}) for n in (5, 3, 0))
    np.testing.assert_allclose(three, five[:3], rtol=1e-5, atol=1e-6)
    assert none.shape == (0,) + five.shape[1:]


@pytest.mark.parametrize('size, c, stride, kind', [
    ((8, 8), 256, 2, 'deep'), ((7, 7), 128, 2, 'deep'), ((16, 16), 128, 2, 'plain'),
    ((64, 64), 3, 2, 'narrow'), ((28, 28), 1, 2, 'narrow'), ((64, 64), 5, 2, 'plain'),
    ((8, 8), 256, 1, 'plain')])
def test_the_kinds_of_layers(graph, monkeypatch, size, c, stride, kind):
    w = weights(4, c)
    monkeypatch.setattr(convolution, 'has_gpu', lambda: False)
    monkeypatch.setattr(convolution, 'has_instructions', lambda *kinds, **more: True)
    assert convolution.kind_of_layer(size, w, stride) == kind
    with convolution.plain():
        assert convolution.kind_of_layer(size, w, stride) == 'plain'
    assert convolution.kind_of_layer(size, w, stride) == kind
    monkeypatch.setattr(convolution, 'has_gpu', lambda: True)
    assert convolution.kind_of_layer(size, w, stride) == 'plain'
    with convolution.compiled():        # by XLA
        assert convolution.kind_of_layer(size, w, stride) == (
            'deep' if kind == 'deep' else 'plain')


@pytest.mark.parametrize('kernel, size, c, kind', [
    (4, (8, 8), 64, 'winograd'), (4, (64, 4), 66, 'winograd'), (4, (8, 8), 32, 'plain'),
    (5, (8, 8), 64, 'plain'), (4, (8, 10), 64, 'plain'), (4, (6, 8), 64, 'plain'),
    (4, (64, 64), 3, 'narrow')])
def test_the_layers_for_winograd(graph, monkeypatch, kernel, size, c, kind):
    monkeypatch.setattr(convolution, 'has_gpu', lambda: False)
    monkeypatch.setattr(convolution, 'has_instructions',
                        lambda kinds, unknown: kinds == 'avx2')
    w = weights(kernel, c)
    assert convolution.kind_of_layer(size, w, 2) == kind
    with convolution.plain():
        assert convolution.kind_of_layer(size, w, 2) == 'plain'


@pytest.mark.parametrize('flags, kind', [
    ('sse', 'plain'), ('sse avx2', 'winograd'), ('avx2 avx512f', 'deep'),
    (None, 'plain')])
def test_the_processor_decides(graph, tmp_path, monkeypatch, flags, kind):
    monkeypatch.setattr(convolution, 'has_gpu', lambda: False)
    monkeypatch.setattr(hardware, 'CPUINFO', str(tmp_path / 'cpuinfo'))
    if flags:
        (tmp_path / 'cpuinfo').write_text('flags\t: %s\n' % flags)
    assert convolution.kind_of_layer((8, 8), weights(4, 256), 2) == kind


@pytest.mark.parametrize('size', [(8, 8), (16, 16), (64, 64)])
def test_the_batch_may_have_any_size(graph, size):
    x = tf.placeholder(tf.float32, [None, *size, 3])
    y = convolution.conv2d(x, draw(4, 4, 3, 6))
    back = convolution.conv2d_transpose(y, draw(4, 4, 3, 6), size)
    gradient, = tf.gradients(back, x)
    assert y.shape.as_list() == [None, *small(size), 6]
    with tf.Session() as sess:
        for batch in (1, 3):
            shapes = sess.run([tf.shape(back), tf.shape(gradient)],
                              {x: np.zeros((batch, *size, 3))})
            assert [list(s) for s in shapes] == [[batch, *size, 3]] * 2


def test_the_narrow_way_costs_no_more_flops_than_the_plain_one(graph, monkeypatch):
    x, w = draw(2, 32, 32, 64), draw(4, 4, 3, 64)
    ways = [convolution.conv2d_transpose(x, w, (64, 64)), plain(
        monkeypatch, convolution.conv2d_transpose, x, w, (64, 64))]
    with tf.Session() as sess:
        assert len({flops.count(sess, [way], None) for way in ways}) == 1
