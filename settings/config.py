"""Config: every setting of a run, frozen; its defaults, checks and JSON.

No TensorFlow and no NumPy, so that `--help` and errors answer at once.
"""

import dataclasses
import errno
import json

from settings import checks
from settings.checks import EXPECTED, GAUSSIAN, shown  # noqa: F401  (GAUSSIAN: for others)


class UserError(ValueError):
    """Bad input: what was found, what was expected, what to do. Exit status 2."""


class NotFoundError(UserError, FileNotFoundError):
    """Bad input: something that should be on disk is not there."""


# The disk, or this user's share of it, is full: no fault of what was asked for
NO_ROOM = errno.ENOSPC, errno.EDQUOT, errno.EFBIG

# What a field means to a run that exists already:
NETWORK = 'network'      # the shape of the network: never differs
TRAINING = 'training'    # how it was trained: must not differ on resume
FREE = 'free'            # may change from one start to the next
CALL = 'call'            # belongs to one call of main.py; not taken from config.json

# What the flags of one thing to do belong to: training, or tasks of tasks.TASKS
TRAIN = 'train'
MOST_JSON = 2**20       # characters of a config.json
COMBINED = 4      # attributes of which a sheet has every combination


def option(default, role, low=None, high=None, choices=None, above=None, of=None,
           not_of=''):
    """Make a field: its default, its role, the values that it takes.

    `of` names what it belongs to, TRAIN or tasks with spaces between, by default all
    but `not_of`. Given on the command line to something else it is refused, lest who
    gave it wait for its effect; see check_place.
    """
    limits = dict(low=low, high=high, choices=choices, above=above)
    return dataclasses.field(default=default, metadata=dict(
        limits, role=role, of=of and of.split(), not_of=not_of.split()))


