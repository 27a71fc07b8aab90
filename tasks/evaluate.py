"""Evaluate: metrics of samples beside anchors, and their nearest training images.

python main.py --dataset NAME --task evaluate [--features pixels] [--num_samples 10000]
"""

import contextlib
import json
import os
import re

import numpy as np
import tensorflow.compat.v1 as tf
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from dataset import batches
from metrics import evaluation
from metrics.comparison import FEWEST, compare
from metrics.copies import copies
from metrics.neighbours import nearest_in_parts
from model import ARCHITECTURES
from runs import folders, sampling, sessions
from runs.start import check_classes
from settings.errors import NotFoundError, UserError
from tasks.parts.judged import memory_text, notes, table
from tasks.parts.outputs import output_path, save_text
from utils import imsave, save_images, transform

NUM = 10000         # samples, where --num_samples is not given
BLUR = 1 / 32       # deviation of the blur, of the smaller side
NOISE = 0.2         # deviation of the noise, where images reach from -1 to 1
SHOWN = 5           # samples shown beside their neighbours: the first, and the nearest
K = 5               # neighbours shown of each
AMONG = 10          # training images among which they are, a sample
ASKED = 2000        # samples whose nearest neighbour is looked for, at most
BLOCK = 1024        # images at a time, for neighbours


def main(config, run, path):
    """Judge the checkpoint at `path`; write a table, its numbers and a picture."""
    check_real_folder(config.real_folder)
    data, held_out = load(config, run)
    num = count(config, data)
    evaluator = Evaluator(config, data, held_out, num)
    if config.real_folder:      # now that nothing can be refused any more
        save_real(config, data)
    label, step = evaluator.label, int(path.rpartition('-')[2])
    with contextlib.closing(evaluator.extractor):
        base = output_path(run, 'evaluate_%s_%d' % (re.split(r'\W', label)[0], step))
        lines = evaluator.evaluate(path, step, base + '.png')
    text = '\n'.join(['%s, step %d. Features: %s. Images: %s.' % (
        run.name, step, label, config.dataset), '',
        table(evaluator.rows, label), ''] + notes(evaluator.rows) + lines)
    print(text)
    print('table: %s' % save_text(text + '\n', base + '.md'))
    print('numbers: %s' % save_text(numbers(evaluator, run.name, step),
                                    base + '.json'))
    print('sheet: %s.png' % base)


def load(config, run):
    """Return the Dataset of the training images, and of those held out or None."""
    data = batches.load(config)
    check_classes(run, config, data)
    try:
        held_out = batches.load(config.replace(part='held_out'))
    except NotFoundError as error:
        print('note: no comparison with held-out images. %s' % error)
        return data, None
    if len(held_out) < FEWEST:
        print('note: no comparison with held-out images: there are %d' % len(held_out))
        return data, None
    return data, held_out


def check_real_folder(folder):
    """Raise UserError where --real_folder is not a new or an empty folder."""
    if folder and os.path.lexists(folder) and not os.path.isdir(folder):
        raise UserError('--real_folder %s is no folder: name a new or an empty one.'
                        % folder)
    if folder and os.path.isdir(folder) and os.listdir(folder):
        raise UserError('--real_folder %s is not empty: name a new or an empty one, so '
                        'that the images of this data set are alone in it.' % folder)


def save_real(config, data):
    """Write the training images, as prepared, into --real_folder, one PNG each.

    With --num_samples as many, first those that the samples are compared with.
    """
    folders.make_folder(config.real_folder)
    chosen = np.arange(len(data))
    if config.num_samples:
        chosen = evaluation.order(config, data)[:config.num_samples]
    for i in tqdm(chosen, 'real images', unit=' images', disable=None):
        imsave(data.images[i], os.path.join(config.real_folder, '%06d.png' % i))
    print('real images: %s of %s as prepared for training, in %s; samples for another '
          'program: --num_samples %d --separate' % (
              format(len(chosen), ','), format(len(data), ','), config.real_folder,
              len(chosen)))


