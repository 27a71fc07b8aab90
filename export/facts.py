"""Facts about an exported network that are needed to draw with it."""

import json

MOST_SAID = 100     # labels that are printed
PRIORS = {'normal01': 'drawn from N(0, 1)',
          'uniform_signed': 'drawn evenly from [-1, 1)',
          'uniform_unsigned': 'drawn evenly from [0, 1)'}


def collect(config, run, step):
    """Return the facts of a run at a step, as {name: a number, text or list}.

    `labels` is none, classes or attributes; `names` are theirs, in the order of y.
    """
    kind = 'attributes' if config.attributes else 'classes'
    return dict(
        name=run.name, step=step, height=config.output_height,
        width=config.output_width, c_dim=config.c_dim, z_dim=config.z_dim,
        z_dist=config.z_dist, labels=kind if config.y_dim else 'none',
        names=list(config.classes), seed=config.seed)


def as_json(facts):
    """Return the facts as a text that an exported file carries; the same each time."""
    return json.dumps(facts, sort_keys=True)


def describe(facts):
    """Return the lines that say what goes in and what comes out."""
    lines = ['z: float32 [N, %d], %s' % (facts['z_dim'], PRIORS[facts['z_dist']])]
    if facts['labels'] != 'none':
        what = {'classes': '1 for the class, 0 for the others',
                'attributes': '1 for an attribute that is there, -1 for others'}
        names, more = facts['names'][:MOST_SAID], len(facts['names']) - MOST_SAID
        lines.append('y: float32 [N, %d], %s, in this order: %s%s' % (
            len(facts['names']), what[facts['labels']], ', '.join(names),
            ' and %d more' % more if more > 0 else ''))
    lines.append('images: float32 [N, %d, %d, %d], from -1 to 1' % (
        facts['height'], facts['width'], facts['c_dim']))
    return lines
