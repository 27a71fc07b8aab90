"""This program's recipe in PyTorch, compiled: a peer worth beating.

What its recipe brings (small batches, narrow networks, G updated twice, averaged
weights) is here too, so that a difference is one of the programs. In a step D is
updated first; the new D judges the same images for G; the new G draws the same z again
and is updated once more. Normal z, kernel 4, batch norm, D's head a convolution, no
biases before batch norm, Adam 2e-4 and 0.5. From step --augment_after on, D sees images
moved by up to an eighth. Samples are drawn by the averages of G's weights, as
--ema_rampup has them. A side of bench/quality/race.py, which measures it and trains it.
"""

import contextlib
import copy

import learn
import torch
import torch_dcgan
import torch_learn
from torch import nn
from torch.nn import functional
from torch_dcgan import Z, cross_entropy, discriminator, generator, initialise

BATCH, WIDTH, G_STEPS = 16, 32, 2
RAMPUP, LONGEST = 0.05, 0.9999      # --ema_rampup and --ema


def networks(width):
    """Return G and D, whose outermost layers have biases, as this program's have."""
    torch_dcgan.WIDTH = width
    G, D = generator(), discriminator()
    G[-2] = nn.ConvTranspose2d(width, 3, 4, 2, 1)
    D[0] = nn.Conv2d(3, width, 4, 2, 1)
    for net, layer in ((G, G[-2]), (D, D[0])):
        net.apply(initialise).to(memory_format=torch.channels_last)
        nn.init.zeros_(layer.bias)
    return G, D


def move(images):
    """Move each image by up to an eighth of each side; what comes in is black."""
    n, _, side, _ = images.shape
    most = side // 8
    shifts = torch.randint(2 * most + 1, (2, n, 1))
    rows, columns = torch.arange(side) + shifts
    padded = functional.pad(images, (most,) * 4, value=-1)
    # the indices of images, rows and columns come first, so channels end up last
    moved = padded[torch.arange(n)[:, None, None], :, rows[:, :, None],
                   columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


class Peer(torch_learn.Peer):
    """The recipe's networks, optimizers, averages and data."""

    batch = BATCH

    def __init__(self, options):
        torch.manual_seed(options.seed)
        self.options, self.device, self.step = options, 'cpu', 0
        self.G, self.D = networks(options.width or WIDTH)
        self.average = copy.deepcopy(self.G).eval().requires_grad_(False)
        self.optimizers = [torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999))
                           for net in (self.D, self.G)]
        self.draw_G, self.judge = torch.compile(self.G), torch.compile(self.D)
        self.batches = torch_learn.batches(options, 0, BATCH)

    def cast(self):
        """Return the context in which the networks compute."""
        if self.options.precision == 'bfloat16':
            return torch.autocast('cpu', torch.bfloat16)
        return contextlib.nullcontext()

    def advance(self):
        """Take one step on the next batch."""
        images = next(self.batches).contiguous(memory_format=torch.channels_last)
        z = torch.randn(BATCH, Z, 1, 1)
        see = move if self.step >= self.options.augment_after else lambda x: x
        with self.cast():
            seen = see(self.draw_G(z))
        self.update_D(see(images), seen.detach())
        self.D.requires_grad_(False)    # its weights' gradients are not for G
        for index in range(G_STEPS):
            if index:
                with self.cast():
                    seen = see(self.draw_G(z))
            self.update_G(seen)
        self.D.requires_grad_(True)
        self.step += 1

    def update_D(self, real, fake):
        """Update D on real and generated images."""
        self.optimizers[0].zero_grad()
        with self.cast():
            logits, logits_ = self.judge(real), self.judge(fake)
        (cross_entropy(logits, 1.0) + cross_entropy(logits_, 0.0)).backward()
        self.optimizers[0].step()

    def update_G(self, seen):
        """Update G by D's answers to what it has drawn, and the average of G."""
        self.optimizers[1].zero_grad()
        with self.cast():
            logits = self.judge(seen)
        cross_entropy(logits, 1.0).backward()
        self.optimizers[1].step()
        decay = min(LONGEST, 0.5 ** (1 / (RAMPUP * G_STEPS * (self.step + 1))))
        with torch.no_grad():
            for average, value in zip(self.average.state_dict().values(),
                                      self.G.state_dict().values()):
                if value.is_floating_point():
                    average.lerp_(value, 1 - decay)

    def parts(self):
        """Return all that has a state_dict."""
        return [self.G, self.D, self.average] + self.optimizers

    def new_batches(self):
        """Return the batches from this step on."""
        return torch_learn.batches(self.options, self.step, BATCH)

    def sample(self, num, seed):
        """Draw with the averaged weights and statistics."""
        return {'average': self.draw(self.average, num, seed)}


if __name__ == '__main__':
    learn.main(Peer)
