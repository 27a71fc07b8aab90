"""Data sets in archives: MNIST, Fashion-MNIST, CIFAR-10 and LSUN."""

import gzip
import io
import itertools
import os
import pickle
import shutil
import struct
import sys
import tarfile

import lmdb
import numpy as np
import pytest
import test_sources
from PIL import Image
from test_sources import cache_path, load

from dataset import archives, catalog
from settings.errors import NotFoundError, UserError

data = test_sources.data


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


def test_the_test_digits_are_held_out_whatever_is_trained_on(data):
    write_mnist(data / 'mnist')
    held = load_mnist(data, part='held_out', train_size=4)
    assert held.labels.tolist() == list(range(10))
    assert not np.array_equal(held.images[:4], load_mnist(data, train_size=4).images)


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


@pytest.mark.parametrize('name', [
    'train-images.idx3-ubyte', 'train-images.idx3-ubyte.gz', 'train-images-idx3-ubyte',
    'train-images-idx3-ubyte/train-images-idx3-ubyte',
    'MNIST/raw/train-images-idx3-ubyte', 'Train-Images.IDX3-ubyte',
    'train_images_idx3_ubyte'])
@pytest.mark.parametrize('packed', [False, True])
def test_mnist_by_the_names_that_mirrors_and_unpackers_write(data, name, packed):
    images, _ = write_mnist(data / 'mnist')
    content = (data / 'mnist' / FILE).read_bytes()
    os.remove(str(data / 'mnist' / FILE))
    path = data / 'mnist' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if packed else content)
    np.testing.assert_array_equal(load_mnist(data).images[..., 0], images)


@pytest.mark.parametrize('near', [
    'train-images-idx3-ubyte.zip', 'mnist_train.csv', 'mnist.npz', 'train-images.tar'])
def test_what_comes_near_mnist_is_named(data, near):
    (data / 'mnist').mkdir()
    (data / 'mnist' / near).write_bytes(b'x')
    with pytest.raises(NotFoundError, match='there are %s: unpack or rename' % near):
        load_mnist(data)


def test_mnist_without_images_is_smaller_than_a_batch(data):
    write_mnist(data / 'mnist', count=0)
    with pytest.raises(UserError, match='has 0 images, fewer than one batch of 2'):
        load_mnist(data).steps_per_epoch(2)


def test_a_folder_of_mnist_written_otherwise_is_named(data):
    write_mnist(data / 'MNIST')
    with pytest.raises(NotFoundError, match='did you mean MNIST'):
        load_mnist(data)


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
    with pytest.raises(UserError, match='[Ff]etch it again') as caught:
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


# --- Fashion-MNIST -----------------------------------------------------------

def test_fashion_mnist_has_the_names_of_clothes(data):
    images, labels = write_mnist(data / 'fashion_mnist', ending='.gz')
    loaded, _ = load(data, 'fashion_mnist', output_height=28)
    np.testing.assert_array_equal(loaded.images[..., 0], images)
    np.testing.assert_array_equal(loaded.labels, labels)
    assert loaded.classes == (
        'T-shirt/top', 'Trouser', 'Pullover', 'Dress', 'Coat', 'Sandal', 'Shirt',
        'Sneaker', 'Bag', 'Ankle boot')
    assert catalog.defaults('fashion_mnist') == catalog.defaults('mnist')


def test_fashion_mnist_says_how_to_fetch_it(data):
    with pytest.raises(NotFoundError, match='python download.py fashion_mnist'):
        load(data, 'fashion_mnist')


# --- CIFAR-10 ----------------------------------------------------------------

NAMES = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse',
         'ship', 'truck']
FOLDERS = {'py': 'cifar-10-batches-py', 'bin': 'cifar-10-batches-bin'}


def python2(value):
    """Return the opcodes by which Python 2's cPickle, protocol 2, writes a value."""
    if isinstance(value, str):
        return b'U' + struct.pack('B', len(value)) + value.encode()
    if isinstance(value, int):
        return b'J' + struct.pack('<i', value)
    if isinstance(value, list):
        return b'](' + b''.join(map(python2, value)) + b'e'
    if isinstance(value, dict):
        return b'}(' + b''.join(map(python2, itertools.chain(*value.items()))) + b'u'
    content = value.tobytes()
    dtype = (b'cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNN'
             b'J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb')
    return (b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR'
            b'(K\x01' + python2(value.shape[0]) + python2(value.shape[1]) + b'\x86'
            + dtype + b'\x89T' + struct.pack('<i', len(content)) + content + b'tb')


