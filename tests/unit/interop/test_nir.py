"""NIR graphs: nets there and back with equal spikes, reset rules, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.interop import nir as interop
from hwsim.ir.errors import ArtifactError, DataError
from hwsim.ir.populations import Population, threshold
from hwsim.ir.spiking import Conv, Dense, Layer, Pool, SpikingNet
from hwsim.testing.strategies_spiking import clocked_nets, net_inputs

nir = pytest.importorskip("nir")


def spoken(net: SpikingNet) -> SpikingNet:
    """The net without what NIR has no word for."""
    layers = []
    for layer in net.layers:
        p = layer.population
        if p.kind in ("lif", "cuba"):
            k = 1 << p.decay_bits
            p = replace(p, leak="toward_zero", v_loss=min(max(p.v_loss, 1), k), i_loss=min(max(p.i_loss, 1), k))
        if p.kind in ("if", "readout"):
            p = replace(p, bias=np.zeros(0, np.int32))
        layers.append(Layer(layer.synapse, replace(p, reset="value", refractory=0)))
    return replace(net, layers=tuple(layers))


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_there_and_back_gives_the_same_spikes(data):
    net = data.draw(clocked_nets().filter(lambda n: all(not isinstance(x.synapse, Pool) for x in n.layers)))
    net = spoken(net)
    pairs = pairwise(layer.synapse for layer in net.layers)
    if any(isinstance(b, Conv) and getattr(a, "out_shape", None) != b.in_shape for a, b in pairs):
        with pytest.raises(ArtifactError, match="expected an image of that shape"):
            interop.to_nir(net)
        return
    graph, _ = interop.to_nir(net)
    p = [layer.population for layer in net.layers if layer.population.kind != "readout"]
    if len({(q.state_bits, q.decay_bits) for q in p}) > 1:
        return
    state_bits, decay_bits = (p[0].state_bits, p[0].decay_bits) if p else (24, 12)
    wide = max(int(np.abs(x.synapse.matrix()).max(initial=0)) << x.synapse.shift for x in net.layers)
    fraction = 0 if wide < 2**15 else None
    if fraction is None:
        return
    if any(int(q.threshold.max(initial=0)) + 1 > q.high for q in p):
        return
    back, report = interop.from_nir(graph, net.steps, net.step_us * 1e-6, 16, state_bits, decay_bits, fraction)
    assert not [r for r in report.reasons if "rounded" in r]
    x = data.draw(net_inputs(net, sizes=(2,)))
    assert np.array_equal(back.reference(x), net.reference(x))


def chain(*nodes, size=2):
    named = {"input": nir.Input({"input": np.array([size])})} | {f"n{k}": node for k, node in enumerate(nodes)}
    named["output"] = nir.Output({"output": np.array(list(named.values())[-1].output_type["output"])})
    names = list(named)
    return nir.NIRGraph(named, list(pairwise(names)))


def if_node(n=2, level=1.0, reset=0.0):
    return nir.IF(np.full(n, 1000.0), np.full(n, level), np.full(n, reset))


def test_thresholds_are_strict_as_nir_has_them():
    """v > 1 at weights 0.5: two events stay at the threshold, three cross it."""
    net, report = interop.from_nir(chain(nir.Linear(0.5 * np.eye(2)), if_node()), 4)
    x = np.zeros((1, 4, 2), int)
    x[0, :2, 0], x[0, :3, 1] = 1, 1
    assert net.reference(x)[0].tolist() == [[0, 0], [0, 0], [0, 1], [0, 0]]
    assert (report.exact, report.reasons) == (True, ())


def test_reset_to_a_value_travels():
    net, report = interop.from_nir(chain(nir.Linear(0.5 * np.eye(2)), if_node(reset=-0.5)), 4)
    assert net.layers[0].population.reset_value == -(1 << (net.layers[0].synapse.fraction - 1))
    graph, again = interop.to_nir(net)
    assert graph.nodes["neurons0"].v_reset.tolist() == [net.layers[0].population.reset_value] * 2
    assert report.exact
    assert again.exact


def test_lif_steps_are_euler_steps():
    """τ = 4 dt, r = 1: v ← ¾ v + ¼ s."""
    node = nir.LIF(np.full(2, 4e-3), np.ones(2), np.zeros(2), np.ones(2))
    net, report = interop.from_nir(chain(nir.Linear(np.eye(2)), node), 4)
    p = net.layers[0].population
    assert (p.v_loss, p.decay_bits, net.layers[0].synapse.weights[0, 0]) == (1024, 12, 64)
    assert net.layers[0].synapse.fraction == 8
    assert report.reasons == ("n0 → n1: decays round towards zero on the chip",)


def test_rounding_is_reported():
    _, report = interop.from_nir(chain(nir.Linear(np.array([[0.3, 0.7], [0.1, -0.2]])), if_node()), 4)
    assert not report.exact
    assert "weights in 8 bits rounded by up to 0." in report.reasons[0]


def test_files_round_trip(tmp_path):
    layer = Layer(Dense(np.array([[3], [4]], np.int16)), Population("if", 1, threshold(5, 1), delay=1))
    net = SpikingNet(2, 4, (layer,), step_us=500.0)
    assert interop.save(net, tmp_path / "a.nir").exact
    back, report = interop.load(tmp_path / "a.nir", 4, 5e-4)
    assert (report.exact, back.layers[0].population.delay) == (True, 1)
    x = np.ones((1, 4, 2), int)
    assert np.array_equal(back.reference(x), net.reference(x))
    with pytest.raises(DataError, match="NIR file: got"):
        interop.load(tmp_path / "none.nir", 4)


def test_a_convolution_travels():
    conv = Conv(np.arange(-4, 5, dtype=np.int16).reshape(1, 1, 3, 3), (1, 4, 4), 1, 1)
    layers = (Layer(conv, Population("if", 16, threshold(3, 16))), Layer(Dense(np.ones((16, 2), np.int16)),
              Population("readout", 2)))  # fmt: skip
    net = SpikingNet(16, 3, layers)
    back, _ = interop.from_nir(interop.to_nir(net)[0], 3, bits=16, fraction=0)
    x = (np.random.default_rng(0).random((2, 3, 16)) < 0.4).astype(int)
    assert np.array_equal(back.reference(x), net.reference(x))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([nir.Linear(np.eye(2)), if_node(level=0.0)], "n0 → n1: threshold: got 0.0, expected above 0"),
        ([nir.Linear(np.eye(2)), nir.LI(*(np.ones(2),) * 3)], "NIR node n0 → n1: got LI, expected one of IF"),
        ([if_node(), nir.Linear(np.eye(2))], "NIR node n0: got IF, expected weights"),
        ([nir.Linear(np.full((2, 2), np.nan)), if_node()], "weights: got NaN or infinity"),
        ([nir.Linear(np.eye(2)), nir.IF(np.array([1.0, 2]), np.ones(2))], "r: got 2 values, 1.0 … 2.0, expected one"),
        ([nir.Linear(1e9 * np.eye(2)), if_node()], "weights: got 0…1e[+]09 at fraction"),
        ([nir.Linear(np.eye(2)), nir.LIF(np.full(2, 1e-4), *(np.ones(2),) * 3)], "tau: got 0.0001, expected dt"),
    ],
)
def test_what_the_chip_can_not_do_is_refused(nodes, message):
    with pytest.raises(DataError, match=message):
        interop.from_nir(chain(*nodes), 4)


def test_loops_are_refused():
    graph = chain(nir.Linear(np.eye(2)), if_node())
    graph.edges.append(("n1", "n0"))
    with pytest.raises(DataError, match="NIR edge n1 → n0: got a branching or recurrent graph"):
        interop.from_nir(graph, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reset": "subtract"}, "layer 0: NIR export: got reset by subtraction"),
        ({"refractory": 2}, "layer 0: NIR export: got a refractory time"),
        ({"leak": "linear", "kind": "lif"}, "layer 0: NIR export: got a linear leak"),
        ({"bias": np.ones(1, np.int32)}, "an if population with a bias"),
    ],
)
def test_what_nir_can_not_say_is_refused(change, message):
    layer = Layer(Dense(np.array([[3], [4]], np.int16)), Population("if", 1, threshold(5, 1)))
    net = SpikingNet(2, 4, (Layer(layer.synapse, replace(layer.population, **change)),))
    with pytest.raises(ArtifactError, match=message):
        interop.to_nir(net)


def test_window_nets_and_pools_are_refused():
    readout = Layer(Dense(np.ones((4, 2), np.int16)), Population("readout", 2))
    with pytest.raises(ArtifactError, match="NIR export: got a window net"):
        interop.to_nir(SpikingNet(4, 4, (readout,), True))
    with pytest.raises(ArtifactError, match="layer 0: NIR export: got pooling by the first spike"):
        interop.to_nir(SpikingNet(4, 4, (Layer(Pool((1, 2, 2), 1), Population("pool", 4)), readout)))
