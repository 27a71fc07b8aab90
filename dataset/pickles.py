"""Read the pickles of CIFAR-10's Python version without calling what they name.

A pickle may name any function, and ordinary unpickling calls it. Here the few names
that a batch needs stand for harmless objects, and all others are refused.
"""

import io
import pickle

import numpy as np


class Part:
    """Stand for an array, or for its type: keep the arguments and the state of it."""

    def __init__(self, *arguments):
        self.arguments, self.state = arguments, None

    def __setstate__(self, state):
        self.state = state


def encode(text, encoding):
    """Return bytes; Python 3 pickles bytes for Python 2 as a call of this function."""
    return text.encode('latin-1')


NAMES = {'numpy.ndarray': Part, 'numpy.dtype': Part, '_codecs.encode': encode,
         'numpy.core.multiarray._reconstruct': Part,
         'numpy._core.multiarray._reconstruct': Part}


class Reader(pickle.Unpickler):
    """Read a pickle in which only NAMES may be called."""

    def find_class(self, module, name):
        """Return what a name stands for. Raises ValueError for all but NAMES."""
        path = '%s.%s' % (module, name)
        if path not in NAMES:
            raise ValueError('it names %.80r, which no batch needs' % path)
        return NAMES[path]


def read(content):
    """Return the dict in a pickle; its keys are str. An array in it is a Part."""
    values = Reader(io.BytesIO(content), encoding='latin-1').load()
    return {key if isinstance(key, str) else key.decode(): value
            for key, value in values.items()}


def rows(part, columns):
    """Return uint8 [N, columns] of the Part of an array of bytes."""
    pixels = part.state[-1]
    if isinstance(pixels, str):         # Python 2 wrote it
        pixels = pixels.encode('latin-1')
    return np.frombuffer(pixels, np.uint8).reshape(-1, columns)
