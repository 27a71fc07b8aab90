"""How fast an exported page draws in a browser, and how far from the run's own sampler.

python bench/page.py FOLDER [FOLDER ...]        needs chromium, and playwright

Each FOLDER holds index.html, as --task export writes it, and expected.npz, as
bench/expected_images.py writes it of the same run (of --z_dist normal01). Print a
table: seconds until the large picture and until the whole sheet stand, images a second
one and sixteen a call, the same a second of the processor's time (what other programs
take does not count; Linux), and the largest difference in gray levels.
"""

import functools
import glob
import http.server
import os
import shutil
import sys
import threading

import numpy as np
from playwright.sync_api import sync_playwright

TIMES = 3       # of which the median is taken
HEAD = ('| page | by | size, MB | first, s | sheet, s | 1 a call | 16 a call | '
        '1, processor | 16, processor | levels |')
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
    print(HEAD + '\n|' + ' --- |' * 10)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which('chromium'), args=['--no-sandbox'])
        for folder in folders:
            with np.load(os.path.join(folder, 'expected.npz')) as file:
                expected = dict(file)
            path = os.path.abspath(os.path.join(folder, 'index.html'))
            for how, address in (('file', 'file://' + path), ('http', serve(path))):
                tries = [measure(browser, address, expected) for _ in range(TIMES)]
                print('| %s | %s | %.2f | %.2f | %.2f | %s | %d |' % (
                    folder, how, os.path.getsize(path) / 1e6, *row(tries)))
        print('Chromium %s; medians of %d' % (browser.version, TIMES))
        browser.close()


def serve(path):
    """Serve the folder of a page on this machine; return the page's address."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(
        Quiet, directory=os.path.dirname(path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return 'http://127.0.0.1:%d/%s' % (server.server_port, os.path.basename(path))


def measure(browser, address, expected):
    """Return the numbers of a row: times, speeds and the difference."""
    page = browser.new_page()
    page.goto(address, wait_until='commit')
    first, ready = (page.wait_for_function(
        '() => (%s)() && performance.now()' % done, polling=10,
        timeout=120000).json_value() / 1000
        for done in (safe(FIRST), "() => document.body && document.body.dataset.ready"))
    page.wait_for_timeout(1000)     # the small pictures are drawn meanwhile
    z, y = expected['z'], expected.get('y', np.zeros((len(expected['z']), 0)))
    drawn = page.evaluate(DRAW, [z.tolist(), y.tolist()])
    sizes = [z.shape[1], y.shape[1]]
    speeds, by_processor = [], []
    for count, calls in CALLS:
        before = processor_times()
        speeds.append(page.evaluate(SPEED, [count, calls] + sizes))
        spent = max(time - before.get(process, 0)
                    for process, time in processor_times().items())
        by_processor.append(count * (calls + 1) / spent)
    page.close()
    return [first, ready] + speeds + by_processor + [
        levels(drawn, expected['images'])]


def row(tries):
    """Return the medians: two times, the speeds as a text, the levels."""
    first, ready, *speeds, most = np.median(tries, axis=0)
    return first, ready, ' | '.join('%.0f' % speed for speed in speeds), most


def processor_times():
    """Return the seconds that each of our processes has computed, {process: s}."""
    children, found, left = {}, {}, [os.getpid()]
    for path in glob.glob('/proc/[0-9]*/stat'):
        try:
            with open(path) as file:
                values = file.read().rpartition(')')[2].split()
        except OSError:     # it has ended
            continue
        children.setdefault(int(values[1]), []).append(
            (path, (int(values[11]) + int(values[12])) / os.sysconf('SC_CLK_TCK')))
    while left:
        for path, time in children.get(left.pop(), []):
            found[path] = time
            left.append(int(path.split('/')[2]))
    return found


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
