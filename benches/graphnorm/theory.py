"""Equality with the equation and with PyG; regular graphs; singular values and batch noise (figures 2, 3)."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches import stats
from benches.graphnorm.folds import graphs_of
from benches.runner import Context

SEPARATED, COLLAPSED = 0.05, 1e-6  # mean readouts of channels that are 1 wide
NOISE_BATCH = 128


def parity(ctx: Context[Any]) -> None:
    """Largest difference from a loop over graphs, and from PyG's layer where it is installed."""
    import torch

    from ml.graphnorm import GraphNorm

    generator = torch.Generator().manual_seed(ctx.seed)
    sizes = torch.randint(1, 60, (64,), generator=generator)
    graph = torch.repeat_interleave(torch.arange(64), sizes)
    h = torch.randn(len(graph), 32, generator=generator)
    ours = GraphNorm(32)
    with torch.no_grad():
        for p in ours.parameters():
            p.add_(0.3 * torch.randn(32, generator=generator))
        out = ours(h, graph, sizes.float()[:, None])
        want = torch.empty_like(h, dtype=torch.float64)
        for g in range(64):
            rows = h[graph == g].double()
            u = rows - ours.alpha * rows.mean(0)
            want[graph == g] = ours.weight * u / ((u * u).mean(0) + ours.eps).sqrt() + ours.bias
    method = f"64 graphs, {len(graph)} nodes, 32 channels, float32 against a loop in float64"
    ctx.metric("naive_parity_max_err", float((out - want).abs().max()), "", method=method)
    try:
        from torch_geometric import __version__
        from torch_geometric.nn.norm import GraphNorm as Theirs
    except ImportError:
        ctx.not_comparable("pyg_parity_max_err", "PyG is not installed: pip install --no-deps torch-geometric xxhash")
        return
    theirs = Theirs(32, eps=ours.eps)
    with torch.no_grad():
        for to, value in ((theirs.mean_scale, ours.alpha), (theirs.weight, ours.weight), (theirs.bias, ours.bias)):
            to.copy_(value)
        error = float((out - theirs(h, graph, 64)).abs().max())
    ctx.metric("pyg_parity_max_err", error, "", method=f"PyG {__version__}, the same graphs, float32")


def regular(ctx: Context[Any]) -> list[dict[str, float]]:
    """Readouts of two regular graphs over α; rows for the plot."""
    from ml.graphnorm.theory import regular_pair

    seeds = ctx.seeds(5)
    rows = []
    for alpha in np.linspace(0, 2, 41).round(3).tolist():
        for mixed in (True, False):
            gaps = [regular_pair(alpha, mixed, seed) for seed in seeds]
            rows.append({"alpha": alpha, "mixed": float(mixed), "low": min(gaps), "high": max(gaps)})
    half = next(r for r in rows if r["alpha"] == 0.5 and r["mixed"])
    one = next(r for r in rows if r["alpha"] == 1.0 and r["mixed"])
    equal = max(r["high"] for r in rows if r["alpha"] == 0.5 and not r["mixed"])
    what = f"circulants of degree 2 and 4, two feature vectors by turns, {len(seeds)} seeds"
    text = f"{what}; readouts differ by {half['low']:.3g}…{half['high']:.3g}"
    ctx.metric("regular_graphs_separated", float(half["low"] > SEPARATED), "", method=text)
    text = f"{what}; readouts differ by at most {one['high']:.2g}"
    ctx.metric("regular_graphs_collapse_alpha1", float(one["high"] < COLLAPSED), "", method=text)
    ctx.metric("regular_gap_alpha_half", half["low"], "", method=f"{what}; the least of the seeds")
    method = "one feature vector on all nodes, α = 0.5: u and σ both scale with 1 − α, only ε tells them apart"
    ctx.metric("regular_gap_equal_features", equal, "", method=method)
    return rows


