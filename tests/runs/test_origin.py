"""--from: what a new run begins with, and what is refused."""

import os
import shutil

import numpy as np
import pytest
import reference
import tensorflow.compat.v1 as tf
from PIL import Image

import main
import train
from model import DCGAN
from runs import checkpoints, folders, inherit, origin, sessions, start
from settings.config import Config
from settings.errors import NotFoundError, UserError

SIZES = dict(output_height=16, gf_dim=4, df_dim=4, z_dim=8, batch_size=4, num_samples=4,
             precision='float32', epoch=1)


def call(*words):
    with tf.Graph().as_default():
        return main.main(list(map(str, words)))


@pytest.fixture(scope='module', autouse=True)
def no_results():
    """Leave out the animation and the loss picture: they take longer than the steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, 'show_results', lambda run: None)
        yield


def save(root, name, steps, classes=(), **values):
    """Save checkpoints with random values of all variables of a training."""
    config = Config.make(dict(SIZES, name=name, checkpoint_dir=str(root), **values), {})
    config, rng = config.replace(classes=classes), np.random.default_rng(0)
    with tf.Graph().as_default(), sessions.open_session(config) as sess:
        DCGAN(config).build_optimizers()
        variables = tf.global_variables()
        for step in steps:
            for v in variables:
                sess.run(v.initializer, {v.initializer.inputs[1]: (
                    rng.uniform(0.01, 0.1, v.shape.as_list()))})
            checkpoints.save(sess, checkpoints.make_saver(variables),
                             str(root / name), step)
    config.save(str(root / name / 'config.json'))


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Return a folder with data sets and two runs: plain of p; labelled of q."""
    root, rng = tmp_path_factory.mktemp('trained'), np.random.default_rng(0)
    for place, count in (('p', 16), ('q/cat', 8), ('q/dog', 8), ('r/bat', 4),
                         ('r/dog', 4), ('r/cat', 4), ('s/x', 4), ('s/y', 4)):
        os.makedirs(root / 'data' / place)
        for i in range(count):
            Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(
                root / 'data' / place / ('%d.png' % i))
    save(root / 'checkpoint', 'plain', (2, 4), dataset='p', ema=0.9, augment_after=3)
    save(root / 'checkpoint', 'labelled', [4], ('cat', 'dog'), dataset='q',
         conditional=True)
    return root


@pytest.fixture
def place(trained, tmp_path, monkeypatch):
    """Go into a copy of that folder."""
    folder = shutil.copytree(trained, tmp_path / 'copy')
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def begin(place):
    """Return a function that starts a training and takes no step.

    It returns {name: value} of all variables, and the new run's Config.
    """
    def begin(*words):
        found = []

        def look(self, stop):
            values = self.sess.run(self.variables)
            found.append({v.op.name: value for v, value in zip(self.variables, values)})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(train.Trainer, 'train', look)
            assert call('--train', '--name', 'new', *words) == 0
        return found[0], Config.load(str(place / 'checkpoint/new/config.json'))
    return begin


def values_of(path):
    reader = tf.train.NewCheckpointReader(str(path))
    return {name: reader.get_tensor(name)
            for name in reader.get_variable_to_shape_map()}


def assert_equal(values, source, names=None):
    for name in names or source:
        np.testing.assert_array_equal(values[name], source[name], err_msg=name)


# --- the weights -------------------------------------------------------------

def test_all_of_it_is_taken_and_other_flags_are_free(place, begin, capsys):
    values, config = begin('--from', 'plain@2', '--learning_rate', 1e-5, '--batch_size',
                           8, '--seed', 5, '--precision', 'auto')
    source = values_of(place / 'checkpoint/plain/DCGAN.model-2')
    assert values.keys() == source.keys()
    assert {'ema/generator/g_h0_lin/Matrix', 'd_optim/beta1_power',
            'g_optim/generator/g_h0_lin/Matrix/Adam_1'} <= values.keys()
    assert_equal(values, source)
    said = capsys.readouterr().out
    assert 'the weights of checkpoint/plain/DCGAN.model-2 (step 2)' in said
    assert 'anew' not in said
    assert (config.from_, config.origin) == (
        'plain@2', 'checkpoint/plain/DCGAN.model-2')
    assert (config.dataset, config.gf_dim, config.z_dim, config.ema) == ('p', 4, 8, 0.9)
    assert (config.learning_rate, config.batch_size, config.seed) == (1e-5, 8, 5)
    assert (config.epoch, config.augment_after) == (1, 1)       # 3, less 2 steps


def lay(*words):
    return origin.lay(*start.complete(['--train', *map(str, words)]), None)


