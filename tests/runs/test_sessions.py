"""The ConfigProto, and the quiet start."""

import os
import subprocess
import sys

import pytest
import tensorflow.compat.v1 as tf
import tiny_runs

import main
from runs import checkpoints, sessions
from settings.config import Config
from settings.errors import UserError
from utils import quiet


def proto(**given):
    return sessions.config_proto(Config.make(given, {}))


def test_gpu_memory_fraction_and_growth():
    p = proto(gpu_memory_fraction=0.4, allow_growth=False)
    assert p.gpu_options.per_process_gpu_memory_fraction == pytest.approx(0.4)
    assert p.gpu_options.allow_growth is False
    assert proto().gpu_options.allow_growth is True
    assert proto().gpu_options.per_process_gpu_memory_fraction == 0     # all of it


def test_threads():
    p = proto(threads=3)
    assert p.intra_op_parallelism_threads == 3
    assert p.inter_op_parallelism_threads == 3
    assert proto().intra_op_parallelism_threads == 0                    # one a core


def test_precision_turns_the_rewrite_on(monkeypatch):
    monkeypatch.setattr(sessions, 'has_bfloat16', lambda: True)
    name = 'auto_mixed_precision_onednn_bfloat16'
    on = proto(precision='bfloat16').graph_options.rewrite_options
    off = proto(precision='float32').graph_options.rewrite_options
    assert (getattr(on, name), getattr(off, name)) == (1, 0)


def test_the_remapper_is_off_in_training():
    # tests/runs/test_steps.py holds many steps in one run to the numbers of single ones
    on, off = (proto(train=train, precision='float32').graph_options.rewrite_options
               for train in (False, True))
    assert (on.remapping, off.remapping) == (0, sessions.REMAPPING_OFF)


# What TensorFlow says on a GPU whose memory another program holds
FULL = [tf.errors.ResourceExhaustedError(None, None, 'OOM when allocating a\nHint'),
        tf.errors.InternalError(None, None, 'cudaSetDevice() on GPU:0 failed. Status: '
                                'out of memory'),
        tf.errors.InternalError(None, None, 'Dst tensor is not initialized.'),
        tf.errors.NotFoundError(None, None, 'No algorithm worked! CUDNN_STATUS_'
                                'ALLOC_FAILED'),
        tf.errors.InternalError(None, None, 'CUBLAS_STATUS_NOT_INITIALIZED')]


@pytest.mark.parametrize('error', FULL, ids=lambda error: error.message[:12])
def test_a_full_gpu_is_one_line_with_the_remedy(error, monkeypatch, capsys):
    monkeypatch.setattr(sessions, 'has_gpu', lambda: True)

    def session(config):
        os.write(2, b'noise')
        raise error
    monkeypatch.setattr(tf, 'Session', session)
    with pytest.raises(UserError) as raised, sessions.memory():
        sessions.open_session(Config.make({'precision': 'float32'}, {}))
    said = str(raised.value)
    assert '\n' not in said and error.message.partition('\n')[0] in said
    for part in 'nvidia-smi', 'CUDA_VISIBLE_DEVICES=-1', '--batch_size':
        assert part in said


def test_what_is_no_lack_of_memory_stays_an_error(monkeypatch):
    monkeypatch.setattr(sessions, 'has_gpu', lambda: True)
    with pytest.raises(tf.errors.InternalError), sessions.memory():
        raise tf.errors.InternalError(None, None, 'something else')
    monkeypatch.setattr(sessions, 'has_gpu', lambda: False)
    with pytest.raises(MemoryError, match='not enough memory .OOM.*--gf_dim'), (
            sessions.memory()):
        raise FULL[0]


@pytest.mark.parametrize('train', [True, False])
def test_a_full_gpu_ends_training_and_tasks_with_status_2(
        tmp_path, make_images, monkeypatch, capfd, train):
    tiny_runs.save(tmp_path / 'c', 'flat')
    make_images(str(tmp_path / 'data' / 'flat'), 8)

    def session(config):
        os.write(2, b'noise')
        raise FULL[1]
    monkeypatch.setattr(sessions, 'has_gpu', lambda: True)
    monkeypatch.setattr(tf, 'Session', session)
    status = main.main([
        '--dataset', 'flat', '--data_dir', str(tmp_path / 'data'), '--batch_size', '8',
        '--checkpoint_dir', str(tmp_path / 'c'), '--sample_dir', str(tmp_path / 's'),
        '--output_height', '16', '--gf_dim', '4', '--df_dim', '4'] + (
            ['--train', '--name', 'new'] if train else ['--name', 'flat']))
    error = capfd.readouterr().err
    assert status == 2
    assert error.startswith("error: The GPU's memory is full")
    assert error.count('\n') == 1


def test_only_the_newest_checkpoints_are_kept(graph, tmp_path):
    from runs import folders
    v = tf.get_variable('v', [1])
    run = folders.Run('r', str(tmp_path), str(tmp_path))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        saver = checkpoints.make_saver([v])
        for step in range(1, 5):
            checkpoints.save(sess, saver, run.checkpoint_dir, step, 2)
    assert [step for step, _ in folders.saved(str(tmp_path))] == [3, 4]


# What a name means as a pattern must not matter: 'r*' is another run than 'rx'.
@pytest.mark.parametrize('name, other', [('r', 'rx'), ('r*', 'rx'), ('r[1]', 'r1')])
def test_a_lower_max_to_keep_holds_for_checkpoints_of_an_earlier_start(
        graph, tmp_path, name, other):
    from runs import folders
    v = tf.get_variable('v', [1])
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())

        def save(name, steps, max_to_keep):
            saver = checkpoints.make_saver([v])     # each start has one of its own
            run = folders.Run(name, str(tmp_path / name), '')
            for step in steps:
                checkpoints.save(sess, saver, run.checkpoint_dir, step,
                                 max_to_keep)
        save(other, (1, 2, 3, 4), 5)
        save(name, (1, 2, 3, 4), 5)
        save(name, (5,), 2)

    def files(name):
        return sorted(f for f in os.listdir(tmp_path / name) if f != 'checkpoint')
    assert files(name) == ['DCGAN.model-%d.%s' % (step, ending) for step in (4, 5)
                           for ending in ('data-00000-of-00001', 'index')]
    assert len(files(other)) == 8


def test_quiet_hides_what_is_written_to_the_descriptor(capfd):
    with quiet():
        os.write(2, b'noise')
    os.write(2, b'signal')
    assert capfd.readouterr().err == 'signal'


def test_quiet_shows_it_after_all_when_something_fails(capfd):
    with pytest.raises(KeyError), quiet():
        os.write(2, b'the reason')
        raise KeyError
    assert 'the reason' in capfd.readouterr().err


@pytest.mark.slow
def test_a_start_makes_no_noise(tmp_path, make_images):
    make_images(str(tmp_path / 'data' / 'noise'), 16)
    root = os.path.dirname(os.path.dirname(os.path.abspath(sessions.__file__)))
    environment = {k: v for k, v in os.environ.items() if not k.startswith('TF_CPP')}
    result = subprocess.run(
        [sys.executable, os.path.join(root, 'main.py'), '--dataset', 'noise', '--train',
         '--batch_size', '8', '--epoch', '1', '--gf_dim', '4', '--df_dim', '4'],
        cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert result.returncode == 0
    assert result.stderr == ''
