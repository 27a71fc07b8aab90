"""download.py against hostile servers, cuts, signals, full disks and each other.

What a single failing mirror does is in tests/test_fetch.py; here is what is worse. What
must hold every time: under its own name there is the right file, or none.
"""

import encodings.idna  # noqa: F401  (a child that is another user cannot import it)
import gzip
import os
import pathlib
import random
import resource
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback

import pytest
import test_fetch
from test_fetch import (
    BODY,
    HALF,
    final,
    give,
    listing,
    md5,
    status,
    write,
    write_part,
)

import download
from dataset import downloads, fetch

server, table, run = test_fetch.server, test_fetch.table, test_fetch.run
OTHER = bytes(reversed(BODY))
PART, FINAL = 'data/folder/file.bin.part', 'data/folder/file.bin'


@pytest.fixture
def hasty(monkeypatch):
    """Let connections be given up after a short time."""
    monkeypatch.setattr(fetch, 'TIMEOUT', 0.2)


def raw(*contents):
    """Answer with these bytes, header and all."""
    def answer(handler):
        for content in contents:
            handler.wfile.write(content)
            handler.wfile.flush()
    return answer


def header(*lines, code='200 OK'):
    """Return the header of an answer."""
    return '\r\n'.join(('HTTP/1.1 ' + code, *lines, '', '')).encode('latin-1')


def chunk(data):
    return b'%x\r\n%s\r\n' % (len(data), data)


CHUNKED = header('Transfer-Encoding: chunked')


def partial(data, begin, end, total, *lines):
    """Answer 206 with bytes `begin` to `end` of a file said to have `total`."""
    return raw(header(f'Content-Range: bytes {begin}-{end - 1}/{total}', *lines,
                      f'Content-Length: {end - begin}', code='206 Partial Content'),
               data[begin:end])


def there():
    """Return the right file's content where it is, None where there is no file."""
    return final() if os.path.exists(FINAL) else None


# --- cuts -----------------------------------------------------------------------

def cuts(table, server, run, seed, rounds):
    """Cut each download at up to four random bytes, each start a new one."""
    rng = random.Random(seed)
    table(mirrors='a')
    for _ in range(rounds):
        ends = sorted(rng.sample(range(len(BODY)), rng.randint(1, 4)))
        server.asked.clear()
        for end in ends:
            server.answers['/a/file.bin'] = [give(upto=end), status(404)]
            assert run('set')[0] == 1 and there() is None
            assert fetch.size_of(PART) == end
        server.answers['/a/file.bin'] = [give()]
        assert run('set')[0] == 0 and there() == BODY and listing() == ['file.bin']
        wanted = [f'bytes={end}-' if end else None for end in ends]
        assert server.ranges()[-1] == wanted[-1]
        assert set(wanted) <= set(server.ranges())
        os.remove(FINAL)


def test_cuts_at_random_bytes(table, server, run):
    cuts(table, server, run, 1, 25)


@pytest.mark.slow
def test_many_cuts_at_random_bytes(table, server, run):
    cuts(table, server, run, 2, 200)


@pytest.mark.parametrize('end', [0, 1, 7, 8191, 8192, 65536, HALF, len(BODY) - 1])
def test_a_chunked_body_that_is_cut(table, server, run, end):
    pieces = [BODY[i:i + 5000] for i in range(0, end, 5000)]
    pieces[-1:] = [piece[:end % 5000 or 5000] for piece in pieces[-1:]]
    for cut in (b'', b'7', b'1388\r\n', b'1388\r\nxyz'[:6]):
        shutil.rmtree('data', ignore_errors=True)
        server.answers['/a/file.bin'] = [
            raw(CHUNKED, *map(chunk, pieces), cut)]
        code, out, _ = run('set')
        assert code == 0 and there() == BODY and 'cut off' in out
        asked = server.asked[-1]
        assert asked == ('/b/file.bin', f'bytes={end}-' if end else None)


def test_a_cut_of_bytes_that_no_checksum_was_made_of(table, server, run):
    """Garbage in the part, from one mirror, does not spoil what the next one gives."""
    server.answers['/a/file.bin'] = [give(OTHER, upto=HALF)]
    assert run('set')[0] == 0 and there() == BODY
    assert server.asked[1:] == [('/b/file.bin', f'bytes={HALF}-'),
                                ('/b/file.bin', None)]