def test_a_learning_rate_given_is_that_of_both_networks(place):
    path = 'checkpoint/plain/config.json'
    Config.load(path).replace(learning_rate=3e-4, g_learning_rate=1.2e-3).save(path)
    rates = 'learning_rate', 'd_learning_rate', 'g_learning_rate'
    for words, expected in (((), (3e-4, None, 1.2e-3)),
                            (('--learning_rate', 1e-4), (1e-4, None, None)),
                            (('--g_learning_rate', 1e-3), (3e-4, None, 1e-3))):
        c = lay('--from', 'plain', *words)
        assert tuple(getattr(c, rate) for rate in rates) == expected


def test_another_data_set_brings_its_own_settings(place):
    path = 'checkpoint/plain/config.json'
    Config.load(path).replace(crop=True, input_height=9, input_width=9, train_size=8,
                              beta1=0.3, epoch=7).save(path)
    c = lay('--from', 'plain', '--dataset', 'q')
    assert (c.dataset, c.crop, c.input_height, c.train_size) == ('q', False, None, None)
    assert (c.output_height, c.conditional, c.batch_size) == (16, False, 4)
    assert (c.beta1, c.epoch, c.name) == (0.3, 7, None)     # are the source's
    c = lay('--from', 'plain', '--input_height', 5)
    assert (c.dataset, c.crop, c.input_height, c.input_width, c.train_size) == (
        'p', True, 5, 5, 8)
    c = lay('--from', 'plain', '--dataset', 'mnist')        # in colour
    assert (c.c_dim, c.output_height, c.conditional) == (3, 16, False)
    c = lay('--from', 'plain', '--dataset', 'mnist', '--conditional', '--augment',
            'none')
    assert c.conditional and c.augment_after == Config.augment_after


def test_attributes_and_labels_give_way_to_those_given(place):
    path = 'checkpoint/labelled/config.json'
    old = Config.load(path)
    assert lay('--from', 'labelled', '--dataset', 'r').classes == ('cat', 'dog')
    c = lay('--from', 'labelled', '--dataset', 'r', '--attributes', 'A,B')
    assert (c.conditional, c.attributes) == (False, 'A,B')
    old.replace(conditional=False, attributes='A', labels='a.csv',
                wrong_labels=0.3).save(path)
    c = lay('--from', 'labelled')
    assert (c.conditional, c.attributes, c.labels) == (False, 'A', 'a.csv')
    c = lay('--from', 'labelled', '--labels', 'b.csv')
    assert (c.conditional, c.attributes, c.labels) == (False, 'A', 'b.csv')
    assert c.wrong_labels == 0.3
    c = lay('--from', 'labelled', '--conditional', 'False')
    assert (c.conditional, c.attributes, c.labels) == (False, None, None)
    assert c.wrong_labels == Config.wrong_labels


@pytest.mark.slow
@pytest.mark.parametrize('source, ema', [('plain', 0), ('labelled', 0.5)])
def test_averages_may_be_left_out_or_added(place, begin, capsys, source, ema):
    values, config = begin('--from', source, '--ema', ema)
    there = values_of(folders.latest('checkpoint/' + source)[1])
    assert config.ema == ema
    assert_equal(values, there, [name for name in values if name in there])
    averages = {name for name in values if name.startswith('ema/')}
    assert bool(averages) == bool(ema)


@pytest.mark.slow
def test_averages_that_are_not_there_begin_with_the_weights(place, begin, capsys):
    source = values_of(place / 'checkpoint/plain/DCGAN.model-4')
    bare = {name: value for name, value in source.items() if 'ema/' not in name}
    shutil.rmtree(place / 'checkpoint/plain')
    os.makedirs(place / 'his')
    reference.write_checkpoint(str(place / 'his'), bare)
    values, config = begin('--from', 'his', '--dataset', 'p', '--ema', 0.9,
                           '--batch_size', 4)
    assert_equal(values, bare)
    for name in [name for name in source if name.startswith('ema/')]:
        np.testing.assert_array_equal(values[name], bare[name[len('ema/'):]])
    assert "averages of G's weights, with the weights themselves: ema/generator/" in (
        capsys.readouterr().out)


def test_other_labels_keep_what_is_known_of_them(place, begin, capsys):
    values, config = begin('--from', 'labelled', '--dataset', 'r')
    there = values_of(folders.latest('checkpoint/labelled')[1])
    assert config.classes == ('bat', 'cat', 'dog')
    for name, axis in (('generator/g_h0_lin/Matrix', 0), ('generator/g_h1/w', 3),
                       ('discriminator/d_h1_conv/w', 2),
                       ('ema/generator/g_h1/w', 3)):
        here, old = (np.moveaxis(v[name], axis, 0) for v in (values, there))
        np.testing.assert_array_equal(here[:-3], old[:-2])      # of z, or of a map
        np.testing.assert_array_equal(here[-2:], old[-2:])      # cat, dog
        assert len(here) == len(old) + 1 and here[-3].any()     # bat
    for name in 'generator/g_bn0/gamma', 'discriminator/d_bn1/moving_mean':
        np.testing.assert_array_equal(values[name], there[name])
    assert not values['d_optim/discriminator/d_bn1/gamma/Adam'].any()
    said = capsys.readouterr().out
    for text in ('  generator/g_h1/w, its part for new labels\n',
                 "  the optimizer's memory of D: d_optim/"):
        assert text in said


