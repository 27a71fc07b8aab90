"""Test download.py against a misbehaving server on the loopback address."""

import contextlib
import hashlib
import http.server
import io
import os
import re
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
import urllib.response

import pytest

import download

BODY = bytes(range(256)) * 2000             # 512,000 bytes
HALF = len(BODY) // 2
QUOTA = (b'<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title>'
         b'</head><body>Too many users have viewed this file recently.</body></html>')
FORM = (b'<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title>'
        b'</head><body><form action="/search"><input type="hidden" name="q" value="0">'
        b'</form><form id="download-form" action="/confirmed?a=1&amp;b=2" method="get">'
        b'<input type="submit" value="Download anyway"/>'
        b'<input type="hidden" name="id" value="X&amp;Y">'
        b'<input value="t" type="hidden" name="confirm">'
        b'<input type="hidden" name="uuid" value="12-34"></form>'
        b'<form action="/feedback"><input name="words"></form></body></html>')


def md5(data):
    return hashlib.md5(data).hexdigest()


# --- the server: what it does with a request is a function of the handler ---------

def give(data=BODY, kind='application/octet-stream', length=None, ranges=True,
         upto=None):
    """Answer with `data`, by range where asked; announce `length`, stop at `upto`."""
    def answer(handler):
        begin = 0
        asked = re.fullmatch(r'bytes=(\d+)-', handler.headers.get('Range', ''))
        if asked and ranges:
            begin = int(asked[1])
        if begin and begin >= len(data):
            status(416)(handler)
            return
        handler.send_response(206 if begin else 200)
        if begin:
            handler.send_header('Content-Range',
                                f'bytes {begin}-{len(data) - 1}/{len(data)}')
        handler.send_header('Content-Type', kind)
        if length != 'unsaid':
            handler.send_header('Content-Length', length or len(data) - begin)
        handler.end_headers()
        handler.wfile.write(data[begin:upto])
        handler.wfile.flush()
    return answer


def status(code, location=None):
    def answer(handler):
        handler.send_response(code)
        if location:
            handler.send_header('Location', location)
        handler.send_header('Content-Length', 0)
        handler.end_headers()
    return answer


def stall(upto):
    """Send the first `upto` bytes, then nothing, with the connection kept open."""
    def answer(handler):
        give(upto=upto)(handler)
        handler.server.over.wait(20)
    return answer


def wrong_range(handler):
    """Answer a range with other bytes than those that were asked for."""
    if 'Range' not in handler.headers:
        give()(handler)
        return
    handler.send_response(206)
    handler.send_header('Content-Range', f'bytes 5-{len(BODY) - 1}/{len(BODY)}')
    handler.send_header('Content-Length', len(BODY) - 5)
    handler.end_headers()
    handler.wfile.write(BODY[5:])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get('Range')))
        answers = self.server.answers[urllib.parse.urlsplit(self.path).path]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        with contextlib.suppress(ConnectionError):
            answer(self)

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    """Answer each path with its list of answers in turn, then with the last."""

    daemon_threads = True

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Handler)
        self.base = f'http://127.0.0.1:{self.server_port}'
        self.asked, self.over = [], threading.Event()
        self.answers = {'/a/file.bin': [give()], '/b/file.bin': [give()]}

    def ranges(self, path='/a/file.bin'):
        return [asked for where, asked in self.asked if where == path]


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def table(monkeypatch, server, tmp_path):
    """Put one data set of one file with two mirrors in place of the real ones."""
    for key in ('http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setattr(download, 'PAUSE', 0)
    monkeypatch.chdir(tmp_path)

    def put(mirrors='ab', **fields):
        urls = tuple(f'{server.base}/{mirror}/file.bin' for mirror in mirrors)
        file = download.File('file.bin', len(BODY), md5(BODY), urls)._replace(**fields)
        monkeypatch.setattr(download, 'DATASETS',
                            {'set': download.Dataset('folder', (file,)),
                             'other': download.Dataset('other', (file._replace(
                                 name='else.bin', md5=md5(b'else')),))})
    put()
    return put


@pytest.fixture
def run(capsys):
    """Return a function that runs the command: status, stdout, stderr."""
    def call(*arguments):
        try:
            code = download.main(list(arguments))
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return code, out, err
    return call


def final():
    with open('data/folder/file.bin', 'rb') as file:
        return file.read()


def listing():
    return sorted(os.listdir('data/folder'))


def write(path, data):
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    with open(path, 'wb') as file:
        file.write(data)


def write_part(data):
    write('data/folder/file.bin.part', data)


# --- fetching what can be had -----------------------------------------------------

def test_fetches_verifies_and_says_the_path(table, server, run):
    code, out, err = run('set', 'set')
    assert (code, err) == (0, '')
    assert out == ('data/folder/file.bin: written, 512,000 bytes, md5 as expected\n')
    assert final() == BODY and listing() == ['file.bin']
    assert server.asked == [('/a/file.bin', None)]


def test_a_terminal_gets_a_bar(table, run, monkeypatch):
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, 'stderr', screen)
    assert run('set')[0] == 0
    bar = screen.getvalue()
    assert 'file.bin: 100%' in bar and '512k/512k' in bar and 'B/s]' in bar


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


