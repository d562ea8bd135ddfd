"""Event counts of a simulation: a plain mapping from event name to a non-negative integer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hwsim.ir.errors import UsageError


class Counters(Mapping[str, int]):
    """Read-only event counts; counts of two runs add up.

    Example:
        >>> from hwsim.core.counters import Counters
        >>> Counters(lookups=3) + Counters(lookups=4, adder_terms=1)
        Counters(lookups=7, adder_terms=1)
    """

    def __init__(self, **events: int) -> None:
        for name, count in events.items():
            if count < 0:
                raise UsageError.of(f"counter {name}", count, "0 or more", "Count events, not differences.")
        self._events = {name: int(count) for name, count in events.items()}

    def __getitem__(self, name: str) -> int:
        return self._events[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._events)

    def __len__(self) -> int:
        return len(self._events)

    def __add__(self, other: Mapping[str, int]) -> Counters:
        names = list(dict.fromkeys([*self, *other]))
        return Counters(**{name: self.get(name, 0) + other.get(name, 0) for name in names})

    def __repr__(self) -> str:
        return f"Counters({', '.join(f'{name}={count}' for name, count in self.items())})"
