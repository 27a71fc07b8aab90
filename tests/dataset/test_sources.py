"""Where images are found, and under which labels: folders, zip files, attributes."""

import os
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from dataset import batches, catalog, sources
from settings.config import Config
from settings.errors import NotFoundError, UserError

BLUE = (0, 0, 255)


@pytest.fixture
def data(tmp_path):
    """Return the folder of the data sets."""
    folder = tmp_path / 'data'
    folder.mkdir()
    return folder


def make_config(data, name='mine', **given):
    given = dict(dict(dataset=name, data_dir=str(data), output_height=8, threads=1),
                 **given)
    return Config.make(given, catalog.defaults(name))


def load(data, name='mine', **given):
    """Load a data set; return it and what it printed."""
    echoed = []
    loaded = batches.load(make_config(data, name, **given), echoed.append)
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
    endings = sources.extensions()
    assert {'.jpg', '.jpeg', '.jfif', '.png', '.apng', '.dds', '.tif', '.webp', '.avif',
            '.heic', '.xbm'} <= set(endings)
    assert not {'.h5', '.hdf', '.mpg', '.pdf', '.ps', '.eps', '.txt'} & set(endings)
    assert all(e == e.lower() and e.startswith('.') for e in endings)


def test_hidden_files_and_those_of_macos_are_no_images(data):
    for name in ('.hidden.png', '._a.png', '__MACOSX/a.png', '.git/a.png',
                 'sub/.trash/a.png', 'sub/__MACOSX/a.png', '@eaDir/a.png',
                 '$RECYCLE.BIN/a.png', 'System Volume Information/a.png'):
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
    report = cache_path(data, '.report.txt').read_text()
    assert report.startswith('gone.png: no such file: ')


def test_pattern_and_train_size_choose_images(data):
    numbered(data / 'mine', 12)
    paint(data / 'mine' / '000.bmp', 99)
    assert grays(load(data, input_fname_pattern='*.png')[0]) == list(range(12))
    assert grays(load(data, input_fname_pattern='01*')[0]) == [10, 11]
    assert len(load(data, train_size=3)[0]) == 3
    assert len(load(data, train_size=100)[0]) == 13
    assert len(load(data)[0]) == 13


def test_what_train_size_leaves_out_is_held_out(data):
    numbered(data / 'mine', 12)
    kept, held = (grays(load(data, train_size=9, part=part)[0])
                  for part in ('train', 'held_out'))
    assert (len(kept), len(held)) == (9, 3)
    assert sorted(kept + held) == list(range(12))
    for given in ({}, {'train_size': 12}):
        with pytest.raises(NotFoundError, match='held out'):
            load(data, part='held_out', **given)


