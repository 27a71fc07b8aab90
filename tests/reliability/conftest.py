"""What tests that start processes of main.py share; see starts.py."""

import shutil

import pytest
import starts as processes
from starts import FLAGS


@pytest.fixture(scope='session')
def starts():
    """Return what starts processes of main.py."""
    made = processes.Starts()
    yield made
    made.close()


@pytest.fixture(scope='session')
def train_whole(starts, tmp_path_factory):
    """Return a function that returns the folder of a run that nothing disturbed."""
    made = {}

    def train(epochs):
        if epochs not in made:
            folder = made[epochs] = tmp_path_factory.mktemp('whole')
            processes.make_images(folder / 'data' / 'noise')
            start = starts(folder, *FLAGS, '--epoch', epochs)
            assert start.wait() == 0, start.said()
        return made[epochs]
    return train


@pytest.fixture
def whole(train_whole):
    """Return the folder of such a run of 2 epochs, 16 steps."""
    return train_whole(2)


@pytest.fixture
def folder(whole, tmp_path):
    """Return a folder with the same data and no run yet."""
    shutil.copytree(whole / 'data' / 'noise', tmp_path / 'data' / 'noise')
    return tmp_path
