"""The DCGAN of PyTorch's examples as a side for turns, written from its description.

python bench/peers/torch_dcgan.py MODE PRECISION RULE
MODE: eager or compile. RULE: once (both gradients at the same weights, the generated
images judged once: 10 passes; 11 compiled, where G's gradient computes D's weight
gradients too) or again (as the example does it: D is updated on real and generated
images, then judges the generated ones again for G: 12 passes, D's weight gradients
included).
Kernel 4, no biases, batch norm, Adam 2e-4 and 0.5, normal z, channels_last.
"""

import contextlib
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import torch
import torch._functorch.config
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from bench import turns

BATCH, Z, WIDTH = 64, 100, 64


def generator():
    """Return z [N, 100, 1, 1] → images [N, 3, 64, 64] in [-1, 1]."""
    widths = [WIDTH * 8, WIDTH * 4, WIDTH * 2, WIDTH]
    layers = [nn.ConvTranspose2d(Z, widths[0], 4, 1, 0, bias=False)]
    for before, after in zip(widths, widths[1:] + [3]):
        layers += [nn.BatchNorm2d(before), nn.ReLU(True),
                   nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)]
    return nn.Sequential(*layers, nn.Tanh())


def discriminator():
    """Return images → logits [N, 1, 1, 1]."""
    widths = [WIDTH, WIDTH * 2, WIDTH * 4, WIDTH * 8]
    layers = [nn.Conv2d(3, WIDTH, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, True)]
    for before, after in zip(widths, widths[1:]):
        layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False),
                   nn.BatchNorm2d(after), nn.LeakyReLU(0.2, True)]
    return nn.Sequential(*layers, nn.Conv2d(WIDTH * 8, 1, 4, 1, 0, bias=False))


def initialise(module):
    """Give weights N(0, 0.02) and gamma N(1, 0.02)."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)


def cross_entropy(logits, label):
    """Return the loss of logits against one label."""
    logits = logits.float().flatten()
    return binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


class Once:
    """Both gradients at the same weights; the generated images judged once."""

    def __init__(self, G, D, cast):
        self.G, self.D, self.cast = G, D, cast
        self.g, self.d = list(G.parameters()), list(D.parameters())
        self.optimizers = [torch.optim.Adam(p, 2e-4, (0.5, 0.999))
                           for p in (self.d, self.g)]

    def step(self, images, z):
        """Do one update of each."""
        with self.cast():
            fake = self.G(z)
            real_logits, fake_logits = self.D(images), self.D(fake)
        d_loss = cross_entropy(real_logits, 1.0) + cross_entropy(fake_logits, 0.0)
        g_loss = cross_entropy(fake_logits, 1.0)
        # d_loss must not reach into G: its gradient is taken for D's parameters alone
        d = torch.autograd.grad(d_loss, self.d, retain_graph=True)
        g = torch.autograd.grad(g_loss, self.g)
        for parameters, gradients in ((self.d, d), (self.g, g)):
            for p, gradient in zip(parameters, gradients):
                p.grad = gradient
        for optimizer in self.optimizers:
            optimizer.step()
        return d_loss.item(), g_loss.item()


class Again(Once):
    """The example's own rule: D is updated, then judges the same images again."""

    def step(self, images, z):
        """Do one update of each."""
        d_optim, g_optim = self.optimizers
        d_optim.zero_grad()
        with self.cast():
            fake = self.G(z)
            d_real = cross_entropy(self.D(images), 1.0)
            d_fake = cross_entropy(self.D(fake.detach()), 0.0)
        d_real.backward()
        d_fake.backward()
        d_optim.step()
        g_optim.zero_grad()
        with self.cast():
            g_loss = cross_entropy(self.D(fake), 1.0)
        g_loss.backward()
        g_optim.step()
        return d_real.item() + d_fake.item(), g_loss.item()


def main(mode, precision, rule):
    """Serve training steps on random images."""
    out = turns.keep_stdout()
    torch.manual_seed(0)
    G, D = (net.apply(initialise).to(memory_format=torch.channels_last)
            for net in (generator(), discriminator()))
    cast = contextlib.nullcontext
    if precision == 'bfloat16':
        def cast():
            return torch.autocast('cpu', torch.bfloat16)
    if mode == 'compile' and rule == 'once':
        # two backward passes through one forward pass need its buffers twice
        torch._functorch.config.donated_buffer = False
    calls = (torch.compile(G), torch.compile(D)) if mode == 'compile' else (G, D)
    side = {'once': Once, 'again': Again}[rule](*calls, cast)
    images = torch.rand(2048, 3, 64, 64).mul_(2).sub_(1)

    def run(steps):
        for _ in range(steps):
            batch = images[torch.randint(len(images), (BATCH,))].contiguous(
                memory_format=torch.channels_last)
            side.step(batch, torch.randn(BATCH, Z, 1, 1))
    passes = {'again': 12, 'once': 11 if mode == 'compile' else 10}[rule]
    turns.serve(run, BATCH, out, warm_up=8, passes=passes)


if __name__ == '__main__':
    main(*sys.argv[1:])
