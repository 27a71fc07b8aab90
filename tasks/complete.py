"""Completion: what a hidden part of an image may be, by a search for its z.

Yeh, Chen, Lim, Schwing, Hasegawa-Johnson and Do, 2017, "Semantic Image Inpainting with
Deep Generative Models"; Amos, 2016, "Image Completion with Deep Learning in
TensorFlow", made it known, and has the same names of masks.
"""

import csv
import os
import tempfile
import typing

import numpy as np
from tqdm import tqdm

from dataset import batches, packing
from dataset.files import walk
from dataset.sources import wanted
from metrics.arrays import BLOCK, blocks
from metrics.neighbours import nearest
from runs import folders, sampling
from settings.errors import NotFoundError, UserError
from tasks import sample
from tasks.parts import masks
from tasks.parts.search import Search, descend
from utils import atomic_write, make_gif, save_images, transform

KEY = -2            # keys the first z; see sample.FIXED
DRAWS = 1024        # images drawn at first; searches start from the nearest of them
AT_ONCE = 2 ** 19   # pixels in a batch of searches: 128 images of 64 x 64
HELD_OUT = 16       # images to complete where none is named
SHOWN = 16          # images on the sheet
MOVING = 8          # images in the animation
FRAMES = 40
OURS, PLAIN = ('G(z)', 'blended'), (
    'mean colour', 'nearest known pixel', 'nearest training image')


class Completed(typing.NamedTuple):
    """An image [H, W, C], and {method: what it fills the hidden part with}."""

    image: np.ndarray
    fillings: dict


def main(config, run, path):
    """Complete --images, or held-out ones, and judge it by what was hidden."""
    names, images = read_images(config)
    mask, name = read_mask(config)
    folders.make_folder(run.sample_dir)
    base = os.path.join(run.sample_dir, 'complete_' + name)
    images = transform(images)
    neighbours = nearest_images(config, mask, images)
    with sampling.restored(config, path) as (sess, model), \
            Animation(mask, images, config.iterations, base + '.gif') as animation:
        drawn = search_all(sess, model, mask, images, animation.take)
        report(judge(completed(mask, images, drawn, neighbours), mask, config, base),
               names, mask, base)
        animation.save()


# --- reading -----------------------------------------------------------------

def read_images(config):
    """Return the names and uint8 [N, H, W, C] of --images, files and folders of them.

    They are prepared as the images of training were. Without --images, the first
    --num_samples held-out ones. Raises UserError naming each file that cannot be read.
    """
    if not config.images:
        return held_out(config)
    paths = [path for given in config.images for path in files(given)]
    read = [prepare(path, config) for path in paths]
    bad = ['  %s: %s' % (path, why) for path, why in zip(paths, read)
           if isinstance(why, str)]
    if bad:
        raise UserError('--images: %d of %d cannot be used:\n%s'
                        % (len(bad), len(paths), '\n'.join(bad)))
    return paths, np.stack(read)


def files(path):
    """Return the images in a folder and those below it; of a file, itself."""
    if not os.path.isdir(path):
        return [path]
    found = [file for file in walk(path) if wanted(file, '*')]
    if not found:
        raise NotFoundError('--images: no image in the folder %s.' % path)
    return found


def prepare(path, config):
    """Return a file as uint8 [H, W, C], or as text the reason why it cannot be."""
    return packing.pack_image(path, (
        config.input_height, config.input_width, config.output_height,
        config.output_width, config.crop, config.c_dim))


def held_out(config):
    """Return the names and pixels of held-out images; see read_images."""
    try:
        images = batches.load(config.replace(part='held_out')).images
    except NotFoundError as error:
        raise NotFoundError('%s\nOr name the images to complete: --images FILE…'
                            % error)
    images = np.array(images[:config.num_samples or HELD_OUT])
    return ['held-out %d' % index for index in range(len(images))], images


