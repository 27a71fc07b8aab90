"""Open one file of a server over HTTP, of which every answer may be wrong or hostile.

No address is followed but of http and https; a connection is given up that is silent,
or slower than anyone would wait for. Google Drive's form of confirmation is answered.
"""

import contextlib
import http.client
import re
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser

TIMEOUT = 30        # seconds of silence before a connection is given up
SLOWEST = 2 ** 10   # bytes a second, over two TIMEOUTs, that keep it
PAGE = 2 ** 16      # bytes of a web page that are looked at


class MirrorError(Exception):
    """Say why one mirror did not give a file this time."""


class Refused(MirrorError):
    """Say why one mirror does not give a file, however often it is asked."""


# --- a connection that is watched --------------------------------------------

class Watch:
    """Shut a connection down that brings too little in any two TIMEOUTs.

    A socket's own time-out is for silence alone: a byte now and then, in a header or in
    a body, would hold the program for ever.
    """

    def __init__(self, sock):
        self.came, self.slow = 0, False
        threading.Thread(target=self.run, args=(sock,), daemon=True).start()

    def run(self, sock):
        """Look now and then how much came, until it is closed or too slow."""
        before, closed = 0, threading.Event()
        while self.came >= before:
            before = self.came + SLOWEST * 2 * TIMEOUT
            closed.wait(2 * TIMEOUT)
        self.slow = True
        with contextlib.suppress(OSError):      # closed long ago
            # Not SSLSocket's, which takes what another thread is reading with away.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def check(self):
        """Raise MirrorError where it was shut down."""
        if self.slow:
            raise MirrorError(f'less than {SLOWEST:,} bytes a second')


class Watched:
    """A connection of http.client whose answer keeps its Watch."""

    def connect(self):
        """Connect, and begin to watch."""
        super().connect()
        self.watch = Watch(self.sock)

    def getresponse(self):
        """Return the answer, once its header is there. Raises TimeoutError."""
        try:
            response = super().getresponse()
        except (OSError, http.client.HTTPException):
            if self.watch.slow:
                raise TimeoutError from None
            raise
        response.watch = self.watch
        return response


class Connection(Watched, http.client.HTTPConnection):
    """A watched connection by http."""


class SecureConnection(Watched, http.client.HTTPSConnection):
    """A watched connection by https."""


class Web(urllib.request.HTTPHandler):
    """Open http: addresses by watched connections."""

    def http_open(self, request):
        """Open one."""
        return self.do_open(Connection, request)


class SecureWeb(urllib.request.HTTPSHandler):
    """Open https: addresses by watched connections."""

    def https_open(self, request):
        """Open one."""
        return self.do_open(SecureConnection, request)


class Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects to http and https alone, and do not read what they bring."""

    def http_error_302(self, request, response, *arguments):
        """Follow one; urllib would read its body first, however long it is."""
        response.close()
        return super().http_error_302(request, response, *arguments)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(self, request, response, code, message, headers, url):
        """Return the request for another address. Raises Refused."""
        if not url.startswith(('http:', 'https:')):
            raise Refused(f'leads to {clean(url)}, which is not HTTP')
        return super().redirect_request(request, response, code, message, headers, url)


def open_url(request):
    """Return the answer to a request; there is no handler but for http and https."""
    director = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler, Web, SecureWeb, Redirects,
                    urllib.request.HTTPDefaultErrorHandler,
                    urllib.request.HTTPErrorProcessor, urllib.request.UnknownHandler):
        director.add_handler(handler())
    return director.open(request, timeout=TIMEOUT)


# --- its answers -------------------------------------------------------------

def clean(text):
    """Return a server's text in one line of at most 200 printable characters."""
    plain = ''.join(c if c.isprintable() else ' ' for c in str(text))
    return ' '.join(plain.split())[:200]


class Form(HTMLParser):
    """Find in a web page the form by which Google Drive asks for confirmation."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields = '', {}
        # The parser stops at some broken pages with an AssertionError.
        with contextlib.suppress(AssertionError):
            self.feed(page)

    def handle_starttag(self, tag, attrs):
        """Note a form's address and what it sends, until one is found that confirms."""
        values = {key: value or '' for key, value in attrs}
        if tag == 'form' and 'confirm' not in self.fields:
            self.action, self.fields = values.get('action', ''), {}
        elif tag == 'input' and values.get('type') == 'hidden':
            self.fields.setdefault(values.get('name', ''), values.get('value', ''))


@contextlib.contextmanager
def network(watch=None):
    """Turn what a connection raises into MirrorError or Refused.

    An OSError from anywhere else is then the disk's.
    """
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        if 300 <= error.code < 400:
            raise Refused(f'HTTP {error.code}, redirects that lead nowhere') from None
        passing = error.code >= 500 or error.code in (408, 429)
        raise (MirrorError if passing else Refused)(
            clean(f'HTTP {error.code} {error.reason}')) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if watch:
            watch.check()
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, TimeoutError):
            raise MirrorError(f'silent for {TIMEOUT} seconds') from None
        text = getattr(reason, 'strerror', None) or str(reason) or repr(reason)
        if isinstance(reason, http.client.IncompleteRead):
            text = 'cut off within a chunk'
        raise MirrorError(clean(text)) from None


def request(url, start):
    """Ask for `url` from byte `start` on, or for all of it where it ends before.

    Raises MirrorError.
    """
    headers = {'User-Agent': 'download.py (DCGAN-tensorflow)',
               'Accept-Encoding': 'identity'}
    if not re.match('https?://', url):
        raise Refused(f'leads to {clean(url)}, which is not HTTP')
    if start:
        headers['Range'] = f'bytes={start}-'
    with network():
        try:
            return open_url(urllib.request.Request(url, headers=headers))
        except urllib.error.HTTPError as error:
            if error.code != 416 or not start:
                raise
            error.close()
            return request(url, 0)


def read_page(response):
    """Return the text of a web page that came instead of a file, '' for a file."""
    with network():
        head = response.peek(64).lstrip(b'\xef\xbb\xbf \t\r\n').lower()
        sniffed = response.status == 200 and head.startswith((b'<!doctype html',
                                                              b'<html'))
        if not sniffed and response.headers.get_content_type() != 'text/html':
            return ''
        with response:
            return response.read(PAGE).decode('utf-8', 'replace') or '<html>'


def describe(page):
    """Say in one line that a web page came, and what it tells."""
    title = re.search('<title>([^<]{1,80})', page, re.I)
    named = f' ({clean(title[1])})' if title else ''
    quota = re.search('quota exceeded|too many users', page, re.I)
    why = ': the quota of downloads of this file is used up for now' if quota else ''
    return f'a web page{named} instead of the file{why}'


def open_file(url, start):
    """Open a file from byte `start` on, or from 0 where the server will not.

    Returns the response and the byte it begins at; answers Google Drive's form of
    confirmation. Raises MirrorError.
    """
    response = request(url, start)
    page = read_page(response)
    form = Form(page)
    if 'confirm' in form.fields:
        action = urllib.parse.urljoin(response.url, form.action)
        response = request(action + ('&' if '?' in action else '?')
                           + urllib.parse.urlencode(form.fields), start)
        page = read_page(response)
    if page:
        raise Refused(describe(page))
    if response.status != 206:
        return response, 0
    if response.headers.get('Content-Range', '').startswith(f'bytes {start}-'):
        return response, start
    response.close()
    if not start:
        raise Refused('HTTP 206, a part, where the whole file was asked for')
    return open_file(url, 0)