@pytest.mark.slow
def test_labels_may_be_left_out_or_added(place, begin, capsys):
    there = values_of(folders.latest('checkpoint/labelled')[1])
    values, _ = begin('--from', 'labelled', '--conditional', 'False')
    np.testing.assert_array_equal(values['generator/g_h0_lin/Matrix'],
                                  there['generator/g_h0_lin/Matrix'][:-2])
    assert 'Matrix, its part' not in capsys.readouterr().out
    there = values_of(folders.latest('checkpoint/plain')[1])
    values, config = begin('--from', 'plain', '--dataset', 's', '--conditional')
    assert config.classes == ('x', 'y')
    np.testing.assert_array_equal(values['generator/g_h0_lin/Matrix'][:-2],
                                  there['generator/g_h0_lin/Matrix'])


@pytest.mark.slow
def test_as_many_labels_of_other_names_take_the_places_of_the_old(place, begin):
    values, config = begin('--from', 'labelled', '--dataset', 's')
    assert config.classes == ('x', 'y')
    assert_equal(values, values_of(folders.latest('checkpoint/labelled')[1]))


@pytest.mark.slow
def test_carpedm20s_checkpoint_is_trained_on(place, begin, capsys):
    his = reference.random_values(reference.variable_shapes(4, z_dim=20))
    os.makedirs('his/celebA_64_64_64')
    reference.write_checkpoint('his/celebA_64_64_64', his)
    values, config = begin('--from', 'his/celebA_64_64_64', '--dataset', 'p',
                           '--batch_size', 2)
    assert_equal(values, his)
    assert (config.output_height, config.kernel_size, config.gf_dim, config.bias) == (
        64, 5, 4, True)
    assert (config.z_dist, config.ema, config.dataset) == ('uniform_signed', 0.9999,
                                                           'p')
    np.testing.assert_array_equal(values['ema/generator/g_h1/w'],
                                  his['generator/g_h1/w'])
    said = capsys.readouterr().out
    for text in ('told by the shapes: ', 'anew:\n  averages of G',
                 'the optimizer\'s memory of G: g_optim/'):
        assert text in said
    assert sorted(os.listdir('his/celebA_64_64_64'))[0] == (
        'DCGAN.model-1002.data-00000-of-00001')


@pytest.mark.slow
# --- going on ----------------------------------------------------------------

def test_a_run_that_began_so_goes_on_without_its_source(place, capsys):
    line = ['--train', '--from', 'plain', '--name', 'new', '--batch_size', 8,
            '--learning_rate', 1e-3]
    assert call(*line, '--epoch', 2, '--ckpt_freq', 2) == 0
    whole, source = (values_of('checkpoint/%s/DCGAN.model-4' % name)
                     for name in ('new', 'plain'))
    assert (whole['generator/g_h1/w'] != source['generator/g_h1/w']).any()
    os.remove('checkpoint/new/DCGAN.model-4.index')     # as if it had been cut off
    shutil.rmtree('checkpoint/plain')
    capsys.readouterr()
    assert call(*line, '--epoch', 2) == 0
    said = capsys.readouterr().out
    assert 'resuming new after step 2' in said and 'beginning' not in said
    assert_equal(values_of('checkpoint/new/DCGAN.model-4'), whole)
    assert Config.load('checkpoint/new/config.json').origin == (
        'checkpoint/plain/DCGAN.model-4')


def test_such_a_run_goes_on_and_draws_without_the_flag(place):
    path = 'checkpoint/plain/config.json'
    old = Config.load(path).replace(from_='gone', origin='gone/DCGAN.model-4')
    assert start.resume(old, {'dataset': 'p', 'train': True}).from_ == 'gone'
    assert start.resume(old, {'from_': 'gone'}).origin == old.origin
    assert start.restore(old, {}).from_ == 'gone'


# --- where it is -------------------------------------------------------------

@pytest.mark.parametrize('given, step', [
    ('plain', 4), ('plain@2', 2), ('plain@best', 2), ('checkpoint/plain', 4),
    ('checkpoint/plain/', 4), ('checkpoint/plain@2', 2), ('checkpoint/plain/best', 2),
    ('checkpoint/plain/DCGAN.model-2', 2), ('checkpoint/plain/DCGAN.model-2.index', 2),
    ('checkpoint/plain/best/DCGAN.model-2', 2), ('./checkpoint/plain', 4),
    ('checkpoint/plain/DCGAN.model-4.data-00000-of-00001', 4)])
