"""Test fetch.py, by download.py's command, against a misbehaving server on loopback."""

import contextlib
import gzip
import hashlib
import http.server
import io
import os
import re
import socket
import sys
import threading
import time
import urllib.parse

import pytest
import requests
import urllib3

import download
from dataset import downloads, fetch

BODY = bytes(range(256)) * 2000             # 512,000 bytes
HALF = len(BODY) // 2
QUOTA = (b'<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title>'
         b'</head><body>Too many users have viewed this file recently.</body></html>')
FORM = (b'<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title>'
        b'</head><body><form action="/search"><input type="hidden" name="q" value="0">'
        b'</form><form id="download-form" action="/a/file.bin" method="get">'
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
    monkeypatch.setattr(fetch, 'PAUSE', 0)
    monkeypatch.chdir(tmp_path)

    def put(mirrors='ab', **fields):
        urls = tuple(f'{server.base}/{mirror}/file.bin' for mirror in mirrors)
        file = fetch.File('file.bin', len(BODY), md5(BODY), urls)._replace(**fields)
        monkeypatch.setattr(download, 'DATASETS',
                            {'set': downloads.Dataset('folder', (file,)),
                             'other': downloads.Dataset('other', (file._replace(
                                 name='else.bin', checksum=md5(b'else')),))})
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
    return sorted(os.listdir('data/folder')) if os.path.isdir('data/folder') else []


def write(path, data):
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    with open(path, 'wb') as file:
        file.write(data)


def write_part(data):
    write('data/folder/file.bin.part', data)


# --- fetching what can be had -----------------------------------------------------

def test_a_terminal_gets_a_bar(table, run, monkeypatch):
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, 'stderr', screen)
    assert run('set')[0] == 0
    bar = screen.getvalue()
    assert 'file.bin: 100%' in bar and '512k/512k' in bar and 'B/s]' in bar


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
    monkeypatch.setattr(fetch, 'HEADWAY', 1000)
    table(mirrors='a')
    ends = range(50000, len(BODY), 50000)
    server.answers['/a/file.bin'] = [*(give(upto=end) for end in ends), give()]
    assert run('set')[0] == 0 and final() == BODY
    assert server.ranges() == [None, *(f'bytes={end}-' for end in ends)]


def test_crawling_comes_to_an_end(table, server, run):
    table(mirrors='a')
    server.answers['/a/file.bin'] = [give(upto=end) for end in range(9, 900, 9)]
    assert run('set')[0] == 1
    assert len(server.asked) == fetch.ROUNDS


def test_the_same_cut_again_and_again_is_no_headway(table, server, run, monkeypatch):
    monkeypatch.setattr(fetch, 'HEADWAY', 1000)
    table(mirrors='a')
    server.answers['/a/file.bin'] = [give(upto=HALF, ranges=False)] * 20 + [status(404)]
    assert run('set')[0] == 1
    assert len(server.asked) == 1 + fetch.ROUNDS


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


def test_416_starts_anew(table, server, run):
    write_part(BODY[:HALF])
    server.answers['/a/file.bin'] = [status(416), give()]
    assert run('set')[0] == 0 and final() == BODY
    assert server.ranges() == [f'bytes={HALF}-', None]


def test_a_length_that_the_server_does_not_say(table, server, run):
    server.answers['/a/file.bin'] = [give(length='unsaid')]
    assert run('set')[0] == 0
    assert final() == BODY and len(server.asked) == 1


def test_a_gz_keeps_its_bytes(table, server, run):
    """The checksum is of the file as it lies on the server, packed."""
    packed = gzip.compress(BODY)
    table(size=len(packed), checksum=md5(packed))

    def answer(handler):
        assert handler.headers['Accept-Encoding'] == 'identity'
        handler.send_response(200)
        handler.send_header('Content-Encoding', 'gzip')
        handler.send_header('Content-Length', len(packed))
        handler.end_headers()
        handler.wfile.write(packed)
    server.answers['/a/file.bin'] = [answer]
    assert run('set')[0] == 0 and final() == packed


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


# --- mirrors that fail ------------------------------------------------------------

