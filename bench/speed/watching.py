"""What --task watch costs a training: steps a second with the page open and without.

python bench/speed/watching.py [--rounds N] [--seconds S]   needs chromium, playwright

A training of the bundled faces at the defaults, and --task watch beside it. In turn the
page is open in Chromium and closed; the lines of history.csv are counted meanwhile. Run
it when nothing else runs. Print the rounds, the medians and their ratio.
"""

import argparse
import contextlib
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from bench.page import chromium  # noqa: E402

RUN = 'watched'


def main():
    """Print the rounds and the medians."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=float, default=30, help='a round takes')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        training = start(folder, '--dataset', 'toonfaces', '--train', '--name', RUN)
        server = start(folder, '--task', 'watch', stdout=subprocess.PIPE, text=True)
        try:
            rounds = measure(browser, address(server), options, training, os.path.join(
                folder, 'checkpoint', RUN, 'history.csv'))
        finally:
            for process in server, training:
                process.terminate()
                process.wait()
    closed, opened = (statistics.median(speeds) for speeds in zip(*rounds))
    print('medians: closed %.2f, open %.2f steps/s, ratio %.3f'
          % (closed, opened, opened / closed))


def start(folder, *words, **keywords):
    """Start main.py with its folders in `folder`."""
    places = ['--checkpoint_dir', os.path.join(folder, 'checkpoint'),
              '--sample_dir', os.path.join(folder, 'samples'),
              '--cache_dir', os.path.join(folder, 'cache')]
    keywords.setdefault('stdout', subprocess.DEVNULL)
    return subprocess.Popen([sys.executable, str(ROOT / 'main.py'), *words, *places],
                            stderr=subprocess.DEVNULL, **keywords)


def address(server):
    """Return the address that the server prints."""
    for line in server.stdout:
        found = re.search(r'http://\S+', line)
        if found:
            return found.group()
    raise SystemExit('--task watch has ended')


def measure(browser, url, options, training, history):
    """Return [(steps/s closed, steps/s open)], a pair a round."""
    while steps(history) < 50:
        if training.poll() is not None:
            raise SystemExit('the training has ended')
        time.sleep(1)
    rounds = []
    for _ in range(options.rounds):
        closed = speed(history, options.seconds)
        page = browser.new_page()
        page.goto(url + '#run=' + RUN)
        page.wait_for_selector('img')
        rounds.append((closed, speed(history, options.seconds)))
        page.close()
        print('closed %.2f, open %.2f steps/s' % rounds[-1], flush=True)
    return rounds


def speed(history, seconds):
    """Return the steps a second of the next seconds, from line to line."""
    first, began = steps(history), time.perf_counter()
    time.sleep(seconds)
    return (steps(history) - first) / (time.perf_counter() - began)


def steps(history):
    """Return how many lines a history has."""
    with contextlib.suppress(FileNotFoundError), open(history, 'rb') as file:
        return sum(1 for _ in file)
    return 0


if __name__ == '__main__':
    main()
