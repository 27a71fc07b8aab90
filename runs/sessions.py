"""Sessions: GPU memory, threads, precision, and a start without noise."""

import contextlib
import re
import sys

import tensorflow.compat.v1 as tf

from graph.hardware import has_gpu, has_instructions
from settings.checks import GAUSSIAN
from settings.errors import UserError
from utils import quiet

# TensorFlow's remapper joins neighbouring operations, as batch norm and relu. It is off
# in training, which cost no speed in float32 with AVX2; bfloat16 on processors, where
# that was not measured, keeps it. With it, what XLA compiled for a GPU had wrong
# gradients below G's batch norms, so that D won (TensorFlow 2.21, an H100); and many
# steps in one run rounded otherwise than single ones.
REMAPPING_OFF = 2       # RewriterConfig.OFF

# What TensorFlow says where a GPU has no memory left, for itself or for its libraries
FULL = re.compile(
    'out of memory|OOM when allocating|Dst tensor is not initialized|DNN library is not'
    '|CU(DNN|BLAS)_STATUS_(NOT_INITIALIZED|ALLOC_FAILED|INTERNAL_ERROR)'
    '|could not create (cudnn|cublas) handle|CUDA_ERROR_OUT_OF_MEMORY', re.I)


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
        check_bfloat16()
    if choose_precision(config) == 'bfloat16' and not has_gpu():    # else: getters.py
        proto.graph_options.rewrite_options.MergeFrom(bfloat16_rewrite())
    elif config.train:
        proto.graph_options.rewrite_options.remapping = REMAPPING_OFF
    return proto


def choose_precision(config):
    """Return --precision: float32, tf32 or bfloat16; auto is decided by the machine.

    It takes tf32 where a GPU has it, as TensorFlow does by itself; and bfloat16 where
    there is no GPU and the processor has AMX, with which a step is twice as fast, if
    TensorFlow knows the rewrite. Points, a toy, are float32.
    """
    tf32 = is_ampere() and knows_tf32()
    if config.precision != 'auto':
        return 'float32' if config.precision == 'tf32' and not tf32 else (
            config.precision)
    if config.dataset == GAUSSIAN:
        return 'float32'
    if has_gpu():
        return 'tf32' if tf32 else 'float32'
    fast = has_amx() and knows_bfloat16()
    return 'bfloat16' if fast else 'float32'


def at_hand(config, given, echo=print):
    """Return the Config of a run with a precision that this machine has.

    bfloat16 of config.json, which this call's flags did not ask for, is auto where the
    machine lacks it. Where a run is computed otherwise than it was trained, that is
    said; not of tf32, which older runs call float32. From here on TensorFlow takes TF32
    or does not: it knows no such setting of a session. An export is always in float32.
    """
    if config.task == 'export':
        return config.replace(precision='float32')
    trained = config.trained_in or config.precision     # older runs: as it was decided
    if (config.precision == 'bfloat16' and 'precision' not in given
            and not able_bfloat16()):
        config = config.replace(precision='auto')
    here = choose_precision(config)
    if trained != 'auto' and trained.replace('tf', 'float') != here.replace(
            'tf', 'float'):
        echo('note: the run was trained in %s; here it is computed in %s (see '
             '--precision)' % (trained, here))
    if knows_tf32():
        tf.config.experimental.enable_tensor_float_32_execution(here != 'float32')
    return config


def able_bfloat16():
    """Tell whether TensorFlow can compute in bfloat16 here."""
    return knows_bfloat16() and (is_ampere() if has_gpu() else has_bfloat16())


def check_bfloat16():
    """Raise UserError where TensorFlow does not know bfloat16, or nothing here does."""
    if not (is_ampere() if has_gpu() else has_bfloat16()):
        raise UserError('--precision bfloat16 needs %s: it would be slower, not '
                        'faster. Take --precision float32.' % (
                            'a GPU of the kind Ampere or later, and this one is older'
                            if has_gpu() else 'a processor with AMX or AVX512-BF16, '
                            'and this one has neither'))
    if not knows_bfloat16():
        raise UserError('--precision bfloat16 needs TensorFlow 2.9 or later; this is '
                        '%s. Leave it out to train in float32.' % tf.__version__)


def bfloat16_rewrite():
    """Return the rewrite of convolutions and products to bfloat16, for processors."""
    options = tf.ConfigProto().graph_options.rewrite_options
    options.auto_mixed_precision_onednn_bfloat16 = 1        # RewriterConfig.ON
    return options


def is_ampere():
    """Tell whether the first GPU has TF32 and bfloat16, as those since Ampere have."""
    devices = tf.config.experimental
    with quiet():
        gpus = devices.list_physical_devices('GPU') if has_gpu() else []
        details = getattr(devices, 'get_device_details', lambda gpu: {})    # since 2.4
        return bool(gpus) and details(gpus[0]).get('compute_capability', (0,))[0] >= 8


def knows_tf32():
    """Tell whether this TensorFlow has a switch for TF32; since 2.4."""
    return hasattr(tf.config.experimental, 'enable_tensor_float_32_execution')


def knows_bfloat16():
    """Tell whether this TensorFlow has the rewrite; since 2.9."""
    return hasattr(tf.ConfigProto().graph_options.rewrite_options,
                   'auto_mixed_precision_onednn_bfloat16')


def has_bfloat16():
    """Tell whether the processor computes in bfloat16; yes where nothing tells."""
    return has_instructions('avx512_bf16|amx_bf16', unknown=True)


def has_amx():
    """Tell whether the processor has AMX, which makes bfloat16 fast."""
    return has_instructions('amx_bf16', unknown=False)


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
    """Let what TensorFlow raises where the memory is too small be a MemoryError.

    That of a GPU a UserError: mostly another program has taken it.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if has_gpu() and FULL.search(error.message):
            raise UserError(
                "The GPU's memory is full (%s). If `nvidia-smi` shows another program "
                'on it, end that or wait for it; or take another GPU by '
                'CUDA_VISIBLE_DEVICES=1, the processor by CUDA_VISIBLE_DEVICES=-1. If '
                'it shows none, try a smaller --batch_size, --gf_dim or --df_dim.'
                % first_line(error))
        # the text: what TensorFlow says of a constant that it finds no room for
        if not (isinstance(error, tf.errors.ResourceExhaustedError)
                or 'Cannot parse tensor from proto' in error.message):
            raise
        raise MemoryError('not enough memory (%s): try a smaller --batch_size, '
                          '--gf_dim or --df_dim' % first_line(error))


def first_line(error):
    """Return the first line of what TensorFlow says."""
    return error.message.strip().partition('\n')[0]


def gpu_memory(sess):
    """Return the bytes of the GPU that a session may take; 0 without one."""
    return max([device.memory_limit_bytes for device in sess.list_devices()
                if device.device_type == 'GPU'] or [0])


def open_session(config):
    """Return a tf.Session with the run's ConfigProto; started quietly."""
    proto = config_proto(config)
    with quiet():       # which would show all that it hid, if it were left by an error
        try:
            return tf.Session(config=proto)
        except tf.errors.OpError as error:
            if not FULL.search(error.message):
                raise
            full = error
    raise full
