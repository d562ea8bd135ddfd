"""The fused L-LUT kernels against plain torch operations: values, gradients, odd batches, threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hwsim.ir.errors import UsageError
from ml.common.quant import BatchNormQuant, QuantSpec
from ml.common.seed import torch_generator
from ml.neuralut.configs import LayerConfig
from ml.neuralut.lut_layer import LutLayer
from ml.neuralut.masks import group_mask, random_mask
from ml.neuralut.polylut import Polynomial
from ml.neuralut.scores import class_scores, margin_loss
from ml.neuralut.subnet import SubNet
from ml.neuralut.warmup import MaskedLinear

CASES = {
    "neuralut": LayerConfig(5, 3, 2, width=8),
    "logicnets": LayerConfig(5, 6, 2, kind="logicnets"),
    "polylut": LayerConfig(5, 3, 2, kind="polylut", degree=3),
    "assembled": LayerConfig(5, 6, 1, width=8, depth=2, skip=2),
}


def _pair(config: LayerConfig, n_in: int = 9) -> tuple[LutLayer, LutLayer]:
    conn = random_mask(n_in, config.n_out, config.fan_in, torch_generator(1, "mask"))
    return tuple(LutLayer(config, conn, torch_generator(1, "weights"), fused) for fused in (True, False))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("batch", [1, 128, 300])
def test_fused_layer_equals_torch_forward_and_backward(case: str, batch: int) -> None:
    fused, plain = _pair(CASES[case])
    x = torch.randn(9, batch, generator=torch_generator(2))
    pull = torch.randn(5, batch, generator=torch_generator(3))
    results = []
    for layer in (fused, plain):
        own = x.clone().requires_grad_()
        y = layer(own)
        y.backward(pull)
        results.append((y.detach(), own.grad, layer.theta.grad))
    for got, expected in zip(*results, strict=True):
        # float32 sums in another order: relative to the largest term of a sum over the batch
        torch.testing.assert_close(got, expected, rtol=2e-5, atol=2e-5 * float(expected.abs().max()) + 1e-6)


def test_fused_layer_has_kernels_for_every_case() -> None:
    assert all(_pair(config)[0]._kernels() is not None for config in CASES.values())


def test_other_shapes_fall_back_to_torch() -> None:
    fused, plain = _pair(LayerConfig(4, 3, 2, width=6, depth=3, skip=0))
    assert fused._kernels() is None
    x = torch.randn(9, 50, generator=torch_generator(2))
    assert torch.equal(fused(x), plain(x))


def test_plain_gradient_is_the_numerical_one() -> None:
    net = SubNet(3, 4)
    theta = net.initial(2, torch_generator(0)).double().requires_grad_()
    x = torch.randn(2, 3, 7, dtype=torch.float64, generator=torch_generator(1)).requires_grad_()
    assert torch.autograd.gradcheck(net.evaluate, (theta, x))


def test_threads_do_not_change_a_bit() -> None:
    config = LayerConfig(40, 6, 2, width=8)
    layer, _ = _pair(config, n_in=20)
    x = torch.randn(20, 256, generator=torch_generator(4))
    before = torch.get_num_threads()
    outcomes = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            layer.theta.grad = None
            y = layer(x.clone().requires_grad_())
            y.square().sum().backward()
            outcomes.append((y.detach().clone(), layer.theta.grad.clone()))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for a, b in zip(*outcomes, strict=True))


@pytest.mark.parametrize(("fan_in", "width", "expected"), [(6, 16, 802), (3, 8, 226)])
def test_parameters_of_the_paper(fan_in: int, width: int, expected: int) -> None:
    assert SubNet(fan_in, width).parameters == expected
    assert SubNet(fan_in, width).initial(2, torch_generator(0)).shape == (2, expected)


def test_depth_one_is_a_dot_product() -> None:
    net = SubNet(4, depth=1, skip=0)
    theta = torch.tensor([[1.0, -2.0, 3.0, 0.5, 10.0]])
    x = torch.tensor([[[1.0], [1.0], [2.0], [4.0]]])
    assert net.evaluate(theta, x).item() == 1 - 2 + 6 + 2 + 10


def test_polynomial_counts_and_value() -> None:
    net = Polynomial(2, 2)  # x0, x1, x0², x0x1, x1²
    assert net.monomials == ((0,), (1,), (0, 0), (0, 1), (1, 1))
    theta = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    assert net.evaluate(theta, torch.tensor([[[2.0], [3.0]]])).item() == 2 + 6 + 12 + 24 + 45 + 6
    assert Polynomial(6, 4).parameters == 210


@pytest.mark.parametrize("bad", [{"fan_in": 0}, {"fan_in": 3, "depth": 4, "skip": 3}, {"fan_in": 3, "width": 0}])
def test_bad_sub_network_is_a_clear_error(bad: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="expected"):
        SubNet(**bad)


def test_random_masks_are_sorted_distinct_and_seeded() -> None:
    mask = random_mask(30, 50, 6, torch_generator(5))
    assert (mask.diff(dim=1) > 0).all()
    assert int(mask.max()) < 30
    assert torch.equal(mask, random_mask(30, 50, 6, torch_generator(5)))
    assert not torch.equal(mask, random_mask(30, 50, 6, torch_generator(6)))
    with pytest.raises(UsageError, match="fan-in beyond the inputs"):
        random_mask(3, 1, 4, torch_generator(0))


def test_group_masks_cover_every_input_once() -> None:
    assert torch.equal(group_mask(4, 3).flatten(), torch.arange(12))


def test_pruning_keeps_the_most_important_survivors() -> None:
    layer = MaskedLinear(4, 1, torch_generator(0))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[4.0, -3.0, 2.0, 1.0]]))
        layer.spread.copy_(torch.tensor([0.1, 1.0, 1.0, 1.0]))
    layer.prune(3)
    assert layer.keep.tolist() == [[0.0, 1.0, 1.0, 1.0]]  # |4·0.1| is the smallest
    with torch.no_grad():
        layer.weight[0, 0] = 100.0
    layer.prune(2)
    assert layer.keep.tolist() == [[0.0, 1.0, 1.0, 0.0]]  # a pruned input stays out


@pytest.mark.parametrize("spec", [QuantSpec(2, True, 1.0), QuantSpec(3, False, 1.61), QuantSpec(1, True, 2.0)])
@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("inward", [False, True])
def test_fused_quantiser_equals_torch(spec: QuantSpec, fixed: bool, inward: bool) -> None:
    z = 3 * torch.randn(6, 200, generator=torch_generator(7)) + 1
    pull = torch.randn(6, 200, generator=torch_generator(8))
    results = []
    for fused in (True, False):
        stage = BatchNormQuant(6, spec, offset=-0.25, fused=fused, inward=inward)
        with torch.no_grad():
            stage.gamma.copy_(torch.linspace(0.5, 1.5, 6))
        stage.running_mean.fill_(0.8)
        stage.running_var.fill_(4.0)
        stage.fixed = fixed
        own = z.clone().requires_grad_()
        q = stage(own)
        q.backward(pull)
        grads = [p.grad for p in stage.parameters()]
        results.append([q.detach(), own.grad, *grads, stage.running_mean, stage.running_var])
    for got, expected in zip(*results, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


def test_fixed_statistics_train_as_they_evaluate() -> None:
    stage = BatchNormQuant(4, QuantSpec(3, False, 1.61))
    z = torch.randn(4, 500, generator=torch_generator(9)) * torch.tensor([[0.5], [1.0], [2.0], [4.0]])
    stage.calibrate(z)
    trained = stage(z[:, :50])
    assert torch.allclose(stage.running_var, z.var(1, unbiased=False))
    assert torch.equal(trained.detach(), stage.eval()(z[:, :50]))


def test_quantiser_rounds_and_clips() -> None:
    stage = BatchNormQuant(1, QuantSpec(2, False, 3.0)).eval()  # s = 1; running mean 0, variance 1
    z = torch.tensor([[-1.0, 0.4, 0.6, 1.4, 1.6, 2.4, 9.0]])
    assert stage(z).flatten().tolist() == [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0]


def test_quantiser_gradient_is_cut_outside_the_range() -> None:
    stage = BatchNormQuant(1, QuantSpec(2, True, 1.0), fused=False)
    z = torch.tensor([[-3.0, -0.1, 0.1, 3.0]], requires_grad=True)
    q = stage(z)
    assert set(np.unique((q / stage.scale).detach().numpy()).tolist()) <= {-2.0, -1.0, 0.0, 1.0}
    q[0, 3].backward()
    assert stage.beta.grad is not None
    assert float(stage.beta.grad) == 0.0


def test_inward_gradient_returns_a_saturated_value() -> None:
    stage = BatchNormQuant(1, QuantSpec(2, True, 1.0), inward=True)
    stage.calibrate(torch.tensor([[-1.0, 1.0]]))
    for pull, expected in ((1.0, 1.0), (-1.0, 0.0)):  # descent moves v down, then up
        z = torch.tensor([[9.0]], requires_grad=True)
        stage(z).backward(torch.tensor([[pull]]))
        assert float(z.grad) == pytest.approx(expected, abs=1e-3)


def test_ties_go_to_the_lower_class_in_the_scores() -> None:
    stage = BatchNormQuant(3, QuantSpec(2, True, 2.0))
    step = float(stage.scale.detach())
    q = torch.tensor([[0.0, 0.0], [step, step], [step, 2 * step]])
    scores = class_scores(q, torch.tensor(0.3), torch.tensor(2.0), stage)
    assert scores.argmax(1).tolist() == [1, 2]


def test_bad_bits_are_a_clear_error() -> None:
    with pytest.raises(UsageError, match=r"bits out of range: got 9"):
        QuantSpec(9, True, 1.0)


def test_margin_makes_a_tie_cost_more_than_a_lead() -> None:
    class Model:
        quantisers = (BatchNormQuant(2, QuantSpec(2, True, 2.0)),)
        out_weight = torch.tensor(1.0)

    step = float(Model.quantisers[0].scale.detach())
    scores = torch.tensor([[step, 0.0], [0.0, 0.0]])
    plain = [float(torch.nn.functional.cross_entropy(s[None], torch.tensor([0]))) for s in scores]
    strict = [float(margin_loss(Model(), s[None], torch.tensor([0]), margin=1.0)) for s in scores]
    assert strict[0] == pytest.approx(plain[1])  # a lead of one step counts like a tie without margin
    assert strict[1] > plain[1]
