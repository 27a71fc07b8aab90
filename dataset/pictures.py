"""Picture files of any kind, which nobody vouches for → upright, 8 bits, sRGB.

NumPy and Pillow, which needs Little CMS for ICC profiles (its wheels have it).
"""

import functools
import io
import math
import os
import re
import stat
import struct
import warnings

import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin, features

ORIENTATION = 0x0112        # the EXIF tag, and what turns each of its values upright
TURNS = {2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM,
         5: Image.TRANSPOSE, 6: Image.ROTATE_270, 7: Image.TRANSVERSE,
         8: Image.ROTATE_90}
PHOTOMETRIC = 262           # the TIFF tag, which is 0 where white is
TILE_SIDES = 322, 323       # the TIFF tags of a tile's width and height
MAX_PIXELS = Image.MAX_IMAGE_PIXELS = 89478485
MAX_BYTES = 2**30           # of a file: some decoders read all of it
MAX_TAGS = 2**24            # bytes of all tags of a TIFF, or of EXIF, and of a profile
# What Pillow opens that is no picture, that another program must draw (EPS would start
# Ghostscript, within IPTC too), or that inflates whatever is in it (FITS)
NO_PICTURES = ('BUFR', 'EPS', 'FITS', 'GRIB', 'HDF5', 'IPTC', 'MPEG', 'WMF')
ALIKE = 2       # of 255; a profile that changes no colour by more is sRGB's


def center_crop(size, crop_height, crop_width):
    """Return the box (left, top, right, bottom) of the central crop of an image.

    `size` is (width, height). Where the image is smaller than the crop, the largest
    central box of about the crop's shape is taken. All are whole pixels.
    """
    width, height = size
    scale = min(1, width / crop_width, height / crop_height)
    crop_width = max(1, int(round(crop_width * scale)))
    crop_height = max(1, int(round(crop_height * scale)))
    left, top = (width - crop_width) // 2, (height - crop_height) // 2
    return left, top, left + crop_width, top + crop_height


def get_image(source, input_height, input_width, resize_height, resize_width,
              crop=True, c_dim=3):
    """Read one image as uint8 [resize_height, resize_width, c_dim].

    With `crop`, its central input_height x input_width pixels (where those are
    None, the largest central box of the output's shape), else all of it, resized.
    Raises what imread raises.
    """
    image = imread(source)
    if crop:
        image = image.crop(center_crop(
            image.size, input_height or 1e9 * resize_height,
            input_width or 1e9 * resize_width))
    image = in_mode(image, 'L' if c_dim == 1 else 'RGB')
    if image.size != (resize_width, resize_height):
        image = image.resize((resize_width, resize_height), Image.BICUBIC)
    return np.asarray(image, np.uint8).reshape(resize_height, resize_width, c_dim)


def imread(source):
    """Open an image and return it upright, as Pillow mode 'L' or 'RGB', in sRGB.

    `source` is a path, a binary file or a uint8 array. Colour, gray, palette, alpha
    (laid on white), 1-bit, 16-bit, float (0 to 1) and CMYK images all come out as 8
    bits a channel; of several frames the first. Raises ValueError above MAX_PIXELS,
    judged by headers alone, and what Pillow raises for a file that it cannot decode.
    """
    if isinstance(source, np.ndarray):
        return Image.fromarray(source)
    if isinstance(source, str):
        check_file(source, MAX_BYTES)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')     # of decoders: they tell no file's name
        warnings.simplefilter('error', Image.DecompressionBombWarning)
        try:
            # Pillow judges frames and pictures in pictures as well.
            with Image.open(source, formats=kinds()) as image:
                check_tiles(image)
                return flatten(to_8_bits(upright(image)))
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise ValueError('%s pixels, more than the limit of %d' % (
                re.search(r'\d+', str(error)).group(), MAX_PIXELS))


def check_file(path, most=math.inf):
    """Raise ValueError for what may never end, or ends after more bytes than `most`."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError('not a regular file')
    if status.st_size > most:
        raise ValueError('%d bytes, more than the limit of %d' % (status.st_size, most))


@functools.lru_cache(maxsize=None)
def kinds():
    """Return the formats to try, Pillow's names, in an order that never changes."""
    Image.preinit()
    Image.init()
    bound_tags()
    return tuple(kind for kind in Image.ID if kind not in NO_PICTURES)


# --- tags, which Pillow and libtiff take without a bound ----------------------

class Short:
    """A file that seems to end when MAX_TAGS bytes of it are read."""

    def __init__(self, file):
        self.file, self.left = file, MAX_TAGS

    def __getattr__(self, name):
        return getattr(self.file, name)

    def read(self, size):
        """Read up to `size` bytes."""
        content = self.file.read(min(size, self.left))
        self.left -= len(content)
        return content


def bound_tags():
    """Let Pillow take no more than MAX_TAGS bytes of tags into memory.

    Each of the 65,535 tags of a TIFF, or of the EXIF in any picture, may name the same
    bytes: all of the file.
    """
    directory = TiffImagePlugin.ImageFileDirectory_v2
    load = directory.load
    directory.load = lambda tags, file: load(tags, Short(file))


