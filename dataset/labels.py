"""The labels of images: of the folders that they are in, or of a table's columns."""

import collections
import difflib
import itertools
import os

from dataset import layouts, reading, tables
from dataset.files import normal
from settings.errors import NotFoundError, UserError, shown

FEW = 20                # images, of which each may have a class of its own
# Names of columns of labels, as reading.FILES has those of the files
LABELS = ('label', 'labels', 'class', 'class_name', 'classname', 'category', 'target',
          'y')
SIGNS = {'1': 1, '-1': -1, '0': -1, '1.0': 1, '-1.0': -1, '0.0': -1, 'true': 1,
         'false': -1, 'yes': 1, 'no': -1, 't': 1, 'f': -1, 'y': 1, 'n': -1}
NONE = '', 'nan'       # pandas writes the latter
LONGEST_SAID = 60       # characters of each
MOST_SAID = 12          # labels of which the number of images is said


# --- of all images -----------------------------------------------------------

def labels_of(folder, files, names, layout, config, notes):
    """Return (labels, classes, splits): of each image its label, and as layout.splits.

    A label is None where one that is held out has none; see sources.find_images. Lines
    for the person are added to `notes`.
    """
    if config.attributes is None and not config.labels:
        table = stylegans(folder, files, names, config, notes)
        if table is None:
            say_twice(layout, notes)
            labels, classes = folder_labels(names, layout, files)
            say_unknown(labels, names, layout.splits, notes)
            return labels, classes, layout.splits
        column = None
    else:
        table, column = chosen_table(folder, files, names, config)
    rows, unused = tables.match(names, table)
    if unused and config.labels:
        notes.append('%s: %d of its lines are of no image here, such as %s'
                     % (table.path, len(unused), unused[0]))
    wanted = config.attributes and tuple(config.attributes.split(','))
    labels = (attributes_of(rows, table, wanted) if wanted
              else classes_of(rows, table, column))
    splits = layout.splits or split_column(rows, labels, table, notes)
    trained = in_training(splits, names)
    tables.require(keep(labels, trained), keep(rows, trained), keep(names, trained),
                   table)
    classes = wanted
    if not wanted:
        labels, classes = table_labels(labels, trained, table)
    say_unknown(labels, names, splits, notes)
    return labels, classes, splits


def say_unknown(labels, names, splits, notes):
    """Note how many of the images held out have no label that is learned."""
    none = [name for name, label, split in zip(names, labels, splits or ())
            if split == 'held_out' and label is None]
    if none:
        notes.append('without a label that is learned, and not judged by, are %d of '
                     'those held out, such as %s' % (len(none), none[0]))


def say_twice(layout, notes):
    """Note where the folders that are labels have the same folders in them."""
    inside = collections.defaultdict(set)
    for path in layout.below:
        inside[path[0] if path else None].add(path[1] if len(path) > 1 else None)
    first, *others = inside.values()
    if others and len(first) > 1 and None not in first and all(
            found == first for found in others):
        notes.append('the labels are %s; each has the folders %s in it: if those are '
                     'the labels, move them up, or call the others train and test' % (
                         tables.listed(sorted(inside), MOST_SAID),
                         tables.listed(sorted(first), MOST_SAID)))


def in_training(splits, names):
    """Return whether each image is trained on: bools [N]."""
    return [split == 'train' for split in splits or ['train'] * len(names)]


def stylegans(folder, files, names, config, notes):
    """Return the Table of StyleGAN's dataset.json, None where there is none."""
    places = tables.find(files, (tables.STYLEGAN,))
    if not places or config.chosen_by is None:
        return None
    if not all(map(reading.is_stylegans, places)):
        notes.append('%s has no "labels": it is not looked at'
                     % reading.called(places[0]))
        return None
    table = tables.read_all(places, folder, names)
    notes.append('labels: those of %s' % table.path)
    return table


def split_column(rows, labels, table, notes):
    """Return the splits by a column that has train, test, … in each row, else None."""
    for i, name in enumerate(table.columns):
        splits = [layouts.kind(row[i]) if row else 'train' for row in rows]
        column = [row and row[i] for row in rows]
        if {'train', 'held_out'} == set(splits) and column != labels:
            notes.append('by the column %s of %s: %s' % (name, table.path, '; '.join(
                '%s %d' % pair for pair in (
                    ('trained on:', splits.count('train')),
                    ('held out:', splits.count('held_out'))))))
            return splits
    return None


def said(labels, classes, attributes):
    """Return a line on how many images have each label: int [N], or ±1 [N, K]."""
    count = ((labels > 0).sum(axis=0) if attributes else
             collections.Counter(labels.tolist()))
    more = len(classes) - MOST_SAID
    return 'labels: %s%s' % (', '.join(
        '%s (%s)' % (name[:LONGEST_SAID], format(int(count[i]), ','))
        for i, name in enumerate(classes[:MOST_SAID])),
        ' and %d more' % more if more > 0 else '')


