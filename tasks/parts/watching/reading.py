"""What the files of a run say about it: how far it is, its curves, its sheets.

Nothing is written or locked, and whatever a file holds, it is answered for.
"""

import math
import os
import time
import urllib.parse

from runs import epochs, folders, history
from runs.start import LOCK
from settings.checks import GAUSSIAN
from settings.config import Config
from settings.errors import UserError
from settings.flags import FREE, NETWORK, TRAINING, fields, spelled
from tasks.parts.watching import plain
from tasks.parts.watching.log import LOSSES, Log, curves
from utils import evenly_spaced

TAIL = 2**14        # bytes at the end of a history that tell how far it is
QUIET = 10          # seconds without a new line, after which a run has stopped, …
LINES = 5           # … or as long as so many lines took
SHORTEST = 1e-9     # seconds of a step; of a shorter one there is no speed
SHEETS = 300        # of a film, evenly chosen
JUDGED = 300        # numbers of a kind, evenly chosen
MOST_TEXT = 2**13   # bytes of warnings that are shown
POINTS = 'scatter.png'      # the picture of a run of points, drawn at the end
WARNINGS = 'warnings.txt'
DIVERGED = ('A loss is no number any more: the run has diverged. See '
            'docs/when-training-dies.md.')
LINK = ('A link to another folder, which is not followed here: to watch it give that '
        'folder as --checkpoint_dir.')


