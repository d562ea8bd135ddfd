"""The trained GIN on the encoded-MAC array with the statistics unit: accuracy before and after, cycles, energy."""

from __future__ import annotations

from functools import cache
from typing import Any

from benches import stats
from benches.graphnorm.array import EncodedProducts
from benches.graphnorm.folds import train_dir, trained
from benches.graphnorm.studies import studies
from benches.runner import Context

UNIT = "recoded-m32-d1"  # 32 wide bits, of the bar's 48; powers of two, so that sums fit accumulators of 32 bits
UNITS = ("exact", UNIT, "uniform-m48-d2", "uniform-m48")  # the last one has 16 fraction bits: for accuracy only
CALIBRATION = 256  # training graphs that ranges come from
CHECKED = 20  # test graphs of a fold whose scores are compared with the reference's
COSTED = 32  # test graphs whose cycles and energy are summed


@cache
def encoding_named(name: str) -> Any:
    """The exact multiplier, or a shipped encoding."""
    from hwsim.encodingnet.encodings import exact
    from hwsim.encodingnet.library import shipped

    return exact(8, 8) if name == "exact" else shipped(name)


def variants() -> dict[str, tuple[str, dict[str, Any]]]:
    """Name → (encoding, options of the hand-over)."""
    from ml.graphnorm.export import Widths

    found: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in UNITS}
    found |= {f"w{bits}": ("exact", {"widths": Widths(w_bits=bits)}) for bits in (4, 3)}
    found |= {f"root{bits}": ("exact", {"widths": Widths(root_bits=bits, table_bits=bits)}) for bits in (4,)}
    found |= {f"in{bits}": ("exact", {"widths": Widths(in_bits=bits)}) for bits in (8,)}
    return found | {"folded": ("exact", {"fold": True})}


def fold_handover(name: str, fold: int, options: dict[str, Any], batch: bool, train_dir: str) -> dict[str, float]:
    """Test accuracy in percent of one fold's network: float, every variant of `variants`; BatchNorm's if `batch`."""
    from hwsim.graphnorm import GraphRunner
    from ml.graphnorm.export import graph_codes, to_ir
    from ml.graphnorm.train import accuracy

    model, graphs, train, test = trained(name, "graph", 0, fold, options, train_dir)
    row = {"float": 100 * accuracy(model, graphs, test), "checked": float(min(len(test), CHECKED))}
    codes = graph_codes(graphs, test)
    for variant, (unit, choices) in variants().items():
        network = to_ir(model, graphs, train[:CALIBRATION], encoding_named(unit), **choices)
        run = GraphRunner(network, EncodedProducts(network.encodings))(codes)
        row[variant] = 100 * float((run.classes == graphs.labels[test]).mean())
        if variant == UNIT:
            few = graph_codes(graphs, test[:CHECKED])
            row["equal"] = float((network.reference(few) == run.outputs[:CHECKED]).all(axis=1).sum())
    if not batch:
        return row
    other, *_ = trained(name, "batch", 0, fold, options, train_dir)
    row["batch_float"] = 100 * accuracy(other, graphs, test)
    network = to_ir(other, graphs, train[:CALIBRATION], encoding_named("exact"))
    run = GraphRunner(network, EncodedProducts(network.encodings))(codes)
    row["batch_exact"] = 100 * float((run.classes == graphs.labels[test]).mean())
    return row


