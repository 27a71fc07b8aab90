"""The sampler as ONNX, written node by node: no converter, and no TensorFlow.

ONNX has images as [N, C, H, W], and a transposed convolution's weights as [in, out, k,
k], where TensorFlow has [k, k, out, in]; neither turns the kernel round. Weights keep
the checkpoint's names.
"""

import numpy as np

from export.facts import as_json
from graph.maps import map_channels, map_sizes
from settings.errors import UserError

OPSET, IR_VERSION = 17, 8   # of 2022: what older readers know too
EPSILON = 1e-5              # of ops.batch_norm
HALF = 2.0 ** -10           # what a weight may change by in half, of the largest one


def build(config, weights, facts, half=False):
    """Return the bytes of the model: `z` (and `y`) in, `images` [N, H, W, C] out.

    `weights` are {name: float32 array} of the generator. With `half` the matrices and
    kernels are stored as float16; what is computed stays float32. Raises UserError
    where the package onnx is missing.
    """
    helper = import_onnx().helper
    nodes = Nodes(helper, half)
    network = {'dcgan': dcgan, 'mlp': mlp}[config.architecture]
    network(nodes, config, weights)
    inputs = [('z', [config.z_dim])] + [('y', [config.y_dim])] * bool(config.y_dim)
    inputs, outputs = ([helper.make_tensor_value_info(
        name, nodes.types.FLOAT, ['N'] + shape) for name, shape in values]
        for values in (inputs, [('images', shape_of(config))]))
    model = helper.make_model(
        helper.make_graph(nodes.all, 'sampler', inputs, outputs, nodes.constants),
        opset_imports=[helper.make_opsetid('', OPSET)], ir_version=IR_VERSION,
        producer_name='DCGAN')
    helper.set_model_props(model, {'about': as_json(facts)})
    return model.SerializeToString(deterministic=True)


def import_onnx():
    """Return the package onnx. Raises UserError where it is not installed."""
    try:
        import onnx
    except ImportError as missing:
        raise UserError('ONNX needs the package onnx (%s): `make install`, or `python '
                        '-m pip install -r requirements.txt`; or leave it out: '
                        '--formats frozen,saved_model.' % missing)
    return onnx


def shape_of(config):
    """Return [H, W, C] of an image."""
    return [config.output_height, config.output_width, config.c_dim]


class Nodes:
    """The nodes of a graph and its constants, as they are added."""

    def __init__(self, helper, half):
        from onnx import TensorProto, numpy_helper
        self.helper, self.types, self.from_array = (
            helper, TensorProto, numpy_helper.from_array)
        self.all, self.constants, self.half = [], [], half

    def add(self, op, inputs, output=None, **attributes):
        """Add a node; return the name of its output, by default one of its own."""
        output = output or '%s_%d' % (op, len(self.all))
        self.all.append(self.helper.make_node(op, inputs, [output], name=output,
                                              **attributes))
        return output

    def constant(self, name, value):
        """Add an array; return the name by which nodes take it."""
        with np.errstate(over='ignore'):
            stored = value.astype(np.float16)
        if self.half and value.dtype == np.float32 and value.ndim > 1 and (
                np.abs(stored - value).max() <= HALF * np.abs(value).max()):
            self.constants.append(self.from_array(stored, name + '/half'))
            return self.add('Cast', [name + '/half'], name, to=self.types.FLOAT)
        self.constants.append(self.from_array(np.ascontiguousarray(value), name))
        return name

    def integers(self, name, *values):
        """Add a list of integers, such as a shape; return its name."""
        return self.constant(name, np.array(values, np.int64))


# --- the networks, as in model.py --------------------------------------------

