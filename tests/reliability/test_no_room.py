"""Full disks and folders that cannot be written to: what is said, and what is left."""

import os
import pathlib
import random
import shutil
import subprocess
import tempfile

import pytest
import starts as processes
from starts import FLAGS, SLOW, assert_same

from runs import checkpoints, folders

EPOCHS = ('--epoch', 2)     # 16 steps
NOBODY = 65534
RARELY = [word for name in ('sample', 'ckpt', 'summary', 'eval')
          for word in ('--%s_freq' % name, 10**6)]


@pytest.fixture
def small_disk(tmp_path):
    """Return a function that mounts a small disk over a folder."""
    mounted = []

    def mount(folder, size):
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=%s' % size, 'tmpfs',
                               str(folder)], capture_output=True, text=True)
        if done.returncode:
            pytest.skip('no small disk can be mounted: %s' % done.stderr.strip())
        mounted.append(folder)
    yield mount
    for folder in mounted:
        subprocess.run(['umount', '-l', str(folder)], check=True)


def failed(start, *names):
    """Check that a start has failed for want of room, and said for which file."""
    assert start.wait() == 1, start.said()
    error = start.err.read_text()
    assert error.startswith('error: ') and 'Traceback' not in error
    assert 'Exception ignored' not in error
    assert 'No space left on device' in error or 'File too large' in error, error
    assert any(name in error for name in names), error


def good(folder):
    """Check what is left: whole checkpoints, a history as long, nothing half."""
    found = folders.saved(str(folder / 'checkpoint/r'))
    for _, path in found:
        assert checkpoints.fault(path) is None
    names = processes.listing(folder)
    assert not [n for n in names if n.endswith('.part') or '.saving' in n]
    return [step for step, _ in found]


# --- full disks ------------------------------------------------------------------

def fill(folder):
    """Write until there is no room left; return the file."""
    path = folder / 'filler'
    with open(path, 'wb', buffering=0) as file:
        for size in 4096, 1:
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
    return path


def filled(starts, whole, folder, place, until):
    """Let a disk run full in training; make room; compare the end."""
    start = starts(folder, *FLAGS, *EPOCHS, setup=SLOW)
    assert until(start)
    filler = fill(folder / place)
    failed(start, place)
    steps = good(folder)
    os.remove(filler)
    again = starts(folder, *FLAGS, *EPOCHS)
    assert again.wait() == 0, again.said()
    if steps:
        assert 'resuming r after step %d' % steps[-1] in again.out.read_text()
    assert_same(whole, folder)


def saved(folder, count):
    return lambda start: start.until(
        lambda: len(folders.saved(str(folder / 'checkpoint/r'))) >= count)


@pytest.mark.slow
def test_a_disk_that_runs_full_while_saving(starts, whole, folder, small_disk):
    small_disk(folder / 'checkpoint', '2m')
    filled(starts, whole, folder, 'checkpoint', saved(folder, 2))


@pytest.mark.slow
@pytest.mark.parametrize('place', ['checkpoint', 'samples', 'checkpoint/r/best',
                                   'checkpoint/r/logs'])
@pytest.mark.parametrize('seed', [0, 1])
def test_a_disk_that_runs_full_at_some_time(starts, whole, folder, small_disk, place,
                                            seed):
    rng = random.Random('%s %d' % (place, seed))
    small_disk(folder / place, '2m')

    def some_time(start):
        ready = saved(folder, rng.randint(0, 3))(start)
        start.poll(rng.uniform(0, 0.15))
        return ready
    filled(starts, whole, folder, place, some_time)


def test_a_history_that_cannot_grow_is_named(starts, folder):
    start = starts(folder, *FLAGS, *RARELY, '--epoch', 99, limit=9000)
    failed(start, os.path.join('checkpoint', 'r', 'history.csv'))
    assert good(folder) == []


def test_events_that_cannot_be_written_are_named(starts, folder):
    start = starts(folder, *FLAGS, *RARELY, '--summary_freq', 1, '--epoch', 99,
                   limit=30000)
    failed(start, os.path.join('checkpoint', 'r', 'logs', 'events'))
    assert good(folder) == []


def test_a_full_disk_under_what_is_printed_is_told(starts, folder):
    """As with `> log`: it is not the fault of what was being written."""
    full = 'import os; os.dup2(os.open("/dev/full", os.O_WRONLY), 1)'
    start = starts(folder, '--help', setup=full)
    assert start.wait() == 1, start.said()
    assert start.err.read_text() == (
        'error: what is printed cannot be written: No space left on device\n')


# as `| head` leaves it, and `> log` on a full disk, before the first step
@pytest.mark.parametrize('setup', [
    'import os; r, w = os.pipe(); os.close(r); os.dup2(w, 1)',
    'import os; os.dup2(os.open("/dev/full", os.O_WRONLY), 1)'])
def test_a_training_goes_on_where_nothing_of_it_can_be_printed(starts, folder, setup):
    start = starts(folder, *FLAGS, *RARELY, '--epoch', 1, setup=setup)
    assert start.wait() == 0, start.said()
    assert start.err.read_text().count('cannot be written any more') == 1
    assert good(folder) == [8]


