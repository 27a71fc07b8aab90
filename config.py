"""Config: every setting of a run, frozen; its defaults, checks and JSON.

No TensorFlow and no NumPy, so that `--help` and errors answer at once.
"""

import dataclasses
import json
import math
import os


class UserError(ValueError):
    """Bad input: what was found, what was expected, what to do. Exit status 2."""


class NotFoundError(UserError, FileNotFoundError):
    """Bad input: something that should be on disk is not there."""


# What a field means to a run that exists already:
NETWORK = 'network'      # the shape of the network: never differs
TRAINING = 'training'    # how it was trained: must not differ on resume
FREE = 'free'            # may change from one start to the next
CALL = 'call'            # belongs to one call of main.py; not taken from config.json

OF_CONVOLUTIONS = {'gf_dim', 'df_dim', 'kernel_size', 'd_head', 'bias'}
AUGMENTATIONS = ('color', 'translation', 'cutout')

# The data set of points (toy.py), and the settings that decide its runs
GAUSSIAN = 'gaussian'
OF_POINTS = {'dataset', 'batch_size', 'learning_rate', 'beta1', 'train_size', 'd_steps',
             'g_steps', 'seed', 'z_dim', 'z_dist', 'ema', 'optimizer', 'momentum',
             'd_learning_rate', 'g_learning_rate', 'loss', 'label_smoothing',
             'num_samples', 'output_width'}


def option(default, role, low=None, high=None, choices=None, above=None):
    """Make a field: its default, its role, and the values that it takes."""
    limits = dict(low=low, high=high, choices=choices, above=above)
    return dataclasses.field(default=default, metadata=dict(limits, role=role))


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
    train_size: int = option(None, TRAINING, low=1)
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
    augment: str = option(None, TRAINING)
    # files
    data_dir: str = option('data', CALL)
    cache_dir: str = option(None, CALL)
    checkpoint_dir: str = option('checkpoint', CALL)
    sample_dir: str = option('samples', CALL)
    sample_freq: int = option(200, FREE, low=1)
    ckpt_freq: int = option(200, FREE, low=1)
    summary_freq: int = option(100, FREE, low=1)
    max_to_keep: int = option(5, FREE, low=1, high=10**6)
    # sampling
    num_samples: int = option(None, TRAINING, low=1, high=10**7)
    separate: bool = option(False, CALL)
    label: str = option(None, CALL)
    checkpoint: str = option(None, CALL)
    runs: str = option(None, CALL)      # of --task curves
    # judging
    features: str = option(None, FREE, choices=(
        'inception', 'classifier', 'pixels', 'random'))
    inception_path: str = option(None, FREE)
    eval_freq: int = option(None, FREE, low=1)
    eval_samples: int = option(5000, FREE, low=2, high=10**6)
    # the paper's experiments
    labels_per_class: int = option(None, CALL, low=2)
    walk: str = option('sphere', CALL, choices=(
        'sphere', 'line', 'dimensions', 'dimensions_random', 'dimensions_each',
        'dimensions_merged'))
    frames: int = option(60, CALL, low=2, high=10**4)
    indices: str = option(None, CALL)
    formula: str = option(None, CALL)
    attribute: str = option(None, CALL)
    # completing images
    images: tuple = option((), CALL)
    mask: str = option('center', CALL)
    restarts: int = option(4, CALL, low=1, high=1000)
    iterations: int = option(500, CALL, low=1, high=10**6)
    perceptual_weight: float = option(0.1, CALL, low=0, high=10**6)
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
        wrong = [message for f in fields() for message in [misfit(f, self)] if message]
        wrong += self.contradictions()
        if wrong:
            raise UserError('\n'.join(wrong))
        return self

    def contradictions(self):
        """List the combinations of values that make no sense together."""
        wrong = []
        for text in ('dataset', 'name'):
            value = getattr(self, text)
            if value is not None and (value in ('', '.', '..') or '\0' in value
                                      or set('/\\') & set(value)):
                wrong.append('--%s %r is not a name: it is part of paths, so it takes '
                             'no slash and is not empty (the folder of data sets is '
                             '--data_dir).' % (text, value))
        wrong += self.contradicting_variants()
        if self.attributes is not None:
            names = self.attributes.split(',')
            if '' in names or len(set(names)) < len(names):
                wrong.append('--attributes %r: expected names, each once, with commas '
                             'between, as Smiling,Eyeglasses.' % self.attributes)
            if self.conditional:
                wrong.append('--conditional takes labels from folders, --attributes '
                             'from a table: leave one of them out.')
        if self.train and self.task != Config.task:
            wrong.append('--task %s is done with a checkpoint: leave out --train.'
                         % self.task)
        if self.train and (self.label is not None or self.separate):
            wrong.append('--label and --separate are for sampling: leave out --train.')
        if self.runs is not None and self.task != 'curves':
            wrong.append('--runs is for --task curves: add it, or leave --runs out.')
        if self.images and self.task != 'complete':
            wrong.append('--images is for --task complete: add it, or leave --images '
                         'out.')
        return wrong + (self.not_of_points() if self.dataset == GAUSSIAN else [])

    def not_of_points(self):
        """List what cannot be where the data set is points, not images."""
        wrong = ['--%s %s has no effect on the points of --dataset %s: leave it out.'
                 % (f.name, getattr(self, f.name), GAUSSIAN)
                 for f in fields(NETWORK, TRAINING) if f.name not in OF_POINTS
                 and getattr(self, f.name) != f.default]
        if self.separate:
            wrong.append('--separate is of images: leave it out.')
        if self.eval_freq:
            wrong.append('--eval_freq is of images: leave it out.')
        if self.z_dim > 1000:
            wrong.append('--z_dim %d: expected up to 1000 for points of the plane.'
                         % self.z_dim)
        if (self.train_size or 0) < self.batch_size * self.d_steps:
            wrong.append('--train_size %s: expected as many points as a step takes or '
                         'more, --batch_size %d times --d_steps %d.'
                         % (self.train_size, self.batch_size, self.d_steps))
        return wrong

    def contradicting_variants(self):
        """List the variants that make no sense together, or are none."""
        wrong = []
        if self.augment is not None and not (
                set(self.augment.split(',')) <= set(AUGMENTATIONS)):
            wrong.append('--augment is %r; expected some of %s, with commas between.'
                         % (self.augment, ', '.join(AUGMENTATIONS)))
        if self.momentum and self.optimizer != 'sgd':
            wrong.append('--momentum is of --optimizer sgd; of adam it is --beta1.')
        if self.label_smoothing and self.loss in ('wgan', 'hinge'):
            wrong.append('--label_smoothing needs labels, and --loss %s has none: take '
                         'gan or lsgan.' % self.loss)
        wrong += ['--%s %s has no effect on --architecture mlp: leave it out.'
                  % (f.name, getattr(self, f.name)) for f in fields(NETWORK)
                  if self.architecture == 'mlp' and f.name in OF_CONVOLUTIONS
                  and getattr(self, f.name) != f.default]
        return wrong

    def check_label(self):
        """Raise UserError where --label is none of the labels of the model.

        Of attributes it may name several, with commas between, or none.
        """
        if self.label is None or self.attributes and self.label == 'none':
            return
        names = self.label.split(',') if self.attributes else [self.label]
        if not self.classes:
            raise UserError('--label %r: this model was trained without labels.'
                            % self.label)
        if not set(names) <= set(self.classes):
            raise UserError('--label %r: expected %s of %s.' % (
                self.label, 'none, or some' if self.attributes else 'one',
                ', '.join(self.classes)))

    def save(self, path):
        """Write all of it as JSON, whole or not at all. Raises UserError where not."""
        temporary = path + '.part'
        try:
            with open(temporary, 'w', encoding='utf-8') as file:
                json.dump(dataclasses.asdict(self), file, indent=2, sort_keys=True)
                file.write('\n')
            os.replace(temporary, path)
        except OSError as error:
            raise UserError('%s cannot be written: %s' % (path, error.strerror))

    @classmethod
    def load(cls, path):
        """Read what save wrote. Raises UserError where it is not such a file."""
        try:
            with open(path, encoding='utf-8') as file:
                values = json.load(file)
            values.update({f.name: tuple(values.get(f.name, ())) for f in fields()
                           if f.type is tuple})
            values['ema'] = values.get('ema') or 0      # once None, and no default
            return cls(**values).check()
        except (OSError, TypeError, AttributeError, ValueError) as error:
            raise UserError('%s is not a config.json of this program: %s'
                            % (path, error))


