"""Which picture the page shows: its address, the seed's field, the browser's Back."""

import pytest
from test_page import PLAIN


@pytest.mark.slow
def test_a_link_to_a_picture_can_be_sent(opened, where, make):
    tab = opened(PLAIN, hash_='#seed=7&n=12')
    page, wanted = tab.page, tab.large()
    assert page.locator('[aria-current]').get_attribute('aria-label') == 'picture 12'
    assert page.input_value('#seed') == '7'
    assert page.inner_text('#caption') == 'Picture 12 of seed 7'
    page.locator('#directions input').first.fill('2.5')
    changed = tab.wait_for_another(wanted)
    page.wait_for_function("() => location.hash.includes('face=')")
    sent = page.url
    page.evaluate("location.hash = '#seed=7&n=12'")     # typed into the address
    assert tab.wait_for_another(changed) == wanted
    other = opened(PLAIN, hash_=sent[sent.index('#'):], locale='de')
    assert apart(other, changed) < 2


def apart(tab, other):
    """Return how many gray levels the large picture is from one that was kept."""
    return tab.page.evaluate('''async other => {
        const pixels = async source => {
            const image = new Image();
            image.src = source;
            await image.decode();
            const canvas = document.createElement('canvas');
            Object.assign(canvas, {width: image.width, height: image.height});
            const context = canvas.getContext('2d');
            context.drawImage(image, 0, 0);
            return context.getImageData(0, 0, image.width, image.height).data;
        };
        const a = await pixels(document.querySelector('#large canvas').toDataURL());
        const b = await pixels(other);
        return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);
    }''', other)


@pytest.mark.slow
def test_new_pictures_are_taken_up_but_a_changed_one_is_kept(opened):
    tab = opened(PLAIN, hash_='#seed=0&n=3')
    page, third = tab.page, tab.large()
    look = "() => document.querySelector('#sheet canvas').toDataURL()"
    before = page.evaluate(look)
    page.click('#fresh')
    page.wait_for_function('old => (%s)() !== old' % look, arg=before)
    first, seed = tab.wait_for_another(third), page.input_value('#seed')
    assert seed != '0' and page.inner_text('#caption') == 'Picture 0 of seed ' + seed
    page.locator('#directions input').first.fill('2.5')
    changed = tab.wait_for_another(first)
    assert page.inner_text('#caption') == 'Your changed picture'
    page.fill('#seed', '0')
    page.press('#seed', 'Enter')
    page.wait_for_function('old => (%s)() === old' % look, arg=before)
    assert tab.large() == changed
    assert page.inner_text('#caption') == 'Your picture is kept'
    assert 'is kept' in page.inner_text('#status')
    page.click('#undo')
    assert tab.wait_for_another(changed) == first
    assert page.inner_text('#caption') == 'Picture 0 of seed ' + seed


@pytest.mark.slow
@pytest.mark.parametrize('text', ['-5', '1.5', '4294967296', ''])
def test_what_is_no_seed_is_refused_aloud(opened, text):
    tab = opened(PLAIN, hash_='#seed=7&n=2')
    page, large = tab.page, tab.large()
    page.fill('#seed', text)
    page.press('#seed', 'Enter')
    assert page.inner_text('#status') == (
        'A seed is a whole number from 0 to 4294967295.')
    assert page.input_value('#seed') == '7' and tab.large() == large
    assert page.evaluate('''() => {      // and the words stand where no button is
        const said = document.querySelector('#status').getBoundingClientRect();
        return [...document.querySelectorAll('button, input')].filter(x => {
            const box = x.getBoundingClientRect();
            return box.width && box.left < said.right && box.right > said.left
                && box.top < said.bottom && box.bottom > said.top;
        }).length;
    }''') == 0


@pytest.mark.slow
def test_back_returns_to_the_picture_before(opened):
    tab = opened(PLAIN, hash_='#seed=3&n=1')
    page, seen = tab.page, [tab.large()]
    for act in (lambda: page.locator('#sheet button').nth(4).click(),
                lambda: page.locator('#directions input').first.fill('2.5'),
                lambda: page.locator('#sheet button').nth(9).click(),
                lambda: page.fill('#seed', '5') or page.press('#seed', 'Enter')):
        act()
        seen.append(tab.wait_for_another(seen[-1]))
        page.wait_for_timeout(200)      # the address follows
    page.go_back()
    assert tab.wait_for_another(seen[4]) == seen[3]
    assert page.input_value('#seed') == '3'
    page.go_back()
    tab.wait_for_another(seen[3])
    assert apart(tab, seen[2]) < 2      # its numbers are rounded in the address
    page.go_back()
    tab.large()
    assert page.inner_text('#caption') == 'Picture 1 of seed 3'
    page.go_forward()
    page.go_forward()
    tab.large()
    assert page.inner_text('#caption') == 'Picture 9 of seed 3'
