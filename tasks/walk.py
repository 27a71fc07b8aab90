"""Walks: what the images do while z moves, from z to z or one dimension at a time.

Radford et al., section 6.1: pictures that change smoothly, where nothing appears all at
once, tell that the network has not merely memorised. The modes along dimensions are
options 1 to 4 of carpedm20's `visualize`; its option 0 is --task sample.
"""

import itertools
import os

import numpy as np
from tqdm import tqdm

from runs import room, sampling
from settings.errors import UserError
from tasks.parts import films, latent
from tasks.parts.latent import Inputs
from tasks.parts.outputs import output_path
from utils import image_manifold_size, merge, save_images

STOPS = 6           # z of a walk without --indices: the first ones of the sheet
COLUMNS = 10        # pictures of a row of a sheet, from one z to the next
MOST = 100          # dimensions that are shown, as carpedm20's 100
FROM_Z_TO_Z = ('sphere', 'line')


def main(config, run, path):
    """Draw the walk of --walk from the checkpoint at `path` into the run's folder."""
    chosen = indices(config)
    with sampling.restored(config, path) as (sess, model):
        start = latent.sheet_inputs(sess, config, chosen)
        walk = between if config.walk in FROM_Z_TO_Z else along_dimensions
        walk(sess, model, start, output_path(run, 'walk_' + config.walk))


def indices(config):
    """Return the indices of the images that a walk goes through, or starts from.

    Without --indices: the first STOPS; the first one where dimensions move; MOST where
    each dimension starts from a z of its own. (carpedm20 starts from z = 0, but the
    prior draws nothing near it, and the face there is a pale mean.) Raises UserError as
    parse_indices.
    """
    if config.indices is not None:
        return latent.parse_indices(config.indices, config,
                                    2 if config.walk in FROM_Z_TO_Z else 1)
    number = {'sphere': STOPS, 'line': STOPS, 'dimensions_random': MOST}
    there = latent.count(config)
    if config.z and there < 2 and config.walk in FROM_Z_TO_Z:
        raise UserError('--z %s holds one image; from z to z expected 2 or more, or '
                        'move this one: --walk dimensions.' % config.z)
    taken = min(number.get(config.walk, 1), there)
    if config.z and taken < there:
        print('taking the first %d of the %d images of %s; others: --indices'
              % (taken, there, config.z))
    return list(range(taken))


def frames(sess, model, inputs, size):
    """Yield sheets of `size` (rows, columns), uint8, of Inputs [frames * cells]."""
    cells = len(inputs.z) // model.config.frames
    images = itertools.chain.from_iterable(
        sampling.draw_batches(sess, model, *inputs))
    for _ in range(model.config.frames):
        yield merge(list(itertools.islice(images, cells)), size)


# --- from z to z -------------------------------------------------------------

def between(sess, model, stops, base):
    """Write the closed walk through the stops as a sheet and as a film.

    The sheet has a row from each stop to the next, both shown. A model of several
    labels shows each label with the same z: the sheet has a row for each, the film a
    place for each. But with --indices, or --z, each stop keeps its own label.
    """
    config, number = model.config, len(stops.z)
    rows = sampling.label_rows(config)
    apart = len(rows) > 1 and config.indices is None and not config.z
    places = np.add.outer(np.arange(number), np.linspace(0, 1, COLUMNS))
    if apart:
        places = np.linspace(0, number, 2 * number + 1)
    way = latent.loop(stops, places.ravel(), config.walk, config.z_dist)
    if apart:       # all z of the first label, then all of the next
        y, z = np.indices((len(rows), len(way.z))).reshape(2, -1)
        way = Inputs(way.z[z], rows[y])
    columns = places.shape[-1]
    print('sheet: %s' % save_images(sampling.draw(sess, model, *way),
                                    (len(way.z) // columns, columns), base + '.png'))
    way = latent.loop(stops, np.arange(config.frames) * number / config.frames,
                      config.walk, config.z_dist)
    if apart:       # all labels of the first z, then all of the next
        z, y = np.indices((len(way.z), len(rows))).reshape(2, -1)
        way = Inputs(way.z[z], rows[y])
    size = image_manifold_size(len(rows)) if apart else (1, 1)
    films.save_film(frames(sess, model, way, size), base)


# --- one dimension at a time -------------------------------------------------

def moved(start, dimensions, values):
    """Return Inputs [dimensions * values]: in each, one dimension is set to a value.

    Dimension i starts from input i of `start`, which repeat.
    """
    dimensions = np.repeat(dimensions, len(values))
    inputs = start.take(dimensions % len(start.z))
    inputs.z[np.arange(len(dimensions)), dimensions] = np.tile(
        values, len(dimensions) // len(values))
    return inputs


def ranked(sess, model, start):
    """Return at most MOST dimensions, the one that changes the image most first.

    A change is the mean difference of a pixel between both ends, in levels of 255.
    """
    config, changes = model.config, []
    for first in tqdm(range(0, config.z_dim, sampling.CHUNK), disable=None,
                      desc='comparing dimensions'):
        some = np.arange(first, min(first + sampling.CHUNK, config.z_dim))
        images = sampling.draw(sess, model, *moved(
            start, some, latent.span(config.z_dist)))
        ends = images.reshape((len(some), 2) + images.shape[1:])
        changes.append(127.5 * np.abs(ends[:, 1] - ends[:, 0]).mean((1, 2, 3)))
    changes = np.concatenate(changes)
    order = np.argsort(-changes, kind='stable')[:MOST]
    print('dimensions, the one that changes the image most first: %s'
          % ', '.join(map(str, order)))
    print('mean change of a pixel between its ends, of 255: %.1f by dimension %d, %.1f '
          'by dimension %d' % (changes[order[0]], order[0], changes[order[-1]],
                               order[-1]))
    return order


def to_and_fro(config):
    """Return the values of a dimension in a film: up its range and down again."""
    low, high = latent.span(config.z_dist)
    swing = np.cos(2 * np.pi * np.arange(config.frames) / config.frames)
    return (low + high) / 2 - (high - low) / 2 * swing


def along_dimensions(sess, model, start, base):
    """Move the dimensions that change the image most, by --walk: a sheet, or films."""
    config = model.config
    room.check_z(config, MOST * config.frames)
    order = ranked(sess, model, start)
    if config.walk == 'dimensions':         # a row for each, from its lowest value up
        values = np.linspace(*latent.span(config.z_dist), num=COLUMNS)
        images = sampling.draw(sess, model, *moved(start, order, values))
        print('sheet: %s' % save_images(images, (len(order), COLUMNS), base + '.png'))
    elif config.walk == 'dimensions_merged':    # each moves in a place of its own
        way = moved(start, order, to_and_fro(config))
        cells = np.arange(len(way.z)).reshape(len(order), -1).T.ravel()
        size = image_manifold_size(len(order))
        films.save_film(frames(sess, model, way.take(cells), size), base)
    else:       # a film for each, as base/z017.gif
        for dimension in tqdm(order, desc='films', disable=None):
            way = moved(start, np.array([dimension]), to_and_fro(config))
            films.save_gif(map(films.enlarge, frames(sess, model, way, (1, 1))),
                           os.path.join(base, 'z%03d.gif' % dimension))
        print('films: %s' % os.path.join(base, 'z*.gif'))
