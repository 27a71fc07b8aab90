"""The training loop: one session.run a step, or with a GPU for many of them."""

import contextlib
import sys
import time

import tensorflow.compat.v1 as tf
from tqdm import tqdm

from dataset.batches import batch_number
from dataset.cache import sheet_of
from metrics import evaluation
from model import ARCHITECTURES
from runs import checkpoints, costs, inherit, large_pages, sampling, sessions, steps
from runs.epochs import Epochs
from runs.folders import make_folder
from runs.guard import OFTEN, Diverged, check_variables
from runs.record import Record, histograms, noted, say_where, show_results, tidy
from runs.stop import Stop

SETTLED = 50    # steps after which a training has its memory, and most go on for long


def train(config, run, data, make=None):
    """Train a run, from its newest checkpoint where it has one; return the status.

    `data` is a batches.Dataset, `make` makes the Trainer, by default as below. The
    status is 0; 1 if the training diverged; or 128 + the signal's number after Ctrl-C
    or SIGTERM, and then the run is saved first.
    """
    trainer = (make or Trainer)(config, run, data)
    try:
        with Stop() as stop:
            trainer.train(stop)
    except Diverged as error:
        print('error: %s' % error, file=sys.stderr)
        return 1
    finally:
        trainer.close()
    trainer.finish()
    return stop.status


