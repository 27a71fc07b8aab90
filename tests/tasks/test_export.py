"""--task export: which files there are, what is said of them, what is refused."""

import os
import shutil
import sys

import networks
import numpy as np
import onnxruntime
import pytest
import reference
import tensorflow.compat.v1 as tf
import tiny_runs

import main
from runs import folders
from settings import parser
from tasks import export


def call(*arguments):
    with tf.Graph().as_default():
        return main.main(list(map(str, arguments)))


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    """Save untrained tiny runs, one plain, one of two labels; return their folder."""
    root = tmp_path_factory.mktemp('export')
    tiny_runs.save(root, 'plain')
    tiny_runs.save(root, 'labels', ('dark', 'light'))
    return root


@pytest.fixture
def flags(root, tmp_path):
    return ['--checkpoint_dir', root, '--sample_dir', tmp_path, '--task', 'export',
            '--name']


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob('*') if path.is_file()}


ALL = {'sampler.pb', 'saved_model/saved_model.pb', 'sampler.onnx', 'index.html'}


def test_all_forms_are_written_and_said_and_the_same_twice(flags, tmp_path, capsys):
    assert call(*flags, 'labels') == 0
    folder = tmp_path / 'labels' / 'export'
    made, said = files(folder), capsys.readouterr().out
    assert set(made) == ALL
    assert 'in float32' in said and 'note: ' not in said
    assert 'z: float32 [N, 8], drawn from N(0, 1)' in said
    assert ('y: float32 [N, 2], 1 for the class, 0 for the others, in this order: '
            'dark, light\nimages: float32 [N, 16, 16, 3], from -1 to 1') in said
    for path, use in (
            ('sampler.pb', "feed z and y, as 'z:0', fetch 'images:0'"),
            ('saved_model', "signatures['serving_default'] takes z and y"),
            ('sampler.onnx', 'FEED has z and y')):
        line, = [ln for ln in said.splitlines() if ln.startswith(
            '%s (' % (folder / path))]
        assert line.endswith(use)
    assert call(*flags, 'labels') == 0
    assert files(folder) == made


def test_formats_chooses_and_leaves_the_others(flags, tmp_path, capsys):
    assert call(*flags, 'plain', '--formats', 'onnx') == 0
    folder = tmp_path / 'plain' / 'export'
    assert set(files(folder)) == {'sampler.onnx'}
    assert 'y: ' not in capsys.readouterr().out
    (folder / 'mine.txt').write_text('not of this program')
    assert call(*flags, 'plain', '--formats', 'saved_model,frozen') == 0
    assert set(files(folder)) == ALL - {'index.html'} | {'mine.txt'}


def test_what_a_killed_call_left_is_removed(flags, tmp_path):
    folder = tmp_path / 'plain' / 'export'
    folder.mkdir(parents=True)
    (folder / '.sampler.pb.1234abcd.part').write_bytes(b'half')
    assert call(*flags, 'plain', '--formats', 'frozen') == 0
    assert os.listdir(folder) == ['sampler.pb']


@pytest.mark.parametrize('words, said', [
    (['plain', '--formats', 'tflite'], "--formats 'tflite': expected some of frozen"),
    (['plain', '--formats', 'onnx,'], "--formats 'onnx,': expected some of"),
    (['plain', '--label', 'dark'], '--label is for --task sample'),
    (['plain', '--num_samples', '9'], '--num_samples is not for --task curves or'),
    (['plain', '--precision', 'bfloat16'], '--precision is not for --task export'),
    (['plain', '--separate'], '--separate is for --task sample'),
    (['plain', '--dataset', 'gaussian'], '--task export is of images'),
    (['plain', '--gf_dim', '8'], 'Leave these flags out'),
    (['plain', '--checkpoint', 'best'], 'No best checkpoint'),
    (['plain', '--checkpoint', '9'], 'No checkpoint of step 9'),
    (['none'], 'No run named none')])
def test_what_is_refused(flags, tmp_path, capsys, words, said):
    assert call(*flags, *words) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / 'plain' / 'export').exists()


def test_formats_belongs_to_export(flags, capsys):
    words = ['sample' if word == 'export' else word for word in flags]
    assert call(*words, 'plain', '--formats', 'onnx') == 2
    assert '--formats is for --task export' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['export', 'freeze'])
def test_his_flags_name_the_task(name):
    assert 'use --task export' in parser.unknown_flag(name)