def test_train_size_takes_a_fair_part_by_seed_with_labels_or_without(data):
    for first, name in enumerate('abc'):
        for i in range(20 if name == 'a' else 10):
            paint(data / 'mine' / name / ('%02d.png' % i), 50 * first + i)
    kept, _ = load(data, train_size=8)
    assert [gray // 50 for gray in grays(kept)] == [0] * 4 + [1] * 2 + [2] * 2
    labelled, _ = load(data, train_size=8, conditional=True)
    assert grays(labelled) == grays(kept)
    assert labelled.labels.tolist() == [0] * 4 + [1] * 2 + [2] * 2
    others, _ = load(data, train_size=8, seed=1)
    assert grays(others) != grays(kept) == grays(load(data, train_size=8)[0])
    held, _ = load(data, train_size=8, conditional=True, part='held_out')
    assert not set(grays(held)) & set(grays(kept)) and len(held) == 32
    assert held.labels.tolist() == [gray // 50 for gray in grays(held)]


def test_an_older_run_keeps_the_images_that_it_began_with(data):
    for name in 'ab':
        numbered(data / 'mine' / name, 4)
    old = make_config(data, train_size=6).replace(chosen_by=None)
    assert grays(batches.load(old, print)) == [0, 1, 2, 3, 0, 1]
    old = old.replace(conditional=True)
    kept, held = (batches.load(old.replace(part=part), print)
                  for part in ('train', 'held_out'))
    assert grays(kept) == [0, 1, 2, 0, 1, 2]
    assert grays(held) == [3, 3] and held.labels.tolist() == [0, 1]


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


@pytest.mark.parametrize('names, said', [
    (['x.npy'], 'other files: 1 .npy. Arrays are not read: save each picture as a PNG'),
    (['train-00000-of-00001.parquet'], 'Arrays are not read'),
    (['a.tfrecord-00000-of-00002', 'a.tfrecord-00001-of-00002'], 'Arrays are not read'),
    (['a.tar.gz'], 'other files: 1 .gz. Unpack archives; only a .zip of pictures'),
    (['b.rar', 'c.7z'], 'Unpack'), (['1', '2', '3'], '3 without an ending. Give'),
    (['train-images-idx3-ubyte'], 'IDX files are read as --dataset mnist'),
    (['x.mp4'], 'other files: 1 .mp4. Put images there')])
@pytest.mark.parametrize('zipped', [False, True])
def test_what_is_there_without_images_is_said_and_what_helps(data, names, said, zipped):
    folder = data / ('unpacked' if zipped else 'mine')
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(b'x')
    if zipped and 'idx' not in names[0]:
        make_zip(folder, data / 'mine' / 'a.zip')
    elif zipped:
        shutil.move(str(folder), str(data / 'mine'))
    with pytest.raises(NotFoundError, match=said):
        load(data)


def test_a_zip_beside_images_is_said_to_be_left_out(data):
    numbered(data / 'mine', 2)
    make_zip(data / 'mine', data / 'more.zip')
    shutil.move(str(data / 'more.zip'), str(data / 'mine'))
    loaded, echoed = load(data)
    assert len(loaded) == 2
    assert echoed[0].endswith('as there are images beside it: more.zip')


def test_a_zip_that_stands_for_a_folder_is_named(data):
    numbered(data / 'unpacked', 2)
    make_zip(data / 'unpacked', data / 'mine.zip')
    with pytest.raises(NotFoundError, match='mine.zip: put that into a folder mine'):
        load(data)


def test_a_broken_zip_is_named(data):
    (data / 'mine').mkdir()
    (data / 'mine' / 'images.zip').write_bytes(b'half a zip')
    with pytest.raises(UserError, match='images.zip cannot be read as a zip file'):
        load(data)


def test_the_folder_of_anime_says_where_its_images_come_from(data):
    with pytest.raises(NotFoundError, match='kaggle.com/.* into data/anime'):
        load(data, 'anime')
    (data / 'anime').mkdir()
    with pytest.raises(NotFoundError, match='No images in .*kaggle.com/'):
        load(data, 'anime')
    numbered(data / 'anime' / 'images', 3)
    assert grays(load(data, 'anime')[0]) == [0, 1, 2]


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
    (data / 'mine' / 'config.json').write_text('{}')    # a run's, no table
    with pytest.raises(UserError, match='1 lie in none, such as loose.png') as raised:
        load(data, conditional=True)
    assert 'config.json' not in str(raised.value)


@pytest.mark.parametrize('train_size, expected', [
    (2, [0, 10]), (3, [0, 10, 20]), (4, [0, 1, 10, 20]), (5, [0, 1, 10, 11, 20]),
    (8, [0, 1, 2, 3, 10, 11, 12, 20]), (99, [0, 1, 2, 3, 4, 5, 10, 11, 12, 20])])
def test_an_older_run_has_the_first_of_each_class(data, train_size, expected):
    for first, (name, count) in enumerate([('cats', 6), ('dogs', 3), ('owls', 1)]):
        for i in range(count):
            paint(data / 'mine' / name / ('%d.png' % i), 10 * first + i)
    loaded = batches.load(make_config(data, conditional=True, train_size=train_size)
                          .replace(chosen_by=None), print)
    assert grays(loaded) == expected
    assert loaded.labels.tolist() == [gray // 10 for gray in expected]
    assert loaded.classes == ('cats', 'dogs', 'owls')


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
