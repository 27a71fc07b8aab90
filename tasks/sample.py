"""Sampling: images from the moving-average sampler, as a sheet or one by one."""

import os
import re

import numpy as np

from runs import folders
from runs.sampling import (
    count,
    draw_batches,
    fixed_z,
    label_rows,
    make_labels,
    restored,
    save_sheet,
)
from utils import imsave, inverse_transform


def main(config, run, path):
    """Draw --num_samples images from the checkpoint at `path` into the run's folder."""
    y = make_labels(count(config), config)
    folders.make_folder(run.sample_dir)
    with restored(config, path) as (sess, model):
        z = fixed_z(config)
        batches = draw_batches(sess, model, sess.run(z), y)
        name = re.sub(r'[/\\]', '_', 'test_%s' % config.label
                      if config.label else 'test')
        if config.attributes:
            say_rows(config)
        if config.separate:
            folder = empty_folder(os.path.join(run.sample_dir, name))
            print('%d images: %s' % (save_separate(batches, folder),
                                     os.path.join(folder, '*.png')))
        else:
            print('sheet: %s' % save_sheet(np.concatenate(list(batches)), y,
                                           os.path.join(run.sample_dir, name + '.png')))


def say_rows(config):
    """Print which attributes the images of each row have."""
    for number, y in enumerate(label_rows(config), 1):
        there = [name for name, sign in zip(config.classes, y) if sign > 0]
        print('row %d: %s' % (number, ', '.join(there) or 'none'))


def empty_folder(folder):
    """Take the images of an earlier call out of a folder; return it."""
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        if re.match(r'\d{6,}\.png$', name):
            os.remove(os.path.join(folder, name))
    return folder


def save_separate(batches, folder):
    """Write each image as folder/000000.png and so on; return how many."""
    index = -1
    for index, image in enumerate(image for batch in batches for image in batch):
        imsave(inverse_transform(image), os.path.join(folder, '%06d.png' % index))
    return index + 1

