"""Where the images of a data set are: folders, zip files, MNIST's IDX files.

A finder takes (folder, config, known) and returns a Source; `known` are the names of
data sets that it may suggest. NumPy and Pillow.
"""

import collections
import difflib
import fnmatch
import functools
import gzip
import os
import struct
import typing
import zipfile
import zlib

import numpy as np
from PIL import Image

from config import NotFoundError, UserError

# What Pillow opens that is no picture, or that another program must draw
NO_PICTURES = ('BUFR', 'EPS', 'GRIB', 'HDF5', 'MPEG', 'WMF')
# Images that not every Pillow opens: named in the report rather than passed over
MORE_EXTENSIONS = ('.avif', '.heic', '.heif', '.jxl', '.mpo', '.webp')


class Source(typing.NamedTuple):
    """The images of a data set before packing, in a fixed order.

    images: what get_image opens: paths, (zip file, member) pairs or uint8 arrays;
    names: what each is called in the report; labels: an int each, or None;
    classes: the names of the labels; files: what the fingerprint looks at.
    """

    images: list
    names: list
    labels: list
    classes: tuple
    files: list


# --- folders and zip files ---------------------------------------------------

def find_images(folder, config, known):
    """Find the images of a folder: files, recursively, or else those in its zips.

    With config.conditional, the folders directly in it are the labels, over which
    config.train_size images are taken evenly; else they are the first. Raises
    NotFoundError where there is no folder or no image, UserError where an image has
    no label.
    """
    if not os.path.isdir(folder):
        raise NotFoundError(missing_folder(folder, known))
    files = list(walk(folder))
    used = [path for path in files if wanted(path, config.input_fname_pattern)]
    found = [(path, os.path.relpath(path, folder)) for path in used]
    if not found:
        used = [path for path in files if path.lower().endswith('.zip')]
        found = [((path, name), name) for path in used for name in zip_members(path)
                 if wanted(name, config.input_fname_pattern)]
    if not found:
        raise NotFoundError(
            'No images in %s: looked in it and the folders and .zip files in it for '
            'names like %s ending in .jpg, .png, .gif, .webp, .tif or another of the '
            '%d endings of images.' % (folder, config.input_fname_pattern,
                                       len(extensions())))
    images, names = zip(*found)
    labels, classes = folder_labels(names) if config.conditional else (None, ())
    chosen = evenly(labels or [0] * len(found), config.train_size)
    return Source([images[i] for i in chosen], [names[i] for i in chosen],
                  labels and [labels[i] for i in chosen], classes, used)


def missing_folder(folder, known):
    """Say that there is no such data set, and which there are."""
    parent, wanted = os.path.split(folder)
    _, there, _ = next(os.walk(parent), ('', [], []))
    there = sorted(name for name in there if not hidden(name))
    near = [name for name in sorted({*there, *known})
            if difflib.get_close_matches(wanted.lower(), [name.lower()], cutoff=0.8)]
    return ('No data set at %s%s. Put images there, or fetch one of those that '
            '`python download.py --help` lists; data sets in %s: %s.'
            % (folder, '; did you mean %s' % near[0] if near else '', parent,
               ', '.join(there) or 'none'))


def walk(folder):
    """Yield the files below a folder, in an order that the names alone decide.

    Links to folders are followed, each folder once; what is hidden is passed over.
    """
    seen = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        if os.path.realpath(parent) in seen:
            folders[:] = []
            continue
        seen.add(os.path.realpath(parent))
        folders[:] = sorted(name for name in folders if not hidden(name))
        for name in sorted(names):
            if not hidden(name):
                yield os.path.join(parent, name)


