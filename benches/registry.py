"""The papers: every `benches/<slug>/paper.toml`, read strictly into frozen structs.

The registry is the one list of papers: `hwsim list`, the tables of the README and of docs/results, the docs index and
the architecture test all come from it. More folders of papers can be named in ``HWSIM_PAPERS`` (separated as in
``PATH``); each holds ``<slug>/paper.toml`` and ``<slug>/bench.py``.

`python -m benches.registry --table` prints every claim beside our figure; `--check` says whether the pages are fresh.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from hwsim.ir.errors import HwsimError, UsageError

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent

Package = Literal["ml", "hwsim", "rtl", "benches"]
Direction = Literal["higher", "lower", "equal"]
ClaimKind = Literal["exact", "ratio", "trend", "bound"]
Profile = Literal["smoke", "quick", "full"]
Operator = Literal[">=", "<=", ">", "<", "=="]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_.]*$")]
Text = Annotated[str, msgspec.Meta(min_length=1)]
Size = Annotated[float, msgspec.Meta(ge=0)]

PROFILES: tuple[Profile, ...] = ("smoke", "quick", "full")


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One number or statement of the paper and how ours is held against it (`benches.verdicts`).

    Attributes:
        id: short name, unique in the paper.
        where: table, figure or section of the paper.
        text: the claim in words.
        metric: the metric of the run that answers it.
        unit: unit of `value`, `tolerance` and the metric.
        value: the paper's value; kind ``trend`` may leave it out.
        direction: which way is better; ``equal`` when only the same value will do.
        tolerance: in `unit`; for kind ``ratio`` relative to `value` (0.1 = ten percent).
        kind: ``exact`` a value, ``ratio`` one method over another, ``trend`` only the side of `baseline`
            counts, ``bound`` at least or at most `value`.
        baseline: the value that no effect at all would give; 1 for ratios, 0 for trends unless said.
        substitution: what stands in for the paper's data or tool.
    """

    id: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    where: Text
    text: Text
    metric: Name
    direction: Direction
    kind: ClaimKind
    value: float | None = None
    unit: str = ""
    tolerance: Size = 0.0
    baseline: float | None = None
    substitution: str = ""

    def __post_init__(self) -> None:
        if self.direction == "equal" and self.kind in ("trend", "bound"):
            raise ValueError(f"claim {self.id}: kind '{self.kind}' needs direction 'higher' or 'lower'")
        if self.value is None and self.kind != "trend":
            raise ValueError(f"claim {self.id}: kind '{self.kind}' needs a value")
        if self.kind == "ratio" and (self.value or 0) <= 0:
            raise ValueError(f"claim {self.id}: a ratio's value must be above 0, got {self.value}")


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a section or equation of the paper lives in the code (`target` = ``path/file.py:Name.method``)."""

    where: Text
    target: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_/.]+\.py:[A-Za-z_][A-Za-z0-9_.]*$")]
    what: str = ""


class Deviation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where we do otherwise than the paper, and why."""

    where: Text
    paper: Text
    ours: Text
    why: Text


