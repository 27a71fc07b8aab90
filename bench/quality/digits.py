"""Judge a conditional MNIST run: are the digits drawn the digits asked for?

python bench/quality/digits.py [flags of main.py that name the run, as --name NAME]

A nearest-neighbour classifier learns from the 60,000 real training images. Its
accuracy on the 10,000 real test images is printed beside its agreement with 1,000 drawn
ones, 100 a digit, or with --num_samples of them.
"""

import glob
import os
import pathlib
import sys
import tempfile

import numpy as np
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import main
from bench.turns import ROOT  # noqa: E402
from dataset.archives import read_mnist  # noqa: E402


def draw(flags):
    """Return images uint8 [N, 784] of the run that `flags` name, by default 1,000."""
    with tempfile.TemporaryDirectory() as folder:
        status = main.main(['--dataset', 'mnist', '--separate', '--num_samples', '1000',
                            '--sample_dir', folder] + flags)
        if status:
            sys.exit(status)
        paths = sorted(glob.glob(os.path.join(folder, '*', 'test', '*', '*.png')))
        return np.stack([np.asarray(Image.open(path)).ravel() for path in paths])


def judge(flags):
    """Print the classifier's accuracy and its agreement with the drawn digits."""
    folder = os.path.join(ROOT, 'data', 'mnist')
    images, labels = read_mnist(folder, 'train')
    classifier = KNeighborsClassifier(3).fit(images.reshape(len(images), -1), labels)
    real, real_labels = read_mnist(folder, 't10k')
    accuracy = classifier.score(real.reshape(len(real), -1), real_labels)
    print('real test images: %.1f %% right' % (100 * accuracy))
    drawn = draw(flags)
    asked = np.sort(np.arange(len(drawn)) % 10)     # as sampling.make_labels
    agreed = asked[classifier.predict(drawn) == asked]
    print('drawn images: %d of %s are the digit asked for; by digit: %s' % (
        len(agreed), format(len(drawn), ','), ' '.join(
            map(str, np.bincount(agreed, minlength=10)))))


if __name__ == '__main__':
    judge(sys.argv[1:])
