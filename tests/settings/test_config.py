"""Config: defaults, limits, JSON, and what may change on resume."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest

from dataset import catalog
from runs import start
from settings import flags
from settings.config import Config
from settings.errors import UserError


def make(given=(), defaults=()):
    return Config.make(dict(given), dict(defaults))


def test_defaults_are_the_designs():
    c = make()
    assert (c.kernel_size, c.z_dist, c.g_steps, c.d_steps) == (4, 'normal01', 1, 1)
    assert (c.batch_size, c.beta1, c.beta2, c.z_dim) == (32, 0.0, 0.99, 100)
    assert (c.augment, c.augment_target, c.augment_after) == ('translation', 0.95, 0)
    assert (c.updates, c.ema_rampup, c.d_head, c.bias) == (
        'alternate', 0.05, 'conv', False)
    assert (c.gf_dim, c.df_dim, c.ema, c.max_to_keep) == (32, 32, 0.9999, 5)


@pytest.mark.parametrize('given, rates', [
    ({}, (3e-4, None, 1.2e-3)), ({'learning_rate': 1e-3}, (1e-3, None, None)),
    ({'d_learning_rate': 1e-3}, (3e-4, 1e-3, 1.2e-3)),
    ({'g_learning_rate': 1e-3}, (3e-4, None, 1e-3)),
    ({'attributes': 'Smiling'}, (3e-4, None, None)),
    ({'labels': 'labels.csv'}, (3e-4, None, None)),
    ({'conditional': True, 'g_learning_rate': 1e-3}, (3e-4, None, 1e-3)),
    ({'conditional': False}, (3e-4, None, 1.2e-3))])
def test_g_learns_faster_unless_with_labels_or_a_learning_rate(given, rates):
    c = make(given)
    assert (c.learning_rate, c.d_learning_rate, c.g_learning_rate) == rates


def test_given_wins_over_the_data_sets_defaults():
    c = make({'output_height': 32}, catalog.defaults('mnist'))
    assert (c.output_height, c.output_width, c.c_dim) == (32, 32, 1)
    assert c.conditional


def test_celebA_crops_108_to_64():
    c = make(defaults=catalog.defaults('celebA'))
    assert c.crop
    assert (c.input_height, c.input_width) == (108, 108)
    assert (c.output_height, c.output_width) == (64, 64)


def test_a_folder_has_no_defaults_of_its_own():
    assert catalog.defaults('my-pictures') == {}
    assert make({'dataset': 'my-pictures'}).crop is False


@pytest.mark.parametrize('given, expected', [
    ({'output_height': 96}, (96, 96)), ({'output_width': 96}, (64, 96)),
    ({'output_height': 33, 'output_width': 47}, (33, 47)), ({}, (64, 64))])
def test_one_side_stands_for_both_unless_both_are_given(given, expected):
    c = make(given)
    assert (c.output_height, c.output_width) == expected


def test_run_name_is_carpedm20s_model_dir_or_the_name():
    assert make().run_name == 'celebA_32_64_64'
    assert make({'batch_size': 16, 'output_width': 96}).run_name == 'celebA_16_64_96'
    assert make({'name': 'mine'}).run_name == 'mine'


@pytest.mark.parametrize('name, value, expected', [
    ('epoch', 0, 'from 1'), ('epoch', 10**9, 'up to 1000000'),
    ('batch_size', 0, 'from 1'),
    ('learning_rate', 0.0, 'above 0'), ('learning_rate', float('nan'), 'a number'),
    ('learning_rate', float('inf'), 'a number'), ('beta1', 1.0, 'up to 0.9999'),
    ('beta1', -0.1, 'from 0'), ('kernel_size', 6, '4, 5'), ('c_dim', 2, '1, 3'),
    ('z_dist', 'normal', 'normal01'), ('precision', 'float16', 'bfloat16'),
    ('gpu_memory_fraction', 1.5, 'up to 1'), ('gpu_memory_fraction', 0.0, 'above 0'),
    ('output_height', 6, 'from 7'), ('name', 'a/b', 'no slash'), ('name', '', 'name'),
    ('name', '..', 'name'), ('dataset', '../x', 'no slash'), ('epoch', True, 'whole'),
    ('epoch', '3', 'whole'), ('train', 1, 'true or false'), ('num_samples', 0, 'from')])
def test_values_out_of_range_are_named_with_what_was_expected(name, value, expected):
    with pytest.raises(UserError) as error:
        make({name: value})
    assert '--' + name in str(error.value)
    assert expected in str(error.value)


def test_all_wrong_values_are_named_at_once():
    with pytest.raises(UserError) as error:
        make({'epoch': 0, 'z_dim': -1})
    assert '--epoch' in str(error.value)
    assert '--z_dim' in str(error.value)


def test_flags_for_sampling_are_refused_in_training():
    config = make({'train': True})
    for name, value in ('label', '3'), ('separate', True):
        with pytest.raises(UserError, match='--%s is for --task sample' % name):
            start.check_place({name: value}, config)


@pytest.mark.parametrize('task', ['curves', 'walk'])
def test_a_task_beside_train_is_refused(task):
    with pytest.raises(UserError, match='--task %s .* leave out --train' % task):
        make({'train': True, 'task': task})
    assert make({'train': True, 'task': 'sample'}).train       # the default, named


def test_json_round_trip(tmp_path):
    path = str(tmp_path / 'config.json')
    c = make({'epoch': 7, 'name': 'ünï'}).replace(classes=('a', 'b'))
    c.save(path)
    assert Config.load(path) == c
    assert c.y_dim == 2


@pytest.mark.parametrize('left', [{}, {'ema': None, 'augment': None}])
def test_runs_older_than_averages_and_moved_images_go_on_without(tmp_path, left):
    path = str(tmp_path / 'config.json')
    values = dataclasses.asdict(Config.make({}, {}))
    values = {name: value for name, value in values.items()
              if name not in ('ema', 'augment', 'augment_after', 'augment_target',
                              'beta2', 'flip', 'wrong_labels')}
    with open(path, 'w') as file:
        json.dump(dict(values, **left), file)
    c = Config.load(path)
    assert (c.ema, c.augment, c.augment_after, c.flip) == (0, 'none', 0, False)
    assert (c.augment_target, c.beta2, c.wrong_labels) == (0, 0.999, 0)


def test_runs_with_images_moved_from_the_start_go_on_so(tmp_path):
    path = str(tmp_path / 'config.json')
    values = dict(dataclasses.asdict(Config.make({}, {})), augment='translation')
    del values['augment_after']
    with open(path, 'w') as file:
        json.dump(values, file)
    assert Config.load(path).augment_after == 0


def test_older_runs_on_points_load(tmp_path):
    path = str(tmp_path / 'config.json')
    values = dataclasses.asdict(Config.make({'dataset': 'gaussian'},
                                            catalog.defaults('gaussian')))
    del values['augment_after']
    with open(path, 'w') as file:
        json.dump(dict(values, augment=None), file)
    assert Config.load(path).dataset == 'gaussian'


@pytest.mark.parametrize('text', ['', '[]', '{"epoch": 0}', '{"unheard_of": 1}', '3'])
def test_a_file_that_is_no_config_is_refused_by_name(tmp_path, text):
    path = tmp_path / 'config.json'
    path.write_text(text)
    with pytest.raises(UserError, match='config.json'):
        Config.load(str(path))


def test_resume_names_each_flag_that_must_not_differ_with_both_values():
    old = make({'gf_dim': 32, 'batch_size': 16})
    with pytest.raises(UserError) as error:
        start.resume(old, {'gf_dim': 64, 'batch_size': 8, 'epoch': 50})
    text = str(error.value)
    assert '--gf_dim: 32 in config.json, 64 now' in text
    assert '--batch_size: 16 in config.json, 8 now' in text
    assert 'epoch' not in text


def test_resume_takes_new_values_of_free_flags_and_old_ones_of_the_rest():
    old = make({'gf_dim': 32, 'epoch': 2, 'threads': 1})
    new = start.resume(old, {'epoch': 50, 'gf_dim': 32, 'train': True})
    assert (new.epoch, new.gf_dim, new.threads, new.train) == (50, 32, 1, True)


def test_restore_lets_training_flags_differ_but_not_the_network():
    old = make({'batch_size': 16})
    assert start.restore(old, {'batch_size': 64, 'seed': 5}).seed == 5
    with pytest.raises(UserError, match='--z_dim: 100 in config.json, 50 now'):
        start.restore(old, {'z_dim': 50})


def test_restore_does_not_call_images_held_out_that_were_trained_on():
    old = Config(train_size=1000)
    assert start.restore(old, {'train_size': 1000}).train_size == 1000
    for made_with, found in ((old, '1000'), (Config(), 'None')):
        with pytest.raises(UserError, match='--train_size: %s in config.json, 500 now'
                           % found):
            start.restore(made_with, {'train_size': 500})


@pytest.mark.parametrize('given, names', [
    ({'seed': -1}, ['seed']), ({'output_height': 3}, ['output_height']),
    ({'output_width': 3}, ['output_width']),
    ({'output_height': 3, 'output_width': 4}, ['output_height', 'output_width'])])
def test_a_value_taken_from_another_flag_is_not_blamed_too(given, names):
    with pytest.raises(UserError) as caught:
        make(given)
    assert [line.split()[0] for line in str(caught.value).splitlines()] == [
        '--' + name for name in names]


@pytest.mark.parametrize('changes, given', [
    ({}, {'num_samples': 64}), ({}, {'d_learning_rate': 3e-4}),
    ({'learning_rate': 1e-3}, {'g_learning_rate': 1e-3}), ({}, {'output_width': 64})])
def test_a_flag_that_says_what_holds_anyway_changes_nothing_on_resume(changes, given):
    old = make(changes)
    assert start.resume(old, given) == old


@pytest.mark.parametrize('classes, attributes, size', [
    ((), None, 64), (('a', 'b'), None, 20), (('a', 'b'), 'a,b', 40),
    (tuple('abcde'), 'a,b,c,d,e', 60)])
def test_the_default_of_num_samples_named_on_resume_is_no_other(
        classes, attributes, size):
    old = make({'attributes': attributes}).replace(classes=classes)
    assert start.resume(old, {'num_samples': size}) == old
    with pytest.raises(UserError, match='--num_samples: None in config.json'):
        start.resume(old, {'num_samples': size + 1})


@pytest.mark.parametrize('old, new', [(6, 7), (6, 5), (None, 100)])
def test_the_sheets_of_a_run_keep_their_num_samples(old, new):
    config = make({'num_samples': old} if old else {})
    with pytest.raises(UserError,
                       match='--num_samples: %s in config.json, %s now' % (old, new)):
        start.resume(config, {'num_samples': new})
    assert start.resume(config, {}).num_samples == old


def test_sampling_has_a_num_samples_of_its_own():
    old = make({'num_samples': 6})
    assert start.restore(old, {}).num_samples is None
    assert start.restore(old, {'num_samples': 1000}).num_samples == 1000


def test_what_belongs_to_one_call_is_not_restored():
    old = make({'train': True, 'data_dir': 'elsewhere'})
    assert start.restore(old, {}).train is False
    assert start.restore(old, {}).data_dir == 'data'


def test_every_field_has_a_role_and_is_frozen():
    for field in flags.fields():
        assert field.metadata['role'] in ('network', 'training', 'free', 'call')
    with pytest.raises(dataclasses.FrozenInstanceError):
        make().epoch = 3


def test_config_imports_neither_numpy_nor_tensorflow():
    code = ('import settings.config, sys; '
            'sys.exit(bool({"numpy", "tensorflow"} & set(sys.modules)))')
    assert subprocess.run([sys.executable, '-c', code]).returncode == 0


def test_attributes_are_different_names_and_not_beside_conditional():
    assert make({'attributes': 'Smiling,Male'}).attributes == 'Smiling,Male'
    for wrong in ('Smiling,', 'A,B,A'):
        with pytest.raises(UserError, match='--attributes %r: expected' % wrong):
            make({'attributes': wrong})
    with pytest.raises(UserError, match='--conditional .* leave one of them out'):
        make({'attributes': 'Smiling', 'conditional': True})
    # a data set's own default gives way
    assert not make({'attributes': 'A'}, catalog.defaults('mnist')).conditional


def test_label_names_attributes_or_none():
    c = make({'attributes': 'A,B'}).replace(classes=('A', 'B'))
    for label in (None, 'A', 'B,A', 'none'):
        c.replace(label=label).check_label()
    with pytest.raises(UserError, match="'A,C': expected none, or some of A, B"):
        c.replace(label='A,C').check_label()
    with pytest.raises(UserError, match="--label 'none': expected one of A, B"):
        make({'label': 'none'}).replace(classes=('A', 'B')).check_label()


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    order, fsync, replace = [], os.fsync, os.replace

    def bring(handle):
        order.append(os.fstat(handle).st_size)
        fsync(handle)

    def rename(source, path):
        order.append(os.path.basename(path))
        replace(source, path)
    monkeypatch.setattr(os, 'fsync', bring)
    monkeypatch.setattr(os, 'replace', rename)
    path = tmp_path / 'config.json'
    make().save(str(path))
    assert order == [path.stat().st_size, 'config.json']
