"""Small pictures that Pillow and libtiff would spend memory or hours on."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
import test_sources
from PIL import Image
from test_bad_images import read_alone, report
from test_pictures import RED, encode
from test_sources import grays, load, numbered

from dataset import packing, pictures

data = test_sources.data
ARGUMENTS = 8, 8, 8, 8, False, 3
GRAY = [(256, 16), (257, 16), (258, 8), (259, 8), (262, 1), (277, 1)]   # deflated


def tiff(tags, content, big=False):
    """Return a TIFF of LONG tags, (tag, value) or (tag, value, count).

    A value of None is the place of the content, which lies behind them.
    """
    form = '<HHQQ' if big else '<HHII'
    head = struct.pack('<2sHHHQQ' if big else '<2sHIH', b'II', *(
        (43, 8, 0, 16, len(tags)) if big else (42, 8, len(tags))))
    place = len(head) + struct.calcsize(form) * len(tags) + 8
    return (head + b''.join(struct.pack(
        form, tag, 4, *(count or [1]), place if value is None else value)
        for tag, value, *count in tags) + bytes(8) + content)


def tiled(*sides, big=False):
    """Return a TIFF of 16 x 16 and one tile, whose sides it says so often."""
    zeros = zlib.compress(bytes(10**6))
    tags = [(tag, side) for side in sides for tag in (322, 323)]
    return tiff(GRAY + tags + [(324, None), (325, len(zeros))], zeros, big)


def striped(more=()):
    """Return a TIFF of 16 x 16 whose pixels are all 7, with more tags."""
    pixels = zlib.compress(bytes([7]) * 256)
    return tiff(GRAY + [(273, None), (278, 16), (279, len(pixels)), *more],
                pixels + bytes(2**20))


REPEATED = [(40000 + i, 400, 2**18) for i in range(400)]    # a MiB each, the same one
EXIF = b'Exif\0\0' + tiff([(0x112, 1), *REPEATED], bytes(2**20))


def red(kind, **options):
    return encode(Image.new('RGB', (16, 16), RED), kind, **options).getvalue()


def jpeg_with(exif):
    """Return a JPEG of EXIF in many segments, as Pillow puts it together."""
    pieces = [b'Exif\0\0' + exif[at:at + 65000] for at in range(6, len(exif), 65000)]
    body = red('JPEG')
    return body[:2] + b''.join(b'\xff\xe1' + struct.pack('>H', len(piece) + 2) + piece
                               for piece in pieces) + body[2:]


def bmp(width, runs):
    """Return a run-length encoded BMP of that width, one pixel high."""
    head = struct.pack('<IiiHHIIiiII', 40, width, 1, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return b'BM' + struct.pack('<IHHI', 1078 + len(runs), 0, 0, 1078) + head + b''.join(
        bytes([gray] * 3 + [0]) for gray in range(256)) + runs


SKIP = b'\0\2\xff\xff'          # 255 pixels, and 255 lines


def gif(blocks):
    """Return a GIF with a comment of so many blocks."""
    return (b'GIF89a' + struct.pack('<HH', 9, 9) + b'\x80\0\0' + bytes(6) + b'!\xfe'
            + (b'\xff' + bytes(255)) * blocks + b'\0' + b',\0\0\0\0\x09\0\x09\0\0'
            + b'\2\2\x4c\1\0;')


# --- memory ------------------------------------------------------------------

def greedy():
    """Return {name: content}."""
    pictures.kinds()        # to write EXIF, Pillow reads it first
    return {
        'tile': tiled(46320), 'tile twice': tiled(46320, 16),
        'tile in bigtiff': tiled(46320, big=True),
        'tile twice in bigtiff': tiled(46320, 16, big=True),
        'tags': striped(REPEATED), 'long tag': tiff(
            [*GRAY[:2], (258, None, 2**24), *GRAY[3:]], bytes(2**26)),
        'exif in png': red('PNG', exif=EXIF), 'exif in webp': red('WEBP', exif=EXIF),
        'exif in avif': red('AVIF', exif=EXIF), 'exif in jpeg': jpeg_with(EXIF),
    }


def test_a_small_file_takes_little_memory(tmp_path):
    result = read_alone(tmp_path, greedy())
    assert max(grown for _, grown in result.values()) < 150 * 1024, result     # KiB
    said = {name: reason for name, (reason, _) in result.items()}
    limit = 'ValueError: tiles of 2145542400 pixels, more than the limit of 89478485'
    assert said['tile'] == said['tile in bigtiff'] == limit
    for name in 'tile twice', 'tile twice in bigtiff':
        assert said[name] == 'ValueError: the side of a tile is there twice'
    for name in 'tags', 'exif in png', 'exif in webp', 'exif in avif', 'exif in jpeg':
        assert said[name] == 'used'


@pytest.mark.parametrize('side, good', [(16, True), (9456, True), (9472, False)])
def test_the_limit_holds_for_tiles(side, good):
    """As for pictures; a tile is of whole multiples of 16."""
    zeros = zlib.compress(bytes(side * side))
    tags = GRAY + [(322, side), (323, side), (324, None), (325, len(zeros))]
    result = packing.pack_image(io.BytesIO(tiff(tags, zeros)), ARGUMENTS)
    if good:
        assert result.max() == 0
    else:
        assert 'more than the limit of 89478485' in result


def test_layers_in_a_tiff_of_more_than_the_tags_may_have():
    """Photoshop writes them as one tag, the last; nobody needs it."""
    content = striped([(37724, 400, 2**23)]) + bytes(2**25)
    assert (packing.pack_image(io.BytesIO(content), ARGUMENTS) == 7).all()


def test_a_huge_profile_is_neither_applied_nor_kept(monkeypatch):
    asked = []
    monkeypatch.setattr(pictures, 'transform_of', lambda profile, mode: (
        asked.append(len(profile))))
    for size in (500, 2**24 + 1, 2**25):
        content = red('TIFF', icc_profile=bytes(size))
        assert pictures.imread(io.BytesIO(content)).getpixel((3, 3)) == RED
    assert asked == [500]


@pytest.mark.parametrize('count, threads', [(5, 1), (600, 2)])
def test_what_needs_more_memory_than_there_is_for_it_is_named(data, count, threads):
    """A BMP of 1,096 bytes, for which Pillow wants 5 GB at once."""
    numbered(data / 'mine', count)
    (data / 'mine' / 'x.bmp').write_bytes(bmp(2 * 10**7, SKIP * 4))
    (data / 'mine' / 'y.bmp').write_bytes(bmp(256, b'\xff\x05\1\5\0\1'))
    loaded, _ = load(data, threads=threads)
    assert grays(loaded) == [min(i, 255) for i in range(count)] + [5]
    assert report(data) == {
        'x.bmp': 'it takes more than 4294967296 bytes of memory to decode'}


@pytest.mark.skipif(packing.resource is None, reason='there is no such bound')
def test_the_bound_is_taken_away_after_packing(data):
    limits = packing.resource.getrlimit(packing.resource.RLIMIT_DATA)
    numbered(data / 'mine', 3)
    load(data)
    assert packing.resource.getrlimit(packing.resource.RLIMIT_DATA) == limits


# --- time --------------------------------------------------------------------

def test_what_holds_python_for_too_long_is_named(data, monkeypatch):
    """A comment of a few megabytes, which Pillow copies anew for each 255 bytes."""
    numbered(data / 'mine', 3)
    (data / 'mine' / 'x.gif').write_bytes(gif(2**17))
    monkeypatch.setattr(packing, 'PATIENCE', 1)
    start = time.process_time()
    load(data)
    assert time.process_time() - start < 20
    assert report(data)['x.gif'] == 'it takes more than 1 seconds to decode'


def test_the_time_is_each_images_own(monkeypatch):
    monkeypatch.setattr(packing, 'PATIENCE', 0.2)
    pixels = np.zeros((8, 8, 3), np.uint8)
    end = time.process_time() + 0.6
    while time.process_time() < end:
        assert isinstance(packing.pack_image(pixels, ARGUMENTS), np.ndarray)


def test_what_pillow_would_catch_ends_an_image_too(monkeypatch):
    def slowly(*_):
        while True:
            try:
                sum(range(10**4))
            except Exception:
                pass
    monkeypatch.setattr(packing, 'PATIENCE', 0.1)
    monkeypatch.setattr(packing, 'get_image', slowly)
    assert packing.pack_image('any', ARGUMENTS) == (
        'it takes more than 0 seconds to decode')
