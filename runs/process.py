"""The process: its streams and signals, set up for the program and then put back.

Put back, because the process may be that of a notebook (`%run main.py`), Spyder, IDLE,
or a program that imports main. No NumPy, so that --help answers at once.
"""

import contextlib
import os
import signal
import sys
import threading

STREAMS = 'stdin', 'stdout', 'stderr'


def interactive():
    """Tell whether the process is that of a notebook or a shell, which goes on."""
    return hasattr(sys, 'ps1') or 'idlelib.run' in sys.modules


@contextlib.contextmanager
def prepared():
    """Prepare the streams and what ends a program, for a while."""
    with streams(), terminating():
        yield


@contextlib.contextmanager
def streams():
    """Let all streams be open and take any text, and stdout show each line at once."""
    before, usual = {name: getattr(sys, name) for name in STREAMS}, {}
    for name, stream in before.items():
        if stream is None:      # if closed, a file would get its number
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), 'w'))
    out = sys.stdout
    if hasattr(out, 'reconfigure'):     # a notebook's has none
        usual = {name: getattr(out, name) for name in ('errors', 'line_buffering')}
        # file names may not be UTF-8; a log of nohup or a queue grows line by line
        out.reconfigure(errors='backslashreplace', line_buffering=True)
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):      # it is closed or broken
            if usual:
                out.reconfigure(**usual)
        for name, stream in before.items():
            setattr(sys, name, stream)


@contextlib.contextmanager
def terminating():
    """Let SIGTERM and SIGHUP, where they end the process, do so as exceptions do."""
    usual = {}
    for name in 'SIGTERM', 'SIGHUP':        # SIGHUP: not on Windows, nor under nohup
        number = getattr(signal, name, None)
        if may_handle() and number and signal.getsignal(number) == signal.SIG_DFL:
            usual[number] = signal.signal(number, terminate)
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)


def may_handle():
    """Tell whether this is the thread that may set signal handlers."""
    return threading.current_thread() is threading.main_thread()


def terminate(number, frame):
    """Leave on a signal as on an exception, so that half-written files are removed."""
    sys.exit(128 + number)


# --- output that may end ------------------------------------------------------

class Steady:
    """A text stream that may fail without ending the program; the text is then lost.

    Its reader may have gone (`| head`), its disk be full, its terminal closed: the
    training is worth more than its output. The first failure is told on stderr.
    """

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        """Write a text; return its length."""
        with self.steady():
            self.stream.write(text)
        return len(text)

    def flush(self):
        """Bring what was written to its place."""
        with self.steady():
            getattr(self.stream, 'flush', int)()    # not all have it

    def isatty(self):
        """Tell whether it is a terminal; a notebook's stream may not know."""
        return bool(getattr(self.stream, 'isatty', bool)())

    @contextlib.contextmanager
    def steady(self):
        """Write to the null device from the first error on."""
        try:
            yield
        except OSError as error:
            from utils import silence  # not above: see the head

            silence(self.stream)
            self.stream = open(os.devnull, 'w')
            with contextlib.suppress(OSError):
                os.write(2, ('note: what is printed cannot be written any more (%s); '
                             'the training goes on\n' % error.strerror).encode())


@contextlib.contextmanager
def steady_output():
    """Make stdout and stderr Steady for a while."""
    with contextlib.redirect_stdout(Steady(sys.stdout)), \
            contextlib.redirect_stderr(Steady(sys.stderr)):
        yield
