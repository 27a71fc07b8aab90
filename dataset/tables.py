"""Tables of labels or attributes: found, read, and which line is that of a picture.

CelebA's text (a count, a line of attributes, a line of 1 and -1 for each picture), the
same with commas as Kaggle gives it, CSV with a header, JSON lines, and JSON such as
StyleGAN's dataset.json. The forms are told apart by what is written, not by the name.
"""

import collections
import csv
import io
import json
import os
import re
import typing

from dataset.files import normal, read_member, walk, zip_members
from settings.errors import NotFoundError, UserError, shown

ATTRIBUTES = ('list_attr_celeba.txt', 'list_attr_celeba.csv', 'list_attr.txt',
              'list_attr.csv')
STYLEGAN = 'dataset.json'
# Names of columns, in lower case and without spaces, that hold the files
FILES = ('file', 'filename', 'file_name', 'filepath', 'path', 'image', 'image_id',
         'imageid', 'image_name', 'image_path', 'img', 'img_name', 'picture', 'photo',
         'name', 'id')
PICTURE = re.compile(r'.\.[A-Za-z][A-Za-z0-9]{2,4}$')


class Table(typing.NamedTuple):
    """A table: its path, its columns beside that of the files, its rows.

    rows: {file, as written: [text of each column]}; `lines`, of the same keys, are the
    numbers of their lines, for messages.
    """

    path: str
    columns: tuple
    rows: dict
    lines: dict


# --- finding -----------------------------------------------------------------

def find(folder, files, names=ATTRIBUTES):
    """Return the place of the first file of these names, None where there is none.

    A place is a path, or (zip file, member). `files` are those below the folder; the
    zip files among them are looked into last.
    """
    for path in files:
        if os.path.basename(path).lower() in names:
            return path
    for path in files:
        if path.lower().endswith('.zip'):
            for member in zip_members(path):
                if os.path.basename(member).lower() in names:
                    return path, member
    return None


def attribute_names(folder):
    """Return the attributes of the table in a folder, () where there is none."""
    place = find(folder, list(walk(folder)))
    return read(place).columns if place else ()


def open_labels(given, folder):
    """Return (Table, column or None) of --labels, a path or PATH:COLUMN.

    It is looked for where the program was started, then in the data set's folder.
    Raises NotFoundError where there is no such file.
    """
    path, mark, column = given.rpartition(':')
    ways = [(given, None)] + [(path, column)] * bool(mark)
    for path, column in ways:
        for place in (path, os.path.join(folder, path)):
            if os.path.isfile(place):
                return read(place), column
    raise NotFoundError('--labels %s: there is no such file, neither here nor in %s.'
                        % (shown(given), folder))


# --- reading -----------------------------------------------------------------

def read(place):
    """Return the Table at a place; see find. Raises UserError where it is none."""
    path = place if isinstance(place, str) else '%s in %s' % (place[1], place[0])
    try:
        text = read_text(place).lstrip('\ufeff').rstrip()
        if text[:1] in ('{', '['):
            return from_json(path, text)
        return from_lines(path, text.splitlines())
    except (OSError, ValueError, csv.Error) as error:   # not UTF-8, not JSON, …
        if isinstance(error, UserError):
            raise
        raise UserError('%s cannot be read as a table of labels: %s'
                        % (path, getattr(error, 'strerror', None) or error))


def read_text(place):
    """Return the text of a file or of a member of a zip file."""
    if not isinstance(place, str):
        return read_member(*place).decode('utf-8')
    with open(place, encoding='utf-8') as file:
        return file.read()


def from_lines(path, lines):
    """Return the Table of lines of cells, with a header; CelebA's begins with a count.

    Raises UserError where it has lines for more or fewer images than the count says.
    """
    count = lines.pop(0).strip() if lines and lines[0].strip().isdecimal() else None
    cells = split(lines)
    if len(cells) < 2:
        raise UserError('%s holds no table: expected a line that names the columns and '
                        'a line for each picture, such as\nfile,label\n0001.jpg,cat'
                        % path)
    header, cells, first = take_header(cells)
    if count is not None and int(count) != len(cells):
        raise UserError('%s: its first line says %s images, and it has lines for %d: '
                        'fetch it again.' % (path, count[:20], len(cells)))
    return from_cells(path, header, cells, first + (count is not None))


def take_header(cells):
    """Return (names of the columns, the other lines, the number of the first of them).

    In CelebA's table the column of the files has no name; others have no names at all.
    """
    header, width = [cell.strip() for cell in cells[0]], len(cells[1])
    if len(header) == width - 1:
        header.insert(0, '')
    elif PICTURE.search(header[0]) and len(header) == width:
        return ['file'] + (['label'] if width == 2 else
                           ['column %d' % i for i in range(2, width + 1)]), cells, 1
    return header, cells[1:], 2


