"""Joules of a run under published presets, forward, backward and update apart, from one set of counters.

    E_phase = Σ count_e · energy_e;  forward: everything but learning; backward: err_pair and the weights it reads;
    update: weights written

| preset | prices | memory |
|---|---|---|
| loihi | SANA-FE's figures a synapse, access, update, spike, packet and hop; a learning update | inside |
| anp1 | 1.5 pJ a synaptic operation and learning pair | inside |
| spinnaker2, truenorth, odin | a synaptic operation (SpiNNaker 2: and a neuron update) | inside |
| cmos45 | Horowitz' adds and multiplies, SRAM by size | weights and states apart |

A counter without a figure is listed as unpriced, never taken as zero; one whose energy stands in another's figure
(`INSIDE`) is not listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwsim.core.counters import Counters
from hwsim.core.energy import Energy, EnergyEntry, energy_of_entries, sram_read64, technology
from hwsim.evsnn.chip import SpikeResult
from hwsim.evsnn.learning import LearnResult
from hwsim.ir.errors import UsageError
from hwsim.ir.spiking import SpikingNet

PLATFORMS = ("loihi", "anp1", "spinnaker2", "truenorth", "odin")
PRESETS = (*PLATFORMS, "cmos45")
# what a platform's own figures hold already: memory in all of them; neurons where only synaptic operations are given
_MEMORY = ("weight_rd", "state_rd", "state_wr", "hop")
_NEURONS = ("neuron_access", "spike", "packet", "hop_ew", "hop_ns")
INSIDE: dict[str, tuple[str, ...]] = {
    "loihi": (*_MEMORY, "err_pair"),
    "anp1": (*_MEMORY, *_NEURONS, "neuron_update", "weight_wr"),
    "spinnaker2": (*_MEMORY, *_NEURONS),
    "truenorth": (*_MEMORY, *_NEURONS, "neuron_update"),
    "odin": (*_MEMORY, *_NEURONS, "neuron_update"),
    "cmos45": ("hop",),
}
STATE_BITS = 32


@dataclass(frozen=True)
class PhaseEnergy:
    """Energy of the phases of a run; None where nothing of a phase has a figure.

    Attributes:
        preset: name.   samples: in the batch.
        forward, backward, update: picojoule of the batch.
    """

    preset: str
    samples: int
    forward: Energy | None
    backward: Energy | None
    update: Energy | None

    @property
    def learning_nj_per_sample(self) -> float:
        """Backward and update, nanojoule a sample; 0 for a run without learning."""
        parts = [part.total_pj for part in (self.backward, self.update) if part is not None]
        return sum(parts) / max(1, self.samples) / 1000

    @property
    def forward_nj_per_sample(self) -> float:
        """Forward pass, nanojoule a sample."""
        return (self.forward.total_pj if self.forward is not None else 0.0) / max(1, self.samples) / 1000


def phases(result: SpikeResult) -> dict[str, dict[str, int]]:
    """Counters of forward, backward and update."""
    if not isinstance(result, LearnResult):
        return {"forward": dict(result.counters), "backward": {}, "update": {}}
    learned = result.backward
    return {
        "forward": dict(result.forward),
        "backward": {"err_pair": learned["err_pair"], "weight_rd": learned["weight_rd"]},
        "update": {"weight_wr": learned["weight_wr"]},
    }


def combined(event: str, parts: list[tuple[float, EnergyEntry]]) -> EnergyEntry:
    """An event that takes several operations: Σ factor · energy."""
    sums = [sum(k * getattr(entry, name) for k, entry in parts) for name in ("energy_pj", "low_pj", "high_pj")]
    source = " + ".join(f"{k:g} × {entry.event} ({entry.source})" for k, entry in parts)
    return EnergyEntry(event, sums[0], sums[1], sums[2], parts[0][1].node, source)


def cmos45_entries(net: SpikingNet) -> dict[str, dict[str, EnergyEntry]]:
    """Figures in 45 nm by phase and counter, for this net's arithmetic and memory sizes.

    A synapse of a window net adds w and w·t; one of a clocked net adds w. A visit of a window neuron adds and compares,
    a clocked one multiplies by its leak, adds and compares. A learning pair takes two multiplies and two additions.
    Memory: its share of a 64-bit access; high: of a 32-bit one, as tools that divide by four bytes have it.
    """
    table = technology("cmos45")
    add, mul8, mul16 = table["add_int32"], table["mul_int8"], table["mul_int16"]
    cost = net.cost().values
    weights, states = sram_read64(cost["weight_bits"] / 8), sram_read64(max(1.0, cost["state_bits"] / 8))

    def share(entry: EnergyEntry, bits: int) -> EnergyEntry:
        part = combined(entry.event, [(bits / 64, entry)])
        return EnergyEntry(part.event, part.energy_pj, part.low_pj, entry.high_pj * bits / 32, part.node, part.source)

    clocked = [(1.0, mul16), (2.0, add)]
    forward = {
        "syn_fwd": combined("syn_fwd", [(2, add), (1, mul8)] if net.window else [(1, add)]),
        "neuron_access": combined("neuron_access", [(2, add)] if net.window else clocked),
        "weight_rd": share(weights, 8),
        "state_rd": share(states, STATE_BITS),
        "state_wr": share(states, STATE_BITS),
    }
    backward = {"err_pair": combined("err_pair", [(2, mul16), (2, add)]), "weight_rd": share(weights, 16)}
    return {"forward": forward, "backward": backward, "update": {"weight_wr": share(weights, 16)}}


def price(net: SpikingNet, result: SpikeResult, preset: str) -> PhaseEnergy:
    """Energy of a run by phase.

    Args:
        net: the net that ran (cmos45 reads its memory sizes).
        result: of `simulate` or `learn`.
        preset: one of `PRESETS`.

    Raises:
        UsageError: another preset.
    """
    if preset not in PRESETS:
        raise UsageError.of("preset", repr(preset), f"one of {', '.join(PRESETS)}", "Choose one of them.")
    flat = {} if preset == "cmos45" else technology(preset)
    entries: Mapping[str, Mapping[str, EnergyEntry]]
    entries = cmos45_entries(net) if preset == "cmos45" else dict.fromkeys(("forward", "backward", "update"), flat)
    counts = phases(result)
    found = {
        name: energy_of_entries(visible(counts[name], preset, entries[name]), entries[name])
        for name in ("forward", "backward", "update")
    }
    return PhaseEnergy(preset, len(result.sample_cycles), found["forward"], found["backward"], found["update"])


def visible(counts: Mapping[str, int], preset: str, entries: Mapping[str, EnergyEntry]) -> dict[str, int]:
    """Counts without those whose energy stands in another figure of the preset."""
    return {name: n for name, n in counts.items() if name in entries or name not in INSIDE[preset]}


def timestep_counters(net: SpikingNet, steps: int) -> tuple[Counters, Counters]:
    """Counts of one sample of time-step surrogate learning (BPTT) on the same layers: forward and backward.

    Forward and each of the two backward products touch every synapse in every step: T·N_(l−1)·N_l, and
    2·T·N_(l−1)·N_l pairs; every weight is written once; states are kept for every step.
    """
    synapses = sum(int(layer.synapse.fan_out().sum()) for layer in net.layers)
    neurons = sum(layer.population.n for layer in net.layers)
    forward = Counters(
        syn_fwd=steps * synapses, neuron_access=steps * neurons, neuron_update=steps * neurons,
        weight_rd=steps * synapses, state_rd=steps * neurons, state_wr=steps * neurons,
    )  # fmt: skip
    backward = Counters(
        err_pair=2 * steps * synapses, weight_rd=steps * synapses, weight_wr=synapses, state_rd=steps * neurons
    )
    return forward, backward
