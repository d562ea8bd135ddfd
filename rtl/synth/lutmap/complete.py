"""Fill the don't-care entries of a table so that its bound sets have few classes.

For a split of the variables into S and the rest, the columns of S may be merged wherever they do not
contradict each other on cared entries; each merged class is one column afterwards. Merging is greedy graph
colouring: columns with most cared entries first, each into the compatible class that changes the original
function least. Both sides of a split are merged in turn (the second on the table of merged columns), and the
cells that are still free take the value that the original table has most often there. So the completed
table is simple, equal to the original on every cared address, and as close to it elsewhere as that allows.
Several splits are tried, on the whole table and on one from which variables that no cared entry needs were
dropped first; the plan of least estimated cost wins (Wurth and Wehn 1994 merge columns the same
way for incompletely specified functions; the bias to the original function is ours).
"""

from __future__ import annotations

from itertools import combinations

import numba as nb
import numpy as np

from rtl.synth.lutmap.lattice import MAX_LATTICE_VARS, build_lattice, make_plan

FREE = -1
_SIZES = (6, 7, 8)  # of bound sets: wide ones pay where few addresses are free, narrow ones where many are
_SPLITS = 60  # tried of each size
_BITS_PRICED = 10  # variables up to which the bits are planned apart too
_PLANNED = 5  # splits of each size whose completed table is planned


@nb.njit(cache=True)
def _merge(cells, weights, order, label, merged, gathered):
    """Greedy colouring of columns. Shapes: cells int32 [columns, entries] (value or FREE), weights float32
    [columns, entries, values] = cost of giving the entry that value. Fills label [columns] and the classes'
    cells and weights; returns the number of classes.

    Formula: cost of joining class K = Σ_e weight of the value that the other one cares about, where only one
    of the two cares.
    """
    n_entries = cells.shape[1]
    n_values = weights.shape[2]
    count = 0
    for column in order:
        best, best_cost = -1, 1e30
        for k in range(count):
            cost = 0.0
            for e in range(n_entries):
                a, b = cells[column, e], merged[k, e]
                if a >= 0 and b >= 0:
                    if a != b:
                        cost = 1e30
                        break
                elif a >= 0:
                    cost += gathered[k, e, a]
                elif b >= 0:
                    cost += weights[column, e, b]
            if cost < best_cost:
                best, best_cost = k, cost
        if best < 0:
            best = count
            count += 1
            merged[best] = FREE
            gathered[best] = 0
        label[column] = best
        for e in range(n_entries):
            if cells[column, e] >= 0:
                merged[best, e] = cells[column, e]
            for v in range(n_values):
                gathered[best, e, v] += weights[column, e, v]
    return count


