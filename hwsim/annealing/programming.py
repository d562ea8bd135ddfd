"""What a submission programs into the annealer: scaling to its ranges, and analogue errors.

auto_scale divides h and J by the largest of max h/max h_range, min h/min h_range, max J/max extended_j_range,
min J/min extended_j_range and the coupling limit: the same quotients of the total J of each qubit
(``per_qubit_coupling_range``, Advantage) or of each group of couplers (``per_group_coupling_range``, Advantage2).
Source: D-Wave documentation, solver parameter ``auto_scale``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwsim.ir.errors import UsageError


@dataclass(frozen=True)
class Noise:
    """Analogue errors of a submission (D-Wave documentation, "ICE"; figures of the 2X generation).

    Attributes:
        sigma_h, sigma_J: standard deviations of h and J after scaling; drawn once a submission.
        chi: background susceptibility: h_i += χ Σ_j J_ij h_j, J_ij += χ Σ_k J_ik J_kj (−0.04 … −0.015).
        step_h, step_J: DAC steps that h and J are rounded to (up to 0.008 and 0.0045); 0: none.
        readout: probability that a qubit is read wrongly (documented as at most 0.001).
    """

    sigma_h: float = 0.015
    sigma_J: float = 0.012
    chi: float = 0.0
    step_h: float = 0.0
    step_J: float = 0.0
    readout: float = 0.001

    def __post_init__(self) -> None:
        sizes = {name: getattr(self, name) for name in ("sigma_h", "sigma_J", "step_h", "step_J", "readout")}
        for name, value in sizes.items():
            if not (np.isfinite(value) and value >= 0):
                raise UsageError.of(f"Noise.{name}", value, "a finite number ≥ 0", "Use 0 for none.")
        if not np.isfinite(self.chi) or self.readout > 1:
            raise UsageError.of("Noise", self, "finite chi, readout ≤ 1", "Mend the figures.")


IDEAL = Noise(0.0, 0.0, readout=0.0)  # no analogue and no readout error


@dataclass(frozen=True, eq=False)
class Terms:
    """Fields and couplings: h float64 [n]; u, v int64 [m]; J float64 [m]; `qubits` int64 [n] names each spin."""

    qubits: np.ndarray
    h: np.ndarray
    u: np.ndarray
    v: np.ndarray
    J: np.ndarray

    def scaled(self, factor: float) -> Terms:
        """h and J divided by `factor`."""
        return Terms(self.qubits, self.h / factor, self.u, self.v, self.J / factor)


def _excess(values: np.ndarray, bounds: tuple[float, float]) -> float:
    if not len(values):
        return 0.0
    return max(float(values.max()) / bounds[1], float(values.min()) / bounds[0], 0.0)


def quotients(terms: Terms, properties: Mapping[str, Any], groups: Callable[[], Iterable[Any]]) -> dict[str, float]:
    """By property: how much of its range the problem asks for; 1 is all of it.

    `groups` gives the annealer's groups of couplers, and is called only where their limit can matter.
    """
    out = {
        "h_range": _excess(terms.h, properties["h_range"]),
        "extended_j_range": _excess(terms.J, properties["extended_j_range"]),
    }
    n = len(terms.h)
    if "per_qubit_coupling_range" in properties:
        total = np.bincount(terms.u, terms.J, n) + np.bincount(terms.v, terms.J, n)
        out["per_qubit_coupling_range"] = _excess(total, properties["per_qubit_coupling_range"])
    if "per_group_coupling_range" in properties:
        bounds = properties["per_group_coupling_range"]
        plus, minus = np.maximum(terms.J, 0), np.minimum(terms.J, 0)
        most = max(
            _excess(np.bincount(terms.u, part, n) + np.bincount(terms.v, part, n), bounds) for part in (plus, minus)
        )
        if most > max(out.values()):  # a group's total lies within that of its qubit's signs
            out["per_group_coupling_range"] = _excess(_group_totals(terms, groups()), bounds)
    return out


def _group_totals(terms: Terms, groups: Iterable[Any]) -> np.ndarray:
    names = terms.qubits.tolist()
    J: dict[tuple[int, int], float] = {}
    for u, v, weight in zip(terms.u.tolist(), terms.v.tolist(), terms.J.tolist(), strict=True):
        J[names[u], names[v]] = J[names[v], names[u]] = weight
    return np.array([sum(J.get(tuple(edge), 0.0) for edge in group) for group in groups])


def fitted(
    terms: Terms, auto_scale: bool, properties: Mapping[str, Any], groups: Callable[[], Iterable[Any]]
) -> tuple[Terms, float]:
    """Terms in the annealer's units, and the factor they were divided by.

    Raises:
        UsageError: auto_scale is off and a range is left.
    """
    need = quotients(terms, properties, groups)
    if auto_scale:
        factor = max(need.values()) or 1.0
        return terms.scaled(factor), factor
    for name, quotient in need.items():
        if quotient > 1:
            raise UsageError.of(
                f"{name} with auto_scale=False", f"{quotient:g} times the range", f"values within {properties[name]}",
                "Scale the problem or leave auto_scale on.",
            )  # fmt: skip
    return terms, 1.0


def disturbed(terms: Terms, noise: Noise, rng: np.random.Generator) -> Terms:
    """The terms with analogue errors, in the order DAC rounding, susceptibility, Gaussian errors."""
    h, J = terms.h, terms.J
    if noise.step_h:
        h = np.rint(h / noise.step_h) * noise.step_h
    if noise.step_J:
        J = np.rint(J / noise.step_J) * noise.step_J
    if noise.chi:
        h, J = _susceptible(Terms(terms.qubits, h, terms.u, terms.v, J), noise.chi)
    h = h + rng.normal(0.0, 1.0, len(h)) * noise.sigma_h
    J = J + rng.normal(0.0, 1.0, len(J)) * noise.sigma_J
    return Terms(terms.qubits, h, terms.u, terms.v, J)


def _susceptible(terms: Terms, chi: float) -> tuple[np.ndarray, np.ndarray]:
    from scipy.sparse import coo_array

    n = len(terms.h)
    half = coo_array((terms.J, (terms.u, terms.v)), (n, n)).tocsr()
    J = half + half.T
    squared = (J @ J).tocsr()
    leak = np.asarray(squared[terms.u, terms.v]).ravel() if len(terms.J) else terms.J
    return terms.h + chi * (J @ terms.h), terms.J + chi * leak