def dcgan(nodes, config, weights):
    """Add DCGAN.generator: a projection, then transposed convolutions."""
    sizes = map_sizes(config.output_height, config.output_width)[::-1]
    channels = map_channels(len(sizes) - 1, config.gf_dim)[::-1]
    h, biases = project(nodes, config, weights, sizes[0], channels[0]), None
    for i in range(1, len(sizes)):
        h = nodes.add('Relu', [batch_norm(nodes, weights, i - 1, h, biases)])
        if config.y_dim:
            h = nodes.add('Concat', [h, label_maps(nodes, sizes[i - 1])], axis=1)
        biases = weights.get('generator/g_h%d/biases' % i)
        h = deconv(nodes, weights, i, h, sizes[i], last=i == len(sizes) - 1)
    nodes.add('Transpose', [nodes.add('Tanh', [h])], 'images', perm=[0, 2, 3, 1])


def mlp(nodes, config, weights):
    """Add MLP.generator: two layers."""
    h = nodes.add('Relu', [dense(nodes, weights, 'g_h0_lin', z_and_y(nodes, config))])
    h = nodes.add('Tanh', [dense(nodes, weights, 'g_h1_lin', h)])
    nodes.add('Reshape', [h, nodes.integers('shape', -1, *shape_of(config))], 'images')


def z_and_y(nodes, config):
    """Return the input of the first layer: z, with the labels appended."""
    return nodes.add('Concat', ['z', 'y'], axis=1) if config.y_dim else 'z'


def dense(nodes, weights, name, h, arrange=lambda rows: rows):
    """Add ops.linear, whose columns may be arranged anew: [N, D] to [N, size]."""
    inputs = ['generator/%s/%s' % (name, part) for part in ('Matrix', 'bias')]
    return nodes.add('Gemm', [h] + [nodes.constant(part, arrange(weights[part]))
                                    for part in inputs if part in weights])


def project(nodes, config, weights, size, channels):
    """Add the first layer: z to the first map [N, C, H, W]."""
    def channels_first(rows):
        return np.moveaxis(rows.reshape(rows.shape[:-1] + size + (channels,)),
                           -1, -3).reshape(rows.shape)
    h = dense(nodes, weights, 'g_h0_lin', z_and_y(nodes, config), channels_first)
    return nodes.add('Reshape', [h, nodes.integers('first_map', -1, channels, *size)])


def label_maps(nodes, size):
    """Add the labels as constant maps [N, K, H, W]; see ops.concat_label."""
    y = nodes.add('Unsqueeze', ['y', nodes.integers('axes_%dx%d' % size, 2, 3)])
    return nodes.add('Expand', [y, nodes.integers('map_%dx%d' % size, 1, 1, *size)])


def batch_norm(nodes, weights, number, h, biases):
    """Add ops.batch_norm by its moving averages; the `biases` are not added to h."""
    scope = 'generator/g_bn%d/' % number
    values = {part: weights[scope + part]
              for part in ('gamma', 'beta', 'moving_mean', 'moving_variance')}
    if biases is not None:
        values['moving_mean'] = values['moving_mean'] - biases
    return nodes.add('BatchNormalization', [h] + [
        nodes.constant(scope + part, value) for part, value in values.items()],
        epsilon=EPSILON)


def deconv(nodes, weights, number, h, size, last):
    """Add ops.deconv2d, to maps of `size` (H, W); the last one adds its biases."""
    scope = 'generator/g_h%d/' % number
    w = weights[scope + 'w']
    kernel = w.shape[0]
    inputs = [h, nodes.constant(scope + 'w', w.transpose(3, 2, 0, 1))]
    if last:
        inputs.append(nodes.constant(scope + 'biases', weights[scope + 'biases']))
    (top, bottom), (left, right) = (pads(side, kernel) for side in size)
    return nodes.add('ConvTranspose', inputs, kernel_shape=[kernel, kernel],
                     strides=[2, 2], pads=[top, left, bottom, right])


def pads(size, kernel):
    """Return how much padding SAME takes off one side of a map: (before, after).

    Written out, since what ONNX's own SAME takes off differs for odd sizes.
    """
    small = (size + 1) // 2
    total = max(2 * (small - 1) + kernel - size, 0)
    return total // 2, total - total // 2
