"""What one column is made of: where gates live, and its compressor trees. Read by the cycle model and by the RTL.

| style | trees |
|---|---|
| popcount | `counter` adds the R bits of one wide bit; `tree` adds all counts times position weights and R·bias |
| heap | `tree` adds the R·M wide bits times position weights and R·bias |
| systolic, fused | `tree` adds one cell's M wide bits times position weights, bias and partial sum |
| systolic, plain | none |

`final` adds the two rows that `tree` leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.ir.arch.encodingnet import EncodingnetArch
from hwsim.ir.arch.encodingnet_cells import CellPlan, plan
from hwsim.ir.compressor import ONE_BIT, CompressorTree, tree
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import ArtifactError


@dataclass(frozen=True, eq=False)
class ColumnPlan:
    """Parts of a column.

    Attributes:
        cells: gates by place.
        width: W, bits of the sum.
        tree: signals: popcount k·`count_bits` + i is bit i of count k; heap r·M + k is wide bit k of row r; systolic
            M wide bits, then W bits of the partial sum. None for plain systolic cells.
        final: signals: bit p of the first row is p, of the second W + p.
        counter: signals: row r. None but for popcount.
    """

    cells: CellPlan
    width: int
    tree: CompressorTree | None = None
    final: CompressorTree | None = None
    counter: CompressorTree | None = None

    @property
    def count_bits(self) -> int:
        """Bits of a counter, ⌈log2(R + 1)⌉."""
        return self.counter.width if self.counter else 0


def column_plan(encoding: Encoding, arch: EncodingnetArch) -> ColumnPlan:
    """The column of an encoding on an array.

    Raises:
        ArtifactError: an encoding whose bits read none of one operand, or inexact with plain systolic cells.
        UsageError: a sum that does not fit `arch.output_bits`.
    """
    arch.check(encoding)
    width, weights = arch.width(encoding), encoding.position_weights.tolist()
    a, inputs = encoding.x_bits, encoding.gates.n_inputs
    if arch.style == "systolic" and arch.mac == "plain":
        return ColumnPlan(CellPlan(tuple(range(a)), tuple(range(a, inputs)), (), (), ()), width)
    cells = plan(encoding, arch.recode)
    if not cells.x_code or not cells.w_code:
        side = "w" if cells.x_code else "x"
        raise ArtifactError.of("wide bits of the encoding", f"none reads {side}", "both operands read", "Search anew.")
    counter = None
    if arch.style == "popcount":
        counter = tree([1] * arch.rows, 0, arch.rows.bit_length(), scheme="counter")
        terms = [s << i for s in weights for i in range(counter.width)]
        heap = tree(terms, arch.rows * encoding.bias, width)
    elif arch.style == "heap":
        heap = tree(weights * arch.rows, arch.rows * encoding.bias, width)
    else:
        heap = tree(weights + [1 << p for p in range(width)], encoding.bias, width)
    return ColumnPlan(cells, width, heap, _adder(heap), counter)


def _adder(heap: CompressorTree) -> CompressorTree:
    """Ripple of full adders over the two rows of a heap, their constants joined."""
    weights = [int(signal >= 0) << p for row in heap.rows for p, signal in enumerate(row.tolist())]
    constant = sum(1 << p for row in heap.rows for p, signal in enumerate(row.tolist()) if signal == ONE_BIT)
    return tree(weights, constant, heap.width, scheme="counter")
