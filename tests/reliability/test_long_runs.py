"""What a long run holds does not grow: memory, open files, threads, the graph."""

import json
import os
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))


def check(steps, least):
    """Train for so many steps in a process of its own; compare its quarters."""
    done = subprocess.run([sys.executable, os.path.join(HERE, 'long_run.py'),
                           str(steps)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found[-1]['step'] >= least
    late = found[len(found) // 2:]
    for name in 'files', 'threads', 'operations':
        assert len({line[name] for line in late}) == 1, (name, found)
    memory = [line['memory'] / 2 ** 20 for line in late]
    half = len(memory) // 2
    assert max(memory[half:]) - max(memory[:half]) < 2, found


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir('/proc/self'), reason='measures by /proc')
def test_nothing_grows():
    check(2000, 1900)
