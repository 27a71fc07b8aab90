"""Train this program, PyTorch's example and carpedm20's for the same time; judge them.

python bench/quality.py --out FOLDER [--seeds 0,1,2,3,4] [--minutes 32] [--ours FLAGS]
    [--speeds] [--train SIDE --seed N] [--report]

Without --speeds, --train and --report it does all: it measures the speeds, trains every
side and seed, judges and reports. Each of them alone does that part. What FOLDER holds
is not done again, and a training that was cut off goes on from where it was saved, so
the parts may be done one after another, in different sessions.

Minutes are those of a quiet machine. First the training loops' speeds are measured, in
turn and in one run; do that when nothing else runs. Each side then trains as many steps
as its own median speed makes in 2, 4, 8, 16 and 32 minutes, however long that takes:
load on the machine later changes nothing. The seconds that it really took, and the
load, are written down beside. Only training counts: imports, graphs, packing, sampling
and judging do not; the peers' reading of image files does, as it is in their loops, and
PyTorch's is measured from memory too and the faster one taken. This program's sheets
and checkpoints of the milestones are outside it as well.

Every side learns from the same images: celebA's layout in --data_dir, the first 18,000,
the central 108 pixels, made 64 x 64 by the same function, and is judged by 5,000
samples beside these 18,000 and beside the rest, which no side saw. FOLDER takes about
1.5 GB for each seed of all sides. PyTorch is that of .venv-torch or TORCH_PYTHON.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE, os.path.join(HERE, 'peers')]

import learn
import ours
import quality_judge
import quality_report
import speed
import turns
from tqdm import tqdm

import dataset
import history
import runs
from config import UserError

MINUTES = (2, 4, 8, 16, 32)
SIDES = ('ours', 'torch', 'carpedm20')
CORES = 2
FLAGS = ['--dataset', 'celebA', '--train', '--train_size', '18000']
NEVER = str(10**9)

# how each peer is called; the readings of PyTorch's example are measured both
PEERS = {
    'torch files': [speed.TORCH, 'torch_learn.py', '--reading', 'files'],
    'torch memory': [speed.TORCH, 'torch_learn.py', '--reading', 'memory'],
    'carpedm20': [sys.executable, 'carpedm20_learn.py'],
}


# --- milestones --------------------------------------------------------------

def milestones(minutes):
    """Return the minutes at which a training of so many is judged; see MINUTES."""
    return tuple(m for m in MINUTES if m <= minutes) or (minutes,)


def steps_at(minutes, images_per_s, batch):
    """Return {minutes: step}: whole multiples of the first milestone's steps."""
    first = max(1, round(images_per_s * 60 * minutes[0] / batch))
    return {m: first * round(m / minutes[0]) for m in minutes}


def reading_of(side, speeds):
    """Return which measured side a side is: of several readings the fastest."""
    names = [name for name in speeds if name.split()[0] == side]
    return max(names, key=lambda name: speeds[name]['images_per_s'])


# --- the folder --------------------------------------------------------------

class Folder:
    """What --out holds: files of images, speeds, and a folder a side and seed."""

    def __init__(self, options):
        self.path, self.options = os.path.abspath(options.out), options
        self.flags = (FLAGS + ['--data_dir', os.path.abspath(options.data_dir)]
                      + shlex.split(options.ours))
        self.config = ours.make_config(self.flags)
        self.speeds_path = os.path.join(self.path, 'speeds.json')

    def of(self, side, seed):
        """Return the folder of a side and seed."""
        return os.path.join(self.path, side, 'seed-%d' % seed)

    def speeds(self):
        """Return what --speeds stored. Raises UserError where it was for other flags.
        """
        if not os.path.exists(self.speeds_path):
            raise UserError('No speeds in %s yet: measure them first, with --speeds.'
                            % self.path)
        with open(self.speeds_path) as file:
            stored = json.load(file)
        if stored['ours'] != self.options.ours:
            raise UserError('--ours is %r; the speeds in %s are those of %r. Give these '
                            'flags, or another --out.'
                            % (self.options.ours, self.path, stored['ours']))
        return stored

    def steps(self, side, speeds):
        """Return {minutes: step} of a side."""
        measured = speeds['sides'][reading_of(side, speeds['sides'])]
        return steps_at(milestones(self.options.minutes), measured['images_per_s'],
                        measured['batch'])

    def images(self):
        """Return the peers' arguments: the list of files, and the packed images."""
        listed, data = os.path.join(self.path, 'files.txt'), dataset.load(self.config)
        if not os.path.exists(listed):
            paths = unpack(self.config, os.path.join(self.path, 'images'))
            with learn.atomic_write(listed, 'w') as file:
                file.write('\n'.join(paths) + '\n')
        return ['--files', listed, '--packed', os.path.abspath(data.images.filename),
                '--crop', str(self.config.input_height)]


