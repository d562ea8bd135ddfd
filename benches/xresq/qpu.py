"""4 × 6, 16-QAM on the annealer's stand-in, through the calls that a real annealer would get.

Every submission goes through dwave-system's `ParallelEmbeddingComposite`: P embedded copies of one problem, each with
its own seed on its own qubits, with analogue and read-out errors. A real `DWaveSampler` in `station` is the only
change on hardware.

An anneal lasts 2.2 µs: down to s_p at 1/µs, a pause, and up again. 100 reads are the paper's 220 µs. The forward
anneal has the same length and pauses at s_p on its way. s_p of each is chosen on channels that no figure uses.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from benches.xresq.counts import Counts
from benches.xresq.embedding import SPINS, chip
from benches.xresq.links import Link
from hwsim.annealing import QPUSimulator
from hwsim.annealing.tiling import Embedding, disjoint_cliques, qubits_of
from hwsim.xresq.channel import Problems
from hwsim.xresq.linear import mmse
from hwsim.xresq.modulation import bits_of_levels
from hwsim.xresq.seeds import make_seeds
from hwsim.xresq.tree import sphere
from hwsim.xresq.xresq_sampler import anneal_copies

ANNEAL_US = 2.2
SWEEPS_PER_US = 100.0  # the rotor model's free parameter; 20–100 stand for the hardware's microsecond
CHAIN_STRENGTH = 1.0  # times the largest |J| of the problem
LEVELS = 6
PAPER_S_P = 0.40  # 0.6 µs down, a pause of 1 µs, 0.6 µs up
PARALLEL = (1, 2, 3, 6)  # numbers of levels that are compared
GRID = (0.36, 0.38, 0.40, 0.42, 0.44)


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
def _placement() -> tuple[list[Embedding], set[int]]:
    """Disjoint embeddings on the chip, and the qubits that none of them uses."""
    graph = chip("pegasus")
    copies = disjoint_cliques(graph, SPINS, LEVELS)
    return copies, set(graph) - {q for copy in copies for q in qubits_of(copy)}


def station(levels: int, seed: int) -> Any:
    """`levels` embedded copies on a fresh stand-in whose answers depend on `seed` and the number of the submission."""
    from dwave.system import ParallelEmbeddingComposite

    copies, unused = _placement()
    # the composite looks at all qubits for every problem: those that no copy uses are left out
    qpu = QPUSimulator("Advantage_system4", dead_qubits=unused, sweeps_per_us=SWEEPS_PER_US, seed=seed, threads=1)
    return ParallelEmbeddingComposite(qpu, embeddings=copies[:levels])


def station_seed(seed: int, chunk: int, label: str) -> int:
    """A seed for each method and chunk: its answers do not depend on what else runs, or where."""
    return int(np.random.SeedSequence([seed, chunk, zlib.crc32(label.encode())]).generate_state(1)[0])


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
            submitted = station_seed(seed, chunk, label)
            levels = np.stack([one[0] for one in _answers(problems, method, [(method["levels"], None)], submitted)])
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
    levels = np.stack(list(_answers(problems, method, shares, station_seed(seed, chunk, "levels"))))
    return {label: _counts(problems, levels[:, i]) for i, label in enumerate(labels)}


def read_counts(
    snr_db: float, seed: int, vectors: int, chunk: int, methods: Mapping[str, Mapping[str, Any]], reads: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Counts of exact ML, ``ml``, and of each method after the first r reads of all its copies: ``label r``.

    Reads are independent, so the first r of many are a run of r.
    """
    problems = Link(4, 6, "16qam", snr_db).problems(seed, chunk, vectors)
    found = {"ml": _counts(problems, sphere(problems.received).levels)}
    for label, method in methods.items():
        shares = [(method["levels"], count) for count in reads]
        asked = {**method, "reads": max(reads)}
        levels = np.stack(list(_answers(problems, asked, shares, station_seed(seed, chunk, f"{label} by reads"))))
        found |= {f"{label} {count}": _counts(problems, levels[:, i]) for i, count in enumerate(reads)}
    return found


def _counts(problems: Problems, levels: np.ndarray) -> dict[str, float]:
    wrong = (bits_of_levels(problems.received.mod, levels) != problems.bits).sum(axis=1)
    return Counts.of(wrong, problems.bits.shape[1]).stored()


def _answers(
    problems: Problems, method: Mapping[str, Any], shares: Sequence[tuple[int, int | None]], seed: int
) -> Iterator[np.ndarray]:
    """For each vector int8 [shares, n]: the lowest ‖y − Hx‖² among the first copies' first reads and their seeds."""
    r, copies, backwards = problems.received, method["levels"], method["kind"] == "reverse"
    schedule = (reverse if backwards else forward)(method["s_p"])
    seeds = make_seeds(r, copies, method["seeds"], seed=seed) if backwards else None
    sampler = station(copies, seed)
    for b in range(r.batch):
        start = None if seeds is None else seeds[b]
        found, _ = anneal_copies(
            r, b, sampler, copies, start, CHAIN_STRENGTH, anneal_schedule=schedule, num_reads=method["reads"]
        )
        one = r.part(slice(b, b + 1))
        answers = []
        for count, reads in shares:
            pool = np.concatenate([levels[:reads] for levels in found[:count]])
            pool = pool if start is None else np.concatenate([start[:count], pool])
            answers.append(pool[one.energies(pool[None])[0].argmin()])
        yield np.stack(answers)
