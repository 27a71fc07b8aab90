"""The graph: names, shapes, ranges, and what each update changes."""

import os

import numpy as np
import pytest
import reference
import tensorflow.compat.v1 as tf

import model as models
from model import DCGAN
from settings import parser
from settings.config import Config

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def batch(config, n=None, seed=0):
    """Return random images and labels (or None) for a config."""
    rng = np.random.RandomState(seed)
    n = n or config.batch_size
    images = rng.uniform(-1, 1, (n, config.output_height, config.output_width,
                                 config.c_dim)).astype('f')
    y = np.eye(config.y_dim, dtype='f')[rng.randint(0, config.y_dim, n)] \
        if config.y_dim else None
    return images, y


def feed(model, n=None, seed=0, step=0):
    images, y = batch(model.config, n, seed)
    values = {model.images: images, model.step: step}
    if y is not None:
        values[model.y] = y
    return values


def build(config):
    model = DCGAN(config)
    model.build_optimizers()
    return model


def session():
    sess = tf.Session()
    sess.run(tf.global_variables_initializer())
    return sess


# --- names and shapes --------------------------------------------------------

def test_variables_are_carpedm20s(graph):
    model = DCGAN(Config.make(parser.parse_flags(
        ['--flagfile', os.path.join(ROOT, 'configs', 'carpedm20.flags')]), {}))
    ours = ['%s %s' % (v.op.name, v.shape.as_list()) for v in model.variables]
    with open(os.path.join(HERE, 'carpedm20-celebA-variables.txt')) as file:
        assert sorted(ours) == file.read().splitlines()


def test_reference_has_carpedm20s_variables_too():
    with open(os.path.join(HERE, 'carpedm20-celebA-variables.txt')) as file:
        assert sorted('%s %s' % item for item in reference.variable_shapes(64).items()
                      ) == file.read().splitlines()


def test_sampler_and_second_discriminator_add_no_variable(graph, tiny_config):
    model = DCGAN(tiny_config())
    before = tf.global_variables()
    model.sampler(model.z)
    model.discriminator(model.images, reuse=True)
    assert tf.global_variables() == before
    assert len({v.name for v in before}) == len(before)


def test_variable_lists_are_by_scope_and_complete(graph, tiny_config):
    model = build(tiny_config())
    assert all(v.name.startswith('discriminator/d_') for v in model.d_vars)
    assert all(v.name.startswith('generator/g_') for v in model.g_vars)
    trainable = {v.name for v in tf.trainable_variables()}
    assert {v.name for v in model.d_vars + model.g_vars} == trainable
    assert not any('moving' in v.name for v in model.d_vars + model.g_vars)


@pytest.mark.parametrize('size, maps', [
    ((64, 64), [64, 32, 16, 8, 4]), ((28, 28), [28, 14, 7, 4]), ((7, 7), [7, 4]),
    ((128, 128), [128, 64, 32, 16, 8, 4]), ((13, 13), [13, 7, 4])])
def test_maps_halve_rounding_up_down_to_4(size, maps):
    assert models.map_sizes(*size) == [(side, side) for side in maps]


def test_maps_of_a_rectangle_stop_by_the_smaller_side():
    assert models.map_sizes(33, 47) == [(33, 47), (17, 24), (9, 12), (5, 6)]
    assert models.map_sizes(96, 160)[-1] == (6, 10)


def test_too_small_an_image_is_refused():
    with pytest.raises(ValueError, match='6 x 64'):
        models.map_sizes(6, 64)


def test_channels_double_up_to_eightfold():
    assert models.map_channels(6, 10) == [10, 20, 40, 80, 80, 80]


ABC = ('a', 'b', 'c')


@pytest.mark.parametrize('kernel, size, c_dim, classes', [
    (4, (16, 16), 3, ()), (4, (28, 28), 1, ABC), (4, (33, 47), 3, ABC),
    (5, (24, 40), 1, ()), (5, (33, 47), 3, ()), (5, (7, 9), 3, ABC)])
def test_any_size_channels_labels_and_batch(graph, tiny_config, kernel, size, c_dim,
                                            classes):
    config = tiny_config(output_height=size[0], output_width=size[1], c_dim=c_dim,
                         kernel_size=kernel, classes=classes)
    model = DCGAN(config)
    with session() as sess:
        for n in (1, 5):
            G, sampled, D, D_ = sess.run(
                [model.G, model.sampler_images, model.D, model.D_], feed(model, n))
            assert G.shape == sampled.shape == (n,) + size + (c_dim,)
            assert D.shape == D_.shape == (n, 1)
            assert -1 <= G.min() < G.max() <= 1
            assert 0 <= D.min() <= D.max() <= 1


