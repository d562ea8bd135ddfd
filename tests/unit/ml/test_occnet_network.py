"""Encoders, decoder, training, refinement and hand-over of occupancy networks."""

from __future__ import annotations

import doctest
import importlib
import math
import pkgutil

import numpy as np
import pytest
import torch
from torch.nn import functional

import ml.occnet
from hwsim.encodingnet.encodings import exact
from hwsim.encodingnet.network import NetworkRunner
from hwsim.encodingnet.recoded import recoded
from hwsim.ir.errors import DataError, ShapeError, UsageError
from ml.common.data import load
from ml.common.datasets.modelnet_voxels import read_voxels
from ml.occnet import Decoder, ImageEncoder, OccupancyNetwork, PointEncoder, VoxelEncoder, mise
from ml.occnet.baselines import Splat, retrieval_ious
from ml.occnet.batches import PointBatches, draw, numbers_only
from ml.occnet.decoder import parameters_of
from ml.occnet.export import FixedDecoder, coordinate_codes, integer_field, to_ir
from ml.occnet.fields import field_of, grid_points, uniform_points
from ml.occnet.network import Queries, ShapeCodes
from ml.occnet.norm import ConditionalBatchNorm
from ml.occnet.refine import analytic_normals, refine
from ml.occnet.shapes import ShapeSet, shape_sets
from ml.occnet.train import DivergedError, Recipe, fit, iou, point_ious, point_loss

SOLIDS = load("solids")