def unpack(config, folder):
    """Return the paths of the image files; those in a zip are put into a folder."""
    os.makedirs(folder, exist_ok=True)
    row, paths = dataset.DATASETS[config.dataset], []
    source = os.path.abspath(os.path.join(config.data_dir, config.dataset))
    members = row.find(source, config, dataset.DATASETS).images
    archives = {path: zipfile.ZipFile(path)
                for path in {m[0] for m in members if isinstance(m, tuple)}}
    for member in tqdm(members, 'unpacking', disable=None):
        path = member
        if isinstance(member, tuple):
            path = os.path.join(folder, os.path.basename(member[1]))
            with open(path, 'wb') as file:
                file.write(archives[member[0]].read(member[1]))
        paths.append(path)
    return paths


# --- speeds ------------------------------------------------------------------

def measure(folder, rounds, seconds):
    """Measure all sides' training loops in turn; store and print the medians."""
    if any(os.path.isdir(os.path.join(folder.path, side)) for side in SIDES):
        raise UserError('%s holds trainings by the speeds measured before: measure into '
                        'another --out.' % folder.path)
    images = folder.images()
    with tempfile.TemporaryDirectory() as scratch:
        commands = {'ours': [sys.executable, os.path.join(HERE, 'ours.py'), 'serve',
                             os.path.join(scratch, 'run')] + folder.flags}
        commands.update({name: peer(name, images) + ['--serve'] for name in PEERS})
        sides = {}
        for name, command in commands.items():
            print('starting', name, file=sys.stderr)
            sides[name] = turns.Side(name, command, os.path.join(scratch, name + '.log'))
            sides[name].wait_until_ready()
        loads = [os.getloadavg()[0]]
        speed.measure(sides, rounds, seconds)
        loads.append(os.getloadavg()[0])
        for side in sides.values():
            side.close()
    learn.write_json(folder.speeds_path, {
        'ours': folder.options.ours, 'processor': speed.processor(), 'cores': CORES,
        'date': time.strftime('%Y-%m-%d %H:%M'), 'load': loads,
        'sides': {name: {'images_per_s': side.median(), 'batch': side.facts['batch'],
                         'rounds': [r['images_per_s'] for r in side.rounds]}
                  for name, side in sides.items()}})


def peer(name, images):
    """Return the command that starts a peer on these images."""
    interpreter, script, *arguments = PEERS[name]
    return [interpreter, os.path.join(HERE, 'peers', script)] + arguments + images


# --- training ----------------------------------------------------------------

def train(folder, side, seed):
    """Train a side and seed to its milestones and draw its samples, as far as missing.
    """
    speeds = folder.speeds()
    steps, path = folder.steps(side, speeds), folder.of(side, seed)
    if all(finished(path, step) for step in steps.values()):
        print('%s, seed %d: finished' % (side, seed))
        return
    print('%s, seed %d: to steps %s' % (side, seed, ', '.join(map(str, steps.values()))),
          flush=True)
    if side == 'ours':
        train_ours(folder, path, seed, list(steps.values()))
        return
    name = reading_of(side, speeds['sides'])
    call(peer(name, folder.images()) + [
        '--seed', str(seed), '--folder', path,
        '--steps', ','.join(map(str, steps.values())),
        '--samples', str(folder.options.samples)])


def finished(path, step):
    """Tell whether a milestone has its note and its samples."""
    return (os.path.exists(learn.milestone_path(path, step))
            and bool(quality_judge.ways(path, step)))


