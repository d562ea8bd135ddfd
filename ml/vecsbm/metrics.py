"""How well two labellings agree, whatever their numbers."""

from __future__ import annotations

import numpy as np

from hwsim.ir.errors import ShapeError


def _both(found: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.asarray(found), np.asarray(truth)
    if a.shape != b.shape or a.ndim != 1:
        raise ShapeError.of("labels to compare", [list(a.shape), list(b.shape)], "two equal [n]", "Compare one graph.")
    return a, b


def nmi(found: np.ndarray, truth: np.ndarray) -> float:
    """Mutual information divided by the larger entropy (the `aricode` package's NMI, which the paper uses), 0…1.

    Raises:
        ShapeError: labellings of different lengths.
    """
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(*_both(found, truth), average_method="max"))


def matched(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """`found` renumbered so that most nodes agree with `truth` (Hungarian algorithm).

    Raises:
        ShapeError: labellings of different lengths.

    Example:
        >>> import numpy as np
        >>> from ml.vecsbm import matched
        >>> matched(np.array([1, 1, 0, 0]), np.array([0, 0, 1, 0])).tolist()
        [0, 0, 1, 1]
    """
    from scipy.optimize import linear_sum_assignment

    a, b = _both(found, truth)
    k = int(max(a.max(initial=0), b.max(initial=0))) + 1
    table = np.zeros((k, k), np.int64)
    np.add.at(table, (a, b), 1)
    return linear_sum_assignment(-table)[1][a]


def accuracy(found: np.ndarray, truth: np.ndarray) -> float:
    """Share of nodes that agree after `matched`."""
    return float((matched(found, truth) == np.asarray(truth)).mean())
