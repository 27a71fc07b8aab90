"""Sampling: images from the moving-average sampler, as a sheet or one by one."""

import os
import re

import numpy as np

from runs import room, sampling
from tasks.parts import latent, z_files
from tasks.parts.outputs import output_path
from utils import imsave, inverse_transform

MOST_SAID = 100         # labels of single images that are printed
MOST_BYTES = 160        # of the name of a label in that of a file
# Names that Windows keeps for devices
DEVICE = re.compile(r'(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE)


def main(config, run, path):
    """Draw images from the checkpoint at `path` into the run's folder, and keep z.

    They are --num_samples new ones, or those of --z; with --indices some of them.
    """
    chosen = list(range(latent.count(config)))
    if config.indices is not None:
        chosen = latent.parse_indices(config.indices, config)
    if not config.separate:
        room.check_sheet(config, len(chosen))
    base = output_path(run, output_name(config))
    z_path = os.path.join(base, z_files.NAME) if config.separate else base + '.npz'
    with sampling.restored(config, path) as (sess, model):
        inputs = latent.sheet_inputs(sess, config, chosen)
        print('%d images of %s' % (len(chosen), config.z) if config.z else
              'seed %d; another --seed draws others' % config.seed)
        z_files.save(inputs, config, int(path.rpartition('-')[2]), z_path)
        if config.separate:
            several = len(sampling.label_rows(config)) > 1
            images = (image for images in sampling.draw_batches(sess, model, *inputs)
                      for image in images)
            save_separate(images, base, several and [
                name_of(y, config) for y in inputs.y])
        else:
            rows = rows_of(inputs.y, config)
            say_labels(inputs.y, rows, config)
            print('sheet: %s' % sampling.save_sheet(
                sampling.draw(sess, model, *inputs), rows, base + '.png'))
    print('z: %s (--z FILE draws them again)' % z_path)


def output_name(config):
    """Return the name of what is drawn: never that of the file --z, nor of others."""
    name = 'test' if config.indices is None else 'chosen'
    if config.z:
        name = 'from_' + z_files.stem(config.z)
    return name + '_' + safe(config.label) if config.label else name


def rows_of(y, config):
    """Return the row of the sheet of each of y [N, y_dim], int [N]: one for each kind.

    All 0, for a sheet in the order of y, where those of a kind do not stand together,
    or there are more kinds than a sheet has rows.
    """
    kinds = {}
    rows = np.array([kinds.setdefault(tuple(kind), len(kinds)) for kind in y])
    together = (np.diff(rows) >= 0).all()
    few = len(kinds) <= len(sampling.label_rows(config))
    return rows if together and few else np.zeros_like(rows)


def say_labels(y, rows, config):
    """Print the label of each row of a sheet; of one in the order of y those of all."""
    names = [name_of(kind, config) for kind in y[:MOST_SAID]]
    if rows.any():
        for row, first in enumerate(np.unique(rows, return_index=True)[1], 1):
            print('row %d: %s' % (row, name_of(y[first], config)))
    elif config.classes and len(y) <= MOST_SAID:
        print('labels: %s' % ('; '.join(names) if len(set(names)) > 1 else
                              'all ' + names[0]))


def name_of(y, config):
    """Return the name of a y [y_dim]: its class, or the attributes there."""
    return ', '.join(name for name, sign in zip(config.classes, y)
                     if sign > 0) or 'none'


def safe(name):
    """Return a name that can be that of a file or folder, on any system."""
    name = re.sub(r'[/\\:*?"<>|\x00-\x1f\x7f\ud800-\udfff]', '_', name)
    name = name.encode('utf-8')[:MOST_BYTES].decode('utf-8', 'ignore').strip('. ')
    return '_' + name if DEVICE.match(name) or not name else name


def folder_names(names):
    """Return {name: its folder}: safe, and no two alike, nor but for capitals."""
    found = {}
    for name in dict.fromkeys(names):
        place, number = safe(name), 2
        while place.casefold() in map(str.casefold, found.values()):
            place, number = '%s_%d' % (safe(name), number), number + 1
        found[name] = place
    return found


def save_separate(images, folder, rows=None):
    """Write each image as folder/000000.png and so on; remove an earlier call's.

    With the names of the `rows` that they are of, each row has a folder in it.
    """
    for parent, _, names in os.walk(folder):
        for name in names:
            if re.match(r'\d{6,}\.png$', name):
                os.remove(os.path.join(parent, name))
    index, places = -1, folder_names(rows or ())
    for index, image in enumerate(images):
        place = os.path.join(folder, places[rows[index]]) if rows else folder
        imsave(inverse_transform(image), os.path.join(place, '%06d.png' % index))
    print('%d images: %s' % (index + 1, os.path.join(
        folder, *['*'] * bool(rows), '*.png')))