class Bar(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A floor that a metric of ours has to reach: ``metric op value``, or ``metric op (metric `of`)``.

    Attributes:
        value, of: the bar as a number, or as the name of another metric of the same run; one of the two.
        aim: what would be better still.
        profile: the smallest profile whose measurement counts.
        interval: the figure's whole interval has to reach the bar, not its value alone.
    """

    metric: Name
    op: Operator
    value: float | None = None
    of: Name | None = None
    aim: float | None = None
    unit: str = ""
    profile: Profile = "quick"
    interval: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if (self.value is None) == (self.of is None):
            raise ValueError(f"bar {self.metric}: give either 'value' or 'of'")
        if self.interval and self.op == "==":
            raise ValueError(f"bar {self.metric}: an interval is never equal to one value")


class Paper(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One paper.toml; `slug` and `folder` come from where it lies."""

    title: Text
    authors: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    venue: Text
    year: Annotated[int, msgspec.Meta(ge=1900, le=2100)]
    summary: Text
    has: Annotated[tuple[Package, ...], msgspec.Meta(min_length=1)]
    arxiv: str = ""
    doi: str = ""
    claims: tuple[Claim, ...] = ()
    implements: tuple[Mapping, ...] = msgspec.field(default=(), name="map")
    deviations: tuple[Deviation, ...] = ()
    bars: tuple[Bar, ...] = ()
    slug: str = ""
    folder: str = ""

    def __post_init__(self) -> None:
        ids: list[str] = [claim.id for claim in self.claims]
        packages: list[str] = list(self.has)
        for what, names in (("claim id", ids), ("package in has", packages)):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{what} given twice: {', '.join(twice)}")
        if "benches" not in self.has:
            raise ValueError("has must name 'benches'")

    @property
    def has_rtl(self) -> bool:
        return "rtl" in self.has

    @property
    def link(self) -> str:
        """Address of the paper, or an empty string."""
        if self.arxiv:
            return f"https://arxiv.org/abs/{self.arxiv}"
        return f"https://doi.org/{self.doi}" if self.doi else ""

    def metric_units(self) -> dict[str, str]:
        """Unit of every metric that a claim or a bar names (bars without a unit say nothing)."""
        units = {bar.metric: bar.unit for bar in self.bars if bar.unit}
        return units | {claim.metric: claim.unit for claim in self.claims}


def paper_folders() -> list[Path]:
    """Folders whose subfolders are papers: this package, then those of ``HWSIM_PAPERS``."""
    extra = os.environ.get("HWSIM_PAPERS", "")
    return [HERE, *(Path(part).expanduser().resolve() for part in extra.split(os.pathsep) if part)]


def load(path: Path) -> Paper:
    """Read one paper.toml.

    Raises:
        UsageError: not TOML, an unknown, missing or wrong field; the message names file and field.
    """
    mend = "See docs/add-a-paper.md for every field."
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        if own := {"slug", "folder"} & table.keys():
            raise ValueError(f"field `{own.pop()}` is taken from the folder's name")
        own_fields = {"slug": path.parent.name, "folder": str(path.parent)}
        return msgspec.convert({**table, **own_fields}, Paper)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError.of(f"{path} cannot be read", error, "a TOML file", mend) from error
    except (msgspec.ValidationError, ValueError) as error:
        raise UsageError.of(f"{path} does not fit", _plain(error), "the fields of a paper", mend) from error


def _plain(error: Exception) -> str:
    """msgspec's message with ``$.claims[0]`` written as ``claims[0]``."""
    return re.sub(r"`\$\.?([^`]*)`", lambda m: f"`{m[1] or 'the top level'}`", str(error))


def papers() -> dict[str, Paper]:
    """All papers by slug, sorted; raises as `load`, and for one slug in two folders."""
    found: dict[str, Paper] = {}
    for folder in paper_folders():
        for path in sorted(folder.glob("*/paper.toml")):
            one = load(path)
            if one.slug in found:
                where = f"{found[one.slug].folder} and {one.folder}"
                raise UsageError.of(f"paper '{one.slug}' exists twice", where, "one folder a slug", "Rename one.")
            found[one.slug] = one
    return dict(sorted(found.items()))


def paper(slug: str) -> Paper:
    """The paper called `slug`.

    Raises:
        UsageError: no such paper; the message lists the slugs and the nearest one.
    """
    known = papers()
    if slug not in known:
        raise unknown("paper", slug, list(known))
    return known[slug]


def unknown(what: str, got: str, known: list[str]) -> HwsimError:
    """The error for a name that is not among `known`, with the nearest one as a hint."""
    near = difflib.get_close_matches(got, known, n=1, cutoff=0.5)
    hint = f"Did you mean '{near[0]}'?" if near else "Choose one of them."
    return UsageError.of(f"unknown {what}", repr(got), f"one of {', '.join(known) or '(none)'}", hint)


if __name__ == "__main__":
    from benches.table import main

    raise SystemExit(main())
