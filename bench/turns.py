"""Sides that take turns: each a process, told when to run and otherwise asleep.

A side calls keep_stdout() and serve(run, batch, out). It says that it is ready, then
for each line that it reads runs so many steps and answers with a line of JSON. Standard
library only, for every side's own environment.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = str(pathlib.Path(__file__).resolve().parents[1])
TORCH = os.environ.get('TORCH_PYTHON') or os.path.join(ROOT, '.venv-torch/bin/python')


def keep_stdout():
    """Return a descriptor for the answers; what else is printed goes to stderr."""
    out = os.dup(1)
    os.dup2(2, 1)
    return out


def serve(run, batch, out, warm_up=5, **facts):
    """Run `run(steps)` whenever a line with a number of steps comes in.

    `out` is keep_stdout()'s, called before anything is printed.
    """
    run(warm_up)
    answer(out, dict(facts, ready=True))
    for line in sys.stdin:
        steps = int(line)
        began = time.perf_counter()
        run(steps)
        took = time.perf_counter() - began
        answer(out, {'images_per_s': steps * batch / took, 'seconds': took,
                     'memory_MiB': anonymous_memory()})


def answer(out, facts):
    """Write one line of JSON to whoever started this side."""
    os.write(out, (json.dumps(facts) + '\n').encode())


def anonymous_memory():
    """Return RssAnon of this process in MiB, None where the system does not tell."""
    try:
        with open('/proc/self/status') as file:
            return next(int(line.split()[1]) / 1024 for line in file
                        if line.startswith('RssAnon'))
    except (OSError, StopIteration):
        return None


class Side:
    """A side in a process of its own."""

    def __init__(self, name, command, log, **facts):
        self.name, self.facts, self.rounds = name, facts, []
        self.log = open(log, 'w')
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=self.log)

    def read(self):
        """Return the side's next answer. Raises RuntimeError where it has died."""
        line = self.process.stdout.readline()
        if not line:
            self.log.flush()
            with open(self.log.name) as file:
                tail = file.read()[-2000:]
            raise RuntimeError('%s has died:\n%s' % (self.name, tail))
        return json.loads(line)

    def wait_until_ready(self):
        """Wait for the side to have warmed up; note what it tells of itself."""
        self.facts.update(self.read())

    def run(self, steps):
        """Let the side run; return and keep its answer."""
        self.process.stdin.write('%d\n' % steps)
        self.process.stdin.flush()
        self.rounds.append(self.read())
        return self.rounds[-1]

    def run_seconds(self, seconds):
        """Let the side run for about so long, by the speed that it had before."""
        if not self.rounds:
            self.run(2)
            self.rounds.clear()
            self.steps = 2
            probe = self.run(2)
            self.rounds.clear()
            self.steps = max(2, round(2 * seconds / probe['seconds']))
        return self.run(self.steps)

    def median(self, what='images_per_s'):
        """Return the median of the rounds."""
        return statistics.median(r[what] for r in self.rounds)

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()
        self.log.close()


def start(sides, folder):
    """Start {name: (command, facts)} one by one; return {name: Side}.

    One after another, so that none warms up beside another. A side that dies is left
    out. Their logs are in `folder`.
    """
    started = {}
    for name, (command, facts) in sides.items():
        print('starting', name, file=sys.stderr)
        side = Side(name, command, os.path.join(folder, name.replace(' ', '_')),
                    **facts)
        try:
            side.wait_until_ready()
            started[name] = side
        except RuntimeError as error:
            print('left out: %s' % error, file=sys.stderr)
    return started


def measure(sides, rounds, seconds):
    """Let the sides run in turn, in another order each round."""
    order = list(sides.values())
    for number in range(rounds):
        for side in order[number % len(order):] + order[:number % len(order)]:
            speed = side.run_seconds(seconds)['images_per_s']
            print('round %d/%d  %-28s %8.1f' % (number + 1, rounds, side.name, speed),
                  file=sys.stderr)


def ratio(side, other):
    """Return the median of the rounds' ratios: side over other, round by round."""
    return statistics.median(a['images_per_s'] / b['images_per_s']
                             for a, b in zip(side.rounds, other.rounds))
