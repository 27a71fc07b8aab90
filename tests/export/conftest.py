"""Exported pages, and what opens them in the browser of tests/conftest.py."""

import functools
import http.server
import re
import threading

import networks
import pytest
from tabs import Tab

from export import facts, frozen
from runs.folders import Run
from tasks import export


@pytest.fixture(scope='session')
def serve():
    """Give a function that serves a folder on this machine; it returns the address."""
    servers = []

    def start(folder):
        handler = functools.partial(Quiet, directory=str(folder))
        servers.append(http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return 'http://127.0.0.1:%d/' % servers[-1].server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = dict(http.server.SimpleHTTPRequestHandler.extensions_map, **{
        '.js': 'text/javascript'})

    def log_message(self, *_):
        pass


# --- exported pages ------------------------------------------------------------

@pytest.fixture(scope='session')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('page')


@pytest.fixture(scope='session')
def make(folder):
    """Return a function that exports the page of a case: (its file, feed, images)."""
    made = {}

    def make(name):
        if name not in made:
            config, weights, feed, images = networks.case(name)
            about = facts.collect(config, Run('a run', '', ''), 3)
            network = export.Network(config, weights, about,
                                     frozen.meta_graph(config, weights, about))
            file = folder / (re.sub(r'\W+', '-', name) + '.html')
            file.write_bytes(export.page(network))
            made[name] = file, feed, images
        return made[name]
    return make


@pytest.fixture(scope='session')
def where(folder, serve):
    """Return a function that gives the address of a file, by 'file' or by 'http'."""
    served = serve(folder)
    return lambda file, how: file.as_uri() if how == 'file' else served + file.name


@pytest.fixture(scope='session')
def tabs(browser):
    """Tabs that stay open, since the network takes its time to start: {case: Tab}."""
    tabs = {}
    yield tabs
    for each in tabs.values():
        each.page.close()


@pytest.fixture
def opened(browser, tabs, make, where):
    """Return a function that opens the page of a case; nothing may go wrong in it.

    Without settings it is the tab that is open already, at what the address says.
    """
    used = []

    def opened(name, how=None, hash_='#seed=0&n=0', **settings):
        how = how or ('http' if 'labels' in name else 'file')
        if settings or (name, how) not in tabs:
            tab = Tab(browser, **settings).open(where(make(name)[0], how), hash_)
            tabs[len(tabs) if settings else (name, how)] = tab
        used.append(tabs[len(tabs) - 1] if settings else tabs[name, how])
        used[-1].go_to(hash_)
        return used[-1]

    yield opened
    for tab in used:
        assert tab.errors == []
