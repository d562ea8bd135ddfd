"""MSAM's baselines, trainer, batch norm, probes, weight errors and tasks."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hwsim.ir.errors import UsageError
from ml.msam import SAM, DivergedError, LookSAM, probes, recalibrate_bn
from ml.msam import bits as weight_bits
from ml.msam.batchnorm import frozen_statistics
from ml.msam.models import cnn, mlp
from ml.msam.randbet import RandBET
from ml.msam.recipe import METHODS, Recipe
from ml.msam.tasks import Samples, accuracy, digits_task, images
from ml.msam.train import Trainer

TASK = digits_task(0)
SHORT = Recipe("msam", epochs=4, batch=50, lr=0.05, rho=0.3)


def samples(seed: int = 0) -> Samples:
    return Samples(TASK.x_train, TASK.y_train, 50, seed)


def trained(recipe: Recipe, **options: object) -> tuple[nn.Module, Trainer]:
    model = mlp((64, 16, 10), seed=recipe.seed)
    trainer = Trainer(model, samples(recipe.seed), recipe, **options)  # type: ignore[arg-type]
    trainer.fit()
    return model, trainer


# ---- baselines ---------------------------------------------------------------------------------------------


def test_sam_takes_its_gradient_uphill_and_returns() -> None:
    # L = ½ a·w², a = (1, 3), w = (3, 1): g = (3, 3), e = ρ·(1, 1)/√2, gradient there a·(w + e); one step of η = 0.1
    a = torch.tensor([1.0, 3.0], dtype=torch.float64)
    w = nn.Parameter(torch.tensor([3.0, 1.0], dtype=torch.float64))
    opt = SAM([w], lr=0.1, rho=0.5)

    def closure() -> torch.Tensor:
        opt.zero_grad()
        loss = 0.5 * (a * w * w).sum()
        loss.backward()
        return loss

    opt.step(closure)
    e = 0.5 / 2**0.5
    assert w.tolist() == pytest.approx([3 - 0.1 * (3 + e), 1 - 0.1 * 3 * (1 + e)], abs=1e-12)


def test_looksam_reuses_the_part_orthogonal_to_the_gradient() -> None:
    a = torch.tensor([1.0, 3.0], dtype=torch.float64)
    w = nn.Parameter(torch.tensor([3.0, 1.0], dtype=torch.float64))
    opt = LookSAM([w], lr=0.0, rho=0.5, k=2, alpha=0.7)
    calls = []

    def closure() -> torch.Tensor:
        calls.append(1)
        opt.zero_grad()
        loss = 0.5 * (a * w * w).sum()
        loss.backward()
        return loss

    for _ in range(4):
        opt.step(closure)
    assert len(calls) == 2 + 1 + 2 + 1
    # g = (3, 3); SAM's gradient a·(w + e) = (3 + e, 3 + 3e) has the orthogonal part e·(−1, 1), of norm e·√2
    assert w.grad is not None
    assert w.grad.tolist() == pytest.approx([3 - 0.7 * 3, 3 + 0.7 * 3], abs=1e-9)


def test_sams_second_pass_leaves_batch_norm_alone() -> None:
    model = cnn((4, 4), (1, 2), n_in=1)
    x = images(TASK).x_train[:20]
    model(x)
    before = [m.running_mean.clone() for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    with frozen_statistics(model):
        model(x + 1)
    after = [m.running_mean for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    model(x + 1)
    assert not torch.equal(before[0], after[0])


def test_randbet_clips_and_keeps_full_precision_weights() -> None:
    model, _ = trained(replace(SHORT, method="randbet", rho=None, clip=0.2))
    weights = weight_bits.weight_matrices(model).values()
    assert max(float(w.detach().abs().max()) for w in weights) < 0.2 + 1e-6
    codes = [(w.detach() / w.detach().abs().max() * 127).flatten() for w in weights]
    assert max(float((c - c.round()).abs().max()) for c in codes) > 0.4, "the weights themselves are not quantised"


def test_steps_without_a_closure_say_so() -> None:
    w = nn.Parameter(torch.ones(2, 2))
    for opt in (SAM([w], 0.1), RandBET([w], 0.1, generator=torch.Generator())):
        with pytest.raises(UsageError, match=r"step: got no closure"):
            opt.step()


# ---- trainer -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_every_method_learns_and_counts_its_gradients(method: str) -> None:
    recipe = Recipe(method, epochs=30, batch=50, lr=0.003 if "adamw" in method else 0.05, rho=None)
    if method in ("looksam", "adamw_msam"):
        recipe = replace(recipe, rho=0.1)
    model, trainer = trained(recipe)
    assert accuracy(model, TASK.x_test, TASK.y_test) > 0.7
    steps = 30 * 8
    assert trainer.outcome.gradients == {"sam": 2 * steps, "randbet": 2 * steps, "looksam": steps + 24}.get(
        method, steps
    )


@pytest.mark.parametrize("method", ["msam", "looksam", "randbet", "adamw_msam"])
def test_a_killed_training_ends_with_the_same_bytes(method: str, tmp_path: Path) -> None:
    recipe = replace(SHORT, method=method, rho=None)
    whole, _ = trained(recipe)
    model = mlp((64, 16, 10), seed=0)
    Trainer(model, samples(), recipe, checkpoint=tmp_path / "c.pt").fit(until=2)
    again = mlp((64, 16, 10), seed=5)
    resumed = Trainer(again, samples(), recipe, checkpoint=tmp_path / "c.pt")
    outcome = resumed.fit()
    assert len(outcome.history) == 4
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), again.parameters(), strict=True))


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    trained(SHORT, checkpoint=tmp_path / "c.pt")
    with pytest.raises(UsageError, match=r"c\.pt: got a checkpoint of msam, expected one of .*lr=0\.1"):
        trained(replace(SHORT, lr=0.1), checkpoint=tmp_path / "c.pt")


def test_probes_and_evaluation_see_clean_weights_and_change_nothing() -> None:
    seen: list[bool] = []

    def probe(trainer: Trainer) -> dict[str, float]:
        seen.append(trainer.optimiser.resting)  # type: ignore[attr-defined]
        return {"x": 1.0}

    plain, _ = trained(SHORT)
    probed, trainer = trained(SHORT, probe=probe, evaluate=lambda m: accuracy(m, TASK.x_test, TASK.y_test))
    assert seen == [True] * 4
    assert trainer.outcome.history[-1]["x"] == 1.0
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), probed.parameters(), strict=True))


def test_rho_from_is_sgd_until_then() -> None:
    late, _ = trained(replace(SHORT, rho_from=4))
    sgd, _ = trained(replace(SHORT, method="sgd", rho=None))
    assert all(torch.equal(a, b) for a, b in zip(late.parameters(), sgd.parameters(), strict=True))


def test_a_loss_of_nan_names_the_method() -> None:
    with pytest.raises(DivergedError, match=r"loss in epoch . with sgd: got"):
        trained(replace(SHORT, method="sgd", rho=None, lr=1e6, smoothing=0.0, epochs=40))


def test_unknown_methods_and_needless_rho() -> None:
    with pytest.raises(UsageError, match="optimiser: got 'adam', expected one of sgd"):
        Recipe("adam")
    with pytest.raises(UsageError, match=r"rho: got 0\.1, expected none: sgd has no rho"):
        Recipe("sgd", rho=0.1)


# ---- batch norm --------------------------------------------------------------------------------------------


def test_recalibration_is_the_mean_over_the_batches() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3))
    x = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)) * 2 + 1
    model.eval()
    assert recalibrate_bn(model, [(part, None) for part in x.split(10)]) == 4
    norm = model[0]
    assert isinstance(norm, nn.BatchNorm1d)
    assert torch.allclose(norm.running_mean, x.mean(0), atol=1e-6)  # type: ignore[arg-type]
    assert not model.training
    assert norm.momentum == 0.1


def test_recalibration_without_batches_or_batch_norm() -> None:
    assert recalibrate_bn(mlp((4, 2)), []) == 0
    with pytest.raises(UsageError, match="recalibrate_bn: got no batches"):
        recalibrate_bn(nn.Sequential(nn.BatchNorm1d(3)), iter(()))


# ---- weight errors -----------------------------------------------------------------------------------------


def test_codes_and_flips_by_hand() -> None:
    codes, step = weight_bits.encode(torch.tensor([-1.0, 0.5, 0.0, 1.0]), 3)
    assert codes.tolist() == [-3, 2, 0, 3]
    assert step == pytest.approx(1 / 3)
    every = weight_bits.flip(codes, 3, 1.0, torch.Generator())
    assert every.tolist() == [2, -3, -1, -4]  # ~code
    assert weight_bits.flip(codes, 3, 0.0, torch.Generator()).tolist() == codes.tolist()


def test_flip_rate_within_four_sigma() -> None:
    codes = torch.zeros(20000, dtype=torch.int16)
    flipped = weight_bits.flip(codes, 8, 0.01, torch.Generator().manual_seed(0)).to(torch.int32) & 255
    errors = sum(int((flipped >> k & 1).sum()) for k in range(8))
    assert abs(errors - 1600) < 4 * np.sqrt(1600)  # binomial(160 000, 0.01)


def test_bits_out_of_range() -> None:
    with pytest.raises(UsageError, match=r"bits of a weight: got 1, expected 2\.\.8"):
        weight_bits.encode(torch.ones(2), 1)
    with pytest.raises(UsageError, match="bit-flip rate: got 2"):
        weight_bits.flip(torch.zeros(2, dtype=torch.int16), 8, 2, torch.Generator())


# ---- probes ------------------------------------------------------------------------------------------------


class Bowl(nn.Module):
    """L = ½ wᵀ diag(1, 5) w."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([3.0, 4.0], dtype=torch.float64))

    def forward(self) -> torch.Tensor:
        return 0.5 * (torch.tensor([1.0, 5.0]) * self.w * self.w).sum()


