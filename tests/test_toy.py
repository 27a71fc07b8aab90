"""The Gaussian GAN: its names, its updates, what it counts, writes and refuses."""

import contextlib
import os
import re

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image

import main
import toy
from bench import gaussian
from dataset import catalog
from runs import folders, history
from settings import checks, flags
from settings.config import Config
from settings.errors import UserError

SHORT = ['--train_size', '200', '--epoch', '2']


def make_config(**given):
    return Config.make(dict(given, dataset='gaussian'), catalog.defaults('gaussian'))


@contextlib.contextmanager
def new_trainer(folder, **given):
    config = make_config(checkpoint_dir=str(folder), sample_dir=str(folder), **given)
    with tf.Graph().as_default(), toy.opened(config, folders.at(config)) as trainer:
        yield trainer


def weights(trainer, variables):
    return np.concatenate([v.ravel() for v in trainer.sess.run(variables)])


def call(words):
    with tf.Graph().as_default():
        return main.main(words)


@pytest.fixture
def places(tmp_path):
    return ['--checkpoint_dir', str(tmp_path / 'c'), '--sample_dir',
            str(tmp_path / 's'), '--dataset', 'gaussian']


# --- the data ----------------------------------------------------------------

def test_defaults_are_the_issues():
    c = make_config()
    assert (c.train_size, c.batch_size, c.epoch) == (1000, 4, 10)
    assert (c.d_learning_rate, c.g_learning_rate) == (0.05, 0.01)
    assert (c.optimizer, c.loss, c.z_dim, c.run_name) == ('adam', 'gan', 2, 'gaussian')


def test_real_points_have_the_targets_mean_and_covariance():
    points = toy.draw_points(200000, 3)
    mean, covariance = toy.statistics(points)
    np.testing.assert_allclose(toy.COVARIANCE, [[1.01, 1.95], [1.95, 4.25]])
    np.testing.assert_allclose(mean, [1, 2], atol=0.02)
    np.testing.assert_allclose(covariance, toy.COVARIANCE, rtol=0.02)
    assert points.dtype == np.float32


def test_an_epoch_shows_each_point_once_and_the_next_in_another_order():
    points, config = toy.draw_points(20, 0), make_config(train_size=20)
    first, second = (np.concatenate([toy.batch(points, index, config)
                                     for index in range(start, start + 5)])
                     for start in (0, 5))
    for epoch in first, second:
        np.testing.assert_array_equal(np.sort(epoch, 0), np.sort(points, 0))
    assert not np.array_equal(first, second)
    assert toy.batch(points, 7, config).shape == (4, 2)


# --- the graph ---------------------------------------------------------------

def test_names_and_shapes_of_variables(graph):
    model = toy.GaussianGAN(make_config())
    assert {v.op.name: v.shape.as_list() for v in model.d_vars} == {
        'discriminator/d_h0_lin/Matrix': [2, 5], 'discriminator/d_h0_lin/bias': [5],
        'discriminator/d_h1_lin/Matrix': [5, 3], 'discriminator/d_h1_lin/bias': [3],
        'discriminator/d_h2_lin/Matrix': [3, 1], 'discriminator/d_h2_lin/bias': [1]}
    assert {v.op.name: v.shape.as_list() for v in model.g_vars} == {
        'generator/g_h0_lin/Matrix': [2, 2], 'generator/g_h0_lin/bias': [2]}
    assert len(tf.trainable_variables()) == 8


