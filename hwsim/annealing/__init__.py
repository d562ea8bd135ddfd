"""Annealing: Monte Carlo kernels, dimod samplers and a stand-in for a quantum annealer (``docs/annealing.md``)."""

from hwsim.annealing.anneal import descend, metropolis, temper
from hwsim.annealing.devices import devices
from hwsim.annealing.problem import Problem
from hwsim.annealing.programming import IDEAL, Noise
from hwsim.annealing.qpu import QPUSimulator
from hwsim.annealing.reads import Run, random_states
from hwsim.annealing.samplers import GreedySampler, PIMCSampler, PTSampler, SASampler, SVMCSampler
from hwsim.annealing.transverse import path_integral, rotor

__all__ = [
    "IDEAL",
    "GreedySampler",
    "Noise",
    "PIMCSampler",
    "PTSampler",
    "Problem",
    "QPUSimulator",
    "Run",
    "SASampler",
    "SVMCSampler",
    "descend",
    "devices",
    "metropolis",
    "path_integral",
    "random_states",
    "rotor",
    "temper",
]