@pytest.mark.parametrize('length', ['unsaid', None])
@pytest.mark.parametrize('size', [None, len(BODY)])
def test_lengths_that_are_unknown(table, server, run, size, length):
    table(size=size)
    server.answers['/a/file.bin'] = [give(length=length)]
    assert run('set')[0] == 0
    assert final() == BODY and len(server.asked) == 1


def test_redirects_are_followed_with_the_range(table, server, run):
    write_part(BODY[:HALF])
    server.answers['/a/file.bin'] = [status(302, '/there')]
    server.answers['/there'] = [give()]
    assert run('set')[0] == 0 and final() == BODY
    assert server.asked == [('/a/file.bin', f'bytes={HALF}-'),
                            ('/there', f'bytes={HALF}-')]


# --- going on after a cut ---------------------------------------------------------

def test_a_cut_is_gone_on_with_at_the_next_mirror(table, server, run):
    server.answers['/a/file.bin'] = [give(upto=HALF)]
    code, out, _ = run('set')
    assert code == 0 and final() == BODY and listing() == ['file.bin']
    assert server.asked == [('/a/file.bin', None), ('/b/file.bin', f'bytes={HALF}-')]
    assert 'cut off at 256,000 of 512,000 bytes' in out


def test_a_part_is_gone_on_with_at_the_next_start(table, server, run):
    server.answers = {'/a/file.bin': [give(upto=1000), status(503)],
                      '/b/file.bin': [status(503)]}
    code, _, err = run('set')
    assert code == 1 and listing() == ['file.bin.part']
    assert 'file.bin.part keeps 1,000 bytes' in err
    server.answers['/a/file.bin'] = [give()]
    server.asked.clear()
    assert run('set')[0] == 0 and final() == BODY and listing() == ['file.bin']
    assert server.asked == [('/a/file.bin', 'bytes=1000-')]


def test_many_cuts_are_gone_on_with_while_there_is_headway(table, server, run,
                                                           monkeypatch):
    monkeypatch.setattr(download, 'HEADWAY', 1000)
    table(mirrors='a')
    ends = range(50000, len(BODY), 50000)
    server.answers['/a/file.bin'] = [*(give(upto=end) for end in ends), give()]
    assert run('set')[0] == 0 and final() == BODY
    assert server.ranges() == [None, *(f'bytes={end}-' for end in ends)]


def test_crawling_comes_to_an_end(table, server, run):
    table(mirrors='a')
    server.answers['/a/file.bin'] = [give(upto=end) for end in range(9, 900, 9)]
    assert run('set')[0] == 1
    assert len(server.asked) == download.ROUNDS


def test_the_same_cut_again_and_again_is_no_headway(table, server, run, monkeypatch):
    monkeypatch.setattr(download, 'HEADWAY', 1000)
    table(mirrors='a')
    server.answers['/a/file.bin'] = [give(upto=HALF, ranges=False)] * 20 + [status(404)]
    assert run('set')[0] == 1
    assert len(server.asked) == 1 + download.ROUNDS


def test_a_server_that_ignores_ranges_starts_anew(table, server, run):
    write_part(b'x' * HALF)                     # shows if it were gone on with
    server.answers['/a/file.bin'] = [give(ranges=False)]
    assert run('set')[0] == 0 and final() == BODY
    assert server.asked == [('/a/file.bin', f'bytes={HALF}-')]


def test_a_server_that_sends_another_range_starts_anew(table, server, run):
    write_part(BODY[:HALF])
    server.answers['/a/file.bin'] = [wrong_range]
    assert run('set')[0] == 0 and final() == BODY
    assert server.ranges() == [f'bytes={HALF}-', None]


@pytest.mark.parametrize('size', [None, len(BODY)])
def test_416_starts_anew(table, server, run, size):
    table(size=size)
    write_part(BODY[:HALF])
    server.answers['/a/file.bin'] = [status(416), give()]
    assert run('set')[0] == 0 and final() == BODY
    assert server.ranges() == [f'bytes={HALF}-', None]


