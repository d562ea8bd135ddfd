"""PolyLUT's neuron: a polynomial of bounded degree in the L-LUT's inputs (Andronicheva, FPT 2023).

    y = Σ_m θ_m φ_m(x) + θ_bias,    φ over all monomials of x_1..x_F with 1 ≤ degree ≤ D.

Every monomial is the product of an earlier one and one input, φ_m = φ_{parent(m)} · x_{var(m)}, so that a
kernel needs one multiplication a monomial in either direction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np
import torch
from torch import Tensor

from hwsim.ir.errors import UsageError


@dataclass(frozen=True)
class Polynomial:
    """Shape of PolyLUT's neuron; D = 1 is a dot product.

    Raises:
        UsageError: fan-in or degree below 1.
    """

    fan_in: int
    degree: int = 2

    def __post_init__(self) -> None:
        if self.fan_in < 1 or self.degree < 1:
            raise UsageError.of(
                "polynomial sizes out of range", f"F={self.fan_in} D={self.degree}", "F, D ≥ 1", "Change them."
            )

    @cached_property
    def monomials(self) -> tuple[tuple[int, ...], ...]:
        """Sorted input indices of every monomial, by degree; the first F are the inputs themselves."""
        return tuple(m for d in range(1, self.degree + 1) for m in combinations_with_replacement(range(self.fan_in), d))

    @cached_property
    def products(self) -> np.ndarray:
        """int64 [n, 2]: parent monomial (−1 for an input itself) and input of each monomial."""
        place = {m: i for i, m in enumerate(self.monomials)}
        return np.array([(place.get(m[:-1], -1), m[-1]) for m in self.monomials], np.int64)

    @property
    def parameters(self) -> int:
        """C(F+D, D): one weight a monomial and the bias."""
        return math.comb(self.fan_in + self.degree, self.degree)

    @property
    def operations(self) -> int:
        """Roundings on the longest path from an input to y: products, then the sum."""
        return self.degree + self.parameters

    def initial(self, n_out: int, generator: torch.Generator) -> Tensor:
        """θ [n_out, P], U(±1/√P) as torch's Linear default for the expanded inputs."""
        bound = 1.0 / math.sqrt(self.parameters - 1)
        return torch.empty(n_out, self.parameters).uniform_(-bound, bound, generator=generator)

    def evaluate(self, theta: Tensor, x: Tensor) -> Tensor:
        """y [n_out, batch] from gathered inputs x [n_out, F, batch]."""
        rows = [x[:, f] for f in range(self.fan_in)]
        for parent, var in self.products[self.fan_in :]:
            rows.append(rows[parent] * x[:, var])
        phi = torch.stack(rows, dim=1)
        return torch.baddbmm(theta[:, None, -1:], theta[:, None, :-1], phi).squeeze(1)
