"""Measure the memory of training on 20,000 images and on 200,000, made by repetition.

python bench/speed/memory.py ARCHIVE [--seconds 60] [--counts 20000,200000]

ARCHIVE is a .zip of JPEG files such as img_align_celeba.zip, whose files are repeated
until they are enough. Each run packs them, trains at the default width until so many
seconds after its first step, and is stopped by SIGTERM, on which it saves. The peak of
RssAnon is that of main.py and its packing processes together.
"""

import argparse
import glob
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from bench.speed.peak_memory import watch
from bench.turns import ROOT


def repeat(archive, count, path):
    """Write an archive of `count` images, those of another over and over."""
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(path, 'w') as target:
        names = [n for n in source.namelist() if n.lower().endswith('.jpg')]
        for number in range(count):
            data = source.read(names[number % len(names)])
            target.writestr('img_align_celeba/%06d.jpg' % (number + 1), data)


def train(archive, count, seconds):
    """Train on `count` images; return the peak in MiB."""
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        os.mkdir(os.path.join(folder, 'celebA'))
        repeat(archive, count, os.path.join(folder, 'celebA', 'img_align_celeba.zip'))
        process = subprocess.Popen(
            [sys.executable, 'main.py', '--dataset', 'celebA', '--train',
             '--flagfile', 'configs/wide.flags', '--precision', 'float32']
            + ['--%s_dir=%s' % (kind, os.path.join(folder, kind))
               for kind in ('checkpoint', 'sample', 'cache')] + ['--data_dir', folder],
            cwd=ROOT, stdout=subprocess.DEVNULL)
        begun = []

        def stop():
            if not begun and glob.glob(os.path.join(folder, 'checkpoint/*/logs/*')):
                begun.append(time.time())
            if begun and time.time() - begun[0] > seconds:
                process.send_signal(signal.SIGTERM)
                begun[0] = float('inf')
        return watch(process, stop)


def main():
    """Measure each count; print the peaks and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('archive')
    parser.add_argument('--seconds', type=float, default=60)
    parser.add_argument('--counts', default='20000,200000')
    options = parser.parse_args()
    peaks = []
    for count in map(int, options.counts.split(',')):
        peaks.append(train(os.path.abspath(options.archive), count, options.seconds))
        print('%7d images: peak anonymous memory %.0f MiB' % (count, peaks[-1]),
              flush=True)
    print('last over first: %.3f (1.00 within 0.05)' % (peaks[-1] / peaks[0]))


if __name__ == '__main__':
    main()