class Watched:
    """A run that is watched: its folders.Run, and what was read of it so far."""

    def __init__(self, run):
        self.run, self.id = run, quoted(run.name)
        self.tail = Log(run.history_path, TAIL)
        self.config, self.problem, self.config_time = None, None, None

    def update(self):
        """Read what is new in the history's end and in config.json."""
        self.tail.update()
        written = plain.changed(self.run.config_path)
        if written != self.config_time:
            self.config_time = written
            self.config, self.problem = read_config(self.run.config_path)

    # --- how far it is ---------------------------------------------------------

    def summary(self):
        """Return what the list of runs shows of it; also what its page begins with."""
        self.update()
        written = plain.changed(self.run.history_path)
        state, (_, each) = self.state(written), self.tail.seconds_a_line()
        total, table = self.total(), self.tail.table
        pictures = self.sheets()
        return {
            'id': self.id, 'name': shown_name(self.run.name), 'state': state,
            'step': self.tail.step, 'total': total,
            'epoch': int(table['epoch'][-1]) if finite(table['epoch'][-1:]) else None,
            'epochs': self.config.epoch if self.config else None,
            'rate': 1 / each if each > SHORTEST else None,
            'images': images_a_step(self.config) / each
                      if each > SHORTEST and self.config else None,
            'left': each * max(0, total - self.tail.step)
                    if state == 'training' and total and each > SHORTEST else None,
            'seconds': float(table['seconds'][-1]) if self.tail.step else None,
            'age': max(0, time.time() - written) if written else None,
            'newest': self.address(pictures[-1]) if pictures else None,
            'version': '%s %s %s %d %s' % (
                written, self.tail.step, self.config_time, len(pictures),
                plain.changed(self.file(WARNINGS)))}

    def file(self, name):
        """Return the path of a file beside the run's checkpoint."""
        return os.path.join(self.run.checkpoint_dir, name)

    def begun(self):
        """Return when it was last started, in seconds: config.json is written then."""
        return max(plain.changed(self.run.config_path) or plain.changed(
            self.run.checkpoint_dir), plain.changed(self.file(LOCK)))

    def state(self, written):
        """Return training, finished, stopped, or new where there is no step yet.

        It is training where a process holds its lock; where that cannot be told, as
        from another machine, where its history was written to just now.
        """
        line, _ = self.tail.seconds_a_line()
        total, step = self.total(), self.tail.step
        if total and step >= total:
            return 'finished'
        quiet = max(QUIET, LINES * line) if finite([line]) else QUIET
        if held(self.file(LOCK)) or step and time.time() - written < quiet:
            return 'training'
        return 'stopped' if step else 'new'

    def total(self):
        """Return the step at which it ends; None where nothing tells."""
        config = self.config
        if config is None:
            return None
        if config.dataset == GAUSSIAN:
            return config.epoch * (
                config.train_size // config.batch_size // config.d_steps)
        return epochs.Epochs(config).total(config.epoch) if config.pictures else None

    # --- its pictures ----------------------------------------------------------

    def sheets(self):
        """Return the names of its sheets, in order; of points of the one picture."""
        if not plain.folder(self.run.sample_dir):
            return []
        try:
            names = list(map(os.path.basename, folders.list_sheets(self.run)))
        except OSError:     # no leave to read it, or it has just gone
            return []
        drawn = plain.changed(os.path.join(self.run.sample_dir, POINTS))
        return names or [POINTS] * bool(drawn)

    def film(self):
        """Return [step, epoch, address] of its sheets, of many of them some."""
        names = self.sheets()
        chosen = evenly_spaced(len(names), SHEETS) if names else []
        return [[*step_and_epoch(names[i]), self.address(names[i])] for i in chosen]

    def address(self, name):
        """Return the address of a picture, below that of the run's pictures.

        The time that it was written is part of it: a run that begins anew under the
        same name has others.
        """
        changed = plain.changed(os.path.join(self.run.sample_dir, name))
        return '%s?%d' % (name, changed * 1e6)

    def picture(self, name):
        """Return the bytes of a picture; b'' where it is none of those shown."""
        if not plain.folder(self.run.sample_dir) or not (
                name == POINTS or folders.SHEET.match(name)):
            return b''
        return plain.read(os.path.join(self.run.sample_dir, name), 2**28)

    # --- all of it -------------------------------------------------------------

    def details(self, log):
        """Return all that the run's page shows; `log` has read the whole history."""
        return dict(self.summary(), curves=curves(log.table), judged=judged(log.judged),
                    sheets=self.film(), notes=self.notes(), about=about(self.config),
                    given=given(self.config), sample_dir=self.run.sample_dir)

    def notes(self):
        """Return what a person should know about it, as texts."""
        found = [self.problem] * bool(self.problem)
        if self.tail.strange:
            found.append('%s is not a history of this program: no curves.'
                         % self.run.history_path)
        last = [values[-1:] for name, values in self.tail.table.items()
                if name in LOSSES and name in (self.tail.header or ())]
        if self.tail.step and not all(map(finite, last)):
            found.append(DIVERGED)
        warnings = plain.read(self.file(WARNINGS), MOST_TEXT)
        return found + warnings.decode('utf-8', 'replace').splitlines()


class Linked(Watched):
    """A run whose folder is a link: named, and not read."""

    def update(self):
        """Read nothing."""

    def notes(self):
        """Say why there is nothing."""
        return [LINK]

    def sheets(self):
        """Return no sheets."""
        return []

    def picture(self, name):
        """Return nothing."""
        return b''


# --- parts -------------------------------------------------------------------

def step_and_epoch(name):
    """Return the step and the epoch that a sheet's name says, None for other names."""
    found = folders.SHEET.match(name)
    return (int(found.group(2)), int(found.group(1))) if found else (None, None)


def read_config(path):
    """Return (Config, None), or (None, what is wrong with it)."""
    try:
        with plain.open_file(path):     # refuses what is no file
            return Config.load(path), None
    except FileNotFoundError:
        return None, 'There is no config.json: how long it trains is not known.'
    except (OSError, UserError) as error:
        return None, str(error)


def judged(rows):
    """Return the numbers of each kind of features, by name, as lists for a page."""
    found = {}
    for name, *values in rows:
        found.setdefault(name, []).append(values)
    return [dict(zip(('step', 'fd', 'kid'), map(list, zip(*thinned(values)))),
                 by=name, title=history.titled(name).replace(r'\$', '$'))
            for name, values in found.items()]


def thinned(rows):
    """Return at most JUDGED rows, the best among them, None for what is no number."""
    known = [i for i, row in enumerate(rows) if finite(row[1:2])]
    best = min(known, key=lambda i: rows[i][1], default=0)
    return [[value if finite([value]) else None for value in rows[i]]
            for i in sorted({best, *evenly_spaced(len(rows), JUDGED).tolist()})]


def images_a_step(config):
    """Return how many images, or points, a step takes, of all workers together."""
    return config.batch_size * config.d_steps * config.workers


def about(config):
    """Return a line on what is trained."""
    if config is None:
        return ''
    if config.dataset == GAUSSIAN:
        return 'points of the plane, %d a step' % (config.batch_size * config.d_steps)
    return '%s, %d × %d pixels, %d images a step%s' % (
        config.dataset, config.output_width, config.output_height,
        images_a_step(config), ', %d labels' % config.y_dim
        if config.y_dim else '')


def given(config):
    """Return the flags of a Config that differ from the defaults, as words."""
    return [] if config is None else [
        '--%s %s' % (spelled(f.name), getattr(config, f.name))
        for f in fields(NETWORK, TRAINING, FREE)
        if f.metadata['help'] and getattr(config, f.name) not in (f.default, None)]


def held(path):
    """Tell whether a process of this machine holds a lock on a file; on Linux.

    Read from the system's own list: to try the lock would be to hold it, and a training
    that starts right then would be refused.
    """
    try:
        info = os.stat(path)
        with open('/proc/locks') as file:
            places = {line.split()[-3] for line in file if line.count(' ') > 5}
    except (OSError, IndexError):
        return False
    return '%02x:%02x:%d' % (os.major(info.st_dev), os.minor(info.st_dev),
                             info.st_ino) in places


def finite(values):
    """Tell whether there are values, and all are finite numbers."""
    return len(values) > 0 and all(map(math.isfinite, values))


def quoted(name):
    """Return a file's name as a part of an address."""
    return urllib.parse.quote(os.fsencode(name), safe='')


def shown_name(name):
    """Return a file's name as a text to be shown."""
    return os.fsencode(name).decode('utf-8', 'replace')
