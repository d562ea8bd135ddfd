"""RTL of columns and arrays against the array model: sums and cycles, all pairs of codes and random folds."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches.runner import Context
from hwsim.encodingnet.array_values import simulate
from hwsim.encodingnet.encodings import booth, exact, truncated
from hwsim.encodingnet.moving import moving
from hwsim.encodingnet.recoded import recoded
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.encoding import Encoding

Fold = tuple[np.ndarray, np.ndarray]
FAST = "-O0"  # compiling the large flat expressions with optimisation takes longer than running them


def designs() -> dict[str, tuple[Encoding, EncodingnetArch]]:
    """Four-row arrays of every style."""
    heap = EncodingnetArch(4, 2, style="heap", cuts=("rows",))
    ours = recoded(8, 8, 5, fit="stationary")
    return {
        "systolic": (exact(8, 8), EncodingnetArch(4, 4, style="systolic")),
        "exact heap": (exact(8, 8), heap),
        "Booth heap": (booth(8, 8), EncodingnetArch(4, 2, style="heap", recode=("w",))),
        "truncated heap": (truncated(8, 8, 6), heap),
        "encoded popcount": (truncated(8, 8, 5), EncodingnetArch(4, 2)),
        "recoded heap": (ours, heap),
        "recoded heap, moving bits": (moving(ours), heap),
        "recoded heap, complements": (moving(ours, complement=True), heap),
    }


def measure(ctx: Context[Any], progress: Any) -> None:
    """Folds whose sums and cycles agree."""
    from rtl.cosim.verilate import Verilated
    from rtl.encodingnet import build

    chosen = dict(list(designs().items())[: ctx.config.rtl_designs])
    equal = runs = 0
    for i, (name, (encoding, arch)) in enumerate(chosen.items()):
        dut = Verilated(build(encoding, arch), optimise=FAST)
        folds = all_pairs(arch, ctx.rng(f"pairs {name}")) if ctx.config.rtl_pairs else []
        folds += random_folds(arch, ctx.rng(f"folds {name}"), ctx.config.rtl_folds)
        equal += count_equal(dut, encoding, arch, folds)
        runs += len(folds)
        progress(i + 1, len(chosen), name)
    pairs = "all 65 536 pairs of codes and random folds" if ctx.config.rtl_pairs else "random folds"
    method = f"sums and cycles of {len(chosen)} arrays, {pairs}; every sum of the model is the encoding's"
    ctx.metric("rtl_equal_runs", equal, "", n=runs, method=method)
    ctx.metric("rtl_runs", runs, "")


def count_equal(dut: Any, encoding: Encoding, arch: EncodingnetArch, folds: list[Fold]) -> int:
    """Folds in which RTL and model agree in every sum and in cycles."""
    from rtl.encodingnet.cosim import stream

    seen = stream(dut, encoding, arch, folds)
    equal = 0
    for (x, w), sums, cycles in zip(folds, seen.sums, seen.cycles, strict=True):
        want = simulate(x, w, encoding, arch, toggles="none")
        padding = arch.padding(encoding, x.shape[1])
        equal += np.array_equal(sums[:, : len(w)], want.outputs + padding) and cycles == want.cycles
    return equal


def all_pairs(arch: EncodingnetArch, rng: np.random.Generator) -> list[Fold]:
    """Each weight stands in some cell while all 256 activations pass it."""
    weights = np.arange(-128, 128).reshape(-1, arch.cols, arch.rows)
    return [(np.stack([rng.permutation(256) - 128 for _ in range(arch.rows)], axis=1), w) for w in weights]


def random_folds(arch: EncodingnetArch, rng: np.random.Generator, count: int) -> list[Fold]:
    """Folds of random size and codes."""
    sizes = rng.integers(1, [33, arch.rows + 1, arch.cols + 1], (count, 3))
    return [(rng.integers(-128, 128, (t, k)), rng.integers(-128, 128, (n, k))) for t, k, n in sizes.tolist()]
