"""The extractors of --features that are networks, and the choice among them."""

import json
import os
import shutil
import zipfile

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image

from metrics import (
    classifier,
    classifier_data,
    extractors,
    random_network,
)
from runs import folders
from settings.config import Config
from settings.errors import NotFoundError, UserError
from utils import inverse_transform, transform

WIDTH, CLASSES = 5, 7       # of the small Inception


def images(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


@pytest.fixture
def config(tmp_path):
    """Return a function that makes the Config of a data set in the test's folder."""
    def make(**changes):
        given = dict(dataset='shapes', data_dir=str(tmp_path / 'data'), threads=1,
                     checkpoint_dir=str(tmp_path / 'checkpoint'), output_height=16)
        return Config.make(dict(given, **changes), {})
    return make


def write_faces(folder, count, table):
    """Write pictures that are bright or dark, red or blue, and noise; maybe a table."""
    rng = np.random.default_rng(0)
    os.makedirs(folder, exist_ok=True)
    lines = ['%d' % count, 'Bright Red Always Noise']
    for i in range(count):
        bright, red, noise = rng.integers(0, 2, 3)
        pixels = rng.integers(0, 60, (16, 16, 3)) + 120 * bright
        pixels[..., 0 if red else 2] += 70
        place = folder / ('' if table else ('bright' if bright else 'dark'))
        os.makedirs(place, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(place / ('%04d.png' % i))
        lines.append('%04d.png %d %d 1 %d' % (i, 2 * bright - 1, 2 * red - 1,
                                              2 * noise - 1))
    if table:
        (folder / 'list_attr.txt').write_text('\n'.join(lines) + '\n')


# --- the classifier -------------------------------------------------------------

def test_classifier_of_class_folders(config, tmp_path, capsys):
    write_faces(tmp_path / 'data/shapes', 300, table=False)
    made = classifier.make(config(), print)
    assert made.classes == ('bright', 'dark') and made.exclusive
    assert made.accuracy == made.balanced == 1
    assert made.label == 'classifier (2 labels, 100.0 % right)'
    assert made.label in capsys.readouterr().out
    bright = np.full((3, 16, 16, 3), 0.4, np.float32)
    both = np.concatenate([bright, -bright])
    judged = made.extract(both)[1]
    assert judged.shape == (6, 2) and judged.dtype == np.float32
    np.testing.assert_allclose(judged.sum(axis=1), 1, atol=1e-5)
    assert judged[:3, 0].min() > 0.9 and judged[3:, 1].min() > 0.9
    features = made.extract(both)[0]
    assert features.shape == (6, 128) and features.dtype == np.float32
    np.testing.assert_array_equal(made.attributes(both), judged)
    assert classifier.kept(config(), (16, 16, 3)) is None      # not of attributes
    made.close()


def test_classifier_of_attributes(config, tmp_path):
    write_faces(tmp_path / 'data/shapes', 400, table=True)
    assert classifier.kept(config(), (16, 16, 3)) is None
    made = classifier.make(config(), lambda text: None)
    assert made.classes == ('Bright', 'Red', 'Noise') and not made.exclusive
    with open(made.path + '.json', encoding='utf-8') as file:
        meta = json.load(file)
    assert (meta['trained'], meta['held_out']) == (360, 40)
    assert meta['classes']['Bright'] == meta['classes']['Red'] == [1, 1]
    assert 0.2 < meta['classes']['Noise'][1] < 0.8      # nobody can know it
    assert made.accuracy == pytest.approx(
        np.mean([meta['classes'][name][0] for name in made.classes]))
    assert made.extract(images(2, 16, 16, 3))[1] is None
    judged = made.attributes(np.full((1, 16, 16, 3), [0.6, 0, 0], np.float32))
    assert judged.shape == (1, 3) and judged[0, :2].min() > 0.9
    shutil.rmtree(tmp_path / 'data')        # it is found without its data
    kept = classifier.kept(config(), (16, 16, 3))
    assert kept.path == made.path and kept.classes == made.classes
    batch = images(4, 16, 16, 3)
    np.testing.assert_array_equal(kept.attributes(batch), made.attributes(batch))
    assert classifier.kept(config(), (16, 16, 1)) is None
    kept.close()
    made.close()
    for damage in ('', '{}', '[]', '{"classes": 3, "exclusive": false}'):
        with open(made.path + '.json', 'w', encoding='utf-8') as file:
            file.write(damage)
        assert classifier.kept(config(), (16, 16, 3)) is None


@pytest.mark.parametrize('balanced, warned', [
    (0.5, True), (0.4, True), (float('nan'), True), (0.7, False)])
def test_a_classifier_that_guesses_says_so(
        config, tmp_path, monkeypatch, balanced, warned):
    write_faces(tmp_path / 'data/shapes', 20, table=False)
    monkeypatch.setattr(classifier, 'STEPS', 1)
    monkeypatch.setattr(classifier, 'measure', lambda *_: dict(
        accuracy=balanced, balanced=balanced))
    for _ in 'once', 'kept':
        said = []
        classifier.make(config(), said.append).close()
        assert any('hardly better than guessing' in text for text in said) == warned


def test_a_wanted_attribute_that_is_not_there_is_said_before_training(
        config, tmp_path, monkeypatch):
    write_faces(tmp_path / 'data/shapes', 20, table=True)
    monkeypatch.setattr(classifier, 'train', None)
    with pytest.raises(UserError, match='shapes knows no Green, Hat .*; it knows '):
        classifier.make(config(), print, wanted=['Green', 'Hat'])


def test_classifier_is_kept_and_used_again(config, tmp_path, monkeypatch):
    write_faces(tmp_path / 'data/shapes', 60, table=False)
    monkeypatch.setattr(classifier, 'STEPS', 3)
    said, batch = [], images(5, 16, 16, 3)
    first = classifier.make(config(), said.append)
    features = first.extract(batch)[0]
    assert sum('training a classifier' in text for text in said) == 1
    again = classifier.make(config(seed=1), said.append)
    assert sum('training a classifier' in text for text in said) == 1
    np.testing.assert_array_equal(again.extract(batch)[0], features)
    assert again.label == first.label and again.path == first.path
    assert first.path.startswith(str(tmp_path / 'checkpoint/classifiers/shapes_16x16'))
    assert folders.all_runs(str(tmp_path / 'checkpoint')) == []

    os.remove(first.path + '.json')     # all over again: the same weights
    classifier.make(config(), said.append).close()
    assert sum('training a classifier' in text for text in said) == 2
    with open(first.path + '.npz', 'r+b') as file:      # cut short
        file.truncate(1000)
    third = classifier.make(config(), said.append)
    assert sum('training a classifier' in text for text in said) == 3
    np.testing.assert_allclose(third.extract(batch)[0], features, atol=1e-4)

    whole = open(first.path + '.npz', 'rb').read()
    for place, value in ((8, 99), (6, 1), (6, 32)):     # a method, encrypted, patched
        with open(first.path + '.npz', 'wb') as file:
            at = whole.index(b'PK\1\2') + 2 + place      # of the zip's own table
            file.write(whole[:at] + bytes([value]) + whole[at + 1:])
        assert not third.restore()
    with open(first.path + '.npz', 'wb') as file:
        file.write(whole)
    assert third.restore()
    with open(first.path + '.json', 'w') as file:
        file.write('{"accuracy": "x", "balanced": 1}')
    assert not third.restore()

    os.rename(tmp_path / 'data/shapes/dark', tmp_path / 'data/shapes/night')
    other = classifier.make(config(), said.append)
    assert other.path != first.path and other.classes == ('bright', 'night')


def test_classifier_works_in_batches(config, tmp_path, monkeypatch):
    write_faces(tmp_path / 'data/shapes', 40, table=False)
    monkeypatch.setattr(classifier, 'STEPS', 1)
    made = classifier.make(config(), lambda text: None)
    batch = images(11, 16, 16, 3)
    whole = made.extract(batch)[0]
    made.batch = 4
    np.testing.assert_allclose(made.extract(batch)[0], whole, atol=1e-5)


def test_what_the_classifier_needs(config, tmp_path, make_images):
    with pytest.raises(NotFoundError, match='No data set at'):
        classifier.make(config(), print)
    make_images(str(tmp_path / 'data/shapes'), 5)
    with pytest.raises(UserError, match='neither a table of attributes nor folders.*'
                       'random'):
        classifier.make(config(), print)


def test_a_table_that_is_no_text_is_said(config, tmp_path, make_images):
    make_images(str(tmp_path / 'data/shapes'), 2)
    (tmp_path / 'data/shapes/list_attr.txt').write_bytes(b'a\xff\n\xff')
    with pytest.raises(UserError, match='list_attr.txt is not text in UTF-8'):
        classifier.make(config(), print)


def test_few_images_are_enough_to_hold_one_out(config, tmp_path):
    write_faces(tmp_path / 'data/shapes', 6, table=False)
    assert [len(part[2]) for part in classifier_data.load(config())[2:4]] == [5, 1]
    with pytest.raises(UserError, match='1 image.*at least 2.*pixels'):
        classifier_data.load(config(train_size=1))


def test_rare_attributes_are_left_out():
    signs = np.ones((100, 4), np.float32)
    signs[:50, 0] = signs[:1, 1] = signs[1:, 2] = signs[:2, 3] = -1

    class Data:
        labels, classes = signs, tuple('abcd')
    targets, kept = classifier_data.to_targets(Data)
    assert kept == ('a', 'd')
    np.testing.assert_array_equal(targets.mean(axis=0), np.float32([0.5, 0.98]))


@pytest.mark.parametrize('side, maps', [(16, 2), (64, 4), (256, 4)])
def test_large_images_take_no_more_layers(side, maps):
    made = classifier.Classifier((side, side, 3), ('a', 'b'), True)
    assert len([v for v in made.variables if '_conv/w' in v.op.name]) == maps


def write_kinds(folder, count):
    """Write a table of labels, which has not the columns of the faces."""
    (folder.parent / 'kinds.csv').write_text('file,kind\n' + ''.join(
        '%04d.png,%s\n' % (i, ('even', 'odd')[i % 2]) for i in range(count)))
    return str(folder.parent / 'kinds.csv')


def test_another_table_of_labels_does_not_take_the_place_of_that_of_attributes(
        config, tmp_path):
    write_faces(tmp_path / 'data/shapes', 40, table=True)
    labels = write_kinds(tmp_path / 'data/shapes', 40)
    given = config(labels=labels, conditional=True)
    plain = classifier_data.load(config(), lambda text: None)
    found = classifier_data.load(given, lambda text: None)
    assert (found.classes, found.exclusive) == (('Bright', 'Red', 'Noise'), False)
    assert found.digest == plain.digest     # one classifier for all runs of these data


@pytest.mark.parametrize('given, classes', [
    (dict(conditional=True), ('even', 'odd')),
    (dict(conditional=True, labels='%s:kind'), ('even', 'odd')),
    (dict(attributes='Noise,Red', labels='attributes'), ('Noise', 'Red'))])
def test_where_there_is_no_other_table_it_learns_that_of_labels(
        config, tmp_path, given, classes):
    write_faces(tmp_path / 'data/shapes', 40, table=True)
    os.rename(tmp_path / 'data/shapes/list_attr.txt', tmp_path / 'data/attributes')
    kinds = write_kinds(tmp_path / 'data/shapes', 40)
    labels = given.get('labels', '%s').replace('%s', kinds).replace(
        'attributes', str(tmp_path / 'data/attributes'))
    found = classifier_data.load(config(**dict(given, labels=labels)),
                                 lambda text: None)
    assert found.classes == classes
    assert found.exclusive == ('conditional' in given)


# --- the random network ---------------------------------------------------------

@pytest.mark.parametrize('side, channels', [(28, 1), (64, 3)])
def test_random_is_always_the_same(config, side, channels):
    batch = images(9, side, side, channels)
    first = random_network.make(config(c_dim=channels), None)
    found = first.extract(batch)[0]
    assert found.shape == (9, 256) and found.dtype == np.float32
    assert first.extract(batch)[1] is None
    first.batch = 4
    np.testing.assert_allclose(first.extract(batch)[0], found, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(
        random_network.make(config(c_dim=channels), None).extract(batch)[0], found)
    assert found.std(axis=0).min() > 1e-4       # each tells images apart
    first.close()


def test_random_is_this_network():
    """Pin the weights: the numbers of last year are those of this one."""
    made = random_network.Random([None, None, 1])
    made.start(Config.make({}, {}))
    found = made.extract(np.linspace(-1, 1, 256, dtype=np.float32).reshape(
        1, 16, 16, 1))[0][0, [0, 100, 200]]
    np.testing.assert_allclose(found, PINNED, rtol=1e-3)


PINNED = [0.0891, -0.037436, -0.047961]


# --- Inception --------------------------------------------------------------------

def write_inception(path, pool='pool_3'):
    """Write a frozen graph of Inception's names and of its batch of one."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(WIDTH, CLASSES)).astype(np.float32)
    kernel = rng.normal(size=(1, 1, 3, WIDTH)).astype(np.float32)
    with tf.Graph().as_default() as graph:
        jpeg = tf.placeholder(tf.string, [], 'DecodeJpeg/contents')
        image = tf.cast(tf.image.decode_jpeg(jpeg, 3), tf.float32, 'Cast')
        x = tf.expand_dims(image, 0, 'ExpandDims')
        x = tf.image.resize_bilinear(x, [299, 299], name='ResizeBilinear')
        x = tf.multiply(tf.subtract(x, 128., 'Sub'), 1 / 128, 'Mul')
        x = tf.nn.relu(tf.nn.conv2d(x, kernel, [1, 1, 1, 1], 'VALID'))
        x = tf.nn.avg_pool(x, [1, 299, 299, 1], [1, 1, 1, 1], 'VALID', name=pool)
        x = tf.reshape(x, [1, WIDTH], pool + '/_reshape')
        x = tf.matmul(x, tf.constant(weights), name='softmax/logits/MatMul')
        tf.nn.softmax(tf.nn.bias_add(x, np.ones(CLASSES, np.float32)), name='softmax')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return kernel[0, 0], weights


def resize(batch, side=299):
    """Resize [N, H, W, C] as TensorFlow 1's ResizeBilinear does, in float64."""
    for axis in (1, 2):
        at = np.arange(side) * batch.shape[axis] / side
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, batch.shape[axis] - 1)
        part = (at - low).reshape([-1 if i == axis else 1 for i in range(4)])
        batch = batch.take(low, axis) * (1 - part) + batch.take(high, axis) * part
    return batch


@pytest.mark.parametrize('channels', [1, 3])
def test_inception_agrees_with_numpy(config, tmp_path, channels):
    kernel, weights = write_inception(tmp_path / 'graph.pb')
    made = extractors.make(config(c_dim=channels, features='inception',
                                  inception_path=str(tmp_path / 'graph.pb')))
    made.batch = 2
    batch = images(5, 20, 24, channels)
    eight_bits = inverse_transform(batch).astype(np.float64)
    scaled = (resize(eight_bits.repeat(3 // channels, axis=3)) - 128) / 128
    pool = np.maximum(scaled @ kernel, 0).mean(axis=(1, 2))
    np.testing.assert_allclose(made.extract(batch)[0], pool, rtol=2e-4, atol=1e-5)
    exps = np.exp(pool @ weights)
    features, probabilities = made.extract(batch)
    np.testing.assert_allclose(probabilities, exps / exps.sum(axis=1, keepdims=True),
                               rtol=2e-3)
    assert features.shape == (5, WIDTH) and probabilities.shape == (5, CLASSES)
    assert 'inception' in made.label
    made.close()


def test_inception_sees_8_bits(config, tmp_path):
    write_inception(tmp_path / 'graph.pb')
    made = extractors.make(config(inception_path=str(tmp_path / 'graph.pb')))
    batch = images(2, 16, 16, 3) * 1.001
    np.testing.assert_allclose(
        made.extract(batch)[0], made.extract(transform(inverse_transform(batch)))[0],
        rtol=1e-5)


def test_inception_that_is_not_there_or_is_none(config, tmp_path):
    with pytest.raises(NotFoundError, match='data/inception/classify_image_graph_def.pb'
                       '.*download.py inception'):
        extractors.make(config(features='inception'))
    (tmp_path / 'bad.pb').write_bytes(b'no graph' * 100)
    write_inception(tmp_path / 'other.pb', pool='pool_4')
    (tmp_path / 'empty.pb').write_bytes(b'')
    for name in ('bad.pb', 'other.pb', 'empty.pb', ''):
        with pytest.raises(UserError, match='is not the Inception graph.*--features'):
            extractors.make(config(inception_path=str(tmp_path / name)))


def harmful(tmp_path, change):
    """Write Inception's graph with an operation that writes a file; see change."""
    path, harm = tmp_path / 'graph.pb', tmp_path / 'harm'
    write_inception(path)
    graph_def = tf.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.io.write_file(str(harm), 'x', name='harm')
    change(graph_def, graph.as_graph_def().node)
    resize, = (node for node in graph_def.node if node.name == 'ResizeBilinear')
    resize.input.append('^harm')        # is run before it
    path.write_bytes(graph_def.SerializeToString())
    return path, harm


def in_the_graph(graph_def, nodes):
    graph_def.node.extend(nodes)


def in_a_function(graph_def, nodes):
    function = graph_def.library.function.add()
    function.signature.name = 'hidden'
    function.node_def.extend(nodes)
    for node in function.node_def:
        node.input[:] = [name + ':output:0' for name in node.input]
    call = graph_def.node.add(name='harm', op='PartitionedCall')
    call.attr['f'].func.name = 'hidden'
    call.attr['Tin'].list.SetInParent()
    call.attr['Tout'].list.SetInParent()


@pytest.mark.parametrize('change, why', [
    (in_the_graph, 'WriteFile'), (in_a_function, 'function hidden')])
def test_an_inception_that_does_more_than_compute_is_refused(config, tmp_path, change,
                                                             why):
    """Nobody publishes a checksum of the file, and a graph is a program."""
    path, harm = harmful(tmp_path, change)
    with pytest.raises(UserError, match='it does more than compute: ' + why):
        made = extractors.make(config(inception_path=str(path)))
        made.extract(images(2, 16, 16, 3))[0]
    assert not harm.exists()


# --- the choice -------------------------------------------------------------------

def test_the_default(config, tmp_path, make_images):
    make_images(str(tmp_path / 'data/shapes'), 4)
    assert extractors.default(config()) == 'pixels'
    assert extractors.make(config()).label == 'pixels 16x16'
    make_images(str(tmp_path / 'data/folders/a'), 2)
    make_images(str(tmp_path / 'data/folders/b'), 2)
    assert extractors.default(config(dataset='folders')) == 'classifier'
    write_inception(tmp_path / 'data/inception/classify_image_graph_def.pb')
    assert extractors.default(config(dataset='folders')) == 'inception'
    with pytest.raises(NotFoundError, match='No data set at'):
        extractors.default(config(dataset='none', data_dir=str(tmp_path)))


def test_every_choice_of_the_flag_is_in_the_table():
    flag = next(f for f in Config.__dataclass_fields__.values()
                if f.name == 'features')
    assert set(flag.metadata['choices']) == set(extractors.EXTRACTORS)


def test_a_zip_has_no_class_folders(config, tmp_path, make_images):
    make_images(str(tmp_path / 'made'), 3)
    os.makedirs(tmp_path / 'data/shapes')
    with zipfile.ZipFile(tmp_path / 'data/shapes/all.zip', 'w') as archive:
        for name in sorted(os.listdir(tmp_path / 'made')):
            archive.write(tmp_path / 'made' / name, name)
    assert extractors.default(config()) == 'pixels'
