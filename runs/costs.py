"""What a training will cost, in time, memory and room on the disk; see --dry_run."""

import errno
import os
import shutil
import statistics
import time

from tqdm import tqdm

from dataset.preview import in_bytes
from runs import sampling, sessions
from utils import existing

MEASURED = 3        # runs of a step, or of many, after a first one


def rehearse(trainer):
    """Take some steps of a train.Trainer; print what all that are left will cost."""
    done, left = trainer.start, trainer.total - trainer.start
    if left <= 0:
        return
    took = []
    for _ in range(1 + MEASURED):
        began = time.time()
        count = len(trainer.train_steps(done))
        took.append((time.time() - began) / count)
        done += count
    step = statistics.median(took[1:])      # the first one also plans the others
    trainer.check_weights(done)
    config, sheet = trainer.config, time_of_sheet(trainer)
    say_step(config, step)
    say_time(config, left, trainer.epochs.steps,
             left * step + (left // config.sample_freq + 1) * sheet)
    say_room(config, trainer.run, trainer.variables)


def time_of_sheet(trainer):
    """Return the seconds that drawing a sheet takes."""
    began, z = time.time(), trainer.sample_z
    sampling.draw(trainer.sess, trainer.model, z,
                  sampling.make_labels(len(z), trainer.config))
    return time.time() - began


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
    size, kept = checkpoint_size(variables), config.max_to_keep + bool(config.eval_freq)
    print('a checkpoint takes %s, the %d that are kept %s'
          % (in_bytes(size), kept, in_bytes(size * kept)))
    folder, free = free_beside(run.checkpoint_dir)
    if free < size * (kept + 1):        # the next is written before the oldest goes
        print('warning: %s has room for %s' % (folder, in_bytes(free)))


def check_room(run, variables):
    """Raise OSError where the disk has no room for a single checkpoint.

    The training would only find it out when it saves.
    """
    size, (folder, free) = checkpoint_size(variables), free_beside(run.checkpoint_dir)
    if free < size:
        raise OSError(errno.ENOSPC, '%s (a checkpoint takes %s, and %s are free)' % (
            os.strerror(errno.ENOSPC), in_bytes(size), in_bytes(free)), folder)


def checkpoint_size(variables):
    """Return the bytes of a checkpoint."""
    return sum(v.shape.num_elements() * v.dtype.size for v in variables)


def free_beside(path):
    """Return the nearest folder at or above `path`, and how many bytes are free."""
    folder = existing(path)
    return folder, shutil.disk_usage(folder).free
