"""Reading ONNX protobufs: nodes, constants and shapes as plain Python. Imports onnx only when called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hwsim.ir.errors import ArtifactError, UsageError


@dataclass(frozen=True)
class Node:
    """One node: operator, name, tensor names, attributes."""

    op: str
    name: str
    inputs: tuple[str, ...]
    output: str
    options: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.op} {self.name!r}"


def read(model: Any) -> Any:
    """An ``onnx.ModelProto`` from a path, bytes or itself.

    Raises:
        UsageError: onnx is not installed.
        ArtifactError: not an ONNX model, or not one output.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise UsageError.of("package onnx", "not installed", "onnx", "pip install 'hwsim[onnx]'") from error
    if isinstance(model, str | bytes):
        try:
            model = onnx.load_model_from_string(model) if isinstance(model, bytes) else onnx.load(model)
        except (DecodeError, OSError) as error:
            raise ArtifactError.of("ONNX model", error, "a readable .onnx file", "Export it again.") from error
    if len(model.graph.output) != 1:
        raise ArtifactError.of("outputs of the ONNX model", len(model.graph.output), 1, "Export one output.")
    return model


def constants_of(model: Any) -> dict[str, np.ndarray]:
    """Initialisers and the values of Constant nodes by tensor name."""
    from onnx import numpy_helper

    found = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            found[node.output[0]] = np.asarray(_attributes(node).get("value", next(iter(_attributes(node).values()))))
    return found


def nodes_of(model: Any) -> list[Node]:
    """All nodes but constants, in order; unnamed ones are called by their output."""
    return [
        Node(n.op_type, n.name or n.output[0], tuple(n.input), n.output[0], _attributes(n))
        for n in model.graph.node
        if n.op_type != "Constant"
    ]


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import TensorProto, helper, numpy_helper

    found = {}
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if isinstance(value, TensorProto):
            value = numpy_helper.to_array(value)
        found[attribute.name] = value.decode() if isinstance(value, bytes) else value
    return found


def shape_of(value: Any) -> tuple[int, ...]:
    """Shape of a graph input without the batch.

    Raises:
        ArtifactError: a size other than the batch is not fixed.
    """
    sizes = [d.dim_value for d in value.type.tensor_type.shape.dim]
    if len(sizes) < 2 or min(sizes[1:]) < 1:
        raise ArtifactError.of(f"shape of input {value.name!r}", sizes, "[batch, fixed sizes …]", "Export fixed sizes.")
    return tuple(sizes[1:])
