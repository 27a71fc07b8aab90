"""Tables of attributes, in CelebA's layout."""

import os

import numpy as np
import pytest
import test_sources
from test_sources import grays, load, make_zip, numbered, paint

from dataset import tables
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
    root = os.path.dirname(os.path.dirname(os.path.abspath(tables.__file__)))
    loaded, _ = load(os.path.join(root, 'data'), 'toonfaces', train_size=100,
                     attributes='Smiling,Eyeglasses', cache_dir=str(tmp_path))
    assert loaded.labels.shape == (100, 2)
    assert set(loaded.labels.ravel()) == {-1, 1}
    assert 0.4 < (loaded.labels[:, 0] > 0).mean() < 0.75        # 2,308 of 4,000 smile


def test_attributes_with_train_size_are_those_of_the_chosen_images(attributed):
    loaded, _ = load(attributed, attributes='Smiling', train_size=2)
    signs = {0: 1, 10: -1, 20: -1, 30: 1}
    assert loaded.labels.tolist() == [[signs[gray]] for gray in grays(loaded)]
    assert load(attributed, train_size=2)[1] == []      # the same cache


def test_attributes_stay_beside_their_images_when_some_are_left_out(attributed):
    (attributed / 'mine' / '000001.jpg').write_bytes(b'broken')
    loaded, _ = load(attributed, attributes='Smiling,Bald')
    assert grays(loaded) == [0, 20, 30]
    assert loaded.labels.tolist() == [[1, -1], [-1, 1], [1, -1]]


@pytest.mark.parametrize('attributes, message', [
    ('smiling', "has no column 'smiling'; did you mean Smiling"),
    ('Bald,Eyeglases', "has no column 'Eyeglases'; did you mean Eyeglasses"),
    ('Xyz', "has no column 'Xyz'; expected some of Bald, Eyeglasses, Smiling")])
def test_unknown_attributes_list_near_or_all_names(attributed, attributes, message):
    with pytest.raises(UserError, match=message):
        load(attributed, attributes=attributes)


@pytest.mark.parametrize('lines, count, message', [
    (TABLE[:3], None, 'no line for 2 of 4 images, such as 000002.jpg'),
    (TABLE, 7, 'its first line says 7 images, and it has lines for 5'),
    (TABLE[:2] + ['000001.jpg -1 1'] + TABLE[3:], None, 'line 4: expected 4 cells'),
    (TABLE[:2] + ['000001.jpg -1 2 1'] + TABLE[3:], None,
     'line 4: expected 1 or -1 for Eyeglasses of 000001.jpg, found'),
    ([], 'x', 'holds no table')])
def test_a_table_that_does_not_fit_is_refused(attributed, lines, count, message):
    write_table(attributed, lines, count)
    with pytest.raises(UserError, match=message) as caught:
        load(attributed, attributes='Eyeglasses')
    assert 'list_attr.txt' in str(caught.value)


def test_without_a_table_attributes_say_what_is_needed(data):
    numbered(data / 'mine', 2)
    with pytest.raises(NotFoundError, match='No list_attr_celeba.txt or .*list_attr'):
        load(data, attributes='Smiling')


# --- other tables than CelebA's text -----------------------------------------

@pytest.mark.parametrize('text', [
    'image_id,Bald,Smiling\n000000.jpg,-1,1\n000001.jpg,1,-1\n',        # Kaggle's
    'image_id;Bald;Smiling\n000000.jpg;-1;1\n000001.jpg;1;-1\n',
    'image_id\tBald\tSmiling\n000000.jpg\t0\t1\n000001.jpg\t1\t0\n',
    '\ufeffimage_id,Bald,Smiling\r\n000000.jpg,0,1\r\n000001.jpg,1,0\r\n',
    '"image_id","Bald","Smiling"\n"000000.jpg","False","True"\n'
    '"000001.jpg","True","False"\n',
    '2\nBald Smiling\n000000.jpg -1 1\n000001.jpg 1 -1\n',
    'Bald Smiling\n000000.jpg -1 1\n000001.jpg 1 -1\n'])
@pytest.mark.parametrize('place', ['beside', 'above', 'far above', 'zip'])
def test_attributes_however_they_are_written(data, text, place):
    folder = data / ('unpacked' if place == 'zip' else 'celebA')
    inner = folder / 'img_align_celeba' / 'img_align_celeba'
    for i in range(2):
        paint(inner / ('%06d.jpg' % i), 10 * i, (178, 218), quality=95)
    {'beside': inner, 'far above': data}.get(place, folder).joinpath(
        'list_attr_celeba.csv').write_bytes(text.encode())
    if place == 'zip':
        make_zip(folder, data / 'celebA' / 'archive.zip')
    loaded, _ = load(data, 'celebA', attributes='Smiling,Bald')
    assert loaded.labels.tolist() == [[1, -1], [-1, 1]]
    if place != 'far above':
        assert tables.attribute_names(str(data / 'celebA')) == ('Bald', 'Smiling')


