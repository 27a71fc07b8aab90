"""DCGAN: the graph. No session, no files.

Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep
Convolutional Generative Adversarial Networks", 2016, with carpedm20's names.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from graph import ema, getters, losses, summary, wrong_labels
from graph.alone import Alone
from graph.augmentation import Augmentation
from graph.maps import map_channels, map_sizes
from ops import (
    batch_norm,
    concat_label,
    conv2d,
    conv2d_whole,
    deconv2d,
    draw_z,
    linear,
    lrelu,
    make_optimizer,
    move_averages,
    take_batch_stats,
)


class DCGAN:
    """Generator, sampler, discriminator, losses, variable lists; then the optimizers.

    Placeholders: `images` float32 [N, H, W, C] in [-1, 1]; `y` float32 [N, y_dim],
    None without labels; `step`, int64, keys the noise; `z` float32 [N, z_dim], drawn
    from (seed, step) where it is not fed. Whoever has tensors in their place gives
    them as `inputs`, in this order. `team` is how several processes train these
    networks together; by default one process does, alone.
    """

    def __init__(self, config, inputs=None, team=None):
        self.config, self.team = config, team or Alone()
        self.sizes = map_sizes(config.output_height, config.output_width)
        self.g_getter, self.d_getter, self.spectral_norm = getters.choose(config)
        # none where D's answer on one image must not depend on the others
        self.d_norm = config.penalty == 'none' and not config.spectral_norm
        self.before_norm = 'apart' if config.bias else 'none'   # see ops.conv2d
        self.build_model(inputs)

    def build_model(self, inputs=None):
        """Build the networks, the losses, and the lists of what is trained."""
        self.build_inputs(inputs)
        self.G = self.generator(self.z, self.y)
        self.g_stats = take_batch_stats()
        self.averages = ema.make(self.config)
        self.augment = Augmentation(self.config, self.key, self.index, self.team.size)
        self.augment_p = self.augment.p
        self.sampler_images = self.sampler(self.z, self.y)
        real, self.G_seen = self.augment(self.images, 0), self.augment(self.G, 1)
        self.D, self.D_logits = self.discriminator(real, self.y)
        self.d_stats_real = take_batch_stats()
        fake, y = wrong_labels.mix(self.config, real, self.G_seen, self.y)
        self.D_, self.D_logits_ = self.discriminator(fake, y, reuse=True)
        self.d_stats_fake = take_batch_stats()
        self.d_penalty = self.penalty(real, self.G_seen)
        self.build_losses()
        self.summary = summary.make(self)
        # not augment/p, which whoever draws by a checkpoint does not need
        self.variables = tf.global_variables('generator/|discriminator/|ema/')
        self.d_vars = tf.trainable_variables('discriminator/')
        self.g_vars = tf.trainable_variables('generator/')

    # --- the networks --------------------------------------------------------

    def generator(self, z, y=None, train=True, reuse=False, change=None):
        """Draw images [N, H, W, C] in [-1, 1] from z [N, z_dim] and labels y.

        The first map is a projection of z; each transposed convolution then doubles
        the size and halves the channels, but for the last, which makes the image.
        With `change`, convolution i takes change(i, its map [N, H, W, C]).
        """
        kernel, c_dim = self.config.kernel_size, self.config.c_dim
        sizes = self.sizes[::-1]
        channels = map_channels(len(sizes) - 1, self.config.gf_dim)[::-1] + [c_dim]
        with tf.variable_scope('generator', reuse=reuse, custom_getter=self.g_getter):
            height, width = sizes[0]
            h = linear(concat_label(z, y), height * width * channels[0],
                       name='g_h0_lin', bias=self.config.bias)
            h, biases = tf.reshape(h, [-1, height, width, channels[0]]), None
            for i in range(1, len(sizes)):
                h = tf.nn.relu(batch_norm(h, train, 'g_bn%d' % (i - 1), biases,
                                          self.team.moments))
                h = change(i, h) if change else h
                last = i == len(sizes) - 1
                h, biases = deconv2d(concat_label(h, y), sizes[i] + (channels[i],),
                                     kernel, name='g_h%d' % i,
                                     biases='apart' if last else self.before_norm)
            return tf.nn.tanh(tf.nn.bias_add(h, biases))

    def sampler(self, z, y=None, **more):
        """Draw with the same weights, batch norm by its moving averages.

        So an image depends on its own z alone, not on the rest of its batch. With
        --ema the weights are the moving averages of the generator's. `more` is what
        else the generator takes.
        """
        averaged = ema.getter(self.averages)
        with tf.variable_scope(tf.get_variable_scope(), custom_getter=averaged):
            return self.generator(z, y, train=False, reuse=True, **more)

    def discriminator(self, images, y=None, reuse=False, train=True, maps=None):
        """Return the probability [N, 1] that each image is real, and its logit.

        Without `train` batch norm goes by its moving averages, as whoever uses D to
        look at single images wants it. The map [N, H, W, C] that each convolution ends
        in is appended to the list `maps`, where there is one.
        """
        kernel = self.config.kernel_size
        channels = map_channels(len(self.sizes) - 1, self.config.df_dim)
        with tf.variable_scope('discriminator', reuse=reuse,
                               custom_getter=self.d_getter):
            h = images
            for i in range(len(channels)):
                h, name = concat_label(h, y), 'd_h%d_conv' % i
                if i > 0 and self.d_norm:
                    h, biases = conv2d(h, channels[i], kernel, name=name,
                                       biases=self.before_norm)
                    h = batch_norm(h, train, 'd_bn%d' % i, biases, self.team.moments)
                else:
                    h = conv2d(h, channels[i], kernel, name=name)
                h = lrelu(h)
                if maps is not None:
                    maps.append(h)
            logits = self.d_head(h, y, 'd_h%d_' % len(channels))
            return tf.nn.sigmoid(logits), logits

    def d_head(self, h, y, name):
        """Return D's logit [N, 1] from its last map [N, H, W, C]; see --d_head."""
        if self.config.d_head == 'conv':
            return conv2d_whole(concat_label(h, y), name=name + 'conv')
        if self.config.d_head == 'pool':
            h = tf.reduce_mean(h, [1, 2])
        else:
            h = tf.reshape(h, [-1, int(np.prod(h.shape.as_list()[1:]))])
        return linear(concat_label(h, y), 1, name=name + 'lin')

    # --- inputs and losses ---------------------------------------------------

    def build_inputs(self, inputs=None):
        """Take the inputs, or make placeholders; draw z by the seed and the step."""
        c = self.config
        self.images, self.y, self.step, self.z = inputs or self.placeholders()
        self.key = tf.stack([np.int64(c.seed), self.step])
        if not inputs:
            z = draw_z(c.z_dist, [tf.shape(self.images)[0], c.z_dim], self.key)
            self.z = tf.placeholder_with_default(z, [None, c.z_dim], name='z')
        self.index = self.step      # counts the batches of all workers
        if self.team.size > 1:      # this one counts those of each
            self.index = self.step // self.team.size

    def placeholders(self):
        """Return placeholders for images, y and step, and None for z."""
        c = self.config
        images = tf.placeholder(
            tf.float32, [None, c.output_height, c.output_width, c.c_dim], 'images')
        y = tf.placeholder(tf.float32, [None, c.y_dim], 'y') if c.y_dim else None
        return images, y, tf.placeholder_with_default(np.int64(0), [], 'step'), None

    def penalty(self, real, fake):
        """Return the weighted penalty on D's gradient, 0 without --penalty."""
        def discriminate(images):
            return self.discriminator(images, self.y, reuse=True)[1]
        return losses.penalty(self.config, discriminate, real, fake, self.key)

    def build_losses(self):
        """Build the losses, and D's accuracy on real and on generated images."""
        loss = self.config.loss
        self.d_loss_real, self.d_loss_fake, self.g_loss = losses.LOSSES[loss](
            self.D_logits, self.D_logits_, self.config.label_smoothing)
        self.d_loss = self.d_loss_real + self.d_loss_fake + self.d_penalty
        self.d_acc_real, self.d_acc_fake = losses.accuracies(
            loss, self.D_logits, self.D_logits_)
        self.scalars = {name: getattr(self, name) for name in (
            'd_loss_real', 'd_loss_fake', 'g_loss', 'd_acc_real', 'd_acc_fake')}

    # --- training ------------------------------------------------------------

    def build_optimizers(self):
        """Make d_optim and g_optim, then `updates`, which a training step runs.

        Each of the two also runs alone, and leaves the other network untouched.
        """
        c, before = self.config, self.team.last
        self.optimizers = [make_optimizer(c, rate or c.learning_rate)
                           for rate in (c.d_learning_rate, c.g_learning_rate)]
        self.d_optim = self.update_D()
        with self.team.waiting_for(before):     # not for d_optim, which may not run
            self.g_optim, _ = self.update_G(self.g_loss, self.g_stats)
        self.build_step()

    def update_D(self):
        """Return the op that updates D: its weights, its averages of batch norm.

        The averages take the real batch, then the generated one. `scalars` are from
        here on means over all workers. The share that --augment changes moves too.
        """
        with tf.variable_scope('d_optim'):
            train, means = self.team.minimize(
                self.optimizers[0], self.d_loss, self.d_vars, self.scalars.values())
            self.scalars = dict(zip(self.scalars, means))
            real = move_averages(self.d_stats_real)
            fake = move_averages(self.d_stats_fake, after=real)
            adapted = self.augment.adapt(self.scalars['d_acc_real'], self.images)
            bounded = getters.constrain(self.config, self.spectral_norm, self.d_vars,
                                        after=[train])
            return tf.group(train, *fake, *adapted, *bounded)

    def update_G(self, loss, stats):
        """Return the op that updates G by a loss, and the loss's mean over all workers.

        `stats` are batch norm's, of the images that the loss is of. With --ema, the
        averages that the sampler draws with follow.
        """
        with tf.variable_scope('g_optim'):
            train, (loss,) = self.team.minimize(self.optimizers[1], loss, self.g_vars,
                                                [loss])
            updates = [train] + move_averages(stats)
            followed = ema.follow(self.config, self.averages, self.index, updates)
            return tf.group(*updates, *followed), loss

    def build_step(self):
        """Make `updates`, the ops of a whole training step.

        `step_loss` is G's loss as the step's first update of G lowers it.
        """
        self.updates = self.d_optim, self.g_optim
        self.step_loss = self.scalars['g_loss']
        if self.config.updates == 'alternate':
            self.alternate()
        elif self.team.size > 1:    # what G exchanges waits for what D does
            self.updates = self.d_optim, self.update_G(self.g_loss, self.g_stats)[0]

    def alternate(self):
        """Let a step update D first, then G by the answers of the new D.

        The new D judges the images that G has drawn already. Each further update of G
        (--g_steps) draws the same z with G's new weights.

        What is built under control_dependencies reads the weights as they are after
        those updates. What was read before keeps the values of before.
        """
        done, seen, stats = self.d_optim, self.G_seen, self.g_stats
        if self.spectral_norm:
            self.spectral_norm.weights = {}     # D's new weights are divided anew
        for index in range(self.config.g_steps):
            with tf.control_dependencies([done]):
                if index:
                    seen = self.augment(self.generator(self.z, self.y, reuse=True), 1)
                    stats = take_batch_stats()
                _, logits = self.discriminator(seen, self.y, reuse=True)
                take_batch_stats()      # D's averages have moved already
                loss = losses.LOSSES[self.config.loss](self.D_logits, logits)[2]
                done, loss = self.update_G(loss, stats)
            if not index:
                self.step_loss = loss
        self.updates = done