# --- the file changes between the parts -------------------------------------------

CHANGED = {
    'etag': partial(OTHER, HALF, len(BODY), len(BODY), 'ETag: "two"'),
    'date': partial(OTHER, HALF, len(BODY), len(BODY),
                    'Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT'),
    'longer': partial(BODY * 2, HALF, len(BODY) * 2, len(BODY) * 2),
    'shorter': partial(BODY, HALF, len(BODY) - 9, len(BODY) - 9),
    'absurd': partial(OTHER, HALF, len(BODY), '9' * 5000),
    'unknown': partial(OTHER, HALF, len(BODY), '*'),
    'backwards': partial(OTHER, HALF, HALF - 5, len(BODY)),
    'no range': raw(header('Content-Length: 7', code='206 Partial Content'),
                    b'1234567'),
    'two ranges': raw(header('Content-Type: multipart/byteranges; boundary=X',
                             code='206 Partial Content'), b'--X\r\n\r\n' + BODY),
}


@pytest.mark.parametrize('case', CHANGED)
def test_another_file_is_given_for_the_rest(table, server, run, case):
    server.answers['/a/file.bin'] = [give(upto=HALF), CHANGED[case]]
    server.answers['/b/file.bin'] = [status(503), give()]
    code, _, err = run('set')
    assert (code, err) == (0, '') and there() == BODY and listing() == ['file.bin']
    server.answers = {'/a/file.bin': [give(upto=HALF), CHANGED[case]],
                      '/b/file.bin': [status(404)]}
    os.remove(FINAL)
    code, _, err = run('set')
    assert code == 1 and err.count('\n') == 1 and len(err) < 2000 and there() is None


def test_another_total_is_told_before_the_rest_is_fetched(table, server, run):
    write_part(BODY[:HALF])
    server.answers['/a/file.bin'] = [CHANGED['longer']]
    code, out, _ = run('set')
    assert code == 0 and 'offers 1,024,000 bytes, expected 512,000' in out
    assert server.asked == [('/a/file.bin', f'bytes={HALF}-'),
                            ('/b/file.bin', f'bytes={HALF}-')]


# --- where a server leads to ------------------------------------------------------

@pytest.mark.parametrize('place', ['file://%s', 'data:,%s', 'ftp://127.0.0.1:%d/',
                                   'x:y', '//', 'http://[', 'http://127.0.0.1:%d/'])
def test_a_redirect_to_anything_else(table, server, run, hasty, place, tmp_path):
    write('secret', BODY)
    with socket.create_server(('127.0.0.1', 0)) as idle:
        place = place.replace('%s', str(tmp_path / 'secret')).replace(
            '%d', str(idle.getsockname()[1]))
        server.answers['/a/file.bin'] = [status(302, place)]
        code, out, err = run('set')
    assert (code, err) == (0, '') and there() == BODY
    assert server.asked[-1] == ('/b/file.bin', None)


def test_a_chain_of_redirects_ends(table, server, run):
    for i in range(100):
        server.answers[f'/{i}'] = [status(302, f'/{i + 1}')]
    server.answers['/a/file.bin'] = [status(307, '/0')]
    assert run('set')[0] == 0 and there() == BODY
    assert len(server.asked) < 40


def test_mirrors_by_ipv6_and_at_closed_ports(table, server, run):
    closed = socket.create_server(('127.0.0.1', 0))
    port = closed.getsockname()[1]
    closed.close()
    code, out, _ = run('set', '--mirror', f'http://127.0.0.1:{port}/',
                       '--mirror', f'http://[::1]:{port}/')
    assert code == 0 and there() == BODY and out.count('refused') >= 1
    assert out.count('\n') == 3


def test_a_mirror_by_ipv6(table, server, run):
    class Six(type(server)):
        address_family = socket.AF_INET6
    try:
        six = test_fetch.http.server.ThreadingHTTPServer.__new__(Six)
        test_fetch.http.server.ThreadingHTTPServer.__init__(
            six, ('::1', 0), test_fetch.Handler)
    except OSError:
        pytest.skip('no IPv6 here')
    six.asked, six.over = [], server.over
    six.answers = {'/file.bin': [give()]}
    threading.Thread(target=six.serve_forever, args=(0.01,), daemon=True).start()
    assert run('set', '--mirror', f'http://[::1]:{six.server_port}')[0] == 0
    assert there() == BODY and six.asked == [('/file.bin', None)]
    six.shutdown()
    six.server_close()


