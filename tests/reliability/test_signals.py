"""SIGINT and SIGTERM, at whatever a training is: status, what is left, going on."""

import os
import signal

import pytest
import starts as processes
from starts import FLAGS, assert_same

from runs import checkpoints, folders

EPOCHS = ('--epoch', 2)     # 16 steps
BOTH = (signal.SIGINT, signal.SIGTERM)
# Tells by a file that it has come to a call, which then takes a while
MARK = '''
import importlib, time
module = importlib.import_module(%r)
holder = getattr(module, %r, module)
usual = getattr(holder, %r)
def marked(*arguments, **more):
    open('reached', 'w').close()
    time.sleep(%r)
    return usual(*arguments, **more)
setattr(holder, %r, marked)
'''
# In training, a step's work is done before the run is saved; before it, none is
SAVED = {'step': ('train', 'Trainer', 'train_step'),
         'judging': ('metrics.evaluation', 'Judge', 'judge'),
         'keeping': ('metrics.evaluation', 'Judge', 'keep'),
         'sampling': ('train', 'Trainer', 'sample'),
         'saving': ('runs.checkpoints', '', 'save')}
UNSAVED = {'packing': ('dataset.cache', '', 'write_images'),
           'graph': ('train', 'Trainer', 'open'),
           'results': ('train', '', 'show_results')}


def mark(place, seconds=0.3):
    module, holder, name = dict(SAVED, **UNSAVED)[place]
    return MARK % (module, holder, name, seconds, name)


def signalled(starts, folder, place, number):
    """Send a signal where a start has come to a place; return how it has ended."""
    start = starts(folder, *FLAGS, *EPOCHS, setup=mark(place))
    assert start.until((folder / 'reached').exists), start.said()
    start.signal(number)
    start.wait()
    assert 'Traceback' not in start.said()
    assert not [n for n in processes.listing(folder) if n.endswith('.part')
                or '.saving' in n]
    return start


def saves_and_leaves(starts, whole, folder, place, number):
    start = signalled(starts, folder, place, number)
    assert start.status == 128 + number, start.said()
    assert 'once more to leave at once' in start.err.read_text()
    step, path = folders.latest(str(folder / 'checkpoint/r'))
    assert 'the run is saved after step %d' % step in start.out.read_text()
    assert checkpoints.fault(path) is None
    rows = processes.history_of(folder / 'checkpoint/r')
    assert [int(row['step']) for row in rows] == list(range(1, step + 1))
    assert step < 16
    again = starts(folder, *FLAGS, *EPOCHS)
    assert again.wait() == 0, again.said()
    assert_same(whole, folder)


def leaves(starts, whole, folder, place, number):
    start = signalled(starts, folder, place, number)
    assert start.status == 128 + number, start.said()
    made = folders.saved(str(folder / 'checkpoint/r'))
    assert bool(made) == (place == 'results')
    again = starts(folder, *FLAGS, *EPOCHS)
    assert again.wait() == 0, again.said()
    assert_same(whole, folder)


@pytest.mark.slow
def test_a_signal_while_saving(starts, whole, folder):
    saves_and_leaves(starts, whole, folder, 'saving', signal.SIGTERM)


@pytest.mark.slow
@pytest.mark.parametrize('place, number', zip(SAVED, BOTH * 3))
def test_it_saves_and_leaves(starts, whole, folder, place, number):
    saves_and_leaves(starts, whole, folder, place, number)


@pytest.mark.slow
@pytest.mark.parametrize('place, number', [
    (place, number) for place in UNSAVED for number in BOTH])
def test_outside_of_the_steps_it_leaves(starts, whole, folder, place, number):
    leaves(starts, whole, folder, place, number)


@pytest.mark.slow
def test_the_second_signal_ends_it_at_once(starts, whole, folder):
    start = starts(folder, *FLAGS, *EPOCHS, setup=mark('judging', 600))
    assert start.until((folder / 'reached').exists)
    start.signal(signal.SIGINT)
    start.until(lambda: 'once more' in start.err.read_text())
    assert start.poll(0.2) is None
    start.signal(signal.SIGTERM)
    assert start.wait(10) == 143
    again = starts(folder, *FLAGS, *EPOCHS)
    assert again.wait() == 0, again.said()
    assert_same(whole, folder)


LONG = '''
import tensorflow.compat.v1 as tf, time, train
def long_step(self, number):
    def wait():
        open('reached', 'w').close()
        time.sleep(600)
    with tf.Graph().as_default(), tf.Session() as sess:
        sess.run(tf.py_func(wait, [], []))
train.Trainer.train_step = long_step
'''


