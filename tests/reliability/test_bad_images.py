"""A messy folder: bad files, links, other users' files, what vanishes, dead workers.

Good pictures are used, bad ones named with the reason; fuzz_images.py has the rest.
"""

import concurrent.futures
import fcntl
import os
import signal
import struct
import subprocess
import sys
import threading
import time

import fuzz_images
import numpy as np
import pytest
import test_sources
from test_downloads import until
from test_image_kinds import ROOT
from test_sources import cache_files, cache_path, grays, load, make_zip, numbered, paint

from dataset import batches, files, packing
from settings.errors import UserError

data = test_sources.data


def report(data):
    """Return {name: reason} of the images that could not be used."""
    lines = cache_path(data, '.report.txt').read_text(encoding='utf-8').splitlines()
    return dict(line.split(': ', 1) for line in lines)


# --- a messy folder ----------------------------------------------------------

BAD = {
    'empty.jpg': b'', 'page.jpg': b'<!DOCTYPE html><html><body>Not found</body></html>',
    'text.jpg': b'see the other folder\n' * 99, 'zeros.png': bytes(5000),
    'zip.jpg': b'PK\x03\x04' + bytes(100), 'pdf.jpg': b'%PDF-1.4\n%%EOF',
    'script.jpg': b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n9 9 moveto\n%%EOF',
    'head.jpg': fuzz_images.good()['base.jpg'][:400],
    'head.png': fuzz_images.good()['rgb.png'][:200],
    'head.gif': fuzz_images.good()['still.gif'][:400],
}


def test_good_ones_are_used_and_bad_ones_named_with_the_reason(data):
    good = fuzz_images.good()
    (data / 'mine').mkdir()
    for name, content in {**good, **BAD}.items():
        (data / 'mine' / name).write_bytes(content)
    loaded, echoed = load(data, output_height=20, output_width=24)
    found = report(data)
    assert set(found) == set(BAD)
    assert all(len(reason) > 10 for reason in found.values())
    assert found['empty.jpg'] == 'empty: copy it again'
    assert found['text.jpg'] == 'not a kind of image that Pillow opens'
    assert 'PDF' in found['pdf.jpg'] and 'archive' in found['zip.jpg']
    assert found['head.jpg'].startswith('cut short: copy it again')
    assert echoed[1].startswith('%d of %d images could not' % (
        len(BAD), len(BAD) + len(good)))
    expected = np.asarray(fuzz_images.picture('RGB'), int)
    names = sorted(good)
    for name in ('rgba.png', 'lossless.webp', 'plain.tif', 'colour.ppm', 'bitmap.bmp',
                 'packed.tga', 'plain.sgi', 'lzw.tif', 'two.tif', 'plain.im'):
        if name in ('rgba.png', 'lossless.webp', 'lzw.tif', 'plain.tif'):
            continue        # alpha, or turned: test_image_kinds.py
        np.testing.assert_array_equal(loaded.images[names.index(name)], expected, name)


@pytest.mark.parametrize('name', ['a.png', 'a.jpg', 'a.txt.gif', 'a.tga', 'a.webp'])
def test_a_wrong_extension_does_not_matter(data, name):
    (data / 'mine').mkdir()
    (data / 'mine' / name).write_bytes(fuzz_images.good()['colour.ppm'])
    loaded, _ = load(data, output_height=20, output_width=24)
    np.testing.assert_array_equal(loaded.images[0], fuzz_images.picture('RGB'))


def iptc(content):
    """Return an IPTC file of a picture that is a file itself."""
    records = (3, 60, b'\1\0'), (3, 20, b'\0\x09'), (3, 30, b'\0\x09'), (
        3, 120, b'\5'), (8, 10, content), (9, 10, b'')
    return b''.join(struct.pack('>BBBH', 0x1c, record, kind, len(value)) + value
                    for record, kind, value in records)


