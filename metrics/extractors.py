"""The extractors of --features: what turns images into the numbers that are compared.

An extractor is an object with
    label            how a table names it, as 'pixels 16x16'
    extract(images)  (features float32 [N, D], probabilities float32 [N, K]) of images
                     float32 [N, H, W, C] in [-1, 1], in batches. The probabilities, of
                     its classes, are for the Inception Score; None if it knows none
    close()          gives back its session, where it has one
"""

import importlib
import os

from metrics import classifier_data
from settings.errors import NotFoundError, UserError

# The modules; those of networks import TensorFlow, so only the one needed is imported.
EXTRACTORS = {'inception': 'inception_network', 'classifier': 'classifier',
              'pixels': 'pixels', 'random': 'random_network'}
INCEPTION = os.path.join('inception', 'classify_image_graph_def.pb')    # in --data_dir
INCEPTION_REMEDY = (
    '`python download.py inception` fetches the file; or name one at hand by '
    '--inception_path, or take --features classifier, random or pixels.')
NO_INCEPTION = 'No Inception graph at %s. ' + INCEPTION_REMEDY


def make(config, echo=print):
    """Return the extractor of config.features, or of the default; see `default`.

    Raises UserError where it cannot be had, naming others that can.
    """
    name = EXTRACTORS[config.features or default(config)]
    return importlib.import_module('metrics.' + name).make(config, echo)


def default(config):
    """Return the features of a config that names none.

    inception where its file is there or --inception_path given; else classifier where
    the data set has labels or attributes; else pixels.
    """
    if config.inception_path or os.path.exists(inception_path(config)):
        return 'inception'
    try:
        classifier_data.with_labels(config)
        return 'classifier'
    except NotFoundError:
        raise
    except UserError:
        return 'pixels'


def check(config):
    """Raise UserError where what --features names cannot be had; nothing is made."""
    if config.features == 'inception' and not os.path.isfile(inception_path(config)):
        raise NotFoundError(NO_INCEPTION % inception_path(config))
    if config.features == 'classifier':
        classifier_data.with_labels(config)


def inception_path(config):
    """Return where the Inception graph is: --inception_path, or download.py's."""
    return config.inception_path or os.path.join(config.data_dir, INCEPTION)
