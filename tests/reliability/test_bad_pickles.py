"""CIFAR-10's python batches are pickles: none of them does anything but be read."""

import ast
import codecs
import json
import os
import pickle
import random
import resource  # noqa: F401  (for the process below)
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
import test_archives
from test_archives import FOLDERS, NAMES, python2, write_cifar

from dataset import archives, pickles
from settings.errors import UserError

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(archives.__file__)))
MEMORY = 2**30
TAIL = b'.'


def batch(count=2, dumps=python2):
    """Return a good batch."""
    pixels = np.arange(count * 3072, dtype=np.uint32).astype(np.uint8)
    return b'\x80\x02' + dumps({
        'batch_label': 'one', 'labels': list(range(count)),
        'data': pixels.reshape(count, 3072),
        'filenames': ['a.png'] * count}) + TAIL


GOOD = batch()


# --- what is written to be read ---------------------------------------------------

@pytest.mark.parametrize('dumps', [python2, test_archives.python3])
def test_a_good_batch_is_read(dumps):
    pixels, labels = archives.parse_python(batch(3, dumps))
    assert pixels.shape == (3, 3072) and pixels.dtype == np.uint8
    assert pixels.ravel()[:300].tolist() == [i % 256 for i in range(300)]
    assert labels.tolist() == [0, 1, 2] and labels.dtype == np.uint8


@pytest.mark.parametrize('protocol', [2, 3, 4])
def test_a_batch_that_somebody_wrote_again_is_read(protocol):
    content = pickle.dumps({'labels': [7], 'data': np.full((1, 3072), 9, np.uint8)},
                           protocol)
    pixels, labels = archives.parse_python(content)
    assert pixels.tolist() == [[9] * 3072] and labels.tolist() == [7]


def test_a_batch_of_the_real_size_is_read():
    content = batch(10000).replace(b'M\x00\x01', b'K\x00')
    labels = {'labels': [i % 10 for i in range(10000)],
              'data': np.zeros((10000, 3072), np.uint8),
              'filenames': ['name_%06d.png' % i for i in range(10000)]}
    content = b'\x80\x02' + python2(labels) + TAIL
    pixels, numbers = archives.parse_python(content)
    assert pixels.shape == (10000, 3072) and numbers[:12].tolist()[-3:] == [9, 0, 1]


# --- crafted ----------------------------------------------------------------------

def short(text):
    return b'U' + bytes([len(text)]) + text


def call(module, name, *arguments):
    """Return the bytes of a pickle that calls a function with texts."""
    return b'c%s\n%s\n(%stR' % (module, name, b''.join(map(short, arguments)))


def put(index):
    return b'r' + struct.pack('<I', index)


def array(shape=b'K\x01M\x00\x0c\x86', dtype=b'u1', content=bytes(3072),
          by_columns=b'\x89', more=b''):
    """Return the bytes of the pickle of an array, as Python 2 wrote it."""
    return (b'cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b'
            b'\x87R(K\x01' + shape + b'cnumpy\ndtype\n' + short(dtype)
            + b'K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00'
            b'tb' + by_columns + b'T' + struct.pack('<i', len(content)) + content
            + more + b'tb')


def labelled(labels=b']K\x01a', data=None):
    return (b'\x80\x02}' + short(b'labels') + labels + b's' + short(b'data')
            + (array() if data is None else data) + b's.')


HARM = short(b'harm')
DEEP = 10**5
NESTED = b']' + b'q\x00' + b''.join(        # each a list of the one before, ten times
    b'](' + b'h\x00' * 10 + b'eq\x00' for _ in range(25))
