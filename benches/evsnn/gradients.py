"""Gradients of both rules against finite differences, and MPD-ED by events against back-propagation through time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benches.runner import Context


def measure(ctx: Context[Any], progress: Any) -> None:
    """Worst errors over random networks that meet every branch."""
    from ml.evsnn.check import GradientCheck, mpd_event_check, mpd_gradient_check, std_gradient_check

    nets = ctx.config.nets
    checks: dict[str, Callable[..., GradientCheck]] = {
        "std_grad_rel_err_max": std_gradient_check,
        "mpd_grad_rel_err_max": mpd_gradient_check,
        "mpd_event_vs_bptt_max": mpd_event_check,
    }
    found = {}
    for i, (name, check) in enumerate(checks.items()):
        found[name] = check(nets, seed=ctx.seed)
        progress(i + 1, len(checks), name)
    for name, result in found.items():
        met = ", ".join(f"{branch} {count}" for branch, count in sorted(result.branches.items()))
        method = f"{result.checks} weights and inputs of {nets} random networks in float64; met: {met}"
        ctx.metric(name, result.worst, "", n=nets, method=method)
