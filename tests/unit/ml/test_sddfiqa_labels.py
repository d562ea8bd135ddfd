"""SDD-FIQA's labels: against scipy and a plain loop, deterministic, and clear about bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr, wasserstein_distance

from hwsim.ir.errors import ShapeError, UsageError
from ml.sddfiqa import kernels, labels
from ml.sddfiqa.labels import all_pairs_labels, check_identities, draws_of, gallery, mean_gaps, sdd_labels

VALUES = st.lists(st.floats(-1, 1, allow_nan=False, width=32), min_size=1, max_size=30)


def people(n_people: int = 6, images: int = 30, d: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings whose noise differs an image, in a shuffled order."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(n_people), images)
    x = rng.normal(size=(n_people, d))[y] + rng.uniform(0.2, 3, (len(y), 1)) * rng.normal(size=(len(y), d))
    order = rng.permutation(len(y))
    return x[order], y[order]


@settings(max_examples=80, deadline=None)
@given(VALUES, VALUES)
def test_the_distance_of_sorted_samples_is_scipys(p: list[float], q: list[float]) -> None:
    ours = kernels.sorted_distance(np.sort(np.array(p)), np.sort(np.array(q)))
    assert ours == pytest.approx(wasserstein_distance(p, q), abs=1e-12)


@pytest.mark.parametrize("images", [30, 9])  # more and fewer than 24 mates
def test_every_round_is_scipys_distance_of_its_draws(images: int) -> None:
    x, y = people(images=images)
    made = sdd_labels(x, y, seed=5)
    assert made.distance.shape == (12, len(x))
    whole = gallery(x, y)
    for k in (0, 11):
        positives, negatives = draws_of(whole, 24, 5, k)
        for row in range(0, len(x), 11):
            f = whole.features[row]
            p = whole.features[positives[row][positives[row] >= 0]] @ f
            want = wasserstein_distance(p, whole.features[negatives[row]] @ f)
            assert made.distance[k, whole.order[row]] == pytest.approx(want, abs=1e-12)
            gap = p.mean() - (whole.features[negatives[row]] @ f).mean()
            assert made.means[k, whole.order[row]] == pytest.approx(gap, abs=1e-12)


def test_draws_are_mates_and_strangers_without_repeats() -> None:
    x, y = people(images=28)
    whole = gallery(x, y)
    own = y[whole.order]
    positives, negatives = draws_of(whole, 24, 1, 3)
    for row in range(len(x)):
        assert len({*positives[row], row}) == 25
        assert (own[positives[row]] == own[row]).all()
        assert len(set(negatives[row])) == 24
        assert (own[negatives[row]] != own[row]).all()


def test_every_mate_is_drawn_equally_often() -> None:
    # 27 mates, 24 drawn: share 24/27 each; over 400 rounds × 28 rows the 5-sigma width is 5·√(p(1−p)/11200) = 0.0149
    whole = gallery(*people(n_people=3, images=28))
    counts = np.zeros(84)
    for k in range(400):
        counts += np.bincount(draws_of(whole, 24, 2, k)[0][:28].ravel(), minlength=84)
    share = counts[:28] / (400 * 27)  # an image is no mate of its own
    assert np.abs(share - 24 / 27).max() < 0.0149


def test_rounds_are_stretched_then_averaged() -> None:
    x, y = people()
    made = sdd_labels(x, y)
    low, high = made.distance.min(1)[:, None], made.distance.max(1)[:, None]
    assert made.quality == pytest.approx((100 * (made.distance - low) / (high - low)).mean(0))
    assert 0 <= made.quality.min() < made.quality.max() <= 100


def test_seeds_threads_and_paths_of_similarities(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = people()
    one = sdd_labels(x, y, seed=3)
    assert np.array_equal(one.quality, sdd_labels(x, y, seed=3, threads=2).quality)
    assert not np.array_equal(one.quality, sdd_labels(x, y, seed=4).quality)
    monkeypatch.setattr(labels, "GEMM_LIMIT", 0)
    assert sdd_labels(x, y, seed=3).quality == pytest.approx(one.quality, abs=1e-9)
    assert spearmanr(one.quality, sdd_labels(x, y, seed=4).quality).statistic > 0.98


def test_labels_follow_the_images_whatever_their_order_and_length() -> None:
    x, y = people()
    made = all_pairs_labels(x, y)
    order = np.random.default_rng(1).permutation(len(x))
    again = all_pairs_labels(7 * x[order], np.array([f"p{k}" for k in y])[order])
    assert again.quality == pytest.approx(made.quality[order])


def test_all_pairs_are_scipys_distance_of_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = people(n_people=4, images=9)
    monkeypatch.setattr(labels, "_BLOCK_BYTES", 8 * len(x) * 5)  # blocks of five rows
    made = all_pairs_labels(x, y, threads=2)
    f = x / np.linalg.norm(x, axis=1, keepdims=True)
    s = f @ f.T
    for i in range(len(x)):
        mates, strangers = (y == y[i]) & (np.arange(len(x)) != i), y != y[i]
        assert made.distance[0, i] == pytest.approx(wasserstein_distance(s[i, mates], s[i, strangers]), abs=1e-12)
        assert made.means[0, i] == pytest.approx(s[i, mates].mean() - s[i, strangers].mean(), abs=1e-12)
    assert mean_gaps(gallery(x, y)).shape == (len(x),)


@pytest.mark.parametrize(
    ("x", "y", "options", "error", "message"),
    [
        (np.ones(4), [0, 1], {}, ShapeError, r"embeddings has the wrong shape: got \[4\], expected \[n, d\]"),
        (np.ones((4, 2)), [0, 1], {}, ShapeError, r"identities has the wrong shape: got \[2\]"),
        (np.array([[1, 0], [0, 0.0]]), [0, 0], {}, ShapeError, r"embedding 1: got length 0.0, expected a finite"),
        (np.array([[1, np.nan], [0, 1.0]]), [0, 0], {}, ShapeError, r"embedding 0: got length nan"),
        (np.eye(4), [0, 0, 1, 2], {}, UsageError, r"identity 1 \(and 1 more\): got one image, expected two or more"),
        (np.eye(4), [0, 0, 1, -1], {}, UsageError, r"unknown identity label: got label -1"),
        (np.eye(4), [0, 0, 1.5, 1.5], {}, UsageError, r"unknown identity label: got float64"),
        (np.eye(4), ["a", "a", "b", "x"], {"names": ["a", "b"]}, UsageError, r"unknown identity label: got 'x'"),
        (np.eye(4), ["a", "a", "b", "b"], {"names": ["a", "b", "c"]}, UsageError, r"identity 'c': got no image: an"),
        (np.eye(4), [0, 0, 0, 0], {}, UsageError, r"identities: got 1, expected two or more"),
        (np.eye(4), [0, 0, 1, 1], {}, UsageError, r"negatives of the largest identity: got 2, expected 24 or more"),
        (np.eye(4), [0, 0, 1, 1], {"rounds": 0}, UsageError, r"label rounds: got 0 of 24 pairs"),
        (np.ones((4, 2)), [0, 0, 1, 1], {"pairs": 2}, UsageError, r"distances of one round: got all equal"),
    ],
)  # fmt: skip
def test_bad_input(x: np.ndarray, y: list, options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        sdd_labels(x, y, **options)


def test_known_names_give_their_own_indices() -> None:
    assert check_identities(["b", "a", "b", "a"], 4, names=["b", "a"]).tolist() == [1, 0, 1, 0]
