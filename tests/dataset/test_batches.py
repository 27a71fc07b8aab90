"""Data sets: the table, the packed cache, and the batches from it."""

import itertools
import os
import struct
import zlib

import numpy as np
import pytest
import test_sources
from PIL import Image
from test_sources import (
    cache_files,
    cache_path,
    grays,
    load,
    make_config,
    make_zip,
    numbered,
    paint,
)

import utils
from dataset import batches, cache, packing
from settings.config import Config
from settings.errors import UserError

RED, GREEN = (255, 0, 0), (0, 255, 0)
data = test_sources.data


# --- transform ---------------------------------------------------------------

def test_a_folder_is_resized_whole_or_cropped(data):
    image = Image.new('RGB', (32, 16), GREEN)
    image.paste(RED, (8, 0, 24, 16))         # the central square is red
    (data / 'mine').mkdir()
    image.save(str(data / 'mine' / 'a.png'))
    whole = load(data)[0].images[0]
    assert whole[4, 0].tolist() == list(GREEN) and whole[4, 4].tolist() == list(RED)
    cropped = load(data, crop=True)[0].images[0]
    np.testing.assert_array_equal(cropped, np.full((8, 8, 3), RED))
    sized = load(data, crop=True, input_height=16, input_width=32)[0].images[0]
    np.testing.assert_array_equal(sized, whole)


def test_output_size_and_channels(data):
    paint(data / 'mine' / 'a.png', RED, (20, 30))
    assert load(data, output_height=9, output_width=13)[0].images.shape == (1, 9, 13, 3)
    gray = load(data, c_dim=1)[0].images
    np.testing.assert_array_equal(gray, np.full((1, 8, 8, 1), 76))


# --- the cache ---------------------------------------------------------------

def test_first_use_packs_and_later_ones_reuse(data):
    numbered(data / 'mine', 5)
    loaded, echoed = load(data)
    assert 'packing 5 images of mine into' in echoed[0] and '0.96 kB' in echoed[0]
    assert echoed[1:] == ['look at how they came out: %s' % cache_path(data, '.png')]
    assert len(cache_files(data)) == 4
    before = {name: (os.stat(str(data / '.cache' / name)).st_ino,
                     os.stat(str(data / '.cache' / name)).st_mtime_ns)
              for name in cache_files(data)}
    again, echoed = load(data)
    assert echoed == []
    assert grays(again) == grays(loaded) == [0, 1, 2, 3, 4]
    assert before == {name: (os.stat(str(data / '.cache' / name)).st_ino,
                             os.stat(str(data / '.cache' / name)).st_mtime_ns)
                      for name in cache_files(data)}


def test_the_cache_is_the_same_seen_from_another_folder(data, monkeypatch):
    numbered(data / 'mine', 3)
    assert load(data)[1]
    monkeypatch.chdir(data)
    assert load('.')[1] == []
    monkeypatch.chdir(data / 'mine')
    assert load('../../data')[1] == []


def later(path):
    """Give a file a time of change of its own, as a clock's tick would."""
    stat = os.stat(str(path))
    os.utime(str(path), ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**6))


def repaint(folder):
    paint(folder / '001.png', 99)
    later(folder / '001.png')


@pytest.mark.parametrize('change, expected', [
    (repaint, [0, 99, 2]),
    (lambda folder: paint(folder / '0015.png', 50), [0, 1, 50, 2]),
    (lambda folder: os.remove(str(folder / '001.png')), [0, 2]),
    (lambda folder: os.rename(str(folder / '000.png'), str(folder / '9.png')),
     [1, 2, 0])])
def test_the_cache_is_made_again_when_the_source_changes(data, change, expected):
    numbered(data / 'mine', 3)
    old, _ = load(data)
    change(data / 'mine')
    loaded, echoed = load(data)
    assert 'packing' in echoed[0]
    assert grays(loaded) == expected
    assert grays(old) == [0, 1, 2], 'a training that maps the old cache lost it'
    assert load(data)[1] == []


