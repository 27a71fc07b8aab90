"""main.py in a process that is another's: a notebook's, a thread's, a program's."""

import contextlib
import os
import runpy
import signal
import sys
import threading
import types

import pytest

import main
from dataset import packing
from runs import folders, process
from runs.stop import ENDING, Stop

ROOT = os.path.dirname(os.path.abspath(main.__file__))
TINY = ('--output_height 8 --gf_dim 2 --df_dim 2 --z_dim 3 --batch_size 4 --threads 2 '
        '--num_samples 4 --precision float32')
HANDLED = [number for number in (
    getattr(signal, name, None) for name in ('SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'))
    if number]


class Cell:
    """The output of a notebook's cell, as ipykernel's OutStream: no reconfigure."""

    def __init__(self):
        self.text = ''

    def write(self, text):
        self.text += text
        return len(text)


class OutStream(Cell):
    def flush(self):
        pass

    def isatty(self):
        return False

    def fileno(self):
        raise OSError('UnsupportedOperation: fileno')


@pytest.fixture
def notebook(tmp_path, monkeypatch, make_images):
    """Return a function that runs main.py as %run does, in this process."""
    make_images(tmp_path / 'data' / 'noise', 16, 8, 8)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'ps1', 'In : ', raising=False)
    monkeypatch.setattr(packing, 'FEWEST_FOR_WORKERS', 1)

    def run(line, stream=OutStream):
        out, err = stream(), stream()
        monkeypatch.setattr(sys, 'argv', ['main.py'] + line.split())
        before = state()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                runpy.run_path(os.path.join(ROOT, 'main.py'), run_name='__main__')
            except SystemExit as end:
                status = end.code
            assert (sys.stdout, sys.stderr) == (out, err)
        assert state() == before
        return status, out.text, err.text
    return run


def state():
    """Return what a run must leave as it was."""
    import tensorflow.compat.v1 as tf
    return (sys.stdout, sys.stderr, sys.stdin, sys.path[:], os.getcwd(),
            list(map(signal.getsignal, HANDLED)), sys.modules['__main__'],
            tf.get_default_graph(), tf.get_default_session())


@pytest.mark.slow
def test_again_and_again_in_one_process(notebook):
    train = '--dataset noise --train %s --epoch ' % TINY
    status, out, err = notebook(train + '1')
    assert status == 0, err
    assert 'packing' in out and 'epoch 1/1' in out
    assert notebook('--dataset noise')[0] == 0
    status, _, err = notebook('--dataset noise --train --epoch x')
    assert status == 2 and err.startswith('error: ')
    status, out, err = notebook(train + '2', Cell)
    assert status == 0, err
    assert 'resuming' in out and 'epoch 2/2' in out
    for words in '--train --epoch 1', '':
        assert notebook('--dataset gaussian --train_size 8 ' + words)[0] == 0


def test_workers_need_no_main_module(monkeypatch, tmp_path, make_images, tiny_config):
    make_images(tmp_path / 'noise', 8)
    monkeypatch.setattr(packing, 'FEWEST_FOR_WORKERS', 1)
    odd = types.ModuleType('__main__')
    odd.__file__ = str(tmp_path / 'cell 7.ipynb')      # as some notebooks have it
    monkeypatch.setitem(sys.modules, '__main__', odd)
    paths = sorted(map(str, (tmp_path / 'noise').iterdir()))
    with packing.packed(paths, tiny_config(threads=2)) as results:
        assert [image.shape for image in results] == [(16, 16, 3)] * 8
    assert sys.modules['__main__'] is odd


@pytest.mark.parametrize('error', [
    PermissionError(13, 'Permission denied'), OSError(38, 'Function not implemented'),
    ImportError('no sem_open'), NotImplementedError('too few semaphores')])
def test_without_workers_this_process_packs(
        monkeypatch, tmp_path, make_images, tiny_config, error):
    def refuse(*arguments):
        raise error
    monkeypatch.setattr(packing.concurrent.futures, 'ProcessPoolExecutor', refuse)
    monkeypatch.setattr(packing, 'FEWEST_FOR_WORKERS', 1)
    make_images(tmp_path / 'noise', 3)
    paths = sorted(map(str, (tmp_path / 'noise').iterdir()))
    with packing.packed(paths, tiny_config(threads=2)) as results:
        assert [image.shape for image in results] == [(16, 16, 3)] * 3


def in_a_thread(call):
    """Return what a call returns in a thread."""
    results = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results[0]


def test_a_thread_has_no_signals_and_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call():
        with process.prepared(), Stop() as stop:
            assert stop.usual == {}
        return main.main(['--dataset', 'gaussian', '--train', '--epoch', '1'])
    assert in_a_thread(call) == 0
    assert folders.saved('checkpoint/gaussian')


def test_in_a_notebook_the_second_interrupt_is_an_interrupt(monkeypatch):
    monkeypatch.setattr(sys, 'ps1', 'In : ', raising=False)
    before = list(map(signal.getsignal, ENDING))
    with pytest.raises(KeyboardInterrupt), Stop() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.status == 130
        signal.raise_signal(signal.SIGINT)
    assert list(map(signal.getsignal, ENDING)) == before


def test_streams_are_opened_and_closed_again(monkeypatch):
    for name in process.STREAMS:
        monkeypatch.setattr(sys, name, None)        # as pythonw has them
    with process.streams():
        print('nobody reads this')
        print('nor this', file=sys.stderr)
    assert sys.stdout is sys.stderr is sys.stdin is None


def test_a_streams_settings_are_put_back(tmp_path):
    with open(tmp_path / 'log', 'w', encoding='ascii') as log:
        with contextlib.redirect_stdout(log), process.streams():
            print('\udcff and é')
            assert (tmp_path / 'log').read_text() == '\\udcff and \\xe9\n'
        assert (log.errors, log.line_buffering) == ('strict', False)


def test_signals_end_as_exceptions_do_and_are_put_back():
    before = list(map(signal.getsignal, HANDLED))
    with pytest.raises(SystemExit) as end, process.prepared():
        signal.raise_signal(signal.SIGTERM)
    assert end.value.code == 143
    assert list(map(signal.getsignal, HANDLED)) == before


def test_a_stream_without_a_file_that_fails_is_given_up_once(capfd):
    class Broken:
        def write(self, text):
            raise OSError(28, 'No space left on device')
    stream = process.Steady(Broken())
    assert [stream.write('abc'), stream.write('de')] == [3, 2]
    stream.flush()
    assert not stream.isatty()
    assert capfd.readouterr().err.count('No space left on device') == 1
