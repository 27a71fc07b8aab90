"""File systems that refuse what is only a nicety: a run goes on; and what stops it."""

import errno
import fcntl
import os

import numpy as np
import pytest

import main
import utils
from dataset import cache
from runs import checkpoints, folders
from runs.folders import Run
from settings.errors import UserError

# As CIFS, NTFS, exFAT or FUSE say it
REFUSALS = [errno.EPERM, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS]
NICETIES = [(os, 'chmod'), (os, 'fchmod'), (os, 'fsync'), (os, 'link'), (os, 'symlink'),
            (os, 'utime'), (os, 'chown'), (fcntl, 'flock'), (fcntl, 'lockf')]


def refuse(monkeypatch, number, *calls):
    """Let these calls, (module, name), raise that error."""
    def refused(*arguments, **more):
        raise OSError(number, os.strerror(number))
    for module, name in calls:
        monkeypatch.setattr(module, name, refused)


@pytest.mark.parametrize('number', REFUSALS)
def test_what_is_a_nicety_stops_nothing(tmp_path, monkeypatch, number):
    refuse(monkeypatch, number, *NICETIES, (cache, 'open_memmap'))
    path, base = str(tmp_path / 'a'), str(tmp_path / 'b')
    with utils.atomic_write(path, 'w') as file:
        file.write('x')
        assert utils.claim(file) is None
    checkpoints.sync(path)
    checkpoints.sync(str(tmp_path))
    folders.make_folder(str(tmp_path / 'new'))
    np.save(base + '.npy', np.arange(3))
    assert cache.mapped(base + '.npy').tolist() == [0, 1, 2]
    assert sorted(os.listdir(tmp_path)) == ['a', 'b.npy', 'new']


@pytest.mark.slow
def test_a_training_and_a_sampling_where_all_of_it_is_refused(
        tmp_path, monkeypatch, make_images):
    make_images(tmp_path / 'data' / 'noise', 8, 8, 8)
    monkeypatch.chdir(tmp_path)
    refuse(monkeypatch, errno.EPERM, *NICETIES, (cache, 'open_memmap'))
    flags = '--dataset noise --output_height 8 --gf_dim 2 --df_dim 2 --batch_size 4'
    assert main.main((flags + ' --train --epoch 1').split()) == 0
    assert main.main((flags + ' --train --epoch 2').split()) == 0
    assert main.main(['--dataset', 'noise']) == 0
    assert folders.latest('checkpoint/noise_4_8_8')[0] == 4


@pytest.mark.parametrize('number', [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_what_endangers_data_stops_it(tmp_path, monkeypatch, number):
    (tmp_path / 'a').write_text('old')
    refuse(monkeypatch, number, (os, 'fsync'))
    with pytest.raises(OSError) as error, utils.atomic_write(str(tmp_path / 'a')) as f:
        f.write(b'new')
    assert error.value.errno == number
    assert (tmp_path / 'a').read_text() == 'old' and os.listdir(tmp_path) == ['a']
    with pytest.raises(OSError):
        checkpoints.sync(str(tmp_path / 'a'))


def test_a_file_that_is_held_open_is_waited_for(tmp_path, monkeypatch):
    usual, asked = os.replace, []

    def held(*paths):
        asked.append(paths)
        if len(asked) < 3:
            raise PermissionError(errno.EACCES, 'held open')
        usual(*paths)
    monkeypatch.setattr(os, 'replace', held)
    (tmp_path / 'a').write_text('old')
    with utils.atomic_write(str(tmp_path / 'a'), 'w') as file:
        file.write('new')
    assert (tmp_path / 'a').read_text() == 'new' and len(asked) == 3


def test_one_that_stays_open_is_an_error_that_names_it(tmp_path, monkeypatch):
    monkeypatch.setattr(utils, 'HELD', 0)
    refuse(monkeypatch, errno.EACCES, (os, 'replace'))
    (tmp_path / 'a').write_text('old')
    with pytest.raises(PermissionError), utils.atomic_write(str(tmp_path / 'a')):
        pass
    assert os.listdir(tmp_path) == ['a']


def test_old_files_that_cannot_be_removed_stay(tmp_path, monkeypatch):
    for step in 1, 2:
        for ending in '.index', '.data-00000-of-00001':
            (tmp_path / ('DCGAN.model-%d%s' % (step, ending))).write_text('')
    refuse(monkeypatch, errno.EBUSY, (os, 'remove'), (os, 'unlink'))
    checkpoints.remove_old(str(tmp_path), 1)
    assert len(folders.saved(str(tmp_path))) == 2


def test_quiet_needs_no_temporary_folder(monkeypatch, capfd):
    refuse(monkeypatch, errno.EROFS, (utils.tempfile, 'TemporaryFile'))
    with utils.quiet():
        os.write(2, b'noise')
    os.write(2, b'word')
    assert capfd.readouterr().err == 'word'


def test_a_folder_that_takes_no_file_is_refused(tmp_path, monkeypatch):
    refuse(monkeypatch, errno.EROFS, (folders.tempfile, 'mkstemp'))
    run = Run('r', str(tmp_path / 'c'), str(tmp_path / 's'))
    with pytest.raises(UserError, match='Read-only.*--checkpoint_dir'):
        folders.make_folder(run.checkpoint_dir)
