"""The Gaussian GAN: all there is to a GAN, with points of the plane for images.

python main.py --dataset gaussian --train

The same names in the same order as in model.py and train.py, on networks so small that
training takes seconds and what G has learned is six numbers.
"""

import contextlib
import functools
import os
import sys
import time

import numpy as np
import tensorflow.compat.v1 as tf

from graph import losses
from ops import draw_z, linear, make_optimizer
from runs import checkpoints, folders, history, room, sessions, toy_pictures
from runs.guard import Diverged, check_finite
from utils import show_all_variables

A = np.array([[1.0, 2.0], [-0.1, 0.5]])
B = np.array([1.0, 2.0])
MEAN, COVARIANCE = B, A.T.dot(A)    # of the real distribution, exactly

STDDEV = 0.5        # of the first weights: layers of two to five units are narrow
FIXED = -1          # keys the z of what is reported; a step's key is 0 or more
REPORTED = 100000   # generated points whose mean and covariance are reported
SHOWN = 1000        # points of either kind in the picture


# --- the data ----------------------------------------------------------------

def draw_points(count, seed):
    """Draw real points x = n A + b, n ~ N(0, I): float32 [count, 2]."""
    n = np.random.default_rng([seed, 0]).standard_normal((count, 2))
    return (n.dot(A) + B).astype(np.float32)


