"""Test download.py: its table, its command, what it says and what it leaves on disk."""

import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import test_archives
import test_fetch
from test_fetch import BODY, HALF, final, give, listing, md5, status, write, write_part

import download
from dataset import batches, catalog, downloads, fetch
from metrics import extractors
from settings.config import Config

ROOT = os.path.dirname(os.path.abspath(download.__file__))
REAL = download.DATASETS
server, table, run = test_fetch.server, test_fetch.table, test_fetch.run


# --- fetching what can be had -----------------------------------------------------

def test_fetches_verifies_and_says_the_path(table, server, run):
    code, out, err = run('set', 'set')
    assert (code, err) == (0, '')
    assert out == ('data/folder/file.bin: written, 512,000 bytes, md5 as expected\n')
    assert final() == BODY and listing() == ['file.bin']
    assert server.asked == [('/a/file.bin', None)]


def test_a_right_file_is_not_fetched_again(table, server, run):
    write('data/folder/file.bin', BODY)
    assert run('set') == (0, 'data/folder/file.bin: already there\n', '')
    assert server.asked == []


def test_a_wrong_file_is_replaced(table, run):
    write('data/folder/file.bin', b'wrong')
    code, out, _ = run('set')
    assert code == 0 and final() == BODY
    assert md5(b'wrong') in out and md5(BODY) in out


def test_a_wrong_file_stays_while_nothing_better_came(table, server, run):
    server.answers = {path: [status(404)] for path in server.answers}
    write('data/folder/file.bin', b'wrong')
    assert run('set')[0] == 1
    assert final() == b'wrong'


def test_an_empty_folder_of_the_users_stays(table, server, run):
    server.answers = {path: [status(404)] for path in server.answers}
    os.makedirs('data/folder')
    assert run('set')[0] == 1 and os.path.isdir('data/folder')


def test_data_dir(table, run):
    assert run('set', '--data_dir', 'some/where')[0] == 0
    assert os.listdir('some/where/folder') == ['file.bin']


def test_a_given_mirror_is_asked_first(table, server, run):
    server.answers['/mine/file.bin'] = [give()]
    assert run('set', '--mirror', server.base + '/mine/')[0] == 0
    assert server.asked == [('/mine/file.bin', None)]


def test_a_mirror_with_spaces_and_accents(table, server, run):
    server.answers['/my%20%C3%A9/file.bin'] = [give()]
    assert run('set', '--mirror', server.base + '/my \u00e9')[0] == 0
    assert server.asked == [('/my%20%C3%A9/file.bin', None)]


def test_given_mirrors_keep_their_order_and_the_table_follows(table, server, run):
    server.answers.update({f'/{mirror}/file.bin': [status(404)]
                           for mirror in ('one', 'two', 'a')})
    code, _, _ = run('set', '--mirror', server.base + '/one',
                     '--mirror', server.base + '/two')
    assert code == 0 and final() == BODY
    assert [path[1:-9] for path, _ in server.asked] == ['one', 'two', 'a', 'b']


