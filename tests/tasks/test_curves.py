"""Curves of several runs: the table's values, the picture, and what is refused."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import main
from runs import folders, history
from settings.config import Config
from settings.errors import NotFoundError, UserError
from tasks import curves

ROOT = os.path.dirname(os.path.abspath(main.__file__))


@pytest.fixture
def make_run(tmp_path):
    """Return a function that writes the history of a run, and its config.json."""
    def make(name, steps, seconds, accuracy=0.8, g_loss=2.0, **config):
        folder = tmp_path / 'c' / name
        folder.mkdir(parents=True)
        file = history.History(str(folder / 'history.csv'), 0)
        accuracy, g_loss = (np.broadcast_to(x, steps) for x in (accuracy, g_loss))
        for i in range(steps):
            file.append(i + 1, 1, seconds, dict(
                d_loss_real=0.25, d_loss_fake=0.5, g_loss=g_loss[i],
                d_acc_real=accuracy[i] + 0.1, d_acc_fake=accuracy[i] - 0.1))
        file.close()
        if config:
            Config.make(config, {}).save(str(folder / 'config.json'))
        return str(folder)
    return make


@pytest.fixture
def no_picture(monkeypatch):
    """Leave out the picture, which takes longer than all the rest."""
    monkeypatch.setattr(curves, 'save_picture', lambda curves, path: path)


def call(tmp_path, *flags):
    return main.main(['--task', 'curves', '--checkpoint_dir', str(tmp_path / 'c'),
                      '--sample_dir', str(tmp_path / 's'), *flags])


def rows(text, name):
    """Return the numbers of a run's lines in the table: final, best, at equal time."""
    return [line.split()[1:] for line in text.splitlines()
            if line.startswith('  %s ' % name)]


def test_the_table_has_each_run_at_its_end_at_its_best_and_at_equal_time(
        tmp_path, make_run, capsys, no_picture):
    make_run('a', 1000, 0.1, np.linspace(0.9, 0.6, 1000), batch_size=16, d_steps=2)
    make_run('b', 200, 0.25, np.r_[[0.5] * 10, [0.8] * 150, [0.7] * 10, [0.8] * 30],
             g_loss=3.0, batch_size=64)
    assert call(tmp_path) == 0
    said = capsys.readouterr().out
    assert rows(said, 'a') == [
        ['1000', '32,000', '01:40', '0.750', '2.000', '60%'],
        ['1000', '32,000', '01:40', '0.750', '2.000', '60%'],
        ['500', '16,000', '00:50', '0.750', '2.000', '75%']]
    final, best, equal = rows(said, 'b')
    assert final == equal == ['200', '12,800', '00:50', '0.750', '3.000', '80%']
    # not the first steps, where D has not learned yet
    assert 160 < int(best[0]) <= 170
    assert best[5] == '70%'
    assert 'after 00:50 of training' in said


def test_the_best_is_where_d_is_nearest_to_guessing_from_either_side():
    for accuracy in (0.3, 0.7):
        values = np.full(100, 0.9)
        values[40] = accuracy
        curve = curves.Curve('a', {}, {'d_acc': values}, 1, 'gan')
        assert curves.best(curve) == 40


def test_equal_time_is_the_last_step_done_by_then():
    curve = curves.Curve('a', {'seconds': np.array([1.0, 2.0, 4.0])}, {}, 1, 'gan')
    assert [curves.at(curve, t) for t in (0.5, 1, 1.9, 2, 3.9, 4, 9)] == [
        -1, 0, 0, 1, 1, 2, 2]
    assert 'no step was done by then' in curves.entry(curve, -1)


def test_runs_are_taken_in_the_order_in_which_they_are_named(
        tmp_path, make_run, capsys, no_picture):
    for name in 'abc':
        make_run(name, 5, 1)
    assert call(tmp_path, '--runs', 'c, a,c') == 0
    lines = [line.split()[0] for line in capsys.readouterr().out.splitlines()
             if line.startswith('  ')]
    assert lines[-6:] == ['c', 'a'] * 3


@pytest.mark.parametrize('flags, names', [
    ({}, 'abc'), ({'name': 'b'}, 'b'), ({'runs': 'a,b'}, 'ab')])
def test_which_runs_are_taken(tmp_path, make_run, flags, names):
    for name in 'abc':
        make_run(name, 5, 1)
    os.makedirs(str(tmp_path / 'c' / 'just-begun'))
    config = Config.make(dict(flags, task='curves', checkpoint_dir=str(tmp_path / 'c')),
                         {})
    assert ''.join(curve.name for curve in curves.read_all(config)) == names


def test_a_runs_own_folder_is_that_run(make_run):
    folder = make_run('a', 5, 1)
    make_run('b', 5, 1)
    curve, = curves.read_all(Config.make({'checkpoint_dir': folder}, {}))
    assert curve.name == 'a'


def test_different_losses_are_noted(tmp_path, make_run, capsys, no_picture):
    make_run('a', 5, 1, loss='gan')
    make_run('b', 5, 1, loss='hinge')
    call(tmp_path)
    assert 'different losses (gan, hinge)' in capsys.readouterr().out
    call(tmp_path, '--runs', 'a')
    assert 'different losses' not in capsys.readouterr().out


# --- the picture -------------------------------------------------------------

def test_the_picture_shows_each_run_in_a_colour_of_its_own(tmp_path, make_run, capsys):
    make_run('a', 100, 0.1, 0.9)
    make_run('b', 200, 0.1, 0.6)
    assert call(tmp_path) == 0
    path = tmp_path / 's' / 'curves.png'
    assert 'curves: %s' % path in capsys.readouterr().out
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert('RGB')).reshape(-1, 3).astype(int)
    for colour in ((31, 119, 180), (255, 127, 14)):     # tab10's first two
        assert (abs(pixels - colour).sum(axis=1) < 30).sum() > 500


