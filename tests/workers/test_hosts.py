"""Two hosts, not one: each a network namespace of its own, with a cable between."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
import starts as processes
from starts import FLAGS

import main
from runs import folders

MAIN = os.path.abspath(main.__file__)
HOSTS = '10.213.7.1', '10.213.7.2'
ADDRESSES = ['%s:2222' % host for host in HOSTS]


def ip(*words):
    subprocess.run(['ip', *words], check=True, capture_output=True)


@pytest.fixture
def started():
    """Give a list of processes that are ended after the test."""
    processes = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


@pytest.fixture
def hosts():
    """Give the names of two network namespaces; skip where none can be made."""
    names = ['dcgan%d%s' % (os.getpid(), end) for end in 'ab']
    with contextlib.ExitStack() as stack:
        try:
            for name in names:
                ip('netns', 'add', name)
                stack.callback(ip, 'netns', 'del', name)
            ip('link', 'add', 'eth0', 'netns', names[0], 'type', 'veth', 'peer', 'name',
               'eth0', 'netns', names[1])
            for name, host in zip(names, HOSTS):
                ip('-n', name, 'addr', 'add', host + '/24', 'dev', 'eth0')
                ip('-n', name, 'link', 'set', 'eth0', 'up')
                ip('-n', name, 'link', 'set', 'lo', 'up')
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip('no network namespaces here: %s' % error)
        yield names


def start(started, host, folder, index, *flags, log='log'):
    """Start a worker on a host; it writes to a log in its folder."""
    config = {'cluster': {'worker': ADDRESSES}, 'task': {'type': 'worker',
                                                         'index': index}}
    with open(folder / log, 'w') as file:
        started.append(subprocess.Popen(
            ['ip', 'netns', 'exec', host, sys.executable, MAIN,
             *map(str, [*FLAGS, *flags])], cwd=str(folder), stdout=file,
            stderr=subprocess.STDOUT, env=dict(
                os.environ, TF_CONFIG=json.dumps(config), TF_CPP_MIN_LOG_LEVEL='3')))
    return started[-1]


def steps(folder):
    return [int(row['step']) for row in
            processes.history_of(folder / 'checkpoint/r')]


@pytest.mark.slow
def test_two_hosts_train_go_on_and_are_parted(hosts, folder, started):
    # each has a disk of its own, with the same pictures
    own = [folder / host for host in 'ab']
    for place in own:
        shutil.copytree(folder / 'data', place / 'data')
    for epoch in 2, 4:
        both = [start(started, hosts[i], own[i], i, '--epoch', epoch) for i in range(2)]
        assert [process.wait(120) for process in both] == [0, 0], [
            (place / 'log').read_text() for place in own]
        assert steps(own[0]) == list(range(1, 4 * epoch + 1))
    assert 'resuming r after step 8' in (own[0] / 'log').read_text()
    assert not (own[1] / 'checkpoint').exists() and not (own[1] / 'samples').exists()

    both = [start(started, hosts[i], own[i], i, '--epoch', 10**4, '--peer_timeout', 8)
            for i in range(2)]
    end = time.monotonic() + 120
    while folders.latest(str(own[0] / 'checkpoint/r'))[0] < 18:
        assert time.monotonic() < end and both[0].poll() is None, (
            own[0] / 'log').read_text()
        time.sleep(0.1)
    # the index 0 once more, on the other host
    third = start(started, hosts[1], own[1], 0, '--peer_timeout', 8, log='third')
    assert third.wait(60) == 2, (own[1] / 'third').read_text()
    assert 'another process answers at its address' in (own[1] / 'third').read_text()
    ip('-n', hosts[0], 'link', 'set', 'eth0', 'down')       # the cable is cut
    assert [process.wait(60) for process in both] == [75, 75], [
        (place / 'log').read_text() for place in own]
    for place in own:
        assert 'frozen, or out of reach' in (place / 'log').read_text()


@pytest.mark.slow
def test_an_index_used_on_two_hosts_is_refused(hosts, folder, started):
    first = start(started, hosts[0], folder, 0, log='first')
    end = time.monotonic() + 120
    while ' 0A ' not in subprocess.run(
            ['ip', 'netns', 'exec', hosts[0], 'cat', '/proc/net/tcp6', '/proc/net/tcp'],
            capture_output=True, text=True).stdout:     # until it listens
        assert time.monotonic() < end and first.poll() is None
        time.sleep(0.1)
    second = start(started, hosts[1], folder, 0, '--name', 's', log='second')
    assert second.wait(60) == 2, (folder / 'second').read_text()
    assert 'another process answers at its address %s' % ADDRESSES[0] in (
        folder / 'second').read_text()
