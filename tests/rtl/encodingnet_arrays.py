"""Small arrays chosen to reach every branch of the generator, and reference folds."""

from __future__ import annotations

import numpy as np

from hwsim.encodingnet.array_values import simulate
from hwsim.encodingnet.encodings import booth, exact, truncated
from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.encoding import Encoding
from hwsim.ir.gates import GateNetlist


def gates(seed: int = 5) -> Encoding:
    """Gates of two to three inputs over three and four bits, with weights, bias and T(0, 0) of both signs."""
    rng, n_inputs, nodes = np.random.default_rng(seed), 7, 12
    sizes = rng.integers(2, 4, nodes)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    fan_in = np.concatenate([rng.integers(0, n_inputs + i, size) for i, size in enumerate(sizes)]).astype(np.int32)
    tables = np.array([rng.integers(0, 1 << (1 << size)) for size in sizes], np.uint64)
    outputs = np.concatenate([[-2, -1, 0, 3], n_inputs + rng.integers(0, nodes, 6)]).astype(np.int32)
    netlist = GateNetlist(n_inputs, offsets, fan_in, tables, outputs)
    return Encoding(netlist, 3, 4, rng.integers(-90, 90, 10), -37, 0, True, False)


SMALL = {
    "systolic": (exact(4, 4), EncodingnetArch(5, 3, style="systolic")),
    "systolic unsigned": (exact(3, 5, False, True), EncodingnetArch(2, 4, style="systolic", cuts=("product",))),
    "one cell": (exact(2, 2), EncodingnetArch(1, 1, style="systolic")),
    "fused": (
        booth(4, 4),
        EncodingnetArch(4, 3, style="systolic", mac="fused", recode=("w",), cuts=("product",), adder="ripple"),
    ),
    "exact heap": (exact(4, 4), EncodingnetArch(5, 3, style="heap")),
    "booth heap": (
        booth(4, 4), EncodingnetArch(6, 2, style="heap", recode=("w", "x"), cuts=("rows", "encoder"), adder="ripple"),
    ),
    "truncated heap": (truncated(4, 4, 2), EncodingnetArch(4, 4, style="heap", output_bits=20)),
    "encoded popcount": (gates(), EncodingnetArch(7, 3)),
    "encoded popcount, no cut": (gates(6), EncodingnetArch(3, 5, cuts=())),
    "encoded popcount, all cuts": (gates(7), EncodingnetArch(6, 1, cuts=("rows", "encoder", "counts"), recode=("x",))),
    "encoded heap": (gates(8), EncodingnetArch(3, 2, style="heap", recode=("w",))),
}  # fmt: skip

EIGHT = {
    "systolic": (exact(8, 8), EncodingnetArch(4, 4, style="systolic")),
    "exact heap": (exact(8, 8), EncodingnetArch(4, 2, style="heap")),
    "booth heap": (booth(8, 8), EncodingnetArch(4, 2, style="heap", recode=("w",), cuts=("rows",))),
    "truncated heap": (truncated(8, 8, 6), EncodingnetArch(4, 2, style="heap")),
    "encoded popcount": (truncated(8, 8, 5), EncodingnetArch(4, 2)),
}


def draw(encoding: Encoding, rng: np.random.Generator, t: int, k: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Random operands x [t, k], w [n, k]."""
    (x_low, x_high), (w_low, w_high) = encoding.x_range, encoding.w_range
    return rng.integers(x_low, x_high + 1, (t, k)), rng.integers(w_low, w_high + 1, (n, k))


def model(encoding: Encoding, arch: EncodingnetArch, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, int]:
    """Sums as the hardware gives them, unused rows included, and cycles of one fold, by the array model."""
    run = simulate(x, w, encoding, arch, toggles="none")
    return run.outputs + arch.padding(encoding, x.shape[1]), run.cycles
