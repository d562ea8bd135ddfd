"""MSAM and AdamWMSAM as torch optimisers: clean weights, states, groups, guard, errors."""

from __future__ import annotations

import copy
import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hwsim.ir.errors import UsageError
from ml.msam import MSAM, AdamWMSAM, DivergedError
from ml.msam.models import mlp

X = torch.randn(40, 8, generator=torch.Generator().manual_seed(0))
Y = torch.randint(0, 3, (40,), generator=torch.Generator().manual_seed(1))
MAKERS = [
    lambda p: MSAM(p, lr=0.1, weight_decay=1e-3, rho=0.5),
    lambda p: AdamWMSAM(p, lr=0.01, rho=0.5),
    lambda p: MSAM(p, lr=0.1, mode="nag"),
]


def net() -> nn.Sequential:
    return mlp((8, 6, 3), seed=1)


def steps(model: nn.Module, opt: torch.optim.Optimizer, n: int, start: int = 0) -> None:
    for t in range(start, start + n):
        rows = slice(4 * (t % 10), 4 * (t % 10) + 4)
        opt.zero_grad()
        nn.functional.cross_entropy(model(X[rows]), Y[rows]).backward()
        opt.step()


def bits(model: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def equal(a: list[Tensor], b: list[Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.fixture(params=MAKERS, ids=["msam", "adamw", "nag"])
def make(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_between_steps_the_shift_has_length_rho() -> None:
    model = net()
    opt = MSAM(model.parameters(), lr=0.1, rho=0.5)
    steps(model, opt, 3)
    there = bits(model)
    with opt.unperturbed():
        length = torch.cat([(a - b).flatten() for a, b in zip(there, bits(model), strict=True)]).norm()
    assert length == pytest.approx(0.5, rel=1e-4)


def test_the_shift_is_global_and_a_group_may_have_its_own_rho() -> None:
    model = net()
    first, *rest = model.parameters()
    opt = MSAM([{"params": [first], "rho": 0.0}, {"params": rest, "lr": 0.05}], lr=0.1, rho=0.5)
    steps(model, opt, 3)
    norm = torch.cat([opt.state[p]["momentum_buffer"].flatten() for p in model.parameters()]).norm()
    assert opt.param_groups[0]["shift"] == 0.0
    assert opt.param_groups[1]["shift"] == pytest.approx(0.5 / float(norm), rel=1e-5)


def test_evaluating_does_not_change_training(make: Any) -> None:
    a, b = net(), net()
    first, second = make(a.parameters()), make(b.parameters())
    for t in range(6):
        steps(a, first, 1, t)
        steps(b, second, 1, t)
        with second.unperturbed(), second.unperturbed():
            b(X)
    assert equal(bits(a), bits(b))


def test_weights_changed_inside_the_block_stay_changed_and_are_shifted() -> None:
    model = net()
    opt = MSAM(model.parameters(), lr=0.1, rho=0.5)
    steps(model, opt, 2)
    with opt.unperturbed():
        for p in model.parameters():
            p.data.mul_(2.0)
        doubled = bits(model)
    assert not equal(bits(model), doubled)
    opt.unperturb()
    for now, wanted in zip(bits(model), doubled, strict=True):
        assert torch.allclose(now, wanted, atol=1e-6)


def test_an_exception_inside_the_block_leaves_the_weights_shifted(make: Any) -> None:
    model = net()
    opt = make(model.parameters())
    steps(model, opt, 2)
    before = bits(model)
    with pytest.raises(KeyError), opt.unperturbed():
        raise KeyError
    assert equal(bits(model), before)


@pytest.mark.parametrize("inside", [False, True])
def test_a_checkpoint_goes_on_as_if_nothing_had_happened(make: Any, inside: bool) -> None:
    model = net()
    opt = make(model.parameters())
    steps(model, opt, 5)
    file = io.BytesIO()

    def both(m: nn.Module, o: torch.optim.Optimizer) -> dict[str, Any]:
        return {"model": m.state_dict(), "opt": o.state_dict()}

    if inside:
        with opt.unperturbed():
            torch.save(both(model, opt), file)
    else:
        torch.save(both(model, opt), file)
    steps(model, opt, 5, 5)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    again = net()
    resumed = make(again.parameters())
    steps(again, resumed, 2)
    if inside:
        with resumed.unperturbed():
            again.load_state_dict(state["model"])
            resumed.load_state_dict(state["opt"])
    else:
        again.load_state_dict(state["model"])
        resumed.load_state_dict(state["opt"])
    steps(again, resumed, 5, 5)
    for a, b in zip(bits(model), bits(again), strict=True):
        assert torch.equal(a, b) or (inside and torch.allclose(a, b, atol=1e-5))


def test_a_clean_checkpoint_loaded_outside_the_block_is_refused_at_the_next_step() -> None:
    model = net()
    opt = MSAM(model.parameters(), lr=0.1, rho=0.5)
    steps(model, opt, 2)
    with opt.unperturbed():
        state = copy.deepcopy(opt.state_dict())
    opt.load_state_dict(state)
    with pytest.raises(UsageError, match=r"MSAM\.step\(\): got gradients of unperturbed weights.*perturb\(\)"):
        steps(model, opt, 1)
    opt.perturb()
    steps(model, opt, 1)


def test_a_state_of_torch_sgd_is_taken_over() -> None:
    model = net()
    sgd = torch.optim.SGD(model.parameters(), 0.1, 0.9)
    steps(model, sgd, 3)
    opt = MSAM(model.parameters(), lr=0.1, rho=0.5)
    opt.load_state_dict(sgd.state_dict())
    steps(model, opt, 2)
    assert opt.param_groups[0]["rho"] == 0.5
    assert opt.param_groups[0]["shift"] > 0


def test_the_state_is_as_large_as_torchs() -> None:
    a, b = net(), net()
    ours, theirs = MSAM(a.parameters(), 0.1), torch.optim.SGD(b.parameters(), 0.1, 0.9)
    steps(a, ours, 2)
    steps(b, theirs, 2)
    sizes = [sum(t.numel() for s in o.state.values() for t in s.values() if t is not None) for o in (ours, theirs)]
    assert sizes[0] == sizes[1]


def test_schedulers_closures_copies_and_parameters_without_gradient(make: Any) -> None:
    model = net()
    model[0].bias.requires_grad_(False)
    frozen = model[0].bias.detach().clone()
    opt = make(model.parameters())
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(opt, 8)

    def closure() -> Tensor:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(X), Y)
        loss.backward()
        return loss

    losses = []
    for _ in range(8):
        losses.append(float(opt.step(closure).detach()))
        schedule.step()
    assert losses[-1] < losses[0]
    assert torch.equal(model[0].bias, frozen)
    assert copy.deepcopy(opt).param_groups[0]["shift"] == opt.param_groups[0]["shift"]


def test_gradients_are_not_changed_by_weight_decay() -> None:
    model = net()
    opt = MSAM(model.parameters(), lr=0.1, weight_decay=0.5)
    nn.functional.cross_entropy(model(X), Y).backward()
    before = [p.grad.clone() for p in model.parameters()]
    opt.step()
    assert equal(before, [p.grad for p in model.parameters()])


def test_a_parameter_that_missed_a_step_is_unshifted_as_well() -> None:
    model = net()
    opt = MSAM(model.parameters(), lr=0.1, rho=0.5)
    steps(model, opt, 2)
    with opt.unperturbed():
        clean = model[0].weight.detach().clone()
    opt.zero_grad()
    nn.functional.cross_entropy(model(X), Y).backward()
    model[0].weight.grad = None
    opt.step()
    opt.unperturb()
    assert torch.allclose(model[0].weight, clean, atol=1e-6)


@pytest.mark.parametrize("make", MAKERS[:2], ids=["msam", "adamw"])
def test_the_guard_forgets_a_broken_momentum_and_halves_rho(make: Any) -> None:
    model = net()
    opt = make(model.parameters())
    steps(model, opt, 3)
    with opt.unperturbed():
        clean = bits(model)
    for p in model.parameters():
        p.grad.fill_(float("nan"))
    opt.step()
    for a, b in zip(bits(model), clean, strict=True):
        assert torch.allclose(a, b, atol=1e-6)
    assert opt.param_groups[0]["damping"] == 0.5
    steps(model, opt, 3)
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_the_guard_gives_up_and_says_so() -> None:
    w = nn.Parameter(torch.ones(3))
    opt = MSAM([w], lr=0.1)
    w.grad = torch.full((3,), float("inf"))
    for _ in range(9):
        opt.step()
    with pytest.raises(DivergedError, match="MSAM: norm of the momentum: got NaN or infinity 10 times in a row"):
        opt.step()


def test_without_the_guard_nan_spreads_as_in_sgd() -> None:
    w = nn.Parameter(torch.ones(3))
    opt = MSAM([w], lr=0.1, guard=False)
    w.grad = torch.full((3,), float("nan"))
    opt.step()
    assert torch.isnan(w).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"lr": -1}, "lr: got -1"), ({"momentum": 1.0}, "momentum: got 1.0"), ({"rho": float("nan")}, "rho: got nan"),
     ({"mode": "sam"}, "mode: got 'sam', expected one of msam, nag"), ({"decay_at": "x"}, "decay_at"),
     ({"weight_decay": float("inf")}, "weight_decay")],
)  # fmt: skip
def test_values_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        MSAM(net().parameters(), **options)


def test_adamw_checks_its_own_values() -> None:
    with pytest.raises(UsageError, match=r"betas and eps: got betas \(0.9, 1.0\)"):
        AdamWMSAM(net().parameters(), betas=(0.9, 1.0))


def test_sparse_gradients_are_refused() -> None:
    table = nn.Embedding(5, 2, sparse=True)
    opt = MSAM(table.parameters(), lr=0.1)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(UsageError, match="gradients: got sparse ones"):
        opt.step()


def test_a_group_added_later_joins_the_shift() -> None:
    model, extra = net(), nn.Linear(3, 2)
    opt = MSAM(model.parameters(), lr=0.1, rho=0.5)
    steps(model, opt, 2)
    opt.add_param_group({"params": extra.parameters()})
    opt.zero_grad()
    extra(model(X)).square().mean().backward()
    opt.step()
    assert opt.param_groups[1]["shift"] == opt.param_groups[0]["shift"] > 0
