"""Numbers that tell how near generated images are to real ones, from their features.

An extractor turns images into features [N, D], a row an image; a metric turns the
features of two sets into a number: frechet (the FID), kid, precision_recall and others.
Only numbers of the same features and the same N can be compared.
"""
