"""The same spiking network in installed frameworks, and as a plain loop in torch.

Each takes currents of one product a layer, the fastest way these offer, and their own reset at a spike: snnTorch clears
the membrane a step later than the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

Work = Callable[[], Any]
FRAMEWORKS = ("snntorch", "spikingjelly")


def installed() -> list[str]:
    """Frameworks that can be imported."""
    return [name for name in FRAMEWORKS if find_spec(name) is not None]


def torch_loop(x: np.ndarray, weights: Sequence[np.ndarray], beta: float, theta: float) -> Work:
    """Spikes [steps, batch, n] of the last layer; a product a layer over all steps, then a loop over the steps."""
    import torch

    spikes = torch.from_numpy(np.ascontiguousarray(x.transpose(1, 0, 2).astype(np.float32)))
    matrices = [torch.from_numpy(w.astype(np.float32)) for w in weights]

    @torch.no_grad()
    def run() -> Any:
        s = spikes
        for w in matrices:
            current = s @ w
            v, out = torch.zeros_like(current[0]), []
            for i in current:
                v = beta * v + i
                fired = (v >= theta).float()
                v = v * (1 - fired)
                out.append(fired)
            s = torch.stack(out)
        return s

    return run


def snntorch(x: np.ndarray, weights: Sequence[np.ndarray], beta: float, theta: float) -> Work:
    """`snntorch.Leaky`, step by step."""
    import snntorch as snn
    import torch

    spikes = torch.from_numpy(np.ascontiguousarray(x.transpose(1, 0, 2).astype(np.float32)))
    matrices = [torch.from_numpy(w.astype(np.float32)) for w in weights]
    layers = [snn.Leaky(beta=beta, threshold=theta, reset_mechanism="zero") for _ in matrices]

    @torch.no_grad()
    def run() -> Any:
        s = spikes
        for w, layer in zip(matrices, layers, strict=True):
            current, mem, out = s @ w, layer.init_leaky(), []
            for i in current:
                fired, mem = layer(i, mem)
                out.append(fired)
            s = torch.stack(out)
        return s

    return run


def spikingjelly(x: np.ndarray, weights: Sequence[np.ndarray], beta: float, theta: float) -> Work:
    """`spikingjelly.activation_based.neuron.LIFNode` in its multi-step mode."""
    import torch
    from spikingjelly.activation_based import functional, neuron

    spikes = torch.from_numpy(np.ascontiguousarray(x.transpose(1, 0, 2).astype(np.float32)))
    matrices = [torch.from_numpy(w.astype(np.float32)) for w in weights]
    rule: dict[str, Any] = {"tau": 1 / (1 - beta), "decay_input": False, "v_threshold": theta, "v_reset": 0.0}
    layers = [neuron.LIFNode(**rule, step_mode="m").eval() for _ in matrices]

    @torch.no_grad()
    def run() -> Any:
        s = spikes
        for w, layer in zip(matrices, layers, strict=True):
            functional.reset_net(layer)
            s = layer(s @ w)
        return s

    return run


def works(x: np.ndarray, weights: Sequence[np.ndarray], beta: float, theta: float) -> dict[str, Work]:
    """The torch loop and every installed framework, ready to run."""
    makers = {"snntorch": snntorch, "spikingjelly": spikingjelly}
    made = {name: makers[name](x, weights, beta, theta) for name in installed()}
    return {"torch_loop": torch_loop(x, weights, beta, theta), **made}