def test_a_program_named_as_a_picture_is_not_run(data, monkeypatch, tmp_path):
    """Pillow draws PostScript by Ghostscript, whatever the file's name."""
    (tmp_path / 'bin').mkdir()
    (tmp_path / 'bin' / 'gs').write_text('#!/bin/sh\ntouch "%s/ran"\n' % tmp_path)
    os.chmod(str(tmp_path / 'bin' / 'gs'), 0o755)
    monkeypatch.setenv('PATH', str(tmp_path / 'bin'), prepend=os.pathsep)
    numbered(data / 'mine', 1)
    (data / 'mine' / 'x.png').write_bytes(BAD['script.jpg'])
    assert grays(load(data)[0]) == [0] and 'x.png' in report(data)
    (data / 'mine' / 'x.png').write_bytes(iptc(BAD['script.jpg']))
    assert grays(load(data)[0]) == [0] and 'x.png' in report(data)
    assert not (tmp_path / 'ran').exists()


NAMES = ['größe.png', '写真.png', 'two\nlines.png', 'tab\t.png', 'quote".png',
         "it's.png", ' space .png', '-rf.png', '$HOME.png', '*.png', '[a].png',
         '%s.png', 'a' * 240 + '.png', 'e\u0301.png', '\u202egnp.png',
         'esc\x1b[31m.png', 'next\x85.png']


@pytest.mark.parametrize('bad', [False, True])
def test_names_of_all_kinds(data, bad):
    numbered(data / 'mine', len(NAMES) + 1)
    for name in NAMES:
        if bad:
            (data / 'mine' / name).write_bytes(b'broken')
        else:
            paint(data / 'mine' / name, 200)
    with open(os.fsencode(str(data / 'mine')) + b'/caf\xe9.png', 'wb') as file:
        file.write(b'broken')
    loaded, _ = load(data)
    text = cache_path(data, '.report.txt').read_text(encoding='utf-8')
    assert text.count('\n') == len(text.splitlines()) == bad * len(NAMES) + 1
    assert text.replace('\n', '').isprintable()
    assert r'caf\udce9.png: ' in text
    if bad:
        assert r'two\nlines.png: ' in text and r'esc\x1b[31m.png: ' in text
        assert 'größe.png: ' in text and '写真.png: ' in text
    assert sorted(grays(loaded)) == [*range(len(NAMES) + 1),
                                     *[200] * (len(NAMES) * (not bad))]


# --- links -------------------------------------------------------------------

def test_links(data):
    """Folders are followed once; a link that leads nowhere is named."""
    numbered(data / 'mine', 3)
    paint(data / 'else.png', 50)
    for name, target in (('x.png', data / 'else.png'), ('gone.png', 'nowhere'),
                         ('loop.png', 'loop.png'), ('up', '.'),
                         ('.hidden.png', data / 'else.png')):
        (data / 'mine' / name).symlink_to(target)
    assert grays(load(data)[0]) == [0, 1, 2, 50]
    found = report(data)
    assert sorted(found) == ['gone.png', 'loop.png']
    assert 'Too many levels' in found['loop.png']


def test_links_to_files_that_are_no_images_by_name_are_images(data):
    """As caches of downloads are laid out: blobs, and links with their names."""
    paint(data / 'mine' / 'blobs' / '9f', 7, format='PNG')
    (data / 'mine' / 'a').mkdir()
    (data / 'mine' / 'a' / 'cat.png').symlink_to('../blobs/9f')
    assert grays(load(data)[0]) == [7]


# --- other users -------------------------------------------------------------

AS_ANOTHER = """
import os, sys
from dataset import batches, pictures
from settings.config import Config
from settings.errors import UserError
pictures.kinds()        # what is loaded late, only the owner of Python's files may read
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
config = Config.make(dict(dataset='mine', data_dir=sys.argv[1], output_height=8,
                          cache_dir=sys.argv[2], threads=1), {})
try:
    print(len(batches.load(config, lambda text: None)))
except UserError as error:
    print(error)
"""


