"""The pixels of small pictures, as features."""

import numpy as np
import pytest

from metrics.pixels import Pixels


def pixels(batch):
    return Pixels().extract(batch)[0]


def images(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize('channels', [1, 3])
def test_pixels_are_means_of_areas(channels):
    batch = images(5, 64, 48, channels)
    means = batch.reshape(5, 16, 4, 16, 3, channels).mean(axis=(2, 4))
    found = pixels(batch)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, means.reshape(5, -1), atol=1e-6)
    np.testing.assert_array_equal(pixels(batch.astype(np.float16)[2:3]).shape,
                                  (1, 256 * channels))


def test_pixels_of_images_that_16_does_not_divide():
    level = np.full((2, 28, 28, 1), 0.3, np.float32)
    np.testing.assert_allclose(pixels(level), 0.3, atol=1e-6)
    batch = images(2, 28, 28, 1)
    np.testing.assert_allclose(pixels(batch).mean(1), batch.mean((1, 2, 3)), atol=0.02)
    small = images(2, 8, 8, 3)
    repeated = small.repeat(2, axis=1).repeat(2, axis=2)
    np.testing.assert_allclose(pixels(small), repeated.reshape(2, -1), atol=1e-6)
