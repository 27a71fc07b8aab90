"""The command line: flags → Config → a run → training or one task.

python main.py --dataset celebA --train            train
python main.py --dataset celebA --train False      sample from the checkpoint
"""

import importlib
import os
import sys

from settings.errors import NO_ROOM, NOT_INSTALLED, UserError

try:
    from settings import parser
except ImportError as missing:
    sys.exit(NOT_INSTALLED % missing)

from runs import process
from settings.checks import GAUSSIAN
from settings.flags import NETWORK, READING, fields
from workers import cluster


def main(words):
    """Do what the command line says; return the exit status."""
    if parser.asks_for_help(words):
        print(parser.help_text())
        return 0
    try:
        from runs import start  # late: NumPy loads slowly
        config, given = start.complete(words)
        if config.train:
            with process.steady_output():
                return train(config, given, words)
        return do_task(config, given)
    except UserError as error:
        print('error: %s' % error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        raise
    except (OSError, MemoryError) as error:     # a full disk, no leave to read, …
        print('error: %s' % what_failed(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        return 130


def train(config, given, words=()):
    """Train, from the newest checkpoint where there is one; return the exit status.

    As one of several workers where this process is one; with --workers start them.
    """
    together = cluster.find(os.environ, given)
    if together:
        return work(config, given, together)
    from runs import room, start
    room.check_workers(config.workers)
    run, settled = prepare(config, given)
    data = load(run, settled)
    if settled.workers > 1:
        from workers import launch
        return launch.launch(words, settled.workers)
    if settled.dry_run:
        settled = start_tensorflow('runs.sessions').at_hand(settled, given)
        return in_a_graph('train', 'rehearse', settled, run, data)
    with start.locked(run):
        settled = start.settle(run, settled, given)     # again: trained meanwhile?
        settled = start_tensorflow('runs.sessions').at_hand(settled, given)
        if settled.dataset == GAUSSIAN:
            return in_a_graph('toy', 'train', settled, run)
        start.check_classes(run, settled, data)
        return in_a_graph('train', 'train', settled, run, data)


def prepare(config, given, echo=print):
    """Return the (Run, Config) of a training, when nothing speaks against it.

    Raises UserError where something does. Nothing is written.
    """
    from runs import room, start
    run, settled = start.to_train(config, given, tell_by_shapes, echo)
    if settled.eval_freq:
        from metrics import extractors  # late: it may load a network
        extractors.check(settled)
    start.check_free(run)
    if settled.dataset != GAUSSIAN:
        room.check_training(run, settled)
    return run, settled


def load(run, config):
    """Return the Dataset of a run, checked; None for points, which the toy draws."""
    if config.dataset == GAUSSIAN:
        return None
    from dataset import batches
    from runs import start
    data = batches.load(config)
    data.steps_per_epoch(config.batch_size * config.workers)    # refuses too few
    start.check_classes(run, config, data)
    return data


def work(config, given, together):
    """Train as one of the workers of a cluster; return the exit status."""
    from workers import launch
    launch.take_gpu(together, os.environ)   # before TensorFlow looks for GPUs
    training = start_tensorflow('workers.training')
    print('worker %d of %d: %s' % (
        together.rank, together.size, start_tensorflow('runs.machine').where(config)))
    with start_tensorflow('tensorflow.compat.v1').Graph().as_default(), (
            start_tensorflow('runs.sessions').memory()):
        return training.work(config, given, together, prepare)


def do_task(config, given):
    """Do a task; return the exit status.

    A task on a checkpoint uses its run's config; those of READING need none.
    """
    if config.task in READING:
        importlib.import_module('tasks.' + config.task).main(config)
        return 0
    from runs import start
    run, restored = start.to_restore(config, given)
    held = start_tensorflow('runs.holding').held(run, config.checkpoint)
    with held as (step, path, copy):
        print('checkpoint: %s (step %d)' % (path, step))
        if restored is None:
            restored = tell_by_shapes(copy, config, given)
            restored.check_label()
        start_tensorflow('runs.generator').check(copy, restored)
        restored = start_tensorflow('runs.sessions').at_hand(restored, given)
        if restored.dataset == GAUSSIAN:
            in_a_graph('toy', 'sample', restored, run, copy)
        else:
            in_a_graph('tasks.' + config.task, 'main', restored, run, copy)
    return 0


def tell_by_shapes(path, config, given):
    """Return the Config of a checkpoint without config.json, and say it."""
    told = start_tensorflow('runs.checkpoints').infer_config(path, config, given)
    print('no config.json there; told by the shapes: %s' % ', '.join(
        '%s %s' % (f.name, getattr(told, f.name))
        for f in fields(NETWORK) if f.name != 'dataset'))
    return told


def in_a_graph(module, function, config, *arguments):
    """Return what a function of a module returns, called with a graph of its own.

    A notebook calls main again and again in one process. First say where it computes.
    """
    function = getattr(start_tensorflow(module), function)
    print(start_tensorflow('runs.machine').where(config))
    with start_tensorflow('tensorflow.compat.v1').Graph().as_default(), (
            start_tensorflow('runs.sessions').memory()):
        return function(config, *arguments)


def start_tensorflow(module):
    """Import a module that imports TensorFlow, without its start-up noise."""
    from utils import quiet, tensorflow_environment
    os.environ.update(tensorflow_environment())
    with quiet():
        return importlib.import_module(module)


# --- the process -------------------------------------------------------------

def what_failed(error):
    """Return what to say of an OSError or MemoryError; what to do about a full disk."""
    if getattr(error, 'errno', None) in NO_ROOM:
        if not error.filename:      # the error is of stdout, not of a file
            return 'what is printed cannot be written: %s' % error.strerror
        return ('%s cannot be written: %s. What was saved before is as it was: make '
                'room and give the same command again.'
                % (error.filename, error.strerror))
    if isinstance(error, MemoryError):
        return '%s: take fewer or smaller images, or narrower networks' % (
            str(error) or 'not enough memory')
    return str(error)


def run(words):
    """Do what main does as a program; return its status, even if stdout is closed."""
    status = 0
    with process.prepared():
        try:
            status = main(words)
            if hasattr(sys.stdout, 'flush'):
                sys.stdout.flush()
        except OSError as error:    # the reader (`| head`) has quit, the disk is full
            if not status and not isinstance(error, BrokenPipeError):
                print('error: %s' % what_failed(error), file=sys.stderr)
            from utils import silence
            silence(sys.stdout)
            status = status or 1
    return status


if __name__ == '__main__':
    sys.exit(run(sys.argv[1:]))
