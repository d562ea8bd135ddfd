"""Learning on the chip: kernels against the plain-Python core, in weights, random states and cycles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwsim.evsnn.chip import simulate
from hwsim.evsnn.learning import learn
from hwsim.ir.arch.evsnn import EvsnnArch
from hwsim.ir.errors import ArtifactError, DataError
from hwsim.ir.events import Events
from hwsim.ir.plasticity import Plasticity, lane_seeds, trace_table
from hwsim.ir.populations import Population, threshold
from hwsim.ir.spiking import Dense, Layer, SpikingNet
from hwsim.testing.naive_evsnn import run_core
from hwsim.testing.strategies_spiking import events_of, learning_nets, net_inputs


@pytest.mark.parametrize("rule", ["std", "mpd"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_weights_states_and_cycles_equal_the_core(rule, data):
    net = data.draw(learning_nets(rule))
    x = data.draw(net_inputs(net, sizes=(1, 4)))
    labels = data.draw(st.lists(st.integers(0, net.n_classes - 1), min_size=len(x), max_size=len(x)))
    before = [layer.synapse.shadow.copy() for layer in net.layers]
    naive = run_core(net, x, labels)
    after, result = learn(net, events_of(net, x), np.array(labels, int))
    assert result.outputs.tolist() == naive.outputs
    assert [layer.synapse.shadow.tolist() for layer in after.layers] == naive.shadows
    assert after.plasticity.seeds.tolist() == naive.states
    assert result.learn_cycles.tolist() == [c for _, c in naive.cycles]
    assert result.sample_cycles.tolist() == [f + c for f, c in naive.cycles]
    assert result.counters["weight_wr"] == result.backward["err_pair"] == naive.pairs
    assert all(np.array_equal(layer.synapse.shadow, w) for layer, w in zip(net.layers, before, strict=True))


@pytest.mark.parametrize("rule", ["std", "mpd"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_the_forward_pass_of_learning_is_that_of_inference(rule, data):
    net = data.draw(learning_nets(rule))
    x = data.draw(net_inputs(net, sizes=(1,)))
    events = events_of(net, x)
    inference, (_, result) = simulate(net, events), learn(net, events, np.zeros(1, int))
    assert np.array_equal(result.outputs, inference.outputs)
    assert (result.sample_cycles - result.learn_cycles).tolist() == inference.sample_cycles.tolist()
    same = ("syn_fwd", "spike", "neuron_access", "neuron_update", "state_rd", "packet")
    assert [result.forward[k] for k in same] == [inference.counters[k] for k in same]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_learning_in_parts_is_learning_at_once(data):
    net = data.draw(learning_nets(data.draw(st.sampled_from(("std", "mpd")))))
    x = data.draw(net_inputs(net, sizes=(4,)))
    events, labels = events_of(net, x), np.arange(4) % net.n_classes
    whole, _ = learn(net, events, labels)
    parts = net
    for k in range(4):
        parts, _ = learn(parts, events.sample(k), labels[k : k + 1])
    for a, b in zip(whole.layers, parts.layers, strict=True):
        assert np.array_equal(a.synapse.shadow, b.synapse.shadow)
    assert np.array_equal(whole.plasticity.seeds, parts.plasticity.seeds)


def blobs(rng, n, steps=16):
    """Two classes: early spikes on the left or on the right half of ten inputs."""
    labels = rng.integers(0, 2, n)
    late = rng.integers(8, steps, (n, 10))
    side = np.where((np.arange(10) < 5) == (labels[:, None] == 0), rng.integers(0, 6, (n, 10)), late)
    return side, labels


def test_std_learns_two_classes():
    rng = np.random.default_rng(0)
    w = [(rng.normal(0.05, 0.2, shape) * 2**14).astype(np.int16) for shape in ((10, 20), (20, 2))]
    synapses = [Dense((s >> 8).astype(np.int16), 8, 6, 0, s) for s in w]
    layers = (Layer(synapses[0], Population("window", 20)), Layer(synapses[1], Population("readout", 2)))
    net = SpikingNet(10, 16, layers, True, Plasticity("std", (11, 5), 5, seeds=lane_seeds(4)), n_classes=2)
    x, y = blobs(rng, 400)
    net, result = learn(net, Events.from_times(x), y)
    x, y = blobs(rng, 200)
    assert (simulate(net, Events.from_times(x)).classes == y).mean() > 0.95
    assert result.correct[-100:].mean() > 0.95


def test_mpd_learns_two_classes():
    rng = np.random.default_rng(0)
    w = [(rng.normal(0.2, 0.3, shape) * 2**14).astype(np.int16) for shape in ((10, 20), (20, 2))]
    synapses = [Dense((s >> 8).astype(np.int16), 8, 6, 0, s) for s in w]
    lif = Population("lif", 20, threshold(64, 20), v_loss=4, decay_bits=4, state_bits=16)
    rule = Plasticity("mpd", (14, 8), 1, seeds=lane_seeds(4), surrogate_bits=6, trace=trace_table(0.75, 16))
    layers = (Layer(synapses[0], lif), Layer(synapses[1], Population("readout", 2)))
    net = SpikingNet(10, 16, layers, False, rule, n_classes=2)
    first = w[0].copy()
    x, y = blobs(rng, 600)
    net, _ = learn(net, Events.from_times(np.where(x < 8, x, -1)), y)
    assert (net.layers[0].synapse.shadow != first).any()
    x, y = blobs(rng, 200)
    x = np.where(x < 8, x, -1)
    assert (simulate(net, Events.from_times(x)).classes == y).mean() > 0.95


def test_bad_lessons():
    w = Dense(np.zeros((2, 2), np.int16)).with_shadow()
    rule = Plasticity("std", (2,), 4, seeds=lane_seeds(2))
    net = SpikingNet(2, 4, (Layer(w, Population("readout", 2)),), True, rule, n_classes=2)
    one = Events(np.array([1]), np.array([0]), np.array([0, 1]))
    with pytest.raises(DataError, match="label of sample 0: got 2, expected 0…1"):
        learn(net, one, np.array([2]))
    with pytest.raises(ArtifactError, match="plasticity: got None"):
        learn(replace(net, plasticity=None), one, np.array([1]))
    with pytest.raises(ArtifactError, match="random states: got 2 for 16 lanes"):
        learn(net, one, np.array([1]), EvsnnArch())
    with pytest.raises(DataError, match="time of sample 0, event 0: got 9"):
        learn(net, Events(np.array([1]), np.array([9]), np.array([0, 1])), np.array([1]))
