"""Forks processes that run main.py, so that each need not import TensorFlow anew.

A line of JSON on stdin asks for a process, or how one that was asked for has ended; a
line on stdout answers. No session is ever opened here, so that forking is safe. Used by
starts.py.
"""

import json
import os
import resource
import runpy
import signal
import sys
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, ROOT)

import matplotlib.backends.backend_agg  # noqa: E402, F401
import matplotlib.figure  # noqa: E402, F401

import tasks.evaluate  # noqa: E402, F401
import train  # noqa: E402, F401


def child(order):
    """Run main.py as the shell does; return its exit status."""
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, name in (1, 'out'), (2, 'err'):
        os.dup2(os.open(order[name], os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o666),
                number)
    os.chdir(order['folder'])
    if order['limit']:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order['limit'], order['limit']))
    if order['user']:
        os.setuid(order['user'])
    exec(order['setup'], {})
    sys.argv = ['main.py'] + order['flags']
    try:
        runpy.run_path(os.path.join(ROOT, 'main.py'), run_name='__main__')
    except SystemExit as end:
        return end.code or 0
    except KeyboardInterrupt:
        traceback.print_exc()
        return 99
    except BaseException:
        traceback.print_exc()
        return 98
    return 97


def start(order):
    """Start a process; return its id."""
    process = os.fork()
    if process:
        return process
    status = 96
    try:
        status = child(order)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def ended(process, seconds):
    """Return how a process has ended, as subprocess does; None where it has not."""
    end = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            return None
        time.sleep(0.002)


if __name__ == '__main__':
    answers = os.fdopen(os.dup(1), 'w')     # its children write to files
    for line in sys.stdin:
        asked = json.loads(line)
        answer = (start(asked) if 'flags' in asked
                  else ended(asked['process'], asked['seconds']))
        answers.write(json.dumps(answer) + '\n')
        answers.flush()
