"""Data sets in archives: MNIST's IDX files, CIFAR-10, LSUN's LMDB; and zip members.

A finder takes what those of sources.py take. NumPy; for LSUN the package lmdb.
"""

import glob
import gzip
import io
import itertools
import os
import re
import struct
import zlib

import numpy as np

from dataset import pickles, unpack
from dataset.files import read_member, walk
from dataset.sources import IDX, Source, choose, missing_folder, refuse_tables
from settings.errors import NotFoundError, UserError

DIGITS = tuple('0123456789')
FASHION = ('T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt',
           'Sneaker', 'Bag', 'Ankle boot')
GZIP = b'\x1f\x8b'
CIFAR_BATCHES = {'train': ['data_batch_%d' % i for i in range(1, 6)],
                 'test': ['test_batch']}
CIFAR_PLACES = ('', 'cifar-10-batches-bin', 'cifar-10-batches-py',
                'cifar-10-binary.tar.gz', 'cifar-10-python.tar.gz')


# --- a member of an archive --------------------------------------------------

def open_member(path, name):
    """Return a file in memory: a member of the zip file or LMDB folder at `path`."""
    if not os.path.isdir(path):
        return io.BytesIO(read_member(path, name))
    with open_lmdb(path) as env, env.begin() as transaction:
        return io.BytesIO(transaction.get(name.encode('latin-1')))


# --- MNIST and Fashion-MNIST -------------------------------------------------

def find_mnist(folder, config, known, classes=DIGITS):
    """Find the images of four IDX files, plain or .gz; those of t10k are held out."""
    require_folder(folder, known, 'the four IDX files')
    read = {split: read_mnist(folder, split) for split in ('train', 't10k')}
    images, labels = read['train' if config.part == 'train' else 't10k']
    files = [idx_path(folder, split, kind) for split in ('train', 't10k')
             for kind in ('images-idx3', 'labels-idx1')]
    return arrays(config, images, labels, classes, files)


def arrays(config, images, labels, classes, files):
    """Return a Source of images in memory; of those held out, all."""
    refuse_tables(config)
    if config.part == 'held_out':
        config = config.replace(part='train', train_size=None)
    names = ['image %d' % i for i in range(len(images))]
    if config.chosen_by is None:        # an older run: the first, then by label
        images, labels = images[:config.train_size], labels[:config.train_size]
        names = names[:config.train_size]
    groups, with_labels = labels.tolist(), config.conditional
    return choose(config, Source(
        list(images), names, groups if with_labels else None,
        tuple(classes) if with_labels else (), files), groups)


def require_folder(folder, known, what):
    """Raise NotFoundError, naming those near, where there is no such folder."""
    if not os.path.isdir(folder):
        raise NotFoundError(missing_folder(
            folder, known, 'Put %s there, which `python download.py %s` fetches' % (
                what, os.path.basename(folder))))


def read_mnist(folder, split):
    """Return images uint8 [N, 28, 28] and labels uint8 [N]; split: train or t10k."""
    images = read_idx(idx_path(folder, split, 'images-idx3'), 3)
    labels = read_idx(idx_path(folder, split, 'labels-idx1'), 1)
    top = labels.max(initial=0)
    if len(images) != len(labels) or top > 9:
        raise UserError('%s: %d %s images and %d labels up to %d; expected a label up '
                        'to 9 for each image. Fetch it again: python download.py %s'
                        % (folder, len(images), split, len(labels), top,
                           os.path.basename(folder)))
    return images, labels


def idx_path(folder, split, kind):
    """Return the path of an IDX file, plain or .gz, anywhere below the folder.

    7-Zip and some mirrors write train-images.idx3-ubyte; Kaggle's archive unpacks to a
    folder of the file's name. Raises NotFoundError, naming what comes near.
    """
    name, others = '%s-%s-ubyte' % (split, kind), []
    for path in walk(folder):
        found = IDX.match(os.path.basename(path))
        if found and '-'.join(found.groups()).lower() == '%s-%s' % (split, kind):
            return path
        if not found:
            others.append(os.path.relpath(path, folder))
    raise NotFoundError(
        'No %s or %s.gz in %s%s. Fetch them: python download.py %s'
        % (name, name, folder, ' (there are %s: unpack or rename them, if they are '
           'these; pictures are read from a folder of another name; CSV and arrays are '
           'not read)' % ', '.join(others[:4]) if others else '',
           os.path.basename(folder)))


