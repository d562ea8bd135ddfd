"""dimod samplers for problems of any structure.

`SASampler`, `PTSampler`, `SVMCSampler`, `PIMCSampler` and `GreedySampler` take the arguments of dwave-samplers'
``SimulatedAnnealingSampler`` where they mean the same, and answer with the same seed by the same bytes.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import dimod
import numpy as np

from hwsim.annealing.anneal import Kernel, descend, metropolis, temper
from hwsim.annealing.problem import Problem
from hwsim.annealing.reads import Run, random_states
from hwsim.annealing.transverse import SLICES, path_integral, rotor
from hwsim.ir.errors import UsageError

Spacing = Literal["geometric", "linear", "custom"]
SPACINGS = ("geometric", "linear", "custom")
SWEEPS = 1000  # of an anneal without a schedule, as in dwave-samplers
SMALLEST = 1e-3  # of the largest field: smaller weights do not make an anneal colder


def default_beta_range(problem: Problem) -> tuple[float, float]:
    """β from ln 2/(2·largest field) to ln 100/(2·smallest weight).

    At the first, the most costly flip is accepted with probability 1/2; at the last, the cheapest with 1/100 (the
    rule of dwave-neal), where weights below 1/1000 of the largest field do not count.
    """
    largest = float(problem.row_sums.max()) if problem.n else 0.0
    if largest == 0:
        return 0.1, 1.0
    weights = np.abs(np.concatenate([problem.h, problem.edges[2]]))
    smallest = float(weights[weights > SMALLEST * largest].min(initial=largest))
    return np.log(2) / (2 * largest), np.log(100) / (2 * smallest)


def beta_schedule_of(
    problem: Problem, beta_range: Sequence[float] | None, sweeps: int | None, spacing: Spacing, custom: Any
) -> np.ndarray:
    """float64 [sweeps] of inverse temperatures.

    Raises:
        UsageError: a range, count or kind that does not fit, or a custom schedule beside one of them.
    """
    if spacing not in SPACINGS:
        raise UsageError.of("beta_schedule_type", repr(spacing), f"one of {', '.join(SPACINGS)}", "Choose one of them.")
    if custom is not None:
        if beta_range is not None or sweeps is not None:
            got = "beta_schedule beside beta_range or num_sweeps"
            raise UsageError.of("schedule", got, "one of them", "A beta_schedule has one β a sweep.")
        return np.asarray(custom, np.float64)
    if spacing == "custom":
        raise UsageError.of("beta_schedule", "none", "one β a sweep with beta_schedule_type='custom'", "Pass it.")
    sweeps = _count("num_sweeps", SWEEPS if sweeps is None else sweeps, 0)
    low, high = default_beta_range(problem) if beta_range is None else (float(b) for b in beta_range)
    if not (0 <= low < np.inf and 0 <= high < np.inf) or (spacing == "geometric" and min(low, high) == 0):
        need = "positive" if spacing == "geometric" else "non-negative"
        raise UsageError.of("beta_range", (low, high), f"two finite {need} numbers", "Or use linear spacing.")
    return np.geomspace(low, high, sweeps) if spacing == "geometric" else np.linspace(low, high, sweeps)


def _count(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise UsageError.of(name, repr(value), f"an integer ≥ {least}", "Pass a whole number.")
    return int(value)


@dataclass(frozen=True, eq=False)
class _Task:
    """A BQM on its way through a run."""

    problem: Problem
    labels: list[Any]
    offset: float
    reads: int
    seed: int
    given: np.ndarray | None  # int8 [reads, n] when the caller gave states

    @property
    def initial(self) -> np.ndarray:
        """Given or random states."""
        return random_states(self.reads, self.problem.n, self.seed) if self.given is None else self.given


class Annealer(dimod.Sampler, dimod.Initialized):
    """What the samplers share: reads, seeds, initial states and answers."""

    parameters: Any = None
    properties: Any = None
    options: tuple[str, ...] = ()

    def __init__(self) -> None:
        shared = ("num_reads", "initial_states", "initial_states_generator", "seed", "threads")
        self.parameters = {name: [] for name in (*shared, *self.options)}
        self.properties = {"beta_schedule_options": SPACINGS}

    def _task(
        self, bqm: dimod.BinaryQuadraticModel, num_reads: Any, initial_states: Any, generator: Any, seed: Any
    ) -> _Task:
        problem, labels, offset = Problem.of_bqm(bqm)
        seed = secrets.randbits(31) if seed is None else _count("seed", seed, 0)
        if num_reads is not None:
            _count("num_reads", num_reads, 1)
        if initial_states is None and generator == "random":
            return _Task(problem, labels, offset, num_reads or 1, seed, None)
        shell = dimod.BinaryQuadraticModel(dict.fromkeys(labels, 0.0), {}, bqm.vartype)  # nobody reads its energies
        parsed = self.parse_initial_states(shell, initial_states, generator, num_reads, seed & 0xFFFFFFFF)
        states = parsed.initial_states.change_vartype(dimod.SPIN, inplace=False)
        place = {label: k for k, label in enumerate(states.variables)}
        rows = np.ascontiguousarray(states.record.sample[:, [place[label] for label in labels]], np.int8)
        return _Task(problem, labels, offset, len(rows), seed, rows)

    @staticmethod
    def _answer(bqm: dimod.BinaryQuadraticModel, task: _Task, run: Run, **info: Any) -> dimod.SampleSet:
        states = run.states if bqm.vartype is dimod.SPIN else (run.states + 1) // 2
        return dimod.SampleSet.from_samples(
            (states, task.labels),
            vartype=bqm.vartype,
            energy=run.energies + task.offset,
            info={"seed": task.seed, "kernel": run.kernel, **info},
        )


class SASampler(Annealer):
    """Simulated annealing; with `initial_states` and a `beta_schedule`, reverse annealing.

    Example:
        >>> from hwsim.annealing import SASampler
        >>> answer = SASampler().sample_ising({"a": -1}, {"ab": 1}, num_reads=5, seed=1)
        >>> answer.first.sample == {"a": 1, "b": -1}, float(answer.first.energy)
        (True, -2.0)
    """

    options = ("beta_range", "num_sweeps", "beta_schedule_type", "beta_schedule", "kernel")

    def sample(
        self, bqm: dimod.BinaryQuadraticModel, *, beta_range: Sequence[float] | None = None,
        num_reads: int | None = None, num_sweeps: int | None = None, beta_schedule_type: Spacing = "geometric",
        beta_schedule: Sequence[float] | np.ndarray | None = None, initial_states: Any = None,
        initial_states_generator: str = "random", seed: int | None = None, threads: int | None = None,
        kernel: Kernel = "auto",
    ) -> dimod.SampleSet:  # fmt: skip
        """Anneal every read.

        Args:
            bqm: any problem.
            beta_range: first and last β, in units of 1/weight; default `default_beta_range`.
            num_reads: default the number of initial states, or 1.
            num_sweeps: default 1000; one sweep visits every variable once.
            beta_schedule_type: ``"geometric"``, ``"linear"``, or ``"custom"`` with `beta_schedule`.
            beta_schedule: one β a sweep, instead of the four above; ∞ is zero temperature.
            initial_states: samples-like; `initial_states_generator` ("none", "tile", "random") fills up to num_reads.
            seed: ≥ 0; None takes one from the system and returns it in ``info``.
            threads: None for all processors; answers do not depend on it.
            kernel: `hwsim.annealing.anneal.Kernel`; answers do not depend on it.

        Raises:
            UsageError: an argument outside its range.
        """
        task = self._task(bqm, num_reads, initial_states, initial_states_generator, seed)
        betas = beta_schedule_of(task.problem, beta_range, num_sweeps, beta_schedule_type, beta_schedule)
        run = metropolis(task.problem, betas, task.initial, task.seed, threads=threads, kernel=kernel)
        ends = [float(betas[0]), float(betas[-1])] if len(betas) else []
        return self._answer(bqm, task, run, beta_range=ends, num_sweeps=len(betas))


class GreedySampler(Annealer):
    """Descent to a local minimum, from `initial_states` or from random ones."""

    def sample(
        self, bqm: dimod.BinaryQuadraticModel, *, num_reads: int | None = None, initial_states: Any = None,
        initial_states_generator: str = "random", seed: int | None = None, threads: int | None = None,
    ) -> dimod.SampleSet:  # fmt: skip
        """Flip what lowers the energy until nothing does; arguments as in `SASampler.sample`."""
        task = self._task(bqm, num_reads, initial_states, initial_states_generator, seed)
        return self._answer(bqm, task, descend(task.problem, task.initial, threads=threads))


class PTSampler(Annealer):
    """Parallel tempering; each read is a ladder of replicas of its own."""

    options = ("beta_range", "num_replicas", "num_sweeps", "betas", "keep_best")

    def sample(
        self, bqm: dimod.BinaryQuadraticModel, *, beta_range: Sequence[float] | None = None,
        num_reads: int | None = None, num_sweeps: int = SWEEPS, num_replicas: int = 16,
        betas: Sequence[float] | np.ndarray | None = None, keep_best: bool = True, initial_states: Any = None,
        initial_states_generator: str = "random", seed: int | None = None, threads: int | None = None,
    ) -> dimod.SampleSet:  # fmt: skip
        """Temper every read.

        Args:
            beta_range: hottest and coldest β; `num_replicas` are spaced geometrically. Or `betas`, rising.
            keep_best: the best state met (optimisation), or the coldest replica's last one (sampling at its β).

        The other arguments are those of `SASampler.sample`.

        Raises:
            UsageError, ShapeError: an argument outside its range.
        """
        task = self._task(bqm, num_reads, initial_states, initial_states_generator, seed)
        if betas is None:
            count = _count("num_replicas", num_replicas, 2)
            betas = beta_schedule_of(task.problem, beta_range, count, "geometric", None)
        betas, sweeps = np.asarray(betas, np.float64), _count("num_sweeps", num_sweeps, 0)
        run = temper(
            task.problem, betas, sweeps, task.initial, task.seed, keep_best=keep_best, threads=threads
        )  # fmt: skip
        return self._answer(bqm, task, run, betas=betas.tolist(), num_sweeps=sweeps)


def _fields(problem: Problem, hp: Any, hd: Any, sweeps: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Given fields, or Hp rising from 0 to the coldest default β while Hd falls from it to 0."""
    if (hp is None) != (hd is None):
        raise UsageError.of("Hp_field and Hd_field", "one of them", "both or none", "Pass both.")
    if hp is not None:
        if sweeps is not None:
            raise UsageError.of(
                "schedule", "num_sweeps beside Hp_field", "one of them", "Fields have one value a sweep."
            )
        return np.asarray(hp, np.float64), np.asarray(hd, np.float64)
    s = (np.arange(_count("num_sweeps", SWEEPS if sweeps is None else sweeps, 0)) + 0.5) / max(sweeps or SWEEPS, 1)
    coldest = default_beta_range(problem)[1]
    return coldest * s, coldest * max(float(problem.row_sums.max(initial=0)), 1.0) * (1 - s)


