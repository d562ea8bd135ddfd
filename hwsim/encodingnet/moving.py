"""What a column must add at run time, and what it need not: stationary constants and the polarity of the bits.

A weight stays in its cell while activations stream through, so bias and wide bits of w alone are constants of the
output: they belong into the bias that its accumulator starts from, not into the column,

    Σ_r v̂(x_r, w_r) = Σ_r m(x_r, w_r) + Σ_r c(w_r),     m = moving part, c = `Encoding.stationary_sums`.

A heap may also add complements: Σ s_k·¬b_k = Σ s_k − Σ s_k·b_k needs NAND where m needs AND, and the sum is subtracted
from a constant. Both are rewritings of a network that leave every output as it is.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from hwsim.encodingnet.gatebuilder import NOT, GateBuilder, copy_gates
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import ArtifactError
from hwsim.ir.gates import GateNetlist
from hwsim.ir.mac import EncodedMac
from hwsim.ir.mac_ops import Conv, Linear, MatMul, Op


def moving(encoding: Encoding, *, complement: bool = False) -> Encoding:
    """The wide bits that an activation can change, without bias; complemented bits of the same weights if asked for.

    The product of the result is m(x, w), or Σ s_k − m(x, w).

    Raises:
        ArtifactError: no wide bit reads an activation.

    Example:
        >>> from hwsim.encodingnet.recoded import recoded
        >>> e = recoded(4, 4)
        >>> e.n_bits, moving(e).n_bits
        (12, 10)
    """
    keep = ~encoding.stationary
    if not keep.any():
        raise ArtifactError.of("encoding", "no wide bit that reads an activation", "at least one", "Search anew.")
    outputs = encoding.gates.outputs[keep]
    gates = dataclasses.replace(encoding.gates, outputs=outputs, output_names=())
    meta = {**encoding.meta, "part": "moving, complemented" if complement else "moving"}
    part = dataclasses.replace(
        encoding, gates=gates, position_weights=encoding.position_weights[keep], bias=0, meta=meta
    )
    return dataclasses.replace(part, gates=_complemented(gates)) if complement else part


def with_constants_folded(network: EncodedMac, *, complement: bool = False) -> EncodedMac:
    """The same network on moving parts: constants of stationary weights stand in the biases of their outputs.

    Products of two activations (`MatMul`) have no stationary side; they keep their encodings, behind the parts.

    Args:
        complement: columns add complemented bits, and requantisation subtracts.
    """
    parts = tuple(moving(e, complement=complement) for e in network.encodings)
    whole = network.encodings if any(isinstance(op, MatMul) for op in network.ops) else ()
    ops = tuple(_folded(op, network.encodings, complement) for op in network.ops)
    return dataclasses.replace(network, encodings=parts + whole, ops=ops)


def _folded(op: Op, encodings: tuple[Encoding, ...], complement: bool) -> Op:
    """The op for sums of moving parts."""
    if isinstance(op, MatMul):
        return dataclasses.replace(op, encoding=op.encoding + len(encodings))
    if not isinstance(op, Linear | Conv):
        return op
    encoding = encodings[op.encoding]
    bias = op.bias + encoding.stationary_sums(op.weights).reshape(len(op.weights), -1).sum(axis=1)
    if not complement:
        return dataclasses.replace(op, bias=bias)
    whole = int(encoding.position_weights[~encoding.stationary].sum()) * (op.weights.size // len(op.weights))
    return dataclasses.replace(op, bias=-(bias + whole), requant=dataclasses.replace(op.requant, mult=-op.requant.mult))


def _complemented(gates: GateNetlist) -> GateNetlist:
    """The gates with complemented outputs; an output that is an input gets an inverter."""
    builder = GateBuilder(gates.n_inputs)
    everything = np.arange(gates.n_inputs + gates.n_nodes, dtype=np.int32)
    signal = copy_gates(builder, dataclasses.replace(gates, outputs=everything, output_names=()))
    outputs = []
    for o in gates.outputs.tolist():
        node = o - gates.n_inputs
        if node < 0:
            outputs.append(builder.gate(NOT, signal[o]))
            continue
        sources = gates.fan_in[gates.offsets[node] : gates.offsets[node + 1]].tolist()
        ones = (1 << (1 << len(sources))) - 1
        outputs.append(builder.gate(int(gates.tables[node]) ^ ones, *(signal[q] for q in sources)))
    return builder.build(outputs)
