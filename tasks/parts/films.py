"""Films: frames as a GIF and, with ffmpeg, as an MP4. Pillow and NumPy."""

import contextlib
import itertools
import shutil
import subprocess
import tempfile

import numpy as np
from PIL import Image

from utils import atomic_write, to_pillow

SECONDS = 0.08      # that a frame is shown
SIDE = 256          # pixels to which a small film is enlarged


def save_film(frames, path):
    """Write an iterator of frames, uint8 [H, W, C], as path.gif and path.mp4.

    A frame is used once and not kept, so there may be many.
    """
    frames = map(enlarge, frames)
    first = next(frames)
    with mp4_writer(path + '.mp4', first.size) as write:
        def shown():
            for frame in itertools.chain([first], frames):
                write(frame)
                yield frame.quantize(256, dither=0)     # dithered, it would flicker
        save_gif(shown(), path + '.gif')
        print('film: %s.gif' % path)


def enlarge(frame):
    """Return a frame as a Pillow RGB image whose longer side has SIDE or more."""
    image = to_pillow(frame).convert('RGB')
    scale = max(1, SIDE // max(image.size))
    return image.resize([side * scale for side in image.size], Image.BICUBIC)


def save_gif(images, path):
    """Write an iterator of Pillow images as a GIF that repeats for ever."""
    with atomic_write(path) as file:
        next(images).save(file, 'GIF', save_all=True, append_images=images, loop=0,
                          duration=int(1000 * SECONDS))


# --- MP4 ---------------------------------------------------------------------

def mp4_command(ffmpeg, size, path):
    """Return the words of ffmpeg's command, which reads raw frames from its stdin.

    `size` is (width, height). Players know yuv420p; it needs even sides, so odd ones
    get one more white line.
    """
    return [ffmpeg, '-loglevel', 'error', '-y',
            '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-s', '%dx%d' % tuple(size),
            '-r', '%g' % (1 / SECONDS), '-i', '-', '-an',
            '-vf', 'pad=ceil(iw/2)*2:ceil(ih/2)*2:0:0:white',
            '-pix_fmt', 'yuv420p', '-movflags', '+faststart', path]


@contextlib.contextmanager
def mp4_writer(path, size):
    """Give a function that takes the RGB frames of an MP4; at the end write it.

    Where there is no ffmpeg, or it fails, print that.
    """
    ffmpeg = shutil.which('ffmpeg')
    if ffmpeg is None:
        yield lambda frame: None
        print('no MP4: ffmpeg is not installed; the GIF shows the same')
        return
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as errors:
        made = folder + '/film.mp4'
        process = subprocess.Popen(mp4_command(ffmpeg, size, made), stderr=errors,
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

        def write(frame):
            with contextlib.suppress(BrokenPipeError):      # its status tells why
                process.stdin.write(np.asarray(frame).tobytes())
                process.stdin.flush()

        try:
            yield write
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            failed = process.wait()
        finally:
            process.kill()      # where the frames ended in an exception
            process.wait()
        if failed:
            errors.seek(0)
            said = errors.read().decode('utf-8', 'replace').strip()
            print('no MP4: ffmpeg ended with status %d: %s' % (failed, said))
            return
        with open(made, 'rb') as film, atomic_write(path) as file:
            shutil.copyfileobj(film, file)
    print('film: %s' % path)