@pytest.mark.parametrize('closed', ['1', '2', '1, 2'])
def test_closed_streams_do_not_end_it(folder, closed):
    """As `>&-` and some daemons leave them; a file must not get their number."""
    code = 'import os; [os.close(n) for n in (%s,)]; os.execv(%r, [%r, %r, "--help"])'
    main = os.path.join(os.path.dirname(processes.HERE), os.pardir, 'main.py')
    python = processes.sys.executable
    done = subprocess.run([python, '-c', code % (closed, python, python, main)],
                          capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, '')


@pytest.mark.slow
def test_a_checkpoint_that_does_not_fit_is_named(starts, whole, folder):
    start = starts(folder, *FLAGS, *EPOCHS, '--gf_dim', 16, '--summary_freq', 10**6,
                   limit=20000)
    failed(start, os.path.join('checkpoint', 'r', 'DCGAN.model-2'))
    assert good(folder) == []


def test_a_sheet_that_does_not_fit_is_named_and_the_old_one_left(starts, whole,
                                                                 tmp_path):
    folder = shutil.copytree(whole, tmp_path / 'copy')
    flags = ['--dataset', 'noise', '--name', 'r']
    assert starts(folder, *flags).wait() == 0
    before = (folder / 'samples/r/test.png').read_bytes()
    failed(starts(folder, *flags, '--num_samples', 200, limit=len(before) + 100),
           'samples/r/test.png')
    assert (folder / 'samples/r/test.png').read_bytes() == before
    good(folder)


def test_an_export_that_does_not_fit_is_named_and_the_old_one_left(starts, whole,
                                                                   tmp_path):
    folder = shutil.copytree(whole, tmp_path / 'copy')
    flags = ['--dataset', 'noise', '--name', 'r', '--task', 'export', '--formats']
    assert starts(folder, *flags, 'frozen,onnx').wait() == 0
    file = folder / 'samples/r/export/sampler.pb'
    before = file.read_bytes()
    failed(starts(folder, *flags, 'frozen,saved_model', limit=len(before) - 100),
           'samples/r/export/sampler.pb')
    assert file.read_bytes() == before
    assert sorted(os.listdir(file.parent)) == ['sampler.onnx', 'sampler.pb']
    good(folder)


def test_a_cache_that_does_not_fit_is_named(starts, folder):
    start = starts(folder, *FLAGS, *EPOCHS, limit=4000)
    assert start.wait() == 2
    error = start.err.read_text()
    assert 'data/.cache/noise_8x8x3' in error and 'File too large' in error
    assert '--cache_dir' in error and 'Traceback' not in error
    assert not os.path.exists(folder / 'checkpoint')
    assert os.listdir(folder / 'data/.cache') == []


# --- folders that cannot be written to ---------------------------------------------

@pytest.fixture
def readable(whole):
    """Return a copy of that folder which another user can read, not write to."""
    folder = pathlib.Path(tempfile.mkdtemp())
    shutil.copytree(whole, folder, dirs_exist_ok=True)
    subprocess.run(['chmod', '-R', 'a+rX,a-w', str(folder)], check=True)
    yield folder
    subprocess.run(['chmod', '-R', 'u+w', str(folder)], check=True)
    shutil.rmtree(folder)


@pytest.mark.parametrize('flags, named', [
    ((*FLAGS, '--epoch', 3), 'checkpoint/r'),
    ((*FLAGS, '--checkpoint_dir', 'new/place'), 'new/place/r'),
    ((*FLAGS, '--checkpoint_dir', '{free}'), 'samples/r'),
    ((*FLAGS, '--checkpoint_dir', '{free}', '--sample_dir', '{free}',
      '--output_height', 9), 'data/.cache/noise_9x9x3'),
    (('--dataset', 'noise', '--name', 'r'), 'samples/r'),
    (('--dataset', 'noise', '--name', 'r', '--task', 'export'), 'samples/r'),
    (('--dataset', 'noise', '--name', 'r', '--task', 'evaluate'), 'samples/r')])
def test_a_folder_that_cannot_be_written_to_is_named_before_all_else(
        starts, readable, tmp_path, flags, named):
    free = pathlib.Path(tempfile.mkdtemp())
    os.chmod(free, 0o777)
    os.chmod(readable, 0o777)       # for what the process says
    for name in ('new',):
        (readable / name).mkdir(mode=0o555)
    user = NOBODY if os.geteuid() == 0 else None
    before = processes.listing(readable)
    start = starts(readable, *(str(f).format(free=free) for f in flags), user=user,
                   setup='from runs import sessions; sessions.tf.Session = None')
    assert start.wait() == 2, start.said()
    error = start.err.read_text()
    assert error.startswith('error: ') and named in error
    assert 'ermission' in error
    assert [n for n in processes.listing(readable) if not n.startswith(('out', 'err'))
            ] == [n for n in before if not n.startswith(('out', 'err'))]
    assert os.listdir(free) == []
    shutil.rmtree(free)
