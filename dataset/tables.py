"""Tables of labels or attributes: where they are, and which line is that of a picture.

How they are read: reading.py.
"""

import collections
import os

from dataset.files import normal, walk, zip_members
from dataset.reading import PICTURE, read
from settings.errors import NotFoundError, UserError, shown

ATTRIBUTES = ('list_attr_celeba.txt', 'list_attr_celeba.csv', 'list_attr.txt',
              'list_attr.csv')
STYLEGAN = 'dataset.json'
ENDINGS = ('.csv', '.tsv', '.json', '.jsonl', '.txt')


# --- finding -----------------------------------------------------------------

def find(files, names=ATTRIBUTES):
    """Return the places of the tables of the first of these names that is there.

    A place is a path, or (zip file, member). `files` are those below the folder; the
    zip files among them are looked into last. There may be one in each folder.
    """
    found = [path for path in files if last(path).lower() in names]
    if not found:
        found = [(path, member) for path in files if path.lower().endswith('.zip')
                 for member in zip_members(path) if last(member).lower() in names]
    return [place for place in found if name_of(place) == name_of(found[0])]


def last(path):
    """Return the name of a file without its folders."""
    return path.replace(os.sep, '/').rsplit('/', 1)[-1]


def name_of(place):
    """Return the name of the file at a place, in lower case."""
    return last(place if isinstance(place, str) else place[1]).lower()


def attribute_names(folder):
    """Return the attributes of the table in a folder, () where there is none."""
    places = find(list(walk(folder)))
    return read(places[0]).columns if places else ()


def find_labels(given, folder, files):
    """Return (places, column or None) of --labels, a path or PATH:COLUMN.

    It is looked for where the program was started, in the data set's folder and beside
    it, then in all folders and zip files below. Raises NotFoundError.
    """
    path, mark, column = given.rpartition(':')
    ways = [(given, None)] + [(path, column)] * bool(mark)
    for path, column in ways:
        for parent in ('', folder, os.path.dirname(folder)):
            if os.path.isfile(os.path.join(parent, path)):
                return [os.path.join(parent, path)], column
        if path == last(path) and find(files, (path.lower(),)):
            return find(files, (path.lower(),)), column
    raise NotFoundError('--labels %s: there is no such file, neither here nor in %s.%s'
                        % (shown(given), folder, hint(files)))


def open_labels(given, folder, names, files):
    """Return (Table, column or None) of --labels, for pictures of these names."""
    places, column = find_labels(given, folder, files)
    return read_all(places, folder, names), column


def beside(folder):
    """Return the paths of what is beside a folder."""
    parent = os.path.dirname(folder)
    return [os.path.join(parent, name) for name in sorted(os.listdir(parent))]


def label_columns(given, folder):
    """Return the columns of --labels."""
    return read(find_labels(given, folder, list(walk(folder)))[0][0]).columns


def hint(files):
    """Return what says which files may be tables of labels, '' where none is."""
    found = dict.fromkeys(last(path) for path in files if path.lower().endswith(
        ENDINGS) and last(path) != 'config.json')       # a run's, no table
    return ' There is %s: --labels %s' % (
        'a file' if len(found) == 1 else 'one of %d files' % len(found),
        next(iter(found))) if found else ''


# --- several of one name -----------------------------------------------------

def read_all(places, folder, names):
    """Return the Table of all places. UserError where their columns differ, or lines.

    A line is of the picture beside its table, where there is such a one.
    """
    found = [moved(read(place), parents(place, folder), names) for place in places]
    table = found[0]
    for other in found[1:]:
        if other.columns != table.columns:
            raise UserError('%s and %s have other columns: make them one table.'
                            % (table.path, other.path))
        for name, row in other.rows.items():
            if table.rows.setdefault(name, row) != row:
                raise UserError('%s and %s have other labels for %s.'
                                % (table.path, other.path, shown(name)))
            table.lines.setdefault(name, other.lines[name])
    return table


def parents(place, folder):
    """Return the folders that a table is in, as the names of pictures begin there."""
    if isinstance(place, str):
        parent = os.path.relpath(os.path.dirname(os.path.abspath(place)), folder)
        return [normal(parent)]
    zip_name = normal(os.path.splitext(os.path.relpath(place[0], folder))[0])
    parent = os.path.dirname(normal(place[1]))
    return [parent, '%s/%s' % (zip_name, parent) if parent else zip_name]


def moved(table, folders, names):
    """Return the Table with the folder before its files where pictures are there."""
    if set(folders) <= {'', '.', '..'}:     # beside all pictures, the usual place
        return table
    names = [normal(name).casefold() for name in names]
    folders = [folder for folder in folders if any(
        name.startswith(folder.casefold() + '/') for name in names)]
    if not folders:
        return table
    known = {form for name in names for form in forms(name)}

    def full(name):
        for folder in folders:
            longer = '%s/%s' % (folder, name)
            if not known.isdisjoint(forms(longer.casefold())):
                return longer
        return name
    return table._replace(rows={full(name): row for name, row in table.rows.items()},
                          lines={full(name): n for name, n in table.lines.items()})


# --- the picture's row -------------------------------------------------------

def match(names, table):
    """Return the table's row of each picture, None where it has none, and the unused.

    A picture is found by its path or an end of it, with the ending of its name or
    without, 1 for 0001.jpg too; or, where it is the only one of its name, by that
    alone. Raises UserError where two pictures would be found by one line.
    """
    kinds = {}, {}, {}
    for key in table.rows:
        for found, form in zip(kinds, forms(key.casefold())):
            found.setdefault(form, key)
    lookup = {**kinds[2], **kinds[1], **kinds[0]}       # as it is written wins
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
    whole, start, parts = forms(name), 0, name.split('/')
    for part in parts:
        for form in whole:
            if form[start:] in lookup:
                return lookup[form[start:]]
        start += len(part) + 1
    return short.get(parts[-1])


def forms(name):
    """Return how a path is written: as it is, without its ending, without zeros."""
    stem = name.rpartition('.')[0] if PICTURE.search(name) else name
    folder, slash, file = stem.rpartition('/')
    if file[:1] == '0' and file.isdecimal():
        file = file.lstrip('0') or '0'
    return name, stem, folder + slash + file


def once(paths):
    """Return {name: path} of the names, without folders, that only one path has."""
    found = [normal(path).casefold().rsplit('/', 1)[-1] for path in paths]
    count = collections.Counter(found)
    return {name: path for name, path in zip(found, paths) if count[name] == 1}


def require(labels, rows, names, table):
    """Raise UserError naming the pictures that have no row, or no label in it."""
    missing = [i for i, label in enumerate(labels) if label is None]
    if missing:
        raise UserError(
            '%s has no %s for %d of %d images, such as %s: add lines, or move those '
            'images away. It has the columns %s, and lines for %s.'
            % (table.path, 'line' if any(rows[i] is None for i in missing) else 'label',
               len(missing), len(names), ', '.join(names[i] for i in missing[:3]),
               listed(table.columns), ', '.join(list(table.rows)[:2]) or 'nothing'))


def listed(columns, most=40):
    """Return the names of columns, not too many."""
    more = len(columns) - most
    return (', '.join(columns[:most]) or 'of files alone') + (
        ' and %d more' % more if more > 0 else '')
