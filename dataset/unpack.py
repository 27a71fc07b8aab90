"""Take files out of archives that nobody vouches for: .zip and .tar.gz.

An archive may name places outside its folder, links and devices, one name twice, and
sizes that are not its own; a few bytes of it may inflate to a full disk. So a .zip is
looked through before the first byte is written, and unpacked to a new folder or not at
all; of a .tar.gz, the wanted files are read and the rest is passed over.
"""

import contextlib
import errno
import gzip
import os
import re
import shutil
import stat
import tarfile
import unicodedata
import zipfile

from settings.errors import UserError

CHUNK = 2**18
# Python inflates these in pieces; of bzip2 or LZMA, 300 bytes may fill the memory.
METHODS = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
OTHER_METHOD = 'is compressed in another way than by deflate'
ENCRYPTED = 0x1
RATIO, LITTLE = 10, 2**30      # what a .zip may inflate to: times its size, or bytes
PAX = tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE
# A part of a path that means the same file, and only it, on every system: Windows has
# devices of some names, whatever their ending, and forgets a dot or space at the end.
PLAIN = re.compile(r'(?!(con|prn|aux|nul|(com|lpt)[0-9\xb9\xb2\xb3]) *(\.|$))'
                   r'[^\0-\x1f\x7f\\/:*?"<>|]*[^\0-\x1f\x7f\\/:*?"<>|. ]', re.I)


@contextlib.contextmanager
def reading(path, kind='a .zip'):
    """Turn what a damaged archive raises, which is nearly anything, into UserError."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError('%s cannot be read as %s (%s): fetch it again.'
                        % (path, kind, ascii(error)[:200]))


# --- .tar.gz -----------------------------------------------------------------

class Bounded:
    """A file to read of which no more than so many bytes are given out."""

    def __init__(self, file, most):
        self.file, self.most, self.given, self.ends = file, most, 0, 0

    def read(self, size):
        """Read up to `size` bytes. Raises UserError beyond the most.

        And EOFError for who reads on at the end: tarfile would, to get to the end of a
        member that is said to have 2**60 bytes.
        """
        content = self.file.read(size)
        self.given += len(content)
        self.ends += size > 0 and not content
        if self.ends > 100:
            raise EOFError('it ends before the end of a member')
        if self.given > self.most:
            raise UserError('it inflates to more than %d bytes' % self.most)
        return content


class Header(tarfile.TarInfo):
    """A header of a .tar; one that only extends the next (pax) is as any other member.

    Python before 3.11.10 or 3.12.6 searches those for hours (CVE-2024-6232).
    """

    def _proc_member(self, archive):        # the method that tarfile has for subclasses
        if self.type in PAX:
            return self._proc_builtin(archive)
        return super()._proc_member(archive)


def read_tar(path, names, most):
    """Return {name: content} of those of the files, by their last name, in a .tar.gz.

    Nothing is written; links, devices and sparse files are passed over. Raises
    UserError for a broken archive, for a wanted name that is there twice, and where it
    all inflates to more than `most` bytes.
    """
    contents = {}
    with reading(path, 'a .tar.gz'), gzip.open(path) as inflated:
        bounded = Bounded(inflated, most)
        archive = tarfile.open(fileobj=bounded, mode='r|', tarinfo=Header)
        for member in archive:
            name = member.name.split('/')[-1]
            if name not in names or not member.isfile() or member.issparse():
                continue
            if name in contents:
                raise UserError('%s holds %s twice: fetch it again.' % (path, name))
            contents[name] = archive.extractfile(member).read()
        while bounded.read(CHUNK):      # to where gzip compares its checksum
            pass
    return contents


# --- .zip --------------------------------------------------------------------

def pieces(file, info):
    """Yield the content of an open member of a .zip. Raises EOFError where it ends
    before the size that it was said to have; zipfile ends it at that size.
    """
    left = info.file_size
    for piece in iter(lambda: file.read(CHUNK), b''):
        left -= len(piece)
        yield piece
    if left:
        raise EOFError('it is %d bytes short of its size' % left)


def unzip(path, folder):
    """Unpack a .zip into a new folder, which is there whole or not at all.

    Raises UserError, before anything is written, for what may not be unpacked (see
    refusal); and OSError for the disk.
    """
    with reading(path):
        archive = zipfile.ZipFile(path)
    with archive:
        why = refusal(archive.infolist(), max(RATIO * os.path.getsize(path), LITTLE))
        if why:
            raise UserError('%s is not unpacked: %s. Fetch it again.' % (path, why))
        require_room(folder, sum(info.file_size for info in archive.infolist()))
        os.makedirs(folder)
        try:
            for info in archive.infolist():
                write_member(path, archive, info, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def refusal(members, most):
    """Say why members of a .zip are not unpacked, '' where they may be.

    Refused are names that lead elsewhere or differ by system, links, devices, what is
    encrypted, two members for one place, and more than `most` bytes in all.
    """
    for info in members:
        why = fault(info)
        if why:
            return '%.80r %s' % (info.orig_filename, why)
    total = sum(info.file_size for info in members)
    if total > most:
        return 'it would inflate to %d bytes, more than %d' % (total, most)
    return clash([info.orig_filename for info in members])


def fault(info):
    """Say why one member of a .zip is not unpacked, '' where it may be."""
    name = info.orig_filename
    parts = (name[:-1] if name.endswith('/') else name).split('/')
    kind = stat.S_IFMT(info.external_attr >> 16)
    if not all(PLAIN.fullmatch(part) for part in parts):
        return 'is no plain path within a folder'
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return 'is a link or a device'
    if (kind == stat.S_IFDIR) != name.endswith('/') and kind:
        return 'is a folder by its name or its kind, not by both'
    if info.flag_bits & ENCRYPTED:
        return 'is encrypted'
    if info.compress_type not in METHODS:
        return OTHER_METHOD
    return ''


def clash(names):
    """Say which two of the names are one place on some system, '' where none are."""
    files, folders = {}, {}
    for name in names:
        plain = canonical(canonical(name).casefold())
        inside = [plain[:end.start()] for end in re.finditer('/', plain)]
        if plain in files:
            return '%.80r and %.80r are one file' % (files[plain], name)
        if not plain.endswith('/'):
            files[plain] = name
        folders.update(dict.fromkeys(inside, name))
    both = sorted(files.keys() & folders.keys())
    return '%.80r is a file and a folder' % both[0] if both else ''


def canonical(name):
    """Return a name as systems compare it that compose letters and their accents."""
    return unicodedata.normalize('NFD', name)


def require_room(folder, size):
    """Raise OSError where the disk of a folder to be made has not that many bytes."""
    parent = os.path.dirname(os.path.abspath(folder))
    free = shutil.disk_usage(parent).free
    if size > free:
        raise OSError(errno.ENOSPC, '%s bytes are needed to unpack, and %s are free'
                      % (format(size, ','), format(free, ',')), parent)


def write_member(path, archive, info, folder):
    """Write one member of a .zip that was looked through; it lies on the disk then."""
    target = os.path.join(folder, *info.orig_filename.split('/'))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if info.orig_filename.endswith('/'):
        return
    with contextlib.ExitStack() as stack:
        with reading(path):
            content = pieces(stack.enter_context(archive.open(info)), info)
        out = stack.enter_context(open(target, 'xb'))
        while True:
            with reading(path):
                piece = next(content, b'')
            if not piece:
                break
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
