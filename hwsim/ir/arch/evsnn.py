"""Shape of the spiking core: lanes, memories, mesh, and the cycles of every phase.

One core runs a net layer by layer on W lanes; neuron j of a layer is word g = ⌊j / W⌋ of lane j mod W, G = ⌈N / W⌉
words. Every phase and its cycles are described in ``docs/evsnn-chip.md``; `forward_cycles` and `learn_cycles` are the
formulas. With `neurons_per_core` a layer is spread over many cores of a mesh, whose cycles are an estimate: no RTL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwsim.ir.errors import ArtifactError, UsageError
from hwsim.ir.spiking import Layer, SpikingNet
from hwsim.ir.synapses import Dense, Pool

READ_CYCLES = 2  # log and weight memory, before the first addition
SETUP_CYCLES = 1  # a layer's registers
STD_ERROR_CYCLES, UPDATE_CYCLES = 4, 3  # drains of the error and the update pipeline
MPD_STEP_CYCLES = 8  # a step's turn, two looks ahead in the log, and a drain of five
DIVISION_CYCLES, SOFTMAX_DRAIN = 10, 2  # nine quotient bits and the write


@dataclass(frozen=True, eq=False)
class LayerActivity:
    """What a layer did in the forward pass, a number a sample (int64 [batch]).

    Attributes:
        events: input events.   groups: cycles that add their weights, Σ ⌈fan-out / W⌉.
        spikes: fired neurons.   stalls: Σ over ticks and words of max(0, fired lanes − 1).
        ticks: ticks or steps in which the neurons were visited.
    """

    events: np.ndarray
    groups: np.ndarray
    spikes: np.ndarray
    stalls: np.ndarray
    ticks: np.ndarray


@dataclass(frozen=True, eq=False)
class LayerLearning:
    """What a layer did while learning, a number a sample (int64 [batch]).

    Attributes:
        reached: 1 when the update phase ran, else 0.
        pairs: (event, active neuron) pairs: weights read, changed and written.
        replay: Σ over events of max(1, most active neurons on a lane).
    """

    reached: np.ndarray
    pairs: np.ndarray
    replay: np.ndarray


@dataclass(frozen=True)
class EvsnnArch:
    """Parameters of a core.

    Attributes:
        lanes: W, 1…256.
        log_depth: events that the log holds, input events and spikes of all layers of a sample together.
        max_neurons: neurons of the largest layer.
        weight_words: 16-bit words of a lane's weight memory, Σ n_in·G over layers.
        neurons_per_core: 0 = the whole net on one core; else most neurons of one layer on one core of a mesh.
        mesh_columns: width of the mesh; cores are placed row by row, layer after layer.

    Raises:
        UsageError: a parameter outside its range.
    """

    lanes: int = 16
    log_depth: int = 4096
    max_neurons: int = 1024
    weight_words: int = 32768
    neurons_per_core: int = 0
    mesh_columns: int = 8

    def __post_init__(self) -> None:
        bounds = {
            "lanes": (1, 256), "log_depth": (1, 2**31 - 1), "max_neurons": (1, 2**24), "weight_words": (1, 2**31 - 1),
            "neurons_per_core": (0, 2**24), "mesh_columns": (1, 4096),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                got = getattr(self, name)
                raise UsageError.of(f"EvsnnArch.{name}", got, f"{low}…{high}", "Choose another size.")

    @classmethod
    def fitting(cls, net: SpikingNet, **more: Any) -> EvsnnArch:
        """A core large enough for `net`: 16 lanes, or as many as the net has random states.

        Example:
            >>> from hwsim.ir.spiking import Layer, Population, SpikingNet
            >>> net = SpikingNet(9, 4, (Layer(Dense(np.ones((9, 20), np.int16)), Population("readout", 20)),))
            >>> EvsnnArch.fitting(net, lanes=4).weight_words
            45
        """
        lanes = more.get("lanes") or (net.plasticity.lanes if net.plasticity is not None else 16)
        words = sum(_words(layer, lanes) for layer in net.layers)
        sizes = [net.n_inputs, *(layer.population.n for layer in net.layers)]
        depth = sum(sizes) * (1 if net.window else net.steps)
        named = {"lanes": lanes, "log_depth": depth, "max_neurons": max(sizes[1:]), "weight_words": max(1, words)}
        return cls(**{**named, **more})

    def words(self, n: int) -> int:
        """G of n neurons: the words of a lane, of the busiest core when there are many."""
        busiest = -(-n // self.cores_of(n))
        return -(-busiest // self.lanes)

    def cores_of(self, n: int) -> int:
        """Cores that hold a layer of n neurons."""
        return -(-n // self.neurons_per_core) if self.neurons_per_core else 1

    def check(self, net: SpikingNet) -> None:
        """Raise `ArtifactError` unless `net` fits the memories and its random states the lanes."""
        sizes = {
            "max_neurons": (max(layer.population.n for layer in net.layers), "neurons of a layer"),
            "weight_words": (sum(_words(layer, self.lanes) for layer in net.layers), "weight words of a lane"),
        }
        for name, (need, what) in sizes.items():
            if not self.neurons_per_core and need > getattr(self, name):
                raise ArtifactError.of(what, need, f"at most {getattr(self, name)}", f"Raise {name}: fitting(net).")
        if net.plasticity is not None and net.plasticity.lanes != self.lanes:
            got = f"{net.plasticity.lanes} for {self.lanes} lanes"
            raise ArtifactError.of("random states", got, "one a lane", "Use lane_seeds(lanes).")

    def check_log(self, used: np.ndarray) -> None:
        """Raise `ArtifactError` when a sample's events and spikes, int64 [batch], do not fit the log."""
        if not self.neurons_per_core and len(used) and int(used.max()) > self.log_depth:
            at = int(used.argmax())
            raise ArtifactError.of(
                f"events and spikes of sample {at}", int(used[at]), f"at most {self.log_depth}", "Raise log_depth."
            )

    def forward_cycles(self, net: SpikingNet, activity: Sequence[LayerActivity]) -> np.ndarray:
        """int64 [batch]: first input beat to last output beat, both included.

        LOAD n + 1, then each layer 1 + G + INTEGRATE + FIRE, then RESULT: a beat an output, or one a spike and the end.
        """
        cycles = activity[0].events + 1
        for layer, did in zip(net.layers, activity, strict=True):
            words, kind = self.words(layer.population.n), layer.population.kind
            cycles = cycles + SETUP_CYCLES + words + did.groups
            if kind in ("readout", "pool"):
                cycles = cycles + READ_CYCLES
            elif kind == "window":
                cycles = cycles + READ_CYCLES + did.ticks * words + did.stalls + 1
            else:
                cycles = cycles + did.ticks * (READ_CYCLES + words + 1) + did.stalls
        return cycles + (net.n_outputs if net.readout else activity[-1].spikes + 1)

    def learn_cycles(
        self, net: SpikingNet, activity: Sequence[LayerActivity], learning: Sequence[LayerLearning]
    ) -> np.ndarray:
        """int64 [batch]: cycles of learning after the last output beat.

        SOFTMAX K + 2 + 10 K; then from the last layer down ERRORS and UPDATE, as far as errors reach.
        """
        cycles = np.full(len(activity[0].events), net.n_outputs * (1 + DIVISION_CYCLES) + SOFTMAX_DRAIN, np.int64)
        std, above = net.window, np.ones(len(cycles), np.int64)
        for at in range(len(net.layers) - 1, -1, -1):
            did, now = activity[at], learning[at]
            spikes = did.spikes if at < len(net.layers) - 1 else np.zeros_like(did.spikes)
            if std:
                errors = spikes + STD_ERROR_CYCLES if at < len(net.layers) - 1 else 0
                cycles = cycles + above * errors + now.reached * (now.replay + UPDATE_CYCLES)
            else:
                cycles = cycles + now.reached * (now.replay + spikes + MPD_STEP_CYCLES * net.steps)
            above = now.reached if std else (now.pairs > 0).astype(np.int64)
        return cycles

    def place(self, core: int) -> tuple[int, int]:
        """(column, row) of a core."""
        return core % self.mesh_columns, core // self.mesh_columns


def _words(layer: Layer, lanes: int) -> int:
    """16-bit words of a lane's weight memory that a layer takes; sparse rows and kernels are packed."""
    synapse = layer.synapse
    if isinstance(synapse, Pool):
        return 0
    if isinstance(synapse, Dense):
        return synapse.n_in * -(-synapse.n_out // lanes)
    stored = synapse.to_tensors()[0]
    return -(-(stored["weights"] if "weights" in stored else stored["kernel"]).size // lanes)
