"""The variants: what each changes in the graph, the loss or the update."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import ops
from graph import augmentation, getters, losses
from model import ARCHITECTURES
from settings.errors import UserError

MLP = {'architecture': 'mlp', 'gf_dim': 32, 'df_dim': 32}    # widths are the defaults
REAL, FAKE = np.array([[2.0], [-0.5]], 'f'), np.array([[0.3], [-1.5]], 'f')


def build(config):
    model = ARCHITECTURES[config.architecture](config)
    model.build_optimizers()
    return model


def start():
    sess = tf.Session()
    sess.run(tf.global_variables_initializer())
    return sess


def feed(model, step=0):
    c = model.config
    images = np.random.RandomState(step).uniform(
        -1, 1, (c.batch_size, c.output_height, c.output_width, c.c_dim))
    values = {model.images: images, model.step: step}
    if model.y is not None:
        values[model.y] = np.eye(c.y_dim)[np.arange(c.batch_size) % c.y_dim]
    return values


def names(variables):
    return {v.op.name for v in variables}


# --- losses ------------------------------------------------------------------

def sigmoid(x):
    return 1 / (1 + np.exp(-x))


EXPECTED = {
    ('gan', 0): (-np.log(sigmoid(REAL)).mean(), -np.log(1 - sigmoid(FAKE)).mean(),
                 -np.log(sigmoid(FAKE)).mean()),
    ('gan', 0.1): ((-0.9 * np.log(sigmoid(REAL)) - 0.1 * np.log(1 - sigmoid(REAL))
                    ).mean(), -np.log(1 - sigmoid(FAKE)).mean(),
                   -np.log(sigmoid(FAKE)).mean()),
    # ((2-1)^2 + (-0.5-1)^2) / 4, (0.09 + 2.25) / 4, (0.49 + 6.25) / 4
    ('lsgan', 0): (0.8125, 0.585, 1.685),
    ('lsgan', 0.1): ((1.1 ** 2 + 1.4 ** 2) / 4, 0.585, 1.685),
    ('wgan', 0): (-0.75, -0.6, 0.6),
    # (0 + 1.5) / 2, (1.3 + 0) / 2
    ('hinge', 0): (0.75, 0.65, 0.6)}


@pytest.mark.parametrize('loss, smoothing', EXPECTED)
def test_losses_by_hand(graph, loss, smoothing):
    got = losses.LOSSES[loss](tf.constant(REAL), tf.constant(FAKE), smoothing)
    with tf.Session() as sess:
        assert sess.run(got) == pytest.approx(EXPECTED[loss, smoothing], rel=1e-5)


@pytest.mark.parametrize('loss', losses.LOSSES)
def test_the_model_takes_the_loss(graph, tiny_config, loss):
    model = build(tiny_config(loss=loss))
    with start() as sess:
        got, logits, logits_ = sess.run(
            [[model.d_loss_real, model.d_loss_fake, model.g_loss, model.d_loss],
             model.D_logits, model.D_logits_], feed(model))
        expected = sess.run(losses.LOSSES[loss](tf.constant(logits),
                                                tf.constant(logits_)))
        assert got == pytest.approx(expected + (expected[0] + expected[1],), rel=1e-5)


@pytest.mark.parametrize('loss, level', [('gan', 0), ('hinge', 0), ('lsgan', 0.5),
                                         ('wgan', 0.075)])
def test_what_counts_as_taken_for_real(graph, loss, level):
    level_ = losses.threshold(loss, tf.constant(REAL), tf.constant(FAKE))
    with tf.Session() as sess:
        assert sess.run(tf.identity(level_)) == pytest.approx(level, abs=1e-6)


def test_label_smoothing_reaches_the_loss(graph, tiny_config):
    model = build(tiny_config(label_smoothing=0.25))
    with start() as sess:
        loss, logits = sess.run([model.d_loss_real, model.D_logits], feed(model))
    expected = -0.75 * np.log(sigmoid(logits)) - 0.25 * np.log(1 - sigmoid(logits))
    assert loss == pytest.approx(expected.mean(), rel=1e-4)


# --- penalties ---------------------------------------------------------------

IMAGES = np.random.RandomState(0).randn(3, 4, 4, 2).astype('f')
DRAWN = np.random.RandomState(1).randn(3, 4, 4, 2).astype('f')
NOISE = [np.random.RandomState(2).rand(3, 1, 1, 1).astype('f'),
         np.random.RandomState(3).rand(3, 4, 4, 2).astype('f')]


def half_square(images):
    """D(x) = |x|^2 / 2, whose gradient is x itself."""
    return tf.reduce_sum(tf.square(images), [1, 2, 3])[:, None] / 2


def lengths(images):
    return np.sqrt((images ** 2).sum((1, 2, 3)))


@pytest.mark.parametrize('penalty, expected', [
    ('wgan-gp', ((lengths(IMAGES + NOISE[0] * (DRAWN - IMAGES)) - 1) ** 2).mean()),
    ('dragan', ((lengths(IMAGES + NOISE[0] * 0.5 * IMAGES.std() * NOISE[1]) - 1) ** 2
                ).mean()),
    ('r1', (lengths(IMAGES) ** 2).mean() / 2)])
def test_penalties_in_numpy(graph, penalty, expected):
    got = losses.PENALTIES[penalty](half_square, tf.constant(IMAGES),
                                    tf.constant(DRAWN), NOISE)
    with tf.Session() as sess:
        assert sess.run(got) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize('penalty, changes, place', [
    ('wgan-gp', {}, 0), ('dragan', {}, 2), ('r1', {}, 2), ('wgan-gp', MLP, 0)])
def test_a_penalty_is_in_ds_loss_and_its_gradient_is_right(graph, tiny_config, penalty,
                                                           changes, place):
    """The gradient by a weight, against a difference; D has no batch norm."""
    tf.set_random_seed(0)
    model = build(tiny_config(penalty=penalty, penalty_weight=3.0, batch_size=4,
                              **changes))
    assert not any('_bn' in name for name in names(model.d_vars))
    weight = model.d_vars[place]
    gradient, = tf.gradients(model.d_penalty, [weight])
    shift = tf.placeholder(tf.float32, weight.shape)
    move = weight.assign_add(shift)
    larger = [v.assign(v.read_value() * 8) for v in model.d_vars
              if getters.is_weight(v.op.name)]
    with start() as sess:
        sess.run(larger)        # so that differences stand out from rounding
        values = feed(model)
        parts, total, penalty_, slope = sess.run(
            [model.d_loss_real + model.d_loss_fake, model.d_loss, model.d_penalty,
             gradient], values)
        assert total == pytest.approx(parts + penalty_, rel=1e-5)
        assert penalty_ > 0
        ratios = []
        for length in (3e-3, 1e-3, 3e-4, 1e-4):
            step, ends = length * slope / np.sqrt((slope ** 2).sum()), []
            for sign in (1, -2, 1):
                sess.run(move.op, {shift: sign * step})
                ends.append(sess.run(model.d_penalty, values))
            ratios.append((ends[0] - ends[1]) / 2 / (slope * step).sum())
    # where lrelu bends within a step, the penalty jumps: not within all four
    assert min(abs(ratio - 1) for ratio in ratios) < 0.05


def test_wgan_without_a_penalty_clips_ds_weights(graph, tiny_config):
    model = build(tiny_config(loss='wgan'))
    with start() as sess:
        sess.run(model.d_optim, feed(model))
        assert all(np.abs(v).max() <= getters.CLIP for v in sess.run(model.d_vars))
        assert max(np.abs(v).max() for v in sess.run(model.g_vars)) > 0.5


def test_wgan_with_a_penalty_does_not_clip(graph, tiny_config):
    model = build(tiny_config(loss='wgan', penalty='wgan-gp'))
    with start() as sess:
        sess.run(model.d_optim, feed(model))
        assert max(np.abs(v).max() for v in sess.run(model.d_vars)) > getters.CLIP


# --- how variables are made ----------------------------------------------------

def test_xavier_starts_weights_as_glorot_and_gamma_at_1(graph, tiny_config):
    model = build(tiny_config(init='xavier', gf_dim=32, df_dim=32))
    values = {v.op.name: v for v in model.d_vars + model.g_vars}
    with start() as sess:
        values = sess.run(values)
    for name in ('discriminator/d_h1_conv/w', 'generator/g_h1/w'):
        k, _, a, b = values[name].shape
        limit = np.sqrt(6 / (k * k * (a + b)))
        assert 0.97 * limit < np.abs(values[name]).max() <= limit
        assert values[name].std() == pytest.approx(limit / np.sqrt(3), rel=0.03)
    assert (values['generator/g_bn0/gamma'] == 1).all()
    assert (values['discriminator/d_bn1/gamma'] == 1).all()


def test_dcgan_starts_gamma_around_1(graph, tiny_config):
    model = build(tiny_config(gf_dim=64))
    gamma = next(v for v in model.g_vars if v.op.name.endswith('g_bn0/gamma'))
    with start() as sess:
        assert sess.run(gamma).std() == pytest.approx(0.02, rel=0.3)


def test_without_bias_only_layers_before_batch_norm_lose_theirs(graph, tiny_config):
    with_bias = names(build(tiny_config(bias=True)).variables)
    with tf.Graph().as_default():
        without = names(build(tiny_config(bias=False)).variables)
    assert with_bias - without == {'discriminator/d_h1_conv/biases',
                                   'generator/g_h0_lin/bias', 'generator/g_h1/biases'}
    assert not without - with_bias


def test_bias_before_batch_norm_changes_no_image(graph, tiny_config):
    """Batch norm takes them away again: with any biases the images are the same."""
    model = build(tiny_config(bias=True))
    biases = next(v for v in model.g_vars if v.op.name == 'generator/g_h1/biases')
    moving = next(v for v in model.variables
                  if v.op.name == 'generator/g_bn1/moving_mean')
    shift = np.arange(4, dtype='f')
    with start() as sess:
        before = sess.run([model.G, model.sampler_images], feed(model))
        sess.run([biases.assign(shift), moving.assign_add(shift)])
        after = sess.run([model.G, model.sampler_images], feed(model))
        mean = sess.run(model.g_stats[2][1], feed(model))
        sess.run(biases.assign(0 * shift))
        np.testing.assert_allclose(sess.run(model.g_stats[2][1], feed(model)) + shift,
                                   mean, atol=1e-5)
    np.testing.assert_allclose(after[0], before[0], atol=1e-6)
    np.testing.assert_allclose(after[1], before[1], atol=1e-5)


def test_spectral_norm_divides_by_the_largest_singular_value(graph, tiny_config):
    model = build(tiny_config(spectral_norm=True, updates='together'))
    normed = model.spectral_norm.weights
    raw = {v.op.name: v for v in model.d_vars}
    assert set(normed) == {n for n in raw if getters.is_weight(n)}
    assert not any('_bn' in name for name in raw)
    assert not any(name.endswith('_u') for name in raw)
    updates = model.spectral_norm.updates()
    with start() as sess:
        for _ in range(100):
            sess.run(updates)
        for name, weights in sess.run(normed).items():
            matrix = weights.reshape(-1, weights.shape[-1])
            assert np.linalg.svd(matrix)[1][0] == pytest.approx(1, abs=0.02)
            whole = sess.run(raw[name]).reshape(matrix.shape)
            np.testing.assert_allclose(
                matrix, whole / np.linalg.svd(whole)[1][0], rtol=0.03, atol=1e-6)


def test_spectral_norms_vector_moves_with_d_optim_alone(graph, tiny_config):
    model = build(tiny_config(spectral_norm=True))
    u = next(v for v in model.variables if v.op.name.endswith('_u'))
    with start() as sess:
        first = sess.run(u)
        sess.run(model.g_optim, feed(model))
        assert (sess.run(u) == first).all()
        sess.run(model.d_optim, feed(model))
        assert (sess.run(u) != first).any()


# --- D's head, kernels, sizes ----------------------------------------------------

def last_weight(model):
    return [v for v in model.d_vars if getters.is_weight(v.op.name)][-1]


def test_conv_head_is_the_dense_layer_without_its_bias(graph, tiny_config):
    model = build(tiny_config(d_head='conv'))
    weight = last_weight(model)
    assert weight.op.name == 'discriminator/d_h2_conv/w'
    assert weight.shape.as_list() == [4, 4, 8, 1]
    h = tf.random.stateless_normal([2, 4, 4, 8], [1, 2])
    with tf.variable_scope('discriminator', reuse=True):
        logits = model.d_head(h, None, 'd_h2_')
    with start() as sess:
        h, w, logits = sess.run([h, weight, logits])
    np.testing.assert_allclose(logits, h.reshape(2, -1) @ w.reshape(-1, 1), atol=1e-5)


def test_pool_head_is_a_dense_layer_of_the_mean(graph, tiny_config):
    model = build(tiny_config(d_head='pool'))
    weight = last_weight(model)
    assert weight.op.name == 'discriminator/d_h2_lin/Matrix'
    assert weight.shape.as_list() == [8, 1]
    h = tf.random.stateless_normal([2, 4, 4, 8], [1, 2])
    with tf.variable_scope('discriminator', reuse=True):
        logits = model.d_head(h, None, 'd_h2_')
    with start() as sess:
        h, w, logits = sess.run([h, weight, logits])
    np.testing.assert_allclose(logits, h.mean((1, 2)) @ w, atol=1e-5)


LABELS = {'classes': ('a', 'b', 'c')}


@pytest.mark.parametrize('changes', [
    dict(LABELS, d_head='conv', kernel_size=3), dict(LABELS, d_head='pool'),
    {'spectral_norm': True, 'loss': 'hinge', 'optimizer': 'sgd', 'momentum': 0.9},
    {'augment': 'color,translation,cutout', 'augment_target': 0}, dict(LABELS, **MLP),
    dict(LABELS, penalty='r1', ema=0.9, init='xavier')])
def test_a_step_of_each_changes_both_networks(graph, tiny_config, changes):
    model = build(tiny_config(**changes))
    weights = [last_weight(model), model.g_vars[0]]
    with start() as sess:
        before = sess.run(weights)
        loss, _, _ = sess.run([model.d_loss, model.d_optim, model.g_optim],
                              feed(model))
        after = sess.run(weights)
        images = sess.run(model.sampler_images, feed(model))
    assert np.isfinite(loss) and np.abs(images).max() <= 1
    assert all((a != b).any() for a, b in zip(before, after))


@pytest.mark.parametrize('size, layers', [(32, 3), (64, 4), (128, 5), (256, 6)])
def test_depth_follows_the_size(graph, tiny_config, size, layers):
    model = ARCHITECTURES['dcgan'](tiny_config(output_height=size, output_width=size))
    kernels = [v for v in model.g_vars if v.op.name.endswith('/w')]
    assert len(kernels) == layers
    assert model.G.shape.as_list() == [None, size, size, 3]


# --- optimizers ------------------------------------------------------------------

def test_sgd_moves_against_the_gradient(graph, tiny_config):
    momentum = 0.5
    model = build(tiny_config(optimizer='sgd', momentum=momentum, learning_rate=0.1))
    weight = last_weight(model)
    gradient, = tf.gradients(model.d_loss, [weight])
    with start() as sess:
        values, gone = feed(model), 0
        for _ in range(2):
            before, slope = sess.run([weight, gradient], values)
            gone = momentum * gone + slope
            sess.run(model.d_optim, values)
            np.testing.assert_allclose(sess.run(weight), before - 0.1 * gone, atol=1e-6)


def test_learning_rates_of_d_and_g_apart(graph, tiny_config):
    """Adam's first step is as long as its learning rate."""
    model = build(tiny_config(learning_rate=0.5, d_learning_rate=0.01,
                              g_learning_rate=0.03))
    weights = [last_weight(model), model.g_vars[0]]
    with start() as sess:
        before = sess.run(weights)
        sess.run([model.d_optim, model.g_optim], feed(model))
        moved = [np.median(np.abs(a - b)) for a, b in zip(before, sess.run(weights))]
    assert moved == pytest.approx([0.01, 0.03], rel=0.02)


