"""Encodings by search: error by number of wide bits, one search run again, and the paper's own method beside it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benches.runner import Context
from hwsim.encodingnet.accuracy import product_error
from hwsim.encodingnet.encodings import booth, truncated
from hwsim.encodingnet.library import find, names, recipe, shipped
from hwsim.encodingnet.recoded import recoded
from hwsim.ir import io
from hwsim.ir.encoding import Encoding

BITS = (32, 40, 48, 52, 56, 64)
Lines = dict[str, list[list[float]]]


def measure(ctx: Context[Any], progress: Any) -> Lines:
    """Errors of what ships; a search that must give the shipped bytes again; the lines of the picture."""
    for m in BITS:
        plain, (name, best) = product_error(shipped(f"uniform-m{m}")), best_of(m)
        error = product_error(best)
        method = (
            f"all pairs, uniform operands; best of at most {m} wide bits: {name}; gates of ≤ 3 inputs {plain.rmse:.4g}"
        )
        if (two := f"uniform-m{m}-d2") in names():
            method += f", with at most two signed digits {product_error(shipped(two)).rmse:.4g}"
        ctx.metric(f"rmse_8x8_m{m}", error.rmse, "", n=1 << 16, method=method)
        ctx.metric(f"relmax_8x8_m{m}", 100 * error.max_relative, "%", n=1 << 16, method=name)
        ctx.metric(f"rmse_8x8_m{m}_3_inputs", plain.rmse, "", n=1 << 16, method=f"uniform-m{m}, searched")
        ctx.metric(f"relmax_8x8_m{m}_3_inputs", 100 * plain.max_relative, "%", n=1 << 16, method=f"uniform-m{m}")
    for m in (8, 12):
        rmse = product_error(shipped(f"small-m{m}")).rmse
        ctx.metric(f"rmse_4x4_m{m}", rmse, "", n=256, method="all pairs, uniform operands, gates of at most 4 inputs")
    levels = product_error(shipped("levels-m32")).rmse
    ctx.metric("rmse_nonuniform_m32", levels, "", n=1 << 16, method="sinh-spaced levels of −127…127 on both sides")
    progress(1, 2, "what ships")
    if ctx.config.research:
        _again(ctx, ctx.config.research)
    return _lines()


def best_of(m: int) -> tuple[str, Encoding]:
    """The 8 × 8 encoding with at most `m` wide bits and the smallest uniform error: searched, or Booth's."""
    some = [name for name in names() if name.startswith(("uniform-", "recoded-")) and shipped(name).n_bits <= m]
    known = [(name, shipped(name)) for name in some] + [("Booth", booth(8, 8))] * (m >= booth(8, 8).n_bits)
    return min(known, key=lambda pair: product_error(pair[1]).rmse)


def _again(ctx: Context[Any], name: str) -> None:
    """Search for a shipped encoding again."""
    start = time.process_time()
    found = find(name)
    seconds = time.process_time() - start
    same = float(io.artifact_id(found) == io.artifact_id(shipped(name)))
    ctx.metric("search_again_equal", same, "", method=f"{name} searched again, byte for byte")
    ctx.metric(
        "search_seconds", seconds, "s", method=f"CPU seconds of {name}, {recipe(name).rounds} rounds, one thread"
    )


def _lines() -> Lines:
    """(M, RMSE) by method, uniform operands."""
    lines: Lines = {
        "truncated partial products": [[e.n_bits, product_error(e).rmse] for e in _truncations()],
        "truncated Booth": [
            [e.n_bits, product_error(e).rmse] for e in (booth(8, 8, c, fraction=4) for c in range(1, 9))
        ],
        "recoded, moving bits": [
            [int((~e.stationary).sum()), product_error(e).rmse]
            for e in (recoded(8, 8, c, fit="stationary") for c in range(1, 9))
        ],
    }
    for label, start in (("searched, ≤ 3 inputs", "uniform-m"), ("searched with recoded bits", "recoded-m")):
        kept = [name for name in names() if name.startswith(start) and "-d" not in name]
        lines[label] = [[shipped(name).n_bits, product_error(shipped(name)).rmse] for name in kept]
    return lines


def _truncations() -> list[Any]:
    return [truncated(8, 8, c, fit="weights") for c in range(2, 9)]


def genetic(ctx: Context[Any]) -> None:
    """The paper's genetic search for a while, beside ours of the same size."""
    from hwsim.encodingnet.search.cgp import CgpSpec, cgp

    spec = CgpSpec(n_bits=48, seed=ctx.seed)
    start = time.process_time()
    best = cgp(spec, ctx.config.generations)
    seconds = time.process_time() - start
    error = product_error(best.encoding)
    method = f"M = 48, {best.generations} generations of {spec.offspring}, {seconds:.0f} CPU s; ours {_ours(48):.4g}"
    ctx.metric("rmse_8x8_m48_genetic", error.rmse, "", method=method)


def _ours(m: int) -> float:
    return float(np.round(product_error(shipped(f"uniform-m{m}")).rmse, 4))