PAIRS = b')q\x00' + b''.join(b'h\x00h\x00\x86q\x00' for _ in range(60))
CRAFTED = {
    # calls, by every instruction that calls
    'system': b'\x80\x02' + call(b'os', b'system', b'mkdir harm') + TAIL,
    'posix': b'\x80\x02' + call(b'posix', b'mkdir', b'harm') + TAIL,
    'eval': call(b'__builtin__', b'eval', b'__import__("os").mkdir("harm")') + TAIL,
    'exec': call(b'builtins', b'exec', b'import os; os.mkdir("harm")') + TAIL,
    'getattr': call(b'builtins', b'getattr', b'os', b'mkdir') + TAIL,
    'open': call(b'builtins', b'open', b'harm', b'w') + TAIL,
    'popen': call(b'subprocess', b'Popen', b'mkdir') + TAIL,
    'import': call(b'importlib', b'import_module', b'antigravity') + TAIL,
    'dotted': b'\x80\x04' + b'\x8c\x05numpy' + b'\x8c\x0eos.path.system' + b'\x93.',
    'dotted numpy': b'\x80\x02' + call(b'numpy', b'f2py.os.mkdir', b'harm') + TAIL,
    'stack global': b'\x80\x04\x8c\x05posix\x8c\x05mkdir\x93\x8c\x04harm\x85R.',
    'stack global of texts in one': b'\x80\x04\x8c\x00\x8c\x0dnumpy ndarray\x93.',
    'inst': b'(' + HARM + b'iposix\nmkdir\n.',
    'obj': b'(cposix\nmkdir\n' + HARM + b'o.',
    'newobj': b'\x80\x02cposix\nmkdir\n' + HARM + b'\x85\x81.',
    'newobj ex': b'\x80\x04cposix\nmkdir\n' + HARM + b'\x85}\x92.',
    'extension': b'\x80\x02\x82\x01.', 'extension 2': b'\x80\x02\x83\x01\x00.',
    'extension 4': b'\x80\x02\x84\x01\x00\x00\x00.',
    'persistent': b'Pharm\n.', 'binary persistent': HARM + b'Q.',
    'buffer': b'\x80\x05\x97.', 'read-only buffer': b'\x80\x05\x97\x98.',
    'bytearray': b'\x80\x05\x96' + struct.pack('<Q', 2**40) + b'.',
    'numpy load': labelled(call(b'numpy', b'load', b'harm')),
    'numpy fromfile': labelled(call(b'numpy', b'fromfile', b'harm')),
    'numpy scalar': labelled(b'cnumpy.core.multiarray\nscalar\n(K\x01tR'),
    'pickle in pickle': call(b'pickle', b'loads', b'cposix\nmkdir\n') + TAIL,
    'encode': call(b'_codecs', b'decode', b'harm', b'zip') + TAIL,
    'codec': call(b'_codecs', b'encode', b'harm', b'zip') + TAIL,
    'call of a call': labelled(call(b'numpy', b'dtype', b'u1') + b')R'),
    'build of a name': b'cnumpy\nndarray\n}' + HARM + b'K\x01sb.',
    'build of a list': b']}' + HARM + b'K\x01sb.',
    # memory
    'memo': b'\x80\x02}' + put(2**31) + TAIL, 'memo 32': b'\x80\x02}' + put(2**32 - 1)
    + TAIL, 'text memo': b'}p%d\n.' % 2**40,
    'long text': b'\x80\x02T' + struct.pack('<i', 2**31 - 1) + b'x.',
    'negative text': b'\x80\x02T' + struct.pack('<i', -5) + b'x.',
    'long unicode': b'\x80\x04\x8d' + struct.pack('<Q', 2**62) + b'x.',
    'long bytes': b'\x80\x04\x8e' + struct.pack('<Q', 2**63) + b'x.',
    'frame': b'\x80\x04\x95' + struct.pack('<Q', 2**62) + b'}.',
    'many lists': b'\x80\x02(' + b']' * (4 * 10**6) + b't.',
    'many marks': b'(' * (4 * 10**6) + b'.',
    'long number': b'\x8b' + struct.pack('<i', 2**31 - 1) + b'\x01.',
    'digits': b'I' + b'9' * 10**6 + b'\n.',
    'long digits': b'L' + b'9' * 10**6 + b'L\n.',
    'shape': labelled(data=array(b'J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86')),
    'shape of none': labelled(data=array(b'J\xff\xff\xff\x7fM\x00\x0c\x86',
                                         content=b'')),
    # recursion, and values that name each other
    'deep tuple': labelled(b')' + b'\x85' * DEEP), 'deep list': labelled(
        b']' * DEEP + b'a' * (DEEP - 1)),
    'deep key': b'\x80\x02})' + b'\x85' * DEEP + b'K\x01s.',
    'deep shape': labelled(data=array(b')' + b'\x85' * DEEP)),
    'deep dtype': labelled(b']').replace(b'U\x02u1', b')' + b'\x85' * DEEP),
    'list in itself': labelled(b']q\x00h\x00a'), 'doubled lists': labelled(NESTED),
    'doubled in shape': labelled(data=array(NESTED)),
    'doubled key': b'\x80\x02}(' + PAIRS + b'K\x01u.',
    'doubled dtype': labelled().replace(b'U\x02u1', NESTED),
    'doubled text': labelled(data=array(by_columns=PAIRS)),
    # values that are no batch
    'objects': labelled(data=array(dtype=b'O8')), 'floats': labelled(
        data=array(dtype=b'f8')), 'record': labelled(data=array(dtype=b'u1,O')),
    'signed': labelled(data=array(dtype=b'i1')),
    'columns': labelled(data=array(by_columns=b'\x88')),
    'negative shape': labelled(data=array(b'J\xff\xff\xff\xffM\x00\x0c\x86')),
    'three': labelled(data=array(b'K\x01K\x03M\x00\x04\x87')),
    'short': labelled(data=array(content=bytes(3071))),
    'unicode content': labelled(data=array(content=b'')).replace(
        b'T\0\0\0\0', b'X\x03\0\0\0\xe2\x82\xac'),
    'list for array': labelled(data=b']'), 'name for array': labelled(
        data=b'cnumpy\nndarray\n'),
    'no state': labelled(data=call(b'numpy', b'ndarray')),
    'label -1': labelled(b']J\xff\xff\xff\xffa'), 'label 256': labelled(
        b']M\x00\x01a'), 'label 10': labelled(b']K\x0aa'), 'label true': labelled(
        b']\x88a'), 'label text': labelled(b']U\x011a'), 'label float': labelled(
        b']G' + struct.pack('>d', 1.5) + b'a'), 'label list': labelled(b']]a'),
    'too many labels': labelled(b'](K\x01K\x01e'), 'labels a text': labelled(
        short(b'1')), 'labels a dict': labelled(b'}K\x01K\x01s'),
    'list': b'].', 'nothing': b'', 'no stop': labelled()[:-1], 'stop': b'.',
    'two values': b'}}.', 'no mark': b'\x80\x02}t.', 'no value': b'\x80\x02}(K\x01u.',
    'unknown memo': b'h\x05.', 'key of bytes': b'\x80\x02}]K\x01s.', 'html': b'<html>',
    'protocol': b'\x80\xff}.', 'text protocol': pickle.dumps({'labels': [1]}, 0),
}


