"""Convolutions of kernel 4 and stride 2 by 9 products where they would take 16.

Along one side such a convolution is one of kernel 2 and stride 1 over pairs of pixels,
d[i] = (x[2 i - 1], x[2 i]), with the kernel's first two numbers as g[0] and its last
two as g[1]. Two neighbouring results then take three products, not four:

    y[0] = d[0] g[0] + d[1] g[1] = (d[0] - d[1]) g[0] + d[1] (g[0] + g[1])
    y[1] = d[1] g[0] + d[2] g[1] = (d[2] - d[1]) g[1] + d[1] (g[0] + g[1])

Along both sides a tile of 2 x 2 results takes 9 products, each of 4 C numbers with
4 C x channels ones; so all tiles of a batch are 9 products of matrices. The transposed
convolution and all gradients are the same, read backwards.

Winograd, 1980, "Arithmetic complexity of computations"; Lavin and Gray, 2016, "Fast
algorithms for convolutional neural networks", whose names these are: u are what the
products take of the kernels g, v of the pairs d, and m is what they give for y.
"""

import tensorflow.compat.v1 as tf

KERNEL, TILE = 4, 4     # a tile is 4 x 4 pixels of the larger map, 2 x 2 of the smaller
WIDE = 64               # channels of the larger map from which this is faster


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
    return from_tiles(*[tf.matmul(v, u) for v, u in zip(to_tiles(x), kernels(w))])


def conv2d_transpose(y, w, size):
    """Convolve, transposed, [N, H/2, W/2, channels] to [N, H, W, C]; size is (H, W)."""
    c, channels = w.shape.as_list()[2:]
    to_tiles, _ = smaller_map(*size, channels)
    _, from_tiles = larger_map(*size, c)
    return from_tiles(*[tf.matmul(m, u, transpose_b=True)
                        for m, u in zip(to_tiles(y), kernels(w))])


def kernels(w):
    """Return the 9 matrices u, [4 C, channels], of weights [4, 4, C, channels]."""
    c, channels = w.shape.as_list()[2:]

    def there(w):
        w = tf.reshape(w, [2, 2, 2, 2 * c, channels])
        g = [[w[i, :, j] for j in (0, 1)] for i in (0, 1)]
        return [tf.reshape(u, [4 * c, channels]) for u in both_sides(three, g)]

    def back(*us):
        us = square([tf.reshape(u, [2, 2 * c, channels]) for u in us])
        g = both_sides(two, us)
        return tf.reshape(tf.stack([tf.stack(row, 1) for row in square(g)]),
                          [KERNEL, KERNEL, c, channels])

    # A tensor, as tf.custom_gradient takes no variables
    return transposes(there, back)[0](tf.convert_to_tensor(w))


def smaller_map(height, width, channels):
    """Return two functions: from the smaller map to its tiles, and from them to it.

    The map is y, [N, H/2, W/2, channels], the tiles 9 tensors m, [tiles, channels].
    """
    rows, columns = height // TILE, width // TILE

    def to_tiles(y):
        y = tf.reshape(y, [-1, rows, 2, columns, 2, channels])
        y = [tf.reshape(y[:, :, i, :, j], [-1, channels])
             for i in (0, 1) for j in (0, 1)]
        return both_sides(three, square(y))

    def from_tiles(*ms):
        y = tf.stack(both_sides(two, square(ms)))
        y = tf.reshape(y, [2, 2, -1, rows, columns, channels])
        return tf.reshape(tf.transpose(y, [2, 3, 0, 4, 1, 5]),
                          [-1, height // 2, width // 2, channels])

    return transposes(to_tiles, from_tiles)


def larger_map(height, width, c):
    """Return two functions: from the larger map to its tiles, and from them to it.

    The map is x, [N, H, W, C], the tiles 9 tensors v, [tiles, 4 C]. A tile takes three
    pairs d a side, the third of which is the first of the next tile: from_tiles adds
    where they overlap.
    """
    rows, columns = height // TILE, width // TILE
    places = [(i, j) for i in range(3) for j in range(3)]

    def to_tiles(x):
        x = tf.pad(x, [[0, 0], [1, 3], [1, 3], [0, 0]])
        x = tf.reshape(x, [-1, rows + 1, 2, 2, columns + 1, 2, 2 * c])
        x = tf.transpose(x, [2, 5, 0, 1, 4, 3, 6])
        d = [x[i % 2, j % 2, :, i // 2:i // 2 + rows, j // 2:j // 2 + columns]
             for i, j in places]
        return [tf.reshape(v, [-1, 4 * c])
                for v in both_sides(differences, square(d))]

    def from_tiles(*vs):
        vs = square([tf.reshape(v, [-1, rows, columns, 4 * c]) for v in vs])
        d = both_sides(differences_back, vs)
        parts = {}
        for (i, j), part in zip(places, d):
            parts.setdefault((i % 2, j % 2), []).append(tf.pad(part, [
                [0, 0], [i // 2, 1 - i // 2], [j // 2, 1 - j // 2], [0, 0]]))
        x = tf.stack([tf.add_n(parts[place]) for place in sorted(parts)])
        x = tf.reshape(x, [2, 2, -1, rows + 1, columns + 1, 2, 2 * c])
        x = tf.reshape(tf.transpose(x, [2, 3, 0, 5, 4, 1, 6]),
                       [-1, height + 4, width + 4, c])
        return tf.slice(x, [0, 1, 1, 0], [-1, height, width, -1])

    return transposes(to_tiles, from_tiles)


# --- linear functions --------------------------------------------------------

def three(g0, g1):
    """Return what the three products of a side take of the kernel."""
    return g0, g0 + g1, g1


def two(m0, m1, m2):
    """Return the results of a side's three products. This is the transpose of three."""
    return m0 + m1, m1 + m2


def differences(d0, d1, d2):
    """Return what the three products of a side take of the map."""
    return d0 - d1, d1, d2 - d1


def differences_back(v0, v1, v2):
    """Return the transpose of differences."""
    return v0, v1 - v0 - v2, v2


def transposes(there, back):
    """Return two linear functions of tensors, each of which is the other's gradient."""
    def first(*xs):
        return tf.custom_gradient(lambda *xs: (there(*xs), second))(*xs)

    def second(*ys):
        return tf.custom_gradient(lambda *ys: (back(*ys), first))(*ys)
    return first, second


def both_sides(f, grid):
    """Apply f, from tensors to tensors, to a grid's rows, then to its columns.

    Return the tensors of the resulting grid, row by row.
    """
    columns = zip(*[f(*row) for row in grid])
    return [tensor for row in zip(*[f(*column) for column in columns])
            for tensor in row]


def square(tensors):
    """Return the rows of a square grid, of its tensors row by row."""
    side = int(len(tensors) ** 0.5)
    return [tensors[i:i + side] for i in range(0, len(tensors), side)]
