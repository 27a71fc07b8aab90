"""Tables of attributes, in CelebA's layout."""

import os

import numpy as np
import pytest
import test_sources
from test_sources import grays, load, make_zip, numbered, paint

from dataset import attributes
from settings.errors import NotFoundError, UserError

data, faces = test_sources.data, test_sources.faces
TABLE = ['Bald  Eyeglasses Smiling', '000000.jpg -1 -1  1', '000001.jpg -1  1 -1',
         '000002.jpg  1 -1 -1', '000003.jpg -1  1  1', '000009.jpg  1  1  1']


@pytest.fixture
def attributed(data):
    """Make four pictures, and CelebA's kind of table of five."""
    for i in range(4):
        paint(data / 'mine' / ('%06d.jpg' % i), 10 * i, quality=95)
    write_table(data)
    return data


def write_table(data, lines=TABLE, count=None, name='list_attr.txt'):
    count = len(lines) - 1 if count is None else count
    (data / 'mine' / name).write_text('\n'.join([str(count)] + lines) + '\n')


def test_attributes_are_columns_of_the_table(attributed):
    loaded, _ = load(attributed, attributes='Smiling,Eyeglasses')
    assert loaded.classes == ('Smiling', 'Eyeglasses')
    assert loaded.labels.dtype == np.float32
    assert loaded.labels.tolist() == [[1, -1], [-1, 1], [-1, -1], [1, 1]]
    images, y = loaded.batch(0, 4, 5)
    assert (y.dtype, y.shape) == (np.float32, (4, 2))
    order = np.rint((images[:, 0, 0, 0] + 1) * 12.75).astype(int)
    assert sorted(order) == [0, 1, 2, 3]
    np.testing.assert_array_equal(y, loaded.labels[order])
    np.testing.assert_array_equal(y, loaded.batch(0, 4, 5)[1])
    assert load(attributed, attributes='Bald')[0].labels.tolist() == [[-1], [-1], [1],
                                                                      [-1]]


@pytest.mark.parametrize('name, folder', [
    ('list_attr_celeba.txt', ''), ('list_attr.txt', ''),
    ('list_attr_celeba.txt', 'Anno')])
def test_the_table_of_celebA_in_its_layouts(data, faces, name, folder):
    make_zip(faces.parent, data / 'celebA' / 'img_align_celeba.zip')
    (data / 'celebA' / folder).mkdir(exist_ok=True)
    (data / 'celebA' / folder / name).write_text(
        '5\r\nMale Young \r\n' + ''.join('%06d.jpg %2d %2d\r\n' % (
            i, (-1) ** i, (-1) ** (i // 2)) for i in range(1, 6)), newline='')
    loaded, _ = load(data, 'celebA', attributes='Male,Young')
    assert loaded.labels.tolist() == [[-1, 1], [1, -1], [-1, -1], [1, 1], [-1, 1]]


def test_the_bundled_faces_have_attributes(tmp_path):
    root = os.path.dirname(os.path.dirname(os.path.abspath(attributes.__file__)))
    loaded, _ = load(os.path.join(root, 'data'), 'toonfaces', train_size=100,
                     attributes='Smiling,Eyeglasses', cache_dir=str(tmp_path))
    assert loaded.labels.shape == (100, 2)
    assert set(loaded.labels.ravel()) == {-1, 1}
    assert 0.4 < (loaded.labels[:, 0] > 0).mean() < 0.75        # 2,308 of 4,000 smile


def test_attributes_with_train_size_are_those_of_the_first_images(attributed):
    loaded, _ = load(attributed, attributes='Smiling', train_size=2)
    assert loaded.labels.tolist() == [[1], [-1]]
    assert load(attributed, train_size=2)[1] == []      # the same cache


def test_attributes_stay_beside_their_images_when_some_are_left_out(attributed):
    (attributed / 'mine' / '000001.jpg').write_bytes(b'broken')
    loaded, _ = load(attributed, attributes='Smiling,Bald')
    assert grays(loaded) == [0, 20, 30]
    assert loaded.labels.tolist() == [[1, -1], [-1, 1], [1, -1]]


@pytest.mark.parametrize('attributes, message', [
    ('smiling', "has no 'smiling'; did you mean Smiling"),
    ('Bald,Eyeglases', "has no 'Eyeglases'; did you mean Eyeglasses"),
    ('Xyz', "has no 'Xyz'; expected some of Bald, Eyeglasses, Smiling, with commas")])
def test_unknown_attributes_list_near_or_all_names(attributed, attributes, message):
    with pytest.raises(UserError, match=message):
        load(attributed, attributes=attributes)


@pytest.mark.parametrize('lines, count, message', [
    (TABLE[:3], None, 'no line for 2 of 4 images, such as 000002.jpg'),
    (TABLE, 7, 'its first line says 7 images, and it has lines for 5'),
    (TABLE[:2] + ['000001.jpg -1 1'] + TABLE[3:], None, 'line 4: expected a name'),
    (TABLE[:2] + ['000001.jpg -1 2 1'] + TABLE[3:], None, 'values of 1 or -1, found'),
    ([], 'x', 'cannot be read as a table of attributes')])
def test_a_table_that_does_not_fit_is_refused(attributed, lines, count, message):
    write_table(attributed, lines, count)
    with pytest.raises(UserError, match=message) as caught:
        load(attributed, attributes='Eyeglasses')
    assert 'list_attr.txt' in str(caught.value)


def test_without_a_table_attributes_say_what_is_needed(data):
    numbered(data / 'mine', 2)
    with pytest.raises(NotFoundError, match='No list_attr_celeba.txt or list_attr.txt'):
        load(data, attributes='Smiling')