def check_tiles(image):
    """Raise ValueError for a TIFF of tiles above MAX_PIXELS, whatever its own size.

    libtiff takes the first of several tags that are the same one, Pillow the last.
    """
    if image.format != 'TIFF':
        return
    width, height = (image.tag_v2.get(tag, 1) for tag in TILE_SIDES)
    if type(width) is not int or type(height) is not int:
        raise ValueError('the side of a tile is no number')
    if width * height > MAX_PIXELS:
        raise ValueError('tiles of %d pixels, more than the limit of %d'
                         % (width * height, MAX_PIXELS))
    if max(map(tag_list(image).count, TILE_SIDES)) > 1:
        raise ValueError('the side of a tile is there twice')


def tag_list(image):
    """Return the tags in the directory of an opened TIFF, in its order."""
    image.fp.seek(2)
    order = '<' if image.tag_v2.prefix == b'II' else '>'
    big = 43 in image.fp.read(2)
    image.fp.seek(image.tag_v2.offset)
    count, = struct.unpack(order + 'HQ'[big], image.fp.read(8 if big else 2))
    entries = image.fp.read((20 if big else 12) * min(count, 65535))
    return [tag for tag, in struct.iter_unpack(
        order + ('H18x' if big else 'H10x'), entries)]


# --- what is decoded -----------------------------------------------------------

def upright(image):
    """Decode an opened Pillow image and turn it as its EXIF data say."""
    image.load()
    if image.format == 'TIFF':      # load has turned it; Pillow 9 keeps the tag
        return image
    try:
        orientation = image.getexif().get(ORIENTATION)
    except Exception:               # broken EXIF raises nearly anything
        return image
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


def to_8_bits(image):
    """Scale a Pillow image of 16 bits or floats to mode 'L', others stay as they are.

    Raises ValueError for values beyond 0 to 65535, or 0 to 1.
    """
    if image.mode != 'F' and not image.mode.startswith('I'):    # I;16B and others too
        return image
    values = np.asarray(image)
    top = 1 if image.mode == 'F' else 65535
    if not (values.min() >= 0 and values.max() <= top):
        raise ValueError('values from %g to %g, expected 0 to %d'
                         % (values.min(), values.max(), top))
    values = np.multiply(values, 255 / top, dtype=np.float32)
    if getattr(image, 'tag_v2', {}).get(PHOTOMETRIC) == 0:
        np.subtract(255, values, out=values)
    values = np.rint(values, out=values).astype(np.uint8)
    if 'transparency' in image.info:        # of PNG, one gray
        values[np.asarray(image) == image.info['transparency']] = 255
    result = Image.fromarray(values)
    result.info = {key: image.info[key] for key in image.info if key == 'icc_profile'}
    return result


def flatten(image):
    """Lay an 8-bit image in sRGB on white where it is transparent: 'L' or 'RGB'."""
    gray, profile = image.mode in ('1', 'L', 'LA'), image.info.get('icc_profile')
    alpha = None
    if 'transparency' in image.info or image.mode in ('LA', 'PA', 'RGBA', 'RGBa'):
        image = in_mode(image, 'RGBA')
        alpha = image.getchannel('A')
    if image.mode not in ('CMYK', 'LAB'):       # whose profiles are for all channels
        image = in_mode(image, 'L' if gray else 'RGB')
    image = in_mode(to_srgb(image, profile), 'L' if gray else 'RGB')
    if alpha is None:
        return image
    white = Image.new(image.mode, image.size, 'white')
    white.paste(image, mask=alpha)
    return white


def in_mode(image, mode):
    """Return a Pillow image in another mode, itself where it is in that one."""
    return image if image.mode == mode else image.convert(mode)


# --- ICC profiles ------------------------------------------------------------

def to_srgb(image, profile):
    """Return a Pillow image with its ICC profile applied, as 'RGB', or else itself.

    Itself where the profile is none, broken, sRGB or for another kind of image, all of
    which programs that show pictures take for sRGB, where it is huge, and where Pillow
    lacks Little CMS.
    """
    if not isinstance(profile, bytes) or len(profile) > MAX_TAGS:
        return image
    transform = transform_of(profile, image.mode)
    return ImageCms.applyTransform(image, transform) if transform else image


@functools.lru_cache(maxsize=4)         # pictures of one camera share theirs
def transform_of(profile, mode):
    """Return what turns a mode's colours in an ICC profile into sRGB, or None."""
    if not features.check('littlecms2'):
        return None
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile('sRGB'), mode, 'RGB')
    except (OSError, TypeError, ValueError, ImageCms.PyCMSError):
        return None
    idle = mode in ('L', 'RGB') and changes_little(transform, mode)
    return None if idle else transform


def changes_little(transform, mode):
    """Tell whether a transform leaves the colours of a mode, 'L' or 'RGB', alike.

    So sRGB's own profile, of which there are many, does not cost a bit.
    """
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    image = Image.fromarray(grid if mode == 'RGB' else grid[:, :, 0])
    after = np.asarray(ImageCms.applyTransform(image, transform), int)
    return abs(after - np.asarray(image.convert('RGB'))).max() <= ALIKE
