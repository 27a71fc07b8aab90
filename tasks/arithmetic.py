"""Arithmetic: mean z of images with A, minus that of B, plus that of C.

Radford et al., section 6.3.2: a single z for each term is unstable, the mean of three
is not; noise of +-0.25 around the result shows that its neighbours mean the same; the
same sums of pixels do not work (figure 7). Turning is their figure 8. The paper's z
were uniform; those of normal01 are moved back to their prior, see latent.plausible.

In the paper a person chose the exemplars of each term. Here the classifier does: it
finds the images that surely show each term. Of many draws of three images for each
term, the one is shown whose sum most surely is what it should be. In how many draws it
is so tells what the arithmetic is worth in a network, and is printed.
"""

import contextlib

import numpy as np
import tensorflow.compat.v1 as tf
from tqdm import tqdm

from metrics import classifier
from runs import sampling
from settings.errors import UserError
from tasks.parts import films, formula, latent
from tasks.parts.latent import Inputs
from tasks.parts.outputs import output_path
from utils import merge, save_images

SEARCH = -2         # keys the z among which exemplars are searched
LIMIT = 10000       # z that are drawn for a search, at most
LEAST = 1000        # and at least, so that there are many to choose from
TRIES = 64          # draws of the exemplars
NOISE = 0.25        # around the result, uniform, as in the paper
SIDE = 3            # the results are SIDE x SIDE
TURNED = 8          # images that are turned on the sheet
JUDGED = 256        # images whose probability is averaged along a turn
STEPS = 9           # pictures of a turn on the sheet
REACH = 4           # how far a turn goes to both sides, in standard deviations of z


def main(config, run, path):
    """Draw the pictures of --formula; print how likely its attributes are in them."""
    terms = formula.parse(config.formula, config)
    if config.z and len(terms) > 1 and not terms[0].indices:
        raise UserError('--z holds images, and a sum of attributes finds its own: name '
                        'images, as "0,1,2 - 3,4,5 + 6", or one attribute to turn.')
    if terms[0].indices:
        with sampling.restored(config, path) as (sess, model):
            save_sum(Critic(sess, model, None), terms, [
                latent.sheet_inputs(sess, config, list(term.indices))
                for term in terms], run)
        return
    with contextlib.closing(
            classifier.make(config, wanted=formula.named(terms))) as extractor, \
            tf.Graph().as_default(), sampling.restored(config, path) as (sess, model):
        critic = Critic(sess, model, extractor)
        if len(terms) == 1:
            turn(critic, terms[0], run)
            return
        likely = critic.judge(save_sum(critic, terms, search(critic, terms), run))
        print('the results, mean probability of %d: %s' % (
            formula.count(likely), ', '.join(
                '%s %.0f %%' % (name, 100 * likely[name].mean())
                for name in formula.named(terms))))


class Critic:
    """A model that draws images, and the classifier that judges them."""

    def __init__(self, sess, model, extractor):
        self.sess, self.model, self.extractor = sess, model, extractor
        self.config = model.config

    def draw(self, inputs):
        """Return the images of some Inputs, float32 [N, H, W, C]."""
        return sampling.draw(self.sess, self.model, *inputs)

    def judge(self, *images):
        """Return {attribute: its probability, float [N]} of images in parts."""
        found = np.concatenate([self.extractor.attributes(part) for part in images])
        return dict(zip(self.extractor.classes, found.T))

    def judge_inputs(self, inputs):
        """Return what judge does of the images of some Inputs."""
        return self.judge(*sampling.draw_batches(self.sess, self.model, *inputs))


# --- the search for exemplars ------------------------------------------------

def search(critic, terms):
    """Return the Inputs of each term's exemplars, of TRIES draws the best ones."""
    inputs = latent.new_inputs(critic.sess, critic.config, LIMIT, SEARCH)
    likely = judge_enough(critic, terms, inputs)
    found = [formula.candidates(term, likely) for term in terms]
    for term, indices in zip(terms, found):
        print('%s: exemplars are drawn from %d of %d images'
              % (term.text, len(indices), formula.count(likely)))
    rng = np.random.default_rng(critic.config.seed)
    tries = [[inputs.take(rng.choice(indices, formula.EACH, replace=False))
              for indices in found] for _ in range(TRIES)]
    return tries[best_try(critic, terms, tries)]


def judge_enough(critic, terms, inputs):
    """Return the probabilities of the first images, of as many as are needed."""
    found = []
    for images in sampling.draw_batches(critic.sess, critic.model, *inputs):
        found.append(critic.judge(images))
        likely = {name: np.concatenate([part[name] for part in found])
                  for name in found[0]}
        if formula.count(likely) >= LEAST and formula.enough(terms, likely):
            break
    return likely


