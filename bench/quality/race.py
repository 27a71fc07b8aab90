"""Train this program and its peers for the same time; judge what they draw.

python bench/quality/race.py --out FOLDER [--sides ours,recipe] [--seeds 0,1,2,3,4]
    [--minutes 32] [--ours FLAGS] [--speeds] [--train SIDE --seed N] [--report]

The sides: ours, this program; recipe, the same recipe in PyTorch, compiled, in its
faster precision; torch, PyTorch's example; carpedm20, his step and his reading.

Without --speeds, --train and --report it does all: it measures the speeds, trains every
side and seed, judges and reports. Each of them alone does that part. What FOLDER holds
already is not done again, and a training that was cut off goes on from where it was
saved. So the parts may run one after another, on different days.

Minutes are those of a quiet machine. First the speeds of the training loops are
measured, in turn and in one run, as trainings begin: where D's images are moved later
on, steps take longer, those of the recipe in PyTorch most of all. Do that when nothing
else runs: under load PyTorch, whose threads spin while they wait, loses far more than
the others. Then each side trains as many steps as its own median speed makes in 2, 4,
8, 16 and 32 minutes, however long that takes. So load on the machine changes nothing;
the real seconds and the load are written down.

Only training counts: not imports, graphs, packing, sheets, checkpoints, sampling and
judging. Reading counts where it is in a peer's loop; PyTorch's example reads files, and
also from memory, and the faster way is taken.

Every side and seed learns from the same images: celebA's layout in --data_dir, 18,000
of them by chance, the central 108 pixels, made 64 x 64 by the same function. It is
judged by 5,000 samples beside these 18,000, and beside the rest, which no side saw.
FOLDER takes about 1.5 GB for each seed of all sides. PyTorch is that of .venv-torch or
TORCH_PYTHON.
"""

import argparse
import glob
import json
import os
import pathlib
import shlex
import signal
import sys
import tempfile
import time
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tqdm import tqdm

from bench import turns
from bench.peers import learn
from bench.quality import judging, ours, reporting, training
from bench.speed import speed
from dataset import batches, catalog
from runs import process
from settings.errors import UserError

MINUTES = (2, 4, 8, 16, 32)
SIDES = ('ours', 'recipe', 'torch', 'carpedm20')
FLAGS = ['--dataset', 'celebA', '--train', '--train_size', '18000']


# --- milestones --------------------------------------------------------------

def milestones(minutes):
    """Return the minutes at which a training of so many is judged; see MINUTES."""
    return tuple(m for m in MINUTES if m <= minutes) or (minutes,)


def steps_at(minutes, images_per_s, images_a_step):
    """Return {minutes: step}: whole multiples of the first milestone's steps."""
    first = max(1, round(images_per_s * 60 * minutes[0] / images_a_step))
    return {m: first * round(m / minutes[0]) for m in minutes}


# --- the folder --------------------------------------------------------------

class Folder:
    """What --out holds: files of images, speeds, and a folder a side and seed."""

    def __init__(self, options):
        self.path, self.options = os.path.abspath(options.out), options
        self.flags = (FLAGS + ['--data_dir', os.path.abspath(options.data_dir)]
                      + shlex.split(options.ours))
        if options.width:
            self.flags += ['--gf_dim', str(options.width),
                           '--df_dim', str(options.width)]
        self.config = ours.make_config(self.flags)
        self.speeds_path = os.path.join(self.path, 'speeds.json')

    def of(self, side, seed):
        """Return the folder of a side and seed."""
        return os.path.join(self.path, side, 'seed-%d' % seed)

    def speeds(self):
        """Return what --speeds stored.

        Raises UserError where there is none, or it was for other flags of ours.
        """
        if not os.path.exists(self.speeds_path):
            raise UserError('No speeds in %s yet: measure them first, with --speeds.'
                            % self.path)
        with open(self.speeds_path) as file:
            stored = json.load(file)
        for name in ('ours', 'width'):
            if stored[name] != getattr(self.options, name):
                raise UserError('--%s is %r; the speeds in %s are those of %r. Give '
                                'that, or another --out.'
                                % (name, getattr(self.options, name), self.path,
                                   stored[name]))
        return stored

    def steps(self, side, speeds):
        """Return {minutes: step} of a side."""
        measured = speeds['sides'][training.reading_of(side, speeds['sides'])]
        return steps_at(milestones(self.options.minutes), measured['images_per_s'],
                        measured['images_a_step'])

    def for_peers(self):
        """Return the peers' options: files, packed images, widths, device."""
        listed, data = os.path.join(self.path, 'files.txt'), batches.load(self.config)
        if not os.path.exists(listed):
            paths = unpack(self.config, os.path.join(self.path, 'images'))
            with learn.atomic_write(listed, 'w') as file:
                file.write('\n'.join(paths) + '\n')
        width = self.options.width
        return (['--width', str(width)] if width else []) + [
                '--files', listed, '--device', self.options.torch_device,
                '--packed', os.path.abspath(data.images.filename),
                '--crop', str(self.config.input_height)]


