"""TensorBoard's event files.

Not by tf.summary.FileWriter, which writes in a thread: a full disk ends the thread, and
nothing says that all later events are lost.
"""

import os
import socket
import time

import tensorflow.compat.v1 as tf

from runs.checkpoints import writing

VERSION = 'brain.Event:2'       # by which TensorBoard knows such a file


class Events:
    """An event file in `folder`, of a run that goes on from `step`.

    Each event is written at once. All methods raise OSError, which names the file,
    where it cannot be written.
    """

    def __init__(self, folder, step):
        self.path = os.path.join(folder, 'events.out.tfevents.%010d.%s.%d' % (
            time.time(), socket.gethostname(), os.getpid()))
        os.makedirs(folder, exist_ok=True)
        with writing(self.path):
            self.writer = tf.python_io.TFRecordWriter(self.path)
        self.write(file_version=VERSION)
        # TensorBoard forgets that step and later
        self.write(step=step + 1,
                   session_log=tf.SessionLog(status=tf.SessionLog.START))

    def add_summary(self, summary, step):
        """Write a tf.Summary, or one as bytes, of a step."""
        if isinstance(summary, bytes):
            summary = tf.Summary.FromString(summary)
        self.write(step=step, summary=summary)

    def write(self, **fields):
        """Write an event with these fields."""
        event = tf.Event(wall_time=time.time(), **fields)
        with writing(self.path):
            self.writer.write(event.SerializeToString())
            self.writer.flush()

    def close(self):
        """Close the file."""
        with writing(self.path):
            self.writer.close()
