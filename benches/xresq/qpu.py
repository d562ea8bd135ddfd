"""4 × 6, 16-QAM on the annealer's stand-in, through the calls that a real annealer would get.

Every submission goes through dwave-system's `ParallelEmbeddingComposite`: P embedded copies of one problem, each with
its own seed on its own qubits, with analogue and read-out errors. A real `DWaveSampler` in `station` is the only
change on hardware.

An anneal lasts 2.2 µs: down to s_p at 1/µs, a pause, and up again. 100 reads are the paper's 220 µs. The forward
anneal has the same length and pauses at s_p on its way. s_p of each is chosen on channels that no figure uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from benches.xresq.counts import Counts
from benches.xresq.embedding import SPINS, chip
from benches.xresq.links import Link
from hwsim.annealing import QPUSimulator
from hwsim.annealing.tiling import disjoint_cliques, qubits_of
from hwsim.xresq.channel import Problems
from hwsim.xresq.linear import mmse
from hwsim.xresq.mapping import dimod_bqm
from hwsim.xresq.modulation import bits_of_levels, levels_of_spins, spins_of_levels
from hwsim.xresq.seeds import make_seeds
from hwsim.xresq.tree import sphere

ANNEAL_US = 2.2
SWEEPS_PER_US = 100.0  # the rotor model's free parameter; 20–100 stand for the hardware's microsecond
CHAIN_STRENGTH = 1.0  # times the largest |J| of the problem
LEVELS = 6
PAPER_S_P = 0.40  # 0.6 µs down, a pause of 1 µs, 0.6 µs up
PARALLEL = (1, 2, 3, 6)  # numbers of levels that are compared
GRID = (0.36, 0.38, 0.40, 0.42, 0.44)

Sampled = tuple[list[np.ndarray], dict[str, Any]]


def reverse(s_p: float) -> list[list[float]]:
    """Reverse schedule [(µs, s)] of `ANNEAL_US` with its turning point at s_p."""
    down = 1.0 - s_p
    return _rounded([[0, 1], [down, s_p], [ANNEAL_US - down, s_p], [ANNEAL_US, 1]])


def forward(s_p: float) -> list[list[float]]:
    """Forward schedule of the same length with its pause at s_p."""
    return _rounded([[0, 0], [s_p, s_p], [ANNEAL_US - (1 - s_p), s_p], [ANNEAL_US, 1]])


def _rounded(points: list[list[float]]) -> list[list[float]]:
    return [[round(t, 2), s] for t, s in points]  # the annealer's clock has steps of 0.01 µs


@cache
def station(levels: int, seed: int) -> Any:
    """`levels` disjoint embeddings on a chip of which nothing else is used, ready to sample."""
    from dwave.system import ParallelEmbeddingComposite

    graph = chip("pegasus")
    copies = disjoint_cliques(graph, SPINS, LEVELS)[:levels]
    used = {q for copy in copies for q in qubits_of(copy)}
    # the composite looks at all qubits for every problem: those that no copy uses are left out
    qpu = QPUSimulator(
        "Advantage_system4", dead_qubits=set(graph) - used, sweeps_per_us=SWEEPS_PER_US, seed=seed, threads=1
    )
    return ParallelEmbeddingComposite(qpu, embeddings=copies)


def sample(
    problems: Problems, b: int, copies: int, schedule: Sequence[Sequence[float]], reads: int, seeds: Any, seed: int
) -> Sampled:
    """Logical spins int8 [reads, 16] of every copy, and the submission's info.

    Args:
        seeds: int8 [copies, n] levels for a reverse anneal, or None.
        seed: of the stand-in; each (seed, b) is a submission of its own.
    """
    bqm = dimod_bqm(problems.received, b)
    parameters: dict[str, Any] = {"anneal_schedule": schedule, "num_reads": reads}
    if seeds is not None:
        spins = spins_of_levels(problems.received.mod, seeds)
        parameters["initial_states"] = [dict(enumerate(row.tolist())) for row in spins]
    strength = CHAIN_STRENGTH * max(abs(value) for value in bqm.quadratic.values())
    answers, info = station(copies, seed).sample_multiple(
        [bqm] * copies, chain_strengths=[strength] * copies, **parameters
    )
    states = []
    for answer in answers:
        columns = np.argsort(list(answer.variables))
        states.append(np.repeat(answer.record.sample, answer.record.num_occurrences, axis=0)[:, columns])
    return states, info


def qpu_counts(
    snr_db: float, seed: int, vectors: int, chunk: int, methods: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, float]]:
    """Counts of each method on one chunk of the 4 × 6, 16-QAM link.

    Args:
        methods: label → {"kind": "ml" | "mmse" | "reverse" | "forward", "levels", "reads" a copy, "s_p", "seeds"}.
    """
    problems = Link(4, 6, "16qam", snr_db).problems(seed, chunk, vectors)
    found = {}
    for label, method in methods.items():
        if method["kind"] in ("ml", "mmse"):
            levels = (sphere if method["kind"] == "ml" else mmse)(problems.received).levels
        else:
            levels = np.stack(
                [pools[-1] for pools in _answers(problems, method, [(method["levels"], None)], chunk, seed)]
            )
        found[label] = _counts(problems, levels)
    return found


def level_counts(
    snr_db: float, seed: int, vectors: int, chunk: int, reads: int, s_p: float
) -> dict[str, dict[str, float]]:
    """Counts by number of levels P, from one submission of six copies a vector.

    ``same P``: the first P copies with all their `reads`; ``fixed P``: `reads`/P of each, so that P levels share one
    total. A copy's reads do not depend on what runs beside it, so a part of a submission is a smaller submission.
    """
    problems = Link(4, 6, "16qam", snr_db).problems(seed, chunk, vectors)
    shares = [(p, reads) for p in PARALLEL] + [(p, reads // p) for p in PARALLEL]
    labels = [f"same {p}" for p in PARALLEL] + [f"fixed {p}" for p in PARALLEL]
    method = {"kind": "reverse", "levels": LEVELS, "reads": reads, "s_p": s_p, "seeds": "fsd"}
    levels = np.stack(list(_answers(problems, method, shares, chunk, seed)))
    return {label: _counts(problems, levels[:, i]) for i, label in enumerate(labels)}


def _counts(problems: Problems, levels: np.ndarray) -> dict[str, float]:
    wrong = (bits_of_levels(problems.received.mod, levels) != problems.bits).sum(axis=1)
    return Counts.of(wrong, problems.bits.shape[1]).stored()


def _answers(
    problems: Problems, method: Mapping[str, Any], shares: Sequence[tuple[int, int | None]], chunk: int, seed: int
) -> Iterator[np.ndarray]:
    """For each vector int8 [shares, n]: the lowest ‖y − Hx‖² among the first copies' first reads and their seeds."""
    backwards = method["kind"] == "reverse"
    copies, mod = method["levels"], problems.received.mod
    schedule = (reverse if backwards else forward)(method["s_p"])
    seeds = make_seeds(problems.received, copies, method["seeds"], seed=seed) if backwards else None
    for b in range(problems.batch):
        start = None if seeds is None else seeds[b]
        states, _ = sample(problems, b, copies, schedule, method["reads"], start, 1000 * chunk + seed)
        one = problems.received.part(slice(b, b + 1))
        answers = []
        for count, reads in shares:
            pool = levels_of_spins(mod, np.concatenate([state[:reads] for state in states[:count]]))
            pool = pool if start is None else np.concatenate([start[:count], pool])
            answers.append(pool[one.energies(pool[None])[0].argmin()])
        yield np.stack(answers)
