"""The paper's search: Cartesian genetic programming over two-input gates (EncodingNet, section III-B).

A grid of rows × cols nodes reads operand bits or earlier columns; `outputs` signals and a constant are fitted to the
product by ridge regression, the M outputs of largest |s| are kept and s is rounded to integers, without a new fit
inside the fitness. Fitness (maximised): with ReMax = max|v̂ − v| / max|v|,

    −(area + th)            where ReMax ≤ th: shrink the gates
    −(area_max + ReMax)     else: reach the threshold first

(10 + 50) selection with tournaments of two, offspring preferred on ties, mutation rate by the champion's ReMax. It is
the baseline: evaluated on packed words, seeded and resumable, but otherwise as published. Distances: the paper's grid
is two columns of 256 nodes and 2 500 generations; smaller numbers serve for tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from hwsim.encodingnet.fit import from_gates
from hwsim.encodingnet.gatebuilder import GateBuilder
from hwsim.encodingnet.operands import code_values
from hwsim.encodingnet.search import checkpoint as files
from hwsim.encodingnet.search.kernels_cgp import counts_of_pairs, inner_products, largest_error, run_nodes
from hwsim.encodingnet.truth import input_words
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import UsageError

# NAND2 NOR2 AND2 OR2 XOR2 XNOR2 NOT wire: truth table over (first, second), area in NAND2 units
TABLES = (0b0111, 0b0001, 0b1000, 0b1110, 0b0110, 0b1001, 0b0101, 0b1010)
AREAS = np.array([1, 1, 4 / 3, 4 / 3, 2, 2, 2 / 3, 0])
# champion's ReMax above → mutation rate a gene
RATES = (
    (0.9, 0.3), (0.7, 0.2), (0.2, 0.1), (0.1, 0.05), (0.05, 0.0285), (0.04, 0.0214), (0.03, 0.0143), (0.025, 0.0133),
    (0.02, 0.0123), (0.01, 0.0113), (-1.0, 0.01),
)  # fmt: skip
RIDGE = 0.1


@dataclass(frozen=True)
class CgpSpec:
    """Parameters of the paper's search; the defaults are the paper's.

    Attributes:
        x_bits, w_bits, n_bits: operand widths and M.
        rows, cols, outputs: the grid and the search width B.
        threshold: th, a fraction.
        parents, offspring: μ and λ.
        seed: of all random steps.
    """

    x_bits: int = 8
    w_bits: int = 8
    n_bits: int = 64
    rows: int = 256
    cols: int = 2
    outputs: int = 128
    threshold: float = 0.001
    parents: int = 10
    offspring: int = 50
    seed: int = 0


@dataclass(frozen=True)
class CgpResult:
    """Champion of a run.

    Attributes:
        encoding: its M bits with weights fitted once more.
        relmax: ReMax in the fitness, a fraction (integer weights, no re-fit).
        area: NAND2 units of the active nodes.
        generations: finished.
        interrupted: stopped by Ctrl-C; the champion so far is kept.
    """

    encoding: Encoding
    relmax: float
    area: float
    generations: int
    interrupted: bool


def cgp(
    spec: CgpSpec,
    generations: int = 2500,
    checkpoint: Path | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> CgpResult:
    """Run the genetic search; the same specification and generations give the same bytes.

    Args:
        generations: in all, those of a checkpoint included.
        checkpoint: file that keeps the population after every tenth generation and at the end.

    Raises:
        UsageError: M above the search width, a grid without nodes, or fewer than six operand bits in all.
        DataError: a checkpoint of another run.
    """
    if not 1 <= spec.n_bits <= spec.outputs or min(spec.rows, spec.cols, spec.parents, spec.offspring) < 1:
        got = f"M {spec.n_bits}, outputs {spec.outputs}, grid {spec.rows}×{spec.cols}"
        raise UsageError.of("CGP parameters", got, "1 ≤ M ≤ outputs, everything else ≥ 1", "Mend the specification.")
    if spec.x_bits + spec.w_bits < 6:
        raise UsageError.of("CGP operand bits", spec.x_bits + spec.w_bits, "6 or more", "Words hold 64 pairs.")
    run = _Population(spec)
    state = files.load(checkpoint, run.key)
    interrupted = False
    try:
        run.start(state)
        while run.generation < generations:
            run.step()
            if run.generation % 10 == 0:
                files.save(checkpoint, run.key, run.snapshot())
            if progress:
                progress(run.generation, generations, f"ReMax {run.scores[0][1]:.4g}")
    except KeyboardInterrupt:
        interrupted = True
    files.save(checkpoint, run.key, run.snapshot())
    return run.result(interrupted)


class _Population:
    """Genomes int64 [nodes·3 + outputs] (function, two sources; then output signals), best first."""

    def __init__(self, spec: CgpSpec) -> None:
        self.spec, self.generation = spec, 0
        self.n_inputs, self.nodes = spec.x_bits + spec.w_bits, spec.rows * spec.cols
        self.rng = np.random.default_rng(spec.seed)
        self.key = files.problem_key(*(getattr(spec, f.name) for f in fields(spec)))
        order = np.concatenate([spec.w_bits + np.arange(spec.x_bits), np.arange(spec.w_bits)])
        words = input_words(self.n_inputs, order)
        self.signals = np.zeros((self.n_inputs + self.nodes, words.shape[1]), np.uint64)
        self.signals[: self.n_inputs] = words
        exact = np.outer(code_values(spec.x_bits, True), code_values(spec.w_bits, True)).ravel()
        self.target = exact.astype(np.float64)
        column = np.arange(self.nodes) // spec.rows
        self.limits = self.n_inputs + column * spec.rows
        limits = np.stack([np.full(self.nodes, len(TABLES)), self.limits, self.limits], axis=1).ravel()
        self.limit = np.concatenate([limits, np.full(spec.outputs, self.n_inputs + self.nodes)])
        self.population: list[np.ndarray] = []
        self.scores: list[tuple[float, float, float]] = []  # fitness, ReMax, area

    def start(self, state: dict | None) -> None:
        """Random parents, or a checkpoint's."""
        if state is not None and state["population"]:
            self.generation, self.rng.bit_generator.state = state["generation"], state["rng"]
            self.population = [np.array(genome, np.int64) for genome in state["population"]]
            self.scores = [tuple(score) for score in state["scores"]]
            return
        for _ in range(self.spec.parents):
            genome = self.rng.integers(0, self.limit)
            self.scores.append(self.score(genome))
            self.population.append(genome)
        self._sort(self.population, self.scores)

    def step(self) -> None:
        """One generation."""
        rate = next(value for bound, value in RATES if self.scores[0][1] > bound)
        children, scores = [], []
        for _ in range(self.spec.offspring):
            a, b = self.rng.integers(0, len(self.population), 2)
            child = self.population[min(a, b)].copy()
            changed = self.rng.random(len(child)) < rate
            child[changed] = self.rng.integers(0, self.limit[changed])
            scores.append(self.score(child))
            children.append(child)
        self._sort([*children, *self.population], [*scores, *self.scores])
        self.generation += 1

    def score(self, genome: np.ndarray) -> tuple[float, float, float]:
        """(fitness, ReMax, area) of a genome."""
        signals, weights, bias = self.columns(genome)
        worst = largest_error(self.signals[signals], weights, bias, self.target)
        relmax = float(worst / np.abs(self.target).max())
        area = float(AREAS[genome[: 3 * self.nodes : 3]][self.active(genome, signals)].sum())
        if relmax <= self.spec.threshold:
            return -(area + self.spec.threshold), relmax, area
        return -(2.0 * self.nodes + relmax), relmax, area

    def columns(self, genome: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """(signals of the M kept outputs, their integer weights, bias); evaluates the grid."""
        gates = genome[: 3 * self.nodes].reshape(-1, 3)
        run_nodes(gates[:, 0].copy(), gates[:, 1:].copy(), self.n_inputs, self.signals)
        outputs = genome[3 * self.nodes :]
        rows = self.signals[outputs]
        counts = counts_of_pairs(rows).astype(np.float64)
        gram = np.zeros((len(rows) + 1, len(rows) + 1))
        gram[:-1, :-1], gram[-1, -1] = counts, len(self.target)
        gram[-1, :-1] = gram[:-1, -1] = counts.diagonal()
        right = np.append(inner_products(rows, self.target), self.target.sum())
        s = np.linalg.solve(gram + RIDGE * np.eye(len(gram)), right)
        kept = np.argsort(-np.abs(s[:-1]), kind="stable")[: self.spec.n_bits]
        return outputs[kept], np.rint(s[kept]), float(np.rint(s[-1]))

    def active(self, genome: np.ndarray, signals: np.ndarray) -> np.ndarray:
        """bool [nodes]: what the kept outputs read."""
        seen = np.zeros(self.n_inputs + self.nodes, bool)
        seen[signals] = True
        gates = genome[: 3 * self.nodes].reshape(-1, 3)
        for i in range(self.nodes - 1, -1, -1):
            if seen[self.n_inputs + i]:
                seen[gates[i, 1]] = True
                if gates[i, 0] < 6:
                    seen[gates[i, 2]] = True
        return seen[self.n_inputs :]

    def snapshot(self) -> dict:
        """State as JSON-able values."""
        population = [genome.tolist() for genome in self.population]
        scores = [list(score) for score in self.scores]
        return {"generation": self.generation, "population": population, "scores": scores,
                "rng": self.rng.bit_generator.state}  # fmt: skip

    def result(self, interrupted: bool) -> CgpResult:
        """The champion as an encoding."""
        if not self.population:
            self.population = [self.rng.integers(0, self.limit)]
            self.scores = [self.score(self.population[0])]
        genome, (_, relmax, area) = self.population[0], self.scores[0]
        signals, _, _ = self.columns(genome)
        builder, names = GateBuilder(self.n_inputs), list(range(self.n_inputs))
        for function, a, b in genome[: 3 * self.nodes].reshape(-1, 3).tolist():
            names.append(builder.gate(TABLES[function], names[a], names[b]))
        gates = builder.build([names[s] for s in signals.tolist()])
        meta = {"construction": "cgp"}
        encoding = from_gates(gates, self.spec.x_bits, self.spec.w_bits, meta=meta)
        return CgpResult(encoding, relmax, area, self.generation, interrupted)

    def _sort(self, genomes: list[np.ndarray], scores: list[tuple[float, float, float]]) -> None:
        """Keep the μ best; earlier ones win ties, so that offspring listed first drift in."""
        order = sorted(range(len(genomes)), key=lambda i: -scores[i][0])[: self.spec.parents]
        self.population, self.scores = [genomes[i] for i in order], [scores[i] for i in order]
