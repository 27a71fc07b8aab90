"""The exported forms draw what the program's own sampler draws, for every network."""

import json

import networks
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow.compat.v1 as tf

import ops
from export import facts, frozen, onnx_graph
from runs.folders import Run
from settings.errors import UserError
from utils import inverse_transform

LIMIT = 2e-5
PLAIN = {'Placeholder', 'Const', 'Identity', 'ConcatV2', 'MatMul', 'BiasAdd', 'Reshape',
         'FusedBatchNormV3', 'Relu', 'Conv2DBackpropInput', 'Tanh', 'Sub', 'Shape',
         'StridedSlice', 'Pack', 'Fill', 'Mul', 'ExpandDims', 'Cast'}
ONNX = {'Gemm', 'Reshape', 'BatchNormalization', 'Relu', 'ConvTranspose', 'Tanh',
        'Transpose', 'Concat', 'Unsqueeze', 'Expand'}
SOME = 'gray, hostile labels', 'odd, kernel 5, biases', 'attributes, uniform', 'mlp'
every_case = pytest.mark.parametrize('name', [
    case if case in SOME else pytest.param(case, marks=pytest.mark.slow)
    for case in networks.CASES])


def about(config):
    return facts.collect(config, Run('run', '', ''), 3)


def meta_graph(config, weights):
    return frozen.meta_graph(config, weights, about(config))


def run_frozen(content, fetch, feed):
    graph_def = tf.GraphDef()
    graph_def.ParseFromString(content)
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.import_graph_def(graph_def, name='')
        return sess.run(fetch, {name + ':0': value for name, value in feed.items()})


def run_onnx(content, feed):
    session = onnxruntime.InferenceSession(
        content, providers=['CPUExecutionProvider'])
    return session.run(None, feed)[0]


def first(feed):
    return {name: value[:1] for name, value in feed.items()}


@every_case
def test_a_frozen_graph_draws_the_same(name):
    config, weights, feed, images = networks.case(name)
    meta = meta_graph(config, weights)
    content = frozen.frozen(meta)
    assert content == frozen.frozen(meta_graph(config, weights))
    found = run_frozen(content, 'images:0', feed)
    assert found.shape == images.shape and np.abs(found - images).max() < LIMIT
    assert images.std() > 0.1 and np.abs(images[0] - images[1]).max() > 0.1
    assert np.abs(run_frozen(content, 'images:0', first(feed)) - images[:1]).max() < (
        LIMIT)
    assert json.loads(run_frozen(content, 'about:0', {}))['names'] == (
        list(config.classes))


@every_case
def test_its_graph_is_the_sampler_alone_in_plain_layers(name):
    config, weights, feed, _ = networks.case(name)
    nodes = meta_graph(config, weights).graph_def.node
    assert {node.op for node in nodes} <= PLAIN
    assert {node.name for node in nodes if node.op == 'Placeholder'} == set(feed)
    constants = {node.name for node in nodes if node.op == 'Const'}
    assert set(weights) <= constants        # by the checkpoint's names, each once
    size = sum(value.nbytes for value in weights.values())
    assert len(frozen.frozen(meta_graph(config, weights))) < size + 20000


@every_case
def test_onnx_draws_the_same(name):
    config, weights, feed, images = networks.case(name)
    content = onnx_graph.build(config, weights, about(config))
    assert content == onnx_graph.build(config, weights, about(config))
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert {node.op_type for node in model.graph.node} <= ONNX
    assert [value.name for value in model.graph.input] == list(feed)
    arrays = {value.name for value in model.graph.initializer if value.data_type == 1}
    assert arrays <= set(weights)       # by the checkpoint's names
    found = run_onnx(content, feed)
    assert found.shape == images.shape and np.abs(found - images).max() < LIMIT
    assert np.abs(run_onnx(content, first(feed)) - images[:1]).max() < LIMIT


