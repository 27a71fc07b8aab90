"""Data sets: what is found where, the packed cache, and the batches from it."""

import gzip
import os
import shutil
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

import dataset
import utils
from config import Config, NotFoundError, UserError

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.fixture
def data(tmp_path):
    """Return the folder of the data sets."""
    folder = tmp_path / 'data'
    folder.mkdir()
    return folder


def make_config(data, name='mine', **given):
    given = dict(dict(dataset=name, data_dir=str(data), output_height=8, threads=1),
                 **given)
    return Config.make(given, dataset.defaults(name))


def load(data, name='mine', **given):
    """Load a data set; return it and what it printed."""
    echoed = []
    loaded = dataset.load(make_config(data, name, **given), echoed.append)
    return loaded, echoed


def paint(path, colour, size=(8, 8), **options):
    """Write a picture of one colour, its folder too."""
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    Image.new('RGB' if isinstance(colour, tuple) else 'L', size, colour).save(
        str(path), **options)


def numbered(folder, count, size=(8, 8)):
    """Write PNGs 000.png, 001.png, … each of the gray of its number."""
    for i in range(count):
        paint(folder / ('%03d.png' % i), i, size)


def grays(loaded):
    """Return the first value of each image."""
    return np.asarray(loaded.images)[:, 0, 0, 0].tolist()


def cache_files(data):
    folder = data / '.cache'
    return sorted(os.listdir(str(folder))) if folder.exists() else []


def cache_path(data, ending):
    name, = (name for name in cache_files(data) if name.endswith(ending))
    return data / '.cache' / name


# --- what is found in a folder -----------------------------------------------

def test_a_folder_is_read_recursively_whatever_the_case(data):
    paint(data / 'mine' / 'c.PNG', 3)
    paint(data / 'mine' / 'a.JpG', 1, format='JPEG', quality=95)
    paint(data / 'mine' / 'sub' / 'deep' / 'b.TIFF', 2)
    (data / 'mine' / 'notes.txt').write_text('no image')
    loaded, _ = load(data)
    assert loaded.images.shape == (3, 8, 8, 3)
    assert loaded.images.dtype == np.uint8
    assert grays(loaded) == [1, 3, 2]        # a folder's own files first, by name
    assert (loaded.labels, loaded.classes) == (None, ())


@pytest.mark.parametrize('ending', ['.bmp', '.dib', '.gif', '.icns', '.im', '.jp2',
                                    '.pcx', '.pgm', '.ppm', '.sgi', '.tga', '.webp'])
def test_whatever_pillow_opens_is_an_image(data, ending):
    paint(data / 'mine' / ('a' + ending), BLUE, (32, 32))
    np.testing.assert_allclose(load(data)[0].images[0, 4, 4], BLUE, rtol=0, atol=4)


def test_the_endings_are_pillows_but_for_what_is_no_picture():
    endings = dataset.extensions()
    assert {'.jpg', '.jpeg', '.jfif', '.png', '.apng', '.dds', '.tif', '.webp', '.avif',
            '.heic', '.xbm'} <= set(endings)
    assert not {'.h5', '.hdf', '.mpg', '.pdf', '.ps', '.eps', '.txt'} & set(endings)
    assert all(e == e.lower() and e.startswith('.') for e in endings)


def test_hidden_files_and_those_of_macos_are_no_images(data):
    for name in ('.hidden.png', '._a.png', '__MACOSX/a.png', '.git/a.png',
                 'sub/.trash/a.png', 'sub/__MACOSX/a.png'):
        paint(data / 'mine' / name, 200)
    (data / 'mine' / '._images.zip').write_bytes(b'Mac OS X')
    with pytest.raises(NotFoundError, match='No images in'):
        load(data)
    paint(data / 'mine' / 'a.png', 1)
    paint(data / 'mine' / 'sub' / 'a.png', 2)
    assert grays(load(data)[0]) == [1, 2]


def test_hidden_members_of_a_zip_are_no_images(data):
    for name in ('.a.png', '__MACOSX/a.png', '.sub/a.png', 'sub/._a.png', 'a/b.png'):
        paint(data / 'unpacked' / name, 7)
    make_zip(data / 'unpacked', data / 'mine' / 'images.zip')
    assert grays(load(data)[0]) == [7]


def make_zip(folder, path):
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    shutil.make_archive(str(path)[:-4], 'zip', str(folder))


def test_a_zip_whose_names_begin_with_a_dot_and_a_slash(data):
    paint(data / 'a.png', 7)
    (data / 'mine').mkdir()
    with zipfile.ZipFile(str(data / 'mine' / 'images.zip'), 'w') as archive:
        info = zipfile.ZipInfo('./a.png')
        archive.writestr(info, (data / 'a.png').read_bytes())
    assert grays(load(data)[0]) == [7]


