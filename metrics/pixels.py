"""--features pixels: the pixels of images made small. No network."""

import numpy as np
from PIL import Image

SIDE = 16           # of the small pictures


class Pixels:
    """The extractor: colours and layout, no texture; a check beside learned features.

    Features are float32 [N, SIDE * SIDE * C]. Each is the mean of the area that a pixel
    of the small picture covers (Pillow's BOX; smaller images are enlarged by
    repetition), not rounded to 8 bits.
    """

    label = 'pixels %dx%d' % (SIDE, SIDE)

    def extract(self, images):
        """Return (features, None) of images float [N, H, W, C] in [-1, 1]."""
        small = np.array([[shrink(channel) for channel in np.moveaxis(image, 2, 0)]
                          for image in images])
        return np.moveaxis(small, 1, 3).reshape(len(images), -1), None

    def close(self):
        """Do nothing: there is no session."""


def shrink(channel):
    """Return a channel [H, W] as float32 [SIDE, SIDE]."""
    picture = Image.fromarray(np.ascontiguousarray(channel, np.float32))    # mode F
    return np.asarray(picture.resize((SIDE, SIDE), Image.BOX))


def make(config, echo):
    """Return the extractor."""
    return Pixels()