def test_networks_are_those_of_numpy(tmp_path):
    with new_trainer(tmp_path) as trainer:
        model, sess = trainer.model, trainer.sess
        w0, b0, w1, b1, w2, b2 = sess.run(model.d_vars)
        w, c = sess.run(model.g_vars)
        z = trainer.fixed_z[:7]
        G, D_logits_ = sess.run((model.G, model.D_logits_), {model.z: z})
        np.testing.assert_allclose(G, z @ w + c, rtol=1e-5, atol=1e-6)
        expected = np.tanh(np.tanh(G @ w0 + b0) @ w1 + b1) @ w2 + b2
        np.testing.assert_allclose(D_logits_, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('own, other', ['dg', 'gd'])
def test_each_update_changes_its_own_network_and_nothing_else(own, other, tmp_path):
    with new_trainer(tmp_path, ema=0.9) as trainer:
        model = trainer.model
        kept = [v for v in trainer.saver._var_list
                if v not in getattr(model, own + '_vars')
                and not v.op.name.startswith(own + '_optim')
                and (own == 'd' or 'Average' not in v.op.name)]
        assert set(getattr(model, other + '_vars')) < set(kept)
        changed = weights(trainer, getattr(model, own + '_vars'))
        before = weights(trainer, kept)
        trainer.sess.run(getattr(model, own + '_optim'), trainer.feed(0))
        np.testing.assert_array_equal(weights(trainer, kept), before)
        assert (weights(trainer, getattr(model, own + '_vars')) != changed).all()


def test_both_updates_see_the_weights_from_before(tmp_path):
    ends = []
    for fetch in 'dg', 'd', 'g':
        with new_trainer(tmp_path) as trainer:
            model = trainer.model
            trainer.sess.run([getattr(model, name + '_optim') for name in fetch],
                             trainer.feed(0))
            ends.append([weights(trainer, v) for v in (model.d_vars, model.g_vars)])
    both, d_alone, g_alone = ends
    np.testing.assert_array_equal(both[0], d_alone[0])
    np.testing.assert_array_equal(both[1], g_alone[1])


def test_learning_rates_of_d_and_g(tmp_path):
    with new_trainer(tmp_path, optimizer='sgd', d_learning_rate=0.5,
                     g_learning_rate=0.25) as trainer:
        model = trainer.model
        for loss, variables, name, rate in (
                (model.d_loss, model.d_vars, 'd_optim', 0.5),
                (model.g_loss, model.g_vars, 'g_optim', 0.25)):
            trainer.sess.graph._unsafe_unfinalize()
            gradients = tf.gradients(loss, variables)
            before = trainer.sess.run(variables)
            slopes = trainer.sess.run(gradients, trainer.feed(0))
            trainer.sess.run(getattr(model, name), trainer.feed(0))
            for a, b, slope in zip(before, trainer.sess.run(variables), slopes):
                np.testing.assert_allclose(b, a - rate * slope, rtol=1e-4, atol=1e-6)


def test_with_ema_the_sampler_draws_with_the_averages(tmp_path):
    with new_trainer(tmp_path, ema=0.9) as trainer:
        model, z = trainer.model, trainer.fixed_z
        (w0, c0), (d0, d1) = trainer.sess.run(model.g_vars), (0.1, 2 / 11)
        averages = w0, c0
        for step, decay in enumerate((d0, d1)):     # (1 + step) / (10 + step)
            trainer.train_step(step)
            averages = [decay * average + (1 - decay) * value for average, value
                        in zip(averages, trainer.sess.run(model.g_vars))]
        np.testing.assert_allclose(trainer.generate(), z @ averages[0] + averages[1],
                                   rtol=1e-4, atol=1e-5)


def test_without_ema_the_sampler_draws_with_the_weights(tmp_path):
    with new_trainer(tmp_path) as trainer:
        w, c = trainer.sess.run(trainer.model.g_vars)
        np.testing.assert_allclose(trainer.generate(), trainer.fixed_z @ w + c,
                                   rtol=1e-4, atol=1e-5)


# --- training ----------------------------------------------------------------

def test_accuracy_counts_all_points_real_and_generated(tmp_path):
    with new_trainer(tmp_path, train_size=300) as trainer:
        model, sess = trainer.model, trainer.sess
        for variable, value in zip(model.d_vars, sess.run(model.d_vars)):
            variable.load(np.zeros_like(value), sess)
        # a logit that grows with the first coordinate, 0 where it is 0.7
        model.d_vars[0].load(np.eye(2, 5), sess)
        model.d_vars[2].load(np.eye(5, 3), sess)
        model.d_vars[4].load(np.eye(3, 1), sess)
        model.d_vars[5].load([-np.tanh(np.tanh(0.7))], sess)
        values, G = trainer.evaluate(), trainer.generate()[:300]
        right = (trainer.points[:, 0] > 0.7).sum(), (G[:, 0] <= 0.7).sum()
        assert values['d_acc_real'] == pytest.approx(right[0] / 300)
        assert values['d_acc_fake'] == pytest.approx(right[1] / 300)
        assert toy.accuracy(values) == pytest.approx(sum(right) / 600)


def test_lines_rows_pictures_checkpoints_and_table(places, tmp_path, capsys):
    assert call(places + SHORT + ['--train']) == 0
    out = capsys.readouterr().out
    lines = re.findall(r'^epoch (\d)/2 .* D right: ([\d.]+)% of 400 \(real ([\d.]+)% '
                       r'generated ([\d.]+)%\)$', out, re.MULTILINE)
    rows = history.read(str(tmp_path / 'c' / 'gaussian' / 'history.csv'))
    assert [line[0] for line in lines] == ['1', '2']
    for i, line in enumerate(lines):
        shares = toy.accuracy(rows)[i], rows['d_acc_real'][i], rows['d_acc_fake'][i]
        assert [float(word) / 100 for word in line[1:]] == pytest.approx(
            shares, abs=0.00051)
    np.testing.assert_array_equal(rows['step'], [50, 100])
    for name in 'scatter', 'accuracy':
        path = str(tmp_path / 's' / 'gaussian' / (name + '.png'))
        assert path in out
        with Image.open(path) as image:
            assert min(image.size) >= 300
            assert len(set(image.convert('RGB').getdata())) > 100
    assert re.search(r'^mean +1\.000 +2\.000 +-?\d+\.\d{3} +-?\d+\.\d{3}$', out,
                     re.MULTILINE)
    assert re.search(r'^covariance +1\.010 +1\.950 ', out, re.MULTILINE)
    steps = [step for step, _ in folders.saved(str(tmp_path / 'c' / 'gaussian'))]
    assert steps == [50, 100]


@pytest.mark.slow
def test_a_damaged_checkpoint_is_passed_over(places, tmp_path, capsys):
    assert call(places + SHORT + ['--train']) == 0
    folder = tmp_path / 'c' / 'gaussian'
    path = folder / 'DCGAN.model-100.data-00000-of-00001'
    whole = path.read_bytes()
    os.truncate(path, 10)
    said = []
    for more in [], ['--checkpoint', '50']:
        capsys.readouterr()
        assert call(places + more) == 0
        said.append(capsys.readouterr().out)
    assert 'warning: the checkpoint %s' % folder in said[0]
    assert 'DCGAN.model-50 (step 50)' in said[0] and 'warning' not in said[1]
    assert said[0].splitlines()[-6:] == said[1].splitlines()[-6:]
    assert call(places + SHORT + ['--train']) == 0
    assert path.read_bytes() == whole
    assert (folder / (path.name + '.damaged')).exists()


def test_table_shows_target_and_generated():
    G = toy.draw_points(100000, 0) + np.float32([0.5, 0])
    mean, _, _ = [[float(n) for n in re.findall(r'-?\d+\.\d+', line)]
                  for line in toy.table(G).splitlines()[1:]]
    assert mean == pytest.approx([1, 2, 1.5, 2], abs=0.03)


@pytest.mark.parametrize('given', [
    dict(loss='gan'), dict(loss='lsgan'), dict(loss='wgan'), dict(loss='hinge'),
    dict(optimizer='sgd', momentum=0.5), dict(d_steps=2, g_steps=2),
    dict(z_dist='uniform_signed', z_dim=3)])
def test_every_loss_and_optimizer_brings_g_nearer(given, tmp_path, capsys):
    with new_trainer(tmp_path, epoch=2, **given) as trainer:
        before = gaussian.errors(trainer.generate())[0]
        trainer.train()
        assert gaussian.errors(trainer.generate())[0] < 0.6 * before


def test_more_steps_of_d_take_batches_of_their_own_and_g_the_same_z(
        tmp_path, monkeypatch):
    with new_trainer(tmp_path, d_steps=2, g_steps=2) as trainer:
        calls = []
        monkeypatch.setattr(trainer, 'feed', lambda index: calls.append(index) or {
            trainer.model.points: np.zeros((4, 2)), trainer.model.step: index})
        for step in 0, 1:
            trainer.train_step(step)
        assert calls == [0, 1, 2, 3]
        assert trainer.steps_per_epoch == 125


def test_the_same_seed_gives_the_same_weights_bit_for_bit(tmp_path, capsys):
    ends = []
    for name, seed in ('a', 3), ('b', 3), ('c', 4):
        with new_trainer(tmp_path, name=name, seed=seed, train_size=200,
                         epoch=2) as trainer:
            trainer.train()
            ends.append(weights(trainer, trainer.saver._var_list))
    np.testing.assert_array_equal(ends[0], ends[1])
    assert not np.array_equal(ends[0], ends[2])


def test_resumed_is_as_if_never_stopped(tmp_path, capsys):
    ends = []
    for name, epochs in ('whole', [3]), ('parts', [1, 3]):
        for epoch in epochs:
            with new_trainer(tmp_path, name=name, train_size=200, ema=0.9,
                             epoch=epoch) as trainer:
                trainer.train()
                end = weights(trainer, trainer.saver._var_list)
        rows = history.read(str(tmp_path / name / 'history.csv'))
        ends.append((end, rows['epoch'], rows['g_loss']))
    for whole, parts in zip(*ends):
        np.testing.assert_array_equal(whole, parts)
    assert len(ends[0][1]) == 3


def test_a_finished_run_stays_as_it_is_and_sampling_draws_from_it(
        places, tmp_path, capsys):
    assert call(places + SHORT + ['--train']) == 0
    first = capsys.readouterr().out
    assert call(places + SHORT + ['--train']) == 0
    assert 'has been trained for 2 epochs' in capsys.readouterr().out
    assert call(places + SHORT + ['--train', '--loss', 'wgan']) == 2
    assert 'add --name' in capsys.readouterr().err
    os.remove(str(tmp_path / 's' / 'gaussian' / 'scatter.png'))
    assert call(places) == 0
    out = capsys.readouterr().out
    assert os.path.exists(str(tmp_path / 's' / 'gaussian' / 'scatter.png'))
    assert out[out.index('mean'):] == first[first.index('mean'):]


# --- what is refused ---------------------------------------------------------

def test_nan_ends_the_run_with_the_last_good_checkpoint_kept(
        places, tmp_path, capsys, monkeypatch):
    evaluate, values = toy.Trainer.evaluate, []

    def broken(self):
        values.append(evaluate(self))
        return dict(values[-1], g_loss=float('nan')) if len(values) > 1 else values[0]

    monkeypatch.setattr(toy.Trainer, 'evaluate', broken)
    assert call(places + SHORT + ['--train']) == 1
    assert 'g_loss is nan' in capsys.readouterr().err
    steps = [step for step, _ in folders.saved(str(tmp_path / 'c' / 'gaussian'))]
    assert steps == [50]


@pytest.mark.parametrize('words, expected', [
    ([], 'add --train'), (['--train', '--kernel_size', '5'], '--kernel_size 5'),
    (['--train', '--output_height', '32'], '--output_height 32'),
    (['--train', '--penalty', 'r1'], '--penalty r1'),
    (['--train', '--batch_size', '2000'], '--train_size 1000'),
    (['--train', '--loss', 'other'], 'lsgan'),
    (['--task', 'nothing'], '--task')])
def test_bad_input_ends_with_status_2_and_says_what_to_do(
        words, expected, places, capsys):
    assert call(places + words) == 2
    assert expected in capsys.readouterr().err


def test_settings_of_points_are_fields():
    names = {field.name for field in flags.fields()}
    assert names >= checks.OF_POINTS


# --- what is claimed ---------------------------------------------------------

@pytest.mark.slow
@pytest.mark.parametrize('flags, judge, least', [
    ([], lambda accuracies, G: gaussian.is_level(accuracies), 8),
    (['--flagfile', 'configs/gaussian-sharp.flags'],
     lambda accuracies, G: gaussian.is_sharp(G), 9)])
def test_ten_seeds(flags, judge, least, tmp_path, monkeypatch):
    monkeypatch.chdir(os.path.dirname(os.path.abspath(toy.__file__)))
    assert sum(judge(*gaussian.train(flags, seed, str(tmp_path)))
               for seed in range(10)) >= least


def test_bench_judges_by_all_of_the_last_epochs():
    assert gaussian.is_level([0.9, 0.43, 0.5, 0.57])
    assert not gaussian.is_level([0.5, 0.58, 0.5, 0.5])
    assert gaussian.is_sharp(toy.draw_points(100000, 1))
    assert not gaussian.is_sharp(toy.draw_points(100000, 1) + 0.12)
    assert not gaussian.is_sharp(1 + 1.1 * (toy.draw_points(100000, 1) - 1))


def test_bench_refuses_what_main_refuses(tmp_path):
    with pytest.raises(UserError, match='kernel_size'):
        gaussian.train(['--kernel_size', '5'], 0, str(tmp_path))


def test_code_in_the_document_is_the_programs():
    folder = os.path.dirname(os.path.abspath(toy.__file__))
    texts = []
    for name in 'docs/gaussian.md', 'toy.py':
        with open(os.path.join(folder, name), encoding='utf-8') as file:
            texts.append(file.read())
    blocks = re.findall(r'```python\n# toy.py\n(.*?)```', texts[0], re.DOTALL)
    assert len(blocks) == 3
    assert not [code for code in blocks if code not in texts[1]]