@pytest.mark.slow
@pytest.mark.parametrize('second', BOTH)
def test_a_long_run_of_the_session_does_not_hold_back_the_second(
        starts, folder, second):
    start = starts(folder, *FLAGS, *EPOCHS, setup=LONG)
    assert start.until((folder / 'reached').exists)
    start.signal(signal.SIGINT)
    start.until(lambda: 'once more' in start.err.read_text(), 20)
    start.signal(second)
    assert start.wait(20) == 128 + second


GONE = '''
import os, signal, sys, train
usual = train.Trainer.train_step
def step(self, number):
    if number == 4:         # after step 5 there is nothing else to save or to say
        sys.stdout.reconfigure(line_buffering=True)
        reader, writer = os.pipe()
        os.dup2(writer, 1)
        os.close(reader)
        os.kill(os.getpid(), signal.SIGINT)
    return usual(self, number)
train.Trainer.train_step = step
'''


@pytest.mark.slow
def test_it_saves_where_whoever_read_has_gone_by_the_same_ctrl_c(
        starts, whole, folder):
    start = starts(folder, *FLAGS, *EPOCHS, setup=GONE)
    assert start.wait() == 130 and 'Traceback' not in start.said()
    assert 'cannot be written any more (Broken pipe)' in start.err.read_text()
    assert folders.latest(str(folder / 'checkpoint/r'))[0] == 5
    again = starts(folder, *FLAGS, *EPOCHS)
    assert again.wait() == 0, again.said()
    assert_same(whole, folder)


UNREAD = GONE.replace('        os.kill(os.getpid(), signal.SIGINT)\n', '')
FULL = UNREAD.replace('reader, writer = os.pipe()', 'reader = os.open("/dev/null", 0)\n'
                      '        writer = os.open("/dev/full", os.O_WRONLY)')


@pytest.mark.parametrize('setup', [
    pytest.param(UNREAD, marks=pytest.mark.slow), FULL])
def test_it_goes_on_where_what_it_prints_cannot_be_written(
        starts, whole, folder, setup):
    start = starts(folder, *FLAGS, *EPOCHS, setup=setup)
    assert start.wait() == 0, start.said()
    assert start.err.read_text().count('cannot be written any more') == 1
    assert_same(whole, folder)


@pytest.mark.slow
@pytest.mark.parametrize('number', [
    signal.SIGHUP, pytest.param(signal.SIGUSR1, marks=pytest.mark.slow)])
def test_a_lost_connection_or_a_queue_saves(starts, whole, folder, number):
    saves_and_leaves(starts, whole, folder, 'step', number)


@pytest.mark.slow
def test_a_terminal_that_is_closed_signals_twice(starts, whole, folder):
    start = starts(folder, *FLAGS, *EPOCHS, setup=mark('saving', 1))
    assert start.until((folder / 'reached').exists)
    for _ in range(3):
        start.signal(signal.SIGHUP)
    assert start.wait() == 129, start.said()
    assert folders.saved(str(folder / 'checkpoint/r'))


@pytest.mark.slow
def test_under_nohup_a_lost_connection_stops_nothing(starts, whole, folder):
    ignore = 'import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n'
    start = starts(folder, *FLAGS, *EPOCHS, setup=ignore + mark('saving'))
    assert start.until((folder / 'reached').exists)
    start.signal(signal.SIGHUP)
    assert start.wait() == 0, start.said()
    assert_same(whole, folder)


# --- packing by several processes ------------------------------------------------

@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_packing_leaves_no_process_and_no_part(starts, tmp_path, number):
    """Ctrl-C reaches the workers too, other signals do not."""
    processes.make_images(tmp_path / 'data' / 'noise', 6000)
    start = starts(tmp_path, *FLAGS)
    cache = tmp_path / 'data' / '.cache'
    assert start.until(lambda: list(cache.glob('*.part')))
    start.until(lambda: len(group_of(start.id)) > 2)
    if number == signal.SIGINT:
        os.killpg(start.id, number)
    else:
        start.signal(number)
    status = -9 if number == signal.SIGKILL else 128 + number
    assert start.wait() == status, start.said()
    assert start.err.read_text() == 'interrupted\n' * (number == signal.SIGINT)
    start.until(lambda: not group_of(start.id), 20)
    parts = list(cache.glob('.*.part'))
    assert len(parts) == (number == signal.SIGKILL)
    again = starts(tmp_path, *FLAGS, '--epoch', 1, '--eval_freq', 10**6,
                   '--sample_freq', 10**6, '--ckpt_freq', 10**6, '--batch_size', 3000)
    assert again.wait() == 0, again.said()
    assert not list(cache.glob('.*.part'))


def group_of(leader):
    """Return the processes of a group that live."""
    found = []
    for name in os.listdir('/proc'):
        try:
            with open('/proc/%s/stat' % name) as file:
                state, _, group = file.read().rpartition(')')[2].split()[:3]
        except (OSError, ValueError):
            continue
        if name.isdigit() and int(group) == leader and state != 'Z':
            found.append(int(name))
    return found


