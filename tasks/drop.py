"""Drop: make the generator forget how to draw something, by dropping feature maps.

Radford, Metz and Chintala, 2016, section 6.3.1: on 150 samples they drew boxes around
windows, fitted a logistic regression of "inside a box" to the activations of the second
highest convolution, and dropped all maps with weights above 0. Here nobody draws boxes:
- a classifier of the data set's attributes says which samples have the attribute;
- the places, the same in all samples as faces are aligned, are those where the mean
  image of the samples that have it differs most from that of the others;
- negatives are these places in the samples without it, not other places of the same
  samples: the eyes, too, tell glasses from a forehead;
- a map is described by its mean over the places;
- maps are dropped at the paper's layer, the input of the convolution before the last,
  and at each one below, one layer at a time: in a narrow network all maps of the higher
  layers share the few thin lines of glasses, and only the lower ones can be told apart.
About half of all maps get a weight above 0, so as many at random are the comparison.
"""

import contextlib

import numpy as np
import tensorflow.compat.v1 as tf
from PIL import Image

from metrics import classifier
from runs import sampling
from settings.errors import UserError
from tasks.parts import latent
from tasks.parts.outputs import output_path
from utils import save_images

SAMPLES = 2000      # to learn from, and as many new ones to judge by: --num_samples
FEWEST = 20         # of them that must have the attribute, and be without it
PLACES = 0.1        # share of a map's places that is looked at
REPEATS = 3         # times that as many maps are dropped at random
SHOWN = 10          # samples in a row of the sheet
PAIRS = 3           # of rows
LEARN, JUDGE = -2, -3       # keys of z; see sampling.FIXED


def main(config, run, path):
    """Drop the maps that draw --attribute; write the samples before and after."""
    if config.attribute is None:
        raise UserError('--task drop: which attribute shall the generator forget? Add '
                        '--attribute NAME, as --attribute Eyeglasses.')
    if config.architecture != 'dcgan':
        raise UserError('--task drop drops maps of a convolution; --architecture %s '
                        'has none.' % config.architecture)
    with contextlib.closing(
            classifier.make(config, wanted=[config.attribute])) as extractor:
        which = list(extractor.classes).index(config.attribute)
        with sampling.restored(config, path) as (sess, model):
            forget(sess, model, extractor, which, run)


def forget(sess, model, extractor, which, run):
    """Learn which maps to drop, and write what new samples are like without them."""
    generators = [Generator(sess, model, layer) for layer in layers(model)]
    G, attribute = generators[0], extractor.classes[which]
    inputs = G.inputs(LEARN)
    images = G.draw(inputs)
    has = extractor.attributes(images)[:, which] > 0.5
    if not FEWEST <= has.sum() <= len(has) - FEWEST:
        raise UserError('%d of %d samples have %s; expected at least %d with it and %d '
                        'without. Take more by --num_samples, or another attribute.'
                        % (has.sum(), len(has), attribute, FEWEST, FEWEST))
    base = output_path(run, 'drop_' + attribute)
    print('learned from %d samples, of which %d have %s' % (
        len(has), has.sum(), attribute))
    judge = Judge(G, extractor, which)
    for G in generators:
        places = where_they_differ(images, has, G.shape[:2])
        dropped = np.flatnonzero(fit(G.activations(inputs, places), has) > 0)
        print('%s: %d of its %d maps of %dx%d dropped, told apart at %d places' % (
            G.name, len(dropped), G.shape[2], G.shape[1], G.shape[0], places.sum()))
        judge.compare(G, dropped, '%s_%s.png' % (base, G.name))


def layers(model):
    """Return the convolutions whose maps are dropped in turn, the highest first.

    The first is the one before the last: for 64x64 pixels it takes maps of 16x16. (The
    paper's second highest, of which it dropped 200 maps, cannot be the one above,
    whose input has 128.) The smallest images have a single one.
    """
    return range(max(1, len(model.sizes) - 2), 0, -1)


