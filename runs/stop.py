"""Stop: signals end a training after its step, not in the middle.

Ctrl-C and SIGTERM; what comes when a terminal or connection is lost; and what queue
systems send before the time is up, as `sbatch --signal=USR1@60`.
"""

import contextlib
import os
import signal
import socket
import threading

from runs.process import interactive, may_handle

ENDING = (signal.SIGINT, signal.SIGTERM)
EARLY = [getattr(signal, name) for name in ('SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGXCPU')
         if hasattr(signal, name)]


class Stop:
    """Turns the first signal into a status; a SIGINT or SIGTERM after it ends all.

    A signal that is ignored stays so: under nohup SIGHUP stops nothing. In a notebook,
    whose process goes on, the next one does what it does there: an interrupt. A thread
    that is not the main one gets no signals.

    Python runs its handlers only when what runs in C has ended, be it a long step. So
    that the first signal is answered at once, the system writes each signal's number
    to a socket, and a thread reads them there.
    """

    def __init__(self):
        self.status, self.usual, self.shared = 0, {}, interactive()

    def __enter__(self):
        if not may_handle():
            return self
        self.numbers, self.teller = socket.socketpair()
        self.teller.setblocking(False)
        self.before = signal.set_wakeup_fd(self.teller.fileno())
        self.usual = {number: signal.signal(number, self.stop)
                      for number in [*ENDING, *EARLY]
                      # None: a handler of C's, which cannot be put back
                      if signal.getsignal(number) not in (signal.SIG_IGN, None)}
        threading.Thread(target=self.answer, daemon=True).start()
        return self

    def stop(self, number, frame):
        """Remember the first signal."""
        usual = self.usual.get(number)
        if self.status and self.shared and callable(usual):
            usual(number, frame)
        self.status = self.status or 128 + number

    def answer(self):
        """Answer the first signal; at another of ENDING end the process at once.

        Nothing is lost by that: a run goes on from its last checkpoint. A terminal that
        is closed sends SIGHUP twice.
        """
        with self.numbers:
            if self.numbers.recv(1):
                with contextlib.suppress(OSError):
                    os.write(2, b'\nstopping after this step; once more to leave at '
                             b'once\n')
            for number in iter(lambda: self.numbers.recv(1), b''):  # until it is closed
                if number[0] in ENDING and not self.shared:
                    os._exit(128 + number[0])

    def __exit__(self, *exception):
        if not may_handle():
            return
        for number, handler in self.usual.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self.before)
        self.teller.close()
