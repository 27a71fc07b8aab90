"""Sessions: their ConfigProto, their quiet start; checkpoints saved and restored."""

import glob
import os
import re

import numpy as np
import tensorflow.compat.v1 as tf

import runs
from config import GAUSSIAN, UserError
from convolution import has_gpu
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


def make_saver(variables):
    """Return the Saver of these variables; which checkpoints are kept, save decides."""
    return tf.train.Saver(variables, max_to_keep=None)


def save(sess, saver, run, step, max_to_keep):
    """Write the checkpoint of a step, remove all but the newest; return its path."""
    path = write(sess, saver, run.checkpoint_dir, step)
    for _, old in runs.checkpoints(run.checkpoint_dir)[:-max_to_keep]:
        remove(old)
    return path


def write(sess, saver, folder, step):
    """Write the checkpoint of a step into a folder; return its path."""
    return saver.save(sess, os.path.join(folder, runs.MODEL_NAME), global_step=step,
                      write_meta_graph=False)


def remove(path):
    """Remove the files of a checkpoint."""
    # the index first: a checkpoint without it is none
    for file in [path + '.index'] + glob.glob(glob.escape(path) + '.data-*'):
        os.remove(file)


def restore(sess, saver, variables, path):
    """Read `variables` from a checkpoint.

    Raises UserError naming each variable that is missing there or of another shape.
    """
    there = shapes(path)
    wrong = ['  %s: %s here, %s there'
             % (name, shape, there.get(name, 'missing')) for name, shape in
             ((v.op.name, v.shape.as_list()) for v in variables)
             if there.get(name) != shape]
    if wrong:
        raise UserError('The checkpoint %s does not fit the model:\n%s'
                        % (path, '\n'.join(wrong)))
    try:
        saver.restore(sess, path)
    except (tf.errors.DataLossError, tf.errors.NotFoundError,
            tf.errors.OutOfRangeError) as error:
        raise UserError('The checkpoint %s cannot be read: its .data file is missing '
                        'or damaged (%s). Remove its files, and the one before it is '
                        'taken.' % (path, type(error).__name__))


def shapes(path):
    """Return {name: shape} of a checkpoint. Raises UserError where it is damaged."""
    try:
        return tf.train.NewCheckpointReader(path).get_variable_to_shape_map()
    except (tf.errors.OpError, ValueError) as error:
        raise UserError('The checkpoint %s cannot be read: %s'
                        % (path, str(error).partition('\n')[0]))


def infer_config(path, config, given):
    """Return the Config of a checkpoint without config.json, told by its shapes.

    What they do not tell comes from the flags `given`: z_dist, else carpedm20's, and
    the size, where it is not a square that halves evenly. Raises UserError where a flag
    says otherwise than the shapes, or the variables are not those of this model.
    """
    told = told_by_shapes(path)
    wrong = ['  --%s: %r in the checkpoint, %r given' % (name, value, given[name])
             for name, value in told.items() if given.get(name, value) != value]
    if wrong:
        raise UserError('%s was made with other values:\n%s\nLeave these flags out.'
                        % (path, '\n'.join(wrong)))
    side = int(round(np.sqrt(told.pop('places')))) * 2 ** told.pop('layers')
    size = dict(output_height=side, output_width=side)
    if 'output_height' in given or 'output_width' in given:
        size = dict(output_height=config.output_height,
                    output_width=config.output_width)
    return config.replace(z_dist=given.get('z_dist', 'uniform_signed'), ema=0, **told,
                          **size)


def told_by_shapes(path):
    """Return what the shapes of a checkpoint's variables tell of its Config.

    And `layers`, how often the map doubles, and `places`, the area of the first map.
    """
    there = shapes(path)
    try:
        layers = len([n for n in there if re.match(r'discriminator/d_h\d+_conv/w$', n)])
        kernel, _, c_dim, _ = there['generator/g_h%d/w' % layers]
        channels, = there['generator/g_bn0/beta']
        z_and_y, units = there['generator/g_h0_lin/Matrix']
        _, _, image_and_y, df_dim = there['discriminator/d_h0_conv/w']
        gf_dim, = there['generator/g_bn%d/beta' % (layers - 1)]
    except (KeyError, ValueError):
        raise UserError('The checkpoint %s is not of this model: it has no config.json '
                        'and of generator/g_h0_lin/Matrix, discriminator/d_h0_conv/w '
                        'and so on some are missing; its variables:\n  %s'
                        % (path, '\n  '.join(sorted(there))))
    y_dim = image_and_y - c_dim
    return dict(kernel_size=kernel, c_dim=c_dim, gf_dim=gf_dim, df_dim=df_dim,
                z_dim=z_and_y - y_dim, classes=tuple(map(str, range(y_dim))),
                conditional=y_dim > 0, attributes=None, layers=layers,
                places=units // channels)


def open_session(config):
    """Return a tf.Session with the run's ConfigProto; see quiet."""
    with quiet():
        return tf.Session(config=config_proto(config))
