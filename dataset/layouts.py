"""Layouts: what the folders of a data set say: its splits, and the class of an image.

Paths are those below the folder of the data set, or within an archive.
"""

import collections
import re
import typing

from dataset.files import normal, slashes

# What people call the folders of a division, and the words around them, as seg_train
SPLIT = re.compile(
    r'(?:.*[ _-])?(?:(train|training|trainset|训练)|(?:val|valid|validate|validation|'
    r'dev|eval|holdout|test|testing|testset|pred|prediction|验证|测试)\d?)'
    r'(?:[ _-]?(?:set|data|images|imgs|集|数据|图片|\d+))?$', re.IGNORECASE)
# The same with a class, as trainA and testA, or cats_train and cats_test
CLASSED = re.compile(
    r'(?:(?P<before>.+)[ _-])?(?:(?P<train>training|train)|validation|valid|val|'
    r'testing|test)(?:[ _-]?(?P<after>.+))?$', re.IGNORECASE)
NO_CLASS = re.compile(r'|set|data|images|imgs|\d+', re.IGNORECASE)
NUMBER = re.compile(r'[+-]?\d+(\.\d+)?$')


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
    has such folders in it, or their names have the class in them.
    """
    paths = unwrap([normal(name).split('/')[:-1] for name in names])
    classed = by_names(paths)
    if classed:
        return classed
    for depth in (0, 1):
        found = collections.Counter(p[depth] for p in paths if len(p) > depth)
        kinds = {name: kind(name) for name in found}
        whole = depth == 0 or None not in kinds.values()
        if whole and {'train', 'held_out'} <= set(kinds.values()):
            return divided(paths, depth, found, kinds)
    return Layout(None, paths, '')


def by_first_folder(names):
    """Return the Layout of older runs, whose classes were the folders at the top."""
    return Layout(None, [slashes(name).split('/')[:-1] for name in names], '')


def unwrap(paths):
    """Leave out the folders that all images are in."""
    while paths and all(paths) and len({path[0] for path in paths}) == 1:
        paths = [path[1:] for path in paths]
    return paths


def kind(name):
    """Return what a folder's name says: 'train', 'held_out', or None."""
    match = SPLIT.match(name)
    return match and ('train' if match.group(1) else 'held_out')


def by_names(paths):
    """Return the Layout of folders such as trainA, trainB, testA, testB, else None.

    The same classes, two or more, are in the training images and in the others.
    """
    parts = {path[0]: CLASSED.match(path[0]) for path in paths if path}
    if not all(paths) or not all(parts.values()):
        return None
    told = {name: ('train' if match['train'] else 'held_out',
                   match['before'] or match['after'] or '')
            for name, match in parts.items()}
    of = {which: {label for split, label in told.values() if split == which}
          for which in ('train', 'held_out')}
    if (of['train'] != of['held_out'] or len(of['train']) < 2
            or any(map(NO_CLASS.fullmatch, of['train']))):
        return None
    found = collections.Counter(path[0] for path in paths)
    return Layout([told[path[0]][0] for path in paths],
                  [[told[path[0]][1]] + path[1:] for path in paths],
                  note(found, {name: split for name, (split, _) in told.items()}))


def divided(paths, depth, found, kinds):
    """Return the Layout of paths whose folders at a depth are a division."""
    splits = [kinds[path[depth]] if len(path) > depth else 'train' for path in paths]
    below = [path[:depth] + path[depth + 1:] for path in paths]
    for which in set(found):      # seg_train/seg_train/…: each split's own wrapper
        inside = [i for i, path in enumerate(paths) if path[depth:depth + 1] == [which]]
        if all(below[i][depth:depth + 1] == [which] for i in inside):
            for i in inside:
                below[i] = below[i][:depth] + below[i][depth + 1:]
    loose = sum(len(path) <= depth for path in paths)
    return Layout(splits, unwrapped(below, splits), note(found, kinds, loose))


def unwrapped(below, splits):
    """Leave out the folders that all images to train on are in: train/images/…"""
    while True:
        first = {path[0] if path else None
                 for path, split in zip(below, splits) if split == 'train'}
        if len(first) != 1 or None in first:
            return below
        below = [path[1:] if path[:1] == list(first) else path for path in below]


def note(found, kinds, loose=0):
    """Return the sentence on a division: {folder: images}, {folder: its kind}."""
    def listed(wanted):
        return ', '.join('%s (%s)' % (name, format(found[name], ','))
                         for name in sorted(found) if kinds[name] == wanted)
    text = 'trained on: %s' % listed('train')
    if loose:
        text += ', outside of them (%s)' % format(loose, ',')
    text += '; held out: %s' % listed('held_out')
    if None in kinds.values():
        text += '; neither: %s' % listed(None)
    return text


def natural(text):
    """Return the key that sorts 2 before 10, and letters without regard to case."""
    if NUMBER.match(text):      # -1 after -2, 1.5 after 1.25
        return [(0, float(text), '')], text
    return [(0, int(part), '') if part.isdecimal() else (1, 0, part.casefold())
            for part in re.findall(r'\d+|\D+', text)], text