def measure(ctx: Context[Any]) -> dict[str, list[dict[str, float]]]:
    """Rows by set, one a fold; records accuracies and the drop on 8 bits."""
    found: dict[str, list[dict[str, float]]] = {}
    for name in ctx.config.handover_sets.split():
        study = studies(ctx.config)[name]
        points = [
            {"name": name, "fold": fold, "options": study.options, "batch": "batch" in study.norms,
             "train_dir": train_dir(ctx)}
            for fold in range(study.folds)
        ]  # fmt: skip
        found[name] = ctx.sweep(fold_handover, points)
    rows = [row for part in found.values() for row in part]
    for name, part in found.items():
        for variant in (key for key in part[0] if key not in ("equal", "checked")):
            values = [row[variant] for row in part]
            ctx.metric(f"hw_acc_{name}_{variant.replace('-', '_')}", stats.mean(values), "%")
        drop = stats.mean([row["float"] - row[UNIT] for row in part])
        ctx.metric(f"hw_accuracy_drop_{name}_pp", drop, "points", method=f"float minus {UNIT}, paired by fold")
    what = f"8 bits, paired by fold, {len(rows)} folds of {', '.join(found)}"
    for metric, variant in (("hw_accuracy_drop_pp", UNIT), ("hw_accuracy_drop_exact_pp", "exact"),
                            ("hw_accuracy_drop_folded_pp", "folded")):  # fmt: skip
        drop = stats.mean([row["float"] - row[variant] for row in rows])
        ctx.metric(metric, drop, "points", method=f"float minus {variant}, {what}; {drop.method}")
    ctx.metric("hw_wide_bits", encoding_named(UNIT).n_bits, "", method=UNIT)
    ctx.metric("handover_equal_graphs", int(sum(row["equal"] for row in rows)), "", method="GraphMac.reference")
    ctx.metric("handover_graphs", int(sum(row["checked"] for row in rows)), "")
    return found


def cost(ctx: Context[Any]) -> dict[str, Any]:
    """Cycles and energy a graph on a 64×64 array, by width of the statistics unit; BatchNorm's network beside."""
    from hwsim.graphnorm import GraphRunner
    from hwsim.ir import io
    from hwsim.ir.arch.encodingnet import EncodingnetArch
    from hwsim.ir.arch.graphnorm import GraphnormArch
    from ml.graphnorm.export import graph_codes, to_ir

    name = ctx.config.handover_sets.split()[0]
    options = studies(ctx.config)[name].options
    model, graphs, train, test = trained(name, "graph", 0, 0, options, train_dir(ctx))
    other, *_ = trained(name, "batch", 0, 0, options, train_dir(ctx))
    chosen = test[:COSTED]
    codes, arch = graph_codes(graphs, chosen), EncodingnetArch()
    network = to_ir(model, graphs, train[:CALIBRATION], encoding_named(UNIT), meta={"set": name})
    path = ctx.folder / f"{name}-gin.hwir.safetensors"
    io.save(network, path)
    ctx.artifact(path, "GIN with GraphNorm")
    plain = to_ir(other, graphs, train[:CALIBRATION], encoding_named(UNIT))
    base = GraphRunner(plain, EncodedProducts(plain.encodings, arch))(codes)
    n = len(chosen)
    method = f"{n} graphs of {name} together, 64×64 array, {UNIT}"
    ctx.metric("hw_cycles_per_graph_batchnorm", base.cycles / n, "cycles", method=method)
    ctx.metric("hw_energy_per_graph_batchnorm", sum(base.energy_pj.values()) / n / 1000, "nJ", method=method)
    found: dict[str, Any] = {"batchnorm": _row(base, n), "lanes": {}}
    lanes = [k for k in (1, 2, 4, 8, 16, 32, 64) if ctx.config.hidden % k == 0]
    for k in lanes:
        run = GraphRunner(network, EncodedProducts(network.encodings, arch), GraphnormArch(k))(codes)
        found["lanes"][str(k)] = _row(run, n)
        ctx.metric(f"hw_cycles_per_graph_lanes{k}", run.cycles / n, "cycles", method=f"{method}, {k} lanes")
    widest = found["lanes"][str(lanes[-1])]
    ctx.metric("hw_energy_per_graph", widest["energy_nj"], "nJ", method=method)
    ctx.metric("hw_energy_share_statistics", widest["statistics_nj"] / widest["energy_nj"], "", method=(
        "statistics unit at 45 nm prices, array at sky130's: a rough figure"))  # fmt: skip
    ratio = widest["cycles"] / found["batchnorm"]["cycles"]
    ctx.metric("hw_cycles_ratio_gn_over_bn", ratio, "×", method=f"{method}, {lanes[-1]} lanes")
    return found


def _row(run: Any, n: int) -> dict[str, float]:
    return {
        "cycles": run.cycles / n, "gemm": run.gemm_cycles / n, "wait": run.wait_cycles / n,
        "vector": run.vector_cycles / n, "energy_nj": sum(run.energy_pj.values()) / n / 1000,
        "statistics_nj": run.energy_pj.get("statistics", 0.0) / n / 1000,
    }  # fmt: skip
