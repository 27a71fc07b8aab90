"""The exported page, the long way: every network by file and by http; the runtime."""

import gzip
import hashlib
import json
import os
import shutil
import subprocess

import networks
import numpy as np
import pytest
from tabs import Tab
from test_page import drawn, levels

from export import page

FOLDER = os.path.join(page.FOLDER, 'runtime')
NORMAL = [name for name, values in networks.CASES.items() if 'z_dist' not in values]


@pytest.mark.slow
@pytest.mark.parametrize('how', ['file', 'http'])
@pytest.mark.parametrize('name', NORMAL)
def test_every_network_draws_what_tensorflow_draws(opened, make, name, how):
    tab = opened(name, how)
    _, feed, images = make(name)
    assert levels(drawn(tab, feed), images) <= 1
    assert tab.asked_for() == [tab.page.url.partition('#')[0]]


@pytest.mark.slow
def test_many_labels_fit_on_a_phone(browser, serve, tmp_path, make):
    config, weights, _, _ = networks.case('gray, labels')
    file, _, _ = make('gray, labels')
    text = file.read_text(encoding='utf-8')
    start = text.index('id="facts">') + len('id="facts">')
    facts = json.loads(text[start:text.index('</script>', start)])
    facts['names'] = ['a rather long name of a kind, number %d' % i for i in range(3)]
    facts['per_kind'] = facts['columns'] = 2
    facts['kinds'] = [dict(name=name, y=y) for name, y in zip(
        facts['names'], np.eye(3).tolist())] * 30
    (tmp_path / 'many.html').write_text(
        text[:start] + json.dumps(facts) + text[text.index('</script>', start):])
    tab = Tab(browser, viewport={'width': 360, 'height': 640})
    tab.open(serve(tmp_path) + 'many.html')
    assert tab.page.locator('#sheet button').count() == 180
    assert tab.page.evaluate('document.documentElement.scrollWidth') <= 360
    assert tab.errors == []
    tab.page.close()


def test_the_lock_names_the_runtime_and_no_host():
    with open(os.path.join(FOLDER, 'package-lock.json'), encoding='utf-8') as file:
        lock = json.load(file)
    with open(os.path.join(FOLDER, 'package.json'), encoding='utf-8') as file:
        wanted = json.load(file)['dependencies']
    assert wanted == {'onnxruntime-web': '1.30.0'}
    locked = lock['packages']['node_modules/onnxruntime-web']
    assert locked['version'] == '1.30.0' and locked['integrity'].startswith('sha512-')
    assert not [entry for entry in lock['packages'].values() if 'resolved' in entry]


@pytest.mark.slow
def test_the_runtime_is_that_of_the_locked_package(tmp_path):
    """What is in the archive: its own bytes differ from one zlib to the next."""
    if not shutil.which('npm'):
        pytest.skip('no npm found: the runtime is not compared with its package')
    for name in ('package.json', 'package-lock.json'):
        shutil.copy(os.path.join(FOLDER, name), str(tmp_path))
    done = subprocess.run(['npm', 'ci', '--ignore-scripts'], cwd=str(tmp_path),
                          capture_output=True, text=True)
    if 'network' in done.stderr or 'ENOTFOUND' in done.stderr:
        pytest.skip('npm reaches no registry: the runtime is not compared')
    assert done.returncode == 0, done.stderr
    package = tmp_path / 'node_modules/onnxruntime-web/dist'
    with gzip.open(os.path.join(FOLDER, page.WASM)) as file:
        assert digest(file.read()) == digest(
            (package / page.WASM[:-len('.gz')]).read_bytes())
    with open(os.path.join(FOLDER, page.RUNTIME), 'rb') as file:
        assert digest(file.read()) == digest((package / page.RUNTIME).read_bytes())


def digest(content):
    return hashlib.sha256(content).hexdigest()
