"""Refinement of a mesh by the network's own gradient (paper, section 3.3, eq. 6; the authors' generation.py).

    loss = Σ_k (σ(f(p_k)) − τ)² + λ · ‖n(p_k) − ∇f(p_k)/‖∇f(p_k)‖ ‖²,   λ = 0.01

p_k is a random point on face k (Dirichlet(½, ½, ½) weights), n its normal; means over faces. RMSprop with a rate of
1e-4 moves the vertices for 30 steps. The normal of the surface points to lower f: n is compared with −∇f/‖∇f‖.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hwsim.ir.errors import UsageError
from ml.occnet.mesh import Mesh
from ml.occnet.network import OccupancyNetwork

STEPS, RATE, NORMAL_WEIGHT = 30, 1e-4, 0.01  # the authors' demo


def refine(
    network: OccupancyNetwork,
    code: Tensor,
    mesh: Mesh,
    threshold: float = 0.5,
    steps: int = STEPS,
    rate: float = RATE,
    seed: int = 0,
) -> Mesh:
    """Move the vertices of `mesh` to where the network's occupancy is the threshold; faces stay.

    Args:
        code: of the shape [c_dim].

    Raises:
        UsageError: a threshold outside (0, 1), steps below 0.
    """
    if not 0 < threshold < 1 or steps < 0:
        raise UsageError.of("refine", f"threshold {threshold}, {steps} steps", "(0, 1) and ≥ 0 steps", "Change them.")
    if len(mesh.faces) == 0 or steps == 0:
        return mesh
    network.eval()
    rng = np.random.default_rng(seed)
    faces = torch.from_numpy(mesh.faces)
    vertices = torch.from_numpy(mesh.vertices).float().requires_grad_()
    optimiser = torch.optim.RMSprop([vertices], lr=rate)
    for _ in range(steps):
        weights = torch.from_numpy(rng.dirichlet((0.5, 0.5, 0.5), len(faces))).float()
        optimiser.zero_grad()
        refinement_loss(network, code.detach(), vertices[faces], weights, threshold).backward()
        optimiser.step()
    return Mesh(vertices.detach().double().numpy(), mesh.faces)


def refinement_loss(
    network: OccupancyNetwork, code: Tensor, corners: Tensor, weights: Tensor, threshold: float
) -> Tensor:
    """The loss above for corners [m, 3, 3] with gradient, and points at `weights` [m, 3]."""
    points = (corners * weights[..., None]).sum(1)
    normals = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = functional.normalize(normals, dim=1)
    logits = network.decoder(points[None], code[None])[0]
    slope = -torch.autograd.grad(logits.sum(), points, create_graph=True)[0]
    off = (torch.sigmoid(logits) - threshold).square().mean()
    return off + NORMAL_WEIGHT * (normals - functional.normalize(slope, dim=1)).square().sum(1).mean()


def analytic_normals(network: OccupancyNetwork, code: Tensor, vertices: np.ndarray) -> np.ndarray:
    """−∇f/‖∇f‖ at points [n, 3]: smooth normals without any mesh (section 3.3)."""
    network.eval()
    points = torch.from_numpy(vertices).float().requires_grad_()
    logits = network.decoder(points[None], code.detach()[None])
    slope = -torch.autograd.grad(logits.sum(), points)[0]
    return functional.normalize(slope, dim=1).double().numpy()
