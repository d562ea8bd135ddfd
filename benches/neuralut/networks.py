"""The networks that the bench measures: a small one trained on the spot, and the shipped HDR-5L."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from benches.runner import Context
from hwsim.ir import io
from hwsim.ir.errors import DataError, EquivalenceError
from hwsim.ir.lut import LutNetwork
from hwsim.neuralut import pretrained
from hwsim.neuralut.shipped import path_of

HDR5L = "hdr5l"
SMALL = "digits_f4"  # trained on the spot: learned masks, β = 2, F = 4


@dataclass(frozen=True)
class Trained:
    """A trained network in both forms.

    Attributes:
        name: short name for metrics and files.
        model: the torch model (`ml.neuralut.model.LutNet`), in evaluation mode.
        network: its tables.
        x_test: raw features [n, n_in] to compare models on, or None when the data set is not here.
    """

    name: str
    model: Any
    network: LutNetwork
    x_test: np.ndarray | None


def train_digits(ctx: Context[Any], progress: Any) -> dict[str, Any]:
    """Train the small network on scikit-learn's digits; its folder keeps checkpoint, weights and tables."""
    from ml.neuralut.train import run

    with one_thread():  # small tensors: more threads only wait for each other
        summary = run(digits_spec(ctx), ctx.folder / "digits", progress)
    return {key: summary[key] for key in ("test_accuracy_of_tables", "val_accuracy", "best_epoch", "codes_equal_on")}


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch with one thread, and its old number afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def digits_spec(ctx: Context[Any]) -> Any:
    """How the small network is trained."""
    from ml.neuralut.train import RunSpec

    config = ctx.config
    return RunSpec(config=SMALL, data="digits", seed=ctx.seed, epochs=config.digits_epochs, warmup=config.digits_warmup)


def load_digits(ctx: Context[Any]) -> Trained:
    """The small network as `train_digits` left it."""
    from ml.common.data import load
    from ml.neuralut.weights import restore

    data = load("digits")
    folder = ctx.folder / "digits"
    network = io.load_as(LutNetwork, folder / f"network{io.SUFFIX}")
    x = np.concatenate([data.x_train, data.x_test])
    return Trained("digits", restore(folder), network, x)


def load_hdr5l(ctx: Context[Any]) -> Trained:
    """The shipped HDR-5L, its weights, and MNIST's test images when they are here."""
    from ml.neuralut.weights import load_weights

    data = mnist(ctx)
    ctx.artifact(path_of(HDR5L), HDR5L)
    return Trained(HDR5L, load_weights(HDR5L), pretrained(HDR5L), None if data is None else data.x_test)


def mnist(ctx: Context[Any]) -> Any | None:
    """MNIST as `ml.common.data.Dataset`, or None when it is not here; only the full profile downloads it."""
    from ml.common.data import load

    try:
        data = load("mnist", download=ctx.profile == "full")
    except DataError as error:
        ctx.note(f"MNIST is not here: {error}")
        return None
    ctx.record_data("mnist", data.source, data.variant)
    return data


def random_codes(network: LutNetwork, n: int, rng: np.random.Generator) -> np.ndarray:
    """Uniform input codes [n, n_in] for `network`."""
    return rng.integers(0, 1 << network.input_bits, (n, network.n_inputs)).astype(np.uint8)


def require_equal(what: str, a: np.ndarray, b: np.ndarray) -> None:
    """Raise `EquivalenceError` unless two code arrays are equal."""
    if a.shape != b.shape or not np.array_equal(a, b):
        wrong = "shapes" if a.shape != b.shape else f"{int((a != b).any(axis=1).sum())} samples"
        raise EquivalenceError.of(f"{what} disagree", wrong, "equal codes", "Report a defect with the artifact.")
