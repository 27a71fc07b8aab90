"""Export: the network in forms that other programs read.

Only the sampler is exported, with its weights. Each module makes one form, as bytes or
text; tasks/export.py writes them.
"""