def count(config, data):
    """Return N: --num_samples, at most half of the training images.

    The other half are the real images that real ones are compared with, so all numbers
    against training images have the same N. UserError where it is below FEWEST.
    """
    asked = config.num_samples or NUM
    num = min(asked, len(data) // 2)
    if num < FEWEST:
        raise UserError(
            '--task evaluate: found %d samples and %d training images; expected at '
            'least %d and twice as many.' % (asked, len(data), FEWEST))
    if num < asked:
        print('note: N is %s, not %s: the %s training images make two sets, to compare '
              'real with real images too' % tuple(
                  format(n, ',') for n in (num, asked, len(data))))
    return num


class Evaluator:
    """Fills the table: `rows` of (images, against, Result); `label` of the features.

    The real images are a random set of N of the training images, `other` N others of
    them, and as many held-out ones as there are, up to N.
    """

    def __init__(self, config, data, held_out, num):
        self.config, self.data, self.held_out, self.num = config, data, held_out, num
        self.extractor = evaluation.make_extractor(config)
        self.label, self.rows = self.extractor.label, []
        self.order = evaluation.order(config, data)
        self.among = min(len(data), AMONG * num)    # images that neighbours are among

    def evaluate(self, path, step, sheet):
        """Fill the table, draw the sheet of neighbours; return lines on it."""
        config, num = self.config, self.num
        self.real = self.extract_real(self.order[:num], 'training images')
        self.other = self.extract_real(self.order[num:2 * num], 'other real images')
        self.z = evaluation.judged_z(config, num)
        self.y = evaluation.judged_y(config, self.data, num)
        with sampling.restored(config, path) as (sess, model), \
                tqdm(desc='judging', unit=' rows', disable=None) as self.bar:
            samples = self.extract_samples(sess, model, 'samples')
            self.add('samples, step %d' % step, samples)
            self.add('samples, untrained', self.extract_untrained())
            self.add_real_anchors()
            unseen = self.add_held_out(samples, step)
            return self.look_for_copies(sess, model, samples, unseen, sheet)

    def extract_real(self, chosen, title, change=lambda images: images, data=None):
        """Return the Extracted of real images of these indices, changed."""
        parts = evaluation.real_images(data or self.data, chosen, change)
        return evaluation.extract(self.extractor, parts, len(chosen),
                                  'features of ' + title)

    def extract_samples(self, sess, model, title):
        """Return the Extracted of a model's samples."""
        return evaluation.extract(
            self.extractor, sampling.draw_y(sess, model, self.z, self.y), self.num,
            'features of ' + title)

    def extract_untrained(self):
        """Return the Extracted of samples of the generator before its first step."""
        with tf.Graph().as_default():
            tf.set_random_seed(self.config.seed)
            model = ARCHITECTURES[self.config.architecture](self.config)
            with sessions.open_session(self.config) as sess:
                sess.run(tf.global_variables_initializer())
                return self.extract_samples(sess, model, 'untrained samples')

    def add(self, images, found, real=None, against='training'):
        """Add a row: these images against the training images, or others."""
        self.rows.append((images, against, compare(real or self.real, found)))
        self.bar.update()

    def add_real_anchors(self):
        """Add the rows of other real images, as they are, blurred and noised."""
        sigma = BLUR * min(self.data.images.shape[1:3])
        generator = evaluation.rng(self.config, evaluation.NOISE)

        def blurred(images):
            return gaussian_filter(images, (0, sigma, sigma, 0))

        def noised(images):
            noise = generator.normal(0, NOISE, images.shape).astype(np.float32)
            return np.clip(images + noise, -1, 1)

        chosen = self.order[self.num:2 * self.num]
        self.add('real, others', self.other)
        for title, change in (('real, blurred by %.2g pixels' % sigma, blurred),
                              ('real, noise of %g' % NOISE, noised)):
            self.add(title, self.extract_real(chosen, title, change))

    def add_held_out(self, samples, step):
        """Add the rows against held-out images; return their Extracted, or None."""
        if self.held_out is None:
            return None
        chosen = evaluation.order(self.config, self.held_out)[:self.num]
        real = self.extract_real(chosen, 'held-out images', data=self.held_out)
        for title, found in (('samples, step %d' % step, samples),
                             ('real, training', self.real)):
            self.add(title, found.first(len(chosen)), real, 'held-out')
        return real

    # --- neighbours ----------------------------------------------------------

    def look_for_copies(self, sess, model, samples, unseen, path):
        """Compare samples' distances to the training images with unseen images'.

        Draw the sheet of neighbours; return lines on both. Where no images are held
        out, the unseen ones are training images, each compared with all others.
        """
        asked = min(self.num, ASKED)
        own = unseen is None        # then each is its own nearest
        unseen = (self.other if own else unseen).features[:asked]
        queries = np.concatenate([samples.features[:asked], unseen])
        indices, distances = nearest_in_parts(queries, self.training_features(),
                                              min(K, self.among))
        indices = self.order[indices]
        to_samples, to_unseen = distances[:asked, 0], distances[asked:, int(own)]
        first = np.arange(min(SHOWN, asked))
        nearest_ones = [i for i in to_samples.argsort() if i not in first][:SHOWN]
        chosen = np.concatenate([first, nearest_ones]).astype(int)
        self.save_sheet(sess, model, chosen, indices[chosen], path)
        self.copies = copies(to_samples, to_unseen)
        self.copies.update(among=self.among, of=len(self.data), features=self.label,
                           compared_with='other training images' if own
                           else 'held-out images')
        flip = 'Their mirror images, which --flip shows too, were not looked at.'
        return [memory_text(self.copies)] + [flip] * self.config.flip + [
                'The picture: %d samples, each with its %d nearest of these training '
                'images;\nthe last %d are those nearest to any.'
                % (len(chosen), indices.shape[1], len(nearest_ones))]

    def training_features(self):
        """Yield the features of `among` training images in their order, in parts."""
        yield from (self.real.features, self.other.features)
        for start in tqdm(range(2 * self.num, self.among, BLOCK), 'neighbours',
                          disable=None, leave=False):
            chosen = self.order[start:min(start + BLOCK, self.among)]
            yield self.extract_real(chosen, 'training images').features

    def save_sheet(self, sess, model, chosen, indices, path):
        """Write a sheet: a row for each sample, a gap, its nearest training images."""
        y = None if self.y is None else self.y[chosen]
        cells = []
        for image, found in zip(sampling.draw(sess, model, self.z[chosen], y), indices):
            cells += [image, None, *transform(self.data.images[found])]
        save_images(cells, (len(chosen), 2 + indices.shape[1]), path)


def numbers(evaluator, name, step):
    """Return all numbers as JSON, those that the table leaves out too; NaN as null."""
    rows = [dict(result._asdict(), images=images, against=against,
                 features=evaluator.label)
            for images, against, result in evaluator.rows]
    for row in rows:
        row.update({key: None for key, value in row.items() if value != value})
    return json.dumps({'run': name, 'step': step, 'features': evaluator.label,
                       'dataset': evaluator.config.dataset, 'rows': rows,
                       'note': ''.join(notes(evaluator.rows)) or None,
                       'neighbours': evaluator.copies}, indent=2) + '\n'