def test_adam_is_the_default_with_beta1(tiny_config):
    optimizer = ops.make_optimizer(tiny_config(beta1=0.25, beta2=0.75), 0.1)
    assert isinstance(optimizer, tf.train.AdamOptimizer)
    assert (optimizer._beta1, optimizer._beta2) == (0.25, 0.75)


# --- augmentation ------------------------------------------------------------------

def augmented(names, seed=0):
    images = tf.random.stateless_uniform([6, 16, 16, 3], [3, 4], -1, 1)
    changed = augmentation.augment(images, names, tf.constant([seed, 7], tf.int64))
    gradient, = tf.gradients(tf.reduce_sum(changed), images)
    with tf.Session() as sess:
        return sess.run([images, changed, gradient])


@pytest.mark.parametrize('name', ['color', 'translation', 'cutout'])
def test_augmentations_are_functions_of_their_key(graph, name):
    images, changed, gradient = augmented([name])
    assert changed.shape == images.shape and (changed != images).any()
    assert (augmented([name])[1] == changed).all()
    assert (augmented([name], seed=1)[1] != changed).any()
    assert np.abs(gradient).max() > 0


def test_translation_moves_by_an_eighth_at_most_and_fills_with_black(graph):
    images, changed, _ = augmented(['translation'])
    offsets = set()
    for image, moved in zip(images, changed):
        fits = []
        for dy in range(-2, 3):
            for dx in range(-2, 3):
                wide = np.pad(image, ((2, 2), (2, 2), (0, 0)), constant_values=-1)
                if np.allclose(moved, wide[2 - dy:18 - dy, 2 - dx:18 - dx], atol=1e-5):
                    fits.append((dy, dx))
        assert len(fits) == 1
        offsets.update(fits)
    assert len(offsets) > 2


