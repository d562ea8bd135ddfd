"""Where a LUT network is cut by pipeline registers, and what its ports look like.

NeuraLUT (FPL 2024) registers every layer's input and leaves the last layer combinational; that is
``NeuralutArch()``. Boundary b lies before layer b; boundary L lies after the last of L layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hwsim.ir.errors import UsageError


@dataclass(frozen=True)
class NeuralutArch:
    """Register placement and port style of a LUT-network pipeline.

    Attributes:
        register_every: k ≥ 1, a register at boundaries 0, k, 2k, … below L (0 as `register_input` says).
        register_input: keep the register at boundary 0.
        register_output: add a register at boundary L.
        ports: ``"plain"`` = codes in, codes out, one sample every cycle, no handshake; ``"stream"`` =
            Amaranth streams (payload, valid, ready): the whole pipeline advances when its output slot is
            empty or taken, so one stalled sample stalls all of them.
    """

    register_every: int = 1
    register_input: bool = True
    register_output: bool = False
    ports: Literal["plain", "stream"] = "plain"

    def __post_init__(self) -> None:
        if self.register_every < 1:
            raise UsageError.of("register_every", self.register_every, "1 or more", "Register every k layers.")
        if self.ports not in ("plain", "stream"):
            raise UsageError.of("ports", repr(self.ports), "'plain' or 'stream'", "Choose one of them.")

    def boundaries(self, n_layers: int) -> tuple[int, ...]:
        """Boundaries that hold a register, in order; at least one in stream form.

        A stream without any register would tie ready to valid combinationally, so it gets boundary L.
        """
        cut = [b for b in range(0, n_layers, self.register_every) if b or self.register_input]
        if self.register_output or (self.ports == "stream" and not cut):
            cut.append(n_layers)
        return tuple(cut)

    def latency(self, n_layers: int) -> int:
        """Clock edges from the cycle that presents a sample to the first cycle that shows its result."""
        return len(self.boundaries(n_layers))
