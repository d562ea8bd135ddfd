"""Semantic search from text to silicon: what runs in which profile, in order.

smoke: the generated corpus, an index that is killed, RTL beside its model. quick adds Cranfield and CISI where they are
here, with the sentence transformer where that is installed and DiSAN's encoder, reviews, and graphs of 20 000 vectors.
full adds NFCorpus, 100 000 vectors and synthesis.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benches.runner import Context
from benches.semsearch import collections, disan, hardware, kill, opinions, plots, relevance, speed


@dataclass(frozen=True)
class Config:
    """What --set can change.

    Attributes:
        corpora: names, separated by spaces.   transformer: use the sentence transformer where it is installed.
        ann_sizes: vectors in the graphs; the last size is timed.   ann_queries: queries of them.
        kills: how often bulk indexing is killed.   kill_passages: passages of that index.
        reference_queries: queries that the array's outputs are checked with.   rtl_queries: runs of the RTL.
        opinions: judge reviews.   synthesis: LUTs, flip-flops and a placed clock.
        disan_task: sentence pairs that DiSAN's encoder is trained on; an empty text leaves it out.
        train_dir: where its training is kept and taken from.
    """

    corpora: str = "topics cranfield cisi"
    transformer: bool = True
    ann_sizes: tuple[int, ...] = (1000, 5000, 20_000)
    ann_queries: int = 200
    kills: int = 3
    kill_passages: int = 1000
    reference_queries: int = 8
    rtl_queries: int = 20
    opinions: bool = True
    synthesis: bool = False
    disan_task: str = "snli_small"
    train_dir: str = "build/train/semsearch"


PROFILES = {
    "smoke": Config(
        corpora="topics", transformer=False, ann_sizes=(500, 2000), ann_queries=50, kills=1, kill_passages=200,
        reference_queries=2, rtl_queries=4, opinions=False, disan_task="",
    ),
    "quick": Config(),
    "full": Config(
        corpora="topics cranfield cisi nfcorpus", ann_sizes=(1000, 3000, 10_000, 30_000, 100_000), ann_queries=400,
        kills=8, kill_passages=4000, reference_queries=24, rtl_queries=60, synthesis=True,
    ),
}  # fmt: skip


def run(ctx: Context[Config]) -> None:
    """Measure every claim and bar that this profile can."""
    found = collections.chosen(ctx)
    with ctx.stage("keywords, vectors, both") as stage:
        if stage.todo:
            stage.outcome = relevance.rankings(ctx, found)
            relevance.other_encoder(ctx, found, stage.outcome)
    rows = stage.outcome
    plots.fusion(ctx, rows)
    if ctx.config.disan_task:
        with ctx.stage("DiSAN's encoder") as stage:
            if stage.todo:
                stage.outcome = disan.measure(ctx, found)
        plots.encoders(ctx, rows, stage.outcome)
    with ctx.stage("BM25 beside Lucene") as stage:
        if stage.todo:
            relevance.references(ctx, found)
    with ctx.stage("graph, 8 bits, 1 bit") as stage:
        if stage.todo:
            stage.outcome = relevance.approximations(ctx, found)
    losses = stage.outcome
    _hardware(ctx, found, losses)
    with ctx.stage("kill and resume") as stage:
        if stage.todo:
            kill.measure(ctx)
    with ctx.stage("speed of neighbours") as stage:
        if stage.todo:
            stage.outcome = speed.measure(ctx, stage.progress)
    plots.recall_time(ctx, stage.outcome)
    plots.break_even(ctx, hardware.break_evens(ctx, stage.outcome))
    if ctx.config.opinions:
        with ctx.stage("opinions") as stage:
            if stage.todo:
                opinions.measure(ctx)
    _missing(ctx, found)
    ctx.kept()


def _hardware(ctx: Context[Any], found: list[Any], losses: list[dict[str, Any]]) -> None:
    """Both hand-overs."""
    with ctx.stage("encoded-MAC array and Hamming scorer") as stage:
        if stage.todo:
            stage.outcome = hardware.on_array(ctx, found), hardware.on_luts(ctx, found)
    array, luts = stage.outcome
    plots.losses(ctx, [row | {"mac": mac["loss"]} for row, mac in zip(losses, array, strict=True)])
    plots.hardware(ctx, [
        mac | {f"lut_{name}": lut[name] for name in ("cycles", "nj")} for mac, lut in zip(array, luts, strict=True)
    ])  # fmt: skip
    with ctx.stage("RTL beside its model") as stage:
        if stage.todo:
            hardware.equality(ctx, found)
    if ctx.config.synthesis:
        with ctx.stage("synthesis") as stage:
            if stage.todo:
                hardware.synthesis(ctx)


def _missing(ctx: Context[Any], found: list[Any]) -> None:
    """Why a corpus has no figure here."""
    here = {one.name: one.encoder for one in found}
    for name in relevance.BARRED:
        if name not in here:
            reason = f"{name} is not on this machine, or not part of this profile"
            for metric in (f"bm25_ndcg_err_{name}", f"hybrid_gain_{name}"):
                ctx.not_comparable(metric, reason)
            ctx.not_comparable(f"semantic-{name}", reason)
        elif here[name] != "minilm":
            ctx.not_comparable(f"hybrid_gain_{name}", "needs a sentence transformer: pip install 'hwsim[search]'")


def verilog(out: Path, *, bits: int = 384, beat_bits: int = 384, k: int = 10, clock_ns: float = 3.0) -> Any:
    """Verilog of a Hamming scorer: sources, constraints, vendor Tcl."""
    from hwsim.ir.arch.semsearch import HammingArch
    from rtl.semsearch.export import export

    return export(HammingArch(bits, beat_bits, k), out, clock_ns=clock_ns)
