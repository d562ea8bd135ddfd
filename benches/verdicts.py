"""The rule that turns a paper's claim and our figure into a verdict.

Let v be the paper's value, t the tolerance (relative to v for kind ``ratio``), m our figure and [l, h] its
interval (m itself when there is none). The region that agrees with the claim is

    G = [v − t, ∞)      direction higher        (better than the paper agrees as well)
    G = (−∞, v + t]     direction lower
    G = [v − t, v + t]  direction equal

and the effect is present when m lies on the paper's side of the baseline b, proved when all of [l, h] does.

=============  ==========================  =========================================  ==================
kind           reproduced                  trend only                                 not reproduced
=============  ==========================  =========================================  ==================
exact, ratio   m in G, and the effect      m in G but [l, h] reaches b; or m outside  otherwise
               proved where b is given     G, effect proved; or m outside G, no b,
                                           and [l, h] reaches G
trend          effect proved               effect present but [l, h] reaches b        otherwise
bound          all of [l, h] in G          m in G but [l, h] leaves it                otherwise
=============  ==========================  =========================================  ==================

A figure that could not be measured for want of data or a tool is ``not comparable``; one that this profile
does not measure is ``not run``. A missing figure is never a zero.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping

from benches.registry import PROFILES, Bar, Claim, Profile
from benches.results import BarOutcome, BarState, ClaimOutcome, Metric, Verdict

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": lambda a, b: math.isclose(a, b, rel_tol=1e-9),  # 100 · 0.784 is not 78.4 in binary
}


def number(x: float | None) -> str:
    """A figure as people write it: four significant digits, thousands grouped, ``–`` for None.

    Example:
        >>> number(54798), number(0.12345), number(207123456.0), number(3.2e12)
        ('54 798', '0.1235', '207 123 456', '3.2·10^12')
    """
    if x is None:
        return "–"
    if not math.isfinite(x):
        return str(x)
    size = abs(x)
    if size >= 1e10 or 0 < size < 1e-4:
        mantissa, exponent = f"{x:.3e}".split("e")
        return f"{float(mantissa):g}·10^{int(exponent)}"
    if x == int(x):
        return f"{int(x):,}".replace(",", " ") if size >= 10_000 else str(int(x))
    if size >= 1000:
        digits = max(0, math.floor(math.log10(size)) - 3)
        return number(float(round(x, -digits)))
    return f"{x:.4g}"


def judge(claim: Claim, metric: Metric) -> tuple[Verdict, str]:
    """Verdict and reason for a figure that was measured."""
    m = metric.value
    low = m if metric.low is None else metric.low
    high = m if metric.high is None else metric.high
    return _RULES[claim.kind](claim, region(claim), m, low, high)


def region(claim: Claim) -> tuple[float, float]:
    """The values that agree with `claim`, as (lowest, highest)."""
    if claim.kind == "trend" or claim.value is None:
        edge = baseline_of(claim) or 0.0
        return (edge, math.inf) if claim.direction == "higher" else (-math.inf, edge)
    value = claim.value
    tolerance = claim.tolerance * abs(value) if claim.kind == "ratio" else claim.tolerance
    lowest = -math.inf if claim.direction == "lower" else value - tolerance
    highest = math.inf if claim.direction == "higher" else value + tolerance
    return lowest, highest


def said(claim: Claim) -> str:
    """The paper's side of `claim` in words, with unit."""
    unit = "" if claim.unit in ("", "1") else f" {claim.unit}"
    if claim.kind == "trend":
        side = f"{'above' if claim.direction == 'higher' else 'below'} {number(baseline_of(claim))}{unit}"
        return side if claim.value is None else f"{number(claim.value)}{unit} ({side})"
    word = {"higher": "at least ", "lower": "at most "}[claim.direction] if claim.kind == "bound" else ""
    return f"{word}{number(claim.value)}{unit}"


def baseline_of(claim: Claim) -> float | None:
    """The value of no effect, or None when the claim has none."""
    if claim.baseline is not None:
        return claim.baseline
    return {"ratio": 1.0, "trend": 0.0}.get(claim.kind)


def _side(claim: Claim, baseline: float) -> int:
    """+1 when the effect lies above the baseline, −1 below, 0 when the paper claims no effect."""
    if claim.kind == "trend":
        return 1 if claim.direction == "higher" else -1
    value = baseline if claim.value is None else claim.value
    return (value > baseline) - (value < baseline)


def _judge_value(claim: Claim, agrees: tuple[float, float], m: float, low: float, high: float) -> tuple[Verdict, str]:
    inside = agrees[0] <= m <= agrees[1]
    baseline = baseline_of(claim)
    side = 0 if baseline is None else _side(claim, baseline)
    if baseline is None or side == 0:  # nothing to call a trend: only agreement counts
        if inside:
            return "reproduced", _agrees(claim)
        if low <= agrees[1] and high >= agrees[0]:
            return "trend only", "outside the tolerance, but the interval reaches it"
        return "not reproduced", _misses(agrees, m)
    nearest = low if side > 0 else high
    proved = (nearest - baseline) * side > 0
    if inside and proved:
        return "reproduced", _agrees(claim)
    if inside:
        return "trend only", f"within the tolerance, but the interval reaches {number(baseline)} (no effect)"
    if proved:
        return "trend only", f"same side of {number(baseline)} as the paper; {_misses(agrees, m)}"
    return "not reproduced", f"no effect proved against {number(baseline)}; {_misses(agrees, m)}"


