"""ICC profiles made by hand, whose colours nobody mistakes for sRGB's."""

import itertools
import struct

from PIL import ImageCms


def srgb():
    """Return the bytes of sRGB's own profile."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()


def swapped():
    """Return an RGB profile whose red is sRGB's blue, and the other way round."""
    return (srgb().replace(b'rXYZ', b'????').replace(b'bXYZ', b'rXYZ')
            .replace(b'????', b'bXYZ'))


def profile(colours, connection, kind, tags):
    """Return the bytes of a version 2 profile of ((name, content), …)."""
    at, table, body = 132 + 12 * len(tags), b'', b''
    for name, content in tags:
        content += b'\0' * (-len(content) % 4)
        table += name + struct.pack('>II', at + len(body), len(content))
        body += content
    size = at + len(body)
    white = struct.pack('>3i', 63190, 65536, 54061)             # D50
    header = struct.pack('>I4sI4s4s4s12s4s4sIIII8sI12s', size, b'\0' * 4, 0x2400000,
                         kind, colours, connection, b'\0' * 12, b'acsp', b'\0' * 4,
                         0, 0, 0, 0, b'\0' * 8, 0, white)
    return (header.ljust(128, b'\0') + struct.pack('>I', len(tags)) + table + body)


def xyz(*values):
    return b'XYZ \0\0\0\0' + struct.pack('>3i', *(int(v * 65536) for v in values))


def linear_gray():
    """Return a gray profile without a curve: half the light is gray 188 of sRGB."""
    return profile(b'GRAY', b'XYZ ', b'mntr', [
        (b'wtpt', xyz(0.9642, 1, 0.8249)), (b'kTRC', b'curv' + bytes(8))])


def cyan_is_all():
    """Return a CMYK profile in which cyan alone darkens, and all colours are gray."""
    grid = b''.join(bytes([255 * (1 - cyan), 128, 128])
                    for cyan, _, _, _ in itertools.product((0, 1), repeat=4))
    ramp = bytes(range(256))
    table = (b'mft1' + bytes(4) + bytes([4, 3, 2, 0])
             + struct.pack('>9i', 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
             + ramp * 4 + grid + ramp * 3)
    return profile(b'CMYK', b'Lab ', b'prtr', [
        (b'wtpt', xyz(0.9642, 1, 0.8249)), (b'A2B0', table)])
