"""Many steps in one session.run: the numbers of single steps, bit for bit."""

import contextlib
import os
import re
import types

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import train
from dataset import batches
from graph import convolution, getters, winograd
from runs import checkpoints, folders, guard, history, pictures, sessions, steps
from settings.errors import UserError


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return batches.Dataset(rng.integers(0, 256, (40, 16, 16, 3), np.uint8),
                           np.arange(40) % 2, ('a', 'b'))


@pytest.fixture
def make(tmp_path, tiny_config, data):
    """Return a function that opens a Trainer, each time of a new run or of `name`."""
    with contextlib.ExitStack() as stack:
        def trainer(name=None, **changes):
            name = name or 'run%d' % len(list(tmp_path.iterdir()))
            config = tiny_config(**dict(dict(
                train=True, conditional=True, classes=('a', 'b'), num_samples=4),
                **changes))
            stack.enter_context(tf.Graph().as_default())
            made = train.Trainer(config, folders.Run(name, str(
                tmp_path / name / 'c'), str(tmp_path / name / 's')), data)
            stack.callback(made.close)
            return made
        yield trainer


@pytest.fixture
def on_card(monkeypatch):
    """Let there be room for the pictures on a GPU, in three pages."""
    monkeypatch.setattr(sessions, 'gpu_memory', lambda sess: 2**20)
    monkeypatch.setattr(pictures, 'PAGE', 17 * 16 * 16 * 3)


def taken(trainer, count):
    """Take steps; return the values of each, and of all variables at the end."""
    rows = []
    while len(rows) < count:
        rows += trainer.train_steps(len(rows))
    values = trainer.sess.run(trainer.variables)
    return rows[:count], {v.op.name: x for v, x in zip(trainer.variables, values)}


def assert_equal(made, other, count=20):
    (rows, weights), (other_rows, other_weights) = (
        taken(trainer, count) for trainer in (made, other))
    assert rows == other_rows
    assert weights.keys() == other_weights.keys()
    for name, value in weights.items():
        np.testing.assert_array_equal(value, other_weights[name], err_msg=name)


VARIANTS = {
    'defaults': dict(updates='alternate', ema=0.9999),
    'd_steps and g_steps': dict(d_steps=2, g_steps=2),
    'alternate, several': dict(updates='alternate', d_steps=3, g_steps=2,
                               augment_target=0, augment='color,cutout'),
    'wgan-gp': dict(loss='wgan', penalty='wgan-gp', spectral_norm=True, d_steps=2,
                    optimizer='sgd', momentum=0.5)}


# sampling and ckpt_freq make runs of 7, 7, 6 steps, epochs of 5
@pytest.mark.slow
@pytest.mark.parametrize('variant', VARIANTS)
def test_the_loop_ends_with_the_weights_of_single_steps(make, on_card, variant):
    changes = dict(VARIANTS[variant], epoch=50, flip=True)
    single, many = make(**changes), make(steps_per_run=7, **changes)
    assert single.steps is None and len(many.steps.source.pages) == 3
    assert_equal(single, many)
    assert [v.op.name for v in many.variables] == [v.op.name for v in single.variables]
    assert {v.op.name for v in tf.global_variables()} == {
        v.op.name for v in many.variables}
    assert not [v for v in tf.trainable_variables() if 'pictures' in v.op.name]


@pytest.mark.slow
def test_the_loop_is_as_single_steps_by_winograd_too(make, on_card, monkeypatch):
    monkeypatch.setattr(convolution, 'has_instructions',
                        lambda kinds, unknown: kinds == 'avx2')
    monkeypatch.setattr(winograd, 'WIDE', 1)
    changes = dict(VARIANTS['wgan-gp'], epoch=50)
    single, many = make(**changes), make(steps_per_run=7, **changes)
    with monkeypatch.context() as patch:
        patch.setattr(winograd, 'suits', lambda size, w: False)
        plain = make(**changes)
    # at the least G's layers, and D's for real and generated images
    assert products_of(single) >= 10 and not products_of(plain)
    assert_equal(single, many)


