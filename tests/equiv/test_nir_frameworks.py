"""NIR graphs of our nets in the frameworks that read them: the same spikes as the chip, step by step.

Decays round on the chip and not in a framework; weights of many thresholds' size keep that below every margin here.
snnTorch reads no IF node whose R differs from 1 (NIR's IF has R = 1/dt in a net of unit steps) and dt = 0.1 ms only.
"""

from __future__ import annotations

import logging

import numpy as np
import pytest

from hwsim.evsnn import Chip
from hwsim.interop.nir import to_nir
from hwsim.ir.events import Events
from hwsim.ir.populations import Population, threshold
from hwsim.ir.spiking import Dense, Layer, SpikingNet

STEPS, STEP_US = 40, 100
torch = pytest.importorskip("torch")


def net_of(kind: str, seed: int) -> SpikingNet:
    """12-10-6 with thresholds of about two inputs."""
    rng = np.random.default_rng(seed)
    loss = {"v_loss": 1024, "decay_bits": 12} if kind == "lif" else {}
    layers = []
    for n_in, n in ((12, 10), (10, 6)):
        w = rng.integers(-2000, 4000, (n_in, n)).astype(np.int16)
        layers.append(Layer(Dense(w, 16), Population(kind, n, threshold(4000, n), **loss)))
    return SpikingNet(12, STEPS, tuple(layers), step_us=STEP_US)


def snntorch(graph):
    return pytest.importorskip("snntorch.import_nir").import_from_nir(graph)


def norse(graph):
    return pytest.importorskip("norse.torch").from_nir(graph, dt=STEP_US * 1e-6)


def spikingjelly(graph):
    exchange = pytest.importorskip("spikingjelly.activation_based.nir_exchange")
    return exchange.import_from_nir(graph, dt=STEP_US * 1e-6)


@pytest.mark.parametrize(
    ("framework", "kind"),
    [(snntorch, "lif"), (norse, "if"), (norse, "lif"), (spikingjelly, "if"), (spikingjelly, "lif")],
    ids=lambda x: x if isinstance(x, str) else x.__name__,
)
@pytest.mark.parametrize("seed", range(3))
def test_a_framework_fires_as_the_chip(framework, kind, seed, caplog):
    caplog.set_level(logging.ERROR)
    net = net_of(kind, seed)
    model = framework(to_nir(net)[0])
    x = np.random.default_rng(seed + 10).random((1, STEPS, 12)) < 0.3
    state, fired = None, []
    for row in torch.from_numpy(x.transpose(1, 0, 2).astype(np.float32)):
        spikes, state = model(row, state)
        fired.append(spikes.detach().numpy())
    ours = Chip(net).run(Events.from_raster(x.astype(np.int16))).outputs
    assert ours.sum() > 20
    assert np.array_equal(np.stack(fired, 1), ours)