def table_labels(labels, trained, table):
    """Return the number of each label of a table, and the classes. Raises UserError."""
    labels, classes = numbered(labels, trained,
                               '%s: expected two classes or more' % table.path)
    if 2 * len(classes) > sum(trained) > FEW:
        raise UserError('%s: %d classes for %d images; expected classes that many '
                        'images share. Is it the column of labels?'
                        % (table.path, len(classes), sum(trained)))
    return labels, classes


def keep(values, wanted):
    """Return the values whose place in `wanted` is true."""
    return list(itertools.compress(values, wanted))


def chosen_table(folder, files, names, config):
    """Return (Table, column or None): that of --labels, else of the data set."""
    if config.labels:
        return tables.open_labels(config.labels, folder, names, files)
    places = tables.find(files) or tables.find(tables.beside(folder))
    if not places:
        raise NotFoundError(
            'No %s in %s, which --attributes needs: a line of attributes, and lines '
            'like `000001.jpg 1 -1`; or name a table by --labels. That of celebA comes '
            'with `python download.py celebA`.%s'
            % (' or '.join(tables.ATTRIBUTES), folder, tables.hint(files)))
    return tables.read_all(places, folder, names), None


# --- of folders --------------------------------------------------------------

def folder_labels(names, layout, files):
    """Return the label of each image by its folder, and the classes; see labels_of."""
    trained = in_training(layout.splits, names)
    classes = [path[0] if path else None for path in layout.below]
    loose = [name for name, label, here in zip(names, classes, trained)
             if here and label is None]
    if len(loose) == len(names) and '/' in normal(names[0]):    # all in one
        classes, loose = [normal(name).split('/')[-2] for name in names], []
    if loose:
        raise UserError(
            '--conditional takes labels from the folders that the images are in, but '
            '%d lie in none, such as %s: move them into one, or name a table of labels '
            'by --labels.%s Without labels: --conditional False.'
            % (len(loose), loose[0], tables.hint(files)))
    return numbered(classes, trained,
                    '--conditional needs two folders of images or more')


def numbered(labels, trained, needed):
    """Return the number of each label, and the classes, those of training, in order.

    Of an image held out whose label is none of them it is None. Raises UserError, which
    begins with what is `needed`, for a single class.
    """
    classes = tuple(sorted(set(keep(labels, trained)), key=layouts.natural))
    if len(classes) < 2:
        raise UserError('%s; found only %s.' % (needed, ', '.join(classes)))
    index = {name: i for i, name in enumerate(classes)}
    return [index.get(label) for label in labels], classes


# --- of the columns of a table -----------------------------------------------

def classes_of(rows, table, column=None):
    """Return the class of each row, a text, or None where it has none.

    `column` is the name of that of the labels; by default the only one, or the one that
    is called label, class, …; or numbers 0 and 1 of which each row has a single 1.
    Raises UserError where several could be meant.
    """
    if column is None and len(table.columns) > 1:
        named = [name for name in table.columns if reading.plain(name) in LABELS]
        if not named and all(row is None or sorted(
                set_signs(row)) == [-1] * (len(row) - 1) + [1] for row in rows):
            return [row and table.columns[set_signs(row).index(1)] for row in rows]
        if len(named) != 1:
            raise UserError(
                '%s has several columns: %s. Say which is the label, as --labels '
                '%s:%s, or learn some that are 1 or -1, as --attributes %s.' % (
                    table.path, tables.listed(table.columns),
                    os.path.basename(table.path), table.columns[0],
                    ','.join(table.columns[:2])))
        column = named[0]
    if not table.columns:
        raise UserError('%s has a column of files and none of labels: expected a table '
                        '%s' % (table.path, reading.FORM))
    index = find_column(column, table) if column else 0
    return [row[index] if row and row[index].lower() not in NONE else None
            for row in rows]


def set_signs(row):
    """Return the ±1 of each cell of a row, 0 where it is neither."""
    return [SIGNS.get(cell.lower(), 0) for cell in row]


def attributes_of(rows, table, wanted):
    """Return the ±1 of each of the columns `wanted` of each row, None for None.

    Raises UserError where the table lacks a column, or a cell is no sign.
    """
    columns = [find_column(name, table) for name in wanted]
    found = []
    for row in rows:
        signs = row and [SIGNS.get(row[i].lower()) for i in columns]
        if signs and None in signs:
            bad = signs.index(None)
            name = next(key for key, cells in table.rows.items() if cells is row)
            raise UserError('%s, line %d: expected 1 or -1 for %s of %s, found %s.' % (
                table.path, table.lines[name], wanted[bad], name,
                shown(row[columns[bad]][:80])))
        found.append(signs)
    return found


def find_column(name, table):
    """Return the index of a column. UserError names those near, or all."""
    if name in table.columns:
        return table.columns.index(name)
    lower = {column.lower(): column for column in table.columns}
    near = difflib.get_close_matches(name.lower(), lower, 3, 0.5)
    raise UserError('%s has no column %r; %s' % (
        table.path, name, 'did you mean %s?' % ' or '.join(lower[key] for key in near)
        if near else 'expected some of %s.' % tables.listed(table.columns)))
