"""The page of --task watch in a real browser, while a real training goes on."""

import os
import re
import signal
import subprocess
import sys
import threading

import pytest

import main
from runs import history
from settings.config import Config
from tasks.parts.watching import log, server, shelf
from tasks.parts.watching.reading import quoted

ROOT = os.path.dirname(os.path.abspath(main.__file__))
HOSTILE = '"><img src=x onerror=alert(1)>'
TRAINING = '''--dataset toonfaces --train --name faces --output_height 16 --gf_dim 4
    --df_dim 4 --batch_size 16 --num_samples 9 --epoch 10000 --sample_freq 20
    --threads 1 --eval_freq 100 --eval_samples 50 --features pixels'''
SECONDS = 180 * 1000

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Train in a folder that also has a run of a hostile name; give the folder."""
    folder = tmp_path_factory.mktemp('page')
    other = folder / 'checkpoint' / HOSTILE
    other.mkdir(parents=True)
    (other / 'warnings.txt').write_text(HOSTILE)
    file = history.History(str(other / 'history.csv'), 0)
    for step in range(1, 300):
        file.append(step, 1, 0.1, dict.fromkeys(log.LOSSES, 0.25))
    file.close()
    write_odd(folder / 'checkpoint')
    training = subprocess.Popen(
        [sys.executable, os.path.join(ROOT, 'main.py'), *TRAINING.split(), '--data_dir',
         os.path.join(ROOT, 'data'), '--cache_dir', 'cache'], cwd=str(folder),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env=dict(os.environ, CUDA_VISIBLE_DEVICES='-1'))
    yield folder
    assert training.poll() is None, training.stderr.read()
    training.send_signal(signal.SIGTERM)
    training.communicate(timeout=60)
    assert training.returncode == 128 + signal.SIGTERM


ODD = {'nothing': [], 'one step': [1], 'no number': [float('nan')] * 30,
       'endless': [float('inf'), 1e300, -1e300, 1e-300], 'still': [0] * 30,
       'negative': [-5, -6, -7] * 10}


def write_odd(runs):
    """Write histories of odd values, of losses and of distances."""
    for name, values in ODD.items():
        (runs / name).mkdir()
        file = history.History(str(runs / name / 'history.csv'), 0)
        for step, value in enumerate(values, 1):
            judged = dict(fd=value, kid=value, judged_by='pixels')
            file.append(step, 1, 0, dict(dict.fromkeys(log.LOSSES, value), **judged))
        file.close()
    (runs / 'link').symlink_to(runs / 'still')


@pytest.fixture(scope='module')
def serving(folder):
    """Serve the folder's runs."""
    config = Config.make({'checkpoint_dir': str(folder / 'checkpoint'),
                          'sample_dir': str(folder / 'samples')}, {})
    with server.Server(0, shelf.Shelf(config)) as serving:
        threading.Thread(target=serving.serve_forever, args=(0.05,)).start()
        yield serving
        serving.shutdown()


