"""Fetch data sets: `python download.py mnist celebA`.

Each file is written to NAME.part, from the first mirror that gives it, and gets its
own name only when its checksum is right. A NAME.part left by a cut is gone on with.
"""

import argparse
import contextlib
import difflib
import os
import re
import shutil
import string
import sys
import urllib.parse

from settings.errors import NOT_INSTALLED, UserError, written

try:
    from dataset import catalog
    from dataset.downloads import DATASETS
    from dataset.fetch import (
        DownloadError,
        alone,
        checksum_of,
        fetch_file,
        say,
        size_of,
    )
    from dataset.unpack import read_tar, unzip
    from utils import atomic_write
except ImportError as missing:
    sys.exit(NOT_INSTALLED % missing)

from runs import process
from runs.folders import nearest_folder
from settings import beside

BUNDLED = {catalog.BUNDLED: os.path.join(beside.PROGRAM, 'data', catalog.BUNDLED)}
BY_HAND = {'anime': catalog.ANIME}


# --- one data set ------------------------------------------------------------

@contextlib.contextmanager
def made(folder):
    """Make a folder and hold it for one download.

    Where nothing came into it, it does not stay: it would look like a data set.
    """
    new = not os.path.isdir(folder)
    os.makedirs(folder, exist_ok=True)
    with alone(folder):
        os.makedirs(folder, exist_ok=True)      # another one may have waited less
        try:
            yield
        finally:
            if new:
                with contextlib.suppress(OSError):      # not empty
                    os.rmdir(folder)


def fetch_dataset(name, data_dir, mirrors):
    """Fetch the files of a data set that are not there. Raises DownloadError."""
    folder = os.path.join(data_dir, DATASETS[name].folder)
    with made(folder):
        for file in DATASETS[name].files:
            path = os.path.join(folder, file.name)
            if is_unpacked(path, file):
                continue
            if not is_there(path, file):
                fetch_to(path, file, mirrors, f'{name} --data_dir {data_dir}')
            unpack(path, file)


def fetch_to(path, file, mirrors, arguments):
    """Fetch one file to `path`. Raises DownloadError, which says what else to do."""
    urls = [urllib.parse.quote(mirror.rstrip('/'), safe=string.punctuation) + '/'
            + file.name for mirror in mirrors]
    try:
        fetch_file(file, path, list(dict.fromkeys([*urls, *file.urls])))
    except DownloadError as error:
        raise DownloadError(
            f'{path}: no mirror gave this file. {error}. Run the same command again '
            f'later{kept(path)}; or fetch {file.name} with a browser from '
            f'{file.by_hand} and run `python download.py {arguments} --archive FILE`; '
            'or name another --mirror') from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(kept(path)) from None
    say(f'{path}: written, {size_of(path):,} bytes, {file.kind} as expected')


def is_there(path, file):
    """Return whether `path` is that file already, and say what was found."""
    found = checksum_of(path, file.kind) if os.path.exists(path) else None
    if found == file.checksum:
        say(f'{path}: already there')
    elif found:
        say(f'{path}: {file.kind} {found}, expected {file.checksum}: to be replaced')
    return found == file.checksum


def is_unpacked(path, file):
    """Return whether what a file unpacks to is there, and say so; no for others."""
    there = file.folder or file.member
    there = there and os.path.join(os.path.dirname(path), there)
    if there and os.path.exists(there):
        say(f'{there}: already there')
        return True
    return False


def unpack(path, file):
    """Unpack a file's folder or member; it is there whole or not at all."""
    if file.folder:
        unpacked = unpack_folder(path, file.folder)
    elif file.member:
        unpacked = unpack_member(path, file.member)
    else:
        return
    say(f'{unpacked}: unpacked; {path} is no longer needed')


def unpack_folder(path, folder):
    """Unpack all of a .zip, beside it; return the path of its folder."""
    unpacked = os.path.join(os.path.dirname(path), folder)
    part = unpacked + '.part'
    shutil.rmtree(part, ignore_errors=True)
    unzip(path, part)
    if not os.path.isdir(os.path.join(part, folder)):
        shutil.rmtree(part)
        raise ValueError(f'{path}: holds no folder {folder}; fetch it again')
    os.rename(os.path.join(part, folder), unpacked)
    shutil.rmtree(part)
    return unpacked


def unpack_member(path, name):
    """Take one file out of a .tar.gz, and nothing else; return its path.

    Raises DownloadError.
    """
    try:
        contents = read_tar(path, {name})
        if name not in contents:
            raise UserError(f'it has no {name}')
    except UserError as error:
        raise DownloadError(f'{path}: cannot be unpacked ({error}); remove it and '
                            'fetch it again') from None
    unpacked = os.path.join(os.path.dirname(path), name)
    with atomic_write(unpacked) as copy:
        copy.write(contents[name])
    return unpacked


