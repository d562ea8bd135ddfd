"""The training loop: it learns, resumes to the same bytes, never reads the test set, and fails clearly."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hwsim.ir import io
from hwsim.ir.errors import UsageError
from ml.common import device, seed
from ml.common.train import FitConfig, Trainer, save_atomic
from ml.neuralut import summary, train
from ml.neuralut.batches import ArrayBatches, ImageBatches
from ml.neuralut.configs import LayerConfig, NetConfig, configs, named
from ml.neuralut.model import LutNet
from ml.neuralut.tasks import load_task

QUICK = train.RunSpec(kind="logicnets", epochs=12, batch=32, lr=1e-2)


def _trainer(checkpoint: Path | None, epochs: int = 4) -> Trainer:
    noise = seed.numpy_generator(0)
    x = noise.normal(size=(600, 8)).astype(np.float32)
    labels = (x[:, 0] + x[:, 1] > 0).astype(np.int64)
    config = NetConfig("toy", 8, 2, (LayerConfig(12, 3, 2, width=4), LayerConfig(2, 4, 2, width=4)))
    model = LutNet(config, 0)
    judge = torch.from_numpy(x[:100].T.copy())

    def evaluate(net: torch.nn.Module) -> float:
        return float((net(judge).argmax(1).numpy() == labels[:100]).mean())

    batches = ArrayBatches(x[100:], labels[100:], 50, 0)
    return Trainer(model, batches, evaluate, FitConfig(epochs, lr=1e-2), checkpoint=checkpoint)


def test_resumed_run_ends_with_the_same_bytes(tmp_path: Path) -> None:
    whole = _trainer(tmp_path / "whole.pt")
    result = whole.fit()
    stopped = _trainer(tmp_path / "cut.pt")
    stopped.fit(until=2)
    resumed = _trainer(tmp_path / "cut.pt")
    again = resumed.fit()
    for (name, a), (_, b) in zip(whole.model.state_dict().items(), resumed.model.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
    assert again.history == result.history
    assert len(result.history) == 4


def test_selected_state_is_the_best_validated_one() -> None:
    trainer = _trainer(None, epochs=12)
    result = trainer.fit()
    assert result.best_accuracy == max(h["val"] for h in result.history) > 0.7
    trainer.model.eval()
    assert trainer.evaluate(trainer.model) == pytest.approx(result.best_accuracy)


def test_interrupted_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_atomic({"a": 1}, path)
    with pytest.raises(Exception, match="pickle"):
        save_atomic({"a": lambda: None}, path)
    assert torch.load(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["state.pt"]


def test_learning_rate_rises_then_falls_to_zero() -> None:
    fit = FitConfig(10, lr=1.0, warmup=1)
    assert fit.rate(0, 10) == pytest.approx(0.1)
    assert fit.rate(10, 10) == 1.0
    assert fit.rate(55, 10) == pytest.approx(0.5)
    assert fit.rate(99, 10) < 0.01


def test_run_writes_tables_that_were_checked_on_every_test_image(tmp_path: Path) -> None:
    report = train.run(QUICK, tmp_path)
    assert report["codes_equal_on"] == len(load_task("digits").dataset.x_test)
    assert report["test_accuracy_of_tables"] > 0.6
    network = io.load(tmp_path / f"network{io.SUFFIX}")
    task = load_task("digits")
    codes = network.reference(network.quantise(task.dataset.x_test))
    assert (network.classify(codes) == task.dataset.y_test).mean() == report["test_accuracy_of_tables"]
    assert json.loads((tmp_path / "summary.json").read_text())["artifact"] == report["artifact"]
    assert report["margin"]["unproven_entries"] == "0"


def test_warm_up_masks_beat_random_ones_and_are_valid(tmp_path: Path) -> None:
    spec = replace(QUICK, warmup=10)
    learned = train.run(spec, tmp_path / "learned")
    random = train.run(replace(spec, warmup=0), tmp_path / "random")
    assert learned["test_accuracy_of_tables"] > random["test_accuracy_of_tables"]


def test_same_seed_same_artifact_other_seed_another(tmp_path: Path) -> None:
    spec = replace(QUICK, epochs=1)
    ids = [train.run(replace(spec, seed=s), tmp_path / str(i))["artifact"] for i, s in enumerate((1, 1, 2))]
    assert ids[0] == ids[1] != ids[2]


def test_training_does_not_touch_test_or_validation_samples() -> None:
    task = load_task("digits")
    rows = {r.tobytes() for r in task.x_train}
    held = [r for r in task.x_val if r.tobytes() not in rows]
    assert len(held) == len(task.x_val)
    assert len(task.x_train) + len(task.x_val) == len(task.dataset.x_train)


def test_image_batches_shift_by_whole_pixels() -> None:
    images = np.arange(1, 10, dtype=np.uint8).reshape(1, 3, 3)
    batches = ImageBatches(images, np.zeros(1, np.int64), 1, 0, features=(1.0, 0.0), shift=1)
    moved = batches.take(np.array([0]), np.array([[1], [0]])).reshape(3, 3)
    assert moved.tolist() == [[4, 5, 6], [7, 8, 9], [0, 0, 0]]


def test_global_random_state_is_left_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    numpy_before = np.random.get_state()[1].copy()  # noqa: NPY002
    _trainer(None, epochs=1).fit()
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


def test_named_shapes_are_the_papers() -> None:
    hdr = named("hdr5l")
    assert [layer.n_out for layer in hdr.layers] == [256, 100, 100, 100, 10]
    assert {(layer.bits, layer.fan_in, layer.width) for layer in hdr.layers} == {(2, 6, 16)}
    jsc = named("jsc5l")
    assert (jsc.input_bits, jsc.layers[0].fan_in, jsc.layers[1].fan_in) == (7, 2, 3)
    assert hdr.scaled(0.25).layers[0].n_out == 64
    assert {layer.kind for layer in hdr.as_kind("logicnets").layers} == {"logicnets"}
    assert set(configs()) >= {"hdr5l", "jsc2l", "jsc5l", "digits"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: named("hdr6l"), r"unknown network: got 'hdr6l', expected one of .*hdr5l"),
        (lambda: NetConfig("x", 8, 4, (LayerConfig(2, 5, 2),)), r"address too wide: got 4·5 bits"),
        (lambda: NetConfig("x", 8, 2, (LayerConfig(3, 3, 2, mask="group"),)), "groups do not cover"),
        (lambda: LayerConfig(2, 2, 2, kind="mlp"), r"unknown neuron kind: got 'mlp'"),
        (lambda: FitConfig(0), r"epochs out of range: got 0"),
        (lambda: device.choose("tpu9"), "unknown device"),
    ],
)
def test_bad_configuration_is_a_clear_error(call, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()


def test_command_line_reports_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main(["--config", "nope", "--out", str(tmp_path)]) == 2
    assert "unknown network" in capsys.readouterr().err


def test_table_lists_finished_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = {
        "network": "hdr5l",
        "data": {"variant": "MNIST"},
        "val_accuracy": 0.95,
        "test_accuracy_of_tables": 0.951,
        "cpu_s": 12.0,
        "spec": asdict(train.RunSpec(seed=3)),
    }
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "summary.json").write_text(json.dumps(run))
    assert summary.main([str(tmp_path)]) == 0
    row = "| one | hdr5l | MNIST | 3 | 0 + 40 | 128, 0.003 | 95.00 | 95.10 | 12 |"
    assert row in (tmp_path / "SUMMARY.md").read_text()
    assert summary.main([str(tmp_path / "missing")]) == 2
    assert "folder of training runs" in capsys.readouterr().err


def test_one_input_run_trains_prunes_and_exports(tmp_path: Path) -> None:
    task = load_task("digits")
    small = replace(
        task,
        x_train=task.x_train[:, :16],
        x_val=task.x_val[:, :16],
        side=0,
        y_train=task.y_train % 5,
        y_val=task.y_val % 5,
    )
    spec = train.RunSpec(config="edges-jsc", epochs=3, batch=64)
    model, _ = train.train_network(spec, small)
    network = train.tables_of(model)
    assert network.layers[0].n_out == round(0.6 * 16 * 8)
    train.check_codes(model, network, task.dataset.x_test[:, :16])
    with pytest.raises(UsageError, match="options for edges-jsc"):
        replace(spec, warmup=2).network()
