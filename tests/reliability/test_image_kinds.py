"""Pictures of every kind come out upright, in right colours; see test_pictures.py."""

import io
import os
import random
import struct
import subprocess
import sys

import fuzz_images
import icc
import numpy as np
import pytest
from PIL import Image
from test_pictures import BLUE, GREEN, RED, WHITE, encode, halves, png, read

from dataset import pictures

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(pictures.__file__)))
LOSSLESS = {'JPEG': dict(quality=95), 'WEBP': dict(lossless=True),
            'AVIF': dict(quality=100, speed=10)}
FOUR = {(0, 0): RED, (0, 1): GREEN, (1, 0): BLUE, (1, 1): (0, 0, 0)}     # row, column


def colour_of(image, kind, **options):
    """Return the colour of a picture of one colour, written as a file."""
    return pictures.imread(encode(image, kind, **LOSSLESS.get(kind, {}),
                               **options)).getpixel((3, 3))


def plain(mode, colour):
    return Image.new(mode, (16, 16), colour)


# --- ICC profiles ------------------------------------------------------------

@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'TIFF', 'WEBP', 'AVIF', 'JPEG2000'])
def test_a_profile_of_other_colours_is_turned_into_srgb(kind):
    found = colour_of(plain('RGB', RED), kind, icc_profile=icc.swapped())
    expected = RED if kind == 'JPEG2000' else BLUE      # Pillow writes none into it
    np.testing.assert_allclose(found, expected, rtol=0, atol=2)


def test_a_profile_holds_for_palettes_and_under_transparency():
    profile = icc.swapped()
    palette = plain('RGB', RED).quantize(4)
    assert colour_of(palette, 'PNG', icc_profile=profile) == BLUE
    for alpha, expected in ((255, BLUE), (128, (127, 127, 255)), (0, WHITE)):
        image = plain('RGBA', RED + (alpha,))
        assert colour_of(image, 'PNG', icc_profile=profile) == expected


def test_a_gray_profile():
    profile = icc.linear_gray()
    for mode, value, expected in (('L', 128, 188), ('LA', (128, 255), 188),
                                  ('LA', (128, 0), 255), ('L', 0, 0), ('L', 255, 255)):
        assert colour_of(plain(mode, value), 'PNG', icc_profile=profile) == expected
    deep = Image.fromarray(np.full((8, 8), 128 * 257, np.uint16))
    assert colour_of(deep, 'PNG', icc_profile=profile) == 188


@pytest.mark.parametrize('kind', ['JPEG', 'TIFF'])
def test_a_cmyk_profile(kind):
    profile = icc.cyan_is_all()
    for ink, expected in (((0, 255, 255, 255), 255), ((255, 0, 0, 0), 0)):
        found = colour_of(plain('CMYK', ink), kind, icc_profile=profile)
        np.testing.assert_allclose(found, (expected,) * 3, rtol=0, atol=2)


@pytest.mark.parametrize('mode', ['L', 'RGB'])
def test_srgbs_own_profile_costs_no_bit(mode):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    result = pictures.imread(encode(image, 'PNG', icc_profile=icc.srgb()))
    assert result.mode == mode
    np.testing.assert_array_equal(np.asarray(result), np.asarray(image))


BROKEN = {'empty': b'', 'junk': b'junk', 'zeros': bytes(500),
          'half': icc.swapped()[:300], 'header': icc.swapped()[:128],
          'gray': icc.linear_gray(), 'cmyk': icc.cyan_is_all(),
          'size': b'\xff' * 4 + icc.srgb()[4:],
          'tags': icc.srgb()[:128] + b'\xff' * 4 + icc.srgb()[132:],
          'offsets': icc.srgb()[:132] + b'\xff' * 200 + icc.srgb()[332:]}


@pytest.mark.parametrize('name', sorted(BROKEN))
def test_a_profile_that_is_broken_or_of_another_kind_is_passed_over(name):
    for kind in ('PNG', 'TIFF'):
        assert colour_of(plain('RGB', RED), kind, icc_profile=BROKEN[name]) == RED


def test_mutated_profiles_never_cost_the_picture():
    rng = random.Random(0)
    for good, mode in ((icc.swapped(), 'RGB'), (icc.linear_gray(), 'L'),
                       (icc.cyan_is_all(), 'CMYK')):
        for _ in range(40 if mode == 'RGB' else 10):
            content = bytearray(good)
            for _ in range(rng.choice((1, 2, 8))):
                content[rng.randrange(len(content))] = rng.choice(
                    (0, 1, 255, rng.randrange(256)))
            result = pictures.imread(encode(plain(mode, 0), 'TIFF',
                                         icc_profile=bytes(content)))
            assert result.size == (16, 16)


WITHOUT = """
import sys
sys.modules['PIL._imagingcms'] = None
from dataset import pictures
print(pictures.imread(sys.argv[1]).getpixel((3, 3)))
"""