def test_cutout_blanks_half_of_each_side_at_most(graph):
    images, changed, _ = augmented(['cutout'])
    for image, cut in zip(images, changed):
        blank = (cut == 0).all(-1)
        assert (cut[~blank] == image[~blank]).all()
        assert blank.any(1).sum() <= 8 and blank.any(0).sum() <= 8
        assert blank.sum() == blank.any(1).sum() * blank.any(0).sum() > 0


def test_color_keeps_the_order_of_pixels_of_a_gray_image(graph):
    image = tf.tile(tf.reshape(tf.linspace(-1.0, 1.0, 64), [1, 8, 8, 1]), [4, 1, 1, 3])
    changed = augmentation.color(image, tf.constant([1, 2], tf.int64))
    with tf.Session() as sess:
        a, b = sess.run([image, changed])
    for before, after in zip(a, b):
        slope = np.diff(after.ravel()[::3]) / np.diff(before.ravel()[::3])
        assert slope.std() < 1e-3 and 0.5 <= slope.mean() < 1.5


def test_d_sees_both_halves_augmented_and_g_learns_through_it(graph, tiny_config):
    model = build(tiny_config(augment='translation,cutout', augment_target=0))
    plain, = tf.gradients(model.g_loss, [model.G])
    with start() as sess:
        gradient = sess.run(plain, feed(model))
    assert (gradient == 0).any() and (gradient != 0).any()      # cut out, and seen


