"""The bench of event-driven learning: counts and their prices, T within a margin, stand-in images, moved images."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from benches.evsnn import energy, hardware, inputs, onchip, recorded, rivals, speed, training
from hwsim.evsnn import learn, simulate
from hwsim.ir.errors import ToolMissingError
from hwsim.ir.spiking import SpikingNet

ROW = {
    "samples": 2, "logged": 20, "ticks": 4,
    "forward": {"syn_fwd": 100, "neuron_access": 40, "weight_rd": 100, "state_rd": 140, "state_wr": 140},
    "backward": {"err_pair": 6, "weight_rd": 6, "weight_wr": 6},
}  # fmt: skip


@pytest.fixture(scope="module")
def net() -> SpikingNet:
    return onchip.fresh((8, 6, 3), 8, seed=0)


def test_counts_a_sample():
    counts = energy.ours(ROW)
    assert counts["forward"] == {"syn_fwd": 50, "neuron_access": 20, "weight_rd": 50, "state_rd": 30, "state_wr": 30}
    assert counts["backward"] == {"err_op": 6, "weight_rd": 3, "state_rd": 13}
    assert counts["update"] == {"weight_wr": 3}
    assert energy.ours(ROW, every_synapse=True)["forward"]["state_rd"] == 80


def test_time_steps_touch_every_synapse(net):
    """8·6 + 6·3 = 66 synapses and 9 neurons in each of 4 steps."""
    counts = energy.time_steps(energy.twin(net), 4)
    assert counts["forward"] == {
        "syn_fwd": 264, "neuron_access": 36, "weight_rd": 264, "state_rd": 36, "state_wr": 36,
    }  # fmt: skip
    assert counts["backward"] == {"err_op": 528, "weight_rd": 264, "state_rd": 36}
    assert counts["update"] == {"weight_wr": 66}


def test_the_bars_price_worked_by_hand(net):
    """Memories below 8 KiB: 10 pJ for 64 bits, so 1.25, 2.5 and 5 pJ for 8, 16 and 32."""
    parts = energy.joules(net, energy.ours(ROW), energy.BAR)
    assert parts["forward"].total_pj == pytest.approx(1.5 * (50 + 20) + 1.25 * 50 + 5 * 60)
    assert parts["backward"].total_pj == pytest.approx(1.5 * 6 + 2.5 * 3 + 5 * 13)
    assert parts["update"].total_pj == pytest.approx(2.5 * 3)


@pytest.mark.parametrize("preset", energy.PRESETS)
def test_every_price_charges_operations_of_both_passes(net, preset):
    parts = energy.joules(net, energy.ours(ROW), preset)
    for phase in ("forward", "backward"):
        assert 0 < parts[phase].low_pj <= parts[phase].total_pj <= parts[phase].high_pj
        assert not {"syn_fwd", "err_op"} & set(parts[phase].unpriced)


def test_the_smallest_t_within_the_margin():
    points = [[8, 98.4], [2, 98.2], [4, 98.35], [1, 97.0]]
    assert energy.smallest(points) == (4, 98.35)
    assert energy.smallest(points, within=0.2) == (2, 98.2)


def test_learning_rates_fall_and_follow_the_ticks():
    assert [onchip.shifts(e, 5, 16) for e in range(5)] == list(onchip.SHIFTS)
    assert onchip.shifts(0, 10, 64) == (15, 8)
    assert onchip.shifts(0, 1, 4) == (11, 4)


def test_lessons_are_counted_without_changing_the_answers(net):
    x = np.random.default_rng(0).integers(0, 256, (20, 8)).astype(np.uint8)
    events, labels = inputs.chip_events(x, 255, 8), np.arange(20) % 3
    row = onchip.replayed(net, events, labels)
    plain = simulate(net, events)
    assert row["samples"] == 20
    assert row["forward"]["syn_fwd"] == plain.counters["syn_fwd"]
    _, lesson = learn(net, events, labels)
    assert row["backward"]["err_pair"] > 0
    assert row["backward"]["err_pair"] == pytest.approx(lesson.backward["err_pair"], rel=0.5)


def test_dark_pixels_have_no_event_and_bright_ones_come_first():
    events = inputs.chip_events(np.array([[0, 20, 21, 255]], np.uint8), 255, 16)
    assert events.address.tolist() == [3, 2]
    assert events.time.tolist() == [0, 14]


def test_moved_images_keep_their_pixels():
    rng = np.random.default_rng(1)
    x = np.zeros((200, 25), np.uint8)
    x[:, 12] = 7
    out = inputs.moved(x, rng)
    assert (np.sort(out, axis=1) == np.sort(x, axis=1)).all()
    assert set(out.argmax(axis=1).tolist()) == {6, 7, 8, 11, 12, 13, 16, 17, 18}


def test_digits_in_mnists_frame():
    x, y = inputs.framed_digits(5)
    images = x.reshape(5, 28, 28)
    assert (x.dtype, y.tolist()) == (np.uint8, [0, 1, 2, 3, 4])
    assert images[:, :4].max() == images[:, :, -4:].max() == 0 < images.max() == 255


def test_the_torch_loop_fires_like_the_float_kernel():
    rng = np.random.default_rng(2)
    x = rng.random((2, 12, 30)) < 0.2
    weights = [rng.normal(0, 1, (30, 20)), rng.normal(0, 1, (20, 4))]
    spikes = rivals.torch_loop(x, weights, 0.9, 2.0)().numpy()
    from hwsim.evsnn import FloatChip
    from hwsim.ir.events import Events

    chip = FloatChip([w.astype(np.float32) for w in weights], 0.9, 2.0, 12)
    assert (chip.run(Events.from_raster(x)).counts == spikes.sum(axis=0)).all()


def test_the_timed_networks_fire_alike():
    weights, net = speed.network(np.random.default_rng(0))
    assert [w.shape for w in weights] == [(784, 800), (800, 10)]
    assert abs(net.layers[0].synapse.weights / speed.SCALE - np.clip(weights[0], -4.25, 4.25)).max() < 0.02


class Recorder:
    """Takes what a bench reports."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def not_comparable(self, name: str, reason: str) -> None:
        self.reasons[name] = reason


