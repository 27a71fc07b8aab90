"""--eval_freq: what is judged and what is kept of it; training does not change."""

import json
import os
import shutil

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from test_train import TINY, assert_equal, values_of

import main
import train
from dataset.batches import Dataset
from metrics import evaluation, random_network
from metrics.frechet import frechet_name
from metrics.pixels import Pixels
from runs import folders, history

NAME = 'pixels 16x16, 12 samples and images of noise'


def call(*arguments):
    with tf.Graph().as_default():
        return main.main(list(map(str, arguments)))


@pytest.fixture(scope='module')
def judged(tmp_path_factory):
    """Train 10 steps of 40 images with and without judging; return the folder."""
    root = tmp_path_factory.mktemp('judged')
    os.makedirs(root / 'data' / 'noise')
    rng = np.random.default_rng(0)
    for i in range(40):
        Image.fromarray(rng.integers(0, 256, (16, 16, 3), np.uint8)).save(
            root / 'data' / 'noise' / ('%02d.png' % i))
    judging = ['--eval_freq', 4, '--eval_samples', 12]
    for name, flags in ('with', judging), ('without', []):
        assert call(*flags_of(root), *TINY, '--train', '--epoch', 2, '--name', name,
                    '--ckpt_freq', 3, *flags) == 0
    return root


def flags_of(root):
    return ['--dataset', 'noise', '--data_dir', root / 'data', '--checkpoint_dir',
            root / 'checkpoint', '--sample_dir', root / 'samples']


@pytest.fixture
def copied(judged, tmp_path, monkeypatch):
    """Return a copy of that folder, to change; pictures at the end are left out."""
    monkeypatch.setattr(train, 'show_results', lambda run: None)
    return shutil.copytree(judged, tmp_path / 'copy')


def judged_of(root, name='with'):
    return history.read_judged(str(root / 'checkpoint' / name / 'history.csv'))


def best_of(root, name='with'):
    return folders.saved(str(root / 'checkpoint' / name / 'best'))


def test_judging_does_not_change_training(judged):
    folder = judged / 'checkpoint'
    assert_equal(values_of(folder / 'with', 10), values_of(folder / 'without', 10))
    a, b = (history.read(str(folder / name / 'history.csv'))
            for name in ('with', 'without'))
    for column in set(history.COLUMNS) - {'seconds'}:
        np.testing.assert_array_equal(a[column], b[column])
    assert not os.path.exists(folder / 'without' / 'best')


def test_the_history_holds_what_was_judged_at_every_so_many_steps_and_at_the_end(
        judged):
    found = judged_of(judged)
    assert list(found) == [NAME]
    np.testing.assert_array_equal(found[NAME]['step'], [4, 8, 10])
    assert (found[NAME]['fd'] > 0).all()
    assert np.isfinite(found[NAME]['kid']).all()
    assert judged_of(judged, 'without') == {}


def test_the_best_checkpoint_is_that_of_the_least_distance(judged, capsys):
    values = judged_of(judged)[NAME]
    best = int(values['step'][values['fd'].argmin()])
    assert [step for step, _ in best_of(judged)] == [best]
    with open(judged / 'checkpoint/with/best' / ('DCGAN.model-%d.json' % best)) as file:
        record = json.load(file)
    assert record['judged_by'] == NAME
    assert record['fd'] == pytest.approx(values['fd'].min(), rel=1e-5)
    assert call(*flags_of(judged), '--name', 'with', '--checkpoint', 'best') == 0
    assert 'best/DCGAN.model-%d (step %d)' % (best, best) in capsys.readouterr().out


def test_the_picture_has_a_panel_more(judged):
    sizes = []
    for name in ('with', 'without'):
        with Image.open(judged / 'samples' / name / 'losses.png') as picture:
            sizes.append(picture.size)
    assert sizes == [(900, 840), (900, 600)]


def test_the_event_file_holds_the_distances(judged):
    logs, found = judged / 'checkpoint' / 'with' / 'logs', []
    for name in os.listdir(logs):
        for event in tf.train.summary_iterator(str(logs / name)):
            found += [(event.step, value.simple_value) for value in event.summary.value
                      if value.tag == 'fd/' + NAME]
    values = judged_of(judged)[NAME]
    np.testing.assert_allclose(found, np.transpose([values['step'], values['fd']]),
                               rtol=1e-5)


def test_a_task_with_as_many_samples_finds_the_numbers_of_training(judged, capsys):
    assert call(*flags_of(judged), '--name', 'with', '--task', 'evaluate',
                '--num_samples', 12) == 0
    with open(judged / 'samples/with/evaluate_pixels_10.json') as file:
        row = json.load(file)['rows'][0]
    values = judged_of(judged)[NAME]
    assert (row['num'], row['against']) == (12, 'training')
    assert row['fd'] == pytest.approx(values['fd'][-1], rel=1e-5)
    assert row['kid'] == pytest.approx(values['kid'][-1], rel=1e-5)
    assert 'no comparison with held-out images' in capsys.readouterr().out


def test_a_run_gone_back_and_on_finds_the_same_again(copied, judged):
    folder = copied / 'checkpoint' / 'with'
    for name in os.listdir(folder):
        if name.startswith(('DCGAN.model-9', 'DCGAN.model-10')):
            os.remove(folder / name)
    assert call(*flags_of(copied), '--name', 'with', '--train') == 0
    again, before = judged_of(copied)[NAME], judged_of(judged)[NAME]
    for column in before:
        np.testing.assert_array_equal(again[column], before[column])


