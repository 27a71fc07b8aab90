"""--precision bfloat16: convolutions run in it, or the processor is said not to."""

import collections
import re

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import train
from dataset import batches, catalog
from graph import hardware
from model import DCGAN
from runs import folders, sessions
from settings.config import Config
from settings.errors import UserError

# with layers of every kind
SIZE = {'output_height': 32, 'output_width': 32}


def convolutions(config):
    """Return how often the convolutions of a step ran in each type, by run metadata.

    Products stand for those of the deepest layers; see convolution.
    """
    model = DCGAN(config)
    model.build_optimizers()
    size = config.output_height, config.output_width
    images = np.zeros((8,) + size + (3,), 'f')
    metadata = tf.RunMetadata()
    with tf.Session(config=sessions.config_proto(config)) as sess:
        sess.run(tf.global_variables_initializer())
        sess.run([model.d_optim, model.g_optim], {model.images: images},
                 tf.RunOptions(output_partition_graphs=True), metadata)
    return collections.Counter(
        tf.as_dtype(node.attr['T'].type).name
        for graph in metadata.partition_graphs for node in graph.node
        if re.search('Conv2D|MatMul', node.op) and 'T' in node.attr)


def test_convolutions_run_in_the_precision_asked_for(graph, tiny_config):
    if sessions.has_bfloat16():
        types = convolutions(tiny_config(precision='bfloat16', **SIZE))
        assert types['bfloat16'] >= 20
        assert types['float32'] == 0
    else:
        with pytest.raises(UserError, match='--precision float32'):
            sessions.config_proto(tiny_config(precision='bfloat16'))


def test_convolutions_run_in_float32(graph, tiny_config):
    types = convolutions(tiny_config(**SIZE))
    assert types['float32'] >= 20
    assert types['bfloat16'] == 0


@pytest.fixture
def processor(tmp_path, monkeypatch):
    """Return a function that sets the flags of the processor, None for no file."""
    def set_flags(flags):
        monkeypatch.setattr(hardware, 'CPUINFO', str(tmp_path / 'cpuinfo'))
        (tmp_path / 'cpuinfo').unlink(missing_ok=True)
        if flags is not None:
            (tmp_path / 'cpuinfo').write_text('flags\t: %s\n' % flags)
    return set_flags


PROCESSORS = [('fpu avx512_bf16 sse', True, False),
              ('avx512_bf16 amx_bf16', True, True),
              ('avx512f avx512_vnni', False, False), (None, True, False)]


@pytest.mark.parametrize(('flags', 'able', 'fast'), PROCESSORS)
def test_a_processor_is_told_by_its_flags(processor, tiny_config, flags, able, fast):
    processor(flags)
    assert sessions.has_bfloat16() is able
    chosen = sessions.choose_precision(tiny_config(precision='auto'))
    assert chosen == ('bfloat16' if fast and not sessions.has_gpu() else 'float32')


def test_what_is_asked_for_is_what_is_chosen(processor, tiny_config, monkeypatch):
    processor('amx_bf16')
    assert sessions.choose_precision(tiny_config(precision='float32')) == 'float32'
    points = Config.make({'dataset': 'gaussian'}, catalog.defaults('gaussian'))
    assert sessions.choose_precision(points) == 'float32'
    monkeypatch.setattr(sessions, 'has_gpu', lambda: True)
    assert sessions.choose_precision(tiny_config(precision='auto')) == 'float32'
    assert sessions.choose_precision(tiny_config(precision='bfloat16')) == 'bfloat16'


def test_a_processor_without_it_is_refused_with_the_remedy(tiny_config, monkeypatch):
    monkeypatch.setattr(sessions, 'has_bfloat16', lambda: False)
    with pytest.raises(UserError, match='AMX or AVX512-BF16.*--precision float32'):
        sessions.config_proto(tiny_config(precision='bfloat16'))


# --- a GPU -------------------------------------------------------------------

@pytest.fixture
def card(monkeypatch, processor):
    """Return a function that sets the GPU's compute capability."""
    def make(*capability):
        processor('amx_bf16')
        monkeypatch.setattr(sessions, 'has_gpu', lambda: True)
        devices = tf.config.experimental
        monkeypatch.setattr(devices, 'list_physical_devices', lambda kind: ['gpu'])
        monkeypatch.setattr(devices, 'get_device_details', lambda gpu: dict(
            [('compute_capability', capability)] if capability else []), raising=False)
    return make


@pytest.mark.parametrize('capability, wanted, chosen', [
    ((9, 0), 'auto', 'tf32'), ((8, 0), 'tf32', 'tf32'), ((9, 0), 'float32', 'float32'),
    ((7, 5), 'auto', 'float32'), ((7, 5), 'tf32', 'float32'), ((), 'auto', 'float32'),
    ((9, 0), 'bfloat16', 'bfloat16')])