def test_many_runs_and_one_step_and_nan_are_drawn(tmp_path, make_run):
    for i in range(23):
        make_run('r%d' % i, 1 + i, 1)
    make_run('diverged', 60, 1, g_loss=np.r_[np.ones(58), np.inf, np.nan])
    make_run('all-nan', 60, 1, g_loss=np.nan, accuracy=np.nan)
    assert call(tmp_path) == 0
    with Image.open(tmp_path / 's' / 'curves.png') as picture:
        assert np.asarray(picture.convert('L')).std() > 10


def test_a_run_that_explodes_does_not_flatten_the_others():
    low, high = curves.limits([np.full(100, 2.0), np.full(100, 3.0), np.full(100, 1e6)])
    assert low == 0
    assert 3 < high < 7
    low, high = curves.limits([np.full(10, -5.0), np.full(10, np.nan)])
    assert low == -5.5


def test_smoothing_leaves_out_what_is_no_number():
    values = np.ones(500)
    values[[0, 100, 499]] = np.nan, np.inf, np.nan
    np.testing.assert_allclose(history.smooth(values), 1)
    assert np.isnan(history.smooth(np.full(200, np.nan))).all()
    np.testing.assert_allclose(
        history.smooth(np.arange(100.0))[[1, 50, 98]], [0.5, 49.5, 97.5])


# --- histories of other times ------------------------------------------------

def test_a_history_with_other_columns_is_read_and_gone_on_with(tmp_path):
    path = tmp_path / 'history.csv'
    path.write_text('step,seconds,g_loss,extra\n1,0.5,2,x\n2,1.0,3,x\n3,1.5')
    file = history.History(str(path), 2)
    file.append(3, 1, 0.25, dict.fromkeys(history.COLUMNS, 1))
    file.close()
    columns = history.read(str(path))
    np.testing.assert_array_equal(columns['g_loss'], [2, 3, 1])
    np.testing.assert_array_equal(columns['seconds'], [0.5, 1, 1.25])
    np.testing.assert_array_equal(columns['d_acc_real'], [np.nan, np.nan, 1])


def test_an_older_header_gives_a_curve_all_the_same(
        tmp_path, make_run, capsys, no_picture):
    folder = make_run('a', 5, 1)
    path = folders.Run('a', folder, '').history_path
    lines = open(path).read().splitlines()
    with open(path, 'w') as file:
        file.write(''.join(line.rsplit(',', 5)[0] + '\n' for line in lines))
    assert call(tmp_path) == 0
    assert rows(capsys.readouterr().out, 'a')[0] == [
        '5', '?', '00:05', '0.750', '2.000', 'nan%']


# --- what is refused ---------------------------------------------------------

@pytest.mark.parametrize('flags, named', [
    (('--runs', 'a,missing'), "'missing'"), (('--runs', 'begun'), "'begun'"),
    (('--name', 'missing'), "'missing'"), (('--runs', 'a,,b'), "''")])
def test_a_run_that_is_not_there_is_refused_with_those_that_are(
        tmp_path, make_run, capsys, flags, named):
    make_run('a', 5, 1)
    make_run('b', 5, 1)
    make_run('begun', 0, 1)
    assert call(tmp_path, *flags) == 2
    error = capsys.readouterr().err
    assert named in error
    assert 'Runs there: a, b.' in error
    assert not (tmp_path / 's').exists()


def test_a_folder_without_runs_is_refused(tmp_path, capsys):
    assert call(tmp_path) == 2
    assert 'Runs there: none' in capsys.readouterr().err
    with pytest.raises(NotFoundError):
        curves.read_all(Config.make({'checkpoint_dir': str(tmp_path)}, {}))


def test_another_kind_of_csv_is_refused(tmp_path, make_run):
    folder = make_run('a', 5, 1)
    with open(os.path.join(folder, 'history.csv'), 'w') as file:
        file.write('name,colour\nx,red\n')
    with pytest.raises(UserError, match='not a history'):
        curves.read_all(Config.make({'checkpoint_dir': str(tmp_path / 'c')}, {}))


def test_runs_belong_to_curves_alone(tmp_path, capsys):
    assert main.main(['--runs', 'a', '--train']) == 2
    assert '--runs is for --task curves' in capsys.readouterr().err


def test_no_tensorflow_is_imported(tmp_path, make_run):
    make_run('a', 5, 1)
    code = ('import sys; sys.path.insert(0, %r); import main; '
            'status = main.main(sys.argv[1:]); '
            'sys.exit(status if "tensorflow" not in sys.modules else 99)' % ROOT)
    result = subprocess.run(
        [sys.executable, '-c', code, '--task', 'curves', '--checkpoint_dir', 'c',
         '--sample_dir', 's'], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert 'curves: s' in result.stdout


def test_a_name_is_no_formula_and_a_broken_neighbour_no_obstacle(
        tmp_path, make_run, capsys):
    make_run('a$_$', 5, 0.1)
    broken = tmp_path / 'c' / 'broken'
    broken.mkdir()
    (broken / 'history.csv').write_bytes(b'\xff\xfe\0')
    assert call(tmp_path, '--runs', 'a$_$') == 0
    assert (tmp_path / 's' / 'curves.png').exists()
    assert call(tmp_path, '--runs', 'b') == 2
    assert 'Runs there: a$_$.' in capsys.readouterr().err
    assert call(tmp_path, '--runs', 'broken') == 2
    assert 'is not a history of this program' in capsys.readouterr().err
