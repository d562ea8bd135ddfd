"""The stand-in behind D-Wave's interface: structure, parameters, timing, reverse annealing, composites."""

from __future__ import annotations

from types import SimpleNamespace

import dimod
import numpy as np
import pytest
from dimod.exceptions import BinaryQuadraticModelStructureError
from dwave.cloud.solver import StructuredSolver
from dwave.system import EmbeddingComposite, FixedEmbeddingComposite, ParallelEmbeddingComposite
from dwave.system.testing import MockDWaveSampler

from hwsim.annealing import IDEAL, Noise, Problem, QPUSimulator, devices
from hwsim.annealing.programming import Terms, disturbed, quotients
from hwsim.annealing.qpu import describe
from hwsim.ir.errors import HwsimError, UsageError

REVERSE = [[0, 1], [0.6, 0.4], [1.6, 0.4], [2.2, 1]]
N = 6


def complete(**options) -> QPUSimulator:
    return QPUSimulator(topology_type="complete", topology_shape=[N], **{"seed": 1, **options})


def pegasus(**options) -> QPUSimulator:
    return QPUSimulator(topology_type="pegasus", topology_shape=[2], **{"seed": 1, **options})


def drawn(n: int = N, vartype: str = "SPIN", seed: int = 0) -> dimod.BinaryQuadraticModel:
    rng = np.random.default_rng(seed)
    linear = {i: rng.normal() for i in range(n)}
    return dimod.BinaryQuadraticModel(linear, {(i, j): rng.normal() for i in range(n) for j in range(i)}, 0.5, vartype)


def same(a: dimod.SampleSet, b: dimod.SampleSet) -> bool:
    return a.record.tobytes() == b.record.tobytes() and list(a.variables) == list(b.variables) and a.info == b.info


def test_the_properties_of_a_mock_are_there():
    """Every property and parameter of dwave-system's own mock, but the features that are not modelled."""
    mock, ours = MockDWaveSampler(topology_type="pegasus", topology_shape=[2]), pegasus()
    unmodelled = {"anneal_offset_ranges", "anneal_offset_step", "anneal_offset_step_phi0", "fast_anneal_time_range",
                  "h_gain_schedule_range", "max_h_gain_schedule_points"}  # fmt: skip
    assert set(mock.properties) - set(ours.properties) == unmodelled
    assert set(mock.parameters) <= set(ours.parameters)
    assert (ours.nodelist, ours.edgelist) == (mock.nodelist, mock.edgelist)
    for name in ("num_qubits", "topology", "h_range", "j_range", "extended_j_range", "per_qubit_coupling_range"):
        assert ours.properties[name] == mock.properties[name]
    assert ours.to_networkx_graph().graph["family"] == "pegasus"
    assert describe(ours) == {
        "simulated": True, "chip_id": "hwsim_Advantage_system4", "topology": {"type": "pegasus", "shape": [2]},
    }  # fmt: skip


def test_dead_qubits_and_couplers():
    full = pegasus()
    dead, cut = full.nodelist[3], full.edgelist[-1]
    qpu = pegasus(dead_qubits=[dead], dead_couplers=[cut])
    assert dead not in qpu.nodelist
    assert cut not in qpu.edgelist
    assert qpu.properties["num_qubits"] == full.properties["num_qubits"]
    with pytest.raises(UsageError, match=r"dead qubits or couplers: got \[99999\], expected members of the graph"):
        pegasus(dead_qubits=[99999])


def test_structure():
    qpu = pegasus()
    u, v = next((u, v) for u in qpu.nodelist for v in qpu.nodelist if u != v and v not in qpu.adjacency[u])
    with pytest.raises(BinaryQuadraticModelStructureError):
        qpu.sample_ising({}, {(u, v): 1})
    with pytest.raises(BinaryQuadraticModelStructureError):
        qpu.sample_ising({"a": 1}, {})
    with pytest.raises(BinaryQuadraticModelStructureError, match="expected at most num_qubits = 48"):
        qpu.sample_ising([0] * 49, {})
    biases = [0] * 48
    biases[qpu.nodelist[0]] = -1
    assert qpu.sample_ising(biases, {}).variables == [qpu.nodelist[0]]


