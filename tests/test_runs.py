"""Run folders: names, and how a run is found again."""

import os
import time

import pytest

import runs
from config import Config, NotFoundError, UserError


@pytest.fixture
def place(tmp_path):
    """Return a function that makes a run with a checkpoint, one newer than the last."""
    clock = [time.time() - 1000]

    def make(name, steps=(10,), with_config=True, **values):
        folder = tmp_path / 'checkpoint' / name
        os.makedirs(folder)
        for step in steps:
            for ending in ('index', 'data-00000-of-00001'):
                path = folder / ('DCGAN.model-%d.%s' % (step, ending))
                path.write_bytes(b'')
                clock[0] += 1
                os.utime(path, (clock[0], clock[0]))
        if with_config:
            Config.make(values, {}).save(str(folder / 'config.json'))
        return str(folder)
    return make


def config(tmp_path, **given):
    return Config.make(dict(given, checkpoint_dir=str(tmp_path / 'checkpoint')), {})


def test_a_new_run_has_two_folders_of_its_name(tmp_path):
    run, c = runs.to_train(config(tmp_path), {})
    assert run.name == 'celebA_64_64_64'
    assert run.checkpoint_dir == str(tmp_path / 'checkpoint' / 'celebA_64_64_64')
    assert run.sample_dir == os.path.join('samples', 'celebA_64_64_64')
    assert c.epoch == 25
    assert not (tmp_path / 'checkpoint').exists()


def test_checkpoints_are_ordered_by_step_not_by_letter(place):
    folder = place('r', steps=(9, 10, 100))
    assert [step for step, _ in runs.checkpoints(folder)] == [9, 10, 100]
    assert runs.latest(folder) == (100, os.path.join(folder, 'DCGAN.model-100'))


def test_the_default_name_is_found_first(tmp_path, place):
    place('celebA_64_64_64')
    place('newer', dataset='celebA')
    run, _ = runs.to_restore(config(tmp_path), {})
    assert run.name == 'celebA_64_64_64'


def test_else_the_newest_run_of_the_data_set_and_it_is_said(tmp_path, place):
    place('first', dataset='celebA')
    place('second', dataset='celebA', gf_dim=32)
    place('other', dataset='mnist')
    said = []
    run, c = runs.to_restore(config(tmp_path), {'dataset': 'celebA'}, said.append)
    assert (run.name, c.gf_dim) == ('second', 32)
    assert 'second' in said[0]


def test_without_a_data_set_the_newest_run_of_all(tmp_path, place):
    place('first', dataset='celebA')
    place('second', dataset='mnist')
    run, c = runs.to_restore(config(tmp_path), {}, lambda text: None)
    assert (run.name, c.dataset) == ('second', 'mnist')


def test_with_none_the_runs_that_there_are_are_listed(tmp_path, place):
    place('one', dataset='mnist')
    place('two', dataset='faces')
    with pytest.raises(NotFoundError) as error:
        runs.to_restore(config(tmp_path), {'dataset': 'celebA'})
    assert 'one, two' in str(error.value)
    with pytest.raises(NotFoundError) as error:
        runs.to_restore(config(tmp_path, name='three'), {'name': 'three'})
    assert 'named three' in str(error.value)
    assert 'one, two' in str(error.value)


def test_an_empty_folder_lists_none(tmp_path):
    with pytest.raises(NotFoundError, match='none'):
        runs.to_restore(config(tmp_path), {})


def test_checkpoint_dir_may_hold_the_checkpoint_itself(place):
    folder = place('moved', dataset='mnist')
    run, c = runs.to_restore(Config.make({'checkpoint_dir': folder}, {}), {})
    assert run.checkpoint_dir == folder
    assert run.name == 'moved'
    assert c.dataset == 'mnist'


def test_a_checkpoint_without_config_gives_none(tmp_path, place):
    folder = place('his', with_config=False)
    run, c = runs.to_restore(Config.make({'checkpoint_dir': folder}, {}), {})
    assert c is None
    with pytest.raises(UserError, match='no config.json'):
        runs.to_train(config(tmp_path, name='his'), {})


def test_a_broken_config_of_another_run_does_not_hinder(tmp_path, place):
    folder = place('broken', dataset='celebA')
    with open(os.path.join(folder, 'config.json'), 'w') as file:
        file.write('{')
    place('whole', dataset='celebA')
    place('broken-too', with_config=False)
    run, _ = runs.to_restore(config(tmp_path), {'dataset': 'celebA'}, lambda text: None)
    assert run.name == 'whole'


def test_a_run_without_checkpoint_is_not_taken(tmp_path, place):
    place('whole', dataset='celebA')
    os.makedirs(tmp_path / 'checkpoint' / 'started')
    Config.make({}, {}).save(str(tmp_path / 'checkpoint' / 'started' / 'config.json'))
    run, _ = runs.to_restore(config(tmp_path), {}, lambda text: None)
    assert run.name == 'whole'


def test_latest_says_what_was_expected(tmp_path):
    with pytest.raises(NotFoundError, match='DCGAN.model-1000.index'):
        runs.latest(str(tmp_path))
