"""Network shapes: the paper's models and this project's variants (paper table I and II).

β bits a code, F fan-in, N width, L depth, S skip step; β0, F0 override the first layer's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hwsim.ir.errors import UsageError
from ml.common.quant import QuantSpec

INPUT_THRESHOLD, HIDDEN_THRESHOLD, OUTPUT_THRESHOLD = 1.0, 1.61, 1.33  # learned; the paper code's start values
ONE_BIT_THRESHOLD = 2.0  # the straight-through window of a one-bit code spans ±1 standard deviation
INPUT_OFFSET, OUTPUT_OFFSET, OUTPUT_WEIGHT = -0.25, 0.33, 1.0
KINDS = ("neuralut", "logicnets", "polylut")
MASKS = ("random", "group")


@dataclass(frozen=True)
class LayerConfig:
    """One layer of L-LUTs.

    kind: "neuralut" (sub-network), "logicnets" (L=1: dot product) or "polylut" (monomials up to `degree`).
    signed: identity with a signed quantiser instead of ReLU with an unsigned one.
    mask: "random" (sorted random choice) or "group" (contiguous inputs, for assembled trees).
    """

    n_out: int
    fan_in: int
    bits: int
    kind: str = "neuralut"
    width: int = 16
    depth: int = 4
    skip: int = 2
    degree: int = 2
    signed: bool = False
    mask: str = "random"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError.of("unknown neuron kind", repr(self.kind), f"one of {KINDS}", "Change the configuration.")
        if self.mask not in MASKS:
            raise UsageError.of("unknown mask", repr(self.mask), f"one of {MASKS}", "Change the configuration.")


@dataclass(frozen=True)
class NetConfig:
    """A network of L-LUT layers; the last layer has one L-LUT a class and a signed quantiser.

    votes: 0, or the number of one-bit L-LUTs a class has in the last layer; adders count them.
    input_top: 0 for the learned input quantiser; else features are integers 0..input_top and the input code is
    their leading `input_bits` bits: wires of the sensor's word, an encoder without any gate.

    Raises:
        UsageError: a table address wider than 16 bits, or a fan-in beyond the layer's inputs.
    """

    name: str
    n_in: int
    input_bits: int
    layers: tuple[LayerConfig, ...]
    input_top: int = 0
    votes: int = 0

    def __post_init__(self) -> None:
        n_in, bits = self.n_in, self.input_bits
        for i, layer in enumerate(self.layers):
            if bits * layer.fan_in > 16:
                raise UsageError.of(
                    f"layer {i}: table address too wide", f"{bits}·{layer.fan_in} bits", "β·F ≤ 16", "Lower β or F."
                )
            if layer.fan_in > n_in:
                raise UsageError.of(
                    f"layer {i}: fan-in beyond its inputs", layer.fan_in, f"at most {n_in}", "Lower F or widen."
                )
            if layer.mask == "group" and layer.fan_in * layer.n_out != n_in:
                raise UsageError.of(
                    f"layer {i}: groups do not cover the inputs",
                    f"{layer.n_out}·{layer.fan_in}",
                    n_in,
                    "Change widths.",
                )
            n_in, bits = layer.n_out, layer.bits
        if self.votes and (bits != 1 or n_in % self.votes):
            raise UsageError.of(
                "votes do not fit the last layer",
                f"{n_in} L-LUTs of {bits} bits, {self.votes} votes a class",
                "one-bit L-LUTs, a multiple of the votes",
                "Change votes or the last layer.",
            )

    @property
    def classes(self) -> int:
        return self.layers[-1].n_out // max(self.votes, 1)

    def input_spec(self) -> QuantSpec:
        return QuantSpec(self.input_bits, True, INPUT_THRESHOLD)

    def output_spec(self, index: int) -> QuantSpec:
        """Quantiser after layer `index`."""
        layer = self.layers[index]
        if index == len(self.layers) - 1:
            if self.votes:
                return QuantSpec(1, True, ONE_BIT_THRESHOLD)
            return QuantSpec(layer.bits, True, OUTPUT_THRESHOLD)
        if layer.bits == 1:
            return QuantSpec(1, layer.signed, ONE_BIT_THRESHOLD)
        return QuantSpec(layer.bits, layer.signed, INPUT_THRESHOLD if layer.signed else HIDDEN_THRESHOLD)

    def as_kind(self, kind: str, degree: int = 2) -> NetConfig:
        """The same tables with another function inside them."""
        layers = tuple(replace(layer, kind=kind, degree=degree) for layer in self.layers)
        return replace(self, name=f"{self.name}-{kind}" if kind != "neuralut" else self.name, layers=layers)

    def scaled(self, factor: float) -> NetConfig:
        """Hidden layers `factor` times as wide (at least as wide as the next layer's fan-in)."""
        hidden = tuple(
            replace(layer, n_out=max(round(layer.n_out * factor), after.fan_in))
            for layer, after in zip(self.layers, self.layers[1:], strict=False)
        )
        return replace(self, name=f"{self.name}-x{factor:g}", layers=(*hidden, self.layers[-1]))


@dataclass(frozen=True)
class OneInputConfig:
    """Shape: `widths` of the layers after the inputs, `bits` of the signals (inputs first), sub-network width.

    keep: share of the edges that is left after pruning.

    Raises:
        UsageError: sizes that do not fit together.
    """

    name: str
    n_in: int
    widths: tuple[int, ...]
    bits: tuple[int, ...]
    width: int = 8
    keep: float = 1.0

    def __post_init__(self) -> None:
        if len(self.bits) != len(self.widths) + 1 or not 0 < self.keep <= 1:
            raise UsageError.of(
                "one-input network",
                f"{len(self.bits)} bit widths, keep {self.keep}",
                f"{len(self.widths) + 1} bit widths, keep in (0, 1]",
                "Change the configuration.",
            )


def _uniform(name: str, n_in: int, widths: tuple[int, ...], bits: int, fan_in: int, width: int) -> NetConfig:
    return NetConfig(name, n_in, bits, tuple(LayerConfig(n, fan_in, bits, width=width) for n in widths))


def _jsc5l() -> NetConfig:
    base = _uniform("jsc5l", 16, (128, 128, 128, 64, 5), 4, 3, 16)
    return replace(base, input_bits=7, layers=(replace(base.layers[0], fan_in=2), *base.layers[1:]))


def _tree(name: str, widths: tuple[int, ...], fan_ins: tuple[int, ...], groups: str, out_bits: int) -> NetConfig:
    """One-bit L-LUTs with one hidden layer and a linear residual (NeuraLUT-Assemble): a table is a LUT6.

    `groups` has one letter a layer: "m" a free mask, "g" an assembly layer over contiguous inputs.
    """
    layers = tuple(
        LayerConfig(
            n,
            f,
            out_bits if i == len(widths) - 1 else 1,
            width=16,
            depth=2,
            skip=2,
            signed=g == "g",
            mask="group" if g == "g" else "random",
        )
        for i, (n, f, g) in enumerate(zip(widths, fan_ins, groups, strict=True))
    )
    return NetConfig(name, 784, 1, layers, input_top=255)


def _votes(name: str, widths: tuple[int, ...], fan_in: int = 6, width: int = 16) -> NetConfig:
    """One-bit L-LUTs of six inputs with free masks; the last layer's bits are counted class by class."""
    layers = tuple(LayerConfig(n, fan_in, 1, width=width, depth=2, skip=2) for n in widths)
    return NetConfig(name, 784, 1, layers, input_top=255, votes=widths[-1] // 10)


def one_input_configs() -> dict[str, OneInputConfig]:
    """All named shapes of one-input tables and adders."""
    nets = [OneInputConfig("edges-jsc", 16, (8, 5), (6, 6, 8), keep=0.6)]
    return {net.name: net for net in nets}


def configs() -> dict[str, NetConfig]:
    """All named shapes of L-LUT networks."""
    nets = [
        _uniform("hdr5l", 784, (256, 100, 100, 100, 10), 2, 6, 16),
        _uniform("hdr3l", 784, (256, 100, 10), 2, 6, 16),  # the curve against LogicNets also varies depth
        _uniform("jsc2l", 16, (32, 5), 4, 3, 8),
        _jsc5l(),
        _uniform("digits", 64, (128, 64, 10), 2, 6, 16),
        _uniform("digits_f4", 64, (96, 32, 10), 2, 4, 8),  # 8-bit addresses: small enough to place in seconds
        _votes("votes-240", (160, 80)),
        _votes("votes-450", (300, 150)),
        _votes("votes-450-f8", (300, 150), fan_in=8),
        _votes("votes-900", (600, 300)),
        _votes("votes-1200-l3", (500, 500, 200)),
        _votes("votes-1800", (1200, 600)),
        _votes("votes-2400", (1600, 800)),
        _votes("votes-2000", (2000,)),
        _tree("tree-5100", (2160, 360, 2160, 360, 60, 10), (6,) * 6, "mgmggg", 6),
        _tree("tree-2610", (1080, 180, 1080, 180, 30, 10), (6, 6, 6, 6, 6, 3), "mgmggg", 6),
        _tree("tree-1320", (540, 90, 540, 90, 30, 10), (6, 6, 6, 6, 3, 3), "mgmggg", 6),
    ]
    return {net.name: net for net in nets}


def named(name: str) -> NetConfig:
    """The shape called `name`.

    Raises:
        UsageError: no such shape.
    """
    known = configs()
    if name not in known:
        names = ", ".join((*known, *one_input_configs()))
        raise UsageError.of("unknown network", repr(name), f"one of {names}", "Change --config.")
    return known[name]
