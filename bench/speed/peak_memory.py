"""Run a command and print the peak of its anonymous resident memory (Linux).

python bench/speed/peak_memory.py python main.py --dataset celebA --train --epoch 1

RssAnon of the process and its children together, sampled ten times a second. What is
mapped from the cache file is not in it: the system takes that back when it needs to.
"""

import os
import subprocess
import sys
import time


def children(pid):
    """Return the process ids of a process and all that it started."""
    try:
        with open('/proc/%d/task/%d/children' % (pid, pid)) as file:
            below = [int(child) for child in file.read().split()]
    except OSError:
        return []
    return [pid] + [p for child in below for p in children(child)]


def anonymous(pid):
    """Return RssAnon of one process in KiB, 0 when it is gone."""
    try:
        with open('/proc/%d/status' % pid) as file:
            return sum(int(line.split()[1]) for line in file
                       if line.startswith('RssAnon'))
    except OSError:
        return 0


def watch(process, each=lambda: None):
    """Return the peak in MiB when a process has ended; call `each` at every sample."""
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(map(anonymous, children(process.pid))))
        each()
        time.sleep(0.1)
    return peak / 1024


def main(command):
    """Run the command; print the peak when it ends; return its status."""
    process = subprocess.Popen(command)
    print('peak anonymous memory: %.0f MiB' % watch(process))
    return process.returncode


if __name__ == '__main__':
    if not sys.argv[1:] or not os.path.exists('/proc/self/status'):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
