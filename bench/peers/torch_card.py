"""PyTorch on a GPU, as sides of bench/speed/card.py; written from descriptions.

python bench/peers/torch_card.py WHAT MODE PRECISION [--tiny]

WHAT: example, PyTorch's DCGAN by its own rule (D is updated, then judges the same
images again), width and batch 64; recipe, this program's defaults as torch_recipe.py
has them; or limit, a matrix product, whose "images" are GFLOP. MODE: eager, or one of
torch.compile's, as reduce-overhead, which replays CUDA graphs. PRECISION: tf32 or
bfloat16.

All is on the GPU: images uint8 in its memory, random numbers drawn there; no loss is
asked for in between. G's first layer, a transposed convolution of one place, is written
as the product that it is: PyTorch 2.11's compiler mistakes the strides of its gradient,
and an assertion then stops the program. --tiny: small, on the processor, to try it out.
"""

import copy
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import torch
import torch._inductor.config

from bench import turns
from bench.peers import torch_dcgan
from bench.peers.torch_dcgan import Z, cross_entropy

IMAGES, WARM_UP = 4096, 50
RAMP, MOST_MOVED, TARGET, EMA, RAMPUP = 100000, 0.8, 0.95, 0.9999, 0.05

# as above, for the gradient of D's head, which nothing else reads
torch._inductor.config.size_asserts = False


