"""One self-contained HTML page: the EDC curves, AOC beside the published tables, and generated faces by quality."""

from __future__ import annotations

import base64
import io
import tomllib
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from benches.files import write_atomic
from benches.runner import Context
from benches.sddfiqa.study import FMR_NAMES, METHODS

PUBLISHED = Path(__file__).with_name("published.toml")
_CSS = """body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#222}
img{max-width:100%} table{border-collapse:collapse;margin:.8rem 0} td,th{padding:.15rem .7rem;text-align:right}
td:first-child,th:first-child{text-align:left} tr{border-bottom:1px solid #ddd}
.faces{display:flex;flex-wrap:wrap;gap:6px}
figure{margin:0;text-align:center;font-size:11px} figure img{width:64px;height:64px;image-rendering:pixelated}
.note{color:#666}"""


def write(ctx: Context[Any], cases: list[dict[str, Any]], chips: np.ndarray, quality: np.ndarray, kind: Any) -> None:
    """Write ``faces.html`` into the run's folder: `cases` as `study.measure` returns them, with their plot's name."""
    body = ["<h1>SDD-FIQA: what is lost when bad faces are kept</h1>"]
    for case in cases:
        picture = (ctx.folder / "plots" / f"{case['plot']}.png").read_bytes()
        body += [f"<h2>{escape(case['title'])}, judged by {escape(case['judge'])}</h2>", _image(picture, "EDC curves")]
        body.append(_areas(case["aoc"]))
    body += ["<h2>Generated faces by predicted quality, low to high</h2>", _gallery(chips, quality, kind), _published()]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>SDD-FIQA</title>'
        f"<style>{_CSS}</style></head><body>{''.join(body)}</body></html>\n"
    )
    path = ctx.folder / "faces.html"
    write_atomic(path, page)
    ctx.file(path, "other", "EDC curves, AOC, and generated faces by quality on one page.")


def published() -> dict[str, Any]:
    """The paper's AOC on its own data."""
    return tomllib.loads(PUBLISHED.read_text(encoding="utf-8"))


def _image(content: bytes, text: str) -> str:
    return f'<img alt="{escape(text)}" src="data:image/png;base64,{base64.b64encode(content).decode()}">'


def _table(head: list[str], rows: list[list[str]]) -> str:
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return f"<table><tr>{cells}</tr>{''.join(lines)}</table>"


def _areas(aoc: dict[str, list[list[float]]]) -> str:
    rows = [[METHODS[m], *(f"{v:.3f} [{low:.3f}, {high:.3f}]" for v, low, high in found)] for m, found in aoc.items()]
    return _table(["AOC, 95 % over identities", *FMR_NAMES.values()], rows)


def _gallery(chips: np.ndarray, quality: np.ndarray, kind: Any) -> str:
    from PIL import Image

    shown = []
    for i in np.argsort(quality)[np.linspace(0, len(quality) - 1, 84).round().astype(int)]:
        buffer = io.BytesIO()
        Image.fromarray(chips[i]).save(buffer, "PNG")
        text = f"{quality[i]:.0f}<br>{escape(str(kind[i]))}"
        shown.append(f"<figure>{_image(buffer.getvalue(), 'a generated face')}<figcaption>{text}</figcaption></figure>")
    return f'<div class="faces">{"".join(shown)}</div>'


def _published() -> str:
    facts = published()
    rows = [[row["method"], *(f"{v:.4f}" for v in row["lfw"]), f"{row['adience']:.4f}", f"{row['ijbc']:.4f}"]
            for row in facts["aoc"]]  # fmt: skip
    head = ["method", "LFW 1e-2", "1e-3", "1e-4", "average", "Adience", "IJB-C"]
    return f'<h2>Published, on other data</h2><p class="note">{escape(facts["note"])}</p>{_table(head, rows)}'
