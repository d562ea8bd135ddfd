"""Energy of counted events from published per-event figures (``hwsim/tech/*.toml``).

E = Σ_e count_e · energy_e over the events that have a figure with a source. An event without one is listed
as unpriced; it is never taken as zero. A figure scaled or borrowed from a near event carries low and high.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from hwsim.ir.errors import UsageError


@dataclass(frozen=True)
class EnergyEntry:
    """One event's energy.

    Attributes:
        event: counter name.
        energy_pj: picojoule an event; `low_pj` ≤ `energy_pj` ≤ `high_pj`.
        node: technology, for example ``"45 nm, 0.9 V"``.
        source: publication and place in it.
    """

    event: str
    energy_pj: float
    low_pj: float
    high_pj: float
    node: str
    source: str


@dataclass(frozen=True)
class Energy:
    """Energy of a run over its priced events.

    Attributes:
        total_pj, low_pj, high_pj: picojoule, priced events only.
        priced: the figure used for each priced event.
        unpriced: events that were counted but have no figure with a source.
    """

    total_pj: float
    low_pj: float
    high_pj: float
    priced: tuple[EnergyEntry, ...]
    unpriced: tuple[str, ...]


@cache
def technology(name: str) -> Mapping[str, EnergyEntry]:
    """The table ``hwsim/tech/<name>.toml``, by event.

    Raises:
        UsageError: no such table, or an entry without a source.

    Example:
        >>> from hwsim.core.energy import technology
        >>> technology("cmos45")["add_int8"].energy_pj
        0.03
    """
    folder = resources.files("hwsim.tech")
    known = sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))
    if name not in known:
        raise UsageError.of("technology", repr(name), f"one of {', '.join(known)}", "Add hwsim/tech/<name>.toml.")
    table = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
    entries = {}
    for event, fields in table.items():
        if not fields.get("source") or fields.get("unit") != "pJ":
            raise UsageError.of(f"{name}.toml entry {event}", fields, "unit 'pJ' and a source", "Name the source.")
        value = float(fields["value"])
        low, high = float(fields.get("low", value)), float(fields.get("high", value))
        entries[event] = EnergyEntry(event, value, low, high, fields["node"], fields["source"])
    return entries


SRAM_SIZES = {8: "cache_8kib_read64", 32: "cache_32kib_read64", 1024: "cache_1mib_read64"}  # KiB


def sram_read64(n_bytes: float) -> EnergyEntry:
    """One 64-bit access of an SRAM of `n_bytes` in 45 nm, by size.

    Linear in the size between the three published ones, as Lemaire et al. do (ICONIP 2022, "An analytical estimation of
    spiking neural networks energy efficiency"); the smallest figure below 8 KiB, and the last slope beyond 1 MiB. low
    and high are the two published figures around the size (below 8 KiB: 0 and that figure).

    Raises:
        UsageError: a size that is not above 0.

    Example:
        >>> from hwsim.core.energy import sram_read64
        >>> sram_read64(32 << 10).energy_pj, sram_read64(20 << 10).energy_pj, sram_read64(1 << 10).energy_pj
        (20.0, 15.0, 10.0)
    """
    if not n_bytes > 0:
        raise UsageError.of("SRAM size", n_bytes, "bytes above 0", "Give the size of the memory.")
    table, kib = technology("cmos45"), n_bytes / 1024
    known = [(size, table[name].energy_pj) for size, name in SRAM_SIZES.items()]
    (a, pj_a), (b, pj_b) = known[:2] if kib <= known[1][0] else known[1:]
    value = pj_a + max(0.0, (kib - a) / (b - a)) * (pj_b - pj_a)
    low, high = (0.0, pj_a) if kib < a else (pj_a, max(pj_b, value))
    source = "linear in size between 8 KiB, 32 KiB and 1 MiB of Horowitz, ISSCC 2014, figure 1.1.9"
    return EnergyEntry(f"sram_{kib:.4g}kib_read64", value, low, high, "45 nm, 0.9 V", source)


def energy_of(counts: Mapping[str, int], tech: str, events: Mapping[str, str]) -> Energy | None:
    """Energy of `counts` at technology `tech`, or None when no counted event has a figure; see `energy_of_entries`.

    Args:
        counts: events counted; those with count 0 are ignored.
        tech: name of a table in ``hwsim/tech``.
        events: counter name → entry of the table. Counters left out are unpriced.

    Example:
        >>> from hwsim.core.energy import energy_of
        >>> energy = energy_of({"adds": 100, "lookups": 5}, "cmos45", {"adds": "add_int8"})
        >>> round(energy.total_pj, 6), energy.unpriced
        (3.0, ('lookups',))
    """
    table = technology(tech)
    return energy_of_entries(counts, {name: table[entry] for name, entry in events.items() if entry in table})


def energy_of_entries(counts: Mapping[str, int], entries: Mapping[str, EnergyEntry]) -> Energy | None:
    """Energy of `counts` at these entries by counter name, or None when no counted event has one.

    Example:
        >>> from hwsim.core.energy import energy_of_entries, sram_read64
        >>> energy_of_entries({"reads": 3}, {"reads": sram_read64(32 << 10)}).total_pj
        60.0
    """
    counted = {name: count for name, count in counts.items() if count}
    priced = {name: entries[name] for name in counted if name in entries}
    if not priced:
        return None
    sums = [
        sum(counted[name] * getattr(entry, column) for name, entry in priced.items())
        for column in ("energy_pj", "low_pj", "high_pj")
    ]
    unpriced = tuple(name for name in counted if name not in priced)
    return Energy(sums[0], sums[1], sums[2], tuple(priced.values()), unpriced)
