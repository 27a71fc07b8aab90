"""One process that trains alone: its gradients are not averaged with anyone's.

Where several train together, workers/averages.py has what takes its place.
"""

import contextlib

import tensorflow.compat.v1 as tf


class Alone:
    """What one process adds to the graph of the networks: nothing.

    size        how many train together; their batches have consecutive numbers
    moments     function of [N, H, W, C] for batch_norm; None: those of its own batch
    last        what the next exchange waits for, so that their order is defined
    """

    size, moments, last = 1, None, ()

    def average(self, gradients, scalars):
        """Return the means over all workers of a network's gradients and of scalars."""
        return gradients, scalars

    def minimize(self, optimizer, loss, var_list, scalars):
        """Return the optimizer's update of `var_list`, and the list of scalars.

        Of several workers, both are by means over all. Without a gate: one would make
        all gradients of an operation wait for each other, and so compute those of D's
        weights for G's loss too.
        """
        gradients, variables = zip(*optimizer.compute_gradients(
            loss, var_list, gate_gradients=tf.train.Optimizer.GATE_NONE))
        gradients, scalars = self.average(gradients, list(scalars))
        return optimizer.apply_gradients(list(zip(gradients, variables))), scalars

    @contextlib.contextmanager
    def waiting_for(self, last):
        """Let the exchanges within wait for `last`, and those after as if none were."""
        before, self.last = self.last, last
        yield
        self.last = before