@pytest.mark.parametrize('flags', [
    dict(output_height=9), dict(output_width=9), dict(c_dim=1), dict(crop=True),
    dict(crop=True, input_height=4), dict(crop=True, input_height=4, input_width=5),
    dict(train_size=2), dict(input_fname_pattern='*.p*')])
def test_the_cache_is_made_again_when_a_flag_changes(data, flags):
    numbered(data / 'mine', 3)
    load(data)
    assert 'packing' in load(data, **flags)[1][0]
    assert load(data, **flags)[1] == []


@pytest.mark.parametrize('flags', [
    dict(batch_size=3), dict(seed=5), dict(threads=2), dict(input_height=4),
    dict(learning_rate=0.1)])
def test_other_flags_leave_the_cache_alone(data, flags):
    numbered(data / 'mine', 3)
    load(data)
    assert load(data, **flags)[1] == []


def test_one_cache_serves_with_labels_and_without(data):
    numbered(data / 'mine' / 'a', 2)
    numbered(data / 'mine' / 'b', 2)
    load(data)
    loaded, echoed = load(data, conditional=True)
    assert echoed == ['mine: labels: a (2), b (2)']
    assert loaded.labels.tolist() == [0, 0, 1, 1]


def test_caches_of_other_choices_do_not_get_mixed_up(data):
    for first, name in enumerate('ab'):
        for i in range(4):
            paint(data / 'mine' / name / ('%d.png' % i), 10 * first + i)
    config = make_config(data, train_size=4)
    ways = [config, config.replace(chosen_by=1), config.replace(chosen_by=None),
            config.replace(chosen_by=None, conditional=True)]
    first = [grays(batches.load(way, print)) for way in ways]
    assert first[2:] == [[0, 1, 2, 3], [0, 1, 10, 11]]
    assert first[0] != first[1] and first[0] not in first[2:]
    echoed = []
    assert [grays(batches.load(way, echoed.append)) for way in ways] == first
    assert echoed == ['mine: labels: a (2), b (2)']        # of the last; none packed


@pytest.mark.parametrize('ending', ['.npy', '.json'])
@pytest.mark.parametrize('spoil', [
    lambda path: os.remove(path), lambda path: os.truncate(path, 0),
    lambda path: os.truncate(path, os.path.getsize(path) - 1)])
def test_a_cache_of_which_a_file_is_lost_or_cut_is_made_again(data, ending, spoil):
    numbered(data / 'mine' / 'a', 2)
    numbered(data / 'mine' / 'b', 2)
    load(data, conditional=True)
    spoil(str(cache_path(data, ending)))
    loaded, echoed = load(data, conditional=True)
    assert 'packing' in echoed[0]
    assert grays(loaded) == [0, 1, 0, 1] and loaded.labels.tolist() == [0, 0, 1, 1]


def test_cache_dir_may_lie_elsewhere(data, tmp_path):
    numbered(data / 'mine', 2)
    load(data, cache_dir=str(tmp_path / 'there' / 'cache'))
    assert cache_files(data) == []
    assert len(os.listdir(str(tmp_path / 'there' / 'cache'))) == 4


def test_a_cache_that_cannot_be_written_says_so(data, tmp_path):
    numbered(data / 'mine', 2)
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='--cache_dir'):
        load(data, cache_dir=str(tmp_path / 'file' / 'cache'))


def test_the_cache_is_a_plain_npy_file_mapped_into_memory(data):
    numbered(data / 'mine', 3)
    loaded, _ = load(data)
    assert type(loaded.images) is np.memmap
    assert not loaded.images.flags.writeable
    path = str(cache_path(data, '.npy'))
    for mode in (None, 'r'):
        array = np.load(path, mmap_mode=mode)
        assert (array.dtype, array.shape) == (np.uint8, (3, 8, 8, 3))
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array, loaded.images)


