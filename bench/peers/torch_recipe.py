"""This program's recipe in PyTorch, compiled: its strongest peer.

All that the recipe brings is here too, so that a difference comes from the programs:
batches of 32, 32 channels at the image, kernel 4, no biases before batch norm, D's head
a convolution over its whole last map, normal z, Adam without momentum (beta2 0.99), D's
learning rate 3e-4 and G's 1.2e-3. A step updates D; then the new D judges the same
images for G. Of the images that D sees as many are moved, by up to an eighth, as hold
its accuracy on real ones at --augment_target. Samples are drawn by averages of G's
weights and of its batch norm: --augment_target, --ema and --ema_rampup mean what they
mean in main.py.

python bench/peers/torch_recipe.py --serve --precision bfloat16     random images

A side of bench/speed/speed.py, and of bench/quality/race.py, which measures it in
float32 and in bfloat16 and trains it in the faster one.
"""

import copy
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

import torch
from torch import nn

from bench.peers import learn, torch_dcgan, torch_learn
from bench.peers.torch_dcgan import Z, cross_entropy

BATCH, WIDTH = 32, 32
LEARNING_RATES, BETAS = (3e-4, 1.2e-3), (0.0, 0.99)     # of D and of G
RAMP, MOST_MOVED = 100000, 0.8


def networks(width):
    """Return G and D, whose layers at the image have biases, as this program's have."""
    torch_dcgan.WIDTH = width
    G, D = torch_dcgan.generator(), torch_dcgan.discriminator()
    G[-2] = nn.ConvTranspose2d(width, 3, 4, 2, 1)
    D[0] = nn.Conv2d(3, width, 4, 2, 1)
    for net, layer in ((G, G[-2]), (D, D[0])):
        net.apply(torch_dcgan.initialise)
        nn.init.zeros_(layer.bias)
    return G, D


def shift(images, shifts, fill):
    """Move each image by its own (rows, columns); what comes in is `fill`."""
    moved, side = torch.full_like(images, fill), images.shape[-1]

    def part(move):
        return slice(max(move, 0), side + min(move, 0))
    for image, target, (y, x) in zip(images, moved, shifts):
        target[:, part(y), part(x)] = image[:, part(-y), part(-x)]
    return moved


class Translation(torch.autograd.Function):
    """Moving images, black coming in. Gathering by index has a far slower gradient."""

    @staticmethod
    def forward(context, images, shifts):
        """Return the images [N, C, H, W], each moved by its row of `shifts`."""
        context.shifts = shifts
        return shift(images, shifts, -1)

    @staticmethod
    def backward(context, gradient):
        """Move the gradient back."""
        return shift(gradient, [(-y, -x) for y, x in context.shifts], 0), None


class Peer(torch_learn.Peer):
    """The recipe's networks, optimizers, averages and data."""

    batch = BATCH

    def __init__(self, options):
        if (options.device, options.precision) == ('cpu', 'bfloat16') and not (
                torch.cpu._is_avx512_bf16_supported()):
            sys.exit('This processor has no bfloat16: it would be slower, not faster.')
        torch.manual_seed(options.seed)
        torch.backends.cudnn.allow_tf32 = False     # float32 on every device
        self.options, self.device, self.step = options, options.device, 0
        self.G, self.D = (net.to(self.device, memory_format=torch.channels_last)
                          for net in networks(options.width or WIDTH))
        self.average = copy.deepcopy(self.G).eval().requires_grad_(False)
        self.D.register_buffer('share', torch.zeros([]))    # of the images moved
        self.optimizers = [
            torch.optim.Adam(net.parameters(), rate, BETAS, fused=True)
            for net, rate in zip((self.D, self.G), LEARNING_RATES)]
        self.draw_G = torch.compile(self.G)
        self.d_loss = torch.compile(self.d_loss)
        self.g_loss = torch.compile(self.g_loss)
        self.batches = self.new_batches()

    def d_loss(self, real, fake):
        """Return D's loss, and how many of the real images it calls real."""
        logits = self.D(real)
        loss = cross_entropy(logits, 1.0) + cross_entropy(self.D(fake), 0.0)
        return loss, (logits > 0).float().mean()

    def g_loss(self, fake):
        """Return G's loss by what D says of its images."""
        return cross_entropy(self.D(fake), 1.0)

    def advance(self):
        """Take one step on the next batch."""
        images = next(self.batches).to(self.device, memory_format=torch.channels_last)
        z = torch.randn(BATCH, Z, 1, 1).to(self.device)
        for_real, for_fake = self.draw_shifts(images.shape[-1] // 8)
        with torch.autocast(self.device.partition(':')[0], torch.bfloat16,
                            enabled=self.options.precision == 'bfloat16'):
            fake = self.see(self.draw_G(z), for_fake)
            loss, right = self.d_loss(self.see(images, for_real), fake.detach())
            self.update(0, loss)
            self.D.requires_grad_(False)    # its weights' gradients are not for G
            self.update(1, self.g_loss(fake))
            self.D.requires_grad_(True)
        self.follow()
        rise = torch.sign(right - self.options.augment_target) * BATCH / RAMP
        self.D.share.add_(rise).clamp_(0, MOST_MOVED)
        self.step += 1

    def draw_shifts(self, most):
        """Return (rows, columns) for each real and each generated image, or None."""
        share = self.D.share.item() if self.options.augment_target else 1.0
        if not share:
            return None, None
        shifts = torch.randint(-most, most + 1, (2, BATCH, 2))
        return (shifts * (torch.rand(2, BATCH, 1) < share)).tolist()

    def see(self, images, shifts):
        """Return images as D sees them."""
        return Translation.apply(images, shifts) if shifts else images

    def update(self, which, loss):
        """Update D (0) or G (1) by the gradient of a loss."""
        loss.backward()
        self.optimizers[which].step()
        self.optimizers[which].zero_grad()

    @torch.no_grad()
    def follow(self):
        """Move the averages of G's weights and of its batch norm."""
        step, share = self.step + 1, self.options.ema_rampup
        early = 0.5 ** (1 / (share * step)) if share else step / (9 + step)
        averages, values = ([value for value in net.state_dict().values()
                             if value.is_floating_point()]
                            for net in (self.average, self.G))
        torch._foreach_lerp_(averages, values, 1 - min(self.options.ema, early))

    def parts(self):
        """Return all that has a state_dict."""
        return [self.G, self.D, self.average] + self.optimizers

    def sample(self, num, seed):
        """Draw with the averaged weights and statistics."""
        return {'average': self.draw(self.average, num, seed)}


if __name__ == '__main__':
    learn.main(Peer)
