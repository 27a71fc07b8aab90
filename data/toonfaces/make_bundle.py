"""Make toonfaces.zip and list_attr.txt from the full set of 20,000 ToonFaces.

python data/toonfaces/make_bundle.py img_align_celeba.zip list_attr_celeba.txt

Every fifth image is taken, its central 128 x 128 pixels, and saved as JPEG.
"""

import io
import os
import sys
import zipfile

from PIL import Image

FOLDER = os.path.dirname(os.path.abspath(__file__))
SIZE, EVERY, QUALITY = 128, 5, 77


def central_jpeg(content):
    """Return the central SIZE x SIZE pixels of an image file as a JPEG file."""
    image = Image.open(io.BytesIO(content))
    left, top = (image.width - SIZE) // 2, (image.height - SIZE) // 2
    file = io.BytesIO()
    image.crop((left, top, left + SIZE, top + SIZE)).save(
        file, 'JPEG', quality=QUALITY, optimize=True)
    return file.getvalue()


def main(images, attributes):
    """Write the bundle beside this file."""
    chosen = set()
    with zipfile.ZipFile(images) as source, \
            zipfile.ZipFile(os.path.join(FOLDER, 'toonfaces.zip'), 'w') as bundle:
        names = sorted(n for n in source.namelist() if n.endswith('.jpg'))[::EVERY]
        for name in names:
            chosen.add(os.path.basename(name))
            # ZipInfo's date is fixed: the same images make the same bytes
            bundle.writestr(zipfile.ZipInfo(os.path.basename(name)),
                            central_jpeg(source.read(name)))
    with open(attributes, encoding='utf-8') as file:
        _, header, *rows = file.read().splitlines()
    rows = [row for row in rows if row.split()[0] in chosen]
    with open(os.path.join(FOLDER, 'list_attr.txt'), 'w', encoding='utf-8') as file:
        file.write('\n'.join([str(len(rows)), header] + rows) + '\n')
    print('%d images, %d rows of attributes' % (len(chosen), len(rows)))


if __name__ == '__main__':
    main(*sys.argv[1:])
