"""Sampling: sheets, single files, labels, seeds, and carpedm20's checkpoints."""

import os
import shutil
import time

import numpy as np
import pytest
import reference
import tensorflow.compat.v1 as tf
from PIL import Image

import main
import ops
from model import DCGAN
from runs import checkpoints, sampling
from settings.config import Config
from settings.errors import UserError
from tasks import sample
from tasks.parts import z_files
from utils import inverse_transform


def call(*arguments):
    with tf.Graph().as_default():
        return main.main(list(map(str, arguments)))


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Train two classes of tiny flat pictures; return the folder of it all."""
    root = tmp_path_factory.mktemp('trained')
    for value, name in ((60, 'dark'), (200, 'light')):
        os.makedirs(root / 'data' / 'flat' / name)
        for i in range(8):
            Image.new('RGB', (16, 16), (value, value, value + i)).save(
                root / 'data' / 'flat' / name / ('%d.png' % i))
    assert call('--dataset', 'flat', '--data_dir', root / 'data', '--conditional',
                '--checkpoint_dir', root / 'checkpoint', '--sample_dir', root / 's',
                '--output_height', 16, '--gf_dim', 4, '--df_dim', 4, '--z_dim', 8,
                '--batch_size', 8, '--epoch', 1, '--num_samples', 6, '--train') == 0
    shutil.rmtree(root / 'data')        # sampling needs none
    return root


@pytest.fixture
def flags(trained, tmp_path):
    return ['--dataset', 'flat', '--checkpoint_dir', trained / 'checkpoint',
            '--sample_dir', tmp_path]


def test_without_train_a_sheet_with_a_row_for_each_class(flags, tmp_path, capsys):
    assert call(*flags, '--train', 'False') == 0
    path = tmp_path / 'flat_8_16_16' / 'test.png'
    assert str(path) in capsys.readouterr().out
    assert pixels(path).shape == (2 * 18 - 2, 10 * 18 - 2, 3)


def test_separate_writes_one_file_each(flags, tmp_path):
    assert call(*flags, '--num_samples', 7, '--separate') == 0
    folder = tmp_path / 'flat_8_16_16' / 'test'
    found = {name: sorted(os.listdir(folder / name)) for name in os.listdir(folder)
             if name != 'z.npz'}
    assert found == {'dark': ['%06d.png' % i for i in range(4)],    # a folder a class
                     'light': ['%06d.png' % i for i in range(4, 7)]}
    assert pixels(folder / 'dark' / '000000.png').shape == (16, 16, 3)


def test_fewer_separate_images_leave_none_of_an_earlier_call(flags, tmp_path):
    folder = tmp_path / 'flat_8_16_16' / 'test'
    call(*flags, '--num_samples', 5, '--separate')
    (folder / 'dark' / 'mine.png').write_bytes(b'not of this program')
    (folder / '000009.png').write_bytes(b'of an older version of it')
    call(*flags, '--num_samples', 3, '--separate')
    found = sorted(path.relative_to(folder).as_posix()
                   for path in folder.rglob('*.png'))
    assert found == ['dark/000000.png', 'dark/000001.png', 'dark/mine.png',
                     'light/000002.png']


def test_separate_images_of_a_label_have_a_folder_of_their_own(flags, tmp_path):
    folder = tmp_path / 'flat_8_16_16'
    call(*flags, '--num_samples', 4, '--separate')
    assert sorted(os.listdir(folder / 'test' / 'light')) == ['000002.png', '000003.png']
    before = pixels(folder / 'test' / 'dark' / '000000.png')
    for label, count in (('light', 3), ('dark', 2), ('light', 1)):
        call(*flags, '--num_samples', count, '--separate', '--label', label)
    assert {name: len(os.listdir(folder / name)) for name in os.listdir(folder)} == {
        'test': 3, 'test_dark': 3, 'test_light': 2}     # z.npz with them
    # z is the same, and so is the picture, where the label is: first dark, then light
    dark = pixels(folder / 'test_dark' / '000000.png')
    light = pixels(folder / 'test_light' / '000000.png')
    assert np.abs(before - dark).max() <= 1
    assert np.abs(before - light).max() > 1


def test_the_rows_of_a_sheet_are_named(flags, tmp_path, capsys):
    assert call(*flags) == 0
    assert ('seed 0; another --seed draws others\nrow 1: dark\nrow 2: light\n'
            'sheet: ') in capsys.readouterr().out


def test_a_sheet_too_large_to_open_is_refused_before_drawing(flags, tmp_path, capsys):
    assert call(*flags, '--num_samples', 10**6) == 2
    assert '16000 x 16000 pixels' in capsys.readouterr().err
    assert not (tmp_path / 'flat_8_16_16').exists()


def test_folders_of_labels_have_names_that_every_system_takes():
    names = ['T-shirt/top', 'T-shirt_top', 'Cat', 'cat', 'con', 'a:b?', '..', ' ',
             'é\n', '猫' * 100, 'caf\udce9', 'NUL.txt', 'console', '']
    found = sample.folder_names(names + names)
    assert list(found) == names
    assert list(found.values()) == [
        'T-shirt_top', 'T-shirt_top_2', 'Cat', 'cat_2', '_con', 'a_b_', '_', '__2',
        'é_', '猫' * 53, 'caf_', '_NUL.txt', 'console', '__3']


@pytest.mark.parametrize('more', [[], ['--separate']])
def test_a_sample_dir_that_cannot_be_written_to_is_named(flags, tmp_path, capsys, more):
    file = tmp_path / 'file'
    file.write_text('no folder')
    assert call(*flags, '--sample_dir', file, *more) == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ')
    assert str(file) in error


@pytest.fixture
def damaged(trained, tmp_path):
    """Return a copy of the trained run and the path of its checkpoint's data."""
    folder = tmp_path / 'damaged'
    shutil.copytree(trained / 'checkpoint' / 'flat_8_16_16', folder)
    return folder, folder / 'DCGAN.model-2.data-00000-of-00001'