def kept(path):
    """Say what a file's part keeps for the next start, if there is one."""
    size = size_of(path + '.part')
    return size and f' ({path}.part keeps {size:,} bytes, it goes on there)' or ''


def recognise(archive, name):
    """Return the File of a data set that `archive` is, by its checksum.

    Raises ValueError for any other file.
    """
    if not os.path.isfile(archive):
        raise ValueError(f'--archive {archive}: no such file')
    files = DATASETS[name].files
    found = {kind: checksum_of(archive, kind) for kind in {file.kind for file in files}}
    for file in files:
        if found[file.kind] == file.checksum:
            return file
    for other, dataset in DATASETS.items():
        if set(found.values()) & {file.checksum for file in dataset.files}:
            raise ValueError(f'--archive {archive}: a file of {other}, not of {name}; '
                             f'name {other} instead')
    expected = ', '.join(f'{file.checksum} ({file.name})' for file in files)
    is_now = ' and '.join(' '.join(item) for item in found.items())
    raise ValueError(f'--archive {archive}: {size_of(archive):,} bytes with {is_now}, '
                     f'expected {expected}; cut short or another file, so fetch it '
                     'again')


def take_archives(name, data_dir, archives):
    """Copy files that were fetched by hand to their places, all or none.

    Raises ValueError for a file that is not of the data set.
    """
    folder = os.path.join(data_dir, DATASETS[name].folder)
    files = [(path, recognise(path, name)) for path in archives]
    with made(folder):
        for archive, file in files:
            path = os.path.join(folder, file.name)
            if is_unpacked(path, file):
                continue
            if not is_there(path, file):
                copy_archive(archive, path, file)
            unpack(path, file)


def copy_archive(archive, path, file):
    """Copy a file that was recognised to its place. ValueError where it changes."""
    with atomic_write(path) as copy:
        if checksum_of(archive, file.kind, copy) != file.checksum:
            raise ValueError(f'--archive {archive}: changed while it was copied')
    if os.path.exists(path + '.part'):
        os.remove(path + '.part')
    say(f'{path}: written, {size_of(path):,} bytes, {file.kind} as expected')


def explain(name, folder):
    """Say how a data set that nobody gives away is had. DownloadError if it is not."""
    if not os.path.isdir(folder) or not os.listdir(folder):
        raise DownloadError(f'{name} must be fetched by hand: {BY_HAND[name]} {folder}')
    say(f'{folder}: already there, with files of yours')


# --- the command -------------------------------------------------------------

class Parser(argparse.ArgumentParser):
    """Parse arguments, and say in one line what is wrong with them."""

    def error(self, message):
        """Print the message and exit with status 2."""
        self.exit(2, f'{self.prog}: {" ".join(message.split())} (see --help)\n')


def make_parser(known):
    """Return the parser of the command line; `known` lists the data sets."""
    parser = Parser(
        prog='download.py', allow_abbrev=False,
        description='Fetch data sets, and check them by MD5 or SHA-256. A cut download '
        'goes on where it stopped when the command is run again; a file that is there '
        f'already is not fetched again. Data sets: {known}. cifar10 is the python '
        'version, cifar10_binary the same pictures in the binary one; lsun is the '
        'bedrooms, 43 GB, and as much again to unpack them; celebA brings its table of '
        'attributes; inception is no data set but the network of --features '
        'inception.', epilog=' '.join(
            f'Not fetched: {text} data/{name}.' for name, text in BY_HAND.items()))
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
    names = [*DATASETS, *BY_HAND, *BUNDLED]
    known = ', '.join(names)
    parser = make_parser(known)
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.names if name not in names]
    if unknown:
        near = [found for found in names if difflib.get_close_matches(
            found.lower(), map(str.lower, unknown), cutoff=0.8)]
        meant = f'; did you mean {" or ".join(near)}? Else' if near else ':'
        parser.error(f'no data set {", ".join(map(written, unknown))}{meant} choose '
                     f'from {known}')
    if not arguments.names:
        before = ', before --archive' if arguments.archive else ''
        parser.error(f'name what to fetch{before}: choose from {known}')
    if arguments.archive and arguments.names not in [[name] for name in DATASETS]:
        parser.error(f'--archive needs one data set, found {", ".join(arguments.names)}'
                     f': choose from {", ".join(DATASETS)}')
    for mirror in arguments.mirror:
        if not re.match(r'https?://[^/\s]', mirror):
            parser.error(f'--mirror {written(mirror)}: expected http:// or https:// '
                         'and a host')
    try:
        nearest_folder(arguments.data_dir)
    except UserError as error:
        parser.error(f'--data_dir: {error}')
    return arguments


def provide(name, arguments):
    """Get one data set in the way that the arguments say; return the exit status."""
    try:
        if name in BUNDLED:
            say(f'{BUNDLED[name]}: already there, it comes with the program')
        elif name in BY_HAND:
            explain(name, os.path.join(arguments.data_dir, name))
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
    with process.streams():
        status = main()
    sys.exit(status)
