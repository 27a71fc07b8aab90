"""Where it computes: one line, and the remedy where a GPU or a processor is wasted."""

import sys
import types

import pytest
import tensorflow.compat.v1 as tf

from graph import hardware
from runs import machine, room, sessions


@pytest.fixture
def on(monkeypatch, tmp_path):
    """Return a function that sets what a machine has: GPUs, their signs, flags."""
    def make(seen=(), signs=(), flags='sse', platform='linux', smi=None):
        for name in signs:
            (tmp_path / name).mkdir()
        devices = [types.SimpleNamespace(name='/physical_device:GPU:%d' % i)
                   for i in range(len(seen))]
        monkeypatch.setattr(tf.config.experimental, 'list_physical_devices',
                            lambda kind: devices)
        monkeypatch.setattr(tf.config.experimental, 'get_device_details', lambda gpu: {
            'device_name': seen[devices.index(gpu)], 'compute_capability': (8, 0)},
            raising=False)
        monkeypatch.setattr(sessions, 'has_gpu', lambda: bool(seen))
        monkeypatch.setattr(room, 'SIGNS', [str(tmp_path / 'nvidia*')])
        monkeypatch.setattr(room.shutil, 'which', lambda name: smi)
        monkeypatch.setattr(machine, 'cores', lambda: 4)
        monkeypatch.setattr(sys, 'platform', platform)
        monkeypatch.delenv('CUDA_VISIBLE_DEVICES')
        monkeypatch.setattr(hardware, 'CPUINFO', str(tmp_path / 'cpuinfo'))
        (tmp_path / 'cpuinfo').write_text('flags\t: %s\n' % flags)
    return make


def test_the_processor(on, tiny_config):
    on()
    assert machine.where(tiny_config()) == (
        'computing on the processor, 4 threads, in float32')
    assert machine.where(tiny_config(threads=1)) == (
        'computing on the processor, 1 thread, in float32')


def test_a_processor_with_amx(on, tiny_config):
    on(flags='avx512_bf16 amx_bf16')
    assert machine.where(tiny_config(precision='auto')) == (
        'computing on the processor, 4 threads, in bfloat16')


@pytest.mark.parametrize('seen, text', [
    (['NVIDIA A100'], 'the GPU NVIDIA A100, in tf32'),
    (['A', 'B'], 'the GPU A, the first of 2, in tf32'),
    ([None], 'the GPU /physical_device:GPU:0, in tf32')])
def test_a_gpu(on, tiny_config, seen, text):
    on(seen, signs=['nvidia0'], flags='amx_bf16')
    assert machine.where(tiny_config(precision='auto')) == 'computing on ' + text


def test_an_older_tensorflow_tells_no_details(on, tiny_config, monkeypatch):
    on(['NVIDIA A100'])
    monkeypatch.delattr(tf.config.experimental, 'get_device_details')
    assert 'the GPU /physical_device:GPU:0' in machine.where(tiny_config())


INSTALL = "`python -m pip install 'tensorflow[and-cuda]==%s'`" % tf.__version__
MISSING = ('which TensorFlow cannot use: the libraries of CUDA are missing; %s; if '
           'that is done, update its driver' % INSTALL)


@pytest.fixture
def parts(monkeypatch):
    """Return a function that sets what a GPU needs: driver, a build, libraries."""
    def make(driver=True, built=True, libraries=False):
        monkeypatch.setattr(machine, 'has_driver', lambda: driver)
        monkeypatch.setattr(tf.test, 'is_built_with_cuda', lambda: built)
        monkeypatch.setattr(machine, 'has_libraries', lambda: libraries)
    return make


@pytest.mark.parametrize('platform, signs, smi, expected', [
    ('linux', ['nvidia0'], None, 'nvidia0), ' + MISSING),
    ('linux', [], '/usr/bin/nvidia-smi', '(/usr/bin/nvidia-smi), which'),
    ('win32', [], 'C:/nvidia-smi.exe', 'only within WSL2'),
    ('darwin', ['nvidia0'], None, None), ('linux', [], None, None)])
def test_a_gpu_that_tensorflow_cannot_use(
        on, parts, tiny_config, platform, signs, smi, expected):
    on([], signs, platform=platform, smi=smi)
    parts()
    first, *more = machine.where(tiny_config()).split('\n')
    assert first == 'computing on the processor, 4 threads, in float32'
    assert len(more) == bool(expected) and (expected or '') in ''.join(more)


@pytest.mark.parametrize('found, why', [
    (dict(driver=False), 'use: its driver is not to be found (libcuda.so.1); install'),
    (dict(built=False), 'use: it was built for processors; ' + INSTALL),
    (dict(libraries=True), 'use: its driver is too old, or CUDA is damaged; update')])
def test_why_tensorflow_cannot_use_it(on, parts, tiny_config, found, why):
    on([], ['nvidia0'])
    parts(**found)
    assert why in machine.where(tiny_config())


def test_what_a_gpu_needs_is_looked_for():
    assert machine.has_driver() in (True, False)
    assert machine.has_libraries() in (True, False)


@pytest.mark.parametrize('hidden', ['', '-1', 'none'])
def test_who_hides_the_gpu_knows_it(on, tiny_config, monkeypatch, hidden):
    on([], ['nvidia0'])
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', hidden)
    assert '\n' not in machine.where(tiny_config())


@pytest.mark.parametrize('precision, flags, slow', [
    ('bfloat16', 'avx512_bf16', True), ('bfloat16', 'avx512_bf16 amx_bf16', False),
    ('float32', 'avx512_bf16', False), ('auto', 'avx512_bf16', False)])
def test_bfloat16_that_is_slower_is_said(on, tiny_config, precision, flags, slow):
    on(flags=flags)
    text = machine.where(tiny_config(precision=precision))
    assert ('AVX512-BF16 and no AMX' in text) == slow
