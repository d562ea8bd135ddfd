"""Event-driven simulators of spiking networks on the network of `benches.evsnn.speed`, one sample at a time.

NEST runs `iaf_psc_delta` neurons in steps of 1 ms, built once; SANA-FE its Loihi model, whose inputs are part of the
network, so that every run is a new chip. Times are of the simulation alone: neither building nor loading counts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np

NAMES = ("nest", "sanafe")


def installed() -> list[str]:
    """Simulators that can be imported."""
    return [name for name in NAMES if find_spec(name) is not None]


def measure(
    name: str, x: np.ndarray, weights: Sequence[np.ndarray], beta: float, theta: float, rounds: int
) -> tuple[float, int]:
    """Least CPU seconds of one sample over `rounds` (SANA-FE: one), and the spikes of its neurons.

    Args:
        name: one of `NAMES`.
        x: input spikes, bool [steps, n_in].
        weights: [n_in, n_out] of each layer.
        beta, theta: decay a step and threshold; potentials are cleared at a spike.
    """
    if name == "nest":
        return _nest(x, weights, beta, theta, rounds)
    return _sanafe(x, weights, beta, theta)


def _nest(x: np.ndarray, weights: Sequence[np.ndarray], beta: float, theta: float, rounds: int) -> tuple[float, int]:
    import nest

    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.resolution, nest.local_num_threads = 1.0, 1
    rule = {"V_th": theta, "V_reset": 0.0, "E_L": 0.0, "t_ref": 0.0, "tau_m": -1 / math.log(beta), "V_m": 0.0}
    source, recorder = nest.Create("spike_generator", len(weights[0])), nest.Create("spike_recorder")
    before, layers = source, []
    for w in weights:
        layers.append(nest.Create("iaf_psc_delta", w.shape[1], params=rule))
        nest.Connect(before, layers[-1], "all_to_all", syn_spec={"weight": w.T.astype(float), "delay": 1.0})
        nest.Connect(layers[-1], recorder)
        before = layers[-1]
    best, spikes = math.inf, 0
    for _ in range(rounds):
        now, counted = nest.biological_time, recorder.n_events
        source.set([{"spike_times": (now + 1 + np.flatnonzero(row)).astype(float)} for row in x.T])
        for layer in layers:
            layer.V_m = 0.0
        start = time.process_time()
        nest.Simulate(len(x) + 2.0 * len(weights))
        best = min(best, time.process_time() - start)
        spikes = recorder.n_events - counted
    return best, spikes


def _sanafe(x: np.ndarray, weights: Sequence[np.ndarray], beta: float, theta: float) -> tuple[float, int]:
    import sanafe

    arch, net = sanafe.load_loihi(), sanafe.Network()
    cores = list(arch.cores())
    before = net.create_neuron_group("input", len(weights[0]))
    for i, neuron in enumerate(before):
        neuron.set_attributes(
            soma_hw_name=f"loihi_inputs[{i}]", model_attributes={"spikes": x[:, i].astype(int).tolist()}
        )
        neuron.map_to_core(cores[0])
    for i, w in enumerate(weights):
        rule = {"threshold": theta, "reset": 0.0, "leak_decay": beta}
        layer = net.create_neuron_group(f"layer{i}", w.shape[1], model_attributes=rule, soma_hw_name="loihi_lif")
        for neuron in layer:
            neuron.map_to_core(cores[i + 1])
        before.connect_neurons_dense(layer, {"weight": w.ravel().tolist()})
        before = layer
    chip = sanafe.SpikingChip(arch)
    chip.load(net)
    start = time.process_time()
    told = chip.sim(len(x) + len(weights), processing_threads=1)
    return time.process_time() - start, int(told["neurons_fired"]) - int(x.sum())
