"""Decoders on the encoded-MAC array: IoU, cycles and energy of meshes, MISE and following against dense evaluation.

One network a shape (its code is folded in), 8-bit operands, 64 × 64 array of heap columns. A round of MISE is a
barrier: its last block of queries is what is left over. Dense figures are not simulated query by query: cycles follow
from the array's formula (checked against the simulated coarse round), energy from that round's energy a query, whose
points are spread over the box as the dense ones are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benches import stats
from benches.occnet import learning, studies
from benches.runner import Context
from hwsim.ir.errors import EquivalenceError

BLOCK = 4096  # queries that share one loading of the weights
UNITS = ("recoded", "recoded-signed", "uniform-m48", "recoded-m32", "exact")  # recoded: 40 wide bits, products exact
MAIN = "recoded"
DENSE = 129**3


def unit(name: str) -> Any:
    """An encoding by name."""
    from hwsim.encodingnet.encodings import exact
    from hwsim.encodingnet.library import shipped
    from hwsim.encodingnet.recoded import recoded

    made = {
        "exact": lambda: exact(8, 8, x_signed=False),
        "recoded": lambda: recoded(8, 8, x_signed=False),
        "recoded-signed": lambda: recoded(8, 8),
    }
    return made.get(name, lambda: shipped(name))()


@dataclass
class Meter:
    """A decoder on the array that keeps account.

    Attributes:
        runner: network and array.
        rounds: (queries, gemm cycles, vector cycles, pJ) of each call.
    """

    runner: Any
    rounds: list[tuple[int, int, int, float]] = field(default_factory=list)

    def __call__(self, codes: Any) -> Any:
        """Output codes."""
        run = self.runner(codes, block=BLOCK)
        pj = float(sum(run.energy_pj.values()))
        self.rounds.append((len(codes), run.gemm_cycles, run.vector_cycles, pj))
        return run.outputs

    def total(self, at: int) -> float:
        """Sum of a column over all calls."""
        return float(sum(row[at] for row in self.rounds))


def meter(one: Any, code: Any, name: str, rng: np.random.Generator, k: int) -> Meter:
    """Shape `k` of a trained study on product unit `name`."""
    from hwsim.encodingnet.network import NetworkRunner
    from hwsim.ir.arch.encodingnet import EncodingnetArch
    from ml.occnet.export import to_ir
    from ml.occnet.fields import uniform_points

    points = np.concatenate([uniform_points(1024, rng), one.train.surfaces[k]])
    network = to_ir(one.network.decoder, code, unit(name), points)
    return Meter(NetworkRunner(network, EncodingnetArch(64, 64, style="heap", cuts=("rows",))))


def network(ctx: Context[Any], progress: Any) -> tuple[Any, Any]:
    """The trained study in float32, and its codes."""
    import torch

    study = studies.HARDWARE
    if ctx.config.hardware_epochs != study.recipe.epochs or ctx.config.hardware_hidden != study.hidden:
        study = learning.shortened(study, ctx.config.hardware_epochs, ctx.config.hardware_hidden)
    one = studies.trained(study, Path(ctx.config.train_dir), progress)
    one.network.mixed = False
    return one, one.network.code(torch.arange(study.n_train or 1))


def accuracy(ctx: Context[Any], one: Any, codes: Any) -> None:
    """IoU at random corners of the final grid: float32 against every product unit."""
    from ml.occnet.export import coordinate_codes
    from ml.occnet.fields import grid_points
    from ml.occnet.train import iou

    rng = ctx.rng("grid points")
    points = grid_points(128)[rng.integers(0, DENSE, ctx.config.judged_points)]
    drops: dict[str, list[float]] = {name: [] for name in UNITS}
    floats, flips, asked = [], [], 0
    for k in range(ctx.config.hardware_shapes):
        truth = one.train.fields[k](points) > 0
        real = one.network.field(codes[k])(points) > 0
        floats.append(iou(truth, real))
        for name in UNITS[: ctx.config.units]:
            found = meter(one, codes[k], name, rng, k)
            filled = found(coordinate_codes(found.runner.network, points))[:, 0] > 0
            drops[name].append(floats[-1] - iou(truth, filled))
            flips += [float((filled != real).mean())] if name == MAIN else []
            asked += len(points)
    ctx.metric(
        "hw_iou_float", stats.mean(floats), "", method=f"{len(points)} corners of the 128 grid, {len(floats)} shapes"
    )
    for name, lost in drops.items():
        if lost:
            metric = "hw_iou_drop" if name == MAIN else f"hw_iou_drop_{name.replace('-', '_')}"
            ctx.metric(metric, stats.mean(lost), "", method=f"8 bits, {name}, M = {unit(name).n_bits}")
    ctx.metric("hw_flipped_share", stats.mean(flips), "", method="corners whose side differs from float32's")
    ctx.metric(
        "hw_macs_per_query", found_macs(one, codes, rng), "MAC", method="matrix products of the handed-over network"
    )
    ctx.metric("hw_queries_judged", asked, "")


def found_macs(one: Any, codes: Any, rng: np.random.Generator) -> int:
    """Multiply-accumulates of a query in the artifact."""
    return int(meter(one, codes[0], MAIN, rng, 0).runner.network.cost().values["macs"])


def meshes(ctx: Context[Any], one: Any, codes: Any, progress: Any) -> dict[str, Any]:
    """MISE on the array, shape by shape: queries, cycles, energy, and how good the meshes are."""
    rows = []
    for k in range(ctx.config.mesh_shapes):
        rows.append(ctx.samples.once(partial(_one_mesh, ctx, one, codes, k), mesh=k))
        progress(k + 1, ctx.config.mesh_shapes, "meshes on the array")
    column = {name: [row[name] for row in rows] for name in rows[0] if name != "rounds"}
    for name, unit_of in (("cycles", "cycles"), ("joules", "J")):
        ctx.metric(f"{name}_per_mesh_dense", stats.mean(column[f"{name}_dense"]), unit_of)
        for how in ("mise", "follow"):
            ctx.metric(f"{name}_per_mesh_{how}", stats.mean(column[f"{name}_{how}"]), unit_of)
            ratio = np.divide(column[f"{name}_dense"], column[f"{name}_{how}"]).tolist()
            ctx.metric(f"{name}_saving_of_{how}", stats.mean(ratio), "×")
    ctx.metric("hw_queries_simulated", sum(column["queries"]), "", method="all queries of the meshes")
    ctx.metric("hw_utilisation", float(np.mean(column["utilisation"])), "", method="products / cells · cycles, MISE")
    share = float(np.mean(column["followed"]))
    ctx.metric(
        "hw_follow_equals_mise", share, "", n=len(rows), method="meshes whose grid points all lie on the same side"
    )
    ctx.metric("hw_watertight_share", float(np.mean(column["watertight"])), "", n=len(rows))
    for name in ("chamfer_float", "chamfer_hw", "normals_float", "normals_hw"):
        how = "Chamfer-L1 × 10, the paper's unit" if "chamfer" in name else "normal consistency"
        ctx.metric(f"{name}{'_x10' if 'chamfer' in name else ''}", stats.mean(column[name]), "", method=how)
    return {"rounds": [row["rounds"] for row in rows], "n": len(rows)}


def _one_mesh(ctx: Context[Any], one: Any, codes: Any, k: int) -> dict[str, Any]:
    """One shape: float and hardware meshes (pictures into the run's folder), counts."""
    from ml.occnet.export import integer_field
    from ml.occnet.follow import follow
    from ml.occnet.metrics import PAPER_FACTOR, surface_score
    from ml.occnet.mise import mise
    from ml.occnet.render import render

    coarse, depth = ctx.config.mesh_resolution, 2
    found = meter(one, codes[k], MAIN, ctx.rng(f"mesh {k}"), k)
    extraction = mise(integer_field(found.runner.network, found), coarse, depth, batch=1 << 30)
    walk = Meter(found.runner)
    followed = follow(integer_field(walk.runner.network, walk), coarse, depth, batch=1 << 30)
    truth, real = mise(one.train.fields[k]).mesh(), mise(one.network.field(codes[k]), coarse, depth).mesh()
    hard = extraction.mesh()
    np.save(ctx.folder / f"mesh-{k}.npy", np.stack([render(mesh, 256) for mesh in (truth, real, hard)]))
    if k == 0:
        np.save(ctx.folder / "known.npy", _rounds_of(extraction, coarse, depth))
    scores = [surface_score(mesh, truth, ctx.config.surface_points) for mesh in (real, hard)]
    size = (coarse << depth) + 1
    dense_cycles, dense_pj = _dense(found, size**3)
    cells = found.runner.arch.rows * found.runner.arch.cols
    macs = found.runner.network.cost().values["macs"]
    return {
        "queries": extraction.queries, "rounds": found.rounds,
        "cycles_mise": found.total(1) + found.total(2), "cycles_dense": dense_cycles,
        "joules_mise": found.total(3) * 1e-12, "joules_dense": dense_pj * 1e-12,
        "cycles_follow": walk.total(1) + walk.total(2), "joules_follow": walk.total(3) * 1e-12,
        "followed": float(np.array_equal(followed.values > 0, extraction.values > 0)),
        "utilisation": macs * extraction.queries / (cells * found.total(1)),
        "watertight": float(hard.is_watertight),
        "chamfer_float": PAPER_FACTOR * scores[0].chamfer_l1, "chamfer_hw": PAPER_FACTOR * scores[1].chamfer_l1,
        "normals_float": scores[0].normals, "normals_hw": scores[1].normals,
    }  # fmt: skip


def _dense(found: Meter, points: int) -> tuple[int, float]:
    """(cycles, pJ) of `points` queries in blocks.

    Raises:
        EquivalenceError: the formula and the simulated coarse round differ.
    """
    queries, gemm, vector, pj = found.rounds[0]
    if _gemm_cycles(found, queries) != gemm:
        got, want = f"{gemm} simulated", f"{_gemm_cycles(found, queries)} of the formula"
        raise EquivalenceError.of("cycles of the coarse round", got, want, "Report this.")
    return _gemm_cycles(found, points) + round(vector / queries * points), pj / queries * points


def _gemm_cycles(found: Meter, queries: int) -> int:
    """Cycles of all matrix products for so many queries, block after block."""
    arch, gemms = found.runner.arch, found.runner.network.gemms
    whole, rest = divmod(queries, BLOCK)
    total = whole * sum(arch.gemm_cycles(BLOCK * g.t, g.k, g.n) for _, g in gemms)
    return total + (sum(arch.gemm_cycles(rest * g.t, g.k, g.n) for _, g in gemms) if rest else 0)


def _rounds_of(extraction: Any, coarse: int, depth: int) -> Any:
    """Per grid point the level at which it was asked for (0 … depth), −1 for never."""
    level = np.where(extraction.known, depth, -1).astype(np.int8)
    for up in range(depth - 1, -1, -1):
        step = 1 << (depth - up)
        part = level[::step, ::step, ::step]
        part[part >= 0] = up
    return level


def refinement(ctx: Context[Any], one: Any, codes: Any) -> None:
    """Chamfer-L1 before and after 30 steps on meshes of the coarse grid alone, in the place of a simplified mesh."""
    from ml.occnet.metrics import PAPER_FACTOR, surface_score
    from ml.occnet.mise import mise
    from ml.occnet.refine import refine

    before, after = [], []
    for k in range(ctx.config.refined_shapes):
        truth = mise(one.train.fields[k]).mesh()
        rough = mise(one.network.field(codes[k]), ctx.config.refined_resolution, 0).mesh()
        better = refine(one.network, codes[k], rough, seed=k)
        scores = [surface_score(mesh, truth, ctx.config.surface_points) for mesh in (rough, better)]
        before.append(scores[0])
        after.append(scores[1])
    ratio = [b.chamfer_l1 / a.chamfer_l1 for a, b in zip(before, after, strict=True)]
    first = PAPER_FACTOR * float(np.mean([s.chamfer_l1 for s in before]))
    last = PAPER_FACTOR * float(np.mean([s.chamfer_l1 for s in after]))
    ctx.metric("refine_chamfer_ratio", stats.mean(ratio), "×", method=f"× 10: {first:.4f} → {last:.4f}")
    gain = [b.normals - a.normals for a, b in zip(before, after, strict=True)]
    ctx.metric("refine_normals_gain", stats.mean(gain), "")