@pytest.fixture
def visit(serving, browser):
    """Give a function that opens the page; fail where the browser had any complaint."""
    address = 'http://127.0.0.1:%d/' % serving.server_address[1]
    complaints, contexts = [], []

    def call(hash='', **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on('console', lambda message: complaints.append(message.text))
        page.on('pageerror', lambda error: complaints.append(str(error)))
        page.on('dialog', lambda dialog: complaints.append(dialog.message))
        page.on('request', lambda request: request.url.startswith(address)
                or complaints.append(request.url))
        page.goto(address + hash)
        page.loads = []
        page.on('load', lambda page: page.loads.append(page))
        return page

    yield call
    for context in contexts:
        context.close()
    assert complaints == []


def step_of(page):
    """Return the step that the page shows."""
    text = page.locator('#facts dd').first.text_content()
    return int(text.split(' of ')[0].replace(',', ''))


def until(page, expression, argument=None):
    page.wait_for_function(expression, arg=argument, timeout=SECONDS)


SHEETS = "n => document.querySelector('#place').max >= n"


def test_it_shows_new_steps_and_sheets_by_itself(visit):
    page = visit('#run=faces')
    page.locator('#state', has_text='training').wait_for(timeout=SECONDS)
    page.locator('#sheet').wait_for(timeout=SECONDS)
    until(page, SHEETS, 2)
    first, sheet = step_of(page), page.locator('#sheet').get_attribute('src')
    until(page, 'old => document.querySelector("#sheet").getAttribute("src") !== old',
          sheet)
    assert step_of(page) > first
    assert page.loads == []
    assert page.locator('#sheet').evaluate('image => image.naturalWidth') == 52
    assert page.locator('#loss .mean').count() == 3
    assert page.locator('#facts').text_content().count('images/s') == 1
    assert 'faces' in page.title()
    page.locator('#judged .best').wait_for(timeout=SECONDS, state='attached')
    assert re.search('smaller is better [0-9.]+, KID [0-9.e-]+',
                     page.locator('#judged').text_content())
    assert re.search('still to go[0-9,]+ steps, about', page.locator(
        '#facts').text_content())


def test_the_film_is_played_stopped_and_moved_by_keys(visit):
    page = visit('#run=faces')
    page.locator('#sheet').wait_for(timeout=SECONDS)
    until(page, SHEETS, 3)
    place, play = page.locator('#place'), page.locator('#play')
    assert place.input_value() == place.get_attribute('max')
    place.focus()
    page.keyboard.press('Home')
    assert page.locator('#which').text_content() == 'step 20, epoch 1'
    until(page, '() => document.querySelector("#sheet").src.includes("_00000020.png")')
    count = place.get_attribute('max')
    until(page, SHEETS, int(count) + 1)     # a new sheet does not move it away
    assert page.locator('#which').text_content() == 'step 20, epoch 1'
    play.focus()
    page.keyboard.press('Enter')
    assert play.text_content() == 'Pause'
    until(page, '() => document.querySelector("#place").value > 0')
    page.keyboard.press('Enter')
    assert play.text_content() == 'Play'
    assert page.locator('#sheet').get_attribute('alt').startswith('Samples after step')


def test_a_chart_tells_its_values_to_pointer_keys_and_screen_readers(visit):
    page = visit('#run=' + quoted(HOSTILE))
    page.locator('#name', has_text=HOSTILE).wait_for(timeout=SECONDS)
    assert page.locator('#notes li').all_text_contents()[-1] == HOSTILE
    chart = page.get_by_role('slider', name='Losses, by step')
    chart.wait_for()
    at = page.locator('#loss .at')
    assert at.text_content() == 'running means at step 299'
    box = chart.bounding_box()
    page.mouse.move(box['x'] + 50, box['y'] + 50)
    step = int(at.text_content().split()[-1])
    assert step < 20
    page.mouse.move(0, 0)
    assert at.text_content() == 'running means at step 299'
    chart.focus()
    page.keyboard.press('Home')
    page.keyboard.press('ArrowRight')
    assert chart.get_attribute('aria-valuetext') == (
        'step 2: G 0.25, D on real 0.25, D on generated 0.25')
    assert page.locator('#accuracy b').all_text_contents() == ['25 %', '25 %']


NUMBERS = [
    ('ticks(0, 1653, 5)', [0, 500, 1000, 1500]),
    ('ticks(-3.3, 0.11, 5)', [-3, -2, -1, 0]),
    ('ticks(0, 1.02, 4)', [0, 0.5, 1]),
    ('powerTicks(400, 2600)', [500, 1000, 2000]),
    ('powerTicks(5.01, 16)', [7, 10, 15]),
    ('powerTicks(22, 61)', [30, 40, 50, 60]),
    ('powerTicks(1.8, 2.2)', [1.8, 1.9, 2, 2.1, 2.2]),
    ('[0, 0.00001, 0.01234, 1.236, 12345.6, 2e9, null].map(digits)',
     ['0', '1.0e-5', '0.0123', '1.24', '12,346', '2.0e+9', '–']),
    ('[0.2, 59, 61, 3540, 3600, 3700, 86400 * 2 + 7300].map(span)',
     ['1 s', '59 s', '1 min', '59 min', '1 h', '1 h 2 min', '2 days 2 h'])]


def test_numbers_are_round_and_times_are_words(visit):
    page = visit()
    for expression, expected in NUMBERS:
        assert page.evaluate('''async () => {
            const { ticks, powerTicks } = await import('/chart.js');
            const { digits, span } = await import('/words.js');
            return %s; }''' % expression) == expected, expression


def test_two_runs_are_compared_and_the_address_keeps_it(visit):
    page = visit()
    page.get_by_role('link', name='faces').click()
    page.locator('#other').select_option(label=HOSTILE)
    until(page, '() => document.querySelectorAll("#loss .mean").length === 6')
    page.reload()
    until(page, '() => document.querySelectorAll("#loss .other .mean").length === 3')
    assert page.locator('#runs a[aria-current]').count() == 1
    page.get_by_role('slider', name='Losses, by step').focus()
    page.keyboard.press('Home')
    assert 'G (%s) 0.25' % HOSTILE in page.locator('#loss').text_content()
    if step_of(page) > 299:
        page.keyboard.press('End')
        assert 'G (%s) –' % HOSTILE in page.locator('#loss').text_content()
    page.locator('#other').select_option('')
    until(page, '() => document.querySelectorAll("#loss .mean").length === 3')


@pytest.mark.parametrize('width', [320, 390, 800, 1100, 1800])
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_nothing_is_wider_than_the_screen(visit, width, scheme):
    page = visit('#run=faces&with=' + quoted(HOSTILE), color_scheme=scheme,
                 viewport={'width': width, 'height': 800})
    page.locator('#loss svg').wait_for(timeout=SECONDS)
    assert page.evaluate('document.documentElement.scrollWidth') <= width
    dark = page.evaluate('getComputedStyle(document.body).backgroundColor')
    assert (max(map(int, re.findall('[0-9]+', dark))) < 60) == (scheme == 'dark')


def test_a_picture_stays_with_its_run(visit):
    page = visit('#run=faces')
    page.locator('#sheet').wait_for(timeout=SECONDS)
    page.get_by_role('link', name=HOSTILE).click()
    page.locator('#empty').wait_for()
    assert not page.locator('#sheet').is_visible()
    page.get_by_role('link', name='faces').click()
    until(page, '() => document.querySelector("#sheet").naturalWidth === 52')


def test_the_run_that_was_chosen_last_is_shown(visit):
    page = visit('#run=faces')
    page.locator('#sheet').wait_for(timeout=SECONDS)

    def wait(route):        # what was asked for first comes last
        page.wait_for_timeout(1000)
        route.continue_()
    page.route('**/runs/one%20step.json', wait)
    page.evaluate('''() => { location.hash = 'run=one%20step';
        setTimeout(() => { location.hash = 'run=still'; }, 300); }''')
    page.locator('#name', has_text='still').wait_for()
    page.wait_for_timeout(2000)
    assert page.locator('#name').text_content() == 'still'


@pytest.mark.parametrize('name', [*ODD, 'link'])
def test_odd_values_are_drawn_or_left_out(visit, name):
    page = visit('#run=%s&with=%s' % (quoted(name), quoted(HOSTILE)))
    page.locator('#name', has_text=name).wait_for(timeout=SECONDS)
    assert page.locator('#loss').is_visible() == (
        name not in ('nothing', 'link', 'no number'))
    drawn = page.locator('main').inner_html()
    assert not re.search('NaN|Infinity|undefined|null', drawn)
    assert page.locator('#notes li').count() > 0


def test_it_says_that_the_server_has_ended(folder, browser):
    config = Config.make({'checkpoint_dir': str(folder / 'checkpoint')}, {})
    with server.Server(0, shelf.Shelf(config)) as serving:
        threading.Thread(target=serving.serve_forever, args=(0.05,)).start()
        page = browser.new_page()
        page.goto('http://127.0.0.1:%d/' % serving.server_address[1])
        page.locator('#name').wait_for(timeout=SECONDS)
        serving.shutdown()
    page.locator('#alarm', has_text='does not answer').wait_for(timeout=SECONDS)
    page.close()