def test_d_sees_all_images_moved_after_some_thousand_steps(graph, tiny_config):
    d_steps = 3
    after = 1500
    model = build(tiny_config(d_steps=d_steps, augment_target=0, augment_after=after))
    seen = model.augment(model.images, 0)
    last, first = ({model.step: d_steps * step} for step in (after - 1, after))
    with start() as sess:
        images, still = sess.run([model.images, seen], {**feed(model), **last})
        moved = sess.run(seen, {**feed(model), **first})
    assert (images == still).all() and np.abs(images - moved).max() > 0.1
    known = np.append(images, -1)       # what comes in is black
    assert np.abs(moved.reshape(-1, 1) - known).min(1).max() < 1e-6


def test_d_sees_a_share_of_the_images_moved(graph, tiny_config):
    share = 0.4
    model = build(tiny_config())
    seen, unmoved = model.augment(model.images, 0), 0
    with start() as sess:
        model.augment.share.load(share, sess)
        for step in range(25):
            images, moved = sess.run([model.images, seen],
                                     {**feed(model), model.step: step})
            unmoved += (images == moved).all((1, 2, 3)).mean() / 25
    assert 1 - share - 0.15 < unmoved < 1 - share + 0.15     # a few stay in place


@pytest.mark.parametrize('updates', ['together', 'alternate'])
def test_the_share_follows_how_many_real_images_d_knows(graph, tiny_config, updates):
    model = build(tiny_config(updates=updates))
    with start() as sess:
        for share, right, becomes in ((0.5, 1.0, 0.5 + 8e-5), (0.5, 0.9, 0.5 - 8e-5),
                                      (0.0, 0.0, 0.0), (0.8, 1.0, 0.8)):
            model.augment.share.load(share, sess)
            sess.run(model.updates, {**feed(model), model.d_acc_real: right})
            assert sess.run(model.augment.share) == pytest.approx(becomes, abs=1e-6)
        sess.run(model.g_optim, {**feed(model), model.d_acc_real: 0.0})
        assert sess.run(model.augment.share) == pytest.approx(0.8, abs=1e-6)


