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

# Accuracy against cost. Both methods keep their efficient front over all their shapes. The address width decides: a
# wide table costs what its content does not let the mapper save, and the threshold of a dot product is the simplest
# content there is, while at six address bits an output is one LUT6 whatever the content.
_KINDS = ("neuralut", "logicnets")

# HDR-5L's β = 2, F = 6, fixed random masks; both methods get the same depths, hidden layers are scaled
_SCALES: tuple[tuple[str, str, tuple[float, ...]], ...] = (
    ("hdr5l", "neuralut", (0.25, 0.5, 1.0)),
    ("hdr5l", "logicnets", (0.5, 1.0, 2.0)),
    ("hdr3l", "neuralut", (0.5, 1.0)),
    ("hdr3l", "logicnets", (1.0, 2.0)),
)
TWELVE_BIT = tuple(
    Plan(f"{config}_{kind}_x{scale:g}", kind, {**_MNIST, "config": config, "epochs": 40, "scale": scale}, (0,))
    for config, kind, scales in _SCALES
    for scale in scales
)

# One-bit codes, votes counted class by class, the input is each pixel's leading bit. F = 6 (a table is one LUT6) in
# two layers by size, three layers, and F = 8. So few wires need learned masks; the dense linear warm-up does not know
# the kind, so that a seed's masks are the same for both. Both methods get every shape with the same runs.
_VOTES: dict[str, Any] = {"data": "mnist", "warmup": 15, "epochs": 25, "shift": 1, "moved": 0.3}
VOTES = tuple(
    Plan(
        f"mnist_{config.replace('-', '', 1).replace('-', '_')}" + ("" if kind == "neuralut" else f"_{kind}"),
        kind,
        {**_VOTES, "config": config},
        seeds,
    )
    for config, seeds in (
        ("votes-240", (0, 1, 2)),
        ("votes-450", (0, 1, 2)),
        ("votes-900", (0, 1, 2)),
        ("votes-1800", (0, 1, 2)),
        ("votes-1200-l3", (0,)),  # one run: dearer than the fronts of two layers, or level with them
        ("votes-450-f8", (0,)),
    )
    for kind in _KINDS
)
CURVES = (*TWELVE_BIT, *VOTES)

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
