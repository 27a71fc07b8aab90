"""What others do while a run trains, exports and --task watch, leaves it as it is."""

import json
import re
import signal

import pytest
import starts as processes
from starts import FLAGS

from runs.folders import latest

EPOCHS, STEPS = 20, 160
# A disk so slow that the training outlasts what happens beside it, until that is done
SLOW_UNTIL_DONE = '''
import os, time
replace = os.replace
def slow_replace(source, path):
    if 'DCGAN.model' in str(path) and not os.path.exists('done'):
        time.sleep(0.5)
    replace(source, path)
os.replace = slow_replace
'''


@pytest.fixture
def alone(starts, tmp_path):
    """Return the folder of a run that trained alone, with all its checkpoints."""
    processes.make_images(tmp_path / 'alone' / 'data' / 'noise')
    start = starts(tmp_path / 'alone', *FLAGS, '--epoch', EPOCHS, '--max_to_keep', 1000)
    assert start.wait(300) == 0, start.said()
    return tmp_path / 'alone'


@pytest.fixture
def beside(starts, tmp_path):
    """Begin the same run, which keeps 3 checkpoints; return (its Start, its folder)."""
    folder = tmp_path / 'beside'
    processes.make_images(folder / 'data' / 'noise')
    start = starts(folder, *FLAGS, '--epoch', EPOCHS, setup=SLOW_UNTIL_DONE)
    assert start.until((folder / 'checkpoint/r/checkpoint').exists)
    return start, folder


@pytest.mark.slow
def test_exports_and_a_watching_browser_do_not_disturb_a_training(
        starts, alone, beside, browser):
    start, folder = beside
    watching = starts(folder, '--task', 'watch')
    page = visit(browser, watching)
    steps, pages = [step_of(page)], []
    for _ in range(2):
        pages.append(export(starts, folder))
        assert start.until(lambda: latest(str(folder / 'checkpoint/r'))[0]
                           > step_in(pages[-1]))
        until_beyond(page, steps[-1])
        steps.append(step_of(page))
    assert start.poll() is None, 'the training was over too soon: ' + start.said()
    assert page.locator('#state').text_content() == 'training'
    (folder / 'done').touch()
    assert start.wait(300) == 0, start.said()
    page.locator('#state', has_text='finished').wait_for(timeout=60000)
    assert step_of(page) == STEPS and page.complaints == []
    page.close()
    watching.signal(signal.SIGINT)
    assert watching.wait() == 0, watching.said()

    assert_same_training(alone, folder)
    first, second = map(step_in, pages)
    assert 0 < first < second < STEPS
    for step, content in zip((first, second), pages):
        assert export(starts, alone, '--checkpoint', step) == content


def visit(browser, watching):
    """Open the page of --task watch at the run r; it keeps what it complains of."""
    found = []
    watching.until(lambda: found.extend(re.findall(r'http://\S+', watching.said()))
                   or found)
    page, page.complaints = browser.new_page(), []
    page.on('console', lambda message: page.complaints.append(message.text))
    page.on('pageerror', lambda error: page.complaints.append(str(error)))
    page.goto(found[0] + '#run=r')
    page.locator('#state', has_text='training').wait_for(timeout=60000)
    page.locator('#sheet').wait_for(timeout=60000)
    return page


def step_of(page):
    """Return the step that the page of --task watch shows."""
    return int(page.locator('#facts dd').first.text_content().split(' of ')[0])


def until_beyond(page, step):
    """Wait until the page of --task watch shows a later step."""
    page.wait_for_function(
        "step => parseInt(document.querySelector('#facts dd').textContent) > step",
        arg=step, timeout=60000)


def export(starts, folder, *words):
    """Export the page of a run; return its bytes."""
    done = starts(folder, '--task', 'export', '--formats', 'page', '--name', 'r',
                  *words)
    assert done.wait() == 0, done.said()
    return (folder / 'samples/r/export/index.html').read_bytes()


def step_in(content):
    """Return the step that an exported page says it is of."""
    return json.loads(re.search(b'id="facts">(.*?)</script>', content).group(1))['step']


def assert_same_training(one, other):
    """Compare the histories, the sheets and the last weights of two runs r."""
    rows = processes.history_of(one / 'checkpoint/r')
    assert [int(row['step']) for row in rows] == list(range(1, STEPS + 1))
    assert rows == processes.history_of(other / 'checkpoint/r')
    processes.assert_same_values(*(folder / 'checkpoint/r' / (
        'DCGAN.model-%d' % STEPS) for folder in (one, other)))
    sheets, others = ({path.name: path.read_bytes() for path in (
        folder / 'samples/r').glob('train*')} for folder in (one, other))
    assert len(sheets) > STEPS // 3 and sheets == others
