"""Train, resume and sample on this TensorFlow; then compare it with another.

python tests/tf1/run_core.py PYTHON     (PYTHON has the other TensorFlow)
"""

import csv
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

import compare
import exports
from PIL import Image

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
IMAGES, BATCH, SIZE = 96, 16, 16
STEPS = IMAGES // BATCH          # an epoch's


def main(other):
    """Print what was found; raise where it is not as it should be."""
    # A path with a space in it, on purpose.
    with tempfile.TemporaryDirectory(prefix='tf1 check ') as folder:
        make_images(os.path.join(folder, 'data', 'faces'))
        check_core(Core(sys.executable, folder))
        one, two = (Core(python, folder) for python in (
            sys.executable, os.path.abspath(shutil.which(other))))
        check_workers(one)
        tf1, tf2, largest = compare.agree(one, two)
        exports.agree({tf1: one, tf2: two}, 'case2')    # labels, averages, 64 x 64
    print('TensorFlow %s on Python %s: trained, resumed, sampled; agrees with '
          'TensorFlow %s within %.1e (limit %g)' % (
              tf1, platform.python_version(), tf2, largest, compare.LIMIT))


def make_images(folder):
    """Lay some of the bundled faces out in two folders, which are their labels."""
    bundle = os.path.join(ROOT, 'data', 'toonfaces', 'toonfaces.zip')
    with zipfile.ZipFile(bundle) as archive:
        for index, name in enumerate(sorted(archive.namelist())[:IMAGES]):
            path = os.path.join(folder, 'ab'[index % 2], name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'wb') as file:
                file.write(archive.read(name))


class Core:
    """The program under one Python, with its folders in `folder`."""

    def __init__(self, python, folder):
        self.python, self.folder = python, folder

    def main(self, *words, status=0):
        """Run main.py on the faces; return what it prints; check its exit status."""
        return self.run(os.path.join(ROOT, 'main.py'), '--dataset', 'faces',
                        '--data_dir', 'data', '--checkpoint_dir', 'runs',
                        '--sample_dir', 'sheets', *words, status=status)

    def run(self, *words, status=0):
        """Run a script in the folder; return its output; check its exit status."""
        done = subprocess.run(
            (self.python,) + words, cwd=self.folder, encoding='utf-8',
            env=dict(os.environ, CUDA_VISIBLE_DEVICES='-1'),    # both on the CPU
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != status:
            raise AssertionError('%s: exit status %d, expected %d\n%s' % (
                ' '.join(words), done.returncode, status, done.stdout))
        return done.stdout

    def path(self, *parts):
        """Return the path of something in the folder."""
        return os.path.join(self.folder, *parts)


def check_core(core):
    """Train two epochs, go on to a third, sample."""
    network = ['--batch_size', str(BATCH), '--output_height', str(SIZE),
               '--gf_dim', '4', '--df_dim', '4', '--name', 'core']
    print('training, resuming, sampling')
    expect('error: ' in core.main(status=2), 'an error, with nothing to sample from')
    core.main('--train', '--epoch', '2', *network)
    before = history(core)
    expect([row[0] for row in before] == steps(2), 'two epochs in history.csv')
    output = core.main('--train', '--epoch', '3', *network)
    expect(re.search(r'resuming core .*\bstep %d\b' % (2 * STEPS), output),
           'to resume after step %d, not\n%s' % (2 * STEPS, output))
    after = history(core)
    expect([row[0] for row in after] == steps(3), 'each step once in history.csv')
    expect(after[:2 * STEPS] == before, 'the lines of the first two epochs unchanged')
    for path in ['runs/core/config.json', 'sheets/core/training.gif',
                 'sheets/core/losses.png', 'sheets/core/train_0003_%08d.png' % (
                     3 * STEPS)] + ['runs/core/DCGAN.model-%d.index' % (
                         epochs * STEPS) for epochs in (2, 3)]:
        expect(os.path.isfile(core.path(path)), path)
    core.main('--train', 'False', '--name', 'core')
    with Image.open(core.path('sheets', 'core', 'test.png')) as sheet:
        side = 8 * (SIZE + 2) - 2         # 64 images, with a gap of 2 pixels
        expect(sheet.size == (side, side) and sheet.mode == 'RGB', 'a sheet of 8 x 8')
        expect(len(set(sheet.getdata())) > 100, 'a sheet with something on it')


def check_workers(core):
    """Train one epoch with two workers, go on to a second one."""
    print('training and resuming with two workers')
    words = ['--train', '--batch_size', str(BATCH), '--output_height', str(SIZE),
             '--gf_dim', '4', '--df_dim', '4', '--name', 'team', '--workers', '2']
    core.main(*words, '--epoch', '1')
    output = core.main(*words, '--epoch', '2')
    expect('resuming team after step %d' % (STEPS // 2) in output,
           'to resume, not\n' + output)
    expect([row[0] for row in history(core, 'team')] == steps(1),
           'each step once in history.csv')


def expect(true, what):
    """Raise unless something is as it should be."""
    if not true:
        raise AssertionError('expected ' + what)


def history(core, name='core'):
    """Return the lines of a run's history.csv, each a list of texts."""
    with open(core.path('runs', name, 'history.csv'), encoding='utf-8') as file:
        return list(csv.reader(file))[1:]


def steps(epochs):
    """Return the first column of the history of so many epochs."""
    return [str(step) for step in range(1, epochs * STEPS + 1)]


if __name__ == '__main__':
    main(*sys.argv[1:])
