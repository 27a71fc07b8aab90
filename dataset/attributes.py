"""Tables of attributes: which image shows Smiling, Eyeglasses, …, in CelebA's layout.

A text file in the folder of a data set: a line with the number of images, a line of
attributes, then a line an image: its name, and 1 or -1 for each attribute.
"""

import difflib
import os

from dataset.files import walk
from settings.errors import NotFoundError, UserError

TABLES = ('list_attr_celeba.txt', 'list_attr.txt')


def attribute_names(folder):
    """Return the attributes of the table in a folder, () where there is none."""
    paths = find_tables(walk(folder))
    return tuple(read_table(paths[0])[1]) if paths else ()


def attribute_labels(names, files, config, folder):
    """Return ([±1 of each of config.attributes] of each image, the attributes).

    names: the images'; the table is one of `files`. Raises NotFoundError without a
    table, UserError where it lacks an attribute or an image.
    """
    paths = find_tables(files)
    if not paths:
        raise NotFoundError(
            'No %s in %s, which --attributes needs: a count, a line of attributes, and '
            'lines like `000001.jpg 1 -1`. That of celebA comes with `python '
            'download.py celebA`.' % (' or '.join(TABLES), folder))
    wanted = tuple(config.attributes.split(','))
    rows = read_columns(paths[0], wanted)
    rows = [rows.get(name) or rows.get(os.path.basename(name)) for name in names]
    missing = [name for name, row in zip(names, rows) if row is None]
    if missing:
        raise UserError('%s has no line for %d of %d images, such as %s: add lines, or '
                        'move those images away.'
                        % (paths[0], len(missing), len(names), missing[0]))
    return rows, wanted


def find_tables(files):
    """Return those of the files that are tables of attributes, by their names."""
    return [path for path in files if os.path.basename(path) in TABLES]


def read_table(path):
    """Return the first line of a table, its attributes, and the lines of images."""
    try:
        with open(path, encoding='utf-8') as file:
            count, header, *lines = file.read().rstrip().split('\n')
    except (OSError, ValueError) as error:      # not UTF-8, or not two lines
        raise UserError('%s cannot be read as a table of attributes: %s'
                        % (path, error))
    return count, header.split(), lines


def read_columns(path, wanted):
    """Return {image: [its ±1 of each of the attributes `wanted`]}. Raises UserError."""
    count, header, lines = read_table(path)
    columns, rows = [1 + find_column(name, header, path) for name in wanted], {}
    for number, line in enumerate(lines, 3):
        cells = line.split()
        values = [cells[i] for i in columns] if len(cells) == len(header) + 1 else ['']
        if not {'1', '-1'}.issuperset(values):
            raise UserError('%s, line %d: expected a name and %d values of 1 or -1, '
                            'found %r.' % (path, number, len(header), line[:80]))
        rows[cells[0]] = [int(value) for value in values]
    if count.strip() != str(len(lines)):
        raise UserError('%s: its first line says %s images, and it has lines for %d: '
                        'fetch it again.' % (path, count.strip()[:20], len(lines)))
    return rows


def find_column(name, header, path):
    """Return the index of an attribute. UserError names those near, or all."""
    if name in header:
        return header.index(name)
    lower = {attribute.lower(): attribute for attribute in header}
    near = difflib.get_close_matches(name.lower(), lower, 3, 0.5)
    raise UserError('--attributes: %s has no %r; %s.' % (
        path, name, 'did you mean %s' % ' or '.join(lower[key] for key in near) if near
        else 'expected some of %s, with commas' % ', '.join(header)))