# pickletools decodes by it; Python imports it when it is first needed.
codecs.lookup('raw-unicode-escape')


def parse_all(folder):
    """Read each file of a folder as a batch; return what happened to each."""
    result = {}
    for name in sorted(os.listdir(folder), key=int):
        with open(os.path.join(folder, name), 'rb') as file:
            content = file.read()
        start = time.monotonic()
        try:
            archives.cifar10_arrays(
                'here', ['batch'], 'meta', {'batch': content, 'meta': META},
                archives.parse_python)
            result[name] = 'read'
        except UserError as error:
            result[name] = str(error)
        except BaseException as error:
            result[name] = 'raised %r' % error
        result[name] = [result[name], time.monotonic() - start]
    return result


META = b'\x80\x02' + python2({'label_names': NAMES}) + TAIL


def in_a_process(contents, tmp_path, seconds, change='pass'):
    """Read contents in a process with little memory, in an empty folder.

    Return what happened to each; the process must not have done anything else.
    """
    (tmp_path / 'given').mkdir()
    (tmp_path / 'here').mkdir()
    for i, content in enumerate(contents):
        (tmp_path / 'given' / str(i)).write_bytes(content)
    folders = [ROOT, *(os.path.dirname(path) for path in (
        test_archives.__file__, os.path.abspath(__file__)))]
    code = ('import json, sys; sys.path[:0] = %r; import test_bad_pickles as t; '
            't.resource.setrlimit(t.resource.RLIMIT_AS, (%d, %d)); '
            '%s; sys.addaudithook(t.audit); '
            'json.dump(t.parse_all("../given"), open("../result", "w"))'
            % (folders, MEMORY, MEMORY, change))
    done = subprocess.run([sys.executable, '-c', code], cwd=tmp_path / 'here',
                          timeout=seconds, capture_output=True, text=True,
                          env=dict(os.environ, OPENBLAS_NUM_THREADS='1'))
    assert done.returncode == 0, (done.returncode, done.stderr[-500:])
    assert os.listdir(tmp_path / 'here') == [] and done.stderr == done.stdout == ''
    return list(json.loads((tmp_path / 'result').read_text()).values())


