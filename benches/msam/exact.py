"""Equality with torch's optimisers, size of the state, and the time of a training step beside SGD's."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benches import stats
from benches.runner import Context

STEPS = 200
TIMED = ("sgd", "nesterov", "msam", "sam", "looksam", "randbet", "adamw", "adamw_msam")


def equality(ctx: Context[Any]) -> None:
    """Largest difference of any parameter after 200 steps, with decay, under a cosine schedule, in float64."""
    import torch

    from ml.msam import MSAM, AdamWMSAM

    sgd, adamw = torch.optim.SGD, torch.optim.AdamW
    shared: dict[str, Any] = {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}
    pairs: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
        "rho0_equals_sgd_max_err": (lambda p: MSAM(p, rho=0.0, **shared), lambda p: sgd(p, **shared)),
        "nag_mode_equals_nesterov_max_err": (
            lambda p: MSAM(p, mode="nag", **shared),
            lambda p: sgd(p, nesterov=True, **shared),
        ),
        "rho0_equals_adamw_max_err": (lambda p: AdamWMSAM(p, 1e-3, rho=0.0), lambda p: adamw(p, 1e-3)),
    }
    for name, (ours, theirs) in pairs.items():
        a, b = _train(ours, ctx.seed), _train(theirs, ctx.seed)
        error = max(float((x - y).abs().max()) for x, y in zip(a, b, strict=True))
        ctx.metric(name, error, "", n=STEPS, method="digits network, float64, cosine schedule, parameters as stored")


def _train(make: Callable[..., Any], seed: int) -> list[Any]:
    import torch

    from ml.msam.models import mlp
    from ml.msam.tasks import Samples, digits_task

    task, model = digits_task(seed), mlp(seed=seed).double()
    optimiser = make(model.parameters())
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    batches = Samples(task.x_train.double(), task.y_train, 50, seed)
    for step in range(STEPS):
        if step % batches.steps == 0:
            epoch = batches.epoch(step // batches.steps)
        x, y = next(epoch)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimiser.step()
        schedule.step()
    return [p.detach() for p in model.parameters()]


class _Timed:
    """One method on the convolutional network and one fixed batch."""

    def __init__(self, method: str, batch: int, seed: int) -> None:
        import torch

        from benches.msam.cifar import SHAPE
        from ml.msam.models import cnn
        from ml.msam.recipe import Recipe

        generator = torch.Generator().manual_seed(seed)
        self.model = cnn(**SHAPE, seed=seed)
        self.x = torch.randn(batch, 3, 32, 32, generator=generator)
        self.y = torch.randint(0, 10, (batch,), generator=generator)
        self.optimiser = Recipe(method, batch=batch, lr=0.01).optimiser(self.model)

    def step(self) -> float:
        """CPU seconds of one training step."""
        import torch

        def closure() -> Any:
            self.optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(self.model(self.x), self.y)
            loss.backward()
            return loss

        start = time.thread_time()
        self.optimiser.step(closure)
        return time.thread_time() - start

    def state_bytes(self) -> int:
        """Bytes that the optimiser keeps between steps."""
        import torch

        found = (v for state in self.optimiser.state.values() for v in state.values())
        return sum(v.numel() * v.element_size() for v in found if isinstance(v, torch.Tensor))


def cost(ctx: Context[Any]) -> None:
    """Seconds of a whole step (forward, backward, update) and state, each method over SGD."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        timed = {name: _Timed(name, ctx.config.timing_batch, ctx.seed) for name in TIMED}
        rows = []
        for i in range(-3, ctx.config.timing_rounds):
            taken = {name: one.step() for name, one in timed.items()}  # in turn: load hits all methods alike
            if i >= 0:
                rows.append(taken)
    finally:
        torch.set_num_threads(before)
    how = f"CPU time of a step, one thread, {ctx.config.timing_batch} images 32×32, median of paired rounds"
    for name in TIMED:
        ratio = stats.median([_mean_step(rows, i, name) / rows[i]["sgd"] for i in range(len(rows))])
        metric = "step_time_ratio_vs_sgd" if name == "msam" else f"step_time_ratio_{name}_vs_sgd"
        if name != "sgd":
            ctx.metric(metric, ratio, "×", method=how)
        if name in ("msam", "sam"):
            ctx.metric(f"speed_{name}", 1 / ratio.value, "×", method=f"1 / {metric}")
        own = timed[name].state_bytes()
        metric = "state_bytes_ratio_vs_sgd" if name == "msam" else f"state_bytes_ratio_{name}_vs_sgd"
        if name != "sgd":
            ctx.metric(metric, own / timed["sgd"].state_bytes(), "×", method="tensors kept between steps")
    ctx.metric("step_ms_sgd", 1e3 * float(np.median([row["sgd"] for row in rows])), "ms", n=len(rows))


def _mean_step(rows: list[dict[str, float]], i: int, name: str) -> float:
    """Seconds of step i; LookSAM's are a mean over the ten steps around it, one of which is dear."""
    if name != "looksam":
        return rows[i][name]
    first = min(i // 10 * 10, max(len(rows) - 10, 0))
    return float(np.mean([row[name] for row in rows[first : first + 10]]))
