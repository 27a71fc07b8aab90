"""The extractors of --features: what turns images into the numbers that are compared.

An extractor is an object with
    label                  how a table names it, as 'pixels 16x16'
    features(images)       float32 [N, D] of images float32 [N, H, W, C] in [-1, 1]
    probabilities(images)  float32 [N, K] of its classes, for the Inception Score; None
                           where it has no classes
    both(images)           (features, probabilities), in the time of one
    close()                gives back its session, where it has one
Networks work in batches, so that any number of images fits. Numbers of different
extractors are never to be compared.
"""

import os

from metrics import features, labels
from settings.errors import NotFoundError, UserError

INCEPTION = os.path.join('inception', 'classify_image_graph_def.pb')    # in --data_dir


class Pixels:
    """The pixels of images made small; see features.pixels."""

    label = 'pixels %dx%d' % (features.SIDE, features.SIDE)

    def features(self, images):
        """Return float32 [N, D]."""
        return features.pixels(images)

    def probabilities(self, images):
        """Return None: pixels know no classes."""

    def both(self, images):
        """Return (features, None)."""
        return self.features(images), self.probabilities(images)

    def close(self):
        """Do nothing: there is no session."""


# TensorFlow is imported only where it is needed: by the three that are networks.

def make_inception(config, echo):
    """Return the Inception graph; see metrics/inception_graph.py."""
    from metrics import inception_graph

    return inception_graph.make(config, inception_path(config))


def make_classifier(config, echo):
    """Return the classifier of the data set; see metrics/classifier.py."""
    from metrics import classifier

    return classifier.make(config, echo)


def make_random(config, echo):
    """Return the random network; see metrics/random_net.py."""
    from metrics import random_net

    return random_net.make(config)


EXTRACTORS = {'inception': make_inception, 'classifier': make_classifier,
              'pixels': lambda config, echo: Pixels(), 'random': make_random}


def inception_path(config):
    """Return where the Inception graph is: --inception_path, or download.py's."""
    return config.inception_path or os.path.join(config.data_dir, INCEPTION)


def default(config):
    """Return the features of a config that names none.

    inception where its file is there or --inception_path given; else classifier where
    the data set has labels or attributes; else pixels.
    """
    if config.inception_path or os.path.exists(inception_path(config)):
        return 'inception'
    try:
        labels.with_labels(config)
        return 'classifier'
    except NotFoundError:
        raise
    except UserError:
        return 'pixels'


def check(config):
    """Raise UserError where what --features names cannot be had; nothing is made."""
    if config.features == 'inception' and not os.path.isfile(inception_path(config)):
        raise NotFoundError(features.NO_INCEPTION % inception_path(config))
    if config.features == 'classifier':
        labels.with_labels(config)


def make(config, echo=print):
    """Return the extractor of config.features, or of the default; see `default`.

    Raises UserError where it cannot be had, naming others that can.
    """
    return EXTRACTORS[config.features or default(config)](config, echo)
