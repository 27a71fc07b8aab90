"""Fetch data sets: `python download.py mnist celebA`.

Each file is written to NAME.part, from the first mirror that gives it, and gets its
own name only when its MD5 is right. A NAME.part left by a cut is gone on with.
"""

import argparse
import contextlib
import hashlib
import http.client
import os
import re
import string
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from typing import NamedTuple

from tqdm import tqdm

from utils import atomic_write

TIMEOUT = 30        # seconds of silence before a connection is given up
ROUNDS = 3          # tours of all mirrors without headway before a file is given up
PAUSE = 2           # seconds before the second tour, then twice as many
HEADWAY = 2 ** 20   # bytes that a tour must add, so that crawling on comes to an end
CHUNK = 2 ** 18     # bytes read at once
LARGEST = 2 ** 34   # bytes taken at most where neither table nor server says a length

MNIST = ('https://ossci-datasets.s3.amazonaws.com/mnist/',
         'https://storage.googleapis.com/cvdf-datasets/mnist/')
DRIVE = 'https://drive.usercontent.google.com/download?id=%s&export=download&confirm=t'
CELEBA = '0B7EVK8r0v71pZjFTYXZWM3FlRnM'


class File(NamedTuple):
    """Describe one file of a data set; its size is None where nobody knows it."""

    name: str
    size: int | None
    md5: str
    urls: tuple
    by_hand: str = 'one of these addresses'


class Dataset(NamedTuple):
    """Describe one data set: its folder in the data folder, and its files."""

    folder: str
    files: tuple


def mirrored(bases, name, size, md5):
    """Return the File that each of the base addresses has under its own name."""
    return File(name, size, md5, tuple(base + name for base in bases))


DATASETS = {
    'mnist': Dataset('mnist', (
        mirrored(MNIST, 'train-images-idx3-ubyte.gz', 9912422,
                 'f68b3c2dcbeaaa9fbdd348bbdeb94873'),
        mirrored(MNIST, 'train-labels-idx1-ubyte.gz', 28881,
                 'd53e105ee54ea40749a09fcbcd1e9432'),
        mirrored(MNIST, 't10k-images-idx3-ubyte.gz', 1648877,
                 '9fb629c4189551a2d022fa330f9573f3'),
        mirrored(MNIST, 't10k-labels-idx1-ubyte.gz', 4542,
                 'ec29112dd5afa0611ce80d1b7f02629c'))),
    'celebA': Dataset('celebA', (
        File('img_align_celeba.zip', 1443490838, '00d2c5bc6d35e252742224ab0c1e8fcb',
             (DRIVE % CELEBA,),
             # Drive may ask for the key, from the authors' link, for a file this old.
             f'https://drive.google.com/file/d/{CELEBA}/view'
             '?resourcekey=0-dYn9z10tMJOBAkviAcfdyQ (also listed on '
             'https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html)'),)),
}
BUNDLED = {'toonfaces': 'data/toonfaces'}


class DownloadError(Exception):
    """Say in one line why a file could not be had, and what to do."""


class MirrorError(Exception):
    """Say why one mirror did not give a file this time."""


class Refused(MirrorError):
    """Say why one mirror does not give a file, however often it is asked."""


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


def md5_of(path, copy=None):
    """Return a file's MD5 in hex, writing it to the open file `copy` on the way."""
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, 'rb') as file:
        for chunk in iter(lambda: file.read(CHUNK), b''):
            digest.update(chunk)
            if copy:
                copy.write(chunk)
    return digest.hexdigest()


def is_there(path, file):
    """Return whether `path` is that file already, and say what was found."""
    found = md5_of(path) if os.path.exists(path) else None
    if found == file.md5:
        print(f'{path}: already there')
    elif found:
        print(f'{path}: md5 {found}, expected {file.md5}: to be replaced')
    return found == file.md5


def attempt(url, file, part):
    """Make a part the whole file, from one mirror. Raises MirrorError."""
    for _ in range(2):
        begin = transfer(url, file, part)
        found = md5_of(part)
        if found == file.md5:
            return
        os.remove(part)
        if not begin:
            break       # else what was there before may be at fault: all of it anew
    raise Refused(f'a file with md5 {found}, expected {file.md5}')


def fetch(file, path, urls):
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
                print(f'{url}: {error}')
        urls = [url for url in urls if not isinstance(errors[url], Refused)]
        idle = 0 if size_of(part) >= most + HEADWAY else idle + 1
        most = max(most, size_of(part))
    raise DownloadError('; '.join(f'{url}: {error}' for url, error in errors.items()))


# --- one data set ------------------------------------------------------------

def fetch_dataset(name, data_dir, mirrors):
    """Fetch the files of a data set that are not there. Raises DownloadError."""
    folder = os.path.join(data_dir, DATASETS[name].folder)
    os.makedirs(folder, exist_ok=True)
    for file in DATASETS[name].files:
        path = os.path.join(folder, file.name)
        if is_there(path, file):
            continue
        urls = [urllib.parse.quote(mirror.rstrip('/'), safe=string.punctuation) + '/'
                + file.name for mirror in mirrors]
        try:
            fetch(file, path, list(dict.fromkeys([*urls, *file.urls])))
        except DownloadError as error:
            raise DownloadError(
                f'{path}: no mirror gave this file. {error}. Run the same command '
                f'again later{kept(path)}; or fetch {file.name} with a browser from '
                f'{file.by_hand} and run `python download.py {name} --data_dir '
                f'{data_dir} --archive FILE`; or name another --mirror') from None
        except KeyboardInterrupt:
            raise KeyboardInterrupt(kept(path)) from None
        print(f'{path}: written, {size_of(path):,} bytes, md5 as expected')


