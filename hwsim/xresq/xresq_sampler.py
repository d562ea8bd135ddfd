"""X-ResQ through any dimod sampler: a quantum annealer, its stand-in, or a classical one.

The P copies of an instance are one submission where the sampler can place them side by side: it has
`sample_multiple` (dwave-system's `ParallelEmbeddingComposite`, with P embeddings). Other samplers are called once a
copy. Reads of all copies and the seeds are pooled; energies are ‖y − Hx‖² of the received vector, never the
sampler's own, which a noisy device may disturb.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hwsim.ir.errors import UsageError, check_shape
from hwsim.xresq.channel import Received
from hwsim.xresq.detection import Detection, ranked
from hwsim.xresq.mapping import dimod_bqm
from hwsim.xresq.modulation import levels_of_spins, spins_of_levels
from hwsim.xresq.seeds import SeedMethod, make_seeds

Progress = Callable[[int, int, str], None]


def xresq_sampler(
    r: Received,
    sampler: Any,
    *,
    levels: int = 6,
    reads: int = 100,
    schedule: Sequence[Sequence[float]] | None = None,
    seeds: SeedMethod | np.ndarray | None = "auto",
    chain_strength: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    **parameters: Any,
) -> Detection:
    """Multi-seed reverse annealing on a sampler.

    Args:
        r: received batch.
        sampler: a `dimod.Sampler` that takes `initial_state`, or an object with `sample_multiple`.
        levels: P, copies.
        reads: N_a, reads a copy.
        schedule: reverse anneal schedule [(µs, s)], handed over as `anneal_schedule`; None leaves it out.
        seeds: method, levels int8 [batch, P, n], or None for a forward anneal without initial states.
        chain_strength: times the largest |J|; None leaves it to the composite. For `sample_multiple` only.
        seed: of the draws of seeds.
        progress: called as (done, batch, note) after each instance.
        **parameters: handed on to the sampler.

    `times_s["qpu"]` is the device's own time where the sampler reports one. Stopped by Ctrl-C, it returns the
    vectors finished so far: the result's `received` is that part of the batch.

    Raises:
        UsageError: a number out of range, or stopped before the first answer.
        ShapeError: seeds of another shape.
    """
    if min(levels, reads) < 1:
        raise UsageError.of("levels and reads", f"{levels} and {reads}", "1 or more", "The paper has 6 and 100.")
    begin = time.perf_counter()
    if isinstance(seeds, np.ndarray):
        check_shape("seeds", seeds.shape, "[batch, levels, n]", (r.batch, levels, r.n))
    starts = make_seeds(r, levels, seeds, seed=seed) if isinstance(seeds, str) else seeds
    common = parameters | {"num_reads": reads} | ({} if schedule is None else {"anneal_schedule": list(schedule)})
    pools, qpu_us = [], 0.0
    try:
        for b in range(r.batch):
            start = None if starts is None else starts[b]
            found, infos = anneal_copies(r, b, sampler, levels, start, chain_strength, **common)
            pools.append(np.concatenate(found if start is None else [start, *found]))
            qpu_us += float(sum(info.get("timing", {}).get("qpu_access_time", 0.0) for info in infos))
            if progress:
                progress(b + 1, r.batch, "vectors")
    except KeyboardInterrupt:
        if not pools:
            raise
    done = r.part(slice(0, len(pools)))
    times = {"total": time.perf_counter() - begin, "qpu": qpu_us * 1e-6}
    return ranked(done, np.stack(pools), times_s=times)


def anneal_copies(
    r: Received, b: int, sampler: Any, levels: int, starts: np.ndarray | None, strength: float | None = None,
    **parameters: Any,
) -> tuple[list[np.ndarray], list[dict[str, Any]]]:  # fmt: skip
    """One instance, P copies: what `xresq_sampler` does for each vector.

    Args:
        r, b: received batch and the instance in it.
        sampler, levels, strength: as in `xresq_sampler`, strength being its `chain_strength`.
        starts: levels int8 [P, n] of the reverse anneals, or None for forward ones.
        **parameters: of the sampler, `num_reads` and `anneal_schedule` among them.

    Returns:
        Levels int8 [reads, n] of each copy, and the submissions' infos.

    Raises:
        UsageError: a composite with another number of embeddings.
    """
    bqm = dimod_bqm(r, b)
    states = None
    if starts is not None:
        states = [dict(enumerate(row.tolist())) for row in spins_of_levels(r.mod, starts)]
    if hasattr(sampler, "sample_multiple"):
        more: dict[str, Any] = {} if states is None else {"initial_states": states}
        if strength is not None:
            largest = max(abs(bias) for bias in bqm.quadratic.values())
            more["chain_strengths"] = [strength * largest] * levels
        answers, info = sampler.sample_multiple([bqm] * levels, **more, **parameters)
        infos = [info]
    else:
        answers = [
            sampler.sample(bqm, **({} if states is None else {"initial_state": states[p]}), **parameters)
            for p in range(levels)
        ]
        infos = [answer.info for answer in answers]
    if len(answers) != levels:
        mend = "Give the composite one embedding a level."
        raise UsageError.of("sample_multiple", f"{len(answers)} embeddings", f"{levels} levels", mend)
    return [levels_of_spins(r.mod, _states(answer)) for answer in answers], infos


def _states(answer: Any) -> np.ndarray:
    """Spins int8 [reads, N] of a sample set in the order of variables 0…N−1, repeated as often as they occurred."""
    columns = np.argsort(np.asarray(answer.variables))
    record = answer.record
    return np.repeat(record.sample, record.num_occurrences, axis=0)[:, columns].astype(np.int8)