@dataclasses.dataclass(frozen=True)
class Config:
    """All settings of a run. A default of None stands for "not set"."""

    dataset: str = option('celebA', NETWORK)
    train: bool = option(False, CALL)
    task: str = option('sample', CALL)
    name: str = option(None, CALL)
    # training
    epoch: int = option(25, FREE, low=1, high=10**6)
    batch_size: int = option(16, TRAINING, low=1, high=2**16)
    learning_rate: float = option(2e-4, TRAINING, above=0, high=10)
    beta1: float = option(0.5, TRAINING, low=0, high=0.9999)
    train_size: int = option(None, TRAINING, low=1, high=10**9)
    d_steps: int = option(1, TRAINING, low=1, high=100)
    g_steps: int = option(2, TRAINING, low=1, high=100)
    seed: int = option(0, TRAINING, low=0, high=2**31 - 1)
    # images
    input_height: int = option(None, TRAINING, low=1, high=2**16)
    input_width: int = option(None, TRAINING, low=1, high=2**16)
    output_height: int = option(64, NETWORK, low=7, high=4096)
    output_width: int = option(None, NETWORK, low=7, high=4096)
    c_dim: int = option(3, NETWORK, choices=(1, 3))
    crop: bool = option(False, TRAINING)
    input_fname_pattern: str = option('*', TRAINING)
    conditional: bool = option(False, NETWORK)
    attributes: str = option(None, NETWORK)
    # network
    z_dim: int = option(100, NETWORK, low=1, high=2**16)
    z_dist: str = option('normal01', NETWORK, choices=(
        'normal01', 'uniform_signed', 'uniform_unsigned'))
    gf_dim: int = option(32, NETWORK, low=1, high=4096)
    df_dim: int = option(32, NETWORK, low=1, high=4096)
    kernel_size: int = option(4, NETWORK, choices=(3, 4, 5))
    ema: float = option(0.995, NETWORK, low=0, high=0.99999)
    # variants
    architecture: str = option('dcgan', NETWORK, choices=('dcgan', 'mlp'))
    d_head: str = option('linear', NETWORK, choices=('linear', 'conv', 'pool'))
    bias: bool = option(True, NETWORK)
    spectral_norm: bool = option(False, NETWORK)
    init: str = option('dcgan', TRAINING, choices=('dcgan', 'xavier'))
    optimizer: str = option('adam', TRAINING, choices=('adam', 'sgd'))
    momentum: float = option(0.0, TRAINING, low=0, high=0.9999)
    d_learning_rate: float = option(None, TRAINING, above=0, high=10)
    g_learning_rate: float = option(None, TRAINING, above=0, high=10)
    loss: str = option('gan', TRAINING, choices=('gan', 'lsgan', 'wgan', 'hinge'))
    penalty: str = option('none', TRAINING, choices=('none', 'wgan-gp', 'dragan', 'r1'))
    penalty_weight: float = option(10.0, TRAINING, above=0, high=10**6)
    label_smoothing: float = option(0.0, TRAINING, low=0, high=0.5)
    augment: str = option('translation', TRAINING)
    augment_after: int = option(4500, TRAINING, low=0, high=10**9)
    # files
    data_dir: str = option('data', CALL)
    cache_dir: str = option(None, CALL)
    checkpoint_dir: str = option('checkpoint', CALL)
    sample_dir: str = option('samples', CALL)
    sample_freq: int = option(200, FREE, low=1, high=10**9)
    ckpt_freq: int = option(200, FREE, low=1, high=10**9)
    summary_freq: int = option(100, FREE, low=1, high=10**9)
    max_to_keep: int = option(5, FREE, low=1, high=10**6)
    # sampling
    num_samples: int = option(None, TRAINING, low=1, high=10**7, not_of='curves')
    separate: bool = option(False, CALL, of='sample complete')
    label: str = option(None, CALL, of='sample walk arithmetic drop complete')
    checkpoint: str = option(None, CALL, not_of='train curves')
    runs: str = option(None, CALL, of='curves')
    # judging
    features: str = option(None, FREE, choices=(
        'inception', 'classifier', 'pixels', 'random'), of='train evaluate')
    inception_path: str = option(None, FREE, of='train evaluate')
    eval_freq: int = option(None, FREE, low=1, high=10**9, of='train')
    eval_samples: int = option(5000, FREE, low=2, high=10**6, of='train')
    # the paper's experiments
    labels_per_class: int = option(None, CALL, low=2, high=10**9, of='classify')
    walk: str = option('sphere', CALL, choices=(
        'sphere', 'line', 'dimensions', 'dimensions_random', 'dimensions_each',
        'dimensions_merged'), of='walk')
    frames: int = option(60, CALL, low=2, high=10**4, of='walk arithmetic')
    indices: str = option(None, CALL, of='walk')
    formula: str = option(None, CALL, of='arithmetic')
    attribute: str = option(None, CALL, of='classify drop')
    # completing images
    images: tuple = option((), CALL, of='complete')
    mask: str = option('center', CALL, of='complete')
    restarts: int = option(4, CALL, low=1, high=1000, of='complete')
    iterations: int = option(500, CALL, low=1, high=10**6, of='complete')
    perceptual_weight: float = option(0.1, CALL, low=0, high=10**6, of='complete')
    # machine
    precision: str = option('auto', FREE, choices=('auto', 'float32', 'bfloat16'))
    threads: int = option(None, FREE, low=1, high=4096)
    gpu_memory_fraction: float = option(None, FREE, above=0, high=1)
    allow_growth: bool = option(True, FREE)
    # not flags: the names of the labels, as the data set gives them; and which of its
    # images are meant, those to train on or those held out from training
    classes: tuple = option((), NETWORK)
    part: str = option('train', CALL, choices=('train', 'held_out'))

    @property
    def y_dim(self):
        """The number of labels, 0 for an unconditional model."""
        return len(self.classes)

    @property
    def sheet_size(self):
        """The images of a sheet: --num_samples, or 10 for each row of labels, or 64."""
        rows = self.y_dim
        if self.attributes:
            rows = 2 ** rows if rows <= COMBINED else rows + 1
        return self.num_samples or 10 * rows or 64

    @property
    def run_name(self):
        """--name, or carpedm20's model_dir: celebA_16_64_64; points have no size."""
        if self.dataset == GAUSSIAN:
            return self.name or GAUSSIAN
        return self.name or '%s_%d_%d_%d' % (
            self.dataset, self.batch_size, self.output_height, self.output_width)

    @classmethod
    def make(cls, given, defaults):
        """Make a checked Config: `given` flags win over the data set's `defaults`.

        Raises UserError with every value that is out of its range.
        """
        values = dict(defaults, **given)
        if 'attributes' in given and 'conditional' not in given:
            values['conditional'] = False
        values.setdefault('output_height', cls.output_height)
        for size in ('input', 'output'):
            sides = size + '_height', size + '_width'
            known = [values[side] for side in sides if values.get(side) is not None]
            for side in sides:
                values[side] = values.get(side, known[0] if known else None)
        return cls(**values).check()

    def replace(self, **values):
        """Return a checked copy with some values replaced."""
        return dataclasses.replace(self, **values).check()

    def check(self):
        """Return self; raise UserError naming each value that cannot be."""
        wrong = checks.wrong(self)
        if wrong:
            raise UserError('\n'.join(wrong))
        return self

    def check_label(self):
        """Raise UserError where --label is none of the labels of the model.

        Of attributes it may name several, with commas between, or none.
        """
        if self.label is None or self.attributes and self.label == 'none':
            return
        names = self.label.split(',') if self.attributes else [self.label]
        if not self.classes:
            raise UserError('--label %s: this model was trained without labels.'
                            % shown(self.label))
        if not set(names) <= set(self.classes):
            raise UserError('--label %s: expected %s of %s.' % (
                shown(self.label), 'none, or some' if self.attributes else 'one',
                ', '.join(self.classes)))

    def save(self, path):
        """Write all of it as JSON, whole or not at all.

        Raises UserError where it cannot be, OSError where the disk is full.
        """
        from utils import atomic_write  # not above: NumPy takes its time

        try:
            with atomic_write(path, 'w') as file:
                json.dump(dataclasses.asdict(self), file, indent=2, sort_keys=True)
                file.write('\n')
        except OSError as error:
            if error.errno in NO_ROOM:
                error.filename = path
                raise
            raise UserError('%s cannot be written: %s' % (path, error.strerror))

    @classmethod
    def load(cls, path):
        """Read what save wrote. Raises UserError where it is not such a file."""
        try:
            with open(path, encoding='utf-8') as file:
                values = json.loads(file.read(MOST_JSON))
            if not isinstance(values, dict):
                raise ValueError('expected settings by their names, found %s'
                                 % shown(values))
            unknown = sorted(set(values) - {f.name for f in fields()})
            if unknown:
                raise ValueError('it has settings that are unknown here: %s'
                                 % shown(', '.join(unknown)))
            values.update({f.name: tuple(values[f.name]) for f in fields()
                           if isinstance(values.get(f.name), list)})
            values.update((name, before) for name, before in checks.BEFORE.items()
                          if values.get(name) is None)      # once written for that
            return cls(**values).check()
        except (OSError, TypeError, ValueError, RecursionError) as error:
            raise UserError('%s is not a config.json of this program: %s'
                            % (path, getattr(error, 'strerror', None) or error))


