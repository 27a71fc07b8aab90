"""Started from another folder: what comes with the program is found, wherever it is."""

import os
import subprocess
import sys

import pytest

import main
from dataset import catalog
from settings import beside, parser
from settings.config import Config
from settings.errors import NotFoundError, UserError

ROOT = os.path.dirname(os.path.abspath(main.__file__))


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def folder(**given):
    return catalog.folder_of(Config.make(given, {}))


def test_the_bundled_faces_are_beside_the_program(elsewhere):
    bundled = os.path.join(ROOT, 'data', 'toonfaces')
    assert folder(dataset='toonfaces') == bundled
    assert folder(dataset='toonfaces', data_dir='else/where') == bundled
    (elsewhere / 'data' / 'toonfaces').mkdir(parents=True)
    assert folder(dataset='toonfaces') == str(elsewhere / 'data' / 'toonfaces')


def test_presets_are_beside_the_program(elsewhere):
    assert parser.parse_flags(['--flagfile', 'configs/demo.flags'])['epoch'] > 1
    (elsewhere / 'configs').mkdir()
    (elsewhere / 'configs' / 'demo.flags').write_text('--epoch 1\n')
    assert parser.parse_flags(['--flagfile=configs/demo.flags']) == {'epoch': 1}


def test_a_flag_file_that_is_nowhere_is_said_with_the_places(elsewhere):
    with pytest.raises(UserError) as error:
        parser.parse_flags(['--flagfile', 'configs/mine.flags'])
    assert "'%s/configs', nor in '%s/configs'" % (elsewhere, ROOT) in str(error.value)


def test_data_of_ones_own_are_looked_for_where_one_stands(
        elsewhere, monkeypatch, tmp_path_factory):
    program = tmp_path_factory.mktemp('program')
    (program / 'data' / 'celebA').mkdir(parents=True)
    monkeypatch.setattr(beside, 'PROGRAM', str(program))
    config = Config.make(dict(dataset='celebA'), {})
    with pytest.raises(NotFoundError) as error:
        catalog.find(config)
    assert 'No data set at %s/data/celebA' % elsewhere in str(error.value)
    assert 'beside the program: --data_dir %s/data' % program in str(error.value)


@pytest.mark.parametrize('link', ['main.py', 'folder'])
def test_a_link_to_the_program_will_do(elsewhere, link):
    target = os.path.join(ROOT, 'main.py') if link == 'main.py' else ROOT
    os.symlink(target, str(elsewhere / link))
    path = elsewhere / link / ('' if link == 'main.py' else 'main.py')
    done = subprocess.run(
        [sys.executable, str(path), '--flagfile', 'configs/demo.flags', '--train',
         '--conditional'], capture_output=True, text=True, cwd=str(elsewhere))
    # the bundled faces are found, and lie in no folders of classes
    assert done.returncode == 2
    assert '--conditional takes labels from the folders' in done.stderr
    assert os.listdir(str(elsewhere)) == [link]
