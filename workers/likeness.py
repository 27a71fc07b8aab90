"""Likeness: checks that all workers have the same program, flags and data.

Where they have not, they would train a network that nobody asked for, and nothing would
show it.
"""

import glob
import hashlib
import os

import tensorflow.compat.v1 as tf

from graph.hardware import has_gpu
from runs import sessions
from settings.beside import PROGRAM
from settings.config import Config
from settings.errors import UserError, shown
from settings.flags import CALL, fields, spelled

# Flags that may differ from worker to worker: folders, and what its machine can do
OWN = {f.name for f in fields(CALL)} | {
    'labels', 'inception_path', 'gpu_memory_fraction', 'allow_growth', 'threads'}
PACKAGES = 'settings', 'dataset', 'graph', 'runs', 'workers'


def of_call(given, addresses):
    """Return {name: value} of what a worker was started with."""
    flags = {'--' + spelled(name): value for name, value in given.items()
             if name not in OWN}
    return dict(flags, TensorFlow=tf.__version__, cluster=list(addresses),
                **{"the program's code": of_code()})


def of_code():
    """Return a digest of the source of the program."""
    digest = hashlib.sha256()
    for place in ('',) + PACKAGES:
        for path in sorted(glob.glob(os.path.join(
                glob.escape(os.path.join(PROGRAM, place)), '*.py'))):
            with open(path, 'rb') as file:
                digest.update(file.read().replace(b'\r\n', b'\n'))
    return digest.hexdigest()[:12]


def of_machine(config, data):
    """Return {name: value} of what a worker computes with, and on."""
    return {'the data set': '%d images, %s' % (len(data), data.digest()),
            'the precision (--precision)': sessions.choose_precision(config),
            '--collective': config.collective,
            'where it computes': 'a GPU' if has_gpu() else 'the processor'}


def check(rows):
    """Raise UserError where a worker's row is not like that of the chief."""
    for rank, row in enumerate(rows):
        names = [name for name in sorted(set(rows[0]) | set(row))
                 if rows[0].get(name) != row.get(name)]
        if names:
            raise UserError(
                'Worker %d is not like worker 0: %s. Start all with the same program, '
                'flags and data.' % (rank, '; '.join('%s: %s there, %s on worker 0' % (
                    name, told(row.get(name)), told(rows[0].get(name)))
                    for name in names)))


def told(value):
    """Return a value of a row as text."""
    return 'not given' if value is None else (
        value if isinstance(value, str) else shown(value))


def adopt(values, config):
    """Return the Config of the chief, `values` of its JSON, with what is this one's."""
    values = {name: tuple(value) if isinstance(value, list) else value
              for name, value in values.items()}
    values.update((name, getattr(config, name)) for name in OWN)
    return Config(**values).check()