BAD_PARAMETERS = [
    ({"reads": 3}, r"parameter: got 'reads', which this annealer does not have, expected one of anneal_offsets"),
    ({"max_answers": 3}, r"'max_answers', which is obsolete.*Sort and slice"),
    ({"num_spin_reversal_transforms": 3}, r"obsolete.*SpinReversalTransformComposite"),
    ({"num_reads": 0}, r"num_reads: got 0, expected an integer from 1 to 10000"),
    ({"num_reads": 10001}, r"num_reads: got 10001"),
    ({"num_reads": 2.0}, r"num_reads: got 2.0"),
    ({"annealing_time": 0.1}, r"annealing_time: got 0.1, expected 0.5 to 2000 µs"),
    ({"annealing_time": "long"}, r"annealing_time: got 'long'"),
    ({"annealing_time": 20, "anneal_schedule": [[0, 0], [20, 1]]}, r"anneal_schedule and annealing_time: got both"),
    ({"annealing_time": 2000, "num_reads": 600}, r"duration of the submission: got 1.201e\+06 µs \(600 reads"),
    ({"answer_mode": "best"}, r"answer_mode: got 'best', expected 'raw' or 'histogram'"),
    ({"auto_scale": 1}, r"auto_scale: got 1, expected True or False"),
    ({"programming_thermalization": -1}, r"programming_thermalization: got -1, expected 0 to 10000 µs"),
    ({"initial_state": dict.fromkeys(range(N), 1)}, r"initial_state: got a state for a forward anneal"),
    ({"anneal_schedule": REVERSE}, r"initial_state: got none, expected a state"),
    ({"anneal_schedule": REVERSE, "initial_state": {0: 1}}, r"initial_state: got no value for qubits \[1, 2"),
    ({"anneal_schedule": REVERSE, "initial_state": {0: 2}}, r"initial_state: got \{0: 2\}, expected −1 or 1"),
    ({"anneal_schedule": REVERSE, "initial_state": {77: 1}}, r"initial_state: got qubits \[77\]"),
    ({"anneal_schedule": REVERSE, "initial_state": [1, 1]}, r"initial_state: got 2 values, expected a dict, or a list"),
    ({"anneal_schedule": REVERSE, "initial_state": [0] * N}, r"initial_state: got \[0\], expected -1, 1, or 3"),
    ({"fast_anneal": True}, r"fast_anneal: got True, expected False: it is not modelled"),
    ({"anneal_offsets": [0.1]}, r"anneal_offsets: got values other than zero, expected none: it is not modelled"),
    ({"h_gain_schedule": [[0, 0], [20, 1]]}, r"h_gain_schedule: got a schedule, expected none"),
]


@pytest.mark.parametrize(
    ("parameters", "message"), BAD_PARAMETERS, ids=lambda v: "-".join(v) if type(v) is dict else ""
)
def test_parameter_rules(parameters, message):
    with pytest.raises(ValueError, match=message) as caught:
        complete().sample(drawn(), **parameters)
    assert isinstance(caught.value, HwsimError)


BAD_SCHEDULES = [
    ("fast", r"anneal_schedule: got str, expected a list of \[t in µs, s\] points"),
    (((0, 0), (20, 1)), r"anneal_schedule: got tuple, expected a list"),
    ([], r"anneal_schedule: got 0 points, expected at least 2"),
    ([[0, 0]], r"got 1 points, expected 2 to 12 points \(forward anneal\)"),
    ([[k, 0] for k in range(12)] + [[20, 1]], r"got 13 points, expected 2 to 12 points \(forward anneal\)"),
    ([[k, 1] for k in range(13)] + [[20, 1]], r"got 14 points, expected 2 to 13 points \(reverse anneal\)"),
    ([[0, 0], [20]], r"anneal_schedule\[1\]: got \[20\], expected a pair"),
    ([[0, 0], [20, "up"]], r"anneal_schedule\[1\]: got \[20, 'up'\], expected two numbers"),
    ([[0, 0], [np.nan, 1]], r"anneal_schedule\[1\]: got \[nan, 1\], expected two finite numbers"),
    ([[1, 0], [20, 1]], r"first time of anneal_schedule: got 1 µs, expected 0 µs"),
    ([[0, 0], [5, 0.5], [5, 1]], r"times of anneal_schedule: got t\[1\] = 5 µs, t\[2\] = 5 µs, expected times that"),
    ([[0, 0], [5, 0.5], [5.004, 1]], r"in steps of 0.01 µs"),
    ([[0, 0], [2001, 1]], r"last time of anneal_schedule: got 2001 µs, expected at most 2000 µs"),
    ([[0, 0], [5, 1.5], [20, 1]], r"s of anneal_schedule\[1\]: got 1.5, expected 0 ≤ s ≤ 1"),
    ([[0, 0], [20, 0.9]], r"last s of anneal_schedule: got 0.9, expected 1"),
    ([[0, 0.5], [20, 1]], r"first s of anneal_schedule: got 0.5, expected 0 \(forward anneal\) or 1"),
    ([[0, 0], [5, 0.7], [8, 0.5], [20, 1]], r"s of a forward anneal_schedule: got .*expected s that never decreases"),
    (
        [[0, 1], [0.2, 0.4], [1, 1]],
        r"slope of anneal_schedule between points 0 and 1: got 3 per µs, expected at most 2",
    ),
]


