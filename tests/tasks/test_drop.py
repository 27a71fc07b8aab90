"""--task drop: which maps are found and dropped, and what is printed and drawn."""

import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image

import main
from metrics import classifier
from model import DCGAN
from runs.folders import Run
from settings.errors import UserError
from tasks import drop

CLASSES = ('bright', 'red')


class Extractor:
    """Judges images by their means: bright, or redder than most of the first call."""

    classes = CLASSES
    closed = 0

    def __init__(self, middle=0.0):
        self.middle, self.most = middle, None

    def attributes(self, images):
        bright = images.mean((1, 2, 3)) > self.middle
        red = images[..., 0].mean((1, 2)) - images[..., 2].mean((1, 2))
        self.most = np.quantile(red, 0.7) if self.most is None else self.most
        return np.stack([bright, red > self.most], axis=1).astype('f')

    def close(self):
        Extractor.closed += 1


def call(*arguments):
    with tf.Graph().as_default():
        return main.main(list(map(str, arguments)))


# --- learning ----------------------------------------------------------------

def samples_with_a_blob(n=200):
    """Return images [n, 16, 16, 3] and which of them have a white corner."""
    rng = np.random.default_rng(0)
    images, has = rng.normal(0, .1, (n, 16, 16, 3)), rng.random(n) < .3
    images[has, :8, 8:] += 1
    return images, has


def test_the_places_are_those_where_it_is_drawn():
    images, has = samples_with_a_blob()
    places = drop.where_they_differ(images, has, (8, 8))
    assert places.sum() == 6
    assert places[:4, 4:].sum() == 6


def test_small_maps_have_one_place_at_least():
    images, has = samples_with_a_blob()
    places = drop.where_they_differ(images, has, (2, 2))
    np.testing.assert_array_equal(places, [[False, True], [False, False]])


def test_fit_finds_the_map_that_carries_the_attribute():
    rng = np.random.default_rng(0)
    has = rng.random(400) < .2
    activations = np.maximum(rng.normal(size=(400, 12)), 0).astype('f')
    activations[:, 7] = 0           # a dead map
    activations[has, 3] += 3
    activations[~has, 5] += 3       # its opposite
    weights = drop.fit(activations, has)
    assert weights.argmax() == 3 and weights.argmin() == 5
    assert weights[7] == 0


# --- the hook in the generator -----------------------------------------------

@pytest.fixture
def generator(graph, tiny_config):
    """Return a Generator of a network of 32 x 32 that has just begun."""
    model = DCGAN(tiny_config(output_height=32, ema=0.9, num_samples=5))
    with tf.Session() as sess:
        generator = drop.Generator(sess, model, 2)
        sess.run(tf.global_variables_initializer())
        yield generator


@pytest.mark.parametrize('size, expected', [
    (7, [1]), (16, [1]), (32, [2, 1]), (64, [3, 2, 1])])
def test_the_layers_are_all_but_the_last_the_highest_first(graph, tiny_config, size,
                                                           expected):
    model = DCGAN(tiny_config(output_height=size, input_height=size))
    assert list(drop.layers(model)) == expected


def test_the_maps_of_a_layer_are_those_that_it_takes(generator):
    assert generator.name == 'g_h2' and generator.shape == (8, 8, 8)
    assert set(tf.global_variables()) - set(generator.model.variables) == {
        generator.model.augment.share}, 'new variables'


def test_dropping_none_changes_nothing(generator):
    inputs = generator.inputs(drop.JUDGE)
    np.testing.assert_array_equal(generator.draw(inputs), generator.sess.run(
        generator.model.sampler_images, {generator.model.z: inputs.z}))


def test_a_dropped_map_is_0_everywhere_and_no_other_is(graph, tiny_config):
    taken = {}
    model = DCGAN(tiny_config())

    def change(i, h):
        taken[i] = [h, h * np.eye(1, int(h.shape[3]), 2, dtype='f')[0]]
        return taken[i][1]

    model.sampler(model.z, change=change)
    assert sorted(taken) == [1, 2]
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        before, after = sess.run(taken[1], {model.z: np.ones([3, 8])})
    np.testing.assert_array_equal(after[..., 2], before[..., 2])
    assert (np.delete(after, 2, axis=3) == 0).all()


def test_activations_are_means_over_the_places(generator):
    inputs = generator.inputs(drop.LEARN)
    places = np.zeros([8, 8], bool)
    all_places = [np.zeros([8, 8], bool) for _ in range(2)]
    for one, where in zip(all_places, ((0, 0), (5, 2))):
        one[where] = places[where] = True
    apart = [generator.activations(inputs, one) for one in all_places]
    assert apart[0].shape == (5, 8)
    np.testing.assert_allclose(generator.activations(inputs, places),
                               np.mean(apart, axis=0), rtol=1e-5)
    assert (apart[0] != apart[1]).any()


