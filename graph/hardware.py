"""What the machine computes with: a GPU, or a processor with these instructions."""

import functools
import re

import tensorflow.compat.v1 as tf

from utils import quiet

CPUINFO = '/proc/cpuinfo'


@functools.lru_cache(maxsize=None)
def has_gpu():
    """Tell whether TensorFlow sees a GPU."""
    with quiet():
        return bool(tf.config.experimental.list_physical_devices('GPU'))


def has_instructions(kinds, unknown):
    """Tell whether the processor has one of `kinds`, such as amx_bf16|avx512f.

    `unknown` is the answer where nothing tells, as on macOS.
    """
    try:
        with open(CPUINFO) as file:     # the first of many cores is like the others
            flags = next((line for line in file if line.startswith('flags')), '')
            return bool(re.search(r'\b(%s)\b' % kinds, flags))
    except OSError:
        return unknown
