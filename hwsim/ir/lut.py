"""`lut_network`: layers of lookup tables (L-LUTs) over small integer codes, with optional adder layers.

The layers themselves stand in `hwsim.ir.lut_layers`. Specification and a worked example:
``docs/ir/lut_network.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from hwsim.ir.artifact import Artifact, Cost, Header, Tensors, register
from hwsim.ir.errors import ArtifactError, ShapeError, check_shape
from hwsim.ir.lut_layers import (
    MAX_ADDRESS_BITS,
    MAX_CODE_BITS,
    InputQuantiser,
    Layer,
    LutLayer,
    SumLayer,
    code_dtype,
    pack_codes,
    unpack_codes,
)

__all__ = ["InputQuantiser", "Layer", "LutLayer", "LutNetwork", "SumLayer", "code_dtype", "shannon_luts"]


@register
@dataclass(frozen=True, eq=False)
class LutNetwork(Artifact):
    """Feed-forward layers of L-LUTs and adders over integer codes.

    Attributes:
        n_inputs: number of network inputs.
        input_bits: width of every input code.
        layers: each reads the outputs of the one before it (the first: the inputs).
        input_quantiser: real features to input codes, or None when inputs are codes already.
        n_classes: > 0 when the class is the argmax of the last layer's codes (lowest index wins ties).
        signed_output: the last layer's codes are offset binary.
        meta: free-form strings (data set variant, encoder convention, training run).
    """

    kind: ClassVar[str] = "lut_network"
    spec_version: ClassVar[int] = 1

    n_inputs: int
    input_bits: int
    layers: tuple[Layer, ...]
    input_quantiser: InputQuantiser | None = None
    n_classes: int = 0
    signed_output: bool = False
    meta: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.validate()

    @property
    def n_outputs(self) -> int:
        return self.layers[-1].n_out

    @property
    def output_bits(self) -> int:
        return self.layers[-1].bits_out

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Signals between layers: inputs, then every layer's n_out."""
        return (self.n_inputs, *(layer.n_out for layer in self.layers))

    @cached_property
    def code_bits(self) -> tuple[int, ...]:
        """Code width of every signal group in `widths`."""
        return (self.input_bits, *(layer.bits_out for layer in self.layers))

    def validate(self) -> None:
        """Raise `ArtifactError` for any broken rule; runs on construction."""
        if self.n_inputs < 1 or not self.layers or not 1 <= self.input_bits <= MAX_CODE_BITS:
            raise ArtifactError.of(
                "lut_network",
                f"{self.n_inputs} inputs of {self.input_bits} bits, {len(self.layers)} layers",
                f"at least one input, one layer, 1..{MAX_CODE_BITS} bits",
                "Export the network again.",
            )
        n_in, bits = self.n_inputs, self.input_bits
        for i, layer in enumerate(self.layers):
            where = f"layer {i}"
            if layer.bits_in != bits:
                raise ArtifactError.of(
                    f"{where}: code widths do not match",
                    f"bits_in {layer.bits_in}",
                    f"{bits}, the width that {'the inputs have' if i == 0 else f'layer {i - 1} emits'}",
                    "Use one code width on both sides.",
                )
            layer.validate(where, n_in)
            n_in, bits = layer.n_out, layer.bits_out
        if self.n_classes not in (0, n_in):
            raise ArtifactError.of(
                "n_classes", self.n_classes, f"0 or the {n_in} outputs of the last layer", "Mend n_classes."
            )
        if self.input_quantiser is not None:
            if self.input_quantiser.bits != self.input_bits:
                raise ArtifactError.of(
                    "input_quantiser.bits", self.input_quantiser.bits, self.input_bits, "Use one input width."
                )
            self.input_quantiser.validate(self.n_inputs)

    def check_codes(self, codes: np.ndarray) -> np.ndarray:
        """`codes` as a checked array [batch, n_inputs] of the input code dtype.

        Raises:
            ShapeError: wrong shape, a float dtype, or a code out of range.
        """
        codes = np.asarray(codes)
        check_shape("codes", codes.shape, "[batch, n_inputs]", (None, self.n_inputs))
        top = (1 << self.input_bits) - 1
        if codes.dtype.kind not in "iub":
            raise ShapeError.of("codes dtype", codes.dtype, "an integer dtype", "Call quantise(x) for real features.")
        if codes.size and (int(codes.min()) < 0 or int(codes.max()) > top):
            raise ShapeError.of(
                "a code is out of range", f"{codes.min()}..{codes.max()}", f"0..{top}", "Call quantise(x) first."
            )
        return codes.astype(code_dtype(self.input_bits), copy=False)

    def quantise(self, x: np.ndarray) -> np.ndarray:
        """Input codes [batch, n_inputs] for real features [batch, n_inputs]."""
        if self.input_quantiser is None:
            raise ArtifactError.of(
                "the network has no input quantiser", "real features", "codes", "Quantise outside, or pass codes."
            )
        return self.input_quantiser.reference(x)

    def reference_layers(self, codes: np.ndarray) -> list[np.ndarray]:
        """Codes of every layer, in order, for checked input codes [batch, n_inputs]."""
        signal = self.check_codes(codes)
        out = []
        for layer in self.layers:
            signal = layer.reference(signal)
            out.append(signal)
        return out

    def reference(self, x: np.ndarray) -> np.ndarray:
        """Output codes [batch, n_outputs] for input codes [batch, n_inputs]."""
        return self.reference_layers(x)[-1]

    def classify(self, output_codes: np.ndarray) -> np.ndarray:
        """Class int64 [batch] = argmax of the output codes, lowest index on ties."""
        if not self.n_classes:
            raise ArtifactError.of("the network has no classes", "n_classes 0", "> 0", "Read the codes instead.")
        return np.asarray(output_codes).argmax(axis=1)

    def cost(self) -> Cost:
        """Lookups, adder terms, table bits and the closed-form LUT6 bound."""
        lookups = sum(layer.n_out for layer in self.layers if isinstance(layer, LutLayer))
        terms = sum(len(layer.sources) for layer in self.layers if isinstance(layer, SumLayer))
        bits = sum(layer.table.size * layer.bits_out for layer in self.layers if isinstance(layer, LutLayer))
        luts = sum(
            layer.n_out * layer.bits_out * shannon_luts(layer.address_bits)
            for layer in self.layers
            if isinstance(layer, LutLayer)
        )
        return Cost(
            {"lookups": lookups, "adder_terms": terms, "table_bits": bits, "lut6_bound": luts},
            {
                "lookups": "Σ n_out over LUT layers",
                "adder_terms": "Σ terms over sum layers",
                "table_bits": "Σ n_out · bits_out · 2^(bits_in·F)",
                "lut6_bound": "Σ n_out · bits_out · lut6(X), (2^(X−4) − (−1)^X)/3 for X > 5: LogicNets (FPL 2020)",
            },
        )

    def to_tensors(self) -> tuple[Tensors, Header]:
        """Arrays `layer<i>.<field>` (tables bit-packed) and a JSON-able header."""
        tensors: Tensors = {}
        described: list[Header] = []
        for i, layer in enumerate(self.layers):
            prefix = f"layer{i}."
            if isinstance(layer, LutLayer):
                tensors[prefix + "connections"] = layer.connections
                tensors[prefix + "table"] = pack_codes(layer.table, layer.bits_out)
                described.append({"type": "lut", "bits_in": layer.bits_in, "bits_out": layer.bits_out})
            else:
                for name in ("offsets", "sources", "bias"):
                    tensors[prefix + name] = getattr(layer, name)
                described.append({"type": "sum", "bits_in": layer.bits_in, "lo": layer.lo, "hi": layer.hi})
        header: Header = {
            "n_inputs": self.n_inputs,
            "input_bits": self.input_bits,
            "layers": described,
            "n_classes": self.n_classes,
            "signed_output": self.signed_output,
            "meta": dict(self.meta),
        }
        if (quantiser := self.input_quantiser) is not None:
            tensors["input.gain"], tensors["input.offset"] = quantiser.gain, quantiser.offset
            header["input_quantiser"] = {"bits": quantiser.bits, "signed": quantiser.signed}
        return tensors, header

    @classmethod
    def from_tensors(cls, tensors: Tensors, header: Header) -> Self:
        """Inverse of `to_tensors`; raises `ArtifactError` when a rule is broken."""
        layers = tuple(_layer_from(i, spec, tensors) for i, spec in enumerate(header["layers"]))
        quantiser = None
        if (spec := header.get("input_quantiser")) is not None:
            quantiser = InputQuantiser(tensors["input.gain"], tensors["input.offset"], spec["bits"], spec["signed"])
        return cls(
            header["n_inputs"],
            header["input_bits"],
            layers,
            quantiser,
            header["n_classes"],
            header["signed_output"],
            dict(header["meta"]),
        )


