"""The training loop: one session.run a step."""

import collections
import contextlib
import glob
import os
import re
import signal
import socket
import sys
import threading
import time

import tensorflow.compat.v1 as tf
from tqdm import tqdm

from dataset import batches
from metrics import evaluation
from model import ARCHITECTURES
from runs import checkpoints, events, history, sampling, sessions
from runs.folders import make_folder, saved
from runs.guard import WEIGHTS_EVERY, Diverged, Guard, check_variables, message
from utils import make_gif, remove_leftovers, show_all_variables

ANIMATION = 'training.gif'


def train(config, run, data):
    """Train a run, from its newest checkpoint where it has one; return the status.

    `data` is a dataset.Dataset. The status is 0, or as usual 128 + the signal's number
    after Ctrl-C or SIGTERM, on which the run is saved first.
    """
    with sessions.memory():
        trainer = Trainer(config.replace(classes=data.classes,
                                         precision=sessions.choose_precision(config)),
                          run, data)
    try:
        with Stop() as stop, sessions.memory():
            trainer.train(stop)
    except Diverged as error:
        print('error: %s' % error, file=sys.stderr)
        return 1
    finally:
        trainer.close()
    trainer.show_results()
    return stop.status


class Stop:
    """Turns the first SIGINT or SIGTERM into a status; the second ends the process.

    Python's handlers wait for the end of what runs in C, be it a long step; so a thread
    counts the signals, of which the system's handler writes the numbers to a socket.
    """

    def __init__(self):
        self.status = 0

    def __enter__(self):
        self.numbers, self.teller = socket.socketpair()
        self.teller.setblocking(False)
        self.before = signal.set_wakeup_fd(self.teller.fileno())
        self.usual = {number: signal.signal(number, self.stop)
                      for number in (signal.SIGINT, signal.SIGTERM)}
        threading.Thread(target=self.count, daemon=True).start()
        return self

    def stop(self, number, frame):
        """Remember the first signal."""
        self.status = self.status or 128 + number

    def count(self):
        """Answer the first signal; at the second one end the process, and not wait.

        Nothing is lost by that: a run goes on from its last checkpoint.
        """
        with self.numbers:
            if self.numbers.recv(1):
                with contextlib.suppress(OSError):
                    os.write(2, b'\nstopping after this step; once more to leave at '
                             b'once\n')
            second = self.numbers.recv(1)       # nothing where teller is closed
            if second:
                os._exit(128 + second[0])

    def __exit__(self, *exception):
        for number, handler in self.usual.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self.before)
        self.teller.close()


