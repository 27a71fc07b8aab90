"""--task filters: guided gradients, the strongest images, the sheets."""

import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image

import main
import ops
from tasks import filters

SIZE = ['--output_height', 16, '--gf_dim', 4, '--df_dim', 4, '--z_dim', 8]


def call(*arguments):
    with tf.Graph().as_default():
        return main.main(list(map(str, arguments)))


# --- guided backpropagation --------------------------------------------------

def two_layers(x):
    """Return lrelu(x), weighted and summed, through a second lrelu: [N, 2]."""
    weights = tf.constant([[1., 1.], [2., -3.], [5., 2.]])
    return ops.lrelu(tf.matmul(ops.lrelu(x), weights))


def gradient(x, build=two_layers):
    """Return the gradient to x [1, 3] of what build makes of it, summed."""
    with tf.Session() as sess:
        x = tf.constant([x])
        return sess.run(tf.gradients(build(x), x)[0])[0]


def test_guided_gradient_is_that_computed_by_hand(graph):
    with ops.guided_backprop():
        # h is 3, 1, -0.2; then 3 + 2 - 1 is on, 3 - 3 - 0.4 off: 1, 2, 5, the last cut
        np.testing.assert_allclose(gradient([3., 1., -1.]), [1, 2, 0])
        # h is 9, 1, -0.2; both are on: 1 + 1, 2 - 3 cut as it is negative, 5 + 2 cut
        np.testing.assert_allclose(gradient([9., 1., -1.]), [2, 0, 0])


def test_the_usual_gradient_leaks(graph):
    usual = [1 + .2, 2 - .2 * 3, .2 * (5 + .2 * 2)]
    np.testing.assert_allclose(gradient([3., 1., -1.]), usual, rtol=1e-6)
    with ops.guided_backprop():
        pass
    np.testing.assert_allclose(gradient([3., 1., -1.]), usual, rtol=1e-6)


def test_guidance_ends_with_an_exception_and_is_of_one_graph(graph):
    with pytest.raises(ZeroDivisionError), ops.guided_backprop():
        with tf.Graph().as_default():
            assert gradient([3., 1., -1.])[2] == pytest.approx(.2 * 5.4)
        raise ZeroDivisionError
    assert gradient([3., 1., -1.])[2] == pytest.approx(.2 * 5.4)


def test_guided_units_answer_as_ever(graph):
    x = tf.constant([[-2., 3., 0.]])
    with tf.Session() as sess:
        usual = sess.run(two_layers(x))
        with ops.guided_backprop():
            np.testing.assert_array_equal(sess.run(two_layers(x)), usual)


# --- the strongest images ----------------------------------------------------

def test_top_finds_the_largest_however_they_come():
    values = np.random.default_rng(0).normal(size=(57, 3)).astype('f') - 5
    known_by = np.random.default_rng(1).permutation(1000)[:57]
    top = filters.Top(3, 4)
    for start in (0, 2, 3, 40):
        end = {0: 2, 2: 3, 3: 40, 40: 57}[start]
        top.update(values[start:end], known_by[start:end])
    order = np.argsort(-values, axis=0)[:4]
    np.testing.assert_array_equal(top.indices, known_by[order].T)
    np.testing.assert_array_equal(top.values, np.take_along_axis(values, order, 0).T)
    exact = values.astype(float)
    np.testing.assert_allclose(
        top.selectivity(), (exact.max(0) - exact.mean(0)) / exact.std(0), rtol=1e-6)


def test_selective_channels_do_not_all_show_the_same_image():
    top, values = filters.Top(4, 2), np.zeros([100, 4], 'f')
    values[7, 0], values[7, 1], values[9, 2] = 5, 5, 5     # one spike of a hundred
    values[:50, 3] = 1                                     # not selective
    top.update(values, np.arange(100))
    assert list(top.selective(2)) == [0, 2]
    assert 1 not in top.selective(4)


def test_own_range_leaves_0_where_it_is():
    images = np.zeros([2, 20, 20, 3])
    images[0, 0, 0], images[1, :10] = 1e-6, -7
    scaled = filters.own_range(images)
    assert scaled[1].min() == -1 and scaled[1].max() == 0
    assert np.isfinite(scaled).all() and (scaled[0, 1:] == 0).all()


def test_a_filter_fills_its_own_range():
    sheet = filters.tiles(np.array([[[[0.], [1.]], [[2.], [4.]]]]) * 1e-3)
    np.testing.assert_array_equal(sheet[::12, ::12, 0], [[0, 64], [128, 255]])
    assert sheet.shape == (24, 24, 1)


