"""What folders say: divisions into training and test images, wrappers, classes."""

import shutil

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
    'years': ['images/train2017/cat', 'images/train2017/dog', 'images/val2017/cat',
              'images/val2017/dog'],
    'wrapped within': ['train/images/cat', 'train/images/dog', 'val/images/cat',
                       'val/images/dog'],
    'named with the class': ['train_cat', 'train_dog', 'test_cat', 'test_dog'],
    'the class first': ['cat-train', 'dog-train', 'cat-val', 'dog-val'],
    'Chinese': ['训练集/cat', '训练集/dog', '测试集/cat', '测试集/dog'],
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


def test_folders_of_cyclegan_have_the_class_in_their_names(data):
    fill(data / 'mine', ['trainA/0.png', 'trainB/1.png', 'testA/2.png', 'testB/3.png'])
    kept, echoed = load(data, conditional=True)
    assert (kept.classes, grays(kept)) == (('A', 'B'), [0, 10])
    assert echoed[0] == ('mine: trained on: trainA (1), trainB (1); '
                         'held out: testA (1), testB (1)')


@pytest.mark.parametrize('folders, trained', [
    (['train_images', 'train_masks', 'test_images', 'test_masks'], 1),
    (['train_1', 'train_2', 'test_1', 'test_2'], 2)])
def test_what_stands_behind_a_split_need_not_be_a_class(data, folders, trained):
    fill(data / 'mine', ['%s/0.png' % name for name in folders])
    loaded, echoed = load(data)
    assert len(loaded) == trained and 'trained on: train_' in echoed[0]


def test_pictures_beside_the_splits_of_a_class_are_trained_on_and_said(data):
    fill(data / 'mine', ['cat/train/0.png', 'cat/test/1.png', 'dog/train/2.png',
                         'dog/3.png'])
    kept, echoed = load(data, conditional=True)
    assert dict(zip(grays(kept), kept.labels)) == {0: 0, 20: 1, 30: 1}
    assert echoed[0] == ('mine: trained on: train (2), outside of them (1); '
                         'held out: test (1)')


def test_the_labels_are_said_with_how_many_images_have_them(data):
    fill(data / 'mine', ['cat/0.png', 'cat/1.png', 'dog/2.png'])
    assert load(data, conditional=True)[1][-1] == 'mine: labels: cat (2), dog (1)'
    assert load(data)[1] == []
    fill(data / 'many', ['%d/0.png' % i for i in range(20)])
    assert load(data, 'many', conditional=True)[1][-1].endswith(
        '10 (1), 11 (1) and 8 more')


def test_a_class_written_in_two_ways_by_two_systems_is_one(data):
    fill(data / 'mine', ['train/Cafe\u0301/0.png', 'train/bar/1.png',
                         'test/Caf\u00e9/2.png'])
    held, _ = load(data, conditional=True, part='held_out')
    assert held.classes == ('bar', 'Caf\u00e9') and held.labels.tolist() == [1]


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


def test_several_zips_in_folders_are_in_these(data):
    for split in ('train', 'test'):
        for number, name in enumerate(('cats', 'dogs')):
            paint(data / split / name / 'a' / '0.png', 10 * number + len(split))
            make_zip(data / split / name, data / 'mine' / split / (name + '.zip'))
    kept, _ = load(data, conditional=True)
    assert (kept.classes, grays(kept)) == (('cats', 'dogs'), [5, 15])
    assert grays(load(data, conditional=True, part='held_out')[0]) == [4, 14]


def test_an_older_run_takes_the_folders_in_its_zips(data):
    for name in ('one', 'two'):
        fill(data / name, ['cat/%s.png' % name, 'dog/%s.png' % name])
        make_zip(data / name, data / 'mine' / (name + '.zip'))
    config = test_sources.make_config(data, conditional=True).replace(chosen_by=None)
    assert batches.load(config, str).classes == ('cat', 'dog')


@pytest.mark.parametrize('names, alike, classes', [
    (('pets-20261126T-001', 'pets-20261126T-002'), False, ('cat', 'dog')),
    (('images_01', 'images_02'), False, ('cat', 'dog')),
    (('1', '2'), False, ('1', '2')), (('cats', 'dogs'), False, ('cats', 'dogs')),
    (('p1', 'p2'), True, ('p1', 'p2'))])
def test_zips_that_are_parts_of_one(data, names, alike, classes):
    for number, name in enumerate(names):
        fill(data / name, ['%s/%d.png' % (label, 0 if alike else number)
                           for label in ('cat', 'dog')])
        make_zip(data / name, data / 'mine' / (name + '.zip'))
    assert load(data, conditional=True)[0].classes == classes


def test_folders_that_are_twice_in_each_other_are_pointed_at(data):
    fill(data / 'mine', ['%s/%s/0.png' % (a, b) for a in ('Trainingsdaten', 'Testdaten')
                         for b in ('cat', 'dog')])
    loaded, echoed = load(data, conditional=True)
    assert loaded.classes == ('Testdaten', 'Trainingsdaten')
    assert 'each has the folders cat, dog in it: if those are the labels' in echoed[0]
    fill(data / 'years', ['2023/may/0.png', '2024/june/0.png', '2024/may/0.png'])
    assert len(load(data, 'years', conditional=True)[1]) == 3   # packing, sheet, labels


def test_a_class_that_is_only_in_the_test_images_is_left_out(data):
    fill(data / 'mine', ['train/cat/0.png', 'train/dog/0.png', 'test/cat/0.png',
                         'test/owl/0.png', 'test/unsorted.png'])
    assert ('mine: without a label that is learned, and not judged by, are 2 of those '
            'held out, such as test/unsorted.png') in load(data, conditional=True)[1]
    held, _ = load(data, conditional=True, part='held_out')
    assert held.classes == ('cat', 'dog') and grays(held) == [20]
    shutil.rmtree(str(data / 'mine' / 'test' / 'cat'))
    with pytest.raises(NotFoundError, match='held out that has a label of the run'):
        load(data, conditional=True, part='held_out')


def test_classes_are_in_natural_order(data):
    names = [str(i) for i in range(1, 13)] + ['b', 'A', 'x10', 'x9']
    fill(data / 'mine', ['%s/0.png' % name for name in names])
    loaded, _ = load(data, conditional=True)
    assert loaded.classes == tuple(names[:12]) + ('A', 'b', 'x9', 'x10')
    assert sorted(['10', '-1', '1.5', '1.25', '-10', '2'], key=layouts.natural) == [
        '-10', '-1', '1.25', '1.5', '2', '10']
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
    with pytest.raises(UserError, match='--labels labels.csv'):
        load(data, conditional=True)
