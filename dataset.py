"""Data sets: images anywhere → a packed uint8 cache → batches.

A data set is a row of DATASETS, or else the name of a folder in --data_dir. Its first
use packs the images, cropped and resized, into one file; training reads batches from
that file, mapped into memory, as a pure function of (seed, step). NumPy and Pillow.
"""

import concurrent.futures
import contextlib
import fnmatch
import functools
import gzip
import hashlib
import io
import json
import multiprocessing
import os
import struct
import typing
import zipfile
import zlib

import numpy as np
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from config import NotFoundError, UserError
from utils import atomic_write, cores, get_image, transform

# What Pillow opens that is no picture, or that another program must draw
NO_PICTURES = ('BUFR', 'EPS', 'GRIB', 'HDF5', 'MPEG', 'WMF')
# Images that not every Pillow opens: named in the report rather than passed over
MORE_EXTENSIONS = ('.avif', '.heic', '.heif', '.jxl', '.mpo', '.webp')
CHUNK = 64               # images that a worker packs at a time
FEWEST_FOR_WORKERS = 512


# --- where the images are ----------------------------------------------------

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


def find_images(folder, config):
    """Find the images of a folder: files, recursively, or else those in its zips.

    With config.conditional, the folders directly in it are the labels. Raises
    NotFoundError where there is no folder or no image, UserError where an image has
    no label.
    """
    if not os.path.isdir(folder):
        raise NotFoundError(missing_folder(folder))
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
            'names like %s ending in %s.' % (folder, config.input_fname_pattern,
                                             ' '.join(extensions())))
    images, names = zip(*found[:config.train_size])
    labels, classes = folder_labels(names) if config.conditional else (None, ())
    return Source(list(images), list(names), labels, classes, used)


def missing_folder(folder):
    """Say that there is no such data set, and which there are."""
    parent = os.path.dirname(folder)
    _, there, _ = next(os.walk(parent), ('', [], []))
    there = sorted(name for name in there if not hidden(name))
    return ('No data set at %s. Put images there, or run `python download.py` (%s); '
            'data sets in %s: %s.'
            % (folder, ', '.join(sorted(DATASETS)), parent, ', '.join(there) or 'none'))


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
                        'are in, but %d lie in none, such as %s.'
                        % (len(loose), loose[0]))
    classes = tuple(sorted({first[0] for first in firsts}))
    if len(classes) < 2:
        raise UserError('--conditional needs two folders of images or more; found '
                        'only %s.' % classes)
    index = {name: i for i, name in enumerate(classes)}
    return [index[first[0]] for first in firsts], classes


def find_mnist(folder, config):
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


# --- the table ---------------------------------------------------------------

class Row(typing.NamedTuple):
    """A data set: how its images are found, and its own defaults."""

    find: typing.Callable
    defaults: dict


DATASETS = {
    'celebA': Row(find_images, dict(crop=True, input_height=108)),
    'mnist': Row(find_mnist, dict(output_height=28, c_dim=1, conditional=True)),
    'toonfaces': Row(find_images, {}),
}


def defaults(name):
    """Return a data set's own defaults; any folder's are Config's."""
    return dict(DATASETS[name].defaults) if name in DATASETS else {}


# --- packing -----------------------------------------------------------------

class Dataset:
    """Images uint8 [N, H, W, C], mapped from the cache, with their labels."""

    def __init__(self, images, labels=None, classes=()):
        self.images = images
        self.classes = tuple(classes)
        self.labels = labels
        self.order, self.order_of = None, None

    def __len__(self):
        return len(self.images)

    def steps_per_epoch(self, batch_size):
        """Return how many whole batches there are. UserError where not one is."""
        if len(self) < batch_size:
            raise UserError('The data set has %d images, fewer than one batch of %d: '
                            'add images or give a smaller --batch_size.'
                            % (len(self), batch_size))
        return len(self) // batch_size

    def batch(self, step, batch_size, seed):
        """Return (images float32 in [-1, 1], y one-hot float32 or None) of a step.

        An epoch is a permutation of the data set that (seed, epoch) decides; what is
        left over at its end waits for the next.
        """
        epoch, index = divmod(step, self.steps_per_epoch(batch_size))
        if self.order_of != (seed, epoch):
            rng = np.random.default_rng([seed, epoch])
            self.order, self.order_of = rng.permutation(len(self)), (seed, epoch)
        chosen = self.order[index * batch_size:(index + 1) * batch_size]
        images = transform(self.images[chosen])
        if self.labels is None:
            return images, None
        return images, one_hot(self.labels[chosen], len(self.classes))


def one_hot(labels, classes):
    """Return float32 [N, classes], 1 where the label is."""
    return np.eye(classes, dtype=np.float32)[np.asarray(labels)]


def load(config, echo=print):
    """Return the Dataset that a config names, packed first where need be.

    Raises NotFoundError where there are no images, UserError where more than half of
    them cannot be used.
    """
    folder = os.path.abspath(os.path.join(config.data_dir, config.dataset))
    row = DATASETS.get(config.dataset) or Row(find_images, {})
    source = row.find(folder, config)
    base, key = cache_base(config), fingerprint(source, config)
    try:
        images, left_out = (read_cache(base, key)
                            or pack(source, config, base, key, echo))
    except (OSError, concurrent.futures.BrokenExecutor) as error:
        raise UserError('Packing the images into %s failed (%s). Another folder: '
                        '--cache_dir; less memory: --threads 1.' % (base, error))
    if left_out:
        echo('%d of %d images could not be used; see %s'
             % (len(left_out), len(source.images), base + '.report.txt'))
    labels = None if source.labels is None else np.delete(source.labels, left_out)
    return Dataset(images, labels, source.classes)


