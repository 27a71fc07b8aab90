"""A run that is killed again and again ends as one that never was, bit by bit."""

import collections
import contextlib
import os
import random
import shutil
import signal

import pytest
import starts as processes
from starts import FLAGS, SLOW, assert_same

from runs import folders


@pytest.fixture
def fresh(whole, tmp_path):
    """Return a function that makes a folder with the same data and no cache."""
    def make():
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(whole / 'data' / 'noise', folder / 'data' / 'noise')
        return folder
    return make


def test_a_whole_run_has_all_that_is_compared(whole):
    assert len(processes.history_of(whole / 'checkpoint/r')) == 16
    assert len(list((whole / 'samples/r').glob('train_*.png'))) == 6
    assert folders.saved(str(whole / 'checkpoint/r/best'))
    assert (whole / 'samples/r/training.gif').exists()


# --- moments -------------------------------------------------------------------

def at_some_time(start, folder, rng):
    start.poll(rng.uniform(0, 3))


def in_a_save(start, folder, rng):
    wait_for_saves(start, folder, rng)
    while start.until(lambda: saving(folder)):
        start.poll(rng.uniform(0, 0.04))    # a save takes twice as long
        if saving(folder) or start.status is not None:
            break       # else it was over sooner: in the next one


def between_data_and_index(start, folder, rng):
    wait_for_saves(start, folder, rng)
    start.until(lambda: between(saving(folder)))


def wait_for_saves(start, folder, rng):
    """Let some checkpoints be written, so that a start gets on."""
    before, count = newest(folder), rng.randint(1, 5)
    start.until(lambda: newest(folder) >= before + count)


def newest(folder):
    found = folders.saved(str(folder / 'checkpoint/r'))
    return found[-1][0] if found else 0


def saving(folder):
    """Return the folders of checkpoints that are being written, or were at a kill."""
    return {path for place in ('checkpoint/r', 'checkpoint/r/best')
            for path in (folder / place).glob('.saving-*')}


def between(parts):
    """Tell whether a .data file has taken its place and its .index has not."""
    for part in parts:
        with contextlib.suppress(FileNotFoundError):    # it has just been written
            names = os.listdir(part)
            if [name for name in names if name.endswith('.index')] == names != []:
                return True
    return False


def killed(starts, whole, epochs, fresh, moments, seed):
    """Kill runs at such moments until there is none left; count where they hit.

    Each run is started again until it ends, then compared with a whole one.
    """
    rng, counts, moments = random.Random(seed), collections.Counter(), list(moments)
    while moments:
        folder = fresh()
        while True:
            start = starts(folder, *FLAGS, '--epoch', epochs, setup=SLOW)
            before = saving(folder)     # left by an earlier kill
            if moments:
                moments[-1](start, folder, rng)
                start.signal(signal.SIGKILL)
            if start.wait() == 0:
                break
            assert start.status == -signal.SIGKILL, start.said()
            moments.pop()
            counts['kills'] += 1
            counts['in a save'] += bool(saving(folder) - before)
            counts['between'] += between(saving(folder) - before)
        assert_same(whole, folder)
        counts['runs'] += 1
    print(dict(counts))
    return counts


@pytest.mark.slow
def test_a_run_killed_twice_ends_as_if_it_had_not_been(starts, whole, fresh):
    counts = killed(starts, whole, 2, fresh, (between_data_and_index, at_some_time), 1)
    assert counts['kills'] == 2
    assert counts['between'] >= 1


@pytest.mark.slow
def test_runs_killed_at_20_random_moments(starts, train_whole, fresh):
    moments = [at_some_time] * 10 + [in_a_save] * 6 + [between_data_and_index] * 4
    random.Random(2).shuffle(moments)
    counts = killed(starts, train_whole(6), 6, fresh, moments, 3)
    assert counts['kills'] == 20
    assert counts['in a save'] >= 5
    assert counts['between'] >= 3