# --- what a server says on the screen ---------------------------------------------

@pytest.mark.parametrize('answer', [
    raw(header(code='404 \x1b[2J\x1b]0;owned\x07\x9b31m' + 'x' * 60000)),
    raw(header('Content-Type: text/html'),
        b'<title>\x1b[2J\x07\xe2\x80\xae' + b'x' * 60),
    raw(header('Location: gopher://\x1b[31m/' + 'y' * 50000, code='302 Found')),
    raw(b'\x1b[2J\x1b[1;1H' + b'x' * 1000 + b'\r\n\r\n')])
def test_no_escape_sequences_and_no_long_lines(table, server, run, answer):
    server.answers = {path: [answer] for path in server.answers}
    code, out, err = run('set')
    assert code == 1 and err.count('\n') == 1
    assert all(c.isprintable() for c in out + err if c != '\n')
    assert max(map(len, (out + err).split('\n'))) < 1500


# --- encodings --------------------------------------------------------------------

# compress writes the time of day: no part of the tests' names, which workers compare
@pytest.mark.parametrize('body', [gzip.compress(BODY), gzip.compress(BODY)[:50]],
                         ids=['whole', 'cut'])
@pytest.mark.parametrize('how', ['length', 'chunked', 'until closed'])
def test_a_body_that_is_encoded_though_nobody_asked(table, server, run, body, how):
    lines = {'length': [f'Content-Length: {len(body)}'],
             'chunked': ['Transfer-Encoding: chunked'], 'until closed': []}[how]
    server.answers['/a/file.bin'] = [
        raw(header('Content-Encoding: gzip', *lines),
            chunk(body) + b'0\r\n\r\n' if how == 'chunked' else body)]
    assert run('set')[0] == 0 and there() == BODY and listing() == ['file.bin']


def test_identity_is_asked_for(table, server, run):
    seen = []

    def look(handler):
        seen.append(handler.headers.get_all('Accept-Encoding'))
        give()(handler)
    server.answers['/a/file.bin'] = [look]
    assert run('set')[0] == 0 and seen == [['identity']]


# --- processes: killed, interrupted, two at once, without room ---------------------

