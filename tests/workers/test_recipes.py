"""The files of docs/distributed.md: read, and tried with stand-ins for clusters."""

import json
import os
import re
import runpy
import shutil
import stat
import subprocess
import sys
import types

import pytest
from starts import FLAGS

import main
from workers import cluster

ROOT = os.path.dirname(os.path.abspath(main.__file__))
RECIPES = os.path.join(ROOT, 'docs', 'distributed')
# Starts two tasks on this machine, as srun does on a node
SRUN = '''#!/usr/bin/env python3
import os, subprocess, sys
command = [word for word in sys.argv[1:] if not word.startswith('--wait')]
tasks = [subprocess.Popen(command, env=dict(
    os.environ, SLURM_STEP_NUM_TASKS='2', SLURM_STEP_NODELIST='localhost',
    SLURM_STEP_TASKS_PER_NODE='2', SLURM_PROCID=str(i), SLURM_LOCALID=str(i)))
    for i in range(2)]
sys.exit(max(task.wait() for task in tasks))
'''
SCONTROL = '#!/bin/sh\necho "scontrol $*"\n'


# --- YAML, as far as the files have it ---------------------------------------

def read_yaml(text):
    """Return the documents of a text of block maps and lists, flow lists, >- texts."""
    documents = []
    for part in text.split('\n---\n'):
        lines = [line for line in part.split('\n') if line.split('#')[0].strip()]
        lines = [(len(line) - len(line.lstrip()), line.strip()) for line in lines]
        value, left = block(lines, 0)
        assert not left, left
        documents.append(value)
    return documents


def block(lines, indent):
    """Return the value of the lines from a column on, and the lines after it."""
    if lines[0][1].startswith('- '):
        found = []
        while lines and lines[0][0] == indent and lines[0][1].startswith('- '):
            inner = [(indent + 2, lines[0][1][2:])] + lines[1:]
            if re.match(r'[\w./-]+:( |$)', inner[0][1]):
                value, lines = block(inner, indent + 2)
            else:
                value, lines = scalar(inner[0][1]), lines[1:]
            found.append(value)
        return found, lines
    found = {}
    while lines and lines[0][0] == indent and not lines[0][1].startswith('- '):
        name, value = re.fullmatch(r'([\w./-]+):(?: (.*))?', lines[0][1]).groups()
        assert name not in found
        lines = lines[1:]
        if value == '>-':
            text = []
            while lines and lines[0][0] > indent:
                text, lines = text + [lines[0][1]], lines[1:]
            found[name] = ' '.join(text)
        elif value is None:
            found[name], lines = block(lines, lines[0][0])
        else:
            found[name] = scalar(value)
    return found, lines


def scalar(text):
    """Return a number, a truth, a list or a text."""
    if text.startswith('['):
        return [scalar(part) for part in text[1:-1].split(', ')]
    known = {'true': True, 'false': False}
    return known.get(text, int(text) if text.isdigit() else text.strip('"'))


def recipe(name):
    with open(os.path.join(RECIPES, name), encoding='utf-8') as file:
        return file.read()


def workers_of(container, count):
    """Return the Clusters that a container's TF_CONFIG tells, one for each index."""
    environ = {item['name']: item for item in container['env']}
    assert environ['INDEX']['valueFrom']['fieldRef']['fieldPath'] == (
        "metadata.annotations['batch.kubernetes.io/job-completion-index']")
    assert list(environ) == ['INDEX', 'TF_CONFIG']      # one may use those before it
    return [cluster.find({'TF_CONFIG': environ['TF_CONFIG']['value'].replace(
        '$(INDEX)', str(index))}, {}) for index in range(count)]


def check_words(words):
    """Check that main.py takes these words."""
    from runs import start
    assert start.complete([str(word) for word in words])[0].train


# --- tests -------------------------------------------------------------------

def test_the_indexed_job_tells_each_pod_who_it_is():
    service, job = read_yaml(recipe('job.yaml'))
    name, spec = job['metadata']['name'], job['spec']
    assert service['metadata']['name'] == spec['template']['spec']['subdomain'] == name
    assert service['spec']['clusterIP'] == 'None'
    assert service['spec']['selector'] == {'job-name': name}
    assert spec['completionMode'] == 'Indexed'
    assert spec['completions'] == spec['parallelism'] == 2
    container, = spec['template']['spec']['containers']
    found = workers_of(container, 2)
    assert [worker.rank for worker in found] == [0, 1]
    assert found[0].addresses == tuple(
        '%s-%d.%s:%d' % (name, i, name, container['ports'][0]['containerPort'])
        for i in range(2))
    check_words(container['args'])
    rule, = spec['podFailurePolicy']['rules']
    assert 75 not in rule['onExitCodes']['values']


