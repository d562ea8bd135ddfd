"""Encoders of points, voxels and images (paper, supplementary section 1.2; the authors' im2mesh/encoder).

| input | network | code |
|---|---|---|
| point cloud [batch, n, 3] | PointNet of residual blocks, each followed by a pooled copy of its features | linear |
| voxels [batch, r, r, r] | five 3-D convolutions, halved four times | linear |
| image [batch, 3, h, w] | ResNet-18 (`ml.occnet.resnet`) | linear |
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from hwsim.ir.errors import ShapeError, UsageError
from ml.occnet.resnet import ResNet18


class ResnetBlockFC(nn.Module):
    """y = shortcut(x) + fc₁(ReLU(fc₀(ReLU(x)))), fc₁ starts at 0; the shortcut is linear where sizes differ."""

    def __init__(self, size_in: int, size_out: int) -> None:
        super().__init__()
        middle = min(size_in, size_out)
        self.fc_0, self.fc_1 = nn.Linear(size_in, middle), nn.Linear(middle, size_out)
        self.shortcut = nn.Identity() if size_in == size_out else nn.Linear(size_in, size_out, bias=False)
        nn.init.zeros_(self.fc_1.weight)

    def forward(self, x: Tensor) -> Tensor:
        """x […, size_in] → […, size_out]."""
        return self.shortcut(x) + self.fc_1(functional.relu(self.fc_0(functional.relu(x))))


class PointEncoder(nn.Module):
    """PointNet with five residual blocks ("pointnet_resnet"): after each of the first four, the maximum over points is
    put beside every point's features.

    Args:
        c_dim: size of the code.
        hidden: features a point (the authors: 512).

    Example:
        >>> PointEncoder(16, 8)(torch.zeros(2, 30, 3)).shape
        torch.Size([2, 16])
    """

    def __init__(self, c_dim: int = 512, hidden: int = 512) -> None:
        super().__init__()
        self.fc_in = nn.Linear(3, 2 * hidden)
        self.blocks = nn.ModuleList(ResnetBlockFC(2 * hidden, hidden) for _ in range(5))
        self.fc_c = nn.Linear(hidden, c_dim)

    def forward(self, cloud: Tensor) -> Tensor:
        """cloud [batch, n, 3] → codes [batch, c_dim], whatever the order of points.

        Raises:
            ShapeError: another shape, or no points.
        """
        if cloud.ndim != 3 or cloud.shape[-1] != 3 or cloud.shape[1] < 1:
            raise ShapeError.of("cloud", list(cloud.shape), "[batch, n ≥ 1, 3]", "Reshape it.")
        x = self.blocks[0](self.fc_in(cloud))
        for block in self.blocks[1:]:
            pooled = x.amax(1, keepdim=True).expand_as(x)
            x = block(torch.cat([x, pooled], -1))
        return self.fc_c(functional.relu(x.amax(1)))


class VoxelEncoder(nn.Module):
    """Five 3 × 3 × 3 convolutions, the last four with stride 2.

    Args:
        c_dim: size of the code.
        side: voxels an edge, a multiple of 16.
        width: channels of the first convolution (the authors: 32); they double at every later one.

    Raises:
        UsageError: a side that is no multiple of 16.

    Example:
        >>> VoxelEncoder(16, 32, 2)(torch.zeros(2, 32, 32, 32)).shape
        torch.Size([2, 16])
    """

    def __init__(self, c_dim: int = 256, side: int = 32, width: int = 32) -> None:
        super().__init__()
        if side < 16 or side % 16:
            raise UsageError.of("voxel encoder: side", side, "a multiple of 16", "Pad the voxels.")
        self.side = side
        widths = [1, width, 2 * width, 4 * width, 8 * width, 16 * width]
        self.convolutions = nn.ModuleList(
            nn.Conv3d(one, two, 3, stride=1 if i == 0 else 2, padding=1)
            for i, (one, two) in enumerate(itertools.pairwise(widths))
        )
        self.fc_c = nn.Linear(widths[-1] * (side // 16) ** 3, c_dim)

    def forward(self, voxels: Tensor) -> Tensor:
        """voxels [batch, side, side, side], 0 or 1 → codes [batch, c_dim].

        Raises:
            ShapeError: another shape.
        """
        if voxels.ndim != 4 or voxels.shape[1:] != (self.side,) * 3:
            want = f"[batch, {self.side}, {self.side}, {self.side}]"
            raise ShapeError.of("voxels", list(voxels.shape), want, "Resample them.")
        x = voxels[:, None]
        for i, convolution in enumerate(self.convolutions):
            x = convolution(functional.relu(x) if i else x)
        return self.fc_c(functional.relu(x.flatten(1)))


class ImageEncoder(nn.Module):
    """ResNet-18 and a linear map; images are normalised as ImageNet's.

    The authors start from ImageNet's weights, which are not here: this one starts from random ones, or from a state of
    ``torchvision.models.resnet18`` through ``encoder.features.load_state_dict(state, strict=False)``.

    Args:
        c_dim: size of the code.
        width: channels of the first stage (ResNet-18: 64).

    Example:
        >>> ImageEncoder(16, 4)(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 16])
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, c_dim: int = 256, width: int = 64) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1), persistent=False)
        self.features = ResNet18(width)
        self.fc_c = nn.Linear(8 * width, c_dim)

    def forward(self, images: Tensor) -> Tensor:
        """images [batch, 3, h, w] in 0…1 → codes [batch, c_dim].

        Raises:
            ShapeError: another shape.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise ShapeError.of("images", list(images.shape), "[batch, 3, h, w]", "Repeat a grey channel.")
        return self.fc_c(self.features((images - self.mean) / self.deviation))