@pytest.fixture
def pets(data):
    """Make four pictures, in two folders that are no classes."""
    for i in range(4):
        paint(data / 'pets' / ('a' if i < 2 else 'b') / ('%d.png' % i), 10 * i)
    return data


def labelled(pets, name, text, **given):
    (pets / 'pets' / name).write_text(text)
    return load(pets, 'pets', **dict(dict(labels=name), **given))


PAIRS = [('a/0.png', 'dog'), ('a/1.png', 'cat'), ('b/2.png', 'dog'), ('b/3.png', 'cat')]
ROWS = {
    'labels.csv': 'file,label\n' + ''.join('%s,%s\n' % pair for pair in PAIRS),
    'other order.csv': 'species,path\n' + ''.join('%s,%s\n' % (label, path)
                                                  for path, label in PAIRS),
    'index.csv': ',filename,label\n' + ''.join('%d,%s,%s\n' % (i, *pair)
                                               for i, pair in enumerate(PAIRS)),
    'no header.csv': ''.join('%s,%s\n' % pair for pair in PAIRS),
    'names.csv': 'id,breed\n0.png,dog\n1.png,cat\n2.png,dog\n3.png,cat\n',
    'pandas.csv': 'Unnamed: 0,image,breed\n' + ''.join(
        '%d,%s,%s\n' % (i, *pair) for i, pair in enumerate(PAIRS)),
    'excel.csv': 'sep=;\n' + 'file;label;\n' + ''.join(
        '%s;%s;\n' % pair for pair in PAIRS) + ';;\n;;\n',
    'longer lines.csv': 'file,label\n' + ''.join('%s,%s,\n' % pair for pair in PAIRS),
    'pipes.csv': 'file|label\n' + ''.join('%s|%s\n' % pair for pair in PAIRS),
    'spaces.csv': '"file", "label"\n' + ''.join('"%s", "%s"\n' % pair
                                               for pair in PAIRS),
    'remark.csv': '# mine, 2026\n' + 'file,label\n' + ''.join(
        '%s,%s\n' % pair for pair in PAIRS),
    'label first.txt': ''.join('%s %s\n' % (label, path) for path, label in PAIRS),
    'no header, no endings.txt': ''.join(
        '%s %s %s\n' % (path[:-4], label, label) for path, label in PAIRS),
    'zeros.csv': 'id,breed\n00,dog\n01,cat\n2,dog\n0003,cat\n',
    'columns.json': '{"file": {%s}, "label": {%s}}' % tuple(', '.join(
        '"%d": "%s"' % (i, pair[k]) for i, pair in enumerate(PAIRS)) for k in (0, 1)),
    'lists.json': '{"file": [%s], "label": [%s]}' % tuple(', '.join(
        '"%s"' % pair[k] for pair in PAIRS) for k in (0, 1)),
    'records.json': '{%s}' % ', '.join(
        '"%d": {"file": "%s", "label": "%s"}' % (i, *pair)
        for i, pair in enumerate(PAIRS)),
    'ids.json': '{"id": [0, 1, 2, 3], "label": ["dog", "cat", "dog", "cat"]}',
    'data.json': '{"version": 1, "data": [%s]}' % ', '.join(
        '{"image": "%s", "label": "%s"}' % pair for pair in PAIRS),
    'classes.json': '{"dog": ["a/0.png", "b/2.png"], "cat": ["a/1.png", "b/3.png"]}',
    'stems.csv': 'id,breed\n0,dog\n1,cat\n2,dog\n3,cat\n',
    'windows.csv': 'file;class\r\n.\\a\\0.png;dog\r\na\\1.png;cat\r\nb\\2.png;dog\r\n'
                   'b\\3.png;cat\r\n',
    'elsewhere.csv': 'file,label\n' + ''.join('/home/me/pets/%s,%s\n' % pair
                                              for pair in PAIRS),
    'jpeg.csv': 'file,label\n' + ''.join('%s,%s\n' % (path[:-3] + 'JPG', label)
                                         for path, label in PAIRS),
    'metadata.jsonl': ''.join('{"file_name": "%s", "label": "%s"}\n' % pair
                              for pair in PAIRS),
    'list.json': '[%s]' % ', '.join('{"image": "%s", "label": "%s"}' % pair
                                    for pair in PAIRS),
    'map.json': '{%s}' % ', '.join('"%s": "%s"' % pair for pair in PAIRS),
    'pairs.json': '[%s]' % ', '.join('["%s", "%s"]' % pair for pair in PAIRS),
}