def load_as_another(data, cache):
    """Load in a process that is no root; return what it prints."""
    cache.mkdir(exist_ok=True)
    os.chmod(str(cache), 0o777)
    for folder in (data, *data.parents):
        if os.stat(str(folder)).st_uid == os.getuid() and len(folder.parts) > 2:
            os.chmod(str(folder), 0o755)
    done = subprocess.run([sys.executable, '-c', AS_ANOTHER, str(data), str(cache)],
                          cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr == ''
    return done.stdout


def test_unreadable_files_are_named(data, tmp_path):
    numbered(data / 'mine', 4)
    os.chmod(str(data / 'mine' / '002.png'), 0)
    assert load_as_another(data, tmp_path / 'cache') == '3\n'
    text, = (path.read_text() for path in (tmp_path / 'cache').glob('*.report.txt'))
    assert text.startswith('002.png: PermissionError: ')


@pytest.mark.parametrize('name', ['', 'sub'])
def test_an_unreadable_folder_is_told_not_passed_over(data, tmp_path, name):
    numbered(data / 'mine', 2)
    numbered(data / 'mine' / 'sub', 2)
    os.chmod(str(data / 'mine' / name), 0o311 if name == '' else 0)
    try:
        printed = load_as_another(data, tmp_path / 'cache')
    finally:
        os.chmod(str(data / 'mine' / name), 0o755)
    assert 'cannot be read (Permission denied): make it readable' in printed
    assert not list((tmp_path / 'cache').iterdir())


def test_lost_and_found_is_passed_over(data, tmp_path):
    numbered(data / 'mine', 2)
    (data / 'mine' / 'lost+found').mkdir(mode=0)
    assert load_as_another(data, tmp_path / 'cache') == '2\n'


# --- what changes while it is packed -----------------------------------------

def spoil(data, config, change):
    """Load, and change something at the moment when the packing begins."""
    echoed = []

    def echo(text):
        if not echoed:
            change()
        echoed.append(text)
    return batches.load(config, echo)


@pytest.mark.parametrize('count, threads', [(9, 1), (600, 2)])
def test_files_that_vanish_or_are_cut_while_being_packed(data, count, threads):
    mine = data / 'mine'
    for i in range(count):
        paint(mine / ('%04d.png' % i), i % 256)

    def change():
        os.remove(str(mine / '0003.png'))
        os.truncate(str(mine / '0005.png'), 50)
        os.truncate(str(mine / '0006.png'), 0)
        os.rename(str(mine / '0007.png'), str(mine / 'new.png'))
    config = test_sources.make_config(data, threads=threads)
    loaded = spoil(data, config, change)
    bad = [3, 5, 6, 7]
    assert grays(loaded) == [i % 256 for i in range(count) if i not in bad]
    found = report(data)
    assert sorted(found) == ['%04d.png' % i for i in bad]
    assert found['0003.png'].startswith('no such file: ')
    loaded, echoed = load(data, threads=threads)        # the folder is another one now
    assert 'packing' in echoed[0] and len(loaded) == count - 3


def test_a_folder_that_vanishes_while_it_is_walked(data, monkeypatch):
    numbered(data / 'mine', 2)
    numbered(data / 'mine' / 'sub', 2)
    walked = files.walk(str(data / 'mine'))
    first = next(walked)
    for name in ('000.png', '001.png'):
        os.remove(str(data / 'mine' / 'sub' / name))
    (data / 'mine' / 'sub').rmdir()
    assert list(map(os.path.basename, [first, *walked])) == ['000.png', '001.png']


def test_a_zip_that_vanishes_while_it_is_packed_stops_the_run(data):
    numbered(data / 'unpacked', 3)
    make_zip(data / 'unpacked', data / 'mine' / 'images.zip')
    with pytest.raises(UserError, match='3 of 3 images cannot.* no such file: .*zip'):
        spoil(data, test_sources.make_config(data),
              lambda: os.remove(str(data / 'mine' / 'images.zip')))
    assert [name.split('.', 1)[1] for name in cache_files(data)] == ['report.txt']


# --- worker processes --------------------------------------------------------

def workers(process):
    """Return the ids of a process's spawned workers."""
    found = []
    for folder in os.listdir('/proc'):
        try:
            with open('/proc/%s/stat' % folder) as file:
                parent = file.read().rpartition(')')[2].split()[1]
            with open('/proc/%s/cmdline' % folder) as file:
                spawned = 'spawn_main' in file.read()
        except OSError:
            continue
        if spawned and int(parent) == process:
            found.append(int(folder))
    return found


def kill_a_worker():
    until(lambda: workers(os.getpid()))
    os.kill(workers(os.getpid())[0], signal.SIGKILL)


def test_a_killed_worker_is_told_and_nothing_half_written_is_left(data):
    numbered(data / 'mine', 600)
    killer = threading.Thread(target=kill_a_worker)
    with pytest.raises(UserError) as caught:
        spoil(data, test_sources.make_config(data, threads=2), killer.start)
    killer.join()
    message = str(caught.value)
    assert 'A worker process was killed while it packed' in message
    assert '.png' in message and '--threads 1' in message
    assert cache_files(data) == []
    assert len(load(data, threads=2)[0]) == 600


def hang(image, arguments):
    """Hold the worker for longer than the test may last."""
    if image.endswith('070.png'):
        time.sleep(10**6)
    return packing.pack_image(image, arguments)


@pytest.mark.slow
def test_a_decoder_that_hangs_ends_the_run(data, monkeypatch):
    numbered(data / 'mine', 512)
    monkeypatch.setattr(packing, 'pack_image', hang)
    monkeypatch.setattr(packing, 'LONGEST', 3)
    with pytest.raises(UserError, match=r'064\.png.* or some soon.* for 3 s'):
        load(data, threads=2)
    assert cache_files(data) == []


SLOW = """
import time
from dataset import packing

def slowly(image, arguments):
    time.sleep(0.05)
    return packing.get_image(image, *arguments)
"""
LOAD = """
import sys
import slow
from dataset import batches, packing
from settings.config import Config

packing.pack_image = slow.slowly
batches.load(Config.make(dict(dataset='mine', data_dir=sys.argv[1], threads=2,
                              output_height=8), {}))
"""


@pytest.mark.slow
def test_workers_end_with_a_killed_parent_and_its_left_overs_later(data, tmp_path):
    numbered(data / 'mine', 600)
    script = tmp_path / 'script.py'
    script.write_text(LOAD)
    (tmp_path / 'slow.py').write_text(SLOW)
    process = subprocess.Popen([sys.executable, str(script), str(data)],
                               env=dict(os.environ, PYTHONPATH=ROOT),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: len(workers(process.pid)) == 2)
        found = workers(process.pid)
        time.sleep(1)
    finally:
        process.kill()
        process.wait()
    until(lambda: not any(os.path.exists('/proc/%d' % worker) for worker in found), 30)
    left, = (name for name in cache_files(data) if name.endswith('.part'))
    path, other = data / '.cache' / left, data / '.cache' / (left[:-9] + 'new.part')
    with open(str(other), 'wb') as file:        # another process is writing this one
        fcntl.flock(file, fcntl.LOCK_EX)
        assert len(load(data)[0]) == 600
        assert not path.exists() and other.exists()


def test_a_worker_that_dies_while_others_start_is_told(monkeypatch):
    class Pool(concurrent.futures.ProcessPoolExecutor):
        def map(self, *arguments, **more):
            raise concurrent.futures.process.BrokenProcessPool('x')
    monkeypatch.setattr(concurrent.futures, 'ProcessPoolExecutor', Pool)
    config = test_sources.make_config('data', threads=2)
    with pytest.raises(UserError, match="worker process was killed .* 'a.png'"), \
            packing.packed(['a.png'] * 600, config) as results:
        next(results)


@pytest.mark.parametrize('number, status, wait', [
    (signal.SIGINT, 130, 0), (signal.SIGINT, 130, 0.5), (signal.SIGTERM, 143, 0),
    (signal.SIGTERM, 143, 0.5)])
def test_ctrl_c_or_a_stop_of_all_processes_while_packing(data, number, status, wait):
    paint(data / 'mine' / 'a.png', 5, (1500, 1500))     # not over too early
    for i in range(600):
        os.link(str(data / 'mine' / 'a.png'), str(data / 'mine' / ('%03d.png' % i)))
    command = [sys.executable, 'main.py', '--dataset', 'mine', '--data_dir', str(data),
               '--output_height', '16', '--train', '--threads', '2',
               '--checkpoint_dir', str(data / 'ck'), '--sample_dir', str(data / 'sa')]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.STDOUT, start_new_session=True)
    try:
        until(lambda: 'packing' in process.stdout.readline(), 60)
        time.sleep(wait)
        os.killpg(process.pid, number)
        printed, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == status
    if number == signal.SIGINT:     # else Python tells that the workers were killed
        assert 'Traceback' not in printed and len(printed) < 300, printed
    assert cache_files(data) == [] and workers(process.pid) == []