def test_sheets_of_two_heights_stand_side_by_side():
    sheet = filters.beside(np.zeros([4, 5, 1], 'u1'), np.full([2, 3, 1], 7, 'u1'))
    assert sheet.shape == (4, 5 + filters.GAP + 3, 1)
    assert (sheet[2:, 5:] == 255).all() and (sheet[:2, -3:] == 7).all()


# --- the task ----------------------------------------------------------------

@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Train on two classes of tiny random pictures; return the folder of it all."""
    root = tmp_path_factory.mktemp('filters')
    rng = np.random.default_rng(0)
    for name in ('a', 'b'):
        os.makedirs(root / 'data' / 'tiny' / name)
        for i in range(8):
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(
                root / 'data' / 'tiny' / name / ('%d.png' % i))
    assert call('--dataset', 'tiny', '--data_dir', root / 'data', '--conditional',
                '--checkpoint_dir', root / 'checkpoint', '--sample_dir', root / 's',
                *SIZE, '--batch_size', 8, '--epoch', 1, '--ema', 0.9, '--train') == 0
    return root


def test_the_sheets_of_a_run(trained, tmp_path, capsys):
    assert call('--dataset', 'tiny', '--data_dir', trained / 'data', '--checkpoint_dir',
                trained / 'checkpoint', '--sample_dir', tmp_path, '--task', 'filters',
                '--num_samples', 12) == 0
    said = capsys.readouterr().out
    assert 'looking through 12 of the 16 images' in said
    for name in filters.SHEETS:
        path = tmp_path / 'tiny_8_16_16' / ('filters_%s.png' % name)
        assert 'sheet: %s' % path in said
        with Image.open(path) as image:
            sheet = np.asarray(image).astype(int)
        half = (sheet.shape[1] - filters.GAP) // 2
        assert sheet.shape[1] == 2 * half + filters.GAP
        assert (sheet[:, half:half + filters.GAP] == 255).all()
        assert (sheet[:, :half] != sheet[:, -half:]).any(), 'training changed nothing'


def test_responses_and_their_gradient(graph, tiny_config):
    """D's batch norm by its averages: each image has its own response and gradient."""
    config = tiny_config()
    data = filters.batches.Dataset(
        np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8))
    with filters.untrained(config, data) as (sess, model):
        responses, channel, gradient = filters.build_responses(model)
        images, _ = data.take(np.arange(3))
        together = sess.run([responses, gradient], {
            model.images: images, channel: [0, 5, 2]})
        alone = sess.run([responses, gradient], {
            model.images: images[1:2], channel: [5]})
        mean = sess.run(filters.variable(model, 'discriminator/d_bn1/moving_mean'))
        maps = []
        model.discriminator(model.images, None, reuse=True, train=False, maps=maps)
        strongest = tf.reduce_max(maps[-1], [1, 2])
        usual = sess.run([strongest] + tf.gradients(strongest[:, 5], model.images),
                         {model.images: images[1:2]})
    assert together[0].shape == (3, 8)
    np.testing.assert_allclose(together[0][1], alone[0][0], rtol=1e-4)
    np.testing.assert_allclose(together[1][1], alone[1][0], rtol=1e-4, atol=1e-7)
    assert np.abs(alone[1]).max() > 0
    np.testing.assert_allclose(alone[0], usual[0], rtol=1e-4)
    assert np.abs(alone[1] - usual[1]).max() > 0.1 * np.abs(usual[1]).max(), 'unguided'
    assert (mean != 0).all(), 'not calibrated'


def test_each_gradient_is_of_the_channel_of_its_row(graph, tiny_config, monkeypatch):
    data, shown = filters.batches.Dataset(
        np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), np.uint8)), []
    monkeypatch.setattr(filters, 'in_pairs', lambda *given: shown.extend(given))
    with filters.untrained(tiny_config(), data) as (sess, model):
        filters.look(sess, model, data, np.arange(20), 'untrained')
        _, channel, gradient = filters.build_responses(model)
        images, gradients, columns = shown
        expected = sess.run(gradient, {
            model.images: images, channel: np.arange(len(images)) // columns})
    assert len(images) == filters.FIRST * filters.BEST
    np.testing.assert_allclose(gradients, filters.own_range(expected), atol=1e-4)


def test_a_network_without_convolutions_is_refused(trained, tmp_path, capsys):
    root = ['--dataset', 'tiny', '--data_dir', trained / 'data', '--checkpoint_dir',
            tmp_path / 'c', '--sample_dir', tmp_path / 's']
    assert call(*root, '--output_height', 16, '--z_dim', 8, '--batch_size', 8,
                '--epoch', 1, '--architecture', 'mlp', '--train') == 0
    assert call(*root, '--task', 'filters') == 2
    assert '--architecture mlp has none' in capsys.readouterr().err
    assert not [name for _, _, names in os.walk(tmp_path / 's') for name in names
                if name.startswith('filters')]
