"""Mapped netlists against their tables: random ones, known answers, whole networks, and a broken netlist."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.ir.errors import EquivalenceError, ShapeError, UsageError
from hwsim.ir.gates import GateNetlist
from hwsim.ir.lut import LutLayer, LutNetwork, shannon_luts
from hwsim.testing.naive import gate_netlist as naive_netlist
from hwsim.testing.strategies import generators, lut_networks
from rtl.synth.lutmap import Checker, MapOptions, live_luts, map_layer, map_network, map_table, prove_equal
from rtl.synth.lutmap.complete import complete_table
from rtl.synth.lutmap.lattice import TOO_DEEP, build_lattice, estimated_luts, make_plan, own_levels
from rtl.synth.lutmap.network import address_inputs, merge_repeats

FAST = MapOptions(effort=0)


def smooth_table(rng: np.random.Generator, n: int, bits: int) -> np.ndarray:
    """A quantised random one-hidden-layer network over the address bits: what trained tables look like."""
    x = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1
    hidden = np.maximum(0, x @ rng.normal(size=(n, 4)) + rng.normal(size=4))
    y = hidden @ rng.normal(size=4)
    y = (y - y.min()) / max(1e-9, float(np.ptp(y)))
    return np.minimum(y * (1 << bits), (1 << bits) - 1).astype(np.int64)


def outputs_of(netlist: GateNetlist) -> np.ndarray:
    """All output codes by address, by the IR's reference."""
    n = netlist.n_inputs
    x = ((np.arange(1 << n)[:, None] >> np.arange(n)) & 1).astype(np.uint8)
    return netlist.reference(x).astype(np.int64) @ (1 << np.arange(netlist.n_outputs))


@settings(max_examples=60, deadline=None)
@given(
    generators(), st.integers(1, 12), st.integers(1, 4), st.sampled_from(["noise", "smooth"]), st.integers(0, 2),
    st.booleans(),
)  # fmt: skip
def test_netlist_equals_table(
    rng: np.random.Generator, n: int, bits: int, kind: str, effort: int, masked: bool
) -> None:
    table = rng.integers(0, 1 << bits, 1 << n) if kind == "noise" else smooth_table(rng, n, bits)
    care = rng.random(1 << n) < rng.choice([0.02, 0.3, 0.9]) if masked else None
    netlist = map_table(table, bits, care=care, options=MapOptions(effort=effort if n < 11 else 0))
    where = slice(None) if care is None else care
    assert np.array_equal(outputs_of(netlist)[where], table[where])
    assert int(np.diff(netlist.offsets).max(initial=0)) <= 6
    assert netlist.n_nodes <= bits * (shannon_luts(n) + (n == 1))
    prove_equal(netlist, table, care)


@pytest.mark.parametrize(("n", "bits"), [(13, 1), (14, 2), (15, 1), (16, 1)])
def test_wide_tables(n: int, bits: int) -> None:
    table = smooth_table(np.random.default_rng(n), n, bits)
    netlist = map_table(table, bits, options=FAST)
    assert np.array_equal(outputs_of(netlist), table)
    assert netlist.n_nodes <= bits * shannon_luts(n)


