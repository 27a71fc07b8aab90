"""Checks: what is wrong with the values of a Config, by themselves and together.

Each function takes a Config and returns messages, one for each problem. The fields and
their limits are in flags.py.
"""

import dataclasses
import math
import re

from settings.errors import shown, written
from settings.flags import FORMATS, READING, spelled

OF_CONVOLUTIONS = {'gf_dim', 'df_dim', 'kernel_size', 'd_head', 'bias'}
AUGMENTATIONS = ('color', 'translation', 'cutout')

# Values for older runs, whose config.json lacks these settings
BEFORE = {'ema': 0, 'augment': 'none', 'augment_after': 0, 'updates': 'together',
          'ema_rampup': 0.0, 'beta2': 0.999, 'augment_target': 0.0,
          'wrong_labels': 0.0}
FORMER = {'d_head': 'linear', 'bias': True, 'augment_after': 4500}  # older defaults

# Fields that take the value of another one where they are not given
COPIED = {'chosen_by': 'seed', 'output_width': 'output_height'}

# The data set of points (toy.py), and the settings that decide its runs
GAUSSIAN = 'gaussian'
OF_POINTS = {'dataset', 'batch_size', 'learning_rate', 'beta1', 'train_size', 'd_steps',
             'g_steps', 'seed', 'z_dim', 'z_dist', 'ema', 'optimizer', 'momentum',
             'beta2', 'd_learning_rate', 'g_learning_rate', 'loss', 'label_smoothing',
             'num_samples', 'updates', 'chosen_by'}
MOST_POINTS = 10**7

LONGEST = 4096          # characters of a text; Linux takes no longer path
LONGEST_PART = 255      # bytes of each name in a path, in nearly all file systems
LONGEST_NAME = 200      # bytes of a name, which gets endings

EXPECTED = {int: 'a whole number', float: 'a number', bool: 'true or false',
            str: 'a text', tuple: 'a list of texts'}


def wrong(config):
    """Return what is wrong with a Config: its values, or else their combinations."""
    found = {field.name: misfit(field, getattr(config, field.name))
             for field in dataclasses.fields(config)}
    for name, source in COPIED.items():
        if found[source] and getattr(config, name) == getattr(config, source):
            del found[name]     # it was not given, and is as wrong as its source
    return [message for message in found.values() if message] or (
        names(config) + labels(config) + variants(config) + calls(config)
        + counts(config) + (points(config) if config.dataset == GAUSSIAN else []))


# --- one value ---------------------------------------------------------------

def misfit(field, value):
    """Return what is wrong with the value of one field, or None."""
    if value is None and field.default is None:
        return None
    limits, wanted = field.metadata, EXPECTED[field.type]
    right_type = isinstance(value, (int, float) if field.type is float else field.type)
    if not right_type or (isinstance(value, bool) and field.type is not bool):
        pass
    elif limits['choices']:
        wanted = 'one of %s' % ', '.join(map(str, limits['choices']))
        if value in limits['choices']:
            return None
    elif field.type is str:
        wanted += ' of 1 to %d characters, in UTF-8, on one line' % LONGEST
        if 0 < len(value) <= LONGEST and is_plain(value):
            return None
    elif field.type is tuple:
        wanted += ' of 1 to %d characters' % LONGEST
        if all(isinstance(part, str) and 0 < len(part) <= LONGEST and '\0' not in part
               for part in value):
            return None
    elif out_of_range(value, limits):
        wanted += ' ' + range_text(limits)
    else:
        return None
    return '--%s is %s; expected %s.' % (spelled(field.name), shown(value), wanted)


def is_plain(text):
    """Tell whether a text has no control characters and is valid UTF-8."""
    return not any(c < ' ' or c == '\x7f' or '\ud800' <= c <= '\udfff' for c in text)


def out_of_range(value, limits):
    """Tell whether a number is NaN, infinite or out of its range."""
    return (isinstance(value, float) and not math.isfinite(value)
            or limits['low'] is not None and value < limits['low']
            or limits['above'] is not None and value <= limits['above']
            or limits['high'] is not None and value > limits['high'])


def range_text(limits):
    """Say the range of a number: 'from 1 to 5', 'above 0', …"""
    words = (('low', 'from'), ('above', 'above'), ('high', 'up to'))
    return ' '.join('%s %s' % (word, limits[name]) for name, word in words
                    if limits[name] is not None)


# --- values together ---------------------------------------------------------

def names(config):
    """List the names that cannot be parts of paths."""
    given = [(name, getattr(config, name)) for name in ('dataset', 'name')]
    return ['--%s %s is not a name: it is part of paths, so it takes no slash and is '
            'not empty, nor longer than %d bytes (the folder of data sets is '
            '--data_dir).' % (name, shown(value), LONGEST_NAME)
            for name, value in given if value is not None and (
                value in ('.', '..') or set('/\\') & set(value)
                or len(value.encode('utf-8')) > LONGEST_NAME)]


def counts(config):
    """List what is wrong with the counts of pictures and workers in config.json."""
    counted = '0:[0-9]{1,12}( [0-9]{1,12}:[0-9]{1,12})*'
    return ['%s is %s; expected STEP:COUNT, with spaces between.' % (name, shown(value))
            for name, value in (('pictures', config.pictures), ('teams', config.teams))
            if value is not None and not re.fullmatch(counted, value)]


