"""What reads the files: sessions, TensorFlow 2, TFLite, onnxruntime and browsers."""

import json
import os
import re
import shutil
import subprocess
import sys

import networks
import numpy as np
import pytest

import main
from bench import firefox, page, read_export
from export import facts, frozen, onnx_graph
from runs.folders import Run

LIMIT = 2e-5
LEVEL = 2 / 255     # what half precision of the page's weights may do at most
ROOT = os.path.dirname(os.path.abspath(main.__file__))


def export(name, folder):
    """Write all forms of a case; return its feed, and the images that it draws."""
    config, weights, feed, images = networks.case(name)
    about = facts.collect(config, Run('run', '', ''), 3)
    meta = frozen.meta_graph(config, weights, about)
    (folder / 'saved_model').mkdir()
    (folder / 'sampler.pb').write_bytes(frozen.frozen(meta))
    (folder / 'saved_model' / 'saved_model.pb').write_bytes(frozen.saved_model(meta))
    (folder / 'sampler.onnx').write_bytes(onnx_graph.build(config, weights, about))
    np.savez(str(folder / 'expected.npz'), images=images, **feed)
    return feed, images


@pytest.mark.parametrize('name', ['gray, labels', 'odd, kernel 5, biases'])
def test_a_session_draws_the_same(name, tmp_path):
    feed, images = export(name, tmp_path)
    for way in 'session', 'onnxruntime':
        for file, draw in read_export.WAYS[way].items():
            found = read_export.difference(draw, str(tmp_path / file), feed, images)
            assert found < LIMIT, (way, file)


@pytest.mark.slow
@pytest.mark.parametrize('name', ['gray, labels', 'odd, kernel 5, biases', 'mlp'])
def test_tensorflow_2_and_tflite_draw_the_same(name, tmp_path):
    export(name, tmp_path)
    found = read(tmp_path, 'eager', 'tflite')
    assert {way: set(files) for way, files in found.items()} == {
        'eager': {'sampler.pb', 'saved_model'}, 'tflite': {'saved_model'}}
    assert max(value for files in found.values() for value in files.values()) < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize('name', ['gray, labels', 'odd, kernel 5, biases'])
def test_browsers_draw_the_same(name, tmp_path, make):
    ways = ['chromium_file', 'chromium_http'] * bool(page.found()) + (
        ['firefox'] * bool(firefox.found()))
    if not ways:
        pytest.skip('no browser: `apt-get install chromium firefox-esr` to test them')
    file, feed, images = make(name)
    shutil.copy(str(file), str(tmp_path / 'index.html'))
    np.savez(str(tmp_path / 'expected.npz'), images=images, **feed)
    found = read(tmp_path, *ways)
    assert list(found) == ways
    for files in found.values():
        assert 0 < files['index.html'] < LEVEL


def read(folder, *ways):
    """Return what read_export finds, in a process of its own.

    The program turns TensorFlow 2's behaviour off, and a process has one Playwright.
    """
    done = subprocess.run(
        [sys.executable, os.path.join(ROOT, 'bench', 'read_export.py'), str(folder),
         *ways], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_the_code_of_the_document_runs(tmp_path):
    export(networks.DOCUMENT, tmp_path)
    with open(os.path.join(ROOT, 'docs', 'export.md'), encoding='utf-8') as file:
        blocks = re.findall('```python\n(.*?)```', file.read(), re.DOTALL)
    assert len(blocks) >= 4
    for code in blocks:
        done = subprocess.run([sys.executable, '-c', code], cwd=str(tmp_path),
                              capture_output=True, text=True)
        assert done.returncode == 0, code + done.stderr
        assert '(16, 16, 16, 3)' in done.stdout