def test_without_augmentation_d_sees_the_images(graph, tiny_config):
    model = build(tiny_config(augment='none'))
    assert model.augment(model.images, 0) is model.images


# --- flags -------------------------------------------------------------------------

@pytest.mark.parametrize('changes, message', [
    ({'augment': 'colour'}, "'colour'; expected some of color, translation, cutout"),
    ({'augment': ''}, "--augment is ''"), ({'momentum': 0.9}, '--beta1'),
    ({'penalty_weight': 3.0}, '--penalty_weight 3 is of a --penalty'),
    ({'augment': 'none', 'augment_after': 7}, '--augment_after 7 is of an --augment'),
    ({'loss': 'wgan', 'label_smoothing': 0.1}, 'take gan or lsgan'),
    ({'wrong_labels': 0.3}, '--wrong_labels 0.3 is of labels, and none are learned'),
    ({'wrong_labels': 0.3, 'classes': ('a',), 'loss': 'wgan'}, 'not for --loss wgan'),
    ({'augment': 'color,'}, 'expected some of'),
    ({'architecture': 'mlp', 'd_head': 'conv'}, 'no effect on --architecture mlp')])
def test_contradicting_variants_are_refused(tiny_config, changes, message):
    with pytest.raises(UserError, match=message):
        tiny_config(**changes)
