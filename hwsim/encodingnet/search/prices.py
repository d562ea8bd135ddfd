"""What a wide bit costs in hardware: a cheap stand-in for synthesis, so that a search can weigh error against it.

    area  = encoder gate + adders of its heap bits (N bits need N − 2W full adders) + counter registers if ≥ 2 digits
    power ∝ activity,  Σ_w p(w)·p_w·(1 − p_w),  p_w = E_x[b | w]: the weight stays, only x streams past it

Areas in NAND2 units of Nangate45 (EncodingNet's table 1 for gates; full adder 4.256 µm² / 0.798 µm² = 5.3, flip-flop
4.522 µm² / 0.798 µm² = 5.7).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwsim.encodingnet.operands import checked_distribution
from hwsim.encodingnet.search.dictionary import Block, Dictionary
from hwsim.encodingnet.truth import bit_tables
from hwsim.ir.encoding import Encoding, signed_digits

FULL_ADDER, FLIP_FLOP = 5.3, 5.7
GATE_AREA = {1: 0.0, 2: 4 / 3, 3: 2.3, 4: 3.3, 5: 4.5, 6: 5.5}  # by inputs; XOR-like ones cost about one more


@dataclass(frozen=True)
class Proxy:
    """Estimated cost of one row of a column.

    Attributes:
        moving_bits: wide bits that depend on x.
        heap_bits: their signed digits: full adders a row, to first order.
        area: NAND2 units a row: gates of x, adders, registers of x and of what is stored of w, and the counters' share
            where weights have two digits or more.
        activity: Σ over heap bits of E_w[p_w(1 − p_w)]; a toggle rate is twice that for independent x.
    """

    moving_bits: int
    heap_bits: int
    area: float
    activity: float


def proxy_cost(encoding: Encoding, p_x: np.ndarray | None = None, p_w: np.ndarray | None = None) -> Proxy:
    """Proxy of an encoding with stationary weights; bits of w alone are constants and cost nothing.

    Args:
        p_x, p_w: operand distributions [2^a], [2^b]; None for uniform.
    """
    px, pw = checked_distribution(p_x, encoding.x_bits, "x"), checked_distribution(p_w, encoding.w_bits, "w")
    bits = bit_tables(encoding)
    moving = (bits != bits[:, :1, :]).any(axis=(1, 2))
    mean = np.tensordot(px, bits, (0, 1))  # [M, 2^b]
    activity = (mean * (1 - mean)) @ pw
    digits = np.array([signed_digits(int(s)) for s in encoding.position_weights])
    x_bits = [i for i in range(encoding.x_bits) if _reads(bits[moving], 0, i)]
    area = FULL_ADDER * float(digits[moving].sum()) + FLIP_FLOP * (len(x_bits) + _stored(encoding))
    if (digits[moving] > 1).any():
        area += FLIP_FLOP * 7 * float(moving.sum()) / 64
    gates = encoding.gates
    for i in np.flatnonzero(_reads_x(encoding)[gates.n_inputs :]):
        area += GATE_AREA[int(gates.offsets[i + 1] - gates.offsets[i])]
    return Proxy(int(moving.sum()), int(digits[moving].sum()), area, float((activity * digits)[moving].sum()))


def _reads(bits: np.ndarray, side: int, i: int) -> bool:
    """Whether any bit table [M, 2^a, 2^b] depends on bit i of x (side 0) or w (side 1)."""
    other = np.arange(bits.shape[1 + side]) ^ (1 << i)
    return bool((bits != np.take(bits, other, 1 + side)).any())


def _stored(encoding: Encoding) -> int:
    """Registers of a stationary weight: signals of w alone that gates of x read."""
    gates, reads_x = encoding.gates, _reads_x(encoding)
    read: set[int] = set()
    for i in np.flatnonzero(reads_x[gates.n_inputs :]):
        sources = gates.fan_in[gates.offsets[i] : gates.offsets[i + 1]]
        read |= {int(s) for s in sources if not reads_x[s]}
    return len(read)


def _reads_x(encoding: Encoding) -> np.ndarray:
    """bool [n_inputs + n_nodes]: signals that depend on x."""
    gates = encoding.gates
    reads = np.zeros(gates.n_inputs + gates.n_nodes, bool)
    reads[: encoding.x_bits] = True
    for i in range(gates.n_nodes):
        reads[gates.n_inputs + i] = reads[gates.fan_in[gates.offsets[i] : gates.offsets[i + 1]]].any()
    return reads


def atom_area(atoms: Dictionary) -> np.ndarray:
    """float64 [n_atoms]: encoder gate and one heap bit of each atom, NAND2 units; atoms of w alone cost nothing."""
    areas = []
    for block in atoms.blocks:
        area = np.full(len(block.inputs), GATE_AREA[block.inputs.shape[1]] + FULL_ADDER)
        area[(block.inputs >= atoms.x_bits).all(axis=1)] = 0.0
        areas.append(area if block.paired else np.repeat(area, len(block.tables)))
    return np.concatenate(areas)


def atom_activity(atoms: Dictionary, p_x: np.ndarray, p_w: np.ndarray) -> np.ndarray:
    """float64 [n_atoms]: E_w[p_w(1 − p_w)] of each atom."""
    mean = atoms.products(np.outer(p_x, p_w).ravel())
    return np.maximum(mean - conditional_squares(atoms, p_x, p_w), 0.0)


def conditional_squares(atoms: Dictionary, p_x: np.ndarray, p_w: np.ndarray) -> np.ndarray:
    """float64 [n_atoms]: Σ_w p(w)·E_x[b | w]²."""
    return np.concatenate([_block_squares(block, atoms, p_x, p_w) for block in atoms.blocks])


def _block_squares(block: Block, atoms: Dictionary, p_x: np.ndarray, p_w: np.ndarray) -> np.ndarray:
    k = block.inputs.shape[1]
    shift = np.arange(1 << k, dtype=np.uint64)
    functions = ((block.tables[:, None] >> shift) & np.uint64(1)).astype(np.float64)
    out = []
    for s, inputs in enumerate(block.inputs):
        n_x = int((inputs < atoms.x_bits).sum())  # inputs are sorted: those of x are the low address bits
        q_x = _marginal(p_x, inputs[:n_x])
        q_w = _marginal(p_w, inputs[n_x:] - atoms.x_bits)
        f = functions[s : s + 1] if block.paired else functions
        mean = f.reshape(len(f), 1 << (k - n_x), 1 << n_x) @ q_x
        out.append(mean**2 @ q_w)
    return np.concatenate(out)


def _marginal(p: np.ndarray, places: np.ndarray) -> np.ndarray:
    """P of the joint values of some bits of a code, [2^len(places)]."""
    pattern, address = np.arange(len(p)), np.zeros(len(p), np.int64)
    for j, place in enumerate(places):
        address |= ((pattern >> place) & 1) << j
    return np.bincount(address, weights=p, minlength=1 << len(places))
