"""Measure training on a GPU: this program beside PyTorch, and the card's own limit.

TORCH_PYTHON=/path/to/python python bench/speed/card.py --out FILE [--only NAME,NAME]

Each side is a process of its own. Three at most get ready at a time (they compile for
half a minute); while one is measured the others are stopped. A line is printed as soon
as a side is measured, and FILE, JSON, is written anew, so that a run that is cut off
still tells something. A side that fails prints why, and the others go on. After
--budget seconds no more is begun. Images are random, 64 x 64 x 3.

--tiny tries all of it on a processor, with small networks.
"""

import argparse
import contextlib
import json
import os
import pathlib
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from bench import turns

AT_ONCE = 3         # sides that get ready side by side
PROBE = 100         # steps by whose time it is told how many to measure
SECONDS = 1.5       # that a side is measured, twice
OURS, PEERS = 'speed/card_ours.py', 'peers/torch_card.py'
WIDE = ['--flagfile', os.path.join(turns.ROOT, 'configs/wide.flags')]
TINY = ['--output_height', '16', '--gf_dim', '4', '--df_dim', '4', '--batch_size', '8']


def ours(flags, steps, xla, precision):
    """Return the arguments of a side of this program."""
    return [OURS, *flags, '--xla' if xla else '--noxla', '--precision', precision,
            '--steps_per_run', str(steps)]


def peer(what, mode, precision):
    """Return the arguments of a side of PyTorch."""
    return [PEERS, what, mode, precision]


RO = 'reduce-overhead'
# name: arguments, the most telling first
SIDES = {
    'limit tf32': peer('limit', 'none', 'tf32'),
    'limit bfloat16': peer('limit', 'none', 'bfloat16'),
    'ours wide, 50 a run, XLA, bfloat16': ours(WIDE, 50, True, 'bfloat16'),
    'torch example, reduce-overhead, bfloat16': peer('example', RO, 'bfloat16'),
    'ours defaults, 50 a run, XLA, tf32': ours([], 50, True, 'tf32'),
    'torch recipe, reduce-overhead, tf32': peer('recipe', RO, 'tf32'),
    'torch recipe, reduce-overhead, bfloat16': peer('recipe', RO, 'bfloat16'),
    'torch example, reduce-overhead, tf32': peer('example', RO, 'tf32'),
    'ours wide, 50 a run, XLA, tf32': ours(WIDE, 50, True, 'tf32'),
    'ours defaults, 50 a run, XLA, bfloat16': ours([], 50, True, 'bfloat16'),
    'ours defaults, 50 a run, tf32': ours([], 50, False, 'tf32'),
    'ours defaults, one a run, tf32': ours([], 1, False, 'tf32'),
    'ours wide, 50 a run, bfloat16': ours(WIDE, 50, False, 'bfloat16'),
    'ours wide, 50 a run, tf32': ours(WIDE, 50, False, 'tf32'),
    'ours wide, one a run, tf32': ours(WIDE, 1, False, 'tf32'),
    'torch example, eager, tf32': peer('example', 'eager', 'tf32'),
}


class Side(turns.Side):
    """A side in a process group of its own, which can be stopped for a while."""

    def __init__(self, name, options, folder):
        script, *arguments = SIDES[name]
        torch = script == PEERS
        arguments += (['--tiny'] if torch else TINY) if options.tiny else []
        self.name, self.facts, self.rounds = name, {}, []
        self.began = time.time()
        self.log = open(os.path.join(folder, name.replace(' ', '_')), 'w')
        self.process = subprocess.Popen(
            [turns.TORCH if torch else sys.executable,
             os.path.join(turns.ROOT, 'bench', script)] + arguments,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True,
            env=environment(torch), start_new_session=True)

    def signal(self, number):
        """Send a signal to the whole group, where it is still there."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def measure(self, seconds, probe):
        """Let the side run twice for so long; return its faster speed."""
        self.run(probe)
        took = self.run(probe)['seconds']
        self.rounds.clear()
        for _ in range(2):
            self.run(max(probe, int(probe * seconds / took)))
        return max(r['images_per_s'] for r in self.rounds)

    def close(self):
        """End the process."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()


def environment(torch):
    """Return the environment of a side.

    XLA is told where CUDA is, if that is not where it looks. PYTHONPATH may bring
    TensorFlow, and packages with it that PyTorch's Python has in other versions.
    """
    found = dict(os.environ)
    if torch:
        found.pop('PYTHONPATH', None)
        return found
    flags = found.get('XLA_FLAGS', '')
    nvcc = shutil.which('nvcc')
    if nvcc and 'cuda_data_dir' not in flags and not os.path.exists('/usr/local/cuda'):
        flags += ' --xla_gpu_cuda_data_dir=%s' % pathlib.Path(
            os.path.realpath(nvcc)).parents[1]
    return dict(found, XLA_FLAGS=flags.strip(), TF_CPP_MIN_LOG_LEVEL='2')


