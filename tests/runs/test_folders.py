"""Run folders: names, and how a run is found again."""

import os
import subprocess
import sys
import time

import pytest

import main
from runs import folders, start
from settings.config import Config
from settings.errors import NotFoundError, UserError

ROOT = os.path.dirname(os.path.abspath(main.__file__))


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
    run, c = start.to_train(config(tmp_path), {})
    assert run.name == 'celebA_32_64_64'
    assert run.checkpoint_dir == str(tmp_path / 'checkpoint' / 'celebA_32_64_64')
    assert run.sample_dir == os.path.join('samples', 'celebA_32_64_64')
    assert c.epoch == 25
    assert not (tmp_path / 'checkpoint').exists()


def test_checkpoints_are_ordered_by_step_not_by_letter(place):
    folder = place('r', steps=(9, 10, 100))
    assert [step for step, _ in folders.saved(folder)] == [9, 10, 100]
    assert folders.latest(folder) == (100, os.path.join(folder, 'DCGAN.model-100'))


def test_the_default_name_is_found_first(tmp_path, place):
    place('celebA_32_64_64')
    place('newer', dataset='celebA')
    run, _ = start.to_restore(config(tmp_path), {})
    assert run.name == 'celebA_32_64_64'


def test_else_the_newest_run_of_the_data_set_and_it_is_said(tmp_path, place):
    place('first', dataset='celebA')
    place('second', dataset='celebA', gf_dim=32)
    place('other', dataset='mnist')
    said = []
    run, c = start.to_restore(config(tmp_path), {'dataset': 'celebA'}, said.append)
    assert (run.name, c.gf_dim) == ('second', 32)
    assert 'second' in said[0]


def test_without_a_data_set_the_newest_run_of_all(tmp_path, place):
    place('first', dataset='celebA')
    place('second', dataset='mnist')
    run, c = start.to_restore(config(tmp_path), {}, lambda text: None)
    assert (run.name, c.dataset) == ('second', 'mnist')


def test_with_none_the_runs_that_there_are_are_listed(tmp_path, place):
    place('one', dataset='mnist')
    place('two', dataset='faces')
    with pytest.raises(NotFoundError) as error:
        start.to_restore(config(tmp_path), {'dataset': 'celebA'})
    assert 'one, two' in str(error.value)
    with pytest.raises(NotFoundError) as error:
        start.to_restore(config(tmp_path, name='three'), {'name': 'three'})
    assert 'named three' in str(error.value)
    assert 'one, two' in str(error.value)


def test_an_empty_folder_lists_none(tmp_path):
    with pytest.raises(NotFoundError, match='none'):
        start.to_restore(config(tmp_path), {})


def test_checkpoint_dir_may_hold_the_checkpoint_itself(place):
    folder = place('moved', dataset='mnist')
    run, c = start.to_restore(Config.make({'checkpoint_dir': folder}, {}), {})
    assert run.checkpoint_dir == folder
    assert run.name == 'moved'
    assert c.dataset == 'mnist'


def test_a_name_wins_over_the_checkpoint_that_checkpoint_dir_itself_holds(place):
    outer = place('outer', dataset='mnist')
    inner = place(os.path.join('outer', 'inner'), dataset='faces')
    named = Config.make({'checkpoint_dir': outer, 'name': 'inner'}, {})
    run, c = start.to_restore(named, {'name': 'inner'})
    assert (run.name, run.checkpoint_dir, c.dataset) == ('inner', inner, 'faces')
    new = named.replace(name='new')
    assert start.to_train(new, {})[0].checkpoint_dir == os.path.join(outer, 'new')
    with pytest.raises(NotFoundError, match='named new'):
        start.to_restore(new, {'name': 'new'})


def test_a_checkpoint_without_config_gives_none(tmp_path, place):
    folder = place('his', with_config=False)
    run, c = start.to_restore(Config.make({'checkpoint_dir': folder}, {}), {})
    assert c is None
    with pytest.raises(UserError, match='no config.json'):
        start.to_train(config(tmp_path, name='his'), {})


