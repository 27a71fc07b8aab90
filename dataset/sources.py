"""Where the images of a data set are: folders and zip files; and which are taken.

A finder takes (folder, config, known) and returns a Source; `known` are names of data
sets that an error may suggest. Those for MNIST, CIFAR-10 and LSUN: archives.py.
"""

import collections
import difflib
import fnmatch
import functools
import os
import re
import typing

import numpy as np
from PIL import Image

from dataset import layouts
from dataset.files import hidden, walk, zip_members
from dataset.labels import labels_of
from dataset.pictures import kinds
from settings import beside
from settings.errors import NotFoundError, UserError

IDX = re.compile(r'(train|t10k)[._-](images|labels)[._-](idx[13])[._-]ubyte(?:\.gz)?$',
                 re.IGNORECASE)     # a file of MNIST; see archives.py
CHOICE = 1 << 32        # keys the choice of --train_size, apart from the epochs' orders
NO_ENDING = 'without an ending'
REMEDIES = (
    (('.tar', '.tgz', '.gz', '.bz2', '.xz', '.rar', '.7z', '.zip'),
     'Unpack archives; only a .zip of pictures is read as it is'),
    (('.npy', '.npz', '.mat', '.h5', '.hdf5', '.pkl', '.pickle', '.pt', '.parquet',
      '.arrow', '.tfrecord', '.lmdb', '.mdb'),
     'Arrays are not read: save each picture as a PNG, as with '
     '`PIL.Image.fromarray(a).save("0.png")`'),
    ((NO_ENDING,), 'Give pictures the ending of their kind, such as .jpg'))
# Images that some versions of Pillow cannot open: the report then names them.
MORE_EXTENSIONS = ('.avif', '.heic', '.heif', '.jxl', '.mpo', '.webp')


class Source(typing.NamedTuple):
    """The images of a data set before packing, in a fixed order.

    images: paths, uint8 arrays, or (path, name) of a member of a zip file or an LMDB
    folder; names: what the report calls each; labels: an int each, or the ±1 of each
    attribute, or None; classes: the names of the labels or attributes; files: those
    whose sizes and times the cache's key is made of; partial: whether there are
    more images than these; notes: lines on what was recognised, for the person.
    """

    images: list
    names: list
    labels: list
    classes: tuple
    files: list
    partial: bool = False
    notes: tuple = ()


# --- which of the images -----------------------------------------------------

def choose(config, source, groups, splits=None):
    """Return the part of a Source that --train_size and config.part choose.

    groups: for each image what it is alike to, such as its folder, of which
    --train_size takes a fair part; splits: 'train', 'held_out' or None of each, where
    the data set has a division of its own. Raises NotFoundError where none is held out.
    """
    images, names, labels = source[:3]
    chosen = indices(config, groups, labels, splits or ['train'] * len(images),
                     splits is not None)
    if labels is not None and config.part == 'held_out':    # a test set may lack labels
        chosen = [i for i in chosen if labels[i] is not None]
    return source._replace(
        images=[images[i] for i in chosen], names=[names[i] for i in chosen],
        labels=None if labels is None else [labels[i] for i in chosen],
        partial=len(chosen) < len(images))


def indices(config, groups, labels, splits, divided):
    """Return the ascending indices of the images that config.part is; see choose."""
    train = [i for i, split in enumerate(splits) if split == 'train']
    if config.part == 'held_out' and divided:
        return [i for i, split in enumerate(splits) if split == 'held_out']
    by_label = labels if config.conditional and config.attributes is None else None
    kept = some(train, groups, by_label, config)
    if config.part == 'train':
        return kept
    if config.train_size is None:
        raise NotFoundError('No image of %s is held out: the run was trained on all. '
                            'Train one with --train_size.' % config.dataset)
    return sorted(set(train) - set(kept))


def refuse_tables(config):
    """Raise UserError for tables of labels, of data sets that bring their own."""
    for name in ('attributes', 'labels'):
        if getattr(config, name) is not None:
            raise UserError('--%s: %s has no table of attributes and takes no labels '
                            'but its own; leave it out.' % (name, config.dataset))


def some(train, groups, labels, config):
    """Return those of the indices `train` that --train_size keeps, ascending.

    The same with labels or without. Runs of before there was config.chosen_by keep
    theirs: the first ones; with labels the first of each.
    """
    count = config.train_size
    if count is None or count >= len(train):
        return train
    if config.chosen_by is not None:
        return fairly(train, [groups[i] for i in train], count, config.chosen_by)
    if labels is None:
        return train[:count]
    return [train[i] for i in evenly([labels[i] for i in train], count)]


def fairly(train, groups, count, seed):
    """Return `count` of the indices `train`, ascending: at random, of each group its
    share, as far as whole numbers go.
    """
    sizes, before, turns = collections.Counter(groups), collections.Counter(), []
    order = np.random.default_rng([seed, CHOICE]).permutation(len(train))
    for number, index in enumerate(order):
        group = groups[index]
        turns.append(((before[group] + 0.5) / sizes[group], number, train[index]))
        before[group] += 1
    return sorted(index for _, _, index in sorted(turns)[:count])


def evenly(labels, count):
    """Return the ascending indices of `count` images, as many of each label.

    The first of each; where a label has too few, others have more.
    """
    turns, before = [], collections.Counter()
    for index, label in enumerate(labels):
        turns.append((before[label], label, index))
        before[label] += 1
    return sorted(index for _, _, index in sorted(turns)[:count])


# --- folders and zip files ---------------------------------------------------

