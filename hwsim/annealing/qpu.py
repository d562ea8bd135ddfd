"""`QPUSimulator`: a quantum annealer's stand-in behind D-Wave's own interface.

A script written for ``dwave.system.DWaveSampler`` runs on it unchanged, alone or under dwave-system's composites;
a script written on it runs on hardware by making a ``DWaveSampler`` instead. What it models, what stands behind the
model and what is left out: ``docs/annealing.md``.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, get_args

import dimod
import numpy as np

from hwsim.annealing import schedule, topology
from hwsim.annealing.devices import Device, device
from hwsim.annealing.models import Model, final_states
from hwsim.annealing.problem import Problem
from hwsim.annealing.programming import Noise, Terms, disturbed, fitted
from hwsim.annealing.submission import PARAMETERS, Submission, submission
from hwsim.annealing.timing import problem_timing_data, timing
from hwsim.ir.errors import UsageError

if TYPE_CHECKING:
    import networkx

# Advantage_system4.1 as in dwave.system.testing.MockDWaveSampler; problem_run_duration_range is the narrower one of
# D-Wave's documentation, so that what runs here runs there.
RANGES: dict[str, Any] = {
    "annealing_time_range": [0.5, 2000.0],
    "default_annealing_time": 20.0,
    "default_programming_thermalization": 1000.0,
    "default_readout_thermalization": 0.0,
    "extended_j_range": [-2.0, 1.0],
    "h_range": [-4.0, 4.0],
    "j_range": [-1.0, 1.0],
    "max_anneal_schedule_points": 12,
    "num_reads_range": [1, 10000],
    "problem_run_duration_range": [0.0, 1000000.0],
    "programming_thermalization_range": [0.0, 10000.0],
    "readout_thermalization_range": [0.0, 10000.0],
    "supported_problem_types": ["ising", "qubo"],
    "tags": [],
    "category": "qpu",
    "quota_conversion_rate": 1,
}
LIMITS: dict[
    str, dict[str, list[float]]
] = {  # of the sum of J at a qubit (Advantage) or in a group of couplers (Advantage2)
    "pegasus": {"per_qubit_coupling_range": [-18.0, 15.0]},
    "chimera": {"per_qubit_coupling_range": [-9.0, 6.0]},
    "zephyr": {"per_group_coupling_range": [-13.0, 10.0]},
    # logical problems: the largest |J| becomes 1; an embedding would spread a field over a chain, so h has no limit
    "complete": {"extended_j_range": [-1.0, 1.0], "h_range": [-1e6, 1e6]},
}


class QPUSimulator(dimod.Sampler, dimod.Structured):
    """Sampler with a QPU's graph, parameters, ranges, timing, schedules and errors.

    Args:
        solver: published annealer (`hwsim.annealing.devices.devices`): its A(s), B(s), temperature, graph, timing.
        topology_type, topology_shape: another graph: ``"pegasus"``, ``"zephyr"``, ``"chimera"``, or ``"complete"``
            for logical problems without embedding.
        dead_qubits, dead_couplers: what the graph lacks; the real processors' lists are not published here.
        model: ``"svmc-tf"``, ``"svmc"``, ``"sa"``, ``"pimc"`` or ``"greedy"`` (`hwsim.annealing.models`).
        sweeps_per_us: Monte Carlo sweeps a microsecond of schedule: the model's one free parameter.
        noise: analogue and readout errors.
        temperature_mk: instead of the annealer's own, millikelvin.
        seed: of everything random; submission k of a simulator depends on (seed, k). None takes one from the
            system and keeps it as `seed`.
        threads: processors that a submission may use; None: all. Answers do not depend on it.

    Raises:
        UsageError: an unknown solver, topology or model, or a number out of range.

    Example:
        >>> from hwsim.annealing import QPUSimulator
        >>> qpu = QPUSimulator(topology_type="pegasus", topology_shape=[2], seed=1)
        >>> u, v = qpu.edgelist[0]
        >>> answer = qpu.sample_ising({u: -1}, {(u, v): 1}, num_reads=50)
        >>> answer.first.sample == {u: 1, v: -1}
        True
    """

    nodelist: Any = None
    edgelist: Any = None
    parameters: Any = None
    properties: Any = None

    def __init__(
        self, solver: str = "Advantage_system4", *, topology_type: str | None = None,
        topology_shape: Sequence[int] | None = None, dead_qubits: Iterable[int] = (),
        dead_couplers: Iterable[tuple[int, int]] = (), model: Model = "svmc-tf", sweeps_per_us: float = 20.0,
        noise: Noise | None = None, temperature_mk: float | None = None, seed: int | None = None,
        threads: int | None = None,
    ) -> None:  # fmt: skip
        self.device: Device = device(solver)
        if model not in get_args(Model):
            raise UsageError.of("model", repr(model), f"one of {', '.join(get_args(Model))}", "Choose one of them.")
        for name, value in (("sweeps_per_us", sweeps_per_us), ("temperature_mk", temperature_mk or 1.0)):
            if not (np.isfinite(value) and value > 0):
                raise UsageError.of(name, value, "a finite number above 0", "Choose one.")
        kind = topology_type or self.device.topology
        if topology_shape is None:
            if kind != self.device.topology:
                raise UsageError.of("topology_shape", "none", f"a shape for {kind}", "For example pegasus [4].")
            topology_shape = self.device.shape
        shape = [int(size) for size in topology_shape]
        self.nodelist, self.edgelist = topology.working_graph(kind, shape, dead_qubits, dead_couplers)
        self.model, self.sweeps_per_us, self.threads = model, float(sweeps_per_us), threads
        self.noise = Noise() if noise is None else noise
        self.temperature_mk = float(temperature_mk or self.device.temperature_mk)
        self.seed = secrets.randbits(63) if seed is None else int(seed)
        self.submissions = 0
        self.parameters = {name: ["parameters"] for name in PARAMETERS} | {"warnings": [], "label": []}
        self.properties = self._properties(kind, shape)
        self._working = set(self.nodelist)

    def _properties(self, kind: str, shape: list[int]) -> dict[str, Any]:
        size = topology.num_qubits(kind, shape)
        return {
            **RANGES,
            **LIMITS[kind],
            "chip_id": f"hwsim_{self.device.name}",
            "topology": {"type": kind, "shape": shape},
            "num_qubits": size,
            "qubits": list(self.nodelist),
            "couplers": [list(edge) for edge in self.edgelist],
            "parameters": {name: text for name, text in PARAMETERS.items() if name not in ("label", "warnings")},
            "problem_timing_data": problem_timing_data(self.device, size),
        }

    @dimod.bqm_structured
    def sample(self, bqm: dimod.BinaryQuadraticModel, **parameters: Any) -> dimod.SampleSet:
        """Anneal a problem whose variables are qubits and whose interactions are couplers.

        Args:
            bqm: the problem, SPIN or BINARY.
            **parameters: a QPU's: anneal_schedule, annealing_time, initial_state, reinitialize_state, num_reads,
                auto_scale, answer_mode, label and those of the timing; `properties` names them all.

        Returns:
            Samples with the energies of the problem as given; ``info["timing"]`` as of a QPU.

        Raises:
            UsageError: a parameter that a QPU would refuse, or one that is not modelled.
            BinaryQuadraticModelStructureError: a variable or interaction that the graph does not have.
        """
        problem, qubits, offset = Problem.of_bqm(bqm)
        binary = bqm.vartype is dimod.BINARY
        asked = submission(parameters, qubits, binary, self.properties, self._working)
        number, self.submissions = self.submissions, self.submissions + 1
        terms, factor = self._programmed(problem, qubits, asked.auto_scale)
        rng = np.random.default_rng([self.seed & (2**64 - 1), number])
        run_seed = int(rng.integers(0, 2**63))
        programmed = disturbed(terms, self.noise, rng)
        states = self._anneal(Problem.of_edges(programmed.h, programmed.u, programmed.v, programmed.J), asked, run_seed)
        if self.noise.readout:
            states = np.where(rng.random(states.shape) < self.noise.readout, -states, states).astype(np.int8)
        answer = dimod.SampleSet.from_samples(
            ((states + 1) // 2 if binary else states, qubits), vartype=bqm.vartype,
            energy=problem.energies(states) + offset, info=self._info(asked, len(qubits), number, factor),
            aggregate_samples=asked.histogram, sort_labels=True,
        )  # fmt: skip
        return answer.slice(sorted_by="energy") if asked.histogram else answer

    def _programmed(self, problem: Problem, qubits: list[int], auto_scale: bool) -> tuple[Terms, float]:
        terms = Terms(np.array(qubits), problem.h, *problem.edges)
        return fitted(terms, auto_scale, self.properties, lambda: self._groups)

    @cached_property
    def _groups(self) -> list[Any]:
        from dwave.system.coupling_groups import coupling_groups

        return list(coupling_groups(self.to_networkx_graph()))

    def _anneal(self, problem: Problem, asked: Submission, seed: int) -> np.ndarray:
        s = schedule.sweep_fractions(asked.points, self.sweeps_per_us)
        hp, hd = self.device.reduced(s, self.temperature_mk)
        if asked.initial is None or asked.reinitialize:
            start = None if asked.initial is None else np.tile(asked.initial, (asked.num_reads, 1))
            return final_states(self.model, problem, hp, hd, start, asked.num_reads, seed, threads=self.threads)
        rows, state = [], asked.initial[None]
        for read in range(asked.num_reads):
            state = final_states(self.model, problem, hp, hd, state, 1, seed, first=read, threads=1)
            rows.append(state)
        return np.concatenate(rows)

    def _info(self, asked: Submission, n: int, number: int, factor: float) -> dict[str, Any]:
        times = timing(
            self.properties["problem_timing_data"], n, asked.num_reads, asked.points[-1][0], reverse=asked.reverse,
            reinitialize=asked.reinitialize, **asked.timing,
        )  # fmt: skip
        digest = hashlib.sha256(f"{self.seed} {number}".encode()).hexdigest()
        info: dict[str, Any] = {"timing": times, "problem_id": f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}"}
        if asked.label is not None:
            info["problem_label"] = asked.label
        info["simulator"] = {
            "model": self.model, "seed": self.seed, "submission": number, "scale": factor,
            "sweeps": len(schedule.sweep_fractions(asked.points, self.sweeps_per_us)),
            "temperature_mk": self.temperature_mk,
        }  # fmt: skip
        return info

    def sample_ising(self, h: Any, *args: Any, **kwargs: Any) -> dimod.SampleSet:
        """As `sample`; h may be a list over all qubits, whose zeros on missing qubits are ignored."""
        if isinstance(h, list):
            if len(h) > self.properties["num_qubits"]:
                raise dimod.exceptions.BinaryQuadraticModelStructureError(
                    f"h: got {len(h)} values, expected at most num_qubits = {self.properties['num_qubits']}. "
                    "Use EmbeddingComposite to map the problem to the annealer."
                )
            h = {q: bias for q, bias in enumerate(h) if bias}
        return super().sample_ising(h, *args, **kwargs)

    def validate_anneal_schedule(self, anneal_schedule: list[Sequence[float]]) -> None:
        """Raise `ScheduleError` (a ValueError; a TypeError as well for no list) when a rule is broken.

        Example:
            >>> from hwsim.annealing import QPUSimulator
            >>> qpu = QPUSimulator(topology_type="complete", topology_shape=[4])
            >>> qpu.validate_anneal_schedule([[0, 1], [2.5, 0.5], [27.5, 0.5], [30, 1]])
        """
        schedule.checked(anneal_schedule, self.properties)

    def to_networkx_graph(self) -> networkx.Graph:
        """The working graph, with its topology's coordinates."""
        kind = self.properties["topology"]
        return topology.lattice(kind["type"], kind["shape"], self.nodelist, self.edgelist)

    def close(self) -> None:
        """Nothing to release; here because a ``DWaveSampler`` has it."""

    def __enter__(self) -> QPUSimulator:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()


def describe(sampler: Any) -> Mapping[str, Any]:
    """What a result should say about the annealer behind it: simulated or real, its chip and topology."""
    properties = sampler.properties
    return {
        "simulated": isinstance(sampler, QPUSimulator),
        "chip_id": properties.get("chip_id"),
        "topology": properties.get("topology"),
    }
