"""What can be done with a checkpoint: --task NAME runs tasks/NAME.py.

A task is a module with a function run(config, run, path) that prints what it wrote;
`path` is the checkpoint's.
"""

TASKS = {
    'sample': 'draw images: a sheet, or with --separate one PNG each',
}
