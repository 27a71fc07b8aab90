"""Large pages of memory, which some Linux systems give only to a program that asks."""

import contextlib
import ctypes
import re

SETTINGS = '/sys/kernel/mm/transparent_hugepage/'
COLLAPSE = 25       # of madvise, since Linux 6.1
FILLED = 0.75       # of a block is in use at least; what is not would be taken too
# A block of this process alone, which no file stands behind, and its pages in use
BLOCK = re.compile(rb'^([0-9a-f]+)-([0-9a-f]+) rw-p \S+ 00:00 0 *(?:\[heap\])?\n'
                   rb'(?:\w*Size: .*\n)*Rss: +(\d+) kB', re.M)


def take():
    """Let Linux put the memory that this process has by now into large pages.

    The processor then spends less time on finding it: a step of training takes 1 to 6 %
    less. 500 MiB are done in half a second where as much is free. Nothing happens where
    large pages are given to all programs or to none, on Linux before 6.1, or elsewhere.
    """
    with contextlib.suppress(OSError, AttributeError):      # no Linux, no madvise
        if '[madvise]' not in setting('enabled'):
            return
        madvise = ctypes.CDLL(None).madvise
        for start, size in blocks(int(setting('hpage_pmd_size'))):
            # of a block of which Linux can't do all, it does a part
            madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), COLLAPSE)


def setting(name):
    """Return what Linux says of large pages."""
    with open(SETTINGS + name) as file:
        return file.read()


def blocks(least):
    """Return [(address, bytes)] of this process's memory that large pages may hold.

    They have `least` bytes at the least, and hardly a hole.
    """
    with open('/proc/self/smaps', 'rb') as file:    # bytes: it has names of files
        found = BLOCK.findall(file.read())
    ranges = [(int(start, 16), int(end, 16), 1024 * int(used))
              for start, end, used in found]
    return [(start, end - start) for start, end, used in ranges
            if end - start >= least and used >= FILLED * (end - start)]
