"""Cycle model of the Hamming scorer, equal bit for bit and cycle for cycle to `rtl.semsearch`.

Values: distance of every document, the k nearest by (distance, number). Cycles: `HammingArch.cycles`. Energy: toggled
bits of what the data path holds, counted over the beats in order, at the prices of the encoded-MAC array
(`hwsim/tech/sky130hd.toml`), so that both hand-overs are priced alike:

| event | what toggles |
|---|---|
| gate_toggles | outputs of the XOR gates |
| adder_toggles | sum bits of every adder of the tree and of the document's sum |
| register_toggles | XOR register, tree registers, distance register |
| clocked_bits | every register bit, every cycle: no clock gating |
| sram_read_bytes | documents and query, read once |

Not modelled: the k comparators and the moves of the sorted places (they change for few documents), glitches, wires.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numba import njit

from hwsim.core.counters import Counters
from hwsim.core.energy import Energy, energy_of
from hwsim.core.result import SimResult
from hwsim.ir.arch.semsearch import HammingArch
from hwsim.ir.errors import UsageError

TECH = "sky130hd"
EVENTS = {
    "gate_toggles": "gate_toggle", "adder_toggles": "adder_toggle", "register_toggles": "register_toggle",
    "clocked_bits": "register_clock", "sram_read_bytes": "sram_byte",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class ScanResult(SimResult):
    """Nearest documents of every query; `outputs` are their numbers int64 [queries, ≤ k], nearest first.

    Attributes:
        distances: int64 [queries, ≤ k].
        query_cycles: of one query; `cycles` is the sum, queries run one after the other.
    """

    distances: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    query_cycles: int = 0


@njit(cache=True, nogil=True)
def _ones(x: np.uint64) -> np.int64:
    x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True, nogil=True)
def _scan_kernel(queries, documents, k, distances, numbers):
    """Sorted insertion of every document: a new one goes behind equal distances."""
    for q in range(len(queries)):
        held = 0
        for n in range(len(documents)):
            d = np.int64(0)
            for w in range(documents.shape[1]):
                d += _ones(queries[q, w] ^ documents[n, w])
            if held == k and d >= distances[q, k - 1]:
                continue
            i = held if held < k else k - 1
            held = min(held + 1, k)
            while i > 0 and distances[q, i - 1] > d:
                distances[q, i], numbers[q, i] = distances[q, i - 1], numbers[q, i - 1]
                i -= 1
            distances[q, i], numbers[q, i] = d, n


@njit(cache=True, nogil=True)
def _toggle_kernel(query, documents, words, every, counts):
    """Toggles of one run: XOR outputs, adder sums, registers. Codes 0/1 [beats, W], the query's beats first in turn."""
    width = documents.shape[1]
    old = np.zeros(2 * width, np.int64)  # XOR outputs, then the sums level by level
    new = np.zeros(2 * width, np.int64)
    total, distance = np.int64(0), np.int64(0)
    for t in range(len(documents)):
        for j in range(width):
            new[j] = documents[t, j] ^ query[t % words, j]
            flipped = new[j] ^ old[j]
            counts[0] += flipped
            counts[2] += flipped
        start, size, at, level = 0, width, width, 0
        while size > 1:
            level += 1
            stored = every > 0 and level % every == 0
            for j in range((size + 1) // 2):
                left = new[start + 2 * j]
                paired = 2 * j + 1 < size
                new[at + j] = left + new[start + 2 * j + 1] if paired else left
                flipped = _ones(np.uint64(new[at + j] ^ old[at + j]))
                if paired:
                    counts[1] += flipped
                if stored:
                    counts[2] += flipped
            start, at = at, at + (size + 1) // 2
            size = (size + 1) // 2
        before = total if t % words else np.int64(0)
        grown = before + new[start]
        counts[1] += _ones(np.uint64(grown ^ distance))
        counts[2] += _ones(np.uint64(grown ^ distance))
        total, distance = grown, grown
        old[:] = new


def register_bits(arch: HammingArch) -> int:
    """Register bits of the scorer: query, XOR, tree, distance, places.

    Example (32 bits, one place: query 32, XOR 32, no tree register, distance 6 and place 6 + 20 + 1):
        >>> register_bits(HammingArch(32, 32, k=1, register_every=0))
        97
    """
    tree, size = 0, arch.beat_bits
    for level in range(1, arch.levels + 1):
        size = (size + 1) // 2
        if arch.register_every and level % arch.register_every == 0:
            tree += size * (level + 1)
    place = arch.distance_bits + arch.index_bits + 1
    return arch.bits + arch.beat_bits + tree + arch.distance_bits + arch.k * place


def scan(queries: np.ndarray, documents: np.ndarray, arch: HammingArch, *, priced: int = 4) -> ScanResult:
    """Run queries over all documents, one after the other.

    Args:
        queries: 0/1 [queries, D].   documents: 0/1 [documents, D], one or more.   arch: the scorer.
        priced: queries whose toggles are counted; the others are priced at their mean. 0 = no energy.

    Raises:
        ShapeError: codes that do not fit `arch`.   UsageError: no document.

    Example:
        >>> arch = HammingArch(32, 32, k=2)
        >>> found = scan(np.zeros((1, 32), int), np.tri(5, 32, dtype=int), arch)
        >>> found.outputs.tolist(), found.distances.tolist(), found.cycles
        ([[0, 1]], [[1, 2]], 12)
    """
    queries, documents = arch.check(queries, "queries"), arch.check(documents, "documents")
    if not len(documents):
        raise UsageError.of("documents", 0, "one or more", "A run without documents has no result.")
    shape = len(queries), min(arch.k, len(documents))
    distances, numbers = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    _scan_kernel(_words(queries), _words(documents), shape[1], distances, numbers)
    one = arch.cycles(len(documents))
    counters = _counters(queries, documents, arch, min(priced, len(queries)), one)
    energy: Energy | None = energy_of({k: v for k, v in counters.items() if k in EVENTS}, TECH, EVENTS)
    return ScanResult(
        numbers, one * len(queries), arch.latency, one, counters, "numba", energy=energy if priced else None,
        distances=distances, query_cycles=one,
    )  # fmt: skip


def _counters(queries: np.ndarray, documents: np.ndarray, arch: HammingArch, priced: int, cycles: int) -> Counters:
    """Events of all queries."""
    counts = np.zeros(3, np.int64)
    beats = documents.reshape(-1, arch.beat_bits)
    for query in queries[:priced]:
        _toggle_kernel(query.reshape(arch.words, arch.beat_bits), beats, arch.words, arch.register_every, counts)
    share = len(queries) / priced if priced else 0.0
    gate, adder, register = (round(share * int(c)) for c in counts)
    return Counters(
        documents=len(queries) * len(documents), gate_toggles=gate, adder_toggles=adder, register_toggles=register,
        clocked_bits=register_bits(arch) * cycles * len(queries) if priced else 0,
        sram_read_bytes=len(queries) * (len(documents) + 1) * arch.bits // 8,
    )  # fmt: skip


def _words(codes: np.ndarray) -> np.ndarray:
    """uint64 [rows, ⌈D / 64⌉]."""
    pad = -codes.shape[1] % 64
    wide = np.concatenate([codes, np.zeros((len(codes), pad), np.uint8)], axis=1)
    return np.packbits(wide, axis=1, bitorder="little").view(np.uint64)
