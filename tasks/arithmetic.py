"""Arithmetic: mean z of images with A, minus that of B, plus that of C.

Radford et al., section 6.3.2: a single z for each term is unstable, the mean of three
is not; noise of +-0.25 around the result shows that its neighbours mean the same; the
same sums of pixels do not (figure 7). Turning is their figure 8. The paper's z were
uniform; those of normal01 are brought back to their prior's norm, see latent.plausible.

The paper's exemplars were chosen by hand. Here the classifier chooses: of many draws of
three images for each term, all of which surely show it, those are shown whose sum most
surely is what it should be. In how many draws it is, is printed: that is what the
arithmetic is worth in a network.
"""

import os
import re

import numpy as np
import tensorflow.compat.v1 as tf
from tqdm import tqdm

from metrics import extractors
from runs import folders, sampling
from settings.errors import UserError
from tasks.parts import films, formula, latent
from tasks.parts.latent import Pictures
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
    """Draw the pictures of --formula from the checkpoint at `path`."""
    terms = formula.parse(config.formula, config)
    if terms[0].indices:
        with sampling.restored(config, path) as (sess, model):
            chosen = [latent.pictures(sess, config, list(term.indices))
                      for term in terms]
            save_sum(sess, model, terms, chosen, run)
        return
    extractor = extractors.make(config.replace(features='classifier'))
    try:
        formula.check_attributes(terms, extractor.classes)
        with tf.Graph().as_default(), sampling.restored(config, path) as (sess, model):
            if len(terms) == 1:
                turn(sess, model, extractor, terms[0], run)
            else:
                chosen = search(sess, model, extractor, terms)
                say_results(terms, extractor,
                            save_sum(sess, model, terms, chosen, run))
    finally:
        extractor.close()


def base_path(run, name):
    """Return the path of a picture without its ending; make its folder."""
    folders.make_folder(run.sample_dir)
    return os.path.join(run.sample_dir, name)


# --- drawing and judging -----------------------------------------------------

def drawn(sess, config):
    """Return LIMIT Pictures of the prior, every label in turn."""
    z = sess.run(sampling.keyed_z(config, LIMIT, SEARCH))
    rows = sampling.label_rows(config)
    if not len(rows):
        return latent.with_labels(z, config)
    return Pictures(z, rows[np.arange(LIMIT) % len(rows)])


def judge(sess, model, extractor, terms, pictures):
    """Return probabilities [N, K] of the first images, of as many as are needed."""
    found, number = [], 0
    for images in sampling.draw_batches(sess, model, *pictures):
        found.append(extractor.attributes(images))
        number += len(images)
        if number >= LEAST and formula.enough(terms, np.concatenate(found),
                                              extractor.classes):
            break
    return np.concatenate(found)


def probabilities_of(sess, model, extractor, pictures):
    """Return the probabilities [N, K] of the attributes of all of some Pictures."""
    return np.concatenate([extractor.attributes(images) for images in
                           sampling.draw_batches(sess, model, *pictures)])


def search(sess, model, extractor, terms):
    """Return the Pictures of each term's exemplars, of TRIES draws the best ones."""
    pictures = drawn(sess, model.config)
    probabilities = judge(sess, model, extractor, terms, pictures)
    found = [formula.candidates(term, probabilities, extractor.classes)
             for term in terms]
    for term, indices in zip(terms, found):
        print('%s: exemplars are drawn from %d of %d images'
              % (term.text, len(indices), len(probabilities)))
    rng = np.random.default_rng(model.config.seed)
    tries = [[pictures.take(rng.choice(indices, formula.EACH, replace=False))
              for indices in found] for _ in range(TRIES)]
    return tries[best_try(sess, model, extractor, terms, tries)]