def fields(*roles):
    """Return the fields of Config that have one of these roles (all, without any)."""
    return [f for f in dataclasses.fields(Config)
            if not roles or f.metadata['role'] in roles]


EXPECTED = {int: 'a whole number', float: 'a number', bool: 'true or false',
            str: 'a text', tuple: 'a list'}


def expected(name):
    """Say what kind of value a field takes."""
    return next(EXPECTED[field.type] for field in fields() if field.name == name)


def misfit(field, config):
    """Return what is wrong with one value, or None."""
    value, limits = getattr(config, field.name), field.metadata
    if value is None and field.default is None:
        return None
    wanted = EXPECTED[field.type]
    right_type = isinstance(value, (int, float) if field.type is float else field.type)
    if not right_type or (isinstance(value, bool) and field.type is not bool):
        pass
    elif limits['choices']:
        wanted = 'one of %s' % ', '.join(map(str, limits['choices']))
        if value in limits['choices']:
            return None
    elif (isinstance(value, float) and not math.isfinite(value)
          or limits['low'] is not None and value < limits['low']
          or limits['above'] is not None and value <= limits['above']
          or limits['high'] is not None and value > limits['high']):
        wanted += ' ' + range_text(limits)
    else:
        return None
    return '--%s is %r; expected %s.' % (field.name, value, wanted)


def range_text(limits):
    """Say the range of a number: 'from 1 to 5', 'above 0', …"""
    words = []
    if limits['low'] is not None:
        words.append('from %s' % limits['low'])
    if limits['above'] is not None:
        words.append('above %s' % limits['above'])
    if limits['high'] is not None:
        words.append('up to %s' % limits['high'])
    return ' '.join(words)


def resume(old, given):
    """Return the Config with which a run made with `old` goes on.

    Values not given are the old ones, but for those that belong to one call alone.
    Raises UserError naming each given flag that must not differ, both values shown.
    """
    return merged(old, given, (NETWORK, TRAINING),
                  'To train with other values start another run: add --name NAME.')


def restore(old, given):
    """Return the Config for a task on a run made with `old`; see resume."""
    old = old.replace(num_samples=None)     # the sheets' of training, not this call's
    return merged(old, given, (NETWORK,),
                  'Leave these flags out: they are read from config.json.')


def merged(old, given, fixed, remedy):
    """Overlay `old` with `given`; refuse where a field of a `fixed` role differs."""
    values = dict({f.name: f.default for f in fields(CALL)}, **given)
    wrong = ['  --%s: %r in config.json, %r now'
             % (f.name, getattr(old, f.name), given[f.name]) for f in fields(*fixed)
             if f.name in given and given[f.name] != getattr(old, f.name)]
    if wrong:
        raise UserError('The run was made with other values than those given:\n%s\n%s'
                        % ('\n'.join(wrong), remedy))
    return old.replace(**values)
