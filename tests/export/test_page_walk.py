"""The page's walk between two pictures, and what leaves the page: files and links."""

import re

import numpy as np
import pytest
from PIL import Image
from test_page import LABELS, PLAIN


@pytest.mark.slow
def test_a_walk_goes_to_the_picture_that_is_clicked(opened):
    tab = opened(PLAIN, hash_='#seed=2&n=4')
    page, start = tab.page, tab.large()
    page.click('#another')
    assert 'click the picture' in page.inner_text('#status')
    page.locator('#sheet button').nth(9).click()
    assert tab.large() == start and page.locator('#way').evaluate(
        'way => way === document.activeElement')
    page.fill('#way', '1')
    there = tab.wait_for_another(start)
    assert page.locator('[aria-current]').get_attribute('aria-label') == 'picture 9'
    page.locator('#sheet button').nth(9).click()
    assert tab.large() == there
    page.click('#another')
    page.keyboard.press('Escape')       # nothing is chosen any more, nor is it said
    assert page.inner_text('#status') == ''
    page.locator('#sheet button').nth(3).click()
    assert page.locator('[aria-current]').get_attribute('aria-label') == 'picture 3'


@pytest.mark.slow
def test_a_click_during_a_walk_stays(opened):
    tab = opened(PLAIN)
    page = tab.page
    page.locator('#sheet button').nth(7).click()
    wanted = tab.large()
    for _ in range(4):
        page.locator('#sheet button').nth(2).click()
        page.click('#play')
        tab.page.wait_for_function("() => document.querySelector('#way').value > 0.01")
        assert page.inner_text('#play') == 'Stop'
        page.locator('#sheet button').nth(7).click()
        assert tab.large() == wanted
        assert page.inner_text('#play') == 'Play' and page.input_value('#way') == '0'


@pytest.mark.slow
def test_the_picture_and_the_walk_are_saved(opened, tmp_path):
    tab = opened(LABELS)
    page = tab.page
    with page.expect_download() as download:
        page.click('#save')
    download.value.save_as(tmp_path / 'a.png')
    large = np.asarray(Image.open(tmp_path / 'a.png').convert('RGB'))
    assert download.value.suggested_filename == 'a run-0-0.png'
    assert large.shape == (28 * 18, 28 * 18, 3)
    picture = page.evaluate('''async () => {
        const small = document.querySelector('#sheet canvas');
        const data = small.getContext('2d').getImageData(0, 0, 28, 28).data;
        return Array.from(data).filter((_, i) => i % 4 === 0);
    }''')
    np.testing.assert_array_equal(large[9::18, 9::18, 0].ravel(), picture)
    with page.expect_download() as download:
        page.click('#film')
    download.value.save_as(tmp_path / 'a.gif')
    film = Image.open(tmp_path / 'a.gif')
    assert download.value.suggested_filename == 'a run-0-0-to-1.gif'
    assert film.n_frames == 48 and film.size == (252, 252) and film.info['loop'] == 0
    first = np.asarray(film.convert('L'))[4::9, 4::9].ravel().astype(int)
    film.seek(24)
    last = np.asarray(film.convert('L'))[4::9, 4::9].ravel().astype(int)
    assert np.abs(first - picture).max() <= 1 and np.abs(last - first).max() > 20


@pytest.mark.slow
@pytest.mark.parametrize('how', ['file', 'http'])
def test_a_copied_link_says_where_it_works(opened, how):
    tab = opened(PLAIN, how)
    tab.page.evaluate(
        'navigator.clipboard.writeText = async text => { copied = text; }')
    tab.page.click('#link')
    tab.page.wait_for_function("() => document.querySelector('#done').textContent")
    assert tab.page.inner_text('#done') == {'http': 'Copied.', 'file': (
        'Copied. It works only on this computer; for a friend: Save picture.')}[how]
    assert tab.page.evaluate('copied') == tab.page.url


@pytest.mark.slow
def test_stop_leaves_it_where_it_is_and_undo_goes_back(opened):
    tab = opened(PLAIN, hash_='#seed=4&n=2')
    page, start = tab.page, tab.large()
    for _ in range(2):
        page.click('#play')
        page.wait_for_function("() => document.querySelector('#way').value > 0.2")
        page.click('#play')
        at = page.input_value('#way')
        assert page.inner_text('#play') == 'Play' and tab.large() != start
        assert page.input_value('#way') == at
    page.click('#undo')         # the second walk
    assert float(page.input_value('#way')) > 0.2
    page.click('#undo')
    assert page.input_value('#way') == '0' and tab.large() == start


@pytest.mark.slow
def test_saving_stops_a_walk_and_goes_back_to_where_it_began(opened):
    tab = opened(PLAIN, hash_='#seed=4&n=2')
    page, start = tab.page, tab.large()
    page.click('#play')
    page.wait_for_function("() => document.querySelector('#way').value > 0.2")
    with page.expect_download() as download:
        page.click('#film')
    assert download.value.suggested_filename.startswith('a run-4-2-to-')
    assert page.inner_text('#play') == 'Play'
    assert page.input_value('#way') == '0' and tab.large() == start


@pytest.mark.slow
def test_files_are_called_by_what_is_in_them(opened):
    tab = opened(PLAIN)
    page = tab.page

    def saved():
        with page.expect_download() as download:
            page.click('#save')
        return download.value.suggested_filename
    first = page.locator('#directions input').first
    page.locator('#sheet button').nth(5).click()
    assert saved() == 'a run-0-5.png'
    first.fill('1')
    numbers = [int(re.fullmatch(r'a run-changed-(\d+)\.png', saved()).group(1))]
    assert saved() == 'a run-changed-%d.png' % numbers[0]
    first.fill('2')
    assert saved() == 'a run-changed-%d.png' % (numbers[0] + 1)
