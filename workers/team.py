"""The team: how one worker talks to the others.

Each has a tf.train.Server, through which their sessions exchange tensors. Before
training each worker fills its row of a table with what it is, and all see the whole
table; likeness.py compares the rows.
"""

import contextlib
import itertools
import json
import socket
import threading
import time
import zlib

import numpy as np
import tensorflow.compat.v1 as tf

from runs import sessions
from settings.errors import UserError
from utils import quiet
from workers.averages import Averages
from workers.cluster import split
from workers.watch import PATIENCE, Watch

ROW = 2**16     # bytes of a worker's row in the table
LINGER = 0.5    # seconds for which it serves what others still fetch, at the end
SAY = 15        # seconds between two lines that say who is waited for


class TeamError(UserError):
    """Another worker has an error; this one ends with it."""


class Team:
    """This worker among the others of a Cluster: its server and what it exchanges."""

    def __init__(self, cluster, config):
        self.rank, self.size, self.cluster = cluster.rank, cluster.size, cluster
        self.chief, self.keys = self.rank == 0, itertools.count(1)
        self.proto = sessions.config_proto(config)
        self.proto.experimental.collective_group_leader = (
            '/job:worker/replica:0/task:0')
        self.proto.device_filters.append('/job:worker/task:%d' % cluster.rank)
        self.server = self.serve()
        self.watch = Watch(cluster, config.peer_timeout)
        self.wait_for_others(config.peer_timeout)
        self.watch.beat()
        self.watch.start()
        self.open_table()
        self.meet(config.peer_timeout + PATIENCE)

    def serve(self):
        """Return the server. Raises UserError where its port is in use."""
        address = self.cluster.addresses[self.rank]
        port = split(address)[1]
        if listens(address):
            raise UserError('Worker %d of %d: another process answers at its address '
                            '%s. Is its index used twice, its port by another program, '
                            'or is it the address of another host?'
                            % (self.rank, self.size, address))
        with socket.socket(socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(('', port))
            except OSError as error:
                raise UserError(
                    'Worker %d of %d cannot listen on port %d: %s. Is another worker '
                    'of the same index, or another program, running here?'
                    % (self.rank, self.size, port, error.strerror))
        spec = tf.train.ClusterSpec({'worker': list(self.cluster.addresses)})
        try:
            with quiet():
                return tf.train.Server(spec, 'worker', self.rank, config=self.proto)
        except tf.errors.OpError as error:
            raise UserError('Worker %d of %d cannot listen on %s: %s' % (
                self.rank, self.size, address, error.message.partition('\n')[0]))

    def wait_for_others(self, timeout):
        """Wait until all listen; end as of a lost one where one does not in time."""
        began = said = time.monotonic()
        for rank, address in enumerate(self.cluster.addresses):
            while rank != self.rank and not listens(address):
                now = time.monotonic()
                if now - began > timeout:
                    self.watch.end('worker %d at %s has not come within %g s'
                                   % (rank, address, timeout))
                if self.chief and now - said > SAY:
                    said = now
                    print('waiting for worker %d at %s' % (rank, address))
                time.sleep(0.2)

    def meet(self, timeout):
        """Exchange first rows; end where not all take part, for they may never do."""
        began = time.monotonic()

        def look():
            if time.monotonic() - began > timeout:
                self.watch.end('not all workers have met within %.0f s; each index '
                               'must be used once, and the cluster be the same on all'
                               % timeout)
        self.agree(look)

    # --- the table -----------------------------------------------------------

    def open_table(self):
        """Build the exchange of rows, int32 [size, ROW / 4], and its session."""
        with tf.Graph().as_default() as graph:
            self.row = tf.placeholder(tf.int32, [self.size, ROW // 4])
            self.table = self.averages('CPU:0').all_reduce(self.row)
            with quiet():
                self.sess = tf.Session(self.server.target, graph, self.proto)

    def agree(self, look=None, **row):
        """Return the rows of all workers, by rank, each a dict as JSON takes it.

        It returns when all have called it; meanwhile it calls `look` again and again.
        Raises TeamError where one tells an error.
        """
        text = zlib.compress(json.dumps(row).encode())
        if len(text) + 4 > ROW:
            raise UserError('The settings are too long to be told to other workers.')
        text = np.int32(len(text)).tobytes() + text + bytes(ROW - 4 - len(text))
        table = np.zeros([self.size, ROW // 4], np.int32)
        table[self.rank] = np.frombuffer(text, np.int32)
        table = self.patiently(self.sess, self.table, {self.row: table}, look)
        rows = []
        for line in table:
            size, text = line[0], line[1:].tobytes()
            rows.append(json.loads(zlib.decompress(text[:size]).decode()))
        errors = ['worker %d: %s' % (rank, row['error'])
                  for rank, row in enumerate(rows) if 'error' in row]
        if errors and 'error' not in row:
            raise TeamError(errors[0])
        return rows

    def patiently(self, sess, fetches, feed=None, look=None):
        """Return what sess.run does, and take signals while it waits for others."""
        found = []

        def run():
            try:
                found.append((sess.run(fetches, feed), None))
            except Exception as error:
                found.append((None, error))
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(0.1)
            if look:
                look()
        value, error = found[0]
        with self.watch.guard():
            if error:
                raise error
        self.watch.beat()
        return value

    @contextlib.contextmanager
    def telling(self):
        """Tell the others of an error within, so that all end and say why."""
        try:
            yield
        except TeamError:
            raise
        except (UserError, OSError, MemoryError) as error:
            self.agree(error=str(error) or type(error).__name__)
            raise

    # --- training ------------------------------------------------------------

    def averages(self, device, hint='ring', sync=False):
        """Return the Averages of the default graph; see there."""
        return Averages(self.rank, self.size, self.keys, '/job:worker/task:%d/device:%s'
                        % (self.rank, device), hint, sync)

    def open_session(self):
        """Return a session of the default graph on this worker's own server."""
        with quiet():
            return tf.Session(self.server.target, config=self.proto)

    def part(self):
        """Wait until all workers are done; then each may end by itself."""
        self.agree(done=True)
        self.watch.done = True
        if not self.chief:
            time.sleep(LINGER)


def listens(address):
    """Tell whether something listens at an address."""
    try:
        socket.create_connection(split(address), 2).close()
    except OSError:
        return False
    return True
