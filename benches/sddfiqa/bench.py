"""SDD-FIQA from labels to a gate in hardware: what runs in which profile, in order.

smoke and quick: generated people with the shipped recognisers. full adds ORL with dlib's network, where both are
installed, more seeds, and the placed clock of the gate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benches.runner import Context
from benches.sddfiqa import circuits, lut, mac, page, people, plots, rounds, study

ORL_METRICS = (
    "aoc_ratio_predicted_to_label", "aoc_gain_vs_norm", "aoc_gain_vs_laplacian", "aoc_cross_recogniser",
    "aoc_mean_gain_vs_pair", "hw_aoc_loss",
)  # fmt: skip


@dataclass(frozen=True)
class Config:
    """What --set can change.

    Attributes:
        people: generated people a side, 0 for all; copies: degraded copies of a training chip.
        seeds: quality networks of each kind; chip_epochs, head_epochs: their training.
        draws: of the bootstrap; passes: dropout passes of SER-FIQ.
        luts: sizes of the L-LUT gates, hidden-votes, small to large; lut_epochs: their training.
        place: place the gate's L-LUTs for their clock; mac: run the CNN on the encoded-MAC array.
        many: faces in the label engine's long run, 0 for none.
        orl: judge ORL with dlib's network; other_epochs: training of the second recogniser there.
        cache_dir: where embeddings of ORL's chips are kept.
    """

    people: int = 0
    copies: int = 3
    seeds: int = 2
    chip_epochs: int = 16
    head_epochs: int = 40
    draws: int = 60
    passes: int = 30
    luts: str = "1024-512"
    lut_epochs: int = 100
    place: bool = False
    mac: bool = True
    many: int = 20_000
    orl: bool = False
    other_epochs: int = 20
    cache_dir: str = "build/sddfiqa"


PROFILES = {
    "smoke": Config(people=6, copies=2, seeds=1, chip_epochs=4, head_epochs=10, draws=10, passes=5, luts="128-64",
                    lut_epochs=5, mac=False, many=0),
    "quick": Config(),
    "full": Config(seeds=3, draws=100, luts="256-128 1024-512", place=True, many=100_000, orl=True),
}  # fmt: skip


def run(ctx: Context[Config]) -> None:
    """Measure every claim and bar that this profile can, on one thread: the networks are small."""
    from benches.neuralut.networks import one_thread

    with one_thread():
        _run(ctx)


def _run(ctx: Context[Config]) -> None:
    drawn = people.generated(ctx)
    shown = [_case(ctx, drawn, "generated people")]
    if ctx.config.orl:
        shown += _orl(ctx)
    else:
        ctx.note("ORL figures are kept ones: this profile judges generated people (--set orl=true for both).")
    if ctx.config.many:
        with ctx.stage("labels of many faces") as stage:
            if stage.todo:
                rounds.many(ctx)
    if ctx.config.place:
        with ctx.stage("clock of the gate") as stage:
            if stage.todo:
                lut.place(ctx, "" if len(shown) > 1 else drawn.suffix)
    outcome = shown[0]
    chips, kind = drawn.test.chips, np.array(outcome["rounds"]["kind"])
    quality = np.array(outcome["predicted"])
    plots.faces(ctx, chips, quality, kind)
    page.write(ctx, shown, chips, quality, kind)
    ctx.kept()
    for claim in ("lfw", "adience", "ijbc"):
        ctx.not_comparable(
            claim, "needs the data set and a recogniser trained on MS1M; the figure is printed as other data"
        )


def _case(ctx: Context[Any], case: Any, name: str) -> dict[str, Any]:
    """All stages of one set of people; what plots and page need."""
    with ctx.stage(f"{name}: labels and estimates") as stage:
        if stage.todo:
            stage.outcome = _measured(ctx, case, stage.progress)
        found: dict[str, Any] = stage.outcome
    found["plot"] = "edc" if not case.suffix else f"edc{case.suffix}"
    plots.curves(ctx, found, found["plot"])
    plots.areas(ctx, found, f"aoc{case.suffix}")
    if case.suffix:
        plots.labels(ctx, found["rounds"])
        plots.hardware(ctx, found["gates"], found["teacher"], found["engine"])
    return found


def _measured(ctx: Context[Any], case: Any, progress: Any) -> dict[str, Any]:
    judged = study.estimates(ctx, case, progress)
    found = study.measure(ctx, case, judged)
    found["predicted"] = judged.qualities["predicted"].mean(0).round(3).tolist()
    if case.suffix:
        found["rounds"] = rounds.measure(ctx, case)
        found["engine"] = circuits.measure(ctx, case.seen[1], case.test.identity, judged.labels.quality, case.suffix)
    gates = lut.measure(ctx, case, judged, progress)
    found["gates"], found["teacher"] = gates["rows"], gates["teacher"]
    if ctx.config.mac:
        found["mac"] = mac.measure(ctx, case, judged, progress)
    return found


def _orl(ctx: Context[Any]) -> list[dict[str, Any]]:
    """ORL's stages, or why there are none."""
    from hwsim.ir.errors import DataError, ToolMissingError

    try:
        case = people.orl(ctx, lambda done, total, note: None)
    except (DataError, ToolMissingError) as error:
        for metric in ORL_METRICS:
            ctx.not_comparable(metric, f"ORL or dlib is not here: {error}")
        return []
    ctx.metric("orl_faces_not_detected", case.missed, "", n=400, method="cropped in the middle instead")
    return [_case(ctx, case, "ORL")]
