"""Record: what a run in training writes down beside its checkpoints.

The history, a line a step; TensorBoard's events; the guard's warnings; the sheets; and
a line an epoch on the terminal.
"""

import collections
import contextlib

import tensorflow.compat.v1 as tf
from tqdm import tqdm

from runs import history, sheets
from runs.events import Events
from runs.guard import Guard
from runs.sampling import save_sheet


class Record:
    """Writes down a run that goes on from `start`; see each part's own file."""

    def __init__(self, config, run, data, start, steps_per_epoch):
        self.config, self.run, self.steps_per_epoch = config, run, steps_per_epoch
        self.images_per_step = config.batch_size * config.d_steps
        self.history = history.History(run.history_path, start)
        self.guard = Guard(config, run, data)
        self.guard.recall(history.read(run.history_path))
        self.events = Events(run.log_dir, start)
        self.sums = collections.Counter()       # of the epoch so far

    def epoch(self, step):
        """Return the epoch, from 1, that a step, from 1, is in."""
        return (step - 1) // self.steps_per_epoch + 1

    def add_step(self, step, took, values, judged):
        """Add a step: its seconds, losses and accuracies, and how it was judged.

        Raises Diverged where a loss is no number.
        """
        self.history.append(step, self.epoch(step), took, dict(values, **judged))
        self.sums.update(values, took=took, steps=1)
        self.guard.watch(values, step)
        if step % self.steps_per_epoch == 0:
            tqdm.write(self.epoch_line(self.epoch(step)))
            self.sums.clear()

    def epoch_line(self, epoch):
        """Return the line of an epoch: the means of its losses and accuracies."""
        mean = {name: total / self.sums['steps'] for name, total in self.sums.items()}
        return ('epoch %*d/%d d_loss_real %.3f d_loss_fake %.3f g_loss %.3f '
                'D right: real %.0f%% fake %.0f%% %.0f images/s %s' % (
                    len(str(self.config.epoch)), epoch, self.config.epoch,
                    mean['d_loss_real'], mean['d_loss_fake'], mean['g_loss'],
                    100 * mean['d_acc_real'], 100 * mean['d_acc_fake'],
                    self.images_per_step / mean['took'],
                    tqdm.format_interval(self.history.seconds)))

    def add_sheet(self, step, images, labels):
        """Write the sheet of a step, to a PNG and to the event file."""
        self.guard.look(images, step)
        path = save_sheet(images, labels, sheets.sheet_path(
            self.run, self.epoch(step), step))
        with open(path, 'rb') as file:
            picture = tf.Summary.Image(encoded_image_string=file.read())
        self.events.add_summary(tf.Summary(value=[
            tf.Summary.Value(tag='samples', image=picture)]), step)

    def add_distances(self, step, values):
        """Write how a step's samples were judged to the event file."""
        self.events.add_summary(tf.Summary(value=[
            tf.Summary.Value(tag='%s/%s' % (name, values['judged_by']),
                             simple_value=values[name])
            for name in ('fd', 'kid')]), step)

    def close(self):
        """Close all files, whatever happens to one of them."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.events.close)
            stack.callback(self.history.close)
