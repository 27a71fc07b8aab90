"""A data set in memory, and its batches.

The first use of a data set packs its images, cropped and resized, into one file.
Training reads batches from that file, mapped into memory, as a pure function of
(seed, step).
"""

import hashlib

import numpy as np

from dataset.cache import cache_base, fingerprint, pack, printable, read_cache
from dataset.catalog import find
from dataset.labels import said
from settings.errors import NotFoundError, UserError
from utils import evenly_spaced, transform

COMPARED = 1024     # images by which data are told from others
FLIPS = 2 << 32     # keys what is mirrored, apart from the epochs' orders


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

    def digest(self):
        """Return a text by which the images, in their order, and labels are known."""
        chosen = evenly_spaced(len(self), COMPARED)
        digest = hashlib.sha256(np.ascontiguousarray(self.images[chosen]).tobytes())
        if self.labels is not None:
            digest.update(np.ascontiguousarray(self.labels[chosen]).tobytes())
        digest.update(repr(self.classes).encode())
        return digest.hexdigest()[:12]

    def steps_per_epoch(self, batch_size):
        """Return the number of whole batches. Raises UserError where it is 0."""
        if len(self) < batch_size:
            raise UserError('The data set has %d images, fewer than one batch of %d: '
                            'add images or give a smaller --batch_size.'
                            % (len(self), batch_size))
        return len(self) // batch_size

    def batch(self, number, batch_size, seed, flip=False):
        """Return (images, y) of the batch of that number, as take does.

        Each epoch has its own permutation, made from (seed, epoch); what is left over
        at its end is not used in it. `number` counts from 0 over all epochs; see
        batch_number. With `flip` each image is mirrored, left to right, or not, by
        (seed, number).
        """
        images, y = self.take(self.chosen(number, batch_size, seed))
        if flip:
            mirrored = mirror(number, batch_size, seed)
            images[mirrored] = images[mirrored, :, ::-1]
        return images, y

    def chosen(self, number, batch_size, seed):
        """Return the indices of the images of the batch of that number."""
        epoch, index = divmod(number, self.steps_per_epoch(batch_size))
        if self.order_of != (seed, epoch):
            rng = np.random.default_rng([seed, epoch])
            self.order, self.order_of = rng.permutation(len(self)), (seed, epoch)
        return self.order[index * batch_size:(index + 1) * batch_size]

    def take(self, chosen):
        """Return (images float32 in [-1, 1], y) of the images with these indices."""
        return transform(self.images[chosen]), self.y(chosen)

    def y(self, chosen):
        """Return y, float32 [N, K], of these indices; None where it has no labels."""
        if self.labels is None:
            return None
        if self.labels.ndim == 2:
            return self.labels[chosen]
        return one_hot(self.labels[chosen], len(self.classes))


def mirror(number, batch_size, seed):
    """Return which images of the batch of that number --flip mirrors: bool [N]."""
    rng = np.random.default_rng([seed, FLIPS, number])
    return rng.random(batch_size) < 0.5


def batch_number(index, rank=0, size=1):
    """Return the number of the `index`-th batch of worker `rank`, one of `size`.

    The images and the z of a batch depend on (seed, number) alone.
    """
    return index * size + rank


def one_hot(labels, classes):
    """Return float32 [N, classes], 1 where the label is."""
    return np.eye(classes, dtype=np.float32)[np.asarray(labels)]


def load(config, echo=print):
    """Return the Dataset of a config; pack its images first where they are not.

    config.part is 'train', or 'held_out': the data set's own test images, else those
    that --train_size left out. Raises NotFoundError where there are no images,
    UserError where more than half of them cannot be used.
    """
    source = find(config)
    if config.part == 'train':
        for note in source.notes:
            echo('%s: %s' % (config.dataset, note))
    if config.part == 'held_out' and not source.images:
        raise NotFoundError('No image of %s is held out that has a label of the run.'
                            % config.dataset if source.partial and config.conditional
                            else 'No image of %s is held out: --train_size takes all.'
                            % config.dataset)
    base, key = cache_base(config), fingerprint(source, config)
    there = read_cache(base, key)
    images, left_out = there or pack(source, config, base, key, echo)
    if left_out:
        echo('%d of %d images could not be used; see %s'
             % (len(left_out), len(source.images), base + '.report.txt'))
    if not there and len(images):
        echo('look at how they came out: %s.png' % base)
    labels = source.labels
    if labels is not None:
        labels = np.delete(labels, left_out, axis=0)
        if config.part == 'train':
            echo('%s: %s' % (config.dataset, printable(said(
                labels, source.classes, config.attributes))))
    if config.attributes is not None:
        labels = labels.astype(np.float32)
    elif set(config.classes) == set(source.classes) and labels is not None:
        # in the run's order, which may be an older version's
        place = [config.classes.index(name) for name in source.classes]
        return Dataset(images, np.array(place)[labels], config.classes)
    return Dataset(images, labels, source.classes)

