"""Completion: what a hidden part of an image may be, by a search for its z.

Yeh, Chen, Lim, Schwing, Hasegawa-Johnson and Do, 2017, "Semantic Image Inpainting with
Deep Generative Models"; Amos, 2016, "Image Completion with Deep Learning in
TensorFlow", made it known, and has the same names of masks.
"""

import os
import tempfile

import numpy as np
from tqdm import tqdm

from dataset import batches
from dataset.cache import printable
from metrics.arrays import BLOCK, blocks
from metrics.neighbours import nearest, nearest_in_parts
from runs import room, sampling
from settings.errors import NotFoundError, UserError
from tasks import sample
from tasks.parts import given, latent, masks, z_files
from tasks.parts.outputs import output_path, save_csv
from tasks.parts.search import Search, descend
from utils import make_gif, save_images, transform

KEY = -2            # keys the first z; see sampling.FIXED
DRAWS = 1024        # images drawn at first; searches start from the nearest of them
AT_ONCE = 2 ** 19   # pixels in a batch of searches: 128 images of 64 x 64
HELD_OUT = 16       # images to complete where none is named
SHOWN = 16          # images on the sheet
MOVING = 8          # images in the animation
FRAMES = 40
PLAIN = 'mean colour', 'nearest known pixel', 'nearest training image'


def main(config, run, path):
    """Complete --images, or held-out ones, and judge it by what was hidden."""
    names, images = read_images(config)
    mask, name = read_mask(config)
    base = output_path(run, 'complete_' + name)
    images = transform(images)
    neighbours = nearest_images(config, mask, images)
    blender = masks.Blender(mask)
    with sampling.restored(config, path) as (sess, model), \
            tempfile.TemporaryDirectory() as folder:
        animation = Animation(blender, images[:MOVING], config.iterations, folder)
        found, inputs = search_all(sess, model, mask, images, animation.take)
        scores = judge(blender, zip(images, found, neighbours), config, base)
        report(scores, names, mask, base)
        print('animation: %s' % make_gif(animation.paths, base + '.gif'))
        print('z: %s (go on from it: --z FILE, with --task sample, walk or arithmetic)'
              % z_files.save(inputs, config, int(path.rpartition('-')[2]),
                             base + '.npz'))


# --- reading -----------------------------------------------------------------

def read_images(config):
    """Return the names and uint8 [N, H, W, C] of --images, files and folders.

    They are prepared as the images of training were. Without --images they are the
    first --num_samples held-out ones. Raises UserError that names each bad file.
    """
    if not config.images:
        images = held_out(config)
        return ['held-out %d' % index for index in range(len(images))], images
    paths = given.files(config.images)
    read = [given.prepare(path, config) for path in paths]
    bad = ['  %s: %s' % (path, why) for path, why in zip(paths, read)
           if isinstance(why, str)]
    if bad:
        raise UserError('--images: %d of %d cannot be used:\n%s'
                        % (len(bad), len(paths), '\n'.join(bad)))
    return paths, np.stack(read)


def held_out(config):
    """Return the pixels of held-out images; see read_images."""
    try:
        images = batches.load(config.replace(part='held_out')).images
    except NotFoundError as error:
        raise NotFoundError('%s\nOr name the images to complete: --images FILE…'
                            % error)
    return np.array(images[:config.num_samples or HELD_OUT])


def read_mask(config):
    """Return the Mask of --mask and its name. Raises UserError for anything else.

    A file is prepared as the images are, and hides where it is darker than half.
    """
    size, name = (config.output_height, config.output_width), config.mask
    if name in masks.NAMES:
        return masks.make_mask(name, *size, seed=config.seed), name
    if not os.path.isfile(name):
        raise UserError('--mask %r: expected one of %s, or the file of an image, black '
                        'where it is hidden.' % (name, ', '.join(masks.NAMES)))
    pixels = given.prepare(name, config.replace(c_dim=1))
    if isinstance(pixels, str):
        raise UserError('--mask %s: %s' % (name, pixels))
    hidden = pixels[..., 0] < 128
    if hidden.all() or not hidden.any():
        raise UserError('--mask %s hides %s: expected an image, black where it is '
                        'hidden, white elsewhere.'
                        % (name, 'everything' if hidden.all() else 'nothing'))
    return masks.of_pixels(hidden), os.path.splitext(os.path.basename(name))[0]


# --- the search --------------------------------------------------------------

