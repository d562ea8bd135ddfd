"""The full profile's training runs: one plan a figure, one run a seed.

Networks that are compared share data, recipe and table sizes (β, F); only what is inside the tables, the masks
or the widths differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_MNIST: dict[str, Any] = {"config": "hdr5l", "data": "mnist", "batch": 128, "lr": 3e-3, "shift": 1, "moved": 0.3}
_JETS: dict[str, Any] = {"data": "jsc_distilled", "batch": 512, "lr": 3e-3}


@dataclass(frozen=True)
class Plan:
    """One configuration.

    Attributes:
        name: suffix of its metrics, ``acc_<name>``.
        kind: what is inside the tables.
        base: fields of `ml.neuralut.train.RunSpec` besides kind and seed.
        seeds: one run each.
        area: map the tables to LUT6 too.
    """

    name: str
    kind: str
    base: dict[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0, 1, 2)
    area: bool = True

    def specs(self) -> list[dict[str, Any]]:
        """Fields of each run."""
        return [{**self.base, "kind": self.kind, "seed": seed} for seed in self.seeds]

    def method(self, rows: list[dict[str, Any]]) -> str:
        """How the figure was found, for the report."""
        each = ", ".join(f"{row['test']:.2f}" for row in rows)
        return f"test accuracy of the tables by seed: {each}; epoch chosen on a validation split"


HDR5L = Plan("hdr5l", "neuralut", {**_MNIST, "epochs": 80})
LEARNED = Plan("hdr5l_learned_masks", "neuralut", {**_MNIST, "batch": 256, "lr": 4e-3, "epochs": 90, "warmup": 25})

# accuracy against cost at HDR-5L's β = 2, F = 6: both methods get the same depths, hidden layers are scaled
_SCALES: tuple[tuple[str, str, tuple[float, ...]], ...] = (
    ("hdr5l", "neuralut", (0.25, 0.5, 1.0)),
    ("hdr5l", "logicnets", (0.5, 1.0, 2.0)),
    ("hdr3l", "neuralut", (0.5, 1.0)),
    ("hdr3l", "logicnets", (1.0, 2.0)),
)
CURVES = tuple(
    Plan(f"{config}_{kind}_x{scale:g}", kind, {**_MNIST, "config": config, "epochs": 40, "scale": scale}, (0,))
    for config, kind, scales in _SCALES
    for scale in scales
)

JETS = tuple(
    Plan(
        f"{config}_distilled" + ("" if kind == "neuralut" else f"_{kind}"),
        kind,
        {**_JETS, "config": config, "epochs": epochs},
        area=False,
    )
    for config, epochs in (("jsc2l", 60), ("jsc5l", 30))
    for kind in ("neuralut", "logicnets", "polylut")
)

# one-bit tables of six inputs, one LUT6 each, whose votes are counted; the input is each pixel's leading bit
SMALL = (
    Plan(
        "mnist_votes1800",
        "neuralut",
        {"config": "votes-1800", "data": "mnist", "warmup": 15, "epochs": 25, "shift": 1, "moved": 0.3},
    ),
)
