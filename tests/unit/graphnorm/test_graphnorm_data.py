"""Graph sets: generators, the compact text form and everything that can be wrong with it, batches."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from hwsim.ir.errors import DataError, ShapeError, UsageError
from ml.common.data import load
from ml.common.datasets.toy_graphs import CSL_SKIPS, circulant
from ml.common.datasets.tu import SETS, read_compact
from ml.graphnorm.graphs import GraphSet, ranges

GOOD = "2\n3 7\n5 2 1 2\n5 1 0\n9 1 0\n1 4\n5 0\n"


def as_networkx(graphs: GraphSet, index: int) -> nx.Graph:
    first, n = int(graphs.first[index]), int(graphs.sizes[index])
    made = nx.empty_graph(n)
    for i in range(n):
        others = graphs.neighbour[graphs.start[first + i] : graphs.start[first + i + 1]]
        made.add_edges_from((i, int(j) - first) for j in others)
    return made


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "SET.txt"
    path.write_text(text)
    return path


def test_motifs_are_what_they_say():
    data = load("motif_graphs")
    graphs = GraphSet.of(data)
    assert data.y_train.tolist() == [0, 1] * 120
    for index in range(0, 240, 7):
        one = as_networkx(graphs, index)
        assert nx.is_connected(one)
        n = one.number_of_nodes()
        assert one.number_of_edges() == (n - 6 - 1) + 7 + 3
        motif = nx.Graph([(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (0, 3)])
        if graphs.labels[index]:
            motif = nx.Graph([(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (2, 3)])
        assert nx.algorithms.isomorphism.GraphMatcher(one, motif).subgraph_is_monomorphic()
        degrees = np.minimum([d for _, d in one.degree()], 5)
        assert graphs.feature[graphs.nodes([index])].tolist() == degrees.tolist()


def test_csl_graphs_are_circulants_in_some_order():
    graphs = GraphSet.of(load("csl"))
    assert set(graphs.degrees.tolist()) == {4}
    for label, skip in enumerate(CSL_SKIPS):
        index = int(np.flatnonzero(graphs.labels == label)[3])
        assert nx.is_isomorphic(as_networkx(graphs, index), nx.circulant_graph(41, [1, skip]))


def test_circulant_edges_are_networkxs():
    assert set(circulant(7, (1, 3))) == {tuple(sorted(e)) for e in nx.circulant_graph(7, [1, 3]).edges}
    assert circulant(4, (2,)) == [(0, 2), (1, 3)]


def test_compact_form(tmp_path):
    x, labels, extras = read_compact(written(tmp_path, GOOD))
    assert (x.tolist(), labels.tolist()) == ([[0, 3], [3, 4]], [7, 4])
    assert extras["tag"].tolist() == [5, 5, 9, 5]
    assert (extras["start"].tolist(), extras["neighbour"].tolist()) == ([0, 2, 3, 4, 4], [1, 2, 0, 0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"first line: got \[\], expected the number of graphs"),
        (GOOD.replace("5 2 1 2", "5 2 1 x"), "SET.txt is damaged: got invalid literal"),
        ("3" + GOOD[1:], "graph 2: got a truncated file, expected a line 'n label'"),
        (GOOD.replace("5 2 1 2", "5 3 1 2"), "graph 0: got .* rows of nodes"),
        ("1\n0 1\n", "graph 0: got .*0 rows of nodes, expected a line 'n label', then n ≥ 1"),
        (GOOD.replace("5 2 1 2", "5 2 1 4"), r"graph 0: got neighbour 4 of node 0, expected another node, 0…2"),
        (GOOD.replace("9 1 0", "9 1 2"), "graph 0: got neighbour 2 of node 2"),
        (GOOD.replace("9 1 0", "9 1 1"), "graph 0: got an edge at node . in one direction only"),
    ],
)
def test_damaged_files(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_compact(written(tmp_path, text))


def test_a_changed_file_is_refused(tmp_path):
    (tmp_path / "tu").mkdir()
    (tmp_path / "tu" / "MUTAG.txt").write_text(GOOD)
    with pytest.raises(DataError, match=r"MUTAG\.txt.*" + hashlib.sha256(GOOD.encode()).hexdigest()[:12]):
        load("mutag", root=tmp_path)


def test_stand_in_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HWSIM_OFFLINE", "1")
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    monkeypatch.delenv("HWSIM_DATA", raising=False)
    assert load("proteins", fallback=True).variant == "motif_graphs (embedded default for proteins)"


@pytest.mark.skipif(not os.environ.get("HWSIM_DATA"), reason="real graph sets are in $HWSIM_DATA")
@pytest.mark.parametrize(
    ("name", "n", "nodes", "features"),
    [("mutag", 188, 17.93, 7), ("ptc", 344, 25.56, 19), ("proteins", 1113, 39.06, 3), ("nci1", 4110, 29.87, 37),
     ("imdb_binary", 1000, 19.77, 1)],
)  # fmt: skip
def test_published_sizes(name, n, nodes, features):
    graphs = GraphSet.of(load(name))
    assert (len(graphs), graphs.n_features, graphs.n_classes) == (n, features, 2)
    assert graphs.sizes.mean() == pytest.approx(nodes, abs=0.005)
    assert name in SETS


def test_batches_are_the_graphs_side_by_side():
    graphs = GraphSet.of(load("motif_graphs"))
    chosen = [5, 0, 17]
    batch = graphs.batch(chosen)
    want = nx.disjoint_union_all([as_networkx(graphs, i) for i in chosen])
    assert batch.adjacency.to_dense().numpy().tolist() == nx.to_numpy_array(want).tolist()
    assert batch.graph.tolist() == np.repeat([0, 1, 2], graphs.sizes[chosen]).tolist()
    assert batch.counts.ravel().tolist() == graphs.sizes[chosen].tolist()
    assert batch.degree.ravel().tolist() == [d for _, d in want.degree()]
    assert batch.x.argmax(1).tolist() == graphs.feature[graphs.nodes(chosen)].tolist()
    assert batch.x.sum(1).tolist() == [1.0] * want.number_of_nodes()


def test_degree_features():
    graphs = GraphSet.of(load("csl"), "degree")
    assert (graphs.n_features, set(graphs.feature.tolist())) == (5, {4})


def test_ranges():
    assert ranges(np.array([7, 2, 9]), np.array([2, 0, 3])).tolist() == [7, 8, 9, 10, 11]


def test_wrong_calls():
    graphs = GraphSet.of(load("csl"))
    with pytest.raises(ShapeError, match="a batch: got no graphs"):
        graphs.batch([])
    with pytest.raises(UsageError, match="node feature: got 'colour', expected 'tag' or 'degree'"):
        GraphSet.of(load("csl"), "colour")
    with pytest.raises(DataError, match="data set digits: got no graphs"):
        GraphSet.of(load("digits"))
    with pytest.raises(UsageError, match="data set: got 'mutagen'"):
        load("mutagen")