@pytest.mark.parametrize('name', ROWS)
def test_labels_of_a_table(pets, name):
    given = name + ':column 3' * ('no endings' in name)
    loaded, _ = labelled(pets, name, ROWS[name], labels=given)
    assert loaded.classes == ('cat', 'dog')
    assert dict(zip(grays(loaded), loaded.labels)) == {0: 1, 10: 0, 20: 1, 30: 0}


def test_text_of_excel_and_names_of_macos(data):
    for i in range(4):
        paint(data / 'pets' / ('e\u0301%d.png' % i), 10 * i)
    (data / 'pets' / 'l.csv').write_bytes('file\tlabel\n{}'.format(''.join(
        '\u00e9%d.png\t%s\n' % (i, 'ab'[i % 2]) for i in range(4))).encode('utf-16'))
    assert load(data, 'pets', labels='l.csv')[0].labels.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize('given, place', [
    ('l.csv', 'pets/l.csv'), ('l.csv', 'l.csv'), ('pets/l.csv', 'pets/l.csv'),
    ('l.csv', 'pets/a/l.csv'), ('l.csv:label', 'pets/meta/L.CSV')])
def test_where_a_table_of_labels_is_looked_for(pets, given, place):
    (pets / place).parent.mkdir(exist_ok=True)
    (pets / place).write_text(ROWS['labels.csv'])
    assert load(pets, 'pets', labels=given)[0].labels.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize('zipped', [False, True])
def test_a_table_in_each_folder_is_of_the_pictures_there(data, zipped):
    folder = data / ('unpacked' if zipped else 'pets')
    for first, name in enumerate(('train', 'test')):
        for i in range(4):
            paint(folder / name / ('%d.png' % i), 100 * first + 10 * i)
        (folder / name / 'metadata.csv').write_text('file_name,label\n' + ''.join(
            '%d.png,%s\n' % (i, 'ab'[(i + first) % 2]) for i in range(4)))
        if zipped:
            make_zip(folder / name, data / 'pets' / (name + '.zip'))
    for part, labels in (('train', [0, 1, 0, 1]), ('held_out', [1, 0, 1, 0])):
        loaded, _ = load(data, 'pets', labels='metadata.csv', part=part,
                         conditional=True)
        assert loaded.labels.tolist() == labels


def test_tables_of_other_columns_are_no_one_table(pets):
    (pets / 'pets' / 'a' / 'l.csv').write_text('file,label\n0.png,x\n')
    (pets / 'pets' / 'b' / 'l.csv').write_text('file,kind\n2.png,x\n')
    with pytest.raises(UserError, match='a/l.csv and .*b/l.csv have other columns'):
        load(pets, 'pets', labels='l.csv')


def test_a_column_of_splits_holds_out(pets):
    text = 'file,label,set\na/0.png,dog,train\na/1.png,cat,Train\nb/2.png,dog,val\n' \
           'b/3.png,cat,test\n'
    kept, echoed = labelled(pets, 'l.csv', text)
    assert grays(kept) == [0, 10]
    assert 'by the column set of ' in echoed[0] and 'held out: 2' in echoed[0]
    held, _ = load(pets, 'pets', labels='l.csv', conditional=True, part='held_out')
    assert grays(held) == [20, 30] and held.labels.tolist() == [1, 0]


def test_dataset_json_of_another_program_is_not_looked_at(data):
    for i in range(4):
        paint(data / 'pets' / ('cat' if i < 2 else 'dog') / ('%d.png' % i), 10 * i)
    (data / 'pets' / 'dataset.json').write_text('{"title": "pets"}')
    loaded, echoed = load(data, 'pets', conditional=True)
    assert loaded.classes == ('cat', 'dog') and 'has no "labels"' in echoed[0]
    (data / 'pets').rename(data / 'loose')
    make_zip(data / 'loose', data / 'pets' / 'all.zip')
    loaded, echoed = load(data, 'pets', conditional=True)
    assert loaded.classes == ('cat', 'dog') and (
        'dataset.json in %s has no' % (data / 'pets' / 'all.zip') in echoed[0])


def test_a_column_is_named_where_there_are_several(pets):
    text = ('file,breed,age\na/0.png,pug,3\na/1.png,tabby,1\nb/2.png,pug,1\n'
            'b/3.png,pug,2\n')
    with pytest.raises(UserError, match='several columns: breed, age. Say which'):
        labelled(pets, 'all.csv', text)
    loaded, _ = labelled(pets, 'all.csv', text, labels='all.csv:age')
    assert loaded.classes == ('1', '2', '3')
    with pytest.raises(UserError, match="no column 'bred'; did you mean breed"):
        labelled(pets, 'all.csv', text, labels='all.csv:bred')


def test_columns_of_ones_are_attributes(pets):
    text = 'file,tail,ears\na/0.png,1,0\na/1.png,0,0\nb/2.png,1,1\nb/3.png,0,1\n'
    loaded, _ = labelled(pets, 'all.csv', text, attributes='ears,tail')
    assert loaded.labels.tolist() == [[-1, 1], [-1, -1], [1, 1], [1, -1]]


