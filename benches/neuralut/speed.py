"""How fast LUT networks are evaluated: our kernels beside numpy, a dense torch comparison and Verilator.

All evaluators see the same input codes [batch, n_in], one thread, in the same run; each figure is the median
of rounds after warm-up, layout changes included. Before anything is timed, the outputs are compared.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

from benches import stats
from benches.neuralut import networks, peers
from benches.neuralut.equality import verilated
from benches.neuralut.networks import Trained, require_equal
from benches.runner import Context
from hwsim.ir.lut import LutLayer, LutNetwork
from hwsim.neuralut import simulate


def measure(ctx: Context[Any], hdr: Trained) -> None:
    """Simulation rates on HDR-5L."""
    network, config = hdr.network, ctx.config
    codes = _codes(ctx, hdr, config.speed_batch)
    few = codes[: config.slow_batch]
    require_equal("simulate and reference", simulate(network, few).outputs, network.reference(few))
    require_equal("numba and reference", simulate(network, few, backend="numba").outputs, network.reference(few))
    ours = stats.rate(lambda: simulate(network, codes, tech=None), len(codes), config.rounds, warm_up=2)
    portable = stats.rate(lambda: simulate(network, codes, backend="numba", tech=None), len(codes), 3)
    used = simulate(network, few).backend
    method = f"backend {used}, from codes [batch, 784] to codes and classes, one thread; {ours.method}"
    ctx.metric("sim_samples_per_s_hdr5l", ours, "1/s", method=method)
    ctx.metric("sim_samples_per_s_hdr5l_numba", portable, "1/s")
    lookups = network.cost().values["lookups"]
    ctx.metric("sim_ns_per_lookup_hdr5l", 1e9 / ours.value / lookups, "ns", method="1 / (rate · 566 lookups)")
    _beside_numpy(ctx, network, codes, ours)
    if config.hdr5l_rtl:
        _beside_verilator(ctx, network, codes, ours)
    _beside_torch(ctx, network, few, ours)


def _codes(ctx: Context[Any], hdr: Trained, n: int) -> np.ndarray:
    """`n` input codes: MNIST's test images, repeated, when they are here; uniform codes otherwise."""
    if hdr.x_test is None:
        return networks.random_codes(hdr.network, n, ctx.rng("speed"))
    codes = hdr.network.quantise(hdr.x_test)
    return np.tile(codes, (-(-n // len(codes)), 1))[:n]


def _beside_numpy(ctx: Context[Any], network: LutNetwork, codes: np.ndarray, ours: stats.Figure) -> None:
    part = codes[: ctx.config.numpy_batch]
    require_equal("numpy peer and reference", peers.numpy_gather(network, part[:64]), network.reference(part[:64]))
    rate = stats.rate(lambda: peers.numpy_gather(network, part), len(part), 3)
    ctx.metric("numpy_samples_per_s_hdr5l", rate, "1/s")
    ctx.metric("sim_speedup_vs_numpy_hdr5l", stats.ratio(ours, rate), "×")


def _beside_verilator(ctx: Context[Any], network: LutNetwork, codes: np.ndarray, ours: stats.Figure) -> None:
    design = verilated(network)
    run = design.run(codes)
    require_equal("Verilated RTL and simulate", run.outputs, simulate(network, codes).outputs)
    latencies = np.unique(run.latency)  # of every sample, read off the RTL
    require_equal("shortest and longest latency of the RTL", latencies[:1, None], latencies[-1:, None])
    ctx.metric("latency_cycles_hdr5l", latencies[0], "cycles", n=len(codes), method="clock edges in the Verilated RTL")
    rate = stats.rate(lambda: design.run(codes), len(codes), 3, warm_up=0)
    ctx.metric("verilator_samples_per_s_hdr5l", rate, "1/s", method=f"batch driver, one sample a cycle; {rate.method}")
    ctx.metric("sim_speedup_vs_verilator", stats.ratio(ours, rate), "×")


def _beside_torch(ctx: Context[Any], network: LutNetwork, codes: np.ndarray, ours: stats.Figure) -> None:
    with networks.one_thread():
        evaluator = peers.TorchCompare(network)
        require_equal("torch peer and reference", evaluator(codes[:2]), network.reference(codes[:2]).astype(np.int64))
        rate = stats.rate(lambda: evaluator(codes), len(codes), 3, warm_up=0)
    ctx.metric("torch_compare_samples_per_s_hdr5l", rate, "1/s")
    ctx.metric("sim_speedup_vs_torch_compare", stats.ratio(ours, rate), "×")


def enumeration(ctx: Context[Any], hdr: Trained) -> None:
    """Seconds and memory to enumerate HDR-5L's tables from its weights, and that they equal the shipped ones."""
    from ml.neuralut.export import enumerate_tables

    best = np.inf
    tables, margin = enumerate_tables(hdr.model)  # the first one compiles
    for _ in range(3):
        start = time.process_time()
        tables, margin = enumerate_tables(hdr.model)
        best = min(best, time.process_time() - start)
    for i, (table, layer) in enumerate(zip(tables, hdr.network.layers, strict=True)):
        assert isinstance(layer, LutLayer)
        require_equal(f"enumerated and shipped tables of layer {i}", table, layer.table)
    ctx.metric("enumerate_seconds_hdr5l", best, "s", method="CPU seconds, best of 3 after warm-up")
    growth, whole = fresh_peak_mib(
        "from ml.neuralut.weights import load_weights; model = load_weights('hdr5l')",
        "from ml.neuralut.export import enumerate_tables; enumerate_tables(model)",
    )
    method = f"peak resident size of a fresh process that imports torch, {growth:.0f} MiB of it by the enumeration"
    ctx.metric("enumerate_peak_mib_hdr5l", whole, "MiB", method=method)
    ctx.metric("enumerate_rounding_margin", margin.distance, "", method="smallest distance to a rounding boundary")
    ctx.metric("enumerate_unproven_entries", margin.unproven, "", method="entries nearer than the float64 error bound")


def fresh_peak_mib(setup: str, work: str) -> tuple[float, float]:
    """(growth by `work` after `setup`, whole process) of the peak resident size in a fresh interpreter, in MiB."""
    # VmHWM, since ru_maxrss would begin at the parent's peak
    script = (
        "def peak():\n"
        "    return int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) / 1024\n"
        f"{setup}\nbefore = peak()\n{work}\nprint(peak() - before, peak())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=900)
    growth, whole = done.stdout.split()[-2:]
    return float(growth), float(whole)


def startup(ctx: Context[Any]) -> None:
    """CPU seconds of `hwsim --help` and of `import hwsim`, best of 3 after one warm-up."""
    help_s = _cpu_of([sys.executable, "-m", "benches.cli", "--help"])
    import_s = _cpu_of([sys.executable, "-c", "import hwsim"]) - _cpu_of([sys.executable, "-c", "pass"])
    method = "CPU seconds of the process, best of 3 after warm-up"
    ctx.metric("cli_help_seconds", help_s, "s", method=method)
    ctx.metric("import_hwsim_seconds", max(import_s, 0.0), "s", method=method + ", less an empty interpreter's")


def _cpu_of(command: list[str]) -> float:
    best = np.inf
    for i in range(4):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=120)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best = min(best, spent) if i else best
    return float(best)


def drivers(ctx: Context[Any], digits: Trained) -> None:
    """Cycles a second of the batch driver beside cocotb, both under Verilator, on the small network's RTL."""
    from rtl.cosim.harness import cocotb_rate

    assert digits.x_test is not None
    codes = digits.network.quantise(digits.x_test)
    design = verilated(digits.network)
    many = np.tile(codes, (200_000 // len(codes) + 1, 1))
    rates = sorted(design.run(many).cycles_per_s for _ in range(5))
    slow = cocotb_rate(design.design, codes, digits.network.reference(codes))
    ctx.metric("batch_driver_cycles_per_s", rates[2], "1/s", rates[0], rates[4], 5, "median, small network")
    ctx.metric("cocotb_cycles_per_s", slow, "1/s")
    ctx.metric("batch_driver_speedup_vs_cocotb", rates[2] / slow, "×", method="same RTL, both under Verilator")
