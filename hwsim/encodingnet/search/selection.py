"""A set of M atoms with their best weights, and what one more, one less or one other atom would do to the error.

All atoms b are centred under the operand distribution (the constant is free), or centred for every weight code where
functions of w alone are free. With C = cov(s_k, b), G = cov(s, s), P = G⁻¹, the target's covariances c₀(b), weights
β = P·c₀(s), and z = P·C(b):

    adding b lowers the squared error by  ρ² / ν,  ρ = c₀(b) − C(b)·β,  ν = var b − C(b)·z
    removing k raises it by               β_k² / P_kk
    without k, b's ρ and ν become         ρ + z_k·β_k / P_kk,   ν + z_k² / P_kk

so that all M·n exchanges are weighed in one pass over P·C.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from hwsim.encodingnet.search.dictionary import Dictionary

TINY = 1e-6  # atoms whose new part has a smaller variance are dependent; a Boolean one has at most 1/4


BLOCK = 512  # atoms at a time: their vectors stay in the first-level cache


@njit(cache=True, nogil=True)
def project(covariance, first, inverse, target, variance, beta, z, rho, nu):
    """z = P·C, ρ and ν of the atoms first … first + len(rho) − 1; covariance [M, n]."""
    for i in range(len(rho)):
        rho[i], nu[i] = target[first + i], variance[first + i]
    for k in range(len(beta)):
        row, b = z[k], beta[k]
        row[:] = 0.0
        for m in range(len(beta)):
            p, c = inverse[k, m], covariance[m]
            for i in range(len(rho)):
                row[i] += p * c[first + i]
        c = covariance[k]
        for i in range(len(rho)):
            rho[i] -= b * c[first + i]
            nu[i] -= row[i] * c[first + i]


@njit(cache=True, nogil=True)
def best_addition(covariance, count, inverse, target, variance, beta, price, used):
    """(atom, change of the objective) of the best addition; −1 where every atom depends on the chosen ones."""
    best, change = -1, np.inf
    z, rhos, nus = np.zeros((max(count, 1), BLOCK)), np.zeros(BLOCK), np.zeros(BLOCK)
    for first in range(0, len(target), BLOCK):
        width = min(BLOCK, len(target) - first)
        rho, nu = rhos[:width], nus[:width]
        project(covariance, first, inverse, target, variance, beta, z, rho, nu)
        for i in range(width):
            if nu[i] > TINY and not used[first + i]:
                delta = price[first + i] - rho[i] * rho[i] / nu[i]
                if delta < change:
                    best, change = first + i, delta
    return best, change


@njit(cache=True, nogil=True)
def best_exchange(covariance, inverse, target, variance, beta, price, used, paid):
    """(k, atom, change) of the best exchange of a chosen atom for another one; −1 where none helps."""
    best, place, change = -1, -1, 0.0
    z, rhos, nus, deltas = np.zeros((len(beta), BLOCK)), np.zeros(BLOCK), np.zeros(BLOCK), np.zeros(BLOCK)
    for first in range(0, len(target), BLOCK):
        width = min(BLOCK, len(target) - first)
        rho, nu, delta = rhos[:width], nus[:width], deltas[:width]
        project(covariance, first, inverse, target, variance, beta, z, rho, nu)
        for k in range(len(beta)):
            row, step, gain = z[k], 1.0 / inverse[k, k], beta[k] / inverse[k, k]
            offset = beta[k] * gain - paid[k]
            for i in range(width):
                n = nu[i] + row[i] * row[i] * step
                r = rho[i] + row[i] * gain
                delta[i] = offset + price[first + i] - r * r / n if n > TINY else np.inf
            for i in range(width):
                if delta[i] < change and not used[first + i]:
                    best, place, change = first + i, k, delta[i]
    return place, best, change


class Selection:
    """Chosen atoms of a dictionary, always with their best weights.

    Args:
        atoms: the dictionary.
        target: float64 [2^a, 2^b], exact products.
        p_x, p_w: operand distributions [2^a], [2^b].
        price: float64 [n_atoms], added to the squared error for each chosen atom.
        free_w: functions of w alone cost nothing and are fitted exactly.
    """

    def __init__(
        self, atoms: Dictionary, target: np.ndarray, p_x: np.ndarray, p_w: np.ndarray, price: np.ndarray, free_w: bool
    ) -> None:
        self.atoms, self.price, self.free_w = atoms, price, free_w
        self.p_x, self.p_w = p_x, p_w
        self.error0 = float((p_x @ self._centred(target) ** 2) @ p_w)
        self.target = self._covariances(target)
        mean = atoms.products(np.outer(p_x, p_w).ravel())
        self.variance = np.maximum(mean - (self._conditional_squares() if free_w else mean**2), 0.0)
        self.used = np.zeros(atoms.n_atoms, np.bool_)
        self.chosen: list[int] = []
        self._columns: dict[int, np.ndarray] = {}
        self._rows: list[int] = []
        self._c = np.zeros((0, atoms.n_atoms))
        self._solve()

    @property
    def objective(self) -> float:
        """Mean squared error plus the prices."""
        return self.error + float(self.price[self.chosen].sum())

    def set(self, chosen: list[int]) -> None:
        """Choose these atoms, less those that depend on the ones before them."""
        for index in chosen:
            if index not in self._columns:
                values = self.atoms.values(index).reshape(len(self.p_x), -1)
                self._columns[index] = self._covariances(values)
        self.chosen = self._independent(chosen)
        self.used[:] = False
        self.used[self.chosen] = True
        if len(self._columns) > 3 * len(self.chosen) + 32:
            self._columns = {index: self._columns[index] for index in self.chosen}
        self._solve()

    def add_best(self) -> bool:
        """Add the atom that lowers the objective most; False when there is none that is independent."""
        count = len(self.chosen)
        best, _ = best_addition(
            self._c, count, self._inverse, self.target, self.variance, self.beta, self.price, self.used
        )
        if best < 0:
            return False
        self.set([*self.chosen, int(best)])
        return len(self.chosen) > count

    def exchange(self) -> bool:
        """Make the best exchange; False at a local optimum."""
        if not self.chosen:
            return False
        place, best, change = best_exchange(
            self._c, self._inverse, self.target, self.variance, self.beta, self.price, self.used,
            self.price[self.chosen],
        )  # fmt: skip
        if best < 0 or change > -1e-9 * self.error0:
            return False
        before = self.objective
        old = list(self.chosen)
        self.set([*old[:place], int(best), *old[place + 1 :]])
        if self.objective >= before or len(self.chosen) < len(old):  # rounding, near dependence
            self.set(old)
            return False
        return True

    def _solve(self) -> None:
        m = len(self.chosen)
        if self._c.shape[0] != m:
            self._rows = [-1] * m
            self._c = np.zeros((m, self.atoms.n_atoms))
        for k, index in enumerate(self.chosen):
            if self._rows[k] != index:
                self._c[k], self._rows[k] = self._columns[index], index
        gram = self._c[:, self.chosen]
        self._inverse = np.linalg.inv(gram + np.diag(1e-12 * np.diag(gram))) if m else np.zeros((0, 0))
        right = self.target[self.chosen]
        self.beta = self._inverse @ right
        self.error = max(0.0, self.error0 - float(self.beta @ right))

    def _independent(self, chosen: list[int]) -> list[int]:
        """Gram–Schmidt in the given order: atoms whose new part has some variance."""
        kept: list[int] = []
        if not chosen:
            return kept
        rest = np.stack([self._columns[i][chosen] for i in chosen])
        for k, index in enumerate(chosen):
            if rest[k, k] > TINY and index not in kept:
                kept.append(index)
                rest = rest - np.outer(rest[:, k], rest[k]) / rest[k, k]
        return kept

    def _centred(self, values: np.ndarray) -> np.ndarray:
        """Values [2^a, 2^b] less their mean, or less the mean for each w."""
        mean = self.p_x @ values
        return values - (mean[None, :] if self.free_w else mean @ self.p_w)

    def _covariances(self, values: np.ndarray) -> np.ndarray:
        """float64 [n_atoms]: covariance of every atom with `values` [2^a, 2^b]."""
        return self.atoms.products((self._centred(values) * np.outer(self.p_x, self.p_w)).ravel())

    def _conditional_squares(self) -> np.ndarray:
        """float64 [n_atoms]: Σ_w p(w)·E_x[b | w]²."""
        from hwsim.encodingnet.search.prices import conditional_squares

        return conditional_squares(self.atoms, self.p_x, self.p_w)