class Judge:
    """What becomes of new samples, `images`, when maps are dropped.

    `has` tells which of them have the attribute while all maps are there.
    """

    def __init__(self, G, extractor, which):
        self.extractor, self.which, self.inputs = extractor, which, G.inputs(JUDGE)
        self.images = G.draw(self.inputs)
        self.all = extractor.attributes(self.images) > 0.5
        self.has = self.all[:, which]
        print('%d new samples, all maps: %.1f %% have %s' % (
            len(self.has), 100 * self.has.mean(), extractor.classes[which]))

    def compare(self, G, dropped, path):
        """Drop maps, then as many at random; print what that does; save a sheet."""
        after = G.draw(self.inputs, dropped)
        rng = np.random.default_rng(G.model.config.seed)
        draws = [rng.permutation(G.shape[2])[:len(dropped)] for _ in range(REPEATS)]
        for what, shares in (
                ('without them', [self.shares(after)]),
                ('without as many at random (%d times)' % REPEATS,
                 [self.shares(G.draw(self.inputs, maps)) for maps in draws])):
            print('  %s: %.1f %% have it, of those that had it %.1f %%; other '
                  'attributes judged as before: %.1f %%'
                  % (what, *100 * np.mean(shares, axis=0)))
        chosen = np.flatnonzero(self.has)[:PAIRS * SHOWN]
        if len(chosen):
            print('  sheet: %s' % save_pairs(self.images[chosen], after[chosen], path))

    def shares(self, images):
        """Return the shares that have the attribute: of all, and of those that had it.

        The third is the share of all other attributes that are judged as before.
        """
        now = self.extractor.attributes(images) > 0.5
        others = np.arange(now.shape[1]) != self.which
        kept = now[self.has, self.which].mean() if self.has.any() else np.nan
        same = (now == self.all)[:, others].mean() if others.any() else np.nan
        return now[:, self.which].mean(), kept, same


def save_pairs(before, after, path):
    """Write rows of images, each with the row of what became of them below it."""
    cells = []
    for start in range(0, len(before), SHOWN):
        for images in before, after:
            row = list(images[start:start + SHOWN])
            cells += row + [None] * (SHOWN - len(row))
    return save_images(cells, (len(cells) // SHOWN, SHOWN), path)


# --- the generator, with maps that can be dropped ----------------------------

class Generator:
    """The sampler of a run, with a convolution that takes some of its maps as 0.

    `name` is the convolution's, `shape` that of its input, (height, width, maps).
    """

    def __init__(self, sess, model, layer):
        self.sess, self.model, self.layer = sess, model, layer
        self.name = 'g_h%d' % layer
        self.images = model.sampler(model.z, model.y, change=self.change)

    def change(self, i, h):
        """Drop the maps whose `keep` is 0, at all places, where i is the layer."""
        if i != self.layer:
            return h
        self.shape = tuple(h.shape.as_list()[1:])
        self.keep = tf.placeholder_with_default(
            np.ones(self.shape[2], np.float32), [self.shape[2]], 'keep')
        self.places = tf.placeholder(tf.float32, self.shape[:2], 'places')
        self.means = (tf.einsum('nhwc,hw->nc', h, self.places)
                      / tf.reduce_sum(self.places))
        return h * self.keep

    def inputs(self, key):
        """Return new Inputs, the seed's and the key's."""
        config = self.model.config
        return latent.new_inputs(self.sess, config, config.num_samples or SAMPLES, key)

    def draw(self, inputs, dropped=()):
        """Return images float32 [N, H, W, C], some maps dropped."""
        keep = np.ones(self.shape[2], np.float32)
        keep[list(dropped)] = 0
        return self.run(self.images, inputs, {self.keep: keep})

    def activations(self, inputs, places):
        """Return each map's mean over some places, bool [h, w]: float32 [N, maps]."""
        return self.run(self.means, inputs, {self.places: places})

    def run(self, wanted, inputs, feed):
        """Return the value of a tensor for some Inputs, computed in parts."""
        parts = []
        for start in range(0, len(inputs.z), sampling.CHUNK):
            part = inputs.take(slice(start, start + sampling.CHUNK))
            feed[self.model.z] = part.z
            if self.model.y is not None:
                feed[self.model.y] = part.y
            parts.append(self.sess.run(wanted, feed))
        return np.concatenate(parts)


# --- learning ----------------------------------------------------------------

def where_they_differ(images, has, size):
    """Return the places of a map that draw the attribute, bool [h, w].

    They are the share PLACES where the mean of the images [N, H, W, C] that have it
    differs most from that of the others, over the area that a place covers.
    """
    difference = np.abs(images[has].mean(axis=0) - images[~has].mean(axis=0)).sum(-1)
    small = np.asarray(Image.fromarray(difference.astype(np.float32)).resize(
        size[::-1], Image.BOX))
    least = np.sort(small.ravel())[-max(1, int(PLACES * small.size))]
    return small >= least


def fit(activations, has):
    """Return the weights [maps] of a logistic regression of `has` [N] by activations.

    Each map is scaled to a deviation of 1.
    """
    from sklearn.linear_model import LogisticRegression

    scaled = (activations - activations.mean(0)) / np.maximum(activations.std(0), 1e-6)
    model = LogisticRegression(class_weight='balanced', max_iter=1000)
    return model.fit(scaled, has).coef_[0]
