"""docs/notebook.ipynb: no outputs are stored; its code runs in a fresh folder."""

import glob
import importlib.util
import json
import os
import re
import runpy
import sys
import types

import pytest
from PIL import Image

import main

ROOT = os.path.dirname(os.path.abspath(main.__file__))
TINY = ('--train_size 32 --batch_size 16 --gf_dim 4 --df_dim 4 --output_height 16 '
        '--output_width 16 --sample_freq 8')


def cells(kind):
    path = os.path.join(ROOT, 'docs', 'notebook.ipynb')
    with open(path, encoding='utf-8') as file:
        notebook = json.load(file)
    assert notebook['nbformat'] == 4
    return [cell for cell in notebook['cells'] if cell['cell_type'] == kind]


def test_no_outputs_are_stored():
    for cell in cells('code'):
        assert cell['outputs'] == [] and cell['execution_count'] is None


class Notebook:
    """Does what a notebook does with the lines that are not Python."""

    def __init__(self):
        self.shown, self.installed = [], []

    def magic(self, line):
        kind, *words = line.split()
        if kind == '!git':
            assert words[:3] == ['clone', '--depth', '1']
            os.mkdir(words[-1])
            for name in 'main.py', 'requirements.txt':
                os.symlink(os.path.join(ROOT, name), os.path.join(words[-1], name))
        elif kind == '%pip':
            assert os.path.isfile(words[words.index('-r') + 1])
            self.installed.append(words)
        else:
            assert kind == '%run' and words[0] == 'main.py'
            self.run(words[1:])

    def run(self, words):
        before, sys.argv = sys.argv, ['main.py'] + words
        sys.argv += TINY.split() if '--train' in words else []
        try:
            runpy.run_path('main.py', run_name='__main__')
        except SystemExit as end:
            assert not end.code
        finally:
            sys.argv = before

    def display(self, path):
        with Image.open(path) as image:
            image.load()
        self.shown.append(path)


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Return a Notebook in a fresh folder, with what IPython provides."""
    made, display = Notebook(), types.ModuleType('IPython.display')
    display.Image, display.display = str, made.display
    ipython = types.ModuleType('IPython')
    ipython.version_info = 9, 0         # matplotlib asks
    monkeypatch.setitem(sys.modules, 'IPython', ipython)
    monkeypatch.setitem(sys.modules, 'IPython.display', display)
    usual = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name, *more: (
        name != 'tensorflow' and usual(name, *more) or None))
    monkeypatch.chdir(tmp_path)
    return made


@pytest.mark.slow
def test_its_cells_run_in_a_fresh_folder(notebook):
    names = {'magic': notebook.magic}
    for cell in cells('code'):
        lines = ''.join(cell['source']).split('\n')
        lines = [re.sub(r'^( *)([!%].*)$', lambda m: '%smagic(%r)' % m.groups(), line)
                 for line in lines]
        exec('\n'.join(lines), names)
    assert os.path.basename(os.getcwd()) == 'dcgan' and notebook.installed
    assert len(notebook.shown) == 4 and len(glob.glob('checkpoint/*/*.index')) == 1
