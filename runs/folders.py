"""Run folders: checkpoint/<run>/ and samples/<run>/, and how they are found again.

No TensorFlow: what is wrong with a run's name or flags is said before it starts.
"""

import contextlib
import os
import re
import tempfile
import typing

from settings.checks import LONGEST_PART
from settings.config import Config
from settings.errors import ClosedError, NotFoundError, UserError, shown
from utils import existing

CONFIG = 'config.json'
LOST = ('It was trained, and they are lost: bring them back, or move the folder away '
        'to begin anew.')
ELSEWHERE = 'Folders elsewhere: --checkpoint_dir, --sample_dir, --cache_dir.'
MODEL_NAME = 'DCGAN.model'       # checkpoint files are DCGAN.model-<step>.*
BEST = 'best'
STATE = 'checkpoint'    # the file by which TensorFlow finds the newest one
INDEX = re.compile(r'^(.+)-(\d+)\.index$')
SHEET = re.compile(r'^train_(\d+)_(\d+)\.png$')     # of an epoch and a step


class Run(typing.NamedTuple):
    """A run: its name and its two folders, which need not exist yet."""

    name: str
    checkpoint_dir: str
    sample_dir: str

    @property
    def config_path(self):
        """Where the run's config.json is."""
        return os.path.join(self.checkpoint_dir, CONFIG)

    @property
    def best_dir(self):
        """Where the best checkpoint so far is, of a run with --eval_freq."""
        return os.path.join(self.checkpoint_dir, BEST)

    @property
    def log_dir(self):
        """Where TensorBoard's event files are."""
        return os.path.join(self.checkpoint_dir, 'logs')

    @property
    def history_path(self):
        """Where the run's losses are written down, a line a step."""
        return os.path.join(self.checkpoint_dir, 'history.csv')


def names_in(folder):
    """Return the names in a folder, none where there is no folder.

    Raises ClosedError where it must not be read, as that of another user.
    """
    try:
        return os.listdir(folder) if os.path.isdir(folder) else []
    except PermissionError as error:
        raise ClosedError('The folder %s cannot be read: %s. %s'
                          % (folder, error.strerror, ELSEWHERE))


def saved(folder):
    """Return the (step, path) of each checkpoint in a folder, oldest first."""
    found = [INDEX.match(name) for name in names_in(folder)]
    return sorted((int(m.group(2)), os.path.join(folder, m.string[:-len('.index')]))
                  for m in found if m)


def trained(folder):
    """Tell whether there is, or was, a checkpoint in a folder.

    The list of checkpoints is written after the first one, and stays.
    """
    return bool(saved(folder)) or os.path.isfile(os.path.join(folder, STATE))


def list_sheets(run, after=-1):
    """Return the paths of a run's sheets of the steps after `after`, in order."""
    found = [SHEET.match(name) for name in names_in(run.sample_dir)]
    return [os.path.join(run.sample_dir, name) for step, name in sorted(
        (int(m.group(2)), m.string) for m in found if m) if step > after]


def chosen(run, which=None):
    """Return (step, path) of a run's checkpoint: the newest, the best, or of a step.

    Raises NotFoundError where there is no such one, UserError where `which` is none of
    None, 'best' and a number.
    """
    if which is None:
        return latest(run.checkpoint_dir)
    if which == BEST:
        found = saved(run.best_dir)
        if not found:
            raise NotFoundError('No best checkpoint in %s: training keeps one with '
                                '--eval_freq N.' % run.best_dir)
        return found[-1]
    if not re.fullmatch('[0-9]{1,18}', which):
        raise UserError('--checkpoint %s: expected best or the number of a step.'
                        % shown(which))
    there = dict(saved(run.best_dir) + saved(run.checkpoint_dir))
    if int(which) not in there:
        raise NotFoundError('No checkpoint of step %s in %s; there are those of %s.' % (
            which, run.checkpoint_dir, ', '.join(map(str, sorted(there)))))
    return int(which), there[int(which)]


def latest(folder):
    """Return (step, path) of a folder's newest checkpoint. Raises NotFoundError."""
    found = saved(folder)
    if not found:
        raise NotFoundError('No checkpoint in %s: expected files like %s-1000.index. %s'
                            % (os.path.abspath(folder), MODEL_NAME,
                               LOST if trained(folder) else
                               'Train first: add --train.'))
    return found[-1]


