"""Checkpoints that are damaged, in use, of another network, or without room."""

import contextlib
import os
import random
import shutil
import signal
import subprocess

import numpy as np
import pytest
import starts as processes
import tensorflow.compat.v1 as tf
from starts import FLAGS, values_of

import main
import ops  # noqa: F401  (turns TensorFlow 2 behaviour off)
import train
from runs import checkpoints, folders, holding, sessions, start
from settings.config import Config
from settings.errors import UserError

SAMPLE = FLAGS[:2] + ['--name', 'r']
DATA, INDEX = '.data-00000-of-00001', '.index'


@pytest.fixture
def small(graph, tmp_path):
    """Return a folder with the checkpoints of steps 1 to 3, and what they hold."""
    v, w = tf.get_variable('a/v', [30, 10]), tf.get_variable('a/w', [7])
    with tf.Session() as sess:
        saver = checkpoints.make_saver([v, w])
        for step in (1, 2, 3):
            sess.run(tf.global_variables_initializer())
            checkpoints.save(sess, saver, str(tmp_path), step)
    return tmp_path


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Return a folder with a run of 16 steps, its checkpoints of 12, 14 and 16."""
    folder = tmp_path_factory.mktemp('trained')
    processes.make_images(folder / 'data' / 'noise')
    with inside(folder):
        assert call(*FLAGS, '--epoch', 2) == 0
    return folder


@pytest.fixture
def copied(trained, tmp_path):
    """Go into a copy of that folder."""
    folder = shutil.copytree(trained, tmp_path / 'copy')
    with inside(folder):
        yield folder


@pytest.fixture
def no_results(monkeypatch):
    """Leave out the animation and the loss picture: they take longer than the steps."""
    monkeypatch.setattr(train, 'show_results', lambda run: None)


@contextlib.contextmanager
def inside(folder):
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def call(*arguments):
    with tf.Graph().as_default():
        return main.main([*map(str, arguments)])


def contents(folder):
    """Return {name: bytes} of all that runs have left there."""
    return {name: (folder / name).read_bytes() for name in processes.listing(folder)
            if name.startswith(('checkpoint', 'samples'))
            and (folder / name).is_file()}


def steps(folder):
    return [step for step, _ in folders.saved(str(folder))]


# --- writing -------------------------------------------------------------------

def test_the_index_comes_last_and_the_state_after_it(small, graph, monkeypatch):
    """So that whoever finds an index, or a name, finds all that it stands for."""
    order, usual = [], os.replace

    def replace(source, path):
        usual(source, path)
        order.append(os.path.basename(path))
        for _, found in folders.saved(str(small)):
            assert checkpoints.fault(found) is None
        assert tf.train.latest_checkpoint(str(small)) in [
            path for _, path in folders.saved(str(small))]
    monkeypatch.setattr(os, 'replace', replace)
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        saver = checkpoints.make_saver(tf.global_variables())
        checkpoints.save(sess, saver, str(small), 10)
    assert order == ['DCGAN.model-10' + DATA, 'DCGAN.model-10' + INDEX, 'checkpoint']
    assert tf.train.latest_checkpoint(str(small)) == str(small / 'DCGAN.model-10')
    assert len(os.listdir(small)) == 2 * 4 + 1


def test_what_cut_off_saves_left_goes_and_nothing_else(small):
    before = sorted(os.listdir(small))
    (small / '.saving-abc').mkdir()
    for name in ('.saving-abc/DCGAN.model-4.data-00000-of-00001.tempstate7',
                 'DCGAN.model-4' + DATA, 'DCGAN.model-4.index.tempstate12',
                 'DCGAN.model-4.json'):
        (small / name).write_bytes(b'half')
    kept = ['DCGAN.model-4.index.damaged', f'DCGAN.model-4{DATA}.damaged', 'other.json',
            'DCGAN.model-3.json', 'mine' + DATA, 'notes.txt']
    for name in kept:
        (small / name).write_bytes(b'')
    checkpoints.clean(str(small), 3)
    assert sorted(os.listdir(small)) == sorted(before + kept)


# --- damage --------------------------------------------------------------------

def cut(content, rng):
    return content[:rng.randrange(len(content))]


def flip(content, rng):
    place = rng.randrange(len(content))
    return (content[:place] + bytes([content[place] ^ rng.randrange(1, 256)])
            + content[place + 1:])


def wipe(content, rng):
    begin = rng.randrange(len(content))
    return content[:begin] + bytes(len(content) - begin)


def shuffle(content, rng):
    return rng.randbytes(len(content))


DAMAGES = (cut, flip, wipe, shuffle)


def harmed(small, count, seed):
    """Damage either file of the newest checkpoint; return how often it was noticed.

    What is not noticed must not matter: the values are right all the same.
    """
    rng, noticed = random.Random(seed), 0
    path = small / 'DCGAN.model-3'
    files = {ending: (small / (path.name + ending)).read_bytes()
             for ending in (DATA, INDEX)}
    right = values_of(path)
    for number in range(count):
        ending = (DATA, INDEX)[number % 2]
        content = rng.choice(DAMAGES)(files[ending], rng)
        if content == files[ending]:
            continue
        (small / (path.name + ending)).write_bytes(content)
        said = []
        step, found = checkpoints.newest(str(small), said.append)
        assert step in (2, 3)
        if step == 2:
            noticed += 1
            assert str(path) in said[0] and 'damaged' in said[0]
            assert found == str(small / 'DCGAN.model-2') and found in said[1]
        else:
            assert ending == INDEX and not said
            values = values_of(path)
            assert values.keys() == right.keys()
            for name in right:
                assert values[name].tobytes() == right[name].tobytes()
        (small / (path.name + ending)).write_bytes(files[ending])
    return noticed


def test_damage_is_noticed_or_does_not_matter(small):
    assert harmed(small, 200, 1) > 150


@pytest.mark.slow
def test_much_damage_is_noticed_or_does_not_matter(small):
    assert harmed(small, 5000, 2) > 4000


@pytest.mark.parametrize('ending', [DATA, INDEX])
def test_a_file_that_is_missing_or_empty(small, ending):
    path = small / ('DCGAN.model-3' + ending)
    path.write_bytes(b'')
    assert checkpoints.newest(str(small), print)[0] == 2
    os.remove(path)
    assert checkpoints.newest(str(small), print)[0] == 2


def test_a_checkpoint_that_its_training_removes_meanwhile_is_no_damage(
        small, monkeypatch):
    usual = checkpoints.fault

    def fault(path):
        if path.endswith('-3'):
            for name in os.listdir(small):
                if name.startswith('DCGAN.model-3'):
                    shutil.move(small / name, small / name.replace('-3', '-5'))
        return usual(path)
    monkeypatch.setattr(checkpoints, 'fault', fault)
    said = []
    assert checkpoints.newest(str(small), said.append)[0] == 5
    assert not [line for line in said if 'damaged' in line]


# --- held while it is read -----------------------------------------------------

def first_gone(monkeypatch, remove):
    """Let the first checkpoint that is chosen be removed as soon as it is chosen."""
    usual, gone = checkpoints.choose, []

    def choose(*arguments):
        step, path = usual(*arguments)
        if not gone:
            gone.append(step)
            remove(path)
        return step, path
    monkeypatch.setattr(checkpoints, 'choose', choose)


@pytest.mark.parametrize('remove', [
    checkpoints.remove, lambda path: os.remove(path + INDEX),
    lambda path: os.remove(path + DATA)])
def test_one_that_goes_as_soon_as_it_is_chosen_gives_way_to_the_next(
        small, monkeypatch, remove):
    first_gone(monkeypatch, remove)
    with holding.held(folders.Run('r', str(small), '')) as (step, path, copy):
        assert step == 2 and path == str(small / 'DCGAN.model-2') != copy
        before = values_of(copy)
        checkpoints.remove(path)        # and if it goes now, nothing is lost
        assert checkpoints.fault(copy) is None
        assert (values_of(copy)['a/v'] == before['a/v']).all()
    assert not os.path.exists(os.path.dirname(copy))


def test_where_that_was_the_only_one_it_is_said(small, monkeypatch):
    for step in 1, 2:
        checkpoints.remove(str(small / ('DCGAN.model-%d' % step)))
    first_gone(monkeypatch, checkpoints.remove)
    with pytest.raises(UserError, match='No checkpoint in '), holding.held(
            folders.Run('r', str(small), '')):
        raise AssertionError


def test_one_that_was_asked_for_and_goes_is_named(small, monkeypatch):
    first_gone(monkeypatch, checkpoints.remove)
    with pytest.raises(UserError, match='of step 3 .* those of 1, 2'), \
            holding.held(folders.Run('r', str(small), ''), '3'):
        raise AssertionError


@pytest.mark.parametrize('full', [False, True])
def test_where_links_are_refused_it_is_copied_if_there_is_room(
        small, monkeypatch, full):
    def refuse(*arguments):
        raise PermissionError(1, 'Operation not permitted')

    def fill(*arguments):
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr(os, 'link', refuse)
    if full:
        monkeypatch.setattr(shutil, 'copyfile', fill)
    with holding.held(folders.Run('r', str(small), '')) as (_, path, copy):
        assert (path == copy) == full
        assert (values_of(copy)['a/v'] == values_of(path)['a/v']).all()
    assert checkpoints.fault(path) is None


def test_what_is_said_of_it_names_the_checkpoint_itself(small):
    with pytest.raises(UserError) as error, holding.held(
            folders.Run('r', str(small), '')) as (_, path, copy):
        raise UserError('The checkpoint %s is odd' % copy)
    assert str(error.value) == 'The checkpoint %s is odd' % path


def test_a_task_draws_from_a_checkpoint_that_its_training_removes(
        copied, capsys, monkeypatch):
    usual = checkpoints.load

    def load(*arguments, **more):
        for _, path in folders.saved('checkpoint/r'):
            checkpoints.remove(path)
        return usual(*arguments, **more)
    monkeypatch.setattr(checkpoints, 'load', load)
    assert call(*SAMPLE) == 0
    assert 'checkpoint: checkpoint/r/DCGAN.model-16 (step 16)\n' in (
        capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.parametrize('text', ['', 'model_checkpoint_path: "DC', '\0' * 50,
                                  'model_checkpoint_path: "/else/DCGAN.model-9"\n'])
def test_the_state_file_is_reported_but_not_needed(copied, text, capsys, no_results):
    state = copied / 'checkpoint/r/checkpoint'
    state.write_text(text)
    for flags in SAMPLE, [*FLAGS, '--epoch', 2]:
        assert call(*flags) == 0
        assert 'warning: checkpoint/r/checkpoint ' in capsys.readouterr().out
    assert tf.train.latest_checkpoint('checkpoint/r') == 'checkpoint/r/DCGAN.model-16'
    assert call(*SAMPLE) == 0
    assert 'warning' not in capsys.readouterr().out


@pytest.mark.parametrize('ending', [
    DATA, pytest.param(INDEX, marks=pytest.mark.slow)])
def test_sampling_takes_the_one_before_a_damaged_one(copied, ending, capsys):
    newest = 'checkpoint/r/DCGAN.model-16'
    assert call(*SAMPLE, '--checkpoint', 14) == 0
    right = (copied / 'samples/r/test.png').read_bytes()
    os.truncate(newest + ending, os.path.getsize(newest + ending) // 2)
    before = processes.listing('checkpoint')
    capsys.readouterr()
    assert call(*SAMPLE) == 0
    said = capsys.readouterr().out
    assert 'warning: the checkpoint %s is damaged: ' % newest in said
    assert 'taking the one before: checkpoint/r/DCGAN.model-14' in said
    assert 'DCGAN.model-14 (step 14)' in said
    assert (copied / 'samples/r/test.png').read_bytes() == right
    assert processes.listing('checkpoint') == before     # a run may be in training


@pytest.mark.parametrize('ending', [
    pytest.param(DATA, marks=pytest.mark.slow), INDEX])
def test_training_goes_on_from_the_one_before_and_ends_the_same(
        trained, copied, ending, capsys, monkeypatch):
    newest = 'checkpoint/r/DCGAN.model-16'
    os.truncate(newest + ending, os.path.getsize(newest + ending) // 2)
    assert call(*FLAGS, '--epoch', 2) == 0
    said = capsys.readouterr().out
    assert 'warning: the checkpoint %s is damaged: ' % newest in said
    assert 'resuming r after step 14' in said
    for name in (DATA, INDEX):      # set aside, in case that it is wanted yet
        os.remove(newest + name + '.damaged')
    processes.assert_same(trained, copied)


@pytest.mark.slow
def test_a_damaged_one_is_not_counted_among_the_newest(copied):
    """Else with --max_to_keep 1 it would be the one that is kept."""
    os.truncate('checkpoint/r/DCGAN.model-16' + DATA, 100)
    assert call(*FLAGS, '--epoch', 2, '--max_to_keep', 1, '--ckpt_freq', 1) == 0
    assert steps('checkpoint/r') == [16]
    assert checkpoints.fault('checkpoint/r/DCGAN.model-16') is None


@pytest.mark.parametrize('flags', [SAMPLE, [*FLAGS, '--epoch', 3]])
def test_where_all_are_damaged_each_is_named_and_nothing_is_touched(
        copied, flags, capsys):
    for index, (_, path) in enumerate(folders.saved('checkpoint/r')):
        os.truncate(path + (DATA, INDEX)[index % 2], 30)
    before = contents(copied)
    assert call(*flags) == 2
    error = capsys.readouterr().err
    for step in 12, 14, 16:
        assert 'the checkpoint checkpoint/r/DCGAN.model-%d is damaged: ' % step in error
    assert '--name' in error
    assert contents(copied) == before


@pytest.mark.parametrize('which', ['16', 'best'])
def test_one_that_was_asked_for_is_not_replaced_by_another(copied, which, capsys):
    folder = 'checkpoint/r/best' if which == 'best' else 'checkpoint/r'
    os.truncate(folders.saved(folder)[-1][1] + DATA, 100)
    assert call(*SAMPLE, '--checkpoint', which) == 2
    error = capsys.readouterr().err
    assert folders.saved(folder)[-1][1] in error and '--checkpoint STEP' in error


@pytest.mark.slow
def test_a_damaged_best_one_is_set_aside_before_training_goes_on(
        copied, capsys, no_results):
    (step, path), = folders.saved('checkpoint/r/best')
    os.truncate(path + DATA, 100)
    assert call(*FLAGS, '--epoch', 3) == 0
    assert 'the best checkpoint %s is damaged' % path in capsys.readouterr().out
    (again, path), = folders.saved('checkpoint/r/best')
    assert again > step and checkpoints.fault(path) is None


# --- memory --------------------------------------------------------------------

@pytest.mark.slow
def test_a_network_that_does_not_fit_into_memory_is_told(graph):
    huge = tf.fill(tf.placeholder_with_default([2**22, 2**22], [2]), 1.0)
    with tf.Session() as sess, pytest.raises(MemoryError, match='--batch_size'), \
            sessions.memory():
        sess.run(huge)


@pytest.mark.slow
def test_a_training_that_does_not_fit_into_memory_is_refused(starts, folder):
    limit = 'import resource; resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))'
    start = starts(folder, *FLAGS, '--gf_dim', 4096, '--z_dim', 65536, setup=limit)
    status, error = start.wait(), start.err.read_text()
    # where the machine itself has too little, that is found before TensorFlow starts
    found = {1: 'error: not enough memory', 2: 'error: --gf_dim 4096, '}[status]
    assert error.startswith(found) and 'memory' in error and error.count('\n') == 1


# --- another network -----------------------------------------------------------

def test_variables_that_differ_are_named(small, graph):
    with tf.Graph().as_default(), tf.Session() as sess:
        here = [tf.get_variable('a/v', [30, 11]), tf.get_variable('a/w', [7]),
                tf.get_variable('d_optim/a/v/Adam', [30, 10])]
        with pytest.raises(UserError) as error:
            checkpoints.load(sess, checkpoints.make_saver(here), here,
                            str(small / 'DCGAN.model-3'))
        lines = str(error.value).splitlines()
        assert lines[1:] == ['  a/v: [30, 11] here, [30, 10] there',
                             '  d_optim/a/v/Adam: [30, 10] here, missing there']
        fits = here[1:2]
        saver = checkpoints.make_saver(fits)
        checkpoints.load(sess, saver, fits, str(small / 'DCGAN.model-3'))
        with pytest.raises(UserError, match=r'  a/v: missing here, \[30, 10\] there'):
            checkpoints.load(
                sess, saver, fits, str(small / 'DCGAN.model-3'), whole=True)


@pytest.mark.parametrize('change, names', [
    ({'optimizer': 'sgd'}, ['d_optim/discriminator/d_h0_conv/w/Adam: missing here',
                            'g_optim/generator/g_h1/w/Adam_1: missing here']),
    pytest.param({'ema': 0}, ['ema/generator/g_h0_lin/Matrix: missing here'],
                 marks=pytest.mark.slow),
    pytest.param({'gf_dim': 3}, [
        'generator/g_h1/w: [4, 4, 3, 3] here, [4, 4, 3, 2] there',
        'g_optim/generator/g_h1/w/Adam: [4, 4, 3, 3] here'], marks=pytest.mark.slow)])
def test_a_checkpoint_of_another_network_is_refused_in_training(
        copied, change, names, capsys):
    """As config.json would have it: by the flags it is refused already."""
    path = 'checkpoint/r/config.json'
    Config.load(path).replace(**change).save(path)
    assert call('--train', '--name', 'r', '--dataset', 'noise') == 2
    error = capsys.readouterr().err
    for name in names:
        assert '\n  ' + name in error
    assert steps('checkpoint/r') == [12, 14, 16]


# --- in use --------------------------------------------------------------------

def test_a_run_in_use_is_refused_until_its_process_dies(copied, capsys, no_results):
    code = ('import fcntl, time; f = open("checkpoint/r/.lock", "a"); '
            'fcntl.flock(f, fcntl.LOCK_EX); print("mine", flush=True); time.sleep(600)')
    holder = subprocess.Popen([processes.sys.executable, '-c', code], text=True,
                              stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == 'mine\n'
        before = processes.listing('.')
        assert call(*FLAGS, '--epoch', 3) == 2
        assert 'checkpoint/r is in use' in capsys.readouterr().err
        assert processes.listing('.') == before
        assert call(*SAMPLE) == 0                           # sampling is possible
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert call(*FLAGS, '--epoch', 3, '--ckpt_freq', 99) == 0
        assert steps('checkpoint/r')[-1] == 24
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_two_that_start_at_once_do_not_both_train(copied):
    run = folders.Run('r', 'checkpoint/new', 'samples/new')
    start.check_free(run)
    assert not os.path.exists('checkpoint/new')
    with start.locked(run):
        for refused in start.check_free, lambda run: start.locked(run).__enter__():
            with pytest.raises(UserError, match='checkpoint/new is in use'):
                refused(run)
    start.check_free(run)


# --- NaN -----------------------------------------------------------------------

@pytest.mark.parametrize('name, value, step, noticed', [
    pytest.param('ema/generator/g_h0_lin/Matrix', np.nan, 17,
                 'step 20: NaN or infinity in ema/', marks=pytest.mark.slow),
    ('discriminator/d_h0_conv/w', -np.inf, 17, 'step 18: d'),   # a loss, or a histogram
    ('g_optim/generator/g_h1/w/Adam_1', np.inf, 18, 'step 20: d_ is nan.'),
    pytest.param('d_optim/beta1_power', np.nan, 20,
                 'step 20: NaN or infinity in d_optim/beta1_po', marks=pytest.mark.slow)
])
def test_what_is_no_number_is_never_saved(copied, name, value, step, noticed, capsys,
                                          monkeypatch):
    usual = train.Trainer.train_step

    def spoil(self, number):
        values = usual(self, number)
        if number + 1 == step:
            variable, = (v for v in self.variables if v.op.name == name)
            spoilt = np.array(self.sess.run(variable))
            spoilt.flat[-1:] = value
            variable.load(spoilt, self.sess)
        return values
    monkeypatch.setattr(train.Trainer, 'train_step', spoil)
    before = {name: content for name, content in contents(copied).items()
              if 'history' not in name and 'config.json' not in name}
    assert call(*FLAGS, '--epoch', 3, '--ckpt_freq', 5, '--sample_freq', 5,
                '--eval_freq', 5) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: ' + noticed)
    assert '--learning_rate' in error
    assert {name: content for name, content in contents(copied).items()
            if name in before} == before
    assert steps('checkpoint/r') == [12, 14, 16]
    assert len(processes.history_of(copied / 'checkpoint/r')) < 20
