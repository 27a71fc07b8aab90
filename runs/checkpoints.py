"""Checkpoints: saved whole or not at all, looked at, loaded.

How they are listed and chosen, without TensorFlow: folders.py.
"""

import contextlib
import glob
import os
import re
import shutil
import tempfile

import numpy as np
import tensorflow.compat.v1 as tf

import utils
from runs import folders
from settings.errors import NO_ROOM, UserError
from utils import atomic_write, naming, replace, to_disk

SAVING = '.saving-'     # folders of checkpoints that are being written
CUT_OFF = re.compile(r'(%s.*|.*\.tempstate.*)' % re.escape(SAVING))
DATA = re.compile(r'(%s-\d+)\.(data-\d+-of-\d+|json)' % re.escape(folders.MODEL_NAME))
# What TensorFlow raises on damaged files; IndexError where a block ends early
DAMAGE = tf.errors.OpError, ValueError, IndexError, RuntimeError


def make_saver(variables):
    """Return the Saver of these variables; which checkpoints are kept, save decides."""
    return tf.train.Saver(variables, max_to_keep=None)


# --- save --------------------------------------------------------------------

def save(sess, saver, folder, step, keep=None):
    """Save the checkpoint of a step into a folder; return its path.

    With `keep`, only so many are left, the newest. A reader finds a checkpoint whole or
    not at all: its files are written in another folder, brought to the disk and moved;
    the index, without which it is no checkpoint, comes last. Raises OSError, and leaves
    what is there as it was, where the disk is full.
    """
    path = os.path.join(folder, '%s-%d' % (folders.MODEL_NAME, step))
    os.makedirs(folder, exist_ok=True)
    with writing(path), part_of(folder) as part:
        saver.save(sess, os.path.join(part, folders.MODEL_NAME), global_step=step,
                   write_meta_graph=False, write_state=False)
        for name in sorted(os.listdir(part)):       # .data, then .index
            sync(os.path.join(part, name))
            replace(os.path.join(part, name), os.path.join(folder, name))
        sync(folder)
    write_state(folder)
    remove_old(folder, keep)
    return path


@contextlib.contextmanager
def part_of(folder):
    """Give a folder in another one, for what is being written; remove it afterwards."""
    part = tempfile.mkdtemp(prefix=SAVING, dir=folder)
    try:
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)     # if held open, the next start does


@contextlib.contextmanager
def writing(path):
    """Let what TensorFlow raises of a full disk be an OSError that names `path`."""
    with naming(path):
        try:
            yield
        except tf.errors.OpError as error:
            reasons = re.findall('; (.*)', error.message)   # PATH; No space left …
            numbers = [n for n in NO_ROOM if os.strerror(n) in reasons]
            raise OSError(*numbers[:1], *reasons[:1] or [type(error).__name__])


def sync(path):
    """Bring a file, or the names in a folder, to the disk, where the system can."""
    folder = os.path.isdir(path)
    try:
        handle = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    except OSError:
        if folder:      # Windows opens none
            return
        raise
    try:
        to_disk(handle)
    finally:
        os.close(handle)


def write_state(folder):
    """Write the file by which tf.train.latest_checkpoint finds the newest one."""
    name = os.path.basename(folders.latest(folder)[1])
    with atomic_write(os.path.join(folder, folders.STATE), 'w') as file:
        file.write('model_checkpoint_path: "%s"\n'
                   'all_model_checkpoint_paths: "%s"\n' % (name, name))


def remove_old(folder, keep):
    """Remove all checkpoints of a folder but the `keep` newest; none without `keep`."""
    for _, path in folders.saved(folder)[:-keep] if keep else ():
        remove(path)


def remove(path):
    """Remove the files of a checkpoint."""
    for file in files_of(path):
        utils.remove(file)


def files_of(path):
    """Return a checkpoint's files, first the index, without which it does not count."""
    return [path + '.index'] + glob.glob(glob.escape(path) + '.data-*')


def clean(folder, step, keep=None):
    """Make a folder ready for a run that goes on from `step`, under the run's lock.

    Later checkpoints, which are damaged, are renamed; all but the `keep` newest are
    removed, and so is what a save that was cut off has left.
    """
    for later, path in folders.saved(folder):
        if later > step:
            for file in files_of(path):
                os.replace(file, file + '.damaged')
    remove_old(folder, keep)
    whole = {os.path.basename(path) for _, path in folders.saved(folder)}
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        path, part = os.path.join(folder, name), DATA.fullmatch(name)
        if CUT_OFF.fullmatch(name) and os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        elif CUT_OFF.fullmatch(name) or part and part.group(1) not in whole:
            utils.remove(path)
    if whole:
        write_state(folder)