@pytest.mark.parametrize('count', [0, 1, 64, 202599, 10**12])
def test_the_header_does_not_grow_with_the_count(count, tmp_path):
    header = cache.npy_header(count, (64, 64, 3))
    assert len(header) == len(cache.npy_header(0, (64, 64, 3)))
    assert len(header) % 64 == 0
    path = tmp_path / 'header'
    path.write_bytes(header)
    with open(str(path), 'rb') as file:
        assert np.lib.format.read_magic(file) == (1, 0)
        assert np.lib.format.read_array_header_1_0(file) == (
            (count, 64, 64, 3), False, np.dtype(np.uint8))
        assert file.read() == b''


def test_an_interrupted_packing_is_not_used_later(data, monkeypatch):
    numbered(data / 'mine', 4)
    load(data)
    repaint(data / 'mine')
    real, calls = packing.get_image, []

    def interrupt(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(packing, 'get_image', interrupt)
    with pytest.raises(KeyboardInterrupt):
        load(data)
    assert not [name for name in cache_files(data) if '.part' in name]
    monkeypatch.setattr(packing, 'get_image', real)
    loaded, echoed = load(data)
    assert 'packing' in echoed[0]
    assert grays(loaded) == [0, 99, 2, 3]


# --- what cannot be used -----------------------------------------------------

def test_bad_images_are_counted_named_with_the_reason_and_left_out(data):
    numbered(data / 'mine', 4)
    (data / 'mine' / '0005.png').write_bytes(b'not an image')
    whole = (data / 'mine' / '003.png').read_bytes()
    (data / 'mine' / 'sub').mkdir()
    (data / 'mine' / 'sub' / 'cut.png').write_bytes(whole[:-30])
    huge = whole[:16] + struct.pack('>II', 20000, 20000) + whole[24:]
    (data / 'mine' / 'huge.png').write_bytes(fix_header(huge))
    loaded, echoed = load(data)
    assert grays(loaded) == [0, 1, 2, 3]
    report = cache_path(data, '.report.txt')
    assert echoed[1] == '3 of 7 images could not be used; see %s' % report
    lines = report.read_text().splitlines()
    assert [line.split(': ')[0] for line in lines] == ['0005.png', 'huge.png',
                                                       'sub/cut.png']
    assert lines[0] == '0005.png: not a kind of image that Pillow opens'
    assert lines[1].endswith(
        'ValueError: 400000000 pixels, more than the limit of 89478485')
    assert len(lines[2]) > len('sub/cut.png: ')
    assert load(data)[1] == echoed[1:2], 'it is said at each start'


def fix_header(content):
    """Return a PNG with the checksum of its changed header."""
    return content[:29] + struct.pack('>I', zlib.crc32(content[12:29])) + content[33:]


def test_a_good_data_set_has_an_empty_report(data):
    numbered(data / 'mine', 3)
    load(data)
    assert cache_path(data, '.report.txt').read_text() == ''


def test_half_may_be_bad_and_more_stops_the_run(data):
    numbered(data / 'mine', 2)
    for name in ('x.png', 'y.png'):
        (data / 'mine' / name).write_bytes(b'')
    assert grays(load(data)[0]) == [0, 1]
    (data / 'mine' / 'z.png').write_bytes(b'')
    for _ in range(2):                       # the second time as the first
        with pytest.raises(UserError) as caught:
            load(data)
        message = str(caught.value)
        assert '3 of 5 images cannot be used, more than half' in message
        assert 'x.png: ' in message
        report = cache_path(data, '.report.txt')
        assert str(report) in message
        assert len(report.read_text().splitlines()) == 3
        assert cache_files(data) == [report.name], 'something half made is left'
    os.remove(str(data / 'mine' / 'z.png'))
    assert grays(load(data)[0]) == [0, 1]


def test_a_report_names_files_whatever_their_names_are(data):
    numbered(data / 'mine', 2)
    folder = os.fsencode(str(data / 'mine'))
    for name in (b'caf\xe9.png', 'größe.png'.encode(), b'two\nlines.png'):
        with open(os.path.join(folder, name), 'wb') as file:
            file.write(b'broken')
    with pytest.raises(UserError, match='3 of 5'):
        load(data)
    lines = cache_path(data, '.report.txt').read_text(encoding='utf-8').splitlines()
    assert len(lines) == 3
    assert lines[0].startswith('caf\\udce9.png: ')
    assert lines[1].startswith('größe.png: ')
    assert lines[2].startswith('two\\nlines.png: ')


def test_bad_members_of_a_zip_are_named(data):
    numbered(data / 'unpacked', 3)
    (data / 'unpacked' / 'bad.png').write_bytes(b'broken')
    make_zip(data / 'unpacked', data / 'mine' / 'images.zip')
    assert grays(load(data)[0]) == [0, 1, 2]
    assert cache_path(data, '.report.txt').read_text() == (
        'bad.png: not a kind of image that Pillow opens\n')


# --- worker processes --------------------------------------------------------

def test_workers_pack_the_same_bytes(data, tmp_path):
    numbered(data / 'mine', 256)
    for i in range(260):
        paint(data / 'mine' / 'colour' / ('%03d.png' % i), (i % 256, 255 - i % 256, 7))
    for i in (3, 200, 259):
        (data / 'mine' / 'colour' / ('%03d.png' % i)).write_bytes(b'broken')
    results = []
    for threads in (1, 2):
        cache = tmp_path / ('cache%d' % threads)
        loaded, _ = load(data, threads=threads, cache_dir=str(cache))
        assert len(loaded) == 513
        results.append({name: (cache / name).read_bytes()
                        for name in os.listdir(str(cache))})
    assert results[0] == results[1]


def die(*_, **__):
    os._exit(1)


def test_a_worker_that_dies_ends_the_run(data, monkeypatch):
    numbered(data / 'mine', 512)
    monkeypatch.setattr(packing, 'pack_image', die)
    with pytest.raises(UserError, match='--threads 1'):
        load(data, threads=2)
    assert cache_files(data) == []


# --- batches -----------------------------------------------------------------

def made(count, classes=0):
    """Make a data set in memory whose images are of the gray of their number."""
    images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None],
                             (count, 4, 4, 3))
    if not classes:
        return batches.Dataset(images)
    return batches.Dataset(images, np.arange(count) % classes,
                           ['c%d' % i for i in range(classes)])


