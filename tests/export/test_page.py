"""The exported page in a real browser: what it draws, and that every control works."""

import base64
import html
import io
import json
import os
import re

import networks
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image
from tabs import Tab

from export import directions, facts, frozen
from export import page as page_module
from runs.folders import Run
from tasks import export
from utils import inverse_transform

LABELS, PLAIN, SWITCHES = 'gray, hostile labels', 'odd, kernel 4', 'attributes, uniform'
ROOT = os.path.dirname(os.path.dirname(page_module.FOLDER))
SEEN = '''name => {
    const box = document.querySelector(name).getBoundingClientRect();
    return box.top >= 0 && box.bottom <= innerHeight;
}'''
# a browser with a share sheet: it keeps what it is given
SHARING = '''navigator.canShare = ({files}) => files.length > 0;
navigator.share = async ({files: [{name, type}]}) => { shared = [name, type]; };'''
NARROW = {'width': 360, 'height': 640}


def drawn(tab, feed):
    """Return what the page draws of z and y, as the program's images [N, H, W, C]."""
    z = feed['z']
    y = feed.get('y', np.zeros((len(z), 0)))
    found = tab.page.evaluate('''async ([z, y]) => {
        const faces = z.map((point, i) => ({
            point: Float32Array.from(point), y: Float32Array.from(y[i])}));
        return (await dcgan.draw(faces)).map(picture => Array.from(picture));
    }''', [z.tolist(), y.tolist()])
    return np.array(found)


def levels(a, b):
    """Return how many gray levels images are apart at most."""
    a, b = (inverse_transform(np.asarray(images, np.float32)).astype(int)
            for images in (a, b))
    return np.abs(a - b.reshape(a.shape)).max()


# --- what it draws --------------------------------------------------------------

@pytest.mark.parametrize('name, how', [(LABELS, 'http'), (PLAIN, 'file')])
def test_it_draws_what_tensorflow_draws_and_asks_for_nothing(opened, make, name, how):
    tab = opened(name, how)
    _, feed, images = make(name)
    assert levels(drawn(tab, feed), images) <= 1
    assert tab.asked_for() == [tab.page.url.partition('#')[0]]
    assert tab.page.evaluate('''async address => {
        try { await fetch(address); } catch (error) { return 'refused'; }
    }''', 'data:,x') == 'refused'
    assert any("'none'" in error or 'Refused' in error or 'violates' in error
               for error in tab.errors)
    tab.errors.clear()      # of that test alone


@pytest.mark.slow
def test_uniform_z_and_attributes(opened, make):
    tab = opened(SWITCHES)
    _, feed, _ = make(SWITCHES)
    config, weights, _, _ = networks.case(SWITCHES)
    points = np.random.RandomState(0).standard_normal((3, config.z_dim))
    about = facts.collect(config, Run('a', '', ''), 3)
    with frozen.drawing(frozen.meta_graph(config, weights, about)) as draw:
        wanted = draw(directions.to_z(points, config.z_dist), feed['y'][:3])
    assert levels(drawn(tab, {'z': points, 'y': feed['y'][:3]}), wanted) <= 1
    before = tab.large()
    box = tab.page.get_by_role('switch', name='B')
    assert not box.is_checked()
    box.click()
    after = tab.wait_for_another(before)
    tab.page.click('#undo')
    assert not box.is_checked() and tab.wait_for_another(after) == before


@pytest.mark.slow
def test_the_sheet_has_a_row_for_each_label_and_names_do_no_harm(opened):
    tab = opened(LABELS)
    assert tab.page.locator('#sheet h3').all_inner_texts() == list(networks.HOSTILE)
    buttons = tab.page.locator('#kinds button')
    assert [text.strip() for text in buttons.all_inner_texts()] == list(
        networks.HOSTILE)
    assert tab.page.locator('img').count() == 0
    rows = tab.page.locator('#sheet .pictures').evaluate_all(
        'rows => rows.map(row => row.children.length)')
    assert len(set(rows)) == 1 and rows[0] > 1 and len(rows) == 3
    before = tab.large()
    buttons.nth(2).click()
    assert tab.wait_for_another(before) != before
    assert [button.get_attribute('aria-pressed') for button in buttons.all()] == [
        'false', 'false', 'true']
    # the picture below it in the sheet has the same z: it is the same picture
    labelled = tab.large()
    tab.page.locator('#sheet button').nth(2 * rows[0]).click()
    assert tab.large() == labelled


# --- every control ----------------------------------------------------------------

