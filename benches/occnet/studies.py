"""The trainings of the bench: which network, on which shapes, for how long; kept in a folder and resumed.

A finished training is a checkpoint `<name>-<digest of the study>.pt`; the digest names everything it depends on, so
that a changed recipe never takes an old file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benches.files import digest
from ml.occnet.train import Recipe

HELD = 20  # last training shapes, which choose the epoch
CHAIRS, MONITORS, SOLIDS = "modelnet10_chair", "modelnet10_monitor", "solids"


@dataclass(frozen=True)
class Study:
    """One training.

    Attributes:
        data, n_train, n_test: shapes; None for all of them.
        inputs: ``"numbers"`` (a free code a shape), ``"clouds"``, ``"grids"`` or ``"images"``.
        hidden, c_dim, frequencies, conditioning: of the decoder.
        width: of the encoder: features of a point, first channels of a convolution.
        seed: of weights and batches.
    """

    name: str
    recipe: Recipe
    data: str = SOLIDS
    n_train: int | None = None
    n_test: int | None = None
    inputs: str = "numbers"
    hidden: int = 64
    c_dim: int = 64
    frequencies: int = 6
    conditioning: str = "norm"
    width: int = 64
    seed: int = 0


_CLOUDS = Recipe(240, 50, 32, 256, lr=1.5e-3, sampling="near", judge_points=1024, judge_every=20)
MEMORY = Study(
    "memory",
    Recipe(40, 50, 64, 256, lr=3e-3, sampling="near", stored=4096, judge_points=1024, judge_every=5),
    CHAIRS, 64, 1, hidden=128, c_dim=128,
)  # fmt: skip
CLOUDS = Study("clouds", _CLOUDS, CHAIRS, inputs="clouds")
CLOUDS_INPUT = Study("clouds-input", _CLOUDS, CHAIRS, inputs="clouds", conditioning="input")
GRIDS = Study(
    "grids", Recipe(24, 50, 32, 256, lr=3e-3, sampling="near", judge_points=1024, judge_every=4), inputs="grids",
    width=8,
)  # fmt: skip
IMAGES = Study(
    "images", Recipe(32, 50, 32, 256, lr=2e-3, sampling="near", judge_points=1024, judge_every=4), inputs="images",
    width=12,
)  # fmt: skip
HARDWARE = Study(
    "hardware",
    Recipe(30, 20, 5, 1024, lr=2e-3, sampling="near", judge_points=4096, judge_every=10),
    SOLIDS, 5, 1, hidden=256, c_dim=256, frequencies=0,
)  # fmt: skip


@dataclass(frozen=True)
class Trained:
    """A network and its shapes; `inputs` and `test_inputs` make what its encoder reads."""

    network: Any
    train: Any
    test: Any
    inputs: Any
    test_inputs: Any
    result: Any


def shapes(study: Study, folder: Path) -> tuple[Any, Any]:
    """Training and test shapes; surface points of real shapes are kept in `folder`, since they take a while."""
    from ml.common.data import load
    from ml.occnet.shapes import shape_sets

    train, test = shape_sets(load(study.data, download=False), study.n_train, study.n_test)
    if study.inputs == "clouds":
        for part, name in ((train, "train"), (test, "test")):
            file = folder / f"surfaces-{study.data}-{name}-{len(part)}.npy"
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                np.save(file, np.stack(part.surfaces).astype(np.float32))
            part.__dict__["surfaces"] = list(np.load(file))
    return train, test


def build(study: Study) -> Any:
    """The untrained network."""
    import torch

    from ml.common.seed import torch_generator
    from ml.occnet import Decoder, ImageEncoder, OccupancyNetwork, PointEncoder, VoxelEncoder
    from ml.occnet.network import ShapeCodes, bfloat16_is_fast

    encoders: dict[str, Callable[[], Any]] = {
        "numbers": lambda: ShapeCodes(study.n_train or 1, study.c_dim),
        "clouds": lambda: PointEncoder(study.c_dim, study.width),
        "grids": lambda: VoxelEncoder(study.c_dim, 32, study.width),
        "images": lambda: ImageEncoder(study.c_dim, study.width),
    }
    with torch.random.fork_rng():
        torch.manual_seed(torch_generator(study.seed, study.name).initial_seed())
        encoder = encoders[study.inputs]()
        how: Any = study.conditioning
        decoder = Decoder(study.c_dim, study.hidden, conditioning=how, frequencies=study.frequencies)
    return OccupancyNetwork(encoder, decoder, mixed=bfloat16_is_fast())


def trained(study: Study, folder: Path, progress: Any = None) -> Trained:
    """Train, or take what was trained before; a killed training goes on."""
    from ml.occnet.batches import numbers_only
    from ml.occnet.train import fit

    train, test = shapes(study, folder)
    makers: dict[str, Callable[[Any, bool], Any]] = {
        "numbers": lambda part, fixed: numbers_only,
        "clouds": lambda part, fixed: part.clouds(),
        "grids": lambda part, fixed: part.grids(),
        "images": lambda part, fixed: part.images(fixed),
    }
    inputs, test_inputs = (makers[study.inputs](part, part is test) for part in (train, test))
    network = build(study)
    held = 0 if study.inputs == "numbers" else HELD
    first = len(train) - held
    judged = (train.fields[first:], lambda numbers, rng: inputs(numbers + first, rng)) if held else None
    file = folder / f"{study.name}-{digest(asdict(study))[:10]}.pt"
    result = fit(
        network, train.fields[:first], inputs, study.recipe, study.seed, validation=judged, checkpoint=file,
        progress=progress,
    )  # fmt: skip
    network.eval()
    return Trained(network, train, test, inputs, test_inputs, result)
