"""Trained integer networks that ship with the package: a folder of `data` a run, one artifact an arm.

``summary.json`` beside them holds the run's specification and what it measured. `python -m ml.encodingnet.shipped RUN
NAME` makes the result of `ml.encodingnet.train` a shipped run; ``data/README.md`` has the commands.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hwsim.ir import io
from hwsim.ir.errors import UsageError
from hwsim.ir.mac import EncodedMac
from ml.common.mac_torch import TorchMac

_DATA = Path(__file__).parent / "data"


def names() -> tuple[str, ...]:
    """Shipped runs."""
    return tuple(sorted(p.parent.name for p in _DATA.glob("*/summary.json")))


def summary(name: str) -> dict[str, Any]:
    """Specification and measurements of a shipped run.

    Raises:
        UsageError: no such run.
    """
    if name not in names():
        raise UsageError.of("shipped run", repr(name), f"one of {', '.join(names())}", "Choose one.")
    return json.loads((_DATA / name / "summary.json").read_text())


def network(name: str, arm: str) -> EncodedMac:
    """The integer network of an arm of a shipped run.

    Raises:
        UsageError: no such run or arm.
    """
    arms = summary(name)["arms"]
    if arm not in arms:
        raise UsageError.of(f"arm of {name}", repr(arm), f"one of {', '.join(arms)}", "Choose one.")
    return io.load_as(EncodedMac, _DATA / name / f"{arm}{io.SUFFIX}")


def accuracy(net: EncodedMac, x: Tensor, y: Any, block: int = 125) -> float:
    """Share of images float32 [n, c, h, w] whose class, by integers alone, is the label."""
    mac, right = TorchMac(net), 0
    for start in range(0, len(x), block):
        scores = mac(*mac.quantise(x[start : start + block]))
        right += int((torch.as_tensor(y[start : start + block]) == scores.argmax(1)).sum())
    return right / len(y)


def ship(run: Path, name: str) -> None:
    """Copy artifacts and summary of a run's folder to ``data/<name>``.

    Raises:
        UsageError: the folder holds no finished run.
    """
    report = run / "summary.json"
    if not report.exists():
        raise UsageError.of("run", run, "a folder with summary.json", "Finish `ml.encodingnet.train` first.")
    target = _DATA / name
    target.mkdir(parents=True, exist_ok=True)
    for arm in json.loads(report.read_text())["arms"]:
        shutil.copyfile(run / f"{arm}{io.SUFFIX}", target / f"{arm}{io.SUFFIX}")
    shutil.copyfile(report, target / "summary.json")


if __name__ == "__main__":
    import sys

    ship(Path(sys.argv[1]), sys.argv[2])
