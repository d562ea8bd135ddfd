"""Library blocks against their software twins: drawn parameters in Amaranth's simulator, a few under Verilator."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import data, wiring
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.ir.errors import UsageError
from hwsim.ir.fixed import OVERFLOWS, ROUNDINGS, Fixed
from hwsim.ir.rng import Lfsr, Xorshift, sequence
from rtl.cosim.toolchain import lint
from rtl.cosim.verilate import Verilated
from rtl.lib.arbiter import RoundRobin
from rtl.lib.fixed import FixedConverter
from rtl.lib.lfsr import RandomSource
from rtl.lib.popcount import Popcount
from rtl.lib.streams import SkidBuffer, StreamFifo
from rtl.lib.verilog import to_verilog

# components that are refused on construction are never elaborated
pytestmark = [pytest.mark.rtl, pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")]
quick = settings(max_examples=15, deadline=None, derandomize=True)


def simulate(component: wiring.Component, inputs: dict[str, list[int]], outputs: list[str], clocked: bool = True):
    """Values of `outputs` in each cycle, read before the clock edge, while `inputs` are driven."""
    top = Module()
    top.submodules.dut = component
    cycles, seen = len(next(iter(inputs.values()))), {name: [] for name in outputs}

    async def bench(ctx):
        for t in range(cycles):
            for name, values in inputs.items():
                ctx.set(getattr(component, name), int(values[t]))
            if not clocked:
                await ctx.delay(1e-9)
            for name in outputs:
                seen[name].append(int(ctx.get(getattr(component, name))))
            if clocked:
                await ctx.tick()

    sim = Simulator(top)
    if clocked:
        sim.add_clock(1e-6)
    sim.add_testbench(bench)
    sim.run()
    return seen


generators = st.one_of(
    st.builds(Lfsr, st.sampled_from([3, 4, 7, 8, 12, 16, 24, 32, 64]), form=st.sampled_from(["fibonacci", "galois"])),
    st.builds(Xorshift, st.sampled_from([32, 64])),
)


@quick
@given(generators, st.integers(1, 7), st.lists(st.booleans(), min_size=4, max_size=40))
def test_random_source_draws_the_same_bits(generator, seed: int, enables: list[bool]):
    states = simulate(RandomSource(generator, seed), {"en": enables}, ["state"])["state"]
    drawn = [seed, *map(int, sequence(generator, seed, len(enables)))]
    steps = np.concatenate([[0], np.cumsum(enables)])
    assert states == [drawn[steps[t]] for t in range(len(enables))]


def test_random_source_refuses_the_fixed_point():
    with pytest.raises(UsageError, match="Zero is a fixed point"):
        RandomSource(Lfsr(8), 0)


formats = st.builds(
    Fixed, st.booleans(), st.integers(2, 6), st.integers(-1, 6), st.sampled_from(ROUNDINGS), st.sampled_from(OVERFLOWS)
)


@settings(quick, max_examples=40)
@given(formats, formats, st.integers(0, 2**32 - 1))
def test_fixed_point_conversion(source: Fixed, target: Fixed, seed: int):
    codes = np.random.default_rng(seed).integers(source.lo, source.hi + 1, 40)
    codes[:4] = source.lo, source.hi, 0, 1
    got = simulate(FixedConverter(source, target), {"x": codes.tolist()}, ["y"], clocked=False)["y"]
    assert got == target.convert(codes, source).tolist()


@quick
@given(st.integers(1, 7), st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_round_robin(n: int, seed: int, density: float):
    requests = np.random.default_rng(seed).random((60, n)) < density
    packed = (requests << np.arange(n)).sum(axis=1)
    parameters = RoundRobin(n)
    seen = simulate(parameters.create(), {"requests": packed.tolist(), "next": [1] * 60}, ["index", "valid"])
    served = parameters.reference(requests)
    assert seen["valid"] == (served >= 0).astype(int).tolist()
    assert [i if v else -1 for i, v in zip(seen["index"], seen["valid"], strict=True)] == served.tolist()


def test_round_robin_by_hand_and_hold():
    assert RoundRobin(3).reference(np.ones((5, 3))).tolist() == [0, 1, 2, 0, 1]
    # without `next` the turn does not move on
    held = simulate(RoundRobin(3).create(), {"requests": [7] * 5, "next": [0, 0, 1, 0, 1]}, ["index"])["index"]
    assert held == [0, 0, 0, 1, 1]
    with pytest.raises(UsageError, match="round-robin requesters: got 0"):
        RoundRobin(0)


@quick
@given(st.integers(1, 40), st.integers(0, 4), st.integers(0, 2**32 - 1))
def test_popcount(width: int, register_every: int, seed: int):
    parameters = Popcount(width, register_every)
    bits = np.random.default_rng(seed).integers(0, 2, (20, width))
    packed = [int("".join(map(str, row[::-1])), 2) for row in bits] + [0] * parameters.latency
    counts = simulate(parameters.create(), {"bits": packed}, ["count"], clocked=parameters.latency > 0)["count"]
    assert counts[parameters.latency :] == parameters.reference(bits).tolist()


def test_popcount_refuses_nothing_to_count():
    with pytest.raises(UsageError, match="width 0"):
        Popcount(0)


def check_stream(dut: Verilated, capacity: int, latency: int, interval: int = 1) -> None:
    """Order, no loss, no doubling, throughput and capacity, under drawn and extreme handshakes."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 16, (3000, 3))
    free = dut.run(x)
    assert np.array_equal(free.outputs, x)
    assert (free.interval, set(free.latency.tolist())) == (interval, {latency})
    for offer, take in ((0.5, 0.5), (1.0, 0.3), (0.3, 1.0), (0.95, 0.95)):
        run = dut.run(x, in_valid=rng.random(2000) < offer, out_ready=rng.random(2000) < take)
        assert np.array_equal(run.outputs, x[: len(run.outputs)])
        assert 0 <= run.accepted - len(run.outputs) <= capacity
    stuck = dut.run(x, in_valid=np.ones(100, bool), out_ready=np.zeros(100, bool))
    assert (stuck.accepted, len(stuck.outputs)) == (capacity, 0)


