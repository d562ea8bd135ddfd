"""Beats of the core's streams as numbers; `rtl.evsnn.plan` has their layout."""

from __future__ import annotations

import numpy as np

from hwsim.ir.events import Events
from hwsim.ir.spiking import SpikingNet
from rtl.evsnn.plan import COUNTS, END, EVENT, RANDOM, READ, WEIGHTS, WRITE, Plan, answer_layout

NOTHING = WRITE << 62 | 3 << 60  # a write to a region that does not exist


def beat(kind: int, address: int | np.ndarray = 0, data: int | np.ndarray = 0) -> np.ndarray:
    """Input beats uint64 of one kind; see `rtl.evsnn.plan`."""
    address, data = np.asarray(address, np.uint64), np.asarray(data, np.uint64)
    return np.atleast_1d(np.uint64(kind << 62) | address << np.uint64(32) | data)


def weight_addresses(plan: Plan) -> list[np.ndarray]:
    """uint64 [n_in, n] of each layer: memory address of every weight."""
    out = []
    for layer in plan.layers:
        i, j = np.arange(layer.n_in)[:, None], np.arange(layer.n)[None]
        word = layer.base + i * layer.words + j // plan.lanes
        out.append((word * plan.lanes + j % plan.lanes).astype(np.uint64))
    return out


def load_beats(plan: Plan, net: SpikingNet) -> np.ndarray:
    """Beats that write the weights, and the random states, of a net of the core's shape."""
    parts = []
    for layer, address in zip(net.layers, weight_addresses(plan), strict=True):
        stored = layer.synapse.to_tensors()[0]
        shadow = stored["shadow"] if "shadow" in stored else stored["weights"].astype(np.int32) << 8
        parts.append(beat(WRITE, address.ravel() | np.uint64(WEIGHTS << 28), shadow.ravel().astype(np.uint16)))
    if net.plasticity is not None:
        lanes = np.arange(plan.lanes) | RANDOM << 28
        parts.append(beat(WRITE, lanes, net.plasticity.seeds))
    return np.concatenate(parts)


def sample_beats(events: Events, label: int = 0, learn: bool = False) -> np.ndarray:
    """Beats of one sample; an event without a value has 1."""
    values = np.ones(len(events), np.int16) if events.values is None else events.values
    data = events.time.astype(np.uint64) | values.astype(np.uint16).astype(np.uint64) << np.uint64(16)
    return np.concatenate([beat(EVENT, events.address, data), beat(END, int(learn), label)])


def read_beats(plan: Plan, weights: bool) -> np.ndarray:
    """Beats that ask for the counters, and for random states and weights."""
    parts = [beat(READ, np.arange(len(plan.counters)) | COUNTS << 28)]
    if plan.rule is not None:
        parts.append(beat(READ, np.arange(plan.lanes) | RANDOM << 28))
    if weights:
        parts += [beat(READ, address.ravel() | np.uint64(WEIGHTS << 28)) for address in weight_addresses(plan)]
    return np.concatenate(parts)


def answer_fields(beats: np.ndarray) -> dict[str, np.ndarray]:
    """Fields of output beats, int64 each."""
    out = {}
    for name, member in answer_layout():
        value = (beats.astype(np.uint64) >> np.uint64(member.offset)).astype(np.int64) & ((1 << member.width) - 1)
        out[name] = value - ((value >> 31) << 32) if name == "value" else value
    return out
