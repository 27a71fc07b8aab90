"""CIFAR-10's Python batches are pickles: reading one never calls what it names."""

import ast
import json
import os
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest
import test_archives
from test_archives import NAMES, python2

from dataset import archives, pickles  # noqa: F401  (for the process below)
from settings.errors import UserError

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(archives.__file__)))
TAIL = b'.'


def batch(count=2, dumps=python2):
    """Return a good batch."""
    pixels = np.arange(count * 3072, dtype=np.uint32).astype(np.uint8)
    return b'\x80\x02' + dumps({
        'batch_label': 'one', 'labels': list(range(count)),
        'data': pixels.reshape(count, 3072),
        'filenames': ['a.png'] * count}) + TAIL


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
    values = {'labels': [i % 10 for i in range(10000)],
              'data': np.zeros((10000, 3072), np.uint8),
              'filenames': ['name_%06d.png' % i for i in range(10000)]}
    content = b'\x80\x02' + python2(values) + TAIL
    pixels, numbers = archives.parse_python(content)
    assert pixels.shape == (10000, 3072) and numbers[:12].tolist()[-3:] == [9, 0, 1]


# --- crafted ----------------------------------------------------------------------

def short(text):
    return b'U' + bytes([len(text)]) + text


def call(module, name, *arguments):
    """Return the bytes of a pickle that calls a function with texts."""
    return b'c%s\n%s\n(%stR' % (module, name, b''.join(map(short, arguments)))


def array(dtype=b'u1', content=bytes(3072)):
    """Return the bytes of the pickle of an array, as Python 2 wrote it."""
    return (b'cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b'
            b'\x87R(K\x01K\x01M\x00\x0c\x86cnumpy\ndtype\n' + short(dtype)
            + b'K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00'
            b'tb\x89T' + struct.pack('<i', len(content)) + content + b'tb')


def labelled(labels=b']K\x01a', data=None):
    return (b'\x80\x02}' + short(b'labels') + labels + b's' + short(b'data')
            + (array() if data is None else data) + b's.')


HARM = short(b'harm')
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
    'build of a function': b'c_codecs\nencode\n(N}' + HARM + b'K\x01stb.',
    # what numpy itself would take for the addresses of objects
    'objects': labelled(data=array(dtype=b'O8', content=bytes(8))),
    'short': labelled(data=array(content=bytes(3071))),
    'label 10': labelled(b']K\x0aa'), 'too many labels': labelled(b'](K\x01K\x01e'),
    'list': b'].', 'nothing': b'', 'html': b'<html>',
}


def parse_all(folder):
    """Read each file of a folder as a batch; return what happened to each."""
    result = {}
    for name in sorted(os.listdir(folder), key=int):
        with open(os.path.join(folder, name), 'rb') as file:
            content = file.read()
        try:
            archives.cifar10_arrays(
                'here', ['batch'], 'meta', {'batch': content, 'meta': META},
                archives.parse_python)
            result[name] = 'read'
        except UserError as error:
            result[name] = str(error)
        except BaseException as error:
            result[name] = 'raised %r' % error
    return result


META = b'\x80\x02' + python2({'label_names': NAMES}) + TAIL


def in_a_process(contents, tmp_path, change='pass'):
    """Read contents in a process of its own, in an empty folder.

    Return what happened to each; the process must not have done anything else.
    """
    (tmp_path / 'given').mkdir()
    (tmp_path / 'here').mkdir()
    for i, content in enumerate(contents):
        (tmp_path / 'given' / str(i)).write_bytes(content)
    folders = [ROOT, *(os.path.dirname(path) for path in (
        test_archives.__file__, os.path.abspath(__file__)))]
    code = ('import json, sys; sys.path[:0] = %r; import test_bad_pickles as t; '
            '%s; sys.addaudithook(t.audit); '
            'json.dump(t.parse_all("../given"), open("../result", "w"))'
            % (folders, change))
    done = subprocess.run([sys.executable, '-c', code], cwd=tmp_path / 'here',
                          timeout=60, capture_output=True, text=True,
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
    results = in_a_process(CRAFTED.values(), tmp_path)
    for name, what in zip(CRAFTED, results):
        assert what.startswith('CIFAR-10 in here cannot be read ('), name
        assert 'python download.py cifar10' in what, name


def test_the_crafted_ones_differ_from_a_good_one_by_their_fault_alone(tmp_path):
    what, = in_a_process([labelled()], tmp_path)
    assert what == 'read'


def test_the_process_would_notice(tmp_path):
    """A plain unpickler in the place of ours does not get past the test above."""
    with pytest.raises(AssertionError, match='77'):
        in_a_process([CRAFTED['system']], tmp_path,
                     't.pickles.read = t.pickle.loads')


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
    path for path in sources() if not path.startswith(('tests', 'bench'))
    # which names may be called; zipfile's extractall leaves no folder
    and path not in ('dataset/pickles.py', 'dataset/unpack.py')))
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
