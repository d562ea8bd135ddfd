"""Conversion of torch models: integers that follow the floats, one network in torch and numpy, clear errors."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from hwsim.encodingnet.encodings import exact, truncated
from hwsim.ir import io
from hwsim.ir.errors import ArtifactError, ShapeError, UsageError
from hwsim.ir.mac import EncodedMac
from hwsim.ir.mac_build import fixed_point
from ml.common.convert import convert, quantise
from ml.common.mac_torch import TorchMac
from ml.common.quantised.scale import Scale

EXACT, T40 = exact(8, 8), truncated(8, 8, n_bits=40, fit="weights", fraction=4)


class Residual(nn.Module):
    """Convolutions with folded and lone batch norms, a residual sum, table and pools."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 6, 3, stride=2, padding=1)
        self.a, self.na = nn.Conv2d(6, 6, 3, padding=1, groups=2, bias=False), nn.BatchNorm2d(6)
        self.lone = nn.BatchNorm2d(6)
        self.pool, self.last = nn.MaxPool2d(2, padding=1), nn.Linear(6, 5)

    def forward(self, x):
        x = functional.gelu(self.stem(x))
        x = functional.relu(x + self.na(self.a(x)))
        x = self.pool(self.lone(x))
        return self.last(functional.adaptive_avg_pool2d(x, 1).view(x.shape[0], -1))


