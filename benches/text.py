"""Tables for the terminal: plain aligned text, coloured only where a terminal shows it."""

from __future__ import annotations

import os
import sys
import unicodedata
from collections.abc import Sequence

_COLOURS = {
    "reproduced": 32,
    "met": 32,
    "found": 32,
    "trend only": 33,
    "not reproduced": 31,
    "missed": 31,
    "missing": 31,
    "not comparable": 2,
    "not run": 2,
    "not measured": 2,
}


def width(text: str) -> int:
    """Columns that `text` takes in a terminal."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def coloured(text: str) -> str:
    """`text` in the colour of the verdict or state that it is, on a terminal without ``NO_COLOR``."""
    code = _COLOURS.get(text.strip())
    if code is None or not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns under underlined heads; the last column is never padded."""
    widths = [max(width(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [_line(head, widths), _line(["─" * w for w in widths], widths)]
    lines += [_line(row, widths) for row in rows]
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (w - width(cell)) for cell, w in zip(cells, widths, strict=True)]
    return "  ".join(coloured(cell) for cell in padded).rstrip()


def clipped(text: str, columns: int) -> str:
    """`text` cut to `columns` with an ellipsis."""
    return text if width(text) <= columns else text[: max(1, columns - 1)].rstrip() + "…"
