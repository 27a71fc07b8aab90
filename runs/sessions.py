"""Sessions: GPU memory, threads, precision, and a start without noise."""

import contextlib
import re
import sys

import tensorflow.compat.v1 as tf

from graph.convolution import has_gpu
from settings.checks import GAUSSIAN
from settings.errors import UserError
from utils import quiet

CPUINFO = '/proc/cpuinfo'


def config_proto(config):
    """Return the ConfigProto of a run: GPU memory, threads and precision."""
    proto = tf.ConfigProto(allow_soft_placement=True)
    proto.gpu_options.allow_growth = config.allow_growth
    if config.gpu_memory_fraction is not None:
        proto.gpu_options.per_process_gpu_memory_fraction = config.gpu_memory_fraction
    if config.threads is not None:
        proto.intra_op_parallelism_threads = config.threads
        proto.inter_op_parallelism_threads = config.threads
    if choose_precision(config) == 'bfloat16':
        proto.graph_options.rewrite_options.MergeFrom(bfloat16_rewrite())
    return proto


def choose_precision(config):
    """Return --precision, float32 or bfloat16; auto is decided by the machine.

    It takes bfloat16 where the processor has AMX, with which a step is twice as fast,
    TensorFlow knows the rewrite and sees no GPU. Points, a toy, are float32.
    """
    if config.precision != 'auto':
        return config.precision
    fast = (has_bfloat16('amx_bf16', unknown=False) and knows_bfloat16()
            and config.dataset != GAUSSIAN and not has_gpu())
    return 'bfloat16' if fast else 'float32'


def at_hand(config, given, echo=print):
    """Return the Config of a run with a precision that this machine has.

    bfloat16 of config.json, which this call's flags did not ask for, is auto where the
    machine lacks it. Where a run is computed otherwise than it was trained, that is
    said.
    """
    trained = config.trained_in or config.precision     # older runs: as it was decided
    if (config.precision == 'bfloat16' and 'precision' not in given
            and not (has_bfloat16() and knows_bfloat16())):
        config = config.replace(precision='auto')
    here = choose_precision(config)
    if trained not in ('auto', here):
        echo('note: the run was trained in %s; here it is computed in %s (see '
             '--precision)' % (trained, here))
    return config


def bfloat16_rewrite():
    """Return the rewrite of convolutions and products to bfloat16, for processors.

    Raises UserError where this TensorFlow does not know it or the processor does not.
    """
    if not has_bfloat16():
        raise UserError('--precision bfloat16 needs a processor with AMX or '
                        'AVX512-BF16, and this one has neither: it would be slower, '
                        'not faster. Take --precision float32.')
    options = tf.ConfigProto().graph_options.rewrite_options
    if not knows_bfloat16():
        raise UserError('--precision bfloat16 needs TensorFlow 2.9 or later; this is '
                        '%s. Leave it out to train in float32.' % tf.__version__)
    options.auto_mixed_precision_onednn_bfloat16 = 1        # RewriterConfig.ON
    return options


def knows_bfloat16():
    """Tell whether this TensorFlow has the rewrite; since 2.9."""
    return hasattr(tf.ConfigProto().graph_options.rewrite_options,
                   'auto_mixed_precision_onednn_bfloat16')


def has_bfloat16(kinds='avx512_bf16|amx_bf16', unknown=True):
    """Tell whether the processor computes in bfloat16, `unknown` if nothing tells."""
    try:
        with open(CPUINFO) as file:
            return bool(re.search(r'\b(%s)\b' % kinds, file.read()))
    except OSError:
        return unknown


def peaks():
    """Return [(what, bytes)], the most memory taken so far, as far as it is known."""
    found = []
    with contextlib.suppress(ImportError):      # Windows has none
        import resource
        unit = 1 if sys.platform == 'darwin' else 1024
        found.append(('memory', unit * resource.getrusage(
            resource.RUSAGE_SELF).ru_maxrss))
    if has_gpu():
        with contextlib.suppress(AttributeError, ValueError):   # since 2.5
            found.append(('GPU memory', tf.config.experimental.get_memory_info(
                'GPU:0')['peak']))
    return found


@contextlib.contextmanager
def memory():
    """Let what TensorFlow raises where the memory is too small be a MemoryError."""
    try:
        yield
    except tf.errors.OpError as error:
        # the text: what TensorFlow says of a constant that it finds no room for
        if not (isinstance(error, tf.errors.ResourceExhaustedError)
                or 'Cannot parse tensor from proto' in error.message):
            raise
        raise MemoryError('not enough memory (%s): try a smaller --batch_size, '
                          '--gf_dim or --df_dim' % error.message.partition('\n')[0])


def gpu_memory(sess):
    """Return the bytes of the GPU that a session may take; 0 without one."""
    return max([device.memory_limit_bytes for device in sess.list_devices()
                if device.device_type == 'GPU'] or [0])


def open_session(config):
    """Return a tf.Session with the run's ConfigProto; started quietly."""
    with quiet():
        return tf.Session(config=config_proto(config))
