"""What files there are below a folder or in a zip file, sorted by name.

So nothing depends on the order in which a file system lists them.
"""

import functools
import os
import unicodedata
import zipfile

from settings.errors import UserError

# Folders that systems add, in lower case
ADDED = ('__macosx', 'lost+found', '$recycle.bin', 'system volume information',
         '@eadir', '#recycle', '@recycle')


def walk(folder):
    """Yield the paths of the files below a folder: its own files, then its folders'.

    Links to folders are followed, each folder once; hidden files are left out. Raises
    UserError for a folder that cannot be read: it may hold most of the images.
    """
    seen = set()
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        if os.path.realpath(parent) in seen:
            folders[:] = []
            continue
        seen.add(os.path.realpath(parent))
        folders[:] = sorted(name for name in folders if not hidden(name))
        for name in sorted(names):
            if not hidden(name):
                yield os.path.join(parent, name)


def refuse(error):
    """Raise UserError for a folder that cannot be read, unless it does not exist."""
    if not isinstance(error, FileNotFoundError):
        raise UserError('%s cannot be read (%s): make it readable or move it away.'
                        % (error.filename, error.strerror))


def zip_members(path):
    """Return the names in a zip file in the order of walk. UserError for a broken one.

    A name that is there twice is returned once.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.split('/') for name in set(archive.namelist())]
    except Exception as error:      # a damaged table raises nearly anything
        raise UserError('%s cannot be read as a zip file (%s): fetch it again.'
                        % (path, error))
    return ['/'.join(name) for name in sorted(names, key=files_first)
            if not any(map(hidden, name))]


def read_member(path, name):
    """Return the bytes of a member of a zip file."""
    return open_zip(path, os.stat(path).st_mtime_ns).read(name)


@functools.lru_cache(maxsize=4)
def open_zip(path, mtime):
    """Open a zip file, once a process: its table may have 200,000 lines."""
    return zipfile.ZipFile(path)


def slashes(name):
    """Return a relative path with slashes, as zip files have them."""
    name = name.replace('\\', '/')
    return name[2:] if name.startswith('./') else name


def normal(name):
    """Return slashes' path with é as one sign; macOS writes it as two, e and accent."""
    name = slashes(name)
    return name if name.isascii() else unicodedata.normalize('NFC', name)


def files_first(parts):
    """Return the key that sorts paths, split at slashes, as walk does."""
    return [(1, part) for part in parts[:-1]] + [(0, parts[-1])]


def hidden(name):
    """Return whether a file or folder is hidden, or one that systems add."""
    return name.startswith('.') and name != '.' or name.lower() in ADDED
