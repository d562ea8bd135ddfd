"""Shape of the reverse-annealing detector: sizes, lanes, number formats, and the cycles that a run takes.

All replicas anneal in lockstep on the same dimension, so one row of G a cycle serves all of them. Symbols as in
`hwsim.ir.mimo_ising`: n dimensions, K bits an axis; R replicas on L lanes, C = R / L *contexts* a lane. Replica r
is context r mod C of lane ⌊r / C⌋. A *slot* is one dimension of one context on every lane: one cycle.

Words and cycles are described in ``docs/xresq-chip.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hwsim.ir.errors import ArtifactError, ShapeError, UsageError
from hwsim.ir.mimo_ising import ROM_FRACTION, MimoIsing, minus_log_rom

FRONT_STAGES = 7  # from a slot's start to its decision: draw, −ln(u) in two, ·mantissa, ·2^exponent, bound, ways
BACK_STAGES = 4  # from the update to the comparison with the best energy: fields, product, energy, comparison
OUT_STAGES = 5  # from there to the output port: selection, record, buffer
BUFFER_CYCLES = 2  # of these, in the result buffer


@dataclass(frozen=True)
class XresqArch:
    """Parameters of one detector.

    Attributes:
        n: real dimensions, 4 or more.
        bits_per_axis: K, 1…4.
        replicas: R.
        lanes: L, datapaths; divides R, at most n. With L < R each lane serves C = R / L replicas in turn and its
            loop is cut by registers: one cut for C = 2, two from C = 3 on.
        gram_bits: signed width of G, 4…16.
        field_bits: signed width of z and of the local field g, up to 32.
        energy_bits: signed width of E, up to 32.
        mantissa_bits, exponent_bits: unsigned widths of a temperature's parts, up to 8 and 5.
        max_sweeps: longest schedule.
        beat_bits: width of both streams, a power of two, 64 or more, and at least L·K.
        gray: the winner's bits leave Gray-coded, axis by axis.
        readout: ``"all"`` = energies, acceptance counts and states of all replicas, then the winner; ``"winner"``.

    Raises:
        UsageError: a parameter outside these.
    """

    n: int = 32
    bits_per_axis: int = 2
    replicas: int = 16
    lanes: int = 16
    gram_bits: int = 9
    field_bits: int = 15
    energy_bits: int = 24
    mantissa_bits: int = 3
    exponent_bits: int = 3
    max_sweeps: int = 64
    beat_bits: int = 128
    gray: bool = False
    readout: Literal["all", "winner"] = "all"

    def __post_init__(self) -> None:
        bounds = {
            "n": (4, 4096), "bits_per_axis": (1, 4), "replicas": (1, 1024), "lanes": (1, min(self.n, self.replicas)),
            "gram_bits": (4, 16), "field_bits": (self.gram_bits + 1, 32), "energy_bits": (self.field_bits, 32),
            "mantissa_bits": (1, 8), "exponent_bits": (1, 5), "max_sweeps": (1, 65535), "beat_bits": (64, 4096),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                got = getattr(self, name)
                raise UsageError.of(f"XresqArch.{name}", got, f"{low}…{high}", "Choose another size.")
        if self.replicas % self.lanes:
            got = f"{self.replicas} replicas on {self.lanes} lanes"
            raise UsageError.of("XresqArch.lanes", got, "a divisor of the replicas", "Choose another number of lanes.")
        if self.beat_bits & (self.beat_bits - 1) or self.plane_bits > self.beat_bits:
            expected = f"a power of two, {self.plane_bits} or more"
            raise UsageError.of("XresqArch.beat_bits", self.beat_bits, expected, "Choose another width.")
        if self.readout not in ("all", "winner"):
            raise UsageError.of("XresqArch.readout", repr(self.readout), "'all' or 'winner'", "Choose one of them.")

    @property
    def contexts(self) -> int:
        """C: replicas that one lane serves."""
        return self.replicas // self.lanes

    @property
    def n_spins(self) -> int:
        return self.n * self.bits_per_axis

    @property
    def slots(self) -> int:
        """Cycles of one sweep: n·C."""
        return self.n * self.contexts

    @property
    def loop_cuts(self) -> int:
        """Registers between decision and update: 0, 1 or 2."""
        return min(self.contexts - 1, 2)

    @property
    def plane_bits(self) -> int:
        """Bits of a slot's spins on a stream: L·K, rounded up to a power of two."""
        return 1 << (self.lanes * self.bits_per_axis - 1).bit_length()

    @property
    def threshold_bits(self) -> int:
        """Unsigned width of ⌊mantissa · L · 2^exponent / 2^5⌋."""
        return self.field_bits - 1

    @property
    def accept_bits(self) -> int:
        """Width of an acceptance counter."""
        return (self.n_spins * self.max_sweeps).bit_length()

    def beats(self, items: int, bits: int) -> int:
        """Beats that hold `items` of `bits` bits each."""
        return -(-items // (self.beat_bits // bits))

    @property
    def load_sections(self) -> dict[str, int]:
        """Beats of each section of a problem in stream order; `schedule` for no sweep, see `load_beats`."""
        return {
            "header": 1,
            "rng": self.contexts * self.beats(self.lanes, 32),
            "matched": self.beats(self.n, 32),
            "seeds": self.beats(self.slots, self.plane_bits),
            "schedule": 0,
            "gram": self.n * self.beats(self.n, 16),
        }

    def load_beats(self, sweeps: int) -> int:
        """Beats of a problem."""
        return sum(self.load_sections.values()) + self.beats(sweeps, 16)

    @property
    def winner_beats(self) -> int:
        """Beats of the winner's record: energy, index, K·n bits."""
        return -(-(64 + self.n_spins) // self.beat_bits)

    @property
    def result_beats(self) -> int:
        """Beats of a result."""
        every = self.beats(self.replicas, 64) + self.beats(self.slots, self.plane_bits)
        return self.winner_beats + (every if self.readout == "all" else 0)

    @property
    def pipeline_cycles(self) -> int:
        """Cycles from the last slot's start until the winner's first word leaves."""
        return FRONT_STAGES + self.loop_cuts + BACK_STAGES + OUT_STAGES

    def cycles(self, sweeps: int) -> int:
        """Cycles from the transfer of the first input word to that of the last output word, both included.

        Load, then five parts in slots (fields, seeds, the sweeps, the last states, readout), then the pipeline and
        the winner's record; data decide nothing.
        """
        return self.load_beats(sweeps) + (sweeps + 4) * self.slots + self.pipeline_cycles + self.winner_beats

    def interval(self, sweeps: int) -> int:
        """Cycles from one problem's first word to the next one's: loading waits until the lanes are done."""
        return self.cycles(sweeps) - BUFFER_CYCLES

    def check(self, problem: MimoIsing) -> None:
        """Raise `ArtifactError` unless every number of a run of `problem` is proved to fit.

        In every state that a run can reach |x_j| < 2^K, so |g_i| ≤ |z_i| + (2^K − 1) Σ_j |G_ij| and
        |E| ≤ (2^K − 1)² Σ |G| + 2 (2^K − 1) Σ |z|.
        """
        sizes = (problem.n, problem.bits_per_axis, problem.replicas)
        if sizes != (self.n, self.bits_per_axis, self.replicas):
            expected = (self.n, self.bits_per_axis, self.replicas)
            raise ArtifactError.of("(n, bits_per_axis, replicas)", sizes, expected, "Build a detector of that size.")
        if problem.sweeps > self.max_sweeps:
            raise ArtifactError.of("sweeps", problem.sweeps, f"at most {self.max_sweeps}", "Raise max_sweeps.")
        top, gram = 2**self.bits_per_axis - 1, np.abs(problem.gram.astype(np.int64))
        matched = np.abs(problem.matched)
        _fits("|G|", gram.max(), 2 ** (self.gram_bits - 1) - 1, "gram_bits")
        _fits("|g|", (matched + top * gram.sum(axis=1)).max(), 2 ** (self.field_bits - 1) - 1, "field_bits")
        energy = top * top * int(gram.sum()) + 2 * top * int(matched.sum())
        _fits("|E|", energy, 2 ** (self.energy_bits - 1) - 1, "energy_bits")
        for name, bits in (("mantissas", self.mantissa_bits), ("exponents", self.exponent_bits)):
            largest = int(getattr(problem, name).max(initial=0))
            if largest >> bits:
                raise ArtifactError.of(name, largest, f"{bits} bits", f"Raise {name[:-1]}_bits or lower T.")
        hottest = (problem.mantissas.astype(np.int64) * int(minus_log_rom().max())) << problem.exponents
        if problem.sweeps and (threshold := int(hottest.max()) >> ROM_FRACTION) >> self.threshold_bits:
            limit = f"{self.threshold_bits} bits"
            raise ArtifactError.of("largest Metropolis threshold", threshold, limit, "Lower T or raise field_bits.")

    def pack(self, problem: MimoIsing) -> np.ndarray:
        """A problem as stream beats, uint32 [load_beats, beat_bits / 32], least significant word first.

        Raises:
            ArtifactError: `problem` does not fit.
        """
        self.check(problem)
        n, c, lanes = self.n, self.contexts, self.lanes
        ring = (np.arange(n)[:, None] + np.arange(n)) % n  # row i begins at its diagonal: (i, i), (i, i+1), …
        spins = problem.seeds.reshape(lanes, c, self.bits_per_axis, n)  # replica = lane · C + context
        planes = (spins.transpose(3, 1, 0, 2) > 0).reshape(self.slots, -1)
        planes = np.pad(planes, [(0, 0), (0, self.plane_bits - planes.shape[1])])
        parts = [
            np.array([problem.sweeps], "<u4"),
            *problem.rng_seeds.reshape(lanes, c).T,
            problem.matched.astype("<i4"),
            np.packbits(planes.reshape(-1), bitorder="little"),
            problem.mantissas.astype("<u2") | problem.exponents.astype("<u2") << 8,
            *np.take_along_axis(problem.gram, ring, axis=1).astype("<i2"),
        ]
        size = self.beat_bits // 8
        data = b"".join(raw + bytes(-len(raw) % size) for raw in (np.ascontiguousarray(p).tobytes() for p in parts))
        return np.frombuffer(data, "<u4").reshape(-1, self.beat_bits // 32)

    def unpack(self, beats: np.ndarray) -> ChipRecord:
        """What the beats of one result say, uint32 [result_beats, beat_bits / 32].

        Raises:
            ShapeError: another number of beats.
        """
        words = np.ascontiguousarray(beats, "<u4")
        if words.shape != (self.result_beats, self.beat_bits // 32):
            expected = [self.result_beats, self.beat_bits // 32]
            raise ShapeError.of("result beats", list(words.shape), expected, "Pass the beats of one result.")
        energies, accepts, spins, at = None, None, None, 0
        if self.readout == "all":
            at = self.beats(self.replicas, 64)
            pairs = words[:at].reshape(-1, 2)[: self.replicas]
            energies, accepts = pairs[:, 0].astype("<u4").view("<i4").astype(np.int64), pairs[:, 1].astype(np.int64)
            upto = at + self.beats(self.slots, self.plane_bits)
            bits = _bits(words[at:upto]).reshape(-1, self.plane_bits)[: self.slots, : self.lanes * self.bits_per_axis]
            planes = bits.reshape(self.n, self.contexts, self.lanes, self.bits_per_axis).transpose(2, 1, 3, 0)
            spins, at = (2 * planes.reshape(self.replicas, -1) - 1).astype(np.int8), upto
        record = words[at:].reshape(-1)
        return ChipRecord(
            int(record[:1].view("<i4")[0]), int(record[1]), _bits(record[2:])[: self.n_spins], energies, accepts, spins
        )


@dataclass(frozen=True, eq=False)
class ChipRecord:
    """One result as read off the output stream.

    Attributes:
        energy, winner: of the winning replica.
        bits: uint8 [K·n], 1 for spin +1, or Gray bits with `XresqArch.gray`.
        energies, accepts: int64 [replicas].   spins: int8 [replicas, K·n]; None unless all are read out.
    """

    energy: int
    winner: int
    bits: np.ndarray
    energies: np.ndarray | None
    accepts: np.ndarray | None
    spins: np.ndarray | None


def gray(bits: np.ndarray, bits_per_axis: int) -> np.ndarray:
    """Gray bits of natural binary ones, axis by axis, [.., K·n]: t_1 = b_1, t_k = b_(k−1) ⊕ b_k.

    Example (16-QAM, one axis: 3, 1, −1, −3):
        >>> gray(np.array([[1, 1], [1, 0], [0, 1], [0, 0]]), 2).tolist()
        [[1, 0], [1, 1], [0, 1], [0, 0]]
    """
    axes = np.asarray(bits).reshape(*np.shape(bits)[:-1], bits_per_axis, -1)
    coded = axes.copy()
    coded[..., 1:, :] ^= axes[..., :-1, :]
    return coded.reshape(np.shape(bits))


def _bits(words: np.ndarray) -> np.ndarray:
    return np.unpackbits(np.ascontiguousarray(words, "<u4").view(np.uint8), bitorder="little")


def _fits(name: str, got: int, limit: int, width: str) -> None:
    if got > limit:
        mend = f"Divide gram and matched by {got / limit:.3g} or more, or raise {width}."
        raise ArtifactError.of(f"bound on {name}", int(got), f"at most {limit}", mend)
