"""Looks: words for what changes between pictures, such as darker and brighter.

Each look is a number measured on a picture. A direction gets the words of the look that
it changes most, counted in standard deviations among pictures, if that is enough to be
seen.
"""

import numpy as np

SEEN = 1.5          # deviations between both ends from which on a look is named
EVEN = 0.05         # of how far the border may be from one gray to be an even ground
LEAST = 1e-4        # deviation of a look below which there is nothing to see
GRAY = np.array([0.299, 0.587, 0.114], np.float32)


def name_all(pairs, natural):
    """Return (low, high, sign) of each pair of images at the ends of a direction.

    The words are '' where no look is moved far, or another direction moves it further:
    a look names one direction. `natural` are images as they come. With the sign -1 the
    ends are the other way round.
    """
    moves = np.array([[move(look, *pair, natural) for look, _, _ in LOOKS]
                      for pair in pairs])
    words = [('', '', 1)] * len(pairs)
    while moves.size and np.abs(moves).max() >= SEEN:
        i, j = np.unravel_index(np.abs(moves).argmax(), moves.shape)
        words[i] = LOOKS[j][1], LOOKS[j][2], int(np.sign(moves[i, j]))
        moves[i], moves[:, j] = 0, 0
    return words


def move(look, low, high, natural):
    """Return how far images move in a look, in standard deviations of natural ones."""
    spread = np.std(look(natural))
    return float(np.mean(look(high) - look(low)) / spread) if spread > LEAST else 0.0


# --- looks -------------------------------------------------------------------

def gray(images):
    """Return the brightness of each pixel [N, H, W]."""
    return images @ GRAY if images.shape[-1] == 3 else images[..., 0]


def brightness(images):
    """Return the mean brightness [N]."""
    return gray(images).mean(axis=(1, 2))


def light(images):
    """Return the brightness where pictures are more than a shape on an even ground."""
    return np.zeros(len(images)) if even(images) else brightness(images)


def warmth(images):
    """Return how much redder than blue images are [N]."""
    return (images[..., 0] - images[..., -1]).mean(axis=(1, 2))


def greenness(images):
    """Return how much greener images are than red and blue [N]."""
    if images.shape[-1] == 1:
        return np.zeros(len(images))
    return (images[..., 1] - (images[..., 0] + images[..., 2]) / 2).mean(axis=(1, 2))


def colour(images):
    """Return how far from gray the colours are [N]."""
    return (images.max(axis=-1) - images.min(axis=-1)).mean(axis=(1, 2))


def border(maps):
    """Return the mean of the outer eighth of [N, H, W]."""
    height, width = maps.shape[1] // 8 + 1, maps.shape[2] // 8 + 1
    edge = np.ones(maps.shape[1:], bool)
    edge[height:-height, width:-width] = False
    return maps[:, edge].mean(axis=1)


def background(images):
    """Return the brightness of the border [N]."""
    return border(gray(images))


def left(images):
    """Return how much brighter the left half is than the right one [N]."""
    maps, half = gray(images), images.shape[2] // 2
    return maps[:, :, :half].mean(axis=(1, 2)) - maps[:, :, -half:].mean(axis=(1, 2))


def top(images):
    """Return how much brighter the upper half is than the lower one [N]."""
    maps, half = gray(images), images.shape[1] // 2
    return maps[:, :half].mean(axis=(1, 2)) - maps[:, -half:].mean(axis=(1, 2))


def ink(images):
    """Return how far each pixel is from the ground [N, H, W]."""
    maps = gray(images)
    return np.abs(maps - border(maps)[:, None, None])


def even(images):
    """Tell whether pictures are shapes on an even ground, such as digits."""
    return border(ink(images)).mean() < EVEN


def boldness(images):
    """Return how much of a picture is a shape, on an even ground [N]."""
    return ink(images).mean(axis=(1, 2)) * even(images)


def moments(images):
    """Return the reach of a shape down and across, and its lean, [3, N].

    0 where the ground is not even, so that nothing is a shape on it.
    """
    share = ink(images)
    share = share / np.maximum(share.sum(axis=(1, 2), keepdims=True), 1e-6)
    y, x = np.indices(share.shape[1:]) / float(max(share.shape[1:]))
    y, x = (axis - (share * axis).sum(axis=(1, 2))[:, None, None] for axis in (y, x))
    down, across, lean = ((share * a * b).sum(axis=(1, 2))
                          for a, b in ((y, y), (x, x), (x, -y)))
    return np.array([down ** 0.5, across ** 0.5, lean]) * even(images)


def tallness(images):
    """Return how far a shape reaches up and down [N]."""
    return moments(images)[0]


def wideness(images):
    """Return how far a shape reaches to the sides [N]."""
    return moments(images)[1]


def slant(images):
    """Return how far a shape leans to the right [N]."""
    return moments(images)[2]


# (the look, its words where it is low, and where it is high)
LOOKS = [
    (light, 'darker', 'brighter'),
    (warmth, 'bluer', 'redder'),
    (greenness, 'more purple', 'greener'),
    (colour, 'paler', 'more colourful'),
    (background, 'darker ground', 'brighter ground'),
    (left, 'brighter right', 'brighter left'),
    (top, 'brighter below', 'brighter above'),
    (boldness, 'thinner', 'bolder'),
    (tallness, 'lower', 'taller'),
    (wideness, 'narrower', 'wider'),
    (slant, 'leans left', 'leans right'),
]
