"""Full training runs: HDR-5L with random and learned masks, accuracy–cost curves, distilled jets.

Every run is one `ml.neuralut.train.RunSpec` in a folder of its own under `Config.train_dir`; a finished folder
with the same specification is taken as it is, a killed one goes on from its checkpoint.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benches import stats
from benches.files import digest, file_sha256, write_atomic
from benches.neuralut.curves import CurvePoint, equal_accuracy_ratio
from benches.neuralut.runs import CURVES, HDR5L, JETS, LEARNED, TWELVE_BIT, Plan
from benches.runner import Context
from hwsim.ir import io
from hwsim.ir.lut import LutNetwork, SumLayer


def folder_of(spec: Any, train_dir: Path) -> Path:
    """Folder of a run: the fields that differ from the defaults, readable and unique."""
    from ml.neuralut.train import RunSpec

    default = asdict(RunSpec())
    parts = [str(spec.config)] + [
        f"{key}{value}" for key, value in asdict(spec).items() if key != "config" and value != default[key]
    ]
    return train_dir / re.sub(r"[^\w.+-]", "", "-".join(parts))


def trained(spec: dict[str, Any], train_dir: str, area: bool) -> dict[str, Any]:
    """Train one run, or take it from its folder; accuracies in percent, and LUT6 and levels where `area` asks."""
    from ml.neuralut.train import RunSpec, run

    made = RunSpec(**spec)
    folder = folder_of(made, Path(train_dir))
    summary_file = folder / "summary.json"
    summary = json.loads(summary_file.read_text()) if summary_file.exists() else None
    if summary is None or summary["spec"] != asdict(made):
        summary = run(made, folder)
    return {
        "test": 100 * summary["test_accuracy_of_tables"],
        "val": 100 * summary["val_accuracy"],
        "n_test": summary["codes_equal_on"],
        "cpu_s": summary["cpu_s"],
        **(_area(folder / f"network{io.SUFFIX}") if area else {}),
    }


def _area(path: Path) -> dict[str, float]:
    """LUT6 and levels of a run's tables; kept beside them for as long as tables and mapper stay the same."""
    import rtl.synth.lutmap as lutmap
    from benches.neuralut.area import mapped
    from rtl.synth import counters

    network = io.load_as(LutNetwork, path)
    sources = sorted(Path(lutmap.__file__).parent.glob("*.py"))
    if isinstance(network.layers[-1], SumLayer):
        sources.append(Path(counters.__file__))
    key = digest([file_sha256(path), *(file_sha256(source) for source in sources)])
    kept = path.with_name("area.json")
    if kept.exists() and (found := json.loads(kept.read_text())).get("key") == key:
        return {"lut6": found["lut6"], "levels": found["levels"]}
    area = mapped(network)
    write_atomic(kept, json.dumps({"key": key, "lut6": area.lut6, "levels": area.levels}).encode())
    return {"lut6": area.lut6, "levels": area.levels}


def train_all(ctx: Context[Any]) -> None:
    """Run every plan and record accuracies, gains and ratios."""
    plans: list[Plan] = [HDR5L, LEARNED, *CURVES, *JETS]
    points = [
        {"spec": spec, "train_dir": ctx.config.train_dir, "area": plan.area} for plan in plans for spec in plan.specs()
    ]
    rows = iter(ctx.sweep(trained, points))
    by_plan = {plan.name: [next(rows) for _ in plan.seeds] for plan in plans}
    for plan in plans:
        found = by_plan[plan.name]
        ctx.metric(f"acc_{plan.name}", stats.mean([row["test"] for row in found]), "%", method=plan.method(found))
        if plan.area:
            ctx.metric(f"lut6_mean_{plan.name}", stats.mean([row["lut6"] for row in found]), "LUT6")
            ctx.metric(f"levels_mean_{plan.name}", stats.mean([row["levels"] for row in found]), "levels")
    _curves(ctx, by_plan)
    _jets(ctx, by_plan)
    _smallest(ctx, by_plan)


def _curves(ctx: Context[Any], rows: dict[str, list[dict[str, Any]]]) -> None:
    """LUTs and levels of NeuraLUT over LogicNets at equal accuracy, on HDR-5L's task."""
    for metric, cost in (("lut_ratio", "lut6"), ("levels_ratio", "levels")):
        for suffix, plans in (("equal_accuracy", CURVES), ("12bit", TWELVE_BIT)):
            ours, theirs = (_curve(plans, kind, cost, rows) for kind in ("neuralut", "logicnets"))
            figure = equal_accuracy_ratio(ours, theirs, ctx.rng(metric))
            ctx.metric(f"{metric}_vs_logicnets_{suffix}", figure, "×")


def _curve(plans: Sequence[Plan], kind: str, cost: str, rows: dict[str, list[dict[str, Any]]]) -> list[CurvePoint]:
    """One point a plan of this kind."""
    found = [rows[plan.name] for plan in plans if plan.kind == kind]
    return [
        CurvePoint(
            tuple(row["test"] for row in seeds), float(np.mean([row[cost] for row in seeds])), seeds[0]["n_test"]
        )
        for seeds in found
    ]


def _jets(ctx: Context[Any], rows: dict[str, list[dict[str, Any]]]) -> None:
    """NeuraLUT less the better of LogicNets and PolyLUT at equal tables, on the distilled jets."""
    for shape in ("jsc2l", "jsc5l"):
        ours = np.array([row["test"] for row in rows[f"{shape}_distilled"]])
        peers = [
            np.array([row["test"] for row in rows[f"{shape}_distilled_{kind}"]]) for kind in ("logicnets", "polylut")
        ]
        best = max(peers, key=lambda values: float(values.mean()))
        ctx.metric(f"acc_gain_{shape}_distilled", stats.mean((ours - best).tolist()), "points", method="paired by seed")


def _smallest(ctx: Context[Any], rows: dict[str, list[dict[str, Any]]]) -> None:
    """Fewest LUT6 of our own MNIST networks that reach 97 % and 98 % on the test set (seed means)."""
    for level in (97.0, 98.0):
        reach = [
            float(np.mean([row["lut6"] for row in found]))
            for name, found in rows.items()
            if "lut6" in found[0] and np.mean([row["test"] for row in found]) >= level
        ]
        if reach:
            ctx.metric(f"lut6_at_{level:.0f}", min(reach), "LUT6", method="mean over the seeds of one configuration")
