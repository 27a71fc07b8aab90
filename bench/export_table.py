"""The table of docs/export.md: exported files, in all programs that read them.

python bench/export_table.py --out FOLDER

Train three small networks on the bundled faces (with attributes, without labels, of
33 x 47 pixels), where FOLDER has none yet; export each; let each program draw, and
print the largest difference from the run's own samples. Columns of programs that are
not there stay empty: TensorFlow 1.15 in .venv-tf1, which tests/tf1/check.sh installs;
chromium with playwright; firefox-esr.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import expected_images, firefox, page  # noqa: E402
from tasks.parts.outputs import markdown  # noqa: E402

RUNS = {'attributes': '--attributes Smiling,Eyeglasses --output_height 64 --gf_dim 16',
        'plain': '--output_height 64 --gf_dim 16',
        '33x47': '--output_height 33 --output_width 47 --gf_dim 16'}
TRAINING = '--dataset toonfaces --train --df_dim 16 --epoch 2'
TF1 = shutil.which(str(ROOT / '.venv-tf1/bin/python'))
# What stands above it, the Python that reads (None: not at all), how; see read_export
COLUMNS = [('2.21 session', sys.executable, 'session'),
           ('2.21 eager', sys.executable, 'eager'),
           ('TFLite', sys.executable, 'tflite'), ('1.15.5 session', TF1, 'session'),
           ('onnxruntime', sys.executable, 'onnxruntime'),
           ('Chromium by file', page.found() and sys.executable, 'chromium_file'),
           ('by http', page.found() and sys.executable, 'chromium_http'),
           ('Firefox by file', firefox.found() and sys.executable, 'firefox')]
FILES = 'sampler.pb', 'saved_model', 'sampler.onnx', 'index.html'


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--out', required=True, help='folder of the runs')
    out = parser.parse_args().out
    rows = [['run', 'file'] + [title for title, _, _ in COLUMNS]]
    for name in RUNS:
        found = read(prepare(out, name))
        rows += [[name, file] + [number(found.get((python, way), {}).get(file))
                                 for _, python, way in COLUMNS] for file in FILES]
    print(markdown(rows, left=2))


def prepare(out, name):
    """Train a run where need be, export it; return the folder of its files."""
    places = ['--checkpoint_dir', os.path.join(out, 'checkpoint'), '--sample_dir',
              os.path.join(out, 'samples'), '--cache_dir', os.path.join(out, 'cache'),
              '--name', name]
    if not os.path.exists(os.path.join(out, 'samples', name, 'training.gif')):
        call(TRAINING.split() + RUNS[name].split() + places)
    call(['--task', 'export'] + places)
    folder = os.path.join(out, 'samples', name, 'export')
    expected_images.main(os.path.join(out, 'checkpoint', name),
                         os.path.join(folder, 'expected.npz'))
    return folder


def call(words):
    """Run main.py."""
    subprocess.run([sys.executable, str(ROOT / 'main.py')] + words, check=True,
                   stdout=sys.stderr)


def read(folder):
    """Return {(Python, way): {file: difference}} as other processes find it."""
    found = {}
    for reader in {python for _, python, _ in COLUMNS if python}:
        ways = [way for _, python, way in COLUMNS if python == reader]
        done = subprocess.run(
            [reader, str(ROOT / 'bench' / 'read_export.py'), folder, *ways], check=True,
            stdout=subprocess.PIPE)
        found.update({(reader, way): files
                      for way, files in json.loads(done.stdout).items()})
    return found


def number(difference):
    """Return the text of a cell."""
    return '' if difference is None else '%.1e' % difference


if __name__ == '__main__':
    main()