def zip_members(path):
    """Return the names in a zip file, sorted. Raises UserError for a broken one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sorted(name for name in archive.namelist()
                          if not any(map(hidden, name.split('/'))))
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError('%s cannot be read as a zip file (%s): fetch it again.'
                        % (path, error))


def hidden(name):
    """Tell whether a file or folder is hidden, or one of those that macOS adds."""
    return name.startswith('.') and name != '.' or name == '__MACOSX'


def wanted(path, pattern):
    """Tell whether a file is an image by its name and matches the pattern."""
    name = os.path.basename(path)
    return name.lower().endswith(extensions()) and fnmatch.fnmatch(name, pattern)


@functools.lru_cache(maxsize=None)
def extensions():
    """Return the endings, in lower case, of the names of images."""
    known = Image.registered_extensions()
    return tuple(sorted({ending for ending, kind in known.items()
                         if kind in Image.OPEN and kind not in NO_PICTURES
                         }.union(MORE_EXTENSIONS)))


def folder_labels(names):
    """Return a label for each relative path by its first folder, and the classes."""
    firsts = [name.replace('\\', '/').split('/')[:-1][:1] for name in names]
    loose = [name for name, first in zip(names, firsts) if not first]
    if loose:
        raise UserError('--conditional takes labels from the folders that the images '
                        'are in, but %d lie in none, such as %s: move them into one.'
                        % (len(loose), loose[0]))
    classes = tuple(sorted({first[0] for first in firsts}))
    if len(classes) < 2:
        raise UserError('--conditional needs two folders of images or more; found '
                        'only %s.' % classes)
    index = {name: i for i, name in enumerate(classes)}
    return [index[first[0]] for first in firsts], classes


def evenly(labels, count):
    """Return the indices, ascending, of `count` images, of each label the first ones.

    A label that has too few leaves its share to the others; a count of None is all.
    """
    turns, before = [], collections.Counter()
    for index, label in enumerate(labels):
        turns.append((before[label], label, index))
        before[label] += 1
    return sorted(index for _, _, index in sorted(turns)[:count])


# --- MNIST -------------------------------------------------------------------

def find_mnist(folder, config, known):
    """Read MNIST's training images; its four IDX files must be there, plain or .gz."""
    images, labels = read_mnist(folder, 'train')
    read_mnist(folder, 't10k')
    files = [idx_path(folder, split, kind) for split in ('train', 't10k')
             for kind in ('images-idx3', 'labels-idx1')]
    images, labels = images[:config.train_size], labels[:config.train_size]
    names = ['image %d' % i for i in range(len(images))]
    classes = tuple('0123456789') if config.conditional else ()
    return Source(list(images), names, labels.tolist() if classes else None, classes,
                  files)


def read_mnist(folder, split):
    """Return images uint8 [N, 28, 28] and labels uint8 [N]; split: train or t10k."""
    images = read_idx(idx_path(folder, split, 'images-idx3'), 3)
    labels = read_idx(idx_path(folder, split, 'labels-idx1'), 1)
    top = labels.max(initial=0)
    if len(images) != len(labels) or top > 9:
        raise UserError('MNIST in %s: %d %s images and %d labels up to %d; expected a '
                        'label up to 9 for each image. Fetch it again: python '
                        'download.py mnist'
                        % (folder, len(images), split, len(labels), top))
    return images, labels


def idx_path(folder, split, kind):
    """Return the path of one of the IDX files, plain or .gz. Raises NotFoundError."""
    name = '%s-%s-ubyte' % (split, kind)
    for ending in ('', '.gz'):
        path = os.path.join(folder, name + ending)
        if os.path.isfile(path):
            return path
    raise NotFoundError('No %s or %s.gz in %s. Fetch them: python download.py mnist'
                        % (name, name, folder))


def read_idx(path, ndim):
    """Read an IDX file of unsigned bytes with `ndim` dimensions, plain or .gz."""
    try:
        with (gzip.open if path.endswith('.gz') else open)(path, 'rb') as file:
            content = file.read()
        magic, = struct.unpack('>I', content[:4])
        shape = struct.unpack('>%dI' % ndim, content[4:4 + 4 * ndim])
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise UserError('%s cannot be read (%s): fetch it again.' % (path, error))
    expected = 4 + 4 * ndim + int(np.prod(shape, dtype=np.int64))
    if magic != 0x800 + ndim or len(content) != expected:
        raise UserError('%s is not an IDX file of %d dimensions: its magic number is '
                        '%d and its size %d, expected %d and %d. Fetch it again.'
                        % (path, ndim, magic, len(content), 0x800 + ndim, expected))
    return np.frombuffer(content, np.uint8, offset=4 + 4 * ndim).reshape(shape)
