"""Do as bench/page.py, by file, in Firefox: python bench/firefox.py FOLDER [FOLDER ...]

It is driven by its own Marionette, so that nothing but firefox-esr is needed. A profile
for tests lets pages read other files; here that stays forbidden, as for everybody.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from bench import page  # noqa: E402

PORT = 'MarionetteActivePort'     # the file of the profile that says it
PROFILE = '''user_pref("marionette.port", 0);
user_pref("remote.prefs.recommended", false);
user_pref("security.fileuri.strict_origin_policy", true);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
'''
READY = '''const [done] = arguments, start = performance.now();
(function look() {
    document.body && document.body.dataset.ready ? done(performance.now() / 1000)
        : setTimeout(look, 20);
})();'''


class Marionette:
    """The connection to a Firefox: length:[type, id, command or error, parameters]."""

    def __init__(self, profile):
        with open(os.path.join(profile, 'user.js'), 'w') as file:
            file.write(PROFILE)
        self.process = subprocess.Popen([
            found(), '--headless', '--marionette', '--no-remote', '--profile', profile],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.socket, self.number = self.connect(profile), 0
        self.read()     # who it is
        self.do('WebDriver:NewSession', capabilities={})
        self.do('WebDriver:SetTimeouts', script=300000, pageLoad=120000)

    def connect(self, profile):
        """Return the socket, once the browser listens at the port that it chose."""
        for _ in range(600):
            with contextlib.suppress(OSError, ValueError), open(
                    os.path.join(profile, PORT)) as file:
                return socket.create_connection(('127.0.0.1', int(file.read())))
            time.sleep(0.2)
        self.close()
        raise SystemExit('Firefox does not answer')

    def do(self, command, **parameters):
        """Send a command; return the answer. Raises RuntimeError with its error."""
        self.number += 1
        text = json.dumps([0, self.number, command, parameters]).encode()
        self.socket.sendall(b'%d:%s' % (len(text), text))
        _, _, error, answer = self.read()
        if error:
            raise RuntimeError('%(error)s: %(message)s' % error)
        return answer

    def read(self):
        """Return the next message."""
        length = b''
        while not length.endswith(b':'):
            length += self.socket.recv(1)
        content = b''
        while len(content) < int(length[:-1]):
            content += self.socket.recv(2**20)
        return json.loads(content)

    def call(self, function, argument):
        """Return what an async function of the page returns."""
        script = ('const done = arguments[arguments.length - 1], page = window.'
                  'wrappedJSObject || window, {dcgan, Float32Array} = page;'
                  '(%s)(arguments[0]).then(done, e => done(String(e)));' % function)
        return self.do('WebDriver:ExecuteAsyncScript', script=script, args=[argument],
                       sandbox=None)['value']

    def open(self, folder):
        """Open the page of a folder; return after how many seconds its sheet stood."""
        self.do('WebDriver:Navigate', url='file://' + page.path_of(folder))
        return self.do('WebDriver:ExecuteAsyncScript', script=READY, args=[])['value']

    def close(self):
        """End the browser."""
        self.process.terminate()
        self.process.wait()


def found():
    """Return the path of Firefox, or None."""
    return shutil.which('firefox-esr') or shutil.which('firefox')


@contextlib.contextmanager
def firefox():
    """Give a Firefox for a while."""
    with tempfile.TemporaryDirectory() as profile:
        browser = Marionette(profile)
        try:
            yield browser
        finally:
            browser.close()


def main(folders):
    """Print a row for each folder."""
    print('| page | sheet, s | 1 a call | 16 a call | levels |\n|' + ' --- |' * 5)
    with firefox() as browser:
        for folder in folders:
            print('| %s | %.2f | %.0f | %.0f | %d |' % (folder, *measure(
                browser, folder)))


def measure(browser, folder):
    """Return the numbers of a row."""
    feed, images = page.expected(folder)
    ready = browser.open(folder)
    most = page.levels(browser.call(page.DRAW, page.faces(feed)), images)
    speeds = [browser.call(page.SPEED, [count, calls] + page.sizes(feed))
              for count, calls in page.CALLS]
    return [ready, *speeds, most]


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]) if sys.argv[1:] else __doc__)