def best_try(critic, terms, tries):
    """Return the index of the draw of exemplars with the best result.

    The result should have the attributes that the terms add up to; the best is the one
    whose least sure attribute is surest. Print how many have them all.
    """
    wanted = formula.outcome(terms)
    if not wanted.attributes:
        return 0
    middles = [results(terms, chosen, critic.config).take([SIDE * SIDE // 2])
               for chosen in tries]
    inputs = Inputs(*map(np.concatenate, zip(*middles)))
    sure = formula.fit(wanted, critic.judge_inputs(inputs))
    print('%s: the result in %d of %d draws of exemplars; the surest is shown'
          % (wanted.text, (sure >= formula.LIKELY).sum(), len(sure)))
    return int(sure.argmax())


# --- sums --------------------------------------------------------------------

def total(terms, arrays):
    """Return the sum of the means of the terms' arrays [N, ...], with their signs."""
    return np.sum([term.sign * np.mean(array, 0)
                   for term, array in zip(terms, arrays)], axis=0)


def results(terms, chosen, config):
    """Return Inputs [SIDE * SIDE]: the result, in the middle, and noisy ones.

    y are added and subtracted as z are, and clipped to the range of labels.
    """
    z = latent.plausible(total(terms, [p.z for p in chosen]), config.z_dist)
    noise = np.random.RandomState(config.seed).uniform(
        -NOISE, NOISE, (SIDE * SIDE, config.z_dim))
    noise[len(noise) // 2] = 0
    y = np.clip(total(terms, [p.y for p in chosen]), -1 if config.attributes else 0, 1)
    return Inputs(latent.plausible(z + noise, config.z_dist),
                  np.repeat(y[None].astype(np.float32), len(noise), 0))


def save_sum(critic, terms, chosen, run):
    """Write the sheet of a sum: exemplars, means, results, and the sum of pixels.

    Return the results, images [SIDE * SIDE, H, W, C].
    """
    exemplars = [critic.draw(inputs) for inputs in chosen]
    images = critic.draw(results(terms, chosen, critic.config))
    means = Inputs(
        latent.plausible([p.z.mean(0) for p in chosen], critic.config.z_dist),
        np.array([p.y.mean(0) for p in chosen], np.float32))
    cells, size = lay_out(exemplars, critic.draw(means), images,
                          np.clip(total(terms, exemplars), -1, 1))
    for term, inputs in zip(terms, chosen):
        print('%s %s: a column of %d images, their mean z below' % (
            '+' if term.sign > 0 else '-', term.text, len(inputs.z)))
    print('right of them: the result in the middle of its neighbours, then the sum of '
          'the pixels')
    print('sheet: %s' % save_images(cells, size,
                                    output_path(run, 'arithmetic') + '.png'))
    return images


def lay_out(exemplars, mean_images, result_images, pixel_image):
    """Return (images with None between, (rows, columns)) of the sheet of a sum.

    A column for each term, its mean below; a gap; the results; a gap; the pixels.
    """
    rows = max(SIDE, max(map(len, exemplars))) + 1
    columns = len(exemplars) + SIDE + 3
    sheet = [[None] * columns for _ in range(rows)]
    for column, (images, mean_image) in enumerate(zip(exemplars, mean_images)):
        for row, image in enumerate(images):
            sheet[row][column] = image
        sheet[-1][column] = mean_image
    for place, image in enumerate(result_images):
        sheet[place // SIDE][len(exemplars) + 1 + place % SIDE] = image
    sheet[SIDE // 2][-1] = pixel_image
    return sum(sheet, []), (rows, columns)


# --- turning -----------------------------------------------------------------

def turn(critic, term, run):
    """Write a sheet and a film of several z moved along an attribute's direction.

    Print how likely the attribute is on average along the way.
    """
    config = critic.config
    inputs = latent.new_inputs(critic.sess, config, LIMIT, SEARCH)
    number = min(LIMIT, config.num_samples or LEAST * 2)
    direction = direction_of(critic, term, inputs.take(slice(number)))
    steps = np.linspace(-REACH, REACH, STEPS) * latent.deviation(config.z_dist)
    say_change(critic, term, direction, steps, inputs.take(slice(-JUDGED, None)))
    shown = latent.sheet_inputs(critic.sess, config,
                                slice(min(TURNED, latent.count(config))))
    images = [critic.draw(shifted(shown, direction, step, config)) for step in steps]
    cells = [image for row in zip(*images) for image in row]
    base = output_path(run, 'turn_' + term.text)
    print('sheet: %s' % save_images(cells, (len(shown.z), STEPS), base + '.png'))
    swing = -steps[-1] * np.cos(2 * np.pi * np.arange(config.frames) / config.frames)
    films.save_film((merge(critic.draw(shifted(shown, direction, step, config)),
                           (1, len(shown.z))) for step in swing), base)


def direction_of(critic, term, inputs):
    """Return the unit vector [z_dim] from the mean z without a term to that with it.

    Raises UserError where either has too few images.
    """
    likely = critic.judge_inputs(inputs)
    formula.check_enough(term, likely)
    with_it = formula.fit(term, likely) >= formula.LIKELY
    if (~with_it).sum() < formula.EACH:
        raise UserError('Of %d images that were drawn %d do not show %s; expected %d '
                        'or more, to tell the direction. Take another attribute.'
                        % (len(with_it), (~with_it).sum(), term.text, formula.EACH))
    return latent.unit(inputs.z[with_it].mean(0) - inputs.z[~with_it].mean(0))


def shifted(inputs, direction, step, config):
    """Return Inputs with z moved by `step` along a direction, kept plausible."""
    return Inputs(latent.plausible(inputs.z + step * direction, config.z_dist),
                  inputs.y)


def say_change(critic, term, direction, steps, inputs):
    """Print the mean probability of a term at each step along its direction."""
    likely = [formula.fit(term, critic.judge(critic.draw(
        shifted(inputs, direction, step, critic.config)))).mean()
        for step in tqdm(steps, desc='turning', disable=None)]
    print('%s along its direction, mean probability of %d images: %s' % (
        term.text, len(inputs.z), ', '.join(
            '%+.1f: %.0f %%' % (step, 100 * p) for step, p in zip(steps, likely))))
