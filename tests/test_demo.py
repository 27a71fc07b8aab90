"""The demo in miniature, on the bundled faces, and the bundle itself."""

import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

import main
from dataset import batches
from settings.config import Config

ROOT = os.path.dirname(os.path.abspath(main.__file__))
FACES = os.path.join(ROOT, 'data', 'toonfaces')


def test_the_bundle_is_4000_faces_with_their_attributes():
    with zipfile.ZipFile(os.path.join(FACES, 'toonfaces.zip')) as bundle:
        names = bundle.namelist()
    with open(os.path.join(FACES, 'list_attr.txt')) as file:
        count, header, *rows = file.read().splitlines()
    assert len(names) == int(count) == len(rows) == 4000
    assert [row.split()[0] for row in rows] == sorted(names)
    assert len(header.split()) == 40
    assert all(len(row.split()) == 41 for row in rows)
    assert os.path.getsize(os.path.join(FACES, 'toonfaces.zip')) < 12e6
    assert 'CC BY 4.0' in open(os.path.join(FACES, 'ATTRIBUTION.txt')).read()


def test_the_bundled_faces_are_various_colour_pictures(tmp_path):
    config = Config.make({'dataset': 'toonfaces', 'train_size': 50, 'cache_dir': str(
        tmp_path), 'data_dir': os.path.join(ROOT, 'data')}, {})
    images = batches.load(config, echo=lambda text: None).images
    assert images.shape == (50, 64, 64, 3)
    assert np.asarray(images, float).std(axis=0).mean() > 20


@pytest.mark.slow
def test_the_demo_in_miniature(tmp_path):
    places = ['--cache_dir', tmp_path / 'cache', '--checkpoint_dir', tmp_path / 'c',
              '--sample_dir', tmp_path / 's']
    small = ['--train_size', '64', '--epoch', '2', '--gf_dim', '4', '--df_dim', '4']
    command = [sys.executable, 'main.py', '--flagfile', 'configs/demo.flags', '--train']
    result = subprocess.run([str(word) for word in command + places + small], cwd=ROOT,
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    folder = tmp_path / 's' / 'demo'
    for label, ending in (('sheet:', '.png'), ('animation:', 'training.gif'),
                          ('losses:', 'losses.png')):
        line, = [ln for ln in result.stdout.splitlines() if ln.startswith(label)]
        path = line.split(None, 1)[1]
        assert path.startswith(str(folder))
        assert path.endswith(ending)
        with Image.open(path) as image:
            assert min(image.size) > 200
