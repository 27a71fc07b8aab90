"""What tests of several workers share; see crew.py."""

import os

import pytest
import starts as processes

# Writes all variables of a worker at its end
DUMP = '''
import numpy as np, workers.training
usual_close = workers.training.Member.close
def close(self):
    values = self.sess.run({v.op.name: v for v in self.variables})
    np.savez('dump-RANK.npz', **{k.replace('/', '|'): v for k, v in values.items()})
    usual_close(self)
workers.training.Member.close = close
'''
# Lets each step of training take a while
SLOWLY = '''
import time, train
usual_step = train.Trainer.train_step
def slowly(self, step):
    time.sleep(0.05)
    return usual_step(self, step)
train.Trainer.train_step = slowly
'''


@pytest.fixture(scope='session')
def starts():
    """Return what starts processes of main.py."""
    made = processes.Starts()
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a data set of 32 images and no run."""
    processes.make_images(os.path.join(str(tmp_path), 'data', 'noise'))
    return tmp_path
