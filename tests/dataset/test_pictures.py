"""Picture files: every kind of image, huge ones, crops."""

import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from dataset import pictures

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def encode(image, kind, **options):
    """Return a file in memory that holds a Pillow image."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def halves(mode, left, right, size=(16, 8)):
    """Return a Pillow image of one colour on the left and one on the right."""
    image = Image.new(mode, size, left)
    image.paste(right, (size[0] // 2, 0) + size)
    return image


def read(image, kind, **options):
    """Write an image as a file, read it and return mode, left and right colour."""
    result = pictures.imread(encode(image, kind, **options))
    y = result.height // 2
    return result.mode, result.getpixel((1, y)), result.getpixel((result.width - 2, y))


def png(width, height, depth, colour_type, rows, chunks=()):
    """Return the bytes of a PNG of a kind that Pillow cannot write."""
    def chunk(name, data):
        check = struct.pack('>I', zlib.crc32(name + data))
        return struct.pack('>I', len(data)) + name + data + check

    header = struct.pack('>IIBBBBB', width, height, depth, colour_type, 0, 0, 0)
    packed = zlib.compress(b''.join(b'\0' + row for row in rows))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header)
            + b''.join(chunk(*c) for c in chunks)
            + chunk(b'IDAT', packed) + chunk(b'IEND', b''))


# --- every kind of image -----------------------------------------------------

@pytest.mark.parametrize('kind', ['PNG', 'BMP', 'TIFF', 'PPM', 'WEBP', 'TGA'])
def test_colour(kind):
    options = {'lossless': True} if kind == 'WEBP' else {}
    assert read(halves('RGB', RED, BLUE), kind, **options) == ('RGB', RED, BLUE)


@pytest.mark.parametrize('kind', ['PNG', 'BMP', 'TIFF', 'PPM', 'GIF'])
def test_gray(kind):
    mode, left, right = read(halves('L', 10, 200), kind)
    assert (left, right) in [(10, 200), ((10,) * 3, (200,) * 3)]    # GIF has a palette
    assert mode == 'L' or kind == 'GIF'


def test_1_bit():
    assert read(halves('1', 0, 1), 'PNG') == ('L', 0, 255)


def test_gray_with_alpha_lies_on_white():
    assert read(halves('LA', (0, 255), (0, 0)), 'PNG') == ('L', 0, 255)
    assert read(halves('LA', (100, 255), (0, 128)), 'PNG') == ('L', 100, 127)


def test_colour_with_alpha_lies_on_white():
    image = halves('RGBA', RED + (255,), BLUE + (0,))
    assert read(image, 'PNG') == ('RGB', RED, WHITE)
    image = halves('RGBA', RED + (128,), BLACK + (51,))
    assert read(image, 'PNG') == ('RGB', (255, 127, 127), (204, 204, 204))


def palette_image():
    image = Image.new('P', (16, 8), 0)
    image.putpalette(RED + GREEN + BLUE)
    image.paste(2, (8, 0, 16, 8))
    return image


@pytest.mark.parametrize('kind', ['PNG', 'GIF', 'TIFF', 'BMP'])
def test_palette(kind):
    assert read(palette_image(), kind) == ('RGB', RED, BLUE)


@pytest.mark.parametrize('kind', ['PNG', 'GIF'])
def test_transparent_colour_of_a_palette_is_white(kind):
    assert read(palette_image(), kind, transparency=2) == ('RGB', RED, WHITE)


def test_palette_with_an_alpha_for_each_colour():
    alphas = bytes([128, 255, 0])
    assert read(palette_image(), 'PNG', transparency=alphas) == (
        'RGB', (255, 127, 127), WHITE)


def test_transparent_colour_without_a_palette_is_white():
    assert read(halves('RGB', RED, BLUE), 'PNG', transparency=BLUE) == (
        'RGB', RED, WHITE)
    assert read(halves('L', 10, 90), 'PNG', transparency=90) == ('L', 10, 255)


@pytest.mark.parametrize('ink, colour', [
    ((0, 255, 255, 0), RED), ((255, 255, 0, 0), BLUE), ((0, 0, 0, 0), WHITE),
    ((0, 0, 0, 255), BLACK)])
@pytest.mark.parametrize('kind', ['JPEG', 'TIFF'])
def test_cmyk(kind, ink, colour):
    options = {'quality': 95} if kind == 'JPEG' else {}
    mode, left, right = read(halves('CMYK', ink, ink), kind, **options)
    assert mode == 'RGB' and left == right
    np.testing.assert_allclose(left, colour, rtol=0, atol=3)


@pytest.mark.parametrize('mode', ['I;16', 'I'])
def test_16_bit_gray_png_is_scaled_not_clipped(mode):
    pixels = np.repeat(np.array([[0, 257, 25700, 51400, 65535]], np.uint16), 3, 0)
    if mode == 'I':
        file = encode(Image.fromarray(pixels.astype(np.int32)), 'PNG')
    else:
        file = encode(Image.fromarray(pixels), 'PNG')
    result = pictures.imread(file)
    assert result.mode == 'L'
    np.testing.assert_array_equal(np.asarray(result)[1], [0, 1, 100, 200, 255])


@pytest.mark.parametrize('order', ['<', '>'])
def test_16_bit_gray_tiff_of_either_byte_order(order):
    pixels = np.array([[0, 25700, 65535]], order + 'u2')
    image = Image.frombytes('I;16' if order == '<' else 'I;16B', (3, 1),
                            pixels.tobytes())
    result = pictures.imread(encode(image, 'TIFF'))
    assert (result.mode, np.asarray(result).tolist()) == ('L', [[0, 100, 255]])


def test_32_bit_gray_counts_as_16_bit():
    pixels = np.array([[0, 25700, 65535]], np.int32)
    result = pictures.imread(encode(Image.fromarray(pixels), 'TIFF'))
    assert (result.mode, np.asarray(result).tolist()) == ('L', [[0, 100, 255]])


@pytest.mark.parametrize('value', [-1, 65536, 2**31 - 1])
def test_32_bit_gray_of_another_range_is_refused_not_clipped(value):
    pixels = np.array([[5, value]], np.int32)
    with pytest.raises(ValueError, match='expected 0 to 65535'):
        pictures.imread(encode(Image.fromarray(pixels), 'TIFF'))


@pytest.mark.parametrize('colour_type, values, expected', [
    (2, (65535, 0, 32896), (255, 0, 128)),
    (4, (25700, 65535), (100, 100, 100)), (4, (25700, 0), WHITE),
    (6, (65535, 0, 0, 65535), RED), (6, (65535, 0, 0, 0), WHITE)])
def test_16_bit_colour_and_alpha(colour_type, values, expected):
    row = struct.pack('>%dH' % len(values), *values) * 3
    image = pictures.imread(io.BytesIO(png(3, 2, 16, colour_type, [row] * 2)))
    assert image.convert('RGB').getpixel((1, 1)) == expected


def test_float_tiff_runs_from_0_to_1():
    pixels = np.array([[0, 0.2, 0.5, 1]], np.float32)
    result = pictures.imread(encode(Image.fromarray(pixels), 'TIFF'))
    np.testing.assert_array_equal(np.asarray(result), [[0, 51, 128, 255]])


@pytest.mark.parametrize('value', [-0.1, 1.5, 255, np.nan])
def test_float_tiff_of_another_range_is_refused_not_made_white(value):
    pixels = np.array([[0.5, value]], np.float32)
    with pytest.raises(ValueError, match='expected 0 to 1'):
        pictures.imread(encode(Image.fromarray(pixels), 'TIFF'))


# What stands upright is red above blue; how it lies in a file of each orientation.
LYING = {1: None, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM, 6: Image.ROTATE_90,
         8: Image.ROTATE_270}


@pytest.mark.parametrize('orientation', sorted(LYING))
@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP', 'TIFF'])
def test_exif_orientation_is_undone(kind, orientation):
    image = halves('RGB', RED, BLUE, (32, 16)).transpose(Image.ROTATE_270)
    if LYING[orientation] is not None:
        image = image.transpose(LYING[orientation])
    exif = Image.Exif()
    exif[0x112] = orientation
    options = {'JPEG': {'quality': 95}, 'WEBP': {'lossless': True}}.get(kind, {})
    result = pictures.imread(encode(image, kind, exif=exif.tobytes()
                                 if kind != 'TIFF' else exif, **options))
    assert result.size == (16, 32)
    np.testing.assert_allclose(result.getpixel((8, 2)), RED, rtol=0, atol=3)
    np.testing.assert_allclose(result.getpixel((8, 29)), BLUE, rtol=0, atol=3)


@pytest.mark.filterwarnings('ignore:Corrupt EXIF')
@pytest.mark.parametrize('exif', [b'Exif\0\0neither order', b'Exif\0\0',
                                  b'Exif\0\0II*\0\xff\xff\xff\xff', b'junk'])
def test_broken_exif_does_not_cost_the_picture(exif):
    image = pictures.imread(encode(Image.new('RGB', (8, 4), RED), 'JPEG', exif=exif,
                                quality=95))
    np.testing.assert_allclose(image.getpixel((2, 2)), RED, rtol=0, atol=3)


def test_gif_gives_its_first_frame():
    frames = [Image.new('RGB', (8, 8), colour) for colour in (GREEN, RED, BLUE)]
    assert read(frames[0], 'GIF', save_all=True, append_images=frames[1:]) == (
        'RGB', GREEN, GREEN)


@pytest.mark.parametrize('name', ['A.JPG', 'a.Jpeg', 'a.PnG', 'a.png.TIF'])
def test_extension_in_any_case_from_a_path(tmp_path, name):
    path = str(tmp_path / name)
    Image.new('RGB', (8, 8), WHITE).save(path)
    assert pictures.imread(path).getpixel((4, 4)) == WHITE


def test_arrays_are_taken_as_they_are():
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert pictures.imread(gray).mode == 'L'
    np.testing.assert_array_equal(np.asarray(pictures.imread(gray)), gray)


def test_what_cannot_be_decoded_raises(tmp_path):
    whole = encode(Image.effect_noise((64, 64), 50), 'PNG').getvalue()
    for content in (b'', b'no image', whole[:len(whole) // 2]):
        with pytest.raises(Exception, match='.'):
            pictures.imread(io.BytesIO(content))


# --- huge pictures -----------------------------------------------------------

HUGE = """
import resource, sys
from dataset import pictures
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    pictures.imread(sys.argv[1])
except ValueError as error:
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(error)
    print(grown)