# --- mutations ---------------------------------------------------------------

def test_mutated_pictures(tmp_path):
    result = fuzz_images.fuzz(str(tmp_path), 300, 1, 2)
    assert 60 < result['refused'] < 280


@pytest.mark.slow
def test_many_mutated_pictures(tmp_path):
    result = fuzz_images.fuzz(str(tmp_path), 5000, 2, 2)
    assert 1000 < result['refused'] < 4500


# --- determinism -------------------------------------------------------------

@pytest.fixture
def messy(data):
    """Make a folder of files, folders and links, 530 pictures in all, and bad ones."""
    numbered(data / 'mine', 256)
    for folder in ('b', 'a-b', 'a', 'a/b', 'a/a'):
        for i in range(55):
            paint(data / 'mine' / folder / ('%d.png' % i), (i, len(folder), 7))
        (data / 'mine' / folder / 'bad.png').write_bytes(b'broken')
    paint(data / 'else' / 'x.png', 9)
    (data / 'mine' / 'c').symlink_to(data / 'else')
    (data / 'mine' / 'b' / 'loop').symlink_to(data / 'mine')
    (data / 'mine' / 'a' / 'z.png').symlink_to(data / 'mine' / '000.png')
    return data


def packed(data, folder, **given):
    """Pack into a folder of its own; return {name: content} of the cache."""
    load(data, cache_dir=str(folder), **given)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Shuffled:
    """What os.scandir gives, in another order each time."""

    def __init__(self, entries, rng):
        with entries:
            entries = list(entries)
        self.entries = iter([entries[i] for i in rng.permutation(len(entries))])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.entries)

    close = __exit__


