"""Hand-over to a spiking chip: the trained network's weights as synapses of integrate-and-fire neurons.

A ReLU's value is a firing rate (Diehl et al. 2015; Rueckauer et al. 2017): with λ_l the largest activation of layer l
on the training images (99.9th percentile), neurons of layer l fire at rate relu(·)/λ_l when

    v ← v + b·step⁻¹/λ_(l−1) + Σ w·spikes,  fire at v ≥ threshold = λ_l/(λ_(l−1)·step), v ← v − threshold

with w = W/step integer codes. Pixels enter as currents of −8…8 in each step; the last layer sums its currents.
"""

from __future__ import annotations

from typing import Any

import numpy as np

STEPS = 32
PERCENTILE = 99.9
PIXELS = 16  # steps of a pixel's grey scale: x = code/16
BITS = (8, 6, 5, 4, 3)
RATES = (0.002, 0.01)
SIGMAS = (0.1, 0.2)


def to_snn(model: Any, task: Any, codes: list[np.ndarray], steps: list[float], bits: int) -> Any:
    """`SpikingNet` with the given weight codes [n_out, n_in] of `bits` bits and their steps; see the module."""
    import torch

    from hwsim.ir.spiking import Dense, Layer, Population, SpikingNet

    linears = [m for m in model if isinstance(m, torch.nn.Linear)]
    scales, layers = [1 / PIXELS, *_scales(model, task)], []
    for i, (linear, w, step) in enumerate(zip(linears, codes, steps, strict=True)):
        unit = scales[i] * step  # value of 1 in the membrane
        bias = linear.bias.detach().double().numpy() / unit
        synapse = Dense(np.ascontiguousarray(w.T.astype(np.int16)), bits)
        if i + 1 == len(linears):
            population = Population("readout", len(bias), bias=np.rint(bias * STEPS).astype(np.int32))
        else:
            threshold = np.full(len(bias), max(round(scales[i + 1] / unit), 1), np.int32)
            rounded = np.rint(bias).astype(np.int32)
            population = Population("if", len(bias), threshold, reset="subtract", bias=rounded)
        layers.append(Layer(synapse, population))
    return SpikingNet(linears[0].in_features, STEPS, tuple(layers), n_classes=10)


def _scales(model: Any, task: Any) -> list[float]:
    """λ of every layer but the last, from the training images."""
    import torch

    found, x = [], task.x_train
    with torch.no_grad():
        for module in model:
            x = module(x)
            if isinstance(module, torch.nn.ReLU):
                found.append(max(float(np.percentile(x.numpy(), PERCENTILE)), 1e-3))
    return found


def inputs(x: Any) -> np.ndarray:
    """Pixel codes int64 [batch, 64], the same current in each step."""
    return np.rint(x.numpy() * PIXELS).astype(np.int64)


def run(net: Any, codes: np.ndarray) -> np.ndarray:
    """Outputs int64 [batch, 10] of constant inputs [batch, n_in]: `SpikingNet.reference`, in matrix products.

    Every sum is an integer below 2^24, so float32 holds it exactly.
    """
    signal = codes.astype(np.float32)
    first = signal @ net.layers[0].synapse.weights.astype(np.float32)
    states = [np.zeros((len(codes), layer.population.n), np.float32) for layer in net.layers]
    for _ in range(net.steps):
        for i, layer in enumerate(net.layers):
            current = first if i == 0 else signal @ layer.synapse.weights.astype(np.float32)
            if layer.population.kind == "readout":
                states[i] += current
                continue
            states[i] += current + layer.population.bias
            fired = states[i] >= layer.population.threshold
            states[i] -= np.where(fired, layer.population.threshold, 0).astype(np.float32)
            signal = fired.astype(np.float32)
    return states[-1].astype(np.int64) + net.layers[-1].population.bias


def measure(model: Any, task: Any, seed: int, draws: int) -> dict[str, float]:
    """Test accuracy in percent on integrate-and-fire neurons, by weight bits, bit flips and noise of the synapses."""
    from ml.common.seed import torch_generator
    from ml.msam import bits

    weights = [w.detach() for w in bits.weight_matrices(model).values()]
    x, y = inputs(task.x_test), task.y_test.numpy()

    def at(change: Any, width: int, name: str, times: int) -> float:
        found = []
        for draw in range(times):
            generator = torch_generator(seed, "snn", name, draw)
            made = [bits.encode(w, width) for w in weights]
            codes = [change(c, generator).numpy() for c, _ in made]
            net = to_snn(model, task, codes, [step for _, step in made], width)
            found.append(float((net.classify(run(net, x)) == y).mean()))
        return 100 * float(np.mean(found))

    row = {f"snn_q{b}": at(lambda c, _: c, b, "bits", 1) for b in BITS}
    for rate in RATES:
        row[f"snn_flip{rate:g}"] = at(lambda c, g, r=rate: bits.flip(c, 8, r, g), 8, f"flip{rate}", draws)
    for sigma in SIGMAS:
        change = lambda c, g, s=sigma: bits.noisy(c.float(), s, g).round().clamp(-128, 127)  # noqa: E731
        row[f"snn_noise{sigma:g}"] = at(change, 8, f"noise{sigma}", draws)
    return row


def equal_samples(model: Any, task: Any, n: int) -> int:
    """How many of the first `n` test images have equal outputs in `run` and in `SpikingNet.reference`."""
    from ml.msam import bits

    made = [bits.encode(w.detach(), 8) for w in bits.weight_matrices(model).values()]
    net = to_snn(model, task, [c.numpy() for c, _ in made], [step for _, step in made], 8)
    x = inputs(task.x_test[:n])
    own = net.reference(np.repeat(x[:, None], net.steps, axis=1))
    return int((run(net, x) == own).all(axis=1).sum())
