"""Convolutions with padding SAME, each by the fastest way that was found.

Weights, [kernel, kernel, C, channels], and results are those of tf.nn.conv2d and
tf.nn.conv2d_transpose. On processors three kinds of layers of stride 2 go other ways:

- Deep ones, of few places and many channels, as matrix products over patches, where
  the processor has AVX-512: oneDNN would lay the weights out anew for each convolution,
  which there costs more than gathering the patches. With AVX2 it does not.
- Wide ones of kernel 4 by fewer products, where there is AVX2 but no AVX-512, with
  which it was not tried: see winograd.py.
- Narrow ones, which take or give images: so few channels leave most of oneDNN's
  vectors empty. The transposed convolution to an image becomes one of stride 1 with
  four times the channels.

On GPUs all are TensorFlow's own; but where XLA compiles them, within compiled(), deep
ones are products there too.

docs/performance.md has the figures.
"""

import collections
import contextlib

import tensorflow.compat.v1 as tf

from graph import winograd
from graph.hardware import has_gpu, has_instructions

FEW_PLACES, FEW_CHANNELS = 16, 4
PLAIN, COMPILED = 'plain_layers', 'compiled_layers'

# One side of a map: its size, the size of the map of patches, the padding before and
# after, and the pairs of lines after padding.
Side = collections.namedtuple('Side', 'size small before after pairs')


def conv2d(x, w, stride=2):
    """Convolve [N, H, W, C] to [N, ceil(H / stride), ceil(W / stride), channels].

    In the type of w, which may be narrower than that of x and the result.
    """
    if w.dtype != x.dtype:
        return tf.cast(conv2d(tf.cast(x, w.dtype), w, stride), x.dtype)
    strides, size = [1, stride, stride, 1], x.shape.as_list()[1:3]
    kind = kind_of_layer(size, w, stride)
    if kind == 'deep':
        return conv2d_deep(x, w)
    if kind == 'winograd':
        return winograd.conv2d(x, w)
    gradients = {'Conv2D': 'Conv2DNarrow'} if kind == 'narrow' else {}
    with tf.get_default_graph().gradient_override_map(gradients):
        return tf.nn.conv2d(x, w, strides=strides, padding='SAME')


def conv2d_transpose(x, w, size, stride=2):
    """Convolve, transposed, [N, ceil(H / stride), …, channels] to [N, H, W, C].

    `size` is (H, W). For the type see conv2d.
    """
    if w.dtype != x.dtype:
        return tf.cast(conv2d_transpose(tf.cast(x, w.dtype), w, size, stride), x.dtype)
    c, kind = int(w.shape[2]), kind_of_layer(size, w, stride)
    if kind == 'plain':
        return tf.nn.conv2d_transpose(
            x, w, tf.stack([tf.shape(x)[0], size[0], size[1], c]),
            strides=[1, stride, stride, 1], padding='SAME')
    way = {'deep': conv2d_transpose_deep, 'narrow': conv2d_transpose_narrow,
           'winograd': winograd.conv2d_transpose}[kind]
    return way(x, w, size)


