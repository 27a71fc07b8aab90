"""Before and after packing: what it will take, what a crop keeps, how it has come out.

So that one looks before training for hours.
"""

import shutil
import statistics
import warnings

import numpy as np
from PIL import Image

from dataset.archives import open_member
from dataset.pictures import center_crop, kinds
from settings.errors import UserError
from utils import (
    evenly_spaced,
    existing,
    image_manifold_size,
    save_images,
    transform,
)

SHOWN = 64          # prepared pictures on the sheet
MEASURED = 25       # pictures of which the size is looked up
LITTLE = 0.2        # share of a picture; a crop that keeps less is warned of
SQUEEZED = 1.2      # a side by so much more than the other is told


def check_room(count, config, folder):
    """Return the bytes that the packed images take. UserError where room is lacking."""
    size = count * config.output_height * config.output_width * config.c_dim
    try:
        free = shutil.disk_usage(existing(folder)).free
    except OSError:         # packing will say what is wrong with the folder
        return size
    if size > free:
        raise UserError('The packed images take %s, and %s has room for %s: make room '
                        '(older ones there may go: they are made anew when needed), or '
                        'name a folder elsewhere by --cache_dir, or take fewer images '
                        'by --train_size.' % (in_bytes(size), folder, in_bytes(free)))
    return size


def in_bytes(size):
    """Return a number of bytes as a person reads it: 512 kB, 2.4 GB."""
    for unit, scale in (('GB', 1e9), ('MB', 1e6)):
        if size >= scale:
            return '%.3g %s' % (size / scale, unit)
    return '%.3g kB' % (size / 1e3)


def crop_note(source, config):
    """Return a line on what --crop keeps of the pictures, with a warning where that is
    little; or without --crop, how they are squeezed; '' where there is nothing to say.
    """
    sizes = [size_of(source.images[i])
             for i in evenly_spaced(len(source.images), MEASURED)]
    sizes = [size for size in sizes if size]
    if not sizes:
        return ''
    return (crop_share if config.crop else squeeze)(sizes, config)


def squeeze(sizes, config):
    """Return a line where most pictures of these sizes lose their shape, or ''."""
    shape = config.output_width / config.output_height
    stretched = [max(width / height / shape, height / width * shape)
                 for width, height in sizes]
    middle = statistics.median_low(stretched)
    if middle < SQUEEZED:
        return ''
    return ('pictures such as %dx%d are squeezed into %dx%d; with --crop their central '
            'part is taken' % (*sizes[stretched.index(middle)], config.output_width,
                               config.output_height))


def crop_share(sizes, config):
    """Return a line on what --crop keeps of pictures of these sizes."""
    boxes = [center_crop(size, config.input_height or 1e9 * config.output_height,
                         config.input_width or 1e9 * config.output_width)
             for size in sizes]
    shares = [(right - left) * (bottom - top) / (size[0] * size[1])
              for (left, top, right, bottom), size in zip(boxes, sizes)]
    share = statistics.median_low(shares)
    at = shares.index(share)
    left, top, right, bottom = boxes[at]
    text = '--crop keeps the central %dx%d of pictures such as %dx%d: %.0f %%' % (
        right - left, bottom - top, *sizes[at], 100 * share)
    if share < LITTLE:
        text = ('warning: %s. More of them: --input_height %d; all of them: --nocrop'
                % (text, min(sizes[at])))
    return text


def size_of(image):
    """Return (width, height) of one of Source.images, None where it cannot be told."""
    if isinstance(image, np.ndarray):
        return image.shape[1::-1]
    try:
        file = open_member(*image) if isinstance(image, tuple) else image
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')     # of pictures that are too large
            with Image.open(file, formats=kinds()) as opened:
                return opened.size
    except Exception:       # Pillow's decoders raise nearly anything
        return None


def save_sheet(images, path):
    """Write a sheet of some of the packed images, if there are any."""
    if not len(images):
        return
    some = transform(np.array(images[evenly_spaced(len(images), SHOWN)]))
    save_images(some, image_manifold_size(len(some)), path)
