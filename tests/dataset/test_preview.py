"""What packing says beforehand and shows afterwards."""

import collections
import os
import shutil

import numpy as np
import pytest
import test_sources
from PIL import Image
from test_sources import cache_files, cache_path, load, make_zip, numbered, paint

from dataset import preview, signatures
from settings.errors import UserError

data = test_sources.data


@pytest.mark.parametrize('zipped', [False, True])
@pytest.mark.parametrize('size, given, said', [
    ((512, 512), {}, 'warning: --crop keeps the central 108x108 of pictures such as '
     '512x512: 4 %. More of them: --input_height 512; all of them: --nocrop'),
    ((178, 218), {}, '--crop keeps the central 108x108 of pictures such as 178x218: '
     '30 %'),
    ((64, 64), {}, '--crop keeps the central 64x64 of pictures such as 64x64: 100 %'),
    ((512, 512), {'crop': False}, None)])
def test_what_a_crop_keeps_is_said_before_packing(data, zipped, size, given, said):
    numbered(data / ('unpacked' if zipped else 'celebA'), 3, size)
    if zipped:
        make_zip(data / 'unpacked', data / 'celebA' / 'faces.zip')
    _, echoed = load(data, 'celebA', **given)
    found = [line for line in echoed if '--crop keeps' in line]
    assert found == ([said] if said else [])


@pytest.mark.parametrize('size, wide, said', [
    ((403, 302), 8, 'pictures such as 403x302 are squeezed into 8x8; with --crop their '
     'central part is taken'), ((60, 80), 8, 'such as 60x80 are squeezed'),
    ((80, 70), 8, None), ((32, 16), 16, None), ((16, 16), 16, 'squeezed into 16x8')])
def test_pictures_that_lose_their_shape_are_told(data, size, wide, said):
    numbered(data / 'mine', 3, size)
    found = [line for line in load(data, output_width=wide)[1] if 'squeezed' in line]
    assert len(found) == bool(said) and all(said in line for line in found)
    assert not any('squeezed' in line for line in load(data, output_width=wide,
                                                       crop=True)[1])


def test_of_pictures_of_several_sizes_the_middle_is_named(data):
    for i, side in enumerate((100, 200, 2000)):
        paint(data / 'celebA' / ('%d.png' % i), i, (side, side))
    (data / 'celebA' / 'broken.png').write_bytes(b'x')
    assert 'such as 200x200: 29 %' in load(data, 'celebA')[1][1]


@pytest.mark.parametrize('crop', [False, True])
def test_a_picture_that_is_too_large_is_named_and_warns_of_nothing(data, crop, recwarn):
    numbered(data / 'mine', 3)
    Image.new('1', (10000, 9000)).save(str(data / 'mine' / 'giant.png'))
    assert len(load(data, crop=crop)[0]) == 3 and not recwarn.list
    assert 'more than the limit' in cache_path(data, '.report.txt').read_text()


def test_a_sheet_of_prepared_pictures_lies_beside_the_cache(data):
    numbered(data / 'mine', 100)
    _, echoed = load(data)
    assert echoed[-1] == 'look at how they came out: %s' % cache_path(data, '.png')
    sheet = np.asarray(Image.open(str(cache_path(data, '.png'))))
    assert sheet.shape == (78, 78, 3)           # 8 x 8 pictures of 8, gaps of 2
    assert sheet[0, 0, 0] == 0 and sheet[-1, -1, 0] == 99   # from first to last


Usage = collections.namedtuple('Usage', 'total used free')


def test_no_room_is_said_before_anything_is_packed(data, monkeypatch):
    numbered(data / 'mine', 10)
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: Usage(9999, 8080, 1919))
    with pytest.raises(UserError, match='take 1.92 kB, and .*/data/.cache has room for '
                                        '1.92 kB: make room .*--cache_dir'):
        load(data)
    assert cache_files(data) == []
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: Usage(9999, 8079, 1920))
    assert len(load(data)[0]) == 10


def test_bytes_as_a_person_reads_them():
    assert list(map(preview.in_bytes, (1, 12345, 221184000, 25 * 10**8))) == [
        '0.001 kB', '12.3 kB', '221 MB', '2.5 GB']


@pytest.mark.parametrize('content, said', [
    (b'\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'pip install pillow-heif'),
    (b'\0\0\0\x18ftypmif1\0\0\0\0mif1heic', 'pip install pillow-heif'),
    (b'\0\0\0\x20ftypisom\0\0\2\0isomiso2', 'a film'),
    (b'\0\0\0\x14ftypqt  \0\0\2\0', 'a film'), (b'RIFF\0\0\0\0AVI LIST', 'a film'),
    (b'\xff\x0a\xfa\x7f', 'JPEG XL'), (b'\0\0\0\x18ftypcrx ', 'raw photograph'),
    (b'version https://git-lfs.github.com/spec/v1\n', 'git lfs pull'),
    (b'\n<!DOCTYPE html><html>', 'a web page'), (b'{"error": "quota"}', 'a web page'),
    (b'<?xml version="1.0"?><svg width="1">', 'SVG'), (b'%PDF-1.7', 'a PDF'),
    (b'PK\x03\x04', 'an archive'), (b'', 'empty'), (b'see elsewhere', 'not a kind of')])
def test_a_file_that_is_no_picture_is_named_for_what_it_is(data, content, said):
    numbered(data / 'mine', 3)
    (data / 'mine' / 'photo.jpg').write_bytes(content)
    assert len(load(data)[0]) == 3
    assert said in cache_path(data, '.report.txt').read_text()


def test_heic_is_read_where_pillow_heif_is_installed(data):
    heif = pytest.importorskip('pillow_heif', reason='pillow-heif is not installed')
    heif.register_heif_opener()
    for name in ('a.heic', 'B.HEIC', 'c.jpg'):
        os.makedirs(str(data / 'mine'), exist_ok=True)
        red = Image.new('RGB', (64, 64), (250, 10, 10))
        red.save(str(data / 'mine' / name), 'HEIF')
    images = load(data)[0].images
    assert images.shape == (3, 8, 8, 3)
    np.testing.assert_allclose(images[:, 4, 4], [(250, 10, 10)] * 3, atol=6)


def test_every_reason_fits_on_a_line():
    reasons = set(signatures.BRANDS.values()) | {what for _, what in signatures.STARTS}
    assert all(len(reason) < 100 and '\n' not in reason for reason in reasons)