def read_idx(path, ndim):
    """Return the array uint8 in an IDX file, plain or .gz. Raises UserError."""
    start = 4 + 4 * ndim
    try:
        with open(path, 'rb') as file:
            content = file.read()
        if content.startswith(GZIP):        # whatever the name says
            content = gzip.decompress(content)
        magic, *shape = struct.unpack_from('>%dI' % (1 + ndim), content)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise UserError('%s cannot be read (%s): fetch it again.' % (path, error))
    expected = start + int(np.prod(shape, dtype=object))
    if magic != 0x800 + ndim or len(content) != expected:
        raise UserError('%s is not an IDX file of %d dimensions: its magic number is '
                        '%d and its size %d, expected %d and %d. Fetch it again.'
                        % (path, ndim, magic, len(content), 0x800 + ndim, expected))
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


# --- CIFAR-10 ----------------------------------------------------------------

def find_cifar10(folder, config, known):
    """Find the images of CIFAR-10, its Python or its binary version.

    Either as downloaded, a .tar.gz, or unpacked. Its test images are held out.
    """
    require_folder(folder, known, ' or '.join(CIFAR_PLACES[-2:]))
    split = 'train' if config.part == 'train' else 'test'
    return arrays(config, *read_cifar10(folder, split))


def read_cifar10(folder, split):
    """Return images uint8 [N, 32, 32, 3], labels uint8 [N], their names, and the files.

    split: train or test. Raises NotFoundError where neither version is there.
    """
    versions = [([name + '.bin' for name in CIFAR_BATCHES[split]], 'batches.meta.txt',
                 parse_binary), (CIFAR_BATCHES[split], 'batches.meta', parse_python)]
    names = {name for batches, meta, _ in versions for name in batches + [meta]}
    places = [os.path.join(folder, place) for place in CIFAR_PLACES]
    for place in filter(os.path.exists, places):
        contents, files = (
            (unpack.read_tar(place, names), [place])
            if os.path.isfile(place) else read_folder(place, names))
        for batches, meta, parse in versions:
            if contents.keys() & {*batches, meta}:
                return cifar10_arrays(place, batches, meta, contents, parse) + (files,)
    for place in filter(os.path.isfile, places):
        raise UserError('%s holds no batch of CIFAR-10. Fetch it again: python '
                        'download.py cifar10' % place)
    raise NotFoundError('No %s in %s, nor the folder in one of them. Fetch it: python '
                        'download.py cifar10'
                        % (' or '.join(CIFAR_PLACES[-2:]), folder))


def read_folder(folder, names):
    """Return ({name: content}, paths) of the named files that a folder has."""
    paths = [os.path.join(folder, name) for name in sorted(names)]
    paths, contents = [path for path in paths if os.path.isfile(path)], {}
    for path in paths:
        with open(path, 'rb') as file:
            contents[os.path.basename(path)] = file.read()
    return contents, paths


def cifar10_arrays(place, batches, meta, contents, parse):
    """Return (images, labels, their names) of the contents of files."""
    missing = [name for name in batches + [meta] if name not in contents]
    if missing:
        raise NotFoundError('No %s in %s. Fetch it again: python download.py cifar10'
                            % (', '.join(missing), place))
    try:
        pixels, labels = zip(*(parse(contents[name]) for name in batches))
        pixels, labels = np.concatenate(pixels), np.concatenate(labels)
        images = pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        classes = parse(contents[meta], meta=True)
        if len(labels) != len(images) or labels.max(initial=0) >= len(classes):
            raise ValueError('%d images, %d labels up to %d, and names of %d'
                             % (len(images), len(labels), labels.max(initial=0),
                                len(classes)))
    except Exception as error:      # a damaged pickle raises nearly anything
        raise UserError('CIFAR-10 in %s cannot be read (%s: %s). Fetch it again: '
                        'python download.py cifar10'
                        % (place, type(error).__name__, error))
    return images, labels, classes


