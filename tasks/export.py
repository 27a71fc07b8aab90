"""Export: the network in forms that other programs read, into samples/<run>/export/.

What each of them is, and five lines of code to use it: docs/export.md.
"""

import collections
import os

import numpy as np

from dataset.preview import in_bytes
from export import facts, frozen, onnx_graph
from runs import folders, generator, sampling
from settings.errors import UserError
from tasks.parts.outputs import output_path
from utils import atomic_write, remove_leftovers

MOST = 2**31 - 2**20    # bytes of weights: a protocol buffer holds 2 GB

# The network: as arrays, and as a graph
Network = collections.namedtuple('Network', 'config weights facts graph')
# A form: its file, what makes its bytes of a Network, and how to use it
Form = collections.namedtuple('Form', 'file make use')


def onnx(network, half=False):
    """Return the bytes of sampler.onnx; with `half` those for the page."""
    config, weights, about, _ = network
    return onnx_graph.build(config, weights, about, half)


def page(network):
    """Return the bytes of the page, which draws in a browser."""
    from export.page import build
    config, _, about, _ = network
    rows = sampling.label_rows(config)
    about = dict(about, dataset=config.dataset, rows=rows, **seen(network, rows))
    return build(onnx(network, half=True), about).encode('utf-8')


def seen(network, rows):
    """Return the page's sliders and its first sheet, as {directions, preview}.

    Sliders are named by attributes where a classifier of the data set was trained.
    """
    from export import directions, preview
    from metrics import classifier
    config, weights, _, graph = network
    critic = classifier.kept(config, onnx_graph.shape_of(config))
    try:
        with frozen.drawing(graph) as draw:
            return dict(
                directions=directions.find(config, weights, rows, draw, critic),
                preview=preview.draw_sheet(config, rows, draw))
    finally:
        if critic:
            critic.close()


FORMS = {
    'frozen': Form('sampler.pb', lambda network: frozen.frozen(network.graph),
                   "a frozen graph: tf.import_graph_def, feed INPUTS, as 'z:0', fetch "
                   "'images:0'"),
    'saved_model': Form(os.path.join('saved_model', 'saved_model.pb'),
                        lambda network: frozen.saved_model(network.graph),
                        'a SavedModel: tf.saved_model.load(FOLDER).signatures['
                        "'serving_default'] takes INPUTS"),
    'onnx': Form('sampler.onnx', onnx, 'ONNX: onnxruntime.InferenceSession(FILE)'
                 '.run(None, FEED)[0], where FEED has INPUTS'),
    'page': Form('index.html', page, 'a page that draws: open it in a browser'),
}


def main(config, run, path):
    """Write the forms of --formats of the checkpoint at `path`; say how to use them."""
    about = facts.collect(config, run, int(path.rpartition('-')[2]))
    weights = generator.weights(path, config)
    check(weights, path)
    network = Network(config, weights, about,
                      frozen.meta_graph(config, weights, about))
    made = {name: form.make(network) for name, form in FORMS.items()
            if name in config.formats.split(',')}
    folder = output_path(run, 'export')
    print('\n'.join(facts.describe(about)))
    for name, content in made.items():
        file = os.path.join(folder, FORMS[name].file)
        save(content, file)
        whole = os.path.dirname(file) if name == 'saved_model' else file
        print('%s (%s): %s' % (whole, in_bytes(len(content)), FORMS[name].use.replace(
            'INPUTS', 'z and y' if config.y_dim else 'z')))


def check(weights, path):
    """Raise UserError where weights are no numbers, or too many for one file."""
    wrong = [name for name, value in weights.items() if not np.isfinite(value).all()]
    if wrong:
        raise UserError('The checkpoint %s has NaN or infinity in %s. Take an earlier '
                        'one: --checkpoint STEP.' % (path, wrong[0]))
    size = sum(value.nbytes for value in weights.values())
    if size > MOST:
        raise UserError('The weights of G are %s: the files of --task export hold up '
                        'to %s.' % (in_bytes(size), in_bytes(MOST)))


def save(content, path):
    """Write bytes to a file, whole or not at all; its folder is made where need be."""
    folder = os.path.dirname(path)
    folders.make_folder(folder)
    remove_leftovers(folder)
    with atomic_write(path) as file:
        file.write(content)
