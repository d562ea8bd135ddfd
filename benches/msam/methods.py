"""The optimisers that are compared, with what was tuned for each on seeds that no figure uses (`TUNING_SEEDS`).

Rate and decay were tuned for SGD, then ρ for each method, as the paper does (appendix A.13); `benches/msam/rho.py`
shows the accuracies over ρ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from ml.msam.tasks import Task

TUNING_SEEDS = 1000  # seeds from here on choose hyper-parameters; reported ones begin at the run's seed


@dataclass(frozen=True)
class Method:
    """An optimiser on the digits study.

    Attributes:
        name: of `ml.msam.recipe.METHODS`.
        label: in tables and plots.
        options: fields of `ml.msam.recipe.Recipe` besides the shared ones.
        color: of its curves.
    """

    name: str
    label: str
    options: dict[str, Any]
    color: str


METHODS = (
    Method("sgd", "SGD", {}, "0.35"),
    Method("nesterov", "Nesterov", {}, "C5"),
    Method("msam", "MSAM", {"rho": 1.0}, "C0"),
    Method("sam", "SAM (2 gradients)", {"rho": 0.2}, "C1"),
    Method("looksam", "LookSAM", {"rho": 0.2, "look_every": 5, "look_alpha": 0.2}, "C3"),
    Method("adamw", "AdamW", {"lr": 3e-3, "weight_decay": 0.1}, "0.65"),
    Method("adamw_msam", "AdamW + MSAM", {"lr": 3e-3, "weight_decay": 0.1, "rho": 1.0}, "C2"),
    Method("randbet", "RandBET (2 gradients)", {"clip": 0.3, "rate": 0.01}, "C4"),
)
BY_NAME = {method.name: method for method in METHODS}


def train_digits(
    method: str, seed: int, epochs: int, options: dict[str, Any], probe: Any = None
) -> tuple[nn.Module, Task, Any]:
    """Train the 64-64-64-10 network on `seed`'s 400 digits; (model in evaluation mode, task, outcome)."""
    import torch

    from ml.msam.models import mlp
    from ml.msam.recipe import Recipe
    from ml.msam.tasks import Samples, digits_task
    from ml.msam.train import Trainer

    torch.set_num_threads(1)  # small tensors: more threads only wait for each other
    task, model = digits_task(seed), mlp(seed=seed)
    recipe = Recipe(method, epochs=epochs, seed=seed, **options)
    trainer = Trainer(model, Samples(task.x_train, task.y_train, recipe.batch, seed), recipe, probe=probe)
    return model, task, trainer.fit()
