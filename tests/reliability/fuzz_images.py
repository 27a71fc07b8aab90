"""Mutated pictures of many formats through the real packer, by worker processes.

`python tests/reliability/fuzz_images.py --count 50000` prints what came of it, and ends
with 1 where the packer crashed, hung, grew, lost a good picture or named no reason.
"""

import argparse
import collections
import io
import os
import random
import resource
import sys
import tempfile
import threading
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..'))

import numpy as np
from PIL import Image, ImageCms

from dataset import batches, cache
from settings.config import Config

SIZE = 24, 20
EXTREMES = 0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff
GROWTH = 64 * 2**20     # of a worker, between its second quarter and its last
SECONDS = 60            # without any progress at all


# --- good files ----------------------------------------------------------------------

def picture(mode):
    """Return a small Pillow image of smooth colours."""
    y, x = np.mgrid[:SIZE[1], :SIZE[0]]
    pixels = np.stack([x * 10, y * 12, (x + y) * 5, 255 - x * 6], -1).astype(np.uint8)
    if mode in ('RGBA', 'CMYK'):
        return Image.fromarray(pixels, mode)
    if mode == 'I;16':
        return Image.fromarray(pixels[:, :, 0] * np.uint16(257))
    if mode == 'F':
        return Image.fromarray(pixels[:, :, 0] / np.float32(255))
    return Image.fromarray(pixels[:, :, :3]).convert(mode)


def save(mode, kind, **options):
    file = io.BytesIO()
    if options.get('save_all'):
        options['append_images'] = [picture(mode).rotate(90)]
    picture(mode).save(file, kind, **options)
    return file.getvalue()


def good():
    """Return {name with its ending: content}."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    exif = Image.Exif()
    exif[0x112], exif[0x10f] = 6, 'maker'
    exif = exif.tobytes()
    return {
        'base.jpg': save('RGB', 'JPEG', exif=exif, icc_profile=profile),
        'progressive.jpg': save('RGB', 'JPEG', progressive=True, quality=90),
        'cmyk.jpg': save('CMYK', 'JPEG'), 'gray.jpg': save('L', 'JPEG'),
        'two.mpo': save('RGB', 'MPO', save_all=True),
        'rgb.png': save('RGB', 'PNG', icc_profile=profile, exif=exif),
        'rgba.png': save('RGBA', 'PNG'), 'gray16.png': save('I;16', 'PNG'),
        'palette.png': save('P', 'PNG', transparency=3),
        'bit.png': save('1', 'PNG'), 'animated.png': save('RGB', 'PNG', save_all=True),
        'still.gif': save('P', 'GIF', transparency=3),
        'animated.gif': save('RGB', 'GIF', disposal=2, save_all=True),
        'lossy.webp': save('RGB', 'WEBP', exif=exif, icc_profile=profile),
        'lossless.webp': save('RGBA', 'WEBP', lossless=True),
        'animated.webp': save('RGB', 'WEBP', save_all=True),
        'still.avif': save('RGB', 'AVIF', speed=10), 'bitmap.bmp': save('RGB', 'BMP'),
        'palette.bmp': save('P', 'BMP'), 'plain.tif': save('RGB', 'TIFF', exif=exif),
        'lzw.tif': save('RGBA', 'TIFF', compression='tiff_lzw'),
        'jpeg.tif': save('RGB', 'TIFF', compression='jpeg'),
        'deflate.tif': save('I;16', 'TIFF', compression='tiff_adobe_deflate'),
        'fax.tif': save('1', 'TIFF', compression='group4'),
        'float.tif': save('F', 'TIFF'), 'two.tif': save('RGB', 'TIFF', save_all=True),
        'cmyk.tif': save('CMYK', 'TIFF'),
        'colour.ppm': save('RGB', 'PPM'), 'gray16.pgm': save('I;16', 'PPM'),
        'packed.tga': save('RGB', 'TGA', compression='tga_rle'),
        'icon.ico': save('RGBA', 'ICO'), 'icon.icns': save('RGBA', 'ICNS'),
        'wave.jp2': save('RGB', 'JPEG2000'), 'packed.pcx': save('P', 'PCX'),
        'plain.sgi': save('RGB', 'SGI'), 'plain.dds': save('RGBA', 'DDS'),
        'plain.im': save('RGB', 'IM'), 'text.xbm': save('1', 'XBM'),
    }


# --- mutations -----------------------------------------------------------------------

def mutations(count, seed, contents):
    """Yield (name, content) of good files that are changed at random."""
    rng, names = random.Random(seed), sorted(contents)
    for index in range(count):
        name = names[index % len(names)]
        content = bytearray(contents[name])
        for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
            change(rng, content, contents)
        if name.endswith('.png') and rng.random() < 0.7:
            mend(content)
        yield 'fuzzed %06d %s' % (index, name), bytes(content)


def mend(content):
    """Set the checksums of a PNG's chunks, else few changes get past them."""
    at = 8
    while at + 12 <= len(content):
        end = at + 8 + int.from_bytes(content[at:at + 4], 'big')
        if end + 4 > len(content):
            break
        content[end:end + 4] = zlib.crc32(content[at + 4:end]).to_bytes(4, 'big')
        at = end + 4


