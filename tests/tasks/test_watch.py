"""Watch: what the page is told of runs, and what the server gives to whom."""

import concurrent.futures
import contextlib
import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import main
from runs import history
from settings.config import Config
from tasks.parts.watching import log, reading, server, shelf

ROOT = os.path.dirname(os.path.abspath(main.__file__))
HOSTILE = '"><img src=x onerror=alert(1)>&#run=..%2f'
PNG = b'\x89PNG\r\n\x1a\n' + bytes(100)


def write_history(folder, steps, seconds=0.5, judged=(), **columns):
    """Write a history; columns are values of all steps or of each."""
    os.makedirs(str(folder), exist_ok=True)
    file = history.History(str(folder / 'history.csv'), 0)
    columns = {name: np.broadcast_to(columns.get(name, 0.5), steps)
               for name in log.LOSSES}
    for i in range(steps):
        values = {name: column[i] for name, column in columns.items()}
        file.append(i + 1, 1 + i // 50, seconds, dict(values, **dict(judged).get(
            i + 1, {})))
    file.close()


def write_sheets(folder, *steps):
    folder.mkdir(parents=True, exist_ok=True)
    for step in steps:
        (folder / ('train_%04d_%08d.png' % (1 + step // 50, step))).write_bytes(PNG)


def write_config(folder, **values):
    Config.make(dict(dict(dataset='faces', output_height=16, batch_size=8), **values),
                {}).replace(pictures='0:400').save(str(folder / 'config.json'))


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """Make a folder of runs of many kinds; return it."""
    root = tmp_path_factory.mktemp('watch')
    runs, samples = root / 'checkpoint', root / 'samples'
    write_history(runs / 'whole', 100, g_loss=np.arange(100) / 100, judged={
        50: dict(fd=9.5, kid=0.1, judged_by='pixels, 5,000 samples of "x"'),
        100: dict(fd=7.25, kid=0.05, judged_by='pixels, 5,000 samples of "x"')})
    write_config(runs / 'whole', epoch=3, beta1=0.5, sample_freq=40)
    write_sheets(samples / 'whole', 40, 80, 100)
    (samples / 'whole' / 'train_x.png').write_bytes(b'no sheet')
    (samples / 'whole' / 'test.png').write_bytes(b'no sheet')
    write_history(runs / HOSTILE, 3)
    write_history(runs / 'diverged', 20, g_loss=np.r_[np.ones(19), np.nan])
    (runs / 'diverged' / 'warnings.txt').write_text('warning: step 7: <b>D has won\n')
    write_history(runs / 'points', 4)
    Config.make({'dataset': 'gaussian', 'epoch': 2, 'train_size': 8, 'batch_size': 4,
                 'augment': 'none', 'learning_rate': 0.01}, {}).save(
        str(runs / 'points' / 'config.json'))
    (samples / 'points').mkdir()
    (samples / 'points' / 'scatter.png').write_bytes(PNG)
    break_some(runs)
    (root / 'secret').write_text('a secret')
    (runs / 'classifiers').mkdir()
    (runs / 'a file').write_text('no run')
    link_some(root, runs, samples)
    for age, name in enumerate(['whole', 'points', 'diverged']):
        os.utime(str(runs / name), (time.time() - 100 * age - 100,) * 2)
    for path in runs.rglob('*'):
        if not path.is_symlink() and path.suffix in ('.json', '.csv'):
            age = {'whole': 100, 'points': 200}.get(path.parent.name, 300)
            os.utime(str(path), (time.time() - age,) * 2)
    return root


def break_some(runs):
    """Make runs whose files are broken, half-written, or of other kinds."""
    for name, contents in {
            'binary': bytes(range(256)) * 50, 'empty': b'', 'begun': b'step,epoch',
            'header': b'step,epoch,seconds\n', 'other': b'name,colour\nx,red\n',
            'quote': b'step,seconds,g_loss\n1,1,"x\n2,2,3\n3,3,4\n4,4,"",x"\n',
            'wild': b'step,seconds,g_loss\n1,1,2\nnan,2,3\n2,inf,3\n3,3,-inf\n2,4,1\n'
                    b'4,-1,2\n5,5\n6,6,7,8\n1e400,7,1\n7,7,0x1\n8,8,\xff\n9,9,9',
            'line': b'x' * 300000}.items():
        (runs / name).mkdir()
        (runs / name / 'history.csv').write_bytes(contents)
    for name, contents in {'no-json': b'{', 'deep': b'[' * 10**5, 'nothing': b'',
                           'newer': b'{"unheard_of": 1}'}.items():
        write_history(runs / name, 2)
        (runs / name / 'config.json').write_bytes(contents)
    (runs / 'folders' / 'history.csv').mkdir(parents=True)
    (runs / 'folders' / 'config.json').mkdir()
    (runs / 'pipes').mkdir()
    os.mkfifo(str(runs / 'pipes' / 'history.csv'))
    os.mkfifo(str(runs / 'pipes' / 'config.json'))
    with contextlib.suppress(OSError):      # some file systems take no such name
        os.mkdir(os.fsencode(str(runs)) + b'/not-\xff-utf8')
        (runs / os.fsdecode(b'not-\xff-utf8') / 'config.json').write_text('')


def link_some(root, runs, samples):
    """Make links, to a secret and to a run elsewhere."""
    write_history(root / 'elsewhere', 5)
    (runs / 'linked').symlink_to(root / 'elsewhere')
    (runs / 'inner').mkdir()
    for name in 'history.csv', 'config.json', 'warnings.txt':
        (runs / 'inner' / name).symlink_to(root / 'secret')
    write_sheets(samples / 'inner', 1)
    (samples / 'inner' / 'train_0001_00000002.png').symlink_to(root / 'secret')
    (runs / 'below').mkdir()
    write_history(runs / 'below', 5)
    (samples / 'below').symlink_to(samples / 'whole')


@pytest.fixture(scope='module')
def port(runs):
    """Serve the runs; return the port."""
    config = Config.make({'checkpoint_dir': str(runs / 'checkpoint'),
                          'sample_dir': str(runs / 'samples')}, {})
    with server.Server(0, shelf.Shelf(config)) as serving:
        threading.Thread(target=serving.serve_forever, args=(0.05,)).start()
        yield serving.server_address[1]
        serving.shutdown()


def ask(port, path, method='GET', **headers):
    """Return (status, headers, body) of an answer."""
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def ask_json(port, path):
    """Return the JSON at a path, which has no NaN in it."""
    status, headers, body = ask(port, path)
    assert status == 200 and headers['Content-Type'] == 'application/json'

    def refuse(name):
        raise AssertionError('%s is not JSON' % name)
    return json.loads(body, parse_constant=refuse)


@pytest.fixture(scope='module')
def listed(port):
    return {run['name']: run for run in ask_json(port, '/runs.json')['runs']}


# --- what is told ------------------------------------------------------------

def test_runs_are_listed_newest_first_and_what_is_none_is_not(port, runs):
    told = ask_json(port, '/runs.json')
    names = [run['name'] for run in told['runs']]
    assert told['folder'] == str(runs / 'checkpoint') and told['older'] == 0
    assert not {'classifiers', 'a file', 'secret'} & set(names)
    assert {'whole', HOSTILE, 'binary', 'pipes', 'linked'} <= set(names)
    assert names.index('whole') < names.index('points') < names.index('diverged')


def test_a_run_tells_how_far_it_is_and_how_fast_it_was(listed):
    run = listed['whole']
    assert [run[name] for name in ('state', 'step', 'total', 'epoch', 'epochs',
                                   'seconds')] == ['stopped', 100, 150, 2, 3, 50]
    assert (run['rate'], run['images'], run['left']) == (2, 16, None)
    assert 100 <= run['age'] < 150


def test_a_run_tells_its_curves_sheets_and_numbers(port):
    run = ask_json(port, '/runs/whole.json')
    curves = run['curves']
    assert curves['step'] == list(range(1, 101))
    assert curves['g_loss']['low'] == curves['g_loss']['high'] == [
        round(i / 100, 2) for i in range(100)]
    np.testing.assert_allclose(curves['g_loss']['mean'][50], 0.5, atol=0.01)
    judged, = run['judged']
    assert (judged['step'], judged['fd'], judged['kid']) == (
        [50, 100], [9.5, 7.25], [0.1, 0.05])
    assert judged['by'] == 'pixels, 5,000 samples of "x"'
    assert [sheet[:2] for sheet in run['sheets']] == [[40, 1], [80, 2], [100, 3]]
    assert run['newest'] == run['sheets'][-1][2]
    assert run['about'] == 'faces, 16 × 16 pixels, 8 images a step'
    assert {'--beta1 0.5', '--epoch 3', '--sample_freq 40'} < set(run['given'])
    assert not {'--beta2 0.99', '--ckpt_freq 200'} & set(run['given'])
    assert run['notes'] == []


def test_a_step_of_several_workers_takes_the_images_of_all(tiny_config):
    config = tiny_config(workers=3, batch_size=8)
    assert reading.images_a_step(config) == 24
    assert reading.about(config) == 'celebA, 16 × 16 pixels, 24 images a step'


def test_points_have_one_picture_and_no_epochs_of_pictures(port, listed):
    assert (listed['points']['state'], listed['points']['total']) == ('finished', 4)
    run = ask_json(port, '/runs/points.json')
    (step, epoch, address), = run['sheets']
    assert (step, epoch) == (None, None)
    assert ask(port, '/pictures/points/' + address)[2] == PNG


def test_a_run_that_died_says_so(port):
    run = ask_json(port, '/runs/diverged.json')
    assert run['curves']['g_loss']['mean'][-1] == 1     # NaN is left out
    assert run['curves']['g_loss']['low'][-1] is None
    assert 'warning: step 7: <b>D has won' in run['notes']
    assert any('diverged' in note for note in run['notes'])


def test_an_older_history_has_the_curves_that_it_has(tmp_path):
    (tmp_path / 'r').mkdir()
    (tmp_path / 'r' / 'history.csv').write_text('step,seconds,g_loss\n1,1,2\n2,2,3\n')
    run = shelf.Shelf(Config(checkpoint_dir=str(tmp_path), sample_dir='')).details('r')
    assert set(run['curves']) == {'step', 'g_loss'}
    assert not any('diverged' in note for note in run['notes'])


@pytest.mark.parametrize('name, step, note', [
    ('binary', 0, 'is not a history'), ('empty', 0, 'no config.json'),
    ('begun', 0, 'no config.json'), ('header', 0, 'no config.json'),
    ('other', 0, 'is not a history'), ('quote', 3, 'no config.json'),
    ('wild', 8, 'no config.json'), ('line', 0, 'no config.json'),
    ('no-json', 2, 'is not a config.json'), ('deep', 2, 'is not a config.json'),
    ('nothing', 2, 'is not a config.json'), ('newer', 2, 'unheard_of'),
    ('folders', 0, 'is no file'), ('pipes', 0, 'is no file'),
    ('not-\ufffd-utf8', 0, 'is not a config.json'), (HOSTILE, 3, 'no config.json')])
def test_whatever_a_run_holds_it_is_answered_for(port, listed, name, step, note):
    if name not in listed:
        pytest.skip('this file system has no such names')
    run = ask_json(port, '/runs/%s.json' % listed[name]['id'])
    assert run['name'] == name and run['step'] == step
    assert note in ' '.join(run['notes'])
    assert len(run['curves']['step']) == {'wild': 4}.get(name, step)


def test_folders_that_cannot_be_listed_are_left_out(tmp_path, monkeypatch):
    write_history(tmp_path / 'r', 2)
    write_sheets(tmp_path / 's' / 'r', 1)
    (tmp_path / 'other').mkdir()
    usual = os.listdir

    def listdir(path='.'):
        if os.path.basename(path) in ('r', 'other'):
            raise PermissionError(13, 'Permission denied', path)
        return usual(path)
    monkeypatch.setattr(os, 'listdir', listdir)
    found = shelf.Shelf(Config(checkpoint_dir=str(tmp_path), sample_dir=str(
        tmp_path / 's')))
    run, = found.list()['runs']
    assert (run['name'], run['step'], run['newest']) == ('r', 2, None)
    assert found.details('r')['sheets'] == []


def test_a_lock_that_is_held_means_training(runs, port):
    path = runs / 'checkpoint' / 'whole' / '.lock'
    with open(str(path), 'w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not reading.held(str(path)):
            pytest.skip('this system does not list its locks')
        run = ask_json(port, '/runs.json')['runs'][0]
    path.unlink()
    assert (run['name'], run['state'], run['left']) == ('whole', 'training', 25)


def test_a_history_that_was_written_just_now_means_training(tmp_path):
    write_history(tmp_path / 'c' / 'r', 10, seconds=4)
    held = shelf.Shelf(Config(checkpoint_dir=str(tmp_path / 'c'), sample_dir=''))
    for age, state in (0, 'training'), (15, 'training'), (25, 'stopped'):
        os.utime(str(tmp_path / 'c/r/history.csv'), (time.time() - age,) * 2)
        assert held.list()['runs'][0]['state'] == state


# --- histories ---------------------------------------------------------------

def test_a_long_history_is_thinned_and_only_its_news_are_read(tmp_path, monkeypatch):
    lines = ['%d,%d,%.1f,0.25,0.5,%.5g,0.5,0.75' % (
        i, 1 + i // 1000, i / 10, 2 + i % 7) for i in range(1, 200001)]
    (tmp_path / 'r').mkdir()
    path = tmp_path / 'r' / 'history.csv'
    path.write_text(','.join(log.COLUMNS) + '\n' + '\n'.join(lines) + '\n')
    write_sheets(tmp_path / 's' / 'r', *range(1, 1001))
    runs = shelf.Shelf(Config(checkpoint_dir=str(tmp_path), sample_dir=str(
        tmp_path / 's')))
    added = []
    usual = log.Log.add
    monkeypatch.setattr(log.Log, 'add', lambda self, line: (
        added.append(line), usual(self, line)))
    assert runs.list()['runs'][0]['step'] == 200000
    assert len(added) < 1000        # its end is enough
    run = runs.details('r')
    assert len(json.dumps(run)) < 150000
    curves = run['curves']
    assert len(curves['step']) == log.POINTS and curves['step'][-1] == 200000
    assert set(curves['g_loss']['low']) == {2} and set(curves['g_loss']['high']) == {8}
    np.testing.assert_allclose(curves['g_loss']['mean'][5:-5], 5, atol=0.01)
    assert [run['sheets'][i][0] for i in (0, -1)] == [1, 1000]
    added.clear()
    with open(str(path), 'a') as file:
        file.write('200001,201,20000.1,1,1,1,1,1\n200002,201')
    assert runs.details('r')['step'] == 200001
    assert len(added) == 2          # by the list's log, and by the run's


def test_a_line_is_read_when_it_is_whole_and_a_file_anew_when_it_is_another(tmp_path):
    path = tmp_path / 'history.csv'
    found = log.Log(str(path))
    assert found.update().step == 0
    path.write_text('step,seconds\n1,1\n2,')
    assert found.update().step == 1
    with open(str(path), 'a') as file:
        file.write('2\n')
    assert found.update().table['seconds'].tolist() == [1, 2]
    (tmp_path / 'new').write_text('step,seconds\n1,7\n2,8\n3,9\n')
    os.replace(str(tmp_path / 'new'), str(path))
    assert found.update().table['seconds'].tolist() == [7, 8, 9]
    path.write_text('step,seconds\n')
    assert found.update().step == 0
    path.unlink()
    assert found.update().step == 0


def test_numbers_beyond_all_measure_are_no_numbers_of_json(tmp_path):
    (tmp_path / 'r').mkdir()
    (tmp_path / 'r' / 'history.csv').write_text(
        'step,seconds,g_loss,fd,judged_by\n1,0,1e308,1,p\n2,5e-324,1.7976e308,inf,p\n'
        '3,1e-320,-1.7976e308,nan,p\n1e300,1,1,1,p\n4,1e300,1,1,p\n')
    run = shelf.Shelf(Config(checkpoint_dir=str(tmp_path), sample_dir='')).details('r')
    json.dumps(run, allow_nan=False)
    assert (run['step'], run['rate']) == (3, None)
    assert run['judged'][0]['fd'] == [1, None, None]


def test_each_step_can_be_read_at_once(tmp_path):
    file = history.History(str(tmp_path / 'history.csv'), 0)
    for step in (1, 2):
        file.append(step, 1, 0.5, dict.fromkeys(history.COLUMNS, 1))
        assert log.Log(str(tmp_path / 'history.csv')).update().step == step
    file.close()


# --- what is given, and to whom ----------------------------------------------

def test_the_page_and_its_parts_ask_for_nothing_elsewhere(port):
    status, headers, body = ask(port, '/')
    assert (status, headers['Content-Type']) == (200, 'text/html; charset=utf-8')
    assert "default-src 'none'" in headers['Content-Security-Policy']
    for name, kind in (('page.css', 'text/css'), ('page.js', 'text/javascript'),
                       ('chart.js', 'text/javascript'), ('icon.svg', 'image/svg+xml')):
        status, headers, more = ask(port, '/' + name)
        assert (status, headers['Content-Type']) == (200, kind + '; charset=utf-8')
        body += more
    assert b'http' not in body.replace(b'http://www.w3.org/2000/svg', b'')


def test_sheets_last_and_all_else_is_asked_for_again(port, listed):
    sheet = '/pictures/whole/' + listed['whole']['newest']
    status, headers, body = ask(port, sheet)
    assert (status, headers['Content-Type'], body) == (200, 'image/png', PNG)
    assert 'immutable' in headers['Cache-Control']
    for path in '/', '/page.js', '/runs.json', '/runs/whole.json', '/nothing':
        assert ask(port, path)[1]['Cache-Control'] == 'no-store'
    for path in '/', sheet, '/runs/whole.json':
        length = ask(port, path)[1]['Content-Length']
        status, headers, body = ask(port, path, 'HEAD')
        assert (status, body) == (200, b'')
        assert abs(int(headers['Content-Length']) - int(length)) < 20   # its age grows
    assert ask(port, '/nothing', 'HEAD')[::2] == (404, b'')


def test_a_sheet_that_is_drawn_anew_has_another_address(tmp_path):
    write_history(tmp_path / 'r', 2)
    write_sheets(tmp_path / 's' / 'r', 2)
    runs = shelf.Shelf(Config(checkpoint_dir=str(tmp_path), sample_dir=str(
        tmp_path / 's')))
    before = runs.list()['runs'][0]['newest']
    os.utime(str(tmp_path / 's/r/train_0001_00000002.png'), (5, 5))
    assert before != runs.list()['runs'][0]['newest'] == (
        'train_0001_00000002.png?5000000')


@pytest.mark.parametrize('path', [
    '/../secret', '/../../etc/passwd', '/pictures/../secret', '/pictures/whole/..',
    '/pictures/whole/../../secret', '/pictures/whole/..%2f..%2fsecret',
    '/pictures/..%2f..%2f/secret', '/pictures/%2e%2e/secret', '/pictures/./whole',
    '/pictures//etc/passwd', '/pictures/whole/test.png', '/pictures/whole/train_x.png',
    '/pictures/whole/train_0001_00000040.png%00', '/pictures/whole/',
    '/pictures/whole/train_0001_99999999.png', '/pictures/none/scatter.png',
    '/runs/../whole.json', '/runs/%2e%2e.json', '/runs/.json', '/runs/none.json',
    '/runs/whole', '/runs/whole/config.json', '/runs/whole/history.csv', '/log.py',
    '/server.py', '/__init__.py', '/page.html', '/..', '//etc/passwd', '*', 'page.js',
    'http://127.0.0.1/secret', '/pictures/whole/..\\..\\secret', '/%', '/%ff', '/\xff',
    '/pictures/inner/train_0001_00000002.png',      # a link
    '/pictures/below/train_0001_00000040.png', '/pictures/linked/scatter.png'])
def test_nothing_else_is_given(port, path):
    with socket.create_connection(('127.0.0.1', port), 10) as connection:
        connection.sendall(('GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n' % path).encode(
            'latin-1'))
        answer = b''.join(iter(lambda: connection.recv(65536), b''))
    assert answer.startswith(b'HTTP/1.0 404'), answer
    assert b'secret' not in answer and b'root:' not in answer


def test_links_are_named_and_not_followed(port, listed):
    linked = ask_json(port, '/runs/linked.json')
    assert linked['step'] == 0 and 'link' in linked['notes'][0]
    inner = ask_json(port, '/runs/inner.json')
    assert inner['step'] == 0 and 'secret' not in json.dumps(inner)
    assert ask_json(port, '/runs/below.json')['sheets'] == []


@pytest.mark.parametrize('host, status', [
    ('localhost', 200), ('127.0.0.1:8020', 200), ('LOCALHOST:1', 200), ('[::1]:8', 200),
    ('evil.example', 403), ('evil.example:8020', 403), ('localhost.evil.example', 403),
    ('127.0.0.1.evil.example', 403), ('', 403), ('localhost,evil', 403),
    ('localhost:80:80', 403), ('192.168.0.1', 403), ('xlocalhost', 403)])
def test_other_names_of_this_computer_are_refused(port, host, status):
    assert ask(port, '/runs.json', Host=host)[0] == status


def test_who_gives_no_name_or_two_is_refused(port):
    for names in '', 'Host: localhost\r\nHost: evil.example\r\n':
        with socket.create_connection(('127.0.0.1', port), 10) as connection:
            connection.sendall(('GET / HTTP/1.0\r\n%s\r\n' % names).encode())
            assert connection.recv(100).startswith(b'HTTP/1.0 403')


@pytest.mark.parametrize('method', ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'X'])
def test_it_is_for_reading_alone(port, method):
    assert ask(port, '/', method)[0] == 501


def test_many_may_ask_at_once_while_one_says_nothing(port, capfd):
    with socket.create_connection(('127.0.0.1', port)), \
            concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: ask(port, '/runs/whole.json')[0], range(16)))
    with socket.create_connection(('127.0.0.1', port)) as gone:
        gone.sendall(b'GET /runs.json HTTP/1.0\r\nHost: localhost\r\n\r\n')
    for garbage in b'\x16\x03\x01', b'GET\r\n\r\n', b'\r\n', b'x' * 70000 + b'\r\n':
        with contextlib.suppress(ConnectionError), socket.create_connection(
                ('127.0.0.1', port), 10) as connection:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(100)
    assert found == [200] * 16 and ask(port, '/')[0] == 200
    assert capfd.readouterr().err == ''


# --- the task ----------------------------------------------------------------

def test_a_port_that_is_taken(tmp_path, monkeypatch, capsys):
    config = Config(checkpoint_dir=str(tmp_path))
    with socket.create_server(('127.0.0.1', 0)) as taken:
        number = taken.getsockname()[1]
        monkeypatch.setattr(server, 'FIRST', number)
        with server.open_server(config) as other:
            assert number < other.server_address[1] < number + server.TRIED
            assert other.server_address[0] == '127.0.0.1'
        assert main.main(['--task', 'watch', '--port', str(number),
                          '--checkpoint_dir', str(tmp_path)]) == 2
    assert 'leave --port out' in capsys.readouterr().err


def test_a_folder_that_can_be_none_is_refused_and_one_to_come_is_not(tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    for path in 'file', 'file/below', 'x' * 300:
        assert main.main(['--task', 'watch', '--checkpoint_dir',
                          str(tmp_path / path)]) == 2
        assert 'folder' in capsys.readouterr().err
    coming = shelf.Shelf(Config(checkpoint_dir=str(tmp_path / 'c'), sample_dir=''))
    assert coming.list()['runs'] == []
    write_history(tmp_path / 'c' / 'r', 1)
    assert [run['name'] for run in coming.list()['runs']] == ['r']


def test_a_runs_own_folder_is_that_run(runs):
    own = shelf.Shelf(Config(checkpoint_dir=str(runs / 'checkpoint' / 'whole'),
                             sample_dir=str(runs / 'samples')))
    run, = own.list()['runs']
    assert (run['name'], run['step']) == ('whole', 100) and run['newest']


CODE = '''
import sys
sys.path.insert(0, %r)
import main
status = main.run(sys.argv[1:])
sys.exit(status if 'tensorflow' not in sys.modules else 99)
'''


def test_it_serves_from_anywhere_until_ctrl_c_and_writes_nothing(runs, tmp_path):
    before = {path: os.lstat(str(path)).st_mtime_ns for path in runs.rglob('*')}
    process = subprocess.Popen(
        [sys.executable, '-c', CODE % ROOT, '--task', 'watch', '--name', 'whole',
         '--checkpoint_dir', str(runs / 'checkpoint'), '--sample_dir',
         str(runs / 'samples')], cwd=str(tmp_path), text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.default_int_handler))
    said = [process.stdout.readline() for _ in range(4)]
    address = said[1].split()[1]
    assert address.startswith('http://127.0.0.1:') and address.endswith('/#run=whole')
    port = int(address.split(':')[2].split('/')[0])
    assert ask(port, '/runs/whole.json')[0] == 200
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, '')
    assert out.strip() == 'ended'
    assert before == {path: os.lstat(str(path)).st_mtime_ns for path in runs.rglob('*')}
    assert not list(tmp_path.iterdir())


def test_how_another_computer_gets_there(monkeypatch):
    from tasks import watch

    monkeypatch.setattr(watch, 'user', lambda: 'ada')
    monkeypatch.setattr(watch, 'CONTAINER', (ROOT,))
    monkeypatch.setenv('SSH_CONNECTION', '10.0.0.1 1234 10.0.0.2 22')
    assert '`ssh -L 8020:127.0.0.1:8020 ada@10.0.0.2`' in watch.from_elsewhere(8020)
    monkeypatch.delenv('SSH_CONNECTION')
    assert '--network host' in watch.from_elsewhere(8020)
    monkeypatch.setattr(watch, 'CONTAINER', ())
    assert 'ada@' + socket.gethostname() in watch.from_elsewhere(8020)
