"""Shelf: the runs of a folder, newest first, for several browsers at once."""

import collections
import os
import threading

from runs import folders
from tasks.parts.watching import plain
from tasks.parts.watching.log import Log
from tasks.parts.watching.reading import Linked, Watched

SIGNS = ('history.csv', 'config.json', '.lock')     # one of which a run's folder holds
MOST = 200          # runs that are listed
LOGS = 4            # whole histories that are kept


class Shelf:
    """The runs below --checkpoint_dir; or the one run whose own folder that is."""

    def __init__(self, config):
        self.folder = os.path.abspath(config.checkpoint_dir)
        self.sample_dir = os.path.abspath(config.sample_dir)
        self.watched, self.logs = {}, collections.OrderedDict()
        self.lock = threading.Lock()    # one browser at a time

    def names(self):
        """Return {name: its folder} of the runs that there are now."""
        if is_run(self.folder):
            return {os.path.basename(self.folder): self.folder}
        try:
            names = os.listdir(self.folder)
        except OSError:     # it is not there yet
            return {}
        places = {name: os.path.join(self.folder, name) for name in names}
        return {name: path for name, path in places.items() if is_run(path)}

    def look(self):
        """Take up runs that are new, drop those that have gone; return Watched ones."""
        names = self.names()
        for name in set(self.watched) - set(names):
            del self.watched[name]
        for name, path in names.items():
            kind = Linked if os.path.islink(path) and path != self.folder else Watched
            if type(self.watched.get(name)) is not kind:
                self.watched[name] = kind(folders.Run(
                    name, path, os.path.join(self.sample_dir, name)))
        return sorted(self.watched.values(), key=Watched.begun, reverse=True)

    def list(self):
        """Return the list of runs for the page: those in training, then the newest."""
        with self.lock:
            runs = self.look()
            found = [watched.summary() for watched in runs[:MOST]]
        found.sort(key=lambda run: run['state'] != 'training')
        return {'folder': self.folder, 'older': len(runs) - len(found), 'runs': found}

    def find(self, id):
        """Return the Watched of an id as in the list, None where there is none."""
        return next((w for w in self.look() if w.id == id), None)

    def details(self, id):
        """Return all of a run for the page, None where there is no such one."""
        with self.lock:
            watched = self.find(id)
            return watched and watched.details(self.log(watched))

    def log(self, watched):
        """Return the whole history of a run."""
        path = watched.run.history_path
        log = self.logs[path] = self.logs.pop(path, None) or Log(path)
        while len(self.logs) > LOGS:
            self.logs.popitem(last=False)
        return log if isinstance(watched, Linked) else log.update()

    def picture(self, id, name):
        """Return the bytes of a picture of a run, b'' where there is no such one."""
        with self.lock:
            watched = self.find(id)
        return watched.picture(name) if watched else b''


def is_run(folder):
    """Tell whether a folder is that of a run, or of one that begins."""
    try:
        return os.path.isdir(folder) and (any(
            plain.changed(os.path.join(folder, name)) for name in SIGNS)
            or bool(folders.saved(folder)))
    except OSError:     # no leave to read it, or it has just gone
        return False