def test_416_to_the_whole_file_is_an_answer_like_404(table, server, run):
    server.answers['/a/file.bin'] = [status(416)]
    assert run('set')[0] == 0
    assert server.ranges() == [None]


def test_a_whole_part_needs_no_request(table, server, run):
    write_part(BODY)
    assert run('set')[0] == 0
    assert final() == BODY and listing() == ['file.bin'] and server.asked == []


@pytest.mark.parametrize('part', [b'y' * HALF, b'y' * len(BODY), BODY + b'y'])
def test_a_wrong_part_is_fetched_anew_from_the_same_mirror(table, server, run, part):
    write_part(part)
    assert run('set')[0] == 0 and final() == BODY
    assert server.asked[-1] == ('/a/file.bin', None)


def test_a_range_given_in_portions(table, server, run, monkeypatch):
    monkeypatch.setattr(download, 'HEADWAY', 1)

    def portion(handler):
        begin = int(re.search(r'\d+', handler.headers['Range'])[0])
        end = min(begin + 100000, len(BODY))
        handler.send_response(206)
        handler.send_header('Content-Range', f'bytes {begin}-{end - 1}/{len(BODY)}')
        handler.send_header('Content-Length', end - begin)
        handler.end_headers()
        handler.wfile.write(BODY[begin:end])
    table(mirrors='a')
    write_part(BODY[:200000])
    server.answers['/a/file.bin'] = [portion]
    assert run('set')[0] == 0 and final() == BODY
    assert server.ranges() == [f'bytes={begin}-' for begin in range(200000, len(BODY),
                                                                    100000)]


