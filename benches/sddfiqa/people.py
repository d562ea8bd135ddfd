"""The faces that are judged: generated people with the shipped recognisers, ORL's with dlib's network.

Quality is learned on some people and judged on others. Embeddings of ORL's chips take minutes; they are kept in
`cache_dir`, by content, and never in the result.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benches.runner import Context


@dataclass(frozen=True, eq=False)
class Case:
    """One set of people, degraded, seen by two recognisers.

    Attributes:
        suffix: of the metrics: "_generated", or none for ORL.
        title: for plots.
        train, test: `ml.sddfiqa.faces.FaceSet` of different people.
        judge, other: names of the recognisers.
        seen: (train, test) embeddings of the judge; labels come from it.
        others: the same of the other recogniser.
        net: the judge as a `FaceNet`, where it is one.
        missed: pictures without a detected face.
    """

    suffix: str
    title: str
    train: Any
    test: Any
    judge: str
    other: str
    seen: tuple[np.ndarray, np.ndarray]
    others: tuple[np.ndarray, np.ndarray]
    net: Any = None
    missed: int = 0


def generated(ctx: Context[Any]) -> Case:
    """Drawn faces: 80 people to learn quality from, 40 to judge it on."""
    from ml.common.data import load
    from ml.sddfiqa.shipped import recogniser

    config, data = ctx.config, load("toy_faces")
    ctx.record_data(data.name, data.source, data.variant)
    train, test = _sets(data.x_train, data.y_train, data.x_test, data.y_test, config.copies, config.people, ctx.seed)
    one, two = recogniser("toy-a"), recogniser("toy-b")
    return Case(
        "_generated", "generated people", train, test, one.name, two.name,
        (one.embed(train.chips), one.embed(test.chips)), (two.embed(train.chips), two.embed(test.chips)), one,
    )  # fmt: skip


def orl(ctx: Context[Any], progress: Any) -> Case:
    """ORL's people 1 … 20 to learn from, 21 … 40 to judge on; dlib's network, and one trained on people 1 … 20.

    Raises:
        UnreachableError: no pictures on this machine.
        ToolMissingError: no dlib.
    """
    from ml.common.data import load
    from ml.sddfiqa.facenet import train_facenet
    from ml.sddfiqa.faces import aligned
    from ml.sddfiqa.recognise import DlibRecogniser
    from ml.sddfiqa.shipped import recogniser

    data = load("orl", download=False)
    one = DlibRecogniser()
    ctx.record_data(data.name, data.source, data.variant)
    chips = [aligned(images, one.align) for images in (data.x_train, data.x_test)]
    train, test = _sets(chips[0][0], data.y_train, chips[1][0], data.y_test, 6, 0, ctx.seed)
    seen = tuple(_kept(one, part.chips, Path(ctx.config.cache_dir), progress) for part in (train, test))
    two = train_facenet(
        chips[0][0], data.y_train, seed=ctx.seed, epochs=ctx.config.other_epochs, copies=6, lr=1e-3,
        start=recogniser("toy-a"),
    )  # fmt: skip
    others = two.embed(train.chips), two.embed(test.chips)
    name = "a small network trained on people 1–20"
    return Case("", "ORL, people 21–40", train, test, one.name, name, seen, others, None, chips[0][1] + chips[1][1])  # type: ignore[arg-type]


def _sets(x: Any, y: Any, x_test: Any, y_test: Any, copies: int, people: int, seed: int) -> tuple[Any, Any]:
    """Training chips with `copies` degraded ones of each, test chips with two, of the first `people` (0: all)."""
    from ml.sddfiqa.faces import with_copies

    if people:
        x, y = x[np.isin(y, np.unique(y)[:people])], y[np.isin(y, np.unique(y)[:people])]
        x_test, y_test = (part[np.isin(y_test, np.unique(y_test)[:people])] for part in (x_test, y_test))
    train = with_copies(x, y, copies=copies, seed=2 * seed + 1)
    return train, with_copies(x_test, y_test, copies=2, seed=2 * seed + 2)


def _kept(recogniser: Any, chips: np.ndarray, folder: Path, progress: Any) -> np.ndarray:
    """Embeddings of `chips`, computed once for equal chips."""
    key = hashlib.sha256(recogniser.name.encode() + chips.tobytes()).hexdigest()[:24]
    path = folder / f"{key}.npy"
    if path.exists():
        return np.load(path)
    made = recogniser.embed(chips, progress)
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npy")
    np.save(part, made)
    part.replace(path)
    return made