def test_an_interruption_keeps_the_part(table, server, run, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt
    with monkeypatch.context() as patch:
        patch.setattr(fetch.tqdm, 'update', interrupt)
        server.answers['/a/file.bin'] = [give(upto=1000)]
        code, out, err = run('set', 'other')
    assert code == 130 and out == ''
    assert re.fullmatch(r'download.py: stopped \(data/folder/file.bin.part keeps 1,000 '
                        r'bytes, .*\)\n', err)
    assert listing() == ['file.bin.part'] and len(server.asked) == 1
    server.answers['/a/file.bin'] = [give()]
    assert run('set')[0] == 0 and final() == BODY
    assert server.asked[-1] == ('/a/file.bin', 'bytes=1000-')


def test_one_failing_data_set_does_not_stop_the_next(table, server, run):
    server.answers['/a/file.bin'] = [status(404), give()]
    server.answers['/b/file.bin'] = [status(404)]
    code, out, err = run('other', 'set')
    assert code == 1 and final() == BODY
    assert err.count('\n') == 1 and 'other/else.bin: no mirror' in err


# --- what is printed --------------------------------------------------------------

@pytest.fixture
def unread():
    """Return what can be written to of a pipe that nobody reads, as after `| head`."""
    end, pipe = os.pipe()
    os.close(end)
    with open(pipe, 'w') as file:
        yield file


def test_a_reader_that_goes_stops_nothing(table, server, run, unread, monkeypatch):
    server.answers['/a/file.bin'] = [status(404)]
    monkeypatch.setattr(sys, 'stdout', unread)
    assert run('set', 'set') == (0, '', '')
    assert final() == BODY and listing() == ['file.bin']
    assert [path for path, _ in server.asked] == ['/a/file.bin', '/b/file.bin']


def test_a_reader_that_goes_hides_no_failure(table, server, run, unread, monkeypatch):
    server.answers = {path: [status(404)] for path in server.answers}
    monkeypatch.setattr(sys, 'stdout', unread)
    code, _, err = run('set')
    assert code == 1 and err.count('\n') == 1 and 'no mirror gave this file' in err


@pytest.mark.parametrize('unbuffered', ['', '1'])
def test_the_command_without_a_reader(tmp_path, unread, unbuffered):
    done = subprocess.run([sys.executable, download.__file__, 'toonfaces'],
                          cwd=tmp_path, stdout=unread, stderr=subprocess.PIPE,
                          env=dict(os.environ, PYTHONUNBUFFERED=unbuffered))
    assert (done.returncode, done.stderr) == (0, b'')


def test_lines_come_at_once(table, server, run, monkeypatch):
    end, pipe = os.pipe()
    os.set_blocking(end, False)
    with open(end, 'rb') as reader, open(pipe, 'w') as file:
        monkeypatch.setattr(sys, 'stdout', file)
        assert run('set')[0] == 0
        assert reader.read() == (
            b'data/folder/file.bin: written, 512,000 bytes, md5 as expected\n')


# --- the disk ---------------------------------------------------------------------

@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs /dev/full')
def test_a_full_disk(table, server, run):
    os.makedirs('data/folder')
    os.symlink('/dev/full', 'data/folder/file.bin.part')
    code, _, err = run('set')
    assert code == 1 and err.count('\n') == 1
    assert 'No space left' in err and '--data_dir' in err
    assert listing() == ['file.bin.part'] and len(server.asked) == 1


def test_a_folder_that_cannot_be_written(table, run):
    write('data', b'a file')
    code, _, err = run('set')
    assert code == 2 and err.count('\n') == 1
    assert err.startswith('download.py: --data_dir: The folder data cannot be made')


# --- files fetched by hand --------------------------------------------------------

def test_an_archive_is_recognised_by_its_md5(table, server, run):
    write('Downloads/file (1).bin', BODY)
    write_part(BODY[:HALF])
    code, out, err = run('set', '--archive', 'Downloads/file (1).bin')
    assert (code, err) == (0, '') and 'data/folder/file.bin: written' in out
    assert final() == BODY and listing() == ['file.bin'] and server.asked == []
    assert os.path.exists('Downloads/file (1).bin')
    _, out, _ = run('set', '--archive', 'data/folder/file.bin')
    assert out == 'data/folder/file.bin: already there\n' and final() == BODY


def test_a_wrong_archive_is_refused_and_nothing_is_copied(table, run):
    write('file.bin', BODY[:HALF])
    write('good.bin', BODY)
    code, out, err = run('set', '--archive', 'good.bin', 'file.bin')
    assert (code, out) == (2, '') and err.count('\n') == 1
    for part in ('file.bin', md5(BODY[:HALF]), md5(BODY), '256,000 bytes'):
        assert part in err
    assert not os.path.exists('data')


def test_an_archive_of_another_data_set_is_refused(table, run):
    write('good.bin', BODY)
    code, _, err = run('other', '--archive', 'good.bin')
    assert code == 2 and 'a file of set, not of other' in err
    assert not os.path.exists('data')


@pytest.mark.parametrize('path', ['nowhere.zip', '.'])
def test_an_archive_that_is_no_file(table, run, path):
    code, _, err = run('set', '--archive', path)
    assert code == 2 and err == f'download.py: --archive {path}: no such file\n'


def test_an_archive_that_changes_meanwhile_is_not_kept(table, run, monkeypatch):
    write('good.bin', BODY)
    recognise = download.recognise

    def then_change(*arguments):
        file = recognise(*arguments)
        write('good.bin', b'changed')
        return file
    monkeypatch.setattr(download, 'recognise', then_change)
    code, _, err = run('set', '--archive', 'good.bin')
    assert code == 2 and 'changed while it was copied' in err and listing() == []


# --- the command and the table ----------------------------------------------------

@pytest.mark.parametrize('arguments, message', [
    (['nist'], 'no data set nist; did you mean mnist? Else choose from mnist, celebA'),
    (['CelebA'], 'no data set CelebA; did you mean celebA? Else choose from mnist,'),
    (['mnist', 'x', 'y'], 'no data set x, y: choose from mnist, celebA, fashion_mnist'),
    ([], 'name what to fetch: choose from mnist, celebA, fashion_mnist'),
    (['--archive', 'f', 'mnist'], 'name what to fetch, before --archive: choose from'),
    (['mnist', 'celebA', '--archive', 'f'],
     '--archive needs one data set, found mnist, celebA: choose from mnist,'),
    (['toonfaces', '--archive', 'f'], '--archive needs one data set, found toonfaces'),
    (['mnist', '--mirror', 'ftp://host/'], '--mirror ftp://host/: expected http://'),
    (['mnist', '--mirror', '/folder'], '--mirror /folder: expected http://'),
    (['mnist', '--data', 'd'], 'unrecognized arguments: --data d'),
])
def test_wrong_arguments_give_one_line_and_status_2(run, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, '')
    assert err.startswith('download.py: ' + message) and err.count('\n') == 1


@pytest.mark.parametrize('program', ['download.py', 'main.py'])
def test_a_python_without_the_packages_is_told_how_to_install_them(program):
    done = subprocess.run([sys.executable, '-S', os.path.join(ROOT, program)],
                          stderr=subprocess.PIPE, universal_newlines=True)
    assert done.returncode == 1
    assert done.stderr.startswith('Not installed yet (No module named ')
    assert 'make install' in done.stderr and done.stderr.count('\n') == 1


def test_toonfaces_is_there_already(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run('toonfaces')
    assert (code, err) == (0, '')
    assert 'data/toonfaces: already there' in out and os.listdir() == []


def test_the_command_line(tmp_path):
    def call(*arguments):
        return subprocess.run([sys.executable, download.__file__, *arguments],
                              cwd=tmp_path, capture_output=True, text=True)
    helped = call('--help')
    assert helped.returncode == 0
    for part in ('mnist', 'celebA', 'toonfaces', '--archive', '--mirror', '--data_dir'):
        assert part in helped.stdout
    wrong = call('mnist', '--archive', 'nowhere')
    assert wrong.returncode == 2
    assert wrong.stderr == 'download.py: --archive nowhere: no such file\n'


def test_the_table_of_mnist():
    folder, files = download.DATASETS['mnist']
    assert folder == 'mnist'
    assert {file.name: (file.size, file.checksum) for file in files} == {
        'train-images-idx3-ubyte.gz': (9912422, 'f68b3c2dcbeaaa9fbdd348bbdeb94873'),
        'train-labels-idx1-ubyte.gz': (28881, 'd53e105ee54ea40749a09fcbcd1e9432'),
        't10k-images-idx3-ubyte.gz': (1648877, '9fb629c4189551a2d022fa330f9573f3'),
        't10k-labels-idx1-ubyte.gz': (4542, 'ec29112dd5afa0611ce80d1b7f02629c')}
    for file in files:
        assert file.urls == (
            f'https://ossci-datasets.s3.amazonaws.com/mnist/{file.name}',
            f'https://storage.googleapis.com/cvdf-datasets/mnist/{file.name}')


def test_the_table_of_celeba():
    folder, (file, table) = download.DATASETS['celebA']
    assert folder == 'celebA' and file.name == 'img_align_celeba.zip'
    assert (file.size, file.checksum) == (
        1443490838, '00d2c5bc6d35e252742224ab0c1e8fcb')
    assert (table.name, table.size, table.checksum) == (
        'list_attr_celeba.txt', 26721026, '75e246fa4810816ffd6ee81facbd244c')
    for part, key in ((file, '0B7EVK8r0v71pZjFTYXZWM3FlRnM'),
                      (table, '0B7EVK8r0v71pblRyaVFSWGxPY0U')):
        assert part.urls == ('https://drive.usercontent.google.com/download'
                             f'?id={key}&export=download&confirm=t',)
        assert f'https://drive.google.com/file/d/{key}/view' in part.by_hand
        assert 'https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html' in part.by_hand


def test_the_tables_of_the_other_data_sets():
    assert {(file.name, file.size, file.checksum)
            for name in ('fashion_mnist', 'cifar10', 'cifar10_binary', 'lsun')
            for file in download.DATASETS[name].files} == {
        ('train-images-idx3-ubyte.gz', 26421880, '8d4fb7e6c68d591d4c3dfef9ec88bf0d'),
        ('train-labels-idx1-ubyte.gz', 29515, '25c81989df183df01b3e8a0aad5dffbe'),
        ('t10k-images-idx3-ubyte.gz', 4422102, 'bef4ecab320f06d8554ea6380940ec79'),
        ('t10k-labels-idx1-ubyte.gz', 5148, 'bb300cfdad3c16e7a12a480ee83cd310'),
        ('cifar-10-python.tar.gz', 170498071, 'c58f30108f718f92721af3b95e74349a'),
        ('cifar-10-binary.tar.gz', 170052171, 'c32a1d4ab5d03f1284b67883e8d87530'),
        ('bedroom_train_lmdb.zip', 45922737680,
         'a15644c2e7153106867f0adb3491fc41224102d1f01b24494fb47d9f5d1f174e')}
    urls = {name: download.DATASETS[name].files[0].urls for name in download.DATASETS}
    assert urls['cifar10'][0] == (
        'https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz')
    assert urls['fashion_mnist'][0] == (
        'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/'
        'train-images-idx3-ubyte.gz')
    assert urls['lsun'] == ('http://dl.yf.io/lsun/scenes/bedroom_train_lmdb.zip',)


def test_every_row_is_of_the_right_form():
    sums = set()
    for folder, files in download.DATASETS.values():
        assert folder in catalog.DATASETS or folder == 'inception'
        for file in files:
            sums.add(file.checksum)
            assert re.fullmatch('[0-9a-f]{32}|[0-9a-f]{64}|%s' % file.size,
                                file.checksum)
            if file.kind == 'size':     # then who gives it must be known
                assert all(url.startswith('https://') for url in file.urls)
            assert file.size is None or file.size > 0
            assert file.urls and os.path.basename(file.name) == file.name
            assert all(re.match('https?://', url) for url in file.urls)
    assert len(sums) == sum(len(files) for _, files in download.DATASETS.values())
    assert set(download.BY_HAND) < set(catalog.DATASETS)


# --- small archives of the layout of the real ones ----------------------------------

def serve(monkeypatch, server, name, **bodies):
    """Let a data set's files be the bodies, by a part of its name."""
    folder, files = REAL[name]
    kinds = {'md5': lambda body: hashlib.md5(body).hexdigest(),
             'sha256': lambda body: hashlib.sha256(body).hexdigest(),
             'size': lambda body: str(len(body))}
    changed = []
    for file in files:
        body = next(body for part, body in bodies.items() if part in file.name)
        server.answers['/real/' + file.name] = [give(body)]
        changed.append(file._replace(
            size=len(body), checksum=kinds[file.kind](body),
            urls=(f'{server.base}/real/{file.name}',)))
    monkeypatch.setattr(download, 'DATASETS',
                        {name: downloads.Dataset(folder, tuple(changed))})


def load(name, **flags):
    flags = dict(flags, dataset=name, threads=1)
    return batches.load(Config.make(flags, catalog.defaults(name)), lambda text: None)


@pytest.mark.parametrize('name, kind', [('cifar10', 'py'), ('cifar10_binary', 'bin')])
def test_cifar10_fetched_is_read(table, server, run, monkeypatch, tmp_path, name, kind):
    images, labels = test_archives.write_cifar(tmp_path / 'made', kind)
    body = test_archives.tarred(tmp_path / 'made')
    serve(monkeypatch, server, name, cifar=body)
    code, out, err = run(name)
    assert (code, err) == (0, '') and 'md5 as expected' in out
    np.testing.assert_array_equal(load('cifar10').images, images)


def test_fashion_mnist_fetched_is_read(table, server, run, monkeypatch, tmp_path):
    images, labels = test_archives.write_mnist(tmp_path / 'made', ending='.gz')
    serve(monkeypatch, server, 'fashion_mnist', **{
        path.name[:12]: path.read_bytes() for path in (tmp_path / 'made').iterdir()})
    assert run('fashion_mnist')[::2] == (0, '')
    loaded = load('fashion_mnist')
    np.testing.assert_array_equal(loaded.images[..., 0], images)
    np.testing.assert_array_equal(loaded.labels, labels)
    assert loaded.classes[8] == 'Bag'


@pytest.fixture
def bedrooms(table, server, monkeypatch, tmp_path):
    """Serve a small LSUN bedroom_train_lmdb.zip; return its bytes."""
    test_archives.write_lmdb(tmp_path / 'made' / 'bedroom_train_lmdb', 3)
    shutil.make_archive(str(tmp_path / 'bedrooms'), 'zip', str(tmp_path / 'made'))
    body = (tmp_path / 'bedrooms.zip').read_bytes()
    serve(monkeypatch, server, 'lsun', bedroom=body)
    return body


def test_lsun_is_fetched_checked_by_sha256_unpacked_and_read(bedrooms, server, run):
    code, out, err = run('lsun')
    assert (code, err) == (0, '') and 'sha256 as expected' in out
    assert 'data/lsun/bedroom_train_lmdb: unpacked' in out
    assert sorted(os.listdir('data/lsun')) == ['bedroom_train_lmdb',
                                               'bedroom_train_lmdb.zip']
    assert len(load('lsun')) == 3
    os.remove('data/lsun/bedroom_train_lmdb.zip')       # the folder is enough
    assert run('lsun') == (0, 'data/lsun/bedroom_train_lmdb: already there\n', '')
    assert len(server.asked) == 1


def test_an_lsun_zip_that_is_there_is_unpacked_not_fetched(bedrooms, server, run):
    write('data/lsun/bedroom_train_lmdb.zip', bedrooms)
    os.makedirs('data/lsun/bedroom_train_lmdb.part/half')
    assert run('lsun')[0] == 0 and server.asked == []
    assert sorted(os.listdir('data/lsun/bedroom_train_lmdb')) == ['data.mdb',
                                                                  'lock.mdb']
    shutil.rmtree('data')
    write('mine.zip', bedrooms)
    assert run('lsun', '--archive', 'mine.zip')[0] == 0 and server.asked == []
    assert len(load('lsun')) == 3


def test_a_wrong_sha256_is_refused(bedrooms, server, run):
    server.answers['/real/bedroom_train_lmdb.zip'] = [give(bedrooms[::-1])]
    code, _, err = run('lsun')
    assert code == 1 and 'a file with sha256 ' in err
    assert not os.path.exists('data/lsun/bedroom_train_lmdb')


def test_anime_says_where_it_comes_from_and_how_to_place_it(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run('anime')
    assert (code, out) == (1, '') and err.count('\n') == 1
    assert 'https://www.kaggle.com/' in err and 'into data/anime' in err
    write('data/anime/a.png', b'')
    assert run('anime') == (0, 'data/anime: already there, with files of yours\n', '')


# --- inception --------------------------------------------------------------------

GRAPH = bytes(range(256)) * 40
UNPACKED = 'data/inception/classify_image_graph_def.pb'
TGZ = 'data/inception/inception-2015-12-05.tgz'


def tgz(**members):
    """Return a .tar.gz of {name: content}; a content that is a text is a link's."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode='w:gz') as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname, content = tarfile.SYMTYPE, content, b''
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def test_of_inception_only_the_graph_is_taken(table, server, run, monkeypatch):
    body = tgz(**{'../out.txt': b'out', '/out2.txt': b'out', 'LICENSE': b'text',
                  './classify_image_graph_def.pb': GRAPH})
    serve(monkeypatch, server, 'inception', inception=body)
    code, out, err = run('inception')
    assert (code, err) == (0, '')
    assert f'{TGZ}: written, {len(body):,} bytes, size as expected' in out
    assert f'{UNPACKED}: unpacked' in out
    assert sorted(os.listdir('data/inception')) == [os.path.basename(UNPACKED),
                                                    os.path.basename(TGZ)]
    assert not os.path.exists('data/out.txt')
    with open(UNPACKED, 'rb') as file:
        assert file.read() == GRAPH
    os.remove(TGZ)
    assert run('inception') == (0, f'{UNPACKED}: already there\n', '')
    assert len(server.asked) == 1


def test_inception_of_another_size_is_refused(table, server, run, monkeypatch):
    serve(monkeypatch, server, 'inception', inception=tgz())
    server.answers['/real/inception-2015-12-05.tgz'] = [give(b'another')]
    code, _, err = run('inception')
    assert code == 1 and 'offers 7 bytes' in err
    assert os.listdir('data') == []


@pytest.mark.parametrize('body', [
    b'no archive at all', tgz(LICENSE=b'text'),
    tgz(**{'classify_image_graph_def.pb': '/etc/passwd'}),
    tgz(**{'classify_image_graph_def.pb': GRAPH})[:-9],
    tgz(**{'classify_image_graph_def.pb': GRAPH})[:-8] + b'12345678'])
def test_an_archive_without_the_graph_is_said(table, server, run, monkeypatch, body):
    serve(monkeypatch, server, 'inception', inception=body)
    code, _, err = run('inception')
    assert code == 1
    assert re.search('cannot be unpacked .* remove it and fetch it again', err)
    assert sorted(os.listdir('data/inception')) == [os.path.basename(TGZ)]


def test_inception_fetched_by_hand(table, server, run, monkeypatch):
    body = tgz(**{'classify_image_graph_def.pb': GRAPH})
    serve(monkeypatch, server, 'inception', inception=body)
    write('mine.tgz', body)
    assert run('inception', '--archive', 'mine.tgz')[0] == 0
    assert os.path.getsize(UNPACKED) == len(GRAPH)
    write('mine.tgz', body + b'more')
    code, _, err = run('inception', '--archive', 'mine.tgz')
    assert code == 2 and f'size {len(body) + 4}, expected {len(body)}' in err
    assert server.asked == []


def test_the_table_of_inception():
    folder, (file,) = download.DATASETS['inception']
    assert (folder, file.size, file.kind) == ('inception', 88931400, 'size')
    assert [url.rpartition('/')[2] for url in file.urls] == [
        'inception-2015-12-05.tgz'] * 2
    path = os.path.join('data', folder, file.member)
    assert path == extractors.inception_path(Config.make({}, {}))
