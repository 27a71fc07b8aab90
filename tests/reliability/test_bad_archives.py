"""Archives that lie, lead elsewhere or inflate: nothing comes of it."""

import gzip
import hashlib
import io
import os
import pathlib
import random
import resource
import shutil
import signal
import stat
import struct
import sys
import tarfile
import time
import warnings
import zipfile
import zlib

import numpy as np
import pytest
import test_archives
import test_fetch
from PIL import Image
from test_archives import load_cifar, load_mnist, tarred, write_cifar, write_mnist
from test_downloads import Child, until

import download
from dataset import archives, downloads, fetch, files, sources
from settings.errors import UserError

data = test_archives.data
server, table, run = test_fetch.server, test_fetch.table, test_fetch.run
FOLDER = 'bedroom_train_lmdb'
INSIDE = FOLDER + '/data.mdb'


# --- .zip files to unpack ----------------------------------------------------------

def zipped(*members):
    """Return a .zip of (name, content) or (name, content, mode, fields)."""
    body = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(body, 'w') as archive:
        warnings.simplefilter('ignore')             # of duplicate names
        for name, content, *more in members:
            info = zipfile.ZipInfo(name)
            info.filename = name                    # ZipInfo cuts it at a NUL
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (more[0] if more else 0o644 | stat.S_IFREG) << 16
            for key, value in (more[1] if more[1:] else {}).items():
                setattr(info, key, value)
            archive.writestr(info, content, info.compress_type)
    return body.getvalue()


def patched(body, offset, form, value, of=b'PK\x01\x02'):
    """Change a field of the last record of a kind in a .zip."""
    at = body.rindex(of) + offset
    return body[:at] + struct.pack(form, value) + body[at + struct.calcsize(form):]


GOOD = (INSIDE, b'good')
NAMES = ['/tmp/harm', '../harm', FOLDER + '/../../harm', 'a/../../harm']
ZEROS = bytes(2**20)
DAMAGED = {
    'encrypted': patched(patched(zipped(GOOD), 8, '<H', 1), 6, '<H', 1, b'PK\x03\x04'),
    'wrong sum': patched(zipped(GOOD), 16, '<I', 1),
    'cut': zipped(GOOD)[:-10], 'cut before the table': zipped(
        (INSIDE, os.urandom(999)))[:500], 'empty': b'', 'text': b'<html>',
    'another folder': zipped(('elsewhere/data.mdb', b'')), 'no members': zipped(),
    'bad deflate': zipped((INSIDE, ZEROS)).replace(zlib.compress(ZEROS)[2:40],
                                                   b'\xff' * 38),
}


@pytest.fixture
def offer(table, monkeypatch):
    """Let a body be the right LSUN .zip, by its checksum, and lie in its place."""
    def put(body):
        file = fetch.File(FOLDER + '.zip', len(body), hashlib.sha256(body).hexdigest(),
                          (), folder=FOLDER)
        monkeypatch.setattr(download, 'DATASETS',
                            {'lsun': downloads.Dataset('lsun', (file,))})
        test_fetch.write('data/lsun/%s.zip' % FOLDER, body)
        return file
    return put


def everything(folder):
    """Return what lies below a folder and beside it."""
    return sorted(os.path.relpath(os.path.join(parent, name), folder)
                  for parent, folders, names in os.walk(folder)
                  for name in folders + names)


BEFORE = ['data', 'data/lsun', 'data/lsun/%s.zip' % FOLDER]


def test_a_good_zip_is_unpacked(offer, run, tmp_path):
    offer(zipped((FOLDER + '/', b'', 0o755 | stat.S_IFDIR), GOOD,
                 (FOLDER + '/sub/\u00e9 (1).txt', b'more', 0),
                 (FOLDER + '/.console com10 null..x', b'', 0)))
    assert run('lsun')[0] == 0
    assert everything(tmp_path)[2:] == [
        'data/lsun/' + FOLDER, BEFORE[2],
        'data/lsun/%s/.console com10 null..x' % FOLDER, 'data/lsun/' + INSIDE,
        'data/lsun/%s/sub' % FOLDER, 'data/lsun/%s/sub/\u00e9 (1).txt' % FOLDER]
    assert pathlib.Path('data/lsun', INSIDE).read_bytes() == b'good'
    assert stat.S_IMODE(os.stat('data/lsun/' + INSIDE).st_mode) & 0o111 == 0


@pytest.mark.parametrize('case', DAMAGED)
def test_a_damaged_zip_is_refused_and_nothing_is_left(offer, run, tmp_path, case):
    offer(DAMAGED[case])
    code, _, err = run('lsun')
    assert code == 2 and err.count('\n') == 1 and 'etch it again' in err
    assert err.startswith('download.py: data/lsun/%s.zip' % FOLDER)
    assert everything(tmp_path) == BEFORE


