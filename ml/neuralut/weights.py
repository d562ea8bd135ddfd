"""Weights of the shipped networks, so that tables can be enumerated again and compared with the network.

safetensors files, never pickles; written by `save_weights` from the state that the training run selected.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from hwsim.ir.errors import UsageError
from ml.neuralut.configs import NetConfig, named
from ml.neuralut.model import LutNet
from ml.neuralut.train import RunSpec

_DATA = Path(__file__).parent / "data"


def save_weights(model: LutNet, path: Path, meta: dict[str, str] | None = None) -> None:
    """Write all parameters and buffers of `model`; `meta` is stored beside the shape's name."""
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(state, path, metadata={"network": model.config.name, **(meta or {})})


def load_weights(name: str) -> LutNet:
    """The shipped network called `name` (for example ``"hdr5l"``), in evaluation mode.

    Raises:
        UsageError: no such network.
    """
    path = _DATA / f"{name}.safetensors"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in _DATA.glob("*.safetensors")))
        raise UsageError.of("unknown pretrained network", repr(name), f"one of {known}", "Choose one.")
    with safe_open(path, framework="pt") as file:
        state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (not a dict)
        meta = file.metadata()
    model = LutNet(named(meta["network"]), 0)
    model.load_state_dict(state)
    return model.eval()


def restore(run: Path) -> LutNet:
    """The network that a training run (a folder of `ml.neuralut.train`) selected, in evaluation mode."""
    spec = RunSpec(**json.loads((run / "summary.json").read_text())["spec"])
    shape = spec.network()
    if not isinstance(shape, NetConfig):
        raise UsageError.of("kind of network", spec.config, "a network of L-LUTs", "Name another run.")
    model = LutNet(shape, 0)
    model.load_state_dict(torch.load(run / "model.pt", weights_only=True))
    return model.eval()


def ship(run: Path, name: str) -> None:
    """Make the result of a training run (a folder of `ml.neuralut.train`) a shipped network.

    Writes tables to ``hwsim/neuralut/data`` and weights to ``ml/neuralut/data``; used by
    `python -m ml.neuralut.weights RUN NAME`.
    """
    import shutil

    from hwsim.ir import io
    from hwsim.neuralut import shipped

    spec = json.loads((run / "summary.json").read_text())["spec"]
    _DATA.mkdir(exist_ok=True)
    save_weights(restore(run), _DATA / f"{name}.safetensors", {"run": json.dumps(spec, sort_keys=True)})
    target = Path(shipped.__file__).parent / "data" / f"{name}{io.SUFFIX}"
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(run / f"network{io.SUFFIX}", target)


if __name__ == "__main__":
    import sys

    ship(Path(sys.argv[1]), sys.argv[2])
