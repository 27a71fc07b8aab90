"""Record: what a run in training writes down beside its checkpoints.

The history, a line a step; TensorBoard's events; the guard's warnings; the sheets; and
a line an epoch on the terminal. Also what is said and tidied up at the start, and drawn
at the end.
"""

import collections
import contextlib
import os
import re
import socket
import sys
import time

import tensorflow.compat.v1 as tf
from tqdm import tqdm

from runs import checkpoints, epochs, history, sessions
from runs.checkpoints import writing
from runs.epochs import Epochs
from runs.folders import list_sheets, saved
from runs.guard import Diverged, Guard, message
from runs.sampling import save_sheet
from utils import make_gif, remove, remove_leftovers, show_all_variables

QUIET = 60              # seconds between lines in a log, which has no progress bar
ANIMATION = 'training.gif'      # of all sheets
VERSION = 'brain.Event:2'       # by which TensorBoard knows an event file


class Record:
    """Writes down a run that goes on from `start`; see each part's own file."""

    def __init__(self, config, run, data, start):
        self.config, self.run, self.epochs = config, run, Epochs(config)
        self.images_per_step = config.batch_size * config.d_steps * config.workers
        self.history = history.History(run.history_path, start)
        self.guard = Guard(config, run, data)
        self.guard.recall(history.read(run.history_path))
        self.events = Events(run.log_dir, start)
        self.sums = collections.Counter()       # of the epoch so far
        self.said = time.time()                 # when the last line was printed

    def add_step(self, step, took, values, judged):
        """Add a step: its seconds, losses and accuracies, and how it was judged.

        Raises Diverged where a loss is no number.
        """
        self.history.append(step, self.epochs.of(step), took, dict(values, **judged))
        self.sums.update(values, took=took, steps=1)
        self.guard.watch(values, step)
        ends = self.epochs.ends(step)
        if ends or time.time() - self.said > QUIET and not sys.stderr.isatty():
            tqdm.write(self.epoch_line(step))
            self.said = time.time()
        if ends:
            self.sums.clear()

    def epoch_line(self, step):
        """Return the line of the epoch of a step: means of its losses and accuracies.

        In the middle of an epoch it says how far it is.
        """
        done = self.epochs.so_far(step)
        so_far = '' if self.epochs.ends(step) else '(%d of %d steps) ' % (
            done, self.epochs.steps)
        mean = {name: total / self.sums['steps'] for name, total in self.sums.items()}
        epoch, last = self.epochs.of(step), self.config.epoch
        return ('epoch %*d/%d %sd_loss_real %.3f d_loss_fake %.3f g_loss %.3f '
                'D right: real %.0f%% fake %.0f%% %.0f images/s %s' % (
                    len(str(last)), epoch, last, so_far,
                    mean['d_loss_real'], mean['d_loss_fake'], mean['g_loss'],
                    100 * mean['d_acc_real'], 100 * mean['d_acc_fake'],
                    self.images_per_step / mean['took'],
                    tqdm.format_interval(self.history.seconds)))

    def add_sheet(self, step, images, labels):
        """Write the sheet of a step, to a PNG and to the event file."""
        self.guard.look(images, step)
        name = 'train_%04d_%08d.png' % (self.epochs.of(step), step)
        path = save_sheet(images, labels, os.path.join(self.run.sample_dir, name))
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