def test_without_little_cms_the_pixels_are_taken_as_they_are(tmp_path):
    path = str(tmp_path / 'a.png')
    plain('RGB', RED).save(path, icc_profile=icc.swapped())
    assert pictures.imread(path).getpixel((3, 3)) == BLUE
    done = subprocess.run([sys.executable, '-c', WITHOUT, path], cwd=ROOT, check=True,
                          capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ('(255, 0, 0)\n', '')


# --- EXIF --------------------------------------------------------------------

def lying(orientation):
    """Return the picture FOUR, 32 wide and 16 high, as a file of an orientation has it.

    By the EXIF standard: which side of the picture the first row and column show.
    """
    pixels = np.zeros((16, 32, 3), np.uint8)
    for (row, column), colour in FOUR.items():
        pixels[8 * row:8 * row + 8, 16 * column:16 * column + 16] = colour
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 6, 7):         # the first row is the bottom, or right side
        pixels = pixels[::-1]
    if orientation in (2, 3, 7, 8):
        pixels = pixels[:, ::-1]
    return Image.fromarray(np.ascontiguousarray(pixels))


@pytest.mark.parametrize('orientation', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 65535])
@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP', 'TIFF', 'AVIF'])
def test_each_orientation_is_undone(kind, orientation):
    exif = Image.Exif()
    exif[0x112] = orientation
    upright = orientation not in range(1, 9)
    image = pictures.imread(encode(lying(1 if upright else orientation), kind,
                                   exif=exif, **LOSSLESS.get(kind, {})))
    assert image.size == (32, 16)
    for (row, column), colour in FOUR.items():
        found = image.getpixel((8 + 16 * column, 4 + 8 * row))
        np.testing.assert_allclose(found, colour, rtol=0, atol=6)


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP'])
def test_mutated_exif_does_not_cost_the_picture(kind):
    rng, exif = random.Random(0), Image.Exif()
    exif[0x112], exif[0x10f], exif[0x8769] = 6, 'maker', {0x9003: '2020'}
    for _ in range(60):
        content = bytearray(exif.tobytes())
        for _ in range(rng.choice((1, 2, 4))):
            content[rng.randrange(6, len(content))] = rng.choice(
                (0, 1, 255, rng.randrange(256)))
        image = pictures.imread(encode(plain('RGB', RED), kind, exif=bytes(content),
                                    **LOSSLESS.get(kind, {})))
        np.testing.assert_allclose(image.getpixel((3, 3)), RED, rtol=0, atol=3)


# --- depths and inks ---------------------------------------------------------

def tiff(order, photometric, signed, data):
    """Return the bytes of a TIFF of 16 bits, 4 wide and 2 high, Pillow writes none.

    Gray, or else red, green and blue.
    """
    gray = len(data) == 16
    tags = [(256, 3, 1, 4), (257, 3, 1, 2), (258, 3, 1, 16) if gray else (
        258, 4, 3, 180), (259, 3, 1, 1), (262, 3, 1, photometric), (273, 4, 1, 200),
        (277, 3, 1, 1 if gray else 3), (278, 3, 1, 2), (279, 4, 1, len(data)),
        (339, 3, 1, 2 if signed else 1)]
    result = (b'II' if order == '<' else b'MM') + struct.pack(
        order + 'HIH', 42, 8, len(tags))
    for tag, kind, count, value in tags:
        form = 'HHIHxx' if kind == 3 else 'HHII'
        result += struct.pack(order + form, tag, 3 if count > 1 else kind, count, value)
    return (result.ljust(180, b'\0') + struct.pack(order + '3H', 16, 16, 16)
            ).ljust(200, b'\0') + data


