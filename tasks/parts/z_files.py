"""Files of z, .npz: what pictures were drawn from, so that one can go on from them.

Arrays: z float32 [N, z_dim]; of a model with labels y float32 [N, y_dim] and names, the
label of each of its columns; seed and step, of the run and its checkpoint.
"""

import os
import typing
import zipfile

import numpy as np

from runs import sampling
from settings.errors import NotFoundError, UserError
from utils import atomic_write

NAME = 'z.npz'      # in a folder of pictures; beside a sheet it has the sheet's name


class Inputs(typing.NamedTuple):
    """What the generator draws from: z float32 [N, z_dim], y float32 [N, y_dim]."""

    z: np.ndarray
    y: np.ndarray

    def take(self, chosen):
        """Return those of these indices, or of a slice."""
        return Inputs(self.z[chosen], self.y[chosen])


def save(inputs, config, step, path):
    """Write the Inputs of pictures that a run drew at a step; return the path."""
    arrays = dict(z=inputs.z, step=step, seed=config.seed)
    if config.z:        # the seed that they were drawn by, where it is known
        arrays.pop('seed')
        arrays.update({name: array for name, array in open_file(config.z).items()
                       if name == 'seed'})
    if config.classes:
        arrays.update(y=inputs.y, names=np.array(config.classes))
    with atomic_write(path) as file:
        np.savez(file, **arrays)
    return path


def stem(path):
    """Return what a file of z is called: its name, or for NAME that of its folder."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.splitext(name)[0] if name != NAME else os.path.basename(folder)


def read(config):
    """Return the Inputs of the file --z, with --label of that label all of them.

    Raises NotFoundError where there is none, UserError where it does not fit the model.
    """
    arrays = open_file(config.z)
    z = numbers(arrays, 'z', config, (None, config.z_dim))
    return Inputs(z, labels(arrays, config, len(z)))


def open_file(path):
    """Return {name: array} of a file of z. Raises UserError where it is none."""
    if not os.path.isfile(path):
        raise NotFoundError('--z %s: there is no such file. Sampling writes one beside '
                            'its pictures, and so does --task complete.' % path)
    try:
        with np.load(path) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:      # a damaged one raises nearly anything
        found = '%s: %s' % (type(error).__name__, str(error).partition('\n')[0])
        if not zipfile.is_zipfile(path):        # NumPy would unpickle it
            found = ('a single array' if path.endswith('.npy') else
                     'it is another kind of file')
    raise UserError('--z %s cannot be read as an .npz (%s): expected what sampling '
                    'writes beside its pictures, or np.savez(FILE, z=…).'
                    % (path, found))


def numbers(arrays, name, config, shape):
    """Return an array of a file as float32 of this shape (N, D).

    N may be any where shape[0] is None. Raises UserError where it is missing, has
    another shape, or values that are no numbers.
    """
    array = arrays.get(name)
    wanted = '%s x %d numbers' % ('N' if shape[0] is None else shape[0], shape[1])
    if array is None or array.dtype.kind not in 'fiu':
        found = 'arrays called %s' % (', '.join(sorted(arrays)) or 'nothing') if (
            array is None) else 'values of type %s' % array.dtype
        raise UserError('--z %s: expected an array %s of %s; found %s.'
                        % (config.z, name, wanted, found))
    if array.ndim != 2 or not len(array) or shape not in (
            array.shape, (None, array.shape[1])):
        raise UserError('--z %s: expected %s of %s, as this run has them; found %s. Is '
                        'it of another run?' % (config.z, name, wanted, ' x '.join(
                            map(str, array.shape)) or 'a single number'))
    with np.errstate(over='ignore'):
        array = array.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        raise UserError('--z %s: NaN, or a number without bounds, in %d of %d rows of '
                        '%s, the first of them %d.'
                        % (config.z, len(bad), len(array), name, bad[0]))
    return array


def labels(arrays, config, num):
    """Return the y of a file's `num` pictures, float32 [num, y_dim]; see read."""
    if config.label:
        return np.repeat(sampling.label_rows(config), num, axis=0)
    names = [str(name) for name in np.ravel(arrays.get('names', []))]
    here = ', '.join(config.classes) or 'none'
    remedy = '; add --label NAME, to draw all of that label' if config.classes else ''
    if config.classes and 'y' not in arrays:
        raise UserError('--z %s has no labels y, and this run draws by labels (%s)%s.'
                        % (config.z, here, remedy))
    if names and set(names) != set(config.classes):
        raise UserError('--z %s has the labels %s, those of this run are %s: it is of '
                        'another run%s.' % (config.z, ', '.join(names), here, remedy))
    if not config.classes:
        return np.zeros((num, 0), np.float32)
    y = numbers(arrays, 'y', config, (num, len(config.classes)))
    return y[:, [names.index(name) for name in config.classes]] if names else y