class Child:
    """The command in a process of its own, forked so that it starts at once."""

    def __init__(self, file, limit, user):
        self.paths = [tempfile.mkstemp()[1] for _ in 'oe']
        self.returncode, self.id = None, os.fork()
        if not self.id:
            code = 99
            try:
                code = self.run(file, limit, user)
            except BaseException:
                traceback.print_exc(file=sys.stderr)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)

    def run(self, file, limit, user):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.stdout, sys.stderr = (open(path, 'w') for path in self.paths)
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        if user:
            os.setuid(user)
        download.DATASETS = {'set': downloads.Dataset('folder', (file,))}
        return download.main(['set'])

    def read(self):
        return [pathlib.Path(path).read_text() for path in self.paths]

    def poll(self):
        if self.returncode is None:
            done, code = os.waitpid(self.id, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(code) if done else None
        return self.returncode

    def wait(self, seconds=20):
        until(lambda: self.poll() is not None, seconds)
        return self.returncode

    def end(self):
        if self.poll() is None:
            os.kill(self.id, signal.SIGKILL)
            self.wait()
        for path in self.paths:
            os.remove(path)


def until(happened, seconds=20):
    """Wait for something to happen; fail when it does not."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.fixture
def start(table, server):
    """Return a function that starts the command as a process of its own."""
    started = []

    def call(limit=None, user=None):
        started.append(Child(fetch.File('file.bin', len(BODY), md5(BODY),
                                        (server.base + '/a/file.bin',)), limit, user))
        return started[-1]
    yield call
    for child in started:
        child.end()


def sluggish(seconds=0.5, data=BODY):
    """Give the file, by range, over some time."""
    def answer(handler):
        asked = handler.headers.get('Range')
        begin = int(asked[6:-1]) if asked else 0
        handler.send_response(206 if begin else 200)
        handler.send_header('Content-Range',
                            f'bytes {begin}-{len(data) - 1}/{len(data)}')
        handler.send_header('Content-Length', len(data) - begin)
        handler.end_headers()
        for i in range(begin, len(data), 4000):
            handler.wfile.write(data[i:i + 4000])
            handler.wfile.flush()
            time.sleep(seconds * 4000 / len(data))
    return answer


def stop_at_random(start, server, number, seed, times):
    """Stop the command at random moments of a download; return the sizes of parts."""
    rng, sizes = random.Random(seed), []
    server.answers['/a/file.bin'] = [sluggish()]
    for _ in range(times):
        server.asked.clear()
        child = start()
        # Where the part is whole already, nobody is asked.
        until(lambda child=child: server.asked or child.poll() is not None)
        time.sleep(rng.random() * 0.4)
        if child.poll() is None:
            os.kill(child.id, number)
        code, err = child.wait(), child.read()[1]
        assert there() in (None, BODY) and 'Traceback' not in err
        if code == 0:                       # it was faster
            os.remove(FINAL)
            continue
        assert code == (130 if number == signal.SIGINT else -number)
        assert (err.count('\n') == 1) == (number == signal.SIGINT)
        if os.path.exists(PART):
            content = pathlib.Path(PART).read_bytes()
            assert content == BODY[:len(content)]
            sizes.append(len(content))
    server.answers['/a/file.bin'] = [give()]
    assert start().wait() == 0 and there() == BODY and listing() == ['file.bin']
    return sizes


@pytest.mark.parametrize('number', [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_stopped_at_a_random_moment(start, server, number):
    stop_at_random(start, server, number, 5, 1)


@pytest.mark.slow
@pytest.mark.parametrize('number, times', [(signal.SIGKILL, 20), (signal.SIGINT, 12)])
def test_stopped_at_many_random_moments(start, server, number, times):
    sizes = stop_at_random(start, server, number, 6, times)
    assert len(set(sizes)) > times // 3


def test_two_at_once_wait_for_each_other(start, server):
    server.answers['/a/file.bin'] = [sluggish(0.4)]
    first = start()
    until(lambda: os.path.exists(PART))
    second = start()
    assert [first.wait(), second.wait()] == [0, 0]
    (_, err), (out, err_) = first.read(), second.read()
    assert [err, err_] == ['', ''] and there() == BODY and listing() == ['file.bin']
    assert 'data/folder: another download is at work there: waiting' in out
    assert 'already there' in out and len(server.asked) == 1


def test_who_waits_goes_on_when_the_other_one_dies(start, server):
    server.answers['/a/file.bin'] = [sluggish(20), give()]
    first = start()
    until(lambda: fetch.size_of(PART) > 4000)
    second = start()
    until(lambda: 'waiting' in second.read()[0])
    os.kill(first.id, signal.SIGKILL)
    assert second.wait() == 0 and there() == BODY
    assert server.ranges()[1] is not None


def test_who_waits_can_be_interrupted(start, server):
    server.answers['/a/file.bin'] = [sluggish(20)]
    first, second = start(), None
    until(lambda: os.path.exists(PART))
    second = start()
    until(lambda: 'waiting' in second.read()[0])
    os.kill(second.id, signal.SIGINT)
    assert second.wait() == 130 and second.read()[1] == 'download.py: stopped\n'
    assert first.poll() is None


def test_many_at_once(start, server):
    server.answers['/a/file.bin'] = [sluggish(0.1)]
    many = [start() for _ in range(8)]
    assert [child.wait() for child in many] == [0] * 8
    assert there() == BODY and listing() == ['file.bin'] and len(server.asked) == 1


@pytest.mark.parametrize('limit', [4096, 65537, 100001])
def test_no_room_for_the_file(start, server, limit):
    child = start(limit=limit)
    assert child.wait() == 1
    out, err = child.read()
    assert err.count('\n') == 1 and 'make room' in err
    assert there() is None and listing() == ['file.bin.part']
    assert pathlib.Path(PART).read_bytes() == BODY[:limit]
    assert start().wait() == 0 and there() == BODY and listing() == ['file.bin']
    assert server.ranges() == [None, f'bytes={limit}-']


@pytest.mark.skipif(os.getuid() != 0, reason='to become another user needs root')
def test_a_folder_of_somebody_else(start, server, tmp_path):
    os.makedirs('data/folder')
    os.chmod(tmp_path, 0o755)
    child = start(user=65534)
    assert child.wait() == 1
    out, err = child.read()
    assert err.count('\n') == 1 and 'Permission denied' in err
    assert 'data/folder/file.bin.part' in err and listing() == []