def test_probes_of_a_bowl() -> None:
    bowl = Bowl()
    assert probes.gradient(bowl, bowl)[0].tolist() == [3.0, 20.0]
    up = [torch.tensor([0.0, 2.0], dtype=torch.float64)]
    # L(3, 4 + 1) − L(3, 4) = 5/2·(25 − 16)
    assert probes.sharpness(bowl, bowl, up, 1.0) == pytest.approx(22.5)
    assert bowl.w.tolist() == [3.0, 4.0]
    assert probes.top_eigenvalue(bowl, bowl, torch.Generator().manual_seed(0)) == pytest.approx(5.0, rel=1e-2)
    assert probes.cosine(up, [torch.tensor([2.0, 0.0], dtype=torch.float64)]) == 0.0
    g = probes.gradient(bowl, bowl)
    assert probes.angle_to_sam(bowl, bowl, [-x for x in g], 0.5, 0.5) == pytest.approx(0.0, abs=1e-6)
    assert probes.angle_to_sam(bowl, bowl, [-x for x in g], 0.5, 0.1) < 0
    assert probes.angle_to_sam(bowl, bowl, [-x for x in g], 0.5, 0.9) > 0


def test_random_directions_have_the_filters_norms() -> None:
    model = mlp((5, 4, 3))
    drawn = probes.filter_normalised(model, torch.Generator().manual_seed(0))
    params = probes.parameters(model)
    assert torch.allclose(drawn[0].norm(dim=1), params[0].detach().norm(dim=1), rtol=1e-5)
    assert not drawn[1].any()


