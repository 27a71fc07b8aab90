"""Train with batch norm on D's output too: a warning, not a variant.

python bench/output_norm.py --flagfile configs/experiments/base.flags --name NAME

As main.py --train with these flags, but D's logits are normalised over their batch.
Real images are judged in one batch and generated ones in another, so the logits of each
have the same mean and deviation whatever D thinks of it: see docs/experiments.md.
"""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from utils import tensorflow_environment

os.environ.update(tensorflow_environment())

import tensorflow.compat.v1 as tf

import main
from model import ARCHITECTURES, DCGAN
from ops import batch_norm


class OutputNorm(DCGAN):
    """A DCGAN whose D ends in batch norm."""

    def d_head(self, h, y, name):
        """Return the logits of D's head, normalised over the batch."""
        logits = super().d_head(h, y, name)
        return tf.reshape(batch_norm(logits[:, None, None], True, 'd_bn_last'), [-1, 1])


if __name__ == '__main__':
    ARCHITECTURES['dcgan'] = OutputNorm
    sys.exit(main.main(['--train'] + sys.argv[1:]))