def labels(config):
    """List what is wrong with the labels that shall be learned."""
    found = []
    if config.attributes is not None:
        given = config.attributes.split(',')
        if '' in given or len(set(given)) < len(given):
            found.append('--attributes %s: expected names, each once, with commas '
                         'between, as Smiling,Eyeglasses.' % shown(config.attributes))
        if config.conditional:
            found.append('--conditional learns one label of each image, --attributes '
                         'several: leave one of them out.')
    elif config.labels is not None and not config.conditional:
        found.append('--labels needs --conditional or --attributes. A run begun '
                     'without labels takes none later: begin another, --name NEW.')
    return found


def variants(config):
    """List the variants that make no sense together, or are none."""
    found = []
    if config.augment != 'none' and not (
            set(config.augment.split(',')) <= set(AUGMENTATIONS)):
        found.append('--augment is %s; expected some of %s, with commas between, or '
                     'none.'
                     % (shown(config.augment), ', '.join(AUGMENTATIONS)))
    if config.momentum and config.optimizer != 'sgd':
        found.append('--momentum is of --optimizer sgd; of adam it is --beta1.')
    for name, a, of in (('penalty_weight', 'a', 'penalty'),
                        ('augment_after', 'an', 'augment')):
        value, usual = getattr(config, name), getattr(type(config), name)
        if getattr(config, of) == 'none' and value not in (
                usual, BEFORE.get(name, usual), FORMER.get(name, usual)):
            found.append('--%s %.10g is of %s --%s, and there is none: name one, or '
                         'leave it out.' % (name, value, a, of))
    labelled = config.conditional or config.attributes or config.classes
    if config.dataset != GAUSSIAN and config.wrong_labels not in (
            type(config).wrong_labels, BEFORE['wrong_labels']):
        if not labelled:
            found.append('--wrong_labels %.10g is of labels, and none are learned: '
                         'give --conditional, --labels or --attributes, or leave it '
                         'out.' % config.wrong_labels)
        elif config.loss == 'wgan':
            found.append('--wrong_labels is not for --loss wgan, by which D could '
                         'lower their scores without end: leave it out.')
    if config.label_smoothing and config.loss in ('wgan', 'hinge'):
        found.append('--label_smoothing needs labels, and --loss %s has none: take gan '
                     'or lsgan.' % config.loss)
    found += ['--%s %s has no effect on --architecture mlp: leave it out.'
              % (field.name, getattr(config, field.name))
              for field in dataclasses.fields(config)
              if config.architecture == 'mlp' and field.name in OF_CONVOLUTIONS
              and getattr(config, field.name) not in (
                  field.default, FORMER.get(field.name))]
    return found


def calls(config):
    """List what cannot be in one call of main.py."""
    found = []
    if config.task == 'export' and not (
            set(config.formats.split(',')) <= set(FORMATS)):
        found.append('--formats %s: expected some of %s, with commas between.'
                     % (shown(config.formats), ', '.join(FORMATS)))
    if config.train and config.task != type(config).task:
        found.append('--task %s is done with a checkpoint: leave out --train.'
                     % written(config.task))
    if (config.train and config.dataset != GAUSSIAN and config.train_size is not None
            and config.train_size < config.batch_size):
        found.append('--train_size %d is less than a batch: give a larger one, or a '
                     'smaller --batch_size than %d.'
                     % (config.train_size, config.batch_size))
    if config.workers > 1 and config.dry_run:
        found.append('--dry_run measures one process: leave --workers out.')
    found += ['--%s is for one process: leave it or --workers out.' % name
              for name in ('xla', 'steps_per_run')
              if config.workers > 1 and getattr(config, name)]
    if config.runs is not None and config.name is not None:
        found.append('--runs names all runs of the curves: leave out --name.')
    if config.images and config.num_samples is not None:
        found.append('--num_samples counts held-out images, and --images names others: '
                     'leave one of them out.')
    if config.z is not None and config.num_samples is not None:
        found.append('--num_samples counts new images, and --z brings its own: leave '
                     'one of them out, or take some of the file by --indices.')
    return found


def points(config):
    """List what cannot be where the data set is points, not images."""
    usual = {field.name: field.default for field in dataclasses.fields(config)
             if field.metadata['role'] in ('network', 'training')}
    usual['output_width'] = config.output_height        # which it stands for
    found = ['--%s %s has no effect on the points of --dataset %s: leave it out.'
             % (spelled(name), written(getattr(config, name)), GAUSSIAN)
             for name, default in usual.items() if name not in OF_POINTS
             and getattr(config, name) not in (default, BEFORE.get(name, default),
                                               FORMER.get(name, default))]
    found += ['--%s is of images: leave it out.' % name
              for name in ('separate', 'eval_freq', 'z', 'indices', 'dry_run', 'xla',
                           'steps_per_run')
              if getattr(config, name)]
    if config.workers > 1:
        found.append('--workers is of images: leave it out.')
    if config.task not in (type(config).task, *READING):
        found.append('--task %s is of images: leave it out to sample points.'
                     % written(config.task))
    if config.z_dim > 1000:
        found.append('--z_dim %d: expected up to 1000 for points of the plane.'
                     % config.z_dim)
    step = config.batch_size * config.d_steps
    if not step <= (config.train_size or 0) <= MOST_POINTS:
        found.append('--train_size %s: expected as many points as a step takes or '
                     'more, --batch_size %d times --d_steps %d, up to %d.'
                     % (config.train_size, config.batch_size, config.d_steps,
                        MOST_POINTS))
    return found
