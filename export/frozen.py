"""The sampler in TensorFlow's own forms: a frozen GraphDef, and a SavedModel of it.

The weights are constants of the graph, so either is one file. Attributes that have
their default values are left out: an older TensorFlow, which does not know the newer
ones, then reads what a newer one wrote.
"""

import contextlib

import tensorflow.compat.v1 as tf
from tensorflow.core.protobuf import saved_model_pb2

from export.facts import as_json
from graph import convolution
from runs import generator

ABOUT = 'about'     # the constant of the graph that holds the facts, as JSON


def frozen(meta):
    """Return the bytes of the GraphDef of a meta_graph."""
    return meta.graph_def.SerializeToString(deterministic=True)


def saved_model(meta):
    """Return the bytes of saved_model.pb: what tf.saved_model.Builder would write."""
    model = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    model.meta_graphs.add().CopyFrom(meta)
    return model.SerializeToString(deterministic=True)


def meta_graph(config, weights, facts):
    """Return the MetaGraphDef of the sampler: `z` (and `y`) in, `images` out.

    `weights` are {name: array}. Raises UserError where they do not fit the config.
    """
    with tf.Graph().as_default(), convolution.plain():
        model = generator.build(config, weights)
        tf.constant(as_json(facts), name=ABOUT)
        inputs = {'z': model.z} if model.y is None else {'z': model.z, 'y': model.y}
        meta = tf.train.export_meta_graph(collection_list=[], strip_default_attrs=True)
        signature = tf.saved_model.predict_signature_def(
            inputs, {'images': model.sampler_images})
    meta.meta_info_def.tags.append(tf.saved_model.tag_constants.SERVING)
    name = tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    meta.signature_def[name].CopyFrom(signature)
    return meta


@contextlib.contextmanager
def drawing(meta):
    """Give a function that draws the images [N, H, W, C] of z and y by a meta_graph.

    y [N, y_dim] is not looked at where the network knows no labels.
    """
    with tf.Graph().as_default() as graph, tf.Session() as sess:
        tf.import_graph_def(meta.graph_def, name='')
        names = {node.name for node in graph.as_graph_def().node}

        def draw(z, y):
            feed = {'z:0': z, 'y:0': y} if 'y' in names else {'z:0': z}
            return sess.run('images:0', feed)
        yield draw
