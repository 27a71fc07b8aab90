"""Images and files: ranges, sheets, PNG and GIF, atomic writes, the terminal.

It imports nothing of this program. Images inside the program are float32 [N, H, W, C]
in [-1, 1]; on disk and in the cache they are uint8 in 0..255.
"""

import contextlib
import errno
import glob
import math
import os
import platform
import secrets
import sys
import tempfile
import threading
import time

import numpy as np
from PIL import Image

try:
    import fcntl
except ImportError:     # Windows
    fcntl = None


# --- ranges ------------------------------------------------------------------

def transform(images):
    """Turn uint8 images in 0..255 into float32 in [-1, 1], shape unchanged."""
    images = np.multiply(images, 1 / 127.5, dtype=np.float32)
    images -= 1
    return images


def inverse_transform(images):
    """Turn float images in [-1, 1] into uint8 in 0..255, shape unchanged."""
    images = np.asarray(images, np.float32)
    return np.clip(np.rint((images + 1) * 127.5), 0, 255).astype(np.uint8)


# --- sheets ------------------------------------------------------------------

def image_manifold_size(num_images):
    """Return (rows, columns) of a sheet, nearly square, for `num_images` images."""
    columns = int(math.ceil(math.sqrt(num_images)))
    return int(math.ceil(num_images / columns)), columns


def merge(images, size, gap=2):
    """Put float images [N, H, W, C] in [-1, 1] on a white sheet, row by row.

    `size` is (rows, columns), room for N images or more. An image that is None leaves
    its place white. There are `gap` pixels between images. Return uint8 [H, W, C].
    """
    rows, columns = size
    if len(images) > rows * columns:
        raise ValueError('%d images do not fit on a sheet of %d x %d'
                         % (len(images), rows, columns))
    height, width, channels = next(i for i in images if i is not None).shape
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap,
                     channels), 255, np.uint8)
    for index, image in enumerate(images):
        if image is not None:
            row, column = divmod(index, columns)
            top, left = row * (height + gap), column * (width + gap)
            sheet[top:top + height, left:left + width] = inverse_transform(image)
    return sheet


def save_images(images, size, path):
    """Write a sheet of float images in [-1, 1] as PNG; return its path."""
    return imsave(merge(images, size), path)


def to_pillow(array):
    """Turn uint8 [H, W, 1] or [H, W, 3] into a Pillow image."""
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def imsave(array, path):
    """Write uint8 [H, W, 1] or [H, W, 3] as PNG, whole or not at all."""
    with atomic_write(path) as file:
        to_pillow(array).save(file, 'PNG')
    return path


def make_gif(paths, path, seconds=8.0, most=80, hold=2.0):
    """Write an animated GIF of the picture files `paths`; return its path.

    At most `most` of them, evenly chosen, are shown in `seconds`. The last one stays
    for `hold` seconds more.
    """
    if not paths:
        raise ValueError('no pictures to animate')
    chosen = evenly_spaced(len(paths), most)
    # Not dithered: the grain would flicker from frame to frame.
    frames = [Image.open(paths[i]).convert('RGB').quantize(256, dither=0)
              for i in chosen]
    each = max(40, int(1000 * seconds / len(frames)))
    durations = [each] * (len(frames) - 1) + [each + int(1000 * hold)]
    with atomic_write(path) as file:
        frames[0].save(file, 'GIF', save_all=True, append_images=frames[1:],
                       duration=durations, loop=0)
    return path


def evenly_spaced(total, most):
    """Return at most `most` indices below `total`, from the first to the last."""
    return np.unique(np.linspace(0, total - 1, min(total, most)).astype(int))


# --- files -------------------------------------------------------------------

def existing(path):
    """Return the absolute path itself, or the nearest one above it that exists."""
    path = os.path.abspath(path)
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


@contextlib.contextmanager
def atomic_write(path, mode='wb'):
    """Open a temporary file beside `path`; at the end rename it to `path`.

    So a reader sees the old file or the new one, never half of one. On an exception
    the old file stays and the temporary one is removed. An OSError names `path`.
    """
    folder, name = os.path.split(path)
    os.makedirs(folder or '.', exist_ok=True)
    temporary = os.path.join(folder, '.%s.%s.part' % (name[:40], secrets.token_hex(4)))
    encoding = None if 'b' in mode else 'utf-8'
    try:
        with naming(path), open(temporary, mode, encoding=encoding) as file:
            claim(file)
            yield file
            to_disk(file)
        replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):      # it may be renamed already
            os.unlink(temporary)
        raise