def best_try(sess, model, extractor, terms, tries):
    """Return which of some draws of exemplars has the result that it should have.

    That is by what is least sure of it. Print how many have it.
    """
    wanted = formula.outcome(terms)
    if not wanted.attributes:
        return 0
    middles = [results(terms, chosen, model.config).take([SIDE * SIDE // 2])
               for chosen in tries]
    pictures = Pictures(*map(np.concatenate, zip(*middles)))
    sure = formula.fit(wanted, probabilities_of(sess, model, extractor, pictures),
                       extractor.classes)
    print('%s: the result in %d of %d draws of exemplars; the surest is shown'
          % (wanted.text, (sure >= formula.LIKELY).sum(), len(sure)))
    return int(sure.argmax())


# --- sums --------------------------------------------------------------------

def total(terms, arrays):
    """Return the sum of the means of the terms' arrays [N, ...], with their signs."""
    return np.sum([term.sign * np.mean(array, 0)
                   for term, array in zip(terms, arrays)], axis=0)


def results(terms, chosen, config):
    """Return Pictures [SIDE * SIDE]: the result, in the middle, and noisy ones.

    Labels are added and subtracted as z are, and kept between none and all.
    """
    z = latent.plausible(total(terms, [p.z for p in chosen]), config.z_dist)
    noise = np.random.RandomState(config.seed).uniform(
        -NOISE, NOISE, (SIDE * SIDE, config.z_dim))
    noise[len(noise) // 2] = 0
    y = np.clip(total(terms, [p.y for p in chosen]), -1 if config.attributes else 0, 1)
    return Pictures(latent.plausible(z + noise, config.z_dist),
                    np.repeat(y[None].astype(np.float32), len(noise), 0))


def means(chosen, config):
    """Return the Pictures of each term's mean z, brought back to the prior."""
    return Pictures(
        latent.plausible([p.z.mean(0) for p in chosen], config.z_dist),
        np.array([p.y.mean(0) for p in chosen], np.float32))


def save_sum(sess, model, terms, chosen, run):
    """Write the sheet of a sum: exemplars, means, results, and the sum of pixels.

    Return the results, images [SIDE * SIDE, H, W, C].
    """
    def draw(pictures):
        return sampling.draw(sess, model, *pictures)

    exemplars = [draw(pictures) for pictures in chosen]
    images = draw(results(terms, chosen, model.config))
    cells, size = lay_out(exemplars, draw(means(chosen, model.config)), images,
                          np.clip(total(terms, exemplars), -1, 1))
    for term, pictures in zip(terms, chosen):
        print('%s %s: a column of %d images, their mean z below' % (
            '+' if term.sign > 0 else '-', term.text, len(pictures.z)))
    print('right of them: the result in the middle of its neighbours, then the sum of '
          'the pixels')
    print('sheet: %s' % save_images(cells, size, base_path(run, 'arithmetic') + '.png'))
    return images


def say_results(terms, extractor, images):
    """Print how likely each attribute of the formula is in the results of its sum."""
    found = extractor.attributes(images)
    print('the results, mean probability of %d: %s' % (len(images), ', '.join(
        '%s %.0f %%' % (name, 100 * formula.column(
            found, extractor.classes, name, True).mean())
        for name in formula.named(terms))))


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

def turn(sess, model, extractor, term, run):
    """Write images of several z moved along an attribute's direction, sheet and film.

    And print how likely the attribute is on average along the way.
    """
    config = model.config
    pictures = drawn(sess, config)
    number = min(LIMIT, config.num_samples or LEAST * 2)
    direction = direction_of(sess, model, extractor, term, pictures.take(
        np.arange(number)))
    steps = np.linspace(-REACH, REACH, STEPS) * latent.deviation(config.z_dist)
    say_change(sess, model, extractor, term, direction, steps,
               pictures.take(np.arange(LIMIT - JUDGED, LIMIT)))
    shown = latent.pictures(sess, config, list(range(min(TURNED,
                                                         sampling.count(config)))))
    images = [sampling.draw(sess, model, *shifted(shown, direction, step, config))
              for step in steps]
    cells = [image for row in zip(*images) for image in row]
    base = base_path(run, re.sub(r'[/\\]', '_', 'turn_' + term.text))
    print('sheet: %s' % save_images(cells, (len(shown.z), STEPS), base + '.png'))
    films.save_film(turning(sess, model, shown, direction), base)


def direction_of(sess, model, extractor, term, pictures):
    """Return the unit vector [z_dim] from the mean z without a term to that with it.

    Raises UserError where either has too few images.
    """
    probabilities = probabilities_of(sess, model, extractor, pictures)
    formula.check_enough(term, probabilities, extractor.classes)
    with_it = formula.fit(term, probabilities, extractor.classes) >= formula.LIKELY
    if (~with_it).sum() < formula.EACH:
        raise UserError('Of %d images that were drawn %d do not show %s; expected %d '
                        'or more, to tell the direction. Take another attribute.'
                        % (len(with_it), (~with_it).sum(), term.text, formula.EACH))
    return latent.unit(pictures.z[with_it].mean(0) - pictures.z[~with_it].mean(0))


def shifted(pictures, direction, step, config):
    """Return Pictures with z moved by `step` along a direction, kept plausible."""
    return Pictures(latent.plausible(pictures.z + step * direction, config.z_dist),
                    pictures.y)


def say_change(sess, model, extractor, term, direction, steps, pictures):
    """Print the mean probability of a term at each step along its direction."""
    likely = []
    for step in tqdm(steps, desc='turning', disable=None):
        images = sampling.draw(sess, model, *shifted(pictures, direction, step,
                                                   model.config))
        likely.append(formula.fit(term, extractor.attributes(images),
                                  extractor.classes).mean())
    print('%s along its direction, mean probability of %d images: %s' % (
        term.text, len(pictures.z), ', '.join(
            '%+.1f: %.0f %%' % (step, 100 * p) for step, p in zip(steps, likely))))


def turning(sess, model, shown, direction):
    """Yield the frames of a turn there and back, uint8."""
    config = model.config
    swing = np.cos(2 * np.pi * np.arange(config.frames) / config.frames)
    for step in -REACH * latent.deviation(config.z_dist) * swing:
        images = sampling.draw(sess, model, *shifted(shown, direction, step, config))
        yield merge(images, (1, len(images)))
