"""Trained integer networks that ship as package data, ready for the chip model and RTL.

| name | network | trained on |
|---|---|---|
| ``mnist_std`` | 784-400-10, STD-ED | MNIST |
| ``fashion_std`` | 784-400-10, STD-ED | Fashion-MNIST |
| ``digits_std`` | 64-64-10, STD-ED | scikit-learn's digits |
| ``digits_mpd`` | 64-64-64-10, MPD-ED | scikit-learn's digits |

8-bit weights; STD-ED: window nets of 16 ticks, MPD-ED: clocked nets of 4 steps. `docs/evsnn-training.md` has the
commands that train them (``digits_mpd``: ``--method mpd --net 64-64-64-10 --batch 32``); then
`python -m ml.evsnn.shipped RUN NAME` exports the run in folder RUN and puts it here.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwsim.evsnn import Chip
from hwsim.ir import io
from hwsim.ir.errors import HwsimError, UsageError
from hwsim.ir.events import Events
from hwsim.ir.spiking import SpikingNet
from ml.evsnn.export import spike_ticks, to_ir
from ml.evsnn.tasks import load_task
from ml.evsnn.train import restore

_DATA = Path(__file__).parent / "data"


def names() -> tuple[str, ...]:
    """Names of the shipped networks."""
    return tuple(sorted(path.name.removesuffix(io.SUFFIX) for path in _DATA.glob(f"*{io.SUFFIX}")))


def load(name: str) -> SpikingNet:
    """The shipped network `name`; `events` makes its inputs.

    ``meta`` has the data set, the largest input value (``top``) and the test accuracy in percent (``test_accuracy``).

    Raises:
        UsageError: no such network.

    Example:
        >>> load("digits_std").n_inputs
        64
    """
    if name not in names():
        raise UsageError.of("shipped network", repr(name), f"one of {', '.join(names())}", "Choose one.")
    net = io.load(_DATA / f"{name}{io.SUFFIX}")
    assert isinstance(net, SpikingNet)  # `ship` writes nothing else
    return net


def events(net: SpikingNet, x: NDArray[np.generic]) -> Events:
    """Input events of a shipped network: spike times of a window net, graded events in every step of a clocked one.

    Args:
        net: from `load`.
        x: intensities [batch, n_inputs], 0 … ``meta["top"]``.
    """
    if net.window:
        return Events.from_times(spike_ticks(x, int(net.meta["top"]), net.steps))
    return Events.from_raster(np.repeat(np.asarray(x).astype(np.int64)[:, None], net.steps, axis=1))


def ship(run: Path, name: str) -> SpikingNet:
    """Export the STD-ED or MPD-ED run in folder `run` and write it as the shipped network `name`; returns it.

    Raises:
        UsageError: the run trained something else.
    """
    model, spec = restore(run)
    if spec.method not in ("std", "mpd"):
        raise UsageError.of("run to ship", spec.method, "std or mpd", "Name another run.")
    task = load_task(spec.data)
    meta = {"data": task.dataset.variant, "top": str(int(task.top)), "run": json.dumps(asdict(spec), sort_keys=True)}
    net = to_ir(model, top=int(task.top), meta=meta)
    classes = Chip(net).run(events(net, task.x_test.reshape(len(task.x_test), -1))).classes
    right = 100 * float(np.mean(classes == task.dataset.y_test))
    net = replace(net, meta=net.meta | {"test_accuracy": f"{right:.2f}"})
    _DATA.mkdir(exist_ok=True)
    io.save(net, _DATA / f"{name}{io.SUFFIX}")
    return net


def main(arguments: list[str]) -> int:
    """Command line: RUN NAME; returns the exit code."""
    try:
        if len(arguments) != 2:
            raise UsageError.of("arguments", arguments, "RUN NAME", "Name a folder of ml.evsnn.train and a network.")
        net = ship(Path(arguments[0]), arguments[1])
    except HwsimError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"{arguments[1]}: {net.meta['test_accuracy']} % of the test part of {net.meta['data']}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
