"""The guard: it says each kind of death once, and nothing of a healthy run."""

import numpy as np
import pytest

import main
from dataset.batches import Dataset
from runs import folders, guard
from runs.guard import WINDOW, Diverged, Guard

rng = np.random.default_rng(0)
DATA = rng.integers(0, 256, (100, 8, 8, 3), np.uint8)


@pytest.fixture
def watcher(tmp_path, tiny_config):
    """Return a function that makes a Guard whose warnings are kept in `.told`."""
    def make(**changes):
        told = []
        run = folders.Run('r', str(tmp_path), '')
        made = Guard(tiny_config(**changes), run, Dataset(DATA), told.append)
        made.told = told
        return made
    return make


def healthy(step):
    """Return the values of a step as a healthy run of a batch of 64 has them."""
    noise = np.random.default_rng(step)
    return dict(d_loss_real=noise.normal(0.4, 0.1), d_loss_fake=noise.normal(0.3, 0.1),
                g_loss=noise.normal(2, 0.4), d_acc_real=noise.binomial(64, 0.95) / 64,
                d_acc_fake=noise.binomial(64, 0.97) / 64)


def watch(watcher, steps=3 * WINDOW, start=1, **values):
    for step in range(start, start + steps):
        watcher.watch(dict(healthy(step), **values), step)
    return watcher.told


def test_a_healthy_run_is_left_alone(watcher, tmp_path):
    well = watcher()
    assert watch(well) == []
    well.look(rng.uniform(-1, 1, (64, 8, 8, 3)), 3 * WINDOW)
    assert well.told == []
    assert list(tmp_path.iterdir()) == []


def test_that_d_has_won_is_said_once(watcher, tmp_path):
    dying = watcher()
    assert watch(dying, d_acc_real=1.0, d_acc_fake=1.0, steps=WINDOW - 1) == []
    told = watch(dying, d_acc_real=1.0, d_acc_fake=1.0, start=WINDOW)
    assert len(told) == 1
    assert told[0].startswith('warning: step %d: D ' % WINDOW)
    assert '--' in told[0]
    assert (tmp_path / 'warnings.txt').read_text() == told[0] + '\n'


@pytest.mark.parametrize('real, fake', [(1.0, 0.99), (0.99, 1.0)])
def test_d_has_not_won_where_it_errs_on_one_half(watcher, real, fake):
    assert watch(watcher(), d_acc_real=real, d_acc_fake=fake) == []


def test_one_mistake_in_a_thousand_saves_no_generator(watcher):
    dying = watcher()
    for step in range(1, 2 * WINDOW):
        dying.watch(dict(healthy(step), d_acc_real=1 - (step % 50 == 0) / 64,
                         d_acc_fake=1.0), step)
    assert len(dying.told) == 1


@pytest.mark.parametrize('losses', [
    dict(d_loss_real=0.0, d_loss_fake=0.0, g_loss=654.0),
    dict(d_loss_real=0.693, d_loss_fake=0.693, g_loss=0.693)])
def test_that_the_losses_stand_still_is_said_once(watcher, losses):
    told = watch(watcher(), **losses)
    assert len(told) == 1
    assert told[0].startswith('warning: step %d: the losses ' % WINDOW)


def test_one_loss_that_moves_is_enough(watcher):
    assert watch(watcher(), d_loss_real=0.0, d_loss_fake=0.0) == []


def test_it_says_so_too_when_a_healthy_run_dies_later(watcher):
    run = watcher()
    watch(run, steps=WINDOW + 7)
    told = watch(run, start=WINDOW + 8, d_acc_real=1.0, d_acc_fake=1.0)
    assert len(told) == 1
    assert int(told[0].split()[2].strip(':')) > 2 * WINDOW - 20


def test_a_critic_is_not_judged_by_its_sign_nor_by_the_size_of_its_losses(watcher):
    assert watch(watcher(loss='wgan'), d_acc_real=1.0, d_acc_fake=1.0,
                 d_loss_real=-0.001, d_loss_fake=0.001, g_loss=0.0) == []


@pytest.mark.parametrize('different', [1, 3])
def test_that_samples_are_alike_is_said_once(watcher, different):
    dying = watcher()
    few = rng.uniform(-1, 1, (different, 8, 8, 3))
    images = few[np.arange(64) % different] + rng.normal(0, 0.01, (64, 8, 8, 3))
    dying.look(images, 5)       # too early: G has hardly begun
    assert dying.told == []
    watch(dying, steps=WINDOW)
    dying.look(images, WINDOW)
    dying.look(images, WINDOW + 1)
    assert len(dying.told) == 1
    assert dying.told[0].startswith('warning: step %d: the samples ' % WINDOW)


