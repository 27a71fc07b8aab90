"""Averages: what several workers exchange in a step, as parts of the graph.

They use TensorFlow's collective operations, which add up what all workers send. In a
step each network has one: its gradients, flattened into one vector, and the losses with
them. All workers must run them in the same order, because NCCL adds up whatever arrives
at the same time; control dependencies set that order.
"""

import tensorflow.compat.v1 as tf

from graph.alone import Alone

GROUP = 1                                       # the key of all workers together
MOVING = 'moving_mean', 'moving_variance'       # of batch norm, each worker's own
WORDS = {4: tf.int32, 8: tf.int64}              # by the bytes of a number


class Averages(Alone):
    """Takes means over all workers, in one graph.

    `keys` yields a new number for each exchange, the same on every worker. `device` is
    where gradients are exchanged. `status` is fed: 0, or the exit status of a worker
    that was told to stop. `stopping` is the largest status of all workers.
    """

    def __init__(self, rank, size, keys, device, hint='ring', sync=False):
        self.rank, self.size, self.keys, self.last = rank, size, keys, []
        self.device, self.hint = device, hint
        self.host = device.partition('/device')[0] + '/device:CPU:0'
        self.moments = self.all_moments if sync else None
        self.status = tf.placeholder_with_default(0.0, [], 'status')
        self.stopping = None

    def all_reduce(self, tensor, on_host=False):
        """Return the sum of a tensor over all workers, which waits for the last one."""
        with tf.control_dependencies(self.last), tf.device(
                self.host if on_host else self.device):
            total = tf.raw_ops.CollectiveReduce(
                input=tensor, group_size=self.size, group_key=GROUP,
                instance_key=next(self.keys), merge_op='Add', final_op='Id',
                subdiv_offsets=[0],
                communication_hint='ring' if on_host else self.hint)
        self.last = [total.op]
        return total

    def average(self, gradients, scalars):
        """Return the means over all workers of a network's gradients and of scalars.

        A gradient may be None, where a variable has none. All go in one vector.
        """
        there = [g for g in gradients if g is not None]
        dtype = there[0].dtype
        statuses = tf.one_hot(self.rank, self.size, self.status, 0.0)
        *means, statuses = self.mean(
            there + [tf.cast(s, dtype) for s in scalars] + [tf.cast(statuses, dtype)])
        if self.stopping is None:       # the first in a step
            self.stopping = tf.reduce_max(statuses) * self.size
        means = iter(means)
        return ([None if g is None else next(means) for g in gradients],
                [tf.cast(next(means), s.dtype) for s in scalars])

    def mean(self, tensors):
        """Return the means of tensors of one dtype and of known shapes."""
        shapes = [tensor.shape.as_list() for tensor in tensors]
        flat = tf.concat([tf.reshape(tensor, [-1]) for tensor in tensors], 0)
        parts = tf.split(self.all_reduce(flat) / self.size,
                         [tensor.shape.num_elements() for tensor in tensors])
        return [tf.reshape(part, shape) for part, shape in zip(parts, shapes)]

    # --- batch norm ----------------------------------------------------------

    def all_moments(self, x):
        """Return the mean, variance and unbiased variance [C] of all workers' x.

        x is [N, H, W, C], with the same N everywhere. Added up in float64, where the
        difference of two large numbers still has digits.
        """
        mean, variance = (tf.cast(moment, tf.float64)
                          for moment in tf.nn.moments(x, [0, 1, 2]))
        mean, square = tf.unstack(self.summed(
            tf.stack([mean, variance + tf.square(mean)])) / self.size)
        variance = square - tf.square(mean)
        count = tf.cast(tf.reduce_prod(tf.shape(x)[:3]) * self.size, tf.float64)
        unbiased = variance * count / tf.maximum(count - 1, 1)
        return [tf.cast(moment, x.dtype) for moment in (mean, variance, unbiased)]

    def summed(self, x):
        """Return the sum over all workers; its gradient is the sum of theirs."""
        @tf.custom_gradient
        def total(x):
            return self.all_reduce(x), self.all_reduce
        return total(x)

    def settle(self, variables):
        """Return the op that sets batch norm's averages to their means over all."""
        own = [v for v in variables if v.op.name.endswith(MOVING)]
        if not own:
            return tf.no_op()
        self.last = []      # it runs by itself, as does what hand_out returns
        means = self.mean([v.read_value() for v in own])
        return tf.group(*[v.assign(mean) for v, mean in zip(own, means)])

    # --- variables -----------------------------------------------------------

    def hand_out(self, variables):
        """Return the op that gives all workers the chief's values, bit for bit.

        Their bits are added up as whole numbers; all workers but the chief add 0.
        """
        self.last, updates = [], []
        for dtype in sorted({v.dtype.base_dtype for v in variables}, key=str):
            own = [v for v in variables if v.dtype.base_dtype == dtype]
            words = [tf.reshape(tf.bitcast(v.read_value(), WORDS[dtype.size]), [-1])
                     for v in own]
            flat = tf.concat(words, 0)
            flat = self.all_reduce(flat if self.rank == 0 else tf.zeros_like(flat),
                                   on_host=True)
            parts = tf.split(flat, [v.shape.num_elements() for v in own])
            updates += [v.assign(tf.reshape(tf.bitcast(part, dtype), v.shape))
                        for v, part in zip(own, parts)]
        return tf.group(*updates)