def test_an_interruption_keeps_the_part(table, server, run, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt
    with monkeypatch.context() as patch:
        patch.setattr(download.tqdm, 'update', interrupt)
        server.answers['/a/file.bin'] = [give(upto=1000)]
        code, out, err = run('set', 'other')
    assert code == 130 and out == ''
    assert re.fullmatch(r'download.py: stopped \(data/folder/file.bin.part keeps 1,000 '
                        r'bytes, .*\)\n', err)
    assert listing() == ['file.bin.part'] and len(server.asked) == 1
    server.answers['/a/file.bin'] = [give()]
    assert run('set')[0] == 0 and final() == BODY
    assert server.asked[-1] == ('/a/file.bin', 'bytes=1000-')


# --- mirrors that fail ------------------------------------------------------------

FAILURES = {
    'busy': (status(503), 3, 'HTTP 503 Service Unavailable'),
    'too many': (status(429), 3, 'HTTP 429 Too Many Requests'),
    'missing': (status(404), 1, 'HTTP 404 Not Found'),
    'circle': (status(302, '/a/file.bin'), None, 'HTTP 302, redirects that lead nowhe'),
    'to a file': (status(302, 'file:///etc/hosts'), 1, 'HTTP 302, redirects that lead'),
    'silent': (stall(0), 3, 'silent for 0.4 seconds'),
    'stalls': (stall(7), 3, 'silent for 0.4 seconds'),
    'wrong': (give(BODY[::-1]), 1, f'md5 {md5(BODY[::-1])}, expected {md5(BODY)}'),
    'short': (give(BODY[:9]), 1, 'offers 9 bytes, expected 512,000'),
    'long': (give(BODY * 2), 1, 'offers 1,024,000 bytes, expected 512,000'),
    'endless': (give(BODY * 2, length='unsaid'), 1, 'more than the 512,000 bytes'),
    'cut': (give(upto=0), 3, 'cut off at 0 of 512,000 bytes'),
    'ends early': (give(BODY[:9], length='unsaid', ranges=False), 3, 'cut off at 9 of'),
    'empty': (status(204), 1, 'offers 0 bytes'),
    'page': (give(b'<title>Log in\n here</title>', 'text/html'), 1,
             'a web page (Log in here) instead of the file'),
    'sniffed': (give(b'\n<!DOCTYPE html><p>Hello'), 1, 'a web page instead of'),
    'broken page': (give(b'<html><![oops[<form>', 'text/html'), 1, 'a web page inst'),
    'no HTTP': (lambda handler: handler.wfile.write(b'hello\r\n\r\n'), 3, 'hello'),
}


@pytest.mark.parametrize('case', FAILURES)
def test_a_failing_mirror_is_passed_over(table, server, run, case, monkeypatch):
    answer, _, message = FAILURES[case]
    if 'silent' in message:
        monkeypatch.setattr(download, 'TIMEOUT', 0.4)
    server.answers['/a/file.bin'] = [answer]
    code, out, err = run('set')
    assert (code, err) == (0, '')
    assert final() == BODY and listing() == ['file.bin']
    assert f'{server.base}/a/file.bin: ' in out and message in out


@pytest.mark.parametrize('case', [case for case in FAILURES
                                  if case not in ('silent', 'stalls')])
def test_a_failure_everywhere_is_told_in_one_line(table, server, run, case):
    answer, times, message = FAILURES[case]
    server.answers = {'/a/file.bin': [answer], '/b/file.bin': [status(404)]}
    code, _, err = run('set')
    assert code == 1
    assert err.startswith('download.py: data/folder/file.bin: no mirror gave this file')
    assert err.count('\n') == 1 and 'Traceback' not in err
    for part in (f'{server.base}/a/file.bin: ', message, 'HTTP 404 Not Found', 'later',
                 f'{server.base}/b/file.bin: ', '--mirror', '--archive FILE',
                 'one of these addresses'):
        assert part in err
    assert not os.path.exists('data/folder/file.bin')
    assert download.size_of('data/folder/file.bin.part') <= 9
    assert times in (None, len(server.ranges()))


def test_a_stall_keeps_what_came(table, server, run, monkeypatch):
    monkeypatch.setattr(download, 'TIMEOUT', 0.4)
    table(mirrors='a')
    server.answers['/a/file.bin'] = [stall(7), status(404)]
    start = time.monotonic()
    assert run('set')[0] == 1 and time.monotonic() - start < 4
    assert listing() == ['file.bin.part'] and server.ranges() == [None, 'bytes=7-']
    with open('data/folder/file.bin.part', 'rb') as file:
        assert file.read() == BODY[:7]


def test_never_more_than_the_length_is_written(table, server, run, monkeypatch):
    seen = []
    remove = os.remove
    monkeypatch.setattr(os, 'remove',
                        lambda path: (seen.append(os.path.getsize(path)), remove(path)))
    server.answers['/a/file.bin'] = [give(BODY + b'z', length='unsaid')]
    assert run('set')[0] == 0
    assert seen == [len(BODY)]


def test_a_length_that_nobody_says_has_a_limit(table, server, run, monkeypatch):
    monkeypatch.setattr(download, 'LARGEST', 1000)
    table(size=None, mirrors='a')
    server.answers['/a/file.bin'] = [give(length='unsaid')]
    code, _, err = run('set')
    assert code == 1 and 'more than the 1,000 bytes' in err and listing() == []


def test_a_server_that_is_gone(table, server, run):
    server.shutdown()
    server.server_close()
    code, _, err = run('set')
    assert code == 1 and err.count('\n') == 1
    assert f'{server.base}/a/file.bin: Connection refused; ' in err


@pytest.mark.parametrize('mirror, message', [
    ('http://127.0.0.1:port/', 'nonnumeric port'),
    ('http://[::1/', 'Invalid IPv6 URL')])
def test_an_address_that_is_no_address(table, server, run, mirror, message):
    code, out, _ = run('set', '--mirror', mirror)
    assert code == 0 and final() == BODY and message in out.splitlines()[0]


def test_what_is_not_http_is_refused(table, server, run, monkeypatch):
    monkeypatch.setattr(urllib.request, 'urlopen',
                        lambda request, timeout: urllib.response.addinfourl(
                            io.BytesIO(BODY), {}, 'ftp://host/file.bin'))
    code, _, err = run('set')
    assert code == 1 and 'leads to ftp://host/file.bin, which is not HTTP' in err


def test_one_failing_data_set_does_not_stop_the_next(table, server, run):
    server.answers['/a/file.bin'] = [status(404), give()]
    server.answers['/b/file.bin'] = [status(404)]
    code, out, err = run('other', 'set')
    assert code == 1 and final() == BODY
    assert err.count('\n') == 1 and 'other/else.bin: no mirror' in err


def test_the_pauses_grow(table, server, run, monkeypatch):
    pauses = []
    monkeypatch.setattr(download, 'PAUSE', 2)
    monkeypatch.setattr(download.time, 'sleep', pauses.append)
    server.answers = {path: [status(503)] for path in server.answers}
    assert run('set')[0] == 1
    assert pauses == [0, 2, 4]


# --- Google Drive -----------------------------------------------------------------

def test_the_form_of_confirmation_is_sent(table, server, run):
    server.answers['/a/file.bin'] = [give(FORM, 'text/html; charset=utf-8',
                                          ranges=False)]
    server.answers['/confirmed'] = [give()]
    write_part(BODY[:HALF])
    assert run('set')[0] == 0 and final() == BODY
    (path, asked), = server.asked[1:]
    assert asked == f'bytes={HALF}-'
    assert urllib.parse.parse_qs(urllib.parse.urlsplit(path).query) == {
        'a': ['1'], 'b': ['2'], 'id': ['X&Y'], 'confirm': ['t'], 'uuid': ['12-34']}


def test_the_form_is_sent_once_only(table, server, run):
    table(mirrors='a')
    server.answers['/a/file.bin'] = server.answers['/confirmed'] = [
        give(FORM, 'text/html')]
    code, _, err = run('set')
    assert code == 1 and len(server.asked) == 2 and listing() == []
    assert 'a web page (Google Drive - Virus scan warning)' in err


@pytest.mark.parametrize('first', [QUOTA, FORM])
def test_the_quota_page_is_named_with_the_way_out(table, server, run, first):
    table(mirrors='a', by_hand='https://there.example/view')
    server.answers['/a/file.bin'] = [give(first, 'text/html')]
    server.answers['/confirmed'] = [give(QUOTA, 'text/html')]
    code, _, err = run('set', '--data_dir', 'd')
    assert code == 1 and err.count('\n') == 1 and os.listdir('d/folder') == []
    assert 'quota of downloads of this file is used up' in err
    assert 'with a browser from https://there.example/view' in err
    assert '`python download.py set --data_dir d --archive FILE`' in err


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
    assert code == 1 and err.count('\n') == 1
    assert err.startswith('download.py: data') and '--data_dir' in err


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
    (['nist'], 'no data set nist: choose from mnist, celebA, toonfaces'),
    (['mnist', 'x', 'y'], 'no data set x, y: choose from mnist, celebA, toonfaces'),
    ([], 'name what to fetch: choose from mnist, celebA, toonfaces'),
    (['--archive', 'f', 'mnist'], 'name what to fetch, before --archive: choose from'),
    (['mnist', 'celebA', '--archive', 'f'],
     '--archive needs one data set, found mnist, celebA: choose from mnist, celebA'),
    (['toonfaces', '--archive', 'f'], '--archive needs one data set, found toonfaces'),
    (['mnist', '--mirror', 'ftp://host/'], '--mirror ftp://host/: expected http://'),
    (['mnist', '--mirror', '/folder'], '--mirror /folder: expected http://'),
    (['mnist', '--data', 'd'], 'unrecognized arguments: --data d'),
])
def test_wrong_arguments_give_one_line_and_status_2(run, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, '')
    assert err.startswith('download.py: ' + message) and err.count('\n') == 1


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
    assert {file.name: (file.size, file.md5) for file in files} == {
        'train-images-idx3-ubyte.gz': (9912422, 'f68b3c2dcbeaaa9fbdd348bbdeb94873'),
        'train-labels-idx1-ubyte.gz': (28881, 'd53e105ee54ea40749a09fcbcd1e9432'),
        't10k-images-idx3-ubyte.gz': (1648877, '9fb629c4189551a2d022fa330f9573f3'),
        't10k-labels-idx1-ubyte.gz': (4542, 'ec29112dd5afa0611ce80d1b7f02629c')}
    for file in files:
        assert file.urls == (
            f'https://ossci-datasets.s3.amazonaws.com/mnist/{file.name}',
            f'https://storage.googleapis.com/cvdf-datasets/mnist/{file.name}')


def test_the_table_of_celeba():
    folder, (file,) = download.DATASETS['celebA']
    assert folder == 'celebA' and file.name == 'img_align_celeba.zip'
    assert (file.size, file.md5) == (1443490838, '00d2c5bc6d35e252742224ab0c1e8fcb')
    assert file.urls == (
        'https://drive.usercontent.google.com/download'
        '?id=0B7EVK8r0v71pZjFTYXZWM3FlRnM&export=download&confirm=t',)
    assert 'https://drive.google.com/file/d/0B7EVK8r0v71pZjFTYXZWM3FlRnM/view' in (
        file.by_hand)
    assert 'https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html' in file.by_hand


def test_every_row_is_of_the_right_form():
    sums, folders = set(), set()
    for folder, files in download.DATASETS.values():
        folders.add(folder)
        for file in files:
            sums.add(file.md5)
            assert re.fullmatch('[0-9a-f]{32}', file.md5)
            assert file.size is None or file.size > 0
            assert file.urls and os.path.basename(file.name) == file.name
            assert all(url.startswith('https://') for url in file.urls)
    assert len(folders) == len(download.DATASETS)
    assert len(sums) == sum(len(files) for _, files in download.DATASETS.values())