def at(config, name=None):
    """Return the Run of a name (by default the config's) in the config's folders.

    Without a name, a --checkpoint_dir that itself holds a checkpoint is the run's own.
    """
    name = name or config.name
    if name is None and trained(config.checkpoint_dir):
        name = os.path.basename(os.path.abspath(config.checkpoint_dir))
        return Run(name, config.checkpoint_dir, os.path.join(config.sample_dir, name))
    name = name or config.run_name
    return Run(name, os.path.join(config.checkpoint_dir, name),
               os.path.join(config.sample_dir, name))


def checked(run):
    """Return the run; raise UserError where TensorFlow cannot read from its folder.

    TensorFlow takes a checkpoint's path for a pattern, in which [1] stands for 1.
    """
    odd = sorted(set('[]') & set(run.checkpoint_dir))
    if odd:
        raise UserError('TensorFlow finds no checkpoint below %s, because of %s in the '
                        'path: take another --name or --checkpoint_dir.'
                        % (run.checkpoint_dir, ' '.join(odd)))
    return run


def make_folder(folder):
    """Make a folder where need be. Raises UserError where it cannot be written to."""
    try:
        os.makedirs(folder, exist_ok=True)
        handle, path = tempfile.mkstemp(dir=folder)     # a TemporaryFile has no name,
        os.close(handle)                                # which not all systems allow
        os.remove(path)
    except OSError as error:
        raise UserError('The folder %s cannot be written to: %s. %s'
                        % (folder, error.strerror, ELSEWHERE))


def check_folders(*folders):
    """Raise UserError where a folder that is to be written to, or made, cannot be.

    Nothing is made.
    """
    for folder in folders:
        above = nearest_folder(folder)
        if not os.access(above, os.W_OK | os.X_OK):
            raise UserError('The folder %s cannot be written to: no permission to '
                            'write to %s. %s' % (folder, above, ELSEWHERE))


def nearest_folder(folder):
    """Return the folder itself, or the nearest one above it that exists.

    Raises UserError where something else is in the way, or a name is too long.
    """
    if max(map(len, os.fsencode(folder).split(os.sep.encode()))) > LONGEST_PART:
        raise UserError('The folder %s cannot be made: expected names of up to %d '
                        'bytes.' % (shown(folder), LONGEST_PART))
    above = existing(folder)
    if not os.path.isdir(above):
        raise UserError('The folder %s cannot be made: %s is no folder.'
                        % (folder, above))
    return above


def newest(config, of_dataset, fits=lambda made: True):
    """Return the name of the newest run; if `of_dataset`, of config's data set.

    Of those made with a Config that `fits`, where there are any.
    """
    runs = all_runs(config.checkpoint_dir)
    fitting = [(made is not None and fits(made), time, name)
               for time, name, made in runs
               if not of_dataset or is_of(config.dataset, name, made)]
    if config.name or not fitting:
        wanted = 'named %s' % config.name if config.name else 'of %s' % config.dataset
        raise NotFoundError(
            'No run %s with a checkpoint in %s. Runs there: %s. To train one, add '
            '--train.' % (wanted, os.path.abspath(config.checkpoint_dir),
                          ', '.join(name for _, name, _ in runs) or 'none'))
    return max(fitting)[-1]


def is_of(dataset, name, made):
    """Tell whether a run is of a data set; its name tells where its Config is None."""
    if made is None:
        return bool(re.fullmatch(re.escape(dataset) + r'(_\d+){3}', name))
    return made.dataset == dataset


def all_runs(folder):
    """Return (time of the newest checkpoint, name, Config) of each run, by name.

    The Config is None where config.json is missing or broken, the time 0 where the
    checkpoints are lost. Folders of others that are closed to this user are left out.
    """
    runs = []
    for name in sorted(names_in(folder)):
        path = os.path.join(folder, name)
        with contextlib.suppress(ClosedError):
            if trained(path):
                runs.append((newest_time(saved(path)), name, config_of(path)))
    return runs


def config_of(folder):
    """Return the Config of a run's folder; None where it cannot be read."""
    with contextlib.suppress(OSError, UserError):
        return Config.load(os.path.join(folder, CONFIG))
    return None


def newest_time(found):
    """Return when the newest of some checkpoints was written; 0 where all have gone."""
    for _, path in reversed(found):
        with contextlib.suppress(FileNotFoundError):    # its training goes on
            return os.stat(path + '.index').st_mtime_ns
    return 0
