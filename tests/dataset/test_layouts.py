"""What folders say: divisions into training and test images, wrappers, classes."""

import pytest
import test_sources
from test_sources import grays, load, make_zip, numbered, paint

from dataset import batches, layouts
from settings.errors import NotFoundError, UserError

data = test_sources.data


def fill(folder, paths):
    """Write pictures: of the n-th path, gray 10 n; return {path: gray}."""
    found = {}
    for i, path in enumerate(paths):
        paint(folder / path, 10 * i)
        found[path] = 10 * i
    return found


# A division is recognised wherever its folders stand: trained on cat 0 10, dog 20; held
# out cat 30, dog 40
DIVIDED = {
    'plain': ['train/cat', 'train/dog', 'val/cat', 'val/dog'],
    'wrapped': ['pets/train/cat', 'pets/train/dog', 'pets/test/cat', 'pets/test/dog'],
    'capitals': ['Training/cat', 'Training/dog', 'Testing/cat', 'Testing/dog'],
    'twice': ['seg_train/seg_train/cat', 'seg_train/seg_train/dog',
              'seg_test/seg_test/cat', 'seg_test/seg_test/dog'],
    'sets': ['dataset/training_set/cat', 'dataset/training_set/dog',
             'dataset/test_set/cat', 'dataset/test_set/dog'],
    'below the class': ['cat/train', 'dog/train', 'cat/validation', 'dog/validation'],
    'deeper': ['train/cat/a/b', 'train/dog/c', 'valid/cat/d', 'valid/dog/e'],
}


@pytest.mark.parametrize('zipped', [False, True])
@pytest.mark.parametrize('layout', DIVIDED)
def test_splits_are_no_classes_and_what_is_to_test_with_is_held_out(data, layout,
                                                                    zipped):
    cat, dog, cat_, dog_ = DIVIDED[layout]
    folder = data / ('unpacked' if zipped else 'mine')
    fill(folder, ['%s/0.png' % cat, '%s/1.png' % cat, '%s/2.png' % dog,
                  '%s/3.png' % cat_, '%s/4.png' % dog_])
    if zipped:
        make_zip(folder, data / 'mine' / 'pets.zip')
    kept, echoed = load(data, conditional=True)
    held, _ = load(data, conditional=True, part='held_out')
    assert kept.classes == held.classes == ('cat', 'dog')
    assert sorted(zip(grays(kept), kept.labels)) == [(0, 0), (10, 0), (20, 1)]
    assert sorted(zip(grays(held), held.labels)) == [(30, 0), (40, 1)]
    assert 'trained on: ' in echoed[0] and '; held out: ' in echoed[0]


def test_without_labels_a_division_holds_out_too_and_says_how_many(data):
    for name, count in (('train', 5), ('val', 2), ('test', 3)):
        numbered(data / 'mine' / name, count)
    kept, echoed = load(data)
    assert len(kept) == 5
    assert echoed[0] == 'mine: trained on: train (5); held out: test (3), val (2)'
    assert len(load(data, part='held_out')[0]) == 5
    assert len(load(data, train_size=4)[0]) == 4
    assert len(load(data, train_size=4, part='held_out')[0]) == 5


def test_what_is_in_no_split_is_said(data):
    fill(data / 'mine', ['train/0.png', 'test/1.png', 'extra/2.png', 'montage.png'])
    kept, echoed = load(data)
    assert grays(kept) == [30, 0]           # the loose one too
    assert echoed[0].endswith('neither: extra (1)')


@pytest.mark.parametrize('classes', [
    ('car', 'train', 'ship'), ('test', 'val'), ('train', 'bus'), ('contest', 'trainer'),
    ('developer', 'evaluator')])
def test_classes_with_such_names_are_classes(data, classes):
    fill(data / 'mine', ['%s/0.png' % name for name in classes])
    loaded, _ = load(data, conditional=True)
    assert loaded.classes == tuple(sorted(classes))


def test_a_folder_that_holds_all_is_no_class(data):
    fill(data / 'mine', ['PetImages/Cat/0.jpg', 'PetImages/Dog/0.jpg'])
    assert load(data, conditional=True)[0].classes == ('Cat', 'Dog')


def test_several_zips_are_like_folders(data):
    for number, name in enumerate(('cats', 'dogs')):
        numbered(data / name, 1 + number)
        make_zip(data / name, data / 'mine' / (name + '.zip'))
    loaded, _ = load(data, conditional=True)
    assert loaded.classes == ('cats', 'dogs')
    assert loaded.labels.tolist() == [0, 1, 1]


def test_a_class_that_is_only_in_the_test_images_is_left_out(data):
    fill(data / 'mine', ['train/cat/0.png', 'train/dog/0.png', 'test/cat/0.png',
                         'test/owl/0.png', 'test/unsorted.png'])
    held, _ = load(data, conditional=True, part='held_out')
    assert held.classes == ('cat', 'dog') and grays(held) == [20]


def test_classes_are_in_natural_order(data):
    names = [str(i) for i in range(1, 13)] + ['b', 'A', 'x10', 'x9']
    fill(data / 'mine', ['%s/0.png' % name for name in names])
    loaded, _ = load(data, conditional=True)
    assert loaded.classes == tuple(names[:12]) + ('A', 'b', 'x9', 'x10')
    assert sorted(['10', '9', 'a2b', 'a10b', '007', '7'], key=layouts.natural) == [
        '007', '7', '9', '10', 'a2b', 'a10b']


def test_a_run_keeps_the_order_of_its_classes(data):
    fill(data / 'mine', ['%d/0.png' % i for i in (1, 2, 10)])
    config = test_sources.make_config(data, conditional=True)
    old = config.replace(chosen_by=None, classes=('1', '10', '2'))
    loaded = batches.load(old, print)
    assert loaded.classes == ('1', '10', '2')
    assert dict(zip(grays(loaded), loaded.labels)) == {0: 0, 20: 1, 10: 2}


def test_an_older_run_keeps_its_classes_even_if_they_are_splits(data):
    fill(data / 'mine', ['train/cat/0.png', 'val/cat/0.png'])
    config = test_sources.make_config(data, conditional=True).replace(chosen_by=None)
    assert batches.load(config, print).classes == ('train', 'val')


def test_no_test_images_no_held_out(data):
    fill(data / 'mine', ['train/cat/0.png', 'train/dog/0.png'])
    assert load(data, conditional=True)[0].classes == ('cat', 'dog')
    with pytest.raises(NotFoundError, match='trained on all'):
        load(data, conditional=True, part='held_out')


def test_loose_images_point_to_a_table_beside_them(data):
    numbered(data / 'mine', 3)
    with pytest.raises(UserError, match='name a table of labels by --labels'):
        load(data, conditional=True)
    (data / 'mine' / 'labels.csv').write_text('file,label\n')
    with pytest.raises(UserError, match='--labels .*mine/labels.csv'):
        load(data, conditional=True)
