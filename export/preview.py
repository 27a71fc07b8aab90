"""The page's first sheet, drawn beforehand, to be seen until the network has started.

It shows the same pictures that the page will draw: its random numbers are made here
as page/numbers.js makes them. No TensorFlow.
"""

import base64
import io
import math

import numpy as np
from PIL import Image

from export.directions import to_z

ALONE = 48          # pictures of a sheet without labels
COLUMNS = 6         # of these, and of few labels
FEW, EACH = 4, 12   # so many labels are few; pictures of each of them
ALL, FEWEST, MOST = 80, 2, 8        # pictures of other sheets; of each label
LARGEST = 2**20     # pixels that are drawn beforehand
QUALITY = 85
BITS = 2**32 - 1


def per_kind(rows):
    """Return how many pictures the page's sheet has of each row of labels."""
    if len(rows) < 2:
        return ALONE
    if len(rows) <= FEW:
        return EACH
    return max(FEWEST, min(MOST, math.ceil(ALL / len(rows))))


def columns(rows):
    """Return how many of them stand side by side."""
    return COLUMNS if len(rows) <= FEW else per_kind(rows)


def draw_sheet(config, rows, draw):
    """Return the sheet of the run's seed as {url, width, height}; None if too large.

    `draw` returns the images [N, H, W, C] of z and y.
    """
    each = per_kind(rows)
    y = np.repeat(np.asarray(rows, np.float32), each, axis=0) if len(rows) else (
        np.zeros((each, 0), np.float32))
    if len(y) * config.output_height * config.output_width > LARGEST:
        return None
    z = to_z(points(config.seed, each, config.z_dim), config.z_dist)
    images = draw(np.tile(z, (len(y) // each, 1)), y)
    return as_url(images, columns(rows))


def as_url(images, across):
    """Return images [N, H, W, C], side by side without a gap, as a JPEG in an URL."""
    _, height, width, c_dim = images.shape
    sheet = images.reshape(-1, across, height, width, c_dim).swapaxes(1, 2)
    sheet = np.round(127.5 * (sheet.reshape(-1, across * width, c_dim) + 1))
    file = io.BytesIO()
    Image.fromarray(np.squeeze(sheet.astype(np.uint8))).save(
        file, 'JPEG', quality=QUALITY, subsampling=0)
    return dict(url='data:image/jpeg;base64,'
                + base64.b64encode(file.getvalue()).decode('ascii'),
                width=sheet.shape[1], height=sheet.shape[0])


def points(seed, count, z_dim):
    """Return the points [count, z_dim] of a seed, as numbers.normals draws them."""
    drawn = np.array(list(uniforms(seed, 2 * count * z_dim))).reshape(-1, 2)
    normal = np.sqrt(-2 * np.log(1 - drawn[:, 0])) * np.cos(2 * np.pi * drawn[:, 1])
    return normal.astype(np.float32).reshape(count, z_dim)


def uniforms(seed, count):
    """Yield numbers of [0, 1), as numbers.generator draws them: mulberry32."""
    for _ in range(count):
        seed = (seed + 0x6d2b79f5) & BITS
        t = (seed ^ seed >> 15) * (seed | 1) & BITS
        t = (t + ((t ^ t >> 7) * (t | 61) & BITS)) ^ t
        yield ((t ^ (t & BITS) >> 14) & BITS) / 2**32