def products_of(trainer):
    """Return how many products of stacked matrices the graph of a Trainer has."""
    return sum(op.type.startswith('BatchMatMul')
               for op in trainer.sess.graph.get_operations())


# --- a run -------------------------------------------------------------------

def finish(trainer, status=0):
    trainer.train(types.SimpleNamespace(status=status))
    return trainer.run


@pytest.mark.slow
def test_a_run_goes_on_in_the_other_way_bit_for_bit(make, tmp_path):
    freq = dict(epoch=4, sample_freq=6, ckpt_freq=8, summary_freq=5)
    whole = finish(make('whole', **freq))
    finish(make('parts', steps_per_run=7, **dict(freq, epoch=2)))
    parts = finish(make('parts', **freq))
    a, b = (values_of(run, 20) for run in (whole, parts))
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    a, b = (history.read(run.history_path) for run in (whole, parts))
    for column in set(history.COLUMNS) - {'seconds'}:
        np.testing.assert_array_equal(a[column], b[column])
    assert (np.diff(b['seconds']) > 0).all()
    assert summaries(whole) == summaries(parts)
    assert sorted(step for step, _ in folders.saved(parts.checkpoint_dir)) == [
        8, 10, 16, 20]


def values_of(run, step):
    reader = tf.train.NewCheckpointReader(dict(folders.saved(run.checkpoint_dir))[step])
    return {name: reader.get_tensor(name)
            for name in reader.get_variable_to_shape_map()}


def summaries(run):
    """Return {(step, tag): value} of a run's scalars, and the sums of histograms."""
    return {(event.step, value.tag): value.simple_value or value.histo.sum
            for name in sorted(os.listdir(run.log_dir))
            for event in tf.train.summary_iterator(os.path.join(run.log_dir, name))
            for value in event.summary.value if value.tag != 'samples'}


@pytest.mark.parametrize('first, expected', [
    (0, 7), (7, 12), (12, 16), (16, 18), (18, 24), (96, 99), (99, 100), (100, 101)])
def test_a_run_of_many_ends_where_there_is_more_to_do(tiny_config, first, expected):
    trainer = types.SimpleNamespace(
        config=tiny_config(sample_freq=12, ckpt_freq=16, summary_freq=1000,
                           eval_freq=18, features='pixels'), total=100,
        steps=types.SimpleNamespace(most=7),
        epochs=types.SimpleNamespace(ends=lambda step: step == 99))
    assert steps.pause(trainer, first) == expected


@pytest.fixture
def fake(make):
    """Return a Trainer whose runs of five steps compute nothing."""
    def run(sess, numbers):
        rows = [dict.fromkeys(guard.COLUMNS, 0.5) for _ in numbers]
        if numbers[0] == [5]:
            rows[2]['g_loss'] = np.nan
        return rows
    trainer = make(epoch=4)
    trainer.steps = types.SimpleNamespace(most=5, run=run)
    return trainer


def test_a_signal_saves_after_the_run_of_many(fake):
    run = finish(fake, status=143)
    assert [step for step, _ in folders.saved(run.checkpoint_dir)] == [5]
    assert len(history.read(run.history_path)['step']) == 5


def test_a_loss_that_is_no_number_is_that_of_its_step(fake, monkeypatch):
    monkeypatch.setattr(checkpoints, 'save', None)
    with pytest.raises(guard.Diverged, match='step 8: g_loss is nan'):
        finish(fake)


# --- pictures ----------------------------------------------------------------

@pytest.mark.parametrize('on_the_card', [False, True])
def test_batches_are_those_of_the_data_set(
        graph, tiny_config, data, on_card, on_the_card):
    config = tiny_config(flip=True, conditional=True, classes=('a', 'b'), d_steps=2)
    with tf.Session() as sess:
        source = (pictures.source(config, data, 3, sess) if on_the_card else
                  pictures.Fed(config, data, 3))
        assert isinstance(source, pictures.OnCard) == on_the_card
        built = source.build()
        built['images'] = pictures.transform(built['images'])
        found = sess.run(built, source.feed(np.array([[3, 4], [5, 9]])))
    assert tf.global_variables() == []
    for place, number in {(0, 0): 3, (0, 1): 4, (1, 0): 5, (1, 1): 9}.items():
        images, y = data.batch(number, 8, 0, True)
        np.testing.assert_array_equal(found['images'][place], images)
        np.testing.assert_array_equal(found['y'][place], y)


