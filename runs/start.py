"""The start of a call: from its words to a settled run, config and checkpoint.

In this order: parse the words, complete them with the data set's defaults, find the
run, lay them over what it was made with, check, lock. No TensorFlow.
"""

import contextlib
import dataclasses
import os
import re

from dataset import catalog
from runs import folders, origin, room
from settings import beside, parser
from settings.config import Config
from settings.errors import NotFoundError, UserError, shown, written
from settings.flags import CALL, NETWORK, TRAIN, TRAINING, fields, spelled
from utils import claim

LOCK = '.lock'
BUNDLED_RUN = 'toonfaces_network'     # where what it draws goes
TRAINED_BY = 'trained_by.txt'         # beside it: the command
FROM_STEP = (' To train on from a checkpoint begin a new run with it: --from RUN@STEP '
             '--name NEW.')


# --- words and defaults ------------------------------------------------------

def complete(words):
    """Return (Config, given) of a command line: its flags and what they leave open.

    `given` are the flags as they were written, {name: value}. Raises UserError for
    words that are no flags, and for flags that the call has no use for.
    """
    given = parser.parse_flags(words)
    config = Config.make(given, catalog.defaults(given.get('dataset', Config.dataset)))
    # Typed flags alone: a flag file may be shared by training and sampling.
    check_place(parser.parse_flags(words, flag_files=False), config)
    room.check_cores('threads', config.threads)
    if config.inception_path and not os.path.isfile(config.inception_path):
        raise NotFoundError('--inception_path %s: there is no such file; `python '
                            'download.py inception` fetches it.'
                            % shown(config.inception_path))
    if not config.crop and {'input_height', 'input_width'} & set(given):
        print('note: the input size is that of the crop; without --crop it has no '
              'effect')
    return config, given


def check_place(given, config):
    """Raise UserError naming each flag of `given` that the call has no use for."""
    what = TRAIN if config.train else config.task
    wrong = [f for f in fields() if given.get(f.name, False) is not False and (
        what in f.metadata['not_of'] or what not in (f.metadata['of'] or [what]))]
    if wrong:
        raise UserError('\n'.join('--%s is %s %s: leave it out.%s' % (
            spelled(f.name), 'for' if f.metadata['of'] else 'not for', ' or '.join(
                '--train' if task == TRAIN else '--task ' + task
                for task in f.metadata['of'] or f.metadata['not_of']),
            FROM_STEP if f.name == 'checkpoint' and config.train else '')
            for f in wrong))


# --- training ----------------------------------------------------------------

def to_train(config, given, infer=None, echo=print):
    """Return (Run, Config) for training: of a new run, or of one that goes on.

    For `infer` see origin.lay. Raises UserError where the run exists and was made with
    other values, or several could be meant.
    """
    run = going_on(config, given, echo)
    if run is None:
        if config.from_ is not None:
            config = origin.lay(config, given, infer)
        run = folders.at(config)
        say_others(run, config, echo)
    return run, settle(folders.checked(run), config, given)


def going_on(config, given, echo):
    """Return the Run that goes on, or None where a new one begins.

    It is the one of the name, else the one whose default name differs by flags alone
    that are not given. Raises UserError where there are several of these.
    """
    run, named = folders.at(config), config.name or folders.saved(config.checkpoint_dir)
    if folders.saved(run.checkpoint_dir) and (named or config.from_ is None):
        return run
    found = [name for _, name, made in folders.all_runs(config.checkpoint_dir)
             if meant(config, given, name, made)]
    if named or not found:
        return None
    if len(found) > 1:
        raise UserError('Several runs could be meant: %s. Say which by --name NAME; a '
                        'new one needs a --name of its own.' % ', '.join(found))
    echo('going on with the run that is there, %s; for another add --name NAME'
         % found[0])
    return folders.at(config, found[0])