def test_a_single_image_is_like_no_other(watcher):
    run = watcher()
    watch(run, steps=WINDOW)
    run.look(np.zeros((1, 8, 8, 3)), WINDOW)
    run.data = Dataset(DATA[:1])
    run.look(rng.uniform(-1, 1, (64, 8, 8, 3)), WINDOW)
    assert run.told == []


def test_the_difference_is_the_distance_to_the_nearest_other():
    images = np.array([0, 3, 7, 100.0]).reshape(4, 1, 1, 1)
    assert guard.difference(images) == pytest.approx(3.5)      # of 3, 3, 4, 93
    assert guard.difference(np.repeat(images, 2, axis=0)) == 0
    assert np.isnan(guard.difference(images[:1]))


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('name', ['g_loss', 'd_loss_real'])
def test_what_is_no_number_stops_the_run(watcher, name, value):
    run = watcher()
    with pytest.raises(Diverged) as error:
        run.watch(dict(healthy(7), **{name: value}), 7)
    for word in ('step 7', name, str(value), 'checkpoint', '--learning_rate', '--name'):
        assert word in str(error.value)


# --- in the loop -------------------------------------------------------------

FLAGS = ['--dataset', 'noise', '--train', '--output_height', '8', '--gf_dim', '2',
         '--df_dim', '2', '--z_dim', '2', '--batch_size', '8', '--num_samples', '4',
         '--name', 'r']


@pytest.fixture
def places(tmp_path, make_images):
    """Return the flags that point everything into tmp_path, with 40 images there."""
    make_images(str(tmp_path / 'data' / 'noise'), 40)
    return ['--data_dir', str(tmp_path / 'data'), '--checkpoint_dir',
            str(tmp_path / 'c'), '--sample_dir', str(tmp_path / 's')]


def test_a_run_that_dies_says_so_and_goes_on(
        tmp_path, places, graph, monkeypatch, capsys):
    monkeypatch.setattr(guard, 'WINDOW', 20)
    assert main.main(FLAGS + places + [
        '--epoch', '10', '--learning_rate', '10', '--augment', 'none']) == 0
    said = capsys.readouterr().out
    kept = (tmp_path / 'c' / 'r' / 'warnings.txt').read_text()
    for line in kept.splitlines():
        assert said.count(line) == 1
    assert 'the losses' in kept or 'D was right' in kept or 'the samples' in kept


def test_a_weight_that_is_no_number_is_noticed_within_a_few_steps(
        tmp_path, places, graph, monkeypatch, capsys):
    import train
    usual = train.Trainer.train_step

    def step(self, number):
        values = usual(self, number)
        if number == 16:        # shows in no loss: it is read in sampling alone
            variable, = (v for v in self.model.variables
                         if v.op.name == 'generator/g_bn0/moving_variance')
            variable.load(np.full(variable.shape, np.nan, np.float32), self.sess)
        return values
    monkeypatch.setattr(train.Trainer, 'train_step', step)
    assert main.main(FLAGS + places + ['--ema', '0', '--epoch', '10', '--ckpt_freq',
                                        '8']) == 1
    assert ('error: step 20: NaN or infinity in generator/g_bn0/moving_variance. '
            in capsys.readouterr().err)
    assert [step for step, _ in folders.saved(str(tmp_path / 'c' / 'r'))] == [8, 16]


def test_a_resumed_run_is_judged_by_the_steps_before_too(watcher):
    rows = {name: [1.0] * (WINDOW + 99) for name in guard.COLUMNS}
    rows['step'] = np.arange(1, WINDOW + 100)
    resumed = watcher()
    resumed.recall({name: values[:WINDOW - 1] for name, values in rows.items()})
    assert resumed.told == []
    resumed.watch(dict.fromkeys(guard.COLUMNS, 1.0), WINDOW)
    assert len(resumed.told) == 2       # that D has won, and that all stands still
    watched = watcher()                 # as if never interrupted
    for index in range(WINDOW + 99):
        watched.recent[rows['step'][index] % WINDOW] = [
            rows[name][index] for name in guard.COLUMNS]
    recalled = watcher()
    recalled.recall(rows)
    np.testing.assert_array_equal(recalled.recent, watched.recent)


def test_what_was_said_is_not_said_again_after_a_resume(tmp_path, tiny_config):
    run = folders.Run('r', str(tmp_path), str(tmp_path))
    said = []
    for _ in range(2):
        Guard(tiny_config(), run, None, said.append).say('still', 500)
    assert len(said) == 1
