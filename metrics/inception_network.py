"""--features inception: the graph of 2015-12-05 that the FID is defined on.

`python download.py inception` fetches classify_image_graph_def.pb: Szegedy et al.'s
Inception v3, trained on ImageNet, its weights frozen into the graph. As in Heusel et
al.'s TTUR code (FID) and Salimans et al.'s improved-gan code (Inception Score):

- the input is the tensor ExpandDims:0, float [N, H, W, 3] in 0..255. Images are
  rounded to 8 bits first, as in PNG files; gray ones are repeated in three channels;
- the graph itself resizes them to 299 x 299 (ResizeBilinear, as TensorFlow 1 had it:
  neither aligned corners nor half-pixel centres) and takes (x - 128) / 128 of them;
- features are pool_3:0, [N, 1, 1, 2048];
- probabilities are the softmax of pool_3 times the weights of softmax/logits/MatMul,
  its 1008 classes, without the bias: the published score was computed so.

The graph in the file takes one image: it decodes a single JPEG, and reshapes pool_3 to
one row. So a batch of any size takes the place of ExpandDims:0, and the probabilities
are computed anew from pool_3. The authors had no copy of the file: this was tried on
small graphs of the same names only.
"""

import tensorflow.compat.v1 as tf
from google.protobuf.message import DecodeError

from metrics.extractors import INCEPTION_REMEDY, NO_INCEPTION, inception_path
from metrics.network import Network
from settings.errors import NotFoundError, UserError
from utils import quiet

INPUT, POOL, LOGITS = 'ExpandDims:0', 'pool_3:0', 'softmax/logits/MatMul'


class Inception(Network):
    """The graph at `path`, for images of `c_dim` channels."""

    name, batch = 'inception', 50
    label = 'inception 2015-12-05, pool_3'

    def __init__(self, path, c_dim):
        super().__init__([None, None, c_dim])
        with self.graph.as_default(), quiet():      # it is old, and TensorFlow says so
            whole = tf.clip_by_value(tf.round((self.images + 1) * 127.5), 0, 255)
            pool, product = load(path, whole if c_dim == 3
                                 else tf.tile(whole, [1, 1, 1, 3]))
            weights = product.inputs[1]
            self.pool = tf.reshape(pool, [-1, int(weights.shape[0])])
            self.softmax = tf.nn.softmax(tf.matmul(self.pool, weights))

    def extract(self, images):
        """Return (features [N, 2048], probabilities [N, 1008])."""
        return tuple(self.run([self.pool, self.softmax], images))


def load(path, images):
    """Return pool_3 and the product of softmax, from the file, of a batch of images.

    Raises NotFoundError where there is no file, UserError where it is another.
    """
    graph_def = tf.GraphDef()
    try:
        with open(path, 'rb') as file:
            graph_def.ParseFromString(file.read())
        tensors = tf.import_graph_def(graph_def, {INPUT: images}, [POOL, LOGITS],
                                      name='')
        check_harmless(graph_def, images.graph)
        return tensors
    except FileNotFoundError:
        raise NotFoundError(NO_INCEPTION % path)
    except (OSError, DecodeError, ValueError, KeyError) as error:
        raise UserError('%s is not the Inception graph of 2015-12-05, which has %s, %s '
                        'and %s: %s. %s' % (path, INPUT, POOL, LOGITS,
                                            str(error).partition('\n')[0],
                                            INCEPTION_REMEDY))


def check_harmless(graph_def, graph):
    """Raise ValueError where a graph from a file may do more than compute.

    A graph is a program: its operations with a state can write files, and functions
    can hide them.
    """
    others = ([op.type for op in graph.get_operations() if op.op_def.is_stateful]
              + ['function %s' % function.signature.name
                 for function in graph_def.library.function])
    if others:
        raise ValueError('it does more than compute: %.80s' % others[0])


def make(config, echo):
    """Return the Inception of a config, its session open."""
    return Inception(inception_path(config), config.c_dim).start(config)
