"""The page's modules that know no page, called in a real browser."""

import io
import os

import numpy as np
import pytest
from PIL import Image
from scipy import special

from export import page, preview
from tasks.parts import latent


@pytest.fixture(scope='module')
def call(browser, serve):
    """Return a function that calls one of a module: call('numbers.arc', …)."""
    tab = browser.new_page()
    tab.goto(serve(page.FOLDER) + 'page.css')      # any file: the modules lie beside it

    def call(name, *arguments):
        module, function = name.split('.')
        return tab.evaluate('''async ([file, name, words]) => {
            const plain = x => ArrayBuffer.isView(x) ? Array.from(x) : x;
            return plain((await import(file))[name](...words));
        }''', ['/%s.js' % module, function, list(arguments)])
    call.tab = tab
    yield call
    tab.close()


def test_a_seed_draws_the_same_everywhere(call):
    for seed in (0, 7, 2**32 - 1):
        drawn = call.tab.evaluate('''async seed => {
            const {generator} = await import('/numbers.js');
            return Array.from({length: 5}, generator(seed));
        }''', seed)
        assert drawn == list(preview.uniforms(seed, 5))
        normal = call.tab.evaluate('''async seed => {
            const {generator, normals} = await import('/numbers.js');
            return Array.from(normals(generator(seed), 6));
        }''', seed)
        assert np.allclose(preview.points(seed, 2, 3).ravel(), normal, atol=1e-6)


def test_normal_numbers_are_normal(call):
    drawn = np.array(call.tab.evaluate('''async () => {
        const {generator, normals} = await import('/numbers.js');
        return Array.from(normals(generator(3), 20000));
    }'''))
    assert abs(drawn.mean()) < 0.03 and abs(drawn.std() - 1) < 0.03
    assert abs(np.mean(drawn < 1) - special.ndtr(1)) < 0.01


def test_uniform_z_are_the_shares_of_normal_numbers(call):
    x = [-4.0, -1.5, -0.1, 0.0, 0.3, 2.0, 4.0]
    assert call('numbers.toZ', x, 'normal01') == x
    assert np.allclose(call('numbers.toZ', x, 'uniform_unsigned'), special.ndtr(x),
                       atol=2e-7)
    assert np.allclose(call('numbers.toZ', x, 'uniform_signed'),
                       2 * special.ndtr(x) - 1, atol=4e-7)


@pytest.mark.parametrize('b', [[3, 1, -2, 0.5], [2, 4, 6, 0], [-1, -2, -3, 0]])
def test_an_arc_is_that_of_a_walk(call, b):
    a, shares = [1, 2, 3, 0], [0, 0.2, 0.5, 1]
    found = [call('numbers.arc', a, b, t) for t in shares]
    assert np.isfinite(found).all() and found[0] == a and found[-1] == b
    if b[0] > 0:
        assert np.allclose(found, latent.slerp(np.array(a), np.array(b), shares),
                           atol=1e-5)


def test_a_point_moves_along_a_direction_to_a_value(call):
    point, vector = [1.0, 2.0, -1.0], [0.6, 0.8, 0.0]
    there = np.array(call('numbers.moved', point, vector, -3))
    assert there @ vector == pytest.approx(-3)
    assert np.cross(there - point, vector) == pytest.approx(0, abs=1e-6)


def test_neighbours_keep_the_length_and_come_from_all_sides(call):
    rng = np.random.default_rng(0)
    point = rng.standard_normal(4000)
    for share in (0, 0.5, 1):
        there = np.array(call.tab.evaluate('''async ([point, share]) => {
            const {generator, near} = await import('/numbers.js');
            return near(point, generator(1), share);
        }''', [point.tolist(), share]))
        assert np.linalg.norm(there) == pytest.approx(np.linalg.norm(point), rel=0.05)
        kept = there @ point / (point @ point)
        assert kept == pytest.approx((1 - share**2) ** 0.5, abs=0.05)


