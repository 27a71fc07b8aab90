"""PyTorch's example as a peer that learns; run by bench/quality/race.py.

Eager, float32, and its own rule: D is updated, then judges the same images again.
Images from files as by its DataLoader: two workers, each of which opens, crops,
resizes, scales and normalises one file after another, as ImageFolder and the transforms
of torchvision do, here by Pillow and NumPy; or from memory. Whole batches only.
"""

import contextlib
import copy
import itertools
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from torch.utils import data

from bench.peers import learn, torch_dcgan
from bench.peers.torch_dcgan import (
    BATCH,
    Again,
    Z,
    discriminator,
    generator,
    initialise,
)
from dataset.pictures import get_image
from utils import atomic_write, inverse_transform, transform

WORKERS = 2     # the example's default


class Files(data.Dataset):
    """Image files as float32 [3, 64, 64] in [-1, 1], read again each time."""

    def __init__(self, path, crop):
        with open(path) as file:
            self.paths, self.crop = file.read().splitlines(), crop

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        image = get_image(self.paths[index], self.crop, self.crop, 64, 64)
        return torch.from_numpy(transform(image).transpose(2, 0, 1).copy())


def batches(options, step, size):
    """Yield float32 [size, 3, 64, 64] without end, in an order of seed and step."""
    random = torch.Generator().manual_seed(options.seed * 10**6 + step)
    if options.reading == 'files':
        loader = data.DataLoader(Files(options.files, options.crop), size,
                                 shuffle=True, num_workers=WORKERS, drop_last=True,
                                 generator=random)
        for _ in itertools.count():
            yield from loader
    images = (np.load(options.packed, mmap_mode='r') if options.packed else
              np.random.default_rng(0).integers(0, 256, (2048, 64, 64, 3), np.uint8))
    while True:
        order = torch.randperm(len(images), generator=random).numpy()
        for start in range(0, len(images) - size + 1, size):
            chosen = transform(images[order[start:start + size]])
            yield torch.from_numpy(chosen).permute(0, 3, 1, 2)


class Peer:
    """The example's networks, optimizers and data.

    All random numbers are drawn on the processor: they are the same with any device.
    """

    batch = BATCH

    def __init__(self, options):
        torch.manual_seed(options.seed)
        torch.backends.cudnn.allow_tf32 = False     # float32 on every device
        torch_dcgan.WIDTH = options.width or torch_dcgan.WIDTH
        self.options, self.device, self.step = options, options.device, 0
        self.G, self.D = (net.apply(initialise).to(self.device,
                                                   memory_format=torch.channels_last)
                          for net in (generator(), discriminator()))
        self.rule = Again(self.G, self.D, contextlib.nullcontext)
        self.batches = self.new_batches()

    def advance(self):
        """Take one step on the next batch."""
        images = next(self.batches).contiguous(memory_format=torch.channels_last)
        self.rule.step(images.to(self.device),
                       torch.randn(BATCH, Z, 1, 1).to(self.device))
        self.step += 1

    def parts(self):
        """Return all that has a state_dict."""
        return [self.G, self.D] + self.rule.optimizers

    def save(self, path):
        """Write networks, optimizers and the state of random numbers."""
        with atomic_write(path + '.pt') as file:
            torch.save(dict(step=self.step, random=torch.get_rng_state(),
                            parts=[part.state_dict() for part in self.parts()]), file)

    def restore(self, path):
        """Read what save wrote; the data go on in another order."""
        state = torch.load(path + '.pt', map_location='cpu')
        for part, values in zip(self.parts(), state['parts']):
            part.load_state_dict(values)
        torch.set_rng_state(state['random'])
        self.step = state['step']
        self.batches = self.new_batches()

    def new_batches(self):
        """Return the batches from this step on."""
        return batches(self.options, self.step, self.batch)

    def save_generator(self, path):
        """Write G's weights, for any device."""
        weights = {name: value.cpu() for name, value in self.G.state_dict().items()}
        with atomic_write(path + '.pt') as file:
            torch.save(weights, file)

    def sample(self, num, seed):
        """Draw with statistics of the batch (train), as the example, and of eval()."""
        return {'train': self.draw(copy.deepcopy(self.G).train(), num, seed),
                'eval': self.draw(copy.deepcopy(self.G).eval(), num, seed)}

    @torch.no_grad()
    def draw(self, G, num, seed):
        """Return uint8 [num, 64, 64, 3], drawn in batches of 64."""
        random = torch.Generator().manual_seed(seed + 2**40)
        z = (torch.randn(BATCH, Z, 1, 1, generator=random)
             for _ in range(-(-num // BATCH)))
        drawn = [inverse_transform(G(part.to(self.device)).permute(0, 2, 3, 1).cpu())
                 for part in z]
        return np.concatenate(drawn)[:num]


if __name__ == '__main__':
    learn.main(Peer)