def nearest_images(config, mask, images):
    """Return for each image the training image that is nearest in what is known.

    By squared differences; float32 [N, H, W, C]. A list of None, and a note, where the
    data set is not on this machine.
    """
    try:
        training = batches.load(config).images
    except NotFoundError as error:
        print('note: no nearest training image, as there are none here. %s' % error)
        return [None] * len(images)
    known = masks.observe(mask, images).reshape(len(images), -1)
    block = room.at_once(training.shape[1:3], BLOCK)
    seen = (masks.observe(mask, transform(part)).reshape(len(part), -1)
            for _, part in tqdm(blocks(training, block), 'nearest training image',
                                -(-len(training) // block), unit=' blocks',
                                disable=None))
    indices, _ = nearest_in_parts(known, seen, 1)
    return transform(training[indices[:, 0]])


def search_all(sess, model, mask, images, see=None):
    """Return the G(z) [N, H, W, C] found for images [N, H, W, C], and their Inputs.

    The --restarts searches of an image run side by side; the one of the least loss is
    taken. At each step of the first batch see(step, draw) is called, where draw() gives
    the G(z) so far.
    """
    c = model.config
    known = masks.observe(mask, images).astype(np.float32)
    z, y = first_inputs(sess, model, mask, known)
    most = max(1, AT_ONCE // (mask.hidden.size * c.restarts))
    batches = -(-len(images) // most)
    size = -(-len(images) // batches)
    room.check_maps(c, size * c.restarts, '--restarts')
    search, parts = Search(model, mask, size * c.restarts), []
    with tqdm(total=batches * c.iterations, desc='searching', unit=' steps',
              disable=None) as bar:
        for start in range(0, len(images), size):
            # the last batch is filled up with images that are not asked for
            chosen = np.arange(start, start + size) % len(images)
            parts.append(descend(sess, search, known[chosen], z[chosen], y[chosen],
                                 see if start == 0 else None, bar))
    found, inputs = zip(*parts)
    inputs = latent.Inputs(*map(np.concatenate, zip(*inputs)))
    return np.concatenate(found)[:len(images)], inputs.take(slice(len(images)))


def first_inputs(sess, model, mask, known):
    """Return z [N, restarts, z_dim] to start from, and y [N, restarts, y_dim].

    They are those of DRAWS images that are nearest in what is known, by weighted
    squares. The labels take turns; a search keeps the one that it starts with.
    """
    restarts = model.config.restarts
    draws = max(DRAWS, restarts)
    inputs = latent.new_inputs(sess, model.config, draws, KEY)
    weights = np.sqrt(masks.importance(mask))[:, None]
    drawn = masks.observe(mask, sampling.draw(sess, model, *inputs))
    chosen, _ = nearest((weights * known).reshape(len(known), -1),
                        (weights * drawn).reshape(draws, -1), restarts)
    return inputs.take(chosen)


# --- filling and judging -----------------------------------------------------

def fill(blender, image, G, neighbour):
    """Return {method: what it fills the hidden part of an image with}."""
    mask = blender.mask
    known = masks.observe(mask, image[None])[0]
    fillings = {'G(z)': G, 'blended': blender(G, image),
                'mean colour': masks.mean_colour(mask, known),
                'nearest known pixel': masks.nearest_pixel(mask, known)}
    if not mask.hidden.any():       # all pixels are known: nothing to fill
        del fillings['blended'], fillings['nearest known pixel']
    if neighbour is not None:
        fillings['nearest training image'] = neighbour
    return fillings


def judge(blender, found, config, base):
    """Save the pictures; return a list of {method: PSNR}, a dict for each image.

    `found` gives (image, G(z), nearest training image or None) of each image.
    """
    scores, shown, mask = [], [], blender.mask

    def finish():
        for image, G, neighbour in found:
            fillings = fill(blender, image, G, neighbour)
            scores.append({method: masks.psnr(filling, image, mask.judged)
                           for method, filling in fillings.items()})
            if len(shown) < SHOWN:
                shown.append((image, fillings))
            yield masks.paste(mask, image, fillings.get('blended', G))

    if config.separate:
        sample.save_separate(finish(), base)
    else:
        for _ in finish():
            pass
    save_sheet(mask, shown, base + '.png')
    return scores


def save_sheet(mask, shown, path):
    """Write a column for each image: itself, what is known, G(z), then filled."""
    rows = {'the image': [image for image, _ in shown],
            'what is known of it': [masks.hide(mask, image) for image, _ in shown],
            'G(z)': [fillings['G(z)'] for _, fillings in shown]}
    for method in shown[0][1]:
        if method != 'G(z)' and mask.hidden.any():
            rows[method] = [masks.paste(mask, image, fillings[method])
                            for image, fillings in shown]
    print('sheet: %s\n  rows: %s' % (
        save_images(sum(rows.values(), []), (len(rows), len(shown)), path),
        '; '.join(rows)))


def report(scores, names, mask, base):
    """Write the PSNR of each image as CSV and print their mean and deviation."""
    print('table: %s' % save_csv([['image', *scores[0]]] + [
        [printable(name), *('%.3f' % value for value in score.values())]
        for name, score in zip(names, scores)], base + '.csv'))
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


class Animation:
    """Frames of a search, written into a folder; `paths` are theirs.

    Rows: what is known of some images, G(z) as it changes, and G(z) blended.
    """

    def __init__(self, blender, images, iterations, folder):
        self.blender, self.images, self.folder, self.paths = blender, images, folder, []
        self.steps = set(np.linspace(0, iterations, FRAMES + 1, dtype=int))

    def take(self, step, draw):
        """Write a frame if this step is due; draw() gives the G(z) so far."""
        if step in self.steps:
            drawn = list(draw()[:len(self.images)])
            cells = [masks.hide(self.blender.mask, image) for image in self.images]
            cells += drawn + list(map(self.blender, drawn, self.images))
            path = os.path.join(self.folder, '%d.png' % step)
            self.paths.append(save_images(cells, (3, len(self.images)), path))
