"""Plain files: opened for reading only, and nothing but regular files, never links."""

import os
import stat

# Not through a link, and not waiting for who writes to a pipe. Windows has neither.
FLAGS = sum(getattr(os, name, 0)
            for name in ('O_RDONLY', 'O_NOFOLLOW', 'O_NONBLOCK', 'O_BINARY'))


def open_file(path):
    """Open a regular file for reading bytes. Raises OSError for anything else."""
    if os.path.islink(path):
        raise OSError('%s is a link' % path)
    handle = os.open(path, FLAGS)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError('%s is no file' % path)
    return os.fdopen(handle, 'rb')


def read(path, most):
    """Return the bytes of a file, at most so many; b'' where there is no such file."""
    try:
        with open_file(path) as file:
            return file.read(most)
    except OSError:
        return b''


def changed(path):
    """Return when a file was last written, in seconds; 0.0 where there is none."""
    try:
        return os.lstat(path).st_mtime
    except OSError:
        return 0.0


def folder(path):
    """Tell whether there is a folder, itself and no link."""
    return os.path.isdir(path) and not os.path.islink(path)