def test_labels_reach_every_layer(graph, tiny_config):
    config = tiny_config(output_height=28, classes=tuple('0123456789'), z_dim=8)
    shapes = {v.op.name: v.shape.as_list() for v in DCGAN(config).variables}
    assert shapes['generator/g_h0_lin/Matrix'] == [18, 4 * 4 * 16]
    assert shapes['generator/g_h1/w'] == [4, 4, 8, 26]
    assert shapes['generator/g_h3/w'] == [4, 4, 3, 14]
    assert shapes['discriminator/d_h0_conv/w'] == [4, 4, 13, 4]
    assert shapes['discriminator/d_h2_conv/w'] == [4, 4, 18, 16]
    assert shapes['discriminator/d_h3_conv/w'] == [4, 4, 26, 1]


def test_a_label_changes_the_image_and_the_verdict(graph, tiny_config):
    model = DCGAN(tiny_config(classes=('a', 'b')))
    images, _ = batch(model.config, 1)
    z = np.ones((1, 8), 'f')
    with session() as sess:
        (image_a, logit_a), (image_b, logit_b) = (
            sess.run([model.sampler_images, model.D_logits],
                     {model.z: z, model.images: images, model.y: [y]})
            for y in ([1, 0], [0, 1]))
    assert not np.allclose(image_a, image_b)
    assert not np.allclose(logit_a, logit_b)


# --- what is computed --------------------------------------------------------

def test_sampler_is_carpedm20s_network_in_numpy(graph, tiny_config):
    values = reference.random_values(reference.variable_shapes(4, z_dim=8))
    model = DCGAN(tiny_config(output_height=64, kernel_size=5, d_head='linear',
                              bias=True))
    z = np.random.RandomState(1).uniform(-1, 1, (3, 8)).astype('f')
    with session() as sess:
        for v in model.variables:
            v.load(values[v.op.name], sess)
        images = sess.run(model.sampler_images, {model.z: z})
    expected = reference.sampler(values, z)
    assert expected.std() > 0.1
    np.testing.assert_allclose(images, expected, atol=1e-5)


def test_a_sampled_image_does_not_depend_on_its_batch(graph, tiny_config):
    model = DCGAN(tiny_config())
    z = np.random.RandomState(0).randn(6, 8)
    with session() as sess:
        sampled, drawn = ([sess.run(images, {model.z: part}) for part in (z, z[:2])]
                          for images in (model.sampler_images, model.G))
    np.testing.assert_allclose(sampled[0][:2], sampled[1], atol=1e-6)
    assert np.abs(drawn[0][:2] - drawn[1]).max() > 1e-3


def test_noise_is_a_function_of_seed_and_step(graph, tiny_config):
    model = DCGAN(tiny_config(seed=3))
    with session() as sess:
        a, again, b = (sess.run(model.z, feed(model, step=step)) for step in (5, 5, 6))
    np.testing.assert_array_equal(a, again)
    assert a.shape == (8, 8)
    assert (a != b).all()


def test_accuracies_count_both_halves(graph, tiny_config):
    model = DCGAN(tiny_config())
    with session() as sess:
        real, fake, logits, logits_ = sess.run(
            [model.d_acc_real, model.d_acc_fake, model.D_logits, model.D_logits_],
            feed(model))
    assert real == pytest.approx((logits > 0).mean())
    assert fake == pytest.approx((logits_ <= 0).mean())


# --- updates -----------------------------------------------------------------

def state(sess):
    return {v.op.name: sess.run(v) for v in tf.global_variables()}


def changed(before, after):
    return {name for name in before if not np.array_equal(before[name], after[name])}


def before_batch_norm(name):
    """Tell whether a bias is in front of batch norm, where its gradient is noise."""
    layer = name.split('/')[1]
    return name.endswith(('/biases', '/bias')) and layer not in (
        'd_h0_conv', 'd_h2_lin', 'g_h2')


@pytest.mark.parametrize('mine, others, average', [
    ('d_optim', 'generator/', 'discriminator/d_bn1/moving_mean'),
    ('g_optim', 'discriminator/', 'generator/g_bn0/moving_mean')])
def test_each_update_changes_its_own_network_and_nothing_else(
        graph, tiny_config, mine, others, average):
    model = build(tiny_config())
    with session() as sess:
        before = state(sess)
        sess.run(getattr(model, mine), feed(model))
        moved = changed(before, state(sess))
    assert not [name for name in moved if others in name]
    assert average in moved
    own = model.d_vars if mine == 'd_optim' else model.g_vars
    still = {v.op.name for v in own} - moved
    assert all(before_batch_norm(name) for name in still), still