@pytest.mark.parametrize(("schedule", "message"), BAD_SCHEDULES)
def test_schedule_rules(schedule, message):
    qpu = complete()
    with pytest.raises(ValueError, match=message):
        qpu.validate_anneal_schedule(schedule)
    with pytest.raises(ValueError, match=message):
        qpu.sample(drawn(), anneal_schedule=schedule, initial_state=dict.fromkeys(range(N), 1))
    if not isinstance(schedule, list):
        with pytest.raises(TypeError):
            qpu.validate_anneal_schedule(schedule)


def test_schedules_that_pass():
    for schedule in (
        [[0, 1], [2.5, 0.5], [27.5, 0.5], [30, 1]], [[0, 1], [1, 0.35], [9, 0.35], [10, 1]],
        [[0.0, 0.0], [12.0, 0.6], [12.8, 1.0]], [(0, 0), (0.5, 1)], [[k, 1] for k in range(12)] + [[20, 1]],
    ):  # fmt: skip
        complete().validate_anneal_schedule(schedule)


@pytest.mark.parametrize("seeded", [True, False])
def test_answers_repeat_by_seed_and_differ_by_submission(seeded):
    qpu = complete(seed=7 if seeded else None)
    again = complete(seed=qpu.seed, threads=1)
    bqm, other = drawn(), complete(seed=8)
    runs = [[q.sample(bqm, num_reads=40, annealing_time=1) for _ in range(2)] for q in (qpu, again, other)]
    assert all(same(a, b) for a, b in zip(runs[0], runs[1], strict=True))
    assert not same(*runs[0])
    assert runs[0][0].info["problem_id"] != runs[2][0].info["problem_id"]


def test_threads_do_not_change_answers():
    bqm = drawn()
    assert same(*[complete(threads=t).sample(bqm, num_reads=50, annealing_time=2) for t in (1, 2)])


@pytest.mark.parametrize("model", ["svmc-tf", "svmc", "sa", "pimc", "greedy"])
def test_models_find_easy_ground_states(model):
    qpu = complete(model=model, noise=IDEAL)
    bqm = drawn(seed=3)
    best = dimod.ExactSolver().sample(bqm).first.energy
    answer = qpu.sample(bqm, num_reads=50, annealing_time=5)
    assert answer.first.energy == pytest.approx(best)
    dimod.testing.assert_sampleset_energies(answer, bqm)
    state = dimod.ExactSolver().sample(bqm).first.sample
    reverse = qpu.sample(bqm, num_reads=20, anneal_schedule=REVERSE, initial_state=state)
    assert reverse.first.energy == pytest.approx(best)


def test_answer_modes():
    qpu, bqm = complete(), drawn()
    histogram = qpu.sample(bqm, num_reads=100)
    assert histogram.record.num_occurrences.sum() == 100
    assert len(histogram) < 100
    assert (np.diff(histogram.record.energy) >= 0).all()
    assert len(qpu.sample(bqm, num_reads=100, answer_mode="raw")) == 100
    state = dict.fromkeys(range(N), 1)
    assert len(qpu.sample(bqm, num_reads=100, anneal_schedule=REVERSE, initial_state=state)) == 100
    merged = qpu.sample(bqm, num_reads=100, anneal_schedule=REVERSE, initial_state=state, answer_mode="histogram")
    assert len(merged) < 100


