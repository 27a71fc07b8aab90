"""Origin: what a new run begins with, --from RUN[@STEP], and its Config.

No TensorFlow; the weights themselves are read by inherit.py.
"""

import os
import re

from runs import folders
from settings.checks import GAUSSIAN
from settings.config import Config
from settings.errors import NotFoundError, UserError, shown, written
from settings.flags import CALL, NETWORK, fields, spelled

# Of the network's fields these may differ: all weights fit, or those of the labels and
# the averages begin anew.
FITTING = {'dataset', 'conditional', 'attributes', 'classes', 'ema', 'z_dist'}
# With another data set, what is not given is that data set's own, not the source's
OF_DATA = {'crop', 'input_height', 'input_width', 'input_fname_pattern', 'labels',
           'train_size', 'chosen_by', 'features'}
WHICH = re.compile('(.+)@(best|[0-9]{1,18})')
ENDING = re.compile(r'\.(index|meta|data-\d+-of-\d+)$')


# --- where it is -------------------------------------------------------------

def find(config):
    """Return (Run, which) of --from; `which` as folders.chosen takes it.

    It names a run in --checkpoint_dir, a folder that holds a checkpoint, or a
    checkpoint itself. Raises NotFoundError, with the runs that there are.
    """
    match = WHICH.fullmatch(config.from_)
    for place, which in [(config.from_, None)] + ([match.groups()] if match else []):
        for path in os.path.join(config.checkpoint_dir, place), place:
            found = holder(ENDING.sub('', path), which)
            if found:
                return folders.checked(found[0]), found[1]
    there = [name for _, name, _ in folders.all_runs(config.checkpoint_dir)]
    raise NotFoundError(
        '--from %s: found no run of this name in %s, and no folder with a checkpoint. '
        'Expected RUN, RUN@STEP or RUN@best. Runs there: %s.'
        % (written(config.from_), os.path.abspath(config.checkpoint_dir),
           ', '.join(there) or 'none'))


def holder(path, which):
    """Return (Run, which) of a run's folder, of its best/, or of a checkpoint's path.

    None where it is none of these.
    """
    if os.path.isfile(path + '.index'):
        path, _, which = path.rpartition('-')
        path = os.path.dirname(path) or '.'
    folder = os.path.abspath(path)
    above = os.path.dirname(folder)
    if os.path.basename(folder) == folders.BEST and os.path.exists(
            os.path.join(above, folders.CONFIG)):
        path, which = os.path.dirname(path) or above, which or folders.BEST
    run = folders.Run(os.path.basename(os.path.abspath(path)), path, '')
    if folders.trained(run.checkpoint_dir) or folders.saved(run.best_dir):
        return run, which
    return None


# --- its settings ------------------------------------------------------------

def lay(config, given, infer):
    """Return the Config of a new run with --from: the source's, where nothing is given.

    infer(path, config, given) tells the Config of a checkpoint without config.json.
    Raises UserError naming each flag with which the weights would not fit.
    """
    run, which = find(config)
    step, path = folders.chosen(run, which)
    if os.path.exists(run.config_path):
        old = Config.load(run.config_path)
    else:
        old = infer(path, config, {name: value for name, value in given.items()
                                   if name not in FITTING or name == 'z_dist'})
        old = old.replace(ema=config.ema)       # which its shapes do not tell
    check(config, old, given)
    own = given_names(config, old, given)
    values = {f.name: getattr(config if f.name in own else old, f.name)
              for f in fields()}
    if 'augment_after' not in own:
        values['augment_after'] = (     # D has come so far already
            max(0, old.augment_after - step) if values['augment'] != 'none'
            else Config.augment_after)
    return Config(**dict(values, origin=path, pictures=None, seen=None,
                         trained_in=None)).check()


def check(config, old, given):
    """Raise UserError where the weights of a run made with `old` do not fit."""
    wrong = ['  --%s: %s there, %s given' % (
        spelled(f.name), shown(getattr(old, f.name)), shown(given[f.name]))
        for f in fields(NETWORK) if f.name in given and f.name not in FITTING
        and given[f.name] != getattr(old, f.name)]
    if GAUSSIAN in (old.dataset, config.dataset):
        wrong.append('  it is of the points of --dataset %s' % GAUSSIAN)
    if wrong:
        raise UserError('--from %s: its weights do not fit:\n%s\nLeave these flags '
                        'out, or train anew, without --from.'
                        % (written(config.from_), '\n'.join(wrong)))


def given_names(config, old, given):
    """Return the names of the fields that are not the source's; see lay."""
    own = {f.name for f in fields(CALL)} | set(given)
    if config.dataset != old.dataset and 'dataset' in given:
        own |= OF_DATA
    if {'input_height', 'input_width'} & own:       # one stands for both
        own |= {'input_height', 'input_width'}
    if 'train_size' in own:
        own.add('chosen_by')
    if 'learning_rate' in own:      # given, it is that of both networks
        own |= {'d_learning_rate', 'g_learning_rate'}
    if {'conditional', 'attributes'} & own or 'labels' in given and not old.attributes:
        own |= {'conditional', 'attributes', 'labels', 'wrong_labels'}
    return own
