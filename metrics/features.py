"""Feature extractors: images in, features float32 [N, D] out.

Numbers of different features are never to be compared.
"""

import numpy as np
from PIL import Image

SIDE = 16           # of the small pictures whose pixels are features
ROOM = 1e-3         # beyond [-1, 1], for rounding
INCEPTION_REMEDY = (
    '`python download.py inception` fetches the file; or name one at hand by '
    '--inception_path, or take --features classifier, random or pixels.')
NO_INCEPTION = 'No Inception graph at %s. ' + INCEPTION_REMEDY


def pixels(images):
    """Return the pixels of images made SIDE x SIDE, float32 [N, SIDE * SIDE * C].

    Images float [N, H, W, C] in [-1, 1]. Each pixel is the mean of the area that it
    covers (Pillow's BOX; smaller images are enlarged by repetition), not rounded to 8
    bits. Sees colours and layout, no texture: a sanity row beside learned features.
    Raises ValueError for other shapes, dtypes and ranges.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype.kind != 'f':
        raise ValueError('images: found %s of shape %s; expected float [N, H, W, C]. '
                         'Turn uint8 by utils.transform.'
                         % (images.dtype, images.shape))
    features = np.empty((len(images), SIDE, SIDE, images.shape[3]), np.float32)
    for image, small in zip(images, features):
        if not np.abs(image).max() <= 1 + ROOM:
            raise ValueError('images: found values from %g to %g; expected -1 to 1. '
                             'Clip them, or use utils.transform.'
                             % (image.min(), image.max()))
        for channel in range(image.shape[2]):
            small[..., channel] = shrink(image[..., channel])
    return features.reshape(len(images), -1)


def shrink(channel):
    """Return a channel [H, W] as float [SIDE, SIDE]."""
    picture = Image.fromarray(np.ascontiguousarray(channel, np.float32))    # mode F
    return np.asarray(picture.resize((SIDE, SIDE), Image.BOX))