def fields(*roles):
    """Return the fields of Config that have one of these roles (all, without any)."""
    return [f for f in dataclasses.fields(Config)
            if not roles or f.metadata['role'] in roles]


def expected(name):
    """Say what kind of value a field takes."""
    return next(EXPECTED[field.type] for field in fields() if field.name == name)


def check_place(given, config):
    """Raise UserError naming each flag of `given` that the call has no use for."""
    what = TRAIN if config.train else config.task
    wrong = [f for f in fields() if given.get(f.name, False) is not False and (
        what in f.metadata['not_of'] or what not in (f.metadata['of'] or [what]))]
    if wrong:
        raise UserError('\n'.join(
            '--%s is %s: leave it out%s.' % (
                f.name, 'for ' + place(f.metadata['of']) if f.metadata['of']
                else 'not for ' + place(f.metadata['not_of']),
                ', or add that' if f.metadata['of'] else '') for f in wrong))


def place(tasks):
    """Say what a flag is for: training, --task walk or classify, …"""
    named = [task for task in tasks if task != TRAIN]
    return ' or '.join(['training'] * (TRAIN in tasks)
                       + ['--task ' + task for task in named[:1]] + named[1:])


def resume(old, given):
    """Return the Config with which a run made with `old` goes on.

    Values not given are the old ones, but for those that belong to one call alone.
    Raises UserError naming each given flag that must not differ, both values shown.
    """
    return merged(old, given, [f.name for f in fields(NETWORK, TRAINING)],
                  'To train with other values start another run: add --name NAME.')


def restore(old, given):
    """Return the Config for a task on a run made with `old`; see resume.

    --train_size must not differ either: it says which images are held out.
    """
    old = old.replace(num_samples=None)     # the sheets' of training, not this call's
    return merged(old, given, [f.name for f in fields(NETWORK)] + ['train_size'],
                  'Leave these flags out: they are read from config.json.')


def merged(old, given, fixed, remedy):
    """Overlay `old` with `given`; refuse where a field of the names `fixed` differs."""
    effect = in_effect(old)
    wrong = ['  --%s: %s in config.json, %s now'
             % (name, shown(getattr(old, name)), shown(given[name])) for name in fixed
             if name in given and given[name] not in (getattr(old, name), effect[name])]
    if wrong:
        raise UserError('The run was made with other values than those given:\n%s\n%s'
                        % ('\n'.join(wrong), remedy))
    values = {f.name: f.default for f in fields(CALL)}
    values.update((name, value) for name, value in given.items() if name not in fixed)
    return old.replace(**values)


def in_effect(config):
    """Return {name: value} of a Config, with what None stands for where others tell."""
    values = dict(dataclasses.asdict(config), num_samples=config.sheet_size)
    for name in 'd_learning_rate', 'g_learning_rate':
        values[name] = values[name] or config.learning_rate
    return values
