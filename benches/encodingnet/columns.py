"""The columns that are compared, and the cost of one of them: area, critical path and power on a cell library.

A design is a multiplier, the way its column adds, and what the column may leave to others: `fitted` constants of the
stationary weight start the accumulators (`hwsim.encodingnet.moving`), for rivals and for ours alike. Every column is
drawn from the same operands, and its simulated netlist must give the sums of its encoding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal

import numpy as np

from hwsim.encodingnet.accuracy import product_error
from hwsim.encodingnet.emulator import gemm
from hwsim.encodingnet.encodings import booth, exact, truncated
from hwsim.encodingnet.library import shipped
from hwsim.encodingnet.moving import moving
from hwsim.encodingnet.operands import gaussian, relu_gaussian
from hwsim.encodingnet.recoded import recoded, with_stationary_fit
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.arch.encodingnet_cells import cell_codes
from hwsim.ir.arch.encodingnet_column import column_plan
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import EquivalenceError

ROWS, CLOCK_MHZ = 64, 200.0
STREAMS, CYCLES = 64, 24  # independent columns side by side, counted cycles
SIGMA_X, SIGMA_W = 40.0, 32.0  # ReLU of a Gaussian, and a Gaussian, in codes
Family = Literal[
    "systolic", "exact", "booth", "popcount", "truncated", "recoded", "truncated_relu", "recoded_relu", "searched_relu"
]
Operands = tuple[np.ndarray, np.ndarray]
P_X, P_W = relu_gaussian(8, SIGMA_X), gaussian(8, SIGMA_W)


@dataclass(frozen=True)
class Design:
    """One column.

    Attributes:
        family: line in the plots.
        make: its encoding.
        arch: how it adds.
        free: bias and functions of the weight alone are left to the accumulators.
        multiplier: yosys' own or its Booth pass, for plain cells.
    """

    family: Family
    make: Callable[[], Encoding]
    arch: EncodingnetArch
    free: bool = False
    multiplier: Literal["yosys", "booth"] = "yosys"


HEAP = EncodingnetArch(rows=ROWS, style="heap", cuts=("rows",))
PLAIN = EncodingnetArch(rows=ROWS, style="systolic")
FUSED = EncodingnetArch(rows=ROWS, style="systolic", mac="fused")
COUNT = EncodingnetArch(rows=ROWS, style="popcount")


def _truncated(column: int) -> Encoding:
    return with_stationary_fit(truncated(8, 8, column), P_X, P_W)


def _recoded(column: int) -> Encoding:
    return recoded(8, 8, column, fit="stationary", p_x=P_X, p_w=P_W)


def _truncated_relu(column: int) -> Encoding:
    return with_stationary_fit(truncated(7, 8, column, x_signed=False), P_X[:128], P_W)


def _recoded_relu(column: int) -> Encoding:
    return recoded(7, 8, column, x_signed=False, fit="stationary", p_x=P_X[:128], p_w=P_W)


def _searched_relu(moving_bits: int) -> Encoding:
    return shipped(f"relu-m{moving_bits}")


RELU, MOVING = (4, 5, 6, 7, 8), (14, 16, 20, 24)  # lowest columns, and moving bits, of products of activations ≥ 0
DESIGNS: dict[str, Design] = {
    "systolic": Design("systolic", lambda: exact(8, 8), PLAIN),
    "systolic, Booth cells": Design("systolic", lambda: exact(8, 8), PLAIN, multiplier="booth"),
    "systolic, fused cells": Design("systolic", lambda: exact(8, 8), FUSED),
    "exact heap": Design("exact", lambda: exact(8, 8), HEAP),
    "exact popcount (M = 64)": Design("popcount", lambda: exact(8, 8), COUNT),
    "Booth heap": Design("booth", lambda: booth(8, 8), HEAP),
    **{f"truncated {c}": Design("truncated", partial(_truncated, c), HEAP, free=True) for c in range(3, 9)},
    **{f"recoded {c}": Design("recoded", partial(_recoded, c), HEAP, free=True) for c in (0, *range(3, 9))},
    **{f"truncated {c}, x ≥ 0": Design("truncated_relu", partial(_truncated_relu, c), HEAP, free=True) for c in RELU},
    **{f"recoded {c}, x ≥ 0": Design("recoded_relu", partial(_recoded_relu, c), HEAP, free=True) for c in RELU},
    **{
        f"searched {m}, x ≥ 0": Design("searched_relu", partial(shipped, f"relu-m{m}"), HEAP, free=True) for m in MOVING
    },
    "recoded 5 (uniform)": Design("recoded", lambda: recoded(8, 8, 5, fit="stationary"), HEAP, free=True),
}


def errors(name: str) -> dict[str, float]:
    """Errors of a design's product, for the operands of the power figures and for uniform ones; its wide bits."""
    e = DESIGNS[name].make()
    seen, uniform = product_error(e, P_X[: 1 << e.x_bits], P_W), product_error(e)
    return {
        "rmse": seen.rmse, "mean": seen.mean, "rmse_uniform": uniform.rmse, "relmax": uniform.max_relative,
        "wide_bits": float(e.n_bits), "moving_bits": float((~e.stationary).sum()),
    }  # fmt: skip


