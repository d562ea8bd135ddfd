"""Fields, marching cubes, MISE, meshes and metrics against independent figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.ir.errors import DataError, ShapeError, UsageError
from ml.occnet import Mesh, NotWatertightError, load_mesh, marching_cubes, mise
from ml.occnet.agreement import compare, surface_parts
from ml.occnet.cube_table import EDGES, loops, triangles
from ml.occnet.fields import SolidField, VoxelField, field_of, grid_points, uniform_points
from ml.occnet.follow import follow
from ml.occnet.inside import MeshField
from ml.occnet.metrics import EMPTY_DISTANCE, cloud_score, surface_score
from ml.occnet.mise import dense
from ml.occnet.mise_plain import filled, follow_plain, mise_plain
from ml.occnet.render import render

BOX = Mesh(
    np.array([[x, y, z] for x in (-0.3, 0.3) for y in (-0.2, 0.2) for z in (-0.1, 0.1)]),
    np.array(
        [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4],
         [1, 5, 7], [1, 7, 3]]
    ),
)  # fmt: skip


def ball(radius: float, centre=(0.0, 0.0, 0.0)):
    return lambda p: (radius - np.linalg.norm(p - np.array(centre), axis=1)).astype(np.float32)


def test_trilinear_field_is_scipys():
    from scipy.ndimage import gaussian_filter, map_coordinates

    rng = np.random.default_rng(0)
    voxels = rng.random((8, 8, 8)) > 0.7
    points = uniform_points(500, rng)
    grid = gaussian_filter(np.pad(voxels.astype(np.float32), 4), 0.6)
    place = ((points + 0.5) * 8 - 0.5 + 4).T
    want = map_coordinates(grid, place, order=1, mode="nearest") - 0.4
    assert np.allclose(VoxelField(voxels)(points), want, atol=1e-5)


@pytest.mark.parametrize(
    ("row", "volume"),
    [((1, 0.1, 0, 0, 0.2, 0.3, 0.1), 8 * 0.2 * 0.3 * 0.1), ((4, 0, 0, 0.1, 0.2, 0.2, 0.3), np.pi * 0.04 * 0.6),
     ((2, 0, 0, 0, 0.3, 0.2, 0.2), np.pi * 0.04 * 0.6), ((5, 0, 0, 0, 0.4, 0.3, 0.2), 4 / 3 * np.pi * 0.024)],
)  # fmt: skip
def test_volumes_of_primitives(row, volume):
    found = mise(SolidField(np.array([row])), 32, 1).mesh()
    assert found.is_watertight
    assert found.volume == pytest.approx(volume, rel=0.02)


def test_every_case_is_closed():
    table, counts = triangles()
    assert counts[0] == counts[255] == 0
    for case in range(256):
        crossed = {e for e, (a, b) in enumerate(EDGES) if (case >> a & 1) != (case >> b & 1)}
        assert sorted(e for loop in loops(case) for e in loop) == sorted(crossed)
        assert set(table[case, : counts[case]].ravel()) == crossed


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 7), st.floats(0.1, 0.9))
def test_any_grid_gives_a_closed_mesh(seed, n, share):
    grid = np.random.default_rng(seed).random((n, n, n)) - share
    mesh = marching_cubes(grid)
    if (grid > 0).any():
        assert mesh.is_watertight
        assert mesh.volume > 0


def test_marching_cubes_beside_scikit_image():
    measure = pytest.importorskip("skimage.measure")
    values = SolidField(np.array([[4, 0, 0, 0, 0.3, 0.3, 0.2], [1, 0.1, 0, 0.2, 0.1, 0.3, 0.1]]))
    grid = dense(values, 24).values
    vertices, faces, *_ = measure.marching_cubes(grid, 0.0, method="lorensen")
    mesh = marching_cubes(grid)
    ours = np.unique(((mesh.vertices / 1.1 + 0.5) * 24).round(4), axis=0)
    assert np.allclose(ours, np.unique(vertices.round(4), axis=0), atol=2e-4)
    area = np.linalg.norm(np.cross(*(vertices[faces][:, i] - vertices[faces][:, 0] for i in (1, 2))), axis=1).sum() / 2
    assert mesh.areas.sum() == pytest.approx(area * (1.1 / 24) ** 2, rel=0.01)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(0, 3))
def test_mise_equals_plain_python(seed, resolution, depth):
    rng = np.random.default_rng(seed)
    voxels = rng.random((6, 6, 6)) > rng.uniform(0.3, 0.95)
    voxels[2, 2, 2] = True
    field = VoxelField(voxels)
    found = mise(field, resolution, depth)
    known, rounds = mise_plain(field, resolution, depth)
    assert list(found.rounds) == rounds
    assert len(known) == found.known.sum()
    assert np.array_equal(filled(known, resolution << depth), found.values)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(0, 3))
def test_following_equals_plain_python(seed, resolution, depth):
    rng = np.random.default_rng(seed)
    field = VoxelField(rng.random((6, 6, 6)) > rng.uniform(0.3, 0.95))
    found = follow(field, resolution, depth)
    known, rounds = follow_plain(field, resolution, depth)
    assert list(found.rounds) == rounds
    assert {tuple(place) for place in np.argwhere(found.known).tolist()} == known.keys()
    assert all(found.values[place] == np.float32(value) for place, value in known.items())
    assert np.array_equal(filled(known, resolution << depth), found.values)


@pytest.mark.parametrize("extract", [mise, follow])
def test_extraction_equals_dense_where_the_coarse_grid_sees(extract):
    voxels = np.zeros((16, 16, 16))
    voxels[3:13, 3:13, 3:5] = voxels[3:5, 3:13, 3:13] = 1
    found = compare(extract(VoxelField(voxels), 16, 2), dense(VoxelField(voxels), 64), 16)
    assert found.cells == found.equal > 1000
    assert (found.blind, found.missed_cells, found.share) == (0, 0, 1.0)


def test_parts_thinner_than_the_coarse_grid_are_missed():
    cell = 1.1 / 16
    table = np.array([[1, 0, 0, cell / 2, 0.4, 0.4, 0.4 * cell], [5, 0, 0, -0.3, 0.2, 0.2, 0.2]])
    found = compare(mise(SolidField(table), 16, 2), dense(SolidField(table), 64), 16)
    assert found.parts == 2
    assert found.missed_parts == 1
    assert found.missed_cells > 1000
    assert found.cells == found.equal > 0


def test_agreement_notices_wrong_values():
    found, full = mise(ball(0.4), 8, 1), dense(ball(0.4), 16)
    found.values[full.values == full.values[full.values > 0].min()] += 0.5
    assert compare(found, full, 8).share < 1


def test_two_balls_are_two_parts():
    values = np.maximum(dense(ball(0.15, (0.3, 0, 0)), 32).values, dense(ball(0.15, (-0.3, 0, 0)), 32).values)
    assert surface_parts(values > 0)[1] == 2


def test_mesh_contains_what_its_field_fills():
    rng = np.random.default_rng(1)
    points = uniform_points(4000, rng)
    assert ((MeshField(BOX)(points) > 0) == (np.abs(points) < [0.3, 0.2, 0.1]).all(1)).all()
    mesh = mise(ball(0.4), 32, 1).mesh()
    clear = np.abs(ball(0.4)(points)) > 0.01
    assert ((MeshField(mesh)(points) > 0) == (ball(0.4)(points) > 0))[clear].all()


def test_box_volume_and_area():
    assert BOX.is_watertight
    assert BOX.volume == pytest.approx(0.6 * 0.4 * 0.2)
    assert BOX.areas.sum() == pytest.approx(2 * (0.6 * 0.4 + 0.6 * 0.2 + 0.4 * 0.2))
    assert np.ptp(BOX.normalised().vertices, axis=0).max() == pytest.approx(1)


def test_metrics_of_concentric_balls():
    """Distances of concentric spheres are the difference of radii; the paper prints them times ten."""
    score = surface_score(mise(ball(0.45), 16, 2).mesh(), mise(ball(0.4), 16, 2).mesh(), 4000)
    assert score.accuracy == pytest.approx(0.05, abs=0.002)
    assert score.chamfer_l1 == pytest.approx(0.05, abs=0.002)
    assert score.normals == pytest.approx(1.0, abs=0.01)


def test_metrics_counted_by_hand():
    points, up = np.array([[0.0, 0, 0], [3, 0, 0]]), np.array([[0.0, 0, 1], [0, 0, 1]])
    truth, along = np.array([[0.0, 0, 1]]), np.array([[0.0, 0.6, 0.8]])
    score = cloud_score(points, up, truth, along)
    assert score.accuracy == pytest.approx((1 + 10**0.5) / 2)
    assert score.completeness == 1
    assert score.normals == pytest.approx(0.8)


def test_an_empty_mesh_gets_the_authors_figures():
    empty = marching_cubes(np.full((4, 4, 4), -1.0))
    score = surface_score(empty, BOX, 10)
    assert (score.chamfer_l1, score.normals) == (EMPTY_DISTANCE, -1.0)


def test_render_draws_the_silhouette():
    picture = render(mise(ball(0.4), 32, 1).mesh(), 60)
    assert (picture < 1).sum() * (1.5 / 60) ** 2 == pytest.approx(np.pi * 0.16, rel=0.03)
    assert picture[30, 30] == pytest.approx(1.0, abs=0.02)


def test_meshes_travel_through_files(tmp_path):
    pytest.importorskip("trimesh")
    BOX.save(tmp_path / "box.off")
    again = load_mesh(tmp_path / "box.off")
    assert again.watertight().volume == pytest.approx(BOX.volume)


def test_bad_input():
    holed = Mesh(BOX.vertices, BOX.faces[1:])
    with pytest.raises(NotWatertightError, match=r"not watertight: got 3 faulty edges of 33.*two faces.*holes"):
        MeshField(holed)
    with pytest.raises(NotWatertightError, match="no faces"):
        marching_cubes(np.full((3, 3, 3), -1.0)).watertight()
    with pytest.raises(ShapeError, match=r"faces: a vertex: got 0…9, expected 0…2"):
        Mesh(np.zeros((3, 3)), np.array([[0, 1, 9]]))
    with pytest.raises(ShapeError, match=r"values: got NaN"):
        marching_cubes(np.full((3, 3, 3), np.nan))
    with pytest.raises(ShapeError, match=r"values of the field: got NaN"):
        mise(lambda p: np.full(len(p), np.nan), 2, 1)
    with pytest.raises(UsageError, match=r"extraction: got resolution 0"):
        mise(ball(0.4), 0)
    with pytest.raises(ShapeError, match=r"voxels: got no filled voxel"):
        VoxelField(np.zeros((4, 4, 4)))
    with pytest.raises(ShapeError, match=r"voxels: got \[4, 4, 5\]"):
        field_of(np.ones((4, 4, 5)))
    with pytest.raises(ShapeError, match=r"points: got NaN"):
        VoxelField(np.ones((4, 4, 4)))([[np.nan, 0, 0]])
    with pytest.raises(ShapeError, match=r"a mesh to sample"):
        marching_cubes(np.full((3, 3, 3), -1.0)).sample(3, np.random.default_rng(0))
    pytest.importorskip("trimesh")
    with pytest.raises(DataError, match=r"mesh file.*not there"):
        load_mesh("nowhere.off")


def test_dense_asks_for_every_corner():
    assert grid_points(2).min() == -0.55
    assert dense(ball(0.4), 8).queries == 729
