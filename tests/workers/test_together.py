"""Several workers train one network: the same weights on all, lost ones, resuming."""

import os
import random
import shutil
import signal
import socket

import numpy as np
import pytest
import starts as processes
from crew import DUMP, SLOWLY, Crew
from starts import FLAGS

from runs import folders
from workers.launch import free_ports


def steps_of(folder):
    """Return the steps in the history of the run r."""
    return [int(row['step']) for row in processes.history_of(folder / 'checkpoint/r')]


def assert_whole(folder, last):
    assert steps_of(folder) == list(range(1, last + 1))
    assert folders.saved(str(folder / 'checkpoint/r'))[-1][0] == last


def assert_replicas_equal(folder, size=2):
    """Compare what all workers had at the end, bit for bit."""
    chief, *others = [np.load(str(folder / ('dump-%d.npz' % rank)))
                      for rank in range(size)]
    assert len(chief.files) > 30
    for other in others:
        assert other.files == chief.files
        for name in chief.files:
            assert other[name].tobytes() == chief[name].tobytes(), name


def has_trained(folder, crew, step=1):
    """Wait until the chief has saved a checkpoint of a step or a later one."""
    crew.chief.until(lambda: [s for s, _ in folders.saved(str(
        folder / 'checkpoint/r')) if s >= step])


@pytest.mark.slow
def test_two_workers_train_stop_and_go_on_also_as_one(starts, folder):
    crew = Crew(starts, folder, *FLAGS, '--epoch', 4, setup=SLOWLY)
    has_trained(folder, crew)
    crew.members[1].signal(signal.SIGTERM)      # told to one, all stop
    assert crew.wait() == [143, 143], crew.said()
    step = folders.latest(str(folder / 'checkpoint/r'))[0]
    assert 0 < step < 16
    assert 'the run is saved after step %d' % step in crew.chief.out.read_text()
    crew = Crew(starts, folder, *FLAGS, '--epoch', 4, setup=DUMP)
    assert crew.wait() == [0, 0], crew.said()
    assert_whole(folder, 16)        # of 32 images two workers take 8 a step
    assert_replicas_equal(folder)
    assert 'resuming' not in crew.members[1].said()
    alone = starts(folder, *FLAGS, '--epoch', 5)
    assert alone.wait() == 0, alone.said()
    assert 'workers: 2 before, 1 now; the batches are others now' in alone.said()
    assert_whole(folder, 24)


@pytest.mark.slow
def test_a_lost_worker_ends_the_others(starts, folder):
    crew = Crew(starts, folder, *FLAGS, '--epoch', 10, setup=SLOWLY)
    has_trained(folder, crew)
    crew.members[1].signal(signal.SIGKILL)
    assert crew.chief.wait(5) == 75, crew.said()
    said = crew.chief.err.read_text()
    assert 'worker 1 at %s has ended' % crew.addresses[1] in said
    assert 'Traceback' not in crew.said()


@pytest.mark.slow
def test_unlike_workers_are_refused(starts, folder):
    crew = Crew(starts, folder, *FLAGS, own={1: ['--seed', 3]})
    assert crew.wait() == [2, 2], crew.said()
    for member in crew.members:
        assert member.err.read_text() == (
            'error: Worker 1 is not like worker 0: --seed: 3 there, not given on '
            'worker 0. Start all with the same program, flags and data.\n')
    assert not (folder / 'samples').exists()
    assert not folders.saved(str(folder / 'checkpoint/r'))
    assert not (folder / 'checkpoint/r/config.json').exists()


@pytest.mark.slow
def test_an_index_used_twice_and_a_port_in_use_are_refused(starts, folder):
    ports = free_ports(2)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(('', ports[1]))
        taken.listen(1)
        crew = Crew(starts, folder, *FLAGS, '--peer_timeout', 5, indices=[1, 1],
                    addresses=['127.0.0.1:%d' % port for port in ports])
        assert crew.wait() == [2, 2], crew.said()
    for member in crew.members:
        said = member.err.read_text()
        assert said.startswith('error: Worker 1 of 2: another process answers at its '
                               'address 127.0.0.1:%d.' % ports[1])
        assert said.count('\n') == 1
    assert not (folder / 'checkpoint').exists()


def test_what_the_chief_refuses_ends_all(starts, folder):
    crew = Crew(starts, folder, *FLAGS, '--batch_size', 20)
    assert crew.wait() == [2, 2], crew.said()
    for member in crew.members:
        assert 'fewer than one batch of 40' in member.err.read_text()


# --- slow --------------------------------------------------------------------

