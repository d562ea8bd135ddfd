"""The Hamming scorer's cycle model against its naive twin: neighbours, cycles, toggles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.ir.arch.semsearch import LAST, QUERY, HammingArch
from hwsim.ir.errors import ShapeError, UsageError
from hwsim.semsearch.memory import DRAM, Memory, break_even, scan_cost, walk_cost
from hwsim.semsearch.scorer import register_bits, scan
from hwsim.testing.naive_semsearch import hamming_run


@st.composite
def arches(draw):
    beat = 32 * draw(st.integers(1, 3))
    return HammingArch(
        beat * draw(st.integers(1, 3)), beat, k=draw(st.integers(1, 6)), index_bits=6,
        register_every=draw(st.integers(0, 4)),
    )  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(arches(), st.integers(1, 20), st.integers(0, 999))
def test_neighbours_and_cycles(arch, documents, seed):
    rng = np.random.default_rng(seed)
    few = rng.integers(0, 2, (3, arch.bits))  # few different codes: many ties
    codes = few[rng.integers(0, 3, documents)]
    queries = rng.integers(0, 2, (2, arch.bits))
    found = scan(queries, codes, arch)
    assert found.cycles == 2 * found.query_cycles == 2 * arch.cycles(documents)
    for query, numbers, distances in zip(queries, found.outputs, found.distances, strict=True):
        want, cycles = hamming_run(arch, query.tolist(), codes.tolist())
        assert list(zip(distances.tolist(), numbers.tolist(), strict=True)) == want
        assert cycles == found.query_cycles
        assert [part.tolist() for part in arch.reference(query, codes)] == [distances.tolist(), numbers.tolist()]


def naive_toggles(query, documents, arch):
    """Toggles by the definition, with Python integers."""
    gate = adder = register = 0
    xor_before, sums_before, distance = [0] * arch.beat_bits, {}, 0
    width = arch.beat_bits
    for document in documents:
        total = 0
        for w in range(arch.words):
            part = slice(w * width, (w + 1) * width)
            values = [int(a != b) for a, b in zip(document[part], query[part], strict=True)]
            flipped = sum(a != b for a, b in zip(values, xor_before, strict=True))
            gate, register, xor_before = gate + flipped, register + flipped, values
            level = 0
            while len(values) > 1:
                level += 1
                sums = [sum(values[i : i + 2]) for i in range(0, len(values), 2)]
                for i, value in enumerate(sums):
                    flips = (value ^ sums_before.get((level, i), 0)).bit_count()
                    sums_before[level, i] = value
                    adder += flips if 2 * i + 1 < len(values) else 0
                    register += flips if arch.register_every and level % arch.register_every == 0 else 0
                values = sums
            total += values[0]
            flips = (total ^ distance).bit_count()
            adder, register, distance = adder + flips, register + flips, total
    return gate, adder, register


@settings(deadline=None, max_examples=25)
@given(arches(), st.integers(1, 8), st.integers(0, 999))
def test_toggles(arch, documents, seed):
    rng = np.random.default_rng(seed)
    query, codes = rng.integers(0, 2, arch.bits), rng.integers(0, 2, (documents, arch.bits))
    counted = scan(query[None], codes, arch).counters
    want = naive_toggles(query.tolist(), codes.tolist(), arch)
    assert (counted["gate_toggles"], counted["adder_toggles"], counted["register_toggles"]) == want
    assert counted["clocked_bits"] == register_bits(arch) * arch.cycles(documents)
    assert counted["sram_read_bytes"] == (documents + 1) * arch.bits // 8


def test_energy_of_more_queries_is_scaled_from_the_priced_ones():
    rng, arch = np.random.default_rng(0), HammingArch(64, 64)
    query, codes = rng.integers(0, 2, (1, 64)), rng.integers(0, 2, (50, 64))
    one, four = scan(query, codes, arch), scan(np.repeat(query, 4, axis=0), codes, arch, priced=1)
    assert four.energy.total_pj == pytest.approx(4 * one.energy.total_pj)
    assert scan(query, codes, arch, priced=0).energy is None


def test_beats_carry_flags():
    arch = HammingArch(64, 32)
    rows = arch.beats(np.ones(64, int), np.zeros((2, 64), int))
    assert rows.tolist() == [[2**32 - 1, QUERY], [2**32 - 1, QUERY], [0, 0], [0, 0], [0, 0], [0, LAST]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"beat_bits": 40, "bits": 80}, r"HammingArch.beat_bits: got 40, expected a multiple of 32"),
        ({"beat_bits": 64, "bits": 96}, r"HammingArch.bits: got 96, expected a multiple of 64"),
        ({"k": 0}, r"HammingArch.k: got 0, expected 1…256"),
        ({"index_bits": 33}, r"HammingArch.index_bits: got 33"),
        ({"register_every": -1}, r"HammingArch.register_every: got -1"),
    ],
)
def test_wrong_sizes(change, message):
    with pytest.raises(UsageError, match=message):
        HammingArch(**change)


def test_wrong_codes():
    arch = HammingArch(32, 32, index_bits=1)
    with pytest.raises(ShapeError, match=r"documents codes: got 0…2, expected 0 and 1"):
        scan(np.zeros((1, 32), int), np.full((1, 32), 2) * np.eye(1, 32, dtype=int), arch)
    with pytest.raises(ShapeError, match=r"queries has the wrong shape: got \[1, 8\]"):
        scan(np.zeros((1, 8), int), np.zeros((1, 32), int), arch)
    with pytest.raises(ShapeError, match=r"documents rows: got 3, expected at most 2"):
        scan(np.zeros((1, 32), int), np.zeros((3, 32), int), arch)
    with pytest.raises(UsageError, match=r"documents: got 0, expected one or more"):
        scan(np.zeros((1, 32), int), np.zeros((0, 32), int), arch)


def test_memory_costs_by_hand():
    slow = Memory("slow", 2.0, 100.0, 4, 3.0, 64)
    walk = walk_cost(slow, hops=10, evaluations=40, code_bytes=48, links=32)
    assert walk.ns == (10 + 40 / 4) * 100 + (10 * 128 + 40 * 64) / 2
    assert walk.pj == (10 * 128 + 40 * 64) * 3
    assert scan_cost(DRAM, 2560, 100).ns == pytest.approx(60 + 10_000)
    assert break_even([10, 100], [1, 2], [10, 10]) is None
    assert break_even([10, 100], [20, 200], [10, 10]) == 10
    with pytest.raises(UsageError, match="sizes: got"):
        break_even([10], [1], [1])
    with pytest.raises(UsageError, match="memory none"):
        Memory("none", 0, 1, 1, 1)