def numbers(batch):
    """Return which images a batch is made of."""
    return utils.inverse_transform(batch[0])[:, 0, 0, 0].tolist()


def test_a_batch_is_float32_from_minus_1_to_1_without_labels():
    images, y = made(256).batch(0, 256, 0)
    assert (images.dtype, images.shape, y) == (np.float32, (256, 4, 4, 3), None)
    assert type(images) is np.ndarray
    assert images.min() == -1 and images.max() == 1
    np.testing.assert_array_equal(np.sort(images[:, 0, 0, 0]),
                                  utils.transform(np.arange(256, dtype=np.uint8)))
    assert (images == images[:, :1, :1, :1]).all()


def test_an_epoch_takes_every_image_once():
    data = made(20)
    assert data.steps_per_epoch(4) == 5
    seen = [numbers(data.batch(step, 4, 0)) for step in range(10)]
    first, second = sum(seen[:5], []), sum(seen[5:], [])
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second and first != list(range(20))


def test_left_overs_wait_for_the_next_epoch():
    data = made(10)
    assert data.steps_per_epoch(4) == 2
    seen = set()
    for epoch in range(30):
        taken = [n for step in (0, 1) for n in numbers(data.batch(2 * epoch + step,
                                                                  4, 0))]
        assert len(set(taken)) == 8
        seen |= set(taken)
    assert seen == set(range(10))


def test_a_batch_is_a_function_of_seed_and_step_alone():
    steps = list(range(12))
    data = made(20)
    in_order = [numbers(data.batch(step, 4, 7)) for step in steps]
    shuffled = {}
    for step in np.random.default_rng(0).permutation(steps).tolist():
        data.batch(step, 5, 8)               # other calls between change nothing
        shuffled[step] = numbers(data.batch(step, 4, 7))
    assert [shuffled[step] for step in steps] == in_order
    assert [numbers(made(20).batch(step, 4, 7)) for step in steps] == in_order
    assert len({tuple(batch) for batch in in_order}) == 12


