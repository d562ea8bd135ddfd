"""The structured kernels equal their naive twins bit for bit, on small problems of any constellation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.testing import naive_mimo as naive
from hwsim.xresq import kernels
from hwsim.xresq.annealing import paramax, run_reads, structured
from hwsim.xresq.channel import generate
from hwsim.xresq.schedule import Schedule
from hwsim.xresq.states import read_states

SYSTEMS = st.sampled_from(
    [("bpsk", 1), ("bpsk", 5), ("qpsk", 3), ("16qam", 2), ("16qam", 4), ("64qam", 3), ("256qam", 2)]
)


def real_gram(blocks: np.ndarray) -> list[list[np.float32]]:
    """float32 [n][n] of the kernel's blocks [A, B] or [A]."""
    if len(blocks) == 1:
        return [list(row) for row in blocks[0]]
    a, b = blocks
    return [list(row) for row in np.block([[a, -b], [b, a]])]


@settings(deadline=None)
@given(st.integers(1, 2**32 - 1), st.integers(0, 2**31))
def test_draws_are_equal(key, index):
    assert int(kernels.draw(np.uint32(key), index)) == naive.draw(key, index)
    assert int(kernels.xorshift32(np.uint32(key))) == naive.xorshift32(key)


def test_the_threshold_table_is_minus_log():
    table = kernels.minus_log_table()
    assert all(table[r] == naive.threshold(r << 18) for r in range(len(table)))
    assert table[0] == np.float32(kernels.LOG_MAX)


@settings(max_examples=40, deadline=None)
@given(SYSTEMS, st.booleans(), st.floats(0.3, 60.0), st.integers(0, 2**31), st.booleans())
def test_reads_are_equal(system, symbol, hot, seed, pin):
    mod, users = system
    rng = np.random.default_rng(seed)
    r = generate(mod, users, users + 1, 12.0, 2, rng).received
    starts = rng.choice(r.mod.points.astype(np.int8), (2, 3, r.n))
    temps = Schedule(hot, 0.5, 6, pause=2).temps
    problem = structured(r)
    pinned = np.array([users - 1 if pin else -1, -1])
    ours = run_reads(problem, r.mod.bits_per_axis, starts, temps, moves="symbol" if symbol else "spin", seed=seed,
                     threads=2, pinned=pinned)  # fmt: skip
    states = read_states(seed, 2, 3)
    for b in range(2):
        products = [t * problem.n0[b] for t in temps]
        for q in range(3):
            best, gain, moves = naive.anneal_read(
                real_gram(problem.gram[b]), problem.matched[b], starts[b, q], r.mod.bits_per_axis, products,
                int(states[b, q]), symbol=symbol, pinned=int(pinned[b]), users=users,
            )  # fmt: skip
            assert ours.levels[b, q].tolist() == best
            assert ours.gain[b, q] == gain
            assert ours.moves[b, q] == moves
            if pinned[b] >= 0:
                assert (ours.levels[b, q, pinned[b] :: users] == starts[b, q, pinned[b] :: users]).all()


def test_a_problem_longer_than_one_chunk_is_equal():
    rng = np.random.default_rng(3)
    r = generate("qpsk", 140, 140, 9.0, 1, rng).received
    starts = rng.choice(r.mod.points.astype(np.int8), (1, 1, r.n))
    problem, temps = structured(r), Schedule(30.0, 1.0, 3).temps
    for symbol, moves in ((True, "symbol"), (False, "spin")):
        ours = run_reads(problem, 1, starts, temps, moves=moves, seed=4)
        best, gain, count = naive.anneal_read(
            real_gram(problem.gram[0]), problem.matched[0], starts[0, 0], 1, [t * problem.n0[0] for t in temps],
            int(read_states(4, 1, 1)[0, 0]), symbol=symbol, users=140,
        )  # fmt: skip
        assert (ours.levels[0, 0].tolist(), ours.gain[0, 0], ours.moves[0, 0]) == (best, gain, count)
        assert count > 20


@settings(max_examples=15, deadline=None)
@given(SYSTEMS, st.booleans(), st.integers(0, 2**31))
def test_ladders_are_equal(system, symbol, seed):
    mod, users = system
    r = generate(mod, users, users + 1, 12.0, 1, np.random.default_rng(seed)).received
    ours = paramax(r, ladders=2, replicas=4, sweeps=6, hottest=20.0, moves="symbol" if symbol else "spin", seed=seed)
    starts = np.random.default_rng([seed, 0x5EED]).choice(r.mod.points.astype(np.int8), (1, 8, r.n)).reshape(2, 4, -1)
    problem, states = structured(r), read_states(seed, 1, 2, 4)
    temps = [t * problem.n0[0] for t in Schedule(1.0, 20.0, 4).temps]
    exchanges = 0
    found = []
    for ladder in range(2):
        best, lowest, count = naive.temper_ladder(
            real_gram(problem.gram[0]), problem.matched[0], starts[ladder], r.mod.bits_per_axis, temps,
            [int(q) for q in states[0, ladder]], 6, symbol=symbol, users=users,
        )  # fmt: skip
        exchanges += count
        found.append((lowest, best))
    assert ours.counters["exchanges"][0] == exchanges
    assert sorted(c.tolist() for c in ours.candidates[0]) == sorted(best for _, best in found)
    assert ours.energy[0] - r.power[0] == pytest.approx(min(found)[0], rel=1e-4, abs=1e-3)