@pytest.mark.slow
def test_every_control_changes_the_picture_and_undo_takes_it_back(opened):
    tab = opened(PLAIN)
    page, before = tab.page, tab.large()
    seen = [before]

    def changes(act):
        nonlocal before
        act()
        seen.append(tab.wait_for_another(before))
        before = seen[-1]
    changes(lambda: page.locator('#sheet button').nth(5).click())
    for slider in page.locator('#directions input').all():
        changes(lambda slider=slider: slider.fill('3'))
    changes(lambda: page.locator('.direction button').first.click())
    changes(lambda: page.locator('#neighbours button').nth(3).click())
    changes(lambda: page.locator('#way').fill('0.5'))
    changes(lambda: page.locator('#from button').click())
    page.click('#every summary')
    page.wait_for_selector('#numbers input')
    assert page.locator('#numbers input').count() == 8      # z_dim
    changes(lambda: page.locator('#numbers input').last.fill('-3.5'))
    for wanted in reversed(seen[:-1]):
        page.click('#undo')
        assert tab.wait_for_another(before) == wanted
        before = wanted


@pytest.mark.slow
def test_others_and_nearness_change_the_neighbours_alone(opened):
    tab = opened(PLAIN)
    large = tab.large()
    look = "() => document.querySelector('#neighbours canvas').toDataURL()"
    before = tab.page.evaluate(look)
    for act in (lambda: tab.page.click('#others'),
                lambda: tab.page.fill('#nearness', '0.9')):
        act()
        tab.page.wait_for_function('old => (%s)() !== old' % look, arg=before)
        before = tab.page.evaluate(look)
    assert tab.large() == large


@pytest.mark.slow
def test_sliders_of_attributes_are_shorter(opened):
    said = opened(PLAIN).page.locator('#together')
    ends = "all => all.map(x => [x.min, x.max])"
    assert not said.is_visible()
    tab = opened(PLAIN, before="""
        const parse = JSON.parse;
        JSON.parse = text => {
            const facts = parse(text);
            Object.assign(facts.directions[0], {attribute: true, low: 'without'});
            return facts;
        };""")
    page, start = tab.page, tab.large()
    assert 'moves together' in page.inner_text('#together')
    assert page.locator('#directions input').evaluate_all(ends)[:2] == [
        ['-2', '2'], ['-4', '4']]
    end = page.get_by_role('button', name='Direction 1, without')
    assert end.get_attribute('title') == 'jump there'
    end.focus()
    page.keyboard.press('Enter')
    tab.wait_for_another(start)
    assert page.locator('#directions input').first.input_value() == '-2'


@pytest.mark.slow
def test_all_numbers_come_into_view_beside_the_picture(opened):
    tab = opened(PLAIN)
    page = tab.page
    page.evaluate('() => { document.querySelector("#every").open = false; }')
    page.set_viewport_size({'width': 1280, 'height': 500})
    assert page.inner_text('#every summary') == 'All 8 numbers behind it'
    page.click('#every summary')
    page.wait_for_function(SEEN, arg='#numbers input')
    page.wait_for_function(SEEN, arg='#large canvas')
    page.set_viewport_size({'width': 1280, 'height': 720})


# --- for everybody -------------------------------------------------------------

@pytest.mark.slow
def test_by_keys_alone(opened):
    tab = opened(PLAIN)
    page, first = tab.page, tab.large()
    page.focus('#seed')
    page.keyboard.press('Tab')
    focused = "() => document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(focused) == 'picture 0'
    for key, label in (('ArrowRight', 1), ('ArrowDown', 7), ('ArrowLeft', 6),
                       ('End', 47), ('ArrowUp', 41), ('Home', 0), ('ArrowDown', 6)):
        page.keyboard.press(key)
        assert page.evaluate(focused) == 'picture %d' % label
    page.keyboard.press('Enter')
    sixth = tab.wait_for_another(first)
    page.keyboard.press('Tab')
    assert page.evaluate('document.activeElement.id') == 'undo'     # one stop, then on
    page.locator('#directions input').first.focus()
    page.keyboard.press('ArrowRight')
    moved = tab.wait_for_another(sixth)
    page.keyboard.press('Control+z')
    assert tab.wait_for_another(moved) == sixth


@pytest.mark.slow
@pytest.mark.parametrize('name', [
    LABELS, PLAIN])
def test_on_a_phone_nothing_is_cut_off(opened, name):
    tab = opened(name, viewport=NARROW, has_touch=True, is_mobile=True,
                 color_scheme='dark', before=SHARING)
    page, first = tab.page, tab.large()
    page.locator('#every summary').tap()
    assert page.evaluate('document.documentElement.scrollWidth') <= NARROW['width']
    small = page.locator('button, input:not([type=checkbox])').evaluate_all(
        '''all => all.filter(
            x => x.offsetParent && x.getBoundingClientRect().height < 24)
        .map(x => x.id || x.ariaLabel)''')
    assert small == []
    page.locator('#sheet button').nth(3).tap()
    tab.wait_for_another(first)
    page.locator('#directions input').last.scroll_into_view_if_needed()
    box = page.locator('#large canvas').bounding_box()
    assert box['y'] >= 0 and box['y'] + box['height'] < NARROW['height']    # in sight
    page.locator('#share').tap()
    page.wait_for_function('() => window.shared')
    assert page.evaluate('shared') == ['a run-0-3.png', 'image/png']
    assert max(contrasts(page)) > 7 and min(contrasts(page)) >= 4.5