def test_seeds_and_epochs_differ():
    orders = {tuple(numbers(made(64).batch(step, 64, seed)))
              for seed in range(5) for step in range(5)}
    assert len(orders) == 25


def test_the_permutation_is_this_one():
    """A run must go on with the same batches under a later version of the program."""
    assert numbers(made(10).batch(0, 5, 0)) == THE_FIRST
    assert numbers(made(10).batch(3, 5, 1)) == THE_FOURTH


def test_images_are_mirrored_half_of_the_time_by_seed_and_number():
    data = batches.Dataset(np.random.default_rng(0).integers(
        0, 256, (20, 5, 4, 3), np.uint8), np.arange(20) % 2, ['a', 'b'])
    found = {}
    for seed, number in itertools.product((7, 8), range(100)):
        plain, labels = data.batch(number, 10, seed)
        images, y = data.batch(number, 10, seed, flip=True)
        same = (images == plain).all((1, 2, 3))
        mirrored = (images == plain[:, :, ::-1]).all((1, 2, 3))
        assert (same ^ mirrored).all() and (y == labels).all()
        found[seed, number] = tuple(mirrored)
    assert np.mean(list(found.values())) == pytest.approx(0.5, abs=0.05)
    assert len(set(found.values())) > 150        # another for another seed or number
    again = batches.Dataset(data.images).batch(41, 10, 7, flip=True)[0]
    expected = data.batch(41, 10, 7)[0]
    for i, mirrored in enumerate(found[7, 41]):
        np.testing.assert_array_equal(again[i], expected[i, :, ::-1] if mirrored
                                      else expected[i])
    assert found[7, 3][:6] == THE_FLIPS


THE_FLIPS = False, True, True, True, False, False      # in later versions too
THE_FIRST, THE_FOURTH = [4, 6, 2, 7, 3], [0, 3, 5, 9, 8]


def test_labels_are_one_hot_and_belong_to_their_images():
    data = made(12, classes=3)
    for step in range(6):
        batch = data.batch(step, 4, 0)
        y = batch[1]
        assert (y.dtype, y.shape) == (np.float32, (4, 3))
        assert np.unique(y).tolist() == [0, 1]
        np.testing.assert_array_equal(y.sum(1), np.ones(4))
        assert y.argmax(1).tolist() == [n % 3 for n in numbers(batch)]


def test_one_hot():
    assert batches.one_hot([2, 0], 3).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_a_data_set_smaller_than_a_batch_says_so():
    assert made(8).steps_per_epoch(8) == 1
    for call in (made(7).steps_per_epoch, lambda size: made(7).batch(0, size, 0)):
        with pytest.raises(UserError, match='has 7 images, fewer than one batch of 8'):
            call(8)


def test_batches_come_from_the_mapped_cache(data):
    numbered(data / 'mine', 6)
    loaded, _ = load(data)
    assert sorted(numbers(loaded.batch(0, 6, 0))) == list(range(6))
    assert type(loaded.images) is np.memmap


def test_a_second_process_waits_for_the_first_to_pack(tmp_path, make_images):
    make_images(str(tmp_path / 'data' / 'mine'), 4)
    config = Config.make(dict(dataset='mine', output_height=8,
                              data_dir=str(tmp_path / 'data')), {})
    base, said = cache.cache_base(config), []
    os.makedirs(os.path.dirname(base))
    first = open(base + '.lock', 'a')
    assert cache.claim(first)

    def echo(text):
        said.append(text)
        first.close()       # it is done, or has died
    assert len(batches.load(config, lambda text: 'waiting' in text and echo(text))) == 4
    assert said == ['waiting for another process, which packs them']
    assert not os.path.exists(base + '.lock')