@pytest.mark.parametrize("n", [1, 2, 5, 6, 7, 9, 12, 14])
def test_known_answers(n: int) -> None:
    address = np.arange(1 << n)
    ones = ((address[:, None] >> np.arange(n)) & 1).sum(axis=1)
    assert map_table(np.zeros(1 << n, np.int64), 1).n_nodes == 0
    assert map_table(np.full(1 << n, 3), 2).outputs.tolist() == [-2, -2]
    identity = map_table(address, n)
    assert (identity.n_nodes, identity.outputs.tolist()) == (0, list(range(n)))
    parity = map_table(ones & 1, 1)
    assert parity.n_nodes == max(0, -(-(n - 1) // 5))  # a tree of 6-input XORs: each node joins six wires to one
    for netlist, table in ((parity, ones & 1), (map_table(ones >= (n + 1) // 2, 1), ones >= (n + 1) // 2)):
        prove_equal(netlist, table)


def test_wide_multiplexer_is_small() -> None:
    address = np.arange(1 << 11)
    table = (address >> 3 >> (address & 7)) & 1  # 8:1; two 4:1 and a 2:1 are three
    assert map_table(table, 1, options=MapOptions(effort=2)).n_nodes <= 4


def test_threshold_sum_is_small() -> None:
    address = np.arange(1 << 12)
    table = (address & 63) + (address >> 6) >= 63  # carry of a 6-bit addition
    assert map_table(table, 1).n_nodes <= 5  # ripple in groups of two bits and more


def test_equal_seeds_give_equal_netlists() -> None:
    table = smooth_table(np.random.default_rng(5), 10, 2)
    one, two = map_table(table, 2), map_table(table, 2)
    assert np.array_equal(one.tables, two.tables)
    assert np.array_equal(one.fan_in, two.fan_in)


def test_depth_weight_trades_luts_for_levels() -> None:
    table = smooth_table(np.random.default_rng(9), 12, 2)
    small, shallow = map_table(table, 2), map_table(table, 2, options=MapOptions(depth_weight=50.0))
    prove_equal(shallow, table)
    assert shallow.depth <= small.depth
    assert shallow.depth <= 4


@pytest.mark.parametrize("levels", [3, 4, 5])
def test_levels_are_kept(levels: int) -> None:
    for seed in range(3):
        table = smooth_table(np.random.default_rng(seed), 10, 2)
        netlist = map_table(table, 2, options=MapOptions(effort=0, max_levels=levels))
        prove_equal(netlist, table)
        assert netlist.depth <= levels  # a Shannon tree of ten inputs has three


def test_levels_that_can_not_be_kept_are_as_few_as_can_be() -> None:
    table = np.random.default_rng(0).integers(0, 2, 1 << 10)
    netlist = map_table(table, 1, options=MapOptions(max_levels=1))
    prove_equal(netlist, table)
    assert netlist.depth == 3


@settings(max_examples=25, deadline=None)
@given(generators(), st.integers(7, 11), st.integers(1, 2))
def test_completed_tables_keep_what_counts(rng: np.random.Generator, n: int, bits: int) -> None:
    table = smooth_table(rng, n, bits).astype(np.uint16)
    care = rng.random(1 << n) < 0.2
    filled = complete_table(table, care)
    assert np.array_equal(filled[care], table[care])
    assert int(filled.max()) < 1 << bits


@settings(max_examples=25, deadline=None)
@given(generators(), st.integers(2, 8))
def test_classes_are_distinct_columns(rng: np.random.Generator, n: int) -> None:
    table = rng.integers(0, 3, 1 << n).astype(np.uint16) * rng.integers(0, 2, 1 << n).astype(np.uint16)
    lattice = build_lattice(table)
    for bound in range(1 << n):
        inside = [v for v in range(n) if bound >> v & 1]
        rest = [v for v in range(n) if not bound >> v & 1]
        columns: dict[tuple[int, ...], int] = {}
        for b in range(1 << len(inside)):  # naive twin: write every column out
            base = sum((b >> i & 1) << v for i, v in enumerate(inside))
            column = tuple(
                int(table[base + sum((r >> i & 1) << v for i, v in enumerate(rest))]) for r in range(1 << len(rest))
            )
            assert lattice.of(bound)[b] == columns.setdefault(column, len(columns))
        assert lattice.mu[bound] == len(columns)


@settings(max_examples=10, deadline=None)
@given(generators(), st.integers(7, 8))
def test_plans_are_the_cheapest(rng: np.random.Generator, n: int) -> None:
    lattice = build_lattice(smooth_table(rng, n, 2).astype(np.uint16))

    @cache
    def price(bound: int, levels: int) -> tuple[float, int]:  # naive twin: (cost, wires) by plain recursion
        size, k = bound.bit_count(), (int(lattice.mu[bound]) - 1).bit_length()
        if k >= size:
            return 0.0, size
        if levels < 1:
            return TOO_DEEP, k
        if size <= 6:
            return float(k), k
        best = TOO_DEEP
        for part in range(1, bound):
            if part & bound == part:
                wires = price(part, 0)[1] + price(bound ^ part, 0)[1]
                below = levels - own_levels(wires)
                if below >= 0:
                    parts = price(part, below)[0] + price(bound ^ part, below)[0]
                    best = min(best, parts + k * estimated_luts(wires))
        return best, k

    free, bounded = make_plan(lattice), make_plan(lattice, 4)
    full = (1 << n) - 1
    assert free.cost[0, full] == pytest.approx(price(full, 99)[0])
    for levels in range(1, 5):
        want = price(full, levels)[0]
        got = bounded.cost[levels, full]
        assert got == pytest.approx(want) or min(got, want) >= TOO_DEEP


def test_checker_agrees_with_the_naive_netlist() -> None:
    rng = np.random.default_rng(3)
    table = rng.integers(0, 4, 1 << 9)
    netlist = map_table(table, 2)
    for a in rng.integers(0, 1 << 9, 50).tolist():
        bits = naive_netlist(netlist, [a >> v & 1 for v in range(9)])
        assert sum(int(bit) << b for b, bit in enumerate(bits)) == table[a]


@pytest.mark.parametrize("bit", [0, 17, 40])
def test_a_corrupted_netlist_is_caught(bit: int) -> None:
    table = np.random.default_rng(1).integers(0, 4, 1 << 9)
    netlist = map_table(table, 2)
    full = np.flatnonzero(np.diff(netlist.offsets) == 6)
    tables = netlist.tables.copy()
    tables[full[0]] ^= np.uint64(1 << bit)
    broken = replace(netlist, tables=tables)
    address = np.flatnonzero(outputs_of(broken) != table)
    assert len(address)
    with pytest.raises(EquivalenceError, match=r"differs from its table: got output bit \d = \d at address"):
        prove_equal(broken, table)
    care = np.ones(1 << 9, dtype=bool)
    care[address] = False
    prove_equal(broken, table, care)


def test_a_foreign_input_is_caught() -> None:
    netlist = map_table(np.array([0, 1, 1, 0]), 1)
    with pytest.raises(EquivalenceError, match="reads an input that the table does not have"):
        Checker(netlist).check(netlist.outputs, [0], np.array([0, 1]))


@settings(max_examples=20, deadline=None)
@given(lut_networks(max_layers=3, max_width=5, max_address_bits=9, max_bits=4, sums=False), generators())
def test_networks_join(network: LutNetwork, rng: np.random.Generator) -> None:
    mapped = map_network(network, options=FAST, map_dead=True)
    codes = rng.integers(0, 1 << network.input_bits, (64, network.n_inputs))
    planes = (codes[:, :, None] >> np.arange(network.input_bits)) & 1
    bits = mapped.joined().reference(planes.reshape(64, -1).astype(np.uint8)).reshape(64, network.n_outputs, -1)
    got = bits.astype(np.int64) @ (1 << np.arange(network.output_bits))
    assert np.array_equal(got, network.reference(codes))
    assert mapped.luts <= (mapped.luts_with_dead or 0)


def test_dead_luts_are_left_out() -> None:
    rng = np.random.default_rng(0)
    table = rng.integers(0, 4, (3, 256)).astype(np.uint8)
    first = LutLayer(rng.integers(0, 6, (3, 4)).astype(np.int32), table, 2, 2)
    second = LutLayer(np.array([[2, 2]], np.int32), rng.integers(0, 4, (1, 16)).astype(np.uint8), 2, 2)
    network = LutNetwork(6, 2, (first, second))
    mapped = map_network(network, options=FAST)
    assert [flags.tolist() for flags in live_luts(network)] == [[False, False, True], [True]]
    assert (mapped.dead, mapped.luts_with_dead) == (2, None)
    assert mapped.layers[0].luts[:2].tolist() == [0, 0]
    assert mapped.layers[0].netlist.input_names[3] == "x1_1"
    assert mapped.layers[1].netlist.output_names == ("y0_0", "y0_1")


def test_progress_and_shared_nodes() -> None:
    rng = np.random.default_rng(2)
    row = rng.integers(0, 4, 256).astype(np.uint8)
    layer = LutLayer(np.array([[0, 1, 2, 3]] * 2, np.int32), np.stack([row, row]), 2, 2)
    seen: list[tuple[int, int]] = []
    mapped = map_layer(layer, 4, options=FAST, progress=lambda done, total, note: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
    assert mapped.total == mapped.luts[0] == mapped.luts[1]


@pytest.mark.slow
def test_processes_give_the_same_netlist() -> None:
    rng = np.random.default_rng(7)
    table = np.stack([smooth_table(rng, 8, 2) for _ in range(4)]).astype(np.uint8)
    layer = LutLayer(rng.integers(0, 9, (4, 4)).astype(np.int32), table, 2, 2)
    one, two = map_layer(layer, 9), map_layer(layer, 9, jobs=2)
    assert np.array_equal(one.netlist.tables, two.netlist.tables)
    assert np.array_equal(one.netlist.fan_in, two.netlist.fan_in)


def test_repeated_connections() -> None:
    layer = LutLayer(np.array([[1, 0, 1]], np.int32), np.arange(64, dtype=np.uint8)[None], 2, 6)
    table, inputs = merge_repeats(layer.table[0].astype(np.uint16), address_inputs(layer, 0))
    assert inputs == [2, 3, 0, 1]
    for a in range(16):
        one, zero = a & 3, a >> 2
        assert table[a] == one << 4 | zero << 2 | one


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: map_table(np.zeros(5, int), 1), ShapeError, r"table has the wrong shape: got int64 \[5\]"),
        (lambda: map_table(np.array([0, 2]), 1), ShapeError, "table holds a value that is too wide: got 2"),
        (lambda: map_table(np.array([0, 1]), 1, care=np.ones(3, bool)), ShapeError, "care has the wrong shape"),
        (lambda: MapOptions(effort=7), UsageError, "effort: got 7"),
        (lambda: MapOptions(depth_weight=-1), UsageError, "depth_weight: got -1"),
    ],
)
def test_errors(call, error, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=message):
        call()