HIDDEN = 128     # units of the MLP


class MLP(DCGAN):
    """A generator and a discriminator of one hidden layer each: --architecture mlp.

    With labels it is the conditional GAN of Mirza and Osindero, 2014, as tutorials
    train it on MNIST: z and y, or image and y, side by side.
    """

    def generator(self, z, y=None, train=True, reuse=False):
        """Draw images [N, H, W, C] in [-1, 1] from z [N, z_dim] and labels y."""
        c = self.config
        size = [c.output_height, c.output_width, c.c_dim]
        with tf.variable_scope('generator', reuse=reuse, custom_getter=self.g_getter):
            h = tf.nn.relu(linear(concat_label(z, y), HIDDEN, name='g_h0_lin'))
            h = linear(h, int(np.prod(size)), name='g_h1_lin')
            return tf.reshape(tf.nn.tanh(h), [-1] + size)

    def discriminator(self, images, y=None, reuse=False, train=True):
        """Return the probability [N, 1] that each image is real, and its logit.

        It has no batch norm: `train` makes no difference.
        """
        with tf.variable_scope('discriminator', reuse=reuse,
                               custom_getter=self.d_getter):
            h = tf.reshape(images, [-1, int(np.prod(images.shape.as_list()[1:]))])
            h = lrelu(linear(concat_label(h, y), HIDDEN, name='d_h0_lin'))
            logits = linear(h, 1, name='d_h1_lin')
            return tf.nn.sigmoid(logits), logits


ARCHITECTURES = {'dcgan': DCGAN, 'mlp': MLP}
