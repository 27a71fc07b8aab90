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

import numpy as np
from PIL import UnidentifiedImageError

from archives import open_member
from config import UserError
from utils import cores, get_image

CHUNK = 64               # images that a worker packs at a time
FEWEST_FOR_WORKERS = 512
LONGEST = 600            # seconds for one image; then its decoder is taken to hang

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
        with interrupts_held_back():
            results = stack.enter_context(
                contextlib.closing(pool.map(pack_chunk, chunks)))
        yield one_by_one(results, images)


@contextlib.contextmanager
def interrupts_held_back():
    """Let Ctrl-C wait, and never reach the processes that are started meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held = []
    before = signal.signal(signal.SIGINT, lambda *_: held.append(True))
    masks = hasattr(signal, 'pthread_sigmask')      # what is started inherits it
    mask = masks and signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, before)
    if held:
        os.kill(os.getpid(), signal.SIGINT)


def one_by_one(results, images):
    """Yield the packed images of chunks. UserError where a worker did not live."""
    done = 0
    try:
        for pixels, bad in results:
            yield from in_order(pixels, bad)
            done += len(pixels) + len(bad)
    except concurrent.futures.BrokenExecutor:
        image = images[done]
        raise UserError(
            'A worker process was killed while it packed images, %s or some soon after '
            'it. If the memory was used up (which `dmesg` tells): --threads 1. If an '
            'image crashes its decoder or holds it for %d s: move that image away.'
            % (ascii(image if isinstance(image, str) else image[-1]), LONGEST))


def begin(parent, stop):
    """Let a worker be quiet, leave Ctrl-C to its parent, and end when that has."""
    global stopped
    stopped = stop
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)    # libtiff complains, without names
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
        if isinstance(image, tuple):
            image = open_member(*image)
        return get_image(image, *arguments)
    except UnidentifiedImageError:
        return 'not a kind of image that Pillow opens'
    except Exception as error:          # Pillow's decoders raise nearly anything
        return '%s: %s' % (type(error).__name__, error)
