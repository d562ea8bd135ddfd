"""Rival estimates of face quality: sharpness, embedding length, robustness of the embedding, pair confidence.

| here | after | differs in |
|---|---|---|
| `laplacian` | variance of the Laplacian (Pech-Pacheco et al. 2000) | – |
| `embedding_norm` | length before normalisation, as MagFace uses it | the recogniser was not trained for it |
| `ser_fiq` | SER-FIQ (Terhörst et al., CVPR 2020) | dropout before the last layer only, as its fast variant |
| `pair_confidence` | PCNet (Xie et al., BMVC 2020) | a head on embeddings; min of both qualities meets the similarity |
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.common.seed import numpy_generator, torch_generator
from ml.sddfiqa.labels import gallery
from ml.sddfiqa.quality import Regression, fit
from ml.sddfiqa.recognise import check_chips


def laplacian(chips: Any) -> np.ndarray:
    """Variance of the Laplacian of chips uint8 [n, side, side]; float64 [n].

    Example:
        >>> sharp = (np.indices((8, 8)).sum(0) % 2 * 200).astype(np.uint8)
        >>> laplacian(np.stack([sharp, np.full((8, 8), 9, np.uint8)])).round().tolist()
        [640000.0, 0.0]
    """
    x = check_chips(chips).astype(np.float64)
    inner = x[:, 1:-1, 1:-1]
    edges = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:] - 4 * inner
    return edges.reshape(len(x), -1).var(axis=1)


def embedding_norm(embeddings: Any) -> np.ndarray:
    """Length float64 [n] of embeddings [n, d] as the recogniser gives them."""
    return np.linalg.norm(np.asarray(embeddings, np.float64), axis=1)


@torch.no_grad()
def ser_fiq(net: Any, chips: Any, *, passes: int = 50, seed: int = 0) -> np.ndarray:
    """2·σ(−mean distance) of `passes` embeddings under dropout before the last layer; float64 [n].

    Args:
        net: a `ml.sddfiqa.facenet.FaceNet`.
        chips: uint8 [n, side, side].
    """
    features: Tensor = net.features(chips)
    generator = torch_generator(seed, "ser_fiq")
    share = net.dropout.p
    quality = []
    masks = (torch.rand(passes, features.shape[1], generator=generator) >= share) / (1 - share)
    for row in features:  # the same masks for every chip
        drawn = functional.normalize(net.last(row * masks))
        distance = torch.pdist(drawn).mean()
        quality.append(2 * torch.sigmoid(-distance))
    return torch.stack(quality).double().numpy()


def pair_confidence(
    head: nn.Module, embeddings: Any, identities: Any, *, seed: int = 0, pairs: int = 12, how: Regression | None = None
) -> nn.Module:
    """Train `head` on genuine pairs: min(q(a), q(b)) meets 100·⟨a, b⟩.

    Args:
        head: for example an `VectorHead`.
        pairs: genuine pairs drawn an image.
    """
    people = gallery(embeddings, identities)
    draw = numpy_generator(seed, "pairs")
    n = len(people.order)
    first = np.repeat(np.arange(n), pairs)
    other = draw.integers(0, people.size[first] - 1) + people.begin[first]
    other += other >= first
    scores = 100 * (people.features[first] * people.features[other]).sum(1)
    x = np.asarray(embeddings, np.float32)[people.order]
    both = np.stack((x[first], x[other]), axis=1)

    class Pair(nn.Module):
        """min of the head's answers to both; the head's own modules are trained."""

        def __init__(self) -> None:
            super().__init__()
            self.head = head

        def forward(self, two: Tensor) -> Tensor:
            return torch.minimum(self.head(two[:, 0]), self.head(two[:, 1]))

    fit(Pair(), both, scores, how or Regression(epochs=4, batch=512), seed=seed)
    return head.eval()