def test_many_pictures_stay_off_the_card(graph, tiny_config, data, monkeypatch):
    for memory, kind in ((4 * data.images.nbytes, pictures.OnCard),
                         (4 * data.images.nbytes - 1, pictures.Fed)):
        monkeypatch.setattr(sessions, 'gpu_memory', lambda sess, memory=memory: memory)
        with tf.Session() as sess:
            found = pictures.source(tiny_config(), data, 1, sess)
        assert type(found) is kind


def test_large_batches_make_shorter_runs(tiny_config, data):
    assert pictures.most_steps(tiny_config(), data) > 1000
    assert pictures.most_steps(tiny_config(batch_size=2**16, d_steps=2), data) == 2
    assert pictures.most_steps(tiny_config(batch_size=2**16, d_steps=100), data) == 1


# --- XLA ---------------------------------------------------------------------

def test_xla_that_does_not_work_is_refused(make, monkeypatch):
    def broken(*arguments, xla=False):
        raise tf.errors.InternalError(None, None, 'libdevice not found\nmore')
    trainer = make()
    assert trainer.steps is None        # a processor: single steps, not compiled
    monkeypatch.setattr(steps, 'Steps', broken)
    trainer.model.config = trainer.config.replace(xla=True)
    with pytest.raises(UserError) as raised:
        steps.make(trainer.model, trainer.data, trainer.sess, print)
    assert str(raised.value) == ('--xla: XLA does not work here (libdevice not found). '
                                 'Leave it out.')


def distance(rows, others):
    """Return how far the means of each loss lie apart, over windows of 50 steps."""
    a, b = (np.array([[row[name] for name in sorted(row) if 'loss' in name]
                      for row in some]).reshape(-1, 50, 3).mean(axis=1)
            for some in (rows, others))
    return abs(a - b).max(), a


@pytest.mark.slow
def test_xla_learns_as_without(make, monkeypatch):
    # as for a GPU: deep layers are products where XLA compiles them
    monkeypatch.setattr(convolution, 'has_gpu', lambda: True)
    deep, usual = [], convolution.conv2d_deep
    monkeypatch.setattr(convolution, 'conv2d_deep', lambda x, w: (
        deep.append(w), usual(x, w))[1])
    changes = dict(updates='alternate', augment='none', epoch=100, ema=0.99)
    (rows, _), (others, _) = (taken(make(steps_per_run=25, xla=xla, **changes), 200)
                              for xla in (False, True))
    first = max(abs(rows[i][name] - others[i][name]) for i in range(20)
                for name in rows[i])
    far, _ = distance(rows, others)
    # D on real images, on generated ones and once more: in the loop that is compiled
    assert len(deep) == 3
    print('XLA: %.2g in the first 20 steps, means of 50 steps %.2g' % (first, far))
    assert first < 1e-4
    assert far < 0.05


@pytest.mark.slow
def test_bfloat16_of_gpus_learns_as_float32(make, monkeypatch):
    changes = dict(updates='alternate', augment_target=0, epoch=100, ema=0.99)
    rows, _ = taken(make(**changes), 200)
    monkeypatch.setattr(getters, 'has_gpu', lambda: True)     # casts, not the rewrite
    monkeypatch.setattr(sessions, 'choose_precision', lambda config: 'float32')
    trainer = make(precision='bfloat16', **changes)
    narrow = [op for op in tf.get_default_graph().get_operations()
              if re.match('Conv2D', op.type) and op.get_attr('T') == tf.bfloat16]
    assert len(narrow) > 20
    others, _ = taken(trainer, 200)
    far, _ = distance(rows, others)
    print('bfloat16: means of 50 steps %.2g' % far)
    assert 0 < far < 0.1
