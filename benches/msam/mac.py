"""Hand-over to the encoded MAC array: the trained network in 8-bit codes on ever coarser product units.

Units are multipliers without their low columns, mean error taken out (`hwsim.encodingnet.truncated`, `booth`): the
error of a product is a fixed function of its operands, not noise. "Harsh" is the truncated multiplier whose columns
below 2^10 are gone: 15 of 64 partial products are left.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

TRUNCATED = (0, 7, 8, 9, 10, 11)  # lowest column kept; 0 is the exact multiplier
BOOTH = (8, 9, 10, 11)
HARSH = "truncated10"
WEIGHT_BITS = (8, 6, 5, 4)


@cache
def units() -> dict[str, Any]:
    """Encodings by name: ``truncated<column>``, ``booth<column>``."""
    from hwsim.encodingnet.encodings import booth, truncated

    found = {f"truncated{column}": truncated(8, 8, column) for column in TRUNCATED}
    return found | {f"booth{column}": booth(8, 8, column) for column in BOOTH}


@cache
def error_of(name: str) -> float:
    """Root mean square error of a unit's products over all operand pairs, in percent of the largest product."""
    unit = units()[name]
    error = unit.table * unit.step - unit.target
    return 100 * float(np.sqrt((error**2).mean()) / np.abs(unit.target).max())


def measure(model: Any, task: Any) -> dict[str, float]:
    """Test accuracy in percent of the integer network on every unit, and on the exact one with narrow weights."""
    row = {name: accuracy_on(network(model, task, unit), task) for name, unit in units().items()}
    for bits in WEIGHT_BITS[1:]:
        row[f"w{bits}"] = accuracy_on(network(model, task, units()["truncated0"], w_bits=bits), task)
    return {f"mac_{name}": value for name, value in row.items()}


def network(model: Any, task: Any, unit: Any, **options: Any) -> Any:
    """`model` as an `EncodedMac` with 8-bit activations, calibrated on its training images."""
    from ml.common.convert import convert

    return convert(model, task.x_train, unit, bits=8, n_classes=10, **options)


def accuracy_on(artifact: Any, task: Any) -> float:
    """Test accuracy in percent, by the torch twin of `EncodedMac.reference`."""
    from ml.common.mac_torch import TorchMac

    mac = TorchMac(artifact)
    scores = mac(*mac.quantise(task.x_test))
    return 100 * float((scores.argmax(1) == task.y_test).double().mean())


def equal_samples(artifact: Any, task: Any, n: int) -> int:
    """How many of the first `n` test images have the same output codes in the torch twin and in `reference`."""
    from ml.common.mac_torch import TorchMac

    mac = TorchMac(artifact)
    twin = mac(*mac.quantise(task.x_test[:n])).numpy()
    own = artifact.reference(artifact.quantise(task.x_test[:n].numpy()))
    return int((twin == own).all(axis=1).sum())
