"""Fetch one file: resumed, verified by checksum, from the first mirror that gives it.

It is written to PATH.part and gets its own name only when its checksum is right. A part
left by a cut is gone on with. Google Drive's form of confirmation is answered.
"""

import contextlib
import hashlib
import http.client
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from typing import NamedTuple

from tqdm import tqdm

TIMEOUT = 30        # seconds of silence before a connection is given up
ROUNDS = 3          # tours of all mirrors without headway before a file is given up
PAUSE = 2           # seconds before the second tour, then twice as many
HEADWAY = 2 ** 20   # bytes that a tour must add, so that crawling on comes to an end
CHUNK = 2 ** 18     # bytes read at once
LARGEST = 2 ** 34   # bytes taken at most where neither table nor server says a length


class File(NamedTuple):
    """Describe one file of a data set; its size is None where nobody knows it.

    checksum: its MD5 or SHA-256 in hex, or where nobody publishes one its size as text;
    folder: what a .zip unpacks to, where it must be unpacked; member: the one file that
    is taken out of a .tar.gz, where there is one.
    """

    name: str
    size: int | None
    checksum: str
    urls: tuple
    by_hand: str = 'one of these addresses'
    folder: str | None = None
    member: str | None = None

    @property
    def kind(self):
        """Return which checksum it is, by its length: md5, sha256, or only the size."""
        return {32: 'md5', 64: 'sha256'}.get(len(self.checksum), 'size')


class DownloadError(Exception):
    """Say in one line why a file could not be had, and what to do."""


class MirrorError(Exception):
    """Say why one mirror did not give a file this time."""


class Refused(MirrorError):
    """Say why one mirror does not give a file, however often it is asked."""


def say(text):
    """Print a line at once; where nobody reads it (`| head`), go on without."""
    try:
        print(text, flush=True)
    except OSError:
        # Python tries again to write what it holds when it ends.
        with open(os.devnull, 'wb') as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


# --- one connection ----------------------------------------------------------

class Form(HTMLParser):
    """Find in a web page the form by which Google Drive asks for confirmation."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields = '', {}
        # The parser stops at some broken pages with an AssertionError.
        with contextlib.suppress(AssertionError):
            self.feed(page)

    def handle_starttag(self, tag, attrs):
        """Note a form's address and what it sends, until one is found that confirms."""
        values = {key: value or '' for key, value in attrs}
        if tag == 'form' and 'confirm' not in self.fields:
            self.action, self.fields = values.get('action', ''), {}
        elif tag == 'input' and values.get('type') == 'hidden':
            self.fields.setdefault(values.get('name', ''), values.get('value', ''))


@contextlib.contextmanager
def network():
    """Turn what a connection raises into MirrorError or Refused.

    An OSError from anywhere else is then the disk's.
    """
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        if 300 <= error.code < 400:
            raise Refused(f'HTTP {error.code}, redirects that lead nowhere') from None
        passing = error.code >= 500 or error.code in (408, 429)
        raise (MirrorError if passing else Refused)(
            f'HTTP {error.code} {error.reason}') from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, TimeoutError):
            raise MirrorError(f'silent for {TIMEOUT} seconds') from None
        text = getattr(reason, 'strerror', None) or str(reason) or repr(reason)
        raise MirrorError(' '.join(text.split())) from None


