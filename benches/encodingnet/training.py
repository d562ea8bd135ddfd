"""Accuracy of networks with exact, encoded and truncated products: shipped integer networks run again, digits trained.

Shipped networks are artifacts that `ml.encodingnet.train` made; what is measured here is their accuracy on the test
images, by the integer model, product by product. Without the images the kept figures stand.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benches import stats
from benches.runner import Context
from benches.stats import Figure
from hwsim.encodingnet.network import NetworkRunner

RUNS = {"mnist": "mnist-lenet", "cifar10": "cifar-resnet8"}


def measure(ctx: Context[Any], progress: Any) -> dict[str, dict[str, list[float]]]:
    """Accuracy in percent of the shipped arms whose images are here: kept before, measured after tuning."""
    from ml.encodingnet import shipped

    found: dict[str, dict[str, list[float]]] = {}
    for i, (slug, name) in enumerate(RUNS.items()):
        if name not in shipped.names():
            continue
        arms = {arm: _accuracy(ctx, name, arm) for arm in shipped.summary(name)["arms"]}
        if any(figure is None for figure in arms.values()):
            ctx.note(f"{name}: its images are not here; the kept figures stand")
            continue
        percent = {arm: 100 * figure.value for arm, figure in arms.items() if figure}
        before = {arm: 100 * values["accuracy_before"] for arm, values in shipped.summary(name)["arms"].items()}
        found[slug] = {arm: [before[arm], after] for arm, after in percent.items()}
        for arm, figure in arms.items():
            assert figure is not None
            method = f"{name}, integer network, {figure.n} test images"
            ctx.metric(f"accuracy_{slug}_{arm.replace('-', '_')}", figure.scaled(100), "%", method=method)
        _drops(ctx, slug, name, percent)
        progress(i + 1, len(RUNS), name)
    return found


def _accuracy(ctx: Context[Any], name: str, arm: str) -> Figure | None:
    """Share of right test images with its interval; None when the images it was trained for are not here."""
    from ml.common.data import UnreachableError
    from ml.encodingnet import shipped
    from ml.encodingnet.tasks import load_task

    summary = shipped.summary(name)
    try:
        task = load_task(summary["spec"]["data"], download=ctx.profile == "full")
    except UnreachableError:
        return None
    images, labels = task.test()
    network = shipped.network(name, arm)
    codes = network.quantise(images[: ctx.config.test_images].numpy())
    run = NetworkRunner(network)(codes, detail="none")
    assert run.classes is not None
    right = int((run.classes == np.asarray(labels)[: len(run.classes)]).sum())
    return stats.binomial(right, len(run.classes))


def _drops(ctx: Context[Any], slug: str, name: str, percent: dict[str, float]) -> None:
    """Points below the exact network, and what trained position weights gain."""
    if {"exact", "m40"} <= set(percent):
        method = f"{name}: exact {percent['exact']:.2f} %, M = 40 {percent['m40']:.2f} %, both fine-tuned alike"
        ctx.metric(f"accuracy_drop_{slug}", percent["exact"] - percent["m40"], "points", method=method)
    if slug == "cifar10" and {"m32", "m32-trained"} <= set(percent):
        gain = percent["m32-trained"] - percent["m32"]
        method = (
            f"{name}, M = 32: {percent['m32-trained']:.2f} % with weights trained a layer, {percent['m32']:.2f} % fixed"
        )
        ctx.metric("trained_weights_gain_points", gain, "points", method=method)
