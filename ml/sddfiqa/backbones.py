"""The paper's backbones with its quality head, for GPUs: IR-50 and MobileFaceNet (SDD-FIQA section 4.1, authors' code).

    picture [3, 112, 112] → backbone → [512, 7, 7] → flatten → PReLU a value → dropout ½ → linear → quality

No sigmoid: the head answers on the labels' scale of 0 … 100. `transfer` takes all layers of a recognition network that
fit by name and shape, as the authors start their training.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from hwsim.ir.errors import check_shape

SIDE, FEATURES = 112, 512 * 7 * 7
IR50_UNITS = ((64, 3), (128, 4), (256, 14), (512, 3))  # width and units of every stage


def quality_head() -> nn.Sequential:
    """Flatten → PReLU(25088) → Dropout ½ → Linear(25088 → 1)."""
    return nn.Sequential(nn.Flatten(), nn.PReLU(FEATURES), nn.Dropout(0.5), nn.Linear(FEATURES, 1))


class Unit(nn.Module):
    """IR unit: BN – conv3 – PReLU – conv3 (stride) – BN, plus the shortcut (identity, or conv1 – BN)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.shortcut: nn.Module = (
            nn.MaxPool2d(1, stride)
            if n_in == n_out
            else nn.Sequential(nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out))
        )
        self.residual = nn.Sequential(
            nn.BatchNorm2d(n_in), nn.Conv2d(n_in, n_out, 3, 1, 1, bias=False), nn.PReLU(n_out),
            nn.Conv2d(n_out, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.residual(x) + self.shortcut(x)


def block(n_in: int, n_out: int, kernel: int = 1, stride: int = 1, groups: int = 1, linear: bool = False) -> nn.Module:
    """conv – BN – PReLU; without the PReLU when `linear`."""
    layers: list[nn.Module] = [
        nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(n_out),
    ]  # fmt: skip
    return nn.Sequential(*layers, *([] if linear else [nn.PReLU(n_out)]))


class Bottleneck(nn.Module):
    """MobileFaceNet's inverted bottleneck: conv1 – depth-wise conv3 (stride) – linear conv1; a skip at stride 1."""

    def __init__(self, n_in: int, n_out: int, wide: int, stride: int) -> None:
        super().__init__()
        self.skip = stride == 1
        self.body = nn.Sequential(
            block(n_in, wide), block(wide, wide, 3, stride, wide), block(wide, n_out, linear=True)
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + x if self.skip else self.body(x)


class QualityNet(nn.Module):
    """A backbone [n, 3, 112, 112] → [n, 512, 7, 7] with the quality head; `backbone` may be any such module."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.quality = quality_head()
        for module in self.modules():  # Kaiming, fan out: the authors' initialisation
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Quality [n] of pictures [n, 3, 112, 112], values (v/255 − ½)/½.

        Raises:
            ShapeError: another shape.
        """
        check_shape("pictures", x.shape, "[n, 3, 112, 112]", (None, 3, SIDE, SIDE))
        return self.quality(self.backbone(x))[:, 0]


def ir50() -> QualityNet:
    """IR-50: 3, 4, 14 and 3 units at 64, 128, 256 and 512 channels, each stage halving the picture."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64)]
    before = 64
    for width, units in IR50_UNITS:
        for k in range(units):
            layers.append(Unit(before, width, 2 if k == 0 else 1))
            before = width
    return QualityNet(nn.Sequential(*layers))


def mobilefacenet() -> QualityNet:
    """MobileFaceNet to its 512 × 7 × 7 features."""
    layers = [
        block(3, 64, 3, 2), block(64, 64, 3, 1, 64), Bottleneck(64, 64, 128, 2),
        *(Bottleneck(64, 64, 128, 1) for _ in range(4)), Bottleneck(64, 128, 256, 2),
        *(Bottleneck(128, 128, 256, 1) for _ in range(6)), Bottleneck(128, 128, 512, 2),
        *(Bottleneck(128, 128, 256, 1) for _ in range(2)), block(128, 512),
    ]  # fmt: skip
    return QualityNet(nn.Sequential(*layers))


def transfer(model: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """Load every entry of `state` that `model` has in the same shape; returns the names that were taken."""
    own = model.state_dict()
    taken = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
    model.load_state_dict({**own, **taken})
    return sorted(taken)
