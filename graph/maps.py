"""The sizes and channels of the feature maps, by the image size. No TensorFlow."""


def map_sizes(height, width):
    """Return the (height, width) of each feature map, from the image down.

    A layer of stride 2 halves the map, rounding up, while the smaller side stays at
    least 4: 64x64 gives 64, 32, 16, 8, 4. Raises ValueError where not one fits.
    """
    sizes = [(height, width)]
    while min(sizes[-1]) >= 7:
        sizes.append(tuple((side + 1) // 2 for side in sizes[-1]))
    if len(sizes) == 1:
        raise ValueError('An image of %d x %d is too small: both sides need 7 pixels '
                         'or more.' % (height, width))
    return sizes


def map_channels(layers, dim):
    """Return the channels of each layer's map, from the image down: dim ... 8 dim."""
    return [dim * min(2 ** layer, 8) for layer in range(layers)]