def spectrum(ctx: Context[Any], name: str, count: int) -> list[dict[str, list[float]]]:
    """Singular values before and after the shift; rows for the plot."""
    from ml.graphnorm.theory import interlaces, singular_values

    graphs = graphs_of(name)
    usable = np.flatnonzero((graphs.sizes >= 5) & (graphs.sizes <= 150))
    chosen = ctx.rng("spectrum").permutation(usable)[:count]
    rows, holds, ratios = [], 0, []
    for index in chosen.tolist():
        lam, mu = singular_values(graphs.batch([index]).adjacency.to_dense().double().numpy())
        holds += interlaces(lam, mu)
        ratios.append(float(mu[0] / lam[0]))
        rows.append({"lam": lam.tolist(), "mu": mu.tolist()})
    ctx.metric("singular_values_interlace", holds / len(chosen), "", n=len(chosen), method=f"theorem 3.1 on {name}")
    ctx.metric("top_singular_value_ratio", stats.median(ratios), "×", method=f"μ_1 / λ_1, graphs of {name}")
    return rows


def noise(ctx: Context[Any], name: str) -> dict[str, Any]:
    """Statistics of batches around those of all data, for graphs and for images; for the plot."""
    from ml.graphnorm import Recipe
    from ml.graphnorm.theory import batch_noise, first_layer_rows

    graphs, order = graphs_of(name), ctx.rng("noise")
    size = min(NOISE_BATCH, len(graphs) // 6)
    layer = Recipe(norm="batch", hidden=ctx.config.hidden, seed=ctx.seed).network(graphs).layers[0]
    ours = first_layer_rows(graphs, order.permutation(len(graphs)), size, layer)
    images = _image_rows(order, size, ctx.config.hidden, ctx.seed)
    found: dict[str, Any] = {}
    for kind, rows in (("graphs", ours), ("images", images)):
        mean, std = batch_noise(rows)
        method = f"first layer at the start, batches of {size}, {name if kind == 'graphs' else 'digits'}"
        ctx.metric(f"batch_noise_mean_{kind}", mean, "", n=len(rows), method=f"RMS of (μ_b − μ)/σ; {method}")
        ctx.metric(f"batch_noise_std_{kind}", std, "", n=len(rows), method=f"RMS of σ_b/σ − 1; {method}")
        found[kind] = _worst(rows)
        found[f"{kind}_noise"] = [mean, std]
    for i, what in enumerate(("mean", "std")):
        ratio = found["graphs_noise"][i] / found["images_noise"][i]
        ctx.metric(f"batch_noise_ratio_{what}", ratio, "×", method=f"{name} over digits, batches of {size}")
    return found


def _image_rows(order: np.random.Generator, size: int, channels: int, seed: int) -> list[Any]:
    """What a first 3 × 3 convolution makes of the digits: rows of pixels, batch by batch of `size` images."""
    import torch
    from sklearn.datasets import load_digits

    digits = torch.from_numpy(load_digits().images / 16.0).float()[:, None]
    patches = torch.nn.functional.unfold(digits, 3, padding=1).transpose(1, 2)  # [images, 64, 9]
    generator = torch.Generator().manual_seed(seed)
    weight = torch.empty(9, channels).uniform_(-1 / 3, 1 / 3, generator=generator)
    rows = patches[torch.from_numpy(order.permutation(len(patches)))] @ weight
    return [part.reshape(-1, channels) for part in rows.split(size) if len(part) == size]


def _worst(rows: list[Any]) -> dict[str, list[float]]:
    """Batch means and standard deviations of the channel that varies most, in units of all data's."""
    import torch

    every = torch.cat(rows)
    mean, std = every.mean(0), every.std(0)
    means = (torch.stack([r.mean(0) for r in rows]) - mean) / std
    stds = torch.stack([r.std(0) for r in rows]) / std
    means[:, std < 1e-6 * std.max()] = 0
    channel = int(means.std(0).argmax())
    return {"mean": means[:, channel].tolist(), "std": stds[:, channel].tolist()}
