"""Cost at equal accuracy: hand-made curves with known ratios."""

import numpy as np
import pytest

from benches.neuralut.curves import CurvePoint, equal_accuracy_ratio, front
from benches.neuralut.plots import published
from benches.neuralut.runs import CURVES, HDR5L, JETS, LEARNED, TWELVE_BIT, VOTES
from benches.neuralut.training import folder_of
from hwsim.ir.errors import UsageError


def points(costs, accuracies=(90.0, 92.0, 94.0), n_test=10**9):
    return [CurvePoint((a,), c, n_test) for a, c in zip(accuracies, costs, strict=True)]


def test_ratio_of_parallel_curves_is_exact():
    figure = equal_accuracy_ratio(points((100, 200, 400)), points((200, 400, 800)), np.random.default_rng(0))
    assert figure.value == pytest.approx(0.5)
    assert figure.low == pytest.approx(0.5, rel=1e-2)
    assert figure.high == pytest.approx(0.5, rel=1e-2)


def test_interval_grows_with_the_sampling_error():
    rng = np.random.default_rng
    few = equal_accuracy_ratio(points((100, 200, 400), n_test=2000), points((200, 400, 800), n_test=2000), rng(0))
    many = equal_accuracy_ratio(points((100, 200, 400), n_test=10**5), points((200, 400, 800), n_test=10**5), rng(0))
    assert few.high - few.low > 3 * (many.high - many.low)
    assert many.low <= many.value <= many.high


def test_only_the_shared_accuracies_count():
    shifted = points((200, 400, 800), (92.0, 94.0, 96.0))
    # at 92..94 % ours costs 200..400, theirs 200..400
    figure = equal_accuracy_ratio(points((100, 200, 400)), shifted, np.random.default_rng(0))
    assert figure.value == pytest.approx(1.0)
    assert "92.00..94.00 %" in figure.method


def test_curves_without_a_shared_accuracy_are_an_error():
    with pytest.raises(UsageError, match=r"90\.00\.\.94\.00 % and 95\.00\.\.97\.00 %.*overlap"):
        equal_accuracy_ratio(points((1, 2, 3)), points((1, 2, 3), (95.0, 96.0, 97.0)), np.random.default_rng(0))


def test_front_drops_what_is_dearer_and_worse():
    accuracy, cost = front(np.array([90.0, 89.0, 93.0, 93.0]), np.array([10.0, 20.0, 40.0, 30.0]))
    assert accuracy.tolist() == [90.0, 93.0]
    assert cost.tolist() == [10.0, 30.0]


def test_seed_spread_widens_the_standard_error():
    assert CurvePoint((94.0, 96.0), 1.0, 10_000).standard_error > CurvePoint((95.0, 95.0), 1.0, 10_000).standard_error


def test_every_training_run_has_a_folder_of_its_own(tmp_path):
    from ml.neuralut.train import RunSpec

    plans = (HDR5L, LEARNED, *CURVES, *JETS)
    specs = [spec for plan in plans for spec in plan.specs()]
    folders = {folder_of(RunSpec(**spec), tmp_path) for spec in specs}
    assert len(folders) == len(specs)
    assert len({plan.name for plan in plans}) == len(plans)


def test_both_methods_get_the_same_runs_of_one_bit_tables():
    def runs(kind):
        plans = [plan for plan in VOTES if plan.kind == kind]
        return [
            {name: value for name, value in spec.items() if name != "kind"} for plan in plans for spec in plan.specs()
        ]

    assert runs("neuralut") == runs("logicnets")
    assert len(runs("neuralut")) == 4 * 3 + 2  # four sizes by three seeds, two more shapes


def test_address_widths_of_the_curves_are_what_they_are_called():
    from ml.neuralut.train import RunSpec

    def widths(plans):
        shapes = [RunSpec(**spec).network() for plan in plans for spec in plan.specs()]
        before = [[shape.input_bits, *(layer.bits for layer in shape.layers[:-1])] for shape in shapes]
        return {
            b * layer.fan_in
            for bits, s in zip(before, shapes, strict=True)
            for b, layer in zip(bits, s.layers, strict=True)
        }

    assert widths(TWELVE_BIT) == {12}
    assert widths(VOTES) == {6, 8}


def test_masks_of_a_seed_are_the_same_for_both_methods():
    from ml.neuralut.configs import named
    from ml.neuralut.warmup import WarmupNet

    ours, theirs = (WarmupNet(shape, 3) for shape in (named("votes-240"), named("votes-240").as_kind("logicnets")))
    for net in (ours, theirs):
        net.prune(1.0)
    assert all((a == b).all() for a, b in zip(ours.masks(), theirs.masks(), strict=True))


def test_published_points_name_data_set_encoder_and_source():
    sets = ("MNIST", "JSC CERNBox", "JSC OpenML 42468")
    for point in [p for name in sets for p in published(name)]:
        assert {"name", "accuracy", "lut", "encoder", "source"} <= point.keys()
        assert 50 < point["accuracy"] < 100
    assert len(published("MNIST")) > 10
