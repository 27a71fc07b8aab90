"""Completion: the search for z, what it leaves alone, its files and its messages."""

import csv
import os
import re

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image

import main
from dataset.batches import Dataset
from model import DCGAN
from ops import draw_z
from runs import sessions
from tasks import complete
from tasks.parts import masks
from tasks.parts.search import Search, bound, descend
from utils import imsave, transform


class Bar:
    """Take the place of a progress bar."""

    def update(self):
        pass


def call(*arguments):
    with tf.Graph().as_default():
        return main.main(list(map(str, arguments)))


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr(complete, 'DRAWS', 64)


def build(config, scale=12.0):
    """Return a session and a model with larger weights than at first.

    So its images differ: they have a deviation of about a quarter of their range.
    """
    tf.set_random_seed(1)
    model = DCGAN(config)
    sess = sessions.open_session(config)
    sess.run(tf.global_variables_initializer())
    for v in model.g_vars:
        if v.op.name.endswith(('/w', '/Matrix')):
            sess.run(v.assign(v * scale))
    return sess, model


def searched(tiny_config, name='center', count=3, restarts=2, iterations=60, **changes):
    """Return (images that the model drew, what the search found, mask, more)."""
    config = tiny_config(restarts=restarts, iterations=iterations,
                         perceptual_weight=0.01, **changes)
    sess, model = build(config)
    with sess:
        feed = {model.z: sess.run(draw_z(config.z_dist, [count, 8], [5, 5]))}
        if model.y is not None:
            feed[model.y] = np.eye(config.y_dim)[[0] * count]
        images = sess.run(model.sampler_images, feed)
        mask = masks.make_mask(name, 16, 16)
        before = sess.run(model.variables)
        found, inputs = complete.search_all(sess, model, mask, images)
        feed = dict(zip((model.z, model.y), inputs) if config.classes
                    else [(model.z, inputs.z)])     # what it found is drawn by its z
        assert np.allclose(sess.run(model.sampler_images, feed), found, atol=1e-4)
        after = sess.run(model.variables)
    return images, found, mask, before, after


@pytest.mark.parametrize('z_dist', [
    'normal01', pytest.param('uniform_signed', marks=pytest.mark.slow)])
def test_it_recovers_what_the_generator_drew(graph, tiny_config, z_dist):
    images, found, mask, before, after = searched(
        tiny_config, iterations=150, z_dist=z_dist)
    for image, G in zip(images, found):
        known = masks.observe(mask, image[None])[0]
        ours = masks.psnr(G, image, mask.hidden)
        plain = max(masks.psnr(filling(mask, known), image, mask.hidden)
                    for filling in (masks.mean_colour, masks.nearest_pixel))
        assert ours > plain + 5
    assert all((a == b).all() for a, b in zip(before, after))


def test_it_searches_the_sampler_with_its_moving_averages(graph, tiny_config):
    config = tiny_config(ema=0.99)
    sess, model, search = search_of(config)
    with sess:
        for _, average in model.averages.values():
            sess.run(average.assign(average / 2))
        z = sess.run(draw_z('normal01', [4, 8], [0, 0])) / 2
        sess.run(search.start, {search.initial: z})
        wanted, other, found = sess.run([model.sampler_images, model.G, search.images],
                                        {model.z: z})
    assert np.allclose(found, wanted, atol=1e-5)
    assert np.abs(found - other).mean() > 0.01


@pytest.mark.slow
def test_batches_make_no_difference(graph, tiny_config, monkeypatch):
    images, found, mask, _, _ = searched(tiny_config, iterations=5)
    monkeypatch.setattr(complete, 'AT_ONCE', 16 * 16 * 2 * 2)   # 2 images, 2 restarts
    with tf.Graph().as_default():
        _, again, _, _, _ = searched(tiny_config, iterations=5)
    assert found.shape == again.shape == images.shape
    assert np.allclose(found, again, atol=1e-3)


@pytest.mark.parametrize('z_dist, low, high', [
    ('uniform_signed', -1, 1), ('uniform_unsigned', 0, 1)])