def parse_binary(content, meta=False):
    """Return (pixels uint8 [N, 3072], labels uint8 [N]) of a batch of the binary
    version; of its meta file the names of the labels.
    """
    if meta:
        return tuple(content.decode().split())
    records = np.frombuffer(content, np.uint8).reshape(-1, 3073)
    return records[:, 1:], records[:, 0]


def parse_python(content, meta=False):
    """Do the same for the Python version, whose files are pickles."""
    values = pickles.read(content)
    if meta:
        return tuple(values['label_names'])
    return pickles.rows(values['data'], 3072), np.array(values['labels'], np.uint8)


# --- LSUN --------------------------------------------------------------------

def find_lsun(folder, config, known):
    """Find the images of LSUN's unpacked training folders, as bedroom_train_lmdb.

    With config.conditional, these folders are the labels. Raises NotFoundError where
    there is none, UserError where one cannot be read.
    """
    refuse_tables(config)
    require_folder(folder, known, 'folders such as bedroom_train_lmdb')
    paths = lsun_folders(folder)
    keys = [read_keys(path) for path in paths]
    images = [(path, key) for path, names in zip(paths, keys) for key in names]
    classes = [re.sub('_train_lmdb$', '', os.path.basename(path)) for path in paths]
    if config.conditional and len(classes) < 2:
        raise UserError('--conditional needs two categories of LSUN or more; found '
                        'only %s.' % paths[0])
    labels = [label for label, names in enumerate(keys) for _ in names]
    return choose(config, Source(
        images, list(itertools.chain(*keys)), labels if config.conditional else None,
        tuple(classes) if config.conditional else (),
        [os.path.join(path, 'data.mdb') for path in paths]), labels)


def lsun_folders(folder):
    """Return the LMDB folders in a folder, without those to validate and test with."""
    found = sorted(os.path.dirname(path) for path in glob.glob(
        os.path.join(glob.escape(folder), '*', 'data.mdb')))
    train = [path for path in found if not path.endswith(('_val_lmdb', 'test_lmdb'))]
    if train:
        return train
    zips = glob.glob(os.path.join(glob.escape(folder), '*_lmdb.zip'))
    remedy = ('Unpack %s there' % os.path.basename(zips[0]) if zips else
              'Fetch it: python download.py lsun; or put another of '
              'http://dl.yf.io/lsun/scenes/ there, unpacked')
    raise NotFoundError('No folder such as bedroom_train_lmdb, with a data.mdb in it, '
                        'in %s%s. %s.'
                        % (folder, ' (%s is not to train with)' % os.path.basename(
                            found[0]) if found else '', remedy))


def read_keys(path):
    """Return the keys of an LMDB folder, in its order."""
    with open_lmdb(path) as env, env.begin() as transaction:
        keys = transaction.cursor().iternext(keys=True, values=False)
        return [key.decode('latin-1') for key in keys]


def open_lmdb(path):
    """Open an LMDB folder to read. Raises UserError where it cannot be."""
    try:
        import lmdb
    except ImportError:
        raise UserError('LSUN is kept in LMDB, which another package reads: run '
                        '`python -m pip install lmdb`.')
    try:
        env = lmdb.open(path, readonly=True, lock=False, readahead=False, create=False)
    except (lmdb.Error, OSError) as error:
        raise UserError('%s cannot be read as LMDB (%s): unpack or fetch it again.'
                        % (path, error))
    # The file is mapped into memory: reading beyond its end would kill the process.
    size = (env.info()['last_pgno'] + 1) * env.stat()['psize']
    if os.path.getsize(os.path.join(path, 'data.mdb')) < size:
        env.close()
        raise UserError('%s: its data.mdb is cut short, of %d bytes: unpack or fetch '
                        'it again.' % (path, size))
    return env
