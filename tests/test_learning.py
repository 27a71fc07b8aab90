"""That training learns, at sizes which take minutes; and that its memory is bounded."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import main

ROOT = os.path.dirname(os.path.abspath(main.__file__))
pytestmark = pytest.mark.slow


def call(*arguments):
    with tf.Graph().as_default():
        return main.main(list(map(str, arguments)))


def read_images(folder):
    return np.stack([np.asarray(Image.open(path), float) for path in sorted(
        folder.rglob('*.png'), key=lambda path: path.name)])


def test_a_conditional_gan_draws_the_digit_that_it_is_asked_for(tmp_path):
    digits, labels = load_digits(return_X_y=True)
    for i, (digit, label) in enumerate(zip(digits, labels)):
        folder = tmp_path / 'data' / 'digits' / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digit.reshape(8, 8) * 15.9).astype(np.uint8)).save(
            folder / ('%04d.png' % i))
    flags = ['--dataset', 'digits', '--data_dir', tmp_path / 'data', '--conditional',
             '--checkpoint_dir', tmp_path / 'c', '--sample_dir', tmp_path / 's',
             '--output_height', 8, '--c_dim', 1, '--batch_size', 16, '--name', 'r']
    assert call(*flags, '--train', '--epoch', 25, '--ema', 0.99) == 0
    assert call('--train', 'False', '--name', 'r', '--checkpoint_dir', tmp_path / 'c',
                '--sample_dir', tmp_path / 's', '--separate', '--num_samples', 500) == 0
    drawn = read_images(tmp_path / 's' / 'r' / 'test').reshape(500, 64)
    judge = LogisticRegression(max_iter=2000).fit(digits * 15.9 / 255, labels)
    agreed = (judge.predict(drawn / 255) == np.repeat(np.arange(10), 50)).mean()
    print('agreed on %.1f %%' % (100 * agreed))
    assert agreed > 0.85
    # not one picture a digit
    assert drawn.reshape(10, 50, 64).std(axis=1).mean() > 10


def test_faces_come_nearer_to_the_data(tmp_path):
    """The mean picture and the deviation of each pixel approach the data's."""
    places = ['--cache_dir', tmp_path / 'cache', '--checkpoint_dir', tmp_path / 'c',
              '--sample_dir', tmp_path / 's', '--data_dir', os.path.join(ROOT, 'data')]
    call('--dataset', 'toonfaces', *places, '--train', '--output_height', 32,
         '--gf_dim', 16, '--df_dim', 16, '--batch_size', 16, '--epoch', 4,
         '--ema', 0.99, '--name', 'r')
    call('--train', 'False', *places[2:], '--name', 'r', '--separate',
         '--num_samples', 500)
    drawn = read_images(tmp_path / 's' / 'r' / 'test')
    cache, = [name for name in os.listdir(tmp_path / 'cache')
              if name.endswith('.npy')]
    real = np.load(tmp_path / 'cache' / cache).astype(float)
    assert np.abs(drawn.mean(0) - real.mean(0)).mean() < 20
    assert 0.5 < drawn.std(0).mean() / real.std(0).mean() < 1.5


MEMORY = '''
import sys
sys.path.insert(0, %r)
import main
status = main.main(sys.argv[1:])
for line in open("/proc/self/status"):
    if line.startswith("RssAnon"):
        print("anonymous", int(line.split()[1]))
sys.exit(status)
''' % ROOT


@pytest.mark.skipif(not os.path.exists('/proc/self/status'), reason='needs Linux')
def test_memory_does_not_grow_with_the_data_set(tmp_path):
    """400 MiB of packed images more must not be 100 MiB of memory more."""
    used = []
    image = np.random.RandomState(0).randint(0, 256, (24, 24), np.uint8)
    for count in (500, 50000):
        folder = tmp_path / ('n%d' % count)
        folder.mkdir()
        write_mnist(folder / 'mnist', np.broadcast_to(image, (count, 24, 24)))
        result = subprocess.run(
            [sys.executable, '-c', MEMORY, '--dataset', 'mnist', '--data_dir', folder,
             '--checkpoint_dir', folder / 'c', '--sample_dir', folder / 's', '--train',
             '--output_height', '90', '--gf_dim', '2', '--df_dim', '2', '--batch_size',
             '50', '--epoch', '1', '--d_steps', str(count // 500)],
            capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        used.append(int(result.stdout.split('anonymous')[1].split()[0]) / 1024)
    print('anonymous memory, MiB:', used)
    assert used[1] < used[0] + 100


def write_mnist(folder, images):
    """Write images as the four IDX files of MNIST."""
    folder.mkdir()
    for split in ('train', 't10k'):
        header = np.array([0x803, *images.shape], '>u4').tobytes()
        (folder / ('%s-images-idx3-ubyte' % split)).write_bytes(
            header + images.tobytes())
        labels = (np.arange(len(images)) % 10).astype(np.uint8)
        (folder / ('%s-labels-idx1-ubyte' % split)).write_bytes(
            np.array([0x801, len(images)], '>u4').tobytes() + labels.tobytes())