def train_ours(folder, path, seed, steps):
    """Train by main.py, stopped once the last milestone is saved; draw the samples."""
    per_epoch = dataset.load(folder.config).steps_per_epoch(folder.config.batch_size)
    there = dict(runs.checkpoints(path))
    if not set(steps) <= set(there):
        command = [sys.executable, os.path.join(os.path.dirname(HERE), 'main.py')]
        command += folder.flags + [
            '--seed', str(seed), '--name', os.path.basename(path),
            '--checkpoint_dir', os.path.dirname(path),
            '--sample_dir', os.path.join(folder.path, 'samples'),
            '--epoch', str(folder.config.d_steps * (steps[-1] // per_epoch + 1)),
            '--ckpt_freq', str(steps[0]), '--sample_freq', NEVER,
            '--max_to_keep', '1000000']
        call(command, lambda: note_milestones(path, steps))
    for step in steps:
        if not quality_judge.ways(path, step):
            call([sys.executable, os.path.join(HERE, 'ours.py'), 'draw', path, str(step),
                  str(folder.options.samples), str(seed),
                  learn.samples_path(path, step, 'sampler')])


def note_milestones(path, steps):
    """Note the milestones of main.py's run that are new; tell whether all are there."""
    there = dict(runs.checkpoints(path))
    for step in set(steps) & set(there):
        note = learn.milestone_path(path, step)
        if not os.path.exists(note):
            rows = history.read(os.path.join(path, 'history.csv'))
            learn.write_json(note, {
                'step': step, 'seconds': float(rows['seconds'][rows['step'] == step][0]),
                'load': os.getloadavg()[0]})
    return set(steps) <= set(there)


def call(command, done=lambda: False):
    """Run a command to its end, or until `done()`, on which it is told to stop.

    SystemExit with what it printed, in its log, where it fails.
    """
    process = subprocess.Popen(command, cwd=os.path.dirname(HERE))
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


# --- all ---------------------------------------------------------------------

def parse(arguments):
    """Return what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', required=True, help='folder of all results')
    parser.add_argument('--data_dir', default='data')
    parser.add_argument('--ours', default='', help='more flags of main.py, in quotes')
    parser.add_argument('--minutes', type=float, default=32, help='the last milestone: '
                        '2, 4, 8, 16 or 32, or less than 2 to try it out')
    parser.add_argument('--samples', type=int, default=5000)
    parser.add_argument('--seeds', default='0,1,2,3,4', help='of all sides, by commas')
    parser.add_argument('--peer_seeds', help='of the peers, where others')
    parser.add_argument('--rounds', type=int, default=7, help='of --speeds')
    parser.add_argument('--seconds', type=float, default=10, help='a round takes')
    parser.add_argument('--speeds', action='store_true', help='only measure them')
    parser.add_argument('--train', choices=SIDES, help='only train this side')
    parser.add_argument('--seed', type=int, help='of --train, one alone')
    parser.add_argument('--report', action='store_true', help='only judge and report')
    options = parser.parse_args(arguments)
    if options.minutes not in MINUTES and not 0 < options.minutes < 2:
        parser.error('--minutes %g: expected one of %s, or less than 2'
                     % (options.minutes, ', '.join(map(str, MINUTES))))
    return options


def main(arguments):
    """Do the parts that the command line asks for."""
    options = parse(arguments)
    if hasattr(os, 'sched_setaffinity'):      # inherited by every side
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    folder = Folder(options)
    everything = not (options.speeds or options.train or options.report)
    if options.speeds or everything and not os.path.exists(folder.speeds_path):
        measure(folder, options.rounds, options.seconds)
    if options.speeds or everything:
        print(quality_report.speeds_table(folder.speeds()))
    for seed, side in pieces(options, [options.train] if options.train else
                             SIDES if everything else ()):
        train(folder, side, seed)
    if options.report or everything:
        report(folder)


def pieces(options, sides):
    """Return (seed, side) of all that is to be trained, sides in turn."""
    def seeds(side):
        text = options.peer_seeds if side != 'ours' else None
        return [int(seed) for seed in (text or options.seeds).split(',')]
    if options.seed is not None:
        return [(options.seed, side) for side in sides]
    return sorted(((seed, side) for side in sides for seed in seeds(side)),
                  key=lambda piece: (piece[0], SIDES.index(piece[1])))


def report(folder):
    """Judge what is not judged yet; print the tables, draw the sheets."""
    speeds, trained = folder.speeds(), []
    for side in SIDES:
        steps, parent = folder.steps(side, speeds), os.path.join(folder.path, side)
        for name in sorted(os.listdir(parent)) if os.path.isdir(parent) else []:
            path, seed = os.path.join(parent, name), int(name.rpartition('-')[2])
            trained += [dict(side=side, seed=seed, minutes=minutes, step=step, path=path)
                        for minutes, step in steps.items() if finished(path, step)]
    judged, anchors = quality_judge.judge(trained, folder.config)
    print(quality_report.speeds_table(speeds))
    print(quality_report.report(judged, anchors))
    for picture in quality_report.draw(judged, folder.path):
        print('sheet: %s' % picture)


if __name__ == '__main__':
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit('error: %s' % error)
