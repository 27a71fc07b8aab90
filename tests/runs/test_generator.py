"""The generator alone, and the network that comes with the program."""

import os
import re
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tiny_runs
from PIL import Image

import main
from bench import bundle_network
from runs import folders, generator, inherit, sampling, start
from settings import beside
from settings.config import Config
from utils import inverse_transform


def call(*arguments):
    with tf.Graph().as_default():
        return main.main(list(map(str, arguments)))


def draw(config, path, z, y):
    with tf.Graph().as_default(), sampling.restored(config, path) as (sess, model):
        return sess.run(model.sampler_images, {model.z: z, model.y: y}), model


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Save a tiny run and bundle its network, as that of a program; return the folder.
    """
    root = tmp_path_factory.mktemp('alone')
    tiny_runs.save(root, 'tiny', ('a', 'b'))
    bundle_network.main([str(root / 'tiny'), '--trained_by', 'THE COMMAND', '--out',
                         str(root / 'program' / 'data' / 'toonfaces' / 'network')])
    return root


@pytest.fixture
def bundled(root, tmp_path, monkeypatch):
    """Put it in place of the program's own; go into an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(beside, 'PROGRAM', str(root / 'program'))
    return root / 'program' / 'data' / 'toonfaces' / 'network'


def test_the_bundled_network_is_small_and_draws_faces(tmp_path, monkeypatch, capsys):
    folder = start.bundled_folder()
    assert sum(entry.stat().st_size for entry in os.scandir(folder)) < 3e6
    monkeypatch.chdir(tmp_path)
    assert call('--dataset', 'toonfaces', '--num_samples', 9, '--train', 'False') == 0
    said = capsys.readouterr().out
    assert re.match(r'no run of toonfaces yet: taking the network that comes with the '
                    r'program, trained by\n  python main.py ', said)
    with Image.open('samples/toonfaces_network/test.png') as sheet:
        faces = np.asarray(sheet).astype(float)
    assert faces.shape == (3 * 66 - 2, 3 * 66 - 2, 3) and faces.std() > 40
    assert not os.path.exists('checkpoint')


def test_it_is_the_sampler_in_half_precision(bundled, root):
    run = folders.Run('', str(bundled), '')
    config = Config.load(run.config_path)
    rng, path = np.random.RandomState(0), folders.latest(str(bundled))[1]
    z, y = rng.randn(6, 8).astype('f'), np.eye(2)[[0, 1] * 3]
    found, model = draw(config, path, z, y)
    wanted, _ = draw(config, str(root / 'tiny' / 'DCGAN.model-1'), z, y)
    assert model.variables == [] and not generator.has_D(path)
    levels = [inverse_transform(images).astype(int) for images in (found, wanted)]
    assert np.abs(levels[0] - levels[1]).max() <= 1
    assert wanted.std() > 0.1


@pytest.mark.parametrize('words', [
    [], ['--label', 'a'], ['--task', 'walk', '--frames', 2], ['--task', 'export'],
    ['--task', 'arithmetic', '--formula', '0 - 1']])
def test_what_needs_only_G_works_with_it(bundled, capsys, words):
    assert call('--dataset', 'toonfaces', *words) == 0
    assert 'trained by\n  THE COMMAND\n' in capsys.readouterr().out
    assert os.listdir('samples') == ['toonfaces_network']


@pytest.mark.parametrize('task', generator.OF_D)
def test_what_asks_D_says_so(bundled, capsys, task):
    assert call('--dataset', 'toonfaces', '--task', task) == 2
    error = capsys.readouterr().err
    assert '--task %s asks D, and %s' % (task, bundled) in error
    assert 'Train a run of your own' in error
    assert os.listdir('.') == []


@pytest.mark.parametrize('words', [
    [], ['--dataset', 'celebA'], ['--dataset', 'toonfaces', '--name', 'mine'],
    ['--dataset', 'toonfaces', '--checkpoint_dir', 'elsewhere'],
    ['--dataset', 'toonfaces', '--output_height', 128],
    ['--dataset', 'toonfaces', '--attributes', 'Smiling']])
def test_whoever_means_another_run_does_not_get_it(bundled, capsys, words):
    assert call(*words) == 2
    assert 'To train one, add --train.' in capsys.readouterr().err


def test_a_run_of_ones_own_comes_first(bundled, root, capsys):
    shutil.copytree(root / 'tiny', 'checkpoint/mine')
    path = os.path.join('checkpoint', 'mine', 'config.json')
    Config.load(path).replace(dataset='toonfaces', name='mine').save(path)
    assert call('--dataset', 'toonfaces', '--num_samples', 4) == 0
    said = capsys.readouterr().out
    assert 'taking the newest run: checkpoint/mine' in said and 'comes with' not in said


def test_a_new_run_may_begin_with_it():
    path = folders.latest(start.bundled_folder())[1]
    name = 'generator/g_h1/w'
    found = inherit.read(path, [name, 'ema/' + name, 'discriminator/d_h0_conv/w'])
    average = tf.train.load_variable(path, 'ema/' + name)   # all that is there of it
    assert set(found) == {name, 'ema/' + name} and average.std() > 0
    assert all((value == average).all() for value in found.values())
