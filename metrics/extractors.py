"""The extractors of --features: what turns images into the numbers that are compared.

An extractor is an object with
    label                  how a table names it, as 'pixels 16x16'
    features(images)       float32 [N, D] of images float32 [N, H, W, C] in [-1, 1]
    probabilities(images)  float32 [N, K] of its classes, for the Inception Score; None
                           where it has no classes
    close()                gives back its session, where it has one
Numbers of different extractors are never to be compared.
"""

from metrics import features


class Pixels:
    """The pixels of images made small; see features.pixels."""

    label = 'pixels %dx%d' % (features.SIDE, features.SIDE)

    def features(self, images):
        """Return float32 [N, D]."""
        return features.pixels(images)

    def probabilities(self, images):
        """Return None: pixels know no classes."""

    def close(self):
        """Do nothing: there is no session."""


def make_classifier(config, echo):
    """Return the classifier of the data set; see metrics/classifier.py."""
    from metrics import classifier  # TensorFlow only where it is needed

    return classifier.make(config, echo)


EXTRACTORS = {'classifier': make_classifier,
              'pixels': lambda config, echo: Pixels()}


def make(config, echo=print):
    """Return the extractor of config.features; by default pixels."""
    return EXTRACTORS[config.features or 'pixels'](config, echo)
