"""The launcher: --workers N starts N processes on this machine and ends with them.

Each gets a TF_CONFIG of its own and the same words; the first, the chief, has the
terminal. Where one is lost all are started again. No TensorFlow.
"""

import contextlib
import glob
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

from runs.process import may_handle
from runs.stop import EARLY, ENDING
from settings.beside import PROGRAM
from workers.cluster import PARENT, RETRY

RESTARTS = 3        # starts again, where workers are lost
GRACE = 10          # seconds that the others have to end by themselves


def launch(words, count):
    """Start `count` workers with these words, and again where one is lost.

    Return the exit status of all: 0, or the first that is not RETRY.
    """
    say_gpus(count)
    with Signals() as signals:
        for again in range(RESTARTS + 1):
            workers = Workers(words, count)
            status = workers.wait(signals)
            if status != RETRY or signals.came:
                return status
            if again < RESTARTS:
                print('starting the workers again (%d of %d)' % (again + 1, RESTARTS),
                      file=sys.stderr)
    print('error: workers were lost %d times; the run is saved as of its last '
          'checkpoint' % (RESTARTS + 1), file=sys.stderr)
    return status


def say_gpus(count):
    """Say what becomes of GPUs where there are some, but fewer than workers."""
    gpus = visible_gpus(os.environ)
    if gpus and len(gpus) < count:
        print('note: %d workers and %d GPU%s: all compute on the processor'
              % (count, len(gpus), 's' * (len(gpus) > 1)))


class Signals:
    """Collects the signals that the launcher gets, which then hands them on.

    Workers do not get the terminal's Ctrl-C by themselves (each is in a session of its
    own), so that it reaches each of them once.
    """

    def __init__(self):
        self.came, self.waiting, self.usual = [], [], {}

    def __enter__(self):
        if may_handle():
            self.usual = {number: signal.signal(number, self.take)
                          for number in [*ENDING, *EARLY]
                          if signal.getsignal(number) not in (signal.SIG_IGN, None)}
        return self

    def take(self, number, frame):
        """Note a signal."""
        self.came.append(number)
        self.waiting.append(number)

    def __exit__(self, *exception):
        for number, handler in self.usual.items():
            signal.signal(number, handler)


class Workers:
    """The processes of `count` workers, started with the same words."""

    def __init__(self, words, count):
        self.errors = [None] + [tempfile.TemporaryFile() for _ in range(1, count)]
        self.processes, self.lost = [], []
        addresses = ['127.0.0.1:%d' % port for port in free_ports(count)]
        parts, gpus = share_cores(count), visible_gpus(os.environ)
        for rank in range(count):
            environ = dict(os.environ, TF_CONFIG=json.dumps({
                'cluster': {'worker': addresses},
                'task': {'type': 'worker', 'index': rank}}))
            environ[PARENT] = str(os.getpid())
            if gpus:
                environ['CUDA_VISIBLE_DEVICES'] = (
                    gpus[rank] if len(gpus) >= count else '-1')
            with on_cores(parts[rank]):
                self.processes.append(subprocess.Popen(
                    [sys.executable, os.path.join(PROGRAM, 'main.py'), *words],
                    env=environ, start_new_session=True, stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL if rank else None,
                    stderr=self.errors[rank]))

    def wait(self, signals):
        """Hand on signals until all have ended; return the status of all."""
        ended = None
        while any(process.poll() is None for process in self.processes):
            while signals.waiting:
                self.send(signals.waiting.pop(0))
            if ended is None and any(process.poll() for process in self.processes):
                ended = time.monotonic()
                self.lost = [(rank, -process.poll()) for rank, process in enumerate(
                    self.processes) if (process.poll() or 0) < 0]
            if ended and time.monotonic() > ended + GRACE:
                self.send(signal.SIGKILL)
            time.sleep(0.05)
        return self.status()

    def send(self, number):
        """Send a signal to all workers that run."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(number)

    def status(self):
        """Return the status of all; name the worker that brought it about."""
        for rank, number in self.lost:
            print('worker %d was ended by signal %d' % (rank, number), file=sys.stderr)
        statuses = [process.returncode for process in self.processes]
        for rank, status in enumerate(statuses):
            if status > 0 and status != RETRY:
                self.show_error(rank, status)
                return status
        return RETRY if any(statuses) else 0

    def show_error(self, rank, status):
        """Print what a worker without a terminal has said, where it had an error."""
        file = self.errors[rank]
        if file and status < 128:
            file.seek(0)
            print('worker %d:\n%s' % (rank, file.read().decode(
                'utf-8', 'replace').strip()), file=sys.stderr)


# --- the machine -------------------------------------------------------------

def free_ports(count):
    """Return `count` ports that are free on this machine."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(('127.0.0.1', 0))
        return [probe.getsockname()[1] for probe in probes]


def share_cores(count):
    """Return the cores of each of `count` workers, as even shares; see on_cores."""
    if not hasattr(os, 'sched_getaffinity'):
        return [None] * count
    there = sorted(os.sched_getaffinity(0))
    if count > len(there):
        return [[there[rank % len(there)]] for rank in range(count)]
    return [there[rank * len(there) // count:(rank + 1) * len(there) // count]
            for rank in range(count)]


@contextlib.contextmanager
def on_cores(own):
    """Let processes that are started within have these cores alone."""
    if own is None:
        yield
        return
    usual = os.sched_getaffinity(0)
    os.sched_setaffinity(0, own)
    try:
        yield
    finally:
        os.sched_setaffinity(0, usual)


def take_gpu(cluster, environ):
    """Let a worker that sees a GPU for each worker of its host see its own alone.

    Whoever gave it one, as Ray does, has chosen already.
    """
    index, count = cluster.local
    gpus = visible_gpus(environ)
    if len(gpus) >= count > 1:
        environ['CUDA_VISIBLE_DEVICES'] = gpus[index]


def visible_gpus(environ):
    """Return the GPUs that a process of this environment sees, as CUDA names them."""
    named = environ.get('CUDA_VISIBLE_DEVICES')
    if named is not None:
        return [name for name in named.split(',') if name.strip() not in (
            '', '-1', 'none', 'NoDevFiles')]
    return [path[len('/dev/nvidia'):] for path in sorted(
        glob.glob('/dev/nvidia[0-9]*'))]
