"""--task classify: pooling, the SVM, labels and parts, and that D is shown no label."""

import csv
import itertools
import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from sklearn.svm import LinearSVC

import main
from dataset import batches
from dataset.batches import Dataset
from model import DCGAN
from settings.errors import UserError
from tasks import classify
from tasks.parts import d_features, svm_data


def call(*arguments):
    with tf.Graph().as_default():
        return main.main(list(map(str, arguments)))


# --- features ----------------------------------------------------------------

@pytest.mark.parametrize('size', [(16, 8), (14, 7), (5, 4), (25, 13)])
def test_maps_are_pooled_to_4_by_4_and_no_pixel_is_left_out(graph, size):
    maps = np.random.default_rng(0).normal(size=(2, *size, 3)).astype(np.float32)
    expected = np.empty((2, 4, 4, 3), np.float32)
    for i, j in itertools.product(range(4), repeat=2):
        rows, columns = (slice(int(np.floor(k * side / 4)),
                               int(np.ceil((k + 1) * side / 4)))
                         for k, side in ((i, size[0]), (j, size[1])))
        expected[:, i, j] = maps[:, rows, columns].max((1, 2))
    with tf.Session() as sess:
        found = sess.run(d_features.pool(tf.constant(maps)))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found.max((1, 2)), maps.max((1, 2)))


@pytest.mark.parametrize('changes', [
    {}, dict(classes=('a', 'b', 'c'), conditional=True), dict(spectral_norm=True),
    dict(output_height=28, output_width=17, c_dim=1)])
def test_features_are_of_single_images_and_as_many_as_said(graph, tiny_config, changes):
    config = tiny_config(**changes)
    model = DCGAN(config)
    features = d_features.build_features(model)
    images = np.random.default_rng(0).integers(
        0, 256, (5, config.output_height, config.output_width, config.c_dim), np.uint8)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        together = sess.run(features, d_features.feed(model, images))
        alone = sess.run(features, d_features.feed(model, images[3:4]))
    assert d_features.feature_count(config) == max(together.shape[1], images[0].size)
    np.testing.assert_allclose(alone[0], together[3], rtol=1e-4, atol=1e-6)
    assert np.abs(together[0] - together[1]).max() > 1e-4


def test_a_conditional_D_is_fed_the_same_y_for_every_image(graph, tiny_config):
    images = np.zeros((3, 16, 16, 3), np.uint8)
    for changes, value in ((dict(classes=tuple('abcd'), conditional=True), 0.25),
                           (dict(classes=('A', 'B'), attributes='A,B'), 0)):
        with tf.Graph().as_default():
            model = DCGAN(tiny_config(**changes))
            y = d_features.feed(model, images)[model.y]
        np.testing.assert_array_equal(y, np.full((3, model.config.y_dim), value))


def test_calibration_moves_the_averages_to_those_of_the_images(graph, tiny_config):
    model = DCGAN(tiny_config())
    update = classify.build_calibration(model)
    images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)
    features = d_features.build_features(model)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        before = sess.run(features, d_features.feed(model, images))[:, 64:]
        for _ in range(100):
            sess.run(update, d_features.feed(model, images))
        after = sess.run(features, d_features.feed(model, images))[:, 64:]
    assert before.std() < 0.1       # an untrained D squashes its second map
    assert 0.3 < after.std() < 2


# --- the SVM -----------------------------------------------------------------

