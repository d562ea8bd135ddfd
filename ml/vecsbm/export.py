"""The hand-over: labels of maximum posterior probability as a Potts or Ising problem.

    −log p(A, W, z) = Σ_i h_i[z_i] + Σ_{(i,j) edge} T_ij[z_i, z_j] + Σ_{i<j} C[z_i, z_j],
    h_k = −log α_k,  T_kl = −log Π_kl − log N(W_ij; μ_kl, Γ_kl) + log(1 − Π_kl),  C_kl = −log(1 − Π_kl).

Non-edges are all in C: K counters instead of n²/2 couplers. Energies are negative log-probabilities, in nats, exactly.
"""

from __future__ import annotations

import numpy as np

from hwsim.annealing import Encoded, PottsProblem, domain_wall, quantised
from hwsim.ir.errors import UsageError, check_shape
from hwsim.ir.potts import Potts
from ml.vecsbm.features import LEAST_PI
from ml.vecsbm.graph import Graph
from ml.vecsbm.model import Model, log_densities


def to_potts(graph: Graph, model: Model) -> PottsProblem:
    """The Potts problem whose energy is −`ml.vecsbm.loglik`.

    Raises:
        ShapeError: covariates of another length than the model's.
        UsageError: a singular covariance.
    """
    check_shape("w", graph.w.shape, "[m, d]", (graph.m, model.d))
    pi = np.clip(model.pi, LEAST_PI, 1 - LEAST_PI)
    absent = -np.log1p(-pi)
    density = log_densities(model, graph.w)
    if graph.back is not None:
        density = density + log_densities(model, graph.back).transpose(0, 2, 1)
    tables = -np.log(pi) - absent - density
    h = np.tile(-np.log(model.alpha), (graph.n, 1))
    return PottsProblem(h, graph.u, graph.v, tables, (absent + absent.T) / 2)


def to_ising(graph: Graph, model: Model) -> Encoded:
    """K = 2 on one spin a node, s = +1 for class 0: E = Σ h s + Σ J s s + offset = −log p.

    With T° and C° double-centred, J_ij = T°_ij[0, 0] + C°[0, 0]. In the symmetric case (p, q, μ_in, μ_out, σ²)
    −J_ij = ½(A_ij [ln(p(1−q)/(q(1−p))) + (μ_in − μ_out)·(W_ij − ½(μ_in + μ_out))/σ²] + ln((1−p)/(1−q))).

    Raises:
        UsageError: another K.
    """
    if model.K != 2:
        raise UsageError.of("classes of an Ising problem", model.K, "2", "Use one_hot, domain_wall or heat_bath.")
    return domain_wall(to_potts(graph, model))


def to_ir(graph: Graph, model: Model, bits: int = 4, initial: np.ndarray | None = None) -> Potts:
    """The chip's form: one table of `bits`-bit entries a coupler, K counters.

    Args:
        graph, model: the problem.
        bits: of a table entry.
        initial: labels [p, n] that a reverse anneal starts from.
    """
    return quantised(to_potts(graph, model), bits, initial)
