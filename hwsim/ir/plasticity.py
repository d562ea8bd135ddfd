"""On-chip learning of a `spiking_net`: rule, number formats, tables and random bits.

One engine serves both rules of arXiv 2403.00270: it replays each layer's event log backwards and meets every input
event (i, t, x) with every active neuron j, whose error is e and whose spike came at t_j:

    ΔW_ij = ⌊(e·P + r) / 2^lr_shift⌋,    r = lr_shift random bits;    err_i ← err_i + w_ij·(e or e·P)

    std   P = T + t_j − t                    err_i adds w_ij·e           (single spike, window neurons)
    mpd   P = x·trace[t_j − t]               err_i adds w_ij·e·trace     (every spike; trace ≈ 256·λ^d; readout 256)

W is the 16-bit shadow of the 8-bit weight w = W >> 8; W saturates. Softmax of the readout z, K classes, label y:

    u_k = min((max z − z_k) >> exp_shift, 255),  p_k = ⌊2^8·exp_table[u_k] / Σ exp_table[u]⌋,  e_k = 2^8·[k = y] − p_k

Hidden errors in units of 2^−16, saturated to `error_bits`, with err' = round(err_i / 2^err_shift), halves up:

    std   q = 2^f + S_j, m = ⌊log2 q⌋, e = round(err'·reciprocal[⌊q·2^8 / 2^m⌋ − 2^8]·2^f / 2^(8+m)), 0 at window start
    mpd   e = round(err'·h / 2^8),  h = ⌊max(0, 2^s − |v − θ|)·2^8 / 2^s⌋,  s = surrogate_bits

A neuron with |e| < skip_below takes no part (hierarchical update skip: ANP-I, Zhang et al., JSSC 2024).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from hwsim.ir.errors import ArtifactError, UsageError
from hwsim.ir.rng import Generator, Lfsr, Xorshift, check_seed

READOUT_UNIT, HIDDEN_UNIT = 8, 16  # errors: 2^-8 at the readout, 2^-16 in hidden layers
TABLE = 256
TRACE_UNIT = 8  # trace[0] = 2^8


def exp_table() -> np.ndarray:
    """uint16 [256]: round(255·exp(−u/32)), so that 256 entries reach down to e^−8."""
    return np.rint(255 * np.exp(-np.arange(TABLE) / 32)).astype(np.uint16)


def reciprocal_table() -> np.ndarray:
    """uint16 [256]: round(2^16 / (256 + u)), 1/q for q between a power of two and the next one."""
    return np.rint(2**16 / (TABLE + np.arange(TABLE))).astype(np.uint16)


def trace_table(decay: float, steps: int) -> np.ndarray:
    """uint16 [steps]: round(2^8·decay^d), weight of an input d steps before the spike."""
    return np.rint(2**TRACE_UNIT * float(decay) ** np.arange(steps)).astype(np.uint16)


def lane_seeds(lanes: int, seed: int = 1, width: int = 32) -> np.ndarray:
    """uint64 [lanes]: states 1 … 2^width − 1 for as many lanes, from numpy's PCG64."""
    return np.random.default_rng(seed).integers(1, 2**width, lanes, dtype=np.uint64)


