"""The server of the page: on this machine alone, for reading alone.

It serves the page's own files, what reading.py makes of the runs' files, and sheets;
no path of a request ever becomes a path on the disk.
"""

import http.server
import json
import os
import re
import socketserver
import sys

from settings.errors import UserError
from tasks.parts.watching import shelf

HOST = '127.0.0.1'
FIRST = 8020        # the port; where it is taken, one of those after it
TRIED = 50
HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = {'.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript',
         '.svg': 'image/svg+xml'}
PAGE = {'/': 'page.html'}
PAGE.update(('/' + name, name) for name in sorted(os.listdir(HERE))
            if os.path.splitext(name)[1] in KINDS and name != 'page.html')
NAMES = re.compile(r'(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?', re.IGNORECASE)
HEADERS = {
    'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src "
                               "'self'; img-src 'self'; connect-src 'self'; base-uri "
                               "'none'; form-action 'none'; frame-ancestors 'none'",
    'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Cross-Origin-Opener-Policy': 'same-origin'}
LASTING = 'private, max-age=31536000, immutable'    # of what has its time in its name
NEVER = 'no-store'


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    timeout = 20                        # seconds for which a browser may say nothing
    caching = NEVER
    error_message_format = '%(explain)s\n'
    error_content_type = 'text/plain; charset=utf-8'

    def do_GET(self):
        """Answer a request with a page's file, JSON, a picture, or why not."""
        if not NAMES.fullmatch(','.join(self.headers.get_all('Host', []))):
            self.send_error(403, explain='This page answers to localhost alone.')
            return
        kind, body = answer(self.server.shelf, self.path)
        if not body:
            self.send_error(404, explain='There is nothing here. Go to /')
            return
        self.caching = LASTING if kind == 'image/png' else NEVER
        self.send_response(200)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    do_HEAD = do_GET

    def end_headers(self):
        """Add what all answers say: no other page may use them."""
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header('Cache-Control', self.caching)
        super().end_headers()

    def version_string(self):
        """Return what the header Server says."""
        return 'watch'

    def log_message(self, *args):
        """Print nothing: there are several requests a minute."""


def answer(shelf, path):
    """Return (kind, body) of what is at an address; (None, b'') where nothing is."""
    path = path.partition('?')[0]
    parts = path.split('/')[1:]
    if path in PAGE:
        ending = os.path.splitext(PAGE[path])[1]
        with open(os.path.join(HERE, PAGE[path]), 'rb') as file:
            return KINDS[ending] + '; charset=utf-8', file.read()
    if path == '/runs.json':
        return to_json(shelf.list())
    if len(parts) == 2 and parts[0] == 'runs' and parts[1].endswith('.json'):
        return to_json(shelf.details(parts[1][:-len('.json')]))
    if len(parts) == 3 and parts[0] == 'pictures':
        return 'image/png', shelf.picture(parts[1], parts[2])
    return None, b''


def to_json(value):
    """Return (kind, body) of a value as JSON; None is nothing."""
    return 'application/json', value and json.dumps(
        value, allow_nan=False, separators=(',', ':')).encode()


class Server(http.server.ThreadingHTTPServer):
    """Serves a Shelf at HOST, a thread for each request."""

    allow_reuse_address = os.name == 'posix'    # on Windows two could share a port

    def __init__(self, port, runs):
        self.shelf = runs
        super().__init__((HOST, port), Handler)

    def server_bind(self):
        """Take the port, without asking the network what this computer is called."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address):
        """Say nothing of a browser that has gone, and in a line what else happened."""
        error = sys.exc_info()[1]
        if not isinstance(error, (ConnectionError, TimeoutError)):
            print('warning: a request was not answered: %r' % error, file=sys.stderr)


def open_server(config):
    """Return a Server at --port, or at the first port that is free from FIRST on.

    Raises UserError where --port, or all of them, are taken.
    """
    given = config.port is not None
    for port in [config.port] if given else range(FIRST, FIRST + TRIED):
        try:
            return Server(port, shelf.Shelf(config))
        except OSError as error:
            reason = error.strerror
    raise UserError('--port %d cannot be served at: %s. Give another one%s.' % (
        port, reason, ', or leave --port out: then the next free one is taken'
        if given else ''))
