"""DiSAN from the attention kernel to the encoded-MAC array: what runs in which profile, in order.

quick: exactness, memory, speed, generated sentences that need word order, hand-over, heat maps; offline. full: the
published sentence sets with GloVe 50-d and with contextual states, every training kept under `train_dir` and resumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benches.disan import exact, handover, picture, plots, speed, study
from benches.runner import Context


@dataclass(frozen=True)
class Config:
    """What --set can change.

    Attributes:
        order_seeds, order_epochs, order_share: networks an encoder on generated sentences, length of training.
        timing_rounds, timing_batch, timing_d: timed steps, sentences a step, features.
        dense_up_to: longest sentence at which the n²·d form is timed.
        hw_sentences, hw_equal, hw_timed: test sentences on the array; compared code by code; side by side for cycles.
        hw_units, hw_lengths: product units; sentence lengths whose cycles are counted.
        seeds, seeds_trec: networks an encoder on the published sets, on TREC at least; 0 leaves them out.
        folds, folds_subj: of cross-validation with GloVe.
        ablations, snli: also train the paper's weaker encoders; SNLI's development part.
        states_trec … states_sst5: seeds or folds with contextual states.
        train_dir: where training runs are kept and taken from.
    """

    order_seeds: int = 2
    order_epochs: int = 6
    order_share: float = 1.0
    timing_rounds: int = 3
    timing_batch: int = 16
    timing_d: int = 300
    dense_up_to: int = 25
    hw_sentences: int = 600
    hw_equal: int = 16
    hw_timed: int = 16
    hw_units: int = 5
    hw_lengths: int = 5
    seeds: int = 0
    seeds_trec: int = 0
    folds: int = 0
    folds_subj: int = 0
    ablations: bool = False
    snli: bool = False
    states_trec: int = 0
    states_subj: int = 0
    states_cr: int = 0
    states_mpqa: int = 0
    states_sst5: int = 0
    train_dir: str = "build/train/disan"


PROFILES = {
    "smoke": Config(
        order_seeds=1, order_epochs=4, order_share=0.5, timing_rounds=1, timing_batch=4, timing_d=60,
        hw_sentences=60, hw_equal=2, hw_timed=4, hw_units=2, hw_lengths=2,
    ),
    "quick": Config(),
    "full": Config(
        seeds=1, seeds_trec=3, folds=6, folds_subj=3, ablations=True, snli=True,
        states_trec=3, states_subj=2, states_cr=7, states_mpqa=6, states_sst5=2,
    ),
}  # fmt: skip


def run(ctx: Context[Config]) -> None:
    """Measure every claim and bar that this profile can."""
    ctx.record_data("word_order", "embedded", "generated sentences, six orders of three words")
    with ctx.stage("exactness and memory") as stage:
        if stage.todo:
            exact.measure(ctx)
    with ctx.stage("speed") as stage:
        if stage.todo:
            stage.outcome = speed.measure(ctx, stage.progress)
        plots.steps(ctx, stage.outcome)
    with ctx.stage("word order") as stage:
        if stage.todo:
            stage.outcome = study.word_order(ctx)
        plots.order(ctx, stage.outcome)
    if ctx.config.seeds:
        _published(ctx)
    with ctx.stage("heat maps") as stage:
        if stage.todo:
            stage.outcome = picture.measure(ctx)
        plots.attention(ctx, stage.outcome)
    with ctx.stage("hand-over") as stage:
        if stage.todo:
            stage.outcome = handover.measure(ctx, stage.progress)
        plots.hardware(ctx, stage.outcome)
    ctx.kept()
    _missing(ctx)


def _published(ctx: Context[Any]) -> None:
    """The sets that this project does not ship."""
    with ctx.stage("encoders of equal size") as stage:
        if stage.todo:
            stage.outcome = study.compared(ctx)
        plots.accuracies(ctx, stage.outcome)
        plots.curves(ctx, stage.outcome)
    rows = stage.outcome
    with ctx.stage("published sets") as stage:
        if stage.todo:
            stage.outcome = study.published_sets(ctx, rows)
    with ctx.stage("ablations") as stage:
        if stage.todo:
            study.ablations(ctx)


def _missing(ctx: Context[Any]) -> None:
    """What can't be measured on such a machine."""
    for claim in ("snli", "snli-bilstm", "multinli"):
        ctx.not_comparable(claim, "not run: the training part (550 000 pairs) is not here, and takes days on two cores")
    for claim in ("epoch-time", "epoch-time-undirected"):
        ctx.not_comparable(claim, "not run: seconds on a GTX 1080 Ti over the whole of SNLI")
