"""The networks of the study: a multi-layer perceptron for digits, a small convolutional network for images.

Both are batch-major, draw their start values from a generator of their own (torch's default rule,
U(±1/√fan_in)), and touch no global random state.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from ml.common.seed import torch_generator


def initialise(model: nn.Module, seed: int) -> nn.Module:
    """Draw weights and biases of all linear and convolutional layers from the stream "weights" of `seed`."""
    generator = torch_generator(seed, "weights")
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                bound = module.weight[0].numel() ** -0.5
                module.weight.uniform_(-bound, bound, generator=generator)
                if module.bias is not None:
                    module.bias.uniform_(-bound, bound, generator=generator)
    return model


def mlp(widths: Sequence[int] = (64, 64, 64, 10), seed: int = 0) -> nn.Sequential:
    """Linear layers with ReLU between; x [batch, widths[0]] → scores [batch, widths[-1]]."""
    with torch.random.fork_rng(devices=[]):
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [nn.Linear(n_in, n_out), nn.ReLU()]
        model = nn.Sequential(*layers[:-1])
    initialise(model, seed)
    return model


def cnn(
    channels: Sequence[int] = (16, 32, 32, 64, 64),
    strides: Sequence[int] = (1, 2, 1, 2, 1),
    n_in: int = 3,
    classes: int = 10,
    seed: int = 0,
) -> nn.Sequential:
    """3 × 3 convolutions with batch norm and ReLU, global mean, linear; x [batch, n_in, h, w] → [batch, classes]."""
    with torch.random.fork_rng(devices=[]):
        layers: list[nn.Module] = []
        before = n_in
        for width, stride in zip(channels, strides, strict=True):
            layers += [nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))
    initialise(model, seed)
    return model