def _merge_columns(cells: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class of every column, and the classes' cells and weights."""
    order = np.argsort(-(cells >= 0).sum(axis=1), kind="stable")
    label = np.empty(len(cells), np.int64)
    merged, gathered = np.empty_like(cells), np.empty_like(weights)
    count = int(_merge(cells, weights, order, label, merged, gathered))
    return label, merged[:count], gathered[:count]


def _bits(count: int) -> int:
    return max(0, int(count - 1).bit_length())


def _splits(n: int, size: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Bound sets of `size` variables made of neighbouring pairs (codes of two bits), and one more if odd.

    Sampled where there are more than `_SPLITS`, or where n is odd and nothing pairs.
    """
    if n % 2:
        found = [tuple(sorted(rng.choice(n, size, replace=False).tolist())) for _ in range(_SPLITS // 2)]
    else:
        found = []
        for pairs in combinations(range(n // 2), size // 2):
            whole = tuple(2 * p + b for p in pairs for b in (0, 1))
            spare = [v for v in range(n) if v // 2 not in pairs] if size % 2 else [None]
            found += [whole if v is None else tuple(sorted((*whole, v))) for v in spare]
    if len(found) > _SPLITS:
        found = [found[i] for i in rng.choice(len(found), _SPLITS, replace=False)]
    return found


class _Completion:
    """The table seen as columns of one bound set, both sides merged."""

    def __init__(self, table: np.ndarray, care: np.ndarray, weight: np.ndarray, bound: tuple[int, ...]) -> None:
        n = len(table).bit_length() - 1
        rest = [v for v in range(n) if v not in bound]
        axes = [n - 1 - v for v in reversed(bound)] + [n - 1 - v for v in reversed(rest)]
        self.address = np.arange(len(table)).reshape([2] * n).transpose(axes).reshape(1 << len(bound), -1)
        cells = np.where(care, table.astype(np.int32), FREE)[self.address]
        self.columns, cells, weight = _merge_columns(cells, weight[self.address])
        self.rows, cells, weight = _merge_columns(
            np.ascontiguousarray(cells.T), np.ascontiguousarray(weight.transpose(1, 0, 2))
        )
        self.cells = np.where(cells >= 0, cells, weight.argmin(axis=2))
        self.wires = _bits(len(set(self.columns))) + _bits(len(self.cells)), len(self.cells)

    def table(self) -> np.ndarray:
        out = np.empty(self.address.size, np.uint16)
        out[self.address] = self.cells[self.rows][:, self.columns].T
        return out


def complete_table(table: np.ndarray, care: np.ndarray, weight: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    """A table equal to `table` wherever `care` holds, easier to map elsewhere.

    Args:
        table: uint16 [2^n].
        care: bool [2^n].
        weight: float32 [2^n], how much a changed value at an address matters; None = 1 everywhere.
        seed: of the sampled splits.

    Returns:
        uint16 [2^n]; the original where don't-cares do not help.
    """
    n = len(table).bit_length() - 1
    if care.all() or n <= 6 or n > MAX_LATTICE_VARS:
        return table
    n_values = int(table.max()) + 1
    distance = np.abs(np.arange(n_values)[None, :] - table.astype(np.int64)[:, None]).astype(np.float32)
    if weight is not None:
        distance *= weight[:, None]
    rng = np.random.default_rng(seed)
    best, best_cost = _search(table, care, distance, rng)
    kept, cells, distance = _drop_variables(np.where(care, table.astype(np.int32), FREE), distance)
    if len(kept) < n:
        small = np.where(cells >= 0, cells, distance.argmin(axis=1)).astype(np.uint16)
        small, cost = _search(small, cells >= 0, distance, rng)
        if cost < best_cost:
            address = np.arange(len(table))
            best = small[sum((address >> v & 1) << i for i, v in enumerate(kept))]
    return best


def _search(
    table: np.ndarray, care: np.ndarray, distance: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Best completion over splits of all sizes, and its estimated LUTs."""
    n = len(table).bit_length() - 1
    best, best_cost = table, _price(table)
    for size in (size for size in _SIZES if size < n):
        tried = [_Completion(table, care, distance, bound) for bound in _splits(n, size, rng)]
        tried.sort(key=lambda completion: completion.wires)
        for completion in tried[:_PLANNED]:
            trial = completion.table()
            if (cost := _price(trial)) < best_cost:
                best, best_cost = trial, cost
    return best, best_cost


def _drop_variables(cells: np.ndarray, weights: np.ndarray) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Merge both halves of every variable that cared entries do not need, the cheapest change first.

    Returns the variables left, their cells int32 [2^m] (value or FREE) and weights [2^m, values].
    """
    kept = list(range(len(cells).bit_length() - 1))
    while kept:
        best: tuple[float, int, np.ndarray, np.ndarray] | None = None
        for i in range(len(kept)):
            halves = cells.reshape(-1, 2, 1 << i)
            low, high = halves[:, 0], halves[:, 1]
            if np.any((low >= 0) & (high >= 0) & (low != high)):
                continue
            merged = np.maximum(low, high).reshape(-1)
            summed = weights.reshape(-1, 2, 1 << i, weights.shape[1]).sum(axis=1).reshape(len(merged), -1)
            cost = float(summed[np.arange(len(merged)), np.where(merged >= 0, merged, summed.argmin(axis=1))].sum())
            if best is None or cost < best[0]:
                best = cost, i, merged, summed
        if best is None:
            break
        _, i, cells, weights = best
        del kept[i]
    return kept, cells, weights


def _price(table: np.ndarray) -> float:
    """Estimated LUTs: the joint plan, or where that takes no time the bits' own plans if they are cheaper."""
    n = len(table).bit_length() - 1
    if n <= 6:
        return float(int(table.max()).bit_length())  # one LUT a bit
    joint = _plan_cost(table)
    if n > _BITS_PRICED:
        return joint
    return min(joint, sum(_plan_cost(table >> b & 1) for b in range(int(table.max()).bit_length())))


def _plan_cost(table: np.ndarray) -> float:
    return float(make_plan(build_lattice(np.ascontiguousarray(table, np.uint16))).cost[0, -1])
