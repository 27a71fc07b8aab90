"""From the text of a table to its columns and rows.

CelebA's text (a count, a line of attributes, a line of 1 and -1 for each picture), the
same with commas as Kaggle gives it, CSV with a header, JSON lines, and JSON such as
StyleGAN's dataset.json. The forms are told apart by what is written, not by the name.
"""

import csv
import io
import json
import re
import typing

from dataset.files import normal, read_member
from settings.errors import UserError, shown

# Names of columns, as plain returns them, that hold the files
FILES = ('file', 'filename', 'file_name', 'filepath', 'path', 'image', 'image_id',
         'imageid', 'image_name', 'image_path', 'img', 'img_name', 'picture', 'photo',
         'name', 'id')
PICTURE = re.compile(r'.\.[A-Za-z][A-Za-z0-9]{2,4}$')
UTF16 = b'\xff\xfe', b'\xfe\xff'        # how Excel's "Unicode text" begins
ASIDE = re.compile(r'#|sep=.$')         # lines above a header that are none
MARKS = '\t,;|'
FORM = 'such as\nfile,label\n0001.jpg,cat'


class Table(typing.NamedTuple):
    """A table: its path, its columns beside that of the files, its rows.

    rows: {file, as written: [text of each column]}; `lines`, of the same keys, are the
    numbers of their lines, for messages.
    """

    path: str
    columns: tuple
    rows: dict
    lines: dict


