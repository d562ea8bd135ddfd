"""The guard that halves a ρ which is too long for the network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hwsim.ir.errors import UsageError
from ml.msam import MSAM, DivergedError
from ml.msam.guard import RhoGuard
from ml.msam.models import mlp
from ml.msam.recipe import Recipe
from ml.msam.tasks import Samples, accuracy, digits_task
from ml.msam.train import Trainer

TASK = digits_task(0)
TOO_LONG = Recipe("msam", epochs=60, rho=5.0)


def trainer(guard: bool, checkpoint: Path | None = None) -> Trainer:
    samples = Samples(TASK.x_train, TASK.y_train, 50, 0)
    return Trainer(mlp(seed=0), samples, TOO_LONG, guard=guard, checkpoint=checkpoint)


def test_a_rho_that_breaks_training_is_halved_until_it_learns() -> None:
    plain, guarded = trainer(False), trainer(True)
    plain.fit()
    guarded.fit()
    assert accuracy(plain.model, TASK.x_test, TASK.y_test) < 0.2
    assert accuracy(guarded.model, TASK.x_test, TASK.y_test) > 0.8
    assert guarded.optimiser.param_groups[0]["damping"] <= 0.5


def test_a_killed_guarded_training_ends_with_the_same_bytes(tmp_path: Path) -> None:
    whole = trainer(True)
    whole.fit(until=16)
    trainer(True, tmp_path / "c.pt").fit(until=12)
    resumed = trainer(True, tmp_path / "c.pt")
    resumed.fit(until=16)
    pairs = zip(whole.model.parameters(), resumed.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_the_best_weights_return_with_half_the_shift() -> None:
    model = mlp((4, 3), seed=0)
    opt = MSAM(model.parameters(), lr=0.1, rho=0.5)
    guard = RhoGuard(model, opt)
    assert not guard.check(1.2)
    assert not guard.check(1.0)
    best = [p.detach().clone() for p in model.parameters()]
    for _ in range(2):
        opt.zero_grad()
        model(torch.ones(2, 4)).square().sum().backward()
        opt.step()
    assert guard.check(1.6)
    assert all(torch.equal(a, b) for a, b in zip(best, model.parameters(), strict=True))
    assert (opt.param_groups[0]["damping"], opt.param_groups[0]["shift"]) == (0.5, 0.0)
    assert not opt.resting


def test_ten_halvings_are_enough() -> None:
    model = mlp((4, 3), seed=0)
    guard = RhoGuard(model, MSAM(model.parameters(), lr=0.1))
    assert all(guard.check(float("nan")) for _ in range(10))
    with pytest.raises(DivergedError, match="training with a guarded rho: got loss nan, expected a falling loss"):
        guard.check(float("nan"))


def test_an_optimiser_without_rho() -> None:
    model = mlp((4, 3), seed=0)
    with pytest.raises(UsageError, match="RhoGuard: got SGD, expected MSAM or AdamWMSAM"):
        RhoGuard(model, torch.optim.SGD(model.parameters(), 0.1))  # type: ignore[arg-type]
