"""A tab of the browser that shows an exported page."""

import re


class Tab:
    """A page in the browser, with all that it asked for and complained of."""

    def __init__(self, browser, before=None, **settings):
        self.page = browser.new_page(**settings)
        if before:      # a script that runs before the page's own
            self.page.add_init_script(before)
        self.requests, self.errors = [], []
        self.page.on('request', lambda request: self.requests.append(request.url))
        self.page.on('pageerror', lambda error: self.errors.append(str(error)))
        self.page.on('dialog', lambda dialog: self.errors.append(dialog.message))
        self.page.on('console', lambda message: self.errors.append(message.text)
                     if message.type in ('error', 'warning') else None)

    def open(self, address, hash_=''):
        """Open an exported page, until its network has drawn the sheet.

        It shows sharp pixels: smooth ones are not the same on every canvas.
        """
        self.page.goto(address + hash_)
        self.page.wait_for_selector('body[data-ready]', timeout=120000)
        self.page.check('#pixels')
        return self

    def go_to(self, hash_):
        """Go to what an address says, as if nothing had been done before."""
        self.page.keyboard.press('Escape')
        self.page.evaluate("""hash => {
            document.querySelectorAll('#nearness').forEach(x => { x.value = 0.45; });
            history.replaceState(null, '', '#');
            location.hash = hash;
        }""", hash_)
        self.page.wait_for_timeout(30)      # hashchange comes later

    def asked_for(self):
        """Return the addresses that were asked for, but for what the page made."""
        return [url for url in self.requests if not re.match('(blob|data):', url)]

    def large(self):
        """Return the large picture, once it has come to rest, as a text to compare."""
        return self.page.evaluate('''async () => {
            const canvas = document.querySelector('#large canvas');
            let before;
            do {
                before = canvas.toDataURL();
                await new Promise(done => setTimeout(done, 120));
            } while (canvas.toDataURL() !== before);
            return before;
        }''')

    def wait_for_another(self, before):
        """Wait until the large picture is another one; return it at rest."""
        self.page.wait_for_function(
            "old => document.querySelector('#large canvas').toDataURL() !== old",
            arg=before)
        return self.large()
