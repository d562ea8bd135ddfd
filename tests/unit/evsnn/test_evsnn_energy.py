"""Joules from counters: published sums, phases, and what is priced."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.core.energy import energy_of_entries, sram_read64, technology
from hwsim.evsnn.chip import simulate
from hwsim.evsnn.energy import INSIDE, PRESETS, cmos45_entries, price, timestep_counters, visible
from hwsim.evsnn.learning import learn
from hwsim.ir.errors import UsageError
from hwsim.ir.events import Events
from hwsim.ir.plasticity import Plasticity, lane_seeds
from hwsim.ir.spiking import Dense, Layer, Population, SpikingNet


def test_sanafe_totals():
    """SANA-FE 2.2.9 on 784-800-10: 3 192 220 synapses, 81 000 accesses, 80 170 updates, 1 164 spikes, 5 118 packets."""
    counts = {"syn_fwd": 3_192_220, "neuron_access": 81_000, "neuron_update": 80_170, "spike": 1_164, "packet": 5_118}
    energy = energy_of_entries(counts, technology("loihi"))
    total = 35.5 * 3_192_220 + 51.2 * 81_000 + 21.6 * 80_170 + 69.3 * 1_164 + 111 * 5_118
    assert abs(energy.total_pj - total) <= 1e-9 * total
    assert total == pytest.approx(119_851_445.2)
    hops = energy_of_entries({"hop_ew": 10, "hop_ns": 10}, technology("loihi"))
    assert hops.total_pj == pytest.approx(72.0)


def lesson():
    layers = (
        Layer(Dense(np.array([[6, 3], [4, 1]], np.int16), fraction=3).with_shadow(), Population("window", 2)),
        Layer(Dense(np.array([[5, -5], [1, 1]], np.int16), fraction=3).with_shadow(), Population("readout", 2)),
    )
    net = SpikingNet(2, 4, layers, True, Plasticity("std", (6, 4), 2, seeds=lane_seeds(2)), n_classes=2)
    return net, Events(np.array([1]), np.array([1]), np.array([0, 1]))


def test_phases_of_a_lesson():
    """Forward 2 + 2 synapses; backward 2 pairs at the readout and 1 below."""
    net, events = lesson()
    _, result = learn(net, events, np.array([1]))
    energy = price(net, result, "anp1")
    assert energy.forward.total_pj == pytest.approx(4 * 1.5)
    assert energy.backward.total_pj == pytest.approx(3 * 1.5)
    assert energy.update is None
    assert energy.learning_nj_per_sample == pytest.approx(0.0045)
    assert energy.forward_nj_per_sample == pytest.approx(0.006)
    loihi = price(net, result, "loihi")
    assert (loihi.backward, loihi.update.total_pj) == (None, 3 * 120.0)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_bounds_its_value_and_names_the_rest(preset):
    net, events = lesson()
    _, result = learn(net, events, np.array([1]))
    energy = price(net, result, preset)
    for part in (energy.forward, energy.backward, energy.update):
        if part is not None:
            assert part.low_pj <= part.total_pj <= part.high_pj
            assert all(entry.source for entry in part.priced)
            assert not set(part.unpriced) & set(INSIDE[preset])
    assert energy.forward is not None
    alone = price(net, simulate(net, events), preset)
    assert alone.forward.total_pj == pytest.approx(energy.forward.total_pj)
    assert (alone.backward, alone.update, alone.learning_nj_per_sample) == (None, None, 0.0)


def test_memory_by_size():
    assert [sram_read64(k << 10).energy_pj for k in (1, 8, 20, 32, 528, 1024)] == [10, 10, 15, 20, 60, 100]
    assert sram_read64(2048 << 10).energy_pj == pytest.approx(100 + 80 * 1024 / 992)
    assert (sram_read64(528 << 10).low_pj, sram_read64(528 << 10).high_pj) == (20, 100)
    with pytest.raises(UsageError, match="SRAM size: got 0"):
        sram_read64(0)


def test_cmos45_prices_what_the_core_does():
    net, _ = lesson()
    entries = cmos45_entries(net)
    assert entries["forward"]["syn_fwd"].energy_pj == pytest.approx(2 * 0.1 + 0.2)
    assert entries["forward"]["weight_rd"].energy_pj == pytest.approx(10 / 8)
    assert entries["update"]["weight_wr"].high_pj == pytest.approx(10 / 2)
    assert visible({"hop": 3, "hop_ew": 3}, "cmos45", {}) == {"hop_ew": 3}


def test_time_steps_cost_every_synapse():
    net, _ = lesson()
    forward, backward = timestep_counters(net, 10)
    assert (forward["syn_fwd"], backward["err_pair"], backward["weight_wr"]) == (80, 160, 8)


def test_an_unknown_preset_is_refused():
    net, events = lesson()
    with pytest.raises(UsageError, match="preset: got 'tpu', expected one of loihi"):
        price(net, simulate(net, events), "tpu")