@pytest.mark.parametrize('spoil', [
    os.remove, lambda path: os.truncate(path, 1000), lambda path: os.truncate(path, 0)],
    ids=['missing', 'cut', 'empty'])
def test_a_checkpoint_whose_data_is_damaged_is_refused_by_name(
        damaged, tmp_path, capsys, spoil):
    folder, data = damaged
    spoil(data)
    assert call('--checkpoint_dir', folder, '--sample_dir', tmp_path / 's') == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ')
    assert str(folder / 'DCGAN.model-2') in error
    assert 'DCGAN.model-2 is damaged: ' in error
    assert 'most recent call' not in error
    assert not (tmp_path / 's').exists()


def test_one_label_fills_the_sheet(flags, tmp_path):
    assert call(*flags, '--label', 'light', '--num_samples', 5) == 0
    path = tmp_path / 'flat_8_16_16' / 'test_light.png'
    assert pixels(path).shape == (2 * 18 - 2, 3 * 18 - 2, 3)


def test_an_unknown_label_lists_the_labels(flags, capsys):
    assert call(*flags, '--label', 'grey') == 2
    assert 'dark, light' in capsys.readouterr().err


def test_the_seed_decides_the_images(flags, tmp_path):
    sheets = []
    for seed in (1, 1, 2):
        call(*flags, '--seed', seed)
        sheets.append(pixels(tmp_path / 'flat_8_16_16' / 'test.png'))
    np.testing.assert_array_equal(sheets[0], sheets[1])
    assert (sheets[0] != sheets[2]).any()


def test_labels_share_the_images_evenly_in_order():
    config = Config.make({}, {}).replace(classes=('a', 'b', 'c'))
    np.testing.assert_array_equal(sampling.make_labels(7, config),
                                  [0, 0, 0, 1, 1, 2, 2])
    assert config.sheet_size == 30
    assert Config.make({}, {}).sheet_size == 64


