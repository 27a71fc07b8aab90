"""Room in memory: what cannot be held is refused before any work."""

import os

import numpy as np
import pytest

import main
from dataset import catalog
from metrics import evaluation
from runs import folders, room, sampling
from settings.config import Config
from settings.errors import UserError

GIB = 2**30


@pytest.fixture
def has(monkeypatch, tmp_path):
    """Return a function that sets how many GiB the machine, or its container, has."""
    def make(machine, *containers):
        (tmp_path / 'meminfo').write_text(
            'MemTotal:  %d kB\nMemFree: 1 kB\nSwapTotal:  0 kB\n' % (machine * 2**20))
        for i, size in enumerate(containers):
            (tmp_path / str(i)).write_text('%s\n' % size)
        monkeypatch.setattr(room, 'MEMINFO', str(tmp_path / 'meminfo'))
        monkeypatch.setattr(room, 'LIMITS', [str(tmp_path / str(i)) for i in range(3)])
    return make


def test_memory_is_the_machines_or_the_containers(has, monkeypatch):
    has(16)
    assert room.memory() == 16 * GIB
    has(16, 'max', 4 * GIB)
    assert room.memory() == 4 * GIB
    monkeypatch.setattr(room, 'MEMINFO', '/nothing')       # another system
    assert room.memory() is None
    room.check(2**60, 'a lot', 'less')


def training(**given):
    config = Config.make(dict(given, train=True), catalog.defaults('any'))
    room.check_training(folders.Run('r', '/nothing', '/nothing'), config)


@pytest.mark.parametrize('given', [
    {}, {'batch_size': 512}, {'gf_dim': 128, 'df_dim': 128, 'output_height': 128},
    {'output_height': 512}, {'num_samples': 10000}, {'z_dim': 2**16, 'gf_dim': 8}])
def test_what_a_machine_of_16_gib_holds(has, given):
    has(16)
    training(**given)


@pytest.mark.parametrize('given, named', [
    ({'batch_size': 2**16, 'output_height': 256}, '--batch_size 65536'),
    ({'output_height': 4096, 'num_samples': 4}, '--batch_size 32'),
    ({'output_height': 4096}, 'take 4 or fewer'),
    ({'gf_dim': 4096}, '--gf_dim 4096'), ({'df_dim': 4096}, '--df_dim 4096'),
    ({'z_dim': 2**16, 'gf_dim': 512}, '--z_dim 65536'),
    ({'z_dim': 2**16, 'output_height': 4096, 'output_width': 7}, '--z_dim 65536'),
    ({'num_samples': 50000}, 'the sheet would be of'),
    ({'num_samples': 70000, 'output_height': 16, 'z_dim': 2**16}, 'the z of 70,000')])
def test_what_it_cannot_hold_is_named(has, given, named):
    has(16)
    with pytest.raises(UserError, match='[Tt]ake') as error:
        training(**given)
    assert named in str(error.value)


def test_a_run_that_goes_on_keeps_its_numbers(has, tmp_path):
    has(1)
    (tmp_path / 'DCGAN.model-7.index').write_text('')
    run = folders.Run('r', str(tmp_path), str(tmp_path))
    room.check_training(run, Config.make({'train': True, 'output_height': 4096}, {}))


def test_with_a_gpu_tensorflow_knows(has, monkeypatch):
    has(16)
    monkeypatch.setattr(room, 'sign_of_gpu', lambda: '/dev/nvidia0')
    training(batch_size=2**16, output_height=256)


def test_z_images_and_features_are_refused_before_they_are_drawn(
        has, graph, tiny_config):
    has(1)
    with pytest.raises(UserError, match='the z of 10,000,000 images'):
        sampling.keyed_z(tiny_config(z_dim=100), 10**7, -1)
    with pytest.raises(UserError, match='1,000,000 images of 16 x 16 pixels at once'):
        room.check_images(tiny_config(), 10**6)
    with pytest.raises(UserError, match='features of all of 200,000 images'):
        evaluation.extract(Wide(), iter([np.zeros((1, 2, 2, 3))]), 200000,
                           'features of all')
    with pytest.raises(UserError, match='--restarts 1000'):
        room.check_maps(tiny_config(output_height=1024, restarts=1000), 1000,
                        '--restarts')


class Wide:
    def extract(self, images):
        return np.zeros((len(images), 2048), np.float32), None


@pytest.mark.parametrize('size, most, expected', [
    ((64, 64), 64, 64), ((256, 256), 64, 64), ((512, 512), 64, 16),
    ((4096, 4096), 64, 1), ((4096, 64), 256, 64)])
def test_large_images_are_treated_a_few_at_a_time(size, most, expected):
    assert room.at_once(size, most) == expected


def test_it_is_refused_before_packing(has, tmp_path, monkeypatch, make_images, capsys):
    has(4)
    make_images(tmp_path / 'data' / 'noise', 8)
    monkeypatch.chdir(tmp_path)
    flags = '--dataset noise --train --output_height 2048 --num_samples 9'
    assert main.main(flags.split()) == 2
    assert 'error: --batch_size 32' in capsys.readouterr().err
    assert os.listdir(tmp_path / 'data') == ['noise'] and not list(
        tmp_path.glob('checkpoint'))


def test_threads_and_workers_beyond_all_use_are_refused_first(
        has, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(room, 'cores', lambda: 2)
    has(4)
    for line, said in (
            ('--threads 4096', '--threads 4096: expected up to 32, 16 for each core'),
            ('--train --threads 33', '--threads 33: expected up to 32'),
            ('--train --workers 4096', '--workers 4096: expected up to 32'),
            ('--train --workers 20', '--workers 20: 10.7 GB of memory or more')):
        assert main.main(['--dataset', 'p', *line.split()]) == 2
        assert said in capsys.readouterr().err
    assert os.listdir(tmp_path) == ['meminfo']
