"""Sampling: images from the moving-average sampler, as a sheet or one by one."""

import os
import re

from runs import room, sampling
from tasks.parts.outputs import output_path
from utils import imsave, inverse_transform


def main(config, run, path):
    """Draw --num_samples images from the checkpoint at `path` into the run's folder."""
    y = sampling.make_labels(config.sheet_size, config)
    if not config.separate:
        room.check_sheet(config)
    base = output_path(run, 'test_%s' % config.label if config.label else 'test')
    rows = row_names(config)
    with sampling.restored(config, path) as (sess, model):
        z = sess.run(sampling.fixed_z(config))
        print('seed %d; another --seed draws others' % config.seed)
        if config.separate:
            images = (image for images in sampling.draw_batches(sess, model, z, y)
                      for image in images)
            save_separate(images, base, [rows[row] for row in y] if rows[1:] else None)
        else:
            for number, row in enumerate(rows, 1):
                print('row %d: %s' % (number, row))
            print('sheet: %s' % sampling.save_sheet(
                sampling.draw(sess, model, z, y), y, base + '.png'))


def row_names(config):
    """Return the name of each row of a sheet: its class, or the attributes there."""
    return [', '.join(name for name, sign in zip(config.classes, y) if sign > 0)
            or 'none' for y in sampling.label_rows(config)]


def safe(name):
    """Return a name that can be that of a file or folder, on any system."""
    return re.sub(r'[/\\:*?"<>|]', '_', name)[:80].strip('. ') or '_'


def save_separate(images, folder, rows=None):
    """Write each image as folder/000000.png and so on; remove an earlier call's.

    With the names of the `rows` that they are of, each row has a folder in it.
    """
    for parent, _, names in os.walk(folder):
        for name in names:
            if re.match(r'\d{6,}\.png$', name):
                os.remove(os.path.join(parent, name))
    index = -1
    for index, image in enumerate(images):
        place = os.path.join(folder, safe(rows[index])) if rows else folder
        imsave(inverse_transform(image), os.path.join(place, '%06d.png' % index))
    print('%d images: %s' % (index + 1, os.path.join(
        folder, *['*'] * bool(rows), '*.png')))
