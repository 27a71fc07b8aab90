"""Count the FLOPs of what a session runs, from the graph and the shapes of a run."""

import numpy as np

PRODUCTS = ('Conv2D', 'Conv2DBackpropInput', 'Conv2DBackpropFilter', 'MatMul')


def reachable(fetches):
    """Return the set of operations that fetching these needs."""
    seen, left = set(), [getattr(f, 'op', f) for f in fetches]
    while left:
        op = left.pop()
        if op not in seen:
            seen.add(op)
            left += [t.op for t in op.inputs] + list(op.control_inputs)
    return seen


def work(op, inputs, output):
    """Return the multiplications and additions of an op on arrays of these shapes.

    Of a convolution, whichever way it is gone through, that is twice the places of its
    smaller map times the numbers of its kernel; of a product [N, K] [K, M] 2 N K M.
    """
    if op.type == 'MatMul':
        inner = inputs[0][0 if op.get_attr('transpose_a') else 1]
        return 2 * np.prod(output) * inner
    small = output if op.type == 'Conv2D' else inputs[2]
    weights = output if op.type == 'Conv2DBackpropFilter' else inputs[1]
    return 2 * np.prod(small[:3]) * np.prod(weights)


def count(sess, fetches, feed):
    """Return the FLOPs of the convolutions and products that fetching these computes.

    The shapes come from one run that fetches all products.
    """
    ops = [op for op in reachable(fetches) if op.type in PRODUCTS]
    tensors = {t for op in ops for t in list(op.inputs) + list(op.outputs)}
    shapes = {t: np.shape(value) for t, value in
              sess.run({t.name: t for t in tensors}, feed).items()}
    return int(sum(work(op, [shapes[t.name] for t in op.inputs],
                        shapes[op.outputs[0].name]) for op in ops))


def count_static(fetches, batch):
    """Return what count does, from the shapes in the graph; None in them is `batch`.

    For a graph of plain convolutions, as with a GPU.
    """
    def shape(tensor):
        return [batch if size is None else size for size in tensor.shape.as_list()]
    ops = [op for op in reachable(fetches) if op.type in PRODUCTS]
    return int(sum(work(op, [shape(t) if t.shape.ndims else () for t in op.inputs],
                        shape(op.outputs[0])) for op in ops))
