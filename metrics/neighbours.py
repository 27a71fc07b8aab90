"""Nearest neighbours by Euclidean distance, in blocks."""

import numpy as np

from metrics.arrays import BLOCK, blocks, check_features

ROUNDING = 1e-12    # of |x|^2 + |y|^2: a squared distance below it counts as 0


def nearest(queries, references, k=1, leave_out=False, block=BLOCK):
    """Return the k nearest references of each query, the nearest first.

    Features [N, D] and [M, D], which may be mapped from disk: indices int [N, k] and
    distances float64 [N, k]. With `leave_out`, query i is reference i and not its own
    neighbour. References at the same distance come in no particular order. Memory: two
    blocks in float64 and a few matrices of block squared.
    Raises ValueError for fewer than k references (with leave_out, k + 1) and as of
    check_features.
    """
    if k < 1:
        raise ValueError('k: found %r; expected 1 neighbour or more.' % k)
    queries = check_features('queries', queries)
    references = check_features('references', references, k + leave_out,
                                queries.shape[1])
    if leave_out and len(queries) != len(references):
        raise ValueError('leave_out: found %d queries and %d references; expected the '
                         'same rows twice.' % (len(queries), len(references)))
    found = [search(rows, references, k, start if leave_out else None, block)
             for start, rows in blocks(queries, block)]
    return tuple(np.concatenate(part) for part in zip(*found))


def nearest_in_parts(queries, parts, k):
    """Do nearest among references that come part by part, each an array [m, D].

    An index counts from the first row of the first part. Raises ValueError where there
    are fewer than k in all.
    """
    indices, distances = (np.zeros((len(queries), 0), kind) for kind in (int, float))
    start = 0
    for part in parts:
        new_indices, new = nearest(queries, part, min(k, len(part)))
        indices = np.hstack([indices, start + new_indices])
        distances = np.hstack([distances, new])
        best = np.argsort(distances, axis=1, kind='stable')[:, :k]
        indices = np.take_along_axis(indices, best, axis=1)
        distances = np.take_along_axis(distances, best, axis=1)
        start += len(part)
    if start < k:
        raise ValueError('references: found %d rows; expected at least %d. Take more '
                         'images.' % (start, k))
    return indices, distances


def search(queries, references, k, own, block):
    """Do nearest for one block of queries; the first is reference `own` or None."""
    squared = np.full((len(queries), k), np.inf)
    indices = np.zeros((len(queries), k), int)
    for start, rows in blocks(references, block):
        new = squared_distances(queries, rows)
        if own is not None:
            leave_out_own(new, own - start)
        new_indices = np.broadcast_to(start + np.arange(len(rows)), new.shape)
        squared, indices = np.hstack([squared, new]), np.hstack([indices, new_indices])
        best = np.argpartition(squared, k - 1, axis=1)[:, :k]
        squared = np.take_along_axis(squared, best, axis=1)
        indices = np.take_along_axis(indices, best, axis=1)
    # Again by differences: exact where the difference of large squares is not.
    distances = np.stack([np.linalg.norm(np.subtract(queries, references[column],
                                                     dtype=np.float64), axis=1)
                          for column in indices.T], axis=1)
    order = np.argsort(distances, axis=1)
    return (np.take_along_axis(indices, order, axis=1),
            np.take_along_axis(distances, order, axis=1))


def leave_out_own(squared, shift):
    """Set squared[i, i + shift], where it exists, to infinity."""
    rows, columns = np.indices(squared.shape, sparse=True)
    squared[columns - rows == shift] = np.inf


def squared_distances(x, y):
    """Return the squared distances float64 [N, M] of the rows of x and y.

    By |x|^2 + |y|^2 - 2 x.y, about the mean of y, so that an offset that all features
    share costs no digits. What rounding cannot tell from 0 is 0: copies are at 0.
    """
    centre = y.mean(axis=0, dtype=np.float64)
    x, y = x - centre, y - centre
    sums = np.sum(x * x, axis=1)[:, None] + np.sum(y * y, axis=1)
    squared = sums - 2 * (x @ y.T)
    squared[squared < ROUNDING * sums] = 0
    return squared
