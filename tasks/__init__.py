"""What can be done beside training: --task NAME runs tasks/NAME.py.

A task is a module with a function run(config, run, path) that prints what it wrote;
`path` is the checkpoint's. One that needs no checkpoint has run(config).
"""

import typing


class Task(typing.NamedTuple):
    """A row of the table: what the task does, and whether it needs a checkpoint."""

    about: str
    checkpoint: bool = True


TASKS = {
    'sample': Task('draw images: a sheet, or with --separate one PNG each'),
    'evaluate': Task('judge samples: a table of metrics beside those of real images'),
    'walk': Task('go from z to z, or along its dimensions: sheets and films'),
    'arithmetic': Task('add and subtract z, as smiling woman - woman + man'),
    'filters': Task("show what D's features answer to, by guided backpropagation"),
    'drop': Task('make the generator forget an attribute, by dropping feature maps'),
    'complete': Task('fill the hidden part of --images, or of held-out images'),
    'classify': Task("tell labels by D's features, with a linear SVM"),
    'curves': Task('lay the losses of several runs over one another',
                   checkpoint=False),
}
