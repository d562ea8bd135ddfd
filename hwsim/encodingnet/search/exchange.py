"""The search: orthogonal least squares over a dictionary, 1-exchange, iterated local search.

1. From the best of several starts (greedy; the heaviest exact partial products; what a checkpoint holds), exchange one
   bit at a time until no exchange helps.
2. Round after round: drop two to five bits, add one at random, fill up greedily, exchange; keep what is not worse.

It replaces the paper's genetic search (`hwsim.encodingnet.search.cgp`): seconds instead of hours. The objective is the
mean squared error under the operand distributions plus prices of area and activity; the constant is always fitted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwsim.encodingnet.encodings import booth, truncated
from hwsim.encodingnet.fit import from_gates
from hwsim.encodingnet.gatebuilder import GateBuilder
from hwsim.encodingnet.operands import checked_distribution, code_values
from hwsim.encodingnet.search import checkpoint as files
from hwsim.encodingnet.search.build import add_atom, with_constants
from hwsim.encodingnet.search.dictionary import Dictionary, dictionary, recoded_atoms
from hwsim.encodingnet.search.prices import atom_activity, atom_area
from hwsim.encodingnet.search.selection import Selection
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import UsageError
from hwsim.ir.io import artifact_id

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class SearchSpec:
    """What is searched for.

    Attributes:
        x_bits, w_bits, n_bits: operand widths and M.
        library: gates by `hwsim.encodingnet.search.dictionary.dictionary`.
        recoded: add the bits of signed-digit recodings of w (five inputs).
        x_signed, w_signed, x_levels, w_levels: what the codes stand for, as in `Encoding`.
        p_x, p_w: operand distributions over bit patterns; None for uniform.
        area_price, activity_price: squared error that one NAND2 unit, or one unit of activity, is worth.
        free_w: functions of the stationary weight alone are free; M counts the other bits.
        fraction: fraction bits of the fitted weights.
        seed: of the random steps.
        starts: encodings whose gates are starting points, for example what another library gave.
    """

    x_bits: int
    w_bits: int
    n_bits: int
    library: str = "3"
    recoded: bool = False
    x_signed: bool = True
    w_signed: bool = True
    x_levels: np.ndarray | None = None
    w_levels: np.ndarray | None = None
    p_x: np.ndarray | None = None
    p_w: np.ndarray | None = None
    area_price: float = 0.0
    activity_price: float = 0.0
    free_w: bool = False
    fraction: int = 16
    seed: int = 0
    starts: tuple[Encoding, ...] = ()

    def values(self, side: str) -> np.ndarray:
        """float64: value of every bit pattern of ``"x"`` or ``"w"``."""
        if side == "x":
            return code_values(self.x_bits, self.x_signed) * 1.0 if self.x_levels is None else self.x_levels
        return code_values(self.w_bits, self.w_signed) * 1.0 if self.w_levels is None else self.w_levels


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        encoding: gates, fitted weights and bias.
        rmse: under the operand distributions, before rounding of the weights.
        atoms: dictionary numbers of the chosen bits.
        rounds: finished rounds of the iterated local search.
        interrupted: stopped by Ctrl-C; the best so far is kept.
    """

    encoding: Encoding
    rmse: float
    atoms: tuple[int, ...]
    rounds: int
    interrupted: bool