def test_other_features_start_the_best_anew_beside_the_old_history(
        copied, capsys, monkeypatch):
    monkeypatch.setattr(random_network, 'make', lambda config, echo: Far())
    assert call(*flags_of(copied), '--name', 'with', '--train', '--epoch', 3,
                '--features', 'random') == 0
    found = judged_of(copied)
    other = 'far, 12 samples and images of noise'
    np.testing.assert_array_equal(found[NAME]['step'], [4, 8, 10])
    np.testing.assert_array_equal(found[other]['step'], [12, 15])
    best = int(found[other]['step'][found[other]['fd'].argmin()])
    assert [step for step, _ in best_of(copied)] == [best]
    said = capsys.readouterr().out
    assert 'the best so far' in said
    assert said.count('note: numbers of fewer than 2,048 images (here 12) are') == 1


class Far(Pixels):
    """Features with much larger distances, and two classes."""

    label = 'far'

    def extract(self, images):
        share = np.abs(images).mean(axis=(1, 2, 3))
        return 1000 * super().extract(images)[0], np.stack([share, 1 - share], axis=1)


# --- what is kept ------------------------------------------------------------

@pytest.fixture
def kept(tmp_path):
    """Return (run, put): put makes checkpoints that are files without weights."""
    run = folders.Run('r', str(tmp_path), str(tmp_path))

    def put(folder, *steps):
        os.makedirs(folder, exist_ok=True)
        for step in steps:
            for ending in ('.index', '.data-00000-of-00001', '.json'):
                with open(os.path.join(folder, 'DCGAN.model-%d%s' % (step, ending)),
                          'w'):
                    pass
    return run, put


@pytest.mark.parametrize(('newest', 'best', 'left'), [
    (1000, [600, 900], [900]), (800, [600, 900], [600, 900]),
    (800, [600, 900, 950], [600, 950]), (800, [500, 600, 900], [600, 900]),
    (500, [600], [600]), (800, [], [])])
def test_the_best_before_stays_until_a_checkpoint_is_as_new_as_the_best(
        kept, newest, best, left):
    run, put = kept
    put(run.checkpoint_dir, 100, newest)
    put(run.best_dir, *best)
    evaluation.prune(run)
    assert [step for step, _ in folders.saved(run.best_dir)] == left
    assert len(os.listdir(run.best_dir)) == 3 * len(left)


def test_a_run_that_goes_on_from_before_forgets_later_ones(kept):
    run, put = kept
    put(run.best_dir, 600, 900)
    evaluation.forget(run, 800)
    assert [step for step, _ in folders.saved(run.best_dir)] == [600]


@pytest.mark.parametrize(('text', 'best'), [
    ('{"fd": 2.5, "judged_by": "a"}', 2.5), ('{"fd": 2.5, "judged_by": "b"}', None),
    ('{"fd": 2', None), ('[]', None), ('{"fd": 2.5}', None)])
def test_distances_of_other_features_or_without_a_record_are_not_compared(
        kept, text, best, capsys):
    run, put = kept
    put(run.best_dir, 600)
    with open(evaluation.record_path(run, 600), 'w') as file:
        file.write(text)
    assert evaluation.read_best(run, 'a') == best
    assert ('is missing or damaged' in capsys.readouterr().out) == (
        'judged_by' not in text)


# --- what is compared --------------------------------------------------------

def test_labels_are_drawn_in_the_proportions_of_the_data(tiny_config):
    config = tiny_config(conditional=True, classes=('a', 'b', 'c'))
    data = Dataset(np.zeros((100, 16, 16, 3), np.uint8), np.repeat([0, 1], (80, 20)),
                   config.classes)
    y = evaluation.judged_y(config, data, 5000)
    assert y.shape == (5000, 3)
    np.testing.assert_allclose(y.mean(axis=0), [0.8, 0.2, 0], atol=0.03)
    np.testing.assert_array_equal(y, evaluation.judged_y(config, data, 5000))


def test_attributes_come_together_as_in_the_data(tiny_config):
    config = tiny_config(attributes='A,B', classes=('A', 'B'))
    rows = np.array([[1, -1], [-1, 1]], np.float32)
    data = Dataset(np.zeros((2, 16, 16, 3), np.uint8), rows, config.classes)
    y = evaluation.judged_y(config, data, 100)
    assert sorted(map(tuple, np.unique(y, axis=0))) == [(-1, 1), (1, -1)]


def test_z_is_that_of_the_seed_and_not_that_of_sheets(tiny_config):
    from runs import sampling
    config = tiny_config(num_samples=6)
    z = evaluation.judged_z(config, 6)
    assert z.shape == (6, 8)
    np.testing.assert_array_equal(z, evaluation.judged_z(config, 6))
    assert (z != evaluation.judged_z(config.replace(seed=1), 6)).all()
    with tf.Graph().as_default(), tf.Session() as sess:
        assert (z != sess.run(sampling.fixed_z(config))).all()


def test_the_default_graph_stays_as_it_is(tiny_config, graph):
    evaluation.judged_z(tiny_config(), 2)
    evaluation.make_extractor(tiny_config(features='pixels'))
    assert graph.get_operations() == []


def test_extract_takes_parts_of_any_sizes():
    images = np.random.default_rng(0).uniform(-1, 1, (7, 16, 16, 1)).astype(np.float32)
    found = evaluation.extract(Far(), np.split(images, [3, 4]), 7, 'images')
    for part, expected in zip(found, Far().extract(images)):
        np.testing.assert_array_equal(part, expected)
    assert len(found.first(2).features) == len(found.first(2).probabilities) == 2


def test_only_inception_has_a_fid():
    assert frechet_name('Inception 2015-12-05') == 'FID'
    assert frechet_name('pixels 16x16') == 'FD'
