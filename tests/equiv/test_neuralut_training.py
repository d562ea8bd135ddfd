"""A trained network, its tables, the IR's reference and the cycle model emit the same codes on every sample."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwsim.neuralut import layer_codes
from ml.neuralut.export import to_ir
from ml.neuralut.tasks import Task, load_task
from ml.neuralut.train import RunSpec, train_network

SPEC = RunSpec(epochs=5, batch=32)


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("digits")


@pytest.mark.parametrize("kind", ["neuralut", "logicnets", "polylut"])
@pytest.mark.parametrize("warmup", [0, 2])
def test_torch_tables_reference_and_cycle_model_agree(task: Task, kind: str, warmup: int) -> None:
    model, _ = train_network(replace(SPEC, kind=kind, warmup=warmup), task)
    network = to_ir(model)
    x = np.concatenate([task.dataset.x_test, task.x_train])
    codes = network.quantise(x)
    own, reference, simulated = model.codes(x), network.reference_layers(codes), layer_codes(network, codes)
    assert np.array_equal(own[0], codes)
    for a, b, c in zip(own[1:], reference, simulated, strict=True):
        assert np.array_equal(a, b)
        assert np.array_equal(b, c)
    assert len({tuple(row) for row in own[-1]}) > 3  # the network says different things about different digits
