"""Pictures → pixels, by worker processes: whatever is in a file, none stops the rest.

NumPy and Pillow.
"""

import concurrent.futures
import contextlib
import faulthandler
import functools
import multiprocessing
import os
import signal
import threading
import time

try:
    import resource
except ImportError:     # Windows
    resource = None

import numpy as np
from PIL import UnidentifiedImageError

from dataset.archives import open_member
from dataset.pictures import get_image
from settings.errors import UserError
from utils import cores

CHUNK = 64               # images that a worker packs at a time
FEWEST_FOR_WORKERS = 512
LONGEST = 600            # seconds for one image; then its decoder is taken to hang
PATIENCE = 120           # of the processor's, for what Python does of it
ROOM = 2**32             # bytes that packing may take beyond what it begins with

stopped = None          # in a worker, its `value` turns 1 when no more is wanted


@contextlib.contextmanager
def packed(images, config):
    """Give an iterator over the packed images, in order, by worker processes.

    An image is what pack_image returns. Raises UserError where a worker is killed.
    """
    pack_one = functools.partial(pack_image, arguments=(
        config.input_height, config.input_width, config.output_height,
        config.output_width, config.crop, config.c_dim))
    workers = config.threads or cores()
    if len(images) < FEWEST_FOR_WORKERS or workers == 1:
        with bounded_memory():
            yield map(pack_one, images)
        return
    # Not forked: a fork of a process in which TensorFlow has started threads may hang.
    spawn = multiprocessing.get_context('spawn')
    chunks = [images[start:start + CHUNK] for start in range(0, len(images), CHUNK)]
    pack_chunk = functools.partial(pack_one_by_one, pack_one=pack_one, longest=LONGEST)
    stop = spawn.RawValue('b')      # no lock, which a killed worker would keep
    with concurrent.futures.ProcessPoolExecutor(
            workers, spawn, begin, (os.getpid(), stop)) as pool, \
            contextlib.ExitStack() as stack:
        stack.callback(setattr, stop, 'value', 1)   # else whole chunks are waited for
        with interrupts_held_back(), deaths_named(images):
            results = stack.enter_context(
                contextlib.closing(pool.map(pack_chunk, chunks)))
        yield one_by_one(results, images)


@contextlib.contextmanager
def interrupts_held_back():
    """Let signals wait, which would break the pool off while its processes start.

    Ctrl-C never reaches these.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held = []
    before = {number: signal.signal(number, lambda number, _: held.append(number))
              for number in (signal.SIGINT, signal.SIGTERM)}
    masks = hasattr(signal, 'pthread_sigmask')      # what is started inherits it
    mask = masks and signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)
    if held:
        os.kill(os.getpid(), held[0])


@contextlib.contextmanager
def deaths_named(images, done=lambda: 0):
    """Raise UserError where a worker dies; done() is how many images are packed."""
    try:
        yield
    except (concurrent.futures.BrokenExecutor, ValueError) as error:
        # or its pipes are closed and given away again while another worker starts
        if isinstance(error, ValueError) and 'fds_to_keep' not in str(error):
            raise
        image = images[done()]
        raise UserError(
            'A worker process was killed while it packed images, %s or some soon after '
            'it. If the memory was used up (which `dmesg` tells): --threads 1. If an '
            'image crashes its decoder or holds it for %d s: move that image away.'
            % (ascii(image if isinstance(image, str) else image[-1]), LONGEST))


def one_by_one(results, images):
    """Yield the packed images of chunks. UserError where a worker did not live."""
    done = 0
    with deaths_named(images, lambda: done):
        for pixels, bad in results:
            yield from in_order(pixels, bad)
            done += len(pixels) + len(bad)


def begin(parent, stop):
    """Let a worker be quiet, leave Ctrl-C to its parent, and end when that has."""
    global stopped
    stopped = stop
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)    # libtiff complains, without names
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    bound_memory()
    threading.Thread(target=follow, args=(parent,), daemon=True).start()


def follow(parent):
    """End the process when its parent has: nothing else tells it that none is left."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def pack_one_by_one(images, pack_one, longest):
    """Return the good ones as one array, which is sent faster, and {index: reason}."""
    results = []
    for image in images:
        if stopped.value:
            break
        # In C, a decoder that hangs heeds no signal of Python's.
        faulthandler.dump_traceback_later(longest, exit=True)
        results.append(pack_one(image))
    faulthandler.cancel_dump_traceback_later()
    bad = {i: result for i, result in enumerate(results) if isinstance(result, str)}
    good = [result for result in results if not isinstance(result, str)]
    return np.stack(good) if good else [], bad


def in_order(pixels, bad):
    """Yield what pack_one_by_one was given: images, and reasons in their places."""
    left = iter(pixels)
    for index in range(len(pixels) + len(bad)):
        yield bad[index] if index in bad else next(left)


def pack_image(image, arguments):
    """Return an image as uint8 [H, W, C], or as text the reason why it cannot be."""
    try:
        with in_time(PATIENCE):
            if isinstance(image, tuple):
                image = open_member(*image)
            return get_image(image, *arguments)
    except UnidentifiedImageError:
        return 'not a kind of image that Pillow opens'
    except Slow:
        return 'it takes more than %d seconds to decode' % PATIENCE
    except MemoryError:
        return 'it takes more than %d bytes of memory to decode' % ROOM
    except Exception as error:          # Pillow's decoders raise nearly anything
        return '%s: %s' % (type(error).__name__, error)


# --- bounds of what one image may take ---------------------------------------

class Slow(BaseException):
    """An image takes too long; no Exception, which Pillow and imread catch here and
    there.
    """


@contextlib.contextmanager
def in_time(seconds):
    """Raise Slow in what takes longer, by the processor's time, not the clock's.

    So a busy machine decides nothing. C code is not stopped by it, nor other threads.
    """
    if not (hasattr(signal, 'setitimer')
            and threading.current_thread() is threading.main_thread()):
        yield
        return
    before = signal.signal(signal.SIGPROF, slow)
    signal.setitimer(signal.ITIMER_PROF, seconds, 1)    # again, if it is swallowed
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def slow(*_):
    """Raise Slow."""
    raise Slow


def bound_memory():
    """Let this process take ROOM more bytes than now; beyond, MemoryError is raised.

    On Linux; elsewhere there is no bound. Returns the one before, None where none is.
    """
    if resource is None or not os.path.exists('/proc/self/statm'):
        return None
    with open('/proc/self/statm') as file:
        now = int(file.read().split()[5]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_DATA)
    most = min([now + ROOM] + [limit for limit in before
                               if limit != resource.RLIM_INFINITY])
    resource.setrlimit(resource.RLIMIT_DATA, (most, before[1]))
    return before


@contextlib.contextmanager
def bounded_memory():
    """Bind the memory of this process for a while; see bound_memory."""
    before = bound_memory()
    try:
        yield
    finally:
        if before:
            resource.setrlimit(resource.RLIMIT_DATA, before)
