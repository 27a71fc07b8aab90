"""Convolutions of kernel 4 and stride 2 by 9 products where they would take 16.

Along one side such a convolution is one of kernel 2 and stride 1 over pairs of pixels,
d[i] = (x[2 i - 1], x[2 i]), with the kernel's first two numbers as g[0] and its last
two as g[1]. Two neighbouring results then take three products, not four:

    y[0] = d[0] g[0] + d[1] g[1] = (d[0] - d[1]) g[0] + d[1] (g[0] + g[1])
    y[1] = d[1] g[0] + d[2] g[1] = (d[2] - d[1]) g[1] + d[1] (g[0] + g[1])

Along both sides a tile of 2 x 2 results takes 9 products, each of 4 C numbers with
4 C x channels ones; so all tiles of a batch are 9 products of matrices. The transposed
convolution and all gradients are the same, read backwards.

The sums around the products cost more by reading memory and by starting operations than
by adding. So all sums of a batch are one product with a small matrix of 0, 1 and -1.

Winograd, 1980, "Arithmetic complexity of computations"; Lavin and Gray, 2016, "Fast
algorithms for convolutional neural networks", whose names these are: u are what the
products take of the kernels g, v of the pairs d, and m is what they give for y.
"""

import numpy as np
import tensorflow.compat.v1 as tf

KERNEL, TILE = 4, 4     # a tile is 4 x 4 pixels of the larger map, 2 x 2 of the smaller
WIDE = 64               # channels of the larger map from which this is faster

# What the three products of a side take of the pairs d and of the kernels g. What they
# give to y is the transpose of KERNELS: m[0] + m[1] and m[1] + m[2]. Then the same for
# both sides, rows and columns.
PAIRS = np.array([[1, -1, 0], [0, 1, 0], [0, -1, 1]])
KERNELS = np.array([[1, 0], [1, 1], [0, 1]])
TO_V, TO_U = np.kron(PAIRS, PAIRS), np.kron(KERNELS, KERNELS)


def suits(size, w):
    """Tell whether a layer can be done so, and gains by it.

    `size` is that of the larger map, `w` are the weights.
    """
    kernel, _, c, _ = w.shape.as_list()
    return kernel == KERNEL and c >= WIDE and all(side % TILE == 0 for side in size)


def conv2d(x, w):
    """Convolve [N, H, W, C] to [N, H/2, W/2, channels]; H and W are multiples of 4."""
    height, width, c = x.shape.as_list()[1:]
    to_tiles, _ = larger_map(height, width, c)
    _, from_tiles = smaller_map(height, width, int(w.shape[3]))
    return from_tiles(tf.matmul(to_tiles(x), kernels(w)))


def conv2d_transpose(y, w, size):
    """Convolve, transposed, [N, H/2, W/2, channels] to [N, H, W, C]; size is (H, W)."""
    c, channels = w.shape.as_list()[2:]
    to_tiles, _ = smaller_map(*size, channels)
    _, from_tiles = larger_map(*size, c)
    return from_tiles(tf.matmul(to_tiles(y), kernels(w), transpose_b=True))


def kernels(w):
    """Return u, [9, 4 C, channels], of weights [4, 4, C, channels]."""
    c, channels = w.shape.as_list()[2:]

    def there(w):
        g = tf.transpose(tf.reshape(w, [2, 2, 2, 2 * c, channels]), [0, 2, 1, 3, 4])
        return tf.reshape(times(TO_U, g), [-1, 4 * c, channels])

    def back(u):
        g = tf.reshape(times(TO_U.T, u), [2, 2, 2, 2 * c, channels])
        return tf.reshape(tf.transpose(g, [0, 2, 1, 3, 4]), w.shape)

    # A tensor, as tf.custom_gradient takes no variables
    return transposes(there, back)[0](tf.convert_to_tensor(w))


