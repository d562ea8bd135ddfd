"""Print each rate in the units that the project talks about."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    session = getattr(terminalreporter.config, "_benchmarksession", None)
    rows = [(b.name, b.extra_info) for b in session.benchmarks if "samples_per_s" in b.extra_info] if session else []
    if rows:
        terminalreporter.section("rates (best of the rounds)")
    for name, info in rows:
        rate, per_lookup = info["samples_per_s"], info["ns_per_lookup"]
        terminalreporter.write_line(f"{name:36s} {rate / 1e6:10.3f} M samples/s {per_lookup:10.4f} ns a lookup")
