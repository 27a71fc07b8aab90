"""From image files to pixels, by worker processes; bad files do not stop the rest."""

import concurrent.futures
import contextlib
import faulthandler
import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
import types

from PIL import UnidentifiedImageError

from dataset.archives import open_member
from dataset.pictures import get_image
from settings.errors import UserError
from utils import cores, quiet

CHUNK = 16               # images that a worker packs at a time
FEWEST_FOR_WORKERS = 512
MOST_WORKERS = 61        # Windows takes no more
LONGEST = 600            # seconds for one image; then its worker is ended


@contextlib.contextmanager
def packed(images, config):
    """Give an iterator over what pack_image returns for each image, in order.

    Many images are packed by worker processes. Raises UserError where one of them dies.
    """
    arguments = (config.input_height, config.input_width, config.output_height,
                 config.output_width, config.crop, config.c_dim)
    workers = min(config.threads or cores(), MOST_WORKERS)
    pool = None if len(images) < FEWEST_FOR_WORKERS or workers == 1 else make_pool(
        workers)
    if pool is None:
        yield (pack_image(image, arguments) for image in images)
        return
    pack_one = functools.partial(pack_watched, pack=pack_image, arguments=arguments,
                                 longest=LONGEST)
    # Closing cancels the chunks that have not begun.
    with pool, contextlib.closing(by_workers(pool, pack_one, images)) as results:
        yield results


def make_pool(workers):
    """Return a pool of worker processes; None where the system gives it no semaphores.

    As where /dev/shm is missing or closed: in a chroot, some containers and queues.
    """
    try:
        # Not forked: a fork of a process in which TensorFlow has started threads may
        # hang.
        return concurrent.futures.ProcessPoolExecutor(
            workers, multiprocessing.get_context('spawn'), begin, (os.getpid(),))
    except (OSError, ImportError, NotImplementedError):
        return None


@contextlib.contextmanager
def signals_blocked():
    """Block the signals that end the program while worker processes start.

    The workers inherit the block, so Ctrl-C does not reach them.
    """
    if not hasattr(signal, 'pthread_sigmask'):      # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def no_main_module():
    """Hide the module __main__ while worker processes start.

    Each would run it first. They do not need it, in a notebook there may be no such
    file, and a script that calls main.main would begin anew in each of them.
    """
    before = sys.modules['__main__']
    sys.modules['__main__'] = types.ModuleType('__main__')
    try:
        yield
    finally:
        sys.modules['__main__'] = before


def by_workers(pool, pack_one, images):
    """Yield pack_one's result for each image. Raises UserError where a worker dies."""
    done = 0
    try:
        # quiet: one may start when this process ends
        with signals_blocked(), no_main_module(), quiet():
            results = pool.map(pack_one, images, chunksize=CHUNK)
        for result in results:
            yield result
            done += 1
    except concurrent.futures.BrokenExecutor:
        image = images[done]
        raise UserError(
            'A worker process was killed while it packed images, %s or some soon after '
            'it. If the memory was used up (which `dmesg` tells): --threads 1. If an '
            'image crashes its decoder or holds it for %d s: move that image away.'
            % (ascii(image if isinstance(image, str) else image[-1]), LONGEST))


def begin(parent):
    """Prepare a worker: it prints nothing, ignores Ctrl-C, ends with its parent."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)    # libtiff complains
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, 'pthread_sigmask'):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()


def end_with(parent):
    """End this process when its parent has ended."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def pack_watched(image, pack, arguments, longest):
    """Pack an image in a worker; end the worker if it takes more than `longest` s."""
    # A decoder in C that hangs would never come to a signal handler of Python's.
    faulthandler.dump_traceback_later(longest, exit=True)
    try:
        return pack(image, arguments)
    finally:
        faulthandler.cancel_dump_traceback_later()


def pack_image(image, arguments):
    """Return an image as uint8 [H, W, C], or as str the reason why it cannot be."""
    try:
        if isinstance(image, tuple):
            image = open_member(*image)
        return get_image(image, *arguments)
    except UnidentifiedImageError as error:
        return str(error)
    except FileNotFoundError as error:
        return 'no such file: %s' % (error.filename or error)
    except Exception as error:          # Pillow's decoders raise nearly anything
        if error.args and 'truncated' in str(error.args[0]).lower():
            return 'cut short: copy it again (%s)' % error
        return '%s: %s' % (type(error).__name__, error)