@contextlib.contextmanager
def histograms(step):
    """Raise Diverged if TensorFlow refuses a histogram because of NaN."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = re.search(r'Nan in summary histogram for: (\w+)', error.message)
        if not found:
            raise
        raise Diverged(message(step, '%s is nan' % found.group(1)))


# --- the start ---------------------------------------------------------------

def noted(config, data, start):
    """Return the Config of a run that goes on from `start`, as config.json notes it.

    That is with the names of the labels, which pictures they are, the precision here,
    and how many workers and pictures there were, and are from here on.
    """
    return config.replace(
        classes=data.classes, seen=data.digest(),
        trained_in=sessions.choose_precision(config),
        teams=epochs.take_up(config.teams or '0:1', start, config.workers),
        pictures=epochs.take_up(config.pictures, start, len(data)))


def say_where(run, config, start, seen, variables):
    """Print the variables and from where a run goes on, or that it is done.

    `seen` is what config.seen was at the last start, None in older runs.
    """
    counted = Epochs(config)
    changed = epochs.change(config.pictures, start)
    if changed:
        print('pictures: %d before, %d now; an epoch has %d steps now'
              % (*changed, counted.steps))
    elif start and seen not in (None, config.seen):
        print('pictures: as many as before, but not the same, or in another order, '
              'or with other labels')
    changed = epochs.change(config.teams, start)
    if changed:
        print('workers: %d before, %d now; the batches are others now, and an '
              'epoch has %d steps' % (*changed, counted.steps))
    trained = int(counted.trained(start))
    if start >= counted.total(config.epoch):
        print('%s has been trained for %d epochs; with --epoch above %d it goes on'
              % (run.name, trained, trained))
        return
    print(show_all_variables(variables))
    if start:
        print('resuming %s after step %d, in epoch %d of %d'
              % (run.name, start, trained + 1, config.epoch))


def tidy(run, start, keep):
    """Remove what is of later steps than the checkpoint that the run goes on from.

    Also what killed processes have left, and all but `keep` checkpoints.
    """
    checkpoints.clean(run.checkpoint_dir, start, keep)
    for folder in (run.checkpoint_dir, run.best_dir, run.sample_dir):
        remove_leftovers(folder)
    remove_stale_sheets(run, start)


def remove_stale_sheets(run, step):
    """Remove sheets of later steps, left by a run that once went further."""
    stale = list_sheets(run, after=step)
    animation = os.path.join(run.sample_dir, ANIMATION)
    if stale and os.path.exists(animation):     # it shows them
        stale.append(animation)
    for path in stale:
        remove(path)


# --- the end -----------------------------------------------------------------

def show_results(run):
    """Draw the animation and the loss picture; say where everything is."""
    drawn = list_sheets(run)
    print('checkpoint: %s' % saved(run.checkpoint_dir)[-1][1])
    for _, path in saved(run.best_dir)[-1:]:
        print('best:       %s (--checkpoint best)' % path)
    if drawn:
        print('sheet:      %s' % drawn[-1])
        print('animation:  %s' % make_gif(
            drawn, os.path.join(run.sample_dir, ANIMATION)))
    print('losses:     %s' % history.save_picture(
        run.history_path, os.path.join(run.sample_dir, 'losses.png'), run.name))


# --- TensorBoard -------------------------------------------------------------

class Events:
    """TensorBoard's event file in `folder`, of a run that goes on from `step`.

    Not tf.summary.FileWriter, which writes in a thread: a full disk ends the thread,
    and nothing says that all later events are lost.

    Each event is written at once. All methods raise OSError, which names the file,
    where it cannot be written.
    """

    def __init__(self, folder, step):
        self.path = os.path.join(folder, 'events.out.tfevents.%010d.%s.%d' % (
            time.time(), socket.gethostname(), os.getpid()))
        os.makedirs(folder, exist_ok=True)
        with writing(self.path):
            self.writer = tf.python_io.TFRecordWriter(self.path)
        self.write(file_version=VERSION)
        # TensorBoard forgets that step and later
        self.write(step=step + 1,
                   session_log=tf.SessionLog(status=tf.SessionLog.START))

    def add_summary(self, summary, step):
        """Write a tf.Summary, or one as bytes, of a step."""
        if isinstance(summary, bytes):
            summary = tf.Summary.FromString(summary)
        self.write(step=step, summary=summary)

    def write(self, **fields):
        """Write an event with these fields."""
        event = tf.Event(wall_time=time.time(), **fields)
        with writing(self.path):
            self.writer.write(event.SerializeToString())
            self.writer.flush()

    def close(self):
        """Close the file."""
        with writing(self.path):
            self.writer.close()
