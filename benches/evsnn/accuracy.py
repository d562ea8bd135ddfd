"""Accuracy of the shipped integer networks on their test images, by the chip model."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches import stats
from benches.evsnn.inputs import found, shipped_events
from benches.runner import Context
from hwsim.evsnn import Chip

METRICS = {
    "mnist_std": ("mnist", "std_mnist_acc_mlp"),
    "fashion_std": ("fashion_mnist", "std_fmnist_acc_mlp"),
    "digits_std": ("digits", "std_digits_acc_mlp"),
}


def measure(ctx: Context[Any]) -> None:
    """One figure a network whose data is here; the kept ones stand for the others."""
    from ml.evsnn import shipped

    for name, (data, metric) in METRICS.items():
        got = found(data)
        if got is None:
            ctx.note(f"{metric}: {data} is not on this machine; the kept figure stands where there is one")
            continue
        net, n = shipped.load(name), ctx.config.test_images
        ctx.record_data(data, got.source, got.variant)
        classes = Chip(net).run(shipped_events(net, np.asarray(got.x_test[:n]).astype(int))).classes
        assert classes is not None
        right = int((classes == np.asarray(got.y_test[:n])).sum())
        figure = stats.binomial(right, len(classes)).scaled(100)
        method = f"{net.meta['network']}, 8-bit weights, {net.steps} ticks, chip model, {len(classes)} test images"
        ctx.metric(metric, figure, "%", method=f"{method}; {figure.method}")
