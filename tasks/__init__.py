"""What can be done beside training: --task NAME is done by tasks/NAME.py.

A task is a module with a function main(config, run, path) that prints what it wrote;
`path` is the checkpoint's. curves and watch, which need none, have main(config).
"""
