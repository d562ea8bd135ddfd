"""Measures of the loss surface around a network: sharpness along a direction, curvature, angles, similarity to SAM.

Sharpness along a direction e (paper equation 3): L(w + ρ·e/‖e‖) − L(w), for e the gradient (SAM's objective), minus
the momentum (MSAM's), or a random vector whose filters have the norms of the weights' filters (Li et al. 2018).
Every function leaves the weights as they were, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hwsim.ir.errors import UsageError
from ml.msam.perturbed import global_norm

Loss = Callable[[], Tensor]
Vector = list[Tensor]


def parameters(model: nn.Module) -> list[Tensor]:
    """Trained parameters, in order: the axes of every direction here."""
    return [p for p in model.parameters() if p.requires_grad]


def gradient(model: nn.Module, loss: Loss) -> Vector:
    """∇L at the present weights; `p.grad` stays as it is."""
    return list(torch.autograd.grad(loss(), parameters(model)))


def momentum(model: nn.Module, optimiser: Optimizer) -> Vector:
    """The optimiser's momentum (SGD: v, Adam: m); zeros before the first step."""
    out = []
    for p in parameters(model):
        state = optimiser.state.get(p, {})
        found = state.get("momentum_buffer", state.get("exp_avg"))
        out.append(torch.zeros_like(p) if found is None else found.detach().clone())
    return out


def filter_normalised(model: nn.Module, generator: torch.Generator) -> Vector:
    """A Gaussian direction, each filter scaled to its weights' norm; 0 for biases and norms (Li et al. 2018)."""
    out = []
    for p in parameters(model):
        if p.ndim < 2:
            out.append(torch.zeros_like(p))
            continue
        drawn = torch.randn(p.shape, generator=generator).to(p)
        norms = [x.detach().flatten(1).norm(dim=1) for x in (p, drawn)]
        out.append(drawn * (norms[0] / norms[1].clamp(min=1e-12)).reshape(-1, *(1,) * (p.ndim - 1)))
    return out


@torch.no_grad()
def loss_along(
    model: nn.Module, loss: Loss, direction: Vector, radii: Sequence[float], normalise: bool = True
) -> list[float]:
    """L(w + ρ·e) for every ρ of `radii`; e is the direction over its norm unless `normalise` is False.

    Raises:
        UsageError: a direction of norm 0 that is to be normalised.
    """
    params = parameters(model)
    kept = [p.detach().clone() for p in params]
    length = global_norm(direction) if normalise else 1.0
    if not length > 0:
        raise UsageError.of("direction", "a zero vector", "a direction", "Take a step before looking along v.")
    out = []
    for radius in radii:
        torch._foreach_copy_(params, kept)
        torch._foreach_add_(params, direction, alpha=radius / length)
        out.append(float(loss()))
    torch._foreach_copy_(params, kept)
    return out


def sharpness(model: nn.Module, loss: Loss, direction: Vector, radius: float, normalise: bool = True) -> float:
    """L(w + ρ·e) − L(w)."""
    there, here = loss_along(model, loss, direction, (radius, 0.0), normalise)
    return there - here


def cosine(a: Vector, b: Vector) -> float:
    """Cosine of the angle between two vectors; 0 when one of them is 0."""
    dot = float(sum((x * y).sum() for x, y in zip(a, b, strict=True)))
    return dot / max(global_norm(a) * global_norm(b), 1e-30)


def top_eigenvalue(
    model: nn.Module, loss: Loss, generator: torch.Generator, iterations: int = 30, tolerance: float = 1e-3
) -> float:
    """Largest Hessian eigenvalue by magnitude, by power iteration on Hessian-vector products (paper A.5)."""
    params = parameters(model)
    grads = torch.autograd.grad(loss(), params, create_graph=True)
    vector: Vector = [torch.randn(p.shape, generator=generator).to(p) for p in params]
    value = 0.0
    for _ in range(iterations):
        length = max(global_norm(vector), 1e-30)
        vector = [v / length for v in vector]
        product = torch.autograd.grad(grads, params, grad_outputs=vector, retain_graph=True)
        before, value = value, float(sum((v * h).sum() for v, h in zip(vector, product, strict=True)))
        vector = [h.detach() for h in product]
        if abs(value - before) <= tolerance * abs(value):
            break
    return value


def gradient_at(model: nn.Module, loss: Loss, direction: Vector, radius: float) -> Vector:
    """∇L at w + ρ·e/‖e‖."""
    params = parameters(model)
    kept = [p.detach().clone() for p in params]
    with torch.no_grad():
        torch._foreach_add_(params, direction, alpha=radius / max(global_norm(direction), 1e-30))
    found = gradient(model, loss)
    with torch.no_grad():
        torch._foreach_copy_(params, kept)
    return found


def angle_to_sam(model: nn.Module, loss: Loss, v: Vector, rho_sam: float, rho_msam: float) -> float:
    """Signed angle θ in radians from SAM's gradient to MSAM's, in the plane of SAM's and the plain one (figure 3A).

    0 where MSAM's gradient with `rho_msam` resembles SAM's most; negative on the plain gradient's side.
    """
    plain = gradient(model, loss)
    sam = gradient_at(model, loss, plain, rho_sam)
    other = gradient_at(model, loss, [-x for x in v], rho_msam)
    first = [s / max(global_norm(sam), 1e-30) for s in sam]
    away = [p - _dot(plain, first) * f for p, f in zip(plain, first, strict=True)]
    second = [a / max(global_norm(away), 1e-30) for a in away]
    return -float(torch.atan2(torch.tensor(_dot(other, second)), torch.tensor(_dot(other, first))))


def _dot(a: Any, b: Any) -> float:
    return float(sum((x * y).sum() for x, y in zip(a, b, strict=True)))
