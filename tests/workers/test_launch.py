"""--workers: started by one command, ended and started again together."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import starts as processes
from starts import FLAGS

import main
from runs import folders

MAIN = os.path.abspath(main.__file__)
FEW = [*FLAGS, '--eval_freq', 10**6]


class Launch:
    """main.py as a program of its own, with a log."""

    def __init__(self, folder, *flags):
        self.log = folder / 'log'
        with open(self.log, 'w') as file:
            self.process = subprocess.Popen(
                [sys.executable, MAIN, *map(str, flags)], cwd=str(folder), stdout=file,
                stderr=file, env=dict(os.environ, TF_CPP_MIN_LOG_LEVEL='3'))

    def workers(self):
        """Return the ids of its workers, the chief first."""
        path = pathlib.Path('/proc/%d/task/%d/children' % ((self.process.pid,) * 2))
        return sorted(map(int, path.read_text().split()))

    def until(self, happened, seconds=120):
        end = time.monotonic() + seconds
        while not happened():
            assert self.process.poll() is None and time.monotonic() < end, self.said()
            time.sleep(0.02)

    def said(self):
        return self.log.read_text()


def saved(folder):
    return [step for step, _ in folders.saved(str(folder / 'checkpoint/r'))]


@pytest.mark.slow
def test_two_workers_by_one_command_stop_at_a_signal(folder):
    launch = Launch(folder, *FEW, '--workers', 2, '--epoch', 10**4)
    launch.until(lambda: saved(folder))
    launch.process.send_signal(signal.SIGINT)
    assert launch.process.wait(60) == 130, launch.said()
    said = launch.said()
    assert 'worker 0 of 2: computing on' in said and 'worker 1 of 2' not in said
    assert 'the run is saved after step %d' % saved(folder)[-1] in said
    assert said.count('once more to leave at once') == 1
    rows = processes.history_of(folder / 'checkpoint/r')
    assert [int(row['step']) for row in rows] == list(range(1, saved(folder)[-1] + 1))


@pytest.mark.parametrize('flags, says', [
    (['--workers', 2, '--dry_run'], 'leave --workers out'),
    (['--workers', 2, '--xla'], '--xla is for one process'),
    (['--workers', 2, '--steps_per_run', 5], '--steps_per_run is for one process'),
    (['--workers', 0], '--workers is 0; expected a whole number from 1'),
    (['--workers', 9], 'fewer than one batch of 36')])
def test_what_cannot_be_starts_nothing(folder, monkeypatch, capsys, flags, says):
    monkeypatch.chdir(folder)
    assert main.main([*map(str, [*FEW, *flags])]) == 2
    assert says in capsys.readouterr().err
    assert not (folder / 'checkpoint').exists()


@pytest.mark.parametrize('task, flags, says', [
    ('{', [], 'TF_CONFIG: it is no JSON'),
    ('{"type": "worker", "index": 2}', [], 'and the cluster has worker 0 to 1'),
    ('{"type": "worker", "index": 1}', ['--workers', 3], 'the cluster has 2'),
    ('{"type": "worker", "index": 1}', ['--dry_run'], '--dry_run is for one process')])
def test_a_bad_cluster_is_one_line_and_writes_nothing(folder, monkeypatch, capsys, task,
                                                      flags, says):
    monkeypatch.chdir(folder)
    monkeypatch.setenv('TF_CONFIG', task if task == '{' else (
        '{"cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}, "task": %s}' % task))
    assert main.main([*map(str, [*FEW, *flags])]) == 2
    said = capsys.readouterr().err
    assert said.startswith('error: ') and says in said and said.count('\n') == 1
    assert os.listdir(str(folder)) == ['data']
    assert os.listdir(str(folder / 'data')) == ['noise']


def test_workers_are_for_training_images(capsys):
    assert main.main(['--workers', '2']) == 2
    assert '--workers is for --train' in capsys.readouterr().err
    assert main.main(['--dataset', 'gaussian', '--train', '--workers', '2']) == 2
    assert '--workers is of images' in capsys.readouterr().err


@pytest.mark.slow
def test_lost_workers_are_started_again_up_to_three_times(folder):
    launch = Launch(folder, *FEW, '--workers', 2, '--epoch', 10**4)
    for time_ in range(4):
        count = len(saved(folder)) and saved(folder)[-1]
        launch.until(lambda count=count: saved(folder) and saved(folder)[-1] > count)
        before = launch.workers()
        assert len(before) == 2
        os.kill(before[time_ % 2], signal.SIGKILL)
        if time_ < 3:
            launch.until(lambda before=before: not set(before) & set(
                launch.workers()) and len(launch.workers()) == 2)
    assert launch.process.wait(60) == 75, launch.said()
    said = launch.said()
    assert 'starting the workers again (3 of 3)' in said
    assert 'worker 0 was ended by signal 9' in said
    assert 'worker 1 was ended by signal 9' in said
    assert 'workers were lost 4 times' in said
    assert 'Traceback' not in said


@pytest.mark.slow
def test_workers_end_with_the_process_that_started_them(folder):
    launch = Launch(folder, *FEW, '--workers', 2, '--epoch', 10**4)
    launch.until(lambda: saved(folder))
    workers = launch.workers()
    launch.process.kill()
    launch.process.wait()
    end = time.monotonic() + 10
    while any(os.path.exists('/proc/%d/status' % worker) and 'Z' not in open(
            '/proc/%d/status' % worker).read().split('State:')[1][:4]
            for worker in workers):
        assert time.monotonic() < end
        time.sleep(0.1)
