"""--precision bfloat16: convolutions run in it, or the processor is said not to."""

import collections
import re

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import session
from config import UserError
from model import DCGAN

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
    with tf.Session(config=session.config_proto(config)) as sess:
        sess.run(tf.global_variables_initializer())
        sess.run([model.d_optim, model.g_optim], {model.images: images},
                 tf.RunOptions(output_partition_graphs=True), metadata)
    return collections.Counter(
        tf.as_dtype(node.attr['T'].type).name
        for graph in metadata.partition_graphs for node in graph.node
        if re.search('Conv2D|MatMul', node.op) and 'T' in node.attr)


def test_convolutions_run_in_the_precision_asked_for(graph, tiny_config):
    if session.has_bfloat16():
        types = convolutions(tiny_config(precision='bfloat16', **SIZE))
        assert types['bfloat16'] >= 20
        assert types['float32'] == 0
    else:
        with pytest.raises(UserError, match='--precision float32'):
            session.config_proto(tiny_config(precision='bfloat16'))


def test_convolutions_run_in_float32_by_default(graph, tiny_config):
    types = convolutions(tiny_config(**SIZE))
    assert types['float32'] >= 20
    assert types['bfloat16'] == 0


def test_a_processor_is_told_by_its_flags(tmp_path):
    file = tmp_path / 'cpuinfo'
    for flags, expected in (('fpu avx512_bf16 sse', True), ('amx_bf16', True),
                            ('avx512f avx512_vnni', False)):
        file.write_text('flags\t: %s\n' % flags)
        assert session.has_bfloat16(str(file)) is expected
    assert session.has_bfloat16(str(tmp_path / 'none')) is True


def test_a_processor_without_it_is_refused_with_the_remedy(tiny_config, monkeypatch):
    monkeypatch.setattr(session, 'has_bfloat16', lambda: False)
    with pytest.raises(UserError, match='AMX or AVX512-BF16.*--precision float32'):
        session.config_proto(tiny_config(precision='bfloat16'))
