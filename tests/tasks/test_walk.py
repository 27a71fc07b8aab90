"""Walks: paths between z, what stays in the prior's range, sheets and films."""

import os
import stat
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
import tiny_runs
from PIL import Image

import main
from settings import flags, parser
from settings.errors import UserError
from tasks import walk
from tasks.parts import films, latent
from tasks.parts.latent import Inputs

PRIORS = ('normal01', 'uniform_signed', 'uniform_unsigned')


def draw_z(z_dist, count, seed=0, z_dim=100):
    rng = np.random.default_rng(seed)
    if z_dist == 'normal01':
        return rng.standard_normal((count, z_dim)).astype(np.float32)
    return rng.uniform(*latent.RANGE[z_dist], (count, z_dim)).astype(np.float32)


# --- paths -------------------------------------------------------------------

def test_a_line_has_its_ends_and_its_middle():
    a, b = np.array([0, 2], np.float32), np.array([4, -2], np.float32)
    np.testing.assert_allclose(latent.lerp(a, b, [0, 0.25, 0.5, 1]),
                               [[0, 2], [1, 1], [2, 0], [4, -2]])


@pytest.mark.parametrize('z_dist', PRIORS)
def test_a_spherical_path_has_its_ends_exactly(z_dist):
    a, b = draw_z(z_dist, 2)
    path = latent.sphere(a, b, [0, 1], z_dist)
    np.testing.assert_array_equal(path, [a, b])


def test_an_arc_of_a_quarter_turns_evenly():
    path = latent.slerp([1, 0], [0, 1], [1 / 3, 0.5, 2 / 3])
    angles = np.pi / 2 * np.array([1 / 3, 0.5, 2 / 3])
    np.testing.assert_allclose(path, np.transpose([np.cos(angles), np.sin(angles)]),
                               atol=1e-6)


def test_the_norm_changes_evenly_along_an_arc():
    t = np.linspace(0, 1, 11)
    path = latent.slerp([3, 0, 0], [0, 5, 0], t)
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), 3 + 2 * t, rtol=1e-6)


def test_a_line_leaves_the_prior_where_an_arc_does_not():
    a, b = draw_z('normal01', 2)
    norms = {path.__name__: np.linalg.norm(path(a, b, [0.5])[0])
             for path in (latent.lerp, latent.slerp)}
    assert norms['lerp'] < 8 and 9 < norms['slerp'] < 11      # sqrt(100) is 10


@pytest.mark.parametrize('factor', [1, 2])
def test_an_arc_between_the_same_directions_is_a_line(factor):
    a = draw_z('normal01', 1)[0]
    t = np.linspace(0, 1, 5)
    np.testing.assert_allclose(latent.slerp(a, factor * a, t),
                               latent.lerp(a, factor * a, t), atol=1e-5)


def test_an_arc_between_opposite_vectors_keeps_the_norm():
    a = draw_z('normal01', 1)[0]
    path = latent.slerp(a, -a, np.linspace(0, 1, 9))
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), np.linalg.norm(a),
                               rtol=1e-5)
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-4)


@pytest.mark.parametrize('a, b', [([0, 0], [0, 0]), ([0, 0], [1, 2]), ([2], [-2])])
def test_an_arc_of_zeros_or_of_one_dimension_is_finite(a, b):
    path = latent.slerp(a, b, [0, 0.5, 1])
    assert np.isfinite(path).all()
    np.testing.assert_array_equal(path[[0, -1]], [a, b])


@pytest.mark.parametrize('z_dist', PRIORS[1:])
def test_a_spherical_path_of_a_uniform_z_keeps_its_range_and_its_spread(z_dist):
    low, high = latent.RANGE[z_dist]
    a, b = draw_z(z_dist, 2, z_dim=20000)
    a[:2], b[:2] = (low, high), (high, low)
    middle = latent.sphere(a, b, [0.5], z_dist)[0]
    assert low <= middle.min() and middle.max() <= high
    assert middle.std() == pytest.approx(latent.deviation(z_dist), rel=0.02)
    line = latent.lerp(a, b, [0.5])[0]
    assert line.std() == pytest.approx(latent.deviation(z_dist) / 2 ** 0.5, rel=0.02)