def meant(config, given, name, made):
    """Tell whether a run could be the one that goes on; see going_on.

    Where its config.json cannot be read (`made` is None) its name tells.
    """
    if made is None:
        sizes = dict(zip(('batch_size', 'output_height', 'output_width'),
                         map(int, re.findall('[0-9]+', name)[-3:])))
        return (not config.from_ and folders.is_of(config.dataset, name, made)
                and all(given.get(name, size) == size for name, size in sizes.items()))
    return (name == made.replace(name=None).run_name
            and (config.from_ or made.dataset == config.dataset)
            and allows(resume, made, given))


def say_others(run, config, echo):
    """Say that a run begins anew beside others of the same data set, where it does."""
    others = [name for _, name, made in folders.all_runs(config.checkpoint_dir)
              if folders.is_of(config.dataset, name, made) and name != run.name]
    if others and not folders.saved(run.checkpoint_dir):
        echo('beginning a new run, %s; of %s there are: %s. To go on with one of them '
             'add --name NAME%s' % (
                 run.name, config.dataset, ', '.join(others),
                 '' if config.from_ else ', to begin with its weights --from NAME'))


def allows(overlay, made, given):
    """Tell whether a run made with a Config takes these flags; see resume, restore."""
    try:
        overlay(made, given)
    except UserError:
        return False
    return True


def settle(run, config, given):
    """Return the Config with which a run trains: that of a new run, or what it has."""
    if folders.trained(run.checkpoint_dir):
        folders.latest(run.checkpoint_dir)      # refuses where it is lost
        if not os.path.exists(run.config_path):
            raise UserError('%s holds a checkpoint but no config.json: it can be '
                            'sampled from, not trained on. Give another --name; with '
                            '--from %s that run begins with its weights.' % (
                                run.checkpoint_dir, written(run.checkpoint_dir)))
        old = Config.load(run.config_path)
        if given.get('from_') not in (None, old.from_):
            raise UserError(
                '--from begins a new run, and %s is there already, begun %s. Give the '
                'new one a --name of its own; to go on with %s leave --from out.' % (
                    run.checkpoint_dir, 'with --from ' + written(old.from_)
                    if old.from_ else 'without it', run.name))
        config = resume(old, given, run.name)
    if 'eval_samples' in given and not config.eval_freq:
        raise UserError('--eval_samples is for --eval_freq: add it, or leave '
                        '--eval_samples out.')
    return config


def resume(old, given, name='RUN'):
    """Return the Config with which a run made with `old`, of this name, goes on.

    Flags that are not given keep the run's values, but for those that belong to one
    call. Raises UserError naming each flag that must not differ, with both values.
    """
    fixed = {f.name for f in fields(NETWORK)} - origin.FITTING
    remedy = 'To train with other values start another run: add --name NAME'
    if all(given.get(field, getattr(old, field)) == getattr(old, field)
           for field in fixed):
        remedy += ' --from %s, and it begins with the weights of this one' % name
    return overlay(old, given, [f.name for f in fields(NETWORK, TRAINING)],
                   remedy + '.')


def check_free(run):
    """Raise UserError where another process trains the run, or it cannot be written."""
    folders.check_folders(run.checkpoint_dir, run.sample_dir, run.best_dir, run.log_dir)
    if os.path.exists(os.path.join(run.checkpoint_dir, LOCK)):
        with locked(run):
            pass


@contextlib.contextmanager
def locked(run):
    """Keep other processes from training the run. Raises UserError where one does.

    The system releases the lock when the process ends, however it ends.
    """
    folders.make_folder(run.checkpoint_dir)
    path = os.path.join(run.checkpoint_dir, LOCK)
    try:
        file = open(path, 'a+')
    except OSError as error:
        raise UserError('%s cannot be written: %s' % (path, error.strerror))
    with file:
        if claim(file) is False:
            raise UserError('%s is in use: another process is training the run %s. '
                            'Wait for it, stop it, or give another --name.'
                            % (run.checkpoint_dir, run.name))
        yield


