"""The directions of the page's sliders, and the words for what they change."""

import types

import numpy as np
import pytest

from export import directions, looks, preview

Z_DIM = 12
LINEAR = types.SimpleNamespace(z_dim=Z_DIM, z_dist='normal01', output_height=8,
                               output_width=8, seed=0)


def draw_stripes(z, y):
    """Draw 8 x 8 colour images: z[0] lightens all much, z[1] reddens, z[2] hardly."""
    images = np.zeros((len(z), 8, 8, 3), np.float32)
    images += 0.1 * z[:, 0, None, None, None]
    images[..., 0] += 0.03 * z[:, 1, None, None]
    images[:, ::2] += 0.002 * z[:, 2, None, None, None]
    images[:, :, ::2] += 0.3        # no even ground
    return images


def weights_of(scales):
    """Return a first layer that makes as many maps of each number as it is scaled."""
    matrix = np.zeros((Z_DIM, 2 * Z_DIM), np.float32)
    matrix[:, :Z_DIM], matrix[:, Z_DIM:] = np.diag(scales), -np.diag(scales)
    return {'generator/g_h0_lin/Matrix': matrix}


def test_the_directions_that_change_most_come_first_and_are_named():
    found = directions.find(LINEAR, weights_of([3, 2] + [1] * 10), (), draw_stripes)
    vectors = np.array([each['vector'] for each in found])
    assert vectors.shape == (8, Z_DIM)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(8), atol=1e-3)
    assert np.abs(vectors[0]).argmax() == 0 and vectors[0][0] > 0.97
    assert np.abs(vectors[1]).argmax() == 1 and vectors[1][1] > 0.9
    assert [(each['name'], each['low'], each['high']) for each in found[:2]] == [
        ('Direction 1', 'darker', 'brighter'), ('Direction 2', 'bluer', 'redder')]
    assert found[7]['low'] == found[7]['high'] == ''
    assert found == directions.find(LINEAR, weights_of([3, 2] + [1] * 10), (),
                                    draw_stripes)


def test_attributes_name_the_first_directions():
    class Critic:
        classes = 'Light_Hair', 'No_Beard', 'Never_Seen'

        def attributes(self, images):
            light = images.mean(axis=(1, 2, 3)) - 0.15
            red = images[..., 0].mean(axis=(1, 2)) - images[..., 1].mean(axis=(1, 2))
            return np.stack([1 / (1 + np.exp(-20 * light)), 1 / (1 + np.exp(60 * red)),
                             np.full(len(images), 1e-6)], axis=1)

    found = directions.find(LINEAR, weights_of([1] * Z_DIM), (), draw_stripes, Critic())
    named = {each['name']: each for each in found}
    assert {'Light hair', 'Beard'} <= set(named) and 'Never seen' not in named
    assert len(found) == 8 and found[7]['name'] == 'Direction 8'
    assert named['Light hair']['vector'][0] > 0.97
    assert named['Beard']['vector'][1] > 0.97       # turned round: red is a beard
    assert (named['Beard']['low'], named['Beard']['high']) == ('without', 'with')
    assert named['Beard']['attribute'] and not found[7]['attribute']


@pytest.mark.parametrize('attribute, name, ends', [
    ('Wearing_Hat', 'Hat', ('without', 'with')), ('No_Beard', 'Beard', directions.WITH),
    ('5_o_Clock_Shadow', '5 o clock shadow', directions.WITH),
    ('Smiling', 'Smiling', ('less', 'more')), ('Male', 'Male', ('female', 'male')),
    ('Mouth_Slightly_Open', 'Mouth slightly open', ('closed', 'open'))])
def test_the_ends_of_an_attribute_read_well(attribute, name, ends):
    assert directions.called(attribute) == name
    assert directions.ENDS.get(name, directions.WITH) == ends


@pytest.mark.parametrize('z_dist, low, high', [
    ('uniform_signed', -1, 1), ('uniform_unsigned', 0, 1)])
def test_points_become_z_of_the_prior(z_dist, low, high):
    z = directions.to_z(np.random.RandomState(0).standard_normal((2000, 3)), z_dist)
    assert low <= z.min() < low + 0.01 and high - 0.01 < z.max() <= high
    assert z.mean() == pytest.approx((low + high) / 2, abs=0.03)


def test_each_point_has_a_label_of_the_sheet():
    painter = directions.Painter(LINEAR, np.eye(3), draw_stripes)
    assert painter.y.shape == (directions.POINTS, 3)
    assert (painter.y.sum(axis=1) == 1).all() and (painter.y.mean(axis=0) > 0.3).all()


def test_fewer_numbers_than_sliders():
    config = types.SimpleNamespace(**dict(vars(LINEAR), z_dim=3,
                                          z_dist='uniform_signed'))
    weights = {'generator/g_h0_lin/Matrix': np.eye(3, dtype=np.float32)}
    assert len(directions.find(config, weights, (), draw_stripes)) == 3


def test_long_z_and_large_pictures_take_no_more_room():
    config = types.SimpleNamespace(**dict(vars(LINEAR), z_dim=2**16, output_height=2048,
                                          output_width=1024))
    painter = directions.Painter(config, (), lambda z, y: z[:, :1])
    assert painter.points.shape == (64, 2**16) and painter.seen == 2
    assert [len(part) for part in painter.images()] == [2] * 32
    assert preview.draw_sheet(config, (), draw_stripes) is None


def bars(width, lean, count=20):
    """Return gray images of bars on black, each a little different."""
    rng, images = np.random.RandomState(0), np.full((count, 28, 28, 1), -1.0, 'f')
    for image in images:
        turn = lean + rng.uniform(-0.1, 0.1)
        for row in range(6, 22):
            middle = 14 - turn * (row - 14)
            image[row, int(middle - width):int(middle + width)] = 1
    return images


def test_words_for_shapes_on_an_even_ground():
    natural = np.concatenate([bars(width, lean, 5) for width in (2, 3)
                              for lean in (-0.2, 0, 0.2)])
    pairs = [(bars(2, -0.4), bars(2, 0.4)), (bars(4, 0), bars(1, 0)),
             (bars(2, 0), bars(2, 0))]
    assert looks.name_all(pairs, natural) == [
        ('leans left', 'leans right', 1), ('thinner', 'bolder', -1), ('', '', 1)]


def test_flat_pictures_have_no_words():
    flat = np.zeros((4, 8, 8, 3), np.float32)
    assert looks.name_all([(flat, flat)], flat) == [('', '', 1)]
    assert looks.name_all([], flat) == []
