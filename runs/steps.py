"""Steps: many of them in one session.run, by a loop in the graph around the step.

On a GPU a step of a small network is over before Python and TensorFlow have started the
next one. So one run covers up to MOST steps there; XLA may compile them to one program.
The step is the model's own, built once more inside the loop on the same variables: on a
processor, without XLA and in float32, its numbers are those of single steps, bit for
bit.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from dataset.batches import batch_number
from graph import convolution
from graph.hardware import has_gpu
from graph.summary import WATCHED
from ops import draw_z
from runs import pictures, sessions
from runs.record import histograms
from settings.errors import UserError
from utils import quiet

MOST = 50           # steps in one run, with a GPU


def make(model, data, sess, echo=print):
    """Return the Steps of a model with optimizers; None where a run is one step.

    With several workers it always is: they exchange in each step. Raises UserError
    where --xla does not work.
    """
    config = model.config
    most = min(config.steps_per_run or (MOST if has_gpu() else 1),
               pictures.most_steps(config, data))
    if model.team.size > 1 or most == 1 and not config.xla:
        return None
    source = pictures.source(config, data, most, sess)
    steps = (compiled(model, source, sess, echo) if config.xla
             else Steps(model, source))
    echo('%d step%s in one run of TensorFlow%s%s' % (
        most, 's' * (most > 1), ' at most' * (most > 1), source.said))
    return steps


def compiled(model, source, sess, echo):
    """Return Steps that XLA has compiled. Raises UserError where it cannot."""
    echo('compiling the step with XLA, once a start')
    with quiet():       # which would show all that it hid, if it were left by an error
        try:
            steps = Steps(model, source, xla=True)
            steps.run(sess, [])         # no step: only compiles
            return steps
        except tf.errors.OpError as error:
            failure = sessions.first_line(error)
        except TypeError:
            failure = 'it needs TensorFlow 2.5 or later; this is ' + tf.__version__
    raise UserError('--xla: XLA does not work here (%s). Leave it out.' % failure)


def take(trainer, first):
    """Take the steps of a train.Trainer after step `first`, as many as one run covers.

    Return the losses and accuracies of each, {name: float}.
    """
    c = trainer.config
    numbers = [[batch_number(step * c.d_steps + i) for i in range(c.d_steps)]
               for step in range(first, pause(trainer, first))]
    rows = trainer.steps.run(trainer.sess, numbers)
    done = first + len(rows)
    if trainer.record and done % c.summary_freq == 0:
        with histograms(done):
            summary = trainer.steps.summary(trainer.sess)
        trainer.record.events.add_summary(summary, done)
    return rows


def pause(trainer, first):
    """Return the step with which a run of many ends: where there is more to do."""
    c, most = trainer.config, first + trainer.steps.most
    often = [c.sample_freq, c.ckpt_freq, c.summary_freq, c.eval_freq or c.ckpt_freq]
    most = min([most, trainer.total] + [first - first % freq + freq for freq in often])
    # a dry run may go beyond the last step
    return next((done for done in range(first + 1, most) if trainer.epochs.ends(done)),
                max(most, first + 1))


class Steps:
    """The loop around the step of a model that has its optimizers.

    `source` is where the images come from, a pictures.Fed. With `xla` all of the loop
    is one program. `model.config` says how many updates a step has.
    """

    def __init__(self, model, source, xla=False):
        self.model, self.source, self.most = model, source, source.most
        self.names = sorted(model.scalars)
        self.count = tf.placeholder(tf.int32, [])
        self.numbers = tf.placeholder(tf.int64, [self.most, model.config.d_steps])
        inputs = dict(source.build(), number=self.numbers)
        # outside the loop: XLA draws other numbers from the same seed, as it does for
        # --augment and --penalty
        inputs['z'] = self.draw_z(tf.shape(inputs['images'])[2])
        loop = convolution.compiled()(self.loop) if xla else self.loop
        loop = tf.function(loop, autograph=False,
                           **({'jit_compile': True} if xla else {}))
        with tf.device('/GPU:0' if xla and has_gpu() else None):
            self.rows, self.watched = loop(self.count, inputs)

    def run(self, sess, numbers):
        """Take the steps whose batches have these numbers, [steps, d_steps].

        Return the losses and accuracies of each, {name: float}.
        """
        padded = np.zeros(self.numbers.shape.as_list(), np.int64)
        padded[:len(numbers)] = np.reshape(numbers, [-1, padded.shape[1]])
        feed = dict(self.source.feed(padded[:len(numbers)]))
        feed.update({self.count: len(numbers), self.numbers: padded})
        rows, self.last = sess.run([self.rows, self.watched], feed)
        return [dict(zip(self.names, map(float, row))) for row in rows[:len(numbers)]]

    def summary(self, sess):
        """Return the summary of the last step that was taken."""
        return sess.run(self.model.summary, {
            getattr(self.model, name): value for name, value in self.last.items()})

    # --- in the graph --------------------------------------------------------

    def draw_z(self, batch):
        """Return the z of all batches, [most, d_steps, batch, z_dim]."""
        c = self.model.config
        z = [draw_z(c.z_dist, [batch, c.z_dim], [np.int64(c.seed), number])
             for number in tf.unstack(tf.reshape(self.numbers, [-1]))]
        return tf.reshape(tf.stack(z), [self.most, c.d_steps, batch, c.z_dim])

    def loop(self, count, inputs):
        """Take `count` steps; return the losses of each, and WATCHED of the last."""
        def take(i, rows, watched):
            row, watched, done = self.step(
                {name: value[i] for name, value in inputs.items()})
            with tf.control_dependencies(done):
                return i + 1, rows.write(i, row), {
                    name: tf.identity(value) for name, value in watched.items()}
        rows = tf.TensorArray(tf.float32, self.most, element_shape=[len(self.names)])
        watched = {name: tf.zeros(self.shape_of(name)) for name in WATCHED}
        _, rows, watched = tf.while_loop(
            lambda i, *_: i < count, take, [0, rows, watched], parallel_iterations=1)
        return rows.stack(), watched

    def step(self, inputs):
        """Return the losses of a step, WATCHED, and its updates.

        The updates are those of Trainer.train_step: of D alone (--d_steps), of both,
        then with --updates together of G alone (--g_steps).
        """
        c = self.model.config
        def update_G(model):
            return model.update_G(model.g_loss, model.g_stats)[0]

        done = self.repeat(c.d_steps - 1, inputs, type(self.model).update_D)
        with tf.control_dependencies(done):
            model = self.built(inputs, c.d_steps - 1)
            model.d_optim = model.update_D()
            # in the loop all that is built is run, wanted or not
            model.g_optim = None if c.updates == 'alternate' else update_G(model)
            model.build_step()
            watched = {name: tf.reshape(getattr(model, name), self.shape_of(name))
                       for name in WATCHED}
        values = dict(model.scalars, g_loss=model.step_loss)
        done = tf.nest.flatten(model.updates)
        if c.updates == 'together':
            with tf.control_dependencies(done):
                done += self.repeat(c.g_steps - 1, inputs, update_G, c.d_steps - 1)
        return tf.stack([values[name] for name in self.names]), watched, done

    def repeat(self, times, inputs, update, batch=None):
        """Return ops that update one network `times` times.

        Each time on the batch of that index, by default on a batch of its own.
        """
        if not times:
            return []

        def take(i):
            model = self.built(inputs, i if batch is None else batch)
            with tf.control_dependencies([update(model)]):
                return i + 1
        return [tf.while_loop(lambda i: i < times, take, [0], parallel_iterations=1)]

    def built(self, inputs, batch):
        """Return the model once more, on the same variables and on one batch of all."""
        inputs = {name: value[batch] for name, value in inputs.items()}
        with tf.variable_scope(tf.get_variable_scope(), reuse=True):
            model = type(self.model)(self.model.config, (
                pictures.transform(inputs['images']), inputs.get('y'),
                inputs['number'], inputs['z']))
        model.optimizers = self.model.optimizers
        return model

    def shape_of(self, name):
        """Return the shape of a tensor of the model, for batches of --batch_size."""
        batch = self.model.config.batch_size
        return [batch if size is None else size
                for size in getattr(self.model, name).shape.as_list()]
