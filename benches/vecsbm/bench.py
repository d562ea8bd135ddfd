"""VEC-SBM from the paper's scenarios to annealers: what runs in which profile, in order.

quick: every bar but those that need email-Eu-core, on fewer graphs. full: 20 graphs a case, and the real mails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benches.runner import Context
from benches.vecsbm import encodings, handover, mail, plots, rate, recovery, reverse, speed, traces
from hwsim.ir.errors import DataError
from ml.common.data import load


@dataclass(frozen=True)
class Config:
    """What --set can change.

    Attributes:
        cases: scenarios of the recovery table, comma-separated.
        graphs: graphs a case; also sets of covariates of the mails.
        runs: anneals a fit with unknown parameters.
        nodes: of the scenarios; 0 takes the paper's 600 and 1000.
        pair_nodes, pair_graphs, anneal_us: two classes on the annealers; length of the quantum annealer's anneals.
        chip_graphs, encoding_nodes, encoding_graphs: few-bit weights; three classes as bits.
        reverse_nodes, reverse_graphs, qpu_graphs: reverse anneals, native and on the stand-in.
        rate_nodes, rate_graphs: error against separation.
        rounds: timed rounds.
    """

    cases: str = ",".join(recovery.CASES)
    graphs: int = 4
    runs: int = 4
    nodes: int = 0
    pair_nodes: int = 1000
    pair_graphs: int = 8
    anneal_us: float = 100.0
    chip_graphs: int = 4
    encoding_nodes: int = 150
    encoding_graphs: int = 4
    reverse_nodes: int = 500
    reverse_graphs: int = 4
    qpu_graphs: int = 2
    rate_nodes: int = 1000
    rate_graphs: int = 10
    rounds: int = 2


PROFILES = {
    "smoke": Config(
        cases="s1,s3_k4", graphs=1, runs=2, nodes=200, pair_nodes=200, pair_graphs=1, anneal_us=20.0, chip_graphs=1,
        encoding_nodes=60, encoding_graphs=1, reverse_nodes=150, reverse_graphs=1, qpu_graphs=0, rate_nodes=200,
        rate_graphs=3, rounds=1,
    ),
    "quick": Config(),
    "full": Config(
        graphs=20, pair_graphs=20, chip_graphs=10, encoding_nodes=300, encoding_graphs=10, reverse_graphs=12,
        qpu_graphs=6, rate_graphs=30, rounds=3,
    ),
}  # fmt: skip
REAL = "email_eu"
BARRED = ("nmi_email_120", "gain_ir_over_spectral_email")


def run(ctx: Context[Config]) -> None:
    """Measure every claim and bar that this profile can."""
    c = ctx.config
    ctx.record_data("scenarios", "embedded", "graphs of the paper's scenarios, drawn by ml.vecsbm.scenarios")
    with ctx.stage("scenarios") as stage:
        if stage.todo:
            stage.outcome = recovery.measure(ctx, c.cases.split(","), c.graphs, c.runs, c.nodes)
        plots.scenarios(ctx, stage.outcome)
    _mails(ctx)
    with ctx.stage("two classes on annealers") as stage:
        if stage.todo:
            handover.measure(ctx, c.pair_nodes, c.pair_graphs, c.anneal_us)
    with ctx.stage("few-bit couplers") as stage:
        if stage.todo:
            stage.outcome = handover.chip(ctx, c.chip_graphs, handover.REGIME_N)
            handover.artifact(ctx, c.pair_nodes, 3)
        plots.bits(ctx, stage.outcome)
    with ctx.stage("three classes as bits") as stage:
        if stage.todo:
            stage.outcome = encodings.measure(ctx, c.encoding_nodes, c.encoding_graphs)
    with ctx.stage("reverse anneals") as stage:
        if stage.todo:
            table = reverse.measure(ctx, c.reverse_nodes, c.reverse_graphs, reverse.TAUS, c.qpu_graphs)
            stage.outcome = {"table": table, "traces": traces.traces(c.pair_nodes, ctx.seed)}
        plots.reversed_(ctx, stage.outcome["table"])
        plots.energy(ctx, stage.outcome["traces"])
    with ctx.stage("error against separation") as stage:
        if stage.todo:
            stage.outcome = rate.measure(ctx, [c.rate_nodes], c.rate_graphs)
        plots.rate(ctx, stage.outcome)
    with ctx.stage("speed") as stage:
        if stage.todo:
            speed.measure(ctx, c.rounds, c.nodes)
    ctx.kept()


def _mails(ctx: Context[Any]) -> None:
    """The real graph where it is on this machine, and its generated stand-in elsewhere."""
    with ctx.stage("mails") as stage:
        if stage.todo:
            stage.outcome = _mail_stage(ctx)
        plots.adjacency(ctx, stage.outcome)
        plots.communities(ctx, stage.outcome)


def _mail_stage(ctx: Context[Any]) -> dict[str, Any]:
    try:
        data = load(REAL, download=False)
    except DataError as error:
        for name in BARRED:
            ctx.not_comparable(name, f"email-Eu-core is not on this machine: {error}")
        data = load("planted_mail")
    ctx.record_data(data.name, data.source, data.variant)
    mail.measure(ctx, data.name, ctx.config.graphs, ctx.config.runs)
    return mail.picture(data.name, ctx.seed)