def contrasts(page):
    """Return the contrasts of the texts' colours with the background (WCAG)."""
    values = page.evaluate('''() => [
        'h1', '.quiet', '#status', 'button', 'footer p'].map(
        name => [getComputedStyle(document.querySelector(name)).color,
                 getComputedStyle(document.querySelector(
                    name === 'button' ? name : 'body'))
                 .backgroundColor])''')

    def luminance(text):
        parts = np.array([int(x) for x in re.findall(r'\d+', text)[:3]]) / 255
        return np.where(parts <= 0.04045, parts / 12.92,
                        ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
    found = [sorted(map(luminance, pair)) for pair in values]
    return [(high + 0.05) / (low + 0.05) for low, high in found]


@pytest.mark.slow
@pytest.mark.parametrize('name', [LABELS, SWITCHES])
def test_a_screen_reader_finds_a_name_for_everything(opened, name):
    tab = opened(name)
    tab.page.click('#every summary')
    unnamed = tab.page.evaluate('''() => [...document.querySelectorAll(
        'button, input, canvas, section')].filter(x => {
            const text = x.getAttribute('aria-label') || x.textContent.trim()
                || (x.labels && x.labels[0] && x.labels[0].textContent.trim())
                || x.closest('button[aria-label], [aria-hidden=true]');
            return !text;
        }).map(x => x.outerHTML.slice(0, 80))''')
    assert unnamed == []
    assert tab.page.get_attribute('#status', 'role') == 'status'
    assert min(contrasts(tab.page)) >= 4.5


@pytest.mark.slow
def test_a_browser_that_cannot_is_told_so(browser, make, where):
    lacking = Tab(browser)
    lacking.page.add_init_script('delete window.WebAssembly')
    lacking.page.goto(where(make(PLAIN)[0], 'file'))
    lacking.page.wait_for_function(
        "() => document.querySelector('#status').textContent")
    assert 'cannot run' in lacking.page.inner_text('#status')
    lacking.page.close()


@pytest.mark.slow
def test_the_same_network_makes_the_same_page(make):
    config, weights, _, _ = networks.case(PLAIN)
    about = facts.collect(config, Run('a run', '', ''), 3)
    with tf.Graph().as_default():
        again = export.page(export.Network(
            config, weights, about, frozen.meta_graph(config, weights, about)))
    assert again == make(PLAIN)[0].read_bytes()
    told = json.loads(re.search(
        r'<script type="application/json" id="facts">(.*?)</script>',
        again.decode()).group(1))
    vectors = np.array([each['vector'] for each in told['directions']])
    assert vectors.shape == (8, config.z_dim)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(8), atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize('name', [LABELS, PLAIN])
def test_the_sheet_that_stands_at_once_is_the_one_that_is_drawn(opened, make, name):
    tab = opened(name)
    told = re.search(r'<img id="preview"[^>]* src="data:image/jpeg;base64,([^"]+)">',
                     make(name)[0].read_text(encoding='utf-8')).group(1)
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(told))).convert('RGB'))
    shown = np.array(tab.page.locator('#sheet canvas').nth(8).evaluate(
        '''canvas => Array.from(canvas.getContext('2d').getImageData(
            0, 0, canvas.width, canvas.height).data)''')).reshape(-1, 4)[:, :3]
    (height, width), columns = make(name)[2].shape[1:3], 6
    row, column = divmod(8, columns)
    tile = sheet[row * height:(row + 1) * height, column * width:(column + 1) * width]
    assert np.abs(tile.reshape(-1, 3).astype(int) - shown).mean() < 12


@pytest.mark.slow
def test_the_page_says_whose_the_pictures_are(make):
    text = html.unescape(make(LABELS)[0].read_text(encoding='utf-8'))
    assert 'This page is of the network a run, trained on flat.' in text
    assert 'The pictures: ask whoever trained it.' in text
    assert 'Software in this page: onnxruntime-web, MIT, Microsoft.' in text
    told = '\n'.join(page_module.rights({'name': 'a run', 'dataset': 'toonfaces'}))
    with open(os.path.join(ROOT, 'data/toonfaces/ATTRIBUTION.txt')) as file:
        credit = file.read()
    for part in ('"ToonHead" by Johan Melin', 'CC BY 4.0', '@dicebear/toon-head',
                 'https://creativecommons.org/licenses/by/4.0/'):
        assert part in told and part in credit
    assert 'ask whoever' not in told