FAILURES = {
    'busy': (status(503), 3, 'HTTP 503 Service Unavailable'),
    'too many': (status(429), 3, 'HTTP 429 Too Many Requests'),
    'missing': (status(404), 1, 'HTTP 404 Not Found'),
    'circle': (status(302, '/a/file.bin'), None, 'redirects that lead nowhere'),
    'to a file': (status(302, 'file:///etc/hosts'), 1, 'redirects that lead nowhere'),
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
    'broken page': (give(b'<html><![oops[<form>', 'text/html'), 1, 'a web page inst'),
    'no HTTP': (lambda handler: handler.wfile.write(b'hello\r\n\r\n'), 3, 'hello'),
}


@pytest.mark.parametrize('case', FAILURES)
def test_a_failing_mirror_is_passed_over(table, server, run, case, monkeypatch):
    answer, _, message = FAILURES[case]
    if 'silent' in message:
        monkeypatch.setattr(fetch, 'TIMEOUT', 0.4)
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
    assert fetch.size_of('data/folder/file.bin.part') <= 9
    assert times in (None, len(server.ranges()))


def test_a_stall_keeps_what_came(table, server, run, monkeypatch):
    monkeypatch.setattr(fetch, 'TIMEOUT', 0.4)
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


def test_a_server_that_is_gone(table, server, run):
    server.shutdown()
    server.server_close()
    code, _, err = run('set')
    assert code == 1 and err.count('\n') == 1
    assert f'{server.base}/a/file.bin: Connection refused; ' in err
    assert os.listdir('data') == []     # no empty folder, which looks like a data set


@pytest.mark.parametrize('reason, said', [
    ("Failed to resolve 'a.b' ([Errno -2] Name or service not known)",
     "Failed to resolve 'a.b' (Name or service not known)"),
    ('[Errno 111] Connection refused', 'Connection refused')])
def test_what_a_connection_raises_is_said_in_its_last_words(reason, said):
    with pytest.raises(fetch.MirrorError) as caught, fetch.network():
        raise requests.ConnectionError(urllib3.exceptions.MaxRetryError(
            None, '/', 'HTTPConnection(host=1): ' + reason))
    assert str(caught.value) == said


def test_what_is_not_http_is_refused_unopened(table, server, run):
    with socket.create_server(('127.0.0.1', 0)) as ftp:
        ftp.settimeout(0.1)
        url = 'ftp://127.0.0.1:%d/file.bin' % ftp.getsockname()[1]
        server.answers = {path: [status(302, url)] for path in server.answers}
        code, _, err = run('set')
        assert code == 1 and 'redirects that lead nowhere' in err and url in err
        with pytest.raises(TimeoutError):
            ftp.accept()


def test_the_pauses_grow(table, server, run, monkeypatch):
    pauses = []
    monkeypatch.setattr(fetch, 'PAUSE', 2)
    monkeypatch.setattr(fetch.time, 'sleep', pauses.append)
    server.answers = {path: [status(503)] for path in server.answers}
    assert run('set')[0] == 1
    assert pauses == [0, 2, 4]


# --- Google Drive -----------------------------------------------------------------

def test_the_form_of_confirmation_is_sent(table, server, run):
    server.answers['/a/file.bin'] = [give(FORM, 'text/html; charset=utf-8',
                                          ranges=False)]
    server.answers['/a/file.bin'].append(give())
    write_part(BODY[:HALF])
    assert run('set')[0] == 0 and final() == BODY
    (path, asked), = server.asked[1:]
    assert asked == f'bytes={HALF}-'
    assert urllib.parse.parse_qs(urllib.parse.urlsplit(path).query) == {
        'id': ['X&Y'], 'confirm': ['t'], 'uuid': ['12-34']}


def test_the_form_is_sent_once_only(table, server, run):
    table(mirrors='a')
    server.answers['/a/file.bin'] = [give(FORM, 'text/html')]
    code, _, err = run('set')
    assert code == 1 and len(server.asked) == 2 and listing() == []
    assert 'a web page (Google Drive - Virus scan warning)' in err


@pytest.mark.parametrize('first', [QUOTA, FORM])
def test_the_quota_page_is_named_with_the_way_out(table, server, run, first):
    table(mirrors='a', by_hand='https://there.example/view')
    server.answers['/a/file.bin'] = [give(first, 'text/html')]
    server.answers['/a/file.bin'].append(give(QUOTA, 'text/html'))
    code, _, err = run('set', '--data_dir', 'd')
    assert code == 1 and err.count('\n') == 1 and os.listdir('d') == []
    assert 'quota of downloads of this file is used up' in err
    assert 'with a browser from https://there.example/view' in err
    assert '`python download.py set --data_dir d --archive FILE`' in err
