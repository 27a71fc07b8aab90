"""What tests of several workers share; see crew.py."""

import os

import pytest
import starts as processes


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
