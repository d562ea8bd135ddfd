"""On-chip learning: the chip sees one sample after another, answers, and changes its weights."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from hwsim.core.counters import Counters
from hwsim.core.energy import energy_of
from hwsim.core.rng import parameters, states_of
from hwsim.evsnn import activity as count
from hwsim.evsnn import kernels_learn as kernels
from hwsim.evsnn import kernels_learn_mpd as kernels_mpd
from hwsim.evsnn.chip import SpikeResult, check_single, slots_of
from hwsim.evsnn.clocked import parameters as population_parameters
from hwsim.ir.arch.evsnn import EvsnnArch, LayerActivity, LayerLearning
from hwsim.ir.errors import ArtifactError, DataError, ShapeError, check_shape
from hwsim.ir.events import Events
from hwsim.ir.plasticity import Plasticity
from hwsim.ir.spiking import SpikingNet


@dataclass(frozen=True, eq=False)
class LearnResult(SpikeResult):
    """What the chip did while learning; `outputs` are the answers before each sample's own update.

    Attributes:
        forward, backward: counters of both passes; `counters` is their sum.
        learn_cycles: int64 [batch], in `sample_cycles`.
        learning: what they follow from, layer by layer.
        correct: bool [batch], the answer was the label.
    """

    forward: Counters = field(default_factory=Counters)
    backward: Counters = field(default_factory=Counters)
    learn_cycles: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    learning: tuple[LayerLearning, ...] = ()
    correct: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))


def learn(
    net: SpikingNet, events: Events, labels: np.ndarray, arch: EvsnnArch | None = None
) -> tuple[SpikingNet, LearnResult]:
    """Learn from a batch, sample by sample in its order.

    Args:
        net: a net with plasticity; it is not changed.
        events: input events of each sample.
        labels: integers [batch], 0 … n_classes − 1.
        arch: the core; default `EvsnnArch.fitting(net)`.

    Returns:
        The net with the weights and random states that the chip holds afterwards, and what happened.

    Raises:
        ArtifactError: the net has no plasticity or does not fit the core.
        DataError: bad events, or a label out of range.

    Example:
        >>> from hwsim.ir.plasticity import lane_seeds
        >>> from hwsim.ir.spiking import Dense, Layer, Population
        >>> readout = Layer(Dense(np.zeros((2, 2), np.int16)).with_shadow(), Population("readout", 2))
        >>> rule = Plasticity("std", (2,), 4, seeds=lane_seeds(2))
        >>> net = SpikingNet(2, 4, (readout,), True, rule, n_classes=2)
        >>> events = Events(np.array([1]), np.array([0]), np.array([0, 1]))
        >>> after, result = learn(net, events, np.array([1]))
        >>> after.layers[0].synapse.weights.tolist(), result.counters["err_pair"]  # ±127 or 129, of 256
        ([[0, 0], [-1, 1]], 2)
    """
    arch = arch or EvsnnArch.fitting(net)
    arch.check(net)
    if net.plasticity is None:
        raise ArtifactError.of("plasticity", None, "a rule", "Give the net one: Plasticity(...).")
    labels = np.asarray(labels)
    check_shape("labels", labels.shape, "[batch]", (events.batch,))
    if labels.dtype.kind not in "iu":
        raise ShapeError.of("labels dtype", labels.dtype, "integers", "Convert the labels.")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < net.n_classes:
        at = int(((labels < 0) | (labels >= net.n_classes)).argmax())
        raise DataError.of(f"label of sample {at}", int(labels[at]), f"0…{net.n_classes - 1}", "Mend the labels.")
    events.check(net.n_inputs, net.steps)
    shadows = tuple(layer.synapse.to_tensors()[0]["shadow"].copy() for layer in net.layers)
    rng = states_of(net.plasticity.generator, net.plasticity.seeds)
    run = _std if net.window else _mpd
    z, stats = run(net, net.plasticity, arch.lanes, events, labels.astype(np.int64), shadows, rng)
    result = _result(net, arch, events, z, stats, labels)
    return net.with_weights(list(shadows), rng), result


def _numbers(net: SpikingNet, p: Plasticity) -> np.ndarray:
    """int64: saturation of e, skip_below, shift of the errors that each layer sends down."""
    shifts = [net.err_shift(at) for at in range(len(net.layers))]
    return np.array([(1 << (p.error_bits - 1)) - 1, p.skip_below, *shifts], np.int64)


def _std(net, p, lanes, events, labels, shadows, rng):
    """z int64 [batch, K] and statistics of window nets."""
    check_single(events)
    sizes = [w.shape[0] for w in shadows]
    logs, times = (tuple(np.zeros(n, np.int32) for n in sizes) for _ in range(2))
    S, t_out = (tuple(np.zeros(w.shape[1], np.int32) for w in shadows) for _ in range(2))
    f = np.array([layer.synapse.fraction for layer in net.layers], np.int64)
    z = np.zeros((events.batch, net.n_classes), np.int64)
    if len(bias := net.layers[-1].population.bias):
        z += bias
    stats = np.zeros((events.batch, len(shadows), 8), np.int64)
    kernels.std_samples(
        shadows, f, net.steps, lanes, events.address, events.time, events.offsets, labels, logs, times, S, t_out,
        _numbers(net, p), p.exp.astype(np.int64), p.reciprocal.astype(np.int64), p.exp_shift,
        np.array(p.lr_shift, np.int64), parameters(p.generator), rng, z, stats,
    )  # fmt: skip
    return z, stats


def _mpd(net, p, lanes, events, labels, shadows, rng):
    """z int64 [batch, K] and statistics of clocked nets."""
    again = events.repeated()
    if again is not None:
        raise DataError.of(f"address of {again}", "one that the step already holds", "one event", "Merge them.")
    spikes = slots_of(events, net.steps)
    values = spikes.values if len(spikes.values) else np.ones(len(spikes.address), np.int16)
    populations = [layer.population for layer in net.layers]
    theta = tuple(q.threshold.astype(np.int64) if len(q.threshold) else np.zeros(q.n, np.int64) for q in populations)
    bias = tuple(q.bias.astype(np.int64) if len(q.bias) else np.zeros(q.n, np.int64) for q in populations)
    listed = np.array([population_parameters(q, 0) for q in populations])
    strict = np.array([q.compare == ">" for q in populations], np.int64)
    z = np.zeros((events.batch, net.n_classes), np.int64)
    stats = np.zeros((events.batch, len(shadows), 8), np.int64)
    logs = tuple(np.zeros((3, w.shape[0] * net.steps), np.int64) for w in shadows)  # address, value, h
    cuts = np.zeros((len(shadows), net.steps + 1), np.int64)
    kernels_mpd.mpd_samples(
        shadows, net.steps, lanes, spikes.address, values, spikes.cuts, labels, listed, strict, theta, bias, logs, cuts,
        _numbers(net, p), p.exp.astype(np.int64), p.trace.astype(np.int64), p.exp_shift, p.surrogate_bits,
        np.array(p.lr_shift, np.int64), parameters(p.generator), rng, z, stats,
    )  # fmt: skip
    return z, stats


def _result(
    net: SpikingNet, arch: EvsnnArch, events: Events, z: np.ndarray, stats: np.ndarray, labels: np.ndarray
) -> LearnResult:
    done, learned, layers, forward, backward = [], [], [], [], []
    one_core = replace(arch, neurons_per_core=0)  # learning knows one core only
    inputs = count.traffic(net, one_core, events.address, [])
    for at, layer in enumerate(net.layers):
        column, n = stats[:, at].T, layer.population.n
        words = arch.words(n)
        groups = column[kernels.EVENTS] * words
        done.append(LayerActivity(*(column[k] if isinstance(k, int) else k for k in
                    (kernels.EVENTS, groups, kernels.SPIKES, kernels.STALLS, kernels.TICKS))))  # fmt: skip
        learned.append(LayerLearning(column[kernels.REACHED], column[kernels.PAIRS], column[kernels.REPLAY]))
        visits = int(column[kernels.TICKS].sum()) * n
        syn, spikes, pairs = (int(column[k].sum()) for k in (kernels.EVENTS, kernels.SPIKES, kernels.PAIRS))
        busy = visits if net.window else int(column[kernels.BUSY].sum())
        forward.append(count.forward_counters(layer, syn * n, visits, busy, spikes) + inputs[at])
        backward.append(Counters(err_pair=pairs, weight_rd=pairs, weight_wr=pairs))
        layers.append(forward[-1] + backward[-1])
    arch.check_log(done[0].events + sum(did.spikes for did in done))
    learn_cycles = arch.learn_cycles(net, done, learned)
    cycles = arch.forward_cycles(net, done) + learn_cycles
    total = count.summed(layers)
    classes, longest = z.argmax(axis=1), int(cycles.max(initial=0))
    energy = energy_of(count.priced(total), *count.DEFAULT_PRICE)
    return LearnResult(
        z, int(cycles.sum()), longest, longest, total, "numba", classes, energy, sample_cycles=cycles,
        layers=tuple(layers), activity=tuple(done), forward=count.summed(forward), backward=count.summed(backward),
        learn_cycles=learn_cycles, learning=tuple(learned), correct=classes == labels,
    )  # fmt: skip
