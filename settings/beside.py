"""What comes with the program lies beside it, wherever one stands."""

import os

PROGRAM = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


def places(path):
    """Return where a path may be, absolute: from where one stands, and the program."""
    found = [os.path.abspath(path), os.path.join(PROGRAM, path)]
    return list(dict.fromkeys(found))


def first(path):
    """Return the first of those places where there is something, or the first."""
    there = [place for place in places(path) if os.path.exists(place)]
    return (there or places(path))[0]