def smaller_map(height, width, channels):
    """Return two functions: from the smaller map to its tiles, and from them to it.

    The map is y, [N, H/2, W/2, channels], the tiles are m, [9, tiles, channels].
    """
    rows, columns = height // TILE, width // TILE

    def to_tiles(y):
        y = tf.reshape(y, [-1, rows, 2, columns, 2, channels])
        return tf.reshape(times(TO_U, tf.transpose(y, [2, 4, 0, 1, 3, 5])),
                          [9, -1, channels])

    def from_tiles(m):
        y = tf.reshape(times(TO_U.T, m), [2, 2, -1, rows, columns, channels])
        return tf.reshape(tf.transpose(y, [2, 3, 0, 4, 1, 5]),
                          [-1, height // 2, width // 2, channels])

    return transposes(to_tiles, from_tiles)


def larger_map(height, width, c):
    """Return two functions: from the larger map to its tiles, and from them to it.

    The map is x, [N, H, W, C], the tiles are v, [9, tiles, 4 C]. A tile takes three
    pairs d a side, the third of which is the first of the next tile: from_tiles adds
    where they overlap. A number that is not finite spreads there to other images, as
    0 times it is NaN.
    """
    pixels = height * width
    taken = pixels_of_tiles(height, width)
    places, size = places_of_pixels(taken, pixels), taken.shape[1]

    def to_tiles(x):
        x = tf.reshape(x, [-1, c])
        n = tf.shape(x)[0] // pixels
        d = take(tf.pad(x, [[1, 0], [0, 0]]), 1, taken, pixels, n)
        return tf.reshape(times(TO_V, d), [9, -1, 4 * c])

    def from_tiles(v):
        n = tf.shape(v)[1] * 4 // size
        d = tf.reshape(times(np.pad(TO_V.T, [[1, 0], [0, 0]]), v), [-1, c])
        x = take(d, n * size, places, size, n)
        return tf.reshape(tf.add_n(tf.unstack(x)), [-1, height, width, c])

    return transposes(to_tiles, from_tiles)


def pixels_of_tiles(height, width):
    """Return the numbers of the pixels that the tiles of an image take; -1 is outside.

    [9, tiles * 4]: a tile takes 3 x 3 pieces of 2 x 2 pixels; the first piece of all
    tiles, then the second.
    """
    def lines(size):
        pair, tile, pixel = np.ogrid[:3, :size // TILE, :2]
        return TILE * tile + 2 * pair + pixel - 1
    row = lines(height)[:, None, :, None, :, None]
    column = lines(width)[None, :, None, :, None, :]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return np.where(inside, row * width + column, -1).reshape(9, -1)


def places_of_pixels(taken, pixels):
    """Return the places in a table at which each pixel stands; -1 for none.

    [4, pixels]: one in the corner of four tiles stands there four times.
    """
    order = np.argsort(taken, axis=None, kind='stable')
    numbers = taken.flat[order]
    again = np.arange(len(numbers)) - np.searchsorted(numbers, numbers)
    known = numbers >= 0
    places = np.full([4, pixels], -1)
    places[again[known], numbers[known]] = order[known]
    return places


# --- linear functions --------------------------------------------------------

def take(x, before, table, size, n):
    """Gather rows of x by a table of their numbers: [first, n, second, C].

    x has `before` rows that begin with one of zeros, then groups of n images of `size`
    rows. The number k in the table, [first, second], means row k % size of each image
    in the group k // size; -1 means the zeros.
    """
    known = (table >= 0)[:, None].astype(np.int32)      # times 0: the row of zeros
    group, row = np.divmod(table[:, None].astype(np.int32), size)
    numbers = known * (before + group * (n * size) + row)       # in the first image
    return tf.gather(x, numbers + known * size * tf.range(n)[:, None])


def times(matrix, x):
    """Multiply a matrix by x, whose first dimensions make as many rows as needed."""
    return tf.matmul(tf.constant(matrix, x.dtype),
                     tf.reshape(x, [matrix.shape[1], -1]))


def transposes(there, back):
    """Return two linear functions, each of which is the other's gradient."""
    def first(x):
        return tf.custom_gradient(lambda x: (there(x), second))(x)

    def second(y):
        return tf.custom_gradient(lambda y: (back(y), first))(y)
    return first, second