def check_classes(run, config, data):
    """Raise UserError where a run that goes on learned other labels than the data's."""
    if folders.saved(run.checkpoint_dir) and config.classes != data.classes:
        raise UserError('The run %s was trained with the labels %s; those of the data '
                        'are now %s. Rename the folders back, or add --name NAME; '
                        'with --from %s too it begins with the weights of this one.'
                        % (run.name, ', '.join(config.classes) or 'none',
                           ', '.join(data.classes) or 'none', run.name))


# --- tasks on a checkpoint ---------------------------------------------------

def to_restore(config, given, echo=print):
    """Return (Run, Config or None) for a task on a checkpoint.

    None stands for a checkpoint without config.json. Without --name, and where the
    default name does not exist, the newest run of the data set is taken, of those that
    the given flags fit, or else the bundled one. Raises NotFoundError, with the list of
    runs, where there is none, and UserError.
    """
    run = folders.at(config)
    if not folders.trained(run.checkpoint_dir):
        run = another(config, given, echo)
    folders.checked(run)
    folders.check_folders(run.sample_dir)
    folders.chosen(run, config.checkpoint)      # refuses where there is none
    if not os.path.exists(run.config_path):
        return run, None
    restored = restore(Config.load(run.config_path), given)
    restored.check_label()
    return run, restored


def another(config, given, echo):
    """Return the newest Run that fits; or the bundled one; see to_restore."""
    try:
        run = folders.at(config, folders.newest(
            config, 'dataset' in given, lambda made: allows(restore, made, given)))
    except NotFoundError:
        run = bundled(config, given)
        if run is None:
            raise
        with open(os.path.join(run.checkpoint_dir, TRAINED_BY)) as file:
            echo('no run of %s yet: taking the network that comes with the program, '
                 'trained by\n  %s' % (config.dataset, file.read().strip()))
    else:
        echo('taking the newest run: %s' % run.checkpoint_dir)
    return run


def bundled(config, given):
    """Return the Run of the network that comes with the program, or None.

    None where another data set, a name or a folder is given, or flags that do not fit.
    """
    folder = bundled_folder()
    run = folders.Run(BUNDLED_RUN, folder, os.path.join(
        config.sample_dir, BUNDLED_RUN))
    if (given.get('dataset') == catalog.BUNDLED and folders.saved(folder)
            and not {'name', 'checkpoint_dir'} & set(given)
            and allows(restore, Config.load(run.config_path), given)):
        return run
    return None


def bundled_folder():
    """Return the folder of the network that comes with the program."""
    return os.path.join(beside.PROGRAM, 'data', catalog.BUNDLED, 'network')


def restore(old, given):
    """Return the Config for a task on a run made with `old`; see resume.

    --train_size must not differ either: it says which images are held out.
    """
    old = old.replace(num_samples=None)     # the sheets' of training, not this call's
    return overlay(old, given, [f.name for f in fields(NETWORK)] + ['train_size'],
                   'Leave these flags out: they are read from config.json.')


# --- both --------------------------------------------------------------------

def overlay(old, given, fixed, remedy):
    """Lay `given` over `old`. UserError where a field of the names `fixed` differs."""
    effect = in_effect(old)
    wrong = ['  --%s: %s in config.json, %s now' % (
        spelled(name), shown(getattr(old, name)), shown(given[name])) for name in fixed
        if name in given and given[name] not in (getattr(old, name), effect[name])]
    if wrong:
        raise UserError('The run was made with other values than those given:\n%s\n%s'
                        % ('\n'.join(wrong), remedy))
    values = {f.name: f.default for f in fields(CALL)}
    values.update((name, value) for name, value in given.items() if name not in fixed)
    return old.replace(**values)


def in_effect(config):
    """Return {name: value} of a Config, with the values that None stands for."""
    values = dict(dataclasses.asdict(config), num_samples=config.sheet_size)
    for name in 'd_learning_rate', 'g_learning_rate':
        values[name] = values[name] or config.learning_rate
    return values