def shannon_luts(address_bits: int) -> int:
    """LUT6 count of a Shannon tree for one output bit of `address_bits` inputs.

    (2^(X−4) − (−1)^X)/3 for X > 5, else 1 (LogicNets' cost model, FPL 2020).
    """
    if address_bits <= 6:
        return 1
    return ((1 << (address_bits - 4)) - (-1) ** address_bits) // 3


def _layer_from(i: int, spec: Header, tensors: Tensors) -> Layer:
    prefix = f"layer{i}."
    if spec["type"] == "sum":
        arrays = [tensors[prefix + name] for name in ("offsets", "sources", "bias")]
        return SumLayer(arrays[0], arrays[1], arrays[2], spec["lo"], spec["hi"], spec["bits_in"])
    if spec["type"] != "lut":
        raise ArtifactError.of(f"layer {i} type", repr(spec["type"]), "'lut' or 'sum'", "Update hwsim.")
    connections, packed = tensors[prefix + "connections"], tensors[prefix + "table"]
    address_bits = spec["bits_in"] * connections.shape[-1]
    if not 1 <= address_bits <= MAX_ADDRESS_BITS or not 1 <= spec["bits_out"] <= MAX_CODE_BITS:
        raise ArtifactError.of(
            f"layer {i} widths",
            f"address {address_bits}, output {spec['bits_out']} bits",
            f"at most {MAX_ADDRESS_BITS} and {MAX_CODE_BITS}",
            "Export the network again.",
        )
    expected = (len(connections), ((1 << address_bits) * spec["bits_out"] + 7) // 8)
    if packed.dtype != np.uint8 or packed.shape != expected:
        raise ArtifactError.of(
            f"layer {i} packed table has the wrong length",
            f"{packed.dtype} {list(packed.shape)}",
            f"uint8 {list(expected)}",
            "Export the network again.",
        )
    table = unpack_codes(packed, 1 << address_bits, spec["bits_out"])
    return LutLayer(connections, table, spec["bits_in"], spec["bits_out"])