def search(
    spec: SearchSpec,
    rounds: int = 20,
    seconds: float | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> SearchResult:
    """Search for an encoding; the same specification and rounds give the same bytes.

    Args:
        rounds: rounds of the iterated local search in all, those of a checkpoint included.
        seconds: stop after that time as well (the result then depends on the machine).
        checkpoint: file that keeps the best after every round; a later call goes on from there.
        progress: called as progress(done, total, note).

    Raises:
        UsageError: M below 1 or above the dictionary, an unknown library.
        ShapeError: a distribution that does not fit.
        DataError: a checkpoint of another search.

    Example:
        >>> result = search(SearchSpec(3, 3, 9), rounds=0)
        >>> result.encoding.n_bits, round(result.rmse, 6)
        (9, 0.0)
    """
    state = _State(spec)
    deadline = np.inf if seconds is None else time.monotonic() + seconds
    interrupted = False
    try:
        state.start(files.load(checkpoint, state.key), deadline)
        while state.round < rounds and time.monotonic() < deadline and state.best_error > 1e-9:
            state.perturb()
            files.save(checkpoint, state.key, state.snapshot())
            if progress:
                progress(state.round, rounds, f"RMSE {np.sqrt(state.best_error):.4g}")
    except KeyboardInterrupt:
        interrupted = True
    files.save(checkpoint, state.key, state.snapshot())
    return state.result(interrupted)


class _State:
    """Dictionary, selection and random generator of one search."""

    def __init__(self, spec: SearchSpec) -> None:
        self.spec = spec
        extra = recoded_atoms(spec.x_bits, spec.w_bits, spec.x_signed, spec.w_signed) if spec.recoded else []
        self.atoms: Dictionary = dictionary(spec.x_bits, spec.w_bits, spec.library, extra)
        if not 1 <= spec.n_bits <= self.atoms.n_atoms:
            raise UsageError.of("wide bits M", spec.n_bits, f"1…{self.atoms.n_atoms}", "Mend n_bits.")
        p_x = checked_distribution(spec.p_x, spec.x_bits, "x")
        p_w = checked_distribution(spec.p_w, spec.w_bits, "w")
        price = np.zeros(self.atoms.n_atoms)
        if spec.area_price:
            price += spec.area_price * atom_area(self.atoms)
        if spec.activity_price:
            price += spec.activity_price * atom_activity(self.atoms, p_x, p_w)
        target = np.outer(spec.values("x"), spec.values("w"))
        self.selection = Selection(self.atoms, target, p_x, p_w, price, spec.free_w)
        self.rng = np.random.default_rng(spec.seed)
        self.round, self.best, self.best_objective, self.best_error = 0, [0], np.inf, np.inf
        names = [name for name in spec.__dataclass_fields__ if name != "starts"]
        self.key = files.problem_key(*(getattr(spec, name) for name in names), *map(artifact_id, spec.starts))

    def start(self, state: dict | None, deadline: float) -> None:
        """The best of the starts, each at a local optimum; or the state of a checkpoint."""
        if state is not None and state["best"]:
            self.round, self.rng.bit_generator.state = state["round"], state["rng"]
            self.selection.set(state["best"])
            self._keep()
            return
        for first in self._starts():
            self.selection.set(first)
            self._improve(deadline)
            self._keep()

    def perturb(self) -> None:
        """One round: drop some of the best, add one at random, fill up, exchange."""
        keep = list(self.best)
        for _ in range(min(len(keep), int(self.rng.integers(2, 6)))):
            keep.pop(int(self.rng.integers(len(keep))))
        new = int(self.rng.integers(self.atoms.n_atoms))
        self.selection.set([*keep, new])
        self._improve(np.inf)
        self._keep()
        self.round += 1

    def snapshot(self) -> dict:
        """State of the search as JSON-able values."""
        best = [int(i) for i in self.best] if np.isfinite(self.best_objective) else []
        return {"round": self.round, "best": best, "rng": self.rng.bit_generator.state}

    def result(self, interrupted: bool) -> SearchResult:
        """The best selection as an encoding; before the first start is done, the selection as it is."""
        if not np.isfinite(self.best_objective):
            self._keep()
        self.selection.set(self.best)
        encoding = encoding_of(self.spec, self.atoms, self.best, self.selection)
        rmse = float(np.sqrt(self.selection.error))
        return SearchResult(encoding, rmse, tuple(int(i) for i in self.best), self.round, interrupted)

    def _improve(self, deadline: float) -> None:
        while len(self.selection.chosen) < self.spec.n_bits and self.selection.add_best():
            pass
        while time.monotonic() < deadline and self.selection.exchange():
            pass

    def _keep(self) -> None:
        if self.selection.objective <= self.best_objective and self.selection.chosen:
            self.best, self.best_objective = list(self.selection.chosen), self.selection.objective
            self.best_error = self.selection.error

    def _starts(self) -> Iterator[list[int]]:
        """Nothing; the heaviest partial products; with recoded atoms the heaviest Booth bits; given encodings."""
        spec = self.spec
        operands = (spec.x_bits, spec.w_bits, 0, spec.x_signed, spec.w_signed)
        yield []
        for make in (truncated, booth) if spec.recoded else (truncated,):
            gates = make(*operands, fit="none").gates
            yield self.atoms.indices(gates)[-spec.n_bits :]
        for encoding in spec.starts:
            yield self.atoms.indices(encoding.gates)[-spec.n_bits :]


def encoding_of(spec: SearchSpec, atoms: Dictionary, chosen: list[int], selection: Selection | None = None) -> Encoding:
    """Encoding of chosen atoms with weights fitted under the specification's distributions, lightest bit first."""
    builder = GateBuilder(spec.x_bits + spec.w_bits)
    order = np.argsort(np.abs(selection.beta), kind="stable") if selection is not None else range(len(chosen))
    signals = [add_atom(builder, atoms.atom(chosen[int(k)]), spec.x_bits) for k in order]
    meta = {"construction": "search", "library": spec.library + (" recoded" if spec.recoded else "")}
    encoding = from_gates(
        builder.build(signals), spec.x_bits, spec.w_bits, fraction=spec.fraction, x_signed=spec.x_signed,
        w_signed=spec.w_signed, x_levels=spec.x_levels, w_levels=spec.w_levels, p_x=spec.p_x, p_w=spec.p_w, meta=meta,
    )  # fmt: skip
    if not spec.free_w or selection is None:
        return encoding
    weights = np.rint(selection.beta[np.asarray(order)] * (1 << spec.fraction)).astype(np.int64)
    return with_constants(encoding.with_weights(weights, 0, spec.fraction), spec.p_x, spec.p_w)
