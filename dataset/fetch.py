"""Fetch one file: resumed, checked, from the first mirror that gives it.

It is written to PATH.part and gets its own name only when its checksum is right. What a
cut download has left in PATH.part is kept, and the next one goes on from there.
"""

import contextlib
import hashlib
import html
import os
import re
import sys
import time
from typing import NamedTuple

try:
    import fcntl
except ImportError:     # Windows
    fcntl = None

import requests
import urllib3
from tqdm import tqdm

from utils import claim, flush, replace, silence, to_disk

TIMEOUT = 30        # seconds of silence before a connection is given up
ROUNDS = 3          # tours of all mirrors without headway before a file is given up
PAUSE = 2           # seconds before the second tour, then twice as many
HEADWAY = 2 ** 20   # bytes that a tour must add to count as headway
CHUNK = 2 ** 18     # bytes read at once
PAGE = 2 ** 16      # characters of a web page that are looked at
# Not compressed on the way: the checksum is of the file as it lies on the server
HEADERS = {'User-Agent': 'download.py (DCGAN-tensorflow)',
           'Accept-Encoding': 'identity'}


class File(NamedTuple):
    """One file of a data set.

    checksum: its MD5 or SHA-256 in hex, or where nobody publishes one its size as text;
    folder: what a .zip unpacks to, where it must be unpacked; member: the one file that
    is taken out of a .tar.gz.
    """

    name: str
    size: int
    checksum: str
    urls: tuple
    by_hand: str = 'one of these addresses'
    folder: str | None = None
    member: str | None = None

    @property
    def kind(self):
        """Which checksum it is, by its length: md5, sha256, or only the size."""
        return {32: 'md5', 64: 'sha256'}.get(len(self.checksum), 'size')


class DownloadError(Exception):
    """Why a file could not be had, in one line, and what to do."""


class MirrorError(Exception):
    """Why one mirror did not give a file this time."""


class Refused(MirrorError):
    """Why one mirror does not give a file, however often it is asked."""


# --- one answer --------------------------------------------------------------

@contextlib.contextmanager
def network():
    """Turn what a connection raises into MirrorError or Refused.

    An OSError from anywhere else is then the disk's.
    """
    try:
        yield
    except requests.HTTPError as error:
        code, reason = error.response.status_code, error.response.reason
        passing = code >= 500 or code in (408, 429)
        raise (MirrorError if passing else Refused)(
            clean(f'HTTP {code} {reason}')) from None
    except (requests.TooManyRedirects, ValueError) as error:    # no http:, no address
        raise Refused(clean(f'redirects that lead nowhere: {error}')) from None
    except (requests.Timeout, urllib3.exceptions.TimeoutError):
        raise MirrorError(f'silent for {TIMEOUT} seconds') from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        # The last words of "HTTPConnectionPool(…): …: [Errno 111] Connection refused"
        reason = str(getattr(error.args[0], 'reason', error)).rpartition(': ')[2]
        reason = re.sub(r"\[Errno .*\] |[')]+$", '', reason)
        raise MirrorError(clean(
            reason + ')' * (reason.count('(') - reason.count(')')))) from None


def clean(text):
    """Return a server's text in one line of at most 200 printable characters."""
    plain = ''.join(c if c.isprintable() else ' ' for c in str(text))
    return ' '.join(plain.split())[:200]


def ask(url, start, **params):
    """Return the answer to a request for a file from byte `start` on.

    If the server says that the file is shorter (416), ask for all of it. Raises
    MirrorError.
    """
    headers = dict(HEADERS, Range=f'bytes={start}-') if start else HEADERS
    with network():
        response = requests.get(url, params=params, headers=headers, stream=True,
                                timeout=TIMEOUT)
        if response.status_code == 416 and start:
            response.close()
            return ask(url, 0, **params)
        response.raise_for_status()
    return response


def read_page(response):
    """Return the text of a web page that came instead of a file, '' for a file."""
    if not response.headers.get('Content-Type', '').startswith('text/html'):
        return ''
    with network(), response:
        return response.raw.read(PAGE).decode('utf-8', 'replace') or '<html>'


def confirmation(page):
    """Return what Google Drive's form sends that asks to confirm; {} without one."""
    form = page.partition('id="download-form"')[2].partition('</form>')[0]
    tags = [dict(re.findall(r'(\w+)="([^"]*)"', html.unescape(tag)))
            for tag in re.findall('<input[^>]*', form)]
    return {tag['name']: tag.get('value', '') for tag in tags if 'name' in tag}