class Trainer:
    """A run in training: its graph, its session and what it writes down."""

    sess = record = judge = steps = None    # until they are open
    # where several workers train together (workers/training.py): what they exchange,
    # this one's rank and their number, and whether it shows no progress bar
    team, place, quiet = None, (0, 1), None

    def __init__(self, config, run, data):
        self.run, self.data = run, data
        self.start, self.newest = self.find_start(run)
        self.seen = config.seen     # of the last start; None in older runs
        self.config = noted(config, data, self.start)
        self.epochs = Epochs(self.config)
        self.total = self.epochs.total(config.epoch)
        self.prepare()
        self.build_model()
        self.open()

    def build_model(self):
        """Build the graph of a step: the networks, and the updates of both."""
        tf.set_random_seed(self.config.seed)
        self.model = ARCHITECTURES[self.config.architecture](
            self.config, team=self.team)
        self.model.build_optimizers()
        self.variables = tf.global_variables()
        self.finite = tf.stack([tf.reduce_all(tf.is_finite(v)) for v in self.variables])
        self.fetches = dict(self.model.scalars, g_loss=self.model.step_loss,
                            updates=self.model.updates)

    # --- the loop ------------------------------------------------------------

    def train(self, stop):
        """Take the steps that are left, or those until `stop` has a status."""
        done, stopping = self.start, 0
        bar = tqdm(None, 'training', self.total, initial=done, disable=self.quiet,
                   unit='step', smoothing=0.1)
        while done < self.total and not stopping:
            began, first = time.time(), done
            rows = self.train_steps(first)
            took = (time.time() - began) / len(rows)
            for done, values in enumerate(rows, first + 1):
                self.record.add_step(done, took, values, self.evaluate(done))
            # of many steps in one run, the losses alone tell whether all is well
            if not self.steps and done % OFTEN == 0:
                self.check_weights(done)
            bar.set_postfix_str('%.0f images/s' % (self.record.images_per_step / took),
                                False)
            bar.update(len(rows))
            if first - self.start < SETTLED <= done - self.start:
                large_pages.take()
            stopping = self.end_step(done, stop)
        bar.close()

    def train_steps(self, first):
        """Take the step after `first`, or as many as one run covers.

        Return the values of train_step, of each step.
        """
        if self.steps:
            return steps.take(self, first)
        return [self.train_step(first)]

    def train_step(self, step):
        """Update D, then G, in one session.run; return the losses and accuracies.

        With --d_steps k, first k - 1 updates of D alone, each on a batch of its own.
        With --updates together and --g_steps m, last m - 1 of G alone, on the same z.
        """
        model, config = self.model, self.config
        first = step * config.d_steps
        for index in range(first, first + config.d_steps - 1):
            self.sess.run(model.d_optim, self.feed(index))
        feed = self.feed(first + config.d_steps - 1)
        fetches = self.fetches
        if self.record and (step + 1) % config.summary_freq == 0:
            fetches = dict(fetches, summary=model.summary)
        with histograms(step + 1):
            values = self.sess.run(fetches, feed)
        for _ in range(config.g_steps - 1 if config.updates == 'together' else 0):
            self.sess.run(model.g_optim, feed)
        if 'summary' in values:
            self.record.events.add_summary(values['summary'], step + 1)
        return {name: float(values[name]) for name in model.scalars}

    def feed(self, index):
        """Return the feed of the `index`-th batch: images, labels, the number for z."""
        number, config = batch_number(index, *self.place), self.config
        images, y = self.data.batch(number, config.batch_size, config.seed, config.flip)
        feed = {self.model.images: images, self.model.step: number}
        if y is not None:
            feed[self.model.y] = y
        return feed

    def end_step(self, step, stop):
        """Draw and save after a step, where it is time; return the status to stop with.

        That is 0 where training goes on.
        """
        config, last = self.config, step == self.total
        # before saving: a run that goes on from there will not draw this sheet
        if step % config.sample_freq == 0 or last:
            self.sample(step)
        stopping = self.stopping(stop)
        if step % config.ckpt_freq == 0 or last or stopping:
            self.save(step)
        if stopping:    # printed last: Ctrl-C may have ended the `tee` we print to
            tqdm.write('stopping: the run is saved after step %d' % step)
        return stopping

    def stopping(self, stop):
        """Return the status of a signal that came, or 0; a later call may say more."""
        return stop.status

    def sample(self, step):
        """Draw the sheet of the fixed z."""
        self.check_weights(step)
        labels = sampling.make_labels(len(self.sample_z), self.config)
        images = sampling.draw(self.sess, self.model, self.sample_z, labels)
        self.record.add_sheet(step, images, labels)

    def evaluate(self, step):
        """Judge samples if --eval_freq says so; return the values for history.csv.

        {} if not. The best checkpoint is kept. The training does not change by it.
        """
        if not self.judge or step % self.config.eval_freq and step != self.total:
            return {}
        self.check_weights(step)
        values, best = self.judge.judge(self.sess, self.model, step)
        self.record.add_distances(step, values)
        if best:
            self.judge.keep(self.sess, self.saver, step, values)
        return values

    def save(self, step):
        """Write the history to the disk, then save a checkpoint.

        Raises Diverged instead if a weight is no longer a number.
        """
        self.check_weights(step)
        self.record.history.flush()
        checkpoints.save(self.sess, self.saver, self.run.checkpoint_dir, step,
                         self.config.max_to_keep)
        evaluation.prune(self.run)

    def check_weights(self, step):
        """Raise Diverged if a weight, an average or an optimizer slot is not finite."""
        check_variables([v.op.name for v in self.variables],
                        self.sess.run(self.finite), step)

    # --- the start and the end -----------------------------------------------

    def find_start(self, run):
        """Return the step and the path of the checkpoint to go on from; (0, None)."""
        return checkpoints.newest(run.checkpoint_dir) or (0, None)

    def prepare(self):
        """Make the folders, and the judge."""
        for folder in (self.run.checkpoint_dir, self.run.sample_dir):
            make_folder(folder)
        if self.config.eval_freq and self.start < self.total:
            self.judge = evaluation.Judge(self.config, self.run, self.data)

    def open(self):
        """Open the session, restore the newest checkpoint."""
        self.saver = checkpoints.make_saver(self.variables)
        initializer = tf.global_variables_initializer()
        z = sampling.fixed_z(self.config)
        self.sess = self.open_session()
        self.restore(initializer)
        self.sample_z = self.sess.run(z)
        if self.start < self.total:
            self.steps = steps.make(self.model, self.data, self.sess)
        self.sess.graph.finalize()
        self.say_where()
        self.begin()

    def open_session(self):
        """Return the session of this training."""
        return sessions.open_session(self.config)

    def restore(self, initializer):
        """Load the newest checkpoint, or give all variables their first values."""
        config, variables = self.config, self.variables
        if self.newest:
            checkpoints.load(
                self.sess, self.saver, variables, self.newest, whole=True)
            return
        self.sess.run(initializer)
        if config.from_ is not None:
            self.config = config.replace(
                origin=inherit.begin(self.sess, config, variables))

    def say_where(self):
        """Show the variables and say from where the run goes on, or that it is done."""
        say_where(self.run, self.config, self.start, self.seen,
                  self.model.d_vars + self.model.g_vars)

    def begin(self):
        """Write config.json, open what is written down, remove what is out of date."""
        tidy(self.run, self.start, self.config.max_to_keep)
        evaluation.tidy(self.run, self.start)
        if self.start < self.total:
            costs.check_room(self.run, self.variables)
            self.config.save(self.run.config_path)
        self.record = Record(self.config, self.run, self.data, self.start)

    def finish(self):
        """Draw what is drawn at the end, and say where everything is."""
        show_results(self.run)

    def close(self):
        """Close the record, the judge and the session, even if one of them fails."""
        with contextlib.ExitStack() as stack:
            for part in (self.sess, self.record, self.judge):
                if part:
                    stack.callback(part.close)


# --- a dry run ---------------------------------------------------------------

def rehearse(config, run, data):
    """Do what --dry_run says; return the status, as train does.

    Nothing is written but what belongs to the packed images: the sheet of them, beside
    them, is drawn again where it is missing.
    """
    print('%s images; how they were prepared: %s' % (
        format(len(data), ','), sheet_of(config, data.images)))
    trainer = Rehearsal(config, run, data)
    try:
        costs.rehearse(trainer)
    except Diverged as error:
        print('error: %s' % error, file=sys.stderr)
        return 1
    finally:
        trainer.close()
    print('dry run: no run was written; without --dry_run it trains')
    return 0


class Rehearsal(Trainer):
    """A Trainer that writes nothing, and only measures."""

    def prepare(self):
        """Make nothing."""

    def begin(self):
        """Write nothing."""
