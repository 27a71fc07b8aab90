"""The loop: what it writes, resuming, stopping, and how often it calls the session."""

import collections
import os
import re
import signal

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image

import dataset
import history
import main
import runs
import train
from config import Config, UserError

TINY = ['--output_height', '16', '--gf_dim', '4', '--df_dim', '4', '--z_dim', '8',
        '--batch_size', '8', '--num_samples', '6']


@pytest.fixture
def folders(tmp_path, make_images):
    """Return the flags that point everything into tmp_path, with 40 images there."""
    make_images(str(tmp_path / 'data' / 'noise'), 40)
    return ['--dataset', 'noise', '--data_dir', str(tmp_path / 'data'),
            '--checkpoint_dir', str(tmp_path / 'checkpoint'),
            '--sample_dir', str(tmp_path / 'samples')]


def call(*arguments):
    """Call main as the shell would, in a fresh graph."""
    with tf.Graph().as_default():
        return main.main(list(map(str, arguments)))


def values_of(folder, step):
    reader = tf.train.NewCheckpointReader(os.path.join(
        str(folder), 'DCGAN.model-%d' % step))
    return {name: reader.get_tensor(name)
            for name in reader.get_variable_to_shape_map()}


def assert_equal(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_a_run_writes_all_that_it_says(tmp_path, folders, capsys):
    assert call(*folders, *TINY, '--train', '--epoch', 2, '--name', 'r',
                '--sample_freq', 4, '--ckpt_freq', 3, '--max_to_keep', 2,
                '--summary_freq', 5) == 0
    said = capsys.readouterr().out
    assert 'generator/g_h0_lin/Matrix' in said
    assert 'epoch 1/2' in said
    assert 'epoch 2/2' in said
    for column in ('d_loss_real', 'd_loss_fake', 'g_loss', 'D right: real',
                   'fake', 'images/s'):
        assert column in said

    checkpoint, samples = tmp_path / 'checkpoint' / 'r', tmp_path / 'samples' / 'r'
    assert [step for step, _ in runs.checkpoints(str(checkpoint))] == [9, 10]
    assert Config.load(str(checkpoint / 'config.json')).epoch == 2
    for path in (checkpoint / 'DCGAN.model-10', samples / 'train_0002_00000010.png',
                 samples / 'training.gif', samples / 'losses.png'):
        assert os.path.join('r', path.name) in said

    assert sorted(os.listdir(samples)) == [
        'losses.png', 'train_0001_00000004.png', 'train_0002_00000008.png',
        'train_0002_00000010.png', 'training.gif']
    with Image.open(samples / 'training.gif') as gif:
        assert gif.n_frames == 3
    with Image.open(samples / 'train_0002_00000010.png') as sheet:
        assert sheet.size == (3 * 18 - 2, 2 * 18 - 2)

    lines = history.read(str(checkpoint / 'history.csv'))
    np.testing.assert_array_equal(lines['step'], np.arange(1, 11))
    np.testing.assert_array_equal(lines['epoch'], [1] * 5 + [2] * 5)
    assert (np.diff(lines['seconds']) > 0).all()
    assert ((lines['d_acc_real'] >= 0) & (lines['d_acc_real'] <= 1)).all()


def test_event_files_hold_losses_histograms_and_pictures(tmp_path, folders):
    call(*folders, *TINY, '--train', '--epoch', 1, '--name', 'r', '--summary_freq', 2,
         '--sample_freq', 5)
    logs = tmp_path / 'checkpoint' / 'r' / 'logs'
    steps = collections.defaultdict(list)
    for name in os.listdir(logs):
        for event in tf.train.summary_iterator(str(logs / name)):
            for value in event.summary.value:
                steps[value.tag].append(event.step)
                assert value.WhichOneof('value') != 'simple_value' or np.isfinite(
                    value.simple_value)
    assert steps['d_loss'] == steps['g_loss'] == steps['d'] == steps['d_'] == [2, 4]
    assert steps['samples'] == [5]


def test_the_loop_calls_the_session_once_a_step(folders, monkeypatch):
    calls = []
    usual = tf.Session.run

    def run(self, fetches, *arguments, **more):
        calls.append(fetches)
        return usual(self, fetches, *arguments, **more)
    trained = []
    usual_step = train.Trainer.train_step

    def step(self, number):
        before = len(calls)
        values = usual_step(self, number)
        trained.append((len(calls) - before, sorted(calls[before])))
        return values
    monkeypatch.setattr(tf.Session, 'run', run)
    monkeypatch.setattr(train.Trainer, 'train_step', step)
    call(*folders, *TINY, '--train', '--epoch', 1, '--name', 'r')
    assert len(trained) == 5
    for count, fetched in trained:
        assert count == 1
        assert {'d_optim', 'g_optim', 'd_loss_real', 'g_loss'} <= set(fetched)


@pytest.mark.parametrize('flag, d, g, steps', [
    ('--g_steps', 1, 2, 5), ('--d_steps', 2, 1, 2)])
def test_more_updates_are_further_runs(folders, monkeypatch, flag, d, g, steps):
    counts = collections.Counter()
    usual = tf.Session.run

    def run(self, fetches, *arguments, **more):
        names = list(fetches) if isinstance(fetches, dict) else [str(fetches)]
        for which in ('d', 'g'):
            counts[which] += any(re.match(r'(name: ")?%s_optim' % which, name)
                                 for name in names)
        return usual(self, fetches, *arguments, **more)
    monkeypatch.setattr(tf.Session, 'run', run)
    call(*folders, *TINY, '--train', '--epoch', 1, '--name', 'r', flag, 2)
    assert (counts['d'], counts['g']) == (d * steps, g * steps)


def test_resuming_equals_never_having_stopped(tmp_path, folders):
    call(*folders, *TINY, '--train', '--epoch', 3, '--name', 'whole')
    call(*folders, *TINY, '--train', '--epoch', 1, '--name', 'parts')
    call(*folders, *TINY, '--train', '--epoch', 3, '--name', 'parts')
    whole, parts = (tmp_path / 'checkpoint' / name for name in ('whole', 'parts'))
    assert_equal(values_of(whole, 15), values_of(parts, 15))
    a, b = (history.read(str(f / 'history.csv')) for f in (whole, parts))
    for column in set(history.COLUMNS) - {'seconds'}:
        np.testing.assert_array_equal(a[column], b[column])
    sheets = [tmp_path / 'samples' / name / 'train_0003_00000015.png'
              for name in ('whole', 'parts')]
    assert sheets[0].read_bytes() == sheets[1].read_bytes()


def test_training_seconds_add_up_over_resumes(tmp_path, folders):
    for epochs in (1, 2):
        call(*folders, *TINY, '--train', '--epoch', epochs, '--name', 'r')
    seconds = history.read(str(tmp_path / 'checkpoint/r/history.csv'))['seconds']
    assert len(seconds) == 10
    assert (np.diff(seconds) > 0).all()


def test_a_finished_run_says_so_and_takes_no_step(tmp_path, folders, capsys):
    for _ in range(2):
        assert call(*folders, *TINY, '--train', '--epoch', 1, '--name', 'r') == 0
    assert 'has been trained for 1 epochs' in capsys.readouterr().out
    assert len(history.read(str(tmp_path / 'checkpoint/r/history.csv'))['step']) == 5


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_leaves_with_the_usual_status(tmp_path, folders, number,
                                                         monkeypatch):
    usual = dataset.Dataset.batch

    def batch(self, step, *arguments):
        if step == 2:
            os.kill(os.getpid(), number)
        return usual(self, step, *arguments)
    monkeypatch.setattr(dataset.Dataset, 'batch', batch)
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    status = call(*folders, *TINY, '--train', '--epoch', 2, '--name', 'r')
    assert status == 128 + number
    folder = tmp_path / 'checkpoint' / 'r'
    assert [step for step, _ in runs.checkpoints(str(folder))] == [3]
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers
    monkeypatch.undo()
    assert call(*folders, *TINY, '--train', '--epoch', 2, '--name', 'r') == 0
    steps = history.read(str(folder / 'history.csv'))['step']
    np.testing.assert_array_equal(steps, np.arange(1, 11))


def test_lines_after_the_last_checkpoint_are_dropped_on_resume(tmp_path, folders):
    call(*folders, *TINY, '--train', '--epoch', 1, '--name', 'r')
    path = tmp_path / 'checkpoint' / 'r' / 'history.csv'
    with open(path, 'a') as file:
        file.write('6,2,9.9,1,1,1,1,1\n7,2,9.9,1,')
    call(*folders, *TINY, '--train', '--epoch', 2, '--name', 'r')
    np.testing.assert_array_equal(history.read(str(path))['step'], np.arange(1, 11))


def test_a_loss_that_is_not_finite_stops_the_run_before_it_is_saved(
        tmp_path, folders, monkeypatch):
    usual = dataset.Dataset.batch

    def batch(self, step, *arguments):
        images, y = usual(self, step, *arguments)
        return (images * np.nan if step == 6 else images), y
    monkeypatch.setattr(dataset.Dataset, 'batch', batch)
    assert call(*folders, *TINY, '--train', '--epoch', 2, '--name', 'r',
                '--ckpt_freq', 5) == 1
    folder = tmp_path / 'checkpoint' / 'r'
    assert [step for step, _ in runs.checkpoints(str(folder))] == [5]
    for value in values_of(folder, 5).values():
        assert np.isfinite(value).all()


def test_a_run_with_other_values_is_refused(tmp_path, folders, capsys):
    call(*folders, *TINY, '--train', '--epoch', 1, '--name', 'r')
    files = sorted(os.listdir(tmp_path / 'checkpoint' / 'r'))
    assert call(*folders, *TINY, '--train', '--name', 'r', '--z_dim', 9) == 2
    assert '--z_dim: 8 in config.json, 9 now' in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path / 'checkpoint' / 'r')) == files