def kept(path):
    """Say what a file's part keeps for the next start, if there is one."""
    size = size_of(path + '.part')
    return size and f' ({path}.part keeps {size:,} bytes, it goes on there)' or ''


def recognise(archive, name):
    """Return the File of a data set that `archive` is, by its MD5.

    Raises ValueError for any other file.
    """
    if not os.path.isfile(archive):
        raise ValueError(f'--archive {archive}: no such file')
    found = md5_of(archive)
    files = {file.md5: file for file in DATASETS[name].files}
    if found in files:
        return files[found]
    for other, dataset in DATASETS.items():
        if found in [file.md5 for file in dataset.files]:
            raise ValueError(f'--archive {archive}: a file of {other}, not of {name}; '
                             f'name {other} instead')
    expected = ', '.join(f'{file.md5} ({file.name})' for file in files.values())
    raise ValueError(f'--archive {archive}: {size_of(archive):,} bytes with md5 '
                     f'{found}, expected {expected}; cut short or another file, so '
                     'fetch it again')


def take_archives(name, data_dir, archives):
    """Copy files that were fetched by hand to their places, all or none.

    Raises ValueError for a file that is not of the data set.
    """
    folder = os.path.join(data_dir, DATASETS[name].folder)
    for archive, file in [(path, recognise(path, name)) for path in archives]:
        path = os.path.join(folder, file.name)
        if is_there(path, file):
            continue
        with atomic_write(path) as copy:
            if md5_of(archive, copy) != file.md5:
                raise ValueError(f'--archive {archive}: changed while it was copied')
        if os.path.exists(path + '.part'):
            os.remove(path + '.part')
        print(f'{path}: written, {size_of(path):,} bytes, md5 as expected')


# --- the command -------------------------------------------------------------

class Parser(argparse.ArgumentParser):
    """Parse arguments, and say in one line what is wrong with them."""

    def error(self, message):
        """Print the message in one line and exit with status 2."""
        self.exit(2, f'{self.prog}: {message} (see --help)\n')


def make_parser(known):
    """Return the parser of the command line; `known` lists the data sets."""
    parser = Parser(
        prog='download.py', allow_abbrev=False,
        description='Fetch data sets, checked by MD5. A cut download goes on where it '
        'stopped when the command is run again; a file that is there already is not '
        f'fetched again. Data sets: {known}.')
    parser.add_argument('names', nargs='*', metavar='DATASET',
                        help=f'what to fetch, one or more of: {known}')
    parser.add_argument('--data_dir', default='data', metavar='FOLDER',
                        help='where to put the data sets, each in a folder of its own '
                        '(default: data)')
    parser.add_argument('--mirror', action='append', default=[], metavar='URL',
                        help='an address to try first, before the known ones: the '
                        'name of each file is put behind it; may be given again')
    parser.add_argument('--archive', nargs='+', default=[], metavar='FILE',
                        help='files of one data set that you fetched yourself, with a '
                        'browser say: fetch nothing, check and copy these')
    return parser


def parse_arguments(argv):
    """Return the arguments, checked; exit with status 2 for wrong ones."""
    known = ', '.join([*DATASETS, *BUNDLED])
    parser = make_parser(known)
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.names if name not in {**DATASETS, **BUNDLED}]
    if unknown:
        parser.error(f'no data set {", ".join(unknown)}: choose from {known}')
    if not arguments.names:
        before = ', before --archive' if arguments.archive else ''
        parser.error(f'name what to fetch{before}: choose from {known}')
    if arguments.archive and arguments.names not in [[name] for name in DATASETS]:
        parser.error(f'--archive needs one data set, found {", ".join(arguments.names)}'
                     f': choose from {", ".join(DATASETS)}')
    for mirror in arguments.mirror:
        if not re.match('https?://[^/]', mirror):
            parser.error(f'--mirror {mirror}: expected http:// or https:// and a host')
    return arguments


def provide(name, arguments):
    """Get one data set in the way that the arguments say; return the exit status."""
    try:
        if name in BUNDLED:
            print(f'{BUNDLED[name]}: already there, it comes with the program')
        elif arguments.archive:
            take_archives(name, arguments.data_dir, arguments.archive)
        else:
            fetch_dataset(name, arguments.data_dir, arguments.mirror)
        return 0
    except (ValueError, DownloadError) as error:
        print(f'download.py: {error}', file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    except OSError as error:
        place = error.filename or os.path.join(arguments.data_dir, name)
        print(f'download.py: {place}: {error.strerror or error}; make room or get '
              'leave to write there, or name another --data_dir', file=sys.stderr)
        return 1


def main(argv=None):
    """Run the command; return its exit status."""
    arguments = parse_arguments(argv)
    try:
        names = dict.fromkeys(arguments.names)
        return max([provide(name, arguments) for name in names])
    except KeyboardInterrupt as stop:
        print(f'download.py: stopped{stop}', file=sys.stderr)
        return 130


if __name__ == '__main__':
    sys.exit(main())
