"""Images with hidden parts: masks, weights, blending, plain fillings, PSNR.

NumPy and SciPy only. Images are float32 [H, W, C] in [-1, 1]. What is known under a
mask is a linear function of the image, pixels or means of blocks: float [K, C], the
product of Mask.operator and the flattened image.
"""

import typing

import numpy as np
from scipy import sparse
from scipy.ndimage import convolve, distance_transform_edt
from scipy.sparse.linalg import splu

from utils import inverse_transform

NAMES = 'center', 'left', 'random', 'grid', 'lowres', 'full'
WINDOW = 7          # side of the neighbourhood that weighs a known pixel (Yeh et al.)
FAR = 0.1           # the least weight of what is known; see importance
SHARE = 0.8         # of `random`, hidden (Yeh et al.)
STRIDE = 4          # of `grid`, between known pixels (Amos)
BLOCK = 8           # of `lowres`, the side whose mean is known (Amos)
ROUNDING = 1 / 12   # the mean square of what rounding to 8 bits may have cost


class Mask(typing.NamedTuple):
    """What is hidden, bool [H, W], and the sparse matrix [K, H W] of what is known."""

    hidden: np.ndarray
    operator: sparse.spmatrix

    @property
    def judged(self):
        """The pixels that judge a completion: those hidden, or all if none is."""
        return self.hidden if self.hidden.any() else ~self.hidden

    @property
    def covered(self):
        """The pixels of which something is known, bool [H, W]."""
        return (self.operator.sum(0) > 0).A.reshape(self.hidden.shape)


# --- masks -------------------------------------------------------------------

def make_mask(name, height, width, seed=0):
    """Return the Mask of one of NAMES; `seed` decides what random hides.

    Yeh et al.: center hides the middle half of either side, left the left half, random
    SHARE of the pixels, each by itself. Amos: grid shows one pixel in STRIDE of either
    direction, lowres the means of blocks alone; full hides nothing, to see how near the
    network comes to the whole image.
    """
    hidden = np.full((height, width), name in ('grid', 'lowres'))
    if name == 'center':
        top, side = height // 4, width // 4
        hidden[top:height - top, side:width - side] = True
    elif name == 'left':
        hidden[:, :width // 2] = True
    elif name == 'random':
        hidden = np.random.default_rng(seed).random(hidden.shape) < SHARE
    elif name == 'grid':
        hidden[::STRIDE, ::STRIDE] = False
    elif name == 'lowres':
        return Mask(hidden, sparse.kron(means(height), means(width), 'csr'))
    return of_pixels(hidden)


def of_pixels(hidden):
    """Return the Mask that hides these pixels, bool [H, W], and shows the others."""
    known = np.flatnonzero(~hidden)
    return Mask(hidden, sparse.identity(hidden.size, format='csr')[known])


def means(size):
    """Return the matrix [ceil(size / BLOCK), size] that takes the mean of each block.

    The last block may be shorter.
    """
    places = np.arange(size)
    sums = sparse.csr_matrix((np.ones(size), (places // BLOCK, places)))
    return sparse.diags(1 / np.bincount(places // BLOCK)) @ sums


def observe(mask, images):
    """Return what is known of images [N, H, W, C]: float [N, K, C]."""
    count, channels = len(images), images.shape[-1]
    pixels = images.reshape(count, -1, channels).transpose(1, 0, 2)
    known = mask.operator @ pixels.reshape(-1, count * channels)
    return known.reshape(-1, count, channels).transpose(1, 0, 2)


def importance(mask, far=FAR):
    """Return the weight of each known value, float [K]: the share hidden around it.

    Yeh et al., 2017, "Semantic image inpainting with deep generative models", equation
    3, in a window of WINDOW pixels, without those outside the image. In the paper what
    is farther from the hole weighs nothing; here it weighs `far`, which helps with
    large holes. Where nothing is hidden, all weigh 1.
    """
    def count(pixels):
        window = np.ones((WINDOW, WINDOW), int)
        return convolve(pixels.astype(int), window, mode='constant')

    share = count(mask.hidden) / count(np.ones_like(mask.hidden))
    weights = np.maximum(mask.operator @ share.ravel(), far)
    return weights if mask.hidden.any() else np.ones_like(weights)


# --- filling -----------------------------------------------------------------

def paste(mask, image, filling):
    """Return the image with its hidden pixels taken from the filling."""
    return np.where(mask.hidden[..., None], filling, image).astype(np.float32)


def hide(mask, image):
    """Return what is known of an image, gray where nothing is."""
    return paste(mask, image, spread(mask, observe(mask, image[None])[0]))


def spread(mask, known):
    """Return [H, W, C] with each known value at its pixels, 0 elsewhere."""
    weight = np.asarray(mask.operator.sum(0)).reshape(-1, 1)
    values = mask.operator.T @ known / np.where(weight > 0, weight, 1)
    return values.reshape(mask.hidden.shape + (-1,)).astype(np.float32)


def mean_colour(mask, known):
    """Return an image [H, W, C] of the mean of all that is known."""
    return np.broadcast_to(known.mean(0), mask.hidden.shape + known.shape[1:])


def nearest_pixel(mask, known):
    """Return an image [H, W, C] where each pixel has the nearest known one's value."""
    rows, columns = distance_transform_edt(~mask.covered, return_distances=False,
                                           return_indices=True)
    return spread(mask, known)[rows, columns]


class Blender:
    """Poisson blending under one mask: Pérez et al., 2003, "Poisson image editing".

    Of all images that agree with what is known, it takes the one whose differences
    between neighbours are nearest to those of the generated image, by least squares. So
    the hidden part keeps the generated gradients and joins the known part without a
    seam. What is known enters by Lagrange multipliers; the sparse system is the same
    for all images and channels and is factorised once.
    """

    def __init__(self, mask):
        self.mask = mask
        A, (height, width) = mask.operator, mask.hidden.shape
        down = sparse.kron(differences(height), sparse.identity(width))
        right = sparse.kron(sparse.identity(height), differences(width))
        laplacian = down.T @ down + right.T @ right
        self.solver = splu(sparse.bmat([[laplacian, A.T], [A, None]], 'csc'))

    def __call__(self, generated, image):
        """Return the blend [H, W, C], in [-1, 1], of G(z) into an image [H, W, C]."""
        gap = np.subtract(*observe(self.mask, np.stack([image, generated])))
        zeros = np.zeros((self.mask.hidden.size, generated.shape[-1]))
        change = self.solver.solve(np.vstack([zeros, gap]))[:len(zeros)]
        blended = generated + change.reshape(generated.shape)
        return np.clip(blended, -1, 1).astype(np.float32)


def differences(size):
    """Return the matrix [size - 1, size] of the differences of neighbours."""
    return sparse.diags([-1.0, 1.0], [0, 1], shape=(size - 1, size))


# --- judging -----------------------------------------------------------------

def psnr(image, other, where):
    """Return the peak signal-to-noise ratio of two images in dB, at pixels `where`.

    Both are judged as 8-bit images. Equal ones are at 58.9 dB, not at infinity, as
    rounding hides smaller differences.
    """
    a, b = (inverse_transform(part)[where].astype(float) for part in (image, other))
    return float(10 * np.log10(255 ** 2 / max(np.mean((a - b) ** 2), ROUNDING)))