def _judge_trend(claim: Claim, agrees: tuple[float, float], m: float, low: float, high: float) -> tuple[Verdict, str]:
    baseline = baseline_of(claim) or 0.0
    side = _side(claim, baseline)
    word = "above" if side > 0 else "below"
    if ((low if side > 0 else high) - baseline) * side > 0:
        return "reproduced", f"{word} {number(baseline)}, as claimed"
    if (m - baseline) * side > 0:
        return "trend only", f"{word} {number(baseline)}, but the interval reaches it"
    return "not reproduced", f"not {word} {number(baseline)}"


def _judge_bound(claim: Claim, agrees: tuple[float, float], m: float, low: float, high: float) -> tuple[Verdict, str]:
    edge = agrees[0] if claim.direction == "higher" else agrees[1]
    word = "at least" if claim.direction == "higher" else "at most"
    if agrees[0] <= low and high <= agrees[1]:
        return "reproduced", f"{word} {number(edge)}"
    if agrees[0] <= m <= agrees[1]:
        return "trend only", f"{word} {number(edge)}, but the interval leaves the bound"
    return "not reproduced", f"not {word} {number(edge)}"


_Rule = Callable[[Claim, tuple[float, float], float, float, float], tuple[Verdict, str]]
_RULES: dict[str, _Rule] = {"exact": _judge_value, "ratio": _judge_value, "trend": _judge_trend, "bound": _judge_bound}


def _agrees(claim: Claim) -> str:
    better = "" if claim.direction == "equal" else ", or better"
    if not claim.tolerance:
        return f"equal to the paper{better}"
    if claim.kind == "ratio":
        return f"within {number(100 * claim.tolerance)} % of the paper{better}"
    unit = "" if claim.unit in ("", "1") else f" {claim.unit}"
    return f"within {number(claim.tolerance)}{unit} of the paper{better}"


def _misses(agrees: tuple[float, float], m: float) -> str:
    edge = agrees[0] if m < agrees[0] else agrees[1]
    return f"{number(abs(m - edge))} {'below' if m < agrees[0] else 'above'} what agrees ({number(edge)})"


def sign(op: str) -> str:
    """A bar's operator as it is printed."""
    return {">=": "≥", "<=": "≤", "==": "="}.get(op, op)


def claim_outcome(
    claim: Claim, metrics: Mapping[str, Metric], not_comparable: Mapping[str, str], profile: str
) -> ClaimOutcome:
    """`claim` beside the figure of this run; `not_comparable` maps claim ids to reasons."""
    metric = metrics.get(claim.metric)
    verdict: Verdict
    if claim.id in not_comparable:
        verdict, reason = "not comparable", not_comparable[claim.id]
    elif metric is None:
        verdict, reason = "not run", f"profile {profile} does not measure {claim.metric}"
    else:
        verdict, reason = judge(claim, metric)
    return ClaimOutcome(
        id=claim.id,
        where=claim.where,
        text=claim.text,
        metric=claim.metric,
        unit=claim.unit,
        paper=claim.value,
        said=said(claim),
        ours=metric.value if metric else None,
        low=metric.low if metric else None,
        high=metric.high if metric else None,
        verdict=verdict,
        reason=reason,
        substitution=claim.substitution,
        kept=metric.kept if metric else "",
    )


def bar_outcome(
    bar: Bar, metrics: Mapping[str, Metric], not_comparable: Mapping[str, str], profile: Profile
) -> BarOutcome:
    """Whether the figure of this run reaches `bar`; too small a profile leaves it ``not measured``.

    `not_comparable` maps metrics to the reason why they could not be measured.
    """
    metric = metrics.get(bar.metric)
    goal = metrics.get(bar.of) if bar.of else None
    limit = bar.value if bar.of is None else (goal.value if goal else None)
    note = bar.note
    too_small = PROFILES.index(profile) < PROFILES.index(bar.profile) and not (metric and metric.kept)
    state: BarState = "not measured"
    aim_met = None
    if metric and too_small:
        note = "; ".join(filter(None, [note, f"counts from profile {bar.profile} on"]))
    elif metric and limit is not None:
        meets = _OPERATORS[bar.op]
        judged = _judged(bar, metric)
        state = "met" if meets(judged, limit) else "missed"
        aim_met = None if bar.aim is None else meets(judged, bar.aim)
    elif bar.metric in not_comparable:
        note = "; ".join(filter(None, [note, not_comparable[bar.metric]]))
    return BarOutcome(
        metric=bar.metric,
        op=bar.op,
        bar=limit,
        ours=metric.value if metric else None,
        low=metric.low if metric else None,
        high=metric.high if metric else None,
        state=state,
        aim=bar.aim,
        aim_met=aim_met,
        unit=bar.unit or (metric.unit if metric else ""),
        profile=bar.profile,
        note=note,
        kept=metric.kept if metric else "",
    )


def _judged(bar: Bar, metric: Metric) -> float:
    """The value that has to reach the bar: the figure, or the unfavourable end of its interval."""
    end = metric.low if bar.op in (">=", ">") else metric.high
    return end if bar.interval and end is not None else metric.value
