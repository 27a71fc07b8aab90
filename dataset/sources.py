"""Where the images of a data set are, and their labels: folders and zip files.

A finder takes (folder, config, known) and returns a Source; `known` are names of data
sets that an error may suggest. Those for MNIST, CIFAR-10 and LSUN: archives.py.
"""

import collections
import difflib
import fnmatch
import functools
import os
import typing

from PIL import Image

from dataset.attributes import attribute_labels
from dataset.files import hidden, walk, zip_members
from dataset.pictures import kinds
from settings.errors import NotFoundError, UserError

# Images that some versions of Pillow cannot open: the report then names them.
MORE_EXTENSIONS = ('.avif', '.heic', '.heif', '.jxl', '.mpo', '.webp')


class Source(typing.NamedTuple):
    """The images of a data set before packing, in a fixed order.

    images: paths, uint8 arrays, or (path, name) of a member of a zip file or an LMDB
    folder; names: what the report calls each; labels: an int each, or the ±1 of each
    attribute, or None; classes: the names of the labels or attributes; files: those
    whose sizes and times the cache's key is made of.
    """

    images: list
    names: list
    labels: list
    classes: tuple
    files: list


# --- which of the images -----------------------------------------------------

def choose(config, images, names, labels, classes, files):
    """Return the Source of the images that config.train_size and config.part choose.

    The first images; with config.conditional, the first of each label, and their
    labels. Raises UserError with config.attributes, for which there is no table.
    """
    if config.attributes is not None:
        raise UserError('--attributes: %s has no table of attributes; leave it out.'
                        % config.dataset)
    part = part_of(config)
    if not config.conditional:
        return Source(images[part], names[part], None, (), files)
    chosen = evenly(labels, config.train_size)
    if config.part == 'held_out':
        chosen = sorted(set(range(len(labels))) - set(chosen))
    return Source([images[i] for i in chosen], [names[i] for i in chosen],
                  [int(labels[i]) for i in chosen], tuple(classes), files)


def part_of(config):
    """Return the slice of a data set that config.part is.

    'train': the first train_size images; 'held_out': those after them. Raises
    NotFoundError where none is held out.
    """
    if config.part == 'train':
        return slice(config.train_size)
    if config.train_size is None:
        raise NotFoundError('No image of %s is held out: the run was trained on all. '
                            'Train one with --train_size.' % config.dataset)
    return slice(config.train_size, None)


def evenly(labels, count):
    """Return the ascending indices of `count` images, as many of each label.

    The first of each; where a label has too few, others have more. None: all images.
    """
    if count is None:
        return range(len(labels))
    turns, before = [], collections.Counter()
    for index, label in enumerate(labels):
        turns.append((before[label], label, index))
        before[label] += 1
    return sorted(index for _, _, index in sorted(turns)[:count])


# --- folders and zip files ---------------------------------------------------

def find_images(folder, config, known, hint='Put images there'):
    """Find the image files below a folder, or where there are none those in its zips.

    With config.conditional, the folders directly in it are the labels; with
    config.attributes, columns of its table of attributes. Raises NotFoundError, with
    the `hint`, where there is no folder or no image, UserError where an image has no
    label.
    """
    if not os.path.isdir(folder):
        raise NotFoundError(missing_folder(folder, known, hint))
    files = list(walk(folder))
    images, names, used = list_images(folder, files, config, hint)
    if config.attributes is None:
        labels, classes = folder_labels(names) if config.conditional else (None, ())
        return choose(config, images, names, labels, classes, used)
    images, names = images[part_of(config)], names[part_of(config)]
    return Source(images, names, *attribute_labels(names, files, config, folder), used)


def list_images(folder, files, config, hint):
    """Return images, their names, and the files that they are in; see find_images."""
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
            '%d endings of images. %s.' % (folder, config.input_fname_pattern,
                                           len(extensions()), hint))
    images, names = map(list, zip(*found))
    return images, names, used


def missing_folder(folder, known, hint):
    """Return the error message that names the data sets that there are."""
    parent, wanted = os.path.split(folder)
    _, there, _ = next(os.walk(parent), ('', [], []))
    there = sorted(name for name in there if not hidden(name))
    near = [name for name in sorted({*there, *known} - {wanted})
            if difflib.get_close_matches(wanted.lower(), [name.lower()], cutoff=0.8)]
    return ('No data set at %s%s. %s, or fetch one of those that `python download.py '
            '--help` lists; data sets in %s: %s.'
            % (folder, '; did you mean %s' % near[0] if near else '', hint, parent,
               ', '.join(there) or 'none'))


def wanted(path, pattern):
    """Return whether a file's name is that of an image and matches the pattern."""
    name = os.path.basename(path)
    return name.lower().endswith(extensions()) and fnmatch.fnmatch(name, pattern)


@functools.lru_cache(maxsize=None)
def extensions():
    """Return the endings of the names of images, in lower case."""
    known = Image.registered_extensions()
    return tuple(sorted({ending for ending, kind in known.items()
                         if kind in kinds()}.union(MORE_EXTENSIONS)))


def folder_labels(names):
    """Return a label for each relative path, by its first folder, and the classes."""
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
