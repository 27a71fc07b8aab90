"""Watch: a page of the runs for a browser, which shows what a training has done so far.

No checkpoint and no TensorFlow: it reads the files of the runs, again and again, and
writes none. The page and its server: tasks/parts/watching/.
"""

import contextlib
import getpass
import os
import socket

from runs.folders import nearest_folder
from tasks.parts.watching.reading import quoted
from tasks.parts.watching.server import HOST, open_server

CONTAINER = ('/.dockerenv', '/run/.containerenv')


def main(config):
    """Serve the page until Ctrl-C. Raises UserError where it cannot be served."""
    nearest_folder(config.checkpoint_dir)       # refuses what can be no folder
    with open_server(config) as server:
        port, found = server.server_address[1], len(server.shelf.names())
        print('%s in %s' % ('%d runs' % found if found != 1 else '1 run',
                            server.shelf.folder))
        if not found:
            print('they show up as they begin: train one in another terminal')
        print('open http://%s:%d/%s' % (
            HOST, port, '#run=' + quoted(config.name) if config.name else ''))
        print(from_elsewhere(port))
        print('Ctrl-C ends this page alone: what trains goes on')
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
    print('\nended')


def from_elsewhere(port):
    """Say how a browser of another computer gets to the page."""
    client = os.environ.get('SSH_CONNECTION', '').split()
    if len(client) != 4 and any(map(os.path.exists, CONTAINER)):
        return ('from outside this container: start it with `docker run --network '
                'host …`')
    host = client[2] if len(client) == 4 else socket.gethostname()
    return ('from another computer: `ssh -L %d:%s:%d %s@%s` there, then the same '
            'address' % (port, HOST, port, user(), host))


def user():
    """Return the name of the user; in some containers there is none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return 'USER'