def test_linked_folders_are_followed_once(data):
    paint(data / 'elsewhere' / 'a.png', 1)
    paint(data / 'mine' / 'b.png', 2)
    (data / 'mine' / 'link').symlink_to(data / 'elsewhere')
    (data / 'elsewhere' / 'loop').symlink_to(data / 'mine')
    assert grays(load(data)[0]) == [2, 1]


def test_a_dangling_link_is_left_out_and_named(data):
    numbered(data / 'mine', 2)
    (data / 'mine' / 'gone.png').symlink_to(data / 'nowhere.png')
    loaded, _ = load(data)
    assert len(loaded) == 2
    assert cache_path(data, '.report.txt').read_text().startswith('gone.png: FileNotF')


def test_pattern_and_train_size_choose_images(data):
    numbered(data / 'mine', 12)
    paint(data / 'mine' / '000.bmp', 99)
    assert grays(load(data, input_fname_pattern='*.png')[0]) == list(range(12))
    assert grays(load(data, input_fname_pattern='01*')[0]) == [10, 11]
    assert grays(load(data, train_size=3)[0]) == [99, 0, 1]
    assert len(load(data, train_size=100)[0]) == 13
    assert len(load(data)[0]) == 13


def test_a_missing_folder_is_named_with_those_there_are(data):
    numbered(data / 'flowers', 1)
    with pytest.raises(NotFoundError) as caught:
        load(data, 'mine')
    message = str(caught.value)
    assert message.startswith('No data set at %s. ' % (data / 'mine'))
    assert 'flowers' in message and 'download.py' in message


def test_a_missing_data_dir_is_named(tmp_path):
    with pytest.raises(NotFoundError, match='nowhere/mine.*: none'):
        load(tmp_path / 'nowhere')


def test_no_images_says_what_was_looked_for_where(data):
    (data / 'mine').mkdir()
    (data / 'mine' / 'readme.txt').write_text('x')
    with pytest.raises(NotFoundError) as caught:
        load(data, input_fname_pattern='cat*')
    message = str(caught.value)
    assert message.startswith('No images in %s: ' % (data / 'mine'))
    assert 'cat*' in message and '.jpg' in message and '.zip' in message
    assert cache_files(data) == []


def test_a_broken_zip_is_named(data):
    (data / 'mine').mkdir()
    (data / 'mine' / 'images.zip').write_bytes(b'half a zip')
    with pytest.raises(UserError, match='images.zip cannot be read as a zip file'):
        load(data)


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


# --- labels ------------------------------------------------------------------

def test_class_folders_become_labels(data):
    paint(data / 'mine' / 'dogs' / 'z.png', 3)
    paint(data / 'mine' / 'cats' / 'b.png', 2)
    paint(data / 'mine' / 'cats' / 'sub' / 'a.png', 1)
    (data / 'mine' / 'empty').mkdir()
    loaded, _ = load(data, conditional=True)
    assert loaded.classes == ('cats', 'dogs')
    assert grays(loaded) == [2, 1, 3]
    assert loaded.labels.tolist() == [0, 0, 1]
    assert load(data)[0].labels is None


def test_class_folders_in_a_zip_become_labels(data):
    paint(data / 'unpacked' / 'dogs' / 'a.png', 3)
    paint(data / 'unpacked' / 'cats' / 'b.png', 2)
    make_zip(data / 'unpacked', data / 'mine' / 'images.zip')
    loaded, _ = load(data, conditional=True)
    assert (loaded.classes, loaded.labels.tolist()) == (('cats', 'dogs'), [0, 1])
    assert grays(loaded) == [2, 3]


def test_labels_need_folders(data):
    numbered(data / 'mine' / 'cats', 2)
    with pytest.raises(UserError, match='two folders of images or more.*only cats'):
        load(data, conditional=True)
    numbered(data / 'mine' / 'dogs', 2)
    paint(data / 'mine' / 'loose.png', 1)
    with pytest.raises(UserError, match='1 lie in none, such as loose.png'):
        load(data, conditional=True)


def test_labels_stay_beside_their_images_when_some_are_left_out(data):
    for i, name in enumerate(['cats', 'dogs'] * 4):
        paint(data / 'mine' / name / ('%d.png' % i), i)
    (data / 'mine' / 'cats' / '2.png').write_bytes(b'broken')
    (data / 'mine' / 'dogs' / '1.png').write_bytes(b'broken')
    loaded, _ = load(data, conditional=True)
    assert grays(loaded) == [0, 4, 6, 3, 5, 7]
    assert loaded.labels.tolist() == [0, 0, 0, 1, 1, 1]


# --- celebA ------------------------------------------------------------------