def request(url, start):
    """Ask for `url` from byte `start` on, or for all of it where it ends before.

    Raises MirrorError.
    """
    headers = {'User-Agent': 'download.py (DCGAN-tensorflow)'}
    if start:
        headers['Range'] = f'bytes={start}-'
    with network():
        try:
            response = urllib.request.urlopen(
                urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
        except urllib.error.HTTPError as error:
            if error.code != 416 or not start:
                raise
            error.close()
            return request(url, 0)
    if not isinstance(response, http.client.HTTPResponse):
        raise Refused(f'leads to {response.url}, which is not HTTP')
    return response


def read_page(response):
    """Return the text of a web page that came instead of a file, '' for a file."""
    with network():
        head = response.peek(64).lstrip(b'\xef\xbb\xbf \t\r\n').lower()
        sniffed = response.status == 200 and head.startswith((b'<!doctype html',
                                                              b'<html'))
        if not sniffed and response.headers.get_content_type() != 'text/html':
            return ''
        with response:
            return response.read(CHUNK).decode('utf-8', 'replace') or '<html>'


def describe(page):
    """Say in one line that a web page came, and what it tells."""
    title = re.search('<title>([^<]{1,80})', page, re.I)
    named = f' ({" ".join(title[1].split())})' if title else ''
    quota = re.search('quota exceeded|too many users', page, re.I)
    why = ': the quota of downloads of this file is used up for now' if quota else ''
    return f'a web page{named} instead of the file{why}'


def open_file(url, start):
    """Open a file from byte `start` on, or from 0 where the server will not.

    Returns the response and the byte it begins at; answers Google Drive's form of
    confirmation. Raises MirrorError.
    """
    response = request(url, start)
    page = read_page(response)
    form = Form(page)
    if 'confirm' in form.fields:
        action = urllib.parse.urljoin(response.url, form.action)
        response = request(action + ('&' if '?' in action else '?')
                           + urllib.parse.urlencode(form.fields), start)
        page = read_page(response)
    if page:
        raise Refused(describe(page))
    if response.status != 206:
        return response, 0
    if response.headers.get('Content-Range', '').startswith(f'bytes {start}-'):
        return response, start
    response.close()
    if not start:
        raise Refused('HTTP 206, a part, where the whole file was asked for')
    return open_file(url, 0)


def whole_length(response, file, begin):
    """Return the length that the file will have, None where neither side says it.

    Raises Refused where the server's answer does not fit the table.
    """
    end = None if response.length is None else begin + response.length
    if file.size is None or end is None:
        return file.size or end
    # Some servers give a range in portions.
    if end != file.size and not (begin and end < file.size):
        raise Refused(f'offers {end:,} bytes, expected {file.size:,}')
    return file.size


def pour(response, out, begin, limit, bar):
    """Write a body to `out`, never past byte `limit`; return the byte it ended at.

    One more than `limit` says that there was more. Raises MirrorError.
    """
    end = begin
    left = limit + 1 - begin if response.length is None else response.length
    while left:
        with network():
            # read1: what came before a cut is written, not lost with the rest.
            chunk = response.read1(min(CHUNK, left))
        if not chunk:
            break
        out.write(chunk[:limit - end])
        end += len(chunk)
        left -= len(chunk)
        bar.update(len(chunk))
    return end


def transfer(url, file, part):
    """Bring a part to the file's length from one mirror; return where it went on.

    Raises MirrorError, and OSError for the disk.
    """
    begin = size_of(part)
    if file.size and begin >= file.size:
        return begin        # all came, and the run ended before it was checked
    response, begin = open_file(url, begin)
    with response:
        length = whole_length(response, file, begin)
        limit = LARGEST if length is None else length
        with open(part, 'ab' if begin else 'wb') as out, tqdm(
                desc=file.name, total=length, initial=begin, unit='B',
                unit_scale=True, disable=None) as bar:
            end = pour(response, out, begin, limit, bar)
            out.flush()
            os.fsync(out.fileno())
    if end > limit:
        os.remove(part)
        raise Refused(f'more than the {limit:,} bytes expected')
    if length is not None and end < length:
        raise MirrorError(f'cut off at {end:,} of {length:,} bytes')
    return begin


# --- one file ----------------------------------------------------------------

def size_of(path):
    """Return a file's size in bytes, 0 where there is none."""
    return os.path.getsize(path) if os.path.exists(path) else 0


def checksum_of(path, kind, copy=None):
    """Return a file's MD5, SHA-256 or size as text; write it to `copy` on the way."""
    sums_up = kind != 'size'
    digest = hashlib.new(kind if sums_up else 'md5', usedforsecurity=False)
    with open(path, 'rb') as file:
        for chunk in iter(lambda: file.read(CHUNK), b''):
            digest.update(chunk)
            if copy:
                copy.write(chunk)
    return digest.hexdigest() if sums_up else str(size_of(path))


def attempt(url, file, part):
    """Make a part the whole file, from one mirror. Raises MirrorError."""
    for _ in range(2):
        begin = transfer(url, file, part)
        found = checksum_of(part, file.kind)
        if found == file.checksum:
            return
        os.remove(part)
        if not begin:
            break       # else what was there before may be at fault: all of it anew
    raise Refused(f'a file with {file.kind} {found}, expected {file.checksum}')


def fetch_file(file, path, urls):
    """Fetch one file to `path`, from the first address that gives it.

    Raises DownloadError, which names each address and its failure; what came is then
    in the part, and nothing at `path`.
    """
    part, errors, idle = path + '.part', {}, 0
    most = size_of(part)
    while urls and idle < ROUNDS:
        time.sleep(PAUSE * idle)
        for url in urls:
            try:
                attempt(url, file, part)
                return os.replace(part, path)
            except MirrorError as error:
                errors[url] = error
                say(f'{url}: {error}')
        urls = [url for url in urls if not isinstance(errors[url], Refused)]
        idle = 0 if size_of(part) >= most + HEADWAY else idle + 1
        most = max(most, size_of(part))
    raise DownloadError('; '.join(f'{url}: {error}' for url, error in errors.items()))
