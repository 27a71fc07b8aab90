"""One process that trains alone, as a network sees it: nothing is averaged.

Where several train together, workers/averages.py has what takes its place.
"""


class Alone:
    """What one process adds to the graph: nothing.

    size        how many train together; their batches have consecutive numbers
    moments     function of [N, H, W, C] for batch_norm; None: those of its own batch
    last        what the next exchange waits for, so that their order is defined
    """

    size, moments, last = 1, None, ()

    def average(self, gradients, scalars):
        """Return the means over all workers of a network's gradients and of scalars."""
        return gradients, scalars
