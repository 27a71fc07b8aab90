"""Holding: whoever reads a checkpoint has it, even while its training goes on."""

import contextlib
import glob
import os
import shutil
import tempfile

from runs import checkpoints
from settings.errors import NO_ROOM, UserError


@contextlib.contextmanager
def held(run, which=None):
    """Give (step, path, copy) of a run's checkpoint, as choose does.

    The copy, in a temporary folder, stays even if the run's training removes the
    checkpoint meanwhile. UserErrors name the path, not the copy.
    """
    with tempfile.TemporaryDirectory(prefix='checkpoint-') as folder:
        while True:
            step, path = checkpoints.choose(run, which)
            try:
                copy = hold(path, tempfile.mkdtemp(dir=folder))
            except FileNotFoundError:   # removed just now. Where there is no other,
                continue                # choose says so
            if which or glob.glob(glob.escape(copy) + '.data-*'):
                break
        try:
            yield step, path, copy
        except UserError as error:
            raise type(error)(str(error).replace(copy, path))


def hold(path, folder):
    """Link a checkpoint's files into a folder, or copy them; return its path there.

    Or the path itself, where there is no room. Raises FileNotFoundError where the files
    are being removed: the index goes first, so where that is read last, all were there.
    """
    for file in reversed(checkpoints.files_of(path)):
        file, copy = os.path.realpath(file), os.path.join(
            folder, os.path.basename(file))
        try:
            os.link(file, copy)
        except FileNotFoundError:
            raise
        except OSError:         # another disk, or no links there
            try:
                shutil.copyfile(file, copy)
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise
                return path
    return os.path.join(folder, os.path.basename(path))
