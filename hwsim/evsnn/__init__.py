"""Event-driven learning of spiking nets (arXiv 2403.00270): the chip model.

Example:
    >>> import numpy as np
    >>> from hwsim.evsnn import learn, price, simulate
    >>> from hwsim.ir.events import Events
    >>> from hwsim.ir.plasticity import Plasticity, lane_seeds
    >>> from hwsim.ir.spiking import Dense, Layer, Population, SpikingNet
    >>> readout = Layer(Dense(np.zeros((2, 2), np.int16)).with_shadow(), Population("readout", 2))
    >>> net = SpikingNet(2, 4, (readout,), True, Plasticity("std", (2,), 4, seeds=lane_seeds(2)), n_classes=2)
    >>> events = Events(np.array([0, 1]), np.array([0, 0]), np.array([0, 1, 2]))  # two samples, an event each
    >>> net, lesson = learn(net, events, np.array([0, 1]))
    >>> simulate(net, events).classes.tolist(), lesson.counters["weight_wr"]
    ([0, 1], 4)
    >>> price(net, lesson, "anp1").learning_nj_per_sample
    0.003
"""

from hwsim.evsnn.bars import moving_bars
from hwsim.evsnn.chip import Chip, SpikeResult, simulate
from hwsim.evsnn.energy import PRESETS, PhaseEnergy, price, timestep_counters
from hwsim.evsnn.floating import FloatChip
from hwsim.evsnn.learning import LearnResult, learn
from hwsim.evsnn.loihi import load_nmnist_net, load_recording, loihi_layer, trace_mismatches
from hwsim.ir.arch.evsnn import EvsnnArch

__all__ = [
    "PRESETS",
    "Chip",
    "EvsnnArch",
    "FloatChip",
    "LearnResult",
    "PhaseEnergy",
    "SpikeResult",
    "learn",
    "load_nmnist_net",
    "load_recording",
    "loihi_layer",
    "moving_bars",
    "price",
    "simulate",
    "timestep_counters",
    "trace_mismatches",
]
