"""Layers as matrix products: what an array model needs to know of a network."""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.ir.errors import UsageError


@dataclass(frozen=True)
class GemmShape:
    """`groups`·`repeats` products of x [T, K] and w [N, K].

    Attributes:
        name: of the layer.
        t, k, n: T rows of activations (batch × positions), K products a sum, N outputs of one group.
        groups: groups of a grouped convolution, or heads; each has operands of its own.
        repeats: how often the layer runs.

    Raises:
        UsageError: a size below 1.
    """

    name: str
    t: int
    k: int
    n: int
    groups: int = 1
    repeats: int = 1

    def __post_init__(self) -> None:
        for size in ("t", "k", "n", "groups", "repeats"):
            if getattr(self, size) < 1:
                got = getattr(self, size)
                raise UsageError.of(f"layer {self.name!r}: {size}", got, "1 or more", "Mend the layer.")

    @property
    def macs(self) -> int:
        """Products."""
        return self.t * self.k * self.n * self.groups * self.repeats


def conv(
    name: str,
    size: int,
    channels: int,
    filters: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
    *,
    ceil: bool = False,
) -> GemmShape:
    """A convolution of a square image as a matrix product (im2col).

    Args:
        size: height and width in pixels.   channels, filters: of all groups.
        kernel, stride, padding: in pixels.   groups: divides both channel counts.
        ceil: a stride that does not divide the image gives one more output, as SCALE-Sim has it.

    Raises:
        UsageError: a kernel larger than the padded image, or groups that do not divide the channels.

    Example (the layer of SCALE-Sim's ResNet-18 table):
        >>> conv("conv2", 56, 64, 64, 3)
        GemmShape(name='conv2', t=2916, k=576, n=64, groups=1, repeats=1)
    """
    side = (size + 2 * padding - kernel + (stride - 1) * ceil) // stride + 1
    if groups < 1 or channels % groups or filters % groups:
        got = f"{groups} groups of {channels} → {filters} channels"
        raise UsageError.of(f"layer {name!r}", got, "groups that divide both", "Mend the layer.")
    if side < 1:
        got = f"kernel {kernel}, image {size}, padding {padding}"
        raise UsageError.of(f"layer {name!r}", got, "a kernel inside the image", "Mend the layer.")
    return GemmShape(name, side * side, channels // groups * kernel * kernel, filters // groups, groups)


def resnet18(padded: bool = True) -> list[GemmShape]:
    """ResNet-18 for one 224×224 image (He et al., CVPR 2016, table 1): 20 convolutions and the classifier.

    Args:
        padded: the network's own padding; False = none, and outputs rounded up: what SCALE-Sim makes of the table
            that comes with it.

    Example:
        >>> layers = resnet18()
        >>> len(layers), sum(layer.macs for layer in layers)
        (21, 1814073344)
    """
    pad, up, channels = int(padded), not padded, 64
    layers = [conv("conv1", 224, 3, 64, 7, 2, 3 * pad, ceil=up)]
    for stage, (size, filters) in enumerate(((56, 64), (28, 128), (14, 256), (7, 512)), start=2):
        for block in (1, 2):
            first = stage > 2 and block == 1
            stride, image = (2, 2 * size) if first else (1, size)
            layers.append(conv(f"conv{stage}_{block}a", image, channels, filters, 3, stride, pad, ceil=up))
            layers.append(conv(f"conv{stage}_{block}b", size, filters, filters, 3, 1, pad, ceil=up))
            if first:
                layers.append(conv(f"conv{stage}_{block}s", image, channels, filters, 1, 2, ceil=up))
            channels = filters
    return [*layers, GemmShape("fc", 1, 512, 1000)]
