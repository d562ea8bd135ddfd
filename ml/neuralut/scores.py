"""Class scores from the output codes, with the hardware's tie rule in the training loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def margin_loss(model: Any, scores: Tensor, labels: Tensor, *, margin: float) -> Tensor:
    """Cross-entropy after taking `margin` steps of the output code from the right class's score.

    Additive-margin softmax (Wang et al., 2018): a right class that only ties is not right enough yet.
    """
    step = (model.quantisers[-1].scale * model.out_weight).abs().detach()
    handicap = functional.one_hot(labels, scores.shape[1]) * (margin * step)
    return functional.cross_entropy(scores - handicap, labels)


def class_scores(q: Tensor, offset: Tensor, weight: Tensor, quantise: Any, votes: int = 0) -> Tensor:
    """Scores [batch, classes] = (q + b)·|w| − tie of the output values q [classes, batch] (paper section III-B).

    |w| keeps the order of the codes: the circuit drops this map and compares codes.

    Codes have few levels, so that two classes often share the highest one; hardware then takes the lower
    index. Training with equal scores does not know that: of a sample's tied classes each is as good as the
    other. Here class k is handicapped by k/classes of one step, which never changes which code is highest,
    only who wins a tie; the loss sees what the circuit does. In evaluation the scores' argmax is the circuit's.
    """
    if votes:  # q [classes·votes, batch]: a class's value is the sum of its one-bit values
        q = q.reshape(-1, votes, q.shape[1]).sum(1)
    classes = q.shape[0]
    step = (quantise.scale * weight).abs().detach()
    handicap = step * torch.arange(classes, device=q.device, dtype=q.dtype) / classes
    return ((q + offset) * weight.abs() - handicap[:, None]).t()
