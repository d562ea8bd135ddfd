"""Disjoint cliques: valid minors by dwave's own check, disjoint, and off the missing qubits."""

import networkx as nx
import pytest
from dwave import graphs
from dwave.embedding import verify_embedding

from hwsim.annealing.tiling import disjoint_cliques, qubits_of
from hwsim.ir.errors import UsageError


@pytest.mark.parametrize(("chip", "n"), [(graphs.pegasus_graph(16), 16), (graphs.zephyr_graph(6), 8)])
def test_copies_are_valid_minors_and_share_no_qubit(chip, n):
    found = disjoint_cliques(chip, n, 6)
    assert len(found) == 6
    for embedding in found:
        assert verify_embedding(embedding, nx.complete_graph(n), chip)
    qubits = [q for embedding in found for q in qubits_of(embedding)]
    assert len(qubits) == len(set(qubits))


def test_six_levels_of_four_users_with_16qam_fit_240_qubits_of_an_advantage_chip():
    found = disjoint_cliques(graphs.pegasus_graph(16), 16, 6)
    assert sum(len(qubits_of(e)) for e in found) <= 240


def test_missing_qubits_and_couplers_are_avoided():
    chip = graphs.pegasus_graph(8)
    first = disjoint_cliques(chip, 8, 1)[0]
    chip.remove_node(qubits_of(first)[0])
    second = disjoint_cliques(chip, 8, 1)[0]
    chip.remove_edges_from([(p, q) for p in second[0] for q in list(chip[p]) if q in second[1]])
    for embedding in disjoint_cliques(chip, 8, 3):
        assert verify_embedding(embedding, nx.complete_graph(8), chip)


def test_equal_seeds_give_equal_embeddings():
    chip = graphs.zephyr_graph(6)
    assert disjoint_cliques(chip, 8, 4, seed=3) == disjoint_cliques(chip, 8, 4, seed=3)


def test_what_does_not_fit_is_named():
    with pytest.raises(UsageError, match=r"disjoint embeddings of a clique of 16: got \d+ places, expected 200"):
        disjoint_cliques(graphs.zephyr_graph(4), 16, 200)
    with pytest.raises(UsageError, match=r"chip graph: got family None, expected 'pegasus' or 'zephyr'"):
        disjoint_cliques(nx.path_graph(4), 2, 1)
    with pytest.raises(UsageError, match=r"disjoint cliques: got 0 of 4 variables"):
        disjoint_cliques(graphs.zephyr_graph(4), 4, 0)
