"""Round-robin arbitration: a description that both decides in software and is built."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwsim.ir.errors import UsageError, check_shape


@dataclass(frozen=True)
class RoundRobin:
    """Who is served: the first requester after the one served last, in cyclic order; after reset requester 0 first.

    Attributes:
        n: requesters, 1 or more.

    Raises:
        UsageError: n below 1.
    """

    n: int

    def __post_init__(self) -> None:
        if self.n < 1:
            raise UsageError.of("round-robin requesters", self.n, "1 or more", "Give at least one.")

    def reference(self, requests: np.ndarray) -> np.ndarray:
        """Index served in each cycle, −1 for none: int64 [cycles] for bool [cycles, n]."""
        check_shape("requests", np.shape(requests), "[cycles, n]", (None, self.n))
        last, served = self.n - 1, []
        for row in np.asarray(requests, dtype=bool):
            order = [(last + 1 + i) % self.n for i in range(self.n)]
            chosen = next((i for i in order if row[i]), -1)
            last = chosen if chosen >= 0 else last
            served.append(chosen)
        return np.array(served, dtype=np.int64)

    def create(self) -> RoundRobinArbiter:
        """The hardware of this description."""
        return RoundRobinArbiter(self)


class RoundRobinArbiter(wiring.Component):
    """Round-robin arbiter; grants in the same cycle, remembers at the clock edge.

    Ports:
        requests: In(n).   next: In(1), the grant of this cycle is used, so the turn moves on.
        index: Out(range(n)), who is granted.   valid: Out(1), somebody is.
    """

    def __init__(self, parameters: RoundRobin) -> None:
        self.parameters = parameters
        n = parameters.n
        super().__init__({"requests": In(n), "next": In(1), "index": Out(range(max(2, n))), "valid": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m, n = Module(), self.parameters.n
        last = Signal(range(max(2, n)), init=n - 1)
        m.d.comb += self.valid.eq(self.requests.any())
        # later assignments win: first the wrapped-around requesters, then those after the last one, nearest last
        for i in reversed(range(n)):
            with m.If(self.requests[i]):
                m.d.comb += self.index.eq(i)
        for i in reversed(range(1, n)):
            with m.If(self.requests[i] & (last < i)):
                m.d.comb += self.index.eq(i)
        with m.If(self.valid & self.next):
            m.d.sync += last.eq(self.index)
        return m
