"""What files there are below a folder, and in a zip file, in an order of their names.

The order of the file system's own lists, which differs between machines, decides
nothing.
"""

import os
import zipfile

from dataset.pictures import check_file
from settings.errors import UserError

ADDED = ('__MACOSX', 'lost+found')      # by systems; nobody put pictures there


def walk(folder):
    """Yield the files below a folder, in an order that the names alone decide.

    Links to folders are followed, each folder once; what is hidden is passed over.
    Raises UserError for a folder that cannot be read: it may hold most of the images.
    """
    seen = set()
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        if os.path.realpath(parent) in seen:
            folders[:] = []
            continue
        seen.add(os.path.realpath(parent))
        folders[:] = sorted(name for name in folders if not hidden(name))
        for name in sorted(names):
            if not hidden(name):
                yield os.path.join(parent, name)


def refuse(error):
    """Raise UserError for a folder that cannot be read, unless it is gone by now."""
    if not isinstance(error, FileNotFoundError):
        raise UserError('%s cannot be read (%s): make it readable or move it away.'
                        % (error.filename, error.strerror))


def distinct(paths):
    """Return the paths but for links to files that are among them without those.

    Of several links to one file the first is left, and every link that leads nowhere.
    """
    paths = list(paths)
    links = {path for path in paths if os.path.islink(path)}
    parents = {os.path.dirname(path) for path in paths} if links else ()
    parents = {parent: os.path.realpath(parent) for parent in parents}
    seen = {os.path.join(parents[os.path.dirname(path)], os.path.basename(path))
            for path in paths if links and path not in links}
    return [path for path in paths if path not in links or new(path, seen)]


def new(link, seen):
    """Tell whether a link's file is not among those seen, where it is put."""
    target = os.path.realpath(link)
    if target in seen:
        return False
    if os.path.exists(target):
        seen.add(target)
    return True


def zip_members(path):
    """Return the names in a zip file, each once, as walk would find them unpacked.

    Raises UserError for a broken one.
    """
    try:
        check_file(path)
        with zipfile.ZipFile(path) as archive:
            names = [name.split('/') for name in set(archive.namelist())]
        return ['/'.join(name) for name in sorted(names, key=folders_last)
                if not any(map(hidden, name))]
    except Exception as error:      # a damaged table raises nearly anything
        raise UserError('%s cannot be read as a zip file (%s): fetch it again.'
                        % (path, error))


def folders_last(parts):
    """Return what sorts paths, in their parts, as walk does: files before folders."""
    return [(1, part) for part in parts[:-1]] + [(0, parts[-1])]


def hidden(name):
    """Tell whether a file or folder is hidden, or one of those that systems add."""
    return name.startswith('.') and name != '.' or name in ADDED
