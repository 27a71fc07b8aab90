"""Where the images of a data set are, and their labels: folders and zip files.

A finder takes (folder, config, known) and returns a Source; `known` are the names of
data sets that it may suggest. Those of MNIST, CIFAR-10 and LSUN: archives.py. Pillow.
"""

import collections
import difflib
import fnmatch
import functools
import os
import typing

from PIL import Image

from dataset.files import distinct, hidden, walk, zip_members
from dataset.pictures import check_file, kinds
from settings.errors import NotFoundError, UserError

# Images that not every Pillow opens: named in the report rather than passed over
MORE_EXTENSIONS = ('.avif', '.heic', '.heif', '.jxl', '.mpo', '.webp')
ATTRIBUTE_TABLES = ('list_attr_celeba.txt', 'list_attr.txt')
MOST_TABLE = 2**28      # bytes; CelebA's has 27 million
# Nobody gives these faces away without an account
ANIME = ('anime faces are some 63,000 pictures at '
         'https://www.kaggle.com/datasets/splcher/animefacedataset (free, with an '
         'account): put the .zip as it is, or the folder of images in it, into')


class Source(typing.NamedTuple):
    """The images of a data set before packing, in a fixed order.

    images: what get_image opens: paths, uint8 arrays, or (path, name) of a member of a
    zip file or an LMDB folder; names: what each is called in the report; labels: an
    int each, or the ±1 of each attribute, or None; classes: the names of the labels or
    attributes; files: what the fingerprint looks at.
    """

    images: list
    names: list
    labels: list
    classes: tuple
    files: list


def choose(config, images, names, labels, classes, files):
    """Return the Source of those images that config.train_size leaves, and labels.

    With config.conditional they are taken evenly over the labels; else they are the
    first, and have none. Where config.part is held_out, those it leaves out.
    Raises UserError with config.attributes: it is for data sets without such a table.
    """
    if config.attributes is not None:
        raise UserError('--attributes: %s has no table of attributes; leave it out.'
                        % config.dataset)
    if not config.conditional:
        part = part_of(config)
        return Source(images[part], names[part], None, (), files)
    chosen = evenly(labels, config.train_size)
    if config.part == 'held_out':
        part_of(config)
        chosen = sorted(set(range(len(labels))) - set(chosen))
    return Source([images[i] for i in chosen], [names[i] for i in chosen],
                  [int(labels[i]) for i in chosen], tuple(classes), files)


def part_of(config):
    """Return the slice of a data set that config.part is: its first train_size images,
    or those after them. Raises NotFoundError where none is held out.
    """
    if config.part == 'train':
        return slice(config.train_size)
    if config.train_size is None:
        raise NotFoundError('No image of %s is held out: the run was trained on all. '
                            'Train one with --train_size.' % config.dataset)
    return slice(config.train_size, None)


def evenly(labels, count):
    """Return the indices, ascending, of `count` images, of each label the first ones.

    A label that has too few leaves its share to the others; a count of None is all.
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
    """Find the images of a folder: files, recursively, or else those in its zips.

    With config.conditional, the folders directly in it are the labels; with
    config.attributes, those columns of its table of attributes. See choose. Raises
    NotFoundError, with the `hint`, where there is no folder or no image, UserError
    where an image has no label.
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
    """Return images, their names, and the files that have them; see find_images."""
    used = distinct(path for path in files if wanted(path, config.input_fname_pattern))
    found = [(path, os.path.relpath(path, folder)) for path in used]
    if not found:
        used = distinct(path for path in files if path.lower().endswith('.zip'))
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
    """Say that there is no such data set, and which there are."""
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
    """Tell whether a file is an image by its name and matches the pattern."""
    name = os.path.basename(path)
    return name.lower().endswith(extensions()) and fnmatch.fnmatch(name, pattern)


@functools.lru_cache(maxsize=None)
def extensions():
    """Return the endings, in lower case, of the names of images."""
    known = Image.registered_extensions()
    return tuple(sorted({ending for ending, kind in known.items()
                         if kind in kinds()}.union(MORE_EXTENSIONS)))


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


# --- attributes --------------------------------------------------------------

def attribute_labels(names, files, config, folder):
    """Return ([±1 of each of config.attributes] of each image, the attributes).

    The table is one of `files`, in CelebA's layout: a count, a line of attributes, then
    a line an image: its name, 1 or -1 of each. Raises NotFoundError without a table,
    UserError where it lacks an attribute or an image.
    """
    paths = [path for path in files if is_table(path)]
    if not paths:
        raise NotFoundError(
            'No %s in %s, which --attributes needs: a count, a line of attributes, and '
            'lines like `000001.jpg 1 -1`. That of celebA comes with `python '
            'download.py celebA`.' % (' or '.join(ATTRIBUTE_TABLES), folder))
    wanted = tuple(config.attributes.split(','))
    rows = read_attributes(paths[0], wanted)
    rows = [rows.get(name) or rows.get(os.path.basename(name)) for name in names]
    missing = [name for name, row in zip(names, rows) if row is None]
    if missing:
        raise UserError('%s has no line for %d of %d images, such as %s: add lines, or '
                        'move those images away.'
                        % (paths[0], len(missing), len(names), missing[0]))
    return rows, wanted


def is_table(path):
    """Tell whether a file is a table of attributes by its name."""
    return os.path.basename(path) in ATTRIBUTE_TABLES and os.path.isfile(path)


def attribute_names(folder):
    """Return the attributes of the table in a folder, () where there is none."""
    paths = [path for path in walk(folder) if is_table(path)]
    if not paths:
        return ()
    try:
        check_file(paths[0], MOST_TABLE)
        with open(paths[0], encoding='utf-8') as file:
            return tuple((file.readline() and file.readline()).split())
    except (OSError, ValueError) as error:
        raise UserError('%s cannot be read as a table of attributes: %s'
                        % (paths[0], error))


def read_attributes(path, wanted):
    """Return {image: its ±1 of each of the `wanted`} of a table. Raises UserError."""
    try:
        check_file(path, MOST_TABLE)
        with open(path, encoding='utf-8') as file:
            count, header, *lines = file.read().rstrip().split('\n')
    except (OSError, ValueError) as error:      # no UTF-8, or not two lines
        raise UserError('%s cannot be read as a table of attributes: %s'
                        % (path, error))
    header, rows = header.split(), {}
    columns = [1 + place(name, header, path) for name in wanted]
    for number, line in enumerate(lines, 3):
        cells = line.split()
        values = [cells[i] for i in columns] if len(cells) == len(header) + 1 else ['']
        if not {'1', '-1'}.issuperset(values):
            raise UserError('%s, line %d: expected a name and %d values of 1 or -1, '
                            'found %r.' % (path, number, len(header), line[:80]))
        rows[cells[0]] = [int(value) for value in values]
    if count.strip() != str(len(lines)):
        raise UserError('%s: its first line says %s images, and it has lines for %d: '
                        'fetch it again.' % (path, count.strip()[:20], len(lines)))
    return rows


def place(name, header, path):
    """Return an attribute's index. Raises UserError with the near or all names."""
    if name in header:
        return header.index(name)
    lower = {attribute.lower(): attribute for attribute in header}
    near = difflib.get_close_matches(name.lower(), lower, 3, 0.5)
    raise UserError('--attributes: %s has no %r; %s.' % (
        path, name, 'did you mean %s' % ' or '.join(lower[key] for key in near) if near
        else 'expected some of %s, with commas' % ', '.join(header)))
