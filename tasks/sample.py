"""Sampling: images from the moving-average sampler, as a sheet or one by one."""

import os
import re

from runs import folders, sampling
from utils import imsave, inverse_transform


def main(config, run, path):
    """Draw --num_samples images from the checkpoint at `path` into the run's folder."""
    y = sampling.make_labels(config.sheet_size, config)
    folders.make_folder(run.sample_dir)
    name = 'test_%s' % config.label if config.label else 'test'
    base = os.path.join(run.sample_dir, re.sub(r'[/\\]', '_', name))
    with sampling.restored(config, path) as (sess, model):
        z = sess.run(sampling.fixed_z(config))
        if config.attributes:
            say_rows(config)
        if config.separate:
            save_separate((image for images in sampling.draw_batches(sess, model, z, y)
                           for image in images), base)
        else:
            print('sheet: %s' % sampling.save_sheet(
                sampling.draw(sess, model, z, y), y, base + '.png'))


def say_rows(config):
    """Print which attributes the images of each row have."""
    for number, y in enumerate(sampling.label_rows(config), 1):
        there = [name for name, sign in zip(config.classes, y) if sign > 0]
        print('row %d: %s' % (number, ', '.join(there) or 'none'))


def save_separate(images, folder):
    """Write each image as folder/000000.png and so on; remove an earlier call's."""
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        if re.match(r'\d{6,}\.png$', name):
            os.remove(os.path.join(folder, name))
    index = -1
    for index, image in enumerate(images):
        imsave(inverse_transform(image), os.path.join(folder, '%06d.png' % index))
    print('%d images: %s' % (index + 1, os.path.join(folder, '*.png')))