def find_images(folder, config, known, hint='Put images there'):
    """Find the image files below a folder, or where there are none those in its zips.

    With config.labels, the labels are those of a table; with config.conditional, of
    dataset.json or the folders; with config.attributes, columns of a table. Folders
    such as train and val are a division; see layouts. Raises NotFoundError, with the
    `hint`, where there is no folder or no image, UserError where an image has no label.
    """
    if not os.path.isdir(folder):
        raise NotFoundError(missing_folder(folder, known, hint))
    files = list(walk(folder))
    images, names, used = list_images(folder, files, config, hint)
    layout = layouts.read(names) if config.chosen_by is not None else (
        layouts.by_first_folder(names))
    notes = [layout.note] * bool(layout.note) + left_out(files, used)
    labels, classes, splits = None, (), layout.splits
    if config.labels or config.attributes or config.conditional:
        labels, classes, splits = labels_of(folder, files, names, layout, config,
                                            notes)
    groups = [path[0] if path else None for path in layout.below]
    source = Source(images, names, labels, classes, used, notes=tuple(notes))
    return choose(config, source, groups, splits)


def list_images(folder, files, config, hint):
    """Return images, their names, and the files that they are in; see find_images."""
    used = [path for path in files if wanted(path, config.input_fname_pattern)]
    found = [(path, os.path.relpath(path, folder)) for path in used]
    if not found:
        used = [path for path in files if path.lower().endswith('.zip')]
        members = {path: [name for name in zip_members(path)
                          if wanted(name, config.input_fname_pattern)] for path in used}
        whole = (len(used) == 1 or config.chosen_by is None     # an older run
                 or are_parts(members))
        found = [((path, name), name if whole else zip_name(path, name, folder))
                 for path in used for name in members[path]]
    if not found:
        raise NotFoundError(
            'No images in %s: looked in it and the folders and .zip files in it for '
            'names like %s ending in .jpg, .png, .gif, .webp, .tif or another of the '
            '%d endings of images. %s%s.' % (
                folder, config.input_fname_pattern, len(extensions()),
                others(files), hint))
    images, names = map(list, zip(*found))
    return images, names, used


def left_out(files, used):
    """Return the note on zip files that are not looked into, [] where there is none."""
    zips = [os.path.basename(path) for path in files if path.lower().endswith('.zip')]
    if not zips or used[0].lower().endswith('.zip'):
        return []
    return ['not looked into, as there are images beside it: %s' % ', '.join(zips[:4])]


def others(files):
    """Return what other files a folder without images has, and what helps, or ''."""
    inside = [name for path in files if path.lower().endswith('.zip')
              for name in zip_members(path) if not name.endswith('/')]
    found = collections.Counter(os.path.splitext(name)[1].lower() or NO_ENDING
                                for name in inside or files)
    if not found:
        return ''
    helps = [what for endings, what in REMEDIES
             if any(ending.startswith(endings) for ending in found)]
    if any(IDX.match(os.path.basename(path)) for path in files):
        helps = ['IDX files are read as --dataset mnist, from a folder mnist']
    return 'There are other files: %s. ' % ', '.join(
        '%s %s' % (format(count, ','), ending) for ending, count in
        found.most_common(4)) + ''.join('%s. ' % what for what in helps)


def zip_name(path, name, folder):
    """Return the name of a zip's member; of several zips each is like a folder."""
    return '%s/%s' % (os.path.splitext(os.path.relpath(path, folder))[0], name)


def are_parts(members):
    """Return whether zips are parts of one, as photos-001.zip, photos-002.zip.

    Their names differ by the number at the end alone, and all members are in folders
    and differ. members: {path: its names}.
    """
    stems = {re.sub(r'[ _.-]*\d+$', '', os.path.splitext(path)[0]) for path in members}
    names = [name for found in members.values() for name in found]
    return (len(stems) == 1 and os.path.basename(min(stems)) != ''
            and all('/' in name for name in names) and len(set(names)) == len(names))


def missing_folder(folder, known, hint):
    """Return the error message that names the data sets that there are."""
    parent, wanted = os.path.split(folder)
    _, there, _ = next(os.walk(parent), ('', [], []))
    there = sorted(name for name in there if not hidden(name))
    near = [name for name in sorted({*there, *known} - {wanted})
            if difflib.get_close_matches(wanted.lower(), [name.lower()], cutoff=0.8)]
    other = os.path.join(beside.PROGRAM, 'data')
    if os.path.isfile(folder + '.zip'):
        return ('No folder %s, but %s.zip: put that into a folder %s, as it is.'
                % (folder, folder, wanted))
    also = (' There is one beside the program: --data_dir %s' % other
            if os.path.isdir(os.path.join(other, wanted)) else '')
    return ('No data set at %s%s %s, or fetch one of those that `python download.py '
            '--help` lists; data sets in %s: %s.%s'
            % (folder, '; did you mean %s? Else:' % near[0] if near else '.', hint,
               parent, ', '.join(there) or 'none', also))


def wanted(path, pattern):
    """Return whether a file's name is that of an image and matches the pattern."""
    name = os.path.basename(path)
    return name.lower().endswith(extensions()) and fnmatch.fnmatch(name, pattern)


@functools.lru_cache(maxsize=None)
def extensions():
    """Return the endings of the names of images, in lower case."""
    there = kinds()         # first: it registers some
    known = Image.registered_extensions()
    return tuple(sorted({ending for ending, kind in known.items()
                         if kind in there}.union(MORE_EXTENSIONS)))