def cache_base(config):
    """Return the path of the cache without its ending."""
    name = '%s_%dx%dx%d' % (config.dataset, config.output_height, config.output_width,
                            config.c_dim)
    name += '-' + digest(transform_settings(config))[:8]
    return os.path.join(config.cache_dir or os.path.join(config.data_dir, '.cache'),
                        name)


def transform_settings(config):
    """Return the settings that decide what a packed image looks like."""
    return [config.dataset, config.output_height, config.output_width, config.c_dim,
            config.crop and [config.input_height, config.input_width],
            config.input_fname_pattern, config.train_size]


def digest(value):
    """Return the SHA-256 of a value's JSON."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def fingerprint(source, config):
    """Return a text that changes with the source files or the transform."""
    files = []
    for path in source.files:
        stat = os.stat(path) if os.path.exists(path) else os.lstat(path)
        files.append([path, stat.st_size, stat.st_mtime_ns])
    return digest([2, transform_settings(config), len(source.images), files])


def read_cache(base, key):
    """Return a cache's images, mapped, and the indices of those left out of it.

    None where there is no cache, or one of another key, or a part of one.
    """
    try:
        with open(base + '.json', encoding='utf-8') as file:
            meta = json.load(file)
        if meta['key'] == key:
            return np.load(base + '.npy', mmap_mode='r'), meta['left_out']
    except (OSError, EOFError, ValueError):
        pass
    return None


def pack(source, config, base, key, echo):
    """Write the cache: images, a report of those left out, and the key last.

    Return what read_cache does. Raises UserError where more than half are left out.
    """
    count = len(source.images)
    echo('packing %s images of %s into %s.npy (once)'
         % (format(count, ','), config.dataset, base))
    with contextlib.suppress(FileNotFoundError):
        os.remove(base + '.json')
    bad = write_images(source, config, base + '.npy')
    lines = [('%s: %s' % (source.names[i], why)).replace('\n', '\\n') for i, why in bad]
    with atomic_write(base + '.report.txt') as file:    # names may be no valid UTF-8
        file.write(''.join(line + '\n' for line in lines)
                   .encode('utf-8', 'backslashreplace'))
    if 2 * len(bad) > count:
        os.remove(base + '.npy')
        raise UserError('%d of %d images cannot be used, more than half; the first: '
                        '%s\nAll of them: %s.report.txt'
                        % (len(bad), count, lines[0], base))
    left_out = [index for index, _ in bad]
    with atomic_write(base + '.json', 'w') as file:
        json.dump({'key': key, 'left_out': left_out}, file)
    return np.load(base + '.npy', mmap_mode='r'), left_out


def write_images(source, config, path):
    """Write the good images as one .npy; return the bad ones as (index, reason)."""
    shape = config.output_height, config.output_width, config.c_dim
    header_size = len(npy_header(0, shape))
    good, bad = 0, []
    with atomic_write(path) as file, packed(source.images, config) as results:
        file.write(b'\0' * header_size)
        for index, image in enumerate(tqdm(results, 'packing', len(source.images),
                                           unit=' images', disable=None)):
            if isinstance(image, str):
                bad.append((index, image))
            else:
                file.write(image.tobytes())
                good += 1
        file.seek(0)
        file.write(npy_header(good, shape))
    return bad


def npy_header(count, shape):
    """Return an .npy header whose size does not depend on the count."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {
        'descr': '|u1', 'fortran_order': False, 'shape': (10**12 + count,) + shape})
    return header.getvalue().replace(str(10**12 + count).encode(),
                                     str(count).rjust(13).encode())


@contextlib.contextmanager
def packed(images, config):
    """Give an iterator over the packed images, in order, by worker processes."""
    pack_one = functools.partial(pack_image, arguments=(
        config.input_height, config.input_width, config.output_height,
        config.output_width, config.crop, config.c_dim))
    workers = config.threads or cores()
    if len(images) < FEWEST_FOR_WORKERS or workers == 1:
        yield map(pack_one, images)
        return
    # Not forked: a fork of a process in which TensorFlow has started threads may hang.
    spawn = multiprocessing.get_context('spawn')
    with concurrent.futures.ProcessPoolExecutor(workers, spawn) as pool, \
            contextlib.closing(pool.map(pack_one, images, chunksize=CHUNK)) as results:
        yield results


def pack_image(image, arguments):
    """Return an image as uint8 [H, W, C], or as text the reason why it cannot be."""
    try:
        if isinstance(image, tuple):
            path, name = image
            archive = open_zip(path, os.stat(path).st_mtime_ns)
            image = io.BytesIO(archive.read(name))
        return get_image(image, *arguments)
    except UnidentifiedImageError:
        return 'not a kind of image that Pillow opens'
    except Exception as error:          # Pillow's decoders raise nearly anything
        return '%s: %s' % (type(error).__name__, error)


@functools.lru_cache(maxsize=4)
def open_zip(path, mtime):
    """Open a zip file once a process: its table alone may be 200,000 lines long."""
    return zipfile.ZipFile(path)
