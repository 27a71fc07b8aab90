"""Measure the training loop's own overhead: how much of a run is the step itself.

python bench/speed/loop.py --dataset toonfaces --epoch 9 [other flags of main.py]

Runs main.py --train with these flags and its default frequencies in a folder of its
own, and prints the seconds within session.run of the training step (the bare step: its
batch is fed from memory) over those from the first step to the end of the program,
batches, history, summaries, sheets, checkpoints and pictures included.
"""

import os
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from utils import tensorflow_environment

os.environ.update(tensorflow_environment())

import main


def time_steps():
    """Make each run of the training step add its (beginning, seconds) to a list."""
    import tensorflow.compat.v1 as tf
    steps, run = [], tf.Session.run

    def timed(session, fetches, *arguments, **options):
        began = time.perf_counter()
        result = run(session, fetches, *arguments, **options)
        if isinstance(fetches, dict) and 'updates' in fetches:
            steps.append((began, time.perf_counter() - began))
        return result
    tf.Session.run = timed
    return steps


def measure(flags):
    """Train; print images/s of the bare step, of the whole, and their ratio."""
    steps = time_steps()
    with tempfile.TemporaryDirectory() as folder:
        status = main.main(['--checkpoint_dir', os.path.join(folder, 'checkpoint'),
                            '--sample_dir', os.path.join(folder, 'samples'),
                            '--train'] + flags)
    end = time.perf_counter()
    if status:
        sys.exit(status)
    whole, bare = end - steps[0][0], sum(seconds for _, seconds in steps)
    print('%d steps: %.1f s in the step, %.1f s from the first step to the end: %.3f '
          '(at least 0.97)' % (len(steps), bare, whole, bare / whole))


if __name__ == '__main__':
    measure(sys.argv[1:])
