"""Draw by exported files in other ways, and compare with the run's own samples.

PYTHON bench/read_export.py FOLDER WAY...

WAY is session, eager, tflite, onnxruntime, chromium_file, chromium_http or firefox.

FOLDER holds what --task export wrote, and expected.npz: z, of labels y, and the images
that the run's own sampler drew of them. Print {way: {file: the largest difference}} as
JSON. For any Python from 3.7 and TensorFlow from 1.15.
"""

import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ['CUDA_VISIBLE_DEVICES'] = '-1'


def main(folder, *ways):
    """Print what was found."""
    with np.load(os.path.join(folder, 'expected.npz')) as file:
        feed = {name: file[name] for name in file if name != 'images'}
        images = file['images']
    found = {way: {file: difference(draw, os.path.join(folder, file), feed, images)
                   for file, draw in WAYS[way].items()} for way in ways}
    print(json.dumps(found))


def difference(draw, path, feed, images):
    """Return the largest difference of a value, of all at once and of one image."""
    one = {name: value[:1] for name, value in feed.items()}
    return max(float(np.abs(np.reshape(drawn, wanted.shape) - wanted).max())
               for drawn, wanted in ((draw(path, feed), images),
                                     (draw(path, one), images[:1])))


# --- a session of TensorFlow 1, or of today's --------------------------------

def graph_in_session(path, feed):
    """Draw by a frozen graph in a session."""
    import tensorflow.compat.v1 as tf
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.import_graph_def(graph_def(path), name='')
        return sess.run('images:0', {name + ':0': feed[name] for name in feed})


def saved_model_in_session(path, feed):
    """Draw by a SavedModel in a session."""
    import tensorflow.compat.v1 as tf
    with tf.Graph().as_default(), tf.Session() as sess:
        meta = tf.saved_model.loader.load(sess, ['serve'], path)
        signature = meta.signature_def['serving_default']
        return sess.run(signature.outputs['images'].name, {
            signature.inputs[name].name: feed[name] for name in feed})


def graph_def(path):
    """Read a GraphDef."""
    import tensorflow.compat.v1 as tf
    read = tf.GraphDef()
    with open(path, 'rb') as file:
        read.ParseFromString(file.read())
    return read


# --- TensorFlow 2, eagerly ---------------------------------------------------

def graph_eagerly(path, feed):
    """Draw by a frozen graph as a function."""
    import tensorflow as tf
    names = sorted(feed)
    whole = tf.compat.v1.wrap_function(
        lambda: tf.compat.v1.import_graph_def(graph_def(path), name=''), [])
    function = whole.prune([name + ':0' for name in names], 'images:0')
    return function(*[tf.constant(feed[name]) for name in names]).numpy()


def saved_model_eagerly(path, feed):
    """Draw by a SavedModel's signature."""
    import tensorflow as tf
    model = tf.saved_model.load(path)
    return model.signatures['serving_default'](
        **{name: tf.constant(feed[name]) for name in feed})['images'].numpy()


def tflite(path, feed):
    """Draw by TFLite, into which a SavedModel is converted."""
    import tensorflow as tf
    content = tf.lite.TFLiteConverter.from_saved_model(path).convert()
    interpreter = tf.lite.Interpreter(model_content=content)
    return interpreter.get_signature_runner('serving_default')(**feed)['images']


# --- ONNX --------------------------------------------------------------------

def onnx(path, feed):
    """Draw by onnxruntime."""
    import onnxruntime
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    return session.run(['images'], feed)[0]


# --- browsers ----------------------------------------------------------------

def chromium_by_file(path, feed):
    """Draw by the page in Chromium."""
    return in_chromium('file://' + os.path.abspath(path), feed)


def chromium_by_http(path, feed):
    """Draw by the page in Chromium, which a server gives."""
    from bench import page
    return in_chromium(page.serve(path), feed)


def in_chromium(address, feed):
    """Draw by the page at an address."""
    from bench import page
    with page.chromium() as browser:
        tab = browser.new_page()
        tab.goto(address)
        tab.wait_for_selector('body[data-ready]', timeout=120000)
        return tab.evaluate(page.DRAW, page.faces(feed))


def in_firefox(path, feed):
    """Draw by the page in Firefox."""
    from bench import firefox, page
    with firefox.firefox() as browser:
        browser.open(os.path.dirname(path))
        return browser.call(page.DRAW, page.faces(feed))


WAYS = {
    'session': {'sampler.pb': graph_in_session, 'saved_model': saved_model_in_session},
    'eager': {'sampler.pb': graph_eagerly, 'saved_model': saved_model_eagerly},
    'tflite': {'saved_model': tflite},
    'onnxruntime': {'sampler.onnx': onnx},
    'chromium_file': {'index.html': chromium_by_file},
    'chromium_http': {'index.html': chromium_by_http},
    'firefox': {'index.html': in_firefox},
}

if __name__ == '__main__':
    main(*sys.argv[1:])