def test_z_stays_in_the_box_of_a_uniform_prior(graph, tiny_config, z_dist, low, high):
    with tf.Session() as sess:
        z = sess.run(bound(tf.constant([[-3.0, 0.5, 3.0]]), tiny_config(z_dist=z_dist)))
    assert z.tolist() == [[low, 0.5, high]]


def test_a_normal_z_stays_in_the_ball_where_its_prior_lies(graph, tiny_config):
    config = tiny_config(z_dim=4)
    with tf.Session() as sess:
        z = sess.run(bound(tf.constant([[3.0, 0, 4, 0], [1.0, 0, -1, 0]]), config))
    assert np.allclose(z, [[1.2, 0, 1.6, 0], [1, 0, -1, 0]])


def search_of(config, count=4, name='center'):
    sess, model = build(config)
    search = Search(model, masks.make_mask(name, 16, 16), count)
    return sess, model, search


def test_the_searchs_own_z_is_bound(graph, tiny_config):
    sess, _, search = search_of(tiny_config())
    known = np.ones(search.known.shape.as_list())
    with sess:
        sess.run(search.start, {search.initial: np.full((4, 8), 7.0)})
        started = sess.run(search.z)
        for _ in range(40):
            sess.run(search.step, {search.known: known})
        z = sess.run(search.z)
    assert np.allclose(np.linalg.norm(started, axis=1), 8 ** 0.5)
    assert np.linalg.norm(z, axis=1).max() <= 8 ** 0.5 * 1.0001
    assert (started != z).any(axis=1).all()