def from_cells(path, header, cells, first):
    """Return the Table of lines of cells; `first` is the number of the first line.

    Raises UserError for a line that has more or fewer cells than the others, and for a
    picture that has two lines which differ.
    """
    column, rows, numbers = file_column(header, cells[0]), {}, {}
    for number, row in enumerate(cells, first):
        if len(row) != len(header):
            raise UserError('%s, line %d: expected %d cells, as the line of the '
                            'columns has, found %s.'
                            % (path, number, len(header), shown(' '.join(row)[:80])))
        name = normal(row[column].strip())
        values = [cell.strip() for cell in row[:column] + row[column + 1:]]
        if rows.setdefault(name, values) != values:
            raise UserError('%s, line %d: %s has a line already, %d, with other labels.'
                            % (path, number, shown(name), numbers[name]))
        numbers.setdefault(name, number)
    return Table(path, tuple(header[:column] + header[column + 1:]), rows, numbers)


def split(lines):
    """Return the cells of each line: by tabs, commas or semicolons, else by spaces."""
    for mark in '\t,;':
        if lines and mark in lines[0]:
            return [row for row in csv.reader(io.StringIO('\n'.join(lines)),
                                              delimiter=mark) if row]
    return [line.split() for line in lines if line.strip()]


def file_column(header, row):
    """Return the index of the column that names the files; see FILES.

    By its name; else the first whose first cell looks like a picture's name; else the
    first.
    """
    pictures = [i for i, cell in enumerate(row) if PICTURE.search(cell.strip())]
    named = [i for i, name in enumerate(header) if plain(name) in FILES]
    both = [i for i in named if i in pictures]
    return (both or pictures or named or [0])[0]


def plain(name):
    """Return the name of a column as FILES and LABELS have it."""
    return name.strip().lower().replace(' ', '_')


def from_json(path, text):
    """Return the Table of JSON: dataset.json, {file: label}, or lines of objects."""
    try:
        value = json.loads(text)
    except ValueError:
        value = [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(value, dict) and 'labels' in value:
        value = value['labels']
        if value is None:
            raise UserError('%s has no labels ("labels" is null): leave out '
                            '--conditional.' % path)
    if isinstance(value, dict) and not any(plain(key) in FILES for key in value):
        value = list(value.items())
    found = {}
    for item in value if isinstance(value, list) else [value]:
        name, cells = json_item(item, path)
        found[normal(name)] = cells
    columns = tuple(dict.fromkeys(key for cells in found.values() for key in cells))
    rows = {name: [text_of(cells.get(key)) for key in columns]
            for name, cells in found.items()}
    return Table(path, columns, rows, {name: i for i, name in enumerate(rows, 1)})


def json_item(item, path):
    """Return (file, {column: value}) of one item of JSON. Raises UserError."""
    if isinstance(item, dict):
        keys = [key for key in item if plain(key) in FILES
                and isinstance(item[key], str)]
        if keys:
            return item[keys[0]], {k: v for k, v in item.items() if k != keys[0]}
    elif isinstance(item, (list, tuple)) and len(item) == 2 and isinstance(item[0],
                                                                           str):
        values = item[1]
        if isinstance(values, dict):
            return item[0], values
        if isinstance(values, list):
            return item[0], {str(i): value for i, value in enumerate(values)}
        return item[0], {'label': values}
    raise UserError('%s: expected a file and its label, as ["0001.png", 3] or '
                    '{"file": "0001.png", "label": "cat"}; found %s.'
                    % (path, shown(str(item)[:80])))


def text_of(value):
    """Return a value of JSON as a cell: '' stands for none."""
    return '' if value is None else str(value).strip()


# --- the picture's row -------------------------------------------------------

def match(names, table):
    """Return the table's row of each picture, None where it has none, and the unused.

    A picture is found by its path or an end of it, with the ending of its name or
    without; or, where it is the only one of its name, by that alone. Raises UserError
    where two pictures would be found by one line.
    """
    lookup = {key.casefold(): key for key in reversed(list(table.rows))}
    for key in reversed(list(table.rows)):
        lookup.setdefault(stem(key.casefold()), key)
    alone = once(names)
    short = {name: key for name, key in once(table.rows).items() if name in alone}
    keys, owner = [], {}
    for name in names:
        key = find_key(normal(name).casefold(), lookup, short)
        if key is not None and owner.setdefault(key, name) != name:
            raise UserError('%s: %s may be %s or %s: write the folder too.'
                            % (table.path, key, owner[key], name))
        keys.append(key)
    unused = [key for key in table.rows if key not in owner]
    return [None if key is None else table.rows[key] for key in keys], unused


def find_key(name, lookup, short):
    """Return the table's name of a picture, None where it has none; see match."""
    parts = name.split('/')
    for start in range(len(parts)):
        end = '/'.join(parts[start:])
        found = lookup.get(end) or lookup.get(stem(end))
        if found is not None:
            return found
    return short.get(parts[-1])


def once(paths):
    """Return {name: path} of the names, without folders, that only one path has."""
    last = [normal(path).casefold().rsplit('/', 1)[-1] for path in paths]
    count = collections.Counter(last)
    return {name: path for name, path in zip(last, paths) if count[name] == 1}


def stem(name):
    """Return a path without the ending of a picture."""
    return name.rpartition('.')[0] if PICTURE.search(name) else name


def require(rows, names, table):
    """Raise UserError naming the pictures that have no row."""
    missing = [name for name, row in zip(names, rows) if row is None]
    if missing:
        raise UserError('%s has no line for %d of %d images, such as %s: add lines, or '
                        'move those images away.'
                        % (table.path, len(missing), len(names),
                           ', '.join(missing[:3])))
