"""Small recognisers that ship with the package, so that nothing has to be trained before faces can be judged.

``python -m ml.sddfiqa.shipped NAME …`` trains and writes them again (two CPU minutes each). Both were trained on
generated people (`ml.common.datasets.toy_faces.faces`) of their own, none of whom is in the data set toy_faces. The
files were made when the last layer's bias began at torch's default; it begins at 0 now: a new training gives networks
that are alike, not the same bytes.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from hwsim.ir.errors import UsageError
from ml.common.datasets import toy_faces
from ml.sddfiqa.facenet import FaceNet, train_facenet

_DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Recipe:
    """How a recogniser is trained: whose faces, how many, which network.

    Attributes:
        people, images, population: identities, pictures of each, seed that draws them.
        epochs, channels, seed: of the training.
    """

    people: int
    images: int
    population: int
    epochs: int
    channels: tuple[int, ...]
    seed: int


RECIPES = {
    "toy-a": Recipe(400, 10, toy_faces.STRANGERS, 36, (24, 48, 72, 96), 0),
    "toy-b": Recipe(300, 10, toy_faces.STRANGERS + 1, 30, (16, 32, 48, 64), 1),
}


def recogniser(name: str = "toy-a") -> FaceNet:
    """The recogniser called `name`.

    Raises:
        UsageError: no such recogniser.
    """
    if name not in RECIPES:
        raise UsageError.of("recogniser", repr(name), f"one of {', '.join(RECIPES)}", "Choose one.")
    net = FaceNet(channels=RECIPES[name].channels)
    state = load_file(_DATA / f"{name}.safetensors")
    net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    net.name = name
    return net.eval()


def train(name: str) -> Path:
    """Train the recogniser called `name` and write it, in half precision, to the package's data."""
    how = RECIPES[name]
    chips, people = toy_faces.faces(how.people, how.images, how.population)
    net = train_facenet(chips, people, seed=how.seed, epochs=how.epochs, copies=1, channels=how.channels)
    state = {k: v.half() if v.is_floating_point() else v for k, v in net.state_dict().items()}
    _DATA.mkdir(exist_ok=True)
    save_file(state, _DATA / f"{name}.safetensors", {"command": f"python -m ml.sddfiqa.shipped {name}"})
    return _DATA / f"{name}.safetensors"


if __name__ == "__main__":
    torch.set_num_threads(1)
    for one in sys.argv[1:] or RECIPES:
        print(train(one), np.__version__)
