"""Watch: notices that another worker is gone or frozen, and then ends this one.

Otherwise this one would wait in session.run for ever. It ends with the status RETRY,
and all are started again from the chief's last checkpoint. A worker that is only busy
still answers, and is waited for.
"""

import concurrent.futures
import contextlib
import os
import socket
import sys
import threading
import time

import tensorflow.compat.v1 as tf

from runs import sessions
from workers.cluster import PARENT, RETRY, split

SOON = 2            # seconds without a step, after which ports are looked at
PATIENCE = 30       # seconds that a worker has to answer, at most
AT_ONCE = 16        # workers that are asked side by side
HELLO = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
# What TensorFlow raises of an exchange with a worker that is gone
LOSS = (tf.errors.UnavailableError, tf.errors.CancelledError, tf.errors.AbortedError,
        tf.errors.DeadlineExceededError, tf.errors.InternalError,
        tf.errors.FailedPreconditionError, tf.errors.UnknownError)


class Watch(threading.Thread):
    """Watches the other workers of a Cluster while this one waits for them."""

    def __init__(self, cluster, timeout):
        super().__init__(daemon=True)
        self.cluster, self.timeout = cluster, timeout
        self.others = [rank for rank in range(cluster.size) if rank != cluster.rank]
        self.parent, self.done = os.environ.get(PARENT), False
        self.beat()

    def beat(self):
        """Note that this worker has got on."""
        self.beaten = self.asked = time.monotonic()

    def run(self):
        """Look each half second; see the class."""
        while not self.done:
            time.sleep(0.5)
            if self.parent and os.getppid() != int(self.parent):
                self.end('the process that started the workers has ended')
            now = time.monotonic()
            if now - self.beaten > SOON:
                self.look_for_lost()
            if now - self.asked > self.timeout:
                self.look_for_frozen()

    def look_for_lost(self):
        """End where another worker's process has ended."""
        for rank in self.others:
            if refuses(self.cluster.addresses[rank]) and not self.done:
                self.end('worker %d at %s has ended'
                         % (rank, self.cluster.addresses[rank]))

    def look_for_frozen(self):
        """End where another worker does not answer any more."""
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(
                lambda rank: answering(self.cluster.addresses[rank],
                                       min(PATIENCE, self.timeout)), self.others))
        silent = ['worker %d at %s does not answer'
                  % (rank, self.cluster.addresses[rank])
                  for rank, well in zip(self.others, answers) if not well]
        waited = time.monotonic() - self.beaten
        if silent and waited > self.timeout and not self.done:
            self.end('no step for %.0f s, and %s: frozen, or out of reach'
                     % (waited, ', '.join(silent)))
        self.asked = time.monotonic()

    @contextlib.contextmanager
    def guard(self):
        """End where TensorFlow says within that another worker is gone."""
        try:
            yield
        except LOSS as error:
            if sessions.FULL.search(error.message):
                raise
            for _ in range(10):         # its port may be open for a moment yet
                self.look_for_lost()
                time.sleep(0.1)
            self.end('an exchange with the others has failed (%s)'
                     % error.message.partition('\n')[0])

    def end(self, why):
        """Say why, and end the process at once: a session may hang in closing."""
        self.done = True
        text = ('\nworker %d of %d: %s. Exit status %d: start all workers again, and '
                'the run goes on from its last checkpoint.\n'
                % (self.cluster.rank, self.cluster.size, why, RETRY))
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
        with contextlib.suppress(OSError):
            os.write(2, text.encode())
        os._exit(RETRY)


def refuses(address):
    """Tell whether nothing listens at an address any more."""
    try:
        socket.create_connection(split(address), 1).close()
    except ConnectionRefusedError:
        return True
    except OSError:     # no way there just now: the time-out will tell
        pass
    return False


def answering(address, patience):
    """Tell whether the server at an address answers; a frozen one only takes calls.

    gRPC begins as HTTP/2 does: each side sends its settings.
    """
    try:
        with socket.create_connection(split(address), patience) as connection:
            connection.settimeout(patience)
            connection.sendall(HELLO)
            return bool(connection.recv(1))
    except OSError:
        return False
