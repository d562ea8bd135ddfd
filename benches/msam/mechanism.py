"""Why it works: angles, losses and curvature over training (paper sections 4.1 to 4.3, appendices A.4, A.5, A.10).

All at the clean weights w_t with batch t, before the momentum has seen it.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from benches import stats
from benches.msam.methods import BY_NAME, train_digits
from benches.runner import Context

METHODS = ("sgd", "nesterov", "sam", "msam")
RHO_SAM, RHO_MSAM, RADIUS_RANDOM = 0.2, 1.0, 0.5
RADII = {
    "gradient": np.linspace(-0.6, 0.6, 25),
    "momentum": np.linspace(-2.0, 2.0, 25),
    "random": np.linspace(-1.0, 1.0, 25),
}
ZERO_GRID = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
DIRECTIONS = 4
BURN_IN = 10  # epochs: before, the loss falls too fast for a momentum to overshoot


def mechanism_row(method: str, seed: int, epochs: int, every: int) -> dict[str, Any]:
    """Measures over epochs, and the loss around the trained network."""
    seen: list[dict[str, float]] = []
    shape: dict[str, list[float]] = {}

    def probe(trainer: Any) -> dict[str, float]:
        if trainer.epoch % every == 0 or trainer.epoch + 1 == epochs:
            trainer.model.eval()
            seen.append({"epoch": float(trainer.epoch), **_angles(trainer), **_curvature(trainer, seed)})
            trainer.model.train()
        if trainer.epoch + 1 == epochs:
            shape.update(_surroundings(trainer, seed))
        return {}

    _, _, outcome = train_digits(method, seed, epochs, BY_NAME[method].options, probe)
    for row in seen:
        row["loss"] = outcome.history[int(row["epoch"])]["loss"]
    return {"over": {name: [row[name] for row in seen] for name in seen[0]}, "shape": shape}


def _angles(trainer: Any) -> dict[str, float]:
    """cos(g, v), the loss's rise by MSAM's shift, and the ρ at which MSAM's gradient resembles SAM's most.

    Over the steps of the next epoch, which a copy of the training runs ahead.
    """
    from ml.msam import probes
    from ml.msam.perturbed import MomentumPerturbed, unperturbed

    twin, rows = copy.deepcopy(trainer), []
    if isinstance(twin.optimiser, MomentumPerturbed):
        twin.optimiser.perturb()
    for x, y in twin.batches.epoch(twin.epoch + 1):
        with unperturbed(twin.optimiser):
            v = probes.momentum(twin.model, twin.optimiser)

            def loss(x: Any = x, y: Any = y) -> Any:
                return twin.loss(x, y)

            g = probes.gradient(twin.model, loss)
            angles = [probes.angle_to_sam(twin.model, loss, v, RHO_SAM, rho) for rho in ZERO_GRID]
            rows.append(
                {
                    "cosine": probes.cosine(g, v),
                    "rise": probes.sharpness(twin.model, loss, [-x for x in v], RHO_MSAM),
                    "sharp_gradient": probes.sharpness(twin.model, loss, g, RHO_SAM),
                    "rho_zero": _crossing(np.array(ZERO_GRID), np.array(angles)),
                }
            )
        twin.step(x, y)
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    return {**means, "negative": float(np.mean([row["cosine"] < 0 for row in rows]))}


def _crossing(rhos: np.ndarray, angles: np.ndarray) -> float:
    """First ρ at which the angle changes from negative to positive; the grid's end when it does not."""
    up = np.flatnonzero((angles[:-1] < 0) & (angles[1:] >= 0))
    if not len(up):
        return float(rhos[-1] if angles[-1] < 0 else rhos[0])
    i = up[0]
    return float(np.interp(0.0, angles[i : i + 2], rhos[i : i + 2]))


def _curvature(trainer: Any, seed: int) -> dict[str, float]:
    """Sharpness along random directions and the largest Hessian eigenvalue, over all training images."""
    from ml.common.seed import torch_generator
    from ml.msam import probes

    x, y = trainer.batches.x, trainer.batches.y

    def loss() -> Any:
        return trainer.loss(x, y)

    drawn = [probes.filter_normalised(trainer.model, torch_generator(seed, "direction", i)) for i in range(DIRECTIONS)]
    sharp = [probes.sharpness(trainer.model, loss, d, RADIUS_RANDOM, normalise=False) for d in drawn]
    top = probes.top_eigenvalue(trainer.model, loss, torch_generator(seed, "eigenvector"))
    return {"sharp_random": float(np.mean(sharp)), "top": top}


