"""Columns and fronts of EncodingNet's bench: stimulus, checked sums, interpolation, the choice of a best point."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benches.encodingnet import columns, cost
from hwsim.encodingnet.encodings import truncated
from hwsim.ir.errors import EquivalenceError

TINY = Path(__file__).parents[2] / "synth" / "tiny.lib"


class Recorder:
    """What `ctx.metric` and `ctx.not_comparable` were told."""

    def __init__(self) -> None:
        self.metrics: dict[str, tuple[float, str]] = {}
        self.reasons: dict[str, str] = {}

    def metric(self, name: str, value: float, unit: str = "", **more: Any) -> None:
        self.metrics[name] = (value, more.get("method", ""))

    def not_comparable(self, name: str, reason: str) -> None:
        self.reasons[name] = reason

    def note(self, text: str) -> None:
        raise AssertionError(text)


def row(library: str, design: str, family: str, rmse: float, area: float, power: float) -> dict[str, Any]:
    return {
        "library": library, "design": design, "family": family, "rmse": rmse, "area_um2": area, "power_mw": power,
        "quiet_mw": power, "flip_flops": 1087, "critical_ps": 900.0, "wide_bits": 37.0, "rmse_uniform": 12.7,
    }  # fmt: skip


def table(power: float = 8.0) -> list[dict[str, Any]]:
    """Truncation at RMSE 1, 10, 100 costs 30, 20, 10; a rival of RMSE √10 (halfway: 25)."""
    rows = []
    for library in cost.LIBRARIES:
        rows += [row(library, f"truncated {i}", "truncated", 10.0**i, 30.0 - 10 * i, 30.0 - 10 * i) for i in range(3)]
        rows += [row(library, "good", "recoded", 10**0.5, 20.0, power), row(library, "far", "recoded", 1e-3, 1.0, 1.0)]
    return rows


def test_truncation_is_interpolated_in_the_logarithm_of_the_error() -> None:
    good = cost.pick(table(), "sky130hd", "good")
    assert cost.ratio_at(table(), "sky130hd", good, "area_um2") == pytest.approx(20 / 25)
    assert np.isnan(cost.ratio_at(table(), "sky130hd", cost.pick(table(), "sky130hd", "far"), "area_um2"))


def test_the_best_point_lies_within_truncations_range() -> None:
    ctx = Recorder()
    cost.against_truncation(ctx, table())  # type: ignore[arg-type]
    assert ctx.metrics["area_ratio_vs_truncation"][0] == pytest.approx(0.8)
    assert ctx.metrics["power_ratio_vs_truncation"][0] == pytest.approx(8 / 25)
    assert ctx.metrics["area_ratio_vs_truncation"][1].startswith("good, operand-weighted RMSE 3.2")


def test_the_worse_library_counts() -> None:
    rows = table()
    cost.pick(rows, "sg13g2", "good")["area_um2"] = 24.0
    ctx = Recorder()
    cost.against_truncation(ctx, rows)  # type: ignore[arg-type]
    assert ctx.metrics["area_ratio_vs_truncation"][0] == pytest.approx(24 / 25)


def test_nothing_in_range_is_said() -> None:
    ctx = Recorder()
    cost.against_truncation(ctx, [r for r in table() if r["design"] != "good"])  # type: ignore[arg-type]
    assert not ctx.metrics
    assert set(ctx.reasons) == {"area_ratio_vs_truncation", "power_ratio_vs_truncation"}


def test_savings_take_the_lower_library() -> None:
    rows = []
    for library, share in (("sky130hd", 0.3), ("sg13g2", 0.4)):
        rows += [row(library, cost.BASE, "systolic", 0.0, 100.0, 10.0) | {"flip_flops": 2417}]
        rows += [row(library, d, "exact", 0.0, 100 * share, 10 * share) for d in (cost.CLAIM, *cost.RIVALS.values())]
    ctx = Recorder()
    cost.savings(ctx, rows)  # type: ignore[arg-type]
    assert ctx.metrics["area_saving_vs_systolic"][0] == pytest.approx(60)
    assert ctx.metrics["power_saving_with_glitches_vs_systolic_exact_heap"][0] == pytest.approx(60)
    assert ctx.metrics["pipeline_registers_ratio_vs_systolic"][0] == pytest.approx((1087 - 1024) / (2417 - 1024))


@pytest.mark.parametrize("complement", [False, True])
def test_a_mapped_column_gives_its_sums(complement: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "ROWS", 4)
    arch = replace(columns.HEAP, rows=4)
    design = columns.Design("truncated", lambda: truncated(8, 8, 11), arch, free=True)
    monkeypatch.setitem(columns.DESIGNS, "small", design)
    columns.operands.cache_clear()
    found = columns.column_cost(str(TINY), "small", complement, 0)
    columns.operands.cache_clear()
    assert found["area_um2"] > 0
    assert found["power_mw"] >= found["quiet_mw"] > found["clock_mw"] > 0
    # 4 rows of 5 x bits and 5 w bits that products of column 11 and above read, two cut rows, the sum
    assert found["flip_flops"] > 4 * (5 + 5)


def test_wrong_sums_are_an_error() -> None:
    encoding = truncated(8, 8, 11)
    drawn = columns.operands("gaussian", 0)
    x, w = drawn
    first = columns.ROWS + columns.HEAP.latency
    right = encoding.table[x[:10], w[None]].sum(axis=-1)
    sums = np.concatenate([np.zeros((first, columns.STREAMS), np.int64), right])
    columns._check_sums("design", sums, encoding, columns.HEAP, drawn, columns.ROWS)
    sums[-1, 3] += 1
    with pytest.raises(EquivalenceError, match=r"mapped netlist of design: got 1 wrong sums"):
        columns._check_sums("design", sums, encoding, columns.HEAP, drawn, columns.ROWS)
