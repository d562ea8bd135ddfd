"""One table with one or several output bits into a LUT6 network, by the cheapest of several recipes.

A recipe says how the output bits are grouped: all of them by one plan (shared encoders), each by its own, or,
for a two-bit code y, by its thresholds t_j = [y ≥ j]: bit 1 is t_2 and bit 0 is ``t_2 ? t_3 : t_1``. The
thresholds of a quantised smooth function are simpler than its lowest bit, which flips at each of them.
Every recipe is priced by its plans; the best few are built and counted, and the smallest is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hwsim.ir.errors import ShapeError
from hwsim.ir.gates import GateNetlist
from rtl.synth.lutmap.builder import Builder
from rtl.synth.lutmap.functions import map_function, shannon
from rtl.synth.lutmap.lattice import MAX_LATTICE_VARS, TOO_DEEP, Lattice, Plan, build_lattice, make_plan
from rtl.synth.lutmap.options import LEVELS, MapOptions
from rtl.synth.lutmap.realise import Realiser, Tries
from rtl.synth.lutmap.tidy import absorb_nodes

_SELECT = 0b11100100  # address (s, a, b), s lowest: s ? b : a
_TRIES = (Tries(), Tries(("last", "first"), 0, 1), Tries(("last", "first", "mean", "none"), 6, 3))
_BUILT = (1, 2, 4)  # recipes that are built, by effort


@dataclass(frozen=True, eq=False)
class _Part:
    """A table of `bits` output bits with its lattice and plan."""

    table: np.ndarray
    bits: int
    lattice: Lattice
    plan: Plan

    def estimate(self, budget: int) -> float:
        return float(self.plan.cost[min(budget, self.plan.levels), -1])


@dataclass(frozen=True, eq=False)
class _Recipe:
    parts: list[_Part]
    combine: Callable[[Builder, list[int]], list[int]]
    extra: int = 0

    def best(self, options: MapOptions) -> tuple[float, int]:
        """(estimated LUTs plus the price of levels, level budget of the parts)."""
        if options.plan_levels is None:
            return self._price(0, options), 0
        top = options.max_levels - self.extra if options.max_levels else LEVELS
        return min((self._price(d, options), d) for d in range(1, max(1, top) + 1))

    def _price(self, budget: int, options: MapOptions) -> float:
        luts = sum(part.estimate(budget) for part in self.parts) + self.extra
        return luts + options.depth_weight * (budget + self.extra)


def map_table(
    table: np.ndarray, bits: int, *, care: np.ndarray | None = None, options: MapOptions | None = None
) -> GateNetlist:
    """LUT6 netlist of a table: inputs ``a0…`` (address bits, lowest first), outputs ``y0…`` (lowest first).

    Args:
        table: integers [2^n], n 1..16, each below 2^bits.
        bits: output bits, 1..16.
        care: bool [2^n]; where False the netlist may emit anything. None = every address counts.
        options: see `MapOptions`.

    Raises:
        ShapeError: a table that is no power of two long, or holds a value that is too wide.
    """
    table, care = check_table(table, bits, care)
    n = len(table).bit_length() - 1
    if care is not None:
        from rtl.synth.lutmap.complete import complete_table

        table = complete_table(table, care)
    builder = Builder(n)
    outputs = map_into(builder, table, bits, [2 * v for v in range(n)], options or MapOptions())
    return builder.netlist(outputs, tuple(f"a{v}" for v in range(n)), tuple(f"y{b}" for b in range(bits)))


def check_table(table: np.ndarray, bits: int, care: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """`table` as uint16 and `care` as bool or None; raises `ShapeError`."""
    table = np.asarray(table)
    n = max(len(table) if table.ndim == 1 else 0, 1).bit_length() - 1
    if table.ndim != 1 or len(table) != 1 << n or not 1 <= n <= 16 or table.dtype.kind not in "iub":
        raise ShapeError.of(
            "table has the wrong shape",
            f"{table.dtype} {list(table.shape)}",
            "integers [2^n], n 1..16",
            "Enumerate every address once.",
        )
    if not 1 <= bits <= 16 or int(table.min()) < 0 or int(table.max()) >> bits:
        raise ShapeError.of(
            "table holds a value that is too wide", int(table.max()), f"0..2^{bits}−1", "Raise `bits` (at most 16)."
        )
    if care is not None:
        care = np.asarray(care)
        if care.shape != table.shape or care.dtype != bool:
            raise ShapeError.of(
                "care has the wrong shape",
                f"{care.dtype} {list(care.shape)}",
                f"bool {list(table.shape)}",
                "Pass one flag an address.",
            )
    return table.astype(np.uint16), care


def map_into(builder: Builder, table: np.ndarray, bits: int, literals: list[int], options: MapOptions) -> list[int]:
    """Add `table` (uint16 [2^n]) over n literals of `builder`; returns the output literals, lowest bit first.

    The table is mapped in a builder of its own, so that tries leave no trace, and copied over.
    """
    local, kept, outputs = map_alone(table, bits, options)
    return builder.absorb(local, [literals[v] for v in kept], outputs)


def map_alone(table: np.ndarray, bits: int, options: MapOptions) -> tuple[Builder, list[int], list[int]]:
    """Network of a table (uint16 [2^n]), the address bits that are its inputs, and its output literals."""
    table, kept = drop_idle(table)
    if len(kept) <= 6:
        local = Builder(len(kept))
        return local, kept, [_small(local, table >> b & 1) for b in range(bits)]
    if len(kept) > MAX_LATTICE_VARS:
        local = Builder(len(kept))
        return local, kept, _split_off(local, table, bits, options)
    local, outputs = _best_recipe(table, bits, options)
    return local, kept, outputs


def drop_idle(table: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """The table without the variables it does not depend on, and the places of those that stay."""
    kept = list(range(len(table).bit_length() - 1))
    for v in range(len(kept) - 1, -1, -1):
        halves = table.reshape(-1, 2, 1 << v)
        if np.array_equal(halves[:, 0], halves[:, 1]):
            table = halves[:, 0].reshape(-1)
            del kept[v]
    return table, kept


def _small(builder: Builder, column: np.ndarray) -> int:
    return map_function(builder, column.astype(np.uint8), [2 * v for v in range(builder.n_inputs)])


def _split_off(builder: Builder, table: np.ndarray, bits: int, options: MapOptions) -> list[int]:
    """Shannon on the highest variable, for tables too wide for a lattice."""
    n = builder.n_inputs
    wires = [2 * v for v in range(n - 1)]
    low = map_into(builder, table[: len(table) // 2], bits, wires, options)
    high = map_into(builder, table[len(table) // 2 :], bits, wires, options)
    return [builder.add([2 * (n - 1), a, b], _SELECT) for a, b in zip(low, high, strict=True)]


def _recipes(table: np.ndarray, bits: int, levels: int | None) -> list[_Recipe]:
    def _part(table: np.ndarray, bits: int) -> _Part:
        lattice = build_lattice(np.ascontiguousarray(table, dtype=np.uint16))
        return _Part(table, bits, lattice, make_plan(lattice, levels))

    singles = [_part(table >> b & 1, 1) for b in range(bits)]
    recipes = [_Recipe(singles, lambda _, found: found)]
    if bits > 1:
        recipes.append(_Recipe([_part(table, bits)], lambda _, found: found))
    if bits == 2:
        low, high = _part(table >= 1, 1), _part(table >= 3, 1)

        def pick(builder: Builder, found: list[int]) -> list[int]:
            return [builder.add(found, _SELECT), found[0]]

        recipes.append(_Recipe([singles[1], low, high], pick, 1))
        both = _part((table >= 1) + 2 * (table >= 3), 2)
        recipes.append(_Recipe([singles[1], both], pick, 1))
    return recipes


def _best_recipe(table: np.ndarray, bits: int, options: MapOptions) -> tuple[Builder, list[int]]:
    n = len(table).bit_length() - 1
    best: tuple[float, Builder, list[int]] | None = None
    recipes = [(*recipe.best(options), recipe) for recipe in _recipes(table, bits, options.plan_levels)]
    if min(price for price, _, _ in recipes) >= TOO_DEEP:  # no plan is that shallow: as shallow as one can be
        options = replace(options, max_levels=None, depth_weight=1e6)
        recipes = [(*recipe.best(options), recipe) for recipe in _recipes(table, bits, options.plan_levels)]
    for price, budget, recipe in sorted(recipes, key=lambda entry: entry[0])[: _BUILT[options.effort]]:
        if price >= TOO_DEEP:
            break
        rng = np.random.default_rng(options.seed)
        builder = Builder(n)
        found: list[int] = []
        for part in recipe.parts:
            wires = [2 * v for v in range(n)]
            realiser = Realiser(builder, wires, part.lattice, part.plan, rng, _TRIES[options.effort])
            found += realiser.outputs(part.table, part.bits, budget)
        builder, outputs = absorb_nodes(builder, recipe.combine(builder, found))
        best = _better(best, builder, outputs, options)
    assert best is not None
    if best[0] > bits * shannon(n):
        builder = Builder(n)
        builder, outputs = absorb_nodes(builder, [_small(builder, table >> b & 1) for b in range(bits)])
        best = _better(best, builder, outputs, options)
    return best[1], best[2]


def _better(
    best: tuple[float, Builder, list[int]] | None, builder: Builder, outputs: list[int], options: MapOptions
) -> tuple[float, Builder, list[int]]:
    levels = max((builder.level[x >> 1] for x in outputs if x >= 0), default=0)
    cost = builder.cost(outputs) + options.depth_weight * levels
    return (cost, builder, outputs) if best is None or cost < best[0] else best
