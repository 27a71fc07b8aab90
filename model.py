"""DCGAN: the graph. No session, no files.

Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep
Convolutional Generative Adversarial Networks", 2016, with carpedm20's names.
"""

import numpy as np
import tensorflow.compat.v1 as tf

from graph import augmentation, getters, losses
from graph.alone import Alone
from graph.convolution import has_gpu
from graph.maps import map_channels, map_sizes
from ops import (
    batch_norm,
    concat_label,
    conv2d,
    deconv2d,
    draw_z,
    linear,
    lrelu,
    make_optimizer,
    move_averages,
    take_batch_stats,
)

RAMP = 100000           # images in which --augment_target goes from none changed to all
MOST_AUGMENTED = 0.8    # beyond it G may draw changed images (Karras et al., 2020)


class DCGAN:
    """Generator, sampler, discriminator, losses, variable lists; then the optimizers.

    Placeholders: `images` float32 [N, H, W, C] in [-1, 1]; `y` float32 [N, y_dim],
    None without labels; `step`, int64, keys the noise; `z` float32 [N, z_dim], drawn
    from (seed, step) where it is not fed. Whoever has tensors in their place gives
    them as `inputs`, in this order. `team` is who trains these networks together.

    With `weights`, {name: array}, it is the sampler alone, with these as constants: see
    build_sampler.
    """

    def __init__(self, config, inputs=None, team=None, weights=None):
        self.config, self.team = config, team or Alone()
        self.sizes = map_sizes(config.output_height, config.output_width)
        self.choose_variants()
        if weights is None:
            self.build_model(inputs)
        else:
            self.build_sampler(weights)

    def choose_variants(self):
        """Decide what the variants change: how variables are made, and D's batch norm.

        D has none where one image's logit or gradient must not depend on the others.
        """
        c = self.config
        initial = [getters.xavier] if c.init == 'xavier' else []
        narrow = [getters.bfloat16] if c.precision == 'bfloat16' and has_gpu() else []
        self.spectral_norm = getters.SpectralNorm() if c.spectral_norm else None
        self.g_getter = getters.compose(narrow + initial)
        self.d_getter = getters.compose(
            narrow + ([self.spectral_norm] if c.spectral_norm else []) + initial)
        self.d_norm = c.penalty == 'none' and not c.spectral_norm
        self.before_norm = 'apart' if c.bias else 'none'

    def build_model(self, inputs=None):
        """Build the networks, the losses, and the lists of what is trained."""
        self.build_inputs(inputs)
        self.G = self.generator(self.z, self.y)
        self.g_stats = take_batch_stats()
        self.build_averages()
        self.build_augment_p()
        self.sampler_images = self.sampler(self.z, self.y)
        real, self.G_seen = self.augment(self.images, 0), self.augment(self.G, 1)
        self.D, self.D_logits = self.discriminator(real, self.y)
        self.d_stats_real = take_batch_stats()
        self.D_, self.D_logits_ = self.discriminator(self.G_seen, self.y, reuse=True)
        self.d_stats_fake = take_batch_stats()
        self.d_penalty = self.penalty(real, self.G_seen)
        self.build_losses()
        # not augment/p, which whoever draws by a checkpoint does not need
        self.variables = tf.global_variables('generator/|discriminator/|ema/')
        self.d_vars = tf.trainable_variables('discriminator/')
        self.g_vars = tf.trainable_variables('generator/')

    def build_sampler(self, weights):
        """Build the generator alone, to draw with: z and y in, `sampler_images` out.

        There is no variable, no D and no other placeholder. Raises ValueError where a
        weight is missing or of another shape.
        """
        c = self.config
        self.variables, self.averages = [], {}
        self.g_getter = getters.constants(weights)
        self.z = tf.placeholder(tf.float32, [None, c.z_dim], 'z')
        self.y = tf.placeholder(tf.float32, [None, c.y_dim], 'y') if c.y_dim else None
        self.sampler_images = tf.identity(
            self.generator(self.z, self.y, train=False), 'images')

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
        def averaged(getter, name, *args, **kwargs):
            variable = getter(name, *args, **kwargs)
            return self.averages.get(name, (variable, variable))[1]

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
                    h = batch_norm(h, train, 'd_bn%d' % i, biases,
                                   self.team.moments)
                else:
                    h = conv2d(h, channels[i], kernel, name=name)
                h = lrelu(h)
                if maps is not None:
                    maps.append(h)
            logits = self.d_head(h, y, 'd_h%d_' % len(channels))
            return tf.nn.sigmoid(logits), logits

    def d_head(self, h, y, name):
        """Return D's logit [N, 1] from its last map [N, H, W, C]; see --d_head."""
        height, width, channels = h.shape.as_list()[1:]
        if self.config.d_head == 'conv':
            h = concat_label(h, y)
            with tf.variable_scope(name + 'conv'):
                w = tf.get_variable(
                    'w', [height, width, int(h.shape[3]), 1],
                    initializer=tf.random_normal_initializer(stddev=0.02))
                logits = tf.nn.conv2d(tf.cast(h, w.dtype), w, strides=[1, 1, 1, 1],
                                      padding='VALID')
            return tf.reshape(tf.cast(logits, h.dtype), [-1, 1])
        if self.config.d_head == 'pool':
            h = tf.reduce_mean(h, [1, 2])
        else:
            h = tf.reshape(h, [-1, height * width * channels])
        return linear(concat_label(h, y), 1, name=name + 'lin')

    def build_inputs(self, inputs=None):
        """Take the inputs, or make placeholders; draw z by the seed and the step."""
        c = self.config
        self.images, self.y, self.step, self.z = inputs or self.placeholders()
        self.key = tf.stack([np.int64(c.seed), self.step])
        if not inputs:
            z = draw_z(c.z_dist, [tf.shape(self.images)[0], c.z_dim], self.key)
            self.z = tf.placeholder_with_default(z, [None, c.z_dim], name='z')
        self.index = self.step      # the same for all batches of a step
        if self.team.size > 1:
            self.index = self.step // self.team.size

    def placeholders(self):
        """Return placeholders for images, y and step, and None for z."""
        c = self.config
        images = tf.placeholder(
            tf.float32, [None, c.output_height, c.output_width, c.c_dim], 'images')
        y = tf.placeholder(tf.float32, [None, c.y_dim], 'y') if c.y_dim else None
        return images, y, tf.placeholder_with_default(np.int64(0), [], 'step'), None

    def build_averages(self):
        """Make the moving average of each of the generator's variables, with --ema.

        `averages` maps a variable's name to it and its average, which starts with the
        same value.
        """
        self.averages = {}
        if self.config.ema:
            for v in tf.global_variables('generator/'):
                self.averages[v.op.name] = v, tf.get_variable(
                    'ema/' + v.op.name, initializer=v.initial_value, trainable=False)

    def build_augment_p(self):
        """Make the share of the images that --augment changes, with --augment_target.

        `augment_p` is its value before the step; see adapt_augment_p.
        """
        self.augment_p = tf.ones([])
        if self.adaptive:
            with tf.variable_scope('augment'):
                self.augment_share = tf.get_variable(
                    'p', [], initializer=tf.zeros_initializer(), trainable=False)
            self.augment_p = self.augment_share.read_value()

    @property
    def adaptive(self):
        """Whether --augment changes as many images as D needs, not all of them."""
        return self.config.augment != 'none' and self.config.augment_target > 0

    def augment(self, images, which):
        """Return images as D sees them: with --augment, some of them changed.

        Each with the probability augment_p, from the first step after --augment_after
        on; before it, as they are. `which` keeps the draws of two calls apart.
        """
        c = self.config
        if c.augment == 'none':
            return images
        seed = self.key + [(which + 1) << 50, 0]
        draw = tf.random.stateless_uniform([tf.shape(images)[0]], seed + [0, 1])
        begun = self.index >= c.augment_after * c.d_steps

        def change(share):
            return tf.where(draw < share, augmentation.augment(
                images, c.augment.split(','), seed), images)
        if has_gpu():       # which is faster than the processor can branch for it
            return change(self.augment_p * tf.cast(begun, tf.float32))
        return tf.cond(tf.logical_and(begun, self.augment_p > 0),
                       lambda: change(self.augment_p), lambda: tf.identity(images))

    def adapt_augment_p(self):
        """Return the op that changes more images where D is surer than its target.

        Karras et al., 2020, "Training generative adversarial networks with limited
        data", section 3: D that knows its real images by heart calls more and more of
        them real. The share rises where more than --augment_target of a batch are, and
        falls where fewer are, at most from 0 to 1 in RAMP images.
        """
        rise = tf.sign(self.scalars['d_acc_real'] - self.config.augment_target)
        images = tf.cast(tf.shape(self.images)[0], tf.float32)
        return self.augment_share.assign(
            tf.clip_by_value(self.augment_p + rise * images / (RAMP / self.team.size),
                             0, MOST_AUGMENTED))

    def penalty(self, real, fake):
        """Return the weighted penalty on D's gradient, 0 without --penalty."""
        if self.config.penalty == 'none':
            return tf.zeros([])
        shape = tf.shape(real)
        noise = [tf.random.stateless_uniform(size, self.key + [(i + 1) << 60, 0])
                 for i, size in enumerate(([shape[0], 1, 1, 1], shape))]
        return self.config.penalty_weight * losses.PENALTIES[self.config.penalty](
            lambda images: self.discriminator(images, self.y, reuse=True)[1],
            real, fake, noise)

    def build_losses(self):
        """Build the losses, D's accuracy on either half, and the summaries."""
        c = self.config
        self.d_loss_real, self.d_loss_fake, self.g_loss = losses.LOSSES[c.loss](
            self.D_logits, self.D_logits_, c.label_smoothing)
        self.d_loss = self.d_loss_real + self.d_loss_fake + self.d_penalty
        real = losses.threshold(c.loss, self.D_logits, self.D_logits_)
        self.d_acc_real = tf.reduce_mean(tf.cast(self.D_logits > real, tf.float32))
        self.d_acc_fake = tf.reduce_mean(tf.cast(self.D_logits_ <= real, tf.float32))
        self.scalars = {name: getattr(self, name) for name in (
            'd_loss_real', 'd_loss_fake', 'g_loss', 'd_acc_real', 'd_acc_fake')}
        self.summary = tf.summary.merge(
            [tf.summary.scalar(name, value) for name, value in
             sorted(dict(self.scalars, d_loss=self.d_loss, d_penalty=self.d_penalty,
                         augment_p=self.augment_p).items())]
            + [tf.summary.histogram('z', self.z), tf.summary.histogram('d', self.D),
               tf.summary.histogram('d_', self.D_)])

    def build_optimizers(self):
        """Make d_optim and g_optim, then what build_step makes of them.

        Each of the two also runs alone, and leaves the other network untouched. With
        d_optim, D's moving averages take the real batch, then the generated one; with
        g_optim, G's move.
        """
        c, before = self.config, self.team.last
        self.optimizers = [self.make_optimizer(rate)
                           for rate in (c.d_learning_rate, c.g_learning_rate)]
        self.d_optim = self.update_D()
        after, self.team.last = self.team.last, before
        self.g_optim, _ = self.update_G(self.g_loss, self.g_stats)
        self.team.last = after
        self.build_step()

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
        (--g_steps) draws the same z with G's new weights. What is built under
        control_dependencies reads the variables after the updates there; what was read
        from a resource variable before stays as it was read.
        """
        done, seen, stats = self.d_optim, self.G_seen, self.g_stats
        if self.config.spectral_norm:
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

    def make_optimizer(self, learning_rate):
        """Return the optimizer of one network, with its own learning rate if it has."""
        return make_optimizer(self.config, learning_rate or self.config.learning_rate)

    def minimize(self, optimizer, loss, var_list, scalars):
        """Return the optimizer's update of `var_list`, and the scalars.

        Of several workers both are by means over all. Without a gate, which would make
        all gradients of an operation wait for each other, and so compute those of D's
        weights for G's loss too.
        """
        gradients, variables = zip(*optimizer.compute_gradients(
            loss, var_list, gate_gradients=tf.train.Optimizer.GATE_NONE))
        gradients, scalars = self.team.average(gradients, scalars)
        return optimizer.apply_gradients(list(zip(gradients, variables))), scalars

    def update_D(self):
        """Return the op that updates D, its moving averages and the share augmented.

        `scalars` are then means over all workers.
        """
        with tf.variable_scope('d_optim'):
            train, means = self.minimize(self.optimizers[0], self.d_loss, self.d_vars,
                                         list(self.scalars.values()))
            self.scalars = dict(zip(self.scalars, means))
            real = move_averages(self.d_stats_real)
            fake = move_averages(self.d_stats_fake, after=real)
            adapted = [self.adapt_augment_p()] if self.adaptive else []
            return tf.group(train, *fake, *adapted, *self.constrain([train]))

    def update_G(self, loss, stats):
        """Return the op that updates G by a loss, and its averages; and that loss."""
        with tf.variable_scope('g_optim'):
            train, (loss,) = self.minimize(self.optimizers[1], loss, self.g_vars,
                                           [loss])
            updates = [train] + move_averages(stats)
            return tf.group(*updates, *self.follow(updates)), loss

    def constrain(self, updates):
        """Return ops that hold D in bounds after `updates`, as its variants ask."""
        c = self.config
        if c.spectral_norm:
            return self.spectral_norm.updates()
        with tf.control_dependencies(updates):
            clipped = c.loss == 'wgan' and c.penalty == 'none'
            return getters.clip(self.d_vars) if clipped else []

    def follow(self, updates):
        """Return ops that move --ema's averages after `updates` of the generator.

        With --ema_rampup their half-life is that share of G's updates so far, up to
        that of --ema: an average over the last part of the training, however long it
        is (Karras et al., 2020, StyleGAN2-ADA). Without it they follow faster early on.
        """
        c, step = self.config, tf.cast(self.index, tf.float32) + 1
        early = step / (9 + step)
        if c.ema_rampup:
            early = 0.5 ** (c.d_steps / (c.ema_rampup * c.g_steps * step))
        decay = tf.minimum(float(c.ema), early)
        with tf.control_dependencies(updates):
            return [average.assign_sub((1 - decay) * (average - weights.read_value()))
                    for weights, average in self.averages.values()]


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
