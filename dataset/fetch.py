"""Fetch one file: resumed, verified by checksum, from the first mirror that gives it.

It is written to PATH.part and gets its own name only when its checksum is right. A part
left by a cut is gone on with.
"""

import contextlib
import hashlib
import os
import re
import sys
import time
from typing import NamedTuple

try:
    import fcntl
except ImportError:     # Windows
    fcntl = None

from tqdm import tqdm

from dataset.web import MirrorError, Refused, network, open_file

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


def say(text):
    """Print a line at once; where nobody reads it (`| head`), go on without."""
    try:
        print(text, flush=True)
    except OSError:
        # Python tries again to write what it holds when it ends.
        with open(os.devnull, 'wb') as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


# --- one mirror --------------------------------------------------------------

def whole_length(response, file, begin):
    """Return the length that the file will have, None where neither side says it.

    Raises Refused where the server's answer does not fit the table.
    """
    end = None if response.length is None else begin + response.length
    total = re.search(r'/(\d{1,18})$', response.headers.get('Content-Range', ''))
    offered = int(total[1]) if total and begin else end
    if offered is None:
        return file.size
    offered = min(offered, 10**18)      # and not a line of digits
    # Some servers give a range in portions.
    if offered != (file.size or offered) and not (
            total is None and begin and offered < file.size):
        raise Refused(f'offers {offered:,} bytes, expected {file.size:,}')
    if file.size is None and offered > LARGEST:
        raise Refused(f'offers {offered:,} bytes, more than {LARGEST:,}')
    return file.size or offered


def pour(response, out, begin, limit, bar):
    """Write a body to `out`, never past byte `limit`; return the byte it ended at.

    One more than `limit` says that there was more. Raises MirrorError.
    """
    end = begin
    left = limit + 1 - begin
    if response.length is not None:
        left = min(left, response.length)
    while left > 0:
        with network(response.watch):
            # read1: what came before a cut is written, not lost with the rest.
            chunk = response.read1(min(CHUNK, left))
        if not chunk:
            response.watch.check()
            break
        # A chunk whose length is a lie may bring more than was asked for.
        out.write(chunk[:max(limit - end, 0)])
        end += len(chunk)
        response.watch.came += len(chunk)
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

@contextlib.contextmanager
def alone(folder):
    """Hold a folder for one download; another one waits here until it is over.

    The system lets go of it with the process. Where it cannot hold a folder, as on
    Windows and some network drives, nobody waits.
    """
    handle = None
    try:
        if fcntl:
            handle = os.open(folder, os.O_RDONLY)
            hold(handle, folder)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def hold(handle, folder):
    """Lock an open folder, and say so where that means to wait."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f'{folder}: another download is at work there: waiting for its end')
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        pass


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
