"""From a picture file of any kind to pixels: upright, 8 bits a channel, sRGB.

Pillow needs Little CMS for ICC profiles; its wheels have it.
"""

import contextlib
import functools
import io
import re
import warnings

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError, features

from dataset import signatures

ORIENTATION = 0x0112        # the EXIF tag, and what turns each of its values upright
TURNS = {2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM,
         5: Image.TRANSPOSE, 6: Image.ROTATE_270, 7: Image.TRANSVERSE,
         8: Image.ROTATE_90}
PHOTOMETRIC = 262           # the TIFF tag, which is 0 where white is
MAX_PIXELS = Image.MAX_IMAGE_PIXELS = 89478485
# Kinds that Pillow knows and that are no pictures, or that another program must draw
# (EPS, also within IPTC, would start Ghostscript)
NO_PICTURES = ('BUFR', 'EPS', 'FITS', 'GRIB', 'HDF5', 'IPTC', 'MPEG', 'WMF')
ALIKE = 2       # of 255: a profile that changes colours by no more is that of sRGB


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
    told by the header alone, and what Pillow raises for a file that it cannot decode.
    """
    if isinstance(source, np.ndarray):
        return Image.fromarray(source)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')     # of decoders: they tell no file's name
        warnings.simplefilter('error', Image.DecompressionBombWarning)
        try:
            with Image.open(source, formats=kinds()) as image:
                return flatten(to_8_bits(upright(image)))
        except UnidentifiedImageError:
            raise UnidentifiedImageError(signatures.name(first_bytes(source)))
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise ValueError('%s pixels, more than the limit of %d' % (
                re.search(r'\d+', str(error)).group(), MAX_PIXELS))


def first_bytes(source):
    """Return the first bytes of a path or a binary file."""
    if isinstance(source, str):
        with open(source, 'rb') as file:
            return file.read(256)
    source.seek(0)
    return source.read(256)


@functools.lru_cache(maxsize=None)
def kinds():
    """Return the formats to try, Pillow's names, always in the same order.

    HEIF's too where the package pillow-heif is installed.
    """
    Image.preinit()
    Image.init()
    with contextlib.suppress(ImportError):
        import pillow_heif
        pillow_heif.register_heif_opener()
    return tuple(kind for kind in Image.ID if kind not in NO_PICTURES)


# --- the decoded image -------------------------------------------------------

def upright(image):
    """Decode an opened Pillow image and turn it upright, as its EXIF data say."""
    image.load()
    if image.format == 'TIFF':      # load has turned it; Pillow 9 keeps the tag
        return image
    try:
        orientation = image.getexif().get(ORIENTATION)
    except Exception:               # broken EXIF raises nearly anything
        return image
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


def to_8_bits(image):
    """Scale a Pillow image of 16 bits or floats to mode 'L'; return others unchanged.

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
    """Return an 8-bit image as 'L' or 'RGB', in sRGB, on white where transparent."""
    gray, profile = image.mode in ('1', 'L', 'LA'), image.info.get('icc_profile')
    alpha = None
    if 'transparency' in image.info or image.mode in ('LA', 'PA', 'RGBA', 'RGBa'):
        image = in_mode(image, 'RGBA')
        alpha = image.getchannel('A')
    if image.mode not in ('CMYK', 'LAB'):       # their profiles are for all channels
        image = in_mode(image, 'L' if gray else 'RGB')
    image = in_mode(to_srgb(image, profile), 'L' if gray else 'RGB')
    if alpha is None:
        return image
    white = Image.new(image.mode, image.size, 'white')
    white.paste(image, mask=alpha)
    return white


def in_mode(image, mode):
    """Return a Pillow image in a mode; the same image where it is in it already."""
    return image if image.mode == mode else image.convert(mode)


# --- ICC profiles ------------------------------------------------------------

def to_srgb(image, profile):
    """Return a Pillow image with its ICC profile applied, as 'RGB'.

    Return the image itself where the profile is missing, broken, that of sRGB or for
    another kind of image (viewers take all of these for sRGB), or without Little CMS.
    """
    if not isinstance(profile, bytes):
        return image
    transform = transform_of(profile, image.mode)
    return ImageCms.applyTransform(image, transform) if transform else image


@functools.lru_cache(maxsize=4)         # the pictures of one camera share a profile
def transform_of(profile, mode):
    """Return the transform from a mode's colours in an ICC profile to sRGB, or None."""
    if not features.check('littlecms2'):
        return None
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile('sRGB'), mode, 'RGB')
    except (OSError, TypeError, ValueError, ImageCms.PyCMSError):
        return None
    same = mode in ('L', 'RGB') and changes_little(transform, mode)
    return None if same else transform


def changes_little(transform, mode):
    """Return whether a transform hardly changes the colours of mode 'L' or 'RGB'.

    So the profile of sRGB itself, which many files have, changes no bit.
    """
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    image = Image.fromarray(grid if mode == 'RGB' else grid[:, :, 0])
    after = np.asarray(ImageCms.applyTransform(image, transform), int)
    return abs(after - np.asarray(image.convert('RGB'))).max() <= ALIKE
