"""Event-driven chip model: address events in; outputs, cycles, counters and energy out.

Equal in every output to `SpikingNet.reference`, and in cycles to `rtl.evsnn` for one core (``docs/evsnn-chip.md``).
The whole batch goes through one layer after another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from hwsim.core.counters import Counters
from hwsim.core.energy import energy_of
from hwsim.core.result import SimResult
from hwsim.evsnn import activity as count
from hwsim.evsnn import clocked, window
from hwsim.evsnn import kernels_clocked as kernels
from hwsim.ir.arch.evsnn import EvsnnArch, LayerActivity
from hwsim.ir.errors import DataError, UsageError
from hwsim.ir.events import Events
from hwsim.ir.spiking import Dense, Layer, SpikingNet


@dataclass(frozen=True, eq=False)
class SpikeResult(SimResult):
    """What the chip did, beside outputs, cycles and counters of the batch; `energy` is at Loihi's figures.

    Attributes:
        sample_cycles: int64 [batch], cycles of each sample; samples do not overlap.
        layers: counters of each layer.
        spikes: events that each spiking layer fired, at their time of firing.
        activity: what the cycles follow from, layer by layer.
        membranes: v after each step, int32 [batch, steps, n] of each probed layer by index.
    """

    sample_cycles: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    layers: tuple[Counters, ...] = ()
    spikes: tuple[Events, ...] = ()
    activity: tuple[LayerActivity, ...] = ()
    membranes: dict[int, np.ndarray] = field(default_factory=dict)


class Chip:
    """A net on an architecture, ready to run batch after batch.

    Args:
        net: the artifact.
        arch: the core; default `EvsnnArch.fitting(net)`.

    Raises:
        ArtifactError: the net does not fit.
    """

    def __init__(self, net: SpikingNet, arch: EvsnnArch | None = None) -> None:
        self.net, self.arch = net, arch or EvsnnArch.fitting(net)
        self.arch.check(net)
        self._ready = () if net.window else tuple(clocked.prepare(layer) for layer in net.layers)

    def run(self, events: Events, probe: tuple[int, ...] = (), merge: Literal["add", "refuse"] = "add") -> SpikeResult:
        """One batch.

        Args:
            events: input events; in a window net each address at most once a sample and without values.
            probe: layers of a clocked net whose membranes are recorded.
            merge: what an address that comes twice in a step means for a clocked net: both count, or an error.

        Raises:
            DataError: events out of range, or repeated; the message names sample and event.
            UsageError: a probed layer that has no membrane.
            ArtifactError: more events than the log holds.
        """
        net = self.net
        events.check(net.n_inputs, net.steps)
        if net.window:
            check_single(events)
            parts = self._window(events)
        else:
            spikes = slots_of(events, net.steps)
            again = None if spikes.rising else events.repeated()
            if again is not None and merge == "refuse":
                raise DataError.of(f"address of {again}", "one that the step already holds", "one event", "Merge them.")
            bad = [k for k in probe if k >= len(net.layers) or net.layers[k].population.kind in ("readout", "pool")]
            if bad:
                raise UsageError.of("probe", bad, "layers with membranes", "Probe if, lif or cuba layers.")
            parts = self._clocked(spikes, events.batch, probe, again is None)
        return self._result(events, *parts)

    def _window(self, events: Events) -> tuple:
        net, arch = self.net, self.arch
        spikes = window.Singles(events.address, events.time, events.offsets)
        done, layers, fired, nothing = [], [], [], np.zeros(events.batch, np.int64)
        for layer in net.layers:
            inputs = np.diff(spikes.cuts)
            syn, groups = work_of(layer, arch, spikes.address, inputs)
            if layer.population.kind == "readout":
                outputs = window.run_readout(layer, spikes, net.steps)
                done.append(LayerActivity(inputs, groups, nothing, nothing, nothing))
                layers.append(count.forward_counters(layer, syn, 0, 0, 0))
                break
            spikes, ticks, stalls = window.run_layer(layer, spikes, net.steps, arch.lanes)
            done.append(LayerActivity(inputs, groups, np.diff(spikes.cuts), stalls, ticks))
            visits = int(ticks.sum()) * layer.population.n
            layers.append(count.forward_counters(layer, syn, visits, visits, len(spikes.address)))
            fired.append(Events(spikes.address, spikes.time, spikes.cuts))
        return outputs, done, layers, fired, {}

    def _clocked(self, spikes: clocked.Spikes, batch: int, probe: tuple[int, ...], distinct: bool) -> tuple:
        net, arch, steps = self.net, self.arch, self.net.steps
        done, layers, fired, membranes = [], [], [], {}
        nothing, all_steps = np.zeros(batch, np.int64), np.full(batch, steps, np.int64)
        for at, ready in enumerate(self._ready):
            layer = ready.layer
            inputs = np.diff(spikes.cuts[::steps])
            syn, groups = work_of(layer, arch, spikes.address, inputs)
            if layer.population.kind == "readout":
                outputs = clocked.run_readout(ready, spikes, steps)
                done.append(LayerActivity(inputs, groups, nothing, nothing, nothing))
                layers.append(count.forward_counters(layer, syn, 0, 0, 0))
                break
            out, busy, seen = clocked.run_layer(ready, spikes, steps, distinct, at in probe)
            slot = np.repeat(np.arange(batch * steps), np.diff(out.cuts))
            stalls = count.stalls_of(out.address, slot, batch * steps, steps, arch.lanes)
            done.append(LayerActivity(inputs, groups, np.bincount(slot // steps, minlength=batch), stalls, all_steps))
            pool = layer.population.kind == "pool"
            access = 0 if pool else layer.population.n * steps * batch
            layers.append(count.forward_counters(layer, syn, access, 0 if pool else busy, len(out.address)))
            fired.append(Events(out.address, slot % steps, out.cuts[::steps]))
            if seen is not None:
                membranes[at] = seen
            spikes, distinct = clocked.delayed(out, steps, layer.population.delay), True
        if not net.readout:
            outputs = np.zeros((batch, steps, net.n_outputs), np.uint8)
            slot = np.repeat(np.arange(batch * steps), np.diff(spikes.cuts))
            outputs[slot // steps, slot % steps, spikes.address] = 1
        return outputs, done, layers, fired, membranes

    def _result(
        self, events: Events, outputs: np.ndarray, done: list, layers: list, fired: list, membranes: dict
    ) -> SpikeResult:
        net, arch = self.net, self.arch
        arch.check_log(done[0].events + sum(did.spikes for did in done))
        between = fired[: len(net.layers) - 1]
        moved = count.traffic(net, arch, events.address, [e.address for e in between])
        layers = [did + packets for did, packets in zip(layers, moved, strict=True)]
        cycles = arch.forward_cycles(net, done)
        longest, total = int(cycles.max(initial=0)), count.summed(layers)
        notes = ("many cores: cycles are an estimate",) if arch.neurons_per_core else ()
        return SpikeResult(
            outputs, int(cycles.sum()), longest, longest, total, "numba",
            net.classify(outputs) if net.n_classes else None, energy_of(count.priced(total), *count.DEFAULT_PRICE),
            notes=notes, sample_cycles=cycles, layers=tuple(layers),
            spikes=tuple(fired), activity=tuple(done), membranes=membranes,
        )  # fmt: skip


def simulate(
    net: SpikingNet, events: Events, arch: EvsnnArch | None = None, probe: tuple[int, ...] = ()
) -> SpikeResult:
    """One batch through the chip; see `Chip.run`.

    Example:
        >>> from hwsim.ir.spiking import Dense, Layer, Population, threshold
        >>> neuron = Population("lif", 1, threshold(5, 1), v_loss=1, decay_bits=2)
        >>> net = SpikingNet(2, 4, (Layer(Dense(np.array([[3], [4]], np.int16)), neuron),))
        >>> result = simulate(net, Events(np.array([0, 0, 1]), np.array([0, 1, 3]), np.array([0, 3])))
        >>> result.outputs[0, :, 0].tolist(), result.counters["syn_fwd"], result.cycles
        ([0, 1, 0, 0], 3, 27)
    """
    return Chip(net, arch).run(events, probe)


def slots_of(events: Events, steps: int) -> clocked.Spikes:
    """Events as slots (sample, step)."""
    cuts = np.zeros(events.batch * steps + 1, np.int64)
    rising = kernels.cut(cuts, events.address, events.time, events.offsets, steps)
    values = np.zeros(0, np.int16) if events.values is None else events.values
    return clocked.Spikes(events.address, cuts, values, rising)


def check_single(events: Events) -> None:
    """Raise `DataError` unless every address comes at most once a sample, without a value."""
    if events.values is not None:
        raise DataError.of("events of a window net", "graded values", "plain events", "Code values as times.")
    sample = np.repeat(np.arange(events.batch), np.diff(events.offsets))
    key = sample.astype(np.int64) << 32 | events.address
    order = np.argsort(key, kind="stable")
    same = key[order][1:] == key[order][:-1]
    if same.any():
        place = events.place(int(order[1:][same].min()))
        raise DataError.of(f"address of {place}", "one that fired before", "single spikes", "Keep each first event.")


def work_of(layer: Layer, arch: EvsnnArch, address: np.ndarray, inputs: np.ndarray) -> tuple[int, np.ndarray]:
    """Synapses that the events are added through, and cycles of INTEGRATE, int64 [batch]; pools take a cycle an event.

    Args:
        layer, arch: what runs where.   address: of the events.   inputs: int64 [batch], events of each sample.
    """
    if isinstance(layer.synapse, Dense):
        return len(address) * layer.population.n, inputs * arch.words(layer.population.n)
    fan_out = layer.synapse.fan_out()
    if layer.population.kind == "pool":
        return int(fan_out[address].sum()), inputs
    cost = -(-fan_out // (arch.lanes * arch.cores_of(layer.population.n)))
    sample = np.repeat(np.arange(len(inputs)), inputs)
    return int(fan_out[address].sum()), np.bincount(sample, cost[address], minlength=len(inputs)).astype(np.int64)
