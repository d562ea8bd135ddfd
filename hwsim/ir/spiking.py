"""`spiking_net`: layers of synapses and integer neurons, and how they learn on the chip.

Two disciplines of time. A *clocked* net (if, lif, cuba neurons) runs `steps` steps; a spike reaches the next layer in
its own step, or `delay` steps later. A *window* net (window neurons, readout at the end) fires each neuron at most
once; every layer has a window of T = `steps` ticks of its own, a power of two, in which only it fires, and its spike
times count from the start of that window. Specification and a worked example: ``docs/ir/spiking_net.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np

from hwsim.ir.artifact import Artifact, Cost, Header, Tensors, register
from hwsim.ir.errors import ArtifactError, ShapeError, check_shape
from hwsim.ir.plasticity import HIDDEN_UNIT, READOUT_UNIT, TRACE_UNIT, Plasticity
from hwsim.ir.populations import CLOCKED, Population, threshold, window_times
from hwsim.ir.synapses import SYNAPSES, Conv, Dense, Pool, Sparse, Synapse

__all__ = ["Conv", "Dense", "Layer", "Plasticity", "Pool", "Population", "Sparse", "SpikingNet", "threshold"]

MAX_STEPS = 2**15


@dataclass(frozen=True, eq=False)
class Layer:
    """Synapses and the neurons they drive."""

    synapse: Synapse
    population: Population

    def validate(self, where: str) -> None:
        """Raise `ArtifactError` for a broken rule."""
        self.synapse.validate(f"{where} synapse")
        self.population.validate(f"{where} population")
        if self.synapse.n_out != self.population.n:
            raise ArtifactError.of(f"{where}: neurons", self.population.n, f"{self.synapse.n_out} targets", "Mend n.")
        if isinstance(self.synapse, Pool) != (self.population.kind == "pool"):
            got = f"a {self.synapse.type} synapse with a {self.population.kind} population"
            raise ArtifactError.of(where, got, "pool with pool", "Pooling is a layer of its own.")

    def current(self, x: np.ndarray) -> np.ndarray:
        """int64 [.., n_out] of inputs [.., n_in]."""
        return (x.astype(np.int64) @ self.synapse.matrix()) << self.synapse.shift


@register
@dataclass(frozen=True, eq=False)
class SpikingNet(Artifact):
    """A feed-forward spiking net.

    Attributes:
        n_inputs: addresses of input events.
        steps: T; clocked: steps of a sample, window: ticks of a window (a power of two).
        layers: each reads the spikes of the one before; only the last may be a readout.
        window: a window net; else a clocked one.
        plasticity: how the chip learns, or None.
        step_us: real time of a step in µs, > 0.
        n_classes: > 0 when the class is the argmax of the outputs (of the spike counts, if the last layer spikes);
            the lowest index wins ties.
        meta: free-form strings.
    """

    kind: ClassVar[str] = "spiking_net"
    spec_version: ClassVar[int] = 1

    n_inputs: int
    steps: int
    layers: tuple[Layer, ...]
    window: bool = False
    plasticity: Plasticity | None = None
    step_us: float = 1000.0
    n_classes: int = 0
    meta: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.validate()

    @property
    def n_outputs(self) -> int:
        return self.layers[-1].population.n

    @property
    def readout(self) -> bool:
        """The last layer does not spike."""
        return self.layers[-1].population.kind == "readout"

    def validate(self) -> None:
        """Raise `ArtifactError` for any broken rule; runs on construction."""
        if not self.layers or self.n_inputs < 1 or not 1 <= self.steps < MAX_STEPS:
            got = f"{self.n_inputs} inputs, {self.steps} steps, {len(self.layers)} layers"
            raise ArtifactError.of("spiking_net", got, f"at least one of each, steps < {MAX_STEPS}", "Export it again.")
        if not (np.isfinite(self.step_us) and self.step_us > 0):
            raise ArtifactError.of("spiking_net.step_us", self.step_us, "a finite time > 0", "Give the step in µs.")
        n = self.n_inputs
        for i, layer in enumerate(self.layers):
            layer.validate(f"layer {i}")
            if layer.synapse.n_in != n:
                raise ArtifactError.of(f"layer {i}: inputs", layer.synapse.n_in, n, "Match the layer before.")
            n = layer.population.n
        if self.n_classes not in (0, n):
            raise ArtifactError.of("n_classes", self.n_classes, f"0 or {n}", "Mend n_classes.")
        self._validate_kinds()
        if self.plasticity is not None:
            self._validate_plasticity(self.plasticity)

    def _validate_kinds(self) -> None:
        kinds = [layer.population.kind for layer in self.layers]
        if "readout" in kinds[:-1]:
            got = f"a readout in layer {kinds.index('readout')}"
            raise ArtifactError.of("layers", got, "a readout as the last one only", "Move it.")
        if not self.window:
            if "window" in kinds:
                raise ArtifactError.of("layers", "window neurons in a clocked net", "if, lif, cuba", "Set window.")
            return
        if set(kinds) & set(CLOCKED) or not self.readout:
            raise ArtifactError.of("layers", ", ".join(kinds), "window or pool layers, then a readout", "Do not mix.")
        if self.steps & (self.steps - 1):
            raise ArtifactError.of("steps of a window net", self.steps, "a power of two", "Use 16, 32, ….")
        for i, layer in enumerate(self.layers):
            if layer.population.delay or layer.synapse.shift:
                raise ArtifactError.of(f"layer {i} of a window net", "a delay or shift", "none", "Set both to 0.")

    def _validate_plasticity(self, p: Plasticity) -> None:
        p.validate(len(self.layers), self.steps)
        want = "window" if p.rule == "std" else "if or lif"
        if self.window != (p.rule == "std"):
            got = f"{p.rule} in a {'window' if self.window else 'clocked'} net"
            raise ArtifactError.of(
                "plasticity.rule", got, "std in a window net, mpd in a clocked one", "Choose the other."
            )
        if not self.readout or self.n_classes == 0:
            raise ArtifactError.of("a net that learns", "no readout with classes", "both", "End in a readout.")
        for i, layer in enumerate(self.layers):
            if not isinstance(layer.synapse, Dense) or layer.synapse.shadow is None:
                got = f"{layer.synapse.type} synapses"
                raise ArtifactError.of(f"layer {i} of a net that learns", got, "dense with shadow", "with_shadow().")
            q = layer.population
            if i < len(self.layers) - 1 and q.kind not in (("window",) if p.rule == "std" else ("if", "lif")):
                raise ArtifactError.of(f"layer {i} of a net that learns by {p.rule}", q.kind, want, "Use that kind.")
            if q.delay or q.refractory or layer.synapse.shift or q.reset != "value":
                got = f"delay {q.delay}, refractory {q.refractory}, shift {layer.synapse.shift}, reset {q.reset}"
                raise ArtifactError.of(f"layer {i} of a net that learns", got, "0, 0, 0, value", "Set them so.")

    def err_shift(self, at: int) -> int:
        """Bits by which errors that layer `at` sends down are divided, to reach 2^−16; negative: multiplied."""
        if self.plasticity is None:
            raise ArtifactError.of("plasticity", None, "a rule", "Give the net one.")
        unit = READOUT_UNIT if at == len(self.layers) - 1 else HIDDEN_UNIT
        trace = TRACE_UNIT if self.plasticity.rule == "mpd" else 0
        return self.layers[at].synapse.fraction + unit + trace - HIDDEN_UNIT

    def check_inputs(self, x: np.ndarray) -> np.ndarray:
        """`x` as checked int64.

        Raises:
            ShapeError: other shape, a float, or a spike time outside −1 … steps − 1.
        """
        x = np.asarray(x)
        if self.window:
            check_shape("x", x.shape, "[batch, n_inputs]", (None, self.n_inputs))
        else:
            check_shape("x", x.shape, "[batch, steps, n_inputs]", (None, self.steps, self.n_inputs))
        if x.dtype.kind not in "iub":
            raise ShapeError.of("x dtype", x.dtype, "integers", "Pass spike times or spikes; see Events.")
        if self.window and x.size and not -1 <= int(x.min()) <= int(x.max()) < self.steps:
            raise ShapeError.of("spike times", f"{x.min()}…{x.max()}", f"−1…{self.steps - 1}", "Quantise the times.")
        return x.astype(np.int64)

    def reference_layers(self, x: np.ndarray) -> list[np.ndarray]:
        """What every layer emits, in order; see `reference` for `x`.

        Clocked: uint8 [batch, steps, n] at the time of arrival, delays included. Window: int64 [batch, n] times, −1
        for no spike. Readout: int64 [batch, n].
        """
        signal, out = self.check_inputs(x), []
        for layer in self.layers:
            signal = _window(layer, signal, self.steps) if self.window else _clocked(layer, signal)
            out.append(signal)
        return out

    def reference(self, x: np.ndarray) -> np.ndarray:
        """Outputs of a batch.

        Args:
            x: clocked: integers [batch, steps, n_inputs], value of each input in each step (0 = no event); window:
                [batch, n_inputs] spike times, −1 for no spike.

        Returns:
            Readout: int64 [batch, n_outputs]; spiking last layer: uint8 [batch, steps, n_outputs].
        """
        return self.reference_layers(x)[-1]

    def classify(self, outputs: np.ndarray) -> np.ndarray:
        """Class int64 [batch] of outputs of `reference`."""
        if not self.n_classes:
            raise ArtifactError.of("the net has no classes", "n_classes 0", "> 0", "Read the outputs instead.")
        scores = outputs if self.readout else np.asarray(outputs).sum(axis=1, dtype=np.int64)
        return scores.argmax(axis=1)

    def cost(self) -> Cost:
        """Neurons, synapses, weight and state bits."""
        synapses = [int(layer.synapse.fan_out().sum()) for layer in self.layers]
        neurons = sum(layer.population.n for layer in self.layers)
        return Cost(
            {
                "neurons": neurons,
                "synapses": sum(synapses),
                "weight_bits": sum(_weight_bits(layer.synapse) for layer in self.layers),
                "state_bits": sum(layer.population.n * layer.population.state_bits for layer in self.layers),
            },
            {
                "neurons": "Σ n",
                "synapses": "Σ fan-out of every input",
                "weight_bits": "Σ stored weights · bits, 16 with shadows; kernels once",
                "state_bits": "Σ n · state_bits",
            },
        )

    def with_weights(self, shadows: list[np.ndarray], seeds: np.ndarray) -> SpikingNet:
        """The same net with other shadows int16 [n_in, n_out] and random states: what learning returns."""
        layers = []
        for layer, shadow in zip(self.layers, shadows, strict=True):
            s = layer.synapse
            dense = Dense((shadow >> 8).astype(np.int16), s.bits, s.fraction, s.shift, shadow)
            layers.append(Layer(dense, layer.population))
        if self.plasticity is None:
            raise ArtifactError.of("plasticity", None, "a rule", "Give the net one.")
        return replace(self, layers=tuple(layers), plasticity=self.plasticity.with_seeds(seeds))

    def to_tensors(self) -> tuple[Tensors, Header]:
        """Arrays ``layer<i>.<part>.<field>`` and a JSON-able header."""
        tensors: Tensors = {}
        described: list[Header] = []
        for i, layer in enumerate(self.layers):
            entry: Header = {"synapse": {"type": layer.synapse.type}, "population": {}}
            for part in ("synapse", "population"):
                arrays, fields = getattr(layer, part).to_tensors()
                tensors |= {f"layer{i}.{part}.{name}": array for name, array in arrays.items()}
                entry[part] |= fields
            described.append(entry)
        header: Header = {
            "n_inputs": self.n_inputs, "steps": self.steps, "layers": described, "window": self.window,
            "step_us": float(self.step_us), "n_classes": self.n_classes, "meta": dict(self.meta),
        }  # fmt: skip
        if self.plasticity is not None:
            arrays, header["plasticity"] = self.plasticity.to_tensors()
            tensors |= {f"plasticity.{name}": array for name, array in arrays.items()}
        return tensors, header

    @classmethod
    def from_tensors(cls, tensors: Tensors, header: Header) -> Self:
        """Inverse of `to_tensors`; raises `ArtifactError` when a rule is broken."""
        layers = []
        for i, entry in enumerate(header["layers"]):
            fields = dict(entry["synapse"])
            if (known := SYNAPSES.get(fields.pop("type"))) is None:
                got = repr(entry["synapse"]["type"])
                raise ArtifactError.of(f"layer {i} synapse", got, f"one of {', '.join(SYNAPSES)}", "Update hwsim.")
            synapse = known.from_tensors(_under(tensors, f"layer{i}.synapse."), fields)
            population = Population.from_tensors(_under(tensors, f"layer{i}.population."), entry["population"])
            layers.append(Layer(synapse, population))
        plasticity = None
        if (rule := header.get("plasticity")) is not None:
            plasticity = Plasticity.from_tensors(_under(tensors, "plasticity."), rule)
        return cls(
            header["n_inputs"], header["steps"], tuple(layers), header["window"], plasticity, header["step_us"],
            header["n_classes"], dict(header["meta"]),
        )  # fmt: skip


def _weight_bits(synapse: Synapse) -> int:
    if isinstance(synapse, Pool):
        return 0
    if isinstance(synapse, Dense) and synapse.shadow is not None:
        return 16 * synapse.shadow.size
    return synapse.bits * (synapse.kernel if isinstance(synapse, Conv) else synapse.weights).size


def _under(tensors: Tensors, prefix: str) -> Tensors:
    return {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}


def _clocked(layer: Layer, x: np.ndarray) -> np.ndarray:
    """Arrivals uint8 [batch, steps, n], or the readout int64 [batch, n]."""
    current, population = layer.current(x), layer.population
    if population.kind == "readout":
        return current.sum(axis=1) + (population.bias.astype(np.int64) if len(population.bias) else 0)
    spikes = (layer.current(x != 0) > 0).astype(np.uint8) if population.kind == "pool" else population.run(current)[0]
    late = np.zeros_like(spikes)
    late[:, population.delay :] = spikes[:, : spikes.shape[1] - population.delay]
    return late


def _window(layer: Layer, times: np.ndarray, steps: int) -> np.ndarray:
    """Times int64 [batch, n] in the next window, or the readout int64 [batch, n]."""
    fired = times >= 0
    population = layer.population
    if population.kind == "pool":
        early = np.where(fired, times, steps)[:, :, None]
        member = layer.synapse.matrix()[None] > 0
        first = np.where(member, early, steps).min(axis=1)
        return np.where(first == steps, -1, first)
    if population.kind == "readout":
        bias = population.bias.astype(np.int64) if len(population.bias) else 0
        return layer.current(np.where(fired, 2 * steps - times, 0)) + bias
    return window_times(
        layer.current(fired), layer.current(np.where(fired, times, 0)), layer.synapse.fraction, steps
    )  # fmt: skip
