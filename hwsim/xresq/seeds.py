"""Classical candidates that reverse annealing starts from.

X-ResQ gives every copy a seed of its own. A list of P seeds, distinct where the method has as many answers:

* ``"fsd"``: the P − 1 best answers of the fixed-complexity sphere decoder by ‖y − Hx‖², then the sliced MMSE
  estimate (after IoT-ResQ's FSD seed; order reconstructed). P = 1 is its best answer.
* ``"kbest"``: the P best survivors of K-best (K = max(16, P)).
* ``"sic"``, ``"mmse"``, ``"zf"``, ``"ep"``, ``"amp"``: the detector's answer, then draws from its marginals.
* ``"mixed"``: the sliced MMSE estimate, AMP's answer, then draws from their marginals in turn: where one method
  fails the other one often does not. P = 1 is MMSE.
* ``"random"``: uniform levels.

*Draws from marginals*: an unbiased estimate x̃_i with error variance v_i gives P(x_i) ∝ exp(−(x_i − x̃_i)²/2v_i) on
the levels; a seed takes every axis from it. Reliable axes stay, doubtful ones differ between seeds: diversity where
errors are, unlike rounding of added noise. For ``"sic"`` the draws come from MMSE marginals.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from hwsim.ir.errors import UsageError
from hwsim.xresq import message, tree
from hwsim.xresq.channel import Received
from hwsim.xresq.linear import LinearEstimate, mmse_estimate, zf_estimate
from hwsim.xresq.modulation import Modulation, slice_levels

SeedMethod = Literal["auto", "fsd", "kbest", "sic", "mmse", "zf", "ep", "amp", "mixed", "random"]
FSD_UP_TO = 16  # users: beyond, mixed seeds are better and cheaper (docs/xresq.md)


def make_seeds(r: Received, count: int, method: SeedMethod = "auto", *, seed: int = 0, threads: int = 1) -> np.ndarray:
    """Seeds int8 [batch, count, n], best guess first.

    Args:
        r: received batch.
        count: P ≥ 1.
        method: see the module; ``"auto"`` is ``"fsd"`` up to 16 users and ``"mixed"`` above.
        seed: of the draws.
        threads: worker threads of the tree searches.

    Raises:
        UsageError: unknown method, or count < 1.
    """
    if method not in get_args(SeedMethod):
        raise UsageError.of("seeds", repr(method), f"one of {', '.join(get_args(SeedMethod))}", "Choose one of them.")
    if count < 1:
        raise UsageError.of("levels of parallelism", count, "1 or more seeds", "1 is ResQ.")
    rng = np.random.default_rng([seed, 0x5EED])
    if method == "auto":
        method = "fsd" if r.n_t <= FSD_UP_TO else "mixed"
    if method == "random":
        return rng.choice(r.mod.points.astype(np.int8), (r.batch, count, r.n))
    if method in ("fsd", "kbest"):
        return _from_tree(r, count, method, rng, threads)
    if method == "mixed":
        own = [make_seeds(r, -(-count // 2), name, seed=seed) for name in (("mmse", "amp") if count > 1 else ("mmse",))]
        return np.stack(own, axis=2).reshape(r.batch, -1, r.n)[:, :count]
    if method == "sic":
        first = tree.mmse_sic(r, threads=threads).levels
        return _filled(first[:, None], count, r.mod, mmse_estimate(r), rng) if count > 1 else first[:, None]
    estimates = {"mmse": mmse_estimate, "zf": zf_estimate, "ep": message.ep_estimate, "amp": message.amp_estimate}
    estimate = estimates[method](r)
    return _filled(slice_levels(r.mod, estimate.mean)[:, None], count, r.mod, estimate, rng)


def draw_levels(mod: Modulation, estimate: LinearEstimate, count: int, rng: np.random.Generator) -> np.ndarray:
    """int8 [batch, count, n]: independent draws of every axis from its posterior."""
    p, _, _ = message.posterior(mod, estimate.mean, estimate.variance)
    rising = np.cumsum(p, axis=-1)[:, None, :, :-1]
    u = rng.random((len(p), count, p.shape[1]))
    code = (u[..., None] > rising).sum(axis=-1)
    return (2 * code - mod.top).astype(np.int8)


def _filled(
    found: np.ndarray, count: int, mod: Modulation, estimate: LinearEstimate, rng: np.random.Generator
) -> np.ndarray:
    """`found` [batch, c, n] completed to `count` seeds by draws from the marginals."""
    missing = count - found.shape[1]
    if missing <= 0:
        return found[:, :count]
    return np.concatenate([found, draw_levels(mod, estimate, missing, rng)], axis=1)


def _from_tree(r: Received, count: int, method: str, rng: np.random.Generator, threads: int) -> np.ndarray:
    """FSD or K-best answers by rising energy; with FSD the last seed is the MMSE slice."""
    if method == "fsd":
        found = tree.fsd(r, threads=threads).candidates
        keep = max(count - 1, 1)
    else:
        found = tree.kbest(r, k=max(16, count), threads=threads).candidates
        keep = count
    if count == 1:
        return found[:, :1]
    estimate = mmse_estimate(r)
    out = _filled(found[:, :keep], keep, r.mod, estimate, rng)
    if method == "fsd":
        out = np.concatenate([out, slice_levels(r.mod, estimate.mean)[:, None]], axis=1)
    # a repeated seed is a wasted copy: exchange it for a draw
    fresh = draw_levels(r.mod, estimate, count, rng)
    for q in range(1, count):
        again = (out[:, q : q + 1] == out[:, :q]).all(axis=2).any(axis=1)
        out[again, q] = fresh[again, q]
    return out
