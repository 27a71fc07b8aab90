"""--task evaluate: its table, its numbers, the neighbours, and what is refused."""

import json
import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from scipy.spatial.distance import cdist
from test_evaluation import Far

import main
from dataset import batches
from metrics import evaluation, extractors, pixels
from metrics.comparison import Extracted, Result, compare
from metrics.copies import copies
from metrics.density_coverage import density_coverage
from metrics.kid import kid
from metrics.neighbours import nearest_in_parts
from metrics.precision_recall import precision_recall
from metrics.two_sample import nearest_neighbour_accuracy
from runs import history
from settings.config import Config
from tasks import evaluate
from tasks.parts import judged

RESULT = Result(1000, 12.345, 0.0123, 0.001, None, None, None, 0.5, 0.25, 1.125,
                0.625, 0.75, 0.7, 0.8)


def call(*arguments):
    with tf.Graph().as_default():
        return main.main(list(map(str, arguments)))


def normal(rows, columns=4, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


# --- numbers -----------------------------------------------------------------

def test_compare_is_all_metrics_of_the_same_two_sets():
    real, generated = normal(50), normal(50, seed=1) + 1
    found = compare(Extracted(real), Extracted(generated))
    assert found.num == 50
    assert found[2:4] == pytest.approx(kid(real, generated), nan_ok=True)
    assert found[4:7] == (None, None, None)
    assert found[7:9] == precision_recall(real, generated)
    assert found[9:11] == density_coverage(real, generated)
    assert found[11:] == nearest_neighbour_accuracy(real, generated)


def test_the_distance_of_shifted_sets_is_the_shift_squared():
    features = normal(50)
    for shift in 0, 3:
        found = compare(Extracted(features), Extracted(features + shift))
        assert found.fd == pytest.approx(4 * shift ** 2, rel=1e-5, abs=1e-5)


def test_the_score_is_of_the_generated_images_alone():
    sure = np.eye(2, dtype=np.float32)[np.arange(40) % 2]
    unsure = np.full((40, 2), 0.5, np.float32)
    found = compare(Extracted(normal(40), unsure), Extracted(normal(40, seed=1), sure))
    assert found[4:7] == pytest.approx((2, 0, 10))


def test_nearest_in_parts_is_that_of_all_at_once():
    queries, references = normal(9), normal(40, seed=1)
    indices, distances = nearest_in_parts(
        queries, np.split(references, [2, 5, 30]), 3)
    expected = np.sort(cdist(queries, references), axis=1)[:, :3]
    np.testing.assert_allclose(distances, expected, rtol=1e-5)
    np.testing.assert_array_equal(
        indices, cdist(queries, references).argsort(axis=1)[:, :3])


@pytest.mark.parametrize(('to_samples', 'nearer'), [
    ([0, 0, 0], 1), ([9, 9], 0), ([1, 2, 3], 0.5), ([2], 0.5), ([0, 2], 0.75)])
def test_copies_tells_the_share_of_pairs_in_which_the_sample_is_nearer(
        to_samples, nearer):
    found = copies(np.array(to_samples, float), np.array([1.0, 2.0, 3.0]))
    assert found['nearer'] == pytest.approx(nearer)
    assert found['unseen_50'] == 2
    assert found['num'] == len(to_samples)


# --- the table ---------------------------------------------------------------

def test_the_table_is_aligned_markdown():
    rows = [('samples, step 5', 'training', RESULT),
            ('real', 'held-out', RESULT._replace(
                num=500, kid_deviation=float('nan')))]
    lines = judged.table(rows, 'pixels 16x16').splitlines()
    assert len({len(line) for line in lines}) == 1
    cells = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]
    assert cells[0] == ['images', 'against', 'N', 'FD', 'KID x 1000', 'precision',
                        'recall', 'density', 'coverage', '1-NN']
    assert set(lines[1]) == set('|-:')
    assert cells[2] == ['samples, step 5', 'training', '1,000', '12.35',
                        '12.30 ± 1.0', '0.500', '0.250', '1.125', '0.625',
                        '0.750']
    assert cells[3][2:5] == ['500', '12.35', '12.30']


def test_the_score_has_a_column_where_there_are_classes():
    row = ('a', 'training', RESULT._replace(
        inception_score=7.5, inception_deviation=0.25, inception_splits=10))
    lines = judged.table([row], 'inception').splitlines()
    assert 'FID' in lines[0].split()
    assert 'IS, 10 splits' in lines[0]
    assert '7.500 ± 0.25' in lines[2]


def test_numbers_of_any_size_fit_the_table():
    assert judged.spread(2.481952e8, 1.2e7) == '2.482e+08 ± 1.2e+07'
    assert judged.spread(1841, 25) == '1841 ± 25'
    assert judged.spread(-0.01234, float('nan')) == '-0.01234'


# --- the task ----------------------------------------------------------------

@pytest.fixture(scope='module')
def flags(tmp_path_factory):
    """Train two classes of flat pictures, some held out; return the flags."""
    root = tmp_path_factory.mktemp('flat')
    for value, name in ((60, 'dark'), (200, 'light')):
        os.makedirs(root / 'data' / 'flat' / name)
        for i in range(20):
            Image.new('RGB', (16, 16), (value, value, value + i)).save(
                root / 'data' / 'flat' / name / ('%02d.png' % i))
    flags = ['--dataset', 'flat', '--data_dir', root / 'data', '--checkpoint_dir',
             root / 'checkpoint', '--sample_dir', root / 'samples']
    assert call(*flags, '--conditional', '--train_size', 30, '--output_height', 16,
                '--gf_dim', 4, '--df_dim', 4, '--z_dim', 8, '--batch_size', 8,
                '--epoch', 1, '--num_samples', 6, '--train') == 0
    return flags


