"""The event-driven chip model against the artifact's reference, and its counters against plain counting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwsim.evsnn.chip import Chip, simulate
from hwsim.ir.arch.evsnn import EvsnnArch
from hwsim.ir.errors import ArtifactError, DataError, UsageError
from hwsim.ir.events import Events
from hwsim.ir.populations import Population, threshold
from hwsim.ir.spiking import Layer, SpikingNet
from hwsim.ir.synapses import Dense
from hwsim.testing.strategies_spiking import clocked_nets, events_of, net_inputs, spiking_nets

MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(st.data())
def test_outputs_equal_the_reference(data):
    net = data.draw(spiking_nets())
    x = data.draw(net_inputs(net))
    events = events_of(net, x)
    result = simulate(net, events)
    layers = net.reference_layers(x)
    assert np.array_equal(result.outputs, layers[-1])
    if net.n_classes:
        assert np.array_equal(result.classes, net.classify(layers[-1]))
    for layer, out, fired in zip(net.layers, layers, result.spikes, strict=False):
        if net.window:
            assert np.array_equal(fired.first_times(layer.population.n, net.steps), out)
        else:
            late = fired.raster(layer.population.n, net.steps)[:, : net.steps - layer.population.delay]
            assert np.array_equal(late, out[:, layer.population.delay :])


@MANY
@given(st.data())
def test_counts_follow_the_spikes(data):
    net = data.draw(spiking_nets())
    events = events_of(net, data.draw(net_inputs(net)))
    result = simulate(net, events)
    for at, layer in enumerate(net.layers):
        did, counters = result.activity[at], result.layers[at]
        assert counters["spike"] == did.spikes.sum() == (len(result.spikes[at]) if at < len(result.spikes) else 0)
        assert counters["neuron_update"] <= counters["neuron_access"]
        if at == 0:
            assert did.events.sum() == len(events) == counters["packet"]
            assert counters["syn_fwd"] == layer.synapse.fan_out()[events.address].sum()
    assert result.cycles == result.sample_cycles.sum()
    assert result.counters["spike"] == sum(len(s) for s in result.spikes)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_step_may_hold_an_event_twice(data):
    net = data.draw(clocked_nets())
    x = np.abs(data.draw(net_inputs(net, sizes=(2,)))) % 3
    sample, time, address = np.nonzero(x)
    again = np.repeat(np.arange(len(sample)), x[sample, time, address])
    order = again[np.lexsort((time[again], sample[again]))]
    offsets = np.searchsorted(sample[order], np.arange(3))
    assert np.array_equal(simulate(net, Events(address[order], time[order], offsets)).outputs, net.reference(x))


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_samples_do_not_see_each_other(data):
    net = data.draw(spiking_nets())
    events = events_of(net, data.draw(net_inputs(net, sizes=(3,))))
    chip = Chip(net)
    whole = chip.run(events)
    alone = [chip.run(events.sample(k)) for k in range(3)]
    assert np.array_equal(whole.outputs, np.concatenate([r.outputs for r in alone]))
    assert whole.sample_cycles.tolist() == [r.cycles for r in alone]
    assert all(whole.counters[name] == sum(r.counters[name] for r in alone) for name in whole.counters)


def wide_net(**more) -> SpikingNet:
    rng = np.random.default_rng(3)
    hidden = Dense(rng.integers(-100, 120, (60, 5000)).astype(np.int16))
    out = Dense(rng.integers(-9, 10, (5000, 3)).astype(np.int16))
    lif = Population("lif", 5000, threshold(300, 5000), v_loss=400, state_bits=16, **more)
    return SpikingNet(60, 12, (Layer(hidden, lif), Layer(out, Population("readout", 3))), n_classes=3)


@pytest.mark.parametrize("more", [{}, {"refractory": 2}, {"leak": "floor"}, {"state_bits": 32}])
def test_blocks_of_neurons_are_merged_in_order(more, monkeypatch):
    monkeypatch.setattr("hwsim.evsnn.clocked.BLOCK_BYTES", 1 << 14)
    net = replace(wide_net(), layers=(replace(wide_net().layers[0]), wide_net().layers[1]))
    lif = replace(net.layers[0].population, **more)
    net = replace(net, layers=(Layer(net.layers[0].synapse, lif), net.layers[1]))
    x = (np.random.default_rng(1).random((3, 12, 60)) < 0.3).astype(int)
    assert len(Chip(net)._ready[0].blocks) > 5
    assert np.array_equal(simulate(net, Events.from_raster(x)).outputs, net.reference(x))


def test_sums_at_the_edge_of_sixteen_bits():
    for inputs in (258, 259):
        weights = Dense(np.full((inputs, 2), 127, np.int16))
        net = SpikingNet(inputs, 2, (Layer(weights, Population("if", 2, threshold(127 * inputs, 2))),))
        x = np.ones((1, 2, inputs), int)
        assert simulate(net, Events.from_raster(x)).outputs.all()
        assert net.reference(x).all()


def test_cores_on_a_mesh_send_packets():
    """Input 0 fires twice: 2 packets to each of two cores; then neuron 0 (core 0) and 3 (core 1) to core 2."""
    first = Dense(np.array([[5, 0, 0, 5]], np.int16))
    net = SpikingNet(1, 2, (Layer(first, Population("if", 4, threshold(10, 4))), readout(4)), n_classes=2)
    events = Events(np.array([0, 0]), np.array([0, 1]), np.array([0, 2]))
    result = simulate(net, events, EvsnnArch(neurons_per_core=2, mesh_columns=2))
    assert [layer["packet"] for layer in result.layers] == [4, 2]
    assert [(layer["hop_ew"], layer["hop_ns"]) for layer in result.layers] == [(2, 0), (1, 2)]
    assert result.notes == ("many cores: cycles are an estimate",)
    assert simulate(net, events).counters["packet"] == 2


def readout(n: int) -> Layer:
    return Layer(Dense(np.ones((n, 2), np.int16)), Population("readout", 2))


def test_bad_runs_say_what_to_mend():
    net = wide_net()
    one = Events(np.array([1]), np.array([2]), np.array([0, 1]))
    with pytest.raises(ArtifactError, match="neurons of a layer: got 5000, expected at most 1024"):
        simulate(net, one, EvsnnArch())
    with pytest.raises(ArtifactError, match="weight words of a lane: got 23780, expected at most 99"):
        simulate(net, one, EvsnnArch(max_neurons=5000, weight_words=99))
    with pytest.raises(
        ArtifactError, match=r"events and spikes of sample 0: got \d+, expected at most 1\. Raise log_depth"
    ):
        simulate(net, Events.from_raster(np.ones((1, 12, 60), int)), EvsnnArch.fitting(net, log_depth=1))
    with pytest.raises(DataError, match="address of sample 0, event 0: got 60, expected below 60"):
        simulate(net, Events(np.array([60]), np.array([2]), np.array([0, 1])))
    with pytest.raises(UsageError, match=r"probe: got \[1\], expected layers with membranes"):
        simulate(net, one, probe=(1,))
    twice = Events(np.array([1, 1]), np.array([2, 2]), np.array([0, 2]))
    with pytest.raises(DataError, match="address of sample 0, event 1: got one that the step already holds"):
        Chip(net).run(twice, merge="refuse")
    window = SpikingNet(3, 4, (readout(3),), True)
    with pytest.raises(DataError, match="address of sample 0, event 1: got one that fired before"):
        simulate(window, Events(np.array([1, 1]), np.array([2, 3]), np.array([0, 2])))
    with pytest.raises(DataError, match="graded values"):
        simulate(window, Events(np.array([1]), np.array([2]), np.array([0, 1]), np.array([3])))
    for wrong in ({"lanes": 0}, {"mesh_columns": 0}, {"log_depth": 0}):
        with pytest.raises(UsageError, match=f"EvsnnArch.{next(iter(wrong))}: got 0"):
            EvsnnArch(**wrong)
