"""Named trainings, duels at equal budgets, and the chip model on what training hands over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hwsim.evsnn.chip import simulate
from hwsim.ir.errors import UsageError
from hwsim.ir.events import Events
from ml.common.seed import numpy_generator
from ml.evsnn import recipes, shipped
from ml.evsnn.export import integer_net, spike_ticks, to_ir
from ml.evsnn.mpd import MpdNet, MpdRule
from ml.evsnn.shape import parse
from ml.evsnn.std import StdNet, StdRule
from ml.evsnn.tasks import load_task
from ml.evsnn.train import RunSpec

TINY = RunSpec(net="64-20-10", epochs=1, batch=64)


def test_a_finished_run_is_read_not_repeated(tmp_path: Path) -> None:
    first = recipes.finished(TINY, tmp_path)
    again = recipes.finished(TINY, tmp_path)
    assert again["finished"] == first["finished"]
    with pytest.raises(UsageError, match="run in"):
        recipes.finished(replace(TINY, seed=1), tmp_path)


def test_duel_tunes_both_alike_and_pairs_seeds(tmp_path: Path) -> None:
    result = recipes.duel("std", "stdbp", tmp_path, TINY, rates=(0.01, 0.1), seeds=(0, 1))
    assert len(list(tmp_path.glob("*/summary.json"))) == 2 * 3
    assert all(options in ({"lr": 0.01}, {"lr": 0.1}) for options in result.options)
    assert result.points == pytest.approx(np.mean(result.accuracies[0]) - np.mean(result.accuracies[1]))
    assert result.spread > 0


def test_duel_tries_as_many_options_of_each_method(tmp_path: Path) -> None:
    assert len(recipes.TRIALS["mpd"]) == len(recipes.TRIALS["tssl"])
    result = recipes.duel("mpd", "tssl", tmp_path, replace(TINY, steps=2), rates=(0.05,), seeds=(0,))
    tried = sorted(path.parent.name for path in tmp_path.glob("*/summary.json"))
    assert len(tried) == 2 * (1 + len(recipes.TRIALS["mpd"]))
    assert "digits-tssl-lr0.2-s0" in tried
    for method, options in zip(("mpd", "tssl"), result.options, strict=True):
        assert {**options, "lr": 0.05} in [{"lr": 0.05}, *({**t, "lr": 0.05} for t in recipes.TRIALS[method])]


def test_recipes_build_and_name_their_data() -> None:
    for spec in recipes.RECIPES.values():
        assert spec.build() is not None
    with pytest.raises(UsageError, match="recipe: got 'x'"):
        recipes.train_recipe("x", Path())


@pytest.mark.parametrize("net", ["20-16-12-4", "1x8x8-4C3-P2-12-4"])
def test_chip_equals_torch_integers_on_drawn_window_nets(net: str) -> None:
    shape = parse(net)
    times = numpy_generator(0, net).integers(-6, 16, (25, int(np.prod(shape.inputs)))).clip(-1)
    for seed in range(3):
        integer = integer_net(StdNet(shape, StdRule(spread=3.0), seed))
        result = simulate(integer.to_ir(), Events.from_times(times))
        assert np.array_equal(result.outputs, integer.scores(times))
        hidden = integer.times(times)[1:]
        for mine, spikes in zip(hidden, result.spikes, strict=True):
            assert np.array_equal(mine, spikes.first_times(mine.shape[1], 16))


def test_chip_equals_torch_integers_on_the_shipped_digits_net() -> None:
    net, task = shipped.load("digits_std"), load_task("digits")
    times = spike_ticks(task.x_test.reshape(len(task.x_test), -1), 16)
    result = simulate(net, Events.from_times(times))
    assert np.array_equal(result.outputs, net.reference(times))
    assert f"{100 * (result.classes == task.dataset.y_test).mean():.2f}" == net.meta["test_accuracy"]


def test_chip_equals_the_float_spikes_of_an_event_net() -> None:
    model = MpdNet(parse("6-9-7-3"), MpdRule(steps=5, gain=3.0, levels=False), 0).double().eval()
    for weight in model.weights:
        weight.data = (weight.data * 8).round() / 8
    x = (torch.rand(30, 5, 6, generator=torch.Generator().manual_seed(1)) < 0.4).double()
    ir = to_ir(model, fractions=(8, 8, 8), bits=16, top=1)
    result = simulate(ir, Events.from_raster(x.long().numpy()))
    with torch.no_grad():
        scores = model(x[:, :, None, None])
    assert np.allclose(result.outputs / 2**8 / 5, scores.numpy())