def test_chunks_do_not_show(flags, tmp_path, monkeypatch):
    call(*flags, '--num_samples', 10)
    whole = pixels(tmp_path / 'flat_8_16_16' / 'test.png')
    monkeypatch.setattr(sampling, 'CHUNK', 3)
    call(*flags, '--num_samples', 10)
    chunked = pixels(tmp_path / 'flat_8_16_16' / 'test.png')
    assert np.abs(whole - chunked).max() <= 1


# --- attributes --------------------------------------------------------------

def attributes(*names, **changes):
    return Config.make(dict(attributes=','.join(names), **changes), {}).replace(
        classes=names)


def test_a_sheet_has_a_row_for_each_combination_of_attributes():
    config = attributes('A', 'B')
    np.testing.assert_array_equal(
        sampling.label_rows(config), [[-1, -1], [-1, 1], [1, -1], [1, 1]])
    np.testing.assert_array_equal(sampling.make_labels(8, config),
                                  [0, 0, 1, 1, 2, 2, 3, 3])
    assert config.sheet_size == 40
    assert len(sampling.label_rows(attributes(*'ABCD'))) == 16


def test_of_many_attributes_each_alone_has_a_row():
    rows = sampling.label_rows(attributes(*'ABCDE'))
    np.testing.assert_array_equal(rows, np.vstack([np.zeros(5), np.eye(5)]) * 2 - 1)
    assert rows.dtype == np.float32


@pytest.mark.parametrize('label, y', [
    ('A', [1, -1, -1]), ('C,A', [1, -1, 1]), ('none', [-1, -1, -1])])
def test_label_chooses_a_combination(label, y):
    config = attributes('A', 'B', 'C', label=label)
    np.testing.assert_array_equal(sampling.label_rows(config), [y])
    assert sampling.make_labels(3, config).tolist() == [0, 0, 0]
    assert config.sheet_size == 80       # the z of the whole sheet


def test_rows_of_labels_are_one_hot():
    config = Config.make({}, {}).replace(classes=('a', 'b', 'c'))
    np.testing.assert_array_equal(sampling.label_rows(config), np.eye(3))
    np.testing.assert_array_equal(sampling.label_rows(config.replace(label='b')),
                                  [[0, 1, 0]])