def test_the_task_needs_no_flag_and_writes_table_numbers_and_sheet(
        flags, capsys, monkeypatch):
    monkeypatch.setattr(pixels, 'make', lambda config, echo: Far())
    monkeypatch.setattr(extractors, 'default', lambda config: 'pixels')
    assert call(*flags, '--task', 'evaluate') == 0
    said = capsys.readouterr().out
    assert 'N is 15, not 10,000' in said
    base = os.path.join(str(flags[-1]), 'flat_8_16_16', 'evaluate_far_3')
    for ending in ('md', 'json', 'png'):
        assert base + '.' + ending in said
    with open(base + '.md') as file:
        text = file.read()
    assert text.strip() in said
    assert text.startswith('flat_8_16_16, step 3. Features: far. Images: flat.\n')
    with open(base + '.json') as file:
        found = json.load(file)
    assert [(row['images'], row['against'], row['num']) for row in found['rows']] == [
        ('samples, step 3', 'training', 15), ('samples, untrained', 'training', 15),
        ('real, others', 'training', 15),
        ('real, blurred by 0.5 pixels', 'training', 15),
        ('real, noise of 0.2', 'training', 15), ('samples, step 3', 'held-out', 10),
        ('real, training', 'held-out', 10)]
    rows = {(row['images'], row['against']): row for row in found['rows']}
    # flat pictures cannot be blurred; the noise and the untrained generator are far off
    fd = {key: row['fd'] for key, row in rows.items()}
    others = fd['real, others', 'training']
    assert fd['real, blurred by 0.5 pixels', 'training'] == pytest.approx(
        others, rel=1e-2)
    assert fd['real, noise of 0.2', 'training'] > others
    assert fd['samples, untrained', 'training'] > 2 * others
    assert (found['features'], found['dataset']) == ('far', 'flat')
    assert all(1 <= row['inception_score'] <= 2 for row in found['rows'])
    assert found['neighbours']['of'] == found['neighbours']['among'] == 30
    assert found['neighbours']['compared_with'] == 'held-out images'
    with Image.open(base + '.png') as sheet:
        assert sheet.size == (7 * 18 - 2, 10 * 18 - 2)
    note = 'note: numbers of fewer than 2,048 images (here 10 and 15) are rough'
    assert note in text and found['note'].startswith(note)
    assert all({'density', 'coverage'} <= set(row) for row in found['rows'])


def test_numbers_of_enough_images_have_no_note():
    rows = [('samples', 'training', RESULT._replace(num=2048))]
    assert judged.notes(rows) == [] and history.few_note(5000, 2048) == ''
    assert '(here 1,000)' in judged.notes(rows + [('a', 'b', RESULT)])[0]
    for few, name in (True, 'pixels, 500 samples'), (False, 'pixels, 5,000 samples'):
        assert history.titled(name) == name + '; fewer than 2,048: rough' * few


def test_real_images_are_written_for_other_programs(flags, tmp_path, capsys):
    data = batches.load(Config.load(str(
        flags[5] / 'flat_8_16_16' / 'config.json')).replace(data_dir=str(flags[3])))
    given = [*flags, '--task', 'evaluate', '--features', 'pixels', '--sample_dir',
             tmp_path / 's', '--real_folder', tmp_path / 'real']
    assert call(*given) == 0
    assert '30 of 30 as prepared for training, in %s' % (tmp_path / 'real') in (
        capsys.readouterr().out)
    names = sorted(os.listdir(tmp_path / 'real'))
    assert names == ['%06d.png' % i for i in range(30)]
    for i in 0, 29:
        with Image.open(tmp_path / 'real' / names[i]) as image:
            np.testing.assert_array_equal(np.asarray(image), data.images[i])
    os.remove(tmp_path / 'real' / names[0])
    assert call(*given) == 2
    assert 'is not empty' in capsys.readouterr().err
    assert len(os.listdir(tmp_path / 'real')) == 29
    config = Config.make(dict(num_samples=7, real_folder=str(tmp_path / 'new')), {})
    evaluate.save_real(config, data)
    assert sorted(os.listdir(tmp_path / 'new')) == sorted(
        '%06d.png' % i for i in evaluation.order(config, data)[:7])


@pytest.mark.parametrize(('given', 'message'), [
    (['--num_samples', '3'], 'found 3 samples and 30 training images; expected at '),
    (['--features', 'inception'], 'No Inception graph at'),
    (['--label', 'dark'], '--label is for --task sample or --task walk'),
    (['--real_folder', __file__], 'is no folder: name a new')])
def test_what_cannot_be_judged_is_refused_before_anything_is_written(
        flags, tmp_path, capsys, given, message):
    if '--real_folder' not in given:
        given = [*given, '--real_folder', tmp_path / 'real']
    assert call(*flags, '--task', 'evaluate', '--sample_dir', tmp_path, *given) == 2
    assert message in capsys.readouterr().err
    assert os.listdir(tmp_path) == []