@pytest.mark.parametrize('order', ['<', '>'])
def test_16_bit_colour_tiff_is_scaled_not_clipped(order):
    values = np.array([[(0, 25700, 65535), (257, 51400, 32896)] * 2] * 2, order + 'u2')
    image = pictures.imread(io.BytesIO(tiff(order, 2, False, values.tobytes())))
    assert image.mode == 'RGB'
    np.testing.assert_array_equal(np.asarray(image), values // 257)


def test_16_bit_gray_tiff_whose_0_is_white():
    values = np.array([[0, 25700, 51400, 65535]] * 2, '<u2')
    image = pictures.imread(io.BytesIO(tiff('<', 0, False, values.tobytes())))
    np.testing.assert_array_equal(np.asarray(image), 255 - values // 257)


def test_signed_16_bit_tiff_is_refused_below_0():
    values = np.array([[0, 257, 25700, 32639]] * 2, '<i2')
    image = pictures.imread(io.BytesIO(tiff('<', 1, True, values.tobytes())))
    np.testing.assert_array_equal(np.asarray(image), values // 257)
    with pytest.raises(ValueError, match='from -32639 to 0, expected 0 to 65535'):
        pictures.imread(io.BytesIO(tiff('<', 1, True, (-values).tobytes())))


@pytest.mark.parametrize('most', [1, 15, 255, 1023, 65535])
def test_pnm_of_any_depth(most):
    form = 'B' if most < 256 else 'H'
    for kind, channels in (('P5', 1), ('P6', 3)):
        content = ('%s 3 1 %d\n' % (kind, most)).encode() + b''.join(
            struct.pack('>%d%s' % (channels, form), *[value] * channels)
            for value in (0, most // 2, most))
        pixels = np.asarray(pictures.imread(io.BytesIO(content))).reshape(3, channels)
        expected = [0, most // 2 * 255 / most, 255]
        np.testing.assert_allclose(pixels[:, 0], expected, rtol=0, atol=1)
        assert pixels[0, 0] == 0 and pixels[2, 0] == 255


def test_the_transparent_gray_of_a_16_bit_png_is_white():
    row = struct.pack('>3H', 25700, 0, 65535)
    clear = [(b'tRNS', struct.pack('>H', 25700))]
    image = pictures.imread(io.BytesIO(png(3, 2, 16, 0, [row] * 2, clear)))
    assert np.asarray(image)[0].tolist() == [255, 0, 255]


def test_progressive_jpeg():
    mode, left, right = read(halves('RGB', RED, BLUE, (64, 64)), 'JPEG',
                             progressive=True, quality=95)
    np.testing.assert_allclose([left, right], [RED, BLUE], rtol=0, atol=3)
    assert mode == 'RGB'


@pytest.mark.parametrize('rgb', [RED, BLUE, WHITE, (0, 0, 0), (200, 100, 50)])
def test_inverted_adobe_jpeg_of_ycck(rgb):
    """Photoshop's: Y, Cb, Cr as if the inks were red, green and blue."""
    inks = Image.new('RGB', (1, 1), tuple(255 - value for value in rgb))
    y, cb, cr = inks.convert('YCbCr').getpixel((0, 0))
    raw = plain('CMYK', (255 - y, 255 - cb, 255 - cr, 0))
    content = encode(raw, 'JPEG', quality=95, subsampling=0).getvalue()
    at = content.index(b'Adobe') + 11
    assert content[at] == 0                 # no transform; 2 means YCCK
    image = pictures.imread(io.BytesIO(content[:at] + b'\2' + content[at + 1:]))
    np.testing.assert_allclose(image.getpixel((3, 3)), rgb, rtol=0, atol=4)


@pytest.mark.parametrize('kind', ['GIF', 'PNG', 'WEBP', 'TIFF', 'AVIF', 'MPO'])
def test_of_several_frames_the_first(kind):
    frames = [Image.new('RGB', (16, 16), colour) for colour in (GREEN, RED, BLUE)]
    _, left, right = read(frames[0], kind, save_all=True, append_images=frames[1:],
                          **LOSSLESS.get(kind, {}))
    np.testing.assert_allclose([left, right], [GREEN] * 2, rtol=0, atol=4)


# --- shapes ------------------------------------------------------------------

@pytest.mark.parametrize('crop', [False, True])
@pytest.mark.parametrize('width, height', [(1, 1), (1, 60000), (60000, 1), (3, 65500)])
@pytest.mark.parametrize('kind', ['PNG', 'JPEG', 'TIFF'])
def test_very_long_pictures(kind, width, height, crop):
    if kind == 'JPEG' and max(width, height) > 65500:
        pytest.skip('no JPEG is longer')
    source = encode(Image.new('RGB', (width, height), BLUE), kind)
    for given in ((None, None), (108, 108)):
        source.seek(0)
        result = pictures.get_image(source, *given, 16, 24, crop=crop)
        np.testing.assert_allclose(result, np.full((16, 24, 3), BLUE), rtol=0, atol=3)


def test_a_long_picture_is_cropped_at_its_middle():
    image = Image.new('RGB', (2, 60000), RED)
    image.paste(GREEN, (0, 29998, 2, 30002))
    result = pictures.get_image(encode(image, 'PNG'), None, None, 8, 8)
    np.testing.assert_array_equal(result, np.full((8, 8, 3), GREEN))


# --- cuts --------------------------------------------------------------------

# A second each; and one whose palette at its end may be missing: then it is gray.
APART = 'icon.icns', 'packed.pcx'


@pytest.mark.parametrize('name', sorted(set(fuzz_images.good()) - set(APART)))
def test_a_cut_file_is_refused_or_whole(name):
    """No picture is used whose lower half is gray because the file ends early."""
    content = fuzz_images.good()[name]
    whole = np.asarray(pictures.imread(io.BytesIO(content)))
    ends = random.Random(name).sample(range(len(content)), 10)
    for end in [*ends, len(content) - 1, len(content) // 2]:
        try:
            found = np.asarray(pictures.imread(io.BytesIO(content[:end])))
        except Exception:
            continue
        np.testing.assert_array_equal(found, whole)
