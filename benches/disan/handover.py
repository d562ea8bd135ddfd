"""Hand-over to the encoded-MAC array: the trained network in 8-bit codes, accuracy, cycles by kind of work, energy."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches import stats
from benches.disan import runs
from benches.disan.runs import Run
from benches.disan.study import ORDER
from benches.runner import Context
from hwsim.encodingnet.network import NetworkRunner
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.mac import EncodedMac
from hwsim.ir.mac_vector import Concat, Const, Reshape, Transpose

UNITS = ("exact", "uniform-m40", "uniform-m48", "uniform-m32", "recoded-m32")
CHOSEN = "uniform-m40"  # of the bar: 40 wide bits for 64
LENGTHS = (5, 10, 15, 20, 25)
ARCH = EncodingnetArch(64, 64)
WORK = ("GEMM", "token2token", "source2token", "other")


def units() -> dict[str, Any]:
    """Product units by name."""
    from hwsim.encodingnet.encodings import exact
    from hwsim.encodingnet.library import shipped

    return {name: exact(8, 8) if name == "exact" else shipped(name) for name in UNITS}


def trained(ctx: Context[Any]) -> tuple[Any, Any, int]:
    """(model, task, words at most) that is handed over: TREC in full, the generated sentences else."""
    config = ctx.config
    if config.seeds:
        run = runs.scheduled("trec")
    else:
        run = Run("word_order", **ORDER, epochs=config.order_epochs, share=config.order_share)
    task = runs.load(run)
    model = runs.model(run, task, config.train_dir)
    return model, task, int(task.test.longest().max())


def measure(ctx: Context[Any], progress: Any) -> dict[str, Any]:
    """Accuracy before and after on every unit, equality of the models, cycles and energy a sentence."""
    from hwsim.ir import io
    from ml.disan import hardware
    from ml.disan.examples import scores

    model, task, n = trained(ctx)
    rows = np.arange(min(len(task.test), ctx.config.hw_sentences))
    labels = task.test.labels[rows]
    told = f"{task.name}, {len(rows)} test sentences of up to {n} words"
    real = float((scores(model, task.test[rows]).argmax(1).numpy() == labels).mean())
    ctx.metric("hw_accuracy_float", 100 * real, "%", method=told)
    x = [part.numpy() for part in hardware.features(model, task.test, rows, n)]
    accuracy: dict[str, float] = {"float": 100 * real}
    chosen = list(units().items())[: ctx.config.hw_units]
    for i, (name, unit) in enumerate(chosen):
        network = hardware.to_ir(model, task.train, n, unit)
        run = NetworkRunner(network)(network.quantise(x), detail="none", block=32)
        accuracy[name] = 100 * float((run.classes == labels).mean())
        ctx.metric(f"hw_accuracy_{name.replace('-', '_')}", accuracy[name], "%", method=f"{told}, 8 bits")
        if name == CHOSEN:
            drop = stats.binomial(int((run.classes == labels).sum()), len(labels))
            how = f"{told}, 8 bits, {name} (M = {unit.n_bits}); float {accuracy['float']:.2f} %, {drop.method}"
            ctx.metric("hw_accuracy_drop_pp", accuracy["float"] - accuracy[name], "points", n=len(rows), method=how)
            ctx.metric("hw_wide_bits", unit.n_bits, "", method="M of the encoding")
            path = ctx.folder / f"disan-{task.name}{io.SUFFIX}"
            io.save(network, path)
            ctx.artifact(path, f"DiSAN for {task.name}, {name}")
            _equal(ctx, network, x)
        progress(i + 1, len(chosen), name)
    return {"accuracy": accuracy, "cycles": _cycles(ctx, model, task), "task": task.name}


def _equal(ctx: Context[Any], network: EncodedMac, x: list[np.ndarray]) -> None:
    """Torch twin, numba runner and reference give the same codes."""
    import torch

    from ml.common.mac_torch import TorchMac

    count = ctx.config.hw_equal
    some = [part[:count] for part in x]
    mac = TorchMac(network)
    twin = mac(*mac.quantise(*(torch.from_numpy(part) for part in some))).numpy()
    codes = network.quantise(some)
    fast, slow = NetworkRunner(network)(codes, detail="none").outputs, network.reference(codes)
    same = (twin == slow).all(axis=1) & (fast == slow).all(axis=1)
    ctx.metric("code_equal_sentences", int(same.sum()), "", n=count, method="torch = numba = reference, all scores")
    ctx.metric("code_sentences", count, "")


def _cycles(ctx: Context[Any], model: Any, task: Any) -> dict[str, dict[str, float]]:
    """Cycles a sentence by kind of work, for sentences of up to n words."""
    from ml.disan import hardware

    found: dict[str, dict[str, float]] = {}
    unit = units()[CHOSEN]
    fits = [n for n in LENGTHS[: ctx.config.hw_lengths] if (task.train.longest() <= n).any()]
    for n in fits:
        network = hardware.to_ir(model, task.train, n, unit)
        rows = np.flatnonzero(task.test.longest() <= n)[: ctx.config.hw_timed]
        x = [part.numpy() for part in hardware.features(model, task.test, rows, n)]
        run = NetworkRunner(network, ARCH)(network.quantise(x), block=len(rows))
        split = {work: cycles / len(rows) for work, cycles in vector_split(network, len(rows)).items()}
        found[str(n)] = {"GEMM": run.gemm_cycles / len(rows), **split}
        if n == fits[-1]:
            _told(ctx, n, found[str(n)], run, len(rows))
    return found


def vector_split(network: EncodedMac, samples: int) -> dict[str, int]:
    """Cycles of the vector unit by kind: on pairs of words (three axes), source2token's softmax, the rest."""
    cycles = dict.fromkeys(WORK[1:], 0)
    matrix = {op for op, _ in network.gemms}
    last = max(matrix)
    softmax = next(i for i, op in enumerate(network.ops) if op.type == "reduce" and getattr(op, "how", "") == "max")
    for i, op in enumerate(network.ops):
        if i in matrix or isinstance(op, Reshape | Transpose | Concat | Const):
            continue
        shapes = [network.shapes[v] for v in op.inputs] + [network.shapes[len(network.inputs) + i]]
        size = samples * max(int(np.prod(shape)) for shape in shapes)
        kind = "token2token" if max(map(len, shapes)) == 3 else "source2token" if softmax <= i < last else "other"
        cycles[kind] += -(-size // ARCH.cols)
    return cycles


def _told(ctx: Context[Any], n: int, split: dict[str, float], run: Any, samples: int) -> None:
    how = f"up to {n} words, {ARCH.rows} × {ARCH.cols} array, {samples} sentences side by side, {CHOSEN}"
    for work in WORK:
        ctx.metric(f"cycles_{work.lower()}", split[work], "cycles", method=f"a sentence, {how}")
    total = sum(split.values())
    ctx.metric("cycles_nonlinear_share", 100 * (total - split["GEMM"]) / total, "%", method=how)
    ctx.metric("gemm_utilisation", 100 * run.utilisation, "%", method=how)
    energy = sum(run.energy_pj.values()) / samples / 1e6
    ctx.metric("gemm_energy_uj", energy, "µJ", method=f"array alone, a sentence, {how}")