@every_case
def test_weights_stored_in_half_are_at_most_a_gray_level_off(name):
    config, weights, feed, images = networks.case(name)
    content = onnx_graph.build(config, weights, about(config), half=True)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    found, wanted = (inverse_transform(values).astype(int) for values in (
        run_onnx(content, feed), images))
    assert np.abs(found - wanted).max() <= 1
    assert len(content) < len(onnx_graph.build(config, weights, about(config)))


def test_what_half_precision_cannot_hold_stays_as_it_is():
    config, weights, feed, images = networks.case('biases, labels')
    name, norm = 'generator/g_h0_lin/Matrix', 'generator/g_bn0/'
    scale = np.float32(1e6)     # of the first map, which batch norm takes away again
    large = dict(weights)
    large[name] = weights[name] * scale
    large['generator/g_h0_lin/bias'] = weights['generator/g_h0_lin/bias'] * scale
    large[norm + 'moving_mean'] = weights[norm + 'moving_mean'] * scale
    large[norm + 'moving_variance'] = weights[norm + 'moving_variance'] * scale ** 2
    content = onnx_graph.build(config, large, about(config), half=True)
    assert np.abs(run_onnx(content, feed) - images).max() < 2e-2
    stored = {value.name for value in onnx.load_from_string(content).graph.initializer}
    assert name in stored and 'generator/g_h1/w/half' in stored


@pytest.mark.parametrize('kernel', [3, 4, 5])
def test_pads_are_those_of_SAME(kernel):
    rng = np.random.RandomState(0)
    helper, w = onnx.helper, rng.randn(kernel, kernel, 2, 3).astype('f')
    info = helper.make_tensor_value_info
    for size in range(7, 21):
        x = rng.randn(1, (size + 1) // 2, (size + 1) // 2, 3).astype('f')
        before, after = onnx_graph.pads(size, kernel)
        node = helper.make_node('ConvTranspose', ['x', 'w'], ['y'], strides=[2, 2],
                                pads=[before, before, after, after])
        graph = helper.make_graph(
            [node], 'g', [info('x', 1, [1, 3, *x.shape[1:3]])], [info('y', 1, None)],
            [onnx.numpy_helper.from_array(w.transpose(3, 2, 0, 1).copy(), 'w')])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)],
                                  ir_version=8)
        found = run_onnx(model.SerializeToString(), {'x': x.transpose(0, 3, 1, 2)})
        with tf.Graph().as_default(), tf.Session() as sess:
            wanted = sess.run(tf.nn.conv2d_transpose(
                x, w, [1, size, size, 2], [1, 2, 2, 1], 'SAME'))
        np.testing.assert_allclose(found.transpose(0, 2, 3, 1), wanted, atol=1e-4)


def test_onnx_carries_the_facts_of_its_run():
    config, weights, _, _ = networks.case('gray, labels')
    model = onnx.load_from_string(onnx_graph.build(config, weights, about(config)))
    (prop,) = model.metadata_props
    assert prop.key == 'about'
    assert json.loads(prop.value) == about(config) == dict(
        name='run', step=3, height=28, width=28, c_dim=1, z_dim=8, z_dist='normal01',
        labels='classes', names=['a', 'b', 'c'], seed=0)


def test_of_many_labels_some_are_said():
    config = networks.make_config(conditional=True, classes=tuple(map(str, range(999))))
    said = facts.describe(about(config))[1]
    assert said.startswith('y: float32 [N, 999], ') and said.endswith(
        ' 98, 99 and 899 more')


def test_weights_of_another_network_are_named():
    config, weights, _, _ = networks.case('gray, labels')
    other = config.replace(gf_dim=8)
    with pytest.raises(UserError, match=r'g_h0_lin/Matrix: \[11, .*\] here'):
        meta_graph(other, weights)
    missing = dict(weights)
    del missing['generator/g_bn1/beta']
    with pytest.raises(UserError, match=r'g_bn1/beta: .* missing there'):
        meta_graph(config, missing)


def test_epsilon_is_that_of_batch_norm():
    assert onnx_graph.EPSILON == ops.EPSILON