def change(rng, content, contents):
    """Change a bytearray at one place, mostly near its beginning."""
    length = max(1, len(content))
    at = rng.randrange(min(length, rng.choice((32, 128, 600, length))))
    kind = rng.randrange(9)
    if kind <= 2:
        content[at:at + 1] = bytes([rng.randrange(256)])
    elif kind == 3:
        content[at:at + 1] = bytes([(content + b'\0')[at] ^ 1 << rng.randrange(8)])
    elif kind <= 5:             # a number, of either byte order
        size = rng.choice((1, 2, 4))
        number = rng.choice(EXTREMES) & 256 ** size - 1
        content[at:at + size] = number.to_bytes(size, rng.choice(('big', 'little')))
    elif kind == 6:
        del content[at:at + rng.choice((1, 2, 4, 50, length))]
    elif kind == 7:
        content[at:at] = content[at:at + rng.choice((1, 4, 64))]
    else:                       # a piece of another format
        other = contents[rng.choice(sorted(contents))]
        start = rng.randrange(len(other))
        content[at:at] = other[start:start + rng.choice((4, 64, 1000))]


def write(folder, count, seed):
    """Write `count` mutated files, each with a plain one after it; return the names."""
    os.makedirs(folder)
    files = []
    for index, (name, content) in enumerate(mutations(count, seed, good())):
        plain = b'P5 2 2 255\n' + bytes([index % 251] * 4)
        files += [(name, content), ('fuzzed %06d z.pgm' % index, plain)]
    for name, content in files:
        with open(os.path.join(folder, name), 'wb') as file:
            file.write(content)
    return [name for name, _ in files]


# --- the packer ----------------------------------------------------------------------

class Watch(threading.Thread):
    """Samples the memory of this process's children, the workers, while it packs."""

    def __init__(self):
        super().__init__(daemon=True)
        self.samples, self.over = collections.defaultdict(list), threading.Event()

    def run(self):
        while not self.over.wait(0.2):
            path = '/proc/self/task/%d/children' % os.getpid()
            with open(path) as file:
                children = file.read().split()
            for child in children:
                self.samples[child].append(resident(child))

    def growth(self):
        """Return the most that a worker's least memory grew after its first half."""
        grown = [0]
        for sizes in self.samples.values():
            quarter = len(sizes) // 4
            if quarter >= 5:
                grown.append(min(filter(None, sizes[-quarter:-1]), default=0)
                             - min(filter(None, sizes[quarter:2 * quarter])))
        return max(grown)


def resident(process):
    """Return the bytes of memory that a process has, 0 where it is gone."""
    try:
        with open('/proc/%s/statm' % process) as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def fuzz(folder, count, seed, threads):
    """Pack `count` mutated files; return the figures. AssertionError where it failed.

    ValueError and the like, where a worker is killed, come from the packer itself.
    """
    names = write(os.path.join(folder, 'fuzzed'), count, seed)
    config = Config.make(dict(dataset='fuzzed', data_dir=folder, output_height=16,
                              threads=threads), {})
    watch, start = Watch(), time.monotonic()
    watch.start()
    loaded = batches.load(config, lambda text: None)
    watch.over.set()
    seconds = time.monotonic() - start
    with open(cache.cache_base(config) + '.report.txt', encoding='utf-8') as file:
        lines = file.read().splitlines()
    assert len(lines) + len(loaded) == 2 * count
    check_plain(loaded, lines, names)
    reasons = collections.Counter()
    for line in lines:
        name, reason = line.split(': ', 1)
        assert name.startswith('fuzzed ') and 5 < len(reason) < 500, line
        reasons[reason.split(':')[0]] += 1
    assert watch.growth() < GROWTH, 'a worker grew by %d bytes' % watch.growth()
    return dict(files=count, refused=len(lines), seconds=round(seconds, 1),
                growth_mib=watch.growth() // 2**20, reasons=dict(reasons.most_common()),
                largest_worker_mib=resource.getrusage(
                    resource.RUSAGE_CHILDREN).ru_maxrss // 2**10)


def check_plain(loaded, lines, names):
    """Assert that every plain picture is where it must be, of its own gray."""
    bad = {line.split(': ', 1)[0] for line in lines}
    assert len(bad) == len(lines)
    left = [name for name in names if name not in bad]
    assert len(left) == len(loaded)
    for name, image in zip(left, loaded.images):
        if name.endswith(' z.pgm'):
            assert (image == int(name.split()[1]) % 251).all(), name


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--count', type=int, default=50000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--threads', type=int, default=2)
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, value in fuzz(folder, flags.count, flags.seed, flags.threads).items():
            print('%s: %s' % (name, value))


if __name__ == '__main__':
    main()
