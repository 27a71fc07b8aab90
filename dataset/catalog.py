"""The table of data sets: a row each.

Any other name is that of a folder of images in --data_dir.
"""

import functools
import os
import typing

from dataset.archives import FASHION, find_cifar10, find_lsun, find_mnist
from dataset.sources import find_images
from settings import beside

# Nobody gives these faces away without an account.
ANIME = ('anime faces are some 63,000 pictures at '
         'https://www.kaggle.com/datasets/splcher/animefacedataset (free, with an '
         'account): put the .zip as it is, or the folder of images in it, into')
BUNDLED = 'toonfaces'
MNIST = dict(output_height=28, c_dim=1, conditional=True, augment='none',
             learning_rate=6e-4)    # of G and D alike: docs/experiments.md


class Row(typing.NamedTuple):
    """A data set: what finds its images, and its own defaults of flags."""

    find: typing.Callable
    defaults: dict


DATASETS = {
    'celebA': Row(find_images, dict(crop=True, input_height=108)),
    'mnist': Row(find_mnist, MNIST),
    'fashion_mnist': Row(functools.partial(find_mnist, classes=FASHION), MNIST),
    'cifar10': Row(find_cifar10, dict(output_height=32)),
    'lsun': Row(find_lsun, dict(crop=True)),
    'anime': Row(functools.partial(find_images, hint=ANIME + ' data/anime'), {}),
    'toonfaces': Row(find_images, {}),
    'gaussian': Row(find_images, dict(      # points, which toy.py draws itself
        train_size=1000, batch_size=4, epoch=10, z_dim=2, ema=0, updates='together',
        beta1=0.5, beta2=0.999, d_learning_rate=0.05, g_learning_rate=0.01)),
}
FOLDER = Row(find_images, {})


def defaults(name):
    """Return a data set's own defaults of flags; a folder of images has none."""
    return dict(DATASETS.get(name, FOLDER).defaults)


def folder_of(config):
    """Return the absolute path of the folder of config's data set.

    The bundled one is beside the program, where --data_dir has none.
    """
    folder = os.path.abspath(os.path.join(config.data_dir, config.dataset))
    if config.dataset == BUNDLED and not os.path.isdir(folder):
        return beside.first(os.path.join('data', BUNDLED))
    return folder


def find(config):
    """Return the Source of config's data set. Raises what find_images raises."""
    row = DATASETS.get(config.dataset, FOLDER)
    return row.find(folder_of(config), config, DATASETS)
