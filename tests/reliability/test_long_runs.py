"""What a long run holds does not grow: memory, open files, threads, the graph."""

import json
import os
import subprocess
import sys
import tracemalloc

import pytest

from runs import history

HERE = os.path.dirname(os.path.abspath(__file__))
proc = pytest.mark.skipif(not os.path.isdir('/proc/self'), reason='measures by /proc')


def measured(steps, least):
    """Train for so many steps in a process of its own; return the later measurements.

    The files, threads and operations are as many in all of them.
    """
    done = subprocess.run([sys.executable, os.path.join(HERE, 'long_run.py'),
                           str(steps)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found[-1]['step'] >= least
    late = found[len(found) // 2:]
    for name in 'files', 'threads', 'operations':
        assert len({line[name] for line in late}) == 1, (name, found)
    return late


@pytest.mark.slow
@proc
def test_files_threads_and_the_graph_do_not_grow():
    measured(200, 190)


@pytest.mark.slow
@proc
def test_nothing_grows():
    memory = [line['memory'] / 2 ** 20 for line in measured(2000, 1900)]
    half = len(memory) // 2
    assert max(memory[half:]) - max(memory[:half]) < 2, memory


def test_a_long_history_is_not_held_in_memory(tmp_path):
    path = str(tmp_path / 'history.csv')
    with open(path, 'w') as file:
        file.write(','.join(history.COLUMNS + history.JUDGED) + '\n')
        file.writelines('%d,1,%d,0.6,0.6,0.6,0.5,0.5,,,\n' % (step, step)
                        for step in range(1, 20001))
    tracemalloc.start()
    log = history.History(path, 19000)
    rows = history.read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    log.close()
    assert log.seconds == 19000 and len(rows['step']) == 19000
    assert peak < 5 * 2 ** 20       # the columns are 1.2 MiB, the lines as dicts 20
