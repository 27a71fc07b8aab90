"""Train a tiny network for many steps and watch what the process holds.

python tests/reliability/long_run.py 20000

With samples, summaries, checkpoints and judging on. Prints a line every so many steps:
memory, open files, threads, operations of the graph.
"""

import contextlib
import gc
import json
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(os.path.dirname(HERE)), HERE]

from utils import tensorflow_environment  # noqa: E402

os.environ.update(tensorflow_environment())

import starts  # noqa: E402

import main  # noqa: E402
import train  # noqa: E402

LINES = 20          # measurements
FREQUENCIES = ('--sample_freq 20 --summary_freq 10 --ckpt_freq 40 --eval_freq 50 '
               '--max_to_keep 3')


def measure(trainer, step):
    """Return what the process holds: bytes, open files, threads, operations."""
    gc.collect()
    with open('/proc/self/statm') as file:
        memory = int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')
    return dict(step=step, memory=memory, files=len(os.listdir('/proc/self/fd')),
                threads=len(os.listdir('/proc/self/task')),
                operations=len(trainer.sess.graph.get_operations()))


def measured(steps, folder, echo=lambda line: None):
    """Train for so many steps in a folder; return what measure found on the way."""
    found, usual = [], train.Trainer.train_step

    def train_step(self, number):
        if number and number % (steps // LINES) == 0:
            found.append(measure(self, number))
            echo(json.dumps(found[-1]))
        return usual(self, number)
    train.Trainer.train_step = train_step
    starts.make_images(os.path.join(folder, 'data', 'noise'))
    os.chdir(folder)
    flags = starts.FLAGS + FREQUENCIES.split() + ['--epoch', str(steps // 8)]
    status = main.main(flags)
    assert status == 0 and found[-1]['operations'] == found[0]['operations']
    return found


if __name__ == '__main__':
    out = os.fdopen(os.dup(1), 'w')
    with tempfile.TemporaryDirectory() as place, open(os.devnull, 'w') as nothing, \
            contextlib.redirect_stdout(nothing):
        measured(int(sys.argv[1]), place,
                 lambda line: print(line, file=out, flush=True))
        os.chdir(HERE)