def read(place):
    """Return the Table at a place; see tables.find. UserError where it is none."""
    path = called(place)
    try:
        text = decode(read_bytes(place), path).rstrip()
        if text[:1] in ('{', '['):
            return from_json(path, text)
        return from_lines(path, text.splitlines())
    except (OSError, ValueError, csv.Error, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError('%s cannot be read as a table of labels: %s'
                        % (path, getattr(error, 'strerror', None) or error))


def called(place):
    """Return what messages call a file, or a member of a zip file."""
    return place if isinstance(place, str) else '%s in %s' % (place[1], place[0])


def read_bytes(place):
    """Return the content of a file or of a member of a zip file."""
    if not isinstance(place, str):
        return read_member(*place)
    with open(place, 'rb') as file:
        return file.read()


def decode(content, path):
    """Return the text of a table. Raises UserError where it is none, as of Excel."""
    try:
        text = content.decode('utf-16' if content.startswith(UTF16) else 'utf-8-sig')
    except UnicodeDecodeError:
        text = '\0'
    if '\0' in text:
        raise UserError('%s is not text in UTF-8 (it begins with %s): save the table '
                        'as CSV in UTF-8, %s' % (path, ascii(content[:8])[1:], FORM))
    return text


def is_stylegans(place):
    """Return whether a file at a place is JSON that has "labels"."""
    try:
        return 'labels' in json.loads(read_bytes(place))
    except (OSError, ValueError, TypeError, RecursionError):
        return True         # read says what is wrong


# --- lines -------------------------------------------------------------------

def from_lines(path, lines):
    """Return the Table of lines of cells, with a header; CelebA's begins with a count.

    Raises UserError where it has lines for more or fewer images than the count says.
    """
    above = next((i for i, line in enumerate(lines) if not ASIDE.match(line)), 0)
    lines = lines[above:]
    count = lines.pop(0).strip() if lines and lines[0].strip().isdecimal() else None
    cells = split(lines)
    if len(cells) < 2:
        raise UserError('%s holds no table: expected a line that names the columns and '
                        'a line for each picture, %s' % (path, FORM))
    header, cells, first = take_header(cells)
    if count is not None and int(count) != len(cells):
        raise UserError('%s: its first line says %s images, and it has lines for %d: '
                        'fetch it again, or put that right.'
                        % (path, count[:20], len(cells)))
    return from_cells(path, header, cells, first + above + (count is not None))


def split(lines):
    """Return the cells of each line: by the mark that is most often in the first."""
    mark = max(MARKS, key=lines[0].count) if lines else None
    if not lines or mark not in lines[0]:
        return [line.split() for line in lines if line.strip()]
    rows = [[cell.strip() for cell in row] for row in csv.reader(
        io.StringIO('\n'.join(lines)), delimiter=mark, skipinitialspace=True)]
    rows = [row for row in rows if any(row)]
    for row in rows[1:]:        # a mark at the end of each line
        while len(row) > len(rows[0]) and not row[-1] and mark != '\t':
            row.pop()
    return rows


def take_header(cells):
    """Return (names of the columns, the other lines, the number of the first of them).

    In CelebA's table the column of the files has no name; others have no names at all:
    there a picture stands in the first line too, or a word twice.
    """
    header, row = cells[0], cells[1]
    if len(header) == len(row) - 1:
        return [''] + header, cells[1:], 2
    pictures = [i for i, (name, cell) in enumerate(zip(header, row)) if PICTURE.search(
        name) and PICTURE.search(cell) and plain(name) not in FILES]
    given = [name for name in header if name]
    if len(header) != len(row) or not pictures and len(set(given)) == len(given):
        return header, cells[1:], 2
    names = ['column %d' % i for i in range(1, len(row) + 1)]
    place = (pictures or [0])[0]
    names[place] = 'file'
    if len(row) == 2:
        names[1 - place] = 'label'
    return names, cells, 1


def from_cells(path, header, cells, first):
    """Return the Table of lines of cells; `first` is the number of the first line.

    Columns without a name, as pandas' index, are left out. Raises UserError for a line
    that has more or fewer cells than the others, and for two of a picture that differ.
    """
    column, rows, numbers = file_column(header, cells[0]), {}, {}
    kept = [i for i, name in enumerate(header)
            if i != column and name and not name.startswith('Unnamed:')]
    for number, row in enumerate(cells, first):
        if len(row) != len(header):
            raise UserError('%s, line %d: expected %d cells, as the line of the '
                            'columns has, found %s. (A comma in a cell needs "…".)'
                            % (path, number, len(header), shown(' '.join(row)[:80])))
        name, values = normal(row[column]), [row[i] for i in kept]
        if rows.setdefault(name, values) != values:
            raise UserError('%s, line %d: %s has a line already, %d, with other labels.'
                            % (path, number, shown(name), numbers[name]))
        numbers.setdefault(name, number)
    return Table(path, tuple(header[i] for i in kept), rows, numbers)


def file_column(header, row):
    """Return the index of the column that names the files; see FILES.

    By its name; else the first whose first cell looks like a picture's name; else the
    first.
    """
    pictures = [i for i, cell in enumerate(row) if PICTURE.search(cell)]
    named = [i for i, name in enumerate(header) if plain(name) in FILES]
    both = [i for i in named if i in pictures]
    return (both or pictures or named or [0])[0]


def plain(name):
    """Return the name of a column as FILES and LABELS have it."""
    return re.sub('[ .-]', '_', name.strip().lower())


def text_of(value):
    """Return a value as a cell: '' stands for none."""
    return '' if value is None else str(value).strip()


# --- JSON --------------------------------------------------------------------

def from_json(path, text):
    """Return the Table of JSON: dataset.json, {file: label}, or lines of objects."""
    found = {}
    for item in items(parse(text), path):
        name, cells = json_item(item, path)
        if found.setdefault(normal(name), cells) != cells:
            raise UserError('%s: %s is there twice, with other labels.'
                            % (path, shown(name)))
    columns = tuple(dict.fromkeys(key for cells in found.values() for key in cells))
    rows = {name: [text_of(cells.get(key)) for key in columns]
            for name, cells in found.items()}
    return Table(path, columns, rows, {name: i for i, name in enumerate(rows, 1)})


def parse(text):
    """Return the value of JSON, of JSON lines a list. ValueError names the line."""
    try:
        return json.loads(text)
    except ValueError as whole:
        found = []
        for number, line in enumerate(text.splitlines(), 1):
            try:
                found += [json.loads(line)] if line.strip() else []
            except ValueError as error:
                raise whole if not found else ValueError(
                    'line %d: %s' % (number, error.msg))
        return found


def items(value, path):
    """Return the items of a value of JSON: a list, in one, or its keys and values.

    pandas writes {column: [values]}, or {column: {row: value}}, or {row: {column: …}}.
    """
    if not isinstance(value, dict):
        return value
    parts = list(value.values())
    if any(is_file(key) for key in value):
        return columns_of(value) or [value]
    if 'labels' in value:
        if value['labels'] is None:
            raise UserError('%s has no labels ("labels" is null): leave out '
                            '--conditional.' % path)
        return items(value['labels'], path)
    lists = [part for part in parts if isinstance(part, list) and part
             and all(isinstance(item, dict) for item in part)]
    if len(lists) == 1:                         # {"data": [{…}, …]}
        return lists[0]
    if lists:
        raise UserError('%s has several lists, as COCO has: make one table of them, %s'
                        % (path, FORM))
    if parts and all(isinstance(part, dict) and any(map(is_file, part))
                     for part in parts):        # {"0": {"file": …}, …}
        return parts
    if parts and all(isinstance(part, list) and part and all(
            isinstance(name, str) and PICTURE.search(name) for name in part)
            for part in parts):                 # {label: [files]}
        return [(name, label) for label, names in value.items() for name in names]
    return list(value.items())


def columns_of(value):
    """Return the rows of {column: values}, None where that is something else."""
    parts = [list(part.values()) if isinstance(part, dict) else part
             for part in value.values()]
    if all(isinstance(part, list) for part in parts) and len(set(map(len, parts))) == 1:
        return [dict(zip(value, row)) for row in zip(*parts)]
    return None


def is_file(key):
    """Return whether a key is the name of a column of files."""
    return plain(key) in FILES


def json_item(item, path):
    """Return (file, {column: value}) of one item of JSON. Raises UserError."""
    if isinstance(item, dict):
        keys = sorted((key for key in item if is_file(key)
                       and isinstance(item[key], (str, int))),
                      key=lambda key: (not PICTURE.search(str(item[key])),
                                       isinstance(item[key], int)))
        if keys:
            return str(item[keys[0]]), {k: v for k, v in item.items() if k != keys[0]}
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