def test_a_gpu_takes_tf32_where_it_has_it(
        card, tiny_config, capability, wanted, chosen):
    card(*capability)
    config = tiny_config(precision=wanted)
    assert sessions.choose_precision(config) == chosen
    options = sessions.config_proto(config).graph_options.rewrite_options
    assert options.auto_mixed_precision_onednn_bfloat16 == 0


def test_float32_turns_tf32_off(card, tiny_config, monkeypatch):
    card(9, 0)
    set_to = []
    monkeypatch.setattr(tf.config.experimental, 'enable_tensor_float_32_execution',
                        set_to.append, raising=False)
    for precision in 'float32', 'auto', 'bfloat16':
        sessions.at_hand(tiny_config(precision=precision), {})
    assert set_to == [False, True, True]


@pytest.mark.parametrize('trained, said', [
    ('float32', 0), ('tf32', 0), ('bfloat16', 1), (None, 0)])
def test_tf32_and_float32_are_not_told_apart(card, tiny_config, trained, said):
    card(9, 0)
    config, lines = tiny_config(precision='auto', trained_in=trained), []
    sessions.at_hand(config, {}, lines.append)
    assert len(lines) == said


def test_a_gpu_without_bfloat16_is_refused_with_the_remedy(card, tiny_config):
    card(7, 5)
    with pytest.raises(UserError, match='Ampere or later, and this .* float32.$'):
        sessions.config_proto(tiny_config(precision='bfloat16'))


def test_tf32_is_float32_on_a_processor(tiny_config):
    assert sessions.choose_precision(tiny_config(precision='tf32')) == 'float32'


# --- a run on another machine -------------------------------------------------

NOTE = 'note: the run was trained in %s; here it is computed in %s (see --precision)'
AMX, NONE = 'avx512_bf16 amx_bf16', 'avx512f'


@pytest.mark.parametrize('flags, stored, trained_in, given, computed, said', [
    (AMX, 'auto', 'bfloat16', {}, 'bfloat16', None),
    (NONE, 'auto', 'float32', {}, 'float32', None),
    (NONE, 'auto', 'bfloat16', {}, 'float32', ('bfloat16', 'float32')),
    (AMX, 'auto', 'float32', {}, 'bfloat16', ('float32', 'bfloat16')),
    (AMX, 'auto', None, {}, 'bfloat16', None),              # a new run
    # older files, which hold what was decided; or what was asked for on another machine
    (NONE, 'bfloat16', None, {}, 'float32', ('bfloat16', 'float32')),
    (NONE, 'bfloat16', 'bfloat16', {}, 'float32', ('bfloat16', 'float32')),
    (AMX, 'bfloat16', None, {}, 'bfloat16', None),
    ('avx512_bf16', 'bfloat16', 'bfloat16', {}, 'bfloat16', None),
    (AMX, 'float32', None, {}, 'float32', None),
    (NONE, 'float32', 'float32', {}, 'float32', None),
    # by a flag of this call
    (AMX, 'float32', 'bfloat16', {'precision': 'float32'}, 'float32',
     ('bfloat16', 'float32'))])
def test_the_machine_at_hand_decides_and_says_so(
        processor, tiny_config, monkeypatch, flags, stored, trained_in, given, computed,
        said):
    processor(flags)
    monkeypatch.setattr(sessions, 'has_gpu', lambda: False)
    lines = []
    config = sessions.at_hand(tiny_config(precision=stored, trained_in=trained_in),
                              given, lines.append)
    sessions.config_proto(config)       # is not refused
    assert sessions.choose_precision(config) == computed
    assert lines == ([NOTE % said] if said else [])


def test_what_this_call_asks_for_is_still_refused(processor, tiny_config):
    processor(NONE)
    config = sessions.at_hand(tiny_config(precision='bfloat16'),
                              {'precision': 'bfloat16'}, print)
    with pytest.raises(UserError, match='--precision float32'):
        sessions.config_proto(config)


def test_auto_stays_auto_in_config_json(tmp_path, tiny_config, monkeypatch, graph):
    monkeypatch.setattr(sessions, 'choose_precision', lambda config: 'float32')
    data = batches.Dataset(np.zeros([8, 16, 16, 3], np.uint8))
    run = folders.Run('r', str(tmp_path / 'c'), str(tmp_path / 's'))
    monkeypatch.setattr(train.Trainer, 'train', lambda self, stop: None)
    monkeypatch.setattr(train, 'show_results', lambda run: None)
    assert train.train(tiny_config(precision='auto'), run, data) == 0
    config = Config.load(run.config_path)
    assert (config.precision, config.trained_in) == ('auto', 'float32')