@pytest.fixture
def faces(tmp_path):
    """Make a few JPEGs of celebA's size, of smooth random colours."""
    folder = tmp_path / 'faces' / 'img_align_celeba'
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(1, 6):
        pixels = rng.integers(0, 256, (12, 10, 3), np.uint8)
        image = Image.fromarray(pixels).resize((178, 218), Image.BICUBIC)
        image.save(str(folder / ('%06d.jpg' % i)), quality=95)
    return folder


def test_celebA_in_its_three_layouts_is_the_same(tmp_path, faces):
    shutil.copytree(str(faces), str(tmp_path / 'a' / 'celebA'))
    shutil.copytree(str(faces), str(tmp_path / 'b' / 'celebA' / 'img_align_celeba'))
    zipped = tmp_path / 'c' / 'celebA' / 'img_align_celeba.zip'
    zipped.parent.mkdir(parents=True)
    with zipfile.ZipFile(str(zipped), 'w') as archive:
        archive.write(str(faces), 'img_align_celeba/')
        for name in sorted(os.listdir(str(faces)), reverse=True):
            archive.write(str(faces / name), 'img_align_celeba/' + name)
    loose, folder, packed = (
        np.asarray(load(tmp_path / layout, 'celebA', output_height=64)[0].images)
        for layout in 'abc')
    assert loose.shape == (5, 64, 64, 3)
    np.testing.assert_array_equal(loose, folder)
    np.testing.assert_array_equal(loose, packed)
    for i, pixels in enumerate(loose, 1):
        with Image.open(str(faces / ('%06d.jpg' % i))) as image:
            image = image.crop((35, 55, 143, 163)).resize((64, 64), Image.BICUBIC)
        np.testing.assert_array_equal(pixels, np.asarray(image))


def test_celebA_zip_is_remade_when_it_changes(data, faces):
    make_zip(faces, data / 'celebA' / 'img_align_celeba.zip')
    assert len(load(data, 'celebA')[0]) == 5
    assert load(data, 'celebA')[1] == []
    os.remove(str(faces / '000003.jpg'))
    make_zip(faces, data / 'celebA' / 'img_align_celeba.zip')
    loaded, echoed = load(data, 'celebA')
    assert len(loaded) == 4 and echoed


# --- MNIST -------------------------------------------------------------------

def idx(array):
    """Return the content of an IDX file of an array."""
    header = struct.pack('>I%dI' % array.ndim, 0x800 + array.ndim, *array.shape)
    return header + array.tobytes()