def python3(value):
    """Return what Python 3 writes of what a reader of bytes has read, and writes."""
    if isinstance(value, dict):
        value = {key.encode(): item for key, item in value.items()}
    return pickle.dumps(value, 2)[2:-1]


def write_cifar(folder, kind, count=4, dumps=python2):
    """Write CIFAR-10, `count` images a batch; return the training images, labels."""
    folder = folder / FOLDERS[kind]
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    images, labels = [], []
    for name in ['data_batch_%d' % i for i in range(1, 6)] + ['test_batch']:
        pixels = rng.integers(0, 256, (count, 3072), np.uint8)
        numbers = rng.integers(0, 10, count)
        if kind == 'py':
            (folder / name).write_bytes(b'\x80\x02' + dumps(
                {'batch_label': name, 'labels': numbers.tolist(), 'data': pixels,
                 'filenames': ['a.png'] * count}) + b'.')
        else:
            (folder / (name + '.bin')).write_bytes(np.concatenate(
                [numbers[:, None].astype(np.uint8), pixels], 1).tobytes())
        images.append(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        labels.append(numbers)
    if kind == 'py':
        (folder / 'batches.meta').write_bytes(b'\x80\x02' + dumps(
            {'num_cases_per_batch': count, 'label_names': NAMES, 'num_vis': 3072})
            + b'.')
    else:
        (folder / 'batches.meta.txt').write_text('\n'.join(NAMES) + '\n\n')
    (folder / 'readme.html').write_text('<meta>')
    return np.concatenate(images[:5]), np.concatenate(labels[:5])


def tarred(folder):
    """Return the content of a .tar.gz of a folder's content."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode='w:gz') as archive:
        for name in sorted(os.listdir(str(folder))):
            archive.add(str(folder / name), name)
    return content.getvalue()


def load_cifar(data, **flags):
    return load(data, 'cifar10', **dict(dict(output_height=32), **flags))[0]


@pytest.mark.parametrize('place', ['archive', 'folder', 'loose'])
@pytest.mark.parametrize('kind, dumps', [('py', python2), ('py', python3),
                                         ('bin', None)])
def test_cifar10_is_read_as_downloaded_or_unpacked(data, kind, dumps, place):
    folder = data / 'cifar10'
    images, labels = write_cifar(folder, kind, dumps=dumps)
    if place == 'archive':
        name = {'py': 'cifar-10-python.tar.gz', 'bin': 'cifar-10-binary.tar.gz'}[kind]
        content = tarred(folder)
        shutil.rmtree(str(folder / FOLDERS[kind]))
        (folder / name).write_bytes(content)
    if place == 'loose':
        os.rename(str(folder / FOLDERS[kind]), str(data / 'new'))
        os.rmdir(str(folder))
        os.rename(str(data / 'new'), str(folder))
    loaded = load_cifar(data, conditional=True)
    assert loaded.images.shape == (20, 32, 32, 3)
    np.testing.assert_array_equal(loaded.images, images)
    np.testing.assert_array_equal(loaded.labels, labels)
    assert loaded.classes == tuple(NAMES)
    assert load_cifar(data).labels is None
    some = load_cifar(data, train_size=10, conditional=True)
    here = [np.flatnonzero((images == image).all((1, 2, 3)))[0]
            for image in some.images]
    assert sorted(here) == here != list(range(10)) and len(set(here)) == 10
    np.testing.assert_array_equal(some.labels, labels[here])
    test, numbers, _, _ = archives.read_cifar10(str(folder), 'test')
    assert test.shape == (4, 32, 32, 3) and len(numbers) == 4
    assert not (test[:, None] == images[None, :4]).all((2, 3, 4)).any()


def test_cifar10_is_packed_again_when_its_archive_changes(data):
    write_cifar(data / 'cifar10', 'bin')
    assert len(load_cifar(data)) == 20
    shutil.rmtree(str(data / 'cifar10'))
    write_cifar(data / 'cifar10', 'bin', 5)
    assert len(load_cifar(data)) == 25


class Evil:
    def __reduce__(self):
        return os.mkdir, ('harm',)


@pytest.mark.parametrize('content, message', [
    (pickle.dumps(Evil(), 2), "names '(posix|nt).mkdir', which no batch needs"),
    (pickle.dumps({b'data': Evil()}, 2), 'which no batch needs'),
    (b'cbuiltins\neval\n(U\x01xtR.', "names 'builtins.eval'"),
    (b'cnumpy\nload\n(U\x01xtR.', "names 'numpy.load'"),
    (b'cnumpy.core.multiarray\nscalar\n.', "names 'numpy.core.multiarray.scalar'"),
    (b'', 'cannot be read .EOFError'), (b'<html>', 'UnpicklingError'),
    (b'].', 'AttributeError'), (b'}.', "KeyError: 'data'"),
    (b'\x80\x02' + python2({'labels': [1], 'data': [2]}) + b'.',
     'AttributeError'),
    (b'\x80\x02' + python2({'labels': [1], 'data': np.zeros((1, 9), 'u1')}) + b'.',
     'cannot reshape'),
    (b'\x80\x02' + python2({'labels': [1, 2], 'data': np.zeros((1, 3072), 'u1')})
     + b'.', '17 images, 18 labels'),
    (b'\x80\x02' + python2({'labels': [10], 'data': np.zeros((1, 3072), 'u1')})
     + b'.', 'labels up to 10, and names of 10')])
def test_a_pickle_that_is_no_batch_is_refused_and_does_nothing(
        data, tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    write_cifar(data / 'cifar10', 'py')
    (data / 'cifar10' / FOLDERS['py'] / 'data_batch_2').write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load_cifar(data)
    assert str(data / 'cifar10') in str(caught.value)
    assert 'python download.py cifar10' in str(caught.value)
    assert not os.path.exists('harm')


def test_cifar10_names_what_is_missing(data):
    with pytest.raises(NotFoundError, match='Put cifar-10-binary.tar.gz or cifar-10-'
                                            'py.*python download.py cifar10'):
        load_cifar(data)
    write_cifar(data / 'cifar10', 'bin')
    folder = data / 'cifar10' / FOLDERS['bin']
    os.remove(str(folder / 'data_batch_3.bin'))
    os.remove(str(folder / 'batches.meta.txt'))
    with pytest.raises(NotFoundError,
                       match='No data_batch_3.bin, batches.meta.txt in %s' % folder):
        load_cifar(data)


@pytest.mark.parametrize('spoil', [lambda c: c[:-1], lambda c: c + b'x'])
def test_a_binary_batch_of_the_wrong_size_is_refused(data, spoil):
    write_cifar(data / 'cifar10', 'bin')
    path = data / 'cifar10' / FOLDERS['bin'] / 'data_batch_1.bin'
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(UserError, match='cannot be read .*Fetch it again'):
        load_cifar(data)


@pytest.mark.parametrize('spoil', [lambda c: c[:len(c) // 2], lambda c: b'<html>',
                                   lambda c: c[:-500], lambda c: b''])
def test_a_broken_cifar10_archive_is_named(data, spoil):
    write_cifar(data / 'made', 'bin')
    (data / 'cifar10').mkdir()
    path = data / 'cifar10' / 'cifar-10-binary.tar.gz'
    path.write_bytes(spoil(tarred(data / 'made')))
    with pytest.raises(UserError, match='fetch it again|Fetch it again') as caught:
        load_cifar(data)
    assert str(path) in str(caught.value)


def test_attributes_need_a_table(data):
    write_cifar(data / 'cifar10', 'bin')
    with pytest.raises(UserError, match='cifar10 has no table of attributes'):
        load_cifar(data, attributes='Smiling')
    write_mnist(data / 'mnist')         # whose labels are on by default
    with pytest.raises(UserError, match='mnist has no table of attributes'):
        load_mnist(data, attributes='Smiling')


# --- LSUN --------------------------------------------------------------------

def write_lmdb(folder, count, first=0, form='JPEG', size=(40, 32)):
    """Write an LMDB of pictures of the gray of their number, keyed as LSUN's are."""
    folder.mkdir(parents=True)
    with lmdb.open(str(folder), map_size=2**26) as env, env.begin(write=True) as txn:
        for i in range(count):
            content = io.BytesIO()
            Image.new('RGB', size, (first + i,) * 3).save(content, form)
            txn.put(b'%040x' % (i * 7919), content.getvalue())


def load_lsun(data, **flags):
    return load(data, 'lsun', **flags)[0]


def grays(loaded):
    return np.asarray(loaded.images)[:, 0, 0, 0].tolist()


@pytest.mark.parametrize('form', ['JPEG', 'WEBP'])
def test_lsun_is_read_from_its_lmdb_folder(data, form):
    write_lmdb(data / 'lsun' / 'bedroom_train_lmdb', 6, 100, form)
    write_lmdb(data / 'lsun' / 'bedroom_val_lmdb', 2, 200)
    write_lmdb(data / 'lsun' / 'test_lmdb', 2, 210)
    loaded = load_lsun(data)
    assert loaded.images.shape == (6, 8, 8, 3)
    np.testing.assert_allclose(grays(loaded), range(100, 106), atol=1)
    assert (loaded.labels, loaded.classes) == (None, ())
    assert len(load_lsun(data, train_size=4)) == 4
    assert load(data, 'lsun')[1] == []          # the cache serves


def test_lsun_crops_the_central_square(data):
    assert catalog.defaults('lsun') == {'crop': True}


def test_categories_of_lsun_become_labels(data):
    write_lmdb(data / 'lsun' / 'church_outdoor_train_lmdb', 2, 50)
    write_lmdb(data / 'lsun' / 'bedroom_train_lmdb', 5, 100)
    loaded = load_lsun(data, conditional=True)
    assert loaded.classes == ('bedroom', 'church_outdoor')
    assert loaded.labels.tolist() == [0] * 5 + [1] * 2
    np.testing.assert_allclose(grays(loaded), [100, 101, 102, 103, 104, 50, 51], atol=1)
    loaded = load_lsun(data, conditional=True, train_size=4)
    assert loaded.labels.tolist() == [0, 0, 0, 1]       # a fair part: 5 and 2
    shutil.rmtree(str(data / 'lsun' / 'church_outdoor_train_lmdb'))
    with pytest.raises(UserError, match='two categories of LSUN or more'):
        load_lsun(data, conditional=True)


def test_workers_read_the_same_lmdb(data, tmp_path):
    write_lmdb(data / 'lsun' / 'bedroom_train_lmdb', 250, size=(8, 8))
    write_lmdb(data / 'lsun' / 'tower_train_lmdb', 300, size=(8, 8))
    one, two = (load_lsun(data, threads=threads, cache_dir=str(tmp_path / str(threads)))
                for threads in (1, 2))
    assert len(one) == 550
    np.testing.assert_array_equal(one.images, two.images)


def test_an_image_of_lsun_that_is_none_is_named_by_its_key(data):
    folder = data / 'lsun' / 'bedroom_train_lmdb'
    write_lmdb(folder, 3)
    with lmdb.open(str(folder)) as env, env.begin(write=True) as txn:
        txn.put(b'zzz', b'no picture')
    assert len(load_lsun(data)) == 3
    assert cache_path(data, '.report.txt').read_text().startswith('zzz: not a kind')


def test_lsun_without_lmdb_says_how_to_install_it(data, monkeypatch):
    write_lmdb(data / 'lsun' / 'bedroom_train_lmdb', 3)
    monkeypatch.setitem(sys.modules, 'lmdb', None)
    with pytest.raises(UserError, match='python -m pip install lmdb'):
        load_lsun(data)


@pytest.mark.parametrize('spoil, message', [
    (lambda path: path.write_bytes(b'<html>' * 2000), 'cannot be read as LMDB'),
    (lambda path: path.write_bytes(b''), 'cannot be read as LMDB'),
    (lambda path: os.truncate(str(path), 8192), 'is cut short, of ')])
def test_a_broken_lmdb_is_named(data, spoil, message):
    folder = data / 'lsun' / 'bedroom_train_lmdb'
    write_lmdb(folder, 30)
    spoil(folder / 'data.mdb')
    with pytest.raises(UserError, match=message) as caught:
        load_lsun(data)
    assert str(folder) in str(caught.value)


def test_lsun_that_is_not_there_or_not_unpacked(data):
    with pytest.raises(NotFoundError, match='python download.py lsun. fetches'):
        load_lsun(data)
    write_lmdb(data / 'lsun' / 'bedroom_val_lmdb', 2)
    with pytest.raises(NotFoundError, match='bedroom_val_lmdb is not to train with'):
        load_lsun(data)
    (data / 'lsun' / 'bedroom_train_lmdb.zip').write_bytes(b'PK')
    with pytest.raises(NotFoundError, match='Unpack bedroom_train_lmdb.zip there'):
        load_lsun(data)
