"""How near the samples of race.py are to real images, and whether all differ.

For each kind of features: the Fréchet distance to the images that the sides learned
from, and to those held out; improved precision and recall; and the share of
near-duplicates, which tells of collapse: samples nearer to another sample than all but
DUPLICATE of the real images are to another real one.
"""

import hashlib
import json
import os
import re

import numpy as np
from tqdm import tqdm

from bench.peers import learn
from dataset import batches
from metrics import extractors
from metrics.frechet import frechet_distance
from metrics.moments import Moments
from metrics.neighbours import nearest
from metrics.precision_recall import precision_recall
from settings.errors import NotFoundError
from utils import transform

FEATURES = ('classifier', 'pixels')
BLOCK = 500         # images turned into features at a time
COMPARED = 2000     # images of either side where neighbours are looked for
DUPLICATE = 0.01    # share of the real images that count as near-duplicates


class Judge:
    """One kind of features, and those of the real images."""

    def __init__(self, name, config):
        self.extractor = extractors.make(config.replace(features=name))
        self.label = self.extractor.label
        images = batches.load(config).images
        self.real = self.moments(images)
        self.some = self.features(images[::max(1, len(images) // COMPARED)][:COMPARED])
        distances = nearest(self.some, self.some, leave_out=True)[1][:, 0]
        self.near = np.quantile(distances, DUPLICATE)
        self.held_out = self.of_held_out(config)
        self.mark = hashlib.sha256(self.real.mean.tobytes()).hexdigest()[:16]

    def of_held_out(self, config):
        """Return the Moments of the images held out, None where there are none."""
        try:
            images = batches.load(config.replace(part='held_out')).images
        except NotFoundError:
            return None
        return self.moments(images)

    def features(self, images):
        """Return the features [N, D] of uint8 images."""
        return np.concatenate([self.extractor.extract(transform(
            images[start:start + BLOCK]))[0] for start in range(0, len(images), BLOCK)])

    def moments(self, images):
        """Return the Moments of the features of uint8 images."""
        moments = Moments()
        for start in range(0, len(images), BLOCK):
            moments.update(self.features(images[start:start + BLOCK]))
        return moments

    def of(self, images):
        """Return all numbers of samples uint8 [N, H, W, C]."""
        features = self.features(images)
        moments, some = Moments().update(features), features[:COMPARED]
        real = self.some[:len(some)]        # as many of both
        precision, recall = precision_recall(real, some)
        neighbours = nearest(some, some, leave_out=True)[1][:, 0]
        return {'label': self.label, 'mark': self.mark, 'samples': len(images),
                'distance': distance(moments, self.real),
                'held_out': distance(moments, self.held_out),
                'precision': precision, 'recall': recall,
                'duplicates': float(np.mean(neighbours < self.near))}

    def anchor(self):
        """Return the distance of the held-out images to the others."""
        return {'label': self.label, 'distance': distance(self.held_out, self.real),
                'held_out_images': self.held_out.count if self.held_out else 0}


def distance(moments, other):
    """Return the Fréchet distance of two Moments, None where one is missing."""
    if moments is None or other is None:
        return None
    return frechet_distance(moments.mean, moments.covariance(),
                            other.mean, other.covariance())


def judge(trained, config):
    """Judge the samples of all milestones in all features, as far as that is missing.

    Returns a row for each milestone, way of sampling and kind of features, and the
    anchors. `trained` has dicts of side, seed, minutes, step and path.
    """
    rows, anchors = [], []
    for name in FEATURES:
        if name not in extractors.EXTRACTORS:
            print('features left out, as this version has none such: %s' % name)
            continue
        judge = Judge(name, config.replace(train=False))
        anchors.append(judge.anchor())
        for piece in tqdm(trained, 'judging in ' + judge.label, disable=None):
            rows += judge_piece(judge, name, piece)
        judge.extractor.close()
    return rows, anchors


def judge_piece(judge, name, piece):
    """Return the rows of a milestone; what is judged is kept in judged-STEP.json."""
    path = os.path.join(piece['path'], 'judged-%06d.json' % piece['step'])
    known = read_json(path, {})
    for way in ways(piece['path'], piece['step']):
        key = '%s %s' % (name, way)
        if known.get(key, {}).get('mark') != judge.mark:
            samples = learn.samples_path(piece['path'], piece['step'], way)
            known[key] = judge.of(np.load(samples, mmap_mode='r'))
            learn.write_json(path, known)
        note = read_json(learn.milestone_path(piece['path'], piece['step']), {})
        yield dict(piece, way=way, seconds=note.get('seconds'), load=note.get('load'),
                   **known[key])


def ways(path, step):
    """Return in which ways the samples of a milestone were drawn."""
    name = re.compile(r'samples-%06d-(\w+)\.npy$' % step)
    found = [name.match(file) for file in
             (os.listdir(path) if os.path.isdir(path) else [])]
    return sorted(match.group(1) for match in found if match)


def read_json(path, default):
    """Return what a file of JSON holds, the default where there is none."""
    if not os.path.exists(path):
        return default
    with open(path) as file:
        return json.load(file)