OF_D = 'd_optim', 'augment/'


def test_both_updates_together_are_both_updates_alone(graph, tiny_config):
    """Both gradients are taken at the weights that the run found."""
    model = build(tiny_config())
    with session() as sess:
        start = state(sess)

        def after(*ops):
            for v in tf.global_variables():
                v.load(start[v.op.name], sess)
            sess.run(ops, feed(model))
            return state(sess)

        both, d, g = after(model.d_optim, model.g_optim), after(model.d_optim), \
            after(model.g_optim)
    for name in both:
        alone = d if name.startswith(OF_D) or 'discriminator/' in name else g
        if not before_batch_norm(name):
            np.testing.assert_allclose(both[name], alone[name], atol=1e-6, err_msg=name)


@pytest.mark.parametrize('changes', [
    {'d_head': 'conv', 'bias': False, 'g_steps': 3, 'ema': 0.9},
    *(pytest.param(rare, marks=pytest.mark.slow) for rare in (
        {'g_steps': 1}, {'architecture': 'mlp', 'optimizer': 'sgd'}, {'loss': 'wgan'},
        {'loss': 'hinge', 'spectral_norm': True},
        {'penalty': 'r1', 'augment': 'translation', 'augment_target': 0}))])
def test_a_step_is_d_then_g_by_the_new_d_then_g_again(graph, tiny_config, changes):
    given = dict(updates='alternate', g_steps=2, learning_rate=1e-3)
    given.update(changes)
    if 'architecture' in changes:
        given.update(gf_dim=Config.gf_dim, df_dim=Config.df_dim)
    model = build(tiny_config(**given))
    fed = feed(model, step=30)
    with session() as sess:
        start = state(sess)
        loss, _ = sess.run([model.step_loss, model.updates], fed)
        step = state(sess)
        for v in tf.global_variables():
            v.load(start[v.op.name], sess)
        sess.run(model.d_optim, fed)
        assert abs(sess.run(model.g_loss, fed) - loss) < 1e-5
        for _ in range(model.config.g_steps):
            sess.run(model.g_optim, fed)
        alone = state(sess)
        for v in tf.global_variables():
            v.load(start[v.op.name], sess)
        sess.run([model.d_optim, model.g_optim], fed)
        together = state(sess)
    scale = {name: abs(step[name] - start[name]).max() for name in step}
    for name in step:
        if not before_batch_norm(name):
            np.testing.assert_allclose(step[name], alone[name], rtol=1e-4, err_msg=name,
                                       atol=max(1e-7, 2e-3 * scale[name]))
    g_weights = [v.op.name for v in model.g_vars
                 if v.op.name.endswith(('/w', 'Matrix'))]
    assert all(abs(step[name] - together[name]).max() > 0.05 * scale[name]
               for name in g_weights)


def test_together_is_the_rule_of_older_runs(graph, tiny_config):
    model = build(tiny_config(updates='together'))
    assert model.updates == (model.d_optim, model.g_optim)
    assert model.step_loss is model.g_loss


def test_ema_is_off_by_default(graph, tiny_config):
    assert DCGAN(tiny_config()).averages == {}


def test_ema_follows_the_generators_weights(graph, tiny_config):
    model = build(tiny_config(ema=0.5))
    assert len(model.averages) == len(tf.global_variables('generator/'))
    name = 'generator/g_h1/w'
    with session() as sess:
        start = state(sess)
        np.testing.assert_array_equal(start[name], start['ema/' + name])
        sess.run([model.d_optim, model.g_optim], feed(model, step=1000))
        moved = state(sess)
    np.testing.assert_allclose(moved['ema/' + name],
                               (start[name] + moved[name]) / 2, atol=1e-7)
    assert not np.array_equal(moved[name], start[name])


def test_ema_follows_faster_at_first(graph, tiny_config):
    model = build(tiny_config(ema=0.99, ema_rampup=0))
    with session() as sess:
        before = state(sess)
        sess.run(model.g_optim, feed(model, step=0))
        after = state(sess)
    name = 'generator/g_bn0/moving_mean'
    np.testing.assert_allclose(after['ema/' + name],
                               0.1 * before[name] + 0.9 * after[name], atol=1e-6)


@pytest.mark.parametrize('step, decay', [
    (39, 0.5 ** 0.5), (10**4, 0.9)])
