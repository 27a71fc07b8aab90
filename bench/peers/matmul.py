"""The machine's limit: a product of two 4096 x 4096 matrices, in TensorFlow.

python bench/peers/matmul.py PRECISION; "images" are GFLOP here.
"""

import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from utils import tensorflow_environment

os.environ.update(tensorflow_environment())

import tensorflow.compat.v1 as tf

from bench import turns

SIDE = 4096


def main(precision):
    """Serve products; each counts 2 * 4096^3 FLOP."""
    out = turns.keep_stdout()
    tf.disable_v2_behavior()
    with tf.Session() as sess:
        a, b = (tf.Variable(tf.cast(tf.random_normal([SIDE, SIDE]), precision))
                for _ in range(2))
        sess.run(tf.global_variables_initializer())
        product = tf.matmul(a, b).op

        def run(steps):
            for _ in range(steps):
                sess.run(product)
        turns.serve(run, 2 * SIDE ** 3 / 1e9, out)


if __name__ == '__main__':
    main(*sys.argv[1:])
