"""Train in bfloat16 and in float32 from the same seeds; set losses and sheets in line.

python bench/quality/precision.py [--seeds 0,1,2] [flags of main.py: --dataset, …]

Prints the means of the last epoch's losses of each run, says of each bfloat16 run
whether they lie within the spread of the float32 runs, and draws the last sheets, a row
a precision and a column a seed, to docs/images/precision.png. The runs stay in
checkpoint/ and are not trained again.
"""

import argparse
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import numpy as np
from PIL import Image

from runs import history
from utils import imsave

LOSSES = ('d_loss_real', 'd_loss_fake', 'g_loss')
PICTURE = 'docs/images/precision.png'


def train(precision, seed, flags):
    """Train one run; return its last epoch's mean losses and the path of its sheet."""
    name = 'precision_%s_%d' % (precision, seed)
    subprocess.run([sys.executable, 'main.py', '--name', name, '--precision', precision,
                    '--seed', str(seed), '--train'] + flags, check=True)
    columns = history.read(os.path.join('checkpoint', name, 'history.csv'))
    last = columns['epoch'] == columns['epoch'].max()
    folder = os.path.join('samples', name)
    sheet = max(f for f in os.listdir(folder) if f.startswith('train_'))
    return {loss: columns[loss][last].mean() for loss in LOSSES}, os.path.join(
        folder, sheet)


def save_picture(sheets, crop=264):
    """Save the corners of sheets, a row of them each, as one picture."""
    rows = [np.concatenate([np.asarray(Image.open(path).convert('RGB'))[:crop, :crop]
                            for path in row], axis=1) for row in sheets]
    return imsave(np.concatenate(rows), PICTURE)


def main():
    """Train all runs and compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seeds', default='0,1,2')
    options, flags = parser.parse_known_args()
    seeds = [int(seed) for seed in options.seeds.split(',')]
    runs = {precision: [train(precision, seed, flags) for seed in seeds]
            for precision in ('bfloat16', 'float32')}
    print('\n| last epoch\'s means | %s |' % ' | '.join(LOSSES))
    print('| --- ' * (1 + len(LOSSES)) + '|')
    for precision, results in runs.items():
        for seed, (losses, _) in zip(seeds, results):
            print('| %s, seed %d | %s |' % (precision, seed, ' | '.join(
                '%.3f' % losses[loss] for loss in LOSSES)))
    for loss in LOSSES:
        low, high = (pick(losses[loss] for losses, _ in runs['float32'])
                     for pick in (min, max))
        inside = [low <= losses[loss] <= high for losses, _ in runs['bfloat16']]
        print('%s: float32 from %.3f to %.3f; %d of %d bfloat16 runs within'
              % (loss, low, high, sum(inside), len(inside)))
    print('sheets: %s' % save_picture([[sheet for _, sheet in results]
                                       for results in runs.values()]))


if __name__ == '__main__':
    main()