def describe(page):
    """Say in one line that a web page came, and what it tells."""
    title = re.search('<title>([^<]{1,80})', page, re.I)
    quota = re.search('quota exceeded|too many users', page, re.I)
    return 'a web page%s instead of the file%s' % (
        f' ({clean(title[1])})' if title else '',
        ': the quota of downloads of this file is used up for now' if quota else '')


def open_file(url, start):
    """Return (answer, byte at which it begins): `start`, or 0 where it must be.

    Answers Google Drive's form of confirmation. Raises MirrorError.
    """
    response = ask(url, start)
    page = read_page(response)
    fields = confirmation(page)
    if fields:
        response = ask(response.url.partition('?')[0], start, **fields)
        page = read_page(response)
    if page:
        raise Refused(describe(page))
    ranged = response.headers.get('Content-Range', '').startswith(f'bytes {start}-')
    if start and response.status_code == 206 and not ranged:
        response.close()
        return open_file(url, 0)
    return response, start if ranged else 0


# --- one file ----------------------------------------------------------------

def transfer(url, file, part):
    """Bring a part to the file's length from one mirror; return where it went on.

    Raises MirrorError, and OSError for the disk.
    """
    begin = size_of(part)
    if begin >= file.size:
        return begin        # all came, and the run ended before it was checked
    response, begin = open_file(url, begin)
    offered = response.raw.length_remaining
    with response:
        if offered is not None and begin + offered != file.size:
            raise Refused(f'offers {begin + offered:,} bytes, expected {file.size:,}')
        with open(part, 'ab' if begin else 'wb') as out, tqdm(
                desc=file.name, total=file.size, initial=begin, unit='B',
                unit_scale=True, disable=None) as bar:
            end = pour(response, out, begin, file.size, bar)
            to_disk(out)
    if end > file.size:
        os.remove(part)
        raise Refused(f'more than the {file.size:,} bytes expected')
    if end < file.size:
        raise MirrorError(f'cut off at {end:,} of {file.size:,} bytes')
    return begin


def pour(response, out, end, size, bar):
    """Write an answer to `out`, up to byte `size`; return the byte it ended at.

    That is more than `size` where there was more. Raises MirrorError for a silent line;
    a line that is cut just ends.
    """
    with network(), contextlib.suppress(urllib3.exceptions.ProtocolError):
        while end <= size:
            # read1: what came before a cut is not lost with what did not come
            chunk = response.raw.read1(CHUNK, decode_content=False)
            if not chunk:
                break
            out.write(chunk[:size - end])
            end += len(chunk)
            bar.update(len(chunk))
    return end


def attempt(url, file, part):
    """Make a part the whole file, from one mirror. Raises MirrorError."""
    for _ in range(2):
        begin = transfer(url, file, part)
        found = checksum_of(part, file.kind)
        if found == file.checksum:
            return
        os.remove(part)
        if not begin:
            break       # else the old part may be bad: once more from byte 0
    raise Refused(f'a file with {file.kind} {found}, expected {file.checksum}')


def fetch_file(file, path, urls):
    """Fetch one file to `path`, from the first address that gives it.

    Raises DownloadError, which names each address and its failure. What came is then in
    the part, and nothing is at `path`.
    """
    part, errors, idle = path + '.part', {}, 0
    most = size_of(part)
    while urls and idle < ROUNDS:
        time.sleep(PAUSE * idle)
        for url in urls:
            try:
                attempt(url, file, part)
                return replace(part, path)
            except MirrorError as error:
                errors[url] = error
                say(f'{url}: {error}')
        urls = [url for url in urls if not isinstance(errors[url], Refused)]
        idle = 0 if size_of(part) >= most + HEADWAY else idle + 1
        most = max(most, size_of(part))
    raise DownloadError('; '.join(f'{url}: {error}' for url, error in errors.items()))


# --- files and folders -------------------------------------------------------

@contextlib.contextmanager
def alone(folder):
    """Hold a folder for one download; another one waits here until it is over.

    The system releases the lock when the process ends. Where there are no locks, as on
    Windows and some network drives, nobody waits.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            if claim(handle) is False:
                say(f'{folder}: another download is at work there: waiting for its end')
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield


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


def say(text):
    """Print a line at once; where nobody reads it (`| head`), go on without."""
    try:
        print(text)
        flush(sys.stdout)
    except OSError:
        silence(sys.stdout)