def test_the_losses_by_hand(graph, tiny_config):
    sess, model, search = search_of(tiny_config(perceptual_weight=0.5), 3)
    z = np.random.default_rng(0).uniform(-1, 1, (3, 8))
    known = np.random.default_rng(1).uniform(-1, 1, search.known.shape.as_list())
    with sess:
        sess.run(search.start, {search.initial: z})
        images, loss = sess.run([search.images, search.loss], {search.known: known})
        logits = sess.run(model.discriminator(model.images, None, True, False)[1],
                          {model.images: images})[:, 0]
        drawn = sess.run(model.sampler_images, {model.z: z})
    assert np.allclose(images, drawn, atol=1e-5)
    seen = masks.observe(search.mask, images)
    weights = masks.importance(search.mask)[:, None]
    wanted = (weights * abs(seen - known)).sum((1, 2)) + 0.5 * np.log1p(np.exp(-logits))
    assert np.allclose(loss, wanted, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize('changes', [
    dict(loss='wgan'), dict(loss='lsgan'), dict(loss='hinge', spectral_norm=True),
    dict(architecture='mlp', gf_dim=32, df_dim=32), dict(d_head='pool')])
def test_every_variant_can_search(graph, tiny_config, changes):
    from model import ARCHITECTURES
    config = tiny_config(**changes)
    search = Search(ARCHITECTURES[config.architecture](config),
                    masks.make_mask('lowres', 16, 16), 2)
    with sessions.open_session(config) as sess:
        sess.run(tf.global_variables_initializer())
        known = np.zeros(search.known.shape.as_list())
        first, = sess.run([search.loss], {search.known: known})
        sess.run(search.step, {search.known: known})
    assert first.shape == (2,) and np.isfinite(first).all()


def test_the_best_restart_is_kept(graph, tiny_config):
    sess, model, search = search_of(tiny_config(iterations=1, perceptual_weight=0.0))
    with sess:
        z = sess.run(draw_z('normal01', [2, 2, 8], [0, 0]))
        z[1, 1] /= 100
        drawn = sess.run(model.sampler_images, {model.z: z.reshape(4, 8)})
        known = masks.observe(search.mask, drawn[[0, 3]])
        seen = []
        found, inputs = descend(sess, search, known, z, np.zeros((2, 2, 0)),
                                lambda step, draw: seen.append((step, draw())), Bar())
        again = sess.run(model.sampler_images, {model.z: inputs.z})
    assert [step for step, _ in seen] == [0, 1]
    assert np.allclose(seen[0][1][1], drawn[3], atol=1e-3)
    assert np.allclose(again, found, atol=1e-4)
    assert np.abs(found - drawn[[0, 3]]).mean() < np.abs(found - drawn[[1, 2]]).mean()


def test_a_search_begins_with_the_label_that_fits(graph, tiny_config):
    config = tiny_config(classes=('a', 'b', 'c'), conditional=True, restarts=2)
    sess, model = build(config)
    with sess:
        mask, y = masks.make_mask('full', 16, 16), np.eye(3)[[0, 1, 2]]
        z = sess.run(draw_z('normal01', [1, 8], [0, 0])) / 2
        images = sess.run(model.sampler_images, {model.z: z.repeat(3, 0), model.y: y})
        known = masks.observe(mask, images)
        z, chosen = complete.first_inputs(sess, model, mask, known)
        assert z.shape == (3, 2, 8) and (chosen[:, 0] == y).all()
        model.config = config.replace(label='b')
        assert (complete.first_inputs(sess, model, mask, known)[1] == y[1]).all()


def test_the_nearest_training_image_is_so_in_what_is_known(tiny_config, monkeypatch):
    mask = masks.make_mask('center', 16, 16)
    image = np.full((16, 16, 3), 100, np.uint8)
    cheating, fair = image + 9, image.copy()     # agrees where it is hidden
    cheating[mask.hidden], fair[mask.hidden] = 100, 250
    monkeypatch.setattr(complete.batches, 'load', lambda config: Dataset(
        np.stack([cheating, fair])))
    found = complete.nearest_images(tiny_config(), mask, transform(image[None]))
    np.testing.assert_allclose(found, transform(fair[None]))


# --- the task ----------------------------------------------------------------

@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Train a step on 16 of 20 pictures; return the folder of it all."""
    root = tmp_path_factory.mktemp('trained')
    os.makedirs(root / 'data' / 'flat')
    rng = np.random.default_rng(0)
    for i in range(20):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(
            root / 'data' / 'flat' / ('%02d.png' % i))
    assert call('--dataset', 'flat', '--data_dir', root / 'data', '--checkpoint_dir',
                root / 'checkpoint', '--sample_dir', root / 's', '--output_height', 16,
                '--gf_dim', 4, '--df_dim', 4, '--z_dim', 8, '--batch_size', 8,
                '--epoch', 1, '--init', 'xavier', '--train_size', 16,
                '--train') == 0
    return root


@pytest.fixture
def flags(trained, tmp_path):
    return ['--dataset', 'flat', '--checkpoint_dir', trained / 'checkpoint',
            '--data_dir', trained / 'data', '--sample_dir', tmp_path, '--task',
            'complete', '--iterations', 3, '--restarts', 2]


def rows(path):
    with open(path) as file:
        return list(csv.DictReader(file))


def test_held_out_images(flags, tmp_path, capsys):
    assert call(*flags) == 0
    folder, out = tmp_path / 'flat_8_16_16', capsys.readouterr().out
    with Image.open(folder / 'complete_center.png') as sheet:
        assert sheet.size == (4 * 18 - 2, 7 * 18 - 2)
    with Image.open(folder / 'complete_center.gif') as animation:
        assert animation.n_frames == 4      # before each step, and at the end
        assert animation.size == (4 * 18 - 2, 3 * 18 - 2)
    table = rows(folder / 'complete_center.csv')
    assert [row['image'] for row in table] == ['held-out %d' % i for i in range(4)]
    assert list(table[0]) == ['image', 'G(z)', 'blended', *complete.PLAIN]
    values = [float(row['blended']) for row in table]
    line, = re.findall(r'^  blended +(.*)$', out, re.MULTILINE)
    assert line == '%.2f ± %.2f' % (np.mean(values), np.std(values))
    assert '(64 of 256)' in out


def test_files_folders_and_a_mask_file(flags, trained, tmp_path):
    hidden = np.full((32, 32, 1), 255, np.uint8)
    hidden[16:] = 0
    mask = imsave(hidden, str(tmp_path / 'lower.png'))
    one = trained / 'data' / 'flat' / '03.png'
    assert call(*flags, '--images', one, trained / 'data', '--mask', mask,
                '--separate') == 0
    folder = tmp_path / 'flat_8_16_16'
    table = rows(folder / 'complete_lower.csv')
    assert len(table) == 21 and table[0]['image'] == str(one)
    assert float(table[0]['nearest training image']) > 58       # it is one of them
    with Image.open(one) as image, \
            Image.open(folder / 'complete_lower' / '000000.png') as completed:
        before, after = np.asarray(image), np.asarray(completed)
    assert (before[:8] == after[:8]).all() and (before[8:] != after[8:]).any()


def test_full_is_judged_by_g_of_z(flags, tmp_path):
    assert call(*flags, '--mask', 'full') == 0
    table = rows(tmp_path / 'flat_8_16_16' / 'complete_full.csv')
    assert list(table[0]) == ['image', 'G(z)', 'mean colour', 'nearest training image']
    # its z draw the row of G(z) again
    folder = tmp_path / 'flat_8_16_16'
    with np.load(folder / 'complete_full.npz') as kept:
        assert kept['z'].shape == (4, 8) and kept['step'] == 2
    assert call(*flags[:4], *flags[6:8], '--z', folder / 'complete_full.npz') == 0
    with Image.open(folder / 'complete_full.png') as sheet:
        row = np.asarray(sheet).astype(int)[36:52]
    with Image.open(folder / 'from_complete_full.png') as sheet:
        drawn = np.asarray(sheet).astype(int)
    for i in range(4):
        top, left = 18 * (i // 2), 18 * (i % 2)
        assert np.abs(row[:, 18 * i:18 * i + 16]
                      - drawn[top:top + 16, left:left + 16]).max() <= 1


def test_without_the_data_set_files_are_completed_all_the_same(
        flags, trained, tmp_path, capsys):
    one = trained / 'data' / 'flat' / '03.png'
    assert call(*flags, '--data_dir', tmp_path, '--images', one) == 0
    assert 'no nearest training image' in capsys.readouterr().out
    table = rows(tmp_path / 'flat_8_16_16' / 'complete_center.csv')
    assert list(table[0]) == ['image', 'G(z)', 'blended', *complete.PLAIN[:2]]


def test_bad_files_are_all_named_and_nothing_is_written(flags, tmp_path, capsys):
    (tmp_path / 'text.png').write_text('no image')
    assert call(*flags, '--images', tmp_path / 'text.png', tmp_path / 'none.png') == 2
    error = capsys.readouterr().err
    assert 'text.png: not a kind of image' in error and 'none.png: ' in error
    assert '2 of 2' in error
    assert os.listdir(tmp_path) == ['text.png']


@pytest.mark.parametrize('arguments, words', [
    (['--mask', 'middle'], 'center, left, random, grid, lowres, full'),
    (['--mask', 'BLACK'], 'hides everything'), (['--mask', 'WHITE'], 'hides nothing'),
    (['--mask', 'TEXT'], 'not a kind of image'), (['--images', 'EMPTY'], 'no image in'),
    (['--data_dir', 'EMPTY'], '--images FILE'),
    (['--images', 'TEXT', '--task', 'sample'], '--task complete')])
def test_messages(flags, tmp_path, capsys, arguments, words):
    for name, value in (('BLACK', 0), ('WHITE', 255)):
        Image.new('L', (16, 16), value).save(tmp_path / (name + '.png'))
    (tmp_path / 'TEXT.png').write_text('no image')
    (tmp_path / 'EMPTY').mkdir()
    there = {'EMPTY': tmp_path / 'EMPTY', **{
        name: tmp_path / (name + '.png') for name in ('BLACK', 'WHITE', 'TEXT')}}
    assert call(*flags, *[there.get(word, word) for word in arguments]) == 2
    assert words in capsys.readouterr().err
