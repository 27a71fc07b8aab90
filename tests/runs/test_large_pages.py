import ctypes
import mmap
import platform
import re

import pytest

from runs import large_pages

LARGE = 2 << 20
SIZE = 8 * LARGE


@pytest.fixture
def make():
    """Give a function that takes memory and uses a share of its pages."""
    taken = []

    def make(used=1):
        memory = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.madvise(mmap.MADV_DONTFORK)      # so that it makes a block of its own
        taken.append(memory)
        numbers = bytes(range(256)) * int(used * LARGE / 256)
        for start in range(0, SIZE, LARGE):
            memory[start:start + len(numbers)] = numbers
        return memory
    yield make
    for memory in taken:
        memory.close()


def address_of(memory):
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def in_large_pages(address):
    """Return how many bytes lie in large pages, of the block that holds an address."""
    with open('/proc/self/smaps', 'rb') as file:
        for start, end, large in re.findall(
                rb'^([0-9a-f]+)-([0-9a-f]+) (?:.*\n)(?:[A-Z].*\n)*?'
                rb'AnonHugePages: +(\d+) kB', file.read(), re.M):
            if int(start, 16) <= address < int(end, 16):
                return 1024 * int(large)
    raise AssertionError('no such block')


def can_be_asked():
    """Tell whether this system gives large pages of 2 MiB to whoever asks by `take`."""
    release = re.match(r'(\d+)\.(\d+)', platform.release())
    if platform.system() != 'Linux' or tuple(map(int, release.groups())) < (6, 1):
        return False
    try:
        return ('[madvise]' in large_pages.setting('enabled')
                and int(large_pages.setting('hpage_pmd_size')) == LARGE)
    except OSError:
        return False


asked = pytest.mark.skipif(not can_be_asked(), reason='needs Linux 6.1 or later and '
                           'large pages of 2 MiB for who asks: %senabled says madvise'
                           % large_pages.SETTINGS)


@asked
def test_memory_goes_into_large_pages_and_stays_as_it_is(make):
    memory = make()
    address = address_of(memory)
    assert not in_large_pages(address)
    large_pages.take()
    assert in_large_pages(address) >= SIZE / 2
    assert memory[:] == bytes(range(256)) * (SIZE // 256)


@asked
def test_a_file_of_any_name_is_in_use(make, tmp_path):
    path = bytes(tmp_path) + b'/\xff\xfe.bin'
    with open(path, 'wb+') as file:
        file.write(bytes(SIZE))
        file.flush()
        with mmap.mmap(file.fileno(), SIZE, flags=mmap.MAP_PRIVATE) as mapped:
            mapped[:] = bytes(SIZE)
            large_pages.take()
            address = address_of(mapped)
            assert not in_large_pages(address)


@asked
def test_blocks_with_holes_are_left(make):
    address = address_of(make(used=0.01))
    large_pages.take()
    assert not in_large_pages(address)


@pytest.mark.parametrize('switch', ['[always] madvise never', 'always madvise [never]',
                                    None])
def test_nothing_is_asked_for_where_linux_decides_itself(tmp_path, monkeypatch, switch):
    if switch:
        (tmp_path / 'enabled').write_text(switch)
    monkeypatch.setattr(large_pages, 'SETTINGS', '%s/' % tmp_path)
    monkeypatch.setattr(large_pages, 'blocks', lambda least: pytest.fail('it asks'))
    large_pages.take()
