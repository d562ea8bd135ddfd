"""`detect`: every detector by name, one signature.

| name | detector |
|---|---|
| `zf`, `mmse` | linear |
| `mmse_sic`, `fsd`, `kbest` | tree search with cancellation |
| `sphere` | exact maximum likelihood |
| `ep`, `amp` | message passing |
| `quamax`, `resq`, `xresq`, `paramax` | annealing |
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hwsim.ir.errors import UsageError
from hwsim.xresq import annealing, linear, message, tree
from hwsim.xresq.channel import Received
from hwsim.xresq.detection import Detection
from hwsim.xresq.modulation import Modulation, modulation

DETECTORS: dict[str, Callable[..., Detection]] = {
    "zf": linear.zf,
    "mmse": linear.mmse,
    "mmse_sic": tree.mmse_sic,
    "fsd": tree.fsd,
    "kbest": tree.kbest,
    "sphere": tree.sphere,
    "ep": message.ep,
    "amp": message.amp,
    "quamax": annealing.quamax,
    "resq": annealing.resq,
    "xresq": annealing.xresq,
    "paramax": annealing.paramax,
}


def detector(name: str) -> Callable[..., Detection]:
    """The detector function of a name: f(received, **options) → Detection.

    Raises:
        UsageError: unknown name.
    """
    if name not in DETECTORS:
        raise UsageError.of("detector", repr(name), f"one of {', '.join(DETECTORS)}", "Choose one of them.")
    return DETECTORS[name]


def detect(
    H: np.ndarray, y: np.ndarray, n0: float | np.ndarray, mod: str | Modulation, name: str = "xresq", **options: Any
) -> Detection:
    """Detect a batch.

    Args:
        H: complex [batch, Nr, Nt] or [Nr, Nt].
        y: complex [batch, Nr] or [Nr].
        n0: complex noise power N0, a number or [batch]; SNR = Nt·E_s/N0.
        mod: constellation.
        name: detector (see the module).
        **options: of that detector.

    Raises:
        ShapeError, UsageError: wrong shapes, NaN, a singular channel, unknown names.

    Example:
        >>> import numpy as np
        >>> detect(np.eye(2), np.array([1 + 1j, -1 - 3j]), 0.1, "16qam", "zf").levels.tolist()
        [[1, -1, 1, -3]]
    """
    run = detector(name)
    return run(Received(H, y, np.asarray(n0), modulation(mod)), **options)
