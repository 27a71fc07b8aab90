"""Data sets: images anywhere → a packed uint8 cache → batches.

A data set is a row of DATASETS, or else the name of a folder in --data_dir. Its first
use packs the images, cropped and resized, into one file; training reads batches from
that file, mapped into memory, as a pure function of (seed, step). NumPy and Pillow.
"""

import functools
import os
import typing

import numpy as np

from dataset.archives import FASHION, find_cifar10, find_lsun, find_mnist
from dataset.cache import cache_base, fingerprint, pack, read_cache
from dataset.sources import ANIME, find_images
from settings.errors import NotFoundError, UserError
from utils import transform

# --- the table ---------------------------------------------------------------

class Row(typing.NamedTuple):
    """A data set: how its images are found, and its own defaults."""

    find: typing.Callable
    defaults: dict


MNIST = dict(output_height=28, c_dim=1, conditional=True, augment='none')
DATASETS = {
    'celebA': Row(find_images, dict(crop=True, input_height=108)),
    'mnist': Row(find_mnist, MNIST),
    'fashion_mnist': Row(functools.partial(find_mnist, classes=FASHION), MNIST),
    'cifar10': Row(find_cifar10, dict(output_height=32)),
    'lsun': Row(find_lsun, dict(crop=True)),
    'anime': Row(functools.partial(find_images, hint=ANIME + ' data/anime'), {}),
    'toonfaces': Row(find_images, {}),
    'gaussian': Row(find_images, dict(      # points, which toy.py draws itself
        train_size=1000, batch_size=4, epoch=10, z_dim=2, g_steps=1, ema=0,
        d_learning_rate=0.05, g_learning_rate=0.01)),
}


def defaults(name):
    """Return a data set's own defaults; any folder's are Config's."""
    return dict(DATASETS[name].defaults) if name in DATASETS else {}


# --- batches -----------------------------------------------------------------

class Dataset:
    """Images uint8 [N, H, W, C], mapped from the cache, with their labels.

    labels: None, int [N], or float32 [N, K], the ±1 of each attribute.
    """

    def __init__(self, images, labels=None, classes=()):
        self.images = images
        self.classes = tuple(classes)
        self.labels = labels
        self.order, self.order_of = None, None

    def __len__(self):
        return len(self.images)

    def steps_per_epoch(self, batch_size):
        """Return how many whole batches there are. UserError where not one is."""
        if len(self) < batch_size:
            raise UserError('The data set has %d images, fewer than one batch of %d: '
                            'add images or give a smaller --batch_size.'
                            % (len(self), batch_size))
        return len(self) // batch_size

    def batch(self, number, batch_size, seed):
        """Return what take does, of the images of a batch.

        An epoch is a permutation of the data set that (seed, epoch) decides; what is
        left over at its end waits for the next. `number` counts from 0 over all epochs;
        see batch_number.
        """
        epoch, index = divmod(number, self.steps_per_epoch(batch_size))
        if self.order_of != (seed, epoch):
            rng = np.random.default_rng([seed, epoch])
            self.order, self.order_of = rng.permutation(len(self)), (seed, epoch)
        chosen = self.order[index * batch_size:(index + 1) * batch_size]
        return self.take(chosen)

    def take(self, chosen):
        """Return (images float32 in [-1, 1], y float32 [N, K] or None) of indices."""
        return transform(self.images[chosen]), self.y(chosen)

    def y(self, chosen):
        """Return the y of images, float32 [N, K], by their indices; see batch."""
        if self.labels is None:
            return None
        if self.labels.ndim == 2:
            return self.labels[chosen]
        return one_hot(self.labels[chosen], len(self.classes))


def batch_number(index, rank=0, size=1):
    """Return the number of the batch that worker `rank` of `size` takes `index`-th.

    Images and z of a batch are functions of (seed, number) alone.
    """
    return index * size + rank


def one_hot(labels, classes):
    """Return float32 [N, classes], 1 where the label is."""
    return np.eye(classes, dtype=np.float32)[np.asarray(labels)]


# --- packing -----------------------------------------------------------------

def load(config, echo=print):
    """Return the Dataset that a config names, packed first where need be.

    config.part tells which of them: those to train on, or those held out, which are
    the data set's own test images or else those that --train_size left out. Raises
    NotFoundError where there are no images, UserError where more than half of them
    cannot be used.
    """
    folder = os.path.abspath(os.path.join(config.data_dir, config.dataset))
    row = DATASETS.get(config.dataset) or Row(find_images, {})
    source = row.find(folder, config, DATASETS)
    if config.part == 'held_out' and not source.images:
        raise NotFoundError('No image of %s is held out: --train_size takes all.'
                            % config.dataset)
    base, key = cache_base(config), fingerprint(source, config)
    images, left_out = (read_cache(base, key)
                        or pack(source, config, base, key, echo))
    if left_out:
        echo('%d of %d images could not be used; see %s'
             % (len(left_out), len(source.images), base + '.report.txt'))
    labels = source.labels
    if labels is not None:
        labels = np.delete(labels, left_out, axis=0)
    if config.attributes is not None:
        labels = labels.astype(np.float32)
    return Dataset(images, labels, source.classes)

