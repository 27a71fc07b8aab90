import mmap
import platform
import re

import pytest

from runs import large_pages

SIZE = 16 << 20


@pytest.fixture
def memory():
    """Give memory of this process alone, of which every page is in use."""
    memory = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory[:] = bytes(range(256)) * (SIZE // 256)
    yield memory
    memory.close()


def in_large_pages():
    """Return how many KiB of this process lie in large pages."""
    with open('/proc/self/smaps_rollup') as file:
        return int(re.search(r'AnonHugePages: *(\d+) kB', file.read()).group(1))


def can_be_asked():
    """Tell whether this system gives large pages to whoever asks by `take`."""
    release = re.match(r'(\d+)\.(\d+)', platform.release())
    if platform.system() != 'Linux' or tuple(map(int, release.groups())) < (6, 1):
        return False
    try:
        with open(large_pages.SWITCH) as file:
            return '[madvise]' in file.read()
    except OSError:
        return False


@pytest.mark.skipif(not can_be_asked(), reason='needs Linux 6.1 or later, and large '
                    'pages for who asks: %s says madvise' % large_pages.SWITCH)
def test_memory_goes_into_large_pages_and_stays_as_it_is(memory):
    before = in_large_pages()
    large_pages.take()
    assert in_large_pages() >= before + SIZE // 1024 // 2
    assert memory[:] == bytes(range(256)) * (SIZE // 256)


@pytest.mark.parametrize('switch', ['[always] madvise never', 'always madvise [never]',
                                    None])
def test_nothing_is_asked_for_where_linux_decides_itself(tmp_path, monkeypatch, switch):
    path = tmp_path / 'enabled'
    if switch:
        path.write_text(switch)
    monkeypatch.setattr(large_pages, 'SWITCH', str(path))
    monkeypatch.setattr(large_pages, 'blocks', lambda: pytest.fail('it asks'))
    large_pages.take()
