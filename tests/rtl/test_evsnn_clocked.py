"""The core for clocked nets against its chip model: results, weights, random states, counters and cycles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from evsnn_clocked_nets import SHAPES, core_of
from evsnn_nets import agree_forward, agree_in_parts, agree_learning, agree_naive, agree_with_pauses
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.evsnn.chip import simulate
from hwsim.evsnn.learning import learn
from hwsim.ir.errors import ArtifactError
from hwsim.ir.events import Events
from hwsim.ir.plasticity import Plasticity, trace_table
from hwsim.ir.spiking import Dense, Layer, Population, SpikingNet, threshold
from hwsim.testing.naive_evsnn import run_core
from hwsim.testing.strategies import generators
from ml.evsnn import shipped
from rtl.cosim.verilate import Verilated
from rtl.evsnn import build
from rtl.evsnn.cosim import stream

pytestmark = pytest.mark.rtl
LEARNING = [name for name in SHAPES if SHAPES[name].error_bits]
DRAWN = {
    "rng": generators(), "batch": st.integers(1, 6), "rate": st.sampled_from((0.0, 0.3, 1.0)),
    "spread": st.sampled_from((0.2, 1.0)), "graded": st.booleans(),
}  # fmt: skip


@pytest.fixture(scope="module")
def duts() -> dict[str, Verilated]:
    return {name: Verilated(core_of(name), optimise="-O0") for name in SHAPES}


@pytest.mark.parametrize("name", SHAPES)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(**DRAWN)
def test_answers_of_drawn_nets(duts, name, rng, batch, rate, spread, graded):
    shape = SHAPES[name]
    net, plan, events = shape.net(rng, spread), shape.plan(), shape.events(rng, batch, rate, graded)
    agree_forward(stream(duts[name], plan, net, events), simulate(net, events, plan.arch))


@pytest.mark.parametrize("name", LEARNING)
@settings(max_examples=12, deadline=None, derandomize=True)
@given(**DRAWN)
def test_learning_of_drawn_nets(duts, name, rng, batch, rate, spread, graded):
    shape = SHAPES[name]
    net, plan, events = shape.net(rng, spread), shape.plan(), shape.events(rng, batch, rate, graded)
    labels = rng.integers(0, net.n_classes, batch)
    agree_learning(stream(duts[name], plan, net, events, labels), *learn(net, events, labels, plan.arch))


def test_the_naive_twin(duts):
    shape, rng = SHAPES["7-6-9-4"], np.random.default_rng(3)
    net, labels = shape.net(rng, 0.5), rng.integers(0, 4, 9)
    x = (rng.random((9, 6, 7)) < 0.6) * rng.integers(-5, 6, (9, 6, 7))
    got, want = stream(duts["7-6-9-4"], shape.plan(), net, Events.from_raster(x), labels), run_core(net, x, labels)
    agree_naive(got, want)
    assert want.pairs > 1000


@pytest.mark.parametrize("rates", [(0.4, 1.0), (1.0, 0.2), (0.3, 0.5)])
def test_pauses_of_both_neighbours_change_nothing(duts, rates):
    agree_with_pauses(duts["6-11-3"], SHAPES["6-11-3"], rates)


def test_learning_in_parts_is_learning_at_once(duts):
    agree_in_parts(duts["6-11-3"], SHAPES["6-11-3"])


def one_neuron(population: Population, weights: list[int]) -> SpikingNet:
    """Inputs onto one neuron that the readout counts."""
    first = Layer(Dense(np.array([weights], np.int16).T), population)
    last = Layer(Dense(np.ones((1, 1), np.int16)), Population("readout", 1))
    return SpikingNet(len(weights), 4, (first, last), n_classes=1)


def test_leak_threshold_and_reset_by_hand():
    # floor of 3v/4, threshold 6, weights 3, 4 and -5. Step 0: 3. Step 1: 2 + 4 = 6, fires, 0. Step 2: -5, ⌊-15/4⌋ = -4.
    # Step 3: -4 + 3 + 4 = 3. With > in place of >= it does not fire at 6: step 2: 4 − 5 = −1, step 3: −1 + 7 = 6, not.
    events = Events(np.array([0, 1, 2, 0, 1]), np.array([0, 1, 2, 3, 3]), np.array([0, 5]))
    for compare, z in ((">=", 1), (">", 0)):
        neuron = Population("lif", 1, threshold(6, 1), compare, v_loss=1, decay_bits=2, leak="floor", state_bits=5)
        net = one_neuron(neuron, [3, 4, -5])
        core = build(net)
        got = stream(Verilated(core, optimise="-O0"), core.plan, net, events)
        assert got.outputs.tolist() == [[z]]
        # LOAD 6; layer 0: 1 + 1, 5 words, 4·(2 + 1 + 1); layer 1: 1 + 1 + z + 2; RESULT 1
        assert got.forward_cycles.tolist() == [6 + 2 + 5 + 16 + 4 + z + 1]
        assert got.counters["neuron_update"] == 4


def test_membranes_and_weights_saturate(duts):
    shape, rng = SHAPES["7-6-9-4"], np.random.default_rng(9)
    net, plan, events = shape.net(rng, 3.0), shape.plan(), shape.events(rng, 40, 0.8)
    seen = simulate(net, events, plan.arch, probe=(0,)).membranes[0]
    assert seen.min() == -128  # of 8 bits; the upper rail is above the threshold
    labels = rng.integers(0, 4, 40)
    got = stream(duts["7-6-9-4"], plan, net, events, labels)
    agree_learning(got, *learn(net, events, labels, plan.arch))
    flat = np.concatenate([shadow.ravel() for shadow in got.shadows])
    assert {int(flat.min()), int(flat.max())} == {-(2**15), 2**15 - 1}


def test_skipped_weights_stay_untouched(duts):
    shape, rng = SHAPES["7-6-9-4"], np.random.default_rng(8)
    net, plan, events = shape.net(rng), shape.plan(), shape.events(rng, 1, 0.15)
    got = stream(duts["7-6-9-4"], plan, net, events, np.array([1]))
    agree_learning(got, *learn(net, events, np.array([1]), plan.arch))
    silent = np.setdiff1d(np.arange(7), events.address)
    assert len(silent)
    assert np.array_equal(got.shadows[0][silent], net.layers[0].synapse.shadow[silent])


def test_a_full_log_raises_the_flag():
    shape, rng = SHAPES["answers"], np.random.default_rng(10)
    plan, net = shape.plan(log_depth=20), shape.net(rng)
    dut = Verilated(core_of("answers", 20), optimise="-O0")
    events = shape.events(rng, 30, 0.3)
    used = np.array([simulate(net, events.sample(b)).counters["spike"] for b in range(30)]) + np.diff(events.offsets)
    fits = [b for b in range(30) if used[b] <= 20]
    for b in fits[:9]:
        agree_forward(stream(dut, plan, net, events.sample(b)), simulate(net, events.sample(b), plan.arch))
    assert 20 in used[fits]  # full, and not too full
    assert used.max() > 20
    assert stream(dut, plan, net, events.sample(int(used.argmax()))).overflow


@pytest.mark.parametrize(
    ("neuron", "shift", "message"),
    [
        ({"kind": "cuba"}, 0, "a net of the clocked core: got cuba, readout"),
        ({"reset": "subtract"}, 0, "layer 0 of the core: got shift 0, reset subtract 0"),
        ({"reset_value": -1}, 0, "reset value -1"),
        ({"refractory": 2}, 0, "refractory 2"),
        ({"delay": 1}, 0, "delay 1"),
        ({}, 3, "got shift 3"),
    ],
)
def test_clocked_nets_without_rtl(neuron, shift, message):
    net = one_neuron(replace(Population("if", 1, threshold(6, 1)), **neuron), [1])
    first = replace(net.layers[0], synapse=replace(net.layers[0].synapse, shift=shift))
    with pytest.raises(ArtifactError, match=message):
        build(replace(net, layers=(first, net.layers[1])))
    with pytest.raises(ArtifactError, match="a net of the clocked core: got if"):
        build(SpikingNet(1, 4, (Layer(Dense(np.ones((1, 1), np.int16)), Population("if", 1, threshold(6, 1))),)))


def test_shipped_digits():
    """500 digits of the shipped 64-64-64-10 net, then learning from 50 of them, on 16 lanes."""
    from sklearn.datasets import load_digits

    net, digits = shipped.load("digits_mpd"), load_digits()
    layers = tuple(Layer(layer.synapse.with_shadow(), layer.population) for layer in net.layers)
    rule = Plasticity("mpd", (18, 14, 7), 3, surrogate_bits=6, trace=trace_table(0.5, net.steps))
    net = replace(net, layers=layers, plasticity=rule)
    core = build(net)
    plan, dut = core.plan, Verilated(core, optimise="-O0")
    inputs = shipped.events(net, digits.data[:500].astype(int))
    want = simulate(net, inputs, plan.arch)
    agree_forward(stream(dut, plan, net, inputs, cycles=want.cycles), want)
    assert (want.classes == digits.target[:500]).mean() > 0.95
    inputs, labels = inputs.samples(0, 50), digits.target[:50]
    after, learned = learn(net, inputs, labels, plan.arch)
    agree_learning(stream(dut, plan, net, inputs, labels, cycles=learned.cycles), after, learned)
    assert learned.backward["weight_wr"] > 10_000