def moved(images, share):
    """Move a share of the images by up to an eighth of their sides, black coming in.

    By products with matrices of 0 and 1, whose gradients are products too.
    """
    n, _, side, _ = images.shape
    lines = torch.arange(side, device=images.device)
    shifts = torch.randint(-(side // 8), side // 8 + 1, (2, n, 1, 1),
                           device=images.device)
    rows, columns = (lines[:, None] - shifts == lines).to(images.dtype)
    changed = rows[:, None] @ (images + 1) @ columns[:, None].transpose(2, 3) - 1
    draw = torch.rand((n, 1, 1, 1), device=images.device)
    return torch.where(draw < share, changed, images)


def first_layer(width):
    """Return G's layer from z [N, 100, 1, 1] to maps of 4 x 4, as a product."""
    product = torch.nn.Linear(Z, width * 8 * 16, bias=False)
    torch.nn.init.normal_(product.weight, 0, 0.02)
    return torch.nn.Sequential(torch.nn.Flatten(), product,
                               torch.nn.Unflatten(1, (width * 8, 4, 4)))


class Example:
    """The example's networks, optimizers and step."""

    batch, width = 64, 64
    rates, betas = (2e-4, 2e-4), (0.5, 0.999)

    def __init__(self, mode, precision, device, tiny):
        self.device, self.precision = device, precision
        if tiny:
            self.batch, self.width = 8, 4
        self.G, self.D = (net.to(device, memory_format=torch.channels_last)
                          for net in self.networks())
        self.optimizers = [
            torch.optim.Adam(net.parameters(), rate, self.betas, fused=True,
                             **({'capturable': True} if device == 'cuda' else {}))
            for net, rate in zip((self.D, self.G), self.rates)]
        self.images = torch.randint(0, 256, (IMAGES, 3, 64, 64), dtype=torch.uint8,
                                    device=device).contiguous(
                                        memory_format=torch.channels_last)
        calls = self.draw, self.d_loss, self.g_loss
        if mode != 'eager':
            calls = [torch.compile(call, mode=mode) for call in calls]
        self.draw, self.d_loss, self.g_loss = calls
        self.taken = 0

    def networks(self):
        """Return G and D."""
        torch_dcgan.WIDTH = self.width
        G, D = (net.apply(torch_dcgan.initialise) for net in (
            torch_dcgan.generator(), torch_dcgan.discriminator()))
        G[0] = first_layer(self.width)
        return G, D

    def draw(self, z):
        """Draw images as D sees them."""
        return self.G(z)

    def d_loss(self, chosen, fake):
        """Return D's loss on uint8 images, and how many of them it calls real."""
        logits = self.D(self.see(chosen.float() / 127.5 - 1))
        loss = cross_entropy(logits, 1.0) + cross_entropy(self.D(fake), 0.0)
        return loss, (logits > 0).float().mean()

    def see(self, images):
        """Return images as D sees them."""
        return images

    def g_loss(self, fake):
        """Return G's loss."""
        return cross_entropy(self.D(fake), 1.0)

    def step(self):
        """Take one step."""
        torch.compiler.cudagraph_mark_step_begin()
        chosen = self.images[torch.randint(IMAGES, (self.batch,), device=self.device)]
        z = torch.randn(self.batch, Z, 1, 1, device=self.device)
        with torch.autocast(self.device, torch.bfloat16,
                            enabled=self.precision == 'bfloat16'):
            fake = self.draw(z)
            loss, right = self.d_loss(chosen, fake.detach())
        self.update(0, loss)
        self.D.requires_grad_(False)    # its weights' gradients are not for G
        with torch.autocast(self.device, torch.bfloat16,
                            enabled=self.precision == 'bfloat16'):
            loss = self.g_loss(fake)
        self.update(1, loss)
        self.D.requires_grad_(True)
        self.taken += 1
        self.follow(right)

    def update(self, which, loss):
        """Update D (0) or G (1) by the gradient of a loss."""
        loss.backward()
        self.optimizers[which].step()
        self.optimizers[which].zero_grad()

    def follow(self, right):
        """Move averages; the example has none."""


class Recipe(Example):
    """This program's defaults."""

    batch, width = 32, 32
    rates, betas = (3e-4, 1.2e-3), (0.0, 0.99)

    def networks(self):
        """Return G and D, whose layers at the image have biases."""
        torch_dcgan.WIDTH = self.width
        G, D = torch_dcgan.generator(), torch_dcgan.discriminator()
        G[-2] = torch.nn.ConvTranspose2d(self.width, 3, 4, 2, 1)
        D[0] = torch.nn.Conv2d(3, self.width, 4, 2, 1)
        for net, layer in ((G, G[-2]), (D, D[0])):
            net.apply(torch_dcgan.initialise)
            torch.nn.init.zeros_(layer.bias)
        G[0] = first_layer(self.width)
        self.average = copy.deepcopy(G).to(self.device).requires_grad_(False)
        self.share = torch.zeros([], device=self.device)
        return G, D

    def draw(self, z):
        """Draw images as D sees them."""
        return self.see(self.G(z))

    def see(self, images):
        """Return images as D sees them: a share of them moved."""
        return moved(images, self.share)

    @torch.no_grad()
    def follow(self, right):
        """Move the share of images that are moved, and the averages of G's weights."""
        self.share.add_(torch.sign(right - TARGET) * self.batch / RAMP).clamp_(
            0, MOST_MOVED)
        early = 0.5 ** (1 / (RAMPUP * self.taken))
        averages, values = ([value for value in net.state_dict().values()
                             if value.is_floating_point()]
                            for net in (self.average, self.G))
        torch._foreach_lerp_(averages, values, 1 - min(EMA, early))


def limit(precision, device, tiny):
    """Return (a function that multiplies matrices, GFLOP of a product)."""
    side = 256 if tiny else 8192
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16 if precision
                        == 'bfloat16' else torch.float32) for _ in range(2))
    return lambda: torch.mm(a, b), 2 * side ** 3 / 1e9


def main(what, mode, precision, tiny=None):
    """Serve steps, or products."""
    out = turns.keep_stdout()
    device = 'cpu' if tiny else 'cuda'
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    facts = {}
    if what == 'limit':
        step, batch = limit(precision, device, tiny)
    else:
        make = {'example': Example, 'recipe': Recipe}[what]
        facts['MFLOP_an_image'] = count(make('eager', precision, device, tiny))
        side = make(mode, precision, device, tiny)
        step, batch = side.step, side.batch

    def run(steps):
        for _ in range(steps):
            step()
        if device == 'cuda':
            torch.cuda.synchronize()
    turns.serve(run, batch, out, warm_up=2 if tiny else WARM_UP, **facts)


def count(side):
    """Return the MFLOP of an eager step for one image."""
    from torch.utils.flop_counter import FlopCounterMode
    with FlopCounterMode(display=False) as counter:
        side.step()
    return counter.get_total_flops() / side.batch / 1e6


if __name__ == '__main__':
    main(*sys.argv[1:])
