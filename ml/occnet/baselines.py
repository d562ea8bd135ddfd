"""What a network has to beat on point clouds: the nearest training shape, and the points themselves, blurred."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.occnet.fields import BOX, Field
from ml.occnet.train import iou

SIDE = 32  # cells of the distance grids and of the splats
BLURS, QUANTILES = (0.7, 1.0, 1.5), (0.02, 0.04, 0.06, 0.08, 0.12, 0.16, 0.24)
Cloud = NDArray[Any]


def _cells(points: Cloud) -> tuple[NDArray[np.int64], ...]:
    """Cell of every point [n, 3], as an index into a grid."""
    index = np.clip((points / BOX + 0.5) * SIDE, 0, SIDE - 1).astype(np.int64)
    return index[:, 0], index[:, 1], index[:, 2]


def _distances(cloud: Cloud) -> NDArray[np.float32]:
    """Distance of every cell to the cloud's nearest cell, in the box's units."""
    from scipy.ndimage import distance_transform_edt

    empty = np.ones((SIDE,) * 3, bool)
    empty[_cells(cloud)] = False
    return (distance_transform_edt(empty) * (BOX / SIDE)).astype(np.float32)


def nearest_shapes(clouds: list[Cloud], training: list[Cloud]) -> list[int]:
    """For every cloud [n, 3] the training cloud with the least Chamfer-L1, on a grid of 32 cells.

    >>> a, b = np.zeros((5, 3)), np.full((5, 3), 0.4)
    >>> nearest_shapes([b + 0.01, a], [a, b])
    [1, 0]
    """
    of_training = [_distances(c) for c in training]
    chosen = []
    for cloud in clouds:
        mine, at = _distances(cloud), _cells(cloud)
        scores = [d[at].mean() + mine[_cells(c)].mean() for d, c in zip(of_training, training, strict=True)]
        chosen.append(int(np.argmin(scores)))
    return chosen


def retrieval_ious(
    clouds: list[Cloud], fields: list[Field], training: list[Cloud], training_fields: list[Field], points: Cloud
) -> list[float]:
    """IoU of every shape with its nearest training shape, at `points` [n, 3]."""
    chosen = nearest_shapes(clouds, training)
    return [iou(f(points) > 0, training_fields[k](points) > 0) for f, k in zip(fields, chosen, strict=True)]


class Splat:
    """A cloud counted in cells and blurred; filled where it exceeds a quantile of the grid.

    `fit` chooses blur and quantile by the mean IoU over training shapes.
    """

    def __init__(self, blur: float = 1.0, share: float = 0.06) -> None:
        self.blur, self.share = blur, share

    def filled(self, cloud: Cloud, points: Cloud) -> NDArray[np.bool_]:
        """Occupancy at `points`."""
        from scipy.ndimage import gaussian_filter

        counts = np.zeros((SIDE,) * 3, np.float32)
        np.add.at(counts, _cells(cloud), 1)
        smooth = gaussian_filter(counts, self.blur)
        return smooth[_cells(points)] > np.quantile(smooth, 1 - self.share)

    def fit(self, clouds: list[Cloud], fields: list[Field], points: Cloud) -> Splat:
        """The best of `BLURS` × `QUANTILES`."""
        truth = [f(points) > 0 for f in fields]
        best = -1.0
        for blur in BLURS:
            for share in QUANTILES:
                tried = Splat(blur, share)
                score = float(np.mean([iou(t, tried.filled(c, points)) for t, c in zip(truth, clouds, strict=True)]))
                if score > best:
                    best, self.blur, self.share = score, blur, share
        return self
