"""Measure what comes before the step: packing images, reading batches.

python bench/speed/pipeline.py ARCHIVE [--rounds 5]

ARCHIVE is a .zip of JPEG files such as img_align_celeba.zip; 16,000 of them are packed.
"""

import argparse
import multiprocessing
import os
import pathlib
import statistics
import sys
import tempfile
import time
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import numpy as np
from PIL import Image

from dataset import batches, catalog
from settings.config import Config

IMAGES = 16000


def timed(function, *arguments):
    """Return how many seconds a call takes."""
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began


def plain(path):
    """Open, crop and resize one image by Pillow, as a script would."""
    with Image.open(path) as image:
        left, top = (image.width - 108) // 2, (image.height - 108) // 2
        image = image.convert('RGB').crop((left, top, left + 108, top + 108))
        return np.asarray(image.resize((64, 64), Image.BICUBIC))


def plain_loop(paths):
    """Do that in two processes; keep the result in one array."""
    with multiprocessing.get_context('spawn').Pool(2) as pool:
        np.stack(pool.map(plain, paths, chunksize=64))


def pack(folder):
    """Pack the folder 'celebA' in `folder` anew with two workers."""
    with tempfile.TemporaryDirectory() as cache:
        config = Config.make({'data_dir': folder, 'cache_dir': cache, 'threads': 2},
                             catalog.defaults('celebA'))
        batches.load(config, echo=lambda text: None)


def measure_packing(archive, rounds):
    """Print images/s of packing and of the plain loop, in turn."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(archive) as file:
        names = [n for n in file.namelist() if n.lower().endswith('.jpg')][:IMAGES]
        file.extractall(os.path.join(folder, 'celebA'), names)
        paths = [os.path.join(folder, 'celebA', name) for name in names]
        times = [(timed(pack, folder), timed(plain_loop, paths)) for _ in range(rounds)]
    ours, theirs = (len(paths) / statistics.median(t) for t in zip(*times))
    print('packing, two processes: %.0f images/s; plain Pillow loop %.0f; ratio %.2f '
          '(at least 1.0)' % (ours, theirs, statistics.median(b / a for a, b in times)))


def measure_reading(rounds, count=250000):
    """Print images/s of batches in random order from a cache of 3 GB, mapped."""
    with tempfile.TemporaryDirectory(dir='.') as folder:
        path = os.path.join(folder, 'cache.npy')
        images = np.lib.format.open_memmap(path, 'w+', np.uint8, (count, 64, 64, 3))
        block = np.random.default_rng(0).integers(0, 256, (1000, 64, 64, 3), np.uint8)
        for start in range(0, count, 1000):
            images[start:start + 1000] = block
        data = batches.Dataset(np.load(path, mmap_mode='r'))
        data.batch(0, 64, 0)

        def read():
            for number in range(500):
                data.batch(number, 64, 0)
        speeds = [500 * 64 / timed(read) for _ in range(rounds)]
    print('reading batches, random order, as float32: %.0f images/s'
          % statistics.median(speeds))


def main():
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('archive')
    parser.add_argument('--rounds', type=int, default=5)
    options = parser.parse_args()
    measure_packing(options.archive, options.rounds)
    measure_reading(options.rounds)


if __name__ == '__main__':
    main()