class Attention(nn.Module):
    """Position codes, one head, gates, concatenation, reductions."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(6, 6) for _ in range(3))
        self.position = nn.Parameter(0.3 * torch.randn(1, 5, 6))
        self.last = nn.Linear(12, 4)

    def forward(self, x):
        x = x + self.position
        q, k, v = self.q(x), self.k(x).transpose(1, 2), self.v(x)
        y = torch.softmax(q @ k / 6**0.5, -1) @ v
        y = torch.cat([y, x * torch.sigmoid(x)], -1)
        return self.last(y.mean(1) - y.amax(1) * 0.5 + 1)


class Transformer(nn.Module):
    """Layer norms before a gated feed-forward part."""

    def __init__(self):
        super().__init__()
        self.norm, self.plain = nn.LayerNorm(12), nn.LayerNorm(12, elementwise_affine=False)
        nn.init.normal_(self.norm.weight, 1, 0.3)
        nn.init.normal_(self.norm.bias)
        self.up, self.down = nn.Linear(12, 20), nn.Linear(20, 12)

    def forward(self, x):
        return self.plain(x + self.down(functional.silu(self.up(self.norm(x)))))


class Conditional(nn.Module):
    """Two inputs; a batch norm whose factor and offset come from the second (occupancy networks)."""

    def __init__(self):
        super().__init__()
        self.fc, self.norm = nn.Linear(3, 8), nn.BatchNorm1d(8, affine=False)
        self.gain, self.offset, self.out = nn.Linear(4, 8), nn.Linear(4, 8), nn.Linear(8, 1)

    def forward(self, p, c):
        h = self.norm(self.fc(p))
        h = self.gain(c) * h + self.offset(c)
        return self.out(torch.relu(h)).squeeze(-1) / 2


class Graphs(nn.Module):
    """One isomorphism layer: h = (1 + ε)·x + A x, a sum over nodes, and a norm over them."""

    def __init__(self):
        super().__init__()
        self.eps, self.shift = nn.Parameter(torch.tensor(0.3)), nn.Parameter(torch.tensor([0.5, 1.0, 0.8]))
        self.layer = nn.Linear(3, 3)

    def forward(self, x, adjacency):
        h = self.layer((1 + self.eps) * x + adjacency @ x)
        h = h - self.shift * h.mean(1, keepdim=True)
        return (h / torch.sqrt((h * h).mean(1, keepdim=True) + 0.5)).amax(1)


class Norms(nn.Module):
    """A quotient, and sums over several axes."""

    def forward(self, x):
        square = (x * x).sum((1, 2), keepdim=True)
        return -(x / (square + 1)).flatten(1)


SHAPES = {
    Residual: [(2, 9, 9)],
    Attention: [(5, 6)],
    Transformer: [(4, 12)],
    Conditional: [(3,), (4,)],
    Norms: [(2, 3)],
    Graphs: [(6, 3), (6, 6)],
}


def made(kind, samples=96):
    generator = torch.Generator().manual_seed(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = kind()
    x = [torch.randn(samples, *shape, generator=generator) for shape in SHAPES[kind]]
    model.train()
    for _ in range(20):
        model(*x)  # running statistics
    return model.eval(), x


@pytest.mark.parametrize("encoding", [EXACT, T40], ids=["exact", "t40"])
@pytest.mark.parametrize("kind", SHAPES)
def test_integers_follow_the_float_model_and_equal_the_reference(kind, encoding):
    model, x = made(kind)
    twin = quantise(model, x, encoding).eval()
    network = twin.to_ir()
    codes = network.reference(network.quantise([a.numpy() for a in x]))
    with torch.no_grad():
        want, got = model(*x).numpy(), twin(*x).numpy()
    np.testing.assert_array_equal(got, (codes * network.output_scale).astype(np.float32))
    assert TorchMac(network)(*TorchMac(network).quantise(*x)).tolist() == codes.tolist()
    error = np.sqrt(np.mean((got - want) ** 2)) / want.std()
    assert error < (0.07 if encoding is EXACT else 0.2)


@pytest.mark.parametrize("kind", SHAPES)
def test_training_sees_what_the_integers_do(kind):
    model, x = made(kind)
    twin = quantise(model, x, EXACT)
    for module in twin.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            module.eval()
    training = twin(*x)
    training.sum().backward()
    assert all(p.grad is not None for p in twin.parameters() if p.requires_grad)
    integers = twin.eval()(*x)
    # at most some codes of 8 bits differ, where float32 falls on the other side of a rounding boundary
    assert float((training - integers).abs().max()) < 0.03 * float(integers.abs().max())


def test_the_model_is_not_changed_and_the_result_is_the_same_each_time(tmp_path):
    model, x = made(Residual)
    before = copy.deepcopy(model.state_dict())
    first, second = convert(model, x, T40), convert(model, x[0], T40)
    assert io.artifact_id(first) == io.artifact_id(second)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    io.save(first, tmp_path / "n.hwir.safetensors")
    assert io.load_as(EncodedMac, tmp_path / "n.hwir.safetensors").shapes == first.shapes


def test_state_of_a_twin_can_be_loaded_again():
    model, x = made(Residual)
    twin, other = quantise(model, x, T40), quantise(model, [2 * a for a in x], T40)
    for one in (twin, other):
        one.train_positions(*x)
    assert io.artifact_id(twin.to_ir()) != io.artifact_id(other.to_ir())
    other.load_state_dict(twin.state_dict())
    for (_, a), (_, b) in zip(twin.array_layers(), other.array_layers(), strict=True):
        b.unit = a.unit
    assert io.artifact_id(twin.to_ir()) == io.artifact_id(other.to_ir())
    assert io.artifact_id(copy.deepcopy(twin).to_ir()) == io.artifact_id(twin.to_ir())


def test_batch_norms_and_relus_vanish_into_layers():
    layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    network = convert(layers.eval(), torch.randn(64, 1, 6, 6), EXACT, n_classes=3)
    assert [op.type for op in network.ops] == ["conv", "reshape", "linear"]
    assert network.bounds[1] == (0, 127)
    assert network.n_classes == 3


def test_widths_follow_the_options():
    layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    network = convert(layers, torch.randn(64, 4), EXACT, bits=4, w_bits=3, per_channel=False)
    assert network.inputs[0].hi == 7
    assert network.bounds[1] == (0, 7)
    assert max(int(np.abs(op.weights).max()) for op in network.ops) == 3
    assert len(network.ops[0].requant.mult) == 1 or len(set(network.ops[0].requant.mult.tolist())) == 1


def test_positive_inputs_use_an_unsigned_unit_fully():
    unit = exact(8, 8, x_signed=False)
    layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    assert convert(layers, torch.rand(64, 4), unit).inputs[0].hi == 255
    with pytest.raises(ArtifactError, match=r"x codes out of range: got -256…255, expected 0…255"):
        convert(layers, torch.randn(64, 4), unit)


def test_mean_error_is_taken_out_of_the_bias():
    cut = truncated(8, 8, 8, fit="none")  # every product too small or equal: a large bias
    layers = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4))
    x = torch.randn(256, 64)
    want = layers(x).detach()
    twins = [quantise(layers, x, cut, correct=c).eval() for c in ("none", "means", "sums")]
    errors = [float(((twin(x) - want) ** 2).mean()) for twin in twins]
    assert max(errors[1:]) < 0.3 * errors[0]


def test_gains_and_offsets_of_channels_meet_the_exact_sums():
    model, x = made(Residual)
    unit = truncated(8, 8, n_bits=24, fit="bias")
    with torch.no_grad():
        want = model(*x)
    twins = [quantise(model, x, unit, correct=correct) for correct in ("none", "means", "sums")]
    errors = [float(((twin.eval()(*x) - want) ** 2).mean()) for twin in twins]
    assert errors[2] < errors[1] < errors[0]
    codes = [[layer.weight_codes()[0] for _, layer in twin.array_layers()] for twin in twins]
    assert all(torch.equal(a, b) for a, b in zip(codes[0], codes[2], strict=True))  # a gain moves Δ, not codes
    again = copy.deepcopy(twins[2])
    again.correct_sums(*x)  # in the place of the first, not on top of it
    for (_, a), (_, b) in zip(again.array_layers(), twins[2].array_layers(), strict=True):
        torch.testing.assert_close(a.bias, b.bias, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(a.weight, b.weight, rtol=1e-4, atol=1e-4)


def test_every_layer_trains_position_weights_of_its_own():
    model, x = made(Residual)
    twin = quantise(model, x, truncated(8, 8, n_bits=20, fit="weights", fraction=4))
    with torch.no_grad():
        fixed = functional.mse_loss(copy.deepcopy(twin).eval()(*x), model(*x))
    twin.train_positions(*x)
    twin.correct_sums(*x)
    with torch.no_grad():
        fitted = functional.mse_loss(copy.deepcopy(twin).eval()(*x), model(*x))
    assert fitted < fixed
    twin = quantise(model, x, truncated(8, 8, n_bits=20, fit="bias"))
    twin.train_positions(*x, refit=False)  # gradients alone
    optimiser = torch.optim.Adam(twin.positions(), lr=5e-3)
    with torch.no_grad():
        want = model(*x)
    losses = []
    for module in twin.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    for _ in range(30):
        loss = functional.mse_loss(twin(*x), want)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss))
    assert losses[-1] < 0.8 * losses[0]
    network = twin.eval().to_ir()
    assert len(network.encodings) == 3
    assert len({tuple(e.position_weights.tolist()) for e in network.encodings}) == 3
    codes = network.reference(network.quantise([a.numpy() for a in x]))
    np.testing.assert_array_equal(twin(*x).numpy(), (codes * network.output_scale).astype(np.float32))


class Odd(nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        return self.f(self.layer(x))


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda y: torch.cumsum(y, 1), r"no mapping .*: got cumsum \(torch.*\.cumsum\)"),
        (lambda y: y.erf(), r"no mapping to the array's operations: got erf \(call_method erf\), expected one"),
        (nn.RReLU(), r"no mapping .*: got f \(RReLU\)"),
        (lambda y: y.sum(0, keepdim=True), r"sum_1 mixes samples: got \[1, 4\] for a batch of 64"),
        (lambda y: torch.add(y, y, alpha=2), r"add \(torch.*\.add\): options: got \{'alpha': 2\}"),
        (lambda y: y if y.sum() > 0 else -y, r"the model can't be traced: got Odd: .*Take data-dependent control flow"),
        (lambda y: (y, y), r"output \(output output\): an operand: got \(.*expected one tensor of the network"),
        (lambda y: y / (y - y), r"NaN or infinity, expected finite values"),
    ],
)
def test_what_has_no_mapping_is_named(f, message):
    with pytest.raises((UsageError, ShapeError), match=message):
        convert(Odd(f), torch.randn(64, 4), EXACT)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Conv2d(2, 2, 3, dilation=2), r"0 \(Conv2d\): convolution: got dilation \(2, 2\)"),
        (nn.Conv2d(2, 2, 3, padding="same"), r"got dilation \(1, 1\), padding 'same'"),
        (nn.MaxPool2d(2, ceil_mode=True), r"0 \(MaxPool2d\): options: got ceil_mode, expected none"),
        (nn.AvgPool2d(3, padding=1, count_include_pad=False), r"options: got count_include_pad"),
        (nn.AdaptiveAvgPool2d(3), r"output size: got \[3, 3\], expected divisors of \[8, 8\]"),
        (nn.LayerNorm((8, 8)), r"0 \(LayerNorm\): normalized_shape: got \(8, 8\), expected \(8,\)"),
        (nn.BatchNorm2d(2, track_running_stats=False), r"batch norm: got no running statistics"),
    ],
)
def test_options_the_array_lacks_are_named(layer, message):
    with pytest.raises(UsageError, match=message):
        convert(nn.Sequential(layer), torch.randn(64, 2, 8, 8), EXACT)


def test_wrong_calls_are_named():
    layer = nn.Linear(4, 2)
    with pytest.raises(UsageError, match=r"operand widths: got 9 × 8 bits, expected 2…8 × 2…8"):
        convert(layer, torch.randn(8, 4), EXACT, bits=9)
    with pytest.raises(UsageError, match=r"correct: got 'all', expected sums, means or none"):
        convert(layer, torch.randn(8, 4), EXACT, correct="all")
    with pytest.raises(UsageError, match=r"calibration: got 2 inputs, expected 1"):
        convert(layer, [torch.randn(8, 4)] * 2, EXACT)
    with pytest.raises(ShapeError, match=r"calibration: got no samples"):
        convert(layer, torch.randn(0, 4), EXACT)
    with pytest.raises(ShapeError, match=r"NaN or infinity, expected finite values"):
        convert(layer, torch.full((8, 4), torch.nan), EXACT)


def test_rescaling_factors_fit_the_sums():
    mult, shift = fixed_point(np.array([0.3, -0.001]), 1 << 40)
    assert np.allclose(mult / 2.0**shift, [0.3, -0.001], atol=1e-6)
    assert int(np.abs(mult).max()) << 40 < 1 << 62
    mult, shift = fixed_point(np.array([1e-9]), 1000)
    assert shift <= 48
    assert fixed_point(np.array([0.0]), 9)[0].tolist() == [0]
    assert fixed_point(np.array([1e9]), 9)[1] == 0


def test_scale_gradients_are_the_papers():
    scale = Scale(1.0, -127, 127)
    x = torch.tensor([0.5, 2.0, -3.0, 0.0039], requires_grad=True)
    y = scale(x)
    y.sum().backward()
    assert x.grad.tolist() == [1, 1, 1, 1]  # unclipped
    inside = [float(y[i] - x[i]) for i in (0, 3)]
    assert float(scale.alpha.grad) == pytest.approx(1 - 1 + sum(inside), abs=1e-5)
    with pytest.raises(ShapeError, match=r"scale: got range nan"):
        Scale(float("nan"), -1, 1)
