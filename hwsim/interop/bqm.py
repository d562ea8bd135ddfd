"""dimod's binary quadratic models, as objects and as ``to_file`` bytes: `Ising` to BQM and back.

Ising → BQM is exact where double precision holds scale·weight, which it does for every power-of-two scale and
weights below 2^53. BQM → Ising is exact when the weights are multiples of a power of two (`exact_scale`) or of the
scale that the caller names; otherwise every weight is rounded to the nearest multiple, and `rounding` bounds what
that does to an energy. Schedule and initial states have no place in a BQM; labels become names (strings).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwsim.ir.errors import ArtifactError, DataError
from hwsim.ir.ising import Ising

if TYPE_CHECKING:
    import dimod

EXACT = 2.0**53  # integers up to here are float64 numbers
FINEST = -1074  # exponent of the smallest float64


def to_bqm(ising: Ising) -> dimod.BinaryQuadraticModel:
    """SPIN model whose energies are scale·E + offset; variables are the names, or 0…n−1.

    Raises:
        ArtifactError: a weight of 2^53 or more, which double precision does not hold.

    Example:
        >>> pair = Ising(np.array([0, 3]), np.array([[0, 1]], np.int32), np.array([-2]), scale=0.5, offset=1.0)
        >>> to_bqm(pair).energy({0: 1, 1: 1})
        1.5
    """
    import dimod

    largest = max(_largest(ising.h), _largest(ising.J))
    if largest >= EXACT:
        raise ArtifactError.of("ising for a BQM", f"a weight of {largest}", "below 2^53", "Use a larger scale.")
    edges = ising.edges[:, 0], ising.edges[:, 1], ising.J * ising.scale
    bqm = dimod.BinaryQuadraticModel.from_numpy_vectors(ising.h * ising.scale, edges, ising.offset, dimod.SPIN)
    if ising.names:
        bqm.relabel_variables(dict(enumerate(ising.names)))
    return bqm


def _largest(weights: np.ndarray) -> int:
    return max((abs(int(w)) for w in weights), default=0)


def exact_scale(weights: np.ndarray) -> float | None:
    """The largest power of two that divides every weight, if the quotients stay below 2^53; None otherwise.

    Example:
        >>> exact_scale(np.array([0.75, -2.0])), exact_scale(np.array([0.1, 1e20]))
        (0.25, None)
    """
    weights = np.abs(np.asarray(weights, np.float64))
    weights = weights[weights > 0]
    if not len(weights):
        return 1.0
    mantissa, exponent = np.frexp(weights)
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    lowest = exponent - 53 + np.array([(int(m) & -int(m)).bit_length() - 1 for m in whole])
    scale = math.ldexp(1.0, max(int(lowest.min()), FINEST))
    return scale if weights.max() / scale < EXACT else None


def from_bqm(bqm: dimod.BinaryQuadraticModel, scale: float | None = None) -> Ising:
    """Integer problem of a BQM of either vartype.

    Args:
        bqm: the model; BINARY ones are taken to spins first, by dimod.
        scale: unit of the integer weights; None takes the largest power of two that loses nothing.

    Returns:
        `Ising` with weights rint(weight/scale), the model's offset, and ``meta["rounding"]`` = `rounding`.

    Raises:
        DataError: no exact scale below 2^53, and none was given; or a scale that is not positive.

    Example:
        >>> import dimod
        >>> ising = from_bqm(dimod.BinaryQuadraticModel({"a": 0.5}, {"ab": -1.5}, 2.0, "SPIN"))
        >>> ising.h.tolist(), ising.J.tolist(), ising.scale, ising.names
        ([1, 0], [-3], 0.5, ('a', 'b'))
    """
    spin: Any = bqm if bqm.vartype.name == "SPIN" else bqm.spin.copy()
    h, (u, v, J), offset, labels = spin.to_numpy_vectors(return_labels=True)
    weights = np.concatenate([h, J])
    if scale is None:
        scale = exact_scale(weights)
        if scale is None:
            raise DataError.of(
                "BQM", "weights that span more than 53 bits", "multiples of one power of two", "Pass a scale to round."
            )
    if not (np.isfinite(scale) and scale > 0):
        raise DataError.of("scale", scale, "a finite number above 0", "Pass the unit of the integer weights.")
    swap = u > v
    u, v = np.where(swap, v, u), np.where(swap, u, v)
    order = np.lexsort((v, u))
    edges = np.stack([u[order], v[order]], axis=1).astype(np.int32)
    whole = np.rint(h / scale).astype(np.int64), np.rint(J[order] / scale).astype(np.int64)
    labels = list(labels)
    names = () if labels == list(range(len(labels))) else tuple(str(label) for label in labels)
    lost = float(np.abs(weights - np.rint(weights / scale) * scale).sum())
    return Ising(whole[0], edges, whole[1], float(scale), float(offset), names=names, meta={"rounding": repr(lost)})


def rounding(ising: Ising) -> float:
    """Largest change of any energy by the rounding of `from_bqm`: Σ |weight − rounded weight|; 0 is exact."""
    return float(ising.meta.get("rounding", "0.0"))


def save(ising: Ising, path: str | Path) -> Path:
    """Write dimod's own file format (``BinaryQuadraticModel.to_file``)."""
    path = Path(path)
    with to_bqm(ising).to_file() as stream:
        path.write_bytes(stream.read())
    return path


def load(path: str | Path, scale: float | None = None) -> Ising:
    """Read a file of ``BinaryQuadraticModel.to_file``; `scale` as in `from_bqm`.

    Raises:
        DataError: no such file, or one that dimod does not read.
    """
    import dimod

    try:
        with Path(path).open("rb") as stream:
            bqm = dimod.BinaryQuadraticModel.from_file(stream)
    except (OSError, ValueError) as reason:
        raise DataError.of("BQM file", f"{path}: {reason}", "a file of dimod's to_file", "Check the path.") from reason
    return from_bqm(bqm, scale)
