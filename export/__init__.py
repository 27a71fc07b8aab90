"""Export: the network in forms that other programs read.

What is exported is the sampler alone, with the weights that it draws with. Each module
makes one form, as bytes or text; tasks/export.py writes them.
"""