@pytest.mark.parametrize('how', ['sphere', 'line'])
def test_a_loop_ends_where_it_began(how):
    stops = Inputs(draw_z('normal01', 3), np.eye(3, dtype=np.float32))
    way = latent.loop(stops, [0, 1, 2, 2.5, 3], how, 'normal01')
    np.testing.assert_array_equal(way.z[[0, 1, 2, 4]], stops.z[[0, 1, 2, 0]])
    np.testing.assert_allclose(way.y[3], [0.5, 0, 0.5])
    before = latent.loop(stops, [2.999], how, 'normal01').z[0]
    assert np.abs(before - stops.z[0]).max() < 0.02


@pytest.mark.parametrize('z_dist', PRIORS)
def test_a_dimension_moves_through_the_range_of_the_prior(z_dist, tiny_config):
    config = tiny_config(z_dist=z_dist, frames=8)
    values = walk.to_and_fro(config)
    low, high = latent.span(z_dist)
    assert (values.min(), values.max()) == (pytest.approx(low), pytest.approx(high))
    assert values[1] == pytest.approx(values[-1])         # closed
    start = Inputs(draw_z(z_dist, 2, z_dim=8), np.zeros((2, 0), np.float32))
    moved = walk.moved(start, np.array([5, 2]), [low, high])
    expected = start.z[[1, 1, 0, 0]]
    expected[:2, 5] = expected[2:, 2] = low, high
    np.testing.assert_array_equal(moved.z, expected)


