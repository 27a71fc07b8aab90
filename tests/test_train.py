"""The loop: what it writes, resuming, stopping, and how often it calls the session."""

import collections
import contextlib
import os
import re
import shutil
import signal
import types

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image

import main
import train
from dataset import batches
from graph import hardware
from runs import checkpoints, folders, history, record, start
from settings.config import Config
from settings.errors import UserError

TINY = ['--output_height', '16', '--gf_dim', '4', '--df_dim', '4', '--z_dim', '8',
        '--batch_size', '8', '--num_samples', '6', '--g_steps', '1', '--ema', '0',
        '--precision', 'float32']


@pytest.fixture
def places(tmp_path, make_images):
    """Return the flags that point everything into tmp_path, with 40 images there."""
    make_images(str(tmp_path / 'data' / 'noise'), 40)
    return ['--dataset', 'noise', '--data_dir', str(tmp_path / 'data'),
            '--checkpoint_dir', str(tmp_path / 'checkpoint'),
            '--sample_dir', str(tmp_path / 'samples')]


@pytest.fixture
def no_results(monkeypatch):
    """Leave out the animation and the loss picture: they take longer than the steps."""
    monkeypatch.setattr(train, 'show_results', lambda run: None)


@pytest.fixture
def make_trainer(tmp_path, tiny_config):
    """Return a function that opens a Trainer of 40 random images in two classes."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (40, 16, 16, 3), np.uint8), np.arange(40) % 2
    run = folders.Run('r', str(tmp_path / 'checkpoint'), str(tmp_path / 'samples'))
    with contextlib.ExitStack() as stack:
        def make(**changes):
            config = tiny_config(train=True, conditional=True, classes=('a', 'b'),
                                 **changes)
            stack.enter_context(tf.Graph().as_default())
            made = train.Trainer(config, run, batches.Dataset(
                images, labels, config.classes))
            stack.callback(made.close)
            return made
        yield make


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


def test_a_run_writes_all_that_it_says(tmp_path, places, capsys):
    assert call(*places, *TINY, '--train', '--epoch', 2, '--name', 'r',
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
    assert [step for step, _ in folders.saved(str(checkpoint))] == [9, 10]
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


def test_event_files_hold_losses_histograms_and_pictures(tmp_path, places):
    call(*places, *TINY, '--train', '--epoch', 1, '--name', 'r', '--summary_freq', 2,
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


def test_the_loop_calls_the_session_once_a_step(places, monkeypatch):
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
    call(*places, *TINY, '--train', '--epoch', 1, '--name', 'r')
    assert len(trained) == 5
    for count, fetched in trained:
        assert count == 1
        assert {'updates', 'd_loss_real', 'g_loss'} <= set(fetched)


@pytest.mark.parametrize('per_run, after', [(1, 3), (2, 4)])
def test_large_pages_are_asked_for_once(make_trainer, monkeypatch, per_run, after):
    trainer, taken, asked = make_trainer(epoch=2), [], []

    def train_steps(first):
        taken.extend(range(first, min(first + per_run, trainer.total)))
        return [trainer.train_step(step) for step in taken[first:]]
    trainer.train_steps = train_steps
    monkeypatch.setattr(train, 'SETTLED', 3)
    monkeypatch.setattr(train.large_pages, 'take', lambda: asked.append(len(taken)))
    trainer.train(types.SimpleNamespace(status=0))
    assert asked == [after] and len(taken) > 5


@pytest.mark.parametrize('flag, d, g, steps', [
    ('--g_steps', 1, 2, 5), ('--d_steps', 2, 1, 2)])
def test_more_updates_are_further_runs(places, monkeypatch, flag, d, g, steps):
    counts = collections.Counter()
    usual = tf.Session.run

    def run(self, fetches, *arguments, **more):
        names = [getattr(fetch, 'name', '') for fetch in tf.nest.flatten(fetches)]
        for which in ('d', 'g'):
            counts[which] += any(name.startswith(which + '_optim') for name in names)
        return usual(self, fetches, *arguments, **more)
    monkeypatch.setattr(tf.Session, 'run', run)
    call(*places, *TINY, '--train', '--epoch', 1, '--name', 'r', flag, 2,
         '--updates', 'together')
    assert (counts['d'], counts['g']) == (d * steps, g * steps)


def test_resuming_equals_never_having_stopped(tmp_path, places):
    call(*places, *TINY, '--train', '--epoch', 3, '--name', 'whole')
    call(*places, *TINY, '--train', '--epoch', 1, '--name', 'parts')
    call(*places, *TINY, '--train', '--epoch', 3, '--name', 'parts')
    whole, parts = (tmp_path / 'checkpoint' / name for name in ('whole', 'parts'))
    assert_equal(values_of(whole, 15), values_of(parts, 15))
    a, b = (history.read(str(f / 'history.csv')) for f in (whole, parts))
    for column in set(history.COLUMNS) - {'seconds'}:
        np.testing.assert_array_equal(a[column], b[column])
    sheets = [tmp_path / 'samples' / name / 'train_0003_00000015.png'
              for name in ('whole', 'parts')]
    assert sheets[0].read_bytes() == sheets[1].read_bytes()


# --- a dry run ---------------------------------------------------------------

def tree(folder):
    """Return {path: (bytes, time of change)} of all files, and the folders, below."""
    return {path.relative_to(folder).as_posix(): path.is_file() and (
        path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob('*')}


@pytest.mark.slow
def test_a_dry_run_measures_and_writes_the_packed_images_alone(
        tmp_path, places, capsys):
    before = set(tree(tmp_path))
    assert call(*places, *TINY, '--train', '--dry_run', '--epoch', 100, '--eval_freq',
                2, '--features', 'pixels', '--summary_freq', 1) == 0
    said = capsys.readouterr().out
    sheet, = (tmp_path / 'data' / '.cache').glob('*.png')
    assert '40 images; how they were prepared: %s' % sheet in said
    assert re.search(r'generator/g_h0_lin/Matrix +8x\d+ ', said) and 'total' in said
    seconds, speed = re.search(r'a step takes (\S+) s \((\d+) images/s\); memory at '
                               r'most [\d.]+ [MG]B', said).groups()
    assert float(speed) == pytest.approx(8 / float(seconds), rel=0.05, abs=1)
    assert '500 steps are left, of 100 epochs of 5 steps: about ' in said
    assert 'judging (--eval_freq) comes on top' in said
    assert re.search(r'a checkpoint takes [\d.]+ kB, the 6 that are kept', said)
    assert said.endswith('dry run: no run was written; without --dry_run it trains\n')
    after = tree(tmp_path)
    assert {name.rpartition('/')[0] for name in set(after) - before} == {
        'data', 'data/.cache'}
    os.remove(sheet)
    assert call(*places, *TINY, '--train', '--dry_run') == 0    # draws it again
    again = tree(tmp_path)
    png = sheet.relative_to(tmp_path).as_posix()
    assert again.pop(png)[0] == after.pop(png)[0] and again == after


@pytest.mark.slow
def test_a_dry_run_of_a_run_that_goes_on_leaves_it_as_it_is(
        tmp_path, places, capsys, no_results):
    assert call(*places, *TINY, '--train', '--epoch', 1, '--name', 'r') == 0
    before = tree(tmp_path)
    capsys.readouterr()
    assert call(*places, '--train', '--epoch', 3, '--name', 'r', '--dry_run') == 0
    said = capsys.readouterr().out
    assert 'resuming r after step 5, in epoch 2 of 3' in said
    assert '10 steps are left' in said
    assert call(*places, '--train', '--name', 'r', '--dry_run') == 0
    said = capsys.readouterr().out
    assert 'has been trained for 1 epochs' in said and 'a step takes' not in said
    assert tree(tmp_path) == before


@pytest.mark.slow
def test_a_dry_run_takes_the_precision_of_the_machine_at_hand(
        tmp_path, places, capsys, monkeypatch, no_results):
    assert call(*places, *TINY, '--train', '--epoch', 1, '--name', 'r') == 0
    path = str(tmp_path / 'checkpoint' / 'r' / 'config.json')
    Config.load(path).replace(precision='bfloat16', trained_in='bfloat16').save(path)
    monkeypatch.setattr(hardware, 'CPUINFO', str(tmp_path / 'cpuinfo'))
    (tmp_path / 'cpuinfo').write_text('flags\t: avx512f\n')
    capsys.readouterr()
    assert call(*places, '--train', '--epoch', 3, '--name', 'r', '--dry_run') == 0
    assert 'trained in bfloat16; here it is computed in float32' in (
        capsys.readouterr().out)


@pytest.mark.parametrize('given, said', [
    (['--train', '--batch_size', 99], 'fewer than one batch of 99'),
    (['--train', '--cache_dir', '/proc/none'], '/proc/none'),
    ([], '--dry_run is for --train: leave it out'),
    (['--train', '--dataset', 'gaussian'], '--dry_run is of images')])
def test_a_dry_run_finds_what_is_wrong(tmp_path, places, capsys, given, said):
    assert call(*places, *[] if 'gaussian' in given else TINY, '--dry_run', *given) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / 'checkpoint').exists()


@pytest.mark.slow
@pytest.mark.parametrize('flags', [
    '', '--g_steps 2 --ema 0.9 --flip', *(pytest.param(rare, marks=pytest.mark.slow)
                                          for rare in (
        '--d_steps 2 --spectral_norm --loss hinge',
        '--augment translation --augment_after 5 --augment_target 0',
        '--conditional --penalty r1 --augment color,translation,cutout '
        '--augment_target 0'))])
def test_a_run_cut_off_in_an_epoch_goes_on_as_if_it_had_not_been(
        tmp_path, make_images, no_results, flags):
    for seed, name in enumerate(('cats', 'dogs')):
        make_images(str(tmp_path / 'data' / 'zoo' / name), 20, seed=seed)
    line = ['--dataset', 'zoo', '--data_dir', tmp_path / 'data', '--name', 'r',
            '--checkpoint_dir', tmp_path, '--sample_dir', tmp_path / 's', '--train',
            '--epoch', 2, '--ckpt_freq', 1, '--max_to_keep', 10, *TINY, *flags.split()]

    def outcome():
        assert call(*line) == 0
        step, path = folders.latest(str(tmp_path / 'r'))
        sheet = tmp_path / 's' / 'r' / ('train_0002_%08d.png' % step)
        lines = history.read(str(tmp_path / 'r' / 'history.csv'))
        del lines['seconds']
        return step, values_of(tmp_path / 'r', step), lines, sheet.read_bytes()
    last, values, lines, sheet = outcome()
    assert last == (4 if '--d_steps' in flags else 10)
    for step, path in folders.saved(str(tmp_path / 'r')):
        if step > 3:                    # as if killed in the second epoch, or the first
            os.remove(path + '.index')
    again = outcome()
    assert again[0] == last
    assert_equal(again[1], values)
    assert_equal(again[2], lines)
    assert again[3] == sheet
    assert 'g_optim/generator/g_h0_lin/Matrix/Adam_1' in values
    assert ('ema/generator/g_h0_lin/Matrix' in values) == ('--ema' in flags)


@pytest.mark.slow
def test_a_lower_max_to_keep_on_resume_is_kept_to(tmp_path, places, no_results):
    line = [*places, *TINY, '--train', '--name', 'r*']
    call(*line, '--epoch', 1, '--ckpt_freq', 1)
    call(*line, '--epoch', 2, '--ckpt_freq', 5, '--max_to_keep', 2)
    names = os.listdir(tmp_path / 'checkpoint' / 'r*')
    assert sorted(name for name in names if name.startswith('DCGAN.model-')) == [
        'DCGAN.model-%d.%s' % (step, ending) for step in (10, 5)
        for ending in ('data-00000-of-00001', 'index')]


@pytest.mark.slow
def test_sheets_of_steps_that_are_taken_again_go_first(tmp_path, places):
    line = [*places, *TINY, '--train', '--sample_freq', 2]
    call(*line, '--name', 'r*', '--epoch', 2)
    samples, other = tmp_path / 'samples' / 'r*', tmp_path / 'samples' / 'rx'
    other.mkdir()
    for path in (other / 'train_0009_00000099.png', samples / 'test.png',
                 samples / 'train_mine.png'):
        shutil.copy(samples / 'train_0002_00000010.png', path)
    shutil.rmtree(tmp_path / 'checkpoint' / 'r*')
    call(*line, '--name', 'r*', '--epoch', 1)
    assert sorted(os.listdir(samples)) == [
        'losses.png', 'test.png', 'train_0001_00000002.png', 'train_0001_00000004.png',
        'train_0001_00000005.png', 'train_mine.png', 'training.gif']
    assert len(os.listdir(other)) == 1
    with Image.open(samples / 'training.gif') as gif:
        assert gif.n_frames == 3


def test_an_animation_that_shows_such_sheets_goes_too(tmp_path, make_trainer):
    samples = tmp_path / 'samples'
    samples.mkdir()
    for name in ('train_0002_00000010.png', 'training.gif', 'test.png'):
        (samples / name).write_bytes(b'')
    make_trainer()
    assert os.listdir(samples) == ['test.png']


@pytest.mark.slow
def test_training_seconds_add_up_over_resumes(tmp_path, places):
    for epochs in (1, 2):
        call(*places, *TINY, '--train', '--epoch', epochs, '--name', 'r')
    seconds = history.read(str(tmp_path / 'checkpoint/r/history.csv'))['seconds']
    assert len(seconds) == 10
    assert (np.diff(seconds) > 0).all()


def test_a_finished_run_says_so_and_takes_no_step(tmp_path, places, capsys):
    for _ in range(2):
        assert call(*places, *TINY, '--train', '--epoch', 1, '--name', 'r') == 0
    assert 'has been trained for 1 epochs' in capsys.readouterr().out
    assert len(history.read(str(tmp_path / 'checkpoint/r/history.csv'))['step']) == 5


@pytest.mark.parametrize('number', [
    signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_saves_and_leaves_with_the_usual_status(tmp_path, places, number,
                                                         monkeypatch):
    usual = batches.Dataset.batch

    def batch(self, step, *arguments):
        if step == 2:
            os.kill(os.getpid(), number)
        return usual(self, step, *arguments)
    monkeypatch.setattr(batches.Dataset, 'batch', batch)
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    status = call(*places, *TINY, '--train', '--epoch', 2, '--name', 'r')
    assert status == 128 + number
    folder = tmp_path / 'checkpoint' / 'r'
    assert [step for step, _ in folders.saved(str(folder))] == [3]
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers
    monkeypatch.undo()
    assert call(*places, *TINY, '--train', '--epoch', 2, '--name', 'r') == 0
    steps = history.read(str(folder / 'history.csv'))['step']
    np.testing.assert_array_equal(steps, np.arange(1, 11))


def test_a_signal_while_a_sheet_is_drawn_loses_no_step(tmp_path, places, monkeypatch):
    usual = train.Trainer.sample

    def sample(self, step):
        usual(self, step)
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
    monkeypatch.setattr(train.Trainer, 'sample', sample)
    assert call(*places, *TINY, '--train', '--epoch', 2, '--name', 'r',
                '--sample_freq', 2) == 143
    folder = tmp_path / 'checkpoint' / 'r'
    assert [step for step, _ in folders.saved(str(folder))] == [2]
    assert len(history.read(str(folder / 'history.csv'))['step']) == 2


def test_a_long_epoch_says_how_it_goes_where_there_is_no_bar(
        make_trainer, monkeypatch, capsys):
    monkeypatch.setattr(record, 'QUIET', -1)
    trainer = make_trainer(batch_size=8, epoch=2)
    trainer.train(types.SimpleNamespace(status=0))
    lines = [line for line in capsys.readouterr().out.splitlines() if 'D right' in line]
    assert [line.partition(' d_loss')[0] for line in lines] == [
        'epoch %d/2%s' % (epoch, '' if step == 5 else ' (%d of 5 steps)' % step)
        for epoch in (1, 2) for step in (1, 2, 3, 4, 5)]


def test_lines_after_the_last_checkpoint_are_dropped_on_resume(tmp_path, places):
    call(*places, *TINY, '--train', '--epoch', 1, '--name', 'r')
    path = tmp_path / 'checkpoint' / 'r' / 'history.csv'
    with open(path, 'a') as file:
        file.write('6,2,9.9,1,1,1,1,1\n7,2,9.9,1,')
    call(*places, *TINY, '--train', '--epoch', 2, '--name', 'r')
    np.testing.assert_array_equal(history.read(str(path))['step'], np.arange(1, 11))


def test_a_loss_that_is_not_finite_stops_the_run_before_it_is_saved(
        tmp_path, places, monkeypatch):
    usual = batches.Dataset.batch

    def batch(self, step, *arguments):
        images, y = usual(self, step, *arguments)
        return (images * np.nan if step == 6 else images), y
    monkeypatch.setattr(batches.Dataset, 'batch', batch)
    assert call(*places, *TINY, '--train', '--epoch', 2, '--name', 'r',
                '--ckpt_freq', 5) == 1
    folder = tmp_path / 'checkpoint' / 'r'
    assert [step for step, _ in folders.saved(str(folder))] == [5]
    for value in values_of(folder, 5).values():
        assert np.isfinite(value).all()


# The second and the third show in no loss before the checkpoint of step 6: what comes
# after the last step before it, and what is read in sampling alone.
@pytest.mark.parametrize('name, after', [
    ('generator/g_h0_lin/Matrix', 4),
    pytest.param('generator/g_h0_lin/Matrix', 6, marks=pytest.mark.slow),
    ('generator/g_bn0/moving_variance', 4)])
def test_a_weight_that_is_not_finite_is_never_saved(
        tmp_path, places, monkeypatch, capsys, name, after):
    usual = train.Trainer.train_step

    def step(self, number):
        values = usual(self, number)
        if number + 1 == after:
            variable, = (v for v in self.model.variables if v.op.name == name)
            value = self.sess.run(variable)
            value.flat[0] = np.nan
            variable.load(value, self.sess)
        return values
    monkeypatch.setattr(train.Trainer, 'train_step', step)
    assert call(*places, *TINY, '--train', '--epoch', 2, '--name', 'r',
                '--ckpt_freq', 3) == 1
    assert 'error: step ' in capsys.readouterr().err
    folder = tmp_path / 'checkpoint' / 'r'
    assert [step for step, _ in folders.saved(str(folder))] == [3]
    for value in values_of(folder, 3).values():
        assert np.isfinite(value).all()


def test_the_history_on_disk_is_as_long_as_the_checkpoint_says(
        tmp_path, places, monkeypatch, no_results):
    lengths, usual = {}, checkpoints.save

    def save(sess, saver, folder, step, keep):
        with open(os.path.join(folder, 'history.csv')) as file:
            lengths[step] = len(file.readlines()) - 1       # the first has the names
        return usual(sess, saver, folder, step, keep)
    monkeypatch.setattr(checkpoints, 'save', save)
    call(*places, *TINY, '--train', '--epoch', 1, '--name', 'r', '--ckpt_freq', 2)
    assert lengths == {2: 2, 4: 4, 5: 5}


# --- what a step is fed ------------------------------------------------------

def recorded(trainer, steps):
    """Take steps; return (updates, what was fed, the z drawn) of each session run."""
    found, usual, model = [], trainer.sess.run, trainer.model
    ops = {model.d_optim: 'd', model.g_optim: 'g'}
    if trainer.config.updates == 'alternate':
        ops[model.updates] = 'a'

    def run(fetches, feed):
        fetched = tf.nest.flatten(fetches)
        values, z = usual([fetches, model.z], feed)
        updates = sorted(ops[f] for f in fetched if isinstance(f, tf.Operation))
        found.append((''.join(updates), feed, z))
        return values
    trainer.sess.run = run
    for step in range(steps):
        trainer.train_step(step)
    return found


@pytest.mark.parametrize('updates, d_steps, g_steps, expected', [
    ('alternate', 2, 1, [('d', 0), ('a', 1), ('d', 2), ('a', 3), ('d', 4), ('a', 5)]),
    ('together', 2, 2, [('d', 0), ('dg', 1), ('g', 1), ('d', 2), ('dg', 3), ('g', 3),
                        ('d', 4), ('dg', 5), ('g', 5)])])
def test_each_run_is_fed_its_batch_and_the_batchs_number(
        make_trainer, updates, d_steps, g_steps, expected):
    flip = updates == 'together'
    trainer = make_trainer(updates=updates, d_steps=d_steps, g_steps=g_steps, flip=flip)
    model, found = trainer.model, recorded(trainer, 3)
    assert [(updates, feed[model.step]) for updates, feed, _ in found] == expected
    z_of = {}
    for _, feed, z in found:
        number = feed[model.step]
        images, y = trainer.data.batch(number, 8, 0, flip)
        np.testing.assert_array_equal(feed[model.images], images)
        np.testing.assert_array_equal(feed[model.y], y)
        # the same for a further update of G, another for any other batch
        np.testing.assert_array_equal(z, z_of.setdefault(number, z))
    assert len(np.unique(np.stack(list(z_of.values())))) == len(z_of) * 8 * 8


def test_the_seed_decides_weights_batches_z_and_sheets(make_trainer):
    def first(seed):
        trainer = make_trainer(seed=seed)
        weights = trainer.sess.run(trainer.model.g_vars + trainer.model.d_vars)
        (_, feed, z), = recorded(trainer, 1)
        return [np.concatenate([w.ravel() for w in weights if w.ndim > 1]),
                feed[trainer.model.images], z, trainer.sample_z]
    zero, one = first(0), first(1)
    for a, b in zip(zero, one):
        assert a.shape == b.shape
        assert np.mean(a != b) > 0.9
    assert not set(zero[2].ravel()) & set(zero[3].ravel())  # a batch's z, the sheets'


@pytest.mark.parametrize('size', [1, 2, 3])
def test_the_workers_take_all_batches_once_in_turn(size):
    of = [[batches.batch_number(i, rank, size) for i in range(4)]
          for rank in range(size)]
    for rank, numbers in enumerate(of):
        assert numbers == list(range(rank, 4 * size, size))
    assert sorted(sum(of, [])) == list(range(4 * size))
    assert batches.batch_number(7) == 7


# --- what is refused ---------------------------------------------------------

def test_a_run_with_other_values_is_refused(tmp_path, places, capsys):
    call(*places, *TINY, '--train', '--epoch', 1, '--name', 'r')
    files = sorted(os.listdir(tmp_path / 'checkpoint' / 'r'))
    assert call(*places, *TINY, '--train', '--name', 'r', '--z_dim', 9) == 2
    assert '--z_dim: 8 in config.json, 9 now' in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path / 'checkpoint' / 'r')) == files


@pytest.mark.parametrize('flag, file', [
    ('--checkpoint_dir', 'file'), ('--sample_dir', 'folder/r')])
def test_a_folder_that_cannot_be_written_to_is_named_before_the_first_step(
        tmp_path, places, capsys, monkeypatch, flag, file):
    (tmp_path / 'folder').mkdir()
    (tmp_path / file).write_text('no folder')
    monkeypatch.setattr(train.Trainer, 'train_step', None)
    assert call(*places, *TINY, '--train', '--name', 'r',
                flag, tmp_path / file.split('/')[0]) == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ')
    assert str(tmp_path / file) in error
    assert not [*tmp_path.rglob('history.csv'), *tmp_path.rglob('config.json')]


@pytest.mark.skipif(not os.path.isdir('/proc'), reason='needs a folder of the kernel')
def test_a_folder_that_is_there_but_takes_no_file_is_refused():
    with pytest.raises(UserError, match='/proc cannot be written to'):
        train.make_folder('/proc')


def test_a_config_that_is_a_folder_is_refused_in_a_new_run_too(
        tmp_path, places, capsys, monkeypatch):
    (tmp_path / 'checkpoint' / 'r' / 'config.json').mkdir(parents=True)
    monkeypatch.setattr(train.Trainer, 'train_step', None)
    assert call(*places, *TINY, '--train', '--name', 'r') == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ')
    assert 'config.json' in error


def test_a_damaged_checkpoint_is_not_trained_on(
        tmp_path, places, capsys, no_results, monkeypatch):
    line = [*places, *TINY, '--train', '--name', 'r']
    assert call(*line, '--epoch', 1) == 0
    newest = tmp_path / 'checkpoint' / 'r' / 'DCGAN.model-5'
    os.truncate(str(newest) + '.data-00000-of-00001', 1000)
    files = {f: f.read_bytes() for f in newest.parent.iterdir() if f.is_file()}
    monkeypatch.setattr(train.Trainer, 'train_step', None)
    assert call(*line, '--epoch', 2) == 2
    assert str(newest) in capsys.readouterr().err
    assert {f: f.read_bytes() for f in newest.parent.iterdir() if f.is_file()} == files


def test_too_few_images_for_a_batch_are_refused(places, capsys):
    assert call(*places, '--train', '--batch_size', 41) == 2
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


def test_a_checkpoint_without_config_is_not_trained_on(tmp_path, places):
    call(*places, *TINY, '--train', '--epoch', 1, '--name', 'r')
    os.remove(tmp_path / 'checkpoint' / 'r' / 'config.json')
    config = Config.make({'name': 'r', 'checkpoint_dir': str(tmp_path / 'checkpoint')},
                         {})
    with pytest.raises(UserError, match='no config.json'):
        start.to_train(config, {})


# --- pictures that come and go -----------------------------------------------

@pytest.mark.slow
def test_epochs_are_counted_by_what_was_trained(tmp_path, places, capsys, no_results):
    line = [*places, *TINY, '--train', '--name', 'r']
    assert call(*line, '--epoch', 2) == 0                       # 5 steps an epoch
    for i in range(24):
        os.remove(tmp_path / 'data' / 'noise' / ('%03d.png' % i))
    capsys.readouterr()
    assert call(*line, '--epoch', 2) == 0
    said = capsys.readouterr().out
    assert 'pictures: 40 before, 16 now; an epoch has 2 steps now' in said
    assert 'r has been trained for 2 epochs; with --epoch above 2 it' in said
    assert call(*line, '--epoch', 4) == 0
    said = capsys.readouterr().out
    assert 'resuming r after step 10, in epoch 3 of 4' in said
    assert 'epoch 4/4' in said
    assert 'r has been trained' not in said
    rows = history.read(str(tmp_path / 'checkpoint/r/history.csv'))
    assert rows['epoch'].tolist() == (
        [1] * 5 + [2] * 5 + [3, 3, 4, 4])
    assert Config.load(str(tmp_path / 'checkpoint/r/config.json')).pictures == (
        '0:40 10:16')
    assert call(*line, '--epoch', 4) == 0
    said = capsys.readouterr().out
    assert 'pictures: ' not in said and 'trained for 4 epochs' in said


@pytest.mark.slow
def test_as_many_pictures_that_are_not_the_same_are_said(
        tmp_path, places, capsys, no_results, make_images):
    line = [*places, *TINY, '--train', '--name', 'r', '--epoch']
    folder = tmp_path / 'data' / 'noise'
    assert call(*line, 1) == 0
    for epoch, change, said in (
            (2, lambda: os.utime(folder / '003.png'), False),
            (3, lambda: os.rename(folder / '000.png', folder / 'z.png'), True),
            (4, lambda: os.rename(folder / 'z.png', folder / 'zz.png'), False),
            (5, lambda: os.replace(folder / '001.png', folder / '002.png')
             or make_images(folder, 1, seed=8), True)):
        change()
        capsys.readouterr()
        assert call(*line, epoch) == 0
        assert ('pictures: as many as before, but not the same' in (
            capsys.readouterr().out)) == said


@pytest.mark.slow
def test_an_older_run_without_the_count_goes_on_as_before(tmp_path, places, capsys,
                                                          no_results):
    line = [*places, *TINY, '--train', '--name', 'r']
    assert call(*line, '--epoch', 1) == 0
    path = str(tmp_path / 'checkpoint/r/config.json')
    Config.load(path).replace(pictures=None).save(path)
    assert call(*line, '--epoch', 1) == 0
    assert 'pictures: ' not in capsys.readouterr().out
