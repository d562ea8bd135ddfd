"""Figures of a run: one style, saved as PNG and SVG with equal bytes for equal content."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benches.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = Path(__file__).with_name("hwsim.mplstyle")


@contextmanager
def figure(path: Path, width: float = 6.4, height: float = 4.0) -> Iterator[Figure]:
    """A matplotlib figure (Agg, no display) that is saved as `path`.png and `path`.svg on leaving.

    `width` and `height` are in inches. Nothing is saved when the block raises.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(fname=STYLE):
        drawn = Figure(figsize=(width, height))
        FigureCanvasAgg(drawn)
        yield drawn
        for suffix, facts in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
            buffer = io.BytesIO()
            drawn.savefig(buffer, format=suffix, metadata=facts)
            write_atomic(path.with_name(f"{path.name}.{suffix}"), buffer.getvalue())