def read_mask(config):
    """Return the Mask of --mask and its name. Raises UserError where it is none.

    A file is prepared as the images are, and hides where it is darker than half.
    """
    size, name = (config.output_height, config.output_width), config.mask
    if name in masks.SHAPES:
        return masks.make_mask(name, *size, seed=config.seed), name
    if not os.path.isfile(name):
        raise UserError('--mask %r: expected one of %s, or the file of an image, black '
                        'where it is hidden.' % (name, ', '.join(masks.SHAPES)))
    pixels = prepare(name, config.replace(c_dim=1))
    if isinstance(pixels, str):
        raise UserError('--mask %s: %s' % (name, pixels))
    hidden = pixels[..., 0] < 128
    if hidden.all() or not hidden.any():
        raise UserError('--mask %s hides %s: expected an image, black where it is '
                        'hidden, white elsewhere.'
                        % (name, 'everything' if hidden.all() else 'nothing'))
    return masks.of_pixels(hidden), os.path.splitext(os.path.basename(name))[0]


# --- the nearest training image ----------------------------------------------

def nearest_images(config, mask, images):
    """Return for each image the training image that is nearest in what is known.

    By squared differences; float32 [N, H, W, C]. None, and a note, where the data set
    is not on this machine.
    """
    try:
        training = batches.load(config).images
    except NotFoundError as error:
        print('note: no nearest training image, as there are none here. %s' % error)
        return None
    known = masks.observe(mask, images).reshape(len(images), -1)
    distance = np.full(len(images), np.inf)
    found = np.empty((len(images),) + training.shape[1:], np.uint8)
    for _, part in tqdm(blocks(training), 'nearest training image',
                        -(-len(training) // BLOCK), unit=' blocks', disable=None):
        seen = masks.observe(mask, transform(part)).reshape(len(part), -1)
        index, new = (column[:, 0] for column in nearest(known, seen))
        nearer = new < distance
        distance[nearer], found[nearer] = new[nearer], part[index[nearer]]
    return transform(found)


# --- the search --------------------------------------------------------------

def search_all(sess, model, mask, images, see=None):
    """Yield the G(z) [H, W, C] found for each of images [N, H, W, C], in order.

    --restarts searches an image go on side by side, and that of the least loss is
    taken. see(step, draw) is called at each step of the first batch; draw() gives the
    G(z) so far.
    """
    c = model.config
    known = masks.observe(mask, images).astype(np.float32)
    z, y = first_z(sess, model, mask, known)
    most = max(1, AT_ONCE // (mask.hidden.size * c.restarts))
    batches = -(-len(images) // most)
    size = -(-len(images) // batches)
    search = Search(model, mask, size * c.restarts)
    with tqdm(total=batches * c.iterations, desc='searching', unit=' steps',
              disable=None) as bar:
        for start in range(0, len(images), size):
            # the last batch is filled up with images that are not asked for
            chosen = np.arange(start, start + size) % len(images)
            found = descend(sess, search, known[chosen], z[chosen], y[chosen],
                            see if start == 0 else None, bar)
            yield from found[:len(images) - start]


def first_z(sess, model, mask, known):
    """Return z [N, restarts, z_dim] to start from, and y [N, restarts, y_dim].

    The nearest of DRAWS images by weighted squares of what is known; of a model with
    labels they are drawn with each in turn, so that a search keeps the label that it
    started with.
    """
    c = model.config
    draws = max(DRAWS, c.restarts)
    rows = sampling.label_rows(c)
    labels = np.arange(draws) % len(rows) if len(rows) else np.full(draws, -1)
    z = sess.run(sampling.keyed_z(c, draws, KEY))
    weights = np.sqrt(masks.importance(mask))[:, None]
    drawn = masks.observe(mask, sampling.draw(sess, model, z, labels))
    chosen, _ = nearest((weights * known).reshape(len(known), -1),
                        (weights * drawn).reshape(draws, -1), c.restarts)
    y = rows[labels[chosen]] if len(rows) else np.zeros(chosen.shape + (0,))
    return z[chosen], y


# --- filling and judging -----------------------------------------------------

def completed(mask, images, drawn, neighbours):
    """Yield the Completed of each image, `drawn` being the G(z) that was found."""
    blender = masks.Blender(mask)
    for index, (image, G) in enumerate(zip(images, drawn)):
        known = masks.observe(mask, image[None])[0]
        fillings = {'G(z)': G, 'mean colour': masks.mean_colour(mask, known)}
        if mask.hidden.any():       # else all pixels are known: nothing to fill
            fillings['blended'] = blender(G, known)
            fillings['nearest known pixel'] = masks.nearest_pixel(mask, known)
        if neighbours is not None:
            fillings['nearest training image'] = neighbours[index]
        yield Completed(image, {method: fillings[method] for method in OURS + PLAIN
                                if method in fillings})


def judge(results, mask, config, base):
    """Save the pictures; return a list of {method: PSNR}, a dict for each image."""
    scores, shown = [], []

    def finish():
        for result in results:
            scores.append({method: masks.psnr(filling, result.image, mask.judged)
                           for method, filling in result.fillings.items()})
            if len(shown) < SHOWN:
                shown.append(result)
            best = result.fillings.get('blended', result.fillings['G(z)'])
            yield masks.paste(mask, result.image, best)[None]

    if config.separate:
        folder = sample.empty_folder(base)
        print('%d images: %s' % (sample.save_separate(finish(), folder),
                                 os.path.join(folder, '*.png')))
    else:
        for _ in finish():
            pass
    save_sheet(shown, mask, base + '.png')
    return scores


def save_sheet(shown, mask, path):
    """Write a column for each image: itself, what is known, G(z), then filled."""
    rows = [[result.image for result in shown],
            [hide(mask, result.image) for result in shown],
            [result.fillings['G(z)'] for result in shown]]
    titles = ['the image', 'what is known of it', 'G(z)']
    for method in shown[0].fillings:
        if method != 'G(z)' and mask.hidden.any():
            rows.append([masks.paste(mask, result.image, result.fillings[method])
                         for result in shown])
            titles.append(method)
    save_images([image for row in rows for image in row], (len(rows), len(shown)), path)
    print('sheet: %s\n  rows: %s' % (path, '; '.join(titles)))


def hide(mask, image):
    """Return what is known of an image, gray where nothing is."""
    known = masks.observe(mask, image[None])[0]
    return masks.paste(mask, image, masks.spread(mask, known))


def report(scores, names, mask, base):
    """Write the PSNR of each image as CSV and print their mean and deviation."""
    with atomic_write(base + '.csv', 'w') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(['image', *scores[0]])
        writer.writerows([name, *('%.3f' % value for value in score.values())]
                         for name, score in zip(names, scores))
    print('table: %s' % (base + '.csv'))
    print('PSNR in dB, mean and deviation of %d images, on %s (%d of %d)'
          % (len(scores), 'the hidden pixels' if mask.hidden.any() else 'all pixels',
             mask.judged.sum(), mask.judged.size))
    ours = 'blended' if 'blended' in scores[0] else 'G(z)'
    for method in scores[0]:
        values = np.array([score[method] for score in scores])
        line = '  %-24s %6.2f ± %.2f' % (method, values.mean(), values.std())
        if method in PLAIN:
            wins = sum(score[ours] > score[method] for score in scores)
            line += '   %s is nearer in %d of %d' % (ours, wins, len(scores))
        print(line)


# --- the animation -----------------------------------------------------------

class Animation:
    """Frames of a search, kept in a folder until they are saved as a GIF.

    Rows: what is known of the first images, G(z) as it changes, and G(z) blended.
    """

    def __init__(self, mask, images, iterations, path):
        self.mask, self.path, self.paths = mask, path, []
        self.blender, self.images = masks.Blender(mask), images[:MOVING]
        self.steps = set(np.linspace(0, iterations, FRAMES + 1, dtype=int))

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        return self

    def __exit__(self, *error):
        self.folder.cleanup()

    def take(self, step, draw):
        """Keep a frame of this step, if it is one; draw() gives the G(z) so far."""
        if step in self.steps:
            drawn = draw()[:len(self.images)]
            blended = [self.blender(G, masks.observe(self.mask, image[None])[0])
                       for G, image in zip(drawn, self.images)]
            rows = [hide(self.mask, image) for image in self.images], drawn, blended
            path = os.path.join(self.folder.name, '%d.png' % step)
            self.paths.append(save_images([i for row in rows for i in row],
                                          (3, len(self.images)), path))

    def save(self):
        """Write the GIF."""
        print('animation: %s' % make_gif(self.paths, self.path))