def test_the_average_halves_over_a_share_of_the_updates_so_far(
        graph, tiny_config, step, decay):
    model = build(tiny_config(ema=0.9, ema_rampup=0.05))
    name = 'generator/g_bn0/moving_mean'
    with session() as sess:
        before = state(sess)[name]
        sess.run(model.g_optim, feed(model, step=step))
        after = state(sess)
    np.testing.assert_allclose(after['ema/' + name],
                               decay * before + (1 - decay) * after[name], atol=1e-6)


def test_with_ema_the_sampler_draws_with_the_averages(graph, tiny_config):
    model = build(tiny_config(ema=0.9))
    z = np.ones((1, 8), 'f')
    with session() as sess:
        first = sess.run(model.sampler_images, {model.z: z})
        for v in tf.global_variables('generator/'):
            v.load(np.zeros(v.shape.as_list(), 'f'), sess)
        np.testing.assert_array_equal(
            sess.run(model.sampler_images, {model.z: z}), first)
        for v in tf.global_variables('ema/generator/'):
            v.load(np.zeros(v.shape.as_list(), 'f'), sess)
        assert (sess.run(model.sampler_images, {model.z: z}) == 0).all()
        images, drawn = feed(model), model.G
        assert (sess.run(drawn, images) == 0).all()


def test_updates_lower_the_losses(graph, tiny_config):
    model = build(tiny_config(learning_rate=1e-3))
    with session() as sess:
        fixed = feed(model)
        d = [sess.run([model.d_loss, model.d_optim], fixed)[0] for _ in range(20)]
        g = [sess.run([model.g_loss, model.g_optim], fixed)[0] for _ in range(20)]
    assert d[-1] < d[0] - 0.1
    assert g[-1] < g[0] - 0.1


def test_first_adam_step_is_the_learning_rate(graph, tiny_config):
    model = build(tiny_config(learning_rate=1e-3))
    with session() as sess:
        before = state(sess)
        sess.run(model.d_optim, feed(model))
        after = state(sess)
    name = 'discriminator/d_h2_conv/w'
    step = np.abs(after[name] - before[name])
    assert np.median(step) == pytest.approx(1e-3, rel=0.01)


def test_discriminators_averages_take_real_then_generated(graph, tiny_config):
    model = build(tiny_config())
    real, fake = ({m.op.name: v for m, v in stats}
                  for stats in (model.d_stats_real, model.d_stats_fake))
    name = 'discriminator/d_bn1/moving_mean'
    with session() as sess:
        values = feed(model)
        r, f = sess.run([real[name], fake[name]], values)
        sess.run(model.d_optim, values)
        moved = state(sess)[name]
    np.testing.assert_allclose(moved, 0.9 * (0.1 * r) + 0.1 * f, atol=1e-6)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_bit_for_bit(tiny_config):
    def weights(seed):
        with tf.Graph().as_default():
            tf.set_random_seed(seed)
            model = build(tiny_config(output_height=32, gf_dim=16, df_dim=16))
            with session() as sess:
                for step in range(5):
                    sess.run([model.d_optim, model.g_optim],
                             feed(model, seed=step, step=step))
                return state(sess)
    first, again, other = weights(1), weights(1), weights(2)
    assert not changed(first, again)
    assert len(changed(first, other)) > len(first) / 2


@pytest.mark.parametrize('updates, passes', [('together', 2), ('alternate', 3)])
def test_one_run_draws_the_generated_images_once(graph, tiny_config, updates, passes):
    model = build(tiny_config(updates=updates))
    kinds = [op.type for op in graph.get_operations() if 'gradients' not in op.name]
    layers = len(model.sizes) - 1
    assert kinds.count('LeakyRelu') == passes * layers
    assert kinds.count('Tanh') == 2                         # generator, sampler


def test_every_op_is_used(graph, tiny_config):
    """No op of the forward graph leads nowhere."""
    model = build(tiny_config(updates='alternate', g_steps=2))
    wanted = [model.updates, model.g_optim, model.summary.op, model.sampler_images.op]
    wanted += [t.op for t in model.scalars.values()]
    seen, left = set(), list(wanted)
    while left:
        op = left.pop()
        if op not in seen:
            seen.add(op)
            left += [t.op for t in op.inputs] + list(op.control_inputs)
    loose = [op.name for op in graph.get_operations() if op not in seen
             and 'gradients' not in op.name and op.type in (
                 'Conv2D', 'Conv2DBackpropInput', 'MatMul', 'FusedBatchNormV3',
                 'Placeholder')]
    assert not loose