def test_the_runtime_of_kubeflow_tells_each_pod_who_it_is():
    runtime, job = read_yaml(recipe('kubeflow.yaml'))
    assert job['spec']['runtimeRef']['name'] == runtime['metadata']['name']
    count = runtime['spec']['mlPolicy']['numNodes']
    assert count == job['spec']['trainer']['numNodes'] == 2
    part, = runtime['spec']['template']['spec']['replicatedJobs']
    container, = part['template']['spec']['template']['spec']['containers']
    assert part['name'] == container['name'] == 'node'
    found = workers_of(container, count)
    assert found[1] == cluster.Cluster(tuple(
        '%s-node-0-%d.%s:2222' % (job['metadata']['name'], i, job['metadata']['name'])
        for i in range(2)), 1)
    check_words(job['spec']['trainer']['args'])


@pytest.mark.skipif(not shutil.which('kubectl'), reason='no kubectl here')
@pytest.mark.parametrize('name', ['job.yaml', 'kubeflow.yaml'])
def test_kubectl_reads_what_we_read(name):
    done = subprocess.run(
        ['kubectl', 'annotate', '--local', '-f', os.path.join(RECIPES, name), 'a=b',
         '-o', 'json'], capture_output=True, text=True)
    if done.returncode and 'annotate' not in done.stderr and not done.stdout:
        pytest.skip('kubectl does not work here: %s' % done.stderr)
    decoder, text, found = json.JSONDecoder(), done.stdout.strip(), []
    while text:
        value, end = decoder.raw_decode(text)
        del value['metadata']['annotations']
        value.pop('status', None)
        found.append(value)
        text = text[end:].strip()
    ours = read_yaml(recipe(name))
    assert [value['kind'] for value in found] == [value['kind'] for value in ours]
    if name == 'kubeflow.yaml':     # to kinds that it knows kubectl adds defaults
        assert [value['spec'] for value in found] == [value['spec'] for value in ours]


def test_ray_train_runs_main_on_each_worker(tmp_path, monkeypatch):
    made, ran = [], []

    class Trainer:
        def __init__(self, work, train_loop_config, scaling_config, run_config):
            made.append(scaling_config)
            self.work, self.loop = work, train_loop_config

        def fit(self):
            self.work(self.loop)

    ray = types.ModuleType('ray.train')
    for name in 'FailureConfig', 'RunConfig', 'ScalingConfig':
        setattr(ray, name, lambda **values: values)
    tensorflow = types.ModuleType('ray.train.tensorflow')
    tensorflow.TensorflowTrainer = Trainer
    for name, module in {'ray': types.ModuleType('ray'), 'ray.train': ray,
                         'ray.train.tensorflow': tensorflow}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(subprocess, 'run', lambda *a, **more: ran.append((a, more)))
    monkeypatch.chdir(tmp_path)
    script = runpy.run_path(os.path.join(RECIPES, 'ray_train.py'))
    script['main'](['3', '--dataset', 'mnist'])
    assert made[0]['num_workers'] == 3
    (command,), more = ran[0]
    assert command[1] == os.path.join(ROOT, 'main.py') and more['check']
    assert more['cwd'] == str(tmp_path)
    check_words(command[2:])


@pytest.mark.slow
def test_the_script_for_slurm_trains_with_two_tasks(folder):
    python = '#!/bin/sh\nshift\nexec "%s" "%s" "$@"\n' % (
        sys.executable, os.path.join(ROOT, 'main.py'))
    for name, text in ('srun', SRUN), ('scontrol', SCONTROL), ('python', python):
        path = folder / 'bin' / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    done = subprocess.run(
        ['bash', os.path.join(RECIPES, 'slurm.sh'), *map(str, FLAGS), '--epoch', '1'],
        cwd=str(folder), capture_output=True, text=True, env=dict(
            os.environ, PATH='%s:%s' % (folder / 'bin', os.environ['PATH']),
            PYTHON=str(folder / 'bin' / 'python'), SLURM_JOB_ID=str(os.getpid())))
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'worker 0 of 2' in done.stdout and 'worker 1 of 2' in done.stdout
    assert (folder / 'checkpoint/r/DCGAN.model-4.index').exists()
