"""Annealing: Monte Carlo kernels, dimod samplers and a stand-in for a quantum annealer (``docs/annealing.md``)."""

from hwsim.annealing.anneal import descend, metropolis, temper
from hwsim.annealing.devices import devices
from hwsim.annealing.potts import PottsProblem, PottsRun, heat_bath, random_labels
from hwsim.annealing.potts_gauge import Encoded, centred, domain_wall, one_hot, quantised
from hwsim.annealing.problem import Problem
from hwsim.annealing.programming import IDEAL, Noise
from hwsim.annealing.qpu import QPUSimulator
from hwsim.annealing.reads import Run, random_states
from hwsim.annealing.samplers import GreedySampler, PIMCSampler, PTSampler, SASampler, SVMCSampler
from hwsim.annealing.transverse import path_integral, rotor

__all__ = [
    "IDEAL",
    "Encoded",
    "GreedySampler",
    "Noise",
    "PIMCSampler",
    "PTSampler",
    "PottsProblem",
    "PottsRun",
    "Problem",
    "QPUSimulator",
    "Run",
    "SASampler",
    "SVMCSampler",
    "centred",
    "descend",
    "devices",
    "domain_wall",
    "heat_bath",
    "metropolis",
    "one_hot",
    "path_integral",
    "quantised",
    "random_labels",
    "random_states",
    "rotor",
    "temper",
]
