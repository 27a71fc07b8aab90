"""The core keeps to Python 3.7 and to what TensorFlow 1.15 and 2.21 share."""

import ast
import os

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CORE = ['main', 'train', 'model', 'ops', 'utils', 'toy', 'metrics/evaluation',
        'tasks/__init__', 'tasks/sample', 'tasks/curves', 'tasks/parts/latent',
        'tasks/parts/outputs', 'tasks/parts/z_files']
CORE += sorted(os.path.join(package, name[:-3])
               for package in ('settings', 'dataset', 'graph', 'runs')
               for name in os.listdir(os.path.join(ROOT, package))
               if name.endswith('.py') and name not in ('fetch.py', 'web.py'))
# Beyond the core, what tests/tf1 runs on 1.15 too
EXPORT = ['tasks/export', 'export/facts', 'export/frozen', 'export/onnx_graph',
          'bench/read_export', 'bench/expected_images']
# Parts of TensorFlow that one of the two lacks, or that the core does without.
BANNED = {'AUTOTUNE', 'GradientTape', 'compat', 'contrib', 'data', 'estimator',
          'feature_column', 'function', 'keras', 'layers'}


def parse(source):
    return ast.parse(source, feature_version=(3, 7))


def faults(tree):
    """Return the imports and the uses of tf that the core must not have."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ['%s.%s' % (node.module, alias.name) for alias in node.names]
        else:
            names = []
        found += [name for name in names if name != 'tensorflow.compat.v1'
                  and name.split('.')[0] in ('tensorflow', 'keras', 'tf_keras')]
        if isinstance(node, ast.Attribute) and node.attr in BANNED:
            text = dotted(node)
            found += [text] if text.startswith('tf.') else []
    return found


def dotted(node):
    """Return a.b.c of an attribute, '' where it is not one of plain names."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return '%s.%s' % (dotted(node.value), node.attr)
    return ''


@pytest.mark.parametrize('module', CORE)
def test_core_module(module):
    with open(os.path.join(ROOT, module + '.py'), encoding='utf-8') as file:
        assert faults(parse(file.read())) == []


@pytest.mark.parametrize('module', EXPORT)
def test_export_keeps_to_the_older_syntax(module):
    with open(os.path.join(ROOT, module + '.py'), encoding='utf-8') as file:
        parse(file.read())


@pytest.mark.parametrize('source', [
    'tf.layers.dense(x, 1)', 'tf.data.Dataset', 'tf.contrib.layers', 'import keras',
    'tf.estimator.Estimator', 'from tensorflow import keras',
    'import tensorflow as tf', 'tf.keras', 'from tensorflow.compat.v1 import layers'])
def test_faults_are_found(source):
    assert len(faults(parse(source))) > 0


@pytest.mark.parametrize('source', [
    'if (a := 1): pass', 'def f(a, /): pass', 'match a:\n  case 1: pass'])
def test_newer_syntax_is_found(source):
    with pytest.raises(SyntaxError):
        parse(source)


def test_what_may_be_used():
    assert faults(parse('import tensorflow.compat.v1 as tf\ntf.nn.relu(1)')) == []