@pytest.mark.slow
@pytest.mark.parametrize('network', [
    ['--architecture', 'mlp'],
    ['--architecture', 'mlp', '--updates', 'together', '--g_steps', 2, '--d_steps', 2],
    ['--gf_dim', 2, '--df_dim', 2, '--sync_batch_norm'],
    ['--gf_dim', 2, '--df_dim', 2, '--sync_batch_norm', '--updates', 'together',
     '--g_steps', 2]])
def test_two_workers_are_one_process_with_twice_the_batch(starts, folder, network):
    with open(os.path.join(os.path.dirname(__file__), 'float64.py')) as file:
        setup = file.read()
    flags = ['--dataset', 'noise', '--train', *network, '--output_height', 8,
             '--z_dim', 3, '--num_samples', 4, '--ema', 0, '--augment', 'none',
             '--precision', 'float32', '--ckpt_freq', 20, '--sample_freq', 10**6]
    first = starts(folder, *flags, '--batch_size', 32, '--epoch', 1, '--name', 'first',
                   setup=setup)
    assert first.wait() == 0, first.said()
    flags += ['--epoch', 10 if '--d_steps' in network else 5, '--from', 'first']
    one = starts(folder, *flags, '--batch_size', 8, '--name', 'one', setup=setup)
    assert one.wait() == 0, one.said()
    two = Crew(starts, folder, *flags, '--batch_size', 4, '--name', 'r', setup=setup)
    assert two.wait() == [0, 0], two.said()
    start, one, two = [processes.values_of(folder / 'checkpoint' / name) for name in (
        'first/DCGAN.model-1', 'one/DCGAN.model-20', 'r/DCGAN.model-20')]
    assert one.keys() == two.keys() and len(one) > 10
    for name in one:
        assert one[name].dtype == np.float64 or name.endswith('_power')
        np.testing.assert_allclose(two[name], one[name], rtol=0, atol=1e-10,
                                   err_msg=name)
    assert max(abs(one[name] - start[name]).max() for name in one) > 1e-3


@pytest.mark.slow
def test_workers_killed_at_10_random_moments(starts, folder):
    rng, flags = random.Random(0), [*FLAGS, '--epoch', 50]      # 200 steps
    for kills in range(11):
        done = max([0] + [step for step, _ in folders.saved(
            str(folder / 'checkpoint/r'))])
        crew = Crew(starts, folder, *flags, setup=SLOWLY + DUMP)
        if kills == 10:
            assert crew.wait() == [0, 0], crew.said()
            break
        has_trained(folder, crew, done + 2)
        crew.chief.poll(rng.uniform(0, 0.5))
        victim = rng.randrange(2)
        crew.members[victim].signal(signal.SIGKILL)
        assert crew.members[1 - victim].wait(5) == 75, crew.said()
        assert crew.members[victim].wait() == -9
    assert_whole(folder, 200)
    assert_replicas_equal(folder)
    killed = processes.values_of(folder / 'checkpoint/r/DCGAN.model-200')
    shutil.rmtree(str(folder / 'checkpoint'))
    crew = Crew(starts, folder, *flags)
    assert crew.wait() == [0, 0], crew.said()
    whole = processes.values_of(folder / 'checkpoint/r/DCGAN.model-200')
    assert killed.keys() == whole.keys()
    for name in whole:
        assert killed[name].tobytes() == whole[name].tobytes(), name


@pytest.mark.slow
def test_all_notice_in_the_same_step_that_a_loss_is_no_number(starts, folder):
    crew = Crew(starts, folder, *FLAGS, '--epoch', 50, '--loss', 'lsgan', '--optimizer',
                'sgd', '--learning_rate', 10)
    assert crew.wait() == [1, 1], crew.said()
    one, other = [member.err.read_text() for member in crew.members]
    assert one.startswith('error: step ') and 'is inf' in other
    assert one.split(':')[1] == other.split(':')[1]


@pytest.mark.slow
@pytest.mark.parametrize('frozen', [0, 1])
def test_a_frozen_worker_ends_the_others_after_the_time_out(starts, folder, frozen):
    crew = Crew(starts, folder, *FLAGS, '--epoch', 10, '--peer_timeout', 5,
                setup=SLOWLY)
    has_trained(folder, crew)
    crew.members[frozen].signal(signal.SIGSTOP)
    other = crew.members[1 - frozen]
    assert other.wait(40) == 75, crew.said()
    assert 'worker %d at %s does not answer: frozen' % (
        frozen, crew.addresses[frozen]) in other.err.read_text()


@pytest.mark.slow
def test_a_worker_that_does_not_come_is_named(starts, folder):
    crew = Crew(starts, folder, *FLAGS, '--peer_timeout', 2, size=1,
                addresses=['127.0.0.1:%d' % port for port in free_ports(2)])
    assert crew.wait() == [75], crew.said()
    assert 'has not come within 2 s' in crew.said()
