"""Accuracy of a trained network whose weights suffer: few bits, noise, flipped bits (`ml.msam.bits`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

BITS = (8, 6, 5, 4, 3, 2)
SIGMAS = (0.05, 0.1, 0.15, 0.2, 0.3)
RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)


def key(kind: str, value: float) -> str:
    """Name of an error in a row: ``q4``, ``noise0.2``, ``flip0.01``."""
    return f"{kind}{value:g}"


def measure(model: Any, task: Any, seed: int, draws: int) -> dict[str, float]:
    """Test accuracy in percent under every error; random ones are the mean of `draws`."""
    import torch

    from ml.common.seed import torch_generator
    from ml.msam import bits
    from ml.msam.tasks import accuracy

    weights = bits.weight_matrices(model)
    kept = {name: w.detach().clone() for name, w in weights.items()}

    def at(change: Callable[[Any, Any], Any], name: str, times: int) -> float:
        found = []
        for draw in range(times):
            generator = torch_generator(seed, name, draw)  # the same errors for every method
            with torch.no_grad():
                for layer, w in weights.items():
                    w.copy_(change(kept[layer], generator))
            found.append(accuracy(model, task.x_test, task.y_test))
        with torch.no_grad():
            for layer, w in weights.items():
                w.copy_(kept[layer])
        return 100 * float(np.mean(found))

    row = {"acc": at(lambda w, _: w, "clean", 1)}
    row["acc_train"] = 100 * accuracy(model, task.x_train, task.y_train)
    for b in BITS:
        row[key("q", b)] = at(lambda w, _, b=b: bits.quantised(w, b), "bits", 1)  # type: ignore[misc]
    for s in SIGMAS:
        row[key("noise", s)] = at(lambda w, g, s=s: bits.noisy(w, s, g), key("noise", s), draws)  # type: ignore[misc]
    for r in RATES:
        row[key("flip", r)] = at(lambda w, g, r=r: bits.flipped(w, r, g), key("flip", r), draws)  # type: ignore[misc]
    return row