def test_a_missing_simulator_is_a_reason_and_no_zero(monkeypatch):
    def compare(ctx, prefix, name, progress):
        raise ToolMissingError.of("Verilator", "none", "version 5", "Install it.")

    monkeypatch.setattr(hardware, "_compare", compare)
    ctx = Recorder()
    ctx.config = SimpleNamespace(rtl_net="digits_std")
    hardware.measure(ctx, None)
    kinds = ("equal_samples", "equal_weights", "sop_per_cycle")
    assert set(ctx.reasons) == {f"{prefix}_{kind}" for prefix in ("rtl", "rtl_mpd") for kind in kinds}
    assert all("Verilator" in reason for reason in ctx.reasons.values())


def test_recordings_that_are_not_here_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HWSIM_DATA", str(tmp_path))
    monkeypatch.setattr(recorded, "_bars", lambda ctx: None)
    ctx = Recorder()
    recorded.measure(ctx)
    assert set(ctx.reasons) == {"loihi_trace_mismatches", "loihi_nmnist_correct", "nmnist_events_per_s"}
    assert all("HWSIM_DATA" in reason for reason in ctx.reasons.values())


def test_a_training_folder_follows_its_specification():
    first, again, other = (training.folder_of("mpd_t2", seed, "/runs") for seed in (0, 0, 1))
    assert first == again != other
    spec = training.spec_of("mpd_t2", 3)
    assert (spec.method, spec.steps, spec.net, spec.seed) == ("mpd", 2, "784-400-10", 3)
    assert training.spec_of("stbp_digits", 0).data == "digits"