def test_an_address_says_the_picture_or_all_its_numbers(call):
    assert call('address.write', {'seed': 7, 'n': 12}) == 'seed=7&n=12'
    assert call('address.read', '#seed=7&n=12', 3) == {
        'seed': 7, 'n': 12, 'numbers': None}
    numbers = [0.5, -7.25, 3.0001]
    text = call('address.write', {'seed': 4294967295, 'numbers': numbers})
    found = call.tab.evaluate('''async text => {
        const {seed, numbers} = (await import('/address.js')).read('#' + text, 3);
        return [seed, ...numbers];
    }''', text)
    assert found == pytest.approx([4294967295] + numbers, abs=1.3e-4)
    assert len(call('address.write', {'seed': 1, 'numbers': [0] * 1000})) < 20


@pytest.mark.parametrize('text', [
    '', '#', '#seed=-1&n=1.5', '#seed=1e3&n=x', '#seed=4294967296', '#face=AAAA',
    '#face=<img>', '#face=%00', '#seed=99999999999999999999', '#face=A',
    '#n&seed&face'])
def test_what_an_address_should_not_hold_is_left_out(call, text):
    assert not any(call('address.read', text, 3).values())


def test_of_what_waits_only_the_newest_is_done(call):
    done = call.tab.evaluate('''async () => {
        const {newest} = await import('/newest.js');
        const done = [], ask = newest(async x => {
            await new Promise(go => setTimeout(go, x === 1 ? 40 : 1));
            if (x === 9) throw new Error('no');
            done.push(x);
        });
        ask(1); ask(2); ask(3); await ask(4);
        await ask(9).catch(() => done.push('failed'));
        await ask(5);
        return done;
    }''')
    assert done == [1, 4, 'failed', 5]


# --- GIF ----------------------------------------------------------------------

def gif(call, frames, delay=7):
    """Return the animation of frames uint8 [F, H, W, 3] as Pillow reads it."""
    flat = [np.dstack([frame, np.full(frame.shape[:2], 255)]).ravel().tolist()
            for frame in frames]
    size = frames[0].shape
    data = call.tab.evaluate('''async ([frames, width, height, delay]) => {
        const {animation} = await import('/gif.js');
        const blob = animation(
            frames.map(x => Uint8ClampedArray.from(x)), width, height, delay);
        return Array.from(new Uint8Array(await blob.arrayBuffer()));
    }''', [flat, size[1], size[0], delay])
    return Image.open(io.BytesIO(bytes(data)))


def read(image):
    frames = []
    for i in range(image.n_frames):
        image.seek(i)
        frames.append(np.asarray(image.convert('RGB')))
    return np.array(frames)


def test_few_colours_are_kept_as_they_are(call):
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 64, (40, 3)) * 4
    frames = colours[rng.integers(0, 40, (3, 13, 7))].astype(np.uint8)
    image = gif(call, frames)
    assert image.size == (7, 13) and image.info['loop'] == 0
    assert image.info['duration'] == 70
    np.testing.assert_array_equal(read(image), frames)


def test_many_codes_and_colours_come_close(call):
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (1, 80, 80, 3), np.uint8)      # the codes run out
    assert np.abs(read(gif(call, noise)).astype(int) - noise).mean() < 20
    y, x = np.indices((64, 64)) * 4
    smooth = np.stack([np.dstack([x, y, (x + y) // 2])] * 2).astype(np.uint8)
    assert np.abs(read(gif(call, smooth)).astype(int) - smooth).mean() < 6
    grays = np.repeat(np.arange(256).reshape(1, 16, 16, 1), 3, axis=3).astype(np.uint8)
    np.testing.assert_array_equal(read(gif(call, grays)), grays)


def test_modules_are_joined_in_order_and_only_from_the_folder():
    script = page.join('main.js')
    order = [script.index('// --- %s\n' % name) for name in (
        'facts.js', 'numbers.js', 'engine.js', 'main.js')]
    assert order == sorted(order)
    names = {name for name in os.listdir(page.FOLDER) if name.endswith('.js')}
    assert {line[7:] for line in script.splitlines()
            if line.startswith('// --- ') and line.endswith('.js')} == names
    assert not [line for line in script.splitlines()
                if line.startswith(('import ', 'export '))]


@pytest.mark.parametrize('text', ['a </script> b', 'a </ScRiPt', '<!-- x'])
def test_what_would_end_a_script_is_refused(text):
    with pytest.raises(ValueError, match='would end it'):
        page.inert(text)
