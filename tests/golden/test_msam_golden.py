"""MSAM against references that share no code with it: torch's SGD and AdamW, algorithm 1 in plain numpy, and by hand.

By hand, L = ½‖w‖² so that g = w̃; η = ½, μ = ½, ρ = 1, w_0 = (3, 4):
    v_1 = (3, 4)                       w_1 = (1.5, 2)         w̃_1 = w_1 − (3, 4)/5     = (0.9, 1.2)
    v_2 = (1.5, 2) + (0.9, 1.2)        w_2 = (0.3, 0.4)       w̃_2 = w_2 − (2.4, 3.2)/4 = (−0.3, −0.4)
    v_3 = (1.2, 1.6) − (0.3, 0.4)      w_3 = (−0.15, −0.2)    w̃_3 = w_3 − (0.9, 1.2)/1.5
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ml.msam import MSAM, AdamWMSAM

STEPS = 60
RNG = np.random.default_rng(0)
X = RNG.standard_normal((STEPS, 12, 6))
Y = RNG.integers(0, 4, (STEPS, 12))
W0, B0 = RNG.standard_normal((4, 6)) * 0.3, RNG.standard_normal(4) * 0.3


def lr_at(t: int) -> float:
    return 0.05 + 0.25 * np.cos(np.pi * t / (2 * STEPS))


def rho_at(t: int) -> float:
    return [0.0, 0.4, 0.1, 0.9][t * 4 // STEPS]


def train(make: Callable[[nn.Module], torch.optim.Optimizer], rho: bool = False) -> tuple[np.ndarray, np.ndarray, Any]:
    """Softmax regression in float64 with the schedules above; parameters as they lie after the last step."""
    model = nn.Linear(6, 4, dtype=torch.float64)
    with torch.no_grad():
        model.weight.copy_(torch.from_numpy(W0))
        model.bias.copy_(torch.from_numpy(B0))
    opt = make(model)
    for t in range(STEPS):
        for group in opt.param_groups:
            group["lr"] = lr_at(t)
            if rho:
                group["rho"] = rho_at(t)
        opt.zero_grad()
        nn.functional.cross_entropy(model(torch.from_numpy(X[t])), torch.from_numpy(Y[t])).backward()
        opt.step()
    return model.weight.detach().numpy().copy(), model.bias.detach().numpy().copy(), opt


def numpy_msam(mu: float, decay: float, at: str) -> tuple[np.ndarray, np.ndarray]:
    """Algorithm 1 with its rows in the paper's order; w_T, clean."""
    w, v = [W0.copy(), B0.copy()], [np.zeros_like(W0), np.zeros_like(B0)]
    for t in range(STEPS):
        norm = np.sqrt(sum((x**2).sum() for x in v))
        rho = rho_at(t - 1) if t else 0.0  # the shift was made at the end of the step before
        shifted = [a - rho * b / (norm + 1e-12) for a, b in zip(w, v, strict=True)]
        scores = X[t] @ shifted[0].T + shifted[1]
        p = np.exp(scores - scores.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        p[np.arange(12), Y[t]] -= 1
        grads = [p.T @ X[t] / 12, p.mean(0)]
        grads = [g + decay * (s if at == "perturbed" else a) for g, s, a in zip(grads, shifted, w, strict=True)]
        v = [mu * b + g for b, g in zip(v, grads, strict=True)]
        w = [a - lr_at(t) * b for a, b in zip(w, v, strict=True)]
    return w[0], w[1]


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_rho_0_is_torch_sgd_bit_for_bit(decay: float) -> None:
    ours = train(lambda m: MSAM(m.parameters(), 0.1, 0.9, decay, rho=0.0))
    theirs = train(lambda m: torch.optim.SGD(m.parameters(), 0.1, 0.9, weight_decay=decay))
    assert np.array_equal(ours[0], theirs[0])
    assert np.array_equal(ours[1], theirs[1])


@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_nag_mode_is_torch_nesterov_under_a_schedule(decay: float) -> None:
    ours = train(lambda m: MSAM(m.parameters(), 0.1, 0.9, decay, mode="nag"))
    theirs = train(lambda m: torch.optim.SGD(m.parameters(), 0.1, 0.9, weight_decay=decay, nesterov=True))
    assert np.abs(ours[0] - theirs[0]).max() < 1e-14
    assert np.abs(ours[1] - theirs[1]).max() < 1e-14


def test_rho_0_is_torch_adamw() -> None:
    ours = train(lambda m: AdamWMSAM(m.parameters(), 0.1, weight_decay=0.05, rho=0.0))
    theirs = train(lambda m: torch.optim.AdamW(m.parameters(), 0.1, weight_decay=0.05))
    assert np.abs(ours[0] - theirs[0]).max() < 1e-13


@pytest.mark.parametrize("at", ["perturbed", "clean"])
@pytest.mark.parametrize("groups", [1, 2])
def test_algorithm_1_in_numpy_under_schedules_of_rate_and_rho(at: str, groups: int) -> None:
    def make(model: nn.Module) -> MSAM:
        parts = [{"params": [p]} for p in model.parameters()] if groups == 2 else model.parameters()
        return MSAM(parts, 0.1, 0.9, 0.01, decay_at=at)

    _, _, opt = ours = train(make, rho=True)
    with opt.unperturbed():
        weight, bias = (p.detach().numpy() for group in opt.param_groups for p in group["params"])
        wanted = numpy_msam(0.9, 0.01, at)
        assert np.abs(weight - wanted[0]).max() < 1e-13
        assert np.abs(bias - wanted[1]).max() < 1e-13
    assert np.abs(ours[0] - wanted[0]).max() > 0.01, "between steps the parameters are shifted"


def test_three_steps_by_hand() -> None:
    w = nn.Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))
    opt = MSAM([w], lr=0.5, momentum=0.5, rho=1.0)
    shifted, clean = [], []
    for _ in range(3):
        opt.zero_grad()
        (0.5 * w @ w).backward()
        opt.step()
        shifted.append(w.tolist())
        with opt.unperturbed():
            clean.append(w.tolist())
    assert np.allclose(clean, [[1.5, 2.0], [0.3, 0.4], [-0.15, -0.2]], atol=1e-12)
    assert np.allclose(shifted, [[0.9, 1.2], [-0.3, -0.4], [-0.75, -1.0]], atol=1e-12)


def test_adamw_shift_by_hand() -> None:
    # one step from (3, 4): m = 0.1·(3, 4), so that w̃ = w − ρ·(0.6, 0.8); w = w_0 − η·sign(g)
    w = nn.Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))
    opt = AdamWMSAM([w], lr=0.5, weight_decay=0.0, rho=2.0)
    (0.5 * w @ w).backward()
    opt.step()
    assert np.allclose(w.tolist(), [2.5 - 1.2, 3.5 - 1.6], atol=1e-6)
    opt.unperturb()
    assert np.allclose(w.tolist(), [2.5, 3.5], atol=1e-6)
