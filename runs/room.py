"""Room: what a call needs of the memory, at the least, and how much there is.

A number that a user sets is refused before any work where what it asks for cannot be
held: the system would end the process without a word. No TensorFlow.
"""

import glob
import math
import os
import re
import shutil

from dataset.preview import in_bytes
from graph.maps import map_channels, map_sizes
from runs.folders import saved
from settings.errors import UserError
from utils import cores, image_manifold_size

MOST_PIXELS = 2**27     # of a sheet: larger ones few programs open
LARGE = 256 * 256       # pixels from which on fewer images are treated at a time
FLOAT = 4               # bytes
EACH = 16               # threads, or workers, for each core: more help nobody
PROCESS = 2**29         # bytes that a worker takes at the least

# What shows that there is an NVIDIA GPU, whether TensorFlow can use it or not
SIGNS = '/proc/driver/nvidia', '/dev/nvidia*', '/dev/dxg'
HIDDEN = '', '-1', 'none', 'NoDevFiles'     # CUDA_VISIBLE_DEVICES of who wants no GPU
# Limits of a container, and the memory of the machine, in kB
LIMITS = '/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes'
MEMINFO = '/proc/meminfo'


# --- what there is -----------------------------------------------------------

def memory():
    """Return the bytes that a process may use, swap included; None if nothing tells."""
    try:
        with open(MEMINFO) as file:
            parts = re.findall(r'^(?:MemTotal|SwapTotal): *(\d+) kB', file.read(), re.M)
        found = [1024 * sum(map(int, parts))]
    except OSError:
        return None
    for path in LIMITS:
        if os.path.exists(path):
            with open(path) as file:
                found += map(int, re.findall(r'^\d+$', file.read().strip()))
    return min(found)


def sign_of_gpu():
    """Return what shows that there is an NVIDIA GPU, a path; None without, or hidden.

    Who sets CUDA_VISIBLE_DEVICES to none wants none.
    """
    if os.environ.get('CUDA_VISIBLE_DEVICES', '0').strip() in HIDDEN:
        return None
    found = [path for sign in SIGNS for path in sorted(glob.glob(sign))]
    return (found + [shutil.which('nvidia-smi')])[0]


def check(needed, what, remedy):
    """Raise UserError where more bytes are needed than the memory has."""
    most = memory()
    if most and needed > most:
        raise UserError('%s: %s of memory or more, and this machine has %s. Take %s.'
                        % (what, in_bytes(needed), in_bytes(most), remedy))


def check_cores(name, count):
    """Raise UserError where so many threads or workers, by --name, are of no use."""
    most = EACH * cores()
    if (count or 1) > most:
        raise UserError('--%s %d: expected up to %d, %d for each core of this machine.'
                        % (name, count, most, EACH))


def check_workers(count):
    """Raise UserError where so many processes of this machine have no room."""
    check_cores('workers', count)
    if count > 1:
        check(count * PROCESS, '--workers %d' % count, 'fewer')


# --- what is needed ----------------------------------------------------------

def check_training(run, config):
    """Raise UserError where networks, a batch or a sheet of a new run have no room.

    A GPU's memory is TensorFlow's to know: it says where that is too small.
    """
    if saved(run.checkpoint_dir):       # it had room, and can take no other numbers
        return
    check_sheet(config)
    check_z(config, config.sheet_size)
    check_images(config, config.sheet_size)
    if config.architecture != 'dcgan' or sign_of_gpu():
        return
    check(weights(config), '--gf_dim %d, --df_dim %d and --z_dim %d at %d x %d pixels'
          % (config.gf_dim, config.df_dim, config.z_dim, config.output_height,
             config.output_width), 'smaller ones, or smaller images')
    check_maps(config, config.batch_size, '--batch_size')


def check_sheet(config, num=None):
    """Raise UserError where the sheet of `num` images would be too large to draw.

    By default they are those of a sheet by the flags.
    """
    num = config.sheet_size if num is None else num
    rows, columns = image_manifold_size(num)
    height, width = rows * config.output_height, columns * config.output_width
    if height * width > MOST_PIXELS:
        most = MOST_PIXELS // (config.output_height * config.output_width)
        raise UserError('--num_samples %d: the sheet would be of %d x %d pixels, which '
                        'few programs open: %stake %d or fewer.'
                        % (num, height, width, '' if config.train else
                           'add --separate, one PNG each, or ',
                           int(math.sqrt(most)) ** 2))


def check_z(config, num):
    """Raise UserError where `num` z cannot be held."""
    check(FLOAT * num * config.z_dim,
          'the z of %s images, of %s numbers each' % (
              format(num, ','), format(config.z_dim, ',')),
          'fewer: --num_samples, or --eval_samples while training')


def check_images(config, num):
    """Raise UserError where `num` images, drawn in parts, cannot be held together."""
    check(2 * FLOAT * num * config.output_height * config.output_width * config.c_dim,
          '%s images of %d x %d pixels at once' % (
              format(num, ','), config.output_height, config.output_width), 'fewer')


def check_maps(config, num, flag):
    """Raise UserError where the maps of `num` images, of both networks, have no room.

    A step back needs those of real and of generated images. In bfloat16 they take half.
    """
    size = 2 if config.precision != 'float32' else FLOAT
    each = size * (2 * maps(config, config.df_dim) + maps(config, config.gf_dim))
    check(num * each, '%s %d: the maps of %s images of %d x %d pixels' % (
        flag, getattr(config, flag.strip('-')), format(num, ','), config.output_height,
        config.output_width), 'a smaller one, smaller images or narrower networks')


def maps(config, dim):
    """Return how many numbers the maps of an image are that its network works out."""
    sizes = map_sizes(config.output_height, config.output_width)
    channels = map_channels(len(sizes) - 1, dim)
    return sum(height * width * count
               for (height, width), count in zip(sizes, [config.c_dim] + channels))


def weights(config):
    """Return the bytes of both networks in training, Adam's two slots included."""
    sizes = map_sizes(config.output_height, config.output_width)
    height, width = sizes[-1]
    of_g, of_d = (map_channels(len(sizes) - 1, dim)
                  for dim in (config.gf_dim, config.df_dim))
    count = config.z_dim * height * width * of_g[-1] + config.kernel_size ** 2 * sum(
        a * b for channels in (of_g, of_d)
        for a, b in zip([config.c_dim] + channels, channels))
    return FLOAT * count * (3 if config.optimizer == 'adam' else 1)


def at_once(size, most):
    """Return how many images of a size (H, W) to treat at a time: fewer large ones."""
    return max(1, min(most, most * LARGE // (size[0] * size[1])))