def test_plausible_z():
    z = np.array([[3, 4, 0, 0], [0.1, 0, 0, 0]])
    np.testing.assert_allclose(latent.plausible(z, 'normal01'),
                               [[1.2, 1.6, 0, 0], [2, 0, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose(latent.plausible(z, 'uniform_signed'),
                               [[1, 1, 0, 0], [0.1, 0, 0, 0]])
    assert latent.plausible([-1], 'uniform_unsigned') == 0


@pytest.mark.parametrize('text, said', [
    ('3,x', "'3,x'"), ('', "''"), ('3,,4', 'commas'), ('-1,2', '-1'),
    ('3,64', '0 to 63'), ('3', '2 or more')])
def test_indices_that_cannot_be(text, said, tiny_config):
    with pytest.raises(UserError, match=said):
        latent.parse_indices(text, tiny_config(), 2)


# --- films -------------------------------------------------------------------

def test_the_command_of_ffmpeg():
    words = films.mp4_command('/bin/ffmpeg', (31, 20), 'a b.mp4')
    assert words[0] == '/bin/ffmpeg' and words[-1] == 'a b.mp4'
    pairs = list(zip(words, words[1:]))
    assert ('-s', '31x20') in pairs and ('-i', '-') in pairs
    assert [b for a, b in pairs if a == '-pix_fmt'] == ['rgb24', 'yuv420p']
    assert words.index('-s') < words.index('-i') < words.index('yuv420p')
    assert 'ceil(iw/2)*2:ceil(ih/2)*2' in words[words.index('-vf') + 1]


@pytest.fixture
def ffmpeg(tmp_path, monkeypatch):
    """Return a function that puts a script named ffmpeg, of Python, on the PATH."""
    def make(source):
        folder = tmp_path / 'bin'
        folder.mkdir()
        script = folder / 'ffmpeg'
        # by the shell: a #! line takes no path with a space in it
        (folder / 'body.py').write_text('import sys\n%s\n' % source)
        script.write_text('#!/bin/sh\nexec "%s" "%s" "$@"\n'
                          % (sys.executable, folder / 'body.py'))
        script.chmod(script.stat().st_mode | stat.S_IEXEC)
        monkeypatch.setenv('PATH', str(folder))
    return make


def make_frames(count=5):
    return (np.full((20, 30, 3), 40 * i, np.uint8) for i in range(count))


def test_frames_are_piped_to_ffmpeg(ffmpeg, tmp_path, capsys):
    ffmpeg("open(sys.argv[-1], 'wb').write(sys.stdin.buffer.read())")
    films.save_film(make_frames(), str(tmp_path / 'film'))
    data = np.fromfile(tmp_path / 'film.mp4', np.uint8).reshape(5, 160, 240, 3)
    np.testing.assert_array_equal(data[:, 0, 0, 0], [0, 40, 80, 120, 160])
    said = capsys.readouterr().out
    assert 'film.mp4' in said and 'film.gif' in said


def test_an_ffmpeg_that_fails_is_told_of_and_leaves_the_gif(ffmpeg, tmp_path, capsys):
    ffmpeg("sys.exit('no such encoder')")
    films.save_film((np.zeros((256, 256, 3), np.uint8) for _ in range(9)),
                    str(tmp_path / 'film'))
    said = capsys.readouterr().out
    assert 'no MP4' in said and 'status 1' in said and 'no such encoder' in said
    assert os.path.exists(tmp_path / 'film.gif')
    assert not os.path.exists(tmp_path / 'film.mp4')


def test_without_ffmpeg_there_is_a_gif_that_repeats(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('PATH', str(tmp_path))
    films.save_film(make_frames(), str(tmp_path / 'film'))
    assert 'ffmpeg is not installed' in capsys.readouterr().out
    with Image.open(tmp_path / 'film.gif') as film:
        assert film.n_frames == 5 and film.info['loop'] == 0
        assert film.size == (30 * 8, 20 * 8)


def test_a_fault_while_drawing_leaves_no_half_film(ffmpeg, tmp_path):
    ffmpeg("open(sys.argv[-1], 'wb').write(sys.stdin.buffer.read())")

    def broken():
        yield from make_frames(2)
        raise MemoryError
    with pytest.raises(MemoryError):
        films.save_film(broken(), str(tmp_path / 'film'))
    assert sorted(os.listdir(tmp_path)) == ['bin']


# --- the task ----------------------------------------------------------------

@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Save untrained tiny runs, one plain, one of two labels; return their folder."""
    root = tmp_path_factory.mktemp('walk')
    tiny_runs.save(root, 'plain')
    tiny_runs.save(root, 'labels', ('dark', 'light'))
    return root


@pytest.fixture
def call(trained, tmp_path, monkeypatch):
    """Return a function that runs --task walk; give the files that it wrote."""
    monkeypatch.setenv('PATH', str(tmp_path))

    def run(name, *more):
        with tf.Graph().as_default():
            status = main.main(['--dataset', 'flat', '--checkpoint_dir', str(trained),
                                '--name', name, '--sample_dir', str(tmp_path / 's'),
                                '--task', 'walk', '--frames', '4', *more])
        folder = tmp_path / 's' / name
        return status, {file: folder / file for file in os.listdir(folder)} if (
            folder.exists()) else {}
    return run


def size(path):
    with Image.open(path) as image:
        return image.size[::-1] + (getattr(image, 'n_frames', 1),)


def cells(rows, columns):
    return rows * 18 - 2, columns * 18 - 2, 1


@pytest.mark.parametrize('name, more, expected', [
    ('plain', [], cells(6, 10)), ('plain', ['--indices', '3,1'], cells(2, 10)),
    ('labels', [], cells(2, 13)), ('labels', ['--label', 'dark'], cells(6, 10)),
    ('labels', ['--indices', '1,12,5'], cells(3, 10))])
def test_a_walk_is_a_sheet_and_a_film(call, name, more, expected):
    status, files = call(name, *more)
    assert status == 0 and sorted(files) == ['walk_sphere.gif', 'walk_sphere.png']
    assert size(files['walk_sphere.png']) == expected
    assert size(files['walk_sphere.gif'])[2] == 4


def test_a_walk_begins_with_the_image_of_the_sheet(call, trained, tmp_path):
    _, files = call('plain', '--indices', '9,2')
    assert main.main(['--checkpoint_dir', str(trained), '--name', 'plain',
                      '--sample_dir', str(tmp_path / 's')]) == 0
    sheet = np.asarray(Image.open(tmp_path / 's' / 'plain' / 'test.png')).astype(int)
    rows = np.asarray(Image.open(files['walk_sphere.png'])).astype(int)
    assert np.abs(sheet[18:34, 18:34] - rows[:16, :16]).max() <= 1      # number 9
    assert np.abs(sheet[:16, 36:52] - rows[18:34, :16]).max() <= 1      # number 2


def test_a_walk_goes_between_pictures_of_a_file(call, trained, tmp_path, capsys):
    z = draw_z('normal01', 3, 5, 8)
    np.savez(tmp_path / 'mine.npz', z=z, y=np.eye(2)[[1, 0, 1]])
    given = ['--z', str(tmp_path / 'mine.npz')]
    status, files = call('labels', *given)
    assert status == 0 and size(files['walk_sphere.png']) == cells(3, 10)
    rows = np.asarray(Image.open(files['walk_sphere.png'])).astype(int)
    with tf.Graph().as_default():
        main.main(['--checkpoint_dir', str(trained), '--name', 'labels',
                   '--sample_dir', str(tmp_path / 's'), *given])
    sheet = np.asarray(Image.open(tmp_path / 's' / 'labels' / 'from_mine.png'))
    for i, place in enumerate([(0, 0), (0, 18), (18, 0)]):
        cell = sheet[place[0]:place[0] + 16, place[1]:place[1] + 16].astype(int)
        assert np.abs(cell - rows[18 * i:18 * i + 16, :16]).max() <= 1
    status, files = call('labels', *given, '--indices', '2,0')
    assert status == 0 and size(files['walk_sphere.png']) == cells(2, 10)
    np.savez(tmp_path / 'mine.npz', z=z[:1])
    status, files = call('plain', *given)
    assert status == 2 and 'holds one image' in capsys.readouterr().err


def test_dimensions_are_rows_of_a_sheet_by_how_much_they_change(call, capsys):
    status, files = call('plain', '--walk', 'dimensions')
    assert status == 0 and size(files['walk_dimensions.png']) == cells(8, 10)
    said = capsys.readouterr().out
    order = said.partition('first: ')[2].partition('\n')[0]
    assert sorted(order.split(', ')) == list('01234567')
    sheet = np.asarray(Image.open(files['walk_dimensions.png'])).astype(float)
    changes = [np.abs(sheet[top:top + 16, :16] - sheet[top:top + 16, -16:]).mean()
               for top in range(0, 8 * 18, 18)]
    assert all(a > b - 0.5 for a, b in zip(changes, changes[1:]))
    assert changes[0] > changes[-1]


@pytest.mark.slow
@pytest.mark.parametrize('mode', ['dimensions_random', 'dimensions_each'])
def test_a_film_for_each_dimension(call, mode):
    status, files = call('labels', '--walk', mode)
    assert status == 0 and list(files) == ['walk_' + mode]
    assert sorted(os.listdir(files['walk_' + mode])) == [
        'z%03d.gif' % i for i in range(8)]


def test_all_dimensions_in_one_film(call):
    status, files = call('plain', '--walk', 'dimensions_merged')
    assert status == 0 and list(files) == ['walk_dimensions_merged.gif']
    side = 3 * 18 - 2
    assert size(files['walk_dimensions_merged.gif']) == (4 * side, 4 * side, 4)


def test_wrong_indices_end_before_anything_is_written(call, capsys):
    status, files = call('plain', '--indices', '3,99')
    assert status == 2 and not files
    assert 'Index 99' in capsys.readouterr().err


def test_the_modes_of_visualize_are_named():
    modes = next(f.metadata['choices'] for f in flags.fields() if f.name == 'walk')
    for mode in modes[2:]:
        assert mode in parser.REPLACED['visualize']
        assert mode in parser.help_text()
    assert tuple(modes[:2]) == walk.FROM_Z_TO_Z
