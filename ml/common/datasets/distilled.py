"""jsc_distilled: jets drawn from a copula of 800 real ones and labelled by a published classifier.

A surrogate for hardware trade-offs where the full jet data can't be had. It is not JSC, and accuracies on it
do not compare with published ones: the labels are those of the KANELÉ tables, which are right for 78.4 % of
the 1000 real jets at hand.

1. Of the 1000 real jets, a stratified 200 are held out, with their true labels. 800 remain.
2. For each class, a Gaussian copula is fitted to the 800: with r_ij the rank of jet i in feature j among the n
   jets of the class, the normal scores are s_ij = Φ⁻¹((r_ij + ½)/n), scaled to Σ_i s_ij² = 1.
   A draw is z_j = Σ_i g_i s_ij with g ~ N(0, 1)ⁿ: standard normal, with the scores' correlations, singular ones
   (two of the 16 features are equal) included. u = Φ(z), and x_j is the class's empirical quantile of u_j,
   linear between ((r + ½)/n, sorted x) and constant beyond.
3. Each draw gets the label that the KANELÉ tables give it, whichever class it was drawn for.

| symbol | here |
|---|---|
| s | `scores` [n, 16] |
| g, z, u | `g`, `z`, `u` [batch, …] |
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from .dataset import Array, Dataset, Labels, Progress, stratified_indices
from .jets import CITATION, LICENCE, TABLES_CITATION, load_tables, load_test1000

N_TRAIN = 40_000
N_TEST = 10_000
REAL_TEST_FRACTION = 0.2
SEED = 0


def load_distilled(root: str | Path | None = None, progress: Progress | None = None) -> Dataset:
    """40 000 + 10 000 drawn jets with table labels; x float32 ``[n, 16]`` standardised like the real jets.

    Extras: ``x_test_real`` float32 ``[200, 16]``, ``y_test_real`` int64 ``[200]``: real jets with their true labels,
    seen neither by the copula nor by any training part; ``y_test_real_tables``: what the tables say about them.

    Raises:
        UnreachableError: the two files about real jets are not in `$HWSIM_DATA/jsc`.
        DataError: one of them is damaged.
    """
    real, tables = load_test1000(root, progress), load_tables(root, progress)
    x, y = np.asarray(real.x_test, np.float32), real.y_test
    fitted, held = stratified_indices(y, REAL_TEST_FRACTION, SEED)
    drawn = draw(x[fitted], y[fitted], N_TRAIN + N_TEST, np.random.default_rng(SEED))
    labels = classify(drawn, tables.extras)
    return Dataset(
        name="jsc_distilled",
        variant="jsc_distilled (Gaussian copula of 800 jets, KANELÉ labels; not JSC)",
        source=real.source,
        location=str(Path(real.location).parent),
        x_train=drawn[:N_TRAIN],
        y_train=labels[:N_TRAIN],
        x_test=drawn[N_TRAIN:],
        y_test=labels[N_TRAIN:],
        feature_names=real.feature_names,
        class_names=real.class_names,
        licence=f"jets: {LICENCE}; tables: {tables.licence}",
        citation=f"{CITATION}; {TABLES_CITATION}",
        sha256s={**real.sha256s, **tables.sha256s},
        extras={"x_test_real": x[held], "y_test_real": y[held], "y_test_real_tables": classify(x[held], tables.extras)},
    )


def draw(x: NDArray[np.float32], y: Labels, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw `n` samples from class-wise Gaussian copulas of x float32 ``[m, features]``, y ``[m]``, in random order.

    Classes come in proportion to `y`. Same `rng` state, same bytes.
    """
    labels, counts = np.unique(y, return_counts=True)
    edges = np.round(np.cumsum(counts) / len(y) * n).astype(int)
    sizes = np.diff(edges, prepend=0)
    parts = [_draw_class(x[y == label], int(size), rng) for label, size in zip(labels, sizes, strict=True)]
    return np.concatenate(parts)[rng.permutation(n)]


def _draw_class(x: NDArray[np.float32], size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    n = len(x)
    ranks = x.argsort(axis=0, kind="stable").argsort(axis=0, kind="stable")
    scores = ndtri((ranks + 0.5) / n)
    scores /= np.sqrt((scores**2).sum(axis=0))
    g = rng.standard_normal((size, n))
    z = np.zeros((size, x.shape[1]))
    for i in range(n):  # term by term, not as a matrix product, whose rounding depends on the BLAS
        z += g[:, i, None] * scores[i]
    u = ndtr(z)
    grid, ordered = (np.arange(n) + 0.5) / n, np.sort(x, axis=0)
    columns = [np.interp(u[:, j], grid, ordered[:, j]) for j in range(x.shape[1])]
    return np.stack(columns, axis=1).astype(np.float32)


def classify(x: Array, tables: Mapping[str, Array]) -> Labels:
    """Class of each jet by the KANELÉ tables: int64 ``[n]``.

    Args:
        x: standardised jets ``[n, 16]``.
        tables: the extras of `load("kanele_openml_tables")`.
    """
    from hwsim.interop.kanele import from_tables
    from hwsim.neuralut import simulate

    classes = simulate(from_tables(tables), np.asarray(x, np.float64), tech=None).classes
    assert classes is not None  # the network has five
    return classes
