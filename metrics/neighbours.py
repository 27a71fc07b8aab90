"""Nearest neighbours by Euclidean distance, in blocks."""

import numpy as np

from metrics.arrays import blocks, check_features

ROUNDING = 1e-12    # of |x|^2 + |y|^2: a squared distance below it counts as 0


def nearest(queries, references, k=1, leave_out=False):
    """Return the k nearest references of each query, the nearest first.

    Features [N, D] and [M, D], which may be mapped from disk: indices int [N, k] and
    distances float64 [N, k]. With `leave_out`, the queries are the references, and none
    is its own neighbour. Memory: two blocks in float64 and a few matrices of a block
    squared. Raises ValueError for fewer than k references (with leave_out, k + 1) and
    as of check_features.
    """
    queries = check_features('queries', queries)
    references = check_features('references', references, k + leave_out,
                                queries.shape[1])
    found = [search(rows, references, k, start if leave_out else None)
             for start, rows in blocks(queries)]
    return tuple(np.concatenate(part) for part in zip(*found))


def nearest_in_parts(queries, parts, k):
    """Do what nearest does among references that come part by part, each [m, D].

    An index counts from the first row of the first part.
    """
    indices, distances = (np.zeros((len(queries), 0), kind) for kind in (int, float))
    start = 0
    for part in parts:
        found, new = nearest(queries, part, min(k, len(part)))
        distances = np.hstack([distances, new])
        indices = np.hstack([indices, start + found])
        best = np.argsort(distances, axis=1, kind='stable')[:, :k]
        indices, distances = take(best, indices, distances)
        start += len(part)
    return indices, distances


def search(queries, references, k, own):
    """Do what nearest does for one block of queries.

    `own` is the index of the first of them among the references, where each is to be
    left out of its own neighbours, else None.
    """
    squared = np.full((len(queries), k), np.inf)
    indices = np.zeros((len(queries), k), int)
    for start, rows in blocks(references):
        new = squared_distances(queries, rows)
        new_indices = np.broadcast_to(start + np.arange(len(rows)), new.shape)
        if own is not None:
            new[new_indices == own + np.arange(len(queries))[:, None]] = np.inf
        squared, indices = np.hstack([squared, new]), np.hstack([indices, new_indices])
        best = np.argpartition(squared, k - 1, axis=1)[:, :k]
        indices, squared = take(best, indices, squared)
    # Again by differences: exact where the difference of large squares is not.
    distances = np.stack([np.linalg.norm(np.subtract(queries, references[column],
                                                     dtype=np.float64), axis=1)
                          for column in indices.T], axis=1)
    return take(np.argsort(distances, axis=1), indices, distances)


def take(best, *arrays):
    """Return of each array [N, M] the columns that `best` [N, k] tells for each row."""
    return [np.take_along_axis(array, best, axis=1) for array in arrays]


def squared_distances(x, y):
    """Return the squared distances float64 [N, M] of the rows of x and y.

    They are |x|^2 + |y|^2 - 2 x.y about the mean of y, so that an offset that all
    features share costs no digits. Where only rounding is left the distance is 0.
    """
    centre = y.mean(axis=0, dtype=np.float64)
    x, y = x - centre, y - centre
    sums = np.sum(x * x, axis=1)[:, None] + np.sum(y * y, axis=1)
    squared = sums - 2 * (x @ y.T)
    squared[squared < ROUNDING * sums] = 0
    return squared
