"""X-ResQ (arXiv 2402.18778): MIMO detection by parallel reverse annealing, its rivals, and its Ising problems.

Example:
    >>> import numpy as np
    >>> from hwsim.xresq import count_errors, detector, generate
    >>> problems = generate("16qam", 4, 6, 20.0, 100, np.random.default_rng(1))
    >>> answer = detector("xresq")(problems.received, levels=6, reads=2, seed=1)
    >>> int(count_errors(problems, answer.levels).sum()) <= 4
    True
"""

from hwsim.xresq.annealing import paramax, quamax, resq, xresq
from hwsim.xresq.channel import Problems, Received, count_errors, generate, n0_of_snr
from hwsim.xresq.detect import DETECTORS, detect, detector
from hwsim.xresq.detection import Detection
from hwsim.xresq.mapping import DenseIsing, dense_ising, dimod_bqm, ising_ir, structured_problem
from hwsim.xresq.modulation import MODULATIONS, Modulation, bits_of_levels, levels_of_bits, modulation
from hwsim.xresq.schedule import Schedule, forward_schedule, reverse_schedule
from hwsim.xresq.seeds import make_seeds

__all__ = [
    "DETECTORS",
    "MODULATIONS",
    "DenseIsing",
    "Detection",
    "Modulation",
    "Problems",
    "Received",
    "Schedule",
    "bits_of_levels",
    "count_errors",
    "dense_ising",
    "detect",
    "detector",
    "dimod_bqm",
    "forward_schedule",
    "generate",
    "ising_ir",
    "levels_of_bits",
    "make_seeds",
    "modulation",
    "n0_of_snr",
    "paramax",
    "quamax",
    "resq",
    "reverse_schedule",
    "structured_problem",
    "xresq",
]
