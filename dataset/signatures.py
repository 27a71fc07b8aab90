"""What a file is that Pillow cannot open, by its first bytes, and what helps."""

PHONE = ('a HEIC picture, as phones take them: run `python -m pip install '
         'pillow-heif`, or save it as JPEG')
FILM = 'a film, not a picture: save pictures of it, as with ffmpeg'
RAW = 'a raw photograph of a camera: save it as JPEG or TIFF'
PAGE = 'a web page, not a picture: what it was fetched from said something else'
ARCHIVE = 'an archive, not a picture: unpack it, or leave a .zip beside no pictures'
NEWER = 'a kind of picture that this Pillow cannot open (%s): save it as PNG or JPEG'

# The brand in bytes 8 to 11 of a file that has `ftyp` before it
BRANDS = dict.fromkeys((b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx', b'mif1',
                        b'msf1'), PHONE)
BRANDS.update({b'avif': NEWER % 'AVIF', b'avis': NEWER % 'AVIF', b'crx ': RAW})
STARTS = (
    (b'\xff\x0a', NEWER % 'JPEG XL'), (b'\0\0\0\x0cJXL ', NEWER % 'JPEG XL'),
    (b'version https://git-lfs', 'a pointer of Git LFS, not the picture: run '
                                 '`git lfs pull` where it comes from'),
    (b'%PDF', 'a PDF, not a picture: save its pages as PNG'),
    (b'FUJIFILM', RAW), (b'IIRO', RAW), (b'IIU\0', RAW), (b'\0MRM', RAW),
    (b'PK\x03\x04', ARCHIVE), (b'\x1f\x8b', ARCHIVE), (b'Rar!', ARCHIVE),
    (b'7z\xbc\xaf', ARCHIVE), (b'\x1aE\xdf\xa3', FILM))


def name(head):
    """Return what a file is that begins with these bytes, 64 or more if it has them."""
    if not head:
        return 'empty: copy it again'
    if head[4:8] == b'ftyp':
        return BRANDS.get(head[8:12], FILM)
    if head.startswith(b'RIFF') and head[8:12] == b'AVI ':
        return FILM
    for start, what in STARTS:
        if head.startswith(start):
            return what
    text = head.lstrip(b'\xef\xbb\xbf \r\n\t').lower()
    if b'<svg' in text:
        return 'a drawing (SVG), not a picture: save it as PNG'
    if text.startswith((b'<!doctype html', b'<html', b'<head', b'<?xml', b'{"')):
        return PAGE
    return 'not a kind of image that Pillow opens'