def test_shallow_reversals_keep_the_seed_and_deep_ones_lose_it():
    """A ferromagnet seeded with its worst state: frozen at s = 0.9, forgotten at s = 0.2."""
    qpu = complete(noise=IDEAL)
    bqm = dimod.BinaryQuadraticModel({0: -0.1}, {(i, j): -1 for i in range(N) for j in range(i)}, 0.0, "SPIN")
    seed = {i: 1 if i < N // 2 else -1 for i in range(N)}
    for turn, kept in ((0.9, True), (0.2, False)):
        schedule = [[0, 1], [1, turn], [2, turn], [3, 1]]
        answer = qpu.sample(bqm, num_reads=40, anneal_schedule=schedule, initial_state=seed)
        share = np.mean([row == [seed[q] for q in answer.variables] for row in answer.record.sample.tolist()])
        assert share == (1.0 if kept else 0.0)


def test_states_of_qubos_and_lists():
    qpu = pegasus(noise=IDEAL)
    u, v = qpu.edgelist[0]
    bqm = dimod.BinaryQuadraticModel({u: 0.0, v: 0.0}, {(u, v): 0.01}, 0.0, "BINARY")
    frozen = {"anneal_schedule": [[0, 1], [1, 0.95], [2, 1]], "num_reads": 5}
    as_list = [3] * qpu.properties["num_qubits"]
    as_list[u], as_list[v] = 1, 0
    for state in ({u: 1, v: 0}, as_list):
        answer = qpu.sample(bqm, initial_state=state, **frozen)
        assert answer.vartype is dimod.BINARY
        assert [dict(s) for s in answer.samples()] == [{u: 1, v: 0}] * 5
    spins = qpu.sample(bqm.change_vartype("SPIN", inplace=False), initial_state={u: 1, v: 0}, **frozen)
    assert dict(spins.first.sample) == {u: 1, v: -1}  # as dwave-cloud-client takes it


def test_reads_without_reinitialisation_start_where_the_last_one_ended():
    """Turned at s = 0.46, few reads leave the bad seed; a chain of reads that has left it once never comes back."""
    qpu = complete(noise=IDEAL)
    bqm = dimod.BinaryQuadraticModel({}, {(i, j): -1 for i in range(N) for j in range(i)}, 0.0, "SPIN")
    seed = {i: 1 if i < N // 2 else -1 for i in range(N)}
    run = {"num_reads": 60, "anneal_schedule": [[0, 1], [1, 0.46], [2, 0.46], [3, 1]], "initial_state": seed}
    ground = -N * (N - 1) / 2
    fresh = qpu.sample(bqm, **run).record.energy == ground
    chained = qpu.sample(bqm, reinitialize_state=False, **run).record.energy == ground
    assert 0 < fresh.mean() < 0.5
    assert chained[-20:].all()
    assert (np.diff(chained.astype(int)) >= 0).all()
    assert same(*[complete().sample(bqm, reinitialize_state=False, **run) for _ in range(2)])


def test_auto_scale_and_ranges():
    qpu = pegasus(noise=IDEAL)
    (u, v), bqm_h = qpu.edgelist[0], {qpu.edgelist[0][0]: -7.2}
    # D-Wave's documentation, auto_scale: h = −7.2 and 2.3, J = 1.5 are divided by −7.2/−4 = 1.8
    assert qpu.sample_ising({u: -7.2, v: 2.3}, {(u, v): 1.5}).info["simulator"]["scale"] == pytest.approx(1.8)
    assert qpu.sample_ising({}, {(u, v): -0.1}).info["simulator"]["scale"] == pytest.approx(0.05)
    with pytest.raises(
        UsageError, match=r"h_range with auto_scale=False: got 1.8 times the range, expected values with"
    ):
        qpu.sample_ising(bqm_h, {}, auto_scale=False)
    with pytest.raises(UsageError, match=r"extended_j_range with auto_scale=False: got 1.05 times"):
        qpu.sample_ising({}, {(u, v): -2.1}, auto_scale=False)
    assert qpu.sample_ising({}, {(u, v): -2}, auto_scale=False).info["simulator"]["scale"] == 1.0


def test_noise_is_redrawn_and_energies_are_noise_free():
    terms = Terms(np.arange(2), np.array([0.5, -0.25]), np.array([0]), np.array([1]), np.array([1.0]))
    draws = [disturbed(terms, Noise(), np.random.default_rng(k)) for k in range(4000)]
    h = np.array([d.h for d in draws]) - terms.h
    J = np.array([d.J for d in draws]) - terms.J
    # a sample standard deviation of n normals has relative error 1/sqrt(2n) = 1.1 %: 5 sigma
    assert h.std(axis=0) == pytest.approx([0.015] * 2, rel=0.056)
    assert J.std() == pytest.approx(0.012, rel=0.056)
    quantised = disturbed(terms, Noise(0, 0, step_h=0.4, step_J=0.3), np.random.default_rng(0))
    assert (quantised.h.tolist(), quantised.J.tolist()) == ([0.4, -0.4], [pytest.approx(0.9)])
    leaky = disturbed(terms, Noise(0, 0, chi=-0.02), np.random.default_rng(0))
    assert leaky.h.tolist() == [pytest.approx(0.5 + 0.02 * 0.25), pytest.approx(-0.25 - 0.02 * 0.5)]
    bqm = drawn()
    noisy = complete(noise=Noise(0.5, 0.5, readout=0.2)).sample(bqm, num_reads=30)
    dimod.testing.assert_sampleset_energies(noisy, bqm)


def test_readout_errors():
    qpu = complete(noise=Noise(0, 0, readout=0.1))
    answer = qpu.sample_ising(dict.fromkeys(range(N), -4.0), {}, num_reads=2000, answer_mode="raw")
    wrong = (answer.record.sample < 0).mean()
    assert abs(wrong - 0.1) < 5 * np.sqrt(0.09 / (2000 * N))


def test_quotients_of_nothing():
    empty = np.zeros(0)
    none = Terms(empty.astype(int), empty, empty.astype(int), empty.astype(int), empty)
    assert set(quotients(none, pegasus().properties, list).values()) == {0.0}
    assert len(pegasus().sample_ising({}, {}, num_reads=3).variables) == 0


@pytest.mark.parametrize("solver", devices())
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"num_reads": 100, "annealing_time": 1.0},
        {"num_reads": 10, "reduce_intersample_correlation": True, "readout_thermalization": 5.0},
        {"num_reads": 10, "anneal_schedule": REVERSE, "reinitialize_state": True},
        {"num_reads": 10, "anneal_schedule": REVERSE, "reinitialize_state": False},
        {"programming_thermalization": 7.0},
    ],
)
def test_access_time_is_that_of_the_cloud_client(solver, parameters):
    qpu = QPUSimulator(solver, topology_type="complete", topology_shape=[N], seed=1)
    reverse = {"initial_state": dict.fromkeys(range(N), 1)} if "anneal_schedule" in parameters else {}
    times = qpu.sample(drawn(), **parameters, **reverse).info["timing"]
    client = SimpleNamespace(properties=qpu.properties)
    expected = StructuredSolver.estimate_qpu_access_time(client, N, **parameters, **reverse)  # type: ignore[arg-type]
    assert times["qpu_access_time"] == pytest.approx(expected, abs=0.02)
    assert times["qpu_access_time"] == pytest.approx(
        times["qpu_programming_time"] + times["qpu_sampling_time"], abs=0.02
    )
    assert set(times) == set(MockDWaveSampler().sample_ising({0: 1}, {}).info["timing"])