def test_too_few_images_for_a_batch_are_refused(folders, capsys):
    assert call(*folders, '--train', '--batch_size', 41) == 2
    assert '40 images' in capsys.readouterr().err


def test_conditional_training_writes_a_row_for_each_class(tmp_path, make_images):
    for seed, name in enumerate(('cats', 'dogs', 'eels')):
        make_images(str(tmp_path / 'data' / 'zoo' / name), 8, seed=seed)
    flags = ['--dataset', 'zoo', '--data_dir', tmp_path / 'data', '--conditional',
             '--checkpoint_dir', tmp_path / 'c', '--sample_dir', tmp_path / 's',
             '--name', 'r', '--train', '--epoch', 1]
    assert call(*flags, *TINY) == 0
    assert Config.load(str(tmp_path / 'c/r/config.json')).classes == (
        'cats', 'dogs', 'eels')
    with Image.open(tmp_path / 's/r/train_0001_00000003.png') as sheet:
        assert sheet.size == (2 * 18 - 2, 3 * 18 - 2)


def test_a_checkpoint_without_config_is_not_trained_on(tmp_path, folders):
    call(*folders, *TINY, '--train', '--epoch', 1, '--name', 'r')
    os.remove(tmp_path / 'checkpoint' / 'r' / 'config.json')
    config = Config.make({'name': 'r', 'checkpoint_dir': str(tmp_path / 'checkpoint')},
                         {})
    with pytest.raises(UserError, match='no config.json'):
        runs.to_train(config, {})
