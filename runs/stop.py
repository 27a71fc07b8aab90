"""Stop: Ctrl-C and SIGTERM end a training after its step, not in the middle."""

import contextlib
import os
import signal
import socket
import threading


class Stop:
    """Turns the first SIGINT or SIGTERM into a status; the second ends the process.

    Python runs its handlers only when what runs in C has ended, be it a long step. So
    that the first signal is answered at once, the system writes each signal's number
    to a socket, and a thread reads them there.
    """

    def __init__(self):
        self.status = 0

    def __enter__(self):
        self.numbers, self.teller = socket.socketpair()
        self.teller.setblocking(False)
        self.before = signal.set_wakeup_fd(self.teller.fileno())
        self.usual = {number: signal.signal(number, self.stop)
                      for number in (signal.SIGINT, signal.SIGTERM)}
        threading.Thread(target=self.answer, daemon=True).start()
        return self

    def stop(self, number, frame):
        """Remember the first signal."""
        self.status = self.status or 128 + number

    def answer(self):
        """Answer the first signal; at the second one end the process at once.

        Nothing is lost by that: a run goes on from its last checkpoint.
        """
        with self.numbers:
            if self.numbers.recv(1):
                with contextlib.suppress(OSError):
                    os.write(2, b'\nstopping after this step; once more to leave at '
                             b'once\n')
            second = self.numbers.recv(1)       # nothing where teller is closed
            if second:
                os._exit(128 + second[0])

    def __exit__(self, *exception):
        for number, handler in self.usual.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self.before)
        self.teller.close()
