"""Encodings that ship with the package: found by this project's searches, so that nothing has to be searched first.

`recipe(name)` says how each is found again; ``python -m hwsim.encodingnet.library NAME …`` searches and writes it. The
command stands in the artifact's ``meta["run"]``.

| names | operands | distribution | wide bits |
|---|---|---|---|
| ``uniform-m32`` … ``-m64`` | 8×8 signed | uniform | M gates of ≤ 3 inputs, real weights; ``-d2``: ≤ 2 signed digits |
| ``recoded-m24`` … ``-m32`` | 8×8 signed | uniform | M, bits of recoded weights among them; ``-d1``: powers of two |
| ``small-m8``, ``small-m12`` | 4×4 signed | uniform | M gates of ≤ 4 inputs |
| ``relu-m10`` … ``-m24`` | 8×8 signed, x ≥ 0 | `RELU` | M moving bits, powers of two; constants of the weight |
| ``levels-m32`` | 8×8, sinh-spaced levels | uniform | M gates of ≤ 3 inputs |
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from hwsim.encodingnet.encodings import exact
from hwsim.encodingnet.operands import gaussian, relu_gaussian
from hwsim.ir import io
from hwsim.ir.encoding import Encoding
from hwsim.ir.errors import UsageError

_DATA = Path(__file__).parent / "data"
RELU = (relu_gaussian, 40.0, gaussian, 32.0)  # x ~ ReLU N(0, 40), w ~ N(0, 32): the operands of the area–power goal
UNIFORM, RECODED, MOVING = (32, 40, 48, 52, 56), (24, 28, 32), (10, 12, 14, 16, 18, 20, 22, 24)


@dataclass(frozen=True)
class Recipe:
    """How an encoding is found again.

    Attributes:
        x_bits, w_bits, n_bits: a, b, M.
        library, recoded: the dictionary.
        rounds: of the iterated local search.
        digits: signed digits a position weight, 0 for real weights.
        relu: optimised for the operands `RELU`, functions of the weight alone free.
        levels: sinh-spaced levels instead of integers.
        activity_price: squared error that a unit of activity is worth.
    """

    x_bits: int = 8
    w_bits: int = 8
    n_bits: int = 64
    library: str = "3"
    recoded: bool = False
    rounds: int = 250
    digits: int = 0
    relu: bool = False
    levels: bool = False
    activity_price: float = 0.0


@cache
def recipes() -> dict[str, Recipe]:
    """Name → recipe of everything that ships."""
    found = {}
    for m in UNIFORM:
        found[f"uniform-m{m}"] = Recipe(n_bits=m, rounds=120)
        found[f"uniform-m{m}-d2"] = Recipe(n_bits=m, rounds=120, digits=2)
    found["uniform-m64"] = Recipe()
    for m in RECODED:
        found[f"recoded-m{m}"] = Recipe(n_bits=m, recoded=True, rounds=100)
        found[f"recoded-m{m}-d1"] = Recipe(n_bits=m, recoded=True, rounds=100, digits=1)
    for m in (8, 12):
        found[f"small-m{m}"] = Recipe(4, 4, m, "4", rounds=12)
    for m in MOVING:
        found[f"relu-m{m}"] = Recipe(n_bits=m, library="2", recoded=True, rounds=150, digits=1, relu=True)
    found["levels-m32"] = Recipe(n_bits=32, levels=True, rounds=40)
    return found


def names() -> tuple[str, ...]:
    """Names of the encodings that ship."""
    return tuple(sorted(path.name.removesuffix(io.SUFFIX) for path in _DATA.glob(f"*{io.SUFFIX}")))


def recipe(name: str) -> Recipe:
    """How the encoding called `name` is found.

    Raises:
        UsageError: no such name.
    """
    if name not in recipes():
        raise UsageError.of("unknown encoding", repr(name), f"one of {', '.join(sorted(recipes()))}", "Choose one.")
    return recipes()[name]


@cache
def shipped(name: str) -> Encoding:
    """The encoding called `name`.

    Raises:
        UsageError: no such encoding.

    Example:
        >>> shipped("small-m8").n_bits
        8
    """
    if name not in names():
        raise UsageError.of("unknown shipped encoding", repr(name), f"one of {', '.join(names())}", "Choose one.")
    return io.load_as(Encoding, _DATA / f"{name}{io.SUFFIX}")


def distributions(name: str) -> tuple[np.ndarray | None, np.ndarray | None]:
    """(p_x, p_w) that an encoding is made for; None stands for uniform."""
    if not recipe(name).relu:
        return None, None
    of_x, sigma_x, of_w, sigma_w = RELU
    return of_x(recipe(name).x_bits, sigma_x), of_w(recipe(name).w_bits, sigma_w)


def sinh_levels(bits: int, reach: float = 127.0, bend: float = 2.5) -> np.ndarray:
    """float64 [2^bits], rising: reach·sinh(bend·t) / sinh(bend) for t evenly spaced in −1…1, finer around zero."""
    return reach * np.sinh(bend * np.linspace(-1, 1, 1 << bits)) / np.sinh(bend)


def find(name: str, progress: Callable[[int, int, str], None] | None = None) -> Encoding:
    """Search again for the encoding called `name`: the same bytes as shipped.

    Raises:
        UsageError: no such name.
    """
    r = recipe(name)
    meta = {"run": f"python -m hwsim.encodingnet.library {name}", "name": name}
    if r.n_bits == r.x_bits * r.w_bits:
        e = exact(r.x_bits, r.w_bits)
        return replace(e, meta={**e.meta, **meta})
    encoding = _search(name, r, progress)
    if r.digits:
        encoding = _rounded(name, r, encoding)
    return replace(encoding, meta={**encoding.meta, **meta})


def _search(name: str, r: Recipe, progress: Callable[[int, int, str], None] | None) -> Encoding:
    """The search of a recipe, real weights."""
    from hwsim.encodingnet.search.exchange import SearchSpec, search

    p_x, p_w = distributions(name)
    levels = [sinh_levels(r.x_bits), sinh_levels(r.w_bits)] if r.levels else [None, None]
    spec = SearchSpec(
        r.x_bits, r.w_bits, r.n_bits, r.library, r.recoded, x_levels=levels[0], w_levels=levels[1], p_x=p_x, p_w=p_w,
        free_w=r.relu, activity_price=r.activity_price,
    )  # fmt: skip
    if r.library == "4":  # two steps: the large dictionary begins where the small one ends
        spec = replace(spec, starts=(search(replace(spec, library="3"), 600).encoding,))
    return search(spec, r.rounds, progress=progress).encoding


def _rounded(name: str, r: Recipe, encoding: Encoding) -> Encoding:
    """Few signed digits, and for stationary weights the constants again."""
    from hwsim.encodingnet.search.build import with_constants
    from hwsim.encodingnet.search.digits import with_few_digits

    p_x, p_w = distributions(name)
    if not r.relu:
        return with_few_digits(encoding, r.digits, fraction=2)
    return with_constants(with_few_digits(encoding, r.digits, p_x, p_w, free_w=True), p_x, p_w)


def main(wanted: list[str]) -> None:
    """Search for the named encodings, or all, and write them."""
    for name in wanted or sorted(recipes()):
        io.save(find(name), _DATA / f"{name}{io.SUFFIX}")


if __name__ == "__main__":
    main(sys.argv[1:])