def test_the_order_of_the_file_systems_lists_decides_nothing(messy, tmp_path,
                                                             monkeypatch):
    expected = packed(messy, tmp_path / '0')
    scandir, listdir = os.scandir, os.listdir
    rng, orders = np.random.default_rng(0), set()
    monkeypatch.setattr(os, 'scandir', lambda path='.': Shuffled(scandir(path), rng))
    monkeypatch.setattr(os, 'listdir', lambda path='.': list(
        rng.permutation(listdir(path))))
    for i in range(1, 4):
        orders.add(tuple(os.listdir(str(messy / 'mine'))))
        assert packed(messy, tmp_path / str(i)) == expected
    assert len(orders) == 3


def test_two_packings_are_the_same_bytes_by_any_number_of_workers(messy, tmp_path):
    packings = [packed(messy, tmp_path / str(i), threads=threads)
                for i, threads in enumerate((1, 1, 2, 3))]
    assert len(packings[0]) == 4 and packings[0] == packings[1]
    assert packings[2] == packings[3] == packings[0]


PACK = """
import sys
from dataset import batches
from settings.config import Config
batches.load(Config.make(dict(dataset='mine', data_dir=sys.argv[1], output_height=8,
                              cache_dir=sys.argv[2], threads=1), {}))
"""


def test_other_processes_with_other_hashes_and_languages_too(messy, tmp_path):
    for i, changes in enumerate((dict(PYTHONHASHSEED='1', LC_ALL='C'),
                                 dict(PYTHONHASHSEED='2', LC_ALL='C.UTF-8'))):
        subprocess.run([sys.executable, '-c', PACK, str(messy), str(tmp_path / str(i))],
                       cwd=ROOT, env=dict(os.environ, **changes), check=True,
                       capture_output=True, timeout=60)
    first, second = ({path.name: path.read_bytes() for path in (tmp_path / i).iterdir()}
                     for i in '01')
    assert len(first) == 4 and first == second


def test_a_folder_and_its_zip_are_in_the_same_order(data, tmp_path):
    """Files before folders, folders by name: `a/x` before `a-b/x`, which is text's."""
    for i, name in enumerate(('z.png', 'a/y.png', 'a/b/x.png', 'a-b/w.png', 'b/v.png')):
        paint(data / 'mine' / name, i)
    make_zip(data / 'mine', data / 'zipped' / 'images.zip')
    loose, zipped = load(data, 'mine')[0], load(data, 'zipped')[0]
    assert grays(loose) == grays(zipped) == [0, 1, 2, 3, 4]
