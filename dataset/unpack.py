"""Take files out of archives that were fetched: .zip and .tar.gz."""

import contextlib
import errno
import gzip
import os
import shutil
import tarfile
import zipfile

from settings.errors import UserError

CHUNK = 2**18


@contextlib.contextmanager
def reading(path, kind):
    """Turn what a damaged archive raises, which is nearly anything, into UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError('%s cannot be read as %s (%s): fetch it again.'
                        % (path, kind, ascii(error)[:200]))


def read_tar(path, names):
    """Return {name: content} of those of the files, by their last name, in a .tar.gz.

    Nothing is written; links and devices are passed over. Raises UserError for a broken
    archive.
    """
    contents = {}
    with reading(path, 'a .tar.gz'), gzip.open(path) as inflated:
        with tarfile.open(fileobj=inflated, mode='r|') as archive:
            for member in archive:
                name = member.name.split('/')[-1]
                if name in names and member.isfile():
                    contents[name] = archive.extractfile(member).read()
        while inflated.read(CHUNK):     # to the end, where gzip compares its checksum
            pass
    return contents


def unzip(path, folder):
    """Unpack a .zip into a new folder, which is there whole or not at all.

    zipfile writes nothing outside the folder. Raises UserError for a broken archive,
    and OSError for the disk.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            require_room(folder, sum(info.file_size for info in archive.infolist()))
            os.makedirs(folder)
            archive.extractall(folder)
        if hasattr(os, 'sync'):
            os.sync()       # the files are on the disk before the folder has its name
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, (OSError, KeyboardInterrupt, SystemExit)):
            raise
        raise UserError('%s is not unpacked: %s. Fetch it again.'
                        % (path, ascii(error)[:200]))


def require_room(folder, size):
    """Raise OSError where the disk of a folder to be made has not that many bytes."""
    parent = os.path.dirname(os.path.abspath(folder))
    free = shutil.disk_usage(parent).free
    if size > free:
        raise OSError(errno.ENOSPC, '%s bytes are needed to unpack, and %s are free'
                      % (format(size, ','), format(free, ',')), parent)
