"""Bit for bit and cycle for cycle: torch, tables, reference, kernels and Verilated RTL on the same samples."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
from joblib import Parallel, delayed

from benches.neuralut.networks import Trained, random_codes
from benches.runner import Context
from hwsim.ir.arch.neuralut import NeuralutArch
from hwsim.ir.lut import LutLayer, LutNetwork
from hwsim.neuralut import simulate, simulate_stream

Rows = dict[str, np.ndarray]


def codes(ctx: Context[Any], trained: Trained, progress: Any) -> tuple[int, int]:
    """(equal, all) samples on which every model gives the same output codes."""
    assert trained.x_test is not None
    x = trained.x_test[: ctx.config.equality_samples or None]
    progress(0, 2, f"{trained.name}: torch, tables, kernels")
    network = trained.network
    quantised = network.quantise(x)
    rows: Rows = {"torch": trained.model.codes(x)[-1], "reference": network.reference(quantised)}
    for backend in ("numba", "auto"):
        result = simulate(network, quantised, backend=backend)
        rows[f"simulate, {result.backend}"] = result.outputs
    progress(1, 2, f"{trained.name}: Verilated RTL")
    design = verilated(network)
    ctx.metric(f"verilator_build_seconds_{trained.name}", design.build_seconds, "s", method="wall; short when cached")
    rows["Verilated RTL"] = design.run(quantised).outputs
    return compare(ctx, trained.name, rows), len(x)


def verilated(network: LutNetwork) -> Any:
    """The default pipeline of `network` under Verilator; compiled once, then cached by content."""
    from rtl.cosim.verilate import Verilated
    from rtl.neuralut import build

    return Verilated(build(network, NeuralutArch()))


def compare(ctx: Context[Any], name: str, rows: Rows) -> int:
    """Samples on which all of `rows` agree; a note names each model that differs."""
    first, *others = rows.items()
    equal = np.ones(len(first[1]), dtype=bool)
    for other, values in others:
        same = (values == first[1]).all(axis=1)
        if not same.all():
            ctx.note(f"{name}: {other} differs from {first[0]} on {int((~same).sum())} samples")
        equal &= same
    return int(equal.sum())


def archs(n_layers: int) -> list[NeuralutArch]:
    """Every register placement worth telling apart, in both port styles."""
    styles: tuple[Literal["plain", "stream"], ...] = ("plain", "stream")
    choices = itertools.product(styles, range(1, n_layers + 1), (True, False), (False, True))
    seen: dict[tuple[str, tuple[int, ...]], NeuralutArch] = {}
    for ports, every, first, last in choices:
        arch = NeuralutArch(register_every=every, register_input=first, register_output=last, ports=ports)
        seen.setdefault((ports, arch.boundaries(n_layers)), arch)
    return list(seen.values())


def small_network(rng: np.random.Generator) -> LutNetwork:
    """Four layers of mixed widths with random tables: enough for cycles, and quick to compile under Verilator."""
    bits, widths, fan_in = (2, 1, 3, 2, 4), (10, 8, 6, 7, 5), 2
    layers = tuple(
        LutLayer(
            rng.integers(0, widths[i], (widths[i + 1], fan_in)).astype(np.int32),
            rng.integers(0, 1 << bits[i + 1], (widths[i + 1], 1 << (bits[i] * fan_in))).astype(np.uint8),
            bits[i],
            bits[i + 1],
        )
        for i in range(len(bits) - 1)
    )
    return LutNetwork(widths[0], bits[0], layers)


def cycles(ctx: Context[Any], network: LutNetwork, quantised: np.ndarray, progress: Any) -> tuple[int, int]:
    """(equal, all) pipelining options whose RTL has the model's latency, interval, cycles and handshakes.

    All options of a small drawn network, and the default one of `network` in both port styles.
    """
    small = small_network(ctx.rng("pipeline"))
    x = random_codes(small, 64, ctx.rng("pipeline samples"))
    jobs = [(small, x, arch) for arch in archs(len(small.layers))]
    jobs += [(network, quantised, NeuralutArch(ports=ports)) for ports in ("plain", "stream")]
    jobs = jobs[-2:] if ctx.config.archs == 0 else jobs
    equal = 0
    # two compilers side by side; comparisons are cheap
    found = Parallel(n_jobs=2, prefer="threads", return_as="generator")(
        delayed(_arch_differs)(ctx, *job) for job in jobs
    )
    for i, ((_, _, arch), wrong) in enumerate(zip(jobs, found, strict=True)):
        progress(i + 1, len(jobs), f"{arch.ports}, {arch.register_every}")
        if wrong:
            ctx.note(f"{asdict(arch)}: {wrong}")
        equal += not wrong
    return equal, len(jobs)


def _arch_differs(ctx: Context[Any], network: LutNetwork, quantised: np.ndarray, arch: NeuralutArch) -> str:
    """What differs between RTL and cycle model for one architecture; empty when nothing does."""
    from rtl.cosim.verilate import Verilated
    from rtl.neuralut import build

    # small C++ models: compile time counts more than speed here
    design = Verilated(build(network, arch), optimise="-O1", jobs=1)
    ours, theirs = simulate(network, quantised, arch), design.run(quantised)
    pairs = {
        "latency": (ours.latency_cycles, int(theirs.latency[0])),
        "interval": (ours.initiation_interval, theirs.interval),
        "cycles": (ours.cycles, theirs.cycles),
    }
    wrong = [f"{key}: model {a}, RTL {b}" for key, (a, b) in pairs.items() if a != b]
    if not np.array_equal(ours.outputs, theirs.outputs) or (theirs.latency != theirs.latency[0]).any():
        wrong.append("codes or latencies")
    if arch.ports == "stream":
        wrong += _stream_differs(ctx, network, quantised, arch, design)
    return "; ".join(wrong)


def _stream_differs(
    ctx: Context[Any], network: LutNetwork, quantised: np.ndarray, arch: NeuralutArch, design: Any
) -> list[str]:
    """Signals that differ cycle by cycle under a random handshake pattern."""
    rng = ctx.rng(f"stalls {arch}")
    n = ctx.config.stall_cycles
    in_valid, out_ready = rng.random(n) < 0.7, rng.random(n) < 0.6
    model = simulate_stream(network, quantised, arch, in_valid, out_ready)
    run = design.run(quantised, in_valid=in_valid, out_ready=out_ready)
    names = ("in_fire", "out_fire", "outputs", "latency")
    return [f"{name} under stalls" for name in names if not np.array_equal(getattr(model, name), getattr(run, name))]