def test_a_broken_config_of_another_run_does_not_hinder(tmp_path, place):
    folder = place('broken', dataset='celebA')
    with open(os.path.join(folder, 'config.json'), 'w') as file:
        file.write('{')
    place('whole', dataset='celebA')
    place('broken-too', with_config=False)
    run, _ = start.to_restore(config(tmp_path), {'dataset': 'celebA'},
                                lambda text: None)
    assert run.name == 'whole'


def test_a_run_without_checkpoint_is_not_taken(tmp_path, place):
    place('whole', dataset='celebA')
    os.makedirs(tmp_path / 'checkpoint' / 'started')
    Config.make({}, {}).save(str(tmp_path / 'checkpoint' / 'started' / 'config.json'))
    run, _ = start.to_restore(config(tmp_path), {}, lambda text: None)
    assert run.name == 'whole'


def test_latest_says_what_was_expected(tmp_path):
    with pytest.raises(NotFoundError, match='DCGAN.model-1000.index'):
        folders.latest(str(tmp_path))


def test_a_run_without_checkpoint_is_new_whatever_its_config_says(tmp_path, place):
    place('r', steps=(), z_dim=50, batch_size=16)
    given = {'name': 'r', 'z_dim': 60, 'batch_size': 8}
    run, c = start.to_train(config(tmp_path, **given), given)
    assert (run.name, c.z_dim, c.batch_size) == ('r', 60, 8)
    place('s', steps=(1,), z_dim=50)
    with pytest.raises(UserError, match='--z_dim: 50 in config.json, 60 now'):
        start.to_train(config(tmp_path, name='s', z_dim=60), {'z_dim': 60})


# TensorFlow takes the path of a checkpoint for a pattern, in which [1] stands for 1.
@pytest.mark.parametrize('given', [
    {'name': 'r[1]'}, {'dataset': 'faces[1]'}, {'checkpoint_dir': 'runs[1]'}])
def test_a_path_from_which_no_checkpoint_can_be_read_is_not_trained_in(given):
    with pytest.raises(UserError, match=r'\[1\]'):
        start.to_train(Config.make(given, {}), given)


def test_such_a_path_is_named_where_there_is_a_checkpoint(tmp_path, place):
    place('r[1]')
    with pytest.raises(UserError, match=r'r\[1\]'):
        start.to_restore(config(tmp_path, name='r[1]'), {'name': 'r[1]'})


# --- before TensorFlow starts ------------------------------------------------

@pytest.fixture
def without_tensorflow(monkeypatch):
    """Make main end with status 77 where it would start TensorFlow."""
    def start(module):
        raise SystemExit(77)
    monkeypatch.setattr(main, 'start_tensorflow', start)


@pytest.mark.parametrize('was, now', [
    ('cats, dogs', 'cats, eels'), ('cats, dogs', 'bats, dogs'),
    ('cats, dogs', 'cats, dogs, eels'), ('cats, dogs', 'ants, cats, dogs'),
    ('cats, dogs, eels', 'cats, dogs')])
def test_other_labels_than_the_runs_are_refused_and_both_named(
        tmp_path, place, make_images, capsys, without_tensorflow, was, now):
    place('r', dataset='zoo', conditional=True, classes=tuple(was.split(', ')),
          batch_size=4, output_height=16)
    for label in now.split(', '):
        make_images(str(tmp_path / 'data' / 'zoo' / label), 4)
    assert main.main(['--train', '--name', 'r', '--dataset', 'zoo', '--conditional',
                      '--data_dir', str(tmp_path / 'data'),
                      '--checkpoint_dir', str(tmp_path / 'checkpoint')]) == 2
    error = capsys.readouterr().err
    assert 'labels %s;' % was in error
    assert 'now %s.' % now in error


def test_the_same_labels_are_not(tmp_path, place, make_images, without_tensorflow):
    place('r', dataset='zoo', conditional=True, classes=('cats', 'dogs'), batch_size=4,
          output_height=16)
    for label in ('dogs', 'cats'):
        make_images(str(tmp_path / 'data' / 'zoo' / label), 4)
    with pytest.raises(SystemExit) as error:
        main.main(['--train', '--name', 'r', '--dataset', 'zoo',
                   '--data_dir', str(tmp_path / 'data'),
                   '--checkpoint_dir', str(tmp_path / 'checkpoint')])
    assert error.value.code == 77


