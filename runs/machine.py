"""The machine: where a run computes, and what would make it faster there."""

import ctypes
import importlib.util
import sys

import tensorflow.compat.v1 as tf

from runs import sessions
from runs.room import sign_of_gpu
from utils import cores, quiet


def where(config):
    """Return the line that says where a run computes; more, where it could be faster.

    It takes the first GPU that TensorFlow sees, or else the processor.
    """
    gpus, precision = gpu_names(), sessions.choose_precision(config)
    if gpus:
        text = 'the GPU %s' % gpus[0] + (
            ', the first of %d' % len(gpus) if gpus[1:] else '')
    else:
        count = config.threads or cores()
        text = 'the processor, %d thread%s' % (count, 's' * (count > 1))
    lines = ['computing on %s, in %s' % (text, precision)]
    if not gpus:
        lines += [unused_gpu(), slow_bfloat16(precision)]
    return '\n'.join(line for line in lines if line)


def gpu_names():
    """Return the names of the GPUs that TensorFlow sees."""
    devices = tf.config.experimental
    details = getattr(devices, 'get_device_details', lambda gpu: {})    # since 2.4
    with quiet():
        return [details(gpu).get('device_name') or gpu.name
                for gpu in devices.list_physical_devices('GPU')]


def unused_gpu():
    """Return what to do about an NVIDIA GPU that TensorFlow does not see; '' if none.

    On macOS there is nothing to do.
    """
    sign = sign_of_gpu()
    if not sign or sys.platform == 'darwin':
        return ''
    why, remedy = reason()
    return 'note: there is an NVIDIA GPU (%s), which TensorFlow cannot use: %s; %s' % (
        sign, why, remedy)


def reason():
    """Return why TensorFlow cannot use a GPU that is there, and what to do about it."""
    if sys.platform == 'win32':
        return ('on Windows it uses GPUs only within WSL2',
                'install this program there')
    if not has_driver():
        return ('its driver is not to be found (libcuda.so.1)', "install NVIDIA's; a "
                'container is started with `docker run --gpus all`')
    install = "`python -m pip install '%s==%s'`" % (
        'tensorflow-gpu' if tf.__version__.startswith('1.') else 'tensorflow[and-cuda]',
        tf.__version__)
    if not tf.test.is_built_with_cuda():
        return 'it was built for processors', install
    if has_libraries():
        return 'its driver is too old, or CUDA is damaged', (
            'update the driver, or %s anew' % install)
    return 'the libraries of CUDA are missing', (
        install + '; if that is done, update its driver')


def has_driver():
    """Tell whether the library of NVIDIA's driver can be loaded."""
    try:
        ctypes.CDLL('libcuda.so.1')
    except OSError:
        return False
    return True


def has_libraries():
    """Tell whether pip has installed CUDA's libraries beside TensorFlow."""
    try:
        return importlib.util.find_spec('nvidia.cudnn') is not None
    except ImportError:     # not even the package nvidia
        return False


def slow_bfloat16(precision):
    """Return a warning of bfloat16 where the processor is slower with it; or ''."""
    if precision != 'bfloat16' or sessions.has_amx():
        return ''
    return ('note: this processor has AVX512-BF16 and no AMX: bfloat16 takes it longer '
            'than float32 (0.6 of the speed was measured); leave --precision out')
