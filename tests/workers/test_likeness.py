"""What must be alike on all workers, and how it is said where it is not."""

import numpy as np
import pytest

from dataset.batches import Dataset
from settings.config import Config
from settings.errors import UserError
from workers import likeness


def test_the_same_pictures_are_alike_and_others_are_not():
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), np.uint8)
    labels = np.arange(20) % 2
    first = Dataset(images, labels, ('a', 'b')).digest()
    assert first == Dataset(images.copy(), labels.copy(), ('a', 'b')).digest()
    changed = images.copy()
    changed[7, 0, 0, 0] ^= 1
    others = [Dataset(changed, labels, ('a', 'b')), Dataset(images[:19], labels[:19]),
              Dataset(images, 1 - labels, ('a', 'b')),
              Dataset(images, labels, ('b', 'a'))]
    assert len({first, *(other.digest() for other in others)}) == 5


def test_folders_and_threads_may_differ_but_not_how_it_is_trained():
    one = likeness.of_call({'data_dir': 'a', 'threads': 2, 'seed': 1}, ['a:1', 'b:2'])
    other = likeness.of_call({'data_dir': 'b', 'seed': 1}, ['a:1', 'b:2'])
    assert one == other and one['--seed'] == 1
    likeness.check([one, other])
    with pytest.raises(UserError, match='Worker 2 is not like worker 0: --seed: 2 '
                       'there, 1 on worker 0; TensorFlow: 1.0 there'):
        likeness.check([one, other, dict(one, TensorFlow='1.0', **{'--seed': 2})])


def test_a_worker_takes_the_chiefs_settings_and_keeps_its_own_folders(tiny_config):
    chief = tiny_config(seed=5, data_dir='chief', classes=('a', 'b'), conditional=True)
    own = tiny_config(data_dir='own', threads=3)
    values = dict(vars(chief), classes=['a', 'b'])      # as JSON brings them
    adopted = likeness.adopt(values, own)
    assert isinstance(adopted, Config) and adopted.classes == ('a', 'b')
    assert (adopted.seed, adopted.data_dir, adopted.threads) == (5, 'own', 3)
