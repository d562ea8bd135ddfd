"""Weights with a level of their own: the sum of a neuron's weights learns apart from their differences.

    w_ij = v_ij − mean_i v_ij + level_j / fan-in

Inputs of a spiking layer are never negative. Without this, one optimiser step moves all weights of a neuron the same
way and its potential by fan-in times that step; neurons fall silent or fire at once, and have no gradient any more.
"""

from __future__ import annotations

from torch import Tensor


def levelled(weight: Tensor, level: Tensor) -> Tensor:
    """w from v [n_out, ...] and level [n_out]."""
    over = tuple(range(1, weight.dim()))
    shape = (-1, *[1] * len(over))
    return weight - weight.mean(over, keepdim=True) + level.view(shape) / weight[0].numel()


def shortage(rate: Tensor, short: Tensor, wanted: float) -> Tensor:
    """Penalty that wakes silent neurons: mean over neurons of max(0, wanted − rate_j) · short_j, a scalar ≥ 0.

    `rate` [n] is the share of a batch in which neuron j fires, `short` [n] how far it stays below its threshold.
    """
    return ((wanted - rate).clamp(min=0).detach() * short).mean()
