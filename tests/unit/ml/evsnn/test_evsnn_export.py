"""Integer networks: torch integers, the IR's reference and the float network on a grid, spike by spike."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hwsim.ir import io
from hwsim.ir.errors import ShapeError, UsageError
from ml.evsnn import shipped, train
from ml.evsnn.export import best_fraction, integer_net, spike_ticks, to_ir
from ml.evsnn.mpd import MpdNet, MpdRule
from ml.evsnn.potential import LifRule
from ml.evsnn.shape import parse
from ml.evsnn.spike_time import CONSTANT, encode
from ml.evsnn.std import StdNet, StdRule
from ml.evsnn.tasks import load_task
from ml.evsnn.train import RunSpec, train_network


@pytest.mark.parametrize("top", [16, 255])
def test_input_times_are_the_grid_of_the_float_code(top: int) -> None:
    x = np.arange(top + 1)
    for ticks in (8, 16, 64):
        grid = encode(torch.from_numpy(x).double() / top, ticks)
        wanted = torch.where(grid.fired > 0, grid.time * ticks, -1.0)
        assert np.array_equal(spike_ticks(x, top, ticks), wanted.long().numpy())
    assert spike_ticks(np.array([0, top]), top).tolist() == [-1, 0]


@pytest.mark.parametrize("net", ["20-16-12-4", "1x8x8-4C3-P2-12-4", "2x6x6-3C3s-4C3-4"])
def test_torch_integers_equal_the_reference_in_every_layer(net: str) -> None:
    shape = parse(net)
    draw = np.random.default_rng(0)
    times = draw.integers(-4, 16, (40, int(np.prod(shape.inputs)))).clip(-1)
    for seed in range(4):
        model = StdNet(shape, StdRule(mean=(0.0, 2.0)[seed % 2], spread=3.0), seed)
        integer = integer_net(model, fractions=() if seed else (5,) * len(model.weights))
        ir = integer.to_ir()
        layers = ir.reference_layers(times)
        own = integer.times(times)
        for mine, theirs in zip(own[1:], layers[:-1], strict=True):
            assert np.array_equal(mine, theirs)
        assert np.array_equal(integer.scores(times), layers[-1])
        cases = np.unique(np.concatenate([t.ravel() for t in own[1:]]))
        assert {-1, 0} < set(cases.tolist())


def test_integers_equal_the_float_network_on_the_grid() -> None:
    model = StdNet(parse("20-16-12-4"), StdRule(spread=3.0, ticks=16, weight_bits=8, fraction=6), 0).double().eval()
    x = torch.rand(50, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    integer = integer_net(model, fractions=(6, 6, 6))
    spikes = model.spikes(x)
    times = [torch.where(s.fired > 0, s.time * 16, -1.0).round().long().numpy() for s in spikes]
    for mine, float_times in zip(integer.times(times[0]), times, strict=True):
        assert np.array_equal(mine, float_times)
    assert np.allclose(integer.scores(times[0]) / (16 * 2**6), model(x).detach().numpy())


def test_trained_digits_survive_the_hand_over(tmp_path) -> None:
    task = load_task("digits")
    model, _ = train_network(RunSpec(epochs=6, batch=32, lr=0.1), task)
    ir = to_ir(model, meta={"data": "digits"})
    times = spike_ticks(task.x_test.reshape(len(task.x_test), -1), 16)
    outputs = ir.reference(times)
    assert np.array_equal(outputs, integer_net(model).scores(times))
    loaded = io.load(_saved(ir, tmp_path))
    assert np.array_equal(loaded.reference(times), outputs)
    right = float((ir.classify(outputs) == task.dataset.y_test).mean())
    with torch.no_grad():
        plain = float((model(task.scaled(task.x_test)).argmax(1).numpy() == task.dataset.y_test).mean())
    assert right > plain - 0.02 > 0.85


def _saved(ir, folder):
    path = folder / f"net{io.SUFFIX}"
    io.save(ir, path)
    return path


def test_trained_mpd_survives_the_hand_over() -> None:
    task = load_task("digits")
    model, _ = train_network(RunSpec(method="mpd", net="64-60-40-10", epochs=6, batch=32, lr=0.1, adapt="rate"), task)
    ir = to_ir(model, top=16)
    x = np.repeat(task.x_test.reshape(len(task.x_test), 1, -1), model.rule.steps, axis=1)
    right = float((ir.classify(ir.reference(x)) == task.dataset.y_test).mean())
    with torch.no_grad():
        plain = float((model(task.scaled(task.x_test)).argmax(1).numpy() == task.dataset.y_test).mean())
    assert right > plain - 0.03 > 0.8


def test_mpd_on_the_grid_gives_the_same_spikes() -> None:
    """Weights, threshold and leak that the chip holds exactly: every spike is equal."""
    model = MpdNet(parse("6-9-7-3"), MpdRule(LifRule(0.5), steps=5, gain=3.0, levels=False), 0).double().eval()
    for weight in model.weights:
        weight.data = (weight.data * 8).round() / 8
    x = (torch.rand(30, 5, 1, 1, 6, generator=torch.Generator().manual_seed(1)) < 0.4).double()
    ir = to_ir(model, fractions=(8, 8, 8), bits=16, top=1)  # λ halves a potential at most 4 times before it fires
    layers = ir.reference_layers(x.reshape(30, 5, 6).long().numpy())
    with torch.no_grad():
        scores, records = model.records(x)
    for record, mine in zip(records, layers[:-1], strict=True):
        assert np.array_equal(record.spikes.transpose(0, 1).numpy().astype(np.uint8), mine)
    assert np.allclose(layers[-1] / 2**8 / 5, scores.numpy())


def test_best_fraction_fits_the_weights() -> None:
    assert best_fraction(torch.tensor([0.24, -0.12])) == 9
    assert best_fraction(torch.tensor([3.9, -2.0])) == 5


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: integer_net(StdNet(parse("4-3-2"), StdRule(CONSTANT), 0)), UsageError, "falling threshold"),
        (lambda: integer_net(StdNet(parse("4-3-2"), StdRule(), 0), ticks=12), UsageError, "power of two"),
        (lambda: integer_net(StdNet(parse("4-3-2"), StdRule(), 0), fractions=(9,)), UsageError, "2 of them"),
        (lambda: to_ir(MpdNet(parse("4-3-2"), MpdRule(adapt="window"), 0)), UsageError, "constant threshold"),
        (lambda: to_ir(torch.nn.Linear(2, 2)), UsageError, "StdNet or MpdNet"),
        (lambda: spike_ticks(np.array([-1, 3]), 16), ShapeError, "intensities"),
    ],
)
def test_bad_exports_are_clear_errors(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_shipped_networks_are_whole_and_say_their_accuracy() -> None:
    assert {"digits_std", "mnist_std", "digits_mpd"} <= set(shipped.names())
    for name in shipped.names():
        net = shipped.load(name)
        assert (net.window, net.steps) == ((True, 16) if name.endswith("std") else (False, 4))
        assert net.n_classes == 10
        assert all(layer.synapse.bits == 8 for layer in net.layers)
        assert float(net.meta["test_accuracy"]) > (85 if name == "fashion_std" else 92)
    with pytest.raises(UsageError, match=r"shipped network: got 'imagenet', expected one of .*digits_std"):
        shipped.load("imagenet")


@pytest.mark.parametrize("name", ["digits_std", "digits_mpd"])
def test_shipped_digits_network_classifies_as_it_says(name: str) -> None:
    net, task = shipped.load(name), load_task("digits")
    x = task.x_test.reshape(len(task.x_test), -1)
    times = spike_ticks(x, int(net.meta["top"])) if net.window else np.stack([x] * 4, axis=1)
    right = 100 * float((net.classify(net.reference(times)) == task.dataset.y_test).mean())
    assert f"{right:.2f}" == net.meta["test_accuracy"]


def test_a_run_becomes_a_shipped_network(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    train.run(RunSpec(net="64-20-10", epochs=2, batch=32, lr=0.1), tmp_path / "run")
    monkeypatch.setattr(shipped, "_DATA", tmp_path / "data")
    assert shipped.main([str(tmp_path / "run"), "small"]) == 0
    assert shipped.load("small").n_inputs == 64
    assert shipped.main(["only one"]) == 2
    train.run(RunSpec(method="mpd", net="64-20-10", epochs=1), tmp_path / "steps")
    assert not shipped.ship(tmp_path / "steps", "clocked").window
    train.run(RunSpec(method="stbp", net="64-20-10", epochs=1), tmp_path / "other")
    with pytest.raises(UsageError, match="run to ship: got stbp"):
        shipped.ship(tmp_path / "other", "x")