def test_without_the_package_onnx_it_says_what_to_do(
        flags, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnx', None)
    assert call(*flags, 'plain') == 2
    assert 'needs the package onnx' in capsys.readouterr().err
    assert not (tmp_path / 'plain' / 'export').exists()
    assert call(*flags, 'plain', '--formats', 'frozen,saved_model') == 0


@pytest.mark.skipif(not os.geteuid(), reason='root may write everywhere')
def test_a_folder_that_cannot_be_written_to_is_named(flags, tmp_path, capsys):
    (tmp_path / 'plain').mkdir(mode=0o500)
    assert call(*flags, 'plain') == 2
    assert 'cannot be written to' in capsys.readouterr().err


def test_a_file_in_the_folders_place_is_named(flags, tmp_path, capsys):
    (tmp_path / 'plain').mkdir()
    (tmp_path / 'plain' / 'export').write_text('no folder')
    assert call(*flags, 'plain') == 2
    assert str(tmp_path / 'plain' / 'export') in capsys.readouterr().err


def test_a_full_disk_leaves_the_earlier_files(flags, tmp_path, capsys, monkeypatch):
    assert call(*flags, 'plain') == 0
    folder = tmp_path / 'plain' / 'export'
    before = files(folder)

    def full(file):
        raise OSError(28, 'No space left on device')
    monkeypatch.setattr('utils.to_disk', full)
    assert call(*flags, 'plain') == 1
    error = capsys.readouterr().err
    assert 'sampler.pb cannot be written: No space left on device' in error
    assert files(folder) == before


def test_too_many_weights_for_a_file_are_refused(flags, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(export, 'MOST', 1000)
    assert call(*flags, 'plain') == 2
    assert 'hold up to' in capsys.readouterr().err
    assert not (tmp_path / 'plain' / 'export').exists()


def test_weights_that_are_no_numbers_are_refused(tmp_path, capsys):
    values = reference.random_values(reference.variable_shapes(1, z_dim=3))
    values['generator/g_bn1/gamma'][0] = np.nan
    os.makedirs(tmp_path / 'his')
    reference.write_checkpoint(str(tmp_path / 'his'), values)
    assert call('--checkpoint_dir', tmp_path / 'his', '--sample_dir', tmp_path / 's',
                '--task', 'export') == 2
    error = capsys.readouterr().err
    assert str(tmp_path / 'his' / 'DCGAN.model-1002') in error
    assert 'NaN or infinity in generator/g_bn1/gamma' in error
    assert not (tmp_path / 's').exists()


def test_a_config_that_does_not_fit_the_checkpoint_is_said(root, flags, capsys):
    shutil.copytree(root / 'plain', root / 'other')
    path = root / 'other' / folders.CONFIG
    path.write_text(path.read_text().replace('"gf_dim": 4', '"gf_dim": 8'))
    assert call(*flags, 'other', '--formats', 'onnx') == 2
    assert 'does not fit the model' in capsys.readouterr().err


def test_carpedm20s_checkpoint_without_config_json(tmp_path, capsys):
    values = reference.random_values(reference.variable_shapes(2, z_dim=5))
    os.makedirs(tmp_path / 'his')
    reference.write_checkpoint(str(tmp_path / 'his'), values)
    assert call('--checkpoint_dir', tmp_path / 'his', '--sample_dir', tmp_path / 's',
                '--task', 'export') == 0
    assert 'drawn evenly from [-1, 1)' in capsys.readouterr().out
    z = np.random.RandomState(0).uniform(-1, 1, (4, 5)).astype('f')
    session = onnxruntime.InferenceSession(
        str(tmp_path / 's' / 'his' / 'export' / 'sampler.onnx'))
    found = session.run(None, {'z': z})[0]
    np.testing.assert_allclose(found, reference.sampler(values, z), atol=2e-5)


def test_a_chosen_checkpoint_is_the_one_that_is_written(tmp_path):
    config = networks.make_config(name='run', checkpoint_dir=str(tmp_path / 'c'))
    folder = tmp_path / 'c' / 'run'
    feed = networks.inputs(config, 3)
    _, images = networks.save(config, str(folder), feed)
    for name in os.listdir(folder):
        if '-3.' in name:       # step 3 is the best one too
            os.makedirs(folder / 'best', exist_ok=True)
            shutil.copy(folder / name, folder / 'best' / name)
    _, newer = networks.save(config, str(folder), feed, step=7, seed=1)
    for which, wanted in (('best', images), ('3', images), ('7', newer)):
        assert call('--checkpoint_dir', tmp_path / 'c', '--sample_dir', tmp_path / 's',
                    '--task', 'export', '--checkpoint', which, '--formats', 'onnx') == 0
        found = onnxruntime.InferenceSession(str(
            tmp_path / 's' / 'run' / 'export' / 'sampler.onnx')).run(None, feed)[0]
        np.testing.assert_allclose(found, wanted, atol=2e-5)
    assert np.abs(images - newer).max() > 0.1
