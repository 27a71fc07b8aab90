"""What workers exchange, in the graph: one vector a network, in a defined order."""

import itertools

import pytest
import tensorflow.compat.v1 as tf

from model import DCGAN
from workers.averages import Averages

CPU = '/job:worker/task:1/device:CPU:0'


def ancestors(*ops):
    """Return all ops that a run of these runs."""
    found, left = set(), list(ops)
    while left:
        op = left.pop()
        if op not in found:
            found.add(op)
            left += [tensor.op for tensor in op.inputs] + list(op.control_inputs)
    return found


def exchanges(*fetched):
    """Return the collectives that a run of these fetches runs, in their order.

    Fails where there is no order: of two, one must wait for the other.
    """
    ops = [op for op in ancestors(*(f if isinstance(f, tf.Operation) else f.op
                                    for f in tf.nest.flatten(fetched)))
           if op.type == 'CollectiveReduce']
    before = {op: ancestors(op).intersection(ops) for op in ops}
    ops.sort(key=lambda op: len(before[op]))
    for first, second in zip(ops, ops[1:]):
        assert first in before[second]
    return ops


def build(tiny_config, sync=False, **changes):
    team = Averages(1, 2, itertools.count(1), CPU, sync=sync)
    model = DCGAN(tiny_config(**changes), team=team)
    model.build_optimizers()
    return team, model


def size(variables):
    return sum(v.shape.num_elements() for v in variables)


@pytest.mark.parametrize('changes', [
    dict(updates='alternate'), dict(updates='together'),
    dict(updates='alternate', augment='color', augment_target=0.9, ema=0.9),
    dict(updates='together', spectral_norm=True)])
def test_a_step_exchanges_one_vector_a_network(graph, tiny_config, changes):
    team, model = build(tiny_config, **changes)
    done = exchanges(model.updates, list(model.scalars.values()), model.step_loss)
    others = 5 + 2, 1 + 2       # losses, accuracies, and whether one was told to stop
    assert [op.inputs[0].shape[0] for op in done] == [
        size(model.d_vars) + others[0], size(model.g_vars) + others[1]]
    assert exchanges(model.d_optim) == done[:1]
    assert exchanges(model.updates, team.stopping) == done
    alone, = exchanges(model.g_optim)       # also runs alone, as by --g_steps
    assert alone.inputs[0].shape[0] == size(model.g_vars) + others[1]
    assert exchanges(model.sampler_images) == []


def test_each_update_of_g_exchanges_its_own(graph, tiny_config):
    _, model = build(tiny_config, updates='alternate', g_steps=3)
    assert len(exchanges(model.updates)) == 4


@pytest.mark.parametrize('updates', ['alternate', 'together'])
def test_batch_norm_of_all_exchanges_in_a_defined_order(graph, tiny_config, updates):
    _, model = build(tiny_config, sync=True, updates=updates)
    keys = [op.get_attr('instance_key') for op in exchanges(model.updates)]
    assert len(keys) > 10 and len(set(keys)) == len(keys)
    assert exchanges(model.g_optim) and exchanges(model.d_optim)


def test_moving_averages_and_variables_go_in_one_vector_each(graph, tiny_config):
    team, model = build(tiny_config, ema=0.9)
    variables = tf.global_variables()
    own, = exchanges(team.settle(variables))
    moving = [v for v in variables if 'moving_' in v.op.name]
    assert own.inputs[0].shape[0] == size(moving)
    assert {v.op.name.split('/')[0] for v in moving} == {
        'generator', 'discriminator', 'ema'}
    handed, = exchanges(team.hand_out(variables))
    assert handed.inputs[0].dtype == tf.int32
    assert handed.inputs[0].shape[0] == size(variables)


def test_workers_see_other_noise_and_the_same_step(graph, tiny_config):
    model = DCGAN(tiny_config(), team=Averages(1, 2, itertools.count(1), CPU))
    with tf.Session() as sess:
        numbers = [sess.run([model.index, model.key], {model.step: n}) for n in (6, 7)]
    assert [int(index) for index, _ in numbers] == [3, 3]
    assert [list(key) for _, key in numbers] == [[0, 6], [0, 7]]
