"""The labelled images that --task classify learns from and is tested on. NumPy."""

import typing

import numpy as np

from dataset import batches, catalog, tables
from runs import room as memory
from settings.errors import NotFoundError, UserError

MOST = 5000         # images learned from, unless --num_samples says otherwise
ROOM = 2 * 2**30    # bytes for their features; --num_samples may go beyond it
BYTES = 40          # of a feature while it is learned from, liblinear's copies included
DRAWS = 5           # with --labels_per_class
TEST_SHARE = 0.2    # of the images is the test where none are held out,
MOST_TESTED = 10000     # but at most so many


class Target(typing.NamedTuple):
    """What is to be told: the classes, or an attribute.

    train, test: the labels of the images, int [N] from 0. draws: an array of indices
    of training images for each SVM, those that it learns from.
    """

    name: str
    train: np.ndarray
    test: np.ndarray
    draws: list

    def majority(self):
        """Return the share of the most frequent label in the test."""
        return np.bincount(self.test).max() / len(self.test)


class SVMData(typing.NamedTuple):
    """Two Datasets, the Targets of their images, and notes for the table."""

    train: batches.Dataset
    test: batches.Dataset
    targets: list
    notes: list

    def used(self):
        """Return the indices, ascending, of the training images of all draws."""
        return np.unique(np.concatenate([draw for target in self.targets
                                         for draw in target.draws]))


def load(config, features):
    """Return the SVMData of a config; `features` is how many an image has.

    The labels are the attributes of --attribute, else those of the run's --attributes,
    else the data set's classes. Raises UserError where there are none, or too few.
    """
    train, allowed, test, where = split(config)
    names, kinds = ['class'], train.classes
    if train.labels.ndim == 2:
        names, kinds = train.classes, ['no', 'yes']
    room = config.num_samples or min(MOST, max(1, ROOM // (BYTES * features)))
    memory.check(BYTES * features * min(room, len(allowed)), 'the features of %s images'
                 % format(min(room, len(allowed)), ','), 'a smaller --num_samples')
    targets = [Target(name, of_train, of_test, draw(of_train, allowed, room, config))
               for name, of_train, of_test in zip(names, columns(train), columns(test))]
    for target in targets:
        check(target, kinds, config)
    notes = ['Tested on %s images: %s.' % (format(len(test), ','), where)]
    learned = len(targets[0].draws[0])
    if config.labels_per_class:
        notes.append('Learned from %d labelled images of each class, drawn at random '
                     '%d times: mean and deviation of the accuracy.'
                     % (config.labels_per_class, DRAWS))
    elif learned < len(allowed):
        notes.append('Learned from %s of %s training images, drawn at random; '
                     '--num_samples N takes N, the default bounds memory and time.'
                     % (format(learned, ','), format(len(allowed), ',')))
    return SVMData(train, test, targets, notes)


def columns(data):
    """Return a list of labels int [N] from 0: of the classes, or of each attribute."""
    many = data.labels.ndim == 2
    return (data.labels.T > 0).astype(int) if many else [data.labels.astype(int)]


# --- training and test -------------------------------------------------------

def split(config):
    """Return (Dataset, indices of it to learn from, test Dataset, what the test is).

    The test is what is held out from the run, else a random share of all images.
    """
    labels = labels_config(config)
    data = read(labels)
    cut = config.train_size if labels.train_size is None else None
    allowed, test = np.arange(len(data))[:cut], None
    try:
        test = read(labels.replace(part='held_out'))
    except NotFoundError:
        if len(allowed) < len(data):
            test = part(data, slice(cut, None))
    if test is not None:
        return data, allowed, test, "held out from the run's training"
    order = np.random.default_rng(config.seed).permutation(len(data))
    tested = min(MOST_TESTED, int(len(data) * TEST_SHARE))
    if tested < 1:
        raise UserError('%d images of %s are too few to learn from and to test on: '
                        'expected 5 or more.' % (len(data), config.dataset))
    told = config.attribute.split(',') if config.attribute else config.classes
    where = ('drawn at random from all, as the run holds none out; D saw them in '
             'training, %s these labels'
             % ('and' if set(told) & set(config.classes) else 'though not'))
    return data, np.sort(order[tested:]), part(data, np.sort(order[:tested])), where


def labels_config(config):
    """Return the Config whose Dataset has the labels that are to be told.

    With --train_size an older run without labels took the first images, and one with
    classes the same number of each. So of the former `split` cuts the images off.
    """
    names = config.attribute or config.attributes
    if names:
        return config.replace(attributes=names, conditional=False,
                              labels=table_of(names.split(','), config))
    if config.conditional:
        return config
    return config.replace(conditional=True, train_size=(
        None if config.chosen_by is None else config.train_size))


def table_of(names, config):
    """Return --labels; None where only the data set's own table has these columns."""
    if config.labels is None:
        return None
    folder = catalog.folder_of(config)
    columns = tables.label_columns(config.labels, folder)
    if not set(names) <= set(columns) and (
            set(names) <= set(tables.attribute_names(folder))):
        return None
    return config.labels


def read(config):
    """Return the Dataset of a config. Raises UserError where it has no labels."""
    try:
        data = batches.load(config)
    except NotFoundError:
        raise
    except UserError as error:
        raise UserError('--task classify needs labels. %s\nOf a data set with a table '
                        'of attributes name some: --attribute Smiling,Eyeglasses'
                        % error)
    if data.labels is None:
        raise UserError('--task classify needs labels, and %s has none.'
                        % config.dataset)
    return data


def part(data, chosen):
    """Return a Dataset of some images of another; of a slice they stay mapped."""
    return batches.Dataset(data.images[chosen], data.labels[chosen], data.classes)


# --- draws -------------------------------------------------------------------

def draw(labels, allowed, room, config):
    """Return the ascending indices of the images of each SVM.

    With --labels_per_class so many of each label, DRAWS times; else `room` of those
    allowed, once.
    """
    each = config.labels_per_class
    orders = [np.random.default_rng([config.seed, number]).permutation(allowed)
              for number in range(DRAWS if each else 1)]
    if not each:
        return [np.sort(order[:room]) for order in orders]
    return [np.sort(np.concatenate([order[labels[order] == label][:each]
                                    for label in range(labels.max() + 1)]))
            for order in orders]


def check(target, kinds, config):
    """Raise UserError where a label has too few images among those to learn from."""
    wanted = config.labels_per_class or 2       # 2 to choose C by cross-validation
    counts = np.bincount(target.train[target.draws[0]], minlength=len(kinds))
    few = ['%s %d' % (kind, count) for kind, count in zip(kinds, counts)
           if count < wanted]
    if few:
        raise UserError('%s: too few images to learn from; expected %d or more of each '
                        'label, found of %s. Change --labels_per_class or '
                        '--num_samples, or take other labels.'
                        % (target.name, wanted, ', '.join(few)))
