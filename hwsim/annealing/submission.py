"""Parameters of a submission, checked by the QPU's own rules.

Source: D-Wave documentation, solver parameters; ``DWaveSampler`` (dwave-system 1.36) and ``StructuredSolver``
(dwave-cloud-client 0.14).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwsim.annealing import schedule
from hwsim.ir.errors import UsageError

UNUSED = 3  # in an initial_state list: a qubit that the problem does not use
PARAMETERS = {
    "anneal_offsets": "Not modelled: only None or zeros.",
    "anneal_schedule": "List of [t in µs, s] points.",
    "annealing_time": "Duration of a forward anneal, µs.",
    "answer_mode": "'histogram' or 'raw'; raw is the default of a reverse anneal.",
    "auto_scale": "Whether h and J are scaled to their ranges.",
    "fast_anneal": "Not modelled: only False.",
    "flux_biases": "Not modelled: only None or zeros.",
    "flux_drift_compensation": "Accepted; there is no drift.",
    "h_gain_schedule": "Not modelled: only None.",
    "initial_state": "State that a reverse anneal starts from.",
    "num_reads": "Number of anneals.",
    "programming_thermalization": "µs after programming; enters the timing only.",
    "readout_thermalization": "µs after each read; enters the timing only.",
    "reduce_intersample_correlation": "Waits between reads; enters the timing only, reads are independent.",
    "reinitialize_state": "Whether each read starts from initial_state, or from the state read before.",
    "label": "Name of the problem, returned in info.",
    "warnings": "Accepted for DWaveSampler's sake.",
}
OBSOLETE = {
    "max_answers": "Sort and slice the returned sampleset.",
    "num_spin_reversal_transforms": "Use dwave.preprocessing.SpinReversalTransformComposite.",
    "postprocess": "Use a classical sampler on the returned samples.",
    "beta": "Postprocessing is obsolete.",
    "chains": "Postprocessing is obsolete.",
}
FLAGS = ("auto_scale", "fast_anneal", "flux_drift_compensation", "reduce_intersample_correlation", "reinitialize_state")


@dataclass(frozen=True)
class Submission:
    """Checked parameters.

    Attributes:
        points: schedule, (t in µs, s).
        initial: int8 [n], ±1 in the order of the problem's qubits; None for a forward anneal.
        num_reads, reinitialize, auto_scale, histogram: as submitted, or their defaults.
        timing: the parameters that enter the timing only.
        label: the problem's name.
    """

    points: tuple[tuple[float, float], ...]
    initial: np.ndarray | None
    num_reads: int
    reinitialize: bool
    auto_scale: bool
    histogram: bool
    timing: Mapping[str, Any]
    label: str | None

    @property
    def reverse(self) -> bool:
        """Whether the schedule starts at s = 1."""
        return self.points[0][1] == 1


def submission(
    given: Mapping[str, Any], qubits: Sequence[int], binary: bool, properties: Mapping[str, Any], working: set[int]
) -> Submission:
    """Check the keyword arguments of ``sample``.

    Args:
        given: keyword arguments.
        qubits: qubits that the problem uses, in the problem's order.
        binary: whether the problem is a QUBO, whose states are 0 and 1.
        properties: the annealer's.
        working: all qubits of the annealer.

    Raises:
        UsageError: unknown, obsolete or unmodelled parameter, or a value outside its range.
        ScheduleError: a schedule or annealing time that breaks a rule.
    """
    _check_names(given)
    given = {name: value for name, value in given.items() if value is not None}
    _check_unmodelled(given)
    for name in FLAGS:
        if not isinstance(given.get(name, True), bool | np.bool_):
            raise UsageError.of(name, repr(given[name]), "True or False", "Pass a bool.")
    points = _points(given, properties)
    initial = _initial(given, points, qubits, binary, properties, working)
    reads = _num_reads(given, properties)
    timing = {name: _thermalization(given, name, properties) for name in _THERMAL}
    timing["decorrelate"] = bool(given.get("reduce_intersample_correlation", False))
    _check_duration(points, reads, timing, properties)
    mode = given.get("answer_mode", "raw" if initial is not None else "histogram")
    if mode not in ("raw", "histogram"):
        raise UsageError.of("answer_mode", repr(mode), "'raw' or 'histogram'", "Choose one of them.")
    return Submission(
        tuple(points), initial, reads, bool(given.get("reinitialize_state", True)),
        bool(given.get("auto_scale", True)), mode == "histogram", timing, given.get("label"),
    )  # fmt: skip


def _check_names(given: Mapping[str, Any]) -> None:
    for name in given:
        if name in OBSOLETE:
            raise UsageError.of("parameter", f"{name!r}, which is obsolete", "a current parameter", OBSOLETE[name])
        if name not in PARAMETERS:
            raise UsageError.of(
                "parameter", f"{name!r}, which this annealer does not have", f"one of {', '.join(PARAMETERS)}",
                "Remove or rename it.",
            )  # fmt: skip


def _check_unmodelled(given: Mapping[str, Any]) -> None:
    for name in ("anneal_offsets", "flux_biases"):
        if name in given and np.any(np.nan_to_num(np.asarray(given[name], np.float64))):
            raise UsageError.of(name, "values other than zero", "none: it is not modelled", "Leave it out here.")
    if given.get("fast_anneal", False) is not False:
        raise UsageError.of("fast_anneal", given["fast_anneal"], "False: it is not modelled", "Leave it out here.")
    if "h_gain_schedule" in given:
        raise UsageError.of("h_gain_schedule", "a schedule", "none: it is not modelled", "Leave it out here.")


def _points(given: Mapping[str, Any], properties: Mapping[str, Any]) -> list[tuple[float, float]]:
    if "anneal_schedule" in given and "annealing_time" in given:
        raise schedule.ScheduleError.of(
            "anneal_schedule and annealing_time", "both", "one of them", "A schedule's last time is its duration."
        )
    if "anneal_schedule" in given:
        return schedule.checked(given["anneal_schedule"], properties)
    return schedule.forward(given.get("annealing_time", properties["default_annealing_time"]), properties)


def _initial(
    given: Mapping[str, Any], points: Sequence[tuple[float, float]], qubits: Sequence[int], binary: bool,
    properties: Mapping[str, Any], working: set[int],
) -> np.ndarray | None:  # fmt: skip
    reverse = points[0][1] == 1
    if not reverse:
        if "initial_state" in given:
            raise UsageError.of(
                "initial_state", "a state for a forward anneal", "an anneal_schedule that starts at s = 1",
                "Add the schedule or remove the state.",
            )  # fmt: skip
        return None
    if "initial_state" not in given:
        raise UsageError.of(
            "initial_state", "none", "a state: the anneal_schedule starts at s = 1", "Pass {qubit: ±1, …}."
        )
    state = given["initial_state"]
    if isinstance(state, Mapping):
        return _from_mapping(state, qubits, working)
    return _from_list(state, qubits, binary, properties["num_qubits"])


def _from_mapping(state: Mapping[Any, Any], qubits: Sequence[int], working: set[int]) -> np.ndarray:
    if strange := [q for q in state if q not in working]:
        raise UsageError.of("initial_state", f"qubits {strange[:5]}", "qubits of this annealer", "Embed the state.")
    if wrong := {q: v for q, v in state.items() if v not in (-1, 0, 1, UNUSED)}:
        raise UsageError.of("initial_state", dict(list(wrong.items())[:5]), "−1 or 1 (0 or 1 in a QUBO)", "Mend it.")
    values = [state.get(q, UNUSED) for q in qubits]
    _check_complete(values, qubits)
    return np.array([1 if value > 0 else -1 for value in values], np.int8)


def _from_list(state: Any, qubits: Sequence[int], binary: bool, num_qubits: int) -> np.ndarray:
    if not isinstance(state, Sequence | np.ndarray) or len(state) != num_qubits:
        got = f"{len(state)} values" if isinstance(state, Sequence | np.ndarray) else type(state).__name__
        raise UsageError.of(
            "initial_state", got, f"a dict, or a list of num_qubits = {num_qubits} values", "Use 3 for unused qubits."
        )
    low = 0 if binary else -1
    if wrong := sorted({int(v) for v in state} - {low, 1, UNUSED}):
        raise UsageError.of("initial_state", wrong[:5], f"{low}, 1, or 3 for unused", "Mend the list.")
    values = [int(state[q]) for q in qubits]
    _check_complete(values, qubits)
    return np.array([1 if value > 0 else -1 for value in values], np.int8)


def _check_complete(values: Sequence[int], qubits: Sequence[int]) -> None:
    if missing := [q for q, value in zip(qubits, values, strict=True) if value == UNUSED]:
        raise UsageError.of(
            "initial_state", f"no value for qubits {missing[:5]}", "a value for every qubit of the problem", "Add them."
        )


def _num_reads(given: Mapping[str, Any], properties: Mapping[str, Any]) -> int:
    low, high = properties["num_reads_range"]
    reads = given.get("num_reads", 1)
    if not isinstance(reads, int | np.integer) or isinstance(reads, bool) or not low <= reads <= high:
        raise UsageError.of("num_reads", repr(reads), f"an integer from {low} to {high}", "Split larger submissions.")
    return int(reads)


_THERMAL = ("programming_thermalization", "readout_thermalization")


def _thermalization(given: Mapping[str, Any], name: str, properties: Mapping[str, Any]) -> float | None:
    if name not in given:
        return None
    low, high = properties[f"{name}_range"]
    value = given[name]
    if not isinstance(value, int | float | np.number) or isinstance(value, bool) or not low <= value <= high:
        raise UsageError.of(name, repr(value), f"{low:g} to {high:g} µs", "Choose a time in that range.")
    return float(value)


def _check_duration(
    points: Sequence[tuple[float, float]], reads: int, timing: Mapping[str, Any], properties: Mapping[str, Any]
) -> None:
    """D-Wave documentation, ``problem_run_duration_range``: reads·(anneal + thermalisation) + programming."""
    per_read = points[-1][0] + (timing["readout_thermalization"] or properties["default_readout_thermalization"])
    programming = timing["programming_thermalization"] or properties["default_programming_thermalization"]
    longest = properties["problem_run_duration_range"][1]
    if (duration := reads * per_read + programming) > longest:
        raise UsageError.of(
            "duration of the submission", f"{duration:g} µs ({reads} reads of {per_read:g} µs)",
            f"at most {longest:g} µs", "Ask for fewer or shorter reads.",
        )  # fmt: skip
