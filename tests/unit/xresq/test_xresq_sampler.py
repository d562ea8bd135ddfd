"""X-ResQ through dimod samplers: classical ones, the stand-in, and the parallel embedding composite."""

from __future__ import annotations

import dimod
import numpy as np
import pytest
from dwave.system import EmbeddingComposite, ParallelEmbeddingComposite

from hwsim.annealing import IDEAL, QPUSimulator
from hwsim.annealing.tiling import disjoint_cliques
from hwsim.ir.errors import ShapeError, UsageError
from hwsim.xresq import detector, generate, make_seeds
from hwsim.xresq.modulation import spins_of_levels
from hwsim.xresq.xresq_sampler import xresq_sampler

REVERSE = [[0, 1], [0.6, 0.4], [1.6, 0.4], [2.2, 1]]


@pytest.fixture(scope="module")
def problems():
    return generate("qpsk", 3, 4, 12.0, 2, np.random.default_rng(1))


class Echo(dimod.Sampler):
    """Gives back its initial state and remembers how it was called; stops after `limit` calls."""

    properties: dict = {}  # noqa: RUF012
    parameters: dict = {"initial_state": [], "num_reads": []}  # noqa: RUF012

    def __init__(self, limit=10**9):
        self.calls, self.limit = [], limit

    def sample(self, bqm, **parameters):
        if len(self.calls) == self.limit:
            raise KeyboardInterrupt
        self.calls.append(parameters)
        order = list(bqm.variables)[::-1]
        state = parameters.get("initial_state") or dict.fromkeys(order, 1)
        rows = np.array([[state[v] for v in order]], np.int8)
        return dimod.SampleSet.from_samples_bqm((rows, order), bqm, num_occurrences=[parameters["num_reads"]])


def test_copies_get_their_seeds_and_reads(problems):
    echo, seeds = Echo(), make_seeds(problems.received, 3, "fsd")
    d = xresq_sampler(problems.received, echo, levels=3, reads=2, schedule=REVERSE, seeds=seeds)
    assert len(echo.calls) == 6
    assert all(call["num_reads"] == 2 and call["anneal_schedule"] == REVERSE for call in echo.calls)
    spins = spins_of_levels(problems.received.mod, seeds)
    assert [list(call["initial_state"].values()) for call in echo.calls[:3]] == spins[0].tolist()
    assert d.candidates.shape == (2, 3 + 3 * 2, 6)
    assert {row.tobytes() for row in d.candidates[0]} == {row.tobytes() for row in seeds[0]}
    assert d.energies == pytest.approx(problems.received.energies(d.candidates))


def test_without_seeds_it_is_a_forward_anneal(problems):
    echo = Echo()
    xresq_sampler(problems.received, echo, levels=1, reads=1, seeds=None)
    assert "initial_state" not in echo.calls[0]
    assert "anneal_schedule" not in echo.calls[0]


def test_a_stopped_run_keeps_what_was_sampled(problems):
    seen = []
    d = xresq_sampler(problems.received, Echo(limit=3), levels=2, reads=1, progress=lambda *a: seen.append(a))
    assert d.received.batch == 1
    assert seen == [(1, 2, "vectors")]
    with pytest.raises(KeyboardInterrupt):
        xresq_sampler(problems.received, Echo(limit=1), levels=2, reads=1)


def test_the_stand_in_in_one_submission_of_parallel_embeddings(problems):
    qpu = QPUSimulator(topology_type="zephyr", topology_shape=[4], seed=5, noise=IDEAL, sweeps_per_us=20)
    copies = disjoint_cliques(qpu.to_networkx_graph(), 6, 2)
    station = ParallelEmbeddingComposite(qpu, embeddings=copies)
    d = xresq_sampler(problems.received, station, levels=2, reads=10, schedule=REVERSE, chain_strength=1.0)
    assert qpu.submissions == problems.batch
    exact = detector("sphere")(problems.received)
    assert d.energy == pytest.approx(exact.energy)
    assert d.times_s["qpu"] > 0


def test_the_stand_in_behind_an_embedding(problems):
    qpu = QPUSimulator(topology_type="zephyr", topology_shape=[2], seed=5, noise=IDEAL)
    d = xresq_sampler(
        problems.received, EmbeddingComposite(qpu), levels=2, reads=5, schedule=REVERSE, reinitialize_state=True
    )
    assert (d.energy <= detector("fsd")(problems.received).energy + 1e-9).all()


def test_bad_numbers_are_refused(problems):
    with pytest.raises(UsageError, match="levels and reads: got 0 and 100"):
        xresq_sampler(problems.received, Echo(), levels=0)
    with pytest.raises(ShapeError, match="seeds has the wrong shape"):
        xresq_sampler(problems.received, Echo(), levels=2, seeds=np.ones((2, 3, 6), np.int8))
    qpu = QPUSimulator(topology_type="zephyr", topology_shape=[4], seed=5, noise=IDEAL)
    station = ParallelEmbeddingComposite(qpu, embeddings=disjoint_cliques(qpu.to_networkx_graph(), 6, 2))
    with pytest.raises(UsageError, match="sample_multiple: got 2 embeddings, expected 3 levels"):
        xresq_sampler(problems.received, station, levels=3, reads=1, schedule=REVERSE)
