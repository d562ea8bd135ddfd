"""EncodingNet's training: integer networks that learn, resume, export what they are, and fail clearly."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from hwsim.encodingnet.encodings import exact, truncated
from hwsim.ir import io
from hwsim.ir.errors import UsageError
from hwsim.ir.mac import EncodedMac
from ml.common.convert import quantise
from ml.common.train import FitConfig
from ml.encodingnet import train
from ml.encodingnet.model import NAMES, build
from ml.encodingnet.tasks import Batches, accuracy, load_task
from ml.encodingnet.units import unit_for

SPEC = train.RunSpec(net="mlp", epochs=6, lr=0.05, tune_epochs=2, optimiser="adamw", tune_lr=3e-4, position_lr=5e-3)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    return train.run(SPEC, ["exact", "t40", "t14", "t14-trained"], out), out


def test_networks_learn_and_encoded_ones_keep_up(finished):
    report, _ = finished
    arms = report["arms"]
    assert report["float_accuracy"] > 0.9
    assert arms["exact"]["accuracy"] > report["float_accuracy"] - 0.02
    assert arms["t40"]["accuracy"] > arms["exact"]["accuracy"] - 0.03
    assert (arms["exact"]["wide_bits"], arms["t40"]["wide_bits"]) == (64, 40)


def test_position_weights_of_its_own_help_a_coarse_unit(finished):
    arms = finished[0]["arms"]
    assert arms["t14-trained"]["accuracy_before"] > arms["t14"]["accuracy_before"]


def test_the_artifacts_are_what_was_reported(finished):
    report, out = finished
    x, y = load_task("digits").test()
    for arm, summary in report["arms"].items():
        network = io.load_as(EncodedMac, out / f"{arm}{io.SUFFIX}")
        assert io.artifact_id(network) == summary["artifact"]
        codes = network.reference(network.quantise(x[:60].numpy()))
        right = (network.classify(codes) == y[:60]).mean()
        assert abs(right - summary["accuracy"]) < 0.15
        assert network.meta["arm"] == arm
        units = {tuple(e.position_weights.tolist()) for e in network.encodings}
        assert len(units) == (3 if arm.endswith("-trained") else 1)
    assert json.loads((out / "summary.json").read_text()) == report


def test_the_exact_artifact_is_as_accurate_as_reported(finished):
    report, out = finished
    x, y = load_task("digits").test()
    network = io.load_as(EncodedMac, out / f"t14-trained{io.SUFFIX}")
    codes = network.reference(network.quantise(x.numpy()))
    assert (network.classify(codes) == y).mean() == report["arms"]["t14-trained"]["accuracy"]


def test_a_finished_run_is_not_trained_again(finished):
    report, out = finished
    again = train.run(SPEC, ["exact", "t14-trained"], out)
    for arm in ("exact", "t14-trained"):
        assert again["arms"][arm]["artifact"] == report["arms"][arm]["artifact"]


def test_an_interrupted_run_ends_with_the_same_bytes(tmp_path):
    spec = replace(SPEC, epochs=1, tune_epochs=3)
    task = load_task("digits")
    model, _ = train.train_float(spec, task)
    twins = [train.start_arm(spec, task, model, unit_for("t32"), True) for _ in range(3)]
    train.tune(spec, task, twins[0], tmp_path / "whole.pt")

    def stop(done, total, note):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train.tune(spec, task, twins[1], tmp_path / "cut.pt", stop)
    train.tune(spec, task, twins[2], tmp_path / "cut.pt")
    assert io.artifact_id(twins[2].to_ir()) == io.artifact_id(twins[0].to_ir())


def test_every_network_becomes_integers():
    for name in NAMES:
        shape = (3, 32, 32) if name.startswith("resnet") else (1, 28, 28) if name == "lenet" else (1, 8, 8)
        model = build(name, shape, 10, 0).eval()
        twin = quantise(model, torch.randn(8, *shape), truncated(8, 8, n_bits=40), n_classes=10).eval()
        network = twin.to_ir()
        x = torch.randn(2, *shape)
        codes = network.evaluate(network.quantise(x.numpy()), network.table_mac)
        if name in ("mlp", "lenet"):
            np.testing.assert_array_equal(twin(x).numpy(), (list(codes)[-1] * network.output_scale).astype(np.float32))
    assert sum(op.type == "conv" for op in network.ops) == 21  # ResNet-20: 19 and two shortcuts


def test_same_seed_same_weights_other_seed_others():
    a, b, c = (build("lenet", (1, 8, 8), 10, s).state_dict()["scores.0.weight"] for s in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_batches_are_those_of_the_epoch():
    x = torch.arange(2 * 40 * 3 * 3.0).reshape(40, 2, 3, 3)
    batches = Batches(x, torch.arange(40), 8, 0, shift=1, flip=True)
    first, again, other = (list(batches.epoch(e)) for e in (0, 0, 1))
    assert batches.steps == len(first) == 5
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0][1], other[0][1])
    plain = dict(zip(range(40), x, strict=True))
    still = next(iter(Batches(x, torch.arange(40), 8, 0).epoch(0)))
    assert all(torch.equal(a, plain[int(i)]) for a, i in zip(*still, strict=True))
    assert set(first[0][0].flatten().tolist()) <= set(x.flatten().tolist())


def test_digits_are_normalised_and_split():
    task = load_task("digits")
    assert abs(float(task.x_train.mean())) < 0.02
    assert abs(float(task.x_train.std()) - 1) < 0.02
    assert len(task.x_train) + len(task.x_val) == len(task.dataset.x_train)
    assert accuracy(torch.nn.Flatten(), task.x_val, task.y_val) < 0.5


def test_paper_defaults():
    tuning = train.RunSpec().tuning()
    assert (tuning.optimiser, tuning.momentum, tuning.epochs, tuning.lr) == ("sgd", 0.9, 25, 1e-4)
    with pytest.raises(UsageError, match=r"optimiser: got 'lbfgs', expected 'adamw' or 'sgd'"):
        FitConfig(1, optimiser="lbfgs")


def test_bad_names_are_refused(tmp_path, capsys):
    for changes, message in (
        ({"net": "vgg"}, "unknown network: got 'vgg'"),
        ({"data": "iris"}, "data set: got 'iris'"),
    ):
        with pytest.raises(UsageError, match=message):
            train.run(replace(SPEC, **changes), [], tmp_path)
    with pytest.raises(UsageError, match=r"product unit: got 'x9', expected exact, m<bits>, t<bits> or one of"):
        unit_for("x9")
    assert train.main(["--data", "iris", "--out", str(tmp_path)]) == 2
    assert "data set: got 'iris'" in capsys.readouterr().err


def test_the_command_line_runs(tmp_path, capsys):
    words = "--net mlp --epochs 1 --tune-epochs 1 --no-per-channel --arms exact --out"
    assert train.main([*words.split(), str(tmp_path)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["spec"]["per_channel"] is False
    assert report["arms"]["exact"]["artifact"] == io.artifact_id(io.load(tmp_path / f"exact{io.SUFFIX}"))


def test_other_units_come_by_name(tmp_path):
    report = train.run(replace(SPEC, epochs=1, tune_epochs=1), ["mine"], tmp_path, encodings={"mine": exact(8, 8)})
    assert report["arms"]["mine"]["wide_bits"] == 64
