"""What --task evaluate prints: its table, and the words on copies, from the numbers."""

import numpy as np

from metrics.frechet import frechet_name
from runs import history
from tasks.parts.outputs import markdown


def table(rows, label):
    """Return the rows as a Markdown table, aligned for a terminal."""
    splits = rows[0][2].inception_splits
    titles = ['images', 'against', 'N', frechet_name(label), 'KID x 1000']
    titles += ['IS, %d splits' % splits] if splits else []
    titles += ['precision', 'recall', 'density', 'coverage', '1-NN']
    return markdown([titles] + [
        [images, against, *entries(result)] for images, against, result in rows], 2)


def notes(rows):
    """Return the lines on numbers of few images, with a blank one after them."""
    note = history.few_note(*(result.num for _, _, result in rows))
    return [note, ''] if note else []


def entries(r):
    """Return the cells of a Result."""
    texts = [format(r.num, ','), '%.4g' % r.fd,
             spread(1000 * r.kid, 1000 * r.kid_deviation)]
    if r.inception_splits:
        texts.append(spread(r.inception_score, r.inception_deviation))
    return texts + ['%.3f' % x for x in (r.precision, r.recall, r.density,
                                       r.coverage, r.nn_accuracy)]


def spread(mean, deviation):
    """Return a mean and its deviation, where it is known, as text."""
    text = ('%#.4g' % mean).rstrip('.')
    if np.isnan(deviation):
        return text
    return text + ' ± ' + ('%#.2g' % deviation).rstrip('.')


def memory_text(found):
    """Return the lines that tell whether samples are nearer than unseen images."""
    return ('Memorised? Distance to the nearest of {among:,} of the {of:,} training '
            'images ({features}):\n'
            'of {num:,} samples {samples_50:.3g} in the median, {samples_1:.3g} at the '
            'nearest 1 %; of {num_unseen:,} {compared_with} {unseen_50:.3g} and '
            '{unseen_1:.3g}.\n'
            'A sample is the nearer one in {nearer:.0%} of pairs (50 %: like images '
            'never seen; near 100 %: copies, or blurred).').format(**found)