def test_one_hot_columns_are_a_class(pets):
    text = 'file,cat,dog\na/0.png,0,1\na/1.png,1,0\nb/2.png,0,1\nb/3.png,1,0\n'
    loaded, _ = labelled(pets, 'all.csv', text)
    assert loaded.classes == ('cat', 'dog') and loaded.labels.tolist() == [1, 0, 1, 0]


def test_pictures_and_lines_that_do_not_match_are_named(pets):
    with pytest.raises(UserError, match='no line for 2 of 4 images, such as b/2.png, '):
        labelled(pets, 'l.csv', 'file,label\na/0.png,dog\na/1.png,cat\n')
    _, echoed = labelled(pets, 'l.csv', ROWS['labels.csv'] + 'gone.png,cat\n')
    assert '1 of its lines are of no image here, such as gone.png' in echoed[0]
    with pytest.raises(UserError, match='no label for 1 of 4 images, such as a/0.png'):
        labelled(pets, 'l.csv', ROWS['labels.csv'].replace('dog', '', 1))


@pytest.mark.parametrize('text, message', [
    ('', 'holds no table'), ('file,label\n', 'holds no table'),
    ('file,label\na/0.png\n', 'line 2: expected'),
    ('file,label\na/0.png,dog\na/0.png,cat\n',
     "line 3: 'a/0.png' has a line already, 2"),
    ('file\na/0.png\na/1.png\nb/2.png\nb/3.png\n', 'none of labels'),
    ('file,label\n' + ''.join('%s,same\n' % path for path, _ in PAIRS),
     'expected two classes or more; found only same'),
    ('PK\3\4\0', "is not text in UTF-8 .it begins with 'PK.*save the table as CSV"),
    ('x,y\n7,2\n', 'no line for 4 of 4 .* has the columns y, and lines for 7'),
    ('{"images": [{"id": 1}], "annotations": [{"id": 2}]}', 'several lists, as COCO'),
    ('{"file": "a/0.png", "label": 1}\n{"file"', 'labels: line 2: Expecting'),
    ('[["a/0.png", 1], ["a/0.png", 2]]', "'a/0.png' is there twice"),
    ('{"labels": null}', 'has no labels'),
    ('{"labels": [1, 2]}', 'expected a file and'),
    ('{"labels": ', 'cannot be read as a table'), ('[]', 'none of labels')])
def test_what_is_no_table_of_labels_is_refused(pets, text, message):
    with pytest.raises(UserError, match=message):
        labelled(pets, 'labels.csv', text)


def test_two_pictures_of_one_name_need_their_folders(data):
    paint(data / 'pets' / 'a' / '0.png', 1)
    paint(data / 'pets' / 'b' / '0.png', 2)
    with pytest.raises(UserError, match='may be a/0.png or b/0.png: write the folder'):
        labelled(data, 'l.csv', 'file,label\n0.png,cat\n1.png,dog\n')


def test_a_missing_table_says_where_it_was_looked_for(pets):
    with pytest.raises(NotFoundError, match="--labels 'no.csv': there is no such file"):
        load(pets, 'pets', labels='no.csv')


@pytest.mark.parametrize('zipped', [False, True])
def test_the_labels_of_stylegans_zip_are_those_of_dataset_json(data, zipped):
    folder = data / ('unpacked' if zipped else 'gan')
    for i in range(4):
        paint(folder / ('%05d' % (i // 2)) / ('img%08d.png' % i), 10 * i)
    (folder / 'dataset.json').write_text('{"labels": [%s]}' % ', '.join(
        '["%05d/img%08d.png", %d]' % (i // 2, i, 10 - i % 2 * 8) for i in range(4)))
    if zipped:
        make_zip(folder, data / 'gan' / 'images.zip')
    loaded, echoed = load(data, 'gan', conditional=True)
    assert loaded.classes == ('2', '10') and loaded.labels.tolist() == [1, 0, 1, 0]
    assert 'dataset.json' in echoed[0]
    assert load(data, 'gan')[0].labels is None


def test_test_images_may_lack_labels(data):
    for name in ('train/0.png', 'train/1.png', 'test/0.png', 'test/9.png'):
        paint(data / 'pets' / name, int(name[-5]))
    given = dict(labels='labels.csv', conditional=True)
    (data / 'pets' / 'labels.csv').write_text(
        'file,label\ntrain/0.png,cat\ntrain/1.png,dog\ntest/9.png,dog\n')
    assert load(data, 'pets', **given)[0].labels.tolist() == [0, 1]
    held, _ = load(data, 'pets', part='held_out', **given)
    assert grays(held) == [9] and held.labels.tolist() == [1]