class SVMCSampler(Annealer):
    """Spin-vector Monte Carlo, with transverse-field moves (SVMC-TF) or free ones."""

    options = ("Hp_field", "Hd_field", "num_sweeps", "transverse_moves")

    def sample(
        self, bqm: dimod.BinaryQuadraticModel, *, num_reads: int | None = None, num_sweeps: int | None = None,
        Hp_field: Any = None, Hd_field: Any = None, transverse_moves: bool = True, initial_states: Any = None,
        initial_states_generator: str = "random", seed: int | None = None, threads: int | None = None,
    ) -> dimod.SampleSet:  # fmt: skip
        """Anneal rotors from their middle position, or from `initial_states`.

        Args:
            Hp_field, Hd_field: B/2kT in units of 1/weight, and A/2kT: one of each a sweep.
            transverse_moves: whether moves shrink with Hd/Hp.

        The other arguments are those of `SASampler.sample`.

        Raises:
            UsageError, ShapeError: an argument outside its range.
        """
        task = self._task(bqm, num_reads, initial_states, initial_states_generator, seed)
        hp, hd = _fields(task.problem, Hp_field, Hd_field, num_sweeps)
        start = task.reads if task.given is None else task.given
        run = rotor(task.problem, hp, hd, start, task.seed, transverse_moves=transverse_moves, threads=threads)
        return self._answer(bqm, task, run, num_sweeps=len(hp))


class PIMCSampler(Annealer):
    """Path-integral Monte Carlo of the transverse-field Ising model; for small problems."""

    options = ("Hp_field", "Hd_field", "num_sweeps", "num_slices")

    def sample(
        self, bqm: dimod.BinaryQuadraticModel, *, num_reads: int | None = None, num_sweeps: int | None = None,
        Hp_field: Any = None, Hd_field: Any = None, num_slices: int = SLICES, initial_states: Any = None,
        initial_states_generator: str = "random", seed: int | None = None, threads: int | None = None,
    ) -> dimod.SampleSet:  # fmt: skip
        """Anneal rings of `num_slices` spins; arguments as in `SVMCSampler.sample`."""
        task = self._task(bqm, num_reads, initial_states, initial_states_generator, seed)
        hp, hd = _fields(task.problem, Hp_field, Hd_field, num_sweeps)
        slices = _count("num_slices", num_slices, 3)
        run = path_integral(task.problem, hp, hd, task.initial, task.seed, slices=slices, threads=threads)
        return self._answer(bqm, task, run, num_sweeps=len(hp))
