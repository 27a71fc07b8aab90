"""The pictures that --images names, prepared as those of training were."""

import os

from dataset import packing
from dataset.files import walk
from dataset.sources import wanted
from settings.errors import NotFoundError


def files(names):
    """Return the files of these names, and the images in and below their folders.

    Raises NotFoundError for a folder that has none.
    """
    found = []
    for name in names:
        inside = [path for path in walk(name) if wanted(path, '*')] if (
            os.path.isdir(name)) else [name]
        if not inside:
            raise NotFoundError('--images: no image in the folder %s.' % name)
        found += inside
    return found


def prepare(path, config):
    """Return an image file as uint8 [H, W, C]; of a bad one the reason, a text."""
    return packing.pack_image(path, (
        config.input_height, config.input_width, config.output_height,
        config.output_width, config.crop, config.c_dim))
