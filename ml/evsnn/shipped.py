"""Trained integer networks that ship as package data, ready for the chip model and RTL.

| name | network | trained on |
|---|---|---|
| ``mnist_std`` | 784-400-10, STD-ED | MNIST |
| ``fashion_std`` | 784-400-10, STD-ED | Fashion-MNIST |
| ``digits_std`` | 64-64-10, STD-ED | scikit-learn's digits |

All are window nets of 16 ticks with 8-bit weights. `docs/evsnn-training.md` has the commands that train them; then
`python -m ml.evsnn.shipped RUN NAME` exports the run in folder RUN and puts it here.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from hwsim.ir import io
from hwsim.ir.errors import HwsimError, UsageError
from hwsim.ir.spiking import SpikingNet
from ml.evsnn.export import integer_net, spike_ticks
from ml.evsnn.std import StdNet
from ml.evsnn.tasks import load_task
from ml.evsnn.train import restore

_DATA = Path(__file__).parent / "data"


def names() -> tuple[str, ...]:
    """Names of the shipped networks."""
    return tuple(sorted(path.name.removesuffix(io.SUFFIX) for path in _DATA.glob(f"*{io.SUFFIX}")))


def load(name: str) -> SpikingNet:
    """The shipped network `name`; inputs are spike times from `ml.evsnn.export.spike_ticks(x, top)`.

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


def ship(run: Path, name: str) -> SpikingNet:
    """Export the STD-ED run in folder `run` and write it as the shipped network `name`; returns it.

    Raises:
        UsageError: the run trained something else.
    """
    model, spec = restore(run)
    if not isinstance(model, StdNet):
        raise UsageError.of("run to ship", spec.method, "std", "Name another run.")
    task = load_task(spec.data)
    integer, top = integer_net(model), int(task.top)
    scores = integer.scores(spike_ticks(task.x_test.reshape(len(task.x_test), -1), top, integer.ticks))
    right = int((scores.argmax(axis=1) == task.dataset.y_test).sum())
    meta = {
        "data": task.dataset.variant,
        "top": str(top),
        "test_accuracy": f"{100 * right / len(scores):.2f}",
        "run": json.dumps(asdict(spec), sort_keys=True),
    }
    net = integer.to_ir(meta)
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
