"""FLOPs of a training step, counted from the graph; passes through the networks."""

import numpy as np

CONVOLUTIONS = ('Conv2D', 'Conv2DBackpropInput', 'Conv2DBackpropFilter')


def reachable(fetches):
    """Return the set of operations that fetching these needs."""
    seen, left = set(), [getattr(f, 'op', f) for f in fetches]
    while left:
        op = left.pop()
        if op not in seen:
            seen.add(op)
            left += [t.op for t in op.inputs] + list(op.control_inputs)
    return seen


def work(op):
    """Return (multiplications and additions for one image, weights' shape) of an op.

    Of a convolution, whichever way it is gone through, that is twice the places of its
    smaller map times the numbers of its kernel; of a product twice its matrix.
    """
    if op.type == 'Conv2D':
        small, weights = op.outputs[0], op.inputs[1].shape.as_list()
    elif op.type == 'Conv2DBackpropInput':
        small, weights = op.inputs[2], op.inputs[1].shape.as_list()
    else:
        small, weights = op.inputs[2], op.outputs[0].shape.as_list()
    height, width = small.shape.as_list()[1:3]
    return 2 * height * width * int(np.prod(weights)), weights


def product(op):
    """Return the same of a product of [N, D] and [D, units] or its gradient."""
    shapes = [t.shape.as_list() for t in (*op.inputs, *op.outputs)]
    matrix = next(s for s in shapes if None not in s)
    return 2 * int(np.prod(matrix)), matrix


def count(fetches):
    """Return FLOPs for one image of what fetching these computes, and passes by layer.

    Passes: {shape of weights: how often that layer is gone through}, forward or
    backward through activations or weights each counting one.
    """
    total, passes = 0, {}
    for op in reachable(fetches):
        if op.type in CONVOLUTIONS:
            flops, weights = work(op)
        elif op.type == 'MatMul':
            flops, weights = product(op)
        else:
            continue
        total += flops
        passes[tuple(weights)] = passes.get(tuple(weights), 0) + 1
    return total, passes
