"""Epochs: how many a run has trained, even if its data set has grown or shrunk.

config.pictures says how many pictures there were, as '0:96 40:48': 96 from the start,
48 after step 40. config.teams says how many workers there were, in the same way.
"""

import fractions
import math


def take_up(pictures, start, count):
    """Return config.pictures of a run that goes on from step `start` with `count`.

    Older runs have no `pictures`: all their steps count as trained on `count`. The
    same goes for config.teams.
    """
    times = [time for time in read(pictures or '') if time[0] < start] or [(0, count)]
    if times[-1][1] != count:
        times.append((start, count))
    return ' '.join('%d:%d' % time for time in times)


def read(pictures):
    """Return config.pictures as [(step, count)]."""
    return [tuple(map(int, part.split(':'))) for part in pictures.split()]


def count_at(times, step):
    """Return the count from [(step, count)] that holds after a step."""
    return [count for first, count in times if first <= step][-1]


def change(pictures, start):
    """Return (pictures before, pictures now) of a run that goes on from step `start`.

    None where they are as many.
    """
    times = read(pictures)
    changed = len(times) > 1 and times[-1][0] == start
    return (times[-2][1], times[-1][1]) if changed else None


class Epochs:
    """Counts the epochs of a run; their steps are by the pictures and the workers."""

    def __init__(self, config):
        pictures, teams = read(config.pictures), read(config.teams or '0:1')
        used = config.batch_size * config.d_steps
        self.times = [(first, max(1, count_at(pictures, first)
                                  // (used * (count_at(teams, first) or 1))))
                      for first in sorted(set(dict(pictures + teams)))]
        self.first, self.steps = self.times[-1]     # since when, and of how many steps
        self.before = self.sum_up(self.first)       # kept: asked for at each step

    def trained(self, step):
        """Return how many epochs are trained after a step, as a Fraction."""
        if step < self.first:
            return self.sum_up(step)
        return self.before + fractions.Fraction(step - self.first, self.steps)

    def sum_up(self, step):
        """Return how many epochs are trained after a step, added up from the start."""
        ends = [first for first, _ in self.times[1:]] + [step]
        return sum(fractions.Fraction(max(0, min(end, step) - first), steps)
                   for (first, steps), end in zip(self.times, ends))

    def of(self, step):
        """Return the number of the epoch that a step is in; both count from 1."""
        return math.ceil(self.trained(step))

    def ends(self, step):
        """Tell whether an epoch ends with this step."""
        return int(self.trained(step)) > int(self.trained(step - 1))

    def so_far(self, step):
        """Return how many steps of the epoch are done after a step."""
        return round(self.trained(step) % 1 * self.steps)

    def total(self, epochs):
        """Return the step after which so many are trained, if the pictures stay."""
        return self.first + math.ceil((epochs - self.before) * self.steps)