def unpack(config, folder):
    """Return the paths of the image files; those in a zip are put into a folder."""
    os.makedirs(folder, exist_ok=True)
    members, paths = catalog.find(config).images, []
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
        raise UserError('%s holds trainings by the speeds measured before: measure '
                        'into another --out.' % folder.path)
    options = folder.for_peers()
    with tempfile.TemporaryDirectory() as scratch:
        commands = {'ours': [sys.executable, training.OURS, 'serve',
                             os.path.join(scratch, 'run')] + folder.flags}
        for name in training.PEERS:
            commands[name] = training.peer(name, options) + ['--serve']
        wanted = folder.options.sides
        sides = turns.start({name: (command, {}) for name, command in commands.items()
                             if name.split()[0] in wanted}, scratch)
        if {name.split()[0] for name in sides} != set(wanted):
            raise UserError('Not all of %s have started; the reason stands above.'
                            % ', '.join(wanted))
        loads = [os.getloadavg()[0]]
        turns.measure(sides, rounds, seconds)
        loads.append(os.getloadavg()[0])
        for side in sides.values():
            side.close()
    learn.write_json(folder.speeds_path, {
        'ours': folder.options.ours, 'width': folder.options.width,
        'processor': speed.processor(), 'cores': folder.options.cores,
        'torch_device': folder.options.torch_device,
        'date': time.strftime('%Y-%m-%d %H:%M'), 'load': loads,
        'sides': {name: dict(side.facts, images_per_s=side.median(),
                             rounds=[r['images_per_s'] for r in side.rounds])
                  for name, side in sides.items()}})


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
    parser.add_argument('--width', type=int,
                        help='channels of all networks, few to try it out; by default '
                        "each side's own")
    parser.add_argument('--sides', default=','.join(SIDES),
                        help='that are measured and trained, by commas')
    parser.add_argument('--seeds', default='0,1,2,3,4', help='of all sides, by commas')
    parser.add_argument('--torch_device', default='cpu', help='where PyTorch computes: '
                        'cpu, cuda; TensorFlow takes a GPU where it finds one')
    parser.add_argument('--cores', type=int, default=2, help='of the processor, for '
                        'each side')
    parser.add_argument('--peer_seeds', help='of the peers, where others')
    parser.add_argument('--rounds', type=int, default=7, help='of --speeds')
    parser.add_argument('--seconds', type=float, default=10, help='a round takes')
    parser.add_argument('--speeds', action='store_true', help='only measure them')
    parser.add_argument('--train', choices=SIDES, help='only train this side')
    parser.add_argument('--seed', type=int, help='of --train, one alone')
    parser.add_argument('--report', action='store_true', help='only judge and report')
    options = parser.parse_args(arguments)
    options.sides = options.sides.split(',')
    if not set(options.sides) <= set(SIDES):
        parser.error('--sides: expected some of %s' % ', '.join(SIDES))
    if options.minutes not in MINUTES and not 0 < options.minutes < 2:
        parser.error('--minutes %g: expected one of %s, or less than 2'
                     % (options.minutes, ', '.join(map(str, MINUTES))))
    return options


def main(arguments):
    """Do the parts that the command line asks for."""
    options = parse(arguments)
    if hasattr(os, 'sched_setaffinity'):      # inherited by every side
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:options.cores])
    folder = Folder(options)
    everything = not (options.speeds or options.train or options.report)
    if options.speeds or everything and not os.path.exists(folder.speeds_path):
        measure(folder, options.rounds, options.seconds)
    if options.speeds or everything:
        print(reporting.speeds_table(folder.speeds()))
    for seed, side in pieces(options, [options.train] if options.train else
                             options.sides if everything else ()):
        training.train(folder, side, seed)
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


def measured(speeds):
    """Return the sides that have a speed, in the order of SIDES."""
    return [side for side in SIDES
            if side in {name.split()[0] for name in speeds['sides']}]


def report(folder):
    """Judge what is not judged yet; print the tables, draw the sheets."""
    speeds, trained = folder.speeds(), []
    for side in measured(speeds):
        steps, parent = folder.steps(side, speeds), os.path.join(folder.path, side)
        for path in sorted(glob.glob(os.path.join(glob.escape(parent), 'seed-*'))):
            seed = int(path.rpartition('-')[2])
            trained += [dict(side=side, seed=seed, minutes=m, step=step, path=path)
                        for m, step in steps.items()
                        if training.finished(path, step)]
    judged, anchors = judging.judge(trained, folder.config)
    print(reporting.speeds_table(speeds))
    print(reporting.report(judged, anchors))
    for picture in reporting.draw(judged, folder.path):
        print('sheet: %s' % picture)


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, process.terminate)    # ends the side as well
    try:
        main(sys.argv[1:])
    except UserError as error:
        sys.exit('error: %s' % error)
