"""The cache: the images of a data set, cropped and resized, in one file of uint8."""

import contextlib
import errno
import hashlib
import io
import json
import os
import time

import numpy as np
from numpy.lib.format import open_memmap
from tqdm import tqdm

from dataset import preview
from dataset.packing import packed
from settings.errors import UserError
from utils import UNABLE, atomic_write, claim, remove, remove_leftovers


def sheet_of(config, images):
    """Return the path of the sheet of the packed images; draw it if it is missing."""
    path = cache_base(config) + '.png'
    if not os.path.exists(path):
        preview.save_sheet(images, path)
    return path


def cache_base(config):
    """Return the path of the cache's files, without their endings."""
    name = '%s_%dx%dx%d' % (config.dataset, config.output_height, config.output_width,
                            config.c_dim)
    name += '-' + digest(transform_settings(config))[:8]
    return os.path.join(config.cache_dir or os.path.join(config.data_dir, '.cache'),
                        name)


def transform_settings(config):
    """Return the settings on which the packed images depend."""
    return [config.dataset, config.output_height, config.output_width, config.c_dim,
            config.crop and [config.input_height, config.input_width],
            config.input_fname_pattern,
            # In older runs, other images were chosen with labels.
            config.train_size and [config.train_size, config.conditional
                                   if config.chosen_by is None else
                                   'seed %d' % config.chosen_by]
            ] + ([config.part] if config.part != 'train' else [])


def digest(value):
    """Return the SHA-256 of a value's JSON."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def fingerprint(source, config):
    """Return the cache's key, which changes with the source files or the settings."""
    named = source.partial and config.chosen_by is not None
    chosen = [digest(source.names)] if named else []
    return digest([3, transform_settings(config), len(source.images),
                   [stamp(path) for path in source.files]] + chosen)


def stamp(path):
    """Return [path, size, time of change] of a file."""
    try:
        stat = os.stat(path)
    except OSError:             # a broken link
        return [path, -1, 0]
    return [path, stat.st_size, stat.st_mtime_ns]


def read_cache(base, key):
    """Return a cache's images, mapped into memory, and the indices of those left out.

    None where there is no whole cache with that key.
    """
    try:
        with open(base + '.json', encoding='utf-8') as file:
            meta = json.load(file)
        if meta['key'] == key:
            return mapped(base + '.npy'), meta['left_out']
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        pass
    return None


def mapped(path):
    """Return an array file mapped into memory; read, where the file system maps none.

    Raises what open_memmap does.
    """
    try:
        return open_memmap(path, mode='r')
    except OSError as error:
        if error.errno not in UNABLE | {errno.ENODEV}:
            raise
        return np.load(path)


def pack(source, config, base, key, echo):
    """Write the cache and return what read_cache does; see write_cache.

    Raises UserError where there is no room, or it cannot be written.
    """
    size = preview.check_room(len(source.images), config, os.path.dirname(base))
    echo('packing %s images of %s into %s.npy (once, %s)' % (
        format(len(source.images), ','), config.dataset, base, preview.in_bytes(size)))
    note = preview.crop_note(source, config)
    if note:
        echo(note)
    try:
        with alone(base, echo):
            return read_cache(base, key) or write_cache(source, config, base, key)
    except OSError as error:
        raise UserError('Packing the images into %s failed (%s). Another folder: '
                        '--cache_dir.' % (base, error))


@contextlib.contextmanager
def alone(base, echo):
    """Wait while another process packs the same images, as another worker may do."""
    os.makedirs(os.path.dirname(base), exist_ok=True)
    with open(base + '.lock', 'a') as file:
        if claim(file) is False:
            echo('waiting for another process, which packs them')
            while claim(file) is False:
                time.sleep(0.2)
        try:
            yield
        finally:
            remove(base + '.lock')


def write_cache(source, config, base, key):
    """Write the cache: the images, the report of bad ones, a sheet, and last the key.

    Return what read_cache does. Raises UserError where more than half are left out.
    """
    count = len(source.images)
    for ending in ('.json', '.png'):
        with contextlib.suppress(FileNotFoundError):
            os.remove(base + ending)
    remove_leftovers(*os.path.split(base))
    bad = write_images(source, config, base + '.npy')
    lines = [printable('%s: %s' % (source.names[i], why)) for i, why in bad]
    with atomic_write(base + '.report.txt', 'w') as file:
        file.write(''.join(line + '\n' for line in lines))
    if 2 * len(bad) > count:
        os.remove(base + '.npy')
        raise UserError('%d of %d images cannot be used, more than half; the first: '
                        '%s\nAll of them: %s.report.txt'
                        % (len(bad), count, lines[0], base))
    left_out = [index for index, _ in bad]
    images = mapped(base + '.npy')
    preview.save_sheet(images, base + '.png')
    with atomic_write(base + '.json', 'w') as file:
        json.dump({'key': key, 'left_out': left_out}, file)
    return images, left_out


def printable(text):
    """Return a text as one line, without control characters and invalid UTF-8."""
    return ''.join(character if character.isprintable() else repr(character)[1:-1]
                   for character in text)


def write_images(source, config, path):
    """Write the good images as one .npy; return [(index, reason)] of the bad ones."""
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
    """Return an .npy header of the same size for each count."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {
        'descr': '|u1', 'fortran_order': False, 'shape': (10**12 + count,) + shape})
    return header.getvalue().replace(str(10**12 + count).encode(),
                                     str(count).rjust(13).encode())