class Bench:
    """Gets sides ready, some at a time, and measures each alone."""

    def __init__(self, options, folder):
        self.options, self.folder, self.began = options, folder, time.time()
        self.waiting, self.warming = list(options.only), []
        self.results, self.failed = {}, {}

    def run(self):
        """Measure all sides, or those for which there is time."""
        while self.waiting or self.warming:
            while self.waiting and len(self.warming) < AT_ONCE and self.left() > 0:
                self.start(self.waiting.pop(0))
            if self.left() < (-self.options.grace if self.warming else 0):
                break
            ready, _, _ = select.select(
                [side.process.stdout for side in self.warming], [], [], 1)
            for side in [s for s in self.warming if s.process.stdout in ready]:
                self.warming.remove(side)
                self.try_out(side)
        for side in self.warming:
            side.close()
        for name in self.waiting + [side.name for side in self.warming]:
            self.failed[name] = 'no time was left'
            print('%-42s no time was left' % name, flush=True)
        self.write()

    def start(self, name):
        """Start a side, if it can be."""
        try:
            self.warming.append(Side(name, self.options, self.folder))
        except OSError as error:        # no Python there
            self.fail(name, error)

    def fail(self, name, error):
        """Note that a side has failed, and print it."""
        self.failed[name] = str(error)
        print('%-42s FAILED\n%s' % (name, str(error)[-1500:]), flush=True)

    def left(self):
        """Return the seconds that are left."""
        return self.began + self.options.budget - time.time()

    def try_out(self, side):
        """Measure a side that is ready, while the others stand still; print a line."""
        for other in self.warming:
            other.signal(signal.SIGSTOP)
        signal.alarm(self.options.longest)
        try:
            side.wait_until_ready()
            ready = time.time() - side.began
            self.results[side.name] = dict(side.facts, ready_s=round(ready, 1),
                                           images_per_s=side.measure(
                                               self.options.seconds,
                                               5 if self.options.tiny else PROBE),
                                           last=side.rounds[-1])
            self.say(side.name)
        except Exception as error:      # whatever it is, the other sides go on
            self.fail(side.name, error)
        finally:
            signal.alarm(0)
            side.close()
            for other in self.warming:
                other.signal(signal.SIGCONT)
        self.write()

    def say(self, name):
        """Print the line of a side: its speed, share of the limit, time to be ready."""
        found = self.results[name]
        if name.startswith('limit'):
            print('%-42s %9.1f TFLOP/s   ready after %.0f s' % (
                name, found['images_per_s'] / 1e3, found['ready_s']), flush=True)
            return
        share = self.share(name)
        print('%-42s %9.0f images/s  %s  in session.run %s  ready after %.0f s' % (
            name, found['images_per_s'], '%.1f %% of the limit' % (100 * share)
            if share else '', '%.2f' % found['last']['in_run']
            if 'in_run' in found['last'] else '-', found['ready_s']), flush=True)

    def share(self, name):
        """Return what share of the matrix product's speed a side reaches, or None."""
        limit = self.results.get('limit ' + name.split()[-1])
        flop = self.results[name].get('MFLOP_an_image')
        return limit and flop and (
            flop * self.results[name]['images_per_s'] / 1e3 / limit['images_per_s'])

    def write(self):
        """Write all that is known so far."""
        with open(self.options.out, 'w') as file:
            json.dump({'card': card(), 'date': time.strftime('%Y-%m-%d %H:%M'),
                       'seconds': round(time.time() - self.began),
                       'failed': self.failed,
                       'sides': {name: dict(found, share=self.share(name))
                                 for name, found in self.results.items()}},
                      file, indent=1)


def card():
    """Return the name of the GPU, its driver and memory, as nvidia-smi says."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(
            ['nvidia-smi', '--query-gpu=name,driver_version,memory.total',
             '--format=csv,noheader'], capture_output=True, text=True, timeout=10,
            check=True).stdout.strip()
    return None


def main(words):
    """Run the measurement that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', required=True)
    parser.add_argument('--only', default='', help='names of sides, or parts of them, '
                        'with ; between: %s' % '; '.join(SIDES))
    parser.add_argument('--budget', type=float, default=210, help='seconds')
    parser.add_argument('--grace', type=float, default=20, help='more seconds, for '
                        'sides that have begun')
    parser.add_argument('--longest', type=int, default=30, help='seconds that '
                        'measuring a side may take')
    parser.add_argument('--seconds', type=float, default=SECONDS)
    parser.add_argument('--tiny', action='store_true')
    options = parser.parse_args(words)
    parts = [part.strip() for part in options.only.split(';')]
    options.only = [name for name in SIDES if any(part in name for part in parts)]
    print('%s; %s' % (card(), shlex.join(sys.argv)), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, folder)
        try:
            bench.run()
        finally:
            for side in bench.warming:
                side.close()


def too_long(*_):
    """Answer the alarm."""
    raise TimeoutError('it took too long')


if __name__ == '__main__':
    signal.signal(signal.SIGALRM, too_long)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # ends the sides too
    main(sys.argv[1:])
