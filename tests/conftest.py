"""What the tests share: small configs, images on disk, fresh graphs."""

import os
import shutil

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
# Not on a GPU, even where there is one: it computes in TF32, not bit for bit the same
# each time, and sessions side by side would each take all of its memory
os.environ['CUDA_VISIBLE_DEVICES'] = '-1'

import numpy as np
import pytest
from PIL import Image

from settings.config import Config
from utils import tensorflow_environment

os.environ.update(tensorflow_environment())

# float32, so that tests see the same numbers on every processor; the smallest graph
TINY = dict(output_height=16, gf_dim=4, df_dim=4, z_dim=8, batch_size=8,
            precision='float32', updates='together', g_steps=1, ema=0)


@pytest.fixture
def tiny_config():
    """Return a function that makes the Config of a tiny network, with changes."""
    def make(**changes):
        return Config.make(dict(TINY, **changes), {})
    return make


@pytest.fixture
def graph():
    """Give the test a fresh graph as the default one."""
    import tensorflow.compat.v1 as tf

    import ops  # noqa: F401  (turns TensorFlow 2 behaviour off)
    with tf.Graph().as_default() as fresh:
        yield fresh


@pytest.fixture
def make_images():
    """Return a function that writes `count` random PNGs into a folder."""
    def make(folder, count, height=20, width=24, seed=0):
        rng = np.random.default_rng(seed)
        os.makedirs(folder, exist_ok=True)
        for i in range(count):
            pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
            Image.fromarray(pixels).save(os.path.join(folder, '%03d.png' % i))
    return make


@pytest.fixture(scope='session')
def browser():
    """Give a real browser, Chromium by Playwright, of which a process has one only.

    Without one the test is skipped, but fails where CI is set.
    """
    found = next(filter(None, map(shutil.which, (
        'chromium', 'chromium-browser', 'google-chrome'))), None)
    if not found:
        (pytest.fail if os.environ.get('CI') else pytest.skip)(
            'no browser: `apt-get install chromium` to test the pages')
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        # as root Chromium's own sandbox cannot be
        browser = playwright.chromium.launch(
            executable_path=found, args=['--no-sandbox'])
        yield browser
        browser.close()