@pytest.fixture(scope='module')
def attributed(tmp_path_factory):
    """Train on 16 flat pictures with two attributes; return the flags of the run."""
    root = tmp_path_factory.mktemp('attributed')
    folder = root / 'data' / 'flat'
    os.makedirs(folder)
    lines = []
    for i in range(16):
        Image.new('RGB', (16, 16), (60 + 10 * (i % 4),) * 3).save(
            folder / ('%d.png' % i))
        lines.append('%d.png %d %d' % (i, 2 * (i % 2) - 1, 2 * (i // 2 % 2) - 1))
    (folder / 'list_attr.txt').write_text('\n'.join(['16', 'Light Big'] + lines))
    flags = ['--dataset', 'flat', '--data_dir', root / 'data', '--checkpoint_dir',
             root / 'checkpoint', '--sample_dir', root / 's', '--name', 'run']
    assert call(*flags, '--attributes', 'Light,Big', '--output_height', 16, '--gf_dim',
                4, '--df_dim', 4, '--z_dim', 8, '--batch_size', 8, '--epoch', 1,
                '--num_samples', 8, '--train') == 0
    return flags


def test_attributes_train_resume_and_sample(attributed, tmp_path, capsys):
    flags = attributed + ['--sample_dir', tmp_path]
    config = Config.load(str(attributed[5] / 'run' / 'config.json'))
    assert (config.classes, config.attributes) == (('Light', 'Big'), 'Light,Big')
    assert config.y_dim == 2
    sheet, = [name for name in os.listdir(attributed[7] / 'run')
              if name.startswith('train_')]
    assert pixels(attributed[7] / 'run' / sheet).shape == (
        4 * 18 - 2, 2 * 18 - 2, 3)
    assert call(*flags, '--epoch', 2, '--train') == 0       # goes on without the flag
    assert call(*flags, '--attributes', 'Big,Light', '--epoch', 3, '--train') == 2
    assert "--attributes: 'Light,Big' in config.json" in capsys.readouterr().err
    assert call(*flags, '--train', 'False') == 0
    assert capsys.readouterr().out.count('\nrow ') == 4
    assert pixels(tmp_path / 'run' / 'test.png').shape == (
        4 * 18 - 2, 10 * 18 - 2, 3)


def test_attributes_chosen_by_label(attributed, tmp_path, capsys):
    flags = attributed + ['--sample_dir', tmp_path, '--separate', '--num_samples']
    folder = tmp_path / 'run'
    assert call(*flags, 4) == 0
    rows = ['none', 'Big', 'Light', 'Light, Big']
    assert sorted(os.listdir(folder / 'test')) == sorted(rows + ['z.npz'])
    for label in ('none', 'Big', 'Light', 'Big,Light'):
        assert call(*flags, 4, '--label', label) == 0
    # z of each is the same, and so is the picture where the attributes are
    for i, label in enumerate(['none', 'Big', 'Light', 'Big,Light']):
        name = '%06d.png' % i
        np.testing.assert_allclose(pixels(folder / 'test' / rows[i] / name), pixels(
            folder / ('test_' + label) / name), atol=1)
    assert call(*flags, 4, '--label', 'Small') == 2
    assert 'none, or some of Light, Big' in capsys.readouterr().err


def test_a_label_with_a_slash_is_a_file_all_the_same(trained, tmp_path):
    shutil.copytree(trained / 'checkpoint', tmp_path / 'c')
    path = tmp_path / 'c' / 'flat_8_16_16' / 'config.json'
    path.write_text(path.read_text().replace('"light"', '"T-shirt/top"'))
    assert call('--checkpoint_dir', tmp_path / 'c', '--sample_dir', tmp_path / 's',
                '--label', 'T-shirt/top', '--num_samples', 2) == 0
    assert (tmp_path / 's' / 'flat_8_16_16' / 'test_T-shirt_top.png').exists()


# --- z kept ------------------------------------------------------------------

def test_z_is_kept_beside_a_sheet_and_draws_it_again(flags, tmp_path, capsys):
    folder = tmp_path / 'flat_8_16_16'
    assert call(*flags, '--seed', 3, '--num_samples', 6) == 0
    assert 'z: %s' % (folder / 'test.npz') in capsys.readouterr().out
    with np.load(folder / 'test.npz') as kept:
        assert (kept['z'].shape, kept['z'].dtype) == ((6, 8), np.float32)
        np.testing.assert_array_equal(kept['y'], np.eye(2)[[0, 0, 0, 1, 1, 1]])
        assert list(kept['names']) == ['dark', 'light']
        assert (kept['seed'], kept['step']) == (3, 2)
    before = (folder / 'test.npz').read_bytes()
    assert call(*flags, '--z', folder / 'test.npz') == 0
    said = capsys.readouterr().out
    assert '6 images of %s' % (folder / 'test.npz') in said
    assert 'row 1: dark\nrow 2: light\n' in said
    np.testing.assert_array_equal(pixels(folder / 'test.png'),
                                  pixels(folder / 'from_test.png'))
    assert (folder / 'test.npz').read_bytes() == before
    with np.load(folder / 'from_test.npz') as kept:     # the seed that drew them
        assert kept['seed'] == 3


def test_pictures_of_a_file_are_picked_in_the_order_that_is_asked_for(
        flags, tmp_path, capsys):
    folder = tmp_path / 'flat_8_16_16'
    assert call(*flags, '--num_samples', 6, '--separate') == 0
    assert 'z: %s' % (folder / 'test' / 'z.npz') in capsys.readouterr().out
    for given in folder / 'test' / 'z.npz', folder / 'from_test' / 'z.npz':
        assert call(*flags, '--z', given, '--indices', '5,0', '--separate') == (
            0 if given.parent.name == 'test' else 2)
    assert 'holds the images 0 to 1' in capsys.readouterr().err
    old = [pixels(folder / 'test' / name) for name in ('light/000005.png',
                                                       'dark/000000.png')]
    new = [pixels(folder / 'from_test' / name) for name in ('light/000000.png',
                                                            'dark/000001.png')]
    assert np.abs(np.array(old) - new).max() <= 1
    assert call(*flags, '--num_samples', 6, '--indices', '5,0,4') == 0
    assert 'labels: light; dark; light' in capsys.readouterr().out
    sheet = pixels(folder / 'chosen.png')               # in that order: no rows
    assert sheet.shape == (34, 34, 3)
    assert np.abs(sheet[:16, :16] - old[0]).max() <= 1
    assert call(*flags, '--z', folder / 'chosen.npz', '--label', 'dark',
                '--separate') == 0
    assert sorted(os.listdir(folder / 'from_chosen_dark')) == [
        '000000.png', '000001.png', '000002.png', 'z.npz']
    assert np.abs(pixels(folder / 'from_chosen_dark' / '000001.png') - old[1]).max() < 2


GOOD = dict(z=np.zeros((3, 8)), y=np.eye(2)[[0, 1, 1]], names=['dark', 'light'])


@pytest.mark.parametrize('changes, said', [
    (dict(z=None), 'an array z of N x 8 numbers; found arrays called names, y'),
    (dict(z=np.zeros((3, 9))), 'expected z of N x 8 numbers, as this run has them; '
                               'found 3 x 9. Is it of another run?'),
    (dict(z=np.zeros(8)), 'found 8'), (dict(z=np.zeros((0, 8))), 'found 0 x 8'),
    (dict(z=np.full((3, 8), 'a')), 'found values of type <U1'),
    (dict(z=np.full((3, 8), None)), 'cannot be read as an .npz'),
    (dict(z=np.where(np.arange(24).reshape(3, 8) == 9, np.nan, 0)),
     'NaN, or a number without bounds, in 1 of 3 rows of z, the first of them 1'),
    (dict(z=np.full((3, 8), 1e300)), 'in 3 of 3 rows'),
    (dict(y=None), 'has no labels y, and this run draws by labels (dark, light); add'),
    (dict(y=np.eye(2)), 'expected y of 3 x 2 numbers'),
    (dict(names=['cat', 'dog']), 'has the labels cat, dog, those of this run are ')])
def test_a_file_of_z_that_does_not_fit_is_refused(
        tmp_path, tiny_config, changes, said):
    arrays, path = dict(GOOD, **changes), str(tmp_path / 'a.npz')
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(UserError) as error:
        z_files.read(tiny_config(z=path, classes=('dark', 'light'), conditional=True))
    assert said in str(error.value) and path in str(error.value)


@pytest.mark.parametrize('content, said', [
    (None, 'there is no such file'),
    (b'', 'cannot be read as an .npz (it is another kind of file): expected what'),
    (b'\x89PNG\r\n', '(it is another kind of file)'),
    (b'PK\3\4 cut', 'cannot be read as an .npz')])
def test_what_is_no_file_of_z_is_refused(tmp_path, tiny_config, content, said):
    if content is not None:
        (tmp_path / 'a.npz').write_bytes(content)
    with pytest.raises(UserError) as error:
        z_files.read(tiny_config(z=str(tmp_path / 'a.npz')))
    assert said in str(error.value)


def test_a_file_that_does_not_fit_ends_before_anything_is_written(
        flags, tmp_path, capsys):
    np.savez(tmp_path / 'a.npz', z=np.zeros((3, 9)))
    assert call(*flags, '--z', tmp_path / 'a.npz') == 2
    assert 'expected z of N x 8' in capsys.readouterr().err
    assert os.listdir(tmp_path) == ['a.npz']


def test_labels_of_a_file_in_another_order_are_put_right(tmp_path, tiny_config):
    np.savez(tmp_path / 'a.npz', z=np.zeros((3, 8)), y=np.eye(2)[[0, 1, 1]],
             names=['light', 'dark'])
    config = tiny_config(classes=('dark', 'light'), conditional=True,
                         z=str(tmp_path / 'a.npz'))
    np.testing.assert_array_equal(z_files.read(config).y, np.eye(2)[[1, 0, 0]])
    assert z_files.read(config.replace(label='dark')).y.tolist() == [[1, 0]] * 3
    with pytest.raises(UserError, match='those of this run are none'):
        z_files.read(config.replace(classes=(), conditional=False))


def test_z_brings_its_own_number(flags, tmp_path, capsys):
    assert call(*flags, '--z', 'a.npz', '--num_samples', 5) == 2
    assert 'or take some of the file by --indices' in capsys.readouterr().err
    assert call(*flags, '--z', 'a.npz', '--task', 'filters') == 2
    assert '--z is for --task sample or --task walk or' in capsys.readouterr().err


# --- carpedm20's checkpoints -------------------------------------------------

@pytest.fixture(scope='module')
def his(tmp_path_factory):
    """Write a checkpoint as his code does; return (folder, values)."""
    folder = tmp_path_factory.mktemp('his') / 'celebA_64_64_64'
    os.makedirs(folder)
    values = reference.random_values(reference.variable_shapes(4, z_dim=20))
    reference.write_checkpoint(str(folder), values)
    return folder, values


def test_his_checkpoint_gives_his_images(his, tmp_path):
    folder, values = his
    assert call('--train', 'False', '--checkpoint_dir', folder,
                '--sample_dir', tmp_path, '--separate', '--num_samples', 3,
                '--seed', 5) == 0
    with tf.Graph().as_default(), tf.Session() as sess:
        z = sess.run(ops.draw_z('uniform_signed', [3, 20], [5, sampling.FIXED]))
    expected = inverse_transform(reference.sampler(values, z)).astype(int)
    assert expected.std() > 10
    for i in range(3):
        image = pixels(tmp_path / 'celebA_64_64_64' / 'test' / ('%06d.png' % i))
        assert np.abs(image - expected[i]).max() <= 1


def test_settings_are_told_by_the_shapes(his):
    folder, _ = his
    config = checkpoints.infer_config(str(folder / 'DCGAN.model-1002'),
                                  Config.make({}, {}), {})
    assert (config.kernel_size, config.gf_dim, config.df_dim) == (5, 4, 4)
    assert (config.z_dim, config.c_dim, config.y_dim) == (20, 3, 0)
    assert (config.output_height, config.output_width) == (64, 64)
    assert config.z_dist == 'uniform_signed'


def test_what_the_shapes_tell_is_printed(his, tmp_path, capsys):
    folder, _ = his
    assert call('--checkpoint_dir', folder, '--sample_dir', tmp_path,
                '--num_samples', 1) == 0
    said, = [line for line in capsys.readouterr().out.splitlines()
             if line.startswith('no config.json there; told by the shapes: ')]
    for setting in ('kernel_size 5', 'z_dim 20', 'gf_dim 4', 'df_dim 4', 'c_dim 3',
                    'output_height 64', 'output_width 64', 'conditional False',
                    'z_dist uniform_signed'):
        assert setting in said


@pytest.mark.parametrize('name, there, given', [
    ('kernel_size', 5, 4), ('z_dim', 20, 100), ('gf_dim', 4, 64), ('df_dim', 4, 8),
    ('c_dim', 3, 1), ('conditional', False, True)])
def test_a_flag_that_the_shapes_contradict_is_refused_by_name(
        his, tmp_path, capsys, name, there, given):
    folder, _ = his
    assert call('--checkpoint_dir', folder, '--sample_dir', tmp_path,
                '--%s' % name, given) == 2
    assert '  --%s: %r in the checkpoint, %r given\n' % (
        name, there, given) in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_a_flag_that_the_shapes_confirm_is_not(his):
    folder, _ = his
    given = {'kernel_size': 5, 'z_dim': 20, 'z_dist': 'normal01', 'output_height': 63}
    config = checkpoints.infer_config(str(folder / 'DCGAN.model-1002'),
                                  Config.make(given, {}), given)
    assert (config.z_dist, config.output_height, config.output_width) == (
        'normal01', 63, 63)


def test_a_size_that_does_not_fit_names_the_variables(his, capsys):
    folder, _ = his
    assert call('--train', 'False', '--checkpoint_dir', folder,
                '--output_height', 96) == 2
    error = capsys.readouterr().err
    assert 'generator/g_h0_lin/Matrix: [20, 1152] here, [20, 512] there' in error


def test_a_checkpoint_of_another_model_lists_its_variables(tmp_path, capsys):
    os.makedirs(tmp_path / 'x')
    reference.write_checkpoint(str(tmp_path / 'x'), {'unet/w': np.zeros(3, 'f')})
    assert call('--train', 'False', '--checkpoint_dir', tmp_path / 'x') == 2
    assert 'unet/w' in capsys.readouterr().err


def test_missing_variables_are_named(his, tmp_path, capsys):
    _, values = his
    os.makedirs(tmp_path / 'x')
    kept = {k: v for k, v in values.items() if k != 'generator/g_bn2/gamma'}
    reference.write_checkpoint(str(tmp_path / 'x'), kept)
    assert call('--train', 'False', '--checkpoint_dir', tmp_path / 'x') == 2
    error = capsys.readouterr().err
    assert 'generator/g_bn2/gamma: [8] here, missing there' in error
    assert 'g_bn1' not in error


def test_his_checkpoint_is_not_written_to(his, tmp_path):
    folder, _ = his
    before = sorted(os.listdir(folder))
    call('--train', 'False', '--checkpoint_dir', folder, '--sample_dir', tmp_path)
    assert sorted(os.listdir(folder)) == before


def test_a_damaged_checkpoint_is_refused(his, tmp_path):
    folder, _ = his
    shutil.copytree(folder, tmp_path / 'x')
    (tmp_path / 'x' / 'DCGAN.model-1002.index').write_bytes(b'nonsense')
    with pytest.raises(UserError, match='cannot be read'):
        checkpoints.shapes(str(tmp_path / 'x' / 'DCGAN.model-1002'))


class Recorder:
    """A session whose images tell which z they are of; run `broken` fails."""

    def __init__(self, broken=None):
        self.broken = broken

    def run(self, fetches, feed):
        z, = feed.values()
        time.sleep(0.002 * (7 - z[0, 0] % 7))       # later parts are ready earlier
        if z[0, 0] == self.broken:
            raise RuntimeError('part %d' % z[0, 0])
        return z


@pytest.mark.parametrize('count', [1, 4, 9])
def test_parts_drawn_side_by_side_come_in_order(graph, tiny_config, monkeypatch, count):
    monkeypatch.setattr(sampling, 'CHUNK', 3)
    model = DCGAN(tiny_config())
    z = np.arange(count)[:, None]
    assert (sampling.draw(Recorder(), model, z, np.full(count, -1)) == z).all()


def test_an_error_in_one_part_is_raised(graph, tiny_config, monkeypatch):
    monkeypatch.setattr(sampling, 'CHUNK', 3)
    model = DCGAN(tiny_config())
    with pytest.raises(RuntimeError, match='part 6'):
        sampling.draw(Recorder(6), model, np.arange(20)[:, None], np.full(20, -1))