def test_a_zero_direction_is_refused() -> None:
    bowl = Bowl()
    with pytest.raises(UsageError, match="direction: got a zero vector"):
        probes.sharpness(bowl, bowl, [torch.zeros(2)], 1.0)


# ---- tasks -------------------------------------------------------------------------------------------------


def test_digits_are_split_by_the_seed_and_all_used() -> None:
    other = digits_task(1)
    assert len(TASK.y_train) == 400
    assert len(TASK.y_test) == 1397
    assert int(torch.bincount(TASK.y_train).min()) >= 38
    assert not torch.equal(TASK.x_train, other.x_train)
    assert torch.equal(TASK.x_train, digits_task(0).x_train)
    assert TASK.x_train.min() == -0.5
    assert TASK.x_train.max() == 0.5


def test_augmentation_moves_and_mirrors_and_is_the_same_again() -> None:
    task = images(TASK)
    plain, moved = (Samples(task.x_train, task.y_train, 50, 3, augment) for augment in (False, True))
    (x, y), (z, label) = next(plain.epoch(0)), next(moved.epoch(0))
    assert torch.equal(y, label)
    assert z.shape == x.shape
    assert not torch.equal(x, z)
    assert torch.equal(z, next(moved.epoch(0))[0])
    assert not torch.equal(z, next(moved.epoch(1))[0])


def test_batches_larger_than_the_data() -> None:
    with pytest.raises(UsageError, match=r"batch size: got 500, expected 1\.\.400"):
        Samples(TASK.x_train, TASK.y_train, 500, 0)


def test_models_do_not_touch_the_global_generator() -> None:
    torch.manual_seed(1)
    a = torch.rand(1)
    torch.manual_seed(1)
    first, second = cnn(seed=3), cnn(seed=3)
    assert torch.equal(a, torch.rand(1))
    assert all(torch.equal(x, y) for x, y in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize("method", METHODS)
def test_a_copy_of_a_running_training_trains_on_alike(method: str) -> None:
    recipe = Recipe(method, epochs=3, batch=50, lr=0.02)
    trainer = Trainer(mlp((64, 16, 10)), samples(), recipe)
    x, y = next(samples().epoch(0))
    trainer.step(x, y)
    twin = copy.deepcopy(trainer)
    for one in (trainer, twin):
        one.step(x, y)
    assert all(torch.equal(a, b) for a, b in zip(trainer.model.parameters(), twin.model.parameters(), strict=True))
    assert twin.model is not trainer.model
