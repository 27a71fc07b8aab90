"""Measure the training step against peers and the machine's limit, sides in turn.

python bench/speed/speed.py [--rounds 5] [--seconds 6] [--only NAME,NAME] [--json FILE]

Every side is a process of its own; they run one after another, round by round, and only
medians and ratios within this one run are printed. `make bench` sets up what the peers
need and runs this.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from bench import turns

ONCE = 'both at the same weights, fakes judged once'
AGAIN = 'D updated, fakes judged again'


def ours(kernel, precision, *flags):
    """Return the arguments of our step: full width and batches of 64."""
    wide = os.path.join(turns.ROOT, 'configs/wide.flags')
    return ['speed/step.py', '--flagfile', wide, '--kernel_size', kernel,
            '--precision', precision, *flags]


# name: (interpreter, arguments, kernel, precision, rule)
SIDES = {
    'carpedm20 k5': (sys.executable, ['peers/carpedm20.py'], 5, 'float32',
                     'D, then G twice, then three losses to print'),
    'keras k4 float32': (sys.executable, ['peers/keras_dcgan.py'], 4, 'float32', ONCE),
    'ours k5 float32 g2': (sys.executable, ours('5', 'float32', '--g_steps', '2'), 5,
                           'float32', ONCE + ', then G again'),
}
for precision in ('float32', 'bfloat16'):
    SIDES['limit ' + precision] = (
        sys.executable, ['peers/matmul.py', precision], '', precision, '')
    for kernel in '45':
        SIDES['ours k%s %s' % (kernel, precision)] = (
            sys.executable, ours(kernel, precision), kernel, precision, ONCE)
    # no image is moved, as in the first minutes of a training
    SIDES['ours defaults ' + precision] = (
        sys.executable, ['speed/step.py', '--precision', precision, '--augment',
                         'none'], 4, precision, AGAIN)
    SIDES['torch recipe ' + precision] = (
        turns.TORCH, ['peers/torch_recipe.py', '--serve', '--precision', precision,
                      '--augment_target', '1'], 4, precision, AGAIN)
    for mode, rule, text in (('eager', 'again', AGAIN), ('compile', 'once', ONCE),
                             ('compile', 'again', AGAIN)):
        SIDES['torch %s %s %s' % (mode, precision, rule)] = (
            turns.TORCH, ['peers/torch_dcgan.py', mode, precision, rule], 4, precision,
            text)

# what is compared, and the bar of each
RATIOS = [
    ('ours k4 float32', 'torch compile float32 once', 1.35),
    ('ours k4 bfloat16', 'torch compile bfloat16 once', 1.2),
    ('ours k5 float32 g2', 'carpedm20 k5', 1.4),
    ('ours k5 bfloat16', 'carpedm20 k5', 3.5),
    ('ours k4 float32', 'keras k4 float32', None),
    ('ours defaults float32', 'torch recipe float32', 1.35),
    ('ours defaults bfloat16', 'torch recipe bfloat16', 1.35),
]
LIMITS = [('ours k4 float32', 'limit float32', 0.80),
          ('ours k4 bfloat16', 'limit bfloat16', 0.70),
          ('ours defaults float32', 'limit float32', 0.65),
          ('ours defaults bfloat16', 'limit bfloat16', 0.65)]


def start(names, folder):
    """Start the sides of these names."""
    sides = {}
    for name in names:
        interpreter, (script, *arguments), kernel, precision, rule = SIDES[name]
        command = [interpreter, os.path.join(turns.ROOT, 'bench', script)] + arguments
        sides[name] = command, dict(kernel=kernel, precision=precision, rule=rule)
    return turns.start(sides, folder)


def rows(sides):
    """Yield a row a side: name, kernel, precision, speed, spread, passes, memory, …"""
    for side in sides.values():
        speeds = [r['images_per_s'] for r in side.rounds]
        spread = (max(speeds) - min(speeds)) / statistics.median(speeds)
        yield dict(side.facts, name=side.name, images_per_s=side.median(),
                   spread=spread, memory_MiB=max(r['memory_MiB'] for r in side.rounds),
                   rounds=speeds)


def compare(sides):
    """Yield each ratio and share of the limit with its bar."""
    for ours, other, bar in RATIOS:
        if ours in sides and other in sides:
            yield '%s / %s' % (ours, other), turns.ratio(sides[ours], sides[other]), bar
    for ours, limit, bar in LIMITS:
        if ours in sides and limit in sides:
            flop = sides[ours].facts['MFLOP_an_image'] / 1e3
            share = flop * turns.ratio(sides[ours], sides[limit])
            yield '%s, share of the %s' % (ours, limit), share, bar


def report(sides, comparisons):
    """Print the tables as Markdown."""
    print('%s, %d cores, %s\n'
          % (processor(), os.cpu_count(), time.strftime('%Y-%m-%d')))
    print('| side | kernel | images/s | spread | passes | MFLOP/image | memory MiB '
          '| rule |\n| --- | --- | --- | --- | --- | --- | --- | --- |')
    for row in rows(sides):
        unit = ' GFLOP/s' if row['name'].startswith('limit') else ''
        print('| %s | %s | %.1f%s | %.0f %% | %s | %s | %.0f | %s |' % (
            row['name'], row['kernel'], row['images_per_s'], unit, 100 * row['spread'],
            row.get('passes', ''), '%.0f' % row['MFLOP_an_image']
            if 'MFLOP_an_image' in row else '', row['memory_MiB'], row['rule']))
    print('\n| ratio | measured | at least |\n| --- | --- | --- |')
    for name, value, bar in comparisons:
        print('| %s | %.2f | %s |' % (name, value, bar or ''))


def processor():
    """Return the processor's name."""
    try:
        with open('/proc/cpuinfo') as file:
            return next(line.split(':')[1].strip() for line in file
                        if line.startswith('model name'))
    except (OSError, StopIteration):
        return platform.processor()


def main():
    """Run the measurement that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=float, default=6)
    parser.add_argument('--only', default=','.join(SIDES), help='sides, by commas')
    parser.add_argument('--json', help='write all rounds there as well')
    options = parser.parse_args()
    names = options.only.split(',')
    unknown = [name for name in names if name not in SIDES]
    if unknown:
        parser.error('no side %s; there are: %s' % (unknown, ', '.join(SIDES)))
    with tempfile.TemporaryDirectory() as folder:
        sides = start(names, folder)
        turns.measure(sides, options.rounds, options.seconds)
        comparisons = list(compare(sides))
        report(sides, comparisons)
        for side in sides.values():
            side.close()
    if options.json:
        with open(options.json, 'w') as file:
            json.dump({'processor': processor(), 'date': time.strftime('%Y-%m-%d'),
                       'sides': list(rows(sides)), 'ratios': comparisons},
                      file, indent=1)


if __name__ == '__main__':
    main()