def test_skid_buffer():
    dut = Verilated(SkidBuffer(data.ArrayLayout(4, 3)))
    check_stream(dut, capacity=2, latency=1)
    # no combinational path: what the sink does in a cycle shows at the source only in the next one
    run = dut.ports({"inp__valid": np.ones(6, int), "out__ready": np.array([0, 0, 0, 1, 0, 0])})
    assert run["inp__ready"].tolist() == [1, 1, 0, 0, 1, 0]


@pytest.mark.parametrize("depth", [2, 5, 8])
def test_fifo(depth: int):
    dut = Verilated(StreamFifo(data.ArrayLayout(4, 3), depth))
    check_stream(dut, capacity=depth, latency=2, interval=2 if depth == 2 else 1)


def test_fifo_of_depth_one_is_refused():
    with pytest.raises(UsageError, match="FIFO depth: got 1"):
        StreamFifo(4, 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SkidBuffer(12),
        lambda: StreamFifo(12, 4),
        lambda: RandomSource(Lfsr(16), 1),
        lambda: RandomSource(Xorshift(64), 1),
        lambda: FixedConverter(Fixed(True, 3, 6), Fixed(True, 2, 2, "half_even")),
        lambda: RoundRobin(5).create(),
        lambda: Popcount(17, 2).create(),
    ],
)
def test_lint_is_silent(make):
    assert lint(to_verilog(make(), "block")) == ""


def test_random_source_under_verilator():
    generator = Xorshift(64)
    states = Verilated(RandomSource(generator, 88172645463325252)).ports({"en": np.ones(1000, int)})["state"]
    assert np.array_equal(states[1:], sequence(generator, 88172645463325252, 999))
