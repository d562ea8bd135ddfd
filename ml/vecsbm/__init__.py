"""VEC-SBM (arXiv 2402.18805): communities of a graph whose edges carry vectors.

    from ml.vecsbm import Graph, anneal_refine
    graph = Graph.of_edges(n, pairs, w)           # pairs [m, 2], covariates w [m, d]
    fit = anneal_refine(graph, K=4)               # labels, parameters, log-likelihood; nothing known beforehand

The paper's own method is `spectral` followed by `refine`; `to_potts`, `to_ising` and `to_ir` hand the maximum posterior
labelling to the annealers of `hwsim.annealing`.
"""

from ml.vecsbm import scenarios
from ml.vecsbm.anneal import Schedule, anneal_refine
from ml.vecsbm.export import to_ir, to_ising, to_potts
from ml.vecsbm.graph import Graph
from ml.vecsbm.metrics import accuracy, matched, nmi
from ml.vecsbm.model import Model, loglik, sample
from ml.vecsbm.refine import Fit, refine
from ml.vecsbm.separation import predicted_error, separation
from ml.vecsbm.spectral import spectral

__all__ = [
    "Fit",
    "Graph",
    "Model",
    "Schedule",
    "accuracy",
    "anneal_refine",
    "loglik",
    "matched",
    "nmi",
    "predicted_error",
    "refine",
    "sample",
    "scenarios",
    "separation",
    "spectral",
    "to_ir",
    "to_ising",
    "to_potts",
]