# What a file system says that cannot do a thing at all: CIFS, FUSE, exFAT, …
UNABLE = {getattr(errno, name) for name in (
    'EPERM', 'EACCES', 'EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EROFS', 'EBADF',
    'ENOTTY')}
HELD = 1.5      # seconds for which another program may hold a file open, on Windows


def to_disk(file):
    """Bring an open file, or a descriptor, to the disk, where the system can do so.

    Raises OSError where the disk fails or is full.
    """
    flush(file)
    try:
        os.fsync(file if isinstance(file, int) else file.fileno())
    except OSError as error:
        if error.errno not in UNABLE:
            raise


def remove(path):
    """Remove a file; one that another program holds open may stay."""
    with contextlib.suppress(OSError):
        os.remove(path)


def replace(path, other):
    """Rename a file, over another one; try for a while where that one is held open."""
    end = time.monotonic() + HELD
    while True:
        try:
            return os.replace(path, other)
        except PermissionError:
            if not os.path.isfile(other) or time.monotonic() > end:
                raise
        time.sleep(0.1)


@contextlib.contextmanager
def naming(path):
    """Add `path` to an OSError that names no file, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno is None:         # Pillow's
            raise OSError('%s cannot be written: %s' % (path, error))
        error.filename = error.filename or path
        raise


def claim(file):
    """Lock an open file; return whether it was free.

    The lock lasts until the file is closed or the process dies. Return None where the
    system or the file system has no locks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (OSError, AttributeError):
        return None
    return True


def remove_leftovers(folder, prefix=''):
    """Remove temporary files that killed processes left behind in a folder.

    Only those of files whose names begin with `prefix`. A file that another process is
    still writing is locked, and stays.
    """
    pattern = '.%s*.part' % glob.escape(prefix[:40])
    for path in glob.glob(os.path.join(glob.escape(folder), pattern)):
        with contextlib.suppress(OSError), open(path) as file:
            if claim(file):
                os.remove(path)


def cores():
    """Return the number of processors that this process may use."""
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# --- the terminal ------------------------------------------------------------

HIDING = threading.RLock()      # two threads would put back each other's


def tensorflow_environment():
    """Return the variables that TensorFlow reads when it is imported: {name: value}.

    oneDNN's convolutions take a third less time; of itself TensorFlow 2 takes them only
    on newer processors from Intel. What the user has set stays.
    """
    values = {'TF_CPP_MIN_LOG_LEVEL': '2'}
    if platform.machine() in ('x86_64', 'AMD64'):
        values['TF_ENABLE_ONEDNN_OPTS'] = '1'
    return {name: os.environ.get(name, value) for name, value in values.items()}


@contextlib.contextmanager
def quiet():
    """Hide what is written to stderr, by C++ code too, such as TensorFlow's at import.

    On an exception it is all printed, since it may tell the reason.
    """
    flush(sys.stderr)
    with HIDING, scratch() as held:
        try:
            with stderr_into(held):
                yield
        except Exception:
            held.seek(0)
            with contextlib.suppress(OSError):
                os.write(2, held.read())
            raise


def scratch():
    """Return an open temporary file; the null device where no folder takes one."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return open(os.devnull, 'r+b')


@contextlib.contextmanager
def stderr_into(file):
    """Let what is written to stderr's descriptor go into a file for a while."""
    try:
        before = os.dup(2)
    except OSError:         # a program with windows has none
        yield
        return
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def flush(stream):
    """Bring what was written to its place, where the stream has one."""
    getattr(stream, 'flush', int)()


def silence(stream):
    """Let what a stream's file gets go nowhere, also what Python still holds of it."""
    with contextlib.suppress(OSError, ValueError, AttributeError), \
            open(os.devnull, 'wb') as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def show_all_variables(variables):
    """Return a text: the name, shape and size of each variable, and the total."""
    rows = [(v.name.split(':')[0], 'x'.join(map(str, v.shape.as_list())),
             int(np.prod(v.shape.as_list()))) for v in variables]
    wide = max(len(name) for name, _, _ in rows)
    lines = ['%-*s  %-14s %10s' % (wide, name, shape, format(size, ','))
             for name, shape, size in rows]
    total = sum(size for _, _, size in rows)
    lines.append('%-*s  %-14s %10s' % (wide, 'total', '', format(total, ',')))
    return '\n'.join(lines)