def test_a_map_dropped_is_a_map_whose_weights_are_0(generator):
    """That is so everywhere in the map, and of no other map."""
    sess, model = generator.sess, generator.model
    inputs = generator.inputs(drop.JUDGE)
    dropped = generator.draw(inputs, [1, 6])
    assert (dropped != generator.draw(inputs)).any()
    w = model.averages['generator/g_h2/w'][1]
    values = sess.run(w)
    values[..., [1, 6]] = 0
    w.load(values, sess)
    np.testing.assert_allclose(generator.draw(inputs), dropped, atol=1e-6)


# --- the task ----------------------------------------------------------------

@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Train on tiny random pictures; return the flags of the run."""
    root = tmp_path_factory.mktemp('drop')
    rng = np.random.default_rng(0)
    os.makedirs(root / 'data' / 'tiny')
    for i in range(8):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(
            root / 'data' / 'tiny' / ('%d.png' % i))
    flags = ['--dataset', 'tiny', '--data_dir', root / 'data',
             '--checkpoint_dir', root / 'checkpoint']
    assert call(*flags, '--sample_dir', root / 's', '--output_height', 32, '--gf_dim',
                4, '--df_dim', 4, '--z_dim', 8, '--batch_size', 8, '--epoch', 2,
                '--name', 'run', '--train') == 0
    return flags + ['--name', 'run', '--task', 'drop']


def test_the_task_says_and_draws_before_and_after(trained, tmp_path, capsys,
                                                  monkeypatch):
    made, closed = [], Extractor.closed
    monkeypatch.setattr(classifier, 'make', lambda config, wanted:
                        made.append(wanted) or Extractor())
    assert call(*trained, '--sample_dir', tmp_path, '--attribute', 'red',
                '--num_samples', 100) == 0
    said = capsys.readouterr().out
    assert made == [['red']] and Extractor.closed == closed + 1
    assert 'learned from 100 samples, of which' in said and 'have red' in said
    assert said.count('without as many at random (3 times)') == 2
    for name, maps in ('g_h2', '8 maps of 8x8'), ('g_h1', '16 maps of 4x4'):
        path = tmp_path / 'run' / ('drop_red_%s.png' % name)
        assert '%s: ' % name in said and 'of its ' + maps in said
        assert 'sheet: %s' % path in said
        with Image.open(path) as image:
            assert image.size[0] == 10 * 34 - 2
            assert (image.size[1] + 2) % 68 == 0, 'rows in pairs'


def test_the_maps_dropped_are_those_of_positive_weights(graph, tiny_config, tmp_path,
                                                        monkeypatch):
    weights, dropped = np.array([-2, 0, 3, 1, 0, -1, 0, .5]), []
    monkeypatch.setattr(drop, 'fit', lambda activations, has: weights)
    monkeypatch.setattr(drop.Judge, 'compare', lambda self, G, maps, path: (
        dropped.append((G.name, list(maps)))))
    model = DCGAN(tiny_config(num_samples=100))
    with tf.Session() as sess:
        model.sampler(model.z)
        sess.run(tf.global_variables_initializer())
        drop.forget(sess, model, Extractor(), 1, Run('r', '', str(tmp_path)))
    assert dropped == [('g_h1', [2, 3, 7])]


@pytest.mark.parametrize('attribute, middle, message', [
    ([], 0, 'Add --attribute NAME'),
    (['--attribute', 'bright'], 9, '0 of 100 samples have bright')])
def test_what_cannot_be_is_said(trained, tmp_path, capsys, monkeypatch, attribute,
                                middle, message):
    monkeypatch.setattr(classifier, 'make', lambda config, wanted: Extractor(middle))
    assert call(*trained, *attribute, '--num_samples', 100, '--sample_dir',
                tmp_path) == 2
    assert message in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_a_network_without_convolutions_is_refused(tiny_config):
    with pytest.raises(UserError, match='--architecture mlp'):
        drop.main(tiny_config(architecture='mlp', gf_dim=32, df_dim=32,
                              attribute='red'), None, None)


def test_rows_of_pairs_leave_what_is_missing_white(tmp_path):
    images = np.full([drop.SHOWN + 1, 4, 4, 3], -1.0)
    path = drop.save_pairs(images, -images, str(tmp_path / 'pairs.png'))
    with Image.open(path) as image:
        sheet = np.asarray(image)[::6, ::6, 0]
    assert sheet.shape == (4, drop.SHOWN)
    assert (sheet[0] == 0).all() and (sheet[1] == 255).all()
    assert list(sheet[2, :2]) == [0, 255] and (sheet[3] == 255).all()
