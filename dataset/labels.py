"""The labels of images: of the folders that they are in, or of a table's columns."""

import difflib
import itertools
import os

from dataset import layouts, tables
from dataset.files import normal
from settings.errors import NotFoundError, UserError, shown

TABLES = ('.csv', '.tsv', '.json', '.jsonl')
FEW = 20                # images, of which each may have a class of its own
# Names of columns of labels, as tables.FILES has those of the files
LABELS = ('label', 'labels', 'class', 'class_name', 'classname', 'category', 'target',
          'y')
SIGNS = {'1': 1, '-1': -1, '0': -1, '1.0': 1, '-1.0': -1, '0.0': -1, 'true': 1,
         'false': -1, 'yes': 1, 'no': -1}
MOST_NAMED = 40             # columns that an error lists


# --- of all images -----------------------------------------------------------

def labels_of(folder, files, names, layout, config, notes):
    """Return the label of each image, None where one that is held out has none, and
    the classes; see sources.find_images. Lines for the person are added to `notes`.
    """
    trained = [split == 'train' for split in layout.splits or ['train'] * len(names)]
    if config.attributes is not None or config.labels:
        table, column = chosen_table(folder, files, config)
    else:
        place = tables.find(folder, files, (tables.STYLEGAN,))
        if not place or config.chosen_by is None:
            return folder_labels(names, layout, trained, files)
        table, column = tables.read(place), None
        notes.append('labels: those of %s' % table.path)
    rows, unused = tables.match(names, table)
    if unused and config.labels:
        notes.append('%s: %d of its lines are of no image here, such as %s'
                     % (table.path, len(unused), unused[0]))
    wanted = config.attributes and tuple(config.attributes.split(','))
    labels = (attributes_of(rows, table, wanted) if wanted
              else classes_of(rows, table, column))
    tables.require(keep(labels, trained), keep(names, trained), table)
    return (labels, wanted) if wanted else table_labels(labels, trained, table)


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


def chosen_table(folder, files, config):
    """Return (Table, column or None): that of --labels, else of the data set."""
    if config.labels:
        return tables.open_labels(config.labels, folder)
    place = tables.find(folder, files)
    if place is None:
        raise NotFoundError(
            'No %s in %s, which --attributes needs: a line of attributes, and lines '
            'like `000001.jpg 1 -1`; or name a table by --labels. That of celebA comes '
            'with `python download.py celebA`.'
            % (' or '.join(tables.ATTRIBUTES), folder))
    return tables.read(place), None


# --- of folders --------------------------------------------------------------

def folder_labels(names, layout, trained, files):
    """Return the label of each image by its folder, and the classes; see labels_of."""
    classes = [path[0] if path else None for path in layout.below]
    loose = [name for name, label, here in zip(names, classes, trained)
             if here and label is None]
    if len(loose) == len(names) and '/' in normal(names[0]):    # all in one
        classes, loose = [normal(name).split('/')[-2] for name in names], []
    if loose:
        beside = [path for path in files if path.lower().endswith(TABLES)
                  and not path.endswith('config.json')]      # a run's, no table
        raise UserError(
            '--conditional takes labels from the folders that the images are in, but '
            '%d lie in none, such as %s: move them into one%s. Without labels: '
            '--conditional False.' % (
                len(loose), loose[0], ', or take the labels of a table: --labels %s'
                % beside[0] if beside else ', or name a table of labels by --labels'))
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
        named = [name for name in table.columns if tables.plain(name) in LABELS]
        if not named and all(row is None or sorted(
                set_signs(row)) == [-1] * (len(row) - 1) + [1] for row in rows):
            return [row and table.columns[set_signs(row).index(1)] for row in rows]
        if len(named) != 1:
            raise UserError(
                '%s has several columns: %s. Say which is the label, as --labels '
                '%s:%s, or learn some that are 1 or -1, as --attributes %s.' % (
                    table.path, listed(table.columns), os.path.basename(table.path),
                    table.columns[0], ','.join(table.columns[:2])))
        column = named[0]
    if not table.columns:
        raise UserError('%s has a column of files and none of labels.' % table.path)
    index = find_column(column, table) if column else 0
    return [(row[index] or None) if row else None for row in rows]


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
    raise UserError('%s has no column %r; %s.' % (
        table.path, name, 'did you mean %s' % ' or '.join(lower[key] for key in near)
        if near else 'expected some of %s' % listed(table.columns)))


def listed(columns):
    """Return the names of columns, not too many."""
    more = len(columns) - MOST_NAMED
    return ', '.join(columns[:MOST_NAMED]) + (
        ' and %d more' % more if more > 0 else '')