def batch(points, index, config):
    """Return the `index`-th batch, float32 [batch_size, 2]; each epoch is shuffled."""
    epoch, i = divmod(index, len(points) // config.batch_size)
    chosen = order(len(points), config.seed, epoch)
    return points[chosen[i * config.batch_size:(i + 1) * config.batch_size]]


@functools.lru_cache(maxsize=1)
def order(count, seed, epoch):
    """Return the permutation of an epoch; the key (seed, 0) is that of the points."""
    return np.random.default_rng([seed, epoch + 1]).permutation(count)


# --- the graph ---------------------------------------------------------------

class GaussianGAN:
    """Generator, discriminator, losses, variable lists, optimizers.

    Placeholders: `points` float32 [N, 2], the real ones; `step`, int64, keys the noise;
    `z` float32 [N, z_dim], drawn from (seed, step) where it is not fed.
    """

    def __init__(self, config):
        self.config = config
        self.points = tf.placeholder(tf.float32, [None, 2], 'points')
        self.step = tf.placeholder_with_default(np.int64(0), [], 'step')
        z = draw_z(config.z_dist, [tf.shape(self.points)[0], config.z_dim],
                   tf.stack([np.int64(config.seed), self.step]))
        self.z = tf.placeholder_with_default(z, [None, config.z_dim], 'z')

        self.G = self.generator(self.z)
        self.D_logits = self.discriminator(self.points)
        self.D_logits_ = self.discriminator(self.G, reuse=True)
        self.build_losses()
        self.build_optimizers()
        self.sampler_points = self.sampler(self.z)

    def generator(self, z, reuse=False):
        """Draw points [N, 2] from z [N, z_dim]: one linear layer, z W + c."""
        with tf.variable_scope('generator', reuse=reuse):
            return linear(z, 2, STDDEV, name='g_h0_lin')

    def discriminator(self, points, reuse=False):
        """Return the logit [N, 1] of each point's being real."""
        with tf.variable_scope('discriminator', reuse=reuse):
            h = tf.nn.tanh(linear(points, 5, STDDEV, name='d_h0_lin'))
            h = tf.nn.tanh(linear(h, 3, STDDEV, name='d_h1_lin'))
            return linear(h, 1, STDDEV, name='d_h2_lin')

    def build_losses(self):
        """Build the losses and D's accuracy on either half."""
        c = self.config
        self.d_loss_real, self.d_loss_fake, self.g_loss = losses.LOSSES[c.loss](
            self.D_logits, self.D_logits_, c.label_smoothing)
        self.d_loss = self.d_loss_real + self.d_loss_fake
        self.d_acc_real, self.d_acc_fake = losses.accuracies(
            c.loss, self.D_logits, self.D_logits_)
        self.scalars = {name: getattr(self, name) for name in (
            'd_loss_real', 'd_loss_fake', 'g_loss', 'd_acc_real', 'd_acc_fake')}

    def build_optimizers(self):
        """Make d_optim and g_optim; in one run, both see the weights from before."""
        c = self.config
        self.d_vars = tf.trainable_variables('discriminator/')
        self.g_vars = tf.trainable_variables('generator/')
        with tf.variable_scope('d_optim'):
            self.d_optim = make_optimizer(c, c.d_learning_rate or c.learning_rate
                                          ).minimize(self.d_loss, var_list=self.d_vars)
        with tf.variable_scope('g_optim'):
            self.g_optim = make_optimizer(c, c.g_learning_rate or c.learning_rate
                                          ).minimize(self.g_loss, var_list=self.g_vars)
        self.average = None
        if c.ema:
            self.average = tf.train.ExponentialMovingAverage(c.ema, self.step)
            with tf.control_dependencies([self.g_optim]):
                self.g_optim = self.average.apply(self.g_vars)

    def sampler(self, z):
        """Draw with the same weights; with --ema, with their moving averages."""
        def averaged(getter, *args, **kwargs):
            variable = getter(*args, **kwargs)
            return self.average.average(variable) if self.average else variable

        with tf.variable_scope(tf.get_variable_scope(), custom_getter=averaged):
            return self.generator(z, reuse=True)


# --- training ----------------------------------------------------------------

def train(config, run):
    """Train a run, from its newest checkpoint where it has one; return the status."""
    with opened(config, run) as trainer:
        try:
            trainer.train()
        except Diverged as error:
            print('error: %s' % error, file=sys.stderr)
            return 1
        print('checkpoint: %s' % folders.latest(run.checkpoint_dir)[1])
        trainer.show_results()
    return 0


def sample(config, run, path):
    """Do the task sample: draw points from the checkpoint at `path`."""
    with opened(config, run, path) as trainer:
        trainer.show_results()


@contextlib.contextmanager
def opened(config, run, path=None):
    """Give the Trainer of a run, at a checkpoint or its newest, in its own session."""
    tf.set_random_seed(config.seed)
    model = GaussianGAN(config)
    with sessions.open_session(config) as sess:
        yield Trainer(config, run, model, sess, path)


class Trainer:
    """A run: its model, session, points and fixed z."""

    def __init__(self, config, run, model, sess, path=None):
        self.config, self.run, self.model, self.sess = config, run, model, sess
        self.points = draw_points(config.train_size, config.seed)
        self.steps_per_epoch = config.train_size // config.batch_size // config.d_steps
        self.saver = checkpoints.make_saver(tf.global_variables())
        self.start = 0
        if path is None:
            self.start, path = checkpoints.newest(run.checkpoint_dir) or (0, None)
        if path:
            checkpoints.load(sess, self.saver, tf.global_variables(), path)
        else:
            sess.run(tf.global_variables_initializer())
        count = max(REPORTED, config.num_samples or 0, config.train_size)
        room.check_z(config, count)
        self.fixed_z = sess.run(draw_z(config.z_dist, [count, config.z_dim],
                                       [tf.constant(config.seed, tf.int64), FIXED]))
        sess.graph.finalize()

    def train(self):
        """Take the epochs that are left; after each a line, a row and a checkpoint."""
        config, run = self.config, self.run
        first = self.start // self.steps_per_epoch
        if first >= config.epoch:
            print('%s has been trained for %d epochs; with --epoch above %d it goes on'
                  % (run.name, first, first))
            return
        print(show_all_variables(self.model.d_vars + self.model.g_vars))
        folders.make_folder(run.checkpoint_dir)
        checkpoints.clean(run.checkpoint_dir, self.start)
        config.save(run.config_path)
        with contextlib.closing(history.History(run.history_path, self.start)) as log:
            for epoch in range(first, config.epoch):
                began = time.time()
                for i in range(self.steps_per_epoch):
                    self.train_step(epoch * self.steps_per_epoch + i)
                self.end_epoch(epoch + 1, time.time() - began, log)

    def train_step(self, step):
        """Update D, then G by the new D's answers, each in a run of its own.

        With --updates together, the first update of either is in one run: both see the
        weights from before.
        """
        model, config = self.model, self.config
        first = step * config.d_steps
        for index in range(first, first + config.d_steps - 1):
            self.sess.run(model.d_optim, self.feed(index))
        feed = self.feed(first + config.d_steps - 1)
        together = config.updates == 'together'
        self.sess.run((model.d_optim, model.g_optim) if together else model.d_optim,
                      feed)
        for _ in range(config.g_steps - together):
            self.sess.run(model.g_optim, feed)

    def feed(self, index):
        """Return what the `index`-th batch feeds: real points and the key of z."""
        return {self.model.points: batch(self.points, index, self.config),
                self.model.step: index}

    def evaluate(self):
        """Return losses and accuracies over all real and as many generated points."""
        values = self.sess.run(self.model.scalars, {
            self.model.points: self.points,
            self.model.z: self.fixed_z[:len(self.points)]})
        return {name: float(value) for name, value in values.items()}

    def end_epoch(self, epoch, seconds, log):
        """Print the line of an epoch and save it. Raises Diverged where it went wrong.

        Nothing is saved then, and the checkpoint of the epoch before stays.
        """
        step, values = epoch * self.steps_per_epoch, self.evaluate()
        log.append(step, epoch, seconds, values)
        check_finite(values, step)
        print('epoch %*d/%d d_loss_real %.3f d_loss_fake %.3f g_loss %.3f '
              'D right: %.1f%% of %s (real %.1f%% generated %.1f%%)' % (
                  len(str(self.config.epoch)), epoch, self.config.epoch,
                  values['d_loss_real'], values['d_loss_fake'], values['g_loss'],
                  100 * accuracy(values), format(2 * len(self.points), ','),
                  100 * values['d_acc_real'], 100 * values['d_acc_fake']))
        log.flush()
        checkpoints.save(self.sess, self.saver, self.run.checkpoint_dir, step,
                         self.config.max_to_keep)

    def generate(self):
        """Return points float32 [REPORTED or more, 2] of the fixed z, by sampler."""
        return self.sess.run(self.model.sampler_points, {self.model.z: self.fixed_z})

    def show_results(self):
        """Print what G has learned beside the target; draw the pictures."""
        run, G = self.run, self.generate()
        print(table(G))
        shown = self.config.num_samples or SHOWN
        print('scatter:    %s' % toy_pictures.draw_scatter(
            draw_points(shown, self.config.seed), G[:shown],
            os.path.join(run.sample_dir, 'scatter.png'), run.name))
        print('accuracy:   %s' % toy_pictures.draw_accuracy(
            run.history_path, os.path.join(run.sample_dir, 'accuracy.png'), run.name))


# --- results -----------------------------------------------------------------

def accuracy(values):
    """Return D's accuracy over real and generated points together: half and half."""
    return (values['d_acc_real'] + values['d_acc_fake']) / 2


def statistics(points):
    """Return the mean [2] and the covariance [2, 2] of points [N, 2]."""
    points = np.asarray(points, np.float64)
    return points.mean(0), np.cov(points.T)


def table(G):
    """Return the target's mean and covariance beside those of generated points."""
    mean, covariance = statistics(G)
    lines = ['%-12s%-18s%s' % ('', 'target', 'generated')]
    for name, target, row in zip(
            ('mean', 'covariance', ''), (MEAN, *COVARIANCE), (mean, *covariance)):
        lines.append('%-12s%7.3f %7.3f   %7.3f %7.3f' % (name, *target, *row))
    return '\n'.join(lines)