def write_mnist(folder, count=30, ending=''):
    """Write four IDX files of random digits; return the training images, labels."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    split = {'train': count, 't10k': 10}
    for name, number in split.items():
        images = rng.integers(0, 256, (number, 28, 28), np.uint8)
        labels = np.arange(number, dtype=np.uint8) % 10
        if name == 'train':
            result = images, labels
        for kind, array in (('images-idx3', images), ('labels-idx1', labels)):
            content = idx(array)
            path = folder / ('%s-%s-ubyte%s' % (name, kind, ending))
            path.write_bytes(gzip.compress(content) if ending else content)
    return result


def load_mnist(data, **given):
    return load(data, 'mnist', **dict(dict(output_height=28), **given))[0]


@pytest.mark.parametrize('ending', ['', '.gz'])
def test_mnist_is_read_from_idx_files(data, ending):
    images, labels = write_mnist(data / 'mnist', ending=ending)
    loaded = load_mnist(data)
    assert loaded.images.shape == (30, 28, 28, 1)
    np.testing.assert_array_equal(loaded.images[..., 0], images)
    np.testing.assert_array_equal(loaded.labels, labels)
    assert loaded.classes == tuple('0123456789')
    pixels, y = loaded.batch(0, 5, 0)
    assert pixels.shape == (5, 28, 28, 1) and y.shape == (5, 10)


def test_mnist_has_ten_labels_even_if_some_are_not_there(data):
    write_mnist(data / 'mnist')
    loaded = load_mnist(data, train_size=4)
    assert len(loaded) == 4 and len(loaded.classes) == 10
    assert loaded.batch(0, 4, 0)[1].shape == (4, 10)


def test_mnist_without_labels_and_of_another_size(data):
    images, _ = write_mnist(data / 'mnist')
    loaded = load_mnist(data, conditional=False, output_height=14, c_dim=3)
    assert (loaded.labels, loaded.classes) == (None, ())
    assert loaded.images.shape == (30, 14, 14, 3)
    means = images.reshape(30, -1).mean(1)
    np.testing.assert_allclose(loaded.images.reshape(30, -1).mean(1), means, atol=2)


@pytest.mark.parametrize('missing', [
    'train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'])
def test_mnist_names_a_missing_file(data, missing):
    write_mnist(data / 'mnist')
    os.remove(str(data / 'mnist' / (missing + '-ubyte')))
    with pytest.raises(NotFoundError) as caught:
        load_mnist(data)
    assert str(caught.value) == (
        'No {0}-ubyte or {0}-ubyte.gz in {1}. Fetch them: python download.py '
        'mnist'.format(missing, data / 'mnist'))


def test_mnist_without_images_is_smaller_than_a_batch(data):
    write_mnist(data / 'mnist', count=0)
    with pytest.raises(UserError, match='has 0 images, fewer than one batch of 2'):
        load_mnist(data).steps_per_epoch(2)


def test_mnist_without_its_folder_says_how_to_fetch_it(data):
    with pytest.raises(NotFoundError, match='python download.py mnist'):
        load_mnist(data)


FILE = 'train-images-idx3-ubyte'


@pytest.mark.parametrize('spoil, message', [
    (lambda c: c[:-1], 'its size 23535, expected 2051 and 23536'),
    (lambda c: c + b'x', 'its size 23537, expected 2051 and 23536'),
    (lambda c: b'\0\0\x08\x01' + c[4:], 'magic number is 2049'),
    (lambda c: b'<html>not found</html>', 'is not an IDX file of 3 dimensions'),
    (lambda c: c[:3], 'cannot be read'), (lambda c: b'', 'cannot be read')])
def test_mnist_names_a_broken_file(data, spoil, message):
    write_mnist(data / 'mnist')
    path = data / 'mnist' / FILE
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UserError, match=message) as caught:
        load_mnist(data)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize('spoil', [
    lambda c: c[:len(c) // 2], lambda c: c[:-8] + b'12345678', lambda c: b'<html>',
    lambda c: c[:2000] + bytes(64) + c[2064:], lambda c: b'\0' * len(c),
    lambda c: c[:10] + b'\xff' + c[11:]])
def test_mnist_names_a_broken_gz(data, spoil):
    write_mnist(data / 'mnist', ending='.gz')
    path = data / 'mnist' / (FILE + '.gz')
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UserError, match='cannot be read .*fetch it again') as caught:
        load_mnist(data)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize('labels, message', [
    (np.zeros(29, np.uint8), '30 train images and 29 labels'),
    (np.full(30, 10, np.uint8), 'labels up to 10')])
def test_mnist_whose_labels_do_not_fit(data, labels, message):
    write_mnist(data / 'mnist')
    (data / 'mnist' / 'train-labels-idx1-ubyte').write_bytes(idx(labels))
    with pytest.raises(UserError, match=message):
        load_mnist(data)


# --- the cache ---------------------------------------------------------------

def test_first_use_packs_and_later_ones_reuse(data):
    numbered(data / 'mine', 5)
    loaded, echoed = load(data)
    assert len(echoed) == 1 and 'packing 5 images of mine into' in echoed[0]
    assert len(cache_files(data)) == 3
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
    assert echoed == [] and loaded.labels.tolist() == [0, 0, 1, 1]


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
    assert len(os.listdir(str(tmp_path / 'there' / 'cache'))) == 3


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
    header = dataset.npy_header(count, (64, 64, 3))
    assert len(header) == len(dataset.npy_header(0, (64, 64, 3)))
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
    real, calls = dataset.get_image, []

    def interrupt(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(dataset, 'get_image', interrupt)
    with pytest.raises(KeyboardInterrupt):
        load(data)
    assert not [name for name in cache_files(data) if '.part' in name]
    monkeypatch.setattr(dataset, 'get_image', real)
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
        'ValueError: 20000 x 20000 pixels, more than the limit of 89478485')
    assert len(lines[2]) > len('sub/cut.png: ')
    assert load(data)[1] == echoed[1:], 'it is said at each start'


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
    monkeypatch.setattr(dataset, 'pack_image', die)
    with pytest.raises(UserError, match='--threads 1'):
        load(data, threads=2)
    assert cache_files(data) == []


# --- batches -----------------------------------------------------------------

def made(count, classes=0):
    """Make a data set in memory whose images are of the gray of their number."""
    images = np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None],
                             (count, 4, 4, 3))
    if not classes:
        return dataset.Dataset(images)
    return dataset.Dataset(images, np.arange(count) % classes,
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
    assert dataset.one_hot([2, 0], 3).tolist() == [[0, 0, 1], [1, 0, 0]]


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


# --- the table ---------------------------------------------------------------

def test_defaults_are_a_copy():
    dataset.defaults('celebA')['crop'] = False
    assert dataset.defaults('celebA') == {'crop': True, 'input_height': 108}
    assert dataset.defaults('mnist') == {'output_height': 28, 'c_dim': 1,
                                         'conditional': True}
    assert dataset.defaults('my pictures') == {}