# --- choose ------------------------------------------------------------------

def choose(run, which=None):
    """Return (step, path) of a run's checkpoint: the newest one that can be read.

    Or, by `which`, the best one or that of a step; see folders.chosen. Raises
    NotFoundError where there is none.
    """
    if which:
        return folders.chosen(run, which)
    return newest(run.checkpoint_dir) or folders.latest(run.checkpoint_dir)


def newest(folder, echo=print):
    """Return (step, path) of a folder's newest checkpoint that can be read, or None.

    Names newer ones that are damaged. Raises UserError where none can be read.
    """
    found, damaged = examine(folder)
    lines = ['the checkpoint %s is damaged: %s' % item for item in damaged.items()]
    if damaged and not found:
        raise UserError('No checkpoint in %s can be read:\n%s\nBring back a copy, or '
                        'train another run: --name NAME.' % (folder, '\n'.join(lines)))
    for line in lines:
        echo('warning: ' + line)
    if damaged:
        echo('taking the one before: %s' % found[1])
    wrong = state_fault(folder)
    if found and wrong:
        echo('warning: %s; it is not needed to find %s' % (wrong, found[1]))
    return found


def examine(folder):
    """Return the newest checkpoint that can be read, and what is wrong with newer ones.

    The former is (step, path) or None, the latter {path: a text}.
    """
    damaged = {}
    for step, path in reversed(folders.saved(folder)):
        wrong = fault(path)
        if not wrong:
            return (step, path), damaged
        if not os.path.exists(path + '.index'):
            # its training, which has newer ones, removed it meanwhile
            return examine(folder)
        damaged[path] = wrong
    return None, damaged


def fault(path):
    """Return what is wrong with a checkpoint's files, None where all can be read.

    TensorFlow keeps checksums of all that they hold, and looks at them in reading.
    """
    try:
        reader = tf.train.NewCheckpointReader(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except DAMAGE as error:
        return str(error).partition('\n')[0]
    return None


def state_fault(folder):
    """Return what is wrong with the state file; None where it names a checkpoint."""
    path = os.path.join(folder, folders.STATE)
    if not os.path.exists(path):
        return None
    with open(path, encoding='utf-8', errors='replace') as file:
        named = re.match(r'model_checkpoint_path: "(?:.*[/\\])?([^/\\"\n]*)"\n',
                         file.read())
    there = [os.path.basename(path) for _, path in folders.saved(folder)]
    if not named:
        return '%s is damaged' % path
    return None if named.group(1) in there else '%s names none that is there' % path


# --- load --------------------------------------------------------------------

def load(sess, saver, variables, path, whole=False):
    """Read `variables` from a checkpoint; where `whole`, it must hold no others.

    Raises UserError naming each variable that is missing, of another shape or too much.
    """
    there = shapes(path)
    here = {v.op.name: v.shape.as_list() for v in variables}
    names = list(here) + sorted(set(there) - set(here) if whole else ())
    wrong = ['  %s: %s here, %s there' % (name, here.get(name, 'missing'),
                                          there.get(name, 'missing'))
             for name in names if here.get(name) != there.get(name)]
    if wrong:
        raise UserError('The checkpoint %s does not fit the model:\n%s'
                        % (path, '\n'.join(wrong)))
    try:
        saver.restore(sess, path)
    except DAMAGE as error:
        raise UserError('The checkpoint %s cannot be read: its .data file is missing '
                        'or damaged (%s). Take another: --checkpoint STEP.'
                        % (path, type(error).__name__))


def shapes(path):
    """Return {name: shape} of a checkpoint. Raises UserError where it is damaged."""
    try:
        return tf.train.NewCheckpointReader(path).get_variable_to_shape_map()
    except DAMAGE as error:
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
        d_head = 'conv' if not any(n.endswith('_lin/Matrix') for n in there
                                   if n.startswith('discriminator/')) else 'linear'
        layers = len([n for n in there if re.match(r'generator/g_h\d+/w$', n)])
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
                places=units // channels, d_head=d_head,
                bias='generator/g_h0_lin/bias' in there)
