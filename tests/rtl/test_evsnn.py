"""The spiking core's RTL against its chip model: results, weights, random states, counters and cycles."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from evsnn_nets import SHAPES, agree_forward, agree_in_parts, agree_learning, agree_naive, agree_with_pauses, core_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.evsnn.chip import simulate
from hwsim.evsnn.learning import learn
from hwsim.ir.arch.evsnn import EvsnnArch
from hwsim.ir.errors import ArtifactError, EquivalenceError
from hwsim.ir.events import Events
from hwsim.ir.plasticity import Plasticity, lane_seeds
from hwsim.ir.rng import Xorshift
from hwsim.ir.spiking import Dense, Layer, Population, SpikingNet, threshold
from hwsim.testing.naive_evsnn import run_core
from hwsim.testing.strategies import generators
from ml.common.data import load as dataset
from ml.evsnn.export import spike_ticks
from ml.evsnn.shipped import load
from rtl.cosim.verilate import Verilated
from rtl.evsnn import build
from rtl.evsnn.cosim import stream
from rtl.evsnn.window_plan import WindowPlan

pytestmark = pytest.mark.rtl
DATA = Path(os.environ.get("HWSIM_DATA", "/nowhere"))
LEARNING = [name for name in SHAPES if SHAPES[name].error_bits]


@pytest.fixture(scope="module")
def duts() -> dict[str, Verilated]:
    return {name: Verilated(core_of(name), optimise="-O0") for name in SHAPES}


@pytest.mark.parametrize("name", SHAPES)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    rng=generators(), batch=st.integers(1, 6), rate=st.sampled_from((0.0, 0.2, 1.0)), spread=st.sampled_from((0.2, 2))
)
def test_answers_of_drawn_nets(duts, name, rng, batch, rate, spread):
    shape = SHAPES[name]
    net, plan, events = shape.net(rng, spread), shape.plan(), shape.events(rng, batch, rate)
    agree_forward(stream(duts[name], plan, net, events), simulate(net, events, plan.arch))


@pytest.mark.parametrize("name", LEARNING)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    rng=generators(), batch=st.integers(1, 8), rate=st.sampled_from((0.0, 0.3, 1.0)), spread=st.sampled_from((0.2, 2))
)
def test_learning_of_drawn_nets(duts, name, rng, batch, rate, spread):
    shape = SHAPES[name]
    net, plan, events = shape.net(rng, spread), shape.plan(), shape.events(rng, batch, rate)
    labels = rng.integers(0, net.n_classes, batch)
    agree_learning(stream(duts[name], plan, net, events, labels), *learn(net, events, labels, plan.arch))


def test_the_naive_twin(duts):
    shape, rng = SHAPES["9-7-8-4"], np.random.default_rng(3)
    net, times, labels = shape.net(rng), rng.integers(-1, 16, (9, 9)), rng.integers(0, 4, 9)
    got, want = (
        stream(duts["9-7-8-4"], shape.plan(), net, Events.from_times(times), labels),
        run_core(net, times, labels),
    )
    agree_naive(got, want)


@pytest.mark.parametrize("rates", [(0.4, 1.0), (1.0, 0.2), (0.3, 0.5)])
def test_pauses_of_both_neighbours_change_nothing(duts, rates):
    agree_with_pauses(duts["6-11-3"], SHAPES["6-11-3"], rates)


def test_learning_in_parts_is_learning_at_once(duts):
    agree_in_parts(duts["6-11-3"], SHAPES["6-11-3"])


def test_equal_time_events_in_any_order(duts):
    shape, rng = SHAPES["6-11-3"], np.random.default_rng(7)
    net, plan = shape.net(rng), shape.plan()
    orders = [rng.permutation(6) for _ in range(6)]
    events = Events(np.concatenate(orders), np.tile([2, 2, 2, 5, 5, 5], 6), np.arange(7) * 6)
    mixed = [np.concatenate([np.sort(o[:3]), np.sort(o[3:])]) for o in orders]
    sorted_events = Events(np.concatenate(mixed), events.time, events.offsets)
    one, two = (stream(duts["6-11-3"], plan, net, e) for e in (events, sorted_events))
    assert np.array_equal(one.outputs, two.outputs)
    assert np.array_equal(one.forward_cycles, two.forward_cycles)


def chain(weights: list[int], f: int) -> SpikingNet:
    """Input 0 with these weights onto 11 neurons; neuron j alone is read by class j mod 3 with weight 1."""
    first, second = np.zeros((6, 11), np.int16), np.zeros((11, 3), np.int16)
    first[0, : len(weights)] = weights
    second[np.arange(11), np.arange(11) % 3] = 1
    layers = (
        Layer(Dense(first, 8, f).with_shadow(), Population("window", 11)),
        Layer(Dense(second, 8, 0).with_shadow(), Population("readout", 3)),
    )
    rule = Plasticity("std", (9, 5), 5, seeds=lane_seeds(4))
    return SpikingNet(6, 8, layers, True, rule, n_classes=3)


def test_fires_at_the_first_tick_at_the_last_one_and_never(duts):
    # an event at tick 0 with weight w: D(τ) = 8w − 8·2^f + τ(w + 2^f), f = 7:  w = 128 would fire at 0 but for 8 bits;
    # 127: D(0) = −8 < 0, fires at 1;  9: −952 + 7·137 = 7, the last tick;  8: −960 + 7·136 = −8, never
    shape, plan = SHAPES["6-11-3"], SHAPES["6-11-3"].plan()
    assert shape.fractions == (7, 7)
    net = chain([127, 9, 8], 7)
    event = Events(np.array([0]), np.array([0]), np.array([0, 1]))
    got = stream(duts["6-11-3"], plan, net, event)
    assert got.outputs.tolist() == [[15, 9, 0]]  # 2T − t = 16 − 1 and 16 − 7
    assert (got.counters["spike"], got.counters["neuron_access"]) == (2, 8 * 11)
    silent = Events(np.zeros(0, int), np.zeros(0, int), np.array([0, 0]))
    got = stream(duts["6-11-3"], plan, net, silent)
    assert (got.counters["spike"], got.counters["neuron_access"]) == (0, 11)  # one tick is always run


def test_skipped_weights_stay_untouched(duts):
    shape, rng = SHAPES["9-7-8-4"], np.random.default_rng(8)
    net, plan, events = shape.net(rng), shape.plan(), shape.events(rng, 1, 0.5)
    labels = np.array([1])
    got = stream(duts["9-7-8-4"], plan, net, events, labels)
    after, want = learn(net, events, labels, plan.arch)
    agree_learning(got, after, want)
    silent = np.setdiff1d(np.arange(9), events.address)
    assert len(silent)
    assert np.array_equal(got.shadows[0][silent], net.layers[0].synapse.shadow[silent])
    assert got.counters["weight_wr"] < sum(layer.synapse.shadow.size for layer in net.layers)


def test_weights_saturate_at_both_rails(duts):
    shape, rng = SHAPES["6-11-3"], np.random.default_rng(9)
    net, plan, events = shape.net(rng, 9.0), shape.plan(), shape.events(rng, 40, 1.0)
    labels = rng.integers(0, 3, 40)
    got = stream(duts["6-11-3"], plan, net, events, labels)
    agree_learning(got, *learn(net, events, labels, plan.arch))
    flat = np.concatenate([shadow.ravel() for shadow in got.shadows])
    assert {int(flat.min()), int(flat.max())} == {-(2**15), 2**15 - 1}


def test_a_full_log_raises_the_flag():
    shape, rng = SHAPES["answers"], np.random.default_rng(10)
    plan, net = shape.plan(log_depth=7), shape.net(rng, 2.0)
    dut = Verilated(core_of("answers", 7), optimise="-O0")
    events = shape.events(rng, 30, 0.7)
    used = np.array([simulate(net, events.sample(b)).counters["spike"] for b in range(30)]) + np.diff(events.offsets)
    assert used.max() > 7
    fits = [b for b in range(30) if used[b] <= 7]
    for b in fits[:9]:
        agree_forward(stream(dut, plan, net, events.sample(b)), simulate(net, events.sample(b), plan.arch))
    assert 7 in used[fits]  # full, and not too full
    assert stream(dut, plan, net, events.sample(int(used.argmax()))).overflow


def test_a_core_that_is_too_slow_is_an_error(duts):
    shape, rng = SHAPES["readout"], np.random.default_rng(11)
    with pytest.raises(EquivalenceError, match="Look at a trace"):
        stream(duts["readout"], shape.plan(), shape.net(rng), shape.events(rng, 500, 1.0), cycles=-5000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": False}, "a net of the clocked core: got cuba"),
        ({"lanes": 3}, "lanes a power of two"),
        ({"bits": 12}, "layer 0 of the core: got dense, 12 bits"),
        ({"generator": 64}, "generator: got 64"),
        ({"lanes": 2}, "random states"),
    ],
)
def test_nets_without_rtl(change, message):
    net = SHAPES["readout"].net(np.random.default_rng(0))
    arch = EvsnnArch.fitting(net)
    if "window" in change:
        cuba = Population("cuba", 3, threshold(9, 3))
        net = SpikingNet(5, 4, (Layer(Dense(net.layers[0].synapse.weights), cuba),), n_classes=3)
    if "bits" in change:
        first = Layer(Dense(np.full((5, 3), 900, np.int16), 12), Population("readout", 3))
        net = SpikingNet(5, 4, (first,), True)
    if "generator" in change:
        net = replace(net, plasticity=replace(net.plasticity, generator=Xorshift(64)))
    if "lanes" in change:
        arch = replace(arch, lanes=change["lanes"], weight_words=99)
        if change["lanes"] == 3:
            net = replace(net, plasticity=None)
    with pytest.raises(ArtifactError, match=message):
        build(net, arch)


def test_shipped_digits():
    """All 1797 digits of a shipped net, then learning from 100 of them, on 16 lanes."""
    from sklearn.datasets import load_digits

    net, digits = load("digits_std"), load_digits()
    layers = tuple(Layer(layer.synapse.with_shadow(), layer.population) for layer in net.layers)
    net = replace(net, layers=layers, plasticity=Plasticity("std", (11, 5), 5))
    arch = EvsnnArch.fitting(net)
    plan, dut = WindowPlan(net, arch), Verilated(build(net, arch), optimise="-O0")
    events = Events.from_times(spike_ticks(digits.data, int(net.meta["top"]), net.steps))
    want = simulate(net, events, arch)
    agree_forward(stream(dut, plan, net, events, cycles=want.cycles), want)
    events, labels = events.samples(0, 100), digits.target[:100]
    after, learned = learn(net, events, labels, arch)
    agree_learning(stream(dut, plan, net, events, labels, cycles=learned.cycles), after, learned)
    assert learned.backward["weight_wr"] > 5_000


@pytest.mark.skipif(not (DATA / "mnist").is_dir(), reason="set HWSIM_DATA to the folder with mnist/")
def test_shipped_mnist():
    """A thousand images of MNIST on the shipped 784-400-10 net, then learning from 20 of them, on 16 lanes."""
    data = dataset("mnist")
    net = load("mnist_std")
    layers = tuple(Layer(layer.synapse.with_shadow(), layer.population) for layer in net.layers)
    net = replace(net, layers=layers, plasticity=Plasticity("std", (11, 5), 5))
    arch = EvsnnArch.fitting(net)
    plan, dut = WindowPlan(net, arch), Verilated(build(net, arch), optimise="-O0")
    pixels = data.x_test[:1000].reshape(1000, -1)
    events = Events.from_times(spike_ticks(pixels, int(net.meta["top"]), net.steps))
    want = simulate(net, events, arch)
    got = stream(dut, plan, net, events, cycles=want.cycles)
    agree_forward(got, want)
    assert got.counters["syn_fwd"] >= 8 * got.forward_cycles.sum()
    events, labels = events.samples(0, 20), data.y_test[:20].astype(np.int64)
    after, learned = learn(net, events, labels, arch)
    agree_learning(stream(dut, plan, net, events, labels, cycles=learned.cycles), after, learned)
