"""Shape of the Hamming scorer: bits of a document, bits a cycle, pipeline registers, places of the best k, and cycles.

A document of D bits comes in D / W beats of W bits. Every beat passes four steps: XOR with the query's word, a tree
that counts ones, the sum over the document's beats, and k sorted places that compare with the new distance at once.

| step | clock edges |
|---|---|
| XOR register | 1 |
| popcount tree, a register every `register_every` of ⌈log2 W⌉ levels | ⌊levels / register_every⌋ |
| distance register | 1 |
| sorted places | 1 |

A run of one query over N documents, first beat to last result: D/W query beats + N · D/W + tree + 2 + min(k, N) cycles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwsim.ir.errors import ShapeError, UsageError, check_shape

LANE = 32  # bits of a lane of a beat; one more lane holds the flags
QUERY, LAST = 1, 2  # flags: this beat is the query's; this beat ends the last document
MAX_INDEX_BITS = 32


@dataclass(frozen=True)
class HammingArch:
    """Parameters of one scorer; read by the cycle model and by the RTL generator.

    Attributes:
        bits: D, a multiple of `beat_bits`.
        beat_bits: W, a multiple of 32.
        k: places, 1…256.
        index_bits: width of a document's number, up to 32.
        register_every: adder levels of the tree between registers; 0 = none.

    Raises:
        UsageError: a parameter outside these.

    Example:
        >>> arch = HammingArch(384, 384)
        >>> arch.words, arch.tree_edges, arch.cycles(1400)
        (1, 4, 1417)
    """

    bits: int = 384
    beat_bits: int = 384
    k: int = 10
    index_bits: int = 20
    register_every: int = 2

    def __post_init__(self) -> None:
        bounds = {
            "beat_bits": (LANE, 4096), "bits": (self.beat_bits, 1 << 16), "k": (1, 256),
            "index_bits": (1, MAX_INDEX_BITS), "register_every": (0, 16),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            if not low <= (got := getattr(self, name)) <= high:
                raise UsageError.of(f"HammingArch.{name}", got, f"{low}…{high}", "Choose another size.")
        for name, step in (("beat_bits", LANE), ("bits", self.beat_bits)):
            if (got := getattr(self, name)) % step:
                raise UsageError.of(f"HammingArch.{name}", got, f"a multiple of {step}", "Pad the codes with zeros.")

    @property
    def words(self) -> int:
        """Beats of a document: D / W."""
        return self.bits // self.beat_bits

    @property
    def distance_bits(self) -> int:
        """Width of a distance 0 … D."""
        return self.bits.bit_length()

    @property
    def levels(self) -> int:
        """Adder levels of the tree: ⌈log2 W⌉."""
        return (self.beat_bits - 1).bit_length()

    @property
    def tree_edges(self) -> int:
        """Clock edges through the tree."""
        return self.levels // self.register_every if self.register_every else 0

    @property
    def latency(self) -> int:
        """Clock edges from a document's last beat to its place among the best: XOR, tree, distance, place."""
        return 3 + self.tree_edges

    def cycles(self, documents: int) -> int:
        """Cycles of one query, from its first beat to the last result, both included, when nobody waits."""
        return (1 + documents) * self.words + self.latency - 1 + min(self.k, documents)

    def check(self, codes: np.ndarray, name: str) -> np.ndarray:
        """0/1 codes as uint8 [rows, D].

        Raises:
            ShapeError: other shape or values, or more rows than `index_bits` can number.
        """
        check_shape(name, np.shape(codes), "[rows, bits]", (None, self.bits))
        codes = np.asarray(codes)
        if codes.size and not np.isin(codes, (0, 1)).all():
            raise ShapeError.of(f"{name} codes", f"{codes.min()}…{codes.max()}", "0 and 1", "Threshold the vectors.")
        if len(codes) > 1 << self.index_bits:
            raise ShapeError.of(f"{name} rows", len(codes), f"at most {1 << self.index_bits}", "Raise index_bits.")
        return codes.astype(np.uint8)

    def lanes(self, codes: np.ndarray) -> np.ndarray:
        """uint32 [rows · words, W / 32]: beats of 0/1 codes; bit b of lane j of beat i is code i·W + 32·j + b."""
        words = np.packbits(codes.astype(np.uint8), axis=1, bitorder="little").view("<u4")
        return words.reshape(len(codes) * self.words, self.beat_bits // LANE)

    def beats(self, query: np.ndarray, documents: np.ndarray) -> np.ndarray:
        """uint32 [words · (1 + documents), W / 32 + 1]: input beats of one run.

        Args:
            query: 0/1 [D].   documents: 0/1 [documents, D], one or more.

        Raises:
            ShapeError: codes that do not fit.   UsageError: no document.
        """
        query, documents = self.check(np.asarray(query)[None], "query"), self.check(documents, "documents")
        if not len(documents):
            raise UsageError.of("documents", 0, "one or more", "A run without documents has no result.")
        lanes = np.concatenate([self.lanes(query), self.lanes(documents)])
        flags = np.zeros((len(lanes), 1), np.uint32)
        flags[: self.words], flags[-1] = QUERY, LAST
        return np.concatenate([lanes, flags], axis=1)

    def reference(self, query: np.ndarray, documents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(distances, numbers) int64 [≤ k] of the nearest documents, nearest first, lowest number on ties.

        Example:
            >>> HammingArch(32, 32, k=1).reference(np.zeros(32, int), np.eye(32, dtype=int)[:3])[1].tolist()
            [0]
        """
        query, documents = self.check(np.asarray(query)[None], "query"), self.check(documents, "documents")
        distances = (documents != query).sum(axis=1)
        best = np.argsort(distances, kind="stable")[: self.k]
        return distances[best], best
