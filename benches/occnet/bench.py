"""Occupancy networks from training to the array: what runs in which profile, in order.

smoke and quick: sizes, MISE against dense evaluation and plain Python, a decoder of five generated shapes trained and
handed over, its meshes on the array, refinement. full adds what takes long trainings: 64 memorised chairs, held-out
chairs from point clouds with the ablation and the baselines, voxels and pictures of generated shapes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benches.occnet import extraction, handover, learning, pictures, studies
from benches.runner import Context


@dataclass(frozen=True)
class Config:
    """What --set can change.

    Attributes:
        mise_shapes, dense_shapes: shapes a data set at most for queries, and for the comparison with dense evaluation.
        plain_resolution: coarse grid on which plain Python is timed.
        hardware_epochs, hardware_hidden: training and width of the decoder that is handed over.
        hardware_shapes, judged_points, units: shapes, points and product units for IoU on the array.
        mesh_shapes, mesh_resolution: meshes extracted on the array; their coarse grid.
        refined_shapes, refined_resolution: meshes refined, and their grid.
        surface_points: points a surface for Chamfer-L1.
        trainings: also those of learning.py.
        train_dir: where trainings are kept and taken from.
    """

    mise_shapes: int = 100
    dense_shapes: int = 3
    plain_resolution: int = 16
    hardware_epochs: int = studies.HARDWARE.recipe.epochs
    hardware_hidden: int = studies.HARDWARE.hidden
    hardware_shapes: int = 5
    judged_points: int = 10_000
    units: int = 3
    mesh_shapes: int = 3
    mesh_resolution: int = 32
    refined_shapes: int = 1
    refined_resolution: int = 24
    surface_points: int = 20_000
    trainings: bool = False
    train_dir: str = "build/train/occnet"


PROFILES = {
    "smoke": Config(
        mise_shapes=2, dense_shapes=1, plain_resolution=4, hardware_epochs=1, hardware_hidden=16, hardware_shapes=1,
        judged_points=1000, units=2, mesh_shapes=1, mesh_resolution=8, refined_resolution=12, surface_points=1000,
    ),
    "quick": Config(),
    "full": Config(
        mise_shapes=1000, dense_shapes=6, judged_points=20_000, units=5, mesh_shapes=5,
        refined_shapes=3, trainings=True,
    ),
}  # fmt: skip


def run(ctx: Context[Config]) -> None:
    """Measure every claim and bar that this profile can."""
    with ctx.stage("architecture") as stage:
        if stage.todo:
            learning.architecture(ctx)
    with ctx.stage("extraction") as stage:
        if stage.todo:
            extraction.measure(ctx)
    with ctx.stage("decoder for the array") as stage:
        one, codes = handover.network(ctx, stage.progress)
    with ctx.stage("accuracy on the array") as stage:
        if stage.todo:
            handover.accuracy(ctx, one, codes)
    with ctx.stage("meshes on the array") as stage:
        if stage.todo:
            stage.outcome = handover.meshes(ctx, one, codes, stage.progress)
        pictures.reconstructions(ctx, stage.outcome["n"])
        pictures.levels(ctx, stage.outcome["rounds"])
    with ctx.stage("refinement") as stage:
        if stage.todo:
            handover.refinement(ctx, one, codes)
    if ctx.config.trainings:
        _trainings(ctx)
    ctx.kept()
    for claim in ("image", "image-chamfer", "image-normals"):
        ctx.not_comparable(claim, "needs ShapeNet's 13 classes with renderings, and days on a GPU")


def _trainings(ctx: Context[Any]) -> None:
    """What only full trains."""
    if learning.have():
        with ctx.stage("memory of 64 chairs") as stage:
            if stage.todo:
                stage.outcome = learning.memory(ctx, stage.progress)
            curves = {"memory, 64 chairs": stage.outcome["curve"]}
        with ctx.stage("point clouds of chairs") as stage:
            if stage.todo:
                stage.outcome = learning.clouds(ctx, stage.progress)
        figures = ctx.all_metrics()
        lines = {name: figures[f"iou_val_{name}"].value for name in ("retrieval", "splat")}
        pictures.curves(ctx, curves | stage.outcome["curves"], lines)
    else:
        for metric in ("iou_overfit_64", "iou_val", "iou_gain_of_cbn"):
            ctx.not_comparable(metric, f"{studies.CHAIRS} is not on this machine: put it into $HWSIM_DATA")
    with ctx.stage("voxels and pictures") as stage:
        if stage.todo:
            learning.others(ctx, stage.progress)
