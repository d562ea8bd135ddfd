"""A function of one value that the array's vector unit reads from one table."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


class Elementwise(nn.Module):
    """Any function, element by element; in hardware one table, however many steps it is made of.

    Example:
        >>> import torch
        >>> Elementwise(lambda x: torch.exp(5 * torch.tanh(x / 5)))(torch.zeros(1)).tolist()
        [1.0]
    """

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """function(x)."""
        return self.function(x)
