"""`spiking_net`: file, rules, reference against the naive twin, the published rules by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.ir.errors import ArtifactError, DataError, ShapeError
from hwsim.ir.events import Events
from hwsim.ir.plasticity import Plasticity, lane_seeds, trace_table
from hwsim.ir.populations import Population, threshold, window_times
from hwsim.ir.spiking import Layer, SpikingNet
from hwsim.ir.synapses import Conv, Dense, Pool, Sparse
from hwsim.testing.conformance import ArtifactConformance
from hwsim.testing.naive_spiking import spiking_net
from hwsim.testing.strategies_spiking import net_inputs, spiking_nets


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def dense(rows, **more) -> Dense:
    return Dense(np.array(rows, np.int16), **more)


def learner() -> SpikingNet:
    layers = (
        Layer(dense([[1, 2], [3, 4]]).with_shadow(), Population("window", 2)),
        Layer(dense([[1], [2]]).with_shadow(), Population("readout", 1)),
    )
    return SpikingNet(2, 8, layers, True, Plasticity("std", (3, 4), 2), n_classes=1)


def clocked(population: Population | None = None, synapse=None, **more) -> SpikingNet:
    population = population or Population("lif", 2, threshold(5, 2), v_loss=1, decay_bits=2)
    return SpikingNet(2, 4, (Layer(synapse or dense([[1, 2], [3, 4]]), population),), **more)


class TestSpikingNet(ArtifactConformance):
    artifacts = spiking_nets()

    def inputs(self, draw, artifact):
        return draw(net_inputs(artifact, sizes=(1, 3)))

    def naive(self, artifact, sample):
        return spiking_net(artifact, sample)

    def broken(self):
        net, learns = clocked(), learner()
        (layer,) = net.layers
        yield learns, {"n_inputs": 3}, "layer 0: inputs: got 2, expected 3"
        yield learns, {"steps": 12}, "steps of a window net: got 12, expected a power of two"
        yield net, {"layers": ()}, "spiking_net: got 2 inputs, 4 steps, 0 layers"
        yield net, {"steps": 0}, "spiking_net: got 2 inputs, 0 steps"
        yield net, {"step_us": 0.0}, r"step_us: got 0.0"
        yield net, {"n_classes": 3}, "n_classes: got 3, expected 0 or 2"
        yield (
            net,
            {"layers": (replace(layer, synapse=dense([[1, 300], [0, 0]])),)},
            r"got 300 at \[0, 1\], expected -128",
        )
        yield learns, {"window": False, "plasticity": None}, "window neurons in a clocked net"
        early = Layer(layer.synapse, Population("readout", 2))
        yield net, {"layers": (early, layer)}, "layers: got a readout in layer 0, expected a readout as the last one"
        yield net, {"layers": (early,), "window": True, "steps": 6}, "steps of a window net"
        for change, message in (
            ({"threshold": ints(5, 0)}, "threshold of neuron 1: got 0, expected 1…"),
            ({"threshold": ints(5)}, "thresholds: got 1, expected 2 for 2 lif neurons"),
            ({"threshold": ints(5, 500), "state_bits": 9}, "threshold of neuron 1: got 500, expected 1…255"),
            ({"compare": "="}, "compare: got '='"),
            ({"reset": "none"}, "reset: got 'none', expected one of value, subtract"),
            ({"leak": "round"}, "leak: got 'round'"),
            ({"v_loss": 5}, "v_loss: got 5, expected 0…4"),
            ({"reset_value": 5}, "reset_value: got 5, expected below every threshold"),
            ({"refractory": -1}, "refractory: got -1"),
            ({"bias": ints(1)}, "bias: got 1 values, expected none or 2"),
            ({"kind": "if"}, "v_loss of an if population"),
            ({"n": 3, "threshold": threshold(1, 3)}, "layer 0: neurons: got 3, expected 2 targets"),
        ):
            yield net, {"layers": (Layer(layer.synapse, replace(layer.population, **change)),)}, message
        for synapse, message in (
            (Sparse(ints(0, 2, 2), ints(1, 0), np.ones(2, np.int16), 2), "targets: got 0…1, 1 out of order"),
            (Sparse(ints(0, 3, 2), ints(0, 1), np.ones(2, np.int16), 2), "offsets: got"),
            (Conv(np.ones((1, 2, 1, 1), np.int16), (1, 1, 2)), "conv: got input"),
            (dense([[1, 1], [1, 1]], bits=20), "bits: got 20"),
            (Dense(np.ones((2, 2), np.int16), shadow=np.zeros((2, 2), np.int16)), "weights that differ"),
            (Pool((1, 1, 2), 1), "a pool synapse with a lif population"),
        ):
            yield net, {"layers": (Layer(synapse, layer.population),)}, message
        plasticity = learns.plasticity
        for change, message in (
            ({"lr_shift": (3,)}, "lr_shift: got .* expected 2 shifts"),
            ({"rule": "mpd", "trace": trace_table(0.5, 8)}, "mpd in a window net"),
            ({"exp_shift": 41}, "exp_shift: got 41"),
            ({"seeds": np.zeros(2, np.uint64)}, "seeds: seed: got 0"),
            ({"exp": np.zeros(256, np.uint16)}, "plasticity tables: got exp"),
        ):
            yield learns, {"plasticity": replace(plasticity, **change)}, message
        bare = Layer(dense([[1, 2], [3, 4]]), Population("window", 2))
        yield learns, {"layers": (bare, learns.layers[1])}, "layer 0 of a net that learns: got dense synapses"


def test_lif_by_hand():
    """dec(v) = ⌊3v/4⌋; currents 3, 3, 0, 4 → v 3, 2+3 = 5 fires (>=), 0, 4."""
    net = clocked(Population("lif", 1, threshold(5, 1), v_loss=1, decay_bits=2), dense([[3], [4]]))
    x = np.zeros((1, 4, 2), int)
    x[0, [0, 1], 0], x[0, 3, 1] = 1, 1
    assert net.reference(x)[0, :, 0].tolist() == [0, 1, 0, 0]
    strict = clocked(replace(net.layers[0].population, compare=">"), dense([[3], [4]]))
    assert strict.reference(x)[0, :, 0].tolist() == [0, 0, 0, 1]  # 3, 5, 3, 2 + 4 = 6


def test_leaks_differ_below_zero():
    leaks = [Population("lif", 1, threshold(5, 1), v_loss=1, decay_bits=2, leak=leak) for leak in
             ("toward_zero", "floor", "linear")]  # fmt: skip
    assert [int(p.decayed(np.array([-5]), 1)[0]) for p in leaks] == [-3, -4, -4]


@settings(deadline=None)
@given(st.integers(-60, 60), st.integers(-200, 200), st.integers(0, 4), st.sampled_from((1, 2, 8, 16)))
def test_window_time_is_a_ceiling_division(S, M, f, T):
    """τ = ⌈(T·2^f + M − T·S)/(S + 2^f)⌉ inside the window, 0 if the threshold was crossed before."""
    need, slope = (T << f) + M - T * S, S + (1 << f)
    tau = 0 if need <= 0 else -(-need // slope) if slope > 0 else T
    assert window_times(np.array([S]), np.array([M]), f, T)[0] == (tau if tau < T else -1)


def test_events_name_the_place_of_a_mistake():
    cases = [
        (([0, 1], [3, 2], [0, 2]), DataError, "time of sample 0, event 1: got 2 after 3, expected times in order"),
        (([0, -1], [3, 3], [0, 1, 2]), DataError, "address of sample 1, event 0: got -1"),
        (([0, 1], [3], [0, 2]), ShapeError, "time has the wrong shape"),
        (([0, 1], [3, 4], [0, 1]), ShapeError, "event offsets"),
        (([0.5], [3], [0, 1]), ShapeError, "event address: got float64"),
        (([2**40], [3], [0, 1]), ShapeError, "event address: got 1099511627776"),
    ]
    for arrays, error, message in cases:
        with pytest.raises(error, match=message):
            Events(*(np.array(a) for a in arrays))
    events = Events(np.array([0, 7]), np.array([3, 9]), np.array([0, 1, 2]))
    with pytest.raises(DataError, match="address of sample 1, event 0: got 7, expected below 7"):
        events.check(7, 10)
    with pytest.raises(DataError, match=r"time of sample 1, event 0: got 9, expected below 9\."):
        events.check(8, 9)


@settings(deadline=None)
@given(st.data())
def test_events_hold_what_the_arrays_hold(data):
    net = data.draw(spiking_nets())
    x = data.draw(net_inputs(net))
    if net.window:
        assert np.array_equal(Events.from_times(x).first_times(net.n_inputs, net.steps), x)
        return
    events = Events.from_raster(x)
    assert np.array_equal(events.raster(net.n_inputs, net.steps), x)
    assert events.repeated() is None
    shuffled = Events.of(events.address, events.time, events.offsets)
    assert shuffled.time.tolist() == events.time.tolist()
    parts = [events.sample(k) for k in range(events.batch)]
    assert sum(len(p) for p in parts) == len(events)


def test_repeated_events_are_found():
    events = Events(np.array([1, 2, 1]), np.array([0, 4, 4]), np.array([0, 3]))
    assert events.repeated() is None
    again = Events(np.array([1, 2, 2]), np.array([0, 4, 4]), np.array([0, 3]))
    assert again.repeated() == "sample 0, event 2"


def test_tables_and_seeds():
    net = learner()
    assert net.plasticity.exp[:3].tolist() == [255, 247, 240]
    assert net.plasticity.reciprocal[[0, 255]].tolist() == [256, 128]
    assert trace_table(0.5, 4).tolist() == [256, 128, 64, 32]
    assert lane_seeds(3, 1).tolist() == lane_seeds(4, 1)[:3].tolist()
    assert (net.err_shift(1), net.err_shift(0)) == (-8, 0)
    again = net.with_weights([layer.synapse.shadow + np.int16(256) for layer in net.layers], lane_seeds(2))
    assert (again.layers[0].synapse.weights - net.layers[0].synapse.weights == 1).all()
    assert again.plasticity.lanes == 2
    with pytest.raises(ArtifactError, match="plasticity: got None"):
        clocked().err_shift(0)
    with pytest.raises(ArtifactError, match="the net has no classes"):
        clocked().classify(np.zeros((1, 4, 2)))


def test_classes_count_spikes():
    net = clocked(n_classes=2)
    assert net.classify(np.array([[[0, 1], [0, 1], [0, 0], [1, 0]]])).tolist() == [1]
    assert net.cost().values == {"neurons": 2, "synapses": 4, "weight_bits": 32, "state_bits": 64}
