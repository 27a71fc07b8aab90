"""Bad input: its exceptions, and how a value is written in a message."""

import errno


class UserError(ValueError):
    """Bad input: what was found, what was expected, what to do. Exit status 2."""


class NotFoundError(UserError, FileNotFoundError):
    """Bad input: something that should be on disk is not there."""


class ClosedError(UserError, PermissionError):
    """Bad input: something on disk that this user must not read."""


# Where a package is missing: for those who gave python without the .venv before it
NOT_INSTALLED = (
    'Not installed yet (%s). Run `make install` and use .venv/bin/python, or run '
    '`python -m pip install -r requirements.txt`.')
# The disk, or this user's share of it, is full: no fault of what was asked for
NO_ROOM = errno.ENOSPC, errno.EDQUOT, errno.EFBIG
SHOWN = 80      # characters of a value in a message


def shown(value):
    """Return a value as text for a message: quoted, on one line, not too long."""
    if isinstance(value, int) and abs(value) >= 10 ** SHOWN:
        # Python refuses to write more digits than some thousands.
        return 'a number of more than %d digits' % SHOWN
    text = repr(value[:2 * SHOWN] if isinstance(value, str) else value)
    half = SHOWN // 2       # the end of a path tells most
    return text if len(text) <= SHOWN else text[:half - 1] + '…' + text[-half:]


def written(value):
    """Return a value as one writes it after its flag; long values as shown does."""
    return shown(value).strip("'")
