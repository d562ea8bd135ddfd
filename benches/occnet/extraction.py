"""MISE and surface following beside dense evaluation and plain Python: equality, queries, speed, what stays unseen."""

from __future__ import annotations

from typing import Any

import numpy as np

from benches import stats
from benches.occnet.studies import CHAIRS, MONITORS, SOLIDS
from benches.runner import Context

LEVEL = 0.5  # of blurred voxels, as the saving was estimated beforehand; trainings use `ml.occnet.fields.LEVEL`
DENSE_128 = 129**3


def measure(ctx: Context[Any]) -> None:
    """All metrics of extraction."""
    fields = _fields(ctx)
    _savings(ctx, fields)
    _equality(ctx, fields)
    _speed(ctx, fields[SOLIDS][0])
    _thin(ctx)


def _fields(ctx: Context[Any]) -> dict[str, list[Any]]:
    """Fields a data set; real shapes only where they are."""
    from ml.common.data import UnreachableError, load
    from ml.occnet.fields import VoxelField, field_of

    n = ctx.config.mise_shapes
    found: dict[str, list[Any]] = {SOLIDS: [field_of(x) for x in load(SOLIDS).x_train[:n]]}
    ctx.record_data(SOLIDS, "embedded", "generated furniture, 400 + 100 shapes")
    for name in (CHAIRS, MONITORS):
        try:
            data = load(name, download=False)
        except UnreachableError as error:
            ctx.say(f"occnet: {error}")
            continue
        ctx.record_data(name, data.source, f"{data.variant}; {data.licence}")
        shapes = np.concatenate([data.x_train, data.x_test])
        chosen = np.unique(np.linspace(0, len(shapes) - 1, min(n, len(shapes))).round().astype(int))
        found[name] = [VoxelField(shapes[i], level=LEVEL) for i in chosen]
    return found


def _savings(ctx: Context[Any], fields: dict[str, list[Any]]) -> None:
    """Queries of 32 → 128 against 129³, over all shapes of a set together."""
    from ml.occnet.fields import VoxelField
    from ml.occnet.follow import follow
    from ml.occnet.mise import mise

    names = {CHAIRS: "", MONITORS: "_monitors", SOLIDS: "_solids"}
    for name, some in fields.items():
        for how, extract in (("mise", mise), ("follow", follow)):
            queries = np.array([extract(field).queries for field in some])
            level = f"level {LEVEL if name != SOLIDS else 0}; mean of ratios {(DENSE_128 / queries).mean():.2f}"
            method = f"2 146 689 / mean queries, shapes from all over the set; {level}"
            saving = DENSE_128 / float(queries.mean())
            ctx.metric(f"{how}_query_saving_128{names[name]}", saving, "×", n=len(some), method=method)
        if name != SOLIDS:
            saving = DENSE_128 / float(np.mean([mise(VoxelField(field.voxels)).queries for field in some]))
            metric = f"mise_query_saving_128{names[name]}_training_level"
            ctx.metric(metric, saving, "×", n=len(some), method="the same at level 0.4, which the trainings take")
    for name in (CHAIRS, MONITORS):
        if name not in fields:
            ctx.not_comparable(f"mise_query_saving_128{names[name]}", f"{name} is not on this machine")


def _equality(ctx: Context[Any], fields: dict[str, list[Any]]) -> None:
    """Cells of the surface, MISE and following against dense, on some shapes of each set."""
    from ml.occnet.agreement import compare
    from ml.occnet.follow import follow
    from ml.occnet.mise import dense, mise

    some = [field for fields_of_set in fields.values() for field in fields_of_set[: ctx.config.dense_shapes]]
    full = [dense(field) for field in some]
    followed = [compare(follow(field), grid, 32) for field, grid in zip(some, full, strict=True)]
    cells = sum(a.cells for a in followed)
    share = sum(a.equal for a in followed) / cells if not any(a.blind for a in followed) else 0.0
    ctx.metric("follow_equals_dense", share, "", n=cells, method="the same for surface following")
    found = [compare(mise(field), grid, 32) for field, grid in zip(some, full, strict=True)]
    cells, missed = (sum(getattr(a, name) for a in found) for name in ("cells", "missed_cells"))
    share = sum(a.equal for a in found) / cells if not any(a.blind for a in found) else 0.0
    method = f"{cells} surface cells of {len(found)} shapes, whole parts; no coarse cell blind"
    ctx.metric("mise_equals_dense", share, "", n=cells, method=method)
    ctx.metric(
        "mise_missed_cells_share", missed / (cells + missed), "", n=cells + missed,
        method=f"{sum(a.missed_parts for a in found)} of {sum(a.parts for a in found)} parts, between coarse points",
    )  # fmt: skip


def _speed(ctx: Context[Any], field: Any) -> None:
    """CPU seconds of the kernels and of plain Python, one thread, evaluation of the field included in both."""
    from ml.occnet.follow import follow
    from ml.occnet.mise import mise
    from ml.occnet.mise_plain import mise_plain

    coarse = ctx.config.plain_resolution
    slow = stats.cpu_rounds({"plain": lambda: mise_plain(field, coarse, 2)}, 1)["plain"]
    fast = stats.cpu_rounds({"kernels": lambda: mise(field, coarse, 2)}, 5)["kernels"]
    method = f"{coarse} → {4 * coarse}: {fast:.4f} s against {slow:.2f} s"
    ctx.metric("mise_ratio_vs_python", slow / fast, "×", method=method)
    whole = stats.cpu_rounds(
        {"mise": lambda: mise(field), "follow": lambda: follow(field), "mesh": lambda: mise(field).mesh()}, 3
    )
    for name in ("mise", "follow"):
        ctx.metric(f"{name}_seconds_128", whole[name], "s", method="32 → 128, field included, one thread")
    ctx.metric("mesh_seconds_128", whole["mesh"], "s", method="the same with marching cubes")


def _thin(ctx: Context[Any]) -> None:
    """The counter-example: a plate between two planes of the coarse grid, and one that is met."""
    from ml.occnet.agreement import compare
    from ml.occnet.fields import SolidField
    from ml.occnet.mise import dense, mise

    missed = []
    for half in (0.4 * 1.1 / 32, 0.6 * 1.1 / 32):  # 0.8 and 1.2 coarse cells thick, centred between two planes
        table = np.array([[1, 0, 0, 0.5 * 1.1 / 32, 0.4, 0.4, half]])
        field = SolidField(table)
        missed.append(compare(mise(field), dense(field), 32).missed_cells)
    ctx.metric(
        "mise_thin_plate_missed_cells", missed[0], "", method="plate of 0.8 coarse cells between two planes of points"
    )
    ctx.metric("mise_plate_missed_cells", missed[1], "", method="plate of 1.2 coarse cells at the same place")