"""


def test_huge_picture_is_refused_by_its_header_without_memory(tmp_path):
    path = tmp_path / 'huge.png'
    path.write_bytes(png(20000, 20000, 8, 0, []))
    root = os.path.dirname(os.path.dirname(os.path.abspath(pictures.__file__)))
    done = subprocess.run([sys.executable, '-c', HUGE, str(path)], cwd=root,
                          stdout=subprocess.PIPE, check=True, timeout=60)
    message, grown = done.stdout.decode().splitlines()
    assert message == '400000000 pixels, more than the limit of 89478485'
    assert int(grown) < 50 * 1024            # KiB; its pixels would take 400,000


@pytest.mark.parametrize('width, height, refused', [
    (89478486, 1, True), (89478485, 1, False), (9460, 9460, True)])
def test_the_limit_is_exact(width, height, refused, recwarn):
    with pytest.raises(Exception) as caught:       # without rows, none can be decoded
        pictures.imread(io.BytesIO(png(width, height, 1, 0, [])))
    assert ('more than the limit' in str(caught.value)) == refused
    assert not [w for w in recwarn if 'bomb' in str(w.message)]


# --- crops -------------------------------------------------------------------

@pytest.mark.parametrize('size, crop, box', [
    ((178, 218), (108, 108), (35, 55, 143, 163)),        # celebA, as carpedm20's
    ((10, 8), (4, 6), (2, 2, 8, 6)),                     # crop is height, width
    ((11, 9), (4, 4), (3, 2, 7, 6)),                     # odd: left and up
    ((6, 4), (4, 6), (0, 0, 6, 4)),
    ((100, 50), (200, 200), (25, 0, 75, 50)),            # smaller: its largest square
    ((50, 100), (200, 100), (0, 0, 50, 100)),
    ((50, 150), (108, 108), (0, 50, 50, 100)),           # one side smaller
    ((100, 100), (100, 300), (0, 33, 100, 66)),
    ((3, 500), (10, 4000), (0, 249, 3, 250))])           # one pixel at least
def test_center_crop(size, crop, box):
    assert pictures.center_crop(size, *crop) == box


def test_center_crop_never_leaves_the_image():
    rng = np.random.default_rng(0)
    for width, height, rows, columns in rng.integers(1, 400, (3000, 4)).tolist():
        box = pictures.center_crop((width, height), rows, columns)
        left, top, right, bottom = box
        assert 0 <= left < right <= width and 0 <= top < bottom <= height
        assert 0 <= width - left - right <= 1 and 0 <= height - top - bottom <= 1
        scale = min(1, width / columns, height / rows)
        assert abs(right - left - columns * scale) < 1
        assert abs(bottom - top - rows * scale) < 1


def squares(inner, outer=GREEN, size=(12, 8), box=(4, 2, 8, 6)):
    image = Image.new('RGB', size, outer)
    image.paste(inner, box)
    return encode(image, 'PNG')


def test_get_image_takes_the_crop_alone():
    result = pictures.get_image(squares(RED), 4, 4, 4, 4)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, np.full((4, 4, 3), RED))


def test_get_image_takes_the_largest_box_of_the_outputs_shape():
    wide = squares(RED, size=(12, 8), box=(2, 0, 10, 8))
    result = pictures.get_image(wide, None, None, 16, 16)
    np.testing.assert_array_equal(result, np.full((16, 16, 3), RED))
    flat = squares(RED, size=(12, 8), box=(0, 1, 12, 7))
    result = pictures.get_image(flat, None, None, 4, 8)
    np.testing.assert_array_equal(result, np.full((4, 8, 3), RED))


def test_get_image_without_crop_resizes_all_of_it():
    result = pictures.get_image(encode(halves('RGB', RED, BLUE, (64, 16)), 'PNG'),
                             4, 4, 8, 16, crop=False)
    assert result.shape == (8, 16, 3)
    np.testing.assert_array_equal(result[:, :6], np.full((8, 6, 3), RED))
    np.testing.assert_array_equal(result[:, 10:], np.full((8, 6, 3), BLUE))


def test_get_image_of_the_right_size_leaves_pixels_alone():
    pixels = np.random.default_rng(1).integers(0, 256, (9, 13, 3), np.uint8)
    for crop in (False, True):
        result = pictures.get_image(encode(Image.fromarray(pixels), 'PNG'), None, None,
                                 9, 13, crop=crop)
        np.testing.assert_array_equal(result, pixels)


def test_get_image_smooths_when_it_shrinks():
    pixels = np.indices((64, 64)).sum(0) % 2 * 255        # a fine checkerboard
    result = pictures.get_image(pixels.astype(np.uint8), None, None, 8, 8, False, 1)
    assert result.shape == (8, 8, 1)
    assert 120 <= result.min() <= result.max() <= 135


def test_get_image_gives_the_channels_asked_for():
    gray = pictures.get_image(squares(RED), 4, 4, 4, 4, c_dim=1)
    np.testing.assert_array_equal(gray, np.full((4, 4, 1), 76))     # 0.299 of 255
    colour = pictures.get_image(np.full((5, 5), 9, np.uint8), None, None, 5, 5)
    np.testing.assert_array_equal(colour, np.full((5, 5, 3), 9))


@pytest.mark.parametrize('width, height', [(1, 1), (1, 500), (500, 1), (2, 3)])
@pytest.mark.parametrize('crop', [False, True])
def test_get_image_of_tiny_and_thin_pictures(width, height, crop):
    source = encode(Image.new('RGB', (width, height), BLUE), 'PNG')
    result = pictures.get_image(source, None, None, 16, 24, crop=crop)
    np.testing.assert_array_equal(result, np.full((16, 24, 3), BLUE))
