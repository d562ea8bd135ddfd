"""The one-pass kernels of STD-ED give the very numbers of the torch operations they stand for."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.evsnn import spike_time
from ml.evsnn.spike_time import Spikes, Threshold, fire, min_pool, silence

THRESHOLDS = (Threshold(), Threshold(slope=0.0), Threshold(start=0.5, gain_max=2.0))


def grads(function, *inputs):
    """Outputs of a function and the gradients of a fixed mixture of its first output."""
    inputs = [x.clone().requires_grad_() for x in inputs]
    out = function(*inputs)
    weight = torch.linspace(-1, 1, out[0].numel()).view(out[0].shape)
    return [*out, *torch.autograd.grad((out[0] * weight).sum(), inputs)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(THRESHOLDS), st.sampled_from((0, 8)), st.sampled_from((0.3, 2.0)))
def test_cases_and_errors_are_equal(seed, threshold, ticks, spread):
    draw = torch.Generator().manual_seed(seed)
    s, i = (torch.randn(7, 33, generator=draw) * spread for _ in range(2))
    s[0, :5] = torch.tensor([0.0, -1.0, 1.0, -0.0, 0.5])
    i[0, :5] = torch.tensor([0.0, 0.0, 0.0, -1.0, -0.5])
    fused = grads(lambda s, i: fire(s, i, threshold, ticks), s, i)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spike_time, "_fuses", lambda x: False)
        plain = grads(lambda s, i: fire(s, i, threshold, ticks), s, i)
    for one, other in zip(fused, plain, strict=True):
        assert torch.equal(one, other)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 3), st.integers(3, 7), st.integers(3, 8))
def test_pooling_is_equal_also_on_ties(seed, size, height, width):
    draw = torch.Generator().manual_seed(seed)
    fired = (torch.rand(2, 3, height, width, generator=draw) < 0.6).float()
    time = torch.randint(0, 5, fired.shape, generator=draw) / 4 * fired
    fused = grads(lambda t: min_pool(Spikes(t, fired), size), time)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spike_time, "_fuses", lambda x: False)
        plain = grads(lambda t: min_pool(Spikes(t, fired), size), time)
    for one, other in zip(fused, plain, strict=True):
        assert torch.equal(one, other)


def test_silence_counts_rare_neurons_only():
    s, i = torch.tensor([[-3.0, 5.0, 0.1], [-1.0, 5.0, 5.0]]), torch.zeros(2, 3)
    spikes = fire(s, i)
    assert spikes.fired.mean(0).tolist() == [0.0, 1.0, 1.0]
    # neuron 0 falls short of θ(2T) = 0 by 6 and 2: a mean of 4, times the missing rate, over three neurons
    assert float(silence(s, i, spikes, Threshold(), 0.5)) == pytest.approx(0.5 * 4 / 3)
    assert float(silence(s[:, 1:], i[:, 1:], fire(s[:, 1:], i[:, 1:]), Threshold(), 0.5)) == 0