def _surroundings(trainer: Any, seed: int) -> dict[str, list[float]]:
    """L(w + ρe) − L(w) around the last weights along gradient, momentum and random directions (figure 4)."""
    from ml.common.seed import torch_generator
    from ml.msam import probes

    model, out = trainer.model, {}
    x, y = trainer.batches.x, trainer.batches.y
    curves: dict[str, list[Any]] = {"gradient": [], "momentum": [], "random": []}
    for bx, by in trainer.batches.epoch(trainer.epoch + 1):

        def local(bx: Any = bx, by: Any = by) -> Any:
            return trainer.loss(bx, by)

        g, v = probes.gradient(model, local), probes.momentum(model, trainer.optimiser)
        for name, e in (("gradient", g), ("momentum", v)):
            here = float(local().detach())
            curves[name].append(np.array(probes.loss_along(model, local, e, RADII[name].tolist())) - here)

    def loss() -> Any:
        return trainer.loss(x, y)

    here = float(loss().detach())
    for i in range(DIRECTIONS):
        e = probes.filter_normalised(model, torch_generator(seed, "direction", i))
        found = probes.loss_along(model, loss, e, RADII["random"].tolist(), normalise=False)
        curves["random"].append(np.array(found) - here)
    for name, found in curves.items():
        out[name] = np.mean(found, axis=0).tolist()
    return out


def measure(ctx: Context[Any]) -> dict[str, Any]:
    """Rows by method, one a seed; records what the paper's sections claim."""
    config = ctx.config
    points = [
        {"method": m, "seed": s, "epochs": config.digits_epochs, "every": config.probe_every}
        for s in ctx.seeds(config.mechanism_seeds)
        for m in METHODS
    ]
    rows: dict[str, list[dict[str, Any]]] = {m: [] for m in METHODS}
    for point, row in zip(points, ctx.sweep(mechanism_row, points), strict=True):
        rows[point["method"]].append(row)
    _record(ctx, rows)
    return {m: {"over": _mean([r["over"] for r in found]), "shape": _mean([r["shape"] for r in found])}
            for m, found in rows.items()}  # fmt: skip


def _mean(parts: list[dict[str, list[float]]]) -> dict[str, list[float]]:
    return {name: np.mean([part[name] for part in parts], axis=0).tolist() for name in parts[0]}


def _settled(rows: list[dict[str, Any]], name: str) -> np.ndarray:
    """Mean over the epochs after the burn-in, one figure a seed."""
    return np.array(
        [np.mean(np.array(r["over"][name])[np.array(r["over"]["epoch"]) >= _burn_in(r)]) for r in rows], dtype=float
    )


def _burn_in(row: dict[str, Any]) -> float:
    return float(min(BURN_IN, row["over"]["epoch"][-1] / 2))


def _at(rows: list[dict[str, Any]], name: str, radius: float) -> np.ndarray:
    """Loss above the network's own at `radius` along a direction, one figure a seed."""
    return np.array([np.interp(radius, RADII[name], r["shape"][name]) for r in rows])


def _record(ctx: Context[Any], rows: dict[str, list[dict[str, Any]]]) -> None:
    sgd, msam, sam = rows["sgd"], rows["msam"], rows["sam"]
    how = f"mean over steps from epoch {BURN_IN} on, batch t at the clean weights w_t"
    for m, found in rows.items():
        ctx.metric(f"cos_gradient_momentum_{m}", stats.mean(_settled(found, "cosine").tolist()), "", method=how)
    ctx.metric("negative_cos_share_sgd", stats.mean((100 * _settled(sgd, "negative")).tolist()), "%", method=how)
    ctx.metric("loss_rise_of_shift", stats.mean(_settled(msam, "rise").tolist()), "nat", method=f"MSAM, ρ = 1; {how}")
    zero = stats.mean((_settled(sam, "rho_zero") / RHO_MSAM).tolist())
    ctx.metric("rho_zero_over_rho_optimal", zero, "×", method="trained with SAM, figure 3; over MSAM's ρ = 1")
    last = {m: np.array([r["over"]["top"][-1] for r in found]) for m, found in rows.items()}
    for m in ("msam", "sam", "nesterov"):
        top = stats.mean((last[m] / last["sgd"]).tolist())
        ctx.metric(f"top_eigenvalue_ratio_{m}", top, "×", method="after training, over SGD's")
    for name, (a, b, direction, radius) in {
        "sharpness_random_ratio_msam_sgd": (msam, sgd, "random", RADIUS_RANDOM),
        "sharpness_random_ratio_msam_sam": (msam, sam, "random", RADIUS_RANDOM),
        "sharpness_momentum_ratio_msam_sam": (msam, sam, "momentum", -RHO_MSAM),
        "sharpness_gradient_ratio_sam_msam": (sam, msam, "gradient", RHO_SAM),
        "sharpness_gradient_ratio_sam_sgd": (sam, sgd, "gradient", RHO_SAM),
    }.items():
        figure = stats.mean((_at(a, direction, radius) / _at(b, direction, radius)).tolist())
        ctx.metric(name, figure, "×", method=f"after training, at {radius:g} along the {direction} direction")