@dataclass(frozen=True, eq=False)
class Plasticity:
    """How the chip learns.

    Attributes:
        rule: ``"std"`` for window nets, ``"mpd"`` for clocked ones.
        lr_shift: a shift a layer, 1…width of the generator: the learning rate is 2^−lr_shift in the units above.
        exp_shift: units of z to the 1/32 steps of `exp_table`, 0…40.
        generator: random bits; every lane has its own state. The low lr_shift bits of the state after a step are r.
        seeds: uint64 [lanes], states of the lanes.
        skip_below: smallest |e| that takes part, ≥ 1.
        error_bits: signed width of e, 8…24.
        surrogate_bits: s, 1…16, half the width of the triangular surrogate in steps of v; mpd only.
        exp, reciprocal: uint16 [256], see the module.
        trace: uint16 [steps] for mpd, or [0].
    """

    rule: Literal["std", "mpd"]
    lr_shift: tuple[int, ...]
    exp_shift: int
    generator: Generator = field(default_factory=lambda: Lfsr(32, form="galois"))
    seeds: np.ndarray = field(default_factory=lambda: lane_seeds(16))
    skip_below: int = 1
    error_bits: int = 18
    surrogate_bits: int = 8
    exp: np.ndarray = field(default_factory=exp_table)
    reciprocal: np.ndarray = field(default_factory=reciprocal_table)
    trace: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint16))

    @property
    def lanes(self) -> int:
        return len(self.seeds)

    def validate(self, layers: int, steps: int) -> None:
        """Raise `ArtifactError` for a broken rule."""
        if self.rule not in ("std", "mpd"):
            raise ArtifactError.of("plasticity.rule", repr(self.rule), "'std' or 'mpd'", "Choose one of them.")
        if len(self.lr_shift) != layers or not all(1 <= s <= self.generator.width for s in self.lr_shift):
            expected = f"{layers} shifts in 1…{self.generator.width}"
            raise ArtifactError.of("plasticity.lr_shift", self.lr_shift, expected, "Give a shift for each layer.")
        bounds = {"exp_shift": (0, 40), "skip_below": (1, 2**23), "error_bits": (8, 24), "surrogate_bits": (1, 16)}
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                got = getattr(self, name)
                raise ArtifactError.of(f"plasticity.{name}", got, f"{low}…{high}", "Choose another value.")
        lengths = {"exp": TABLE, "reciprocal": TABLE, "trace": steps if self.rule == "mpd" else 0}
        for name, length in lengths.items():
            table = getattr(self, name)
            if table.dtype != np.uint16 or table.shape != (length,):
                got = f"{table.dtype} {list(table.shape)}"
                raise ArtifactError.of(f"plasticity.{name}", got, f"uint16 [{length}]", "Use the function's table.")
        if not self.exp[0] or int(self.exp.max()) > 255 or int(self.reciprocal.max(initial=0)) > TABLE:
            got = f"exp[0] {self.exp[0]}, largest {self.exp.max()} and {self.reciprocal.max()}"
            raise ArtifactError.of("plasticity tables", got, "exp[0] > 0, at most 255 and 256", "Use the tables here.")
        if not len(self.seeds) or self.seeds.dtype != np.uint64:
            got = f"{self.seeds.dtype} {list(self.seeds.shape)}"
            raise ArtifactError.of("plasticity.seeds", got, "uint64 [lanes]", "Use lane_seeds(lanes).")
        try:
            for seed in self.seeds:
                check_seed(self.generator, int(seed))
        except UsageError as error:
            raise ArtifactError(f"plasticity.seeds: {error}") from error

    def with_seeds(self, seeds: np.ndarray) -> Plasticity:
        """The same rule with other random states."""
        return replace(self, seeds=np.asarray(seeds, np.uint64))

    def to_tensors(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and JSON-able fields."""
        g = self.generator
        lfsr = isinstance(g, Lfsr)
        described = {"width": g.width, "taps": list(g.taps), "form": g.form} if isinstance(g, Lfsr) else {}
        if not lfsr and isinstance(g, Xorshift):
            described = {"width": g.width, "shifts": list(g.shifts)}
        names = ("rule", "exp_shift", "skip_below", "error_bits", "surrogate_bits")
        fields = {name: getattr(self, name) for name in names}
        fields |= {"lr_shift": list(self.lr_shift), "generator": described}
        return {name: getattr(self, name) for name in ("seeds", "exp", "reciprocal", "trace")}, fields

    @classmethod
    def from_tensors(cls, tensors: dict[str, np.ndarray], fields: dict[str, Any]) -> Plasticity:
        g = fields["generator"]
        generator: Generator
        if "taps" in g:
            generator = Lfsr(g["width"], tuple(g["taps"]), g["form"])
        else:
            generator = Xorshift(g["width"], tuple(g["shifts"]))
        named: dict[str, Any] = {name: value for name, value in fields.items() if name not in ("generator", "lr_shift")}
        return cls(lr_shift=tuple(fields["lr_shift"]), generator=generator, **named, **dict[str, Any](tensors))