@pytest.mark.parametrize('train', [[], ['--train']])
def test_a_config_that_is_a_folder_is_refused_by_name(
        tmp_path, place, capsys, without_tensorflow, train):
    folder = place('r', with_config=False)
    os.makedirs(os.path.join(folder, 'config.json'))
    assert main.main(['--name', 'r', *train,
                      '--checkpoint_dir', str(tmp_path / 'checkpoint')]) == 2
    assert os.path.join(folder, 'config.json') in capsys.readouterr().err


@pytest.mark.parametrize('classes, expected', [
    (('dark', 'light'), 'dark, light'), ((), 'trained without labels')])
def test_a_label_that_is_none_is_refused_before_tensorflow_is_imported(
        tmp_path, place, classes, expected):
    place('r', classes=classes)
    code = ('import sys; sys.path.insert(0, %r); import main; '
            'status = main.main(["--label", "grey", "--name", "r"]); '
            'sys.exit(status if "tensorflow" not in sys.modules else 99)' % ROOT)
    result = subprocess.run([sys.executable, '-c', code], cwd=tmp_path,
                            capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr.startswith("error: --label 'grey'")
    assert expected in result.stderr


def test_a_checkpoint_is_chosen_by_step_or_as_the_best(place, tmp_path):
    folder = place('mine', steps=(10, 20))
    place(os.path.join('mine', 'best'), steps=(15,), with_config=False)
    run = folders.Run('mine', folder, str(tmp_path / 'samples'))
    assert folders.chosen(run)[0] == 20
    assert folders.chosen(run, '10') == (10, os.path.join(folder, 'DCGAN.model-10'))
    assert folders.chosen(run, 'best') == (
        15, os.path.join(folder, 'best', 'DCGAN.model-15'))
    with pytest.raises(NotFoundError, match='of 10, 15, 20'):
        folders.chosen(run, '30')
    with pytest.raises(UserError, match='expected best or'):
        folders.chosen(run, 'worst')


def test_without_a_best_checkpoint_eval_freq_is_named(place, tmp_path):
    run = folders.Run('mine', place('mine'), str(tmp_path / 'samples'))
    with pytest.raises(NotFoundError, match='--eval_freq'):
        folders.chosen(run, 'best')


# --- which run goes on -------------------------------------------------------

def train(tmp_path, line):
    """Return what to_train says, and (name, Config), for words and --checkpoint_dir."""
    said, (made, given) = [], start.complete(
        ['--train', '--checkpoint_dir', str(tmp_path / 'checkpoint')] + line.split())
    run, c = start.to_train(made, given, echo=said.append)
    return '\n'.join(said), run.name, c


SMALL = dict(dataset='p', batch_size=4, output_height=16)


@pytest.mark.parametrize('line', [
    '--epoch 50', '', '--output_height 16', '--batch_size 4', '--seed 0 --epoch 2',
    '--conditional False', '--output_width 16 --sample_freq 5'])
def test_a_run_begun_with_other_sizes_goes_on_without_them(tmp_path, place, line):
    place('p_4_16_16', **SMALL)
    place('q_4_16_16', **dict(SMALL, dataset='q'))
    place('mine', **SMALL)
    said, name, c = train(tmp_path, '--dataset p ' + line)
    assert (name, c.output_height, c.batch_size) == ('p_4_16_16', 16, 4)
    assert said == ('going on with the run that is there, p_4_16_16; for another add '
                    '--name NAME')


@pytest.mark.parametrize('line, name', [
    ('--output_height 32', 'p_32_32_32'), ('--batch_size 16', 'p_16_64_64'),
    ('--conditional', 'p_32_64_64'), ('--learning_rate 0.1', 'p_32_64_64'),
    ('--gf_dim 8 --batch_size 4', 'p_4_64_64'), ('--name new', 'new'),
    ('--attributes A', 'p_32_64_64'), ('--labels f.csv', 'p_32_64_64')])
def test_flags_that_contradict_begin_a_new_run_which_is_said(
        tmp_path, place, line, name):
    place('p_4_16_16', **SMALL)
    place('mine', **SMALL)
    place('other', dataset='q')
    said, found, _ = train(tmp_path, '--dataset p ' + line)
    assert found == name
    assert said == ('beginning a new run, %s; of p there are: mine, p_4_16_16. To go '
                    'on with one of them add --name NAME, to begin with its weights '
                    '--from NAME' % name)


def test_a_conditional_run_goes_on_too(tmp_path, place):
    place('p_4_16_16', conditional=True, classes=('a', 'b'), **SMALL)
    assert train(tmp_path, '--dataset p')[2].classes == ('a', 'b')
    place('mnist_4_16_16', conditional=False, **dict(SMALL, dataset='mnist', c_dim=1))
    said, name, c = train(tmp_path, '--dataset mnist --epoch 9')
    assert (name, c.conditional, c.epoch) == ('mnist_4_16_16', False, 9)
    assert train(tmp_path, '--dataset mnist --conditional')[1] == 'mnist_32_28_28'


def test_where_several_could_be_meant_they_are_listed(tmp_path, place):
    place('p_4_16_16', **SMALL)
    place('p_8_16_16', **dict(SMALL, batch_size=8))
    place('p_8_16_32', output_width=32, **dict(SMALL, batch_size=8))
    with pytest.raises(UserError, match='p_4_16_16, p_8_16_16, p_8_16_32. .* --name'):
        train(tmp_path, '--dataset p')
    with pytest.raises(UserError, match='meant: p_8_16_16, p_8_16_32. Say'):
        train(tmp_path, '--dataset p --batch_size 8')
    assert train(tmp_path, '--dataset p --batch_size 4')[1] == 'p_4_16_16'
    assert train(tmp_path, '--dataset p --output_width 32')[1] == 'p_8_16_32'
    assert train(tmp_path, '--dataset p --name p_8_16_16')[:2] == ('', 'p_8_16_16')


def test_the_same_command_goes_on_with_its_own_run(tmp_path, place):
    place('p_32_64_64', dataset='p')
    place('p_4_16_16', **SMALL)
    assert train(tmp_path, '--dataset p')[:2] == ('', 'p_32_64_64')


def test_a_first_run_is_begun_without_a_word(tmp_path, place):
    place('other', dataset='q')
    assert train(tmp_path, '--dataset p')[:2] == ('', 'p_32_64_64')
    place('p_4_16_16', steps=(), **SMALL)       # saved nothing
    assert train(tmp_path, '--dataset p')[:2] == ('', 'p_32_64_64')


def test_of_the_runs_begun_with_from_the_one_with_the_same(tmp_path, place):
    place('p_4_16_16', from_='old', **SMALL)
    assert train(tmp_path, '--dataset p --from old')[1] == 'p_4_16_16'
    assert train(tmp_path, '--from old --epoch 7')[2].epoch == 7    # its data set
    assert train(tmp_path, '--dataset p')[1] == 'p_4_16_16'
    place('p_8_16_16', **dict(SMALL, batch_size=8))
    with pytest.raises(UserError, match='p_8_16_16 is there already, begun without it'):
        train(tmp_path, '--from p_8_16_16')
    said, name, c = train(tmp_path, '--from p_8_16_16 --name new')
    assert (name, c.batch_size, c.output_height) == ('new', 8, 16)
    assert 'a new run, new; of p there are: p_4_16_16, p_8_16_16.' in said


def test_sampling_takes_the_newest_run_that_the_flags_fit(tmp_path, place):
    place('first', **SMALL)
    place('second', **dict(SMALL, output_height=32))
    for given, name in (({}, 'second'), ({'output_height': 16}, 'first'),
                        ({'output_height': 32}, 'second')):
        run, _ = start.to_restore(config(tmp_path, dataset='p'),
                                  dict(given, dataset='p'), lambda text: None)
        assert run.name == name
    with pytest.raises(UserError, match='--output_height: 32 in config.json, 8 now'):
        start.to_restore(config(tmp_path, dataset='p'),
                         dict(dataset='p', output_height=8), lambda text: None)


def test_a_run_whose_checkpoints_go_meanwhile_is_still_a_run(tmp_path):
    assert folders.newest_time([(3, str(tmp_path / 'gone'))]) == 0


# --- runs of which something is lost -----------------------------------------

BROKEN = {'without': None, 'empty': '', 'cut': '{"dataset": "p", ',
          'with a comment': '{"dataset": "p"} // mine', 'newer': '{"shiny": true}',
          'of wrong values': '{"batch_size": "4"}'}


def spoil(folder, text):
    """Write a text into a run's config.json; remove it for None."""
    path = os.path.join(folder, 'config.json')
    os.remove(path)
    if text is not None:
        with open(path, 'w') as file:
            file.write(text)


@pytest.mark.parametrize('text', BROKEN.values(), ids=BROKEN)
def test_a_run_whose_config_cannot_be_read_is_known_by_its_name(tmp_path, place, text):
    spoil(place('p_4_16_16', **SMALL), text)
    place('q_4_16_16', **dict(SMALL, dataset='q'))
    for line in '--dataset p', '--dataset p --batch_size 4 --gf_dim 8 --epoch 9':
        with pytest.raises(UserError, match='p_4_16_16.* config.json'):
            train(tmp_path, line)
    said, name, _ = train(tmp_path, '--dataset p --batch_size 16')
    assert name == 'p_16_64_64' and 'of p there are: p_4_16_16. ' in said
    assert train(tmp_path, '--dataset pp')[0] == ''
    given = {'dataset': 'p'}
    if text is None:        # what it is, its shapes tell
        run, c = start.to_restore(config(tmp_path, **given), given, lambda text: None)
        assert (run.name, c) == ('p_4_16_16', None)
        return
    with pytest.raises(UserError, match='p_4_16_16/config.json is not a config.json'):
        start.to_restore(config(tmp_path, **given), given, lambda text: None)


def test_a_config_that_an_editor_wrote_again_is_read(tmp_path, place):
    path = os.path.join(place('p_4_16_16', **SMALL), 'config.json')
    with open(path) as file:
        text = file.read()
    with open(path, 'w', encoding='utf-8-sig', newline='\r\n') as file:
        file.write(text)
    assert train(tmp_path, '--dataset p')[1] == 'p_4_16_16'


@pytest.mark.parametrize('line', ['--dataset p', '--dataset p --name p_4_16_16',
                                  '--dataset p --output_height 16 --batch_size 4'])
def test_a_run_whose_checkpoints_are_lost_is_not_trained_over(tmp_path, place, line):
    folder = place('p_4_16_16', steps=(5,), **SMALL)
    with open(os.path.join(folder, 'checkpoint'), 'w') as file:
        file.write('model_checkpoint_path: "DCGAN.model-5"\n')
    os.remove(os.path.join(folder, 'DCGAN.model-5.index'))
    before = sorted(os.listdir(folder))
    wanted = 'p_4_16_16: expected files like .*-1000.index. It was trained, and'
    with pytest.raises(UserError, match=wanted):
        train(tmp_path, line)
    made, given = start.complete(['--checkpoint_dir', str(tmp_path / 'checkpoint')]
                                 + line.split())
    if 'output_height' not in given:
        with pytest.raises(UserError, match=wanted):
            start.to_restore(made, given, print)
    with pytest.raises(UserError, match=wanted):
        train(tmp_path, '--dataset q --name n --from p_4_16_16')
    assert sorted(os.listdir(folder)) == before
    place('p_8_16_16', **dict(SMALL, batch_size=8))
    given = {'dataset': 'p'}
    assert start.to_restore(config(tmp_path, **given), given, print)[0].name == (
        'p_8_16_16')


def test_a_folder_that_is_closed_to_this_user_hinders_no_other(
        tmp_path, place, monkeypatch):
    closed, usual = place('p_4_16_16', **SMALL), os.listdir
    place('p_8_16_16', **dict(SMALL, batch_size=8))

    def listdir(path='.'):
        if path == closed:
            raise PermissionError(13, 'Permission denied')
        return usual(path)
    monkeypatch.setattr(os, 'listdir', listdir)
    assert train(tmp_path, '--dataset p')[1] == 'p_8_16_16'
    given = {'dataset': 'p', 'name': 'p_4_16_16'}
    for call in (lambda: train(tmp_path, '--dataset p --name p_4_16_16'),
                 lambda: start.to_restore(config(tmp_path, **given), given)):
        with pytest.raises(UserError, match='p_4_16_16 cannot be read: Permission'):
            call()
