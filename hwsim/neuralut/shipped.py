"""Networks that ship with the package: tables trained by this project, so that simulation needs no training.

Each comes from `python -m ml.neuralut.train`; the exact command stands in the artifact's ``meta["run"]`` and in
``hwsim/neuralut/data/README.md``.
"""

from __future__ import annotations

from pathlib import Path

from hwsim.ir import io
from hwsim.ir.errors import UsageError
from hwsim.ir.lut import LutNetwork

_DATA = Path(__file__).parent / "data"


def names() -> tuple[str, ...]:
    """Names of the networks that ship."""
    return tuple(sorted(path.name.removesuffix(io.SUFFIX) for path in _DATA.glob(f"*{io.SUFFIX}")))


def path_of(name: str) -> Path:
    """File of the network called `name`.

    Raises:
        UsageError: no such network.
    """
    if name not in names():
        raise UsageError.of("unknown pretrained network", repr(name), f"one of {', '.join(names())}", "Choose one.")
    return _DATA / f"{name}{io.SUFFIX}"


def pretrained(name: str) -> LutNetwork:
    """The network called `name`, for example ``"hdr5l"`` (566 L-LUTs of 12→2 bits, MNIST).

    Raises:
        UsageError: no such network.

    Example:
        >>> pretrained("hdr5l").widths
        (784, 256, 100, 100, 100, 10)
    """
    return io.load_as(LutNetwork, path_of(name))
