"""The array model beside SCALE-Sim: equal cycles, its speed, and a whole ResNet-18."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from benches.encodingnet import scalesim
from benches.encodingnet.columns import P_W, P_X
from benches.runner import Context
from hwsim.encodingnet.array import ArrayModel, estimate
from hwsim.encodingnet.array_values import simulate
from hwsim.encodingnet.emulator import gemm
from hwsim.encodingnet.encodings import exact
from hwsim.encodingnet.rates import OperandStats
from hwsim.encodingnet.recoded import recoded
from hwsim.encodingnet.shapes import GemmShape, conv, resnet18
from hwsim.encodingnet.traffic import traffic
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.errors import EquivalenceError

LAYER = conv("conv2", 56, 64, 64, 3)
SYSTOLIC = EncodingnetArch(64, 64, style="systolic")
HEAP = EncodingnetArch(64, 64, style="heap", cuts=("rows",))
PARTS = ("register", "clock", "encoder", "popcount", "decoder", "memory", "dram", "leakage")


def measure(ctx: Context[Any]) -> dict[str, dict[str, float]]:
    """Metrics of the model; energy by part of ResNet-18 on both kinds of column, in µJ, for the plot."""
    equal = sum(_as_scalesim(layer) for layer in scalesim.KEPT)
    method = f"cycles and accesses of {len(scalesim.KEPT)} layers, both dataflows, kept figures of SCALE-Sim 3.0.0"
    peer = scalesim.CYCLES_PER_S
    if scalesim.installed():
        last, seconds = scalesim.run(scalesim.KEPT[:1])
        peer, method = (last[0] + 1) / seconds, f"{method}; the first one run again"
        equal -= last != [scalesim.KEPT[0].last_cycle]
    ctx.metric(
        "array_cycles_equal_scalesim", float(equal == len(scalesim.KEPT)), "", n=len(scalesim.KEPT), method=method
    )
    ctx.metric("scalesim_cycles_per_s", peer, "1/s", method="live" if scalesim.installed() else "measured before, kept")
    stats = OperandStats(P_X, P_W)
    rng = ctx.rng("array")
    x, w = rng.integers(0, 128, (LAYER.t, LAYER.k)), rng.integers(-128, 128, (LAYER.n, LAYER.k))
    model = ArrayModel(exact(8, 8), SYSTOLIC)
    run = simulate(x, w, model.encoding, toggles="sums", model=model)
    if not np.array_equal(run.outputs, gemm(x, w, model.encoding)):
        raise EquivalenceError.of("sums of the array model", "others", "those of the emulation", "Report this.")
    seconds = _cpu(lambda: simulate(x, w, model.encoding, toggles="sums", model=model), ctx.config.rounds)
    _ratio(ctx, "array_values_per_s_ratio_scalesim", run.cycles / seconds, peer, "every sum computed")
    return _resnet(ctx, stats, peer)


def _resnet(ctx: Context[Any], stats: OperandStats, peer: float) -> dict[str, dict[str, float]]:
    """ResNet-18 on a plain systolic array and on recoded columns."""
    layers = resnet18()
    ours = recoded(8, 8, 5, fit="stationary")
    seconds = _cpu(lambda: estimate(layers, exact(8, 8), SYSTOLIC, stats), ctx.config.rounds)
    ctx.metric(
        "resnet18_64x64_seconds", seconds, "s", n=len(layers),
        method="CPU seconds, best of rounds: cycles, traffic and energy from operand statistics, no values",
    )  # fmt: skip
    cycles = sum(SYSTOLIC.gemm_cycles(s.t, s.k, s.n) for s in layers)
    what = "all of ResNet-18, traffic and energy from statistics, set-up included"
    _ratio(ctx, "array_cycles_per_s_ratio_scalesim", cycles / seconds, peer, what)
    runs = {
        "systolic": estimate(layers, exact(8, 8), SYSTOLIC, stats),
        "recoded 5": estimate(layers, ours, HEAP, stats),
    }
    for name, run in runs.items():
        slug = name.replace(" ", "")
        ctx.metric(f"resnet18_cycles_{slug}", run.cycles, "cycles")
        ctx.metric(
            f"resnet18_energy_{slug}", sum(run.energy_pj.values()) * 1e-6, "µJ", method="sky130hd figures; model"
        )
    return {name: {part: run.energy_pj.get(part, 0.0) * 1e-6 for part in PARTS} for name, run in runs.items()}


def _as_scalesim(layer: scalesim.Layer) -> bool:
    """Cycles and accesses equal the peer's."""
    dataflow: Literal["ws", "os"] = "ws" if layer.dataflow == "ws" else "os"
    arch = EncodingnetArch(layer.rows, layer.cols, style="systolic", dataflow=dataflow)
    total = traffic(GemmShape("layer", layer.t, layer.k, layer.n), exact(8, 8), arch)
    writes = layer.y_writes is None or total.y_writes == layer.y_writes
    reads = (total.x_reads, total.w_reads) == (layer.x_reads, layer.w_reads)
    return writes and reads and total.cycles == layer.last_cycle + 1


def _ratio(ctx: Context[Any], name: str, rate: float, peer: float, what: str) -> None:
    method = f"{rate:.3g} cycles a CPU second, {what}, against {peer:.3g} of SCALE-Sim 3.0.0 on a layer of ResNet-18"
    ctx.metric(name, rate / peer, "×", method=method)


def _cpu(work: Callable[[], object], rounds: int) -> float:
    """CPU seconds of one call, best of rounds after a warm-up."""
    work()
    best = np.inf
    for _ in range(rounds):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return float(best)
