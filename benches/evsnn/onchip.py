"""Learning on the chip, in its integer model: from random 8-bit weights over 16-bit shadows, sample by sample.

STD-ED, one hidden layer, T ticks; images moved by up to a pixel; learning rates fall in five parts of the training.
Errors below `skip` change nothing (hierarchical update skip): 4 costs 0.3 points on held-out training images after ten
epochs, where it was chosen, and 0.8 on test images after fifteen; it spares three quarters of the learning.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benches import stats
from benches.evsnn.inputs import chip_events, found, moved
from benches.runner import Context
from hwsim.core.counters import Counters
from hwsim.evsnn import Chip, learn
from hwsim.ir.events import Events
from hwsim.ir.plasticity import Plasticity, lane_seeds
from hwsim.ir.spiking import Dense, Layer, Population, SpikingNet

FRACTION, LANES, TICKS = 7, 16, 8  # TICKS: of the accuracies that are reported
SHIFTS, SHIFTS_TICKS = ((13, 6), (13, 7), (14, 7), (14, 8), (15, 9)), 16  # learning rates 2^-shift, a part each; at T
HIDDEN = {"mnist": 400, "fashion_mnist": 400, "digits": 64}
NAMES = {"mnist": "mnist", "fashion_mnist": "fmnist", "digits": "digits"}
MEAN, SPREAD = 4.0, 1.4  # of first weights, in units of 1/fan-in and 1/√fan-in
READOUT_SPREAD = 1.0
BLOCK = 20_000  # samples whose events are held at a time


def fresh(sizes: tuple[int, int, int], ticks: int, seed: int, skip: int = 1) -> SpikingNet:
    """A net of random weights that can learn; errors below `skip` change nothing."""
    n_in, hidden, classes = sizes
    rng, scale = np.random.default_rng(seed), 2 ** (FRACTION + 8)

    def synapses(mean: float, spread: float, shape: tuple[int, int]) -> Dense:
        shadow = np.clip(rng.normal(mean, spread, shape) * scale, -(2**15), 2**15 - 1).astype(np.int16)
        return Dense((shadow >> 8).astype(np.int16), 8, FRACTION, 0, shadow)

    first = synapses(MEAN / n_in, SPREAD / n_in**0.5, (n_in, hidden))
    last = synapses(0.0, READOUT_SPREAD / hidden**0.5, (hidden, classes))
    layers = (Layer(first, Population("window", hidden)), Layer(last, Population("readout", classes)))
    seeds = lane_seeds(LANES, seed + 1)
    rule = Plasticity("std", shifts(0, 1, ticks), exp_shift(FRACTION, ticks), seeds=seeds, skip_below=skip)
    return SpikingNet(n_in, ticks, layers, True, rule, n_classes=classes)


def exp_shift(fraction: int, ticks: int) -> int:
    """z of a window net has units of 2^−f/T, the softmax table steps of 1/32."""
    return max(0, fraction + ticks.bit_length() - 1 - 5)


def shifts(epoch: int, epochs: int, ticks: int) -> tuple[int, int]:
    """Learning-rate shifts of an epoch; spike times, and so changes, grow with T."""
    more = ticks.bit_length() - SHIFTS_TICKS.bit_length()
    first, last = SHIFTS[epoch * len(SHIFTS) // epochs]
    return max(1, first + more), max(1, last + more)


def taught(data: str, ticks: int, epochs: int, images: int, seed: int, skip: int) -> dict[str, Any]:
    """Train on `images` of `data`: accuracy by epoch in percent, counts of the whole training and of its last epoch."""
    got = found(data)
    assert got is not None  # `measure` asks first
    top = 16 if data == "digits" else 255
    x, y = np.asarray(got.x_train[:images]), np.asarray(got.y_train[:images]).astype(np.int64)
    x = x.astype(np.uint8)
    test, labels = chip_events(np.asarray(got.x_test).astype(np.uint8), top, ticks), np.asarray(got.y_test)
    net = fresh((x.shape[1], HIDDEN[data], int(y.max()) + 1), ticks, seed, skip)
    rng, right = np.random.default_rng(seed + 1), []
    total = last = Tally()
    for epoch in range(epochs):
        rule = net.plasticity
        assert rule is not None
        net = replace(net, plasticity=replace(rule, lr_shift=shifts(epoch, epochs, ticks)))
        order, last = rng.permutation(len(x)), Tally()
        for start in range(0, len(x), BLOCK):
            rows = order[start : start + BLOCK]
            block = x[rows] if data == "digits" else moved(x[rows], rng)
            net, lesson = learn(net, chip_events(block, top, ticks), y[rows])
            total.add(lesson)
            last.add(lesson)
        classes = Chip(net).run(test).classes
        assert classes is not None
        right.append(100 * float((classes == labels).mean()))
    return {"accuracy": right, "n_test": len(labels), "ticks": ticks, "skip": skip, "last": last.row(), **total.row()}


class Tally:
    """Counts of many lessons, as means a sample."""

    def __init__(self) -> None:
        self.forward, self.backward = Counters(), Counters()
        self.samples = self.cycles = self.learn_cycles = self.logged = 0

    def add(self, lesson: Any) -> None:
        """Count a `LearnResult`."""
        self.forward, self.backward = self.forward + lesson.forward, self.backward + lesson.backward
        self.samples += len(lesson.sample_cycles)
        self.cycles += int(lesson.sample_cycles.sum())
        self.learn_cycles += int(lesson.learn_cycles.sum())
        self.logged += sum(int(did.events.sum()) for did in lesson.activity)

    def row(self) -> dict[str, Any]:
        """Totals, JSON-able."""
        return {
            "forward": dict(self.forward), "backward": dict(self.backward), "samples": self.samples,
            "cycles": self.cycles, "learn_cycles": self.learn_cycles, "logged": self.logged,
        }  # fmt: skip


def replayed(net: SpikingNet, events: Events, labels: np.ndarray) -> dict[str, Any]:
    """Counts of lessons that leave the weights as good as they were: a learning rate of 2^−30."""
    layers = tuple(Layer(layer.synapse.with_shadow(), layer.population) for layer in net.layers)  # type: ignore[union-attr]
    rule = net.plasticity
    assert rule is not None
    still = replace(net, layers=layers, plasticity=replace(rule, lr_shift=(30,) * len(layers)))
    tally = Tally()
    tally.add(learn(still, events, labels)[1])
    return tally.row()


def measure(ctx: Context[Any]) -> list[dict[str, Any]]:
    """Accuracy after learning on each data set that is here, on MNIST at several T and once from every error.

    Returns:
        The rows of MNIST, else of digits: by T, and last that with skip 1.
    """
    config = ctx.config
    chosen = [name for name in ("mnist", "fashion_mnist") if config.onchip_epochs and found(name) is not None]
    ticks, skip = [int(t) for t in config.onchip_ticks.split()], config.onchip_skip
    points = [{"data": "digits", "ticks": TICKS, "epochs": config.digit_epochs, "skip": skip}]
    points += [{"data": name, "ticks": t, "epochs": config.onchip_epochs, "skip": skip} for name in chosen
               for t in ticks if t == TICKS or name == "mnist"]  # fmt: skip
    base = "mnist" if "mnist" in chosen else "digits"
    epochs = config.onchip_epochs if chosen else config.digit_epochs
    points.append({"data": base, "ticks": TICKS, "epochs": epochs, "skip": 1})
    points = [{**point, "images": config.onchip_images, "seed": ctx.seed} for point in points]
    rows = [{**row, "data": point["data"]} for row, point in zip(ctx.sweep(taught, points), points, strict=True)]
    for row in rows:
        if row["ticks"] == TICKS:
            _accuracy(ctx, row, "" if row is not rows[-1] else "_every_error")
    for name in {"mnist", "fashion_mnist"} - set(chosen):
        ctx.note(f"{name}: not learned on the chip in this run; kept figures stand where there are any")
    return [row for row in rows if row["data"] == base]


def _accuracy(ctx: Context[Any], row: dict[str, Any], suffix: str) -> None:
    name, right = NAMES[row["data"]], row["accuracy"]
    figure = stats.binomial(round(right[-1] / 100 * row["n_test"]), row["n_test"]).scaled(100)
    after = ", ".join(f"{value:.2f}" for value in right)
    method = (
        f"8-bit weights, 16-bit shadows, T = {row['ticks']}, errors from {row['skip']} of 256 on; after each epoch: "
        f"{after}; last epoch, {figure.method}"
    )
    ctx.metric(f"onchip_int_{name}_acc{suffix}", figure, "%", method=method)
    per = {"cycles": ("cycles", "a lesson, 16 lanes"), "learn_cycles": ("learn_cycles", "of these: learning")}
    for metric, (column, what) in per.items():
        ctx.metric(f"onchip_{name}_{metric}{suffix}", row[column] / row["samples"], "cycles", method=what)