@contextlib.contextmanager
def histograms(step):
    """Raise Diverged where TensorFlow makes no histogram, because of NaN."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = re.search(r'Nan in summary histogram for: (\w+)', error.message)
        if not found:
            raise
        raise Diverged(message(step, '%s is nan' % found.group(1)))


class Trainer:
    """A run in training: its graph, session, history and event files."""

    def __init__(self, config, run, data):
        self.config, self.run, self.data = config, run, data
        self.steps_per_epoch = max(
            1, data.steps_per_epoch(config.batch_size) // config.d_steps)
        self.total = config.epoch * self.steps_per_epoch
        self.images_per_step = config.batch_size * config.d_steps
        for folder in (run.checkpoint_dir, run.sample_dir):
            make_folder(folder)
        self.start, self.newest = checkpoints.newest(run.checkpoint_dir) or (0, None)
        judged = config.eval_freq and self.start < self.total
        self.judge = evaluation.Judge(config, run, data) if judged else None
        tf.set_random_seed(config.seed)
        self.model = ARCHITECTURES[config.architecture](config)
        self.model.build_optimizers()
        self.variables = tf.global_variables()
        self.finite = tf.stack([tf.reduce_all(tf.is_finite(v)) for v in self.variables])
        self.fetches = dict(self.model.scalars, d_optim=self.model.d_optim,
                            g_optim=self.model.g_optim)
        self.open()

    def open(self):
        """Open the session, restore the newest checkpoint, write config.json."""
        config, run, variables = self.config, self.run, self.variables
        self.saver = checkpoints.make_saver(variables)
        initializer, z = tf.global_variables_initializer(), sampling.fixed_z(config)
        self.sess = sessions.open_session(config)
        if self.newest:
            checkpoints.restore(
                self.sess, self.saver, variables, self.newest, whole=True)
        else:
            self.sess.run(initializer)
        self.sample_z = self.sess.run(z)
        self.sess.graph.finalize()
        self.say_where()
        self.tidy()
        if self.start < self.total:
            config.save(run.config_path)
        self.history = history.History(run.history_path, self.start)
        self.guard = Guard(config, run, self.data)
        self.guard.recall(history.read(run.history_path))
        self.writer = events.Events(run.log_dir, self.start)

    def tidy(self):
        """Remove what goes beyond the step from which the run goes on."""
        run = self.run
        checkpoints.tidy(run.checkpoint_dir, self.start)
        if self.newest:
            checkpoints.keep_newest(run, self.config.max_to_keep)
            checkpoints.write_state(run.checkpoint_dir)
        for folder in (run.checkpoint_dir, run.best_dir, run.sample_dir):
            remove_leftovers(folder)
        self.remove_stale_pictures()
        evaluation.forget(run, self.start)
        evaluation.check_best(run, self.start)

    def say_where(self):
        """Show the variables and say from where the run goes on, or that it is done."""
        epochs = self.start // self.steps_per_epoch
        if self.start >= self.total:
            print('%s has been trained for %d epochs; with --epoch above %d it goes on'
                  % (self.run.name, epochs, epochs))
            return
        print(show_all_variables(self.model.d_vars + self.model.g_vars))
        if self.start:
            print('resuming %s after step %d, in epoch %d of %d' % (
                self.run.name, self.start, epochs + 1, self.config.epoch))

    def train(self, stop):
        """Take the steps that are left, or those until `stop` has a status."""
        config = self.config
        epoch_values = collections.Counter()
        bar = tqdm(range(self.start, self.total), 'training', self.total,
                   initial=self.start, disable=None, unit='step', smoothing=0.1)
        for step in bar:
            began = time.time()
            with histograms(step + 1):
                values = self.train_step(step)
            epoch, done = step // self.steps_per_epoch + 1, step + 1
            took = time.time() - began
            judged = self.evaluate(done)
            self.history.append(done, epoch, took, dict(values, **judged))
            epoch_values.update(values, took=took, steps=1)
            self.guard.watch(values, done)
            if done % WEIGHTS_EVERY == 0:
                self.check_weights(done)
            bar.set_postfix_str('%.0f images/s' % (self.images_per_step / took), False)
            last = done == self.total
            if done % self.steps_per_epoch == 0:
                tqdm.write(self.epoch_line(epoch, epoch_values))
                epoch_values.clear()
            # before the checkpoint: whoever goes on from it does not draw the sheet
            if done % config.sample_freq == 0 or last:
                self.sample(epoch, done)
            stopping = stop.status      # looked at once: it may change any moment
            if done % config.ckpt_freq == 0 or last or stopping:
                self.save(done)
            if stopping:    # saved first: by the same Ctrl-C a `tee` may have gone
                tqdm.write('stopping: the run is saved after step %d' % done)
                break

    def train_step(self, step):
        """Do one D and one G update in one run; return its losses and accuracies.

        With --d_steps k, k - 1 updates of D on batches of their own come before; with
        --g_steps m, m - 1 more of G, on the same z, come after, as carpedm20's does.
        """
        model, config = self.model, self.config
        first = step * config.d_steps
        for index in range(first, first + config.d_steps - 1):
            self.sess.run(model.d_optim, self.feed(index))
        feed = self.feed(first + config.d_steps - 1)
        fetches = self.fetches
        if (step + 1) % config.summary_freq == 0:
            fetches = dict(fetches, summary=model.summary)
        values = self.sess.run(fetches, feed)
        for _ in range(config.g_steps - 1):
            self.sess.run(model.g_optim, feed)
        if 'summary' in values:
            self.writer.add_summary(values['summary'], step + 1)
        return {name: float(values[name]) for name in model.scalars}

    def feed(self, index):
        """Return what the `index`-th batch feeds: images, labels and the key of z."""
        number = batches.batch_number(index)
        images, y = self.data.batch(number, self.config.batch_size, self.config.seed)
        feed = {self.model.images: images, self.model.step: number}
        if y is not None:
            feed[self.model.y] = y
        return feed

    def epoch_line(self, epoch, values):
        """Return the line of an epoch, of the sums of its losses and accuracies."""
        mean = {name: total / values['steps'] for name, total in values.items()}
        return ('epoch %*d/%d d_loss_real %.3f d_loss_fake %.3f g_loss %.3f '
                'D right: real %.0f%% fake %.0f%% %.0f images/s %s' % (
                    len(str(self.config.epoch)), epoch, self.config.epoch,
                    mean['d_loss_real'], mean['d_loss_fake'], mean['g_loss'],
                    100 * mean['d_acc_real'], 100 * mean['d_acc_fake'],
                    self.images_per_step / mean['took'],
                    tqdm.format_interval(self.history.seconds)))

    def sample(self, epoch, step):
        """Write the sheet of the fixed z, to a PNG and to the event file."""
        self.check_weights(step)
        labels = sampling.make_labels(len(self.sample_z), self.config)
        images = sampling.draw(self.sess, self.model, self.sample_z, labels)
        self.guard.look(images, step)
        path = sampling.save_sheet(images, labels, os.path.join(
            self.run.sample_dir, 'train_%04d_%08d.png' % (epoch, step)))
        with open(path, 'rb') as file:
            picture = tf.Summary.Image(encoded_image_string=file.read())
        self.writer.add_summary(tf.Summary(value=[
            tf.Summary.Value(tag='samples', image=picture)]), step)

    def evaluate(self, step):
        """Judge samples, where it is due; return what the history holds of it.

        The best checkpoint is kept. Nothing of the training changes by it.
        """
        if not self.judge or step % self.config.eval_freq and step != self.total:
            return {}
        self.check_weights(step)
        values, best = self.judge.judge(self.sess, self.model, step)
        self.writer.add_summary(tf.Summary(value=[
            tf.Summary.Value(tag='%s/%s' % (name, values['judged_by']),
                             simple_value=values[name])
            for name in ('fd', 'kid')]), step)
        if best:
            self.judge.keep(self.sess, self.saver, step, values)
        return values

    def save(self, step):
        """Save a checkpoint; the history up to it is on the disk before.

        Raises Diverged instead where a weight is no longer a number.
        """
        self.check_weights(step)
        self.history.flush()
        checkpoints.save(self.sess, self.saver, self.run, step, self.config.max_to_keep)
        evaluation.prune(self.run)

    def check_weights(self, step):
        """Raise Diverged where a variable is no longer finite.

        A weight, a moving average or what the optimizer keeps of each.
        """
        check_variables([v.op.name for v in self.variables],
                        self.sess.run(self.finite), step)

    def close(self):
        """Close the history, the event file, the judge and the session."""
        with contextlib.ExitStack() as stack:       # all of them, whatever happens
            for part in (self.sess, self.writer, self.history, self.judge):
                if part:
                    stack.callback(part.close)

    def sheets(self, after=-1):
        """Return the paths of the run's sheets of the steps after `after`, in order."""
        paths = glob.glob(os.path.join(glob.escape(self.run.sample_dir), 'train_*.png'))
        found = [(re.search(r'train_\d+_(\d+)\.png$', path), path) for path in paths]
        steps = sorted((int(match.group(1)), path) for match, path in found if match)
        return [path for step, path in steps if step > after]

    def remove_stale_pictures(self):
        """Remove sheets of later steps, left by a run that once went further."""
        stale = self.sheets(after=self.start)
        animation = os.path.join(self.run.sample_dir, ANIMATION)
        if stale and os.path.exists(animation):     # it shows them
            stale.append(animation)
        for path in stale:
            os.remove(path)

    def show_results(self):
        """Draw the animation and the loss picture; say where everything is."""
        run, sheets = self.run, self.sheets()
        print('checkpoint: %s' % saved(run.checkpoint_dir)[-1][1])
        for _, path in saved(run.best_dir)[-1:]:
            print('best:       %s (--checkpoint best)' % path)
        if len(sheets):
            print('sheet:      %s' % sheets[-1])
            print('animation:  %s' % make_gif(
                sheets, os.path.join(run.sample_dir, ANIMATION)))
        print('losses:     %s' % history.save_picture(
            run.history_path, os.path.join(run.sample_dir, 'losses.png'), run.name))
