"""Recipes: one optimiser, its hyper-parameters and its schedule, by name; the baselines share all but the method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from hwsim.ir.errors import UsageError
from ml.common.seed import torch_generator
from ml.common.train import FitConfig
from ml.msam.adamw import AdamWMSAM
from ml.msam.batchnorm import frozen_statistics
from ml.msam.randbet import RandBET
from ml.msam.sam import SAM, LookSAM
from ml.msam.sgd import MSAM

METHODS = ("sgd", "nesterov", "msam", "sam", "looksam", "adamw", "adamw_msam", "randbet")
RHO = {"msam": 1.0, "sam": 0.2, "looksam": 0.2, "adamw_msam": 1.0}  # for about ten thousand weights, unless given


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training besides data and network.

    Attributes:
        method: one of `METHODS`.
        epochs, batch: length of training, samples a step.
        lr: peak rate; it rises linearly over `warmup` epochs, then falls to 0 by half a cosine (paper A.14).
        momentum, weight_decay, smoothing: μ, λ, label smoothing.
        rho: ρ of the methods that have one; None takes `RHO`.
        rho_from: epoch before which MSAM's ρ is 0 (paper section 3.2: the warm-up of vision transformers).
        look_every, look_alpha: LookSAM's k and α (the authors' code of MSAM: 10 and 0.7).
        rate, clip: RandBET's training bit-error rate and w_max.
        clip_norm: clip the gradient's norm to it; 0 for not.
        augment: mirror and shift images.
        seed: of batches and errors (and of the network, by custom).

    Raises:
        UsageError: a value out of range.
    """

    method: str = "msam"
    epochs: int = 120
    batch: int = 50
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    smoothing: float = 0.1
    warmup: float = 0.0
    rho: float | None = None
    rho_from: float = 0.0
    look_every: int = 10
    look_alpha: float = 0.7
    rate: float = 0.01
    clip: float = 0.3
    clip_norm: float = 0.0
    augment: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError.of("optimiser", repr(self.method), f"one of {', '.join(METHODS)}", "Correct the name.")
        if self.rho is not None and self.method not in RHO:
            raise UsageError.of("rho", self.rho, f"none: {self.method} has no rho", "Leave it out.")
        self.schedule()

    @property
    def gradients_a_step(self) -> float:
        """Forward and backward passes a step; LookSAM's is a mean over its cycle."""
        return {"sam": 2.0, "randbet": 2.0, "looksam": 1.0 + 1.0 / self.look_every}.get(self.method, 1.0)

    @property
    def radius(self) -> float:
        """ρ in use; 0 for methods without."""
        return self.rho if self.rho is not None else RHO.get(self.method, 0.0)

    def schedule(self) -> FitConfig:
        """Learning rate over training."""
        return FitConfig(self.epochs, self.lr, warmup=self.warmup, label_smoothing=self.smoothing)

    def optimiser(self, model: nn.Module) -> Optimizer:
        """The optimiser for all parameters of `model`."""
        made: dict[str, Callable[..., Any]] = {
            "sgd": torch.optim.SGD,
            "nesterov": partial(torch.optim.SGD, nesterov=True),
            "msam": partial(MSAM, rho=self.radius),
            "sam": partial(SAM, rho=self.radius, second_pass=partial(frozen_statistics, model)),
            "looksam": partial(
                LookSAM,
                rho=self.radius,
                k=self.look_every,
                alpha=self.look_alpha,
                second_pass=partial(frozen_statistics, model),
            ),
            "adamw": torch.optim.AdamW,
            "adamw_msam": partial(AdamWMSAM, rho=self.radius),
            "randbet": partial(
                RandBET, rate=self.rate, clip=self.clip, generator=torch_generator(self.seed, "bit errors")
            ),
        }
        own = {} if self.method.startswith("adamw") else {"momentum": self.momentum}
        optimiser: Optimizer = made[self.method](model.parameters(), lr=self.lr, weight_decay=self.weight_decay, **own)
        return optimiser
