"""A peer that learns from the images of bench/quality/race.py; its speed, samples.

A peer is an object with
    batch              images of a step
    step               steps taken so far
    advance()          takes one, reading its batch as the peer does
    save(path), restore(path)          all that it needs to go on
    save_generator(path)
    sample(num, seed)  {way of sampling: uint8 [num, 64, 64, 3]}
main(make) reads the command line, makes the peer of it and serves its steps to turns
(--serve), or trains it to --steps 100,200,400, which are its milestones.
"""

import argparse
import json
import os
import sys
import time

import numpy as np

from bench import turns
from utils import atomic_write

SAVE_EVERY = 200    # steps from one saved state to the next


def parse(arguments):
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--files', help='list of image files, a line each')
    parser.add_argument('--packed', help='the same images, .npy uint8 [N, 64, 64, 3]; '
                        "without them PyTorch's peers read random ones from memory")
    parser.add_argument('--reading', choices=('files', 'memory'), default='memory')
    parser.add_argument('--width', type=int, help="channels, by default the peer's own")
    parser.add_argument('--crop', type=int, default=108)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--serve', action='store_true')
    parser.add_argument('--device', default='cpu', help="of PyTorch's peers;"
                        ' the other takes a GPU where it finds one')
    parser.add_argument('--precision', choices=('float32', 'bfloat16'),
                        default='float32', help='of the recipe')
    parser.add_argument('--augment_target', type=float, default=0.95, help='likewise')
    parser.add_argument('--ema', type=float, default=0.9999, help='likewise')
    parser.add_argument('--ema_rampup', type=float, default=0.05, help='likewise')
    parser.add_argument('--folder')
    parser.add_argument('--steps')
    parser.add_argument('--samples', type=int, default=5000)
    return parser.parse_args(arguments)


def main(make):
    """Do what the command line says with the peer that `make(options)` returns."""
    out, options = turns.keep_stdout(), parse(sys.argv[1:])
    peer = make(options)
    if options.serve:
        turns.serve(lambda steps: advance(peer, peer.step + steps), peer.batch, out,
                    images_a_step=peer.batch)
        return
    learn(peer, options.folder, [int(step) for step in options.steps.split(',')],
          options.samples, options.seed)


def advance(peer, step):
    """Let the peer train up to a step."""
    while peer.step < step:
        peer.advance()


def learn(peer, folder, milestones, num, seed):
    """Train to each milestone that is not there yet, going on from the newest state."""
    os.makedirs(folder, exist_ok=True)
    state = os.path.join(folder, 'state')
    seconds = 0.0
    if os.path.exists(state + '.json'):
        with open(state + '.json') as file:
            seconds = json.load(file)['seconds']
        peer.restore(state)
    for milestone in milestones:
        if os.path.exists(milestone_path(folder, milestone)):
            continue
        while peer.step < milestone:
            began = time.perf_counter()
            advance(peer, min(milestone, peer.step - peer.step % SAVE_EVERY
                              + SAVE_EVERY))
            seconds += time.perf_counter() - began
            peer.save(state)
            write_json(state + '.json', {'step': peer.step, 'seconds': seconds})
        keep(peer, folder, milestone, num, seed, seconds)


def keep(peer, folder, milestone, num, seed, seconds):
    """Write a milestone: generator, samples, then the note that it is complete."""
    peer.save_generator(os.path.join(folder, 'generator-%06d' % milestone))
    for way, images in peer.sample(num, seed).items():
        save_array(images, samples_path(folder, milestone, way))
    write_json(milestone_path(folder, milestone),
               {'step': milestone, 'seconds': seconds, 'load': os.getloadavg()[0]})


def milestone_path(folder, step):
    """Return the path of the note that a milestone is complete."""
    return os.path.join(folder, 'step-%06d.json' % step)


def samples_path(folder, step, way):
    """Return the path of the samples of a milestone, drawn in one way."""
    return os.path.join(folder, 'samples-%06d-%s.npy' % (step, way))


def write_json(path, value):
    """Write JSON, whole or not at all."""
    with atomic_write(path, 'w') as file:
        json.dump(value, file, indent=1)


def save_array(array, path):
    """Write .npy, whole or not at all."""
    with atomic_write(path) as file:
        np.save(file, array)
