"""What networks learn: memory of the decoder, point clouds with and without conditional norms, voxels, pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benches import stats
from benches.occnet import studies
from benches.occnet.studies import CHAIRS, Study, Trained
from benches.runner import Context

POINTS = 20_000  # a shape, for IoU


def architecture(ctx: Context[Any]) -> None:
    """Sizes that the paper's code has."""
    from ml.occnet.decoder import Decoder, parameters_of

    decoder = Decoder(256, 256)
    ctx.metric("decoder_parameters_c256", parameters_of(decoder), "")
    ctx.metric("decoder_parameters_c512", parameters_of(Decoder(512, 256)), "")
    ctx.metric("macs_per_query", decoder.macs, "MAC", method="points alone; 2·11·256² more once a shape")


def memory(ctx: Context[Any], progress: Any) -> dict[str, Any]:
    """IoU of 64 memorised chairs."""
    from ml.occnet.decoder import parameters_of
    from ml.occnet.train import point_ious

    one = studies.trained(studies.MEMORY, Path(ctx.config.train_dir), progress)
    found = point_ious(one.network, one.train.fields, one.inputs, POINTS)
    size = parameters_of(one.network.decoder)
    method = f"decoder of {size} parameters, {_spent(one)}; worst shape {min(found):.3f}"
    ctx.metric("iou_overfit_64", stats.mean(found), "", method=method)
    ctx.metric("iou_overfit_64_decoder_parameters", size, "")
    return {"curve": _curve(one)}


def clouds(ctx: Context[Any], progress: Any) -> dict[str, Any]:
    """Held-out chairs from 300 noisy points: network, its ablation, retrieval, splat."""
    from ml.occnet.fields import uniform_points
    from ml.occnet.train import point_ious

    folder = Path(ctx.config.train_dir)
    ours = studies.trained(studies.CLOUDS, folder, progress)
    ablation = studies.trained(studies.CLOUDS_INPUT, folder, progress)
    rows = {
        name: point_ious(one.network, one.test.fields, one.test_inputs, POINTS)
        for name, one in (("ours", ours), ("ablation", ablation))
    }
    points = uniform_points(POINTS, ctx.rng("judged points"))
    rows |= _baselines(ctx, ours, points)
    ctx.metric("iou_val", stats.mean(rows["ours"]), "", method=f"{len(rows['ours'])} held-out chairs, {_spent(ours)}")
    ctx.metric(
        "iou_val_without_cbn", stats.mean(rows["ablation"]), "", method=f"code added at the input, {_spent(ablation)}"
    )
    ctx.metric("iou_val_retrieval", stats.mean(rows["retrieval"]), "", method="nearest training chair by Chamfer-L1")
    ctx.metric("iou_val_splat", stats.mean(rows["splat"]), "", method="points counted, blurred, cut; tuned on training")
    for name, other in (("retrieval", "retrieval"), ("splat", "splat"), ("cbn", "ablation")):
        gain = np.array(rows["ours"]) - np.array(rows[other])
        ctx.metric(f"iou_val_minus_{name}" if name != "cbn" else "iou_gain_of_cbn", stats.mean(gain.tolist()), "")
    return {"curves": {"conditional norm": _curve(ours), "code at the input": _curve(ablation)}}


def _baselines(ctx: Context[Any], one: Trained, points: Any) -> dict[str, list[float]]:
    """IoU of retrieval and splat; every method sees 300 noisy points of the same surfaces."""
    from ml.occnet.baselines import Splat, retrieval_ious
    from ml.occnet.train import iou

    rng = ctx.rng("clouds")
    seen = list(one.test_inputs(np.arange(len(one.test)), rng).numpy())
    training = list(one.inputs(np.arange(len(one.train)), rng).numpy())
    splat = Splat().fit(training[:60], one.train.fields[:60], points[:4096])
    splats = [iou(f(points) > 0, splat.filled(c, points)) for f, c in zip(one.test.fields, seen, strict=True)]
    return {"retrieval": retrieval_ious(seen, one.test.fields, training, one.train.fields, points), "splat": splats}


def others(ctx: Context[Any], progress: Any) -> None:
    """Voxels and pictures of generated shapes, held out."""
    from ml.occnet.train import point_ious

    for study, name in ((studies.GRIDS, "iou_voxels_solids"), (studies.IMAGES, "iou_image_solids")):
        one = studies.trained(study, Path(ctx.config.train_dir), progress)
        found = point_ious(one.network, one.test.fields, one.test_inputs, POINTS)
        ctx.metric(name, stats.mean(found), "", method=f"{len(found)} held-out shapes, {_spent(one)}")


def shortened(study: Study, epochs: int, hidden: int) -> Study:
    """The study of a smaller profile."""
    recipe = replace(study.recipe, epochs=epochs, judge_every=epochs)
    return replace(study, recipe=recipe, hidden=hidden, c_dim=hidden)


def have(name: str = CHAIRS) -> bool:
    """Whether a data set is on this machine."""
    from ml.common.data import UnreachableError, load

    try:
        load(name, download=False)
    except UnreachableError:
        return False
    return True


def _spent(one: Trained) -> str:
    return f"one training of {one.result.cpu_s:.0f} CPU seconds"


def _curve(one: Trained) -> list[list[float]]:
    """(epoch, IoU) of every judgement."""
    return [[row["epoch"] + 1, row["val"]] for row in one.result.history]
