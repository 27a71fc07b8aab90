"""What a training will cost, in time, memory and room on the disk; see --dry_run."""

import shutil

from tqdm import tqdm

from dataset.preview import in_bytes
from runs import sessions
from utils import existing


def say_step(config, seconds):
    """Print the time of a step, and the most memory that was taken so far."""
    print('a step takes %.3g s (%.0f images/s)%s' % (
        seconds, config.batch_size * config.d_steps / seconds,
        ''.join('; %s at most %s' % (what, in_bytes(size))
                for what, size in sessions.peaks())))


def say_time(config, steps, steps_per_epoch, seconds):
    """Print how long `steps` steps will take, in `seconds` with their sheets."""
    print('%s steps are left, of %d epochs of %s steps: about %s, with a sheet every '
          '%d steps%s' % (
              format(steps, ','), config.epoch, format(steps_per_epoch, ','),
              tqdm.format_interval(seconds), config.sample_freq,
              '; judging (--eval_freq) comes on top' if config.eval_freq else ''))


def say_room(config, run, variables):
    """Print what the checkpoints will take; warn where there is no room for them."""
    size = sum(v.shape.num_elements() * v.dtype.size for v in variables)
    kept = config.max_to_keep + bool(config.eval_freq)
    print('a checkpoint takes %s, the %d that are kept %s'
          % (in_bytes(size), kept, in_bytes(size * kept)))
    folder = existing(run.checkpoint_dir)
    free = shutil.disk_usage(folder).free
    if free < size * (kept + 1):        # the next is written before the oldest goes
        print('warning: %s has room for %s' % (folder, in_bytes(free)))
