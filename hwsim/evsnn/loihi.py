"""Loihi mode: nets with Loihi's arithmetic, and the recorded runs of the chip that they reproduce exactly.

    u ← dec(u; 1024) + 2^6·Σ w,  v ← dec(v; 128) + u,  spike when v > 64·vThMant, then v ← 0 (Davies et al., 2018)

The recordings (github.com/bamsumit/slayerPytorch, test_files/Loihi) hold a 250-25-1 net over 500 steps and an N-MNIST
net 2312-512-10. Their conventions: weights are even integers 2·round(4w / 2); a voltage file's column c is step
c + 1, and it shows 128 in the step of a spike; refractory delay 1 is the spike's own step; a spike reaches the next
layer one step later.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwsim.evsnn.chip import simulate
from hwsim.ir.errors import DataError
from hwsim.ir.events import Events
from hwsim.ir.populations import Population, threshold
from hwsim.ir.spiking import Layer, SpikingNet
from hwsim.ir.synapses import Dense

SPIKE_MARK = 128  # what the chip shows as v in the step of a spike
STEPS, NMNIST_STEPS, NMNIST_EDGE = 500, 300, 34


def loihi_layer(
    weights: np.ndarray, v_threshold: int = 80, v_decay: int = 128, i_decay: int = 1024, delay: int = 1
) -> Layer:
    """A layer of Loihi neurons.

    Args:
        weights: integers [n_out, n_in], −256…254, even.
        v_threshold: vThMant; the threshold is 64 times it.
        v_decay, i_decay: losses a step in 1/4096.
        delay: of the axon, in steps.
    """
    codes = np.ascontiguousarray(np.asarray(weights).T, np.int16)
    n = codes.shape[1]
    population = Population(
        "cuba", n, threshold(v_threshold << 6, n), ">", v_loss=v_decay, i_loss=i_decay, delay=delay, state_bits=24
    )
    return Layer(Dense(codes, 9 if np.abs(codes).max(initial=0) > 127 else 8, 0, 6), population)


@dataclass(frozen=True, eq=False)
class Recording:
    """A recorded run.

    Attributes:
        net: 250-25-1.
        inputs: its input events, 500 steps.
        hidden_spikes, output_spikes: (neuron, step) of every recorded spike, sorted.
        voltages: recorded v int64 [499] of steps 1 … 499, by (layer, neuron).
    """

    net: SpikingNet
    inputs: Events
    hidden_spikes: list[tuple[int, int]]
    output_spikes: list[tuple[int, int]]
    voltages: dict[tuple[int, int], np.ndarray]


def _table(folder: Path, name: str) -> np.ndarray:
    try:
        return np.loadtxt(folder / name, ndmin=2)
    except (OSError, ValueError) as error:
        mend = "Give the folder of slayerPytorch's Loihi test files, for example $HWSIM_DATA/loihi."
        raise DataError.of(f"Loihi recording {name}", error, "a table of numbers", mend) from error


def _pairs(folder: Path, name: str) -> list[tuple[int, int]]:
    return sorted((int(n), int(t)) for n, t in _table(folder, name))


def load_recording(folder: str | os.PathLike[str]) -> Recording:
    """The 250-25-1 run.

    Raises:
        DataError: a file is missing or damaged.
    """
    folder = Path(folder)
    weights = [2 * np.rint(4 * _table(folder, f"w{k}learned.txt") / 2).astype(int) for k in (1, 2)]
    net = SpikingNet(250, STEPS, tuple(loihi_layer(w) for w in weights), meta={"source": "Loihi recording 250-25-1"})
    spikes = np.array(_pairs(folder, "loihiInputSpikes.txt"))
    inputs = Events.of(spikes[:, 0], spikes[:, 1], np.array([0, len(spikes)]))
    files = {(0, 0): "Hidden", (0, 23): "Hidden", (0, 24): "Hidden", (1, 0): "Output"}
    voltages = {
        (layer, n): _table(folder, f"loihi{name}Voltage{n or ''}.txt")[0].astype(np.int64)
        for (layer, n), name in files.items()
    }
    hidden, output = _pairs(folder, "loihiHiddenSpikes.txt"), _pairs(folder, "loihiOutputSpikes.txt")
    return Recording(net, inputs, hidden, output, voltages)


def trace_mismatches(recording: Recording) -> dict[str, int]:
    """How far a simulated run is from the recorded one; all 0 when equal.

    Returns:
        ``voltages``: steps in which a recorded voltage differs, over all recorded neurons; ``hidden_spikes`` and
        ``output_spikes``: spikes that only one of the two has.
    """
    result = simulate(recording.net, recording.inputs, probe=(0, 1))
    wrong = 0
    for (layer, neuron), recorded in recording.voltages.items():
        v = result.membranes[layer][0, :, neuron].astype(np.int64)
        fired = result.spikes[layer]
        v[fired.time[fired.address == neuron]] = SPIKE_MARK
        wrong += int((v[1 : len(recorded) + 1] != recorded).sum())
    out = {"voltages": wrong}
    for name, layer, recorded_spikes in (
        ("hidden", 0, recording.hidden_spikes),
        ("output", 1, recording.output_spikes),
    ):
        fired = result.spikes[layer]
        ours = set(zip(fired.address.tolist(), fired.time.tolist(), strict=True))
        out[f"{name}_spikes"] = len(ours ^ set(recorded_spikes))
    return out


def load_nmnist_net(folder: str | os.PathLike[str]) -> SpikingNet:
    """The integer N-MNIST net 2312-512-10, 300 steps of 1 ms; address (polarity·34 + y)·34 + x.

    Raises:
        DataError: a file is missing or damaged.
    """
    folder = Path(folder)
    first = _table(folder, "NMNISTFc1.txt").astype(int).reshape(512, 2 * NMNIST_EDGE**2)
    second = _table(folder, "NMNISTFc2.txt").astype(int).reshape(10, 512)
    layers = (loihi_layer(first), loihi_layer(second))
    return SpikingNet(2 * NMNIST_EDGE**2, NMNIST_STEPS, layers, n_classes=10, meta={"source": "Loihi N-MNIST net"})
