"""Config: every setting of a run, frozen; how it is made, checked, written and read.

No TensorFlow and no NumPy, so that `--help` and errors answer at once.
"""

import dataclasses
import json

from settings import checks
from settings.checks import GAUSSIAN
from settings.errors import NO_ROOM, UserError, shown
from settings.flags import Flags, fields

MOST_JSON = 2**20   # characters of a config.json
# Of G, where no learning rate is given and no labels are learned: with labels of faces
# D could not keep up with it (docs/experiments.md)
G_LEARNING_RATE = 1.2e-3
COMBINED = 4        # attributes of which a sheet has every combination


@dataclasses.dataclass(frozen=True)
class Config(Flags):
    """All settings of a run; the fields are those of Flags."""

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
        """--name, or carpedm20's model_dir: celebA_32_64_64; points have no size."""
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
        if {'attributes', 'labels'} & set(given) and 'conditional' not in given:
            values['conditional'] = 'attributes' not in given
        labelled = values.get('conditional') or values.get('attributes')
        if not labelled and not {'learning_rate', 'g_learning_rate'} & set(values):
            values['g_learning_rate'] = G_LEARNING_RATE
        values.setdefault('chosen_by', values.get('seed', cls.seed))
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
                text = file.read(MOST_JSON)
            values = json.loads(text.lstrip('\ufeff'))     # which some editors add
            if not isinstance(values, dict):
                raise ValueError('expected settings by their names, found %s'
                                 % shown(values))
            unknown = sorted(set(values) - {f.name for f in fields()})
            if unknown:
                raise ValueError('it has settings that are unknown here, perhaps '
                                 'of a newer version: %s'
                                 % shown(', '.join(unknown)))
            values.update({f.name: tuple(values[f.name]) for f in fields()
                           if isinstance(values.get(f.name), list)})
            values.update((name, before) for name, before in checks.BEFORE.items()
                          if values.get(name) is None)      # null in older files
            return cls(**values).check()
        except (OSError, TypeError, ValueError, RecursionError) as error:
            raise UserError(
                '%s is not a config.json of this program: %s. Mend it, or bring back a '
                'copy; of a run without one pictures can be drawn, and by --from a new '
                'run begins with its weights.'
                % (path, getattr(error, 'strerror', None) or error))
