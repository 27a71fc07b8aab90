"""The table of data sets."""

import pytest

from dataset import catalog
from settings.config import Config


def test_defaults_are_a_copy():
    catalog.defaults('celebA')['crop'] = False
    assert catalog.defaults('celebA') == {'crop': True, 'input_height': 108}
    assert catalog.defaults('mnist') == {'output_height': 28, 'c_dim': 1,
                                         'conditional': True, 'augment': 'none',
                                         'learning_rate': 6e-4}
    assert catalog.defaults('my pictures') == {}


@pytest.mark.parametrize('name, augment', [
    ('celebA', 'translation'), ('cifar10', 'translation'), ('mnist', 'none'),
    ('fashion_mnist', 'none')])
def test_d_sees_all_but_digits_and_clothes_moved(name, augment):
    assert Config.make({'dataset': name}, catalog.defaults(name)).augment == augment