@pytest.mark.parametrize('name', NAMES)
def test_names_that_lead_out_of_the_folder_write_nothing_outside(
        offer, run, tmp_path, name):
    offer(zipped(GOOD, (name, b'harm')))
    run('lsun')
    assert {path.split('/')[0] for path in everything(tmp_path)} == {'data'}
    assert not [path for path in everything(tmp_path) if path.endswith('harm')
                and not path.startswith('data/lsun/' + FOLDER)]
    assert not os.path.exists('/tmp/harm')


def test_an_archive_in_an_archive_stays_one(offer, run):
    inner = zipped(('harm', b'harm'))
    offer(zipped(GOOD, (FOLDER + '/inner.zip', inner)))
    assert run('lsun')[0] == 0
    assert sorted(os.listdir('data/lsun/' + FOLDER)) == ['data.mdb', 'inner.zip']
    assert pathlib.Path('data/lsun', FOLDER, 'inner.zip').read_bytes() == inner


def test_too_little_room_is_told_before_unpacking(offer, run, tmp_path, monkeypatch):
    offer(zipped((INSIDE, ZEROS)))
    usage = shutil.disk_usage('/')._replace(free=10**6)
    monkeypatch.setattr(shutil, 'disk_usage', lambda path: usage)
    code, _, err = run('lsun')
    assert code == 1 and 'data/lsun: 1,048,576 bytes are needed to unpack' in err
    assert '1,000,000 are free; make room' in err and everything(tmp_path) == BEFORE


def test_a_link_in_the_place_of_the_part_is_not_followed(offer, run, tmp_path):
    """A part left by somebody else leads nowhere."""
    offer(zipped(GOOD))
    os.makedirs('outside')
    os.symlink(tmp_path / 'outside', 'data/lsun/%s.part' % FOLDER)
    run('lsun')
    assert os.listdir('outside') == []


class Unpacking(Child):
    """Unpack in a process of its own."""

    def run(self, file, limit, user):
        sys.stdout, sys.stderr = (open(path, 'w') for path in self.paths)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        download.DATASETS = {'lsun': downloads.Dataset('lsun', (file,))}
        return download.main(['lsun'])


def interrupt_unpacking(file, number, seed, times):
    """Stop unpacking at random moments; return how often it was within it."""
    rng, within = random.Random(seed), 0
    part, folder = 'data/lsun/%s.part' % FOLDER, 'data/lsun/' + FOLDER
    for _ in range(times):
        child = Unpacking(file, None, None)
        until(lambda: os.path.exists(part) or os.path.exists(folder))
        time.sleep(rng.random() * 0.05)
        if child.poll() is None:
            os.kill(child.id, number)
        child.wait()
        child.end()
        within += not os.path.exists(folder)
        if os.path.exists(folder):
            assert content_of(folder) == BIG
            shutil.rmtree(folder)
    child = Unpacking(file, None, None)
    assert child.wait() == 0 and content_of(folder) == BIG
    child.end()
    assert sorted(os.listdir('data/lsun')) == [FOLDER, FOLDER + '.zip']
    return within


BIG = {'%d.bin' % i: random.Random(i).randbytes(200000) for i in range(40)}


def content_of(folder):
    return {path.name: path.read_bytes() for path in pathlib.Path(folder).iterdir()}


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_unpacking_is_redone(offer, number):
    file = offer(zipped(*((FOLDER + '/' + name, body) for name, body in BIG.items())))
    assert interrupt_unpacking(file, number, 1, 3) > 0


@pytest.mark.slow
def test_unpacking_interrupted_often_is_redone(offer):
    file = offer(zipped(*((FOLDER + '/' + name, body) for name, body in BIG.items())))
    assert interrupt_unpacking(file, signal.SIGKILL, 2, 40) > 10


def test_no_room_to_unpack(offer, tmp_path):
    file = offer(zipped((INSIDE, ZEROS)))
    child = Unpacking(file, 2**16, None)
    assert child.wait() == 1 and 'make room' in child.read()[1]
    assert everything(tmp_path) == BEFORE
    child.end()


def mutated(rng, content):
    """Return bytes with some changed, removed or doubled; more often near the end."""
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        size = max(len(content), 1)
        at = rng.choice((rng.randrange(size), size - 1 - rng.randrange(min(200, size))))
        size = rng.choice((1, 1, 2, 4, 8))
        kind = rng.randrange(4)
        if kind == 0:
            content[at:at + size] = rng.randbytes(size)
        elif kind == 1:
            content[at:at + size] = rng.choice((b'\xff', b'\0')) * size
        elif kind == 2:
            del content[at:at + size]
        else:
            content[at:at] = content[at:at + size]
    return bytes(content)