def test_it_is_found_by_its_name_or_its_place(place, given, step):
    os.makedirs('checkpoint/plain/best')
    for ending in '.index', '.data-00000-of-00001':
        shutil.copy('checkpoint/plain/DCGAN.model-2' + ending, 'checkpoint/plain/best')
    run, which = origin.find(Config(from_=given))
    assert os.path.samefile(run.checkpoint_dir, 'checkpoint/plain')
    assert folders.chosen(run, which)[0] == step
    if os.sep in given:
        moved = Config(from_=os.path.abspath(given), checkpoint_dir='elsewhere')
        assert folders.chosen(*origin.find(moved))[0] == step


def test_a_name_may_have_an_at_in_it(place):
    os.rename('checkpoint/plain', 'checkpoint/me@2')
    assert origin.find(Config(from_='me@2'))[1] is None
    assert origin.find(Config(from_='me@2@2'))[1] == '2'


# --- refused -----------------------------------------------------------------

@pytest.mark.parametrize('words, expected', [
    ('--from nobody', 'Runs there: labelled, plain'), ('--from @2', 'Runs there'),
    ('--from plain@last', 'RUN@STEP'), ('--from p', 'Runs there: labelled, plain'),
    ('--from plain@3', 'there are those of 2, 4'), ('--from plain@best', '--eval_freq'),
    ('--from plain --z_dim 9 --dataset q', '--z_dim: 8 there, 9 given'),
    ('--from plain --output_height 32', '--output_height: 16 there, 32 given'),
    ('--from plain --c_dim 1', '--c_dim: 3 there, 1 given'),
    ('--from plain --d_head pool', "--d_head: 'conv' there, 'pool' given"),
    ('--from plain --dataset gaussian', '--from plain'),
    ('--from plain --name plain', 'is there already, begun without it'),
    ('--from plain --name labelled', 'is there already, begun without it')])
def test_what_cannot_be_is_refused_and_leaves_nothing(place, capsys, words, expected):
    before = sorted(place.rglob('*'))
    name = [] if '--name' in words else ['--name', 'new']
    assert call('--train', *words.split(), *name) == 2
    assert expected in capsys.readouterr().err
    assert [path for path in sorted(place.rglob('*')) if path not in before] == []


def test_what_is_no_number_or_cannot_be_read_is_refused(place, capsys):
    path = 'checkpoint/plain/DCGAN.model-2.data-00000-of-00001'
    values = values_of('checkpoint/plain/DCGAN.model-4')
    os.truncate(path, 100)
    with pytest.raises(UserError, match='DCGAN.model-2 cannot be read.*--from RUN@'):
        inherit.read('checkpoint/plain/DCGAN.model-2', values)
    values['generator/g_h1/w'][0] = np.nan
    os.makedirs('bad')
    reference.write_checkpoint('bad', values)
    with pytest.raises(UserError, match='NaN or infinity in generator/g_h1/w'):
        inherit.read('bad/DCGAN.model-1002', values)


def test_a_weight_of_another_shape_is_named():
    first = {'generator/g_h0_lin/Matrix': np.zeros([8, 4]), 'a/w': np.zeros([3, 3])}
    labels = inherit.Labels(folders.Run('r', 'nowhere', ''), Config(z_dim=8), first)
    with pytest.raises(ValueError, match=r'a/w: \[3, 3\] here, \[2, 3\] there'):
        inherit.match(first, dict(first, **{'a/w': np.ones([2, 3])}), labels)


@pytest.mark.parametrize('words', [
    '--name plain --learning_rate 0.1', '--name plain --batch_size 8',
    '--name plain --dataset q', '--name plain --conditional'])
def test_refusals_name_it_as_the_remedy(place, capsys, words):
    dataset = [] if '--dataset' in words else ['--dataset', 'p']
    assert call('--train', *words.split(), *dataset) == 2
    assert 'add --name NAME --from plain, and it begins with' in capsys.readouterr().err


def test_but_not_where_it_would_be_none(place, capsys):
    assert call('--train', '--name', 'plain', '--dataset', 'p', '--z_dim', 9) == 2
    assert '--from' not in capsys.readouterr().err


def test_a_checkpoint_to_train_from_and_one_without_config_name_it_too(place, capsys):
    assert call('--train', '--checkpoint', 2, '--dataset', 'p') == 2
    assert '--from RUN@STEP --name NEW' in capsys.readouterr().err
    os.remove('checkpoint/plain/config.json')
    assert call('--train', '--name', 'plain') == 2
    assert '--from checkpoint/plain' in capsys.readouterr().err


def test_it_is_for_training(place, capsys):
    assert call('--from', 'plain') == 2
    assert '--from is for --train' in capsys.readouterr().err
    with pytest.raises(NotFoundError):
        checkpoints.choose(folders.Run('x', 'nowhere', ''), '3')