def kind_of_layer(size, w, stride):
    """Return deep, winograd, narrow or plain for the layer between two maps.

    `size` is that of the larger map, `w` are the weights. Within plain() all are plain.
    """
    if stride != 2 or tf.get_collection(PLAIN):
        return 'plain'
    deep = ((size[0] + 1) // 2) * ((size[1] + 1) // 2) <= FEW_PLACES
    if has_gpu():
        return 'deep' if deep and tf.get_collection(COMPILED) else 'plain'
    avx512 = has_instructions('avx512f', unknown=False)
    avx2_alone = not avx512 and has_instructions('avx2', unknown=False)
    if deep and avx512:
        return 'deep'
    if winograd.suits(size, w) and avx2_alone:
        return 'winograd'
    return 'narrow' if int(w.shape[2]) <= FEW_CHANNELS else 'plain'


@contextlib.contextmanager
def marked(mark):
    """Let the layers built within know that they are, by a collection."""
    within = tf.get_collection_ref(mark)
    within.append(True)
    try:
        yield
    finally:
        within.pop()


def plain():
    """Let the layers built within be tf.nn's own, which other programs can read."""
    return marked(PLAIN)


def compiled():
    """Let the layers built within, or by the function it decorates, suit XLA."""
    return marked(COMPILED)


# Deep layers

def conv2d_deep(x, w):
    """Convolve with stride 2 as a product of patches and weights."""
    kernel, _, c, channels = w.shape.as_list()
    height, width = x.shape.as_list()[1:3]
    y = product(gather(x, kernel), tf.reshape(w, [kernel * kernel * c, channels]))
    return tf.reshape(y, [-1, (height + 1) // 2, (width + 1) // 2, channels])


def conv2d_transpose_deep(x, w, size):
    """Convolve, transposed, with stride 2 as a product whose rows are patches."""
    kernel, _, c, channels = w.shape.as_list()
    matrix = tf.transpose(tf.reshape(w, [kernel * kernel * c, channels]))
    return scatter(product(tf.reshape(x, [-1, channels]), matrix), kernel, size, c)


def product(rows, matrix):
    """Multiply [N, K] by [K, M]; the gradient to the matrix by the faster of two ways.

    That is the transpose of gradient^T rows; rows^T gradient takes longer in float32.
    """
    @tf.custom_gradient
    def multiply(rows, matrix):
        def gradients(grad):
            return (tf.matmul(grad, matrix, transpose_b=True),
                    tf.transpose(tf.matmul(grad, rows, transpose_a=True)))
        return tf.matmul(rows, matrix), gradients
    return multiply(rows, matrix)


def gather(x, kernel):
    """Return the patch under the kernel at each place: rows [N * h * w, k * k * C].

    A patch's numbers come in the order of the kernel's. Its gradient is scatter.
    """
    height, width, c = x.shape.as_list()[1:]

    @tf.custom_gradient
    def cut(x):
        return gather_pairs(x, kernel), lambda grad: scatter(
            grad, kernel, (height, width), c)
    return cut(x)


def scatter(rows, kernel, size, c):
    """Add the patches up where they overlap: [N, H, W, C]. Its gradient is gather."""
    @tf.custom_gradient
    def add(rows):
        return add_pairs(rows, kernel, size, c), lambda grad: gather(
            tf.reshape(grad, (-1,) + tuple(size) + (c,)), kernel)
    return add(rows)


def split_side(size, kernel):
    """Return the Side of a map: SAME padding, then up to whole pairs of lines."""
    small = (size + 1) // 2
    before = max(2 * (small - 1) + kernel - size, 0) // 2
    pairs = small + (kernel + 1) // 2 - 1
    return Side(size, small, before, 2 * pairs - size - before, pairs)


def taps(kernel):
    """Yield each line of the kernel with each pair of its columns: row, column, width.

    Both of a pair are neighbours in memory, so that they are copied as one.
    """
    for row in range(kernel):
        for column in range(0, kernel, 2):
            yield row, column, min(2, kernel - column)


def gather_pairs(x, kernel):
    """Gather by slices without strides, which TensorFlow copies far faster."""
    h, w = (split_side(size, kernel) for size in x.shape.as_list()[1:3])
    c = int(x.shape[3])
    x = tf.pad(x, [[0, 0], [h.before, h.after], [w.before, w.after], [0, 0]])
    x = tf.reshape(x, [-1, h.pairs, 2, w.pairs, 2 * c])
    cuts = [x[:, row // 2:row // 2 + h.small, row % 2,
              column // 2:column // 2 + w.small, :two * c]
            for row, column, two in taps(kernel)]
    return tf.reshape(tf.concat(cuts, -1), [-1, kernel * kernel * c])


def add_pairs(rows, kernel, size, c):
    """Add the patches up: the even lines, then the odd ones, then both together."""
    h, w = (split_side(side, kernel) for side in size)
    rows = tf.reshape(rows, [-1, h.small, w.small, kernel * kernel * c])
    lines = [[], []]
    for row, column, two in taps(kernel):
        start, above, left = (row * kernel + column) * c, row // 2, column // 2
        lines[row % 2].append(tf.pad(rows[..., start:start + two * c], [
            [0, 0], [above, h.pairs - h.small - above],
            [left, w.pairs - w.small - left], [0, (2 - two) * c]]))
    return crop(tf.stack([tf.add_n(terms) for terms in lines], axis=2), h, w, c)


def crop(x, h, w, c):
    """Join the pairs of [N, pairs, 2, pairs, 2 C] and cut the padding off."""
    x = tf.reshape(x, [-1, 2 * h.pairs, 2 * w.pairs, c])
    # tf.slice, whose gradient is a pad; that of x[...] takes far longer
    return tf.slice(x, [0, h.before, w.before, 0], [-1, h.size, w.size, -1])


# Narrow layers

def conv2d_transpose_narrow(x, w, size):
    """Convolve, transposed, with stride 2 by one of stride 1 to 4 C channels.

    Those are the four neighbours of the large map that make one place; a kernel of
    k x k becomes one of k/2 x k/2.
    """
    kernel, _, c, channels = w.shape.as_list()
    h, v = (split_side(side, kernel) for side in size)
    half = (kernel + 1) // 2
    w = tf.pad(w, [[0, kernel % 2], [0, kernel % 2], [0, 0], [0, 0]])
    w = tf.transpose(tf.reshape(w, [half, 2, half, 2, c, channels]), [0, 2, 1, 3, 4, 5])
    x = tf.nn.conv2d_transpose(
        x, tf.reshape(w, [half, half, 4 * c, channels]),
        tf.stack([tf.shape(x)[0], h.pairs, v.pairs, 4 * c]),
        strides=[1, 1, 1, 1], padding='VALID')
    x = tf.reshape(x, [-1, h.pairs, v.pairs, 2, 2 * c])
    return crop(tf.transpose(x, [0, 1, 3, 2, 4]), h, v, c)


@tf.RegisterGradient('Conv2DNarrow')
def narrow_gradient(op, grad):
    """Return conv2d's gradients, that to the image as conv2d_transpose_narrow.

    An override and not tf.custom_gradient, which would keep the convolution, the
    biases and lrelu from being fused into one kernel, where TensorFlow does that.
    """
    x, w = op.inputs
    return (conv2d_transpose_narrow(grad, w, x.shape.as_list()[1:3]),
            tf.nn.conv2d_backprop_filter(x, w.shape.as_list(), grad,
                                         op.get_attr('strides'), 'SAME'))