@cache
def operands(source: str, seed: int) -> Operands:
    """Activation patterns [cycles, streams, rows] and weight patterns [streams, rows], int64.

    Args:
        source: ``"gaussian"`` draws them from `P_X` and `P_W`; else a shipped network, whose largest layer gives them:
            each stream is one output and 64 of its products, over positions in the order the array sees them.
    """
    rng = np.random.default_rng(seed)
    cycles = CYCLES + 2 * ROWS + 8
    if source == "gaussian":
        x = rng.choice(256, p=P_X, size=(cycles, STREAMS, ROWS))
        return x, rng.choice(256, p=P_W, size=(STREAMS, ROWS))
    layer, weights = largest_layer(source)
    starts = rng.integers(0, len(layer) - cycles + 1, STREAMS)
    firsts = rng.integers(0, layer.shape[1] - ROWS + 1, STREAMS)
    outputs = rng.integers(0, len(weights), STREAMS)
    x = np.stack([layer[t : t + cycles, k : k + ROWS] for t, k in zip(starts, firsts, strict=True)], axis=1)
    w = np.stack([weights[n, k : k + ROWS] for n, k in zip(outputs, firsts, strict=True)])
    return x & 255, w & 255


@cache
def largest_layer(name: str) -> Operands:
    """Codes x [T, K] and w [N, K] of the layer with the most products of a shipped network, on test images.

    Raises:
        UnreachableError: the images are not here.
    """
    from ml.encodingnet import shipped as trained
    from ml.encodingnet.tasks import load_task

    images, _ = load_task(trained.summary(name)["spec"]["data"], download=False).test()
    network = trained.network(name, "exact")
    seen: list[Operands] = []

    def mac(x: np.ndarray, w: np.ndarray, unit: int) -> np.ndarray:
        seen.append((x, w))
        return gemm(x, w, network.encodings[unit])

    for _ in network.evaluate(network.quantise(images[:16].numpy()), mac):
        pass
    x, w = max((pair for pair in seen if pair[0].shape[1] >= ROWS), key=lambda pair: pair[0].size * len(pair[1]))
    return x.astype(np.int64), w.astype(np.int64)


def column_cost(library: str, design: str, complement: bool, seed: int, source: str = "gaussian") -> dict[str, Any]:
    """Area in µm², critical path in ps, flip-flops and power in mW at `CLOCK_MHZ` of one column.

    Raises:
        EquivalenceError: the mapped netlist does not give the sums of the encoding.
    """
    from rtl.encodingnet.export import column_verilog
    from rtl.synth.cells import Conditions, MapOptions, analyse, load_library, measure

    chosen = DESIGNS[design]
    whole = chosen.make()
    built = moving(whole, complement=complement) if chosen.free or complement else whole
    inputs, start = _streams(built, chosen.arch, operands(source, seed))
    verilog, top = column_verilog(built, chosen.arch)
    options = MapOptions(flatten=False, multiplier=chosen.multiplier)
    warmup = len(inputs["w"]) - CYCLES
    cells = load_library(library)
    done = measure(verilog, top, cells, inputs, clock_mhz=CLOCK_MHZ, options=options, warmup=warmup)
    assert done.activity is not None
    _check_sums(design, done.activity.integers("y", signed=True), built, chosen.arch, operands(source, seed), start)
    report, power = done.report, done.report.power
    assert power is not None
    return {
        "area_um2": report.area_um2, "flip_flops": report.flip_flops,
        "critical_ps": analyse(done.netlist, Conditions(still=("w", "w_row", "w_load"))).critical_path_ps,
        "power_mw": power.total_mw, "quiet_mw": power.no_glitch_mw, "clock_mw": power.clock_mw,
        "register_mw": power.register_mw, "combinational_mw": power.combinational_mw, "leakage_mw": power.leakage_mw,
        "area_by_group": dict(report.group_area_um2),
        "power_by_group": {group: sum(parts.values()) for group, parts in power.groups.items()},
    }  # fmt: skip


def _streams(encoding: Encoding, arch: EncodingnetArch, drawn: Operands) -> tuple[dict[str, np.ndarray], int]:
    """Values of every input port: weights are loaded row by row, then activations stream; and when they start."""
    x, w = drawn
    cells = column_plan(encoding, arch).cells
    cycles = (
        ROWS + CYCLES + (ROWS if arch.style == "systolic" else 0) + arch.latency - (arch.style == "systolic") * ROWS
    )
    loading = np.arange(cycles) < ROWS
    row = np.where(loading, np.arange(cycles), 0)
    codes = cell_codes(encoding, cells.x_code, "x")
    width = len(cells.x_code)
    bits = np.zeros((cycles, STREAMS, ROWS, width), np.uint8)
    for r in range(ROWS):
        first = ROWS + (r if arch.style == "systolic" else 0)
        some = codes[x[: max(cycles - first, 0), :, r]]
        bits[first:, :, r] = (some[..., None] >> np.arange(width, dtype=np.uint64)) & np.uint64(1)
    spread = np.ones((1, STREAMS), np.int64)
    inputs = {
        "x": bits.reshape(cycles, STREAMS, -1), "w": np.where(loading[:, None], w.T[row], 0),
        "w_row": row[:, None] * spread, "w_load": loading.astype(np.int64)[:, None] * spread,
    }  # fmt: skip
    return inputs, ROWS


def _check_sums(
    design: str, got: np.ndarray, encoding: Encoding, arch: EncodingnetArch, drawn: Operands, start: int
) -> None:
    x, w = drawn
    first = start + arch.latency
    if len(got) <= first:
        raise EquivalenceError.of(design, f"{len(got)} cycles", f"more than {first}", "Simulate longer.")
    n = len(got) - first
    want = encoding.table[x[:n], w[None]].sum(axis=-1)
    if not np.array_equal(got[first:], want):
        wrong = int((got[first:] != want).sum())
        raise EquivalenceError.of(f"mapped netlist of {design}", f"{wrong} wrong sums", "none", "Report this design.")