# --- .zip files read in place --------------------------------------------------------

def png(gray=7, size=(8, 8)):
    body = io.BytesIO()
    Image.new('RGB', size, (gray,) * 3).save(body, 'PNG')
    return body.getvalue()


def load_zip(data, body, **flags):
    folder = data / 'pictures'
    folder.mkdir(exist_ok=True)
    (folder / 'all.zip').write_bytes(body)
    return test_archives.load(data, 'pictures', **flags)[0]


def report(data):
    return test_archives.cache_path(data, '.report.txt').read_text()


IN_PLACE = {
    'up': ('../../harm.png', png()), 'absolute': ('/tmp/harm.png', png()),
    'backslash': ('..\\harm.png', png()), 'drive': ('C:/harm.png', png()),
    'newline': ('a\nb.png', png()), 'escape': ('a\x1b[2J.png', png()),
    'by case': ('A.PNG', png()),
}


@pytest.mark.parametrize('case', IN_PLACE)
def test_names_in_a_zip_that_is_read_in_place_lead_nowhere(data, tmp_path, case):
    before = set(tmp_path.iterdir())
    loaded = load_zip(data, zipped(('a.png', png(7)), IN_PLACE[case]))
    assert set(loaded.images[:, 0, 0, 0].tolist()) == {7}
    assert set(tmp_path.iterdir()) - before <= {data}
    assert not os.path.exists('/tmp/harm.png')


def test_a_name_that_is_there_twice_is_read_once(data):
    loaded = load_zip(data, zipped(('a.png', png(1)), ('b.png', png(2)),
                                   ('a.png', png(3))))
    assert loaded.images[:, 0, 0, 0].tolist() == [3, 2]


BAD_MEMBERS = {
    'link': zipped(('z.png', b'/etc/passwd', stat.S_IFLNK | 0o777)),
    'nested': zipped(('z.png', zipped(('a.png', png())))),
}


@pytest.mark.parametrize('case', BAD_MEMBERS)
def test_members_that_are_no_pictures_are_named(data, case):
    with zipfile.ZipFile(io.BytesIO(BAD_MEMBERS[case])) as archive:
        info, = archive.infolist()
        bad = info.filename, archive.read(info), info.external_attr >> 16
    assert len(load_zip(data, zipped(('a.png', png()), ('b.png', png()), bad))) == 2
    what = {'link': 'not a kind of image', 'nested': 'an archive'}[case]
    assert report(data).startswith('z.png: ' + what)


