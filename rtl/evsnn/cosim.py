"""The core in simulation: samples in as events; results, cycles, counters and weights out.

A sample's forward cycles count from its first input beat to its last output beat, both included; its learning cycles
are those until the next beat can enter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwsim.ir.errors import EquivalenceError
from hwsim.ir.events import Events
from hwsim.ir.spiking import SpikingNet
from rtl.cosim.verilate import CosimRun, Verilated
from rtl.evsnn.beats import NOTHING, answer_fields, load_beats, read_beats, sample_beats
from rtl.evsnn.plan import Plan


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the RTL gave for a batch.

    Attributes:
        outputs: int64 [batch, K], z.
        forward_cycles, learn_cycles: int64 [batch].
        counters: of the batch; those that the core does not hold follow from those that it holds.
        shadows: int16 [n_in, n] of each layer afterwards, or () when they were not read.
        states: uint64 [W], random states afterwards.
        overflow: a sample did not fit the log.
        run: the ports, cycle by cycle.
    """

    outputs: np.ndarray
    forward_cycles: np.ndarray
    learn_cycles: np.ndarray
    counters: dict[str, int]
    shadows: tuple[np.ndarray, ...]
    states: np.ndarray
    overflow: bool
    run: CosimRun


def stream(
    dut: Verilated,
    plan: Plan,
    net: SpikingNet,
    events: Events,
    labels: np.ndarray | None = None,
    *,
    rates: tuple[float, float] = (1.0, 1.0),
    seed: int = 0,
    cycles: int | None = None,
    trace: str | None = None,
) -> Outcome:
    """Load a net, send a batch, read back.

    Args:
        dut: the Verilated core of `plan`.
        net: of the plan's shape; weights and random states are its own.
        events: the batch.
        labels: learn from each sample, and read the weights afterwards; None: answer only.
        rates: chances, in a cycle, of offering a beat and of taking one; 1 is always.
        seed: of these chances.
        cycles: what all samples may take together, from the cycle model for example; default: a loose bound.
        trace: VCD file to write.

    Raises:
        EquivalenceError: the core has not answered everything in that time.
    """
    learn = labels is not None
    given = labels if labels is not None else np.zeros(events.batch, np.int64)
    samples = [sample_beats(events.sample(b), int(given[b]), learn) for b in range(events.batch)]
    asks, results = read_beats(plan, learn), events.batch * plan.classes
    start = np.concatenate([np.full(results + len(asks), NOTHING, np.uint64), load_beats(plan, net)])
    x = np.concatenate([start, *samples, asks])
    limit = _bound(plan, [len(s) for s in samples], learn) if cycles is None else cycles
    limit += int(2 * (len(x) + results + 2 * len(asks)) / min(rates)) + 500
    rng = np.random.default_rng(seed)
    offers, takes = (np.ones(limit, bool) if rate == 1 else rng.random(limit) < rate for rate in rates)
    run = dut.run(x[:, None], in_valid=offers, out_ready=takes, trace=trace, trace_cycles=limit)
    if len(run.outputs) < results + len(asks):
        got = f"{len(run.outputs)} beats in {run.cycles} cycles"
        raise EquivalenceError.of("core", got, f"{results + len(asks)}", "Look at a trace, or allow more cycles.")
    return _outcome(plan, run, len(start), [len(s) for s in samples], len(asks), learn)


def _bound(plan: Plan, beats: list[int], learn: bool) -> int:
    """More cycles than the run can take: every neuron fires, every tick is visited, every word is active."""
    steps = 1 if plan.net.window else plan.steps  # in which a neuron fires
    spikes = steps * sum(layer.n for layer in plan.layers)
    words = sum(layer.words for layer in plan.layers)
    total = 0
    for n in beats:
        logged = n + spikes
        forward = n + 4 * steps * len(plan.layers) + words * (1 + plan.steps) + logged * plan.max_words + 2 * spikes
        back = 11 * plan.classes + 2 + logged * (plan.max_words + 1) + 8 * steps * len(plan.layers)
        total += forward + (back if learn else 0)
    return total


def _outcome(plan: Plan, run: CosimRun, start: int, beats: list[int], asks: int, learn: bool) -> Outcome:
    fields = answer_fields(run.outputs[:, 0])
    z, answers = fields["value"][fields["read"] == 0], fields["value"][fields["read"] == 1]
    k, batch = plan.classes, len(beats)
    assert run.in_fire is not None
    assert run.out_fire is not None
    entered, left = np.flatnonzero(run.in_fire), np.flatnonzero(run.out_fire)[: len(run.outputs)]
    ends = left[fields["read"] == 0][k - 1 :: k]
    firsts = entered[start + np.cumsum([0, *beats])]  # the last one: of the first READ
    counts = dict(zip(plan.counters, (int(x) % 2**32 for x in answers), strict=False))
    states = answers[len(plan.counters) :][: plan.lanes].astype(np.uint64) & np.uint64(0xFFFFFFFF)
    words, shadows = answers[asks:] if not learn else answers[len(plan.counters) + plan.lanes :], []
    for layer in plan.layers if learn else ():
        shadows.append(words[: layer.n_in * layer.n].reshape(layer.n_in, layer.n).astype(np.int16))
        words = words[layer.n_in * layer.n :]
    return Outcome(
        z.reshape(batch, k), ends - firsts[:-1] + 1, firsts[1:] - ends - 1, derived(counts), tuple(shadows),
        states if plan.rule is not None else np.zeros(0, np.uint64), bool(fields["overflow"].any()), run,
    )  # fmt: skip


def derived(counts: dict[str, int]) -> dict[str, int]:
    """All counters of `hwsim.evsnn.activity` from those that the core holds."""
    syn, visits, pairs = counts["syn_fwd"], counts["neuron_access"], counts["err_pair"]
    return {
        "neuron_update": visits, **counts, "weight_rd": syn + pairs, "weight_wr": pairs, "state_rd": syn + visits,
        "state_wr": syn + visits, "hop": 0, "hop_ew": 0, "hop_ns": 0,
    }  # fmt: skip
