"""The table of what download.py fetches: the files of each data set, and where from.

A new data set is one row.
"""

from typing import NamedTuple

from dataset.fetch import File

MNIST = ('https://ossci-datasets.s3.amazonaws.com/mnist/',
         'https://storage.googleapis.com/cvdf-datasets/mnist/')
FASHION = ('http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/',
           'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/'
           'data/fashion/')
CIFAR = ('https://www.cs.toronto.edu/~kriz/', 'https://cave.cs.toronto.edu/kriz/')
DRIVE = 'https://drive.usercontent.google.com/download?id=%s&export=download&confirm=t'
CELEBA = '0B7EVK8r0v71pZjFTYXZWM3FlRnM'
CELEBA_PAGE = '(also listed on https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html)'
# No checksum is published. So both addresses are https, and the size is known; that
# .tar.gz has a checksum of its own inside, which unpacking verifies.
INCEPTION = ('https://storage.googleapis.com/download.tensorflow.org/models/image/'
             'imagenet/', 'https://download.tensorflow.org/models/image/imagenet/')
ATTRIBUTES = '0B7EVK8r0v71pblRyaVFSWGxPY0U'


class Dataset(NamedTuple):
    """Describe one data set: its folder in the data folder, and its files."""

    folder: str
    files: tuple


def mirrored(bases, name, size, checksum, **more):
    """Return the File that each of the base addresses has under its own name."""
    return File(name, size, checksum, tuple(base + name for base in bases), **more)


def idx_files(bases, found):
    """Return the Files of MNIST's kind; `found` maps names to (size, checksum)."""
    return tuple(mirrored(bases, name + '-ubyte.gz', size, checksum)
                 for name, (size, checksum) in found.items())


DATASETS = {
    'mnist': Dataset('mnist', idx_files(MNIST, {
        'train-images-idx3': (9912422, 'f68b3c2dcbeaaa9fbdd348bbdeb94873'),
        'train-labels-idx1': (28881, 'd53e105ee54ea40749a09fcbcd1e9432'),
        't10k-images-idx3': (1648877, '9fb629c4189551a2d022fa330f9573f3'),
        't10k-labels-idx1': (4542, 'ec29112dd5afa0611ce80d1b7f02629c')})),
    'celebA': Dataset('celebA', (
        File('img_align_celeba.zip', 1443490838, '00d2c5bc6d35e252742224ab0c1e8fcb',
             (DRIVE % CELEBA,),
             # Drive may ask for the key, from the authors' link, for a file this old.
             f'https://drive.google.com/file/d/{CELEBA}/view'
             f'?resourcekey=0-dYn9z10tMJOBAkviAcfdyQ {CELEBA_PAGE}'),
        File('list_attr_celeba.txt', 26721026, '75e246fa4810816ffd6ee81facbd244c',
             (DRIVE % ATTRIBUTES,),
             f'https://drive.google.com/file/d/{ATTRIBUTES}/view {CELEBA_PAGE}'))),
    'fashion_mnist': Dataset('fashion_mnist', idx_files(FASHION, {
        'train-images-idx3': (26421880, '8d4fb7e6c68d591d4c3dfef9ec88bf0d'),
        'train-labels-idx1': (29515, '25c81989df183df01b3e8a0aad5dffbe'),
        't10k-images-idx3': (4422102, 'bef4ecab320f06d8554ea6380940ec79'),
        't10k-labels-idx1': (5148, 'bb300cfdad3c16e7a12a480ee83cd310')})),
    'cifar10': Dataset('cifar10', (
        mirrored(CIFAR, 'cifar-10-python.tar.gz', 170498071,
                 'c58f30108f718f92721af3b95e74349a'),)),
    'cifar10_binary': Dataset('cifar10', (
        mirrored(CIFAR, 'cifar-10-binary.tar.gz', 170052171,
                 'c32a1d4ab5d03f1284b67883e8d87530'),)),
    'lsun': Dataset('lsun', (
        mirrored(('http://dl.yf.io/lsun/scenes/',), 'bedroom_train_lmdb.zip',
                 45922737680,
                 'a15644c2e7153106867f0adb3491fc41224102d1f01b24494fb47d9f5d1f174e',
                 folder='bedroom_train_lmdb'),)),
    'inception': Dataset('inception', (     # no images: the network of the FID
        mirrored(INCEPTION, 'inception-2015-12-05.tgz', 88931400, '88931400',
                 member='classify_image_graph_def.pb'),)),
}
