"""What a run did: events of every kind counted a layer, cycles of the core, packets and hops on the mesh.

| counter | counts |
|---|---|
| syn_fwd | synapses that an event was added through |
| neuron_access | (neuron, step) visits of clocked neurons; (neuron, tick) of window neurons |
| neuron_update | those with a state, current or bias other than 0 (SANA-FE's rule for Loihi); window: all visits |
| spike | fired neurons |
| packet | events between cores, one a destination core; input events and, of one core, none else |
| hop_ew, hop_ns, hop | mesh links that packets cross: east-west, north-south, both |
| err_pair | (event, active neuron) pairs of learning |
| weight_rd, weight_wr | weights read (forward and learning) and written |
| state_rd, state_wr | words of neuron state read and written: one a synapse, one a visit |
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwsim.core.counters import Counters
from hwsim.ir.arch.evsnn import EvsnnArch
from hwsim.ir.spiking import Layer, SpikingNet

COUNTERS = (
    "syn_fwd", "neuron_access", "neuron_update", "spike", "packet", "hop", "hop_ew", "hop_ns", "err_pair", "weight_rd",
    "weight_wr", "state_rd", "state_wr",
)  # fmt: skip


# what `SimResult.energy` is by default; hwsim.evsnn.energy has the other presets and the phases
_PRICED = ("syn_fwd", "neuron_access", "neuron_update", "spike", "packet", "hop_ew", "hop_ns", "weight_wr")
DEFAULT_PRICE = ("loihi", {name: name for name in _PRICED})


def priced(counters: Counters) -> dict[str, int]:
    """The counters that have a figure of their own on Loihi; the others stand inside those."""
    return {name: counters[name] for name in _PRICED}


def forward_counters(layer: Layer, syn: int, access: int, update: int, spikes: int) -> Counters:
    """Counts of a layer's forward pass; packets and hops are added by `with_traffic`."""
    words = syn + access
    weights = 0 if layer.population.kind == "pool" else syn
    return Counters(
        syn_fwd=syn, neuron_access=access, neuron_update=update, spike=spikes, packet=0, hop=0, hop_ew=0, hop_ns=0,
        err_pair=0, weight_rd=weights, weight_wr=0, state_rd=words, state_wr=words,
    )  # fmt: skip


def stalls_of(address: np.ndarray, slot: np.ndarray, slots: int, steps: int, lanes: int) -> np.ndarray:
    """int64 [batch]: Σ over (step, word) of max(0, spikes − 1), for spikes sorted by slot, then address."""
    batch = slots // steps
    if not len(address):
        return np.zeros(batch, np.int64)
    word = slot.astype(np.int64) << 32 | address // lanes
    again = np.concatenate([[False], word[1:] == word[:-1]])
    return np.bincount(slot[again] // steps, minlength=batch).astype(np.int64)


def traffic(net: SpikingNet, arch: EvsnnArch, inputs: np.ndarray, spikes: Sequence[np.ndarray]) -> list[Counters]:
    """Packets and hops into every layer.

    Args:
        inputs: addresses of the input events; they enter at the mesh's corner (0, 0).
        spikes: addresses of the spikes of every layer but the last.
    """
    if not arch.neurons_per_core:
        return [Counters(packet=0 if at else len(inputs), hop=0, hop_ew=0, hop_ns=0) for at in range(len(net.layers))]
    out, first, places = [], 0, [(0, 0)]
    sent = np.array([len(inputs)])
    for layer, fired in zip(net.layers, [*spikes, np.zeros(0, np.int64)], strict=True):
        n, cores = layer.population.n, arch.cores_of(layer.population.n)
        to = [arch.place(first + c) for c in range(cores)]
        packets = ew = ns = 0
        for place, number in zip(places, sent.tolist(), strict=True):
            packets += number * len(to)
            ew += number * sum(abs(place[0] - x) for x, _ in to)
            ns += number * sum(abs(place[1] - y) for _, y in to)
        out.append(Counters(packet=packets, hop=ew + ns, hop_ew=ew, hop_ns=ns))
        sent = np.bincount(fired // -(-n // cores), minlength=cores)
        places, first = to, first + cores
    return out


def summed(parts: Sequence[Counters]) -> Counters:
    """All layers together."""
    total = Counters(**dict.fromkeys(COUNTERS, 0))
    for part in parts:
        total = total + part
    return total