def stirred(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Random weights everywhere, so that no term hides behind a zero."""
    generator = torch.Generator().manual_seed(seed)
    for p in network.parameters():
        p.data = torch.randn(p.shape, generator=generator) * (0.5 / math.sqrt(max(p.shape[-1], 1)))
    for name, b in network.named_buffers():
        if "running" in name:
            b.data = torch.rand(b.shape, generator=generator) + 0.5
    return network


@pytest.mark.parametrize("name", [m.name for m in pkgutil.iter_modules(ml.occnet.__path__)])
def test_examples_run(name):
    module = importlib.import_module(f"ml.occnet.{name}")
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0


def test_sizes_of_the_authors_networks():
    assert parameters_of(Decoder(256, 256)) == 2_106_625
    assert parameters_of(Decoder(512, 256)) == 3_548_417
    assert Decoder(256, 256).macs == 656_384
    hidden, c = 512, 512
    blocks = 5 * ((2 * hidden * hidden + hidden) + (hidden * hidden + hidden) + 2 * hidden * hidden)
    assert parameters_of(PointEncoder(c, hidden)) == 4 * 2 * hidden + blocks + hidden * c + c
    assert VoxelEncoder(256).fc_c.in_features == 4096
    assert parameters_of(ImageEncoder(256).features) == 11_176_512


def test_conditional_norm_by_its_equation():
    norm = stirred(ConditionalBatchNorm(3, 4))
    x, c = torch.randn(2, 50, 4), torch.randn(2, 3)
    norm.train()
    flat = x.reshape(-1, 4)
    normed = (x - flat.mean(0)) / (flat.var(0, unbiased=False) + 1e-5).sqrt()
    gain, offset = c @ norm.gamma.weight.T + norm.gamma.bias, c @ norm.beta.weight.T + norm.beta.bias
    before = norm.running_var.clone()
    assert torch.allclose(norm(x, c), gain[:, None] * normed + offset[:, None], atol=1e-4)
    assert torch.allclose(norm.running_var, 0.9 * before + 0.1 * flat.var(0), atol=1e-5)


def test_decoder_by_plain_loops():
    decoder = stirred(Decoder(3, 5, blocks=2)).eval()
    p, c = torch.randn(1, 4, 3), torch.randn(1, 3)

    def norm(n, v):
        gain, offset = n.gamma(c[0]), n.beta(c[0])
        return gain * (v - n.running_mean) / (n.running_var + 1e-5).sqrt() + offset

    for i in range(4):
        x = decoder.fc_p(p[0, i])
        for b in decoder.blocks:
            x = x + b.fc_1(functional.relu(norm(b.norm_1, b.fc_0(functional.relu(norm(b.norm_0, x))))))
        want = decoder.fc_out(functional.relu(norm(decoder.norm, x)))
        assert decoder(p, c)[0, i].item() == pytest.approx(want.item(), abs=1e-4)


def test_point_encoder_ignores_order():
    encoder = stirred(PointEncoder(6, 8))
    cloud = torch.randn(2, 20, 3)
    assert torch.allclose(encoder(cloud), encoder(cloud[:, torch.randperm(20)]), atol=1e-5)


def test_the_ablation_sees_the_code_at_the_input():
    decoder = stirred(Decoder(3, 8, conditioning="input")).eval()
    p = torch.randn(1, 9, 3)
    assert not torch.allclose(decoder(p, torch.zeros(1, 3)), decoder(p, torch.ones(1, 3)))
    assert parameters_of(decoder) < parameters_of(Decoder(3, 8))


def test_loss_sums_over_points():
    logits, filled = torch.tensor([[0.0, 0.0], [0.0, 0.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    assert point_loss(torch.nn.Identity(), logits, filled).item() == pytest.approx(2 * math.log(2))
    with pytest.raises(DivergedError, match=r"the loss: got nan, expected a finite number"):
        point_loss(torch.nn.Identity(), logits * float("nan"), filled)


def test_equal_and_near_sampling():
    field = field_of(SOLIDS.x_train[0])
    rng = np.random.default_rng(0)
    assert (field(draw(field, 400, rng, "equal")) > 0).mean() == pytest.approx(0.5, abs=0.05)
    near, uniform = (np.abs(field(draw(field, 400, rng, how))).mean() for how in ("near", "uniform"))
    assert near < 0.8 * uniform
    with pytest.raises(UsageError, match=r"'surface' without surface points"):
        draw(field, 4, rng, "surface")


def test_batches_come_from_seed_and_epoch():
    fields = [field_of(x) for x in SOLIDS.x_train[:4]]
    batches = PointBatches(fields, numbers_only, 2, 8, 3, 3)
    one, two = list(batches.epoch(1)), list(batches.epoch(1))
    assert all(torch.equal(a[0].points, b[0].points) and torch.equal(a[1], b[1]) for a, b in zip(one, two, strict=True))
    assert not torch.equal(one[0][0].points, next(batches.epoch(2))[0].points)
    queries, inside = one[0]
    k = int(queries.inputs[0])
    assert ((fields[k](queries.points[0].numpy()) > 0) == (inside[0] > 0).numpy()).all()


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A small network that memorised an ellipsoid and a box."""
    train = ShapeSet([np.array([[5, 0, 0, 0, 0.5, 0.4, 0.3]]), np.array([[1, 0, 0, 0, 0.3, 0.3, 0.5]])])
    torch.manual_seed(0)
    network = OccupancyNetwork(ShapeCodes(2, 16), Decoder(16, 32))
    recipe = Recipe(6, 40, 2, 256, lr=1e-2, stored=2048, judge_points=1000, judge_every=3)
    file = tmp_path_factory.mktemp("occnet") / "small.pt"
    return network, train, recipe, file, fit(network, train.fields, numbers_only, recipe, 0, checkpoint=file)


def test_training_learns_and_resumes(learned):
    network, train, recipe, file, result = learned
    found = point_ious(network, train.fields, numbers_only, 4000)
    assert min(found) > 0.7
    fresh = OccupancyNetwork(ShapeCodes(2, 16), Decoder(16, 32))
    again = fit(fresh, train.fields, numbers_only, recipe, 0, checkpoint=file)
    assert again.best_accuracy == result.best_accuracy
    points = torch.rand(1, 50, 3) - 0.5
    ask = Queries(points, torch.tensor([1]))
    assert torch.equal(fresh.eval()(ask), network.eval()(ask))


def test_refinement_lowers_the_distance_to_the_level(learned):
    network = learned[0]
    code = network.code(torch.tensor([0]))[0]
    rough = mise(network.field(code), 16, 0).mesh()
    better = refine(network, code, rough, steps=20)
    off = [np.abs(1 / (1 + np.exp(-network.field(code)(m.corners.mean(1)))) - 0.5).mean() for m in (rough, better)]
    assert off[1] < off[0]
    assert better.is_watertight


def test_analytic_normals_are_the_gradients(learned):
    network = learned[0]
    code = network.code(torch.tensor([0]))[0]
    points = uniform_points(20, np.random.default_rng(0), 0.6)
    h = 1e-3
    field = network.field(code)
    slope = np.stack([(field(points - h * e) - field(points + h * e)) for e in np.eye(3)], 1)
    slope /= np.linalg.norm(slope, axis=1, keepdims=True)
    assert np.median((slope * analytic_normals(network, code, points)).sum(1)) > 0.99


def test_fixed_decoder_equals_the_decoder():
    decoder = stirred(Decoder(6, 16)).eval()
    code, points = torch.randn(6), torch.rand(40, 3) - 0.5
    with torch.no_grad():
        want = decoder(points[None], code[None])[0]
        assert torch.allclose(FixedDecoder(decoder, code)(points)[:, 0], want, atol=1e-4)


@pytest.mark.parametrize("signed", [True, False])
def test_hand_over_keeps_the_shape(learned, signed):
    network = learned[0]
    code = network.code(torch.tensor([0]))[0]
    rng = np.random.default_rng(0)
    artifact = to_ir(network.decoder, code, recoded(8, 8, x_signed=signed), uniform_points(1000, rng))
    assert artifact.cost().values["macs"] == network.decoder.macs
    points = grid_points(128)[rng.integers(0, 129**3, 2000)]
    codes = coordinate_codes(artifact, points)
    back = codes * artifact.inputs[0].scale - (0 if signed else 0.55)
    assert np.allclose(back, points, atol=1e-7), "grid corners are codes"
    field = integer_field(artifact, lambda c: NetworkRunner(artifact)(c, detail="none").outputs)
    assert np.array_equal(field(points[:50]) > 0, artifact.reference(codes[:50])[:, 0] > 0)
    same = artifact.with_encodings(exact(8, 8, x_signed=signed)).reference(codes[:50])
    assert np.array_equal(same, artifact.reference(codes[:50])), "recoded products are exact"
    assert iou(network.field(code)(points) > 0, field(points) > 0) > 0.9


def test_retrieval_and_splat_find_their_own():
    train, _ = shape_sets(SOLIDS, 6, 1)
    clouds, points = [s[:300] for s in train.surfaces], uniform_points(3000, np.random.default_rng(0))
    assert min(retrieval_ious(clouds, train.fields, clouds, train.fields, points)) == 1
    splat = Splat().fit(clouds, train.fields, points)
    assert splat.filled(clouds[0], clouds[0]).mean() > 0.8


def test_generated_shapes_are_normalised_and_exact():
    train, test = shape_sets(SOLIDS, 5, 2)
    for mesh in train.meshes:
        assert mesh.is_watertight
        assert (mesh.vertices.max(0) - mesh.vertices.min(0)).max() == pytest.approx(1, abs=0.01)
    assert train.voxels.shape == (5, 32, 32, 32)
    assert test.images(True)(np.array([0]), np.random.default_rng(0)).shape == (1, 3, 64, 64)


def test_bad_input(tmp_path):
    with pytest.raises(ShapeError, match=r"decoder input: got points \[2, 3\]"):
        Decoder(4, 4)(torch.zeros(2, 3), torch.zeros(2, 4))
    with pytest.raises(UsageError, match=r"decoder: got c_dim 0"):
        Decoder(0)
    with pytest.raises(ShapeError, match=r"cloud: got \[2, 0, 3\]"):
        PointEncoder(4, 4)(torch.zeros(2, 0, 3))
    with pytest.raises(ShapeError, match=r"voxels: got \[1, 8, 8, 8\]"):
        VoxelEncoder(4, 16, 2)(torch.zeros(1, 8, 8, 8))
    with pytest.raises(ShapeError, match=r"images: got \[1, 1, 8, 8\]"):
        ImageEncoder(4, 4)(torch.zeros(1, 1, 8, 8))
    with pytest.raises(UsageError, match=r"decoder to hand over: got InputBatchNorm"):
        FixedDecoder(Decoder(4, 4, conditioning="input"), torch.zeros(4))
    with pytest.raises(UsageError, match=r"resolution: got 512, expected an even number"):
        to_ir(Decoder(4, 4), torch.zeros(4), exact(8, 8), np.zeros((64, 3)), 512)
    with pytest.raises(UsageError, match=r"training shapes of solids: got 0"):
        shape_sets(SOLIDS, 0)
    with pytest.raises(UsageError, match=r"threshold: got 1"):
        OccupancyNetwork(ShapeCodes(1, 4), Decoder(4, 4)).field(torch.zeros(4), 1)
    damaged = tmp_path / "chair.npy.gz"
    damaged.write_bytes(b"no gzip")
    with pytest.raises(DataError, match=r"chair.npy.gz: got .*expected a gzip-compressed .npy array"):
        read_voxels(damaged)
    with pytest.raises(UsageError, match=r"data set: got 'chairs'"):
        load("chairs")
