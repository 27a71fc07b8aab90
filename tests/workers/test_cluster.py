"""Who trains together: TF_CONFIG, SLURM's variables, --workers; GPUs and cores."""

import json

import pytest

from settings.errors import UserError
from workers import cluster, launch


def tf_config(jobs, kind='worker', index=0):
    return json.dumps({'cluster': jobs, 'task': {'type': kind, 'index': index}})


TWO = {'worker': ['a:1', 'b:2']}
SLURM = {'SLURM_STEP_NUM_TASKS': '4', 'SLURM_PROCID': '2', 'SLURM_LOCALID': '0',
         'SLURM_STEP_NODELIST': 'gpu[08-09]', 'SLURM_STEP_TASKS_PER_NODE': '2(x2)',
         'SLURM_JOB_ID': '77'}


def test_ranks_begin_with_the_chief():
    jobs = {'worker': ['b:2', '[::1]:3'], 'chief': ['a:1']}
    found = cluster.from_tf_config(tf_config(jobs, 'worker', 1))
    assert found == cluster.Cluster(('a:1', 'b:2', '[::1]:3'), 2)
    assert cluster.from_tf_config(tf_config(jobs, 'chief')).rank == 0
    assert cluster.split('[::1]:3') == ('::1', 3)


def test_an_index_may_be_a_text_and_a_job_an_object():
    found = cluster.from_tf_config(tf_config({'worker': {'0': 'a:1', '1': 'b:2'}},
                                             index='1'))
    assert found == cluster.Cluster(('a:1', 'b:2'), 1)


@pytest.mark.parametrize('environ, given', [
    ({}, {}),
    ({'TF_CONFIG': ''}, {}),
    ({'TF_CONFIG': '{}'}, {}),
    ({'TF_CONFIG': tf_config({'chief': ['a:1']}, 'chief')}, {}),    # of one worker
    # which may start others on its machine
    ({'TF_CONFIG': tf_config({'chief': ['a:1']}, 'chief')}, {'workers': 2}),
    ({'TF_CONFIG': tf_config(TWO)}, {'workers': 1}),
    ({}, {'workers': 3}),
    (dict(SLURM, SLURM_STEP_NUM_TASKS='1'), {}),
    (SLURM, {'workers': 1})])
def test_one_process_trains_alone(environ, given):
    assert cluster.find(environ, given) is None


@pytest.mark.parametrize('text, says', [
    ('nonsense', 'it is no JSON'),
    ('[1]', 'found [1]'),
    (json.dumps({'cluster': TWO}), '"task" must be objects'),
    (tf_config({'worker': 'a:1'}), '"worker" is'),
    (tf_config({'worker': ['a', 'b:2']}), "'a' is no address HOST:PORT"),
    (tf_config({'worker': ['a:1', 'b:70000']}), "'b:70000' is no address"),
    (tf_config({'worker': ['a:1', 5]}), '5 is no address'),
    (tf_config({'worker': ['a:1', 'a:1']}), 'a:1 is there twice'),
    (tf_config(TWO, index=2), "'worker' 2, and the cluster has worker 0 to 1"),
    (tf_config(TWO, index=-1), 'and the cluster has'),
    (tf_config(TWO, index='x'), 'and the cluster has'),
    (tf_config(TWO, 'evaluator'), "'evaluator' 0, and the cluster has"),
    (tf_config(dict(TWO, ps=['c:3'])), 'there are no parameter servers'),
    (tf_config({'worker': []}), 'the cluster has no worker')])
def test_a_bad_tf_config_is_refused(text, says):
    with pytest.raises(UserError) as error:
        cluster.find({'TF_CONFIG': text}, {})
    assert str(error.value).startswith('TF_CONFIG: ') and says in str(error.value)
    assert 'Expected as {"cluster"' in str(error.value)


def test_workers_must_be_as_many_as_the_cluster_has():
    with pytest.raises(UserError, match='--workers 3, and the cluster has 2'):
        cluster.find({'TF_CONFIG': tf_config(TWO)}, {'workers': 3})
    assert cluster.find({'TF_CONFIG': tf_config(TWO)}, {'workers': 2}).size == 2


# --- SLURM -------------------------------------------------------------------

def test_slurm_tells_the_cluster():
    found = cluster.find(SLURM, {})
    assert found.addresses == tuple('gpu%s:%d' % place for place in (
        ('08', 14928), ('08', 14929), ('09', 14928), ('09', 14929)))
    assert found.rank == 2 and found.local == (0, 2)


@pytest.mark.parametrize('text, names', [
    ('a', ['a']),
    ('a,b1', ['a', 'b1']),
    ('n[1-3,007],x', ['n1', 'n2', 'n3', 'n007', 'x']),
    ('r[1-2]n[09-10]', ['r1n09', 'r1n10', 'r2n09', 'r2n10'])])
def test_lists_of_nodes(text, names):
    assert cluster.expand_nodes(text) == names


def test_counts_of_tasks():
    assert cluster.expand_tasks('2(x3),1') == [2, 2, 2, 1]


@pytest.mark.parametrize('changes, says', [
    ({'SLURM_STEP_NODELIST': 'gpu[a-b]'}, "SLURM's variables tell no cluster"),
    ({'SLURM_STEP_TASKS_PER_NODE': '2'}, "SLURM's variables tell no cluster"),
    ({'SLURM_JOB_ID': ''}, "SLURM's variables tell no cluster"),
    ({'SLURM_LOCALID': '1'}, 'srun --distribution=block')])
def test_bad_variables_of_slurm_are_refused(changes, says):
    with pytest.raises(UserError, match=says):
        cluster.find(dict(SLURM, **changes), {})


# --- the machine -------------------------------------------------------------

@pytest.mark.parametrize('visible, rank, seen', [
    ('0,1', 1, '1'),
    ('3,5,7', 1, '5'),
    ('0', 1, '0'),              # given by whoever started it
    ('GPU-a,GPU-b', 0, 'GPU-a'),
    ('-1', 0, '-1')])
def test_a_gpu_each_where_there_are_as_many(visible, rank, seen):
    environ = {'CUDA_VISIBLE_DEVICES': visible}
    launch.take_gpu(cluster.Cluster(('a:1', 'a:2'), rank), environ)
    assert environ['CUDA_VISIBLE_DEVICES'] == seen


def test_a_worker_that_has_its_host_to_itself_keeps_its_gpus():
    environ = {'CUDA_VISIBLE_DEVICES': '0,1'}
    launch.take_gpu(cluster.Cluster(('a:1', 'b:1'), 0), environ)
    assert environ == {'CUDA_VISIBLE_DEVICES': '0,1'}


@pytest.mark.parametrize('count, shares', [
    (2, [[0, 1], [4, 5, 6]]), (5, [[0], [1], [4], [5], [6]]),
    (6, [[0], [1], [4], [5], [6], [0]])])
def test_cores_are_shared_out(monkeypatch, count, shares):
    monkeypatch.setattr(launch.os, 'sched_getaffinity', lambda pid: {0, 1, 4, 5, 6},
                        raising=False)
    assert launch.share_cores(count) == shares
