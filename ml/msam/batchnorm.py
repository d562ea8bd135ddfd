"""Batch norm and perturbed weights: statistics belong to the weights that will be used.

During MSAM's training the running statistics are collected at w̃; the authors' code runs one more epoch, forward
only, at w. SAM must not update them in its second pass, or every batch would count twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hwsim.ir.errors import UsageError


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """The model's batch norms that keep running statistics."""
    return [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]


@torch.no_grad()
def recalibrate_bn(model: nn.Module, batches: Iterable[Any], n_batches: int | None = None) -> int:
    """Replace running statistics by the plain mean over `batches` at the model's present weights.

    Args:
        model: its weights must be the clean ones (``with opt.unperturbed():``); its mode is restored.
        batches: inputs x, or tuples that begin with x.
        n_batches: use at most so many; all by default.

    Returns:
        Number of batches used; 0 for a model without batch norm, which reads none.

    Raises:
        UsageError: batch norm, but not a single batch.
    """
    norms = batch_norms(model)
    if not norms:
        return 0
    before, training = [m.momentum for m in norms], [(m, m.training) for m in model.modules()]
    device = next(model.parameters()).device
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch: cumulative moving average
    model.train()
    used = 0
    for batch in islice(batches, n_batches):
        model((batch[0] if isinstance(batch, tuple | list) else batch).to(device))
        used += 1
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    for module, mode in training:
        module.training = mode
    if not used:
        raise UsageError.of("recalibrate_bn", "no batches", "at least one", "Pass training batches.")
    return used


@contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[None]:
    """Keep running statistics as they are inside the block, while batches are still normalised by their own."""
    norms = batch_norms(model)
    before = [m.momentum for m in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
