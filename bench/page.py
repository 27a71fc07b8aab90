"""How fast an exported page draws in a browser, and how far from the run's own sampler.

python bench/page.py FOLDER [FOLDER ...]        needs chromium, and playwright

Each FOLDER holds index.html, as --task export writes it, and expected.npz, as
bench/expected_images.py writes it of the same run (of --z_dist normal01). Print a
table: seconds until the large picture and until the whole sheet stand, images a second
one and sixteen a call, and the largest difference in gray levels. Measure on a machine
that does nothing else.
"""

import contextlib
import functools
import http.server
import importlib.util
import os
import shutil
import sys
import threading

import numpy as np

TIMES = 3       # of which the median is taken
HEAD = ('| page | by | size, MB | first, s | sheet, s | 1 a call | 16 a call | '
        'levels |')
CALLS = (1, 60), (16, 8)        # images of a call, and how many calls are timed
DRAW = '''async ([z, y]) => {
    const faces = z.map((point, i) => ({
        point: Float32Array.from(point), y: Float32Array.from(y[i] || [])}));
    return (await dcgan.draw(faces)).map(picture => Array.from(picture));
}'''
SPEED = '''async ([count, calls, zDim, yDim]) => {
    const faces = Array.from({length: count}, () => ({
        point: Float32Array.from({length: zDim}, Math.random),
        y: new Float32Array(yDim)}));
    await dcgan.draw(faces);
    const start = performance.now();
    for (let i = 0; i < calls; i++) await dcgan.draw(faces);
    return 1000 * count * calls / (performance.now() - start);
}'''
FIRST = """() => document.querySelector('#large canvas')
    .getContext('2d').getImageData(9, 9, 1, 1).data[3] > 0"""


def main(folders):
    """Print the table."""
    print(HEAD + '\n|' + ' --- |' * 8)
    with chromium() as browser:
        for folder in folders:
            feed, images = expected(folder)
            path = path_of(folder)
            for how, address in (('file', 'file://' + path), ('http', serve(path))):
                tries = [measure(browser, address, feed, images) for _ in range(TIMES)]
                print('| %s | %s | %.2f | %.2f | %.2f | %.0f | %.0f | %d |' % (
                    folder, how, os.path.getsize(path) / 1e6,
                    *np.median(tries, axis=0)))
        print('Chromium %s; medians of %d' % (browser.version, TIMES))


def found():
    """Return the path of Chromium, or None where it or playwright is not there."""
    return importlib.util.find_spec('playwright') and shutil.which('chromium')


@contextlib.contextmanager
def chromium():
    """Give Chromium for a while."""
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found(), args=['--no-sandbox'])
        yield browser
        browser.close()


def expected(folder):
    """Return (feed, images) of expected.npz: z and of labels y, and what they draw."""
    with np.load(os.path.join(folder, 'expected.npz')) as file:
        return ({name: file[name] for name in file if name != 'images'},
                file['images'])


def path_of(folder):
    """Return the page's whole path."""
    return os.path.abspath(os.path.join(folder, 'index.html'))


def serve(path):
    """Serve the folder of a page on this machine; return the page's address."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(
        Quiet, directory=os.path.dirname(path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return 'http://127.0.0.1:%d/%s' % (server.server_port, os.path.basename(path))


def measure(browser, address, feed, images):
    """Return the numbers of a row: two times, two speeds and the difference."""
    page = browser.new_page()
    page.goto(address, wait_until='commit')
    first, ready = (page.wait_for_function(
        '() => (%s)() && performance.now()' % done, polling=10,
        timeout=120000).json_value() / 1000
        for done in (safe(FIRST), "() => document.body && document.body.dataset.ready"))
    page.wait_for_timeout(1000)     # the small pictures are drawn meanwhile
    most = levels(page.evaluate(DRAW, faces(feed)), images)
    speeds = [page.evaluate(SPEED, [count, calls] + sizes(feed))
              for count, calls in CALLS]
    page.close()
    return [first, ready, *speeds, most]


def faces(feed):
    """Return what DRAW takes of a feed: a list of z and one of y."""
    z = feed['z']
    return [z.tolist(), feed.get('y', np.zeros((len(z), 0))).tolist()]


def sizes(feed):
    """Return how many numbers z has, and how many y."""
    return [len(values[0]) for values in faces(feed)]


def safe(test):
    """Return a test of the page that fails while what it asks for is not there."""
    return '() => { try { return (%s)(); } catch (error) { return false; } }' % test


def levels(drawn, images):
    """Return how many gray levels images are apart at most."""
    drawn = np.asarray(drawn).reshape(images.shape)
    drawn, images = (np.round((values + 1) * 127.5) for values in (drawn, images))
    return np.abs(drawn - images).max()


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]) if sys.argv[1:] else __doc__)
