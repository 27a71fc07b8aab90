"""Pictures and files: ranges, sheets, atomic writes."""

import os
import threading
import time

import numpy as np
import pytest
from PIL import Image, ImageSequence

import utils

# --- ranges ------------------------------------------------------------------

def test_transform_maps_0_and_255_to_the_ends_of_the_range():
    images = np.array([[0, 255], [51, 204]], np.uint8)
    result = utils.transform(images)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, [[-1, 1], [-0.6, 0.6]], rtol=0, atol=2.5e-7)
    assert result.min() == -1 and result.max() == 1
    assert images.tolist() == [[0, 255], [51, 204]], 'the input was changed'


def test_inverse_transform_undoes_transform_for_each_of_256_values():
    values = np.arange(256, dtype=np.uint8).reshape(2, 4, 32, 1)
    result = utils.inverse_transform(utils.transform(values))
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, values)


def test_inverse_transform_rounds_and_clips():
    values = [-7, -1.001, -1, -0.9973, -0.9951, 0, 1, 1.001, 7]
    assert utils.inverse_transform(values).tolist() == [0, 0, 0, 0, 1, 128, 255,
                                                        255, 255]


# --- sheets ------------------------------------------------------------------

@pytest.mark.parametrize('count, size', [
    (1, (1, 1)), (2, (1, 2)), (3, (2, 2)), (5, (2, 3)), (7, (3, 3)), (10, (3, 4)),
    (64, (8, 8)), (65, (8, 9)), (100, (10, 10))])
def test_sheet_sizes_hold_any_number(count, size):
    assert utils.image_manifold_size(count) == size


def test_merge_places_every_pixel():
    images = utils.transform(np.arange(5 * 2 * 3 * 3, dtype=np.uint8)
                             .reshape(5, 2, 3, 3))
    expected = np.full((2 * 2 + 1, 3 * 3 + 2, 3), 255, np.uint8)
    for index, (top, left) in enumerate([(0, 0), (0, 4), (0, 8), (3, 0), (3, 4)]):
        expected[top:top + 2, left:left + 3] = utils.inverse_transform(images[index])
    np.testing.assert_array_equal(utils.merge(images, (2, 3), gap=1), expected)


def test_merge_keeps_two_white_pixels_between_and_none_around():
    sheet = utils.merge(np.full((4, 3, 3, 3), -1, np.float32), (2, 2))
    assert sheet.shape == (8, 8, 3)
    white = (sheet == 255).all(-1)
    np.testing.assert_array_equal(white[0], [0, 0, 0, 1, 1, 0, 0, 0])
    np.testing.assert_array_equal(white[:, 0], [0, 0, 0, 1, 1, 0, 0, 0])
    assert white.sum() == 8 * 8 - 4 * 9


def test_merge_leaves_the_place_of_none_white():
    image = np.full((2, 2, 1), -1, np.float32)
    sheet = utils.merge([None, image, None], (2, 2), gap=0)
    np.testing.assert_array_equal(sheet[:, :, 0], [
        [255, 255, 0, 0], [255, 255, 0, 0], [255] * 4, [255] * 4])


def test_merge_refuses_more_than_fit():
    with pytest.raises(ValueError, match='5 images do not fit on a sheet of 2 x 2'):
        utils.merge(np.zeros((5, 2, 2, 3)), (2, 2))


@pytest.mark.parametrize('channels, mode', [(1, 'L'), (3, 'RGB')])
def test_save_images_writes_the_sheet_as_png(tmp_path, channels, mode):
    images = np.random.default_rng(0).uniform(-1, 1, (3, 4, 5, channels))
    path = str(tmp_path / 'new' / 'sheet.png')
    assert utils.save_images(images, (2, 2), path) == path
    with Image.open(path) as sheet:
        assert (sheet.format, sheet.mode, sheet.size) == ('PNG', mode, (12, 10))
        np.testing.assert_array_equal(
            np.asarray(sheet).reshape(10, 12, channels), utils.merge(images, (2, 2)))


# --- animations --------------------------------------------------------------

def write_frames(folder, count):
    """Write PNGs of one colour each, all different; return their paths."""
    paths = []
    for i in range(count):
        paths.append(str(folder / ('%03d.png' % i)))
        Image.new('RGB', (8, 6), (2 * i, 255 - 2 * i, 128)).save(paths[-1])
    return paths


def frames_of(path):
    """Return the colours and the durations of a GIF's frames, and its loop."""
    with Image.open(path) as gif:
        frames = [(frame.convert('RGB').getpixel((4, 3)), frame.info['duration'])
                  for frame in ImageSequence.Iterator(gif)]
        return [f[0] for f in frames], [f[1] for f in frames], gif.info['loop']


def test_make_gif_shows_all_of_few_pictures(tmp_path):
    path = str(tmp_path / 'out.gif')
    assert utils.make_gif(write_frames(tmp_path, 5), path) == path
    colours, durations, loop = frames_of(path)
    assert colours == [(2 * i, 255 - 2 * i, 128) for i in range(5)]
    assert durations == [1600] * 4 + [3600]
    assert loop == 0                         # for ever


