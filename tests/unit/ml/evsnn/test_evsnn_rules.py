"""Both learning rules: hand-counted cases, gradients against differences, event form against masked BPTT."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from hwsim.ir.errors import ShapeError, UsageError
from ml.evsnn import check
from ml.evsnn.counts import mpd_counts, std_counts, whole
from ml.evsnn.event_form import event_gradients
from ml.evsnn.mpd import MpdNet, MpdRule
from ml.evsnn.potential import MASKS, SURROGATES, LifRule, lif, trace
from ml.evsnn.shape import Conv, Dense, parse, sizes
from ml.evsnn.spike_time import (
    CONSTANT,
    Spikes,
    Threshold,
    conv_sums,
    dense_sums,
    encode,
    fire,
    min_pool,
    readout,
    silence,
)
from ml.evsnn.std import StdNet, StdRule


def spikes(time: list[list[float]], fired: list[list[float]]) -> Spikes:
    return Spikes(torch.tensor(time, dtype=torch.float64), torch.tensor(fired, dtype=torch.float64))


def test_spike_times_of_three_neurons_by_hand() -> None:
    # inputs at 0.5 and 0.25, the third silent; S = Σ w, I = Σ w t over the two that fired
    given = spikes([[0.5, 0.25, 0.0]], [[1, 1, 0]])
    weight = torch.tensor([[1.0, 1.0, 9.0], [0.5, -0.25, 9.0], [-1.0, 0.5, 9.0], [4.0, 0.0, 9.0]], dtype=torch.float64)
    s, i = dense_sums(given, weight)
    assert s.tolist() == [[2.0, 0.25, -0.5, 4.0]]
    assert i.tolist() == [[0.75, 0.1875, -0.375, 2.0]]
    out = fire(s, i)
    # first: 2 − 0.75 = 1.25 ≥ 1 fires at once; second: (2 + 0.1875)/1.25 − 1 = 0.75; third: 2S − I < 0, silent
    assert out.fired.tolist() == [[1, 1, 0, 1]]
    assert out.time.tolist() == [[0, 0.75, 0, 0]]


def test_threshold_is_met_with_equality() -> None:
    s, i = torch.tensor([[1.0, 0.5, -0.5]]), torch.tensor([[0.0, 1.0, -1.0]])
    out = fire(s, i)  # V(T) = θ(T) fires at the start; V(2T) = 0 = θ(2T) still fires, at the end
    assert out.fired.tolist() == [[1, 1, 1]]
    assert out.time.tolist() == [[0, 1, 1]]


def test_constant_threshold_is_stdbp() -> None:
    s, i = torch.tensor([[0.8, 0.4]]), torch.tensor([[0.1, 0.1]])
    out = fire(s, i, CONSTANT)
    assert out.fired.tolist() == [[1, 0]]  # V(2T) = 1.5 ≥ 1 and 0.7 < 1
    assert out.time[0, 0] == pytest.approx(1.1 / 0.8 - 1)


def test_ticks_round_up_to_the_next_tick_and_lose_late_spikes() -> None:
    s, i = torch.zeros(1, 3), torch.tensor([[-0.5, -0.51, -0.01]])
    exact = fire(s, i)
    assert exact.time[0].tolist() == pytest.approx([0.5, 0.49, 0.99])
    coarse = fire(s, i, ticks=4)
    assert coarse.time.tolist() == [[0.5, 0.5, 0.0]]
    assert coarse.fired.tolist() == [[1, 1, 0]]


def test_encoding_on_ticks() -> None:
    x = torch.tensor([[0.0, 0.04, 0.25, 1.0]])
    assert encode(x).fired.tolist() == [[0, 1, 1, 1]]
    on_ticks = encode(x, ticks=8)
    assert on_ticks.fired.tolist() == [[0, 0, 1, 1]]
    assert on_ticks.time.tolist() == [[0, 0, 0.75, 0]]


def test_pooling_keeps_the_earliest_spike_and_its_gradient() -> None:
    time = torch.tensor([[[[0.5, 0.2], [0.0, 0.7]]]], requires_grad=True)
    out = min_pool(Spikes(time, torch.tensor([[[[1.0, 1.0], [0.0, 1.0]]]])), 2)
    assert out.time.item() == pytest.approx(0.2)
    out.time.sum().backward()
    assert time.grad is not None
    assert time.grad.flatten().tolist() == [0, 1, 0, 0]
    assert min_pool(Spikes(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)), 2).fired.item() == 0


def test_convolution_equals_the_dense_layer_on_patches() -> None:
    noise = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, 6, 6, generator=noise, dtype=torch.float64)
    given, weight = encode(x * (x > 0.3)), torch.randn(4, 3, 3, 3, generator=noise, dtype=torch.float64)
    patches = [functional.unfold(part, 3).transpose(1, 2).flatten(0, 1) for part in given]
    whole_sums = conv_sums(given, weight)
    for by_conv, by_rows in zip(whole_sums, dense_sums(Spikes(*patches), weight.flatten(1)), strict=True):
        rows = by_rows.unflatten(0, (2, 16)).transpose(1, 2).reshape(by_conv.shape)
        torch.testing.assert_close(by_conv, rows, rtol=0, atol=1e-12)


def test_readout_is_the_potential_at_the_end() -> None:
    given = spikes([[0.5, 0.0]], [[1, 0]])
    assert readout(given, torch.tensor([[2.0, 7.0]], dtype=torch.float64)).tolist() == [[3.0]]


def test_error_is_bounded_by_the_largest_gain() -> None:
    s = torch.tensor([[-0.9]], requires_grad=True)
    i = torch.tensor([[-1.85]], requires_grad=True)
    out = fire(s, i, Threshold(gain_max=2.0))
    out.time.sum().backward()
    assert i.grad is not None
    assert i.grad.item() == 2.0  # 1/(1 + S) = 10 without the bound


def test_silent_neurons_are_woken_and_firing_ones_left_alone() -> None:
    s = torch.tensor([[0.5, -2.0]], requires_grad=True)
    i = torch.zeros(1, 2, requires_grad=True)
    penalty = silence(s, i, fire(s, i), Threshold(), 0.5)
    penalty.backward()
    assert penalty.item() == pytest.approx(0.5 * 4 / 2)
    assert s.grad is not None
    assert s.grad.tolist() == [[0, -0.5]]


def test_std_gradients_in_every_branch() -> None:
    result = check.std_gradient_check(nets=15, points=5)
    assert result.worst < 1e-6
    assert min(result.branches[name] for name in ("silent", "window start", "crossing")) > 500
    assert result.checks >= 300


def test_mpd_gradients_in_every_variant() -> None:
    result = check.mpd_gradient_check(nets=40, points=4)
    assert result.worst < 1e-6
    wanted = {"spike", "band", "none", "tssl", "triangle", "boxcar", "sigmoid", "slope", "soft", "hard"}
    assert wanted | {"fixed", "window", "stat", "rate"} <= set(result.branches)
    assert result.branches["spikes"] > 1000


def test_gradient_checks_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    good = check.StdRule
    monkeypatch.setattr(check, "StdRule", lambda threshold, **kw: good(Threshold(1.0, threshold.slope, 0.5), **kw))
    assert check.std_gradient_check(nets=3, points=5).worst > 1e-3


def test_event_form_equals_masked_bptt() -> None:
    result = check.mpd_event_check(nets=12)
    assert result.worst <= 1e-12
    assert result.branches["pairs"] > 1000


def test_potentials_by_hand() -> None:
    drive = torch.tensor([[[0.6]], [[0.8]], [[0.5]], [[0.9]]])
    s, v, factor = lif(drive, torch.ones(4), LifRule(0.5))
    assert v.flatten().tolist() == pytest.approx([0.6, 1.1, 0.5, 1.15])
    assert s.flatten().tolist() == [0, 1, 0, 1]
    assert factor.flatten().tolist() == pytest.approx([0, 0.9, 0, 0.85])
    _, soft, _ = lif(drive, torch.ones(4), LifRule(0.5, soft=True))
    assert soft.flatten().tolist() == pytest.approx([0.6, 1.1, 0.55, 1.175])


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("kind", SURROGATES)
def test_fused_recursion_equals_torch_operations(mask: str, kind: str) -> None:
    noise = torch.Generator().manual_seed(3)
    drive, grad = (torch.randn(6, 3, 700, generator=noise) for _ in range(2))
    for soft, theta in ((False, torch.full((6,), 0.7)), (True, torch.linspace(1.2, 0.5, 6))):
        rule = LifRule(0.8, mask, kind, 0.9, 0.6, soft)
        results = []
        for dtype in (torch.float32, torch.float64):
            x = drive.detach().to(dtype).clone().requires_grad_(True)
            out = lif(x, theta.to(dtype), rule)
            out[0].backward(grad.to(dtype))
            results.append([*(o.detach().double() for o in out), x.grad.double()])
        for fused, plain in zip(*results, strict=True):
            torch.testing.assert_close(fused, plain, rtol=1e-4, atol=1e-5)
        assert 0.05 < float(results[0][0].mean()) < 0.95


def test_trace_is_an_exponential() -> None:
    a = trace(torch.tensor([1.0, 0.0, 0.0, 1.0])[:, None], 0.25)
    assert a.flatten().tolist() == pytest.approx([0.25, 0.1875, 0.140625, 0.35546875])


@pytest.mark.parametrize("adapt", ["stat", "rate"])
def test_thresholds_adapt_in_training_only(adapt: str) -> None:
    net = MpdNet(parse("8-20-3"), MpdRule(adapt=adapt, gain=6.0), 0)
    x = torch.rand(16, 8, generator=torch.Generator().manual_seed(0))
    net.eval()(x)
    assert net.theta.tolist() == [1.0]
    net.train()(x)
    assert net.theta.item() != 1.0


def test_window_threshold_falls_to_theta() -> None:
    net = MpdNet(parse("8-20-3"), MpdRule(adapt="window"), 0)
    assert net.thresholds(0, 4).tolist() == [1.75, 1.5, 1.25, 1.0]


def test_pairs_counted_without_loops_equal_the_event_forms() -> None:
    net = MpdNet(parse("10-14-12-4"), MpdRule(LifRule(0.5, surrogate="sigmoid"), gain=3.0), 1).double()
    x = torch.rand(6, 10, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    counts = mpd_counts(net, x)
    pairs = event_gradients(net, x, torch.randn(6, 4, dtype=torch.float64)).pairs
    assert [6 * counts[0].event, 6 * counts[1].event] == pytest.approx([pairs[0], 2 * pairs[1]])
    assert counts[1].dense == 2 * 4 * 14 * 12
    assert whole(counts) > 1


def test_std_counts_by_hand() -> None:
    net = StdNet(parse("2-2-2"), StdRule(), 0)
    net.weights[0].data.zero_()  # then all weights of a neuron are its level / 2
    net.levels[0].data = torch.tensor([0.6, 18.0])  # one crosses inside, one fires at the start
    counts = std_counts(net, torch.tensor([[0.5, 1.0]]), steps=10)
    assert (counts[0].event, counts[0].dense, counts[1].event) == (2, 40, 8)


def test_shapes() -> None:
    shape = parse("1x28x28-16C5-P2-32C3s-P2-100-10")
    assert sizes(shape)[-3:] == [(32, 6, 6), (100,), (10,)]
    assert shape.layers[0] == Conv(1, 16, 5, 0)
    assert shape.layers[-1] == Dense(100, 10)
    assert shape.n_classes == 10


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: parse("784"), UsageError, "network shape: got '784'"),
        (lambda: parse("784-C5-10"), UsageError, "token C5"),
        (lambda: parse("1x4x4-3C5-10"), UsageError, "token 3C5 .*at least 1 pixel"),
        (lambda: parse("1x4x4-3C2s-10"), UsageError, "an even padded kernel"),
        (lambda: Threshold(start=0), UsageError, "start > 0"),
        (lambda: StdRule(spread=0), UsageError, "spread > 0"),
        (lambda: StdNet(parse("4-3-2"), StdRule(analogue=True), 0), UsageError, "a convolution first"),
        (lambda: LifRule(mask="all"), UsageError, "mask and surrogate: got 'all'"),
        (lambda: LifRule(leak=1.5), UsageError, r"leaks in \[0, 1\]"),
        (lambda: MpdRule(adapt="other"), UsageError, "adaptive threshold: got 'other'"),
        (lambda: MpdRule(steps=0), UsageError, "steps ≥ 1"),
        (lambda: dense_sums(encode(torch.ones(1, 3)), torch.ones(2, 4)), ShapeError, "n_in"),
        (lambda: MpdNet(parse("4-3-2"), MpdRule(), 0)(torch.ones(2, 5)), ShapeError, "x has the wrong shape"),
        (
            lambda: event_gradients(MpdNet(parse("4-3-2"), MpdRule(LifRule(mask="none")), 0), torch.ones(1, 4), None),
            UsageError,
            "event form",
        ),
        (lambda: mpd_counts(MpdNet(parse("1x4x4-2C3-2"), MpdRule(), 0), torch.ones(1, 16)), UsageError, "dense layers"),
    ],
)
def test_bad_rules_are_clear_errors(call, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_gain_may_be_unbounded() -> None:
    assert Threshold(gain_max=math.inf).gain_max == math.inf