FORBIDDEN = ('os.', 'subprocess.', 'socket.', 'import', 'exec', 'compile', 'shutil.',
             'pickle.find_class', 'ctypes.', 'urllib.')


def audit(event, arguments):
    """End the process where Python is asked for anything that no reading needs."""
    if event.startswith(FORBIDDEN) and event != 'os.listdir':
        sys.stderr.write(('%s %r' % (event, arguments))[:200])
        sys.stderr.flush()
        os._exit(77)


def test_crafted_pickles_do_nothing_and_are_refused(tmp_path):
    assert len(CRAFTED) >= 90
    results = in_a_process(CRAFTED.values(), tmp_path, 120)
    for name, (what, seconds) in zip(CRAFTED, results):
        assert what.startswith('CIFAR-10 in here cannot be read ('), name
        assert 'python download.py cifar10' in what, name
        assert seconds < 20 and len(what) < 500 and what.isprintable(), name


def test_the_crafted_ones_differ_from_a_good_one_by_their_fault_alone(tmp_path):
    (what, _), = in_a_process([labelled()], tmp_path, 60)
    assert what == 'read'


def test_the_process_would_notice(tmp_path):
    """A plain unpickler in the place of ours does not get past the test above."""
    with pytest.raises(AssertionError, match='77'):
        in_a_process([CRAFTED['system']], tmp_path, 60,
                     't.pickles.read = t.pickle.loads')


# --- mutated ----------------------------------------------------------------------

def mutations(seed, count):
    """Return good batches with some bytes changed, mostly in their structure."""
    rng, result = random.Random(seed), []
    good = [GOOD, batch(1), batch(1, test_archives.python3)[:], labelled(),
            pickle.dumps({'labels': [1], 'data': np.zeros((1, 3072), np.uint8)}, 4)]
    opcodes = bytes(ord(code.code) for code in pickles.pickletools.opcodes)
    for _ in range(count):
        content = bytearray(rng.choice(good))
        for _ in range(rng.choice((1, 1, 2, 3, 8))):
            at = rng.choice((rng.randrange(len(content)), rng.randrange(200),
                             len(content) - 1 - rng.randrange(200)))
            kind = rng.randrange(5)
            if kind == 0:
                content[at] = rng.choice(opcodes)
            elif kind == 1:
                content[at:at] = bytes([rng.choice(opcodes)])
            elif kind == 2:
                content[at] = rng.randrange(256)
            elif kind == 3:
                del content[at:at + rng.choice((1, 2, 50))]
            else:
                content[at:at] = content[max(0, at - 9):at]
        result.append(bytes(content))
    return result


def check_mutations(seed, count, tmp_path, seconds):
    results = in_a_process(mutations(seed, count), tmp_path, seconds)
    assert len(results) == count
    read = [what for what, _ in results if what == 'read']
    assert all(what == 'read' or what.startswith('CIFAR-10 in here cannot be read (')
               for what, _ in results)
    assert max(seconds for _, seconds in results) < 20
    # Some change a pixel or a name alone.
    assert count / 100 < len(read) < count / 2


def test_mutated_batches_are_read_or_refused(tmp_path):
    check_mutations(1, 1000, tmp_path, 120)


@pytest.mark.slow
def test_many_mutated_batches_are_read_or_refused(tmp_path):
    check_mutations(2, 30000, tmp_path, 300)


@pytest.mark.parametrize('names', [
    NAMES[:9] + [7], NAMES[0], {'a': 1}, NAMES[:9] + [b'\xff'], None])