def test_make_gif_chooses_evenly_among_many_and_keeps_the_ends(tmp_path):
    path = str(tmp_path / 'out.gif')
    utils.make_gif(write_frames(tmp_path, 101), path, seconds=1, most=11, hold=0.5)
    colours, durations, _ = frames_of(path)
    assert [red // 2 for red, _, _ in colours] == list(range(0, 101, 10))
    assert durations == [90] * 10 + [590]


def test_make_gif_of_one_picture_and_of_none(tmp_path):
    path = str(tmp_path / 'out.gif')
    utils.make_gif(write_frames(tmp_path, 1), path)
    with Image.open(path) as gif:
        assert (gif.n_frames, gif.size) == (1, (8, 6))
    with pytest.raises(ValueError, match='no pictures'):
        utils.make_gif([], path)


# --- files -------------------------------------------------------------------

def test_atomic_write_takes_the_place_of_the_old_file(tmp_path):
    path = tmp_path / 'a' / 'b' / 'file.txt'
    with utils.atomic_write(str(path), 'w') as file:
        file.write('größe\n')
        assert not path.exists()
    with utils.atomic_write(str(path)) as file:
        file.write(b'new')
        file.flush()
        assert path.read_text(encoding='utf-8') == 'größe\n'
    assert path.read_bytes() == b'new'
    assert os.listdir(str(path.parent)) == ['file.txt']


def test_a_signal_just_after_the_renaming_is_still_that_signal(tmp_path, monkeypatch):
    replace = os.replace

    def interrupted(source, path):
        replace(source, path)
        raise KeyboardInterrupt
    monkeypatch.setattr(os, 'replace', interrupted)
    with pytest.raises(KeyboardInterrupt), utils.atomic_write(str(tmp_path / 'a')):
        pass
    assert os.listdir(tmp_path) == ['a']


@pytest.mark.parametrize('error', [ValueError, KeyboardInterrupt, SystemExit])
def test_atomic_write_keeps_the_old_file_on_an_exception(tmp_path, error):
    path = tmp_path / 'file'
    path.write_bytes(b'old')
    with pytest.raises(error), utils.atomic_write(str(path)) as file:
        file.write(b'half')
        raise error('stop')
    assert path.read_bytes() == b'old'
    assert os.listdir(str(tmp_path)) == ['file']


def test_atomic_write_leaves_nothing_where_the_path_cannot_be(tmp_path):
    (tmp_path / 'folder').mkdir()
    with pytest.raises(OSError), utils.atomic_write(str(tmp_path / 'folder')) as file:
        file.write(b'x')
    assert os.listdir(str(tmp_path)) == ['folder']


@pytest.mark.parametrize('mask, mode', [(0o022, 0o644), (0o077, 0o600), (0, 0o666)])
def test_atomic_write_gives_the_permissions_of_the_umask(tmp_path, mask, mode):
    path = str(tmp_path / 'file')
    before = os.umask(mask)
    try:
        with utils.atomic_write(path):
            pass
    finally:
        assert os.umask(before) == mask, 'the umask was changed'
    assert os.stat(path).st_mode & 0o777 == mode


def test_atomic_write_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with utils.atomic_write('file', 'w') as file:
        file.write('x')
    assert (tmp_path / 'file').read_text() == 'x'


def test_cores_are_those_of_this_process():
    assert 1 <= utils.cores() <= os.cpu_count()


# --- the terminal ------------------------------------------------------------

def test_quiet_holds_back_what_c_code_prints(capfd):
    with utils.quiet():
        os.write(2, b'noise')
    os.write(2, b'word')
    assert capfd.readouterr().err == 'word'


def test_quiet_prints_all_of_it_on_an_exception(capfd):
    with pytest.raises(ImportError), utils.quiet():
        os.write(2, b'the reason')
        raise ImportError('no')
    assert capfd.readouterr().err == 'the reason'


def test_two_threads_that_hide_stderr_put_it_back(capfd):
    def hide(seconds):
        with utils.quiet():
            time.sleep(seconds)
            os.write(2, b'noise')
    threads = [threading.Thread(target=hide, args=[i / 50]) for i in (2, 1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b'word')
    assert capfd.readouterr().err == 'word'


class Variable:
    """What show_all_variables asks of a TensorFlow variable."""

    def __init__(self, name, shape):
        self.name = name
        self.shape = self
        self.dimensions = shape

    def as_list(self):
        return self.dimensions


def test_show_all_variables_counts_them():
    text = utils.show_all_variables([Variable('g/w:0', [5, 5, 3, 16]),
                                     Variable('g/bias:0', [16])])
    rows = [line.split() for line in text.splitlines()]
    assert rows == [['g/w', '5x5x3x16', '1,200'], ['g/bias', '16', '16'],
                    ['total', '1,216']]


def test_tensorflow_environment_keeps_what_the_user_has_set(monkeypatch):
    monkeypatch.setattr('platform.machine', lambda: 'x86_64')
    monkeypatch.setenv('TF_ENABLE_ONEDNN_OPTS', '0')
    monkeypatch.delenv('TF_CPP_MIN_LOG_LEVEL', raising=False)
    assert utils.tensorflow_environment() == {
        'TF_CPP_MIN_LOG_LEVEL': '2', 'TF_ENABLE_ONEDNN_OPTS': '0'}
    monkeypatch.delenv('TF_ENABLE_ONEDNN_OPTS')
    assert utils.tensorflow_environment()['TF_ENABLE_ONEDNN_OPTS'] == '1'
    monkeypatch.setattr('platform.machine', lambda: 'aarch64')
    assert 'TF_ENABLE_ONEDNN_OPTS' not in utils.tensorflow_environment()