def test_the_same_script_on_the_composites():
    """What a user writes for hardware; the mock in place of the stand-in runs it as well (and ignores the seeds)."""
    bqm, states = drawn(4), [dict.fromkeys(range(4), 1), dict.fromkeys(range(4), -1)]
    frozen = [[0, 1], [1, 0.95], [2, 1]]
    for qpu in (pegasus(noise=IDEAL), MockDWaveSampler(topology_type="pegasus", topology_shape=[2])):
        from minorminer import busclique

        graph, embeddings = qpu.to_networkx_graph(), []
        for _ in states:
            found = busclique.find_clique_embedding(4, graph, seed=1)
            embeddings.append({v: tuple(chain) for v, chain in found.items()})
            graph.remove_nodes_from([q for chain in found.values() for q in chain])
        assert EmbeddingComposite(qpu).sample(bqm, num_reads=20).first.energy <= bqm.energies(states[0])[0]
        fixed = FixedEmbeddingComposite(qpu, embeddings[0])
        parallel = ParallelEmbeddingComposite(qpu, embeddings=embeddings)
        one = fixed.sample(bqm, initial_state=states[1], anneal_schedule=frozen, num_reads=3)
        many, info = parallel.sample_multiple(
            [bqm] * 2, [2.0] * 2, initial_states=states, anneal_schedule=frozen, num_reads=3
        )
        assert "qpu_access_time" in info["timing"]
        if isinstance(qpu, QPUSimulator):
            assert [dict(s) for s in one.samples()] == [states[1]] * 3
            assert [[dict(s) for s in m.samples()] for m in many] == [[s] * 3 for s in states]
            assert qpu.submissions == 3


def test_labels_and_context_manager():
    with complete() as qpu:
        assert qpu.sample(drawn(), label="mine").info["problem_label"] == "mine"


def test_submissions_without_qubits_of_the_lattice_are_light():
    """Only the problem's qubits are simulated: two on the full chip take no longer than on a small one."""
    qpu = QPUSimulator(seed=1)
    u, v = qpu.edgelist[7]
    assert qpu.sample_ising({u: 1}, {(u, v): -1}, num_reads=10).record.sample.shape[1] == 2
    assert Problem.of_bqm(drawn())[0].n == N