def test_names_of_labels_that_are_none(tmp_path, monkeypatch, names):
    folder = tmp_path / 'cifar10'
    write_cifar(folder, 'py')
    path = folder / FOLDERS['py'] / 'batches.meta'
    path.write_bytes(pickle.dumps({'label_names': names}, 2))
    try:
        _, _, classes, _ = archives.read_cifar10(str(folder), 'train')
        assert all(isinstance(name, str) for name in classes) and len(classes) == 10
    except UserError as error:
        assert 'python download.py cifar10' in str(error)


# --- in all of the program ----------------------------------------------------------

LOADERS = {'pickle', 'cPickle', '_pickle', 'dill', 'joblib', 'shelve', 'marshal',
           'cloudpickle', 'jsonpickle'}
CALLS = {'eval', 'exec', 'compile', '__import__'}


def sources():
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(name for name in folders
                            if not name.startswith('.') and name not in (
                                'data', 'checkpoint', 'samples', '__pycache__'))
        for name in names:
            if name.endswith('.py'):
                yield os.path.relpath(os.path.join(folder, name), ROOT)


def dangers(tree):
    """Return what in a module can run what a file says."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if unpickles(alias.name)]
        elif isinstance(node, ast.ImportFrom) and unpickles(node.module or ''):
            found.append(node.module)
        elif isinstance(node, ast.keyword) and node.arg == 'allow_pickle':
            found += ['allow_pickle'] * (ast.dump(node.value) != FALSE)
        elif isinstance(node, ast.Call):
            found += dangerous_call(node, ast.unparse(node.func))
    return found


FALSE = ast.dump(ast.parse('False').body[0].value)


def unpickles(module):
    return module.split('.')[0] in LOADERS


def dangerous_call(node, name):
    """Return [what is dangerous] in a call, by its name and arguments."""
    hidden = len(node.args) > 2 or any(word.arg is None for word in node.keywords)
    if name in CALLS or name.endswith('.extractall') or (
            name in ('np.load', 'numpy.load') and hidden):
        return [name]
    return []


@pytest.mark.parametrize('path', sorted(
    path for path in sources() if not path.startswith(('tests', 'bench'))))
def test_no_module_unpickles_or_evaluates(path):
    with open(os.path.join(ROOT, path), encoding='utf-8') as file:
        assert dangers(ast.parse(file.read())) == []


def test_no_test_allows_pickles_in_npy():
    for path in sources():
        with open(os.path.join(ROOT, path), encoding='utf-8') as file:
            found = dangers(ast.parse(file.read()))
        assert 'allow_pickle' not in found, path
        assert 'np.load' not in found, path


@pytest.mark.parametrize('code, count', [
    ('import pickle', 1), ('from pickle import loads', 1), ('import pickletools', 0),
    ('np.load(p, allow_pickle=True)', 1), ('np.load(p, allow_pickle=x)', 1),
    ('np.load(p, allow_pickle=False)', 0), ('np.load(p, mmap_mode="r")', 0),
    ('np.load(p, None, True)', 1), ('np.load(p, **k)', 1), ('numpy.load(p)', 0),
    ('eval(x)', 1), ('a.eval(x)', 0), ('archive.extractall(p)', 1),
    ('import joblib.numpy_pickle', 1)])
def test_the_search_finds(code, count):
    assert len(dangers(ast.parse(code))) == count


@pytest.mark.parametrize('save', [
    lambda file: np.save(file, np.array([{}], object)),
    lambda file: pickle.dump(CRAFTED, file),
    lambda file: np.savez(file, a=np.array([{}], object)), lambda file: None])
def test_a_cache_that_is_a_pickle_is_packed_anew(tmp_path, make_images, save):
    """A .npy of objects in the place of the cache is not loaded."""
    from dataset import batches, cache
    from settings.config import Config
    make_images(str(tmp_path / 'data' / 'set'), 6)
    config = Config.make(dict(dataset='set', data_dir=str(tmp_path / 'data'), threads=1,
                              output_height=16), {})
    images = np.array(batches.load(config, lambda text: None).images)
    base = cache.cache_base(config)
    with open(base + '.npy', 'wb') as file:
        save(file)
    again = batches.load(config, lambda text: None).images
    assert again.dtype == np.uint8
    np.testing.assert_array_equal(again, images)