def clouds(classes, each, width, apart, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    centres = apart * np.random.default_rng(99).normal(size=(classes, width))
    noise = rng.normal(size=(len(labels), width))
    return (centres[labels] + noise).astype(np.float32), labels


@pytest.mark.parametrize('classes', [2, 3])
@pytest.mark.parametrize('width', [6, 200])
def test_what_is_separable_is_told_apart(classes, width):
    x, labels = clouds(classes, 20, width, 10)
    x_test, labels_test = clouds(classes, 20, width, 10, seed=1)
    svm = classify.fit(5 + 100 * x, labels, 0)
    np.testing.assert_array_equal(svm.predict(5 + 100 * x_test), labels_test)


@pytest.mark.parametrize('width', [6, 300])
def test_shuffled_labels_are_guessed(width):
    x, labels = clouds(2, 100, width, 0)
    x_test, labels_test = clouds(2, 1000, width, 0, seed=1)
    accuracy = np.mean(classify.fit(x, labels, 0).predict(x_test) == labels_test)
    assert 0.44 < accuracy < 0.56


def test_fewer_images_than_features_is_the_same_svm_as_without_the_triangle():
    x, labels = clouds(3, 12, 90, 0.3)
    x[:, 7] = 3         # a feature that is always the same
    x_test, _ = clouds(3, 200, 90, 0.3, seed=1)
    svm = classify.fit(x, labels, 0)
    mean, scale = x.mean(0), x.std(0)
    scale[7] = 1
    scale *= np.sqrt(90)
    plain = LinearSVC(C=svm.C, dual=False, tol=1e-8, max_iter=10**5)
    plain.fit((x - mean) / scale, labels)
    expected = plain.decision_function((x_test - mean) / scale)
    found = x_test @ svm.weights + svm.biases
    np.testing.assert_allclose(found, expected, atol=0.02 * expected.std())


def test_C_is_the_smallest_of_those_that_do_best():
    x, labels = clouds(2, 20, 3, 100)
    assert classify.choose_C(x / 100, labels, 0) == 0.01


# --- labels and parts --------------------------------------------------------

@pytest.fixture
def places(tmp_path):
    """Write two folders of flat pictures, dark and light; return --data_dir."""
    rng = np.random.default_rng(0)
    for value, name in ((70, 'dark'), (180, 'light')):
        os.makedirs(tmp_path / 'data' / 'flat' / name)
        for i in range(20):
            noisy = rng.integers(value - 20, value + 20, (16, 16, 3), np.uint8)
            Image.fromarray(noisy).save(
                tmp_path / 'data' / 'flat' / name / ('%02d.png' % i))
    lines = ['40', 'Light Even'] + [
        '%s/%02d.png %d %d' % (name, i, 1 if name == 'light' else -1, 1 - i % 2 * 2)
        for name in ('dark', 'light') for i in range(20)]
    (tmp_path / 'data' / 'flat' / 'list_attr.txt').write_text('\n'.join(lines) + '\n')
    return tmp_path / 'data'


@pytest.fixture
def flat(places, tiny_config):
    def make(**changes):
        return tiny_config(dataset='flat', data_dir=str(places), **changes)
    return make


def test_without_held_out_images_a_fifth_is_drawn(flat):
    data = svm_data.load(flat(), 100)
    assert len(data.test) == 8
    assert len(data.used()) == 32
    learned = {image.tobytes() for image in data.train.images[data.used()]}
    assert not learned & {image.tobytes() for image in data.test.images}
    assert 'drawn at random from all' in data.notes[0]


@pytest.mark.parametrize('changes, said', [
    ({}, 'though not these labels'), (dict(attribute='Even'), 'though not these'),
    (dict(conditional=True, classes=('dark', 'light')), 'and these labels'),
    (dict(attributes='Light', classes=('Light',)), 'and these labels'),
    (dict(attributes='Light', classes=('Light',), attribute='Light,Even'),
     'and these labels'),
    (dict(attributes='Light', classes=('Light',), attribute='Even'),
     'though not these')])
def test_it_is_said_whether_D_has_seen_the_labels_of_the_test(flat, changes, said):
    assert said in svm_data.load(flat(**changes), 100).notes[0]


@pytest.mark.parametrize('conditional', [False, True])
def test_what_train_size_leaves_out_is_the_test(flat, conditional):
    config = flat(train_size=30, conditional=conditional)
    if not conditional:
        config = config.replace(chosen_by=None)     # an older run
    else:
        config = config.replace(classes=('dark', 'light'))
    data = svm_data.load(config, 100)
    assert len(data.test) == 10
    if not conditional:         # it saw the first 30
        assert data.used().max() < 30
        np.testing.assert_array_equal(data.test.images, data.train.images[30:])
    assert 'held out' in data.notes[0]


def test_the_test_is_what_a_run_without_labels_left_out_by_its_seed(flat):
    config = flat(train_size=30, chosen_by=3)
    left_out = batches.load(config.replace(part='held_out'), str)
    data = svm_data.load(config, 100)
    np.testing.assert_array_equal(data.test.images, left_out.images)
    np.testing.assert_array_equal(data.train.images,
                                  batches.load(config, str).images)
    assert len(data.test) == 10 and 'held out' in data.notes[0]


def test_attributes_are_a_target_each(flat):
    for config in (flat(attribute='Even,Light'),
                   flat(attributes='Even,Light', classes=('Even', 'Light'))):
        data = svm_data.load(config, 100)
        assert [target.name for target in data.targets] == ['Even', 'Light']
        mean = data.test.images.mean((1, 2, 3))
        np.testing.assert_array_equal(data.targets[1].test, mean > 128)


def test_an_attribute_is_of_the_table_of_labels_or_else_of_the_data_sets_own(
        flat, places):
    (places / 'kinds.csv').write_text('file,kind,Second\n' + ''.join(
        '%s/%02d.png,%s,%d\n' % (name, i, 'abc'[i % 3], 1 if i < 10 else -1)
        for name in ('dark', 'light') for i in range(20)))
    given = dict(labels=str(places / 'kinds.csv') + ':kind', conditional=True,
                 classes=('a', 'b', 'c'))
    assert svm_data.load(flat(**given), 100).train.classes == ('a', 'b', 'c')
    for name in 'Second', 'Light':
        data = svm_data.load(flat(attribute=name, **given), 100)
        assert data.train.classes == (name,)
        assert np.sum(data.train.labels > 0) == 20
    with pytest.raises(UserError, match="kinds.csv has no column 'Lihgt'"):
        svm_data.load(flat(attribute='Lihgt', **given), 100)


def test_draws_are_even_and_differ(flat):
    draws = svm_data.load(flat(labels_per_class=4), 100).targets[0].draws
    labels = np.repeat([0, 1], 20)
    assert [list(np.bincount(labels[draw])) for draw in draws] == [[4, 4]] * 5
    assert len({tuple(draw) for draw in draws}) == 5


def test_many_images_are_cut_to_what_memory_holds(flat, monkeypatch):
    monkeypatch.setattr(svm_data, 'ROOM', 12 * 100 * svm_data.BYTES)
    data = svm_data.load(flat(), 100)
    assert len(data.used()) == 12
    assert 'Learned from 12 of 32' in data.notes[1]
    assert len(svm_data.load(flat(num_samples=20), 100).used()) == 20


def test_too_few_images_of_a_label_are_named(flat):
    with pytest.raises(UserError, match='class: .*19 or more.*dark 1[0-8]'):
        svm_data.load(flat(labels_per_class=19), 100)
    with pytest.raises(UserError, match='too few images'):
        svm_data.load(flat(num_samples=2), 100)


def test_majority_is_the_share_of_the_label_most_frequent_in_the_test():
    target = svm_data.Target('x', np.array([0]), np.array([0, 1, 1, 2]), [])
    assert target.majority() == 0.5


# --- the whole ---------------------------------------------------------------

@pytest.fixture
def trained(places, tmp_path):
    """Train a tiny conditional run; return the flags of a task on it."""
    flags = ['--dataset', 'flat', '--data_dir', places, '--checkpoint_dir',
             tmp_path / 'checkpoint', '--sample_dir', tmp_path / 's']
    assert call(*flags, '--output_height', 16, '--gf_dim', 4, '--df_dim', 4, '--z_dim',
                8, '--batch_size', 8, '--epoch', 1, '--conditional', '--train') == 0
    return flags + ['--task', 'classify']


def test_dark_and_light_are_told_apart_and_a_table_is_written(
        trained, tmp_path, capsys):
    assert call(*trained, '--labels_per_class', 5) == 0
    out = capsys.readouterr().out
    folder = tmp_path / 's' / 'flat_8_16_16'
    assert 'table: %s' % (folder / 'classify.md') in out
    assert (folder / 'classify.md').read_text() in out
    with open(folder / 'classify.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['features'] for row in rows] == ['trained D', 'untrained D', 'pixels']
    assert [row['count'] for row in rows] == ['192', '192', '768']
    assert [row['accuracy %'] for row in rows] == ['100.00'] * 3
    assert {row['learned from'] for row in rows} == {'10'}
    assert {row['draws'] for row in rows} == {'5'}


def test_labels_do_not_reach_the_features(graph, tiny_config):
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8)
    seen = []

    def features(part):
        seen.append(part)
        return part.reshape(len(part), -1).astype(np.float32)

    labels = np.arange(40) % 2
    rows = []
    for number in range(2):
        target = svm_data.Target('x', labels ^ number, labels ^ number, [np.arange(30)])
        data = svm_data.SVMData(Dataset(images), Dataset(images), [target], [])
        rows += classify.judge('x', features, data)
    half = len(seen) // 2
    for one, other in zip(seen[:half], seen[half:]):
        np.testing.assert_array_equal(one, other)
    assert rows[0][5:] == rows[1][5:]


def test_bad_input_is_refused_before_anything_is_written(trained, tmp_path, capsys):
    for flags, words in ((['--attribute', 'Blue'], ['Blue', 'Light']),
                         (['--labels_per_class', 1], ['from 2']),
                         (['--labels_per_class', 100], ['too few images', 'dark'])):
        before = sorted(os.listdir(tmp_path / 's' / 'flat_8_16_16'))
        assert call(*trained, *flags) == 2
        error = capsys.readouterr().err
        assert all(word in error for word in words), error
        assert sorted(os.listdir(tmp_path / 's' / 'flat_8_16_16')) == before


def test_a_D_without_convolutions_is_refused(tiny_config):
    config = tiny_config(architecture='mlp', gf_dim=32, df_dim=32)
    with pytest.raises(UserError, match='--architecture mlp has none'):
        classify.main(config, None, None)
