"""The house: seven files at the top, packages behind them, imports one way."""

import ast
import glob
import os

import pytest

import main

ROOT = os.path.dirname(os.path.abspath(main.__file__))
TOP = ['download', 'main', 'model', 'ops', 'toy', 'train', 'utils']
# Each may import those before it, and itself.
FLOORS = [['utils'], ['settings'], ['dataset'], ['graph'], ['ops'], ['model'], ['runs'],
          ['export'], ['metrics'], ['tasks.parts'],
          ['train', 'toy', 'tasks', 'download'], ['workers'], ['main']]


def modules():
    """Return {module: source} of the program."""
    found = {}
    packages = {place.split('.')[0] for floor in FLOORS for place in floor} - set(TOP)
    for pattern in ['*.py'] + [package + '/**/*.py' for package in sorted(packages)]:
        for path in glob.glob(os.path.join(ROOT, pattern), recursive=True):
            name = os.path.relpath(path, ROOT)[:-3].replace(os.sep, '.')
            with open(path, encoding='utf-8') as file:
                found[name] = file.read()
    return found


def floor(module):
    """Return the number of the floor that a module is on."""
    for number, places in enumerate(FLOORS):
        if any(module == place or module.startswith(place + '.') for place in places
               if place != 'tasks' or not module.startswith('tasks.parts')):
            return number
    raise AssertionError('%s is on no floor' % module)


def imports(source, names):
    """Yield the modules of ours that a source imports, at its head or in a function."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        elif isinstance(node, ast.ImportFrom):
            inner = ['%s.%s' % (node.module, alias.name) for alias in node.names]
            yield from [name for name in inner if name in names] or (
                [node.module] if node.module in names else [])


def faults(sources):
    """Return the imports that run up, and the circles, of {module: source}."""
    arrows = {name: set(imports(source, sources)) - {name}
              for name, source in sources.items()}
    up = ['%s imports %s, which is above it' % (name, other)
          for name in arrows for other in arrows[name] if floor(other) > floor(name)]
    beside = ['%s imports %s beside it' % (name, other)
              for name in arrows for other in arrows[name]
              if floor(other) == floor(name) and name.split('.')[0] != (
                  other.split('.')[0])]
    return sorted(up + beside + circles(arrows))


def circles(arrows):
    """Return what is left when modules that import nothing more are taken away."""
    left = {name: set(others) for name, others in arrows.items()}
    while True:
        free = {name for name, others in left.items() if not others & set(left)}
        if not free:
            return ['a circle among %s' % ', '.join(sorted(left))] if left else []
        left = {name: others for name, others in left.items() if name not in free}


def test_seven_files_at_the_top():
    names = [os.path.basename(path)[:-3]
             for path in glob.glob(os.path.join(ROOT, '*.py'))]
    assert sorted(names) == TOP


def test_imports_run_one_way():
    assert faults(modules()) == []


@pytest.mark.parametrize('module, line, found', [
    ('ops', 'import model', 'ops imports model, which is above it'),
    ('settings.config', 'def f():\n    from dataset import cache', 'above it'),
    ('graph.losses', 'from runs.folders import saved', 'above it'),
    ('dataset.sources', 'from dataset import cache', 'a circle among'),
    ('toy', 'import train', 'toy imports train beside it'),
    ('tasks.parts.films', 'from tasks import walk', 'above it')])
def test_an_import_that_is_turned_round_is_found(module, line, found):
    sources = modules()
    sources[module] += '\n' + line + '\n'
    assert any(found in fault for fault in faults(sources))


def test_a_package_says_its_subject_and_nothing_else():
    for name, source in modules().items():
        if name.endswith('__init__'):
            body = ast.parse(source).body
            assert [type(node) for node in body] == [ast.Expr], name
            assert ast.get_docstring(ast.parse(source)), name


@pytest.mark.parametrize('name', ['settings', 'dataset'])
def test_settings_and_dataset_know_no_tensorflow(name):
    for module, source in modules().items():
        if module.startswith(name + '.'):
            assert 'import tensorflow' not in source, module
