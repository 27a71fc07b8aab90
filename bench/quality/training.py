"""Training a side of race.py to its milestones, from wherever it was left."""

import os
import shlex
import subprocess
import sys
import time

from bench.peers import learn
from bench.quality import judging
from bench.turns import ROOT, TORCH
from dataset import batches
from runs import folders, history
from settings.errors import UserError

OURS = os.path.join(ROOT, 'bench/quality/ours.py')
NEVER = str(10**9)

# How each peer is called. Of several ways all are measured; the fastest is trained
PEERS = {
    'torch files': [TORCH, 'torch_learn.py', '--reading', 'files'],
    'torch memory': [TORCH, 'torch_learn.py', '--reading', 'memory'],
    'recipe float32': [TORCH, 'torch_recipe.py'],
    'recipe bfloat16': [TORCH, 'torch_recipe.py', '--precision', 'bfloat16'],
    'carpedm20': [sys.executable, 'carpedm20_learn.py'],
}


def reading_of(side, speeds):
    """Return the fastest of the measured ways of a side."""
    names = [name for name in speeds if name.split()[0] == side]
    if not names:
        raise UserError('%s has no speed here: measure it with --speeds and --sides, '
                        'into another --out.' % side)
    return max(names, key=lambda name: speeds[name]['images_per_s'])


def peer(name, options):
    """Return the command that starts a peer with these options, as peers take them."""
    interpreter, script, *arguments = PEERS[name]
    path = os.path.join(ROOT, 'bench/peers', script)
    return [interpreter, path] + arguments + options


def train(folder, side, seed):
    """Train a side and seed to its milestones, and draw its samples.

    What is there already is not done again.
    """
    speeds = folder.speeds()
    steps, path = folder.steps(side, speeds), folder.of(side, seed)
    if all(finished(path, step) for step in steps.values()):
        print('%s, seed %d: finished' % (side, seed))
        return
    print('%s, seed %d: to steps %s'
          % (side, seed, ', '.join(map(str, steps.values()))), flush=True)
    if side == 'ours':
        train_ours(folder, path, seed, list(steps.values()))
        return
    name = reading_of(side, speeds['sides'])
    call(peer(name, folder.for_peers()) + [
        '--seed', str(seed), '--folder', path,
        '--steps', ','.join(map(str, steps.values())),
        '--samples', str(folder.options.samples)])


def finished(path, step):
    """Tell whether a milestone has its note and its samples."""
    return (os.path.exists(learn.milestone_path(path, step))
            and bool(judging.ways(path, step)))


def train_ours(folder, path, seed, steps):
    """Train as main.py does, until the last milestone is saved; draw the samples."""
    per_epoch = batches.load(folder.config).steps_per_epoch(folder.config.batch_size)
    there = dict(folders.saved(path))
    if not set(steps) <= set(there):
        command = [sys.executable, OURS, 'train']
        command += folder.flags + [
            '--seed', str(seed), '--name', os.path.basename(path),
            '--checkpoint_dir', os.path.dirname(path),
            '--sample_dir', os.path.join(folder.path, 'samples'),
            '--epoch', str(folder.config.d_steps * (steps[-1] // per_epoch + 1)),
            '--ckpt_freq', str(steps[0]), '--sample_freq', NEVER,
            '--max_to_keep', '1000000',
            '--eval_freq', str(steps[0]),       # how it goes between the milestones
            '--eval_samples', str(folder.options.samples)]
        call(command, lambda: note_milestones(path, steps))
    for step in steps:
        if not judging.ways(path, step):
            call([sys.executable, OURS, 'draw', path,
                  str(step), str(folder.options.samples), str(seed),
                  learn.samples_path(path, step, 'sampler')])


def note_milestones(path, steps):
    """Note the milestones of main.py's run that are new; tell whether all are there."""
    there = dict(folders.saved(path))
    for step in set(steps) & set(there):
        note = learn.milestone_path(path, step)
        if not os.path.exists(note):
            rows = history.read(os.path.join(path, 'history.csv'))
            seconds = float(rows['seconds'][rows['step'] == step][0])
            learn.write_json(note, {'step': step, 'seconds': seconds,
                                    'load': os.getloadavg()[0]})
    return set(steps) <= set(there)


def call(command, done=lambda: False):
    """Run a command to its end, or until `done()`, on which it is told to stop.

    SystemExit with what it printed, in its log, where it fails.
    """
    # Threads that spin while they wait lose most of their time to other programs; this
    # is not where speed is measured. The results are the same.
    process = subprocess.Popen(command, cwd=ROOT,
                               env=dict(os.environ, OMP_WAIT_POLICY='PASSIVE'))
    try:
        while process.poll() is None and not done():
            time.sleep(0.5)
        stopped = process.poll() is None
        if stopped:
            process.terminate()
        status = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if status and not stopped:
        sys.exit('%s ended with status %d' % (shlex.join(command), status))
    done()