@pytest.mark.parametrize('method', [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_is_stored_or_deflated_is_read_in_place(data, method):
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    body = io.BytesIO()
    Image.fromarray(noise).save(body, 'BMP')
    loaded = load_zip(data, zipped(*(
        (name, body.getvalue(), 0o644, {'compress_type': method})
        for name in ('a.bmp', 'b.bmp'))), output_height=300)
    np.testing.assert_array_equal(loaded.images[1], noise)


@pytest.mark.parametrize('case', ['cut', 'empty', 'text'])
def test_a_broken_zip_in_place_is_named(data, case):
    with pytest.raises(UserError, match='all.zip cannot be read as a zip|No images in'):
        load_zip(data, DAMAGED[case])


def test_mutated_zips_in_place(data):
    mutate_in_place(data, 3, 300)


@pytest.mark.slow
def test_many_mutated_zips_in_place(data):
    mutate_in_place(data, 4, 6000)


def mutate_in_place(data, seed, count):
    rng, read = random.Random(seed), 0
    good = zipped(('x/a.png', png()), ('x/b.png', png()))
    path = data / 'a.zip'
    for _ in range(count):
        path.write_bytes(mutated(rng, good))
        files.open_zip.cache_clear()
        try:
            names = sources.zip_members(str(path))
        except UserError as error:
            assert str(path) in str(error)
            continue
        for name in names:
            result = archives_image(str(path), name)
            read += isinstance(result, np.ndarray)
    assert count / 5 < read < 2 * count


def archives_image(path, name):
    from dataset import packing
    result = packing.pack_image((path, name), (8, 8, 8, 8, False, 3))
    assert isinstance(result, (str, np.ndarray))
    return result


# --- .tar.gz: CIFAR-10 -----------------------------------------------------------

def member(name, content=b'', kind=tarfile.REGTYPE, **fields):
    """Return a header and content of a .tar."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT) + content.ljust(-len(content) // 512 * -512,
                                                          b'\0')


FIRST = 'cifar-10-batches-bin/data_batch_1.bin'


def read_with(data, more, first=True, end=bytes(1024)):
    """Load CIFAR-10 from a .tar.gz with more in it, before or after the rest."""
    made = data / 'made'
    if not made.exists():
        write_cifar(made, 'bin')
    content = gzip.decompress(tarred(made)).rstrip(b'\0')
    content += bytes(-len(content) % 512)
    body = (more + content if first else content + more) + end
    (data / 'cifar10').mkdir(exist_ok=True)
    path = data / 'cifar10' / 'cifar-10-binary.tar.gz'
    path.write_bytes(gzip.compress(body, 1))
    return len(load_cifar(data))


HARMLESS = {
    'up': member('../../harm', b'x'), 'absolute': member('/tmp/harm', b'x'),
    'link': member('a', kind=tarfile.SYMTYPE, linkname='/etc'),
    'hard link': member('a', kind=tarfile.LNKTYPE, linkname='../../etc/passwd'),
    'link in a place': member(FIRST, kind=tarfile.SYMTYPE, linkname='/dev/zero'),
    'hard link in a place': member(FIRST, kind=tarfile.LNKTYPE, linkname='/dev/zero'),
    'pipe': member(FIRST, kind=tarfile.FIFOTYPE), 'device': member(
        FIRST, kind=tarfile.CHRTYPE, devmajor=1, devminor=5),
    'block device': member(FIRST, kind=tarfile.BLKTYPE), 'folder': member(
        FIRST, kind=tarfile.DIRTYPE), 'other twice': member('a', b'x') * 2,
}


@pytest.mark.parametrize('case', HARMLESS)
@pytest.mark.parametrize('first', [True, False])
def test_members_that_nobody_wants_are_passed_over(data, tmp_path, case, first):
    before = set(everything(tmp_path))
    assert read_with(data, HARMLESS[case], first) == 20
    new = set(everything(tmp_path)) - before
    assert {path.split('/')[1] for path in new if '/' in path} <= {
        'made', 'cifar10', '.cache'}
    assert not os.path.exists('/tmp/harm')


def test_the_checksum_at_the_end_is_compared(data):
    """What comes after the last member counts: there gzip says what all of it was."""
    assert read_with(data, b'', end=bytes(10**6)) == 20
    path = data / 'cifar10' / 'cifar-10-binary.tar.gz'
    content = path.read_bytes()
    path.write_bytes(content[:-8] + bytes([content[-8] ^ 1]) + content[-7:])
    with pytest.raises(UserError, match='CRC check failed'):
        load_cifar(data)


@pytest.mark.skipif(not os.path.exists('/dev/zero'), reason='needs /dev/zero')
@pytest.mark.parametrize('make', [
    lambda path: os.symlink('/dev/zero', path), os.mkfifo,
    lambda path: os.symlink(path, path), os.mkdir])
def test_batches_that_are_no_files_are_missing(data, make):
    write_cifar(data / 'cifar10', 'bin')
    path = data / 'cifar10' / 'cifar-10-batches-bin' / 'data_batch_1.bin'
    path.unlink()
    make(str(path))
    with pytest.raises(UserError, match='No data_batch_1.bin in'):
        load_cifar(data)


# --- .gz: MNIST ------------------------------------------------------------------

SHAPES = {
    'beyond 64 bits': (2**31, 2**31, 4), 'all beyond': (2**32 - 1,) * 3,
    'terabytes': (10**6, 1000, 1000), 'zero of a wrong kind': (0, 28, 28),
}


@pytest.mark.parametrize('case', SHAPES)
@pytest.mark.parametrize('ending', ['', '.gz'])
def test_a_shape_that_is_a_lie(data, case, ending):
    write_mnist(data / 'mnist', ending=ending)
    magic = 0x803 if 'wrong' not in case else 0x903
    content = struct.pack('>4I', magic, *SHAPES[case])
    path = data / 'mnist' / ('train-images-idx3-ubyte' + ending)
    path.write_bytes(gzip.compress(content) if ending else content)
    with pytest.raises(UserError, match='again') as caught:
        load_mnist(data)
    assert str(path) in str(caught.value)


def test_mutated_gz(data):
    mutate_gz(data, 1, 300)


@pytest.mark.slow
def test_many_mutated_gz(data):
    mutate_gz(data, 2, 4000)


def mutate_gz(data, seed, count):
    write_mnist(data / 'mnist', ending='.gz')
    path = data / 'mnist' / 't10k-images-idx3-ubyte.gz'
    good, rng, read = path.read_bytes(), random.Random(seed), 0
    plain = gzip.decompress(good)
    for i in range(count):
        path.write_bytes(gzip.compress(mutated(rng, plain[:16]) + plain[16:], 1)
                         if i % 2 else mutated(rng, good))
        try:
            images = archives.read_idx(str(path), 3)
            assert images.dtype == np.uint8 and images.ndim == 3
            read += 1
        except UserError as error:
            assert str(path) in str(error)
    assert 0 < read < count
