"""Layouts: what the folders of a data set say: its splits, and the class of an image.

Paths are those below the folder of the data set, or within an archive.
"""

import collections
import re
import typing

from dataset.files import normal

# What people call the folders of a division, and the words around them, as seg_train
SPLIT = re.compile(
    r'(?:.*[ _-])?(?:(train|training|trainset)|(?:val|valid|validation|dev|eval|test|'
    r'testing|testset|pred|prediction)\d?)(?:[ _-]?(?:set|data|images|imgs|\d+))?$',
    re.IGNORECASE)


class Layout(typing.NamedTuple):
    """For each image: where it belongs, and its path below wrappers and splits.

    splits: 'train', 'held_out' or None, which is neither; None for no division at all.
    below: lists of folders. note: what was recognised, as a sentence, or ''.
    """

    splits: list
    below: list
    note: str


def read(names):
    """Return the Layout of relative paths.

    A folder that all images share says nothing. A division is one of folders at the top
    of which one is called train, or the like, and another val, test, …; or each class
    has such folders in it.
    """
    paths = unwrap([normal(name).split('/')[:-1] for name in names])
    for depth in (0, 1):
        found = collections.Counter(p[depth] for p in paths if len(p) > depth)
        kinds = {name: kind(name) for name in found}
        whole = depth == 0 or set(kinds.values()) <= {'train', 'held_out'} and all(
            len(path) > depth for path in paths)
        if whole and {'train', 'held_out'} <= set(kinds.values()):
            return divided(paths, depth, found, kinds)
    return Layout(None, paths, '')


def by_first_folder(names):
    """Return the Layout of older runs, whose classes were the folders at the top."""
    return Layout(None, [normal(name).split('/')[:-1] for name in names], '')


def unwrap(paths):
    """Leave out the folders that all images are in."""
    while paths and all(paths) and len({path[0] for path in paths}) == 1:
        paths = [path[1:] for path in paths]
    return paths


def kind(name):
    """Return what a folder's name says: 'train', 'held_out', or None."""
    match = SPLIT.match(name)
    return match and ('train' if match.group(1) else 'held_out')


def divided(paths, depth, found, kinds):
    """Return the Layout of paths whose folders at a depth are a division."""
    splits = [kinds[path[depth]] if len(path) > depth else 'train' for path in paths]
    below = [path[:depth] + path[depth + 1:] for path in paths]
    for which in set(found):      # seg_train/seg_train/…: each split's own wrapper
        inside = [i for i, path in enumerate(paths) if path[depth:depth + 1] == [which]]
        if all(below[i][depth:depth + 1] == [which] for i in inside):
            for i in inside:
                below[i] = below[i][:depth] + below[i][depth + 1:]

    def listed(wanted):
        return ', '.join('%s (%s)' % (name, format(found[name], ','))
                         for name in sorted(found) if kinds[name] == wanted)
    note = 'trained on: %s; held out: %s' % (listed('train'), listed('held_out'))
    if None in kinds.values():
        note += '; neither: %s' % listed(None)
    return Layout(splits, below, note)


def natural(text):
    """Return the key that sorts 2 before 10, and letters without regard to case."""
    return [(0, int(part), '') if part.isdecimal() else (1, 0, part.casefold())
            for part in re.findall(r'\d+|\D+', text)], text
