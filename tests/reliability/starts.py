"""Processes of main.py: started, watched, killed, and what their runs left compared."""

import contextlib
import csv
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import numpy as np
import tensorflow.compat.v1 as tf
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
# 8 steps an epoch; all that is ever written comes every few of them
SETTINGS = '''--dataset noise --train --name r --output_height 8 --gf_dim 2 --df_dim 2
    --z_dim 3 --batch_size 4 --num_samples 5 --precision float32 --threads 2 --ema 0.9
    --ckpt_freq 2 --sample_freq 3 --summary_freq 2 --max_to_keep 3
    --eval_freq 3 --eval_samples 12 --features pixels'''
FLAGS = SETTINGS.split()
# As on a slow disk: each checkpoint and its parts take a while
SLOW = '''
import os, time
replace, fsync = os.replace, os.fsync
def slow_replace(source, path):
    time.sleep(0.03 if 'DCGAN.model' in str(path) else 0.005)
    replace(source, path)
def slow_fsync(handle):
    time.sleep(0.005)
    fsync(handle)
os.replace, os.fsync = slow_replace, slow_fsync
'''


class Starts:
    """Starts processes in folders, through the zygote."""

    def __init__(self):
        self.zygote = subprocess.Popen(
            [sys.executable, os.path.join(HERE, 'zygote.py')], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL='3', CUDA_VISIBLE_DEVICES='-1'))
        self.all = []

    def ask(self, **order):
        self.zygote.stdin.write(json.dumps(order) + '\n')
        self.zygote.stdin.flush()
        return json.loads(self.zygote.stdout.readline())

    def __call__(self, folder, *flags, setup='', limit=None, user=None):
        """Return the Start of main.py with these flags, run in a folder."""
        self.all.append(Start(self, pathlib.Path(folder), [*map(str, flags)], setup,
                              limit, user))
        return self.all[-1]

    def close(self):
        for start in self.all:
            start.end()
        self.zygote.stdin.close()
        self.zygote.wait()


class Start:
    """A process that runs main.py."""

    def __init__(self, starts, folder, flags, setup, limit, user):
        self.starts, self.status = starts, None
        self.out, self.err = (folder / ('%s-%d' % (name, len(starts.all)))
                              for name in ('out', 'err'))
        self.id = starts.ask(folder=str(folder), flags=flags, setup=setup, limit=limit,
                             user=user, out=str(self.out), err=str(self.err))

    def poll(self, seconds=0):
        """Return the status, negative for a signal; None while it runs."""
        if self.status is None:
            self.status = self.starts.ask(process=self.id, seconds=seconds)
        return self.status

    def wait(self, seconds=120):
        """Return the status at the end; fail where it does not come."""
        assert self.poll(seconds) is not None, 'it hangs:\n' + self.said()
        return self.status

    def until(self, happened, seconds=120):
        """Wait for something to happen; tell whether it did before the end."""
        end = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < end, 'it does not happen:\n' + self.said()
            if self.poll() is not None:
                return bool(happened())
            time.sleep(0.001)
        return True

    def signal(self, number):
        if self.poll() is None:
            os.kill(self.id, number)

    def end(self):
        self.signal(9)
        self.wait()

    def said(self):
        """Return what it has written, to stdout and to stderr."""
        return ''.join(path.read_text() for path in (self.out, self.err)
                       if path.exists())


def make_images(folder, count=32, side=8, seed=0):
    """Write random images into a folder."""
    os.makedirs(folder)
    rng = np.random.default_rng(seed)
    for i in range(count):
        Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).save(
            os.path.join(folder, '%03d.png' % i))


# --- what a run has left -------------------------------------------------------

def listing(folder):
    """Return the names below a folder, but for event files and the lock."""
    names = (str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob('*'))
    return sorted(n for n in names if not re.match(r'.*\blogs\b|.*\.lock$', n))


def values_of(path):
    """Return {name: array} of a checkpoint."""
    reader = tf.train.NewCheckpointReader(str(path))
    return {name: reader.get_tensor(name)
            for name in reader.get_variable_to_shape_map()}


def history_of(folder):
    """Return the lines of a run's history, without the seconds."""
    with open(folder / 'history.csv', newline='') as file:
        return [{name: text for name, text in row.items() if name != 'seconds'}
                for row in csv.DictReader(file)]


def summaries_of(folder):
    """Return what TensorBoard shows of a run: (step, tag, value as bytes), in order.

    It forgets what a start makes anew, and stops where a file was cut off.
    """
    events = []
    for path in sorted((folder / 'logs').iterdir(), key=os.path.getmtime):
        with contextlib.suppress(tf.errors.DataLossError):
            for event in tf.train.summary_iterator(str(path)):
                if event.session_log.status == tf.SessionLog.START:
                    events = [old for old in events if old[0] < event.step]
                events += [(event.step, value.tag, value.SerializeToString())
                           for value in event.summary.value]
    return sorted(events)


def assert_same(one, other):
    """Compare all that two runs r have left in two folders, bit by bit."""
    summaries = summaries_of(one / 'checkpoint/r')
    assert len(summaries) > 50
    assert summaries == summaries_of(other / 'checkpoint/r')
    assert listing(one / 'checkpoint/r') == listing(other / 'checkpoint/r')
    assert listing(one / 'samples/r') == listing(other / 'samples/r')
    rows = history_of(one / 'checkpoint/r')
    assert [int(row['step']) for row in rows] == list(range(1, len(rows) + 1))
    assert rows == history_of(other / 'checkpoint/r')
    for name in (n for n in listing(one) if n.startswith(('checkpoint', 'samples'))):
        a, b = one / name, other / name
        if name.endswith('.index'):
            assert_same_values(*(str(path)[:-len('.index')] for path in (a, b)))
        elif name.endswith(('.png', '.gif', '.json', 'checkpoint')) and a.is_file():
            assert a.read_bytes() == b.read_bytes(), name


def assert_same_values(one, other):
    """Compare the values of two checkpoints, bit by bit."""
    a, b = values_of(one), values_of(other)
    assert a.keys() == b.keys() and len(a) > 30
    for variable in a:
        assert a[variable].tobytes() == b[variable].tobytes(), variable
