"""Annealing: Monte Carlo kernels, dimod samplers and a stand-in for a quantum annealer."""

from hwsim.annealing.anneal import Run, metropolis, random_states, rotor
from hwsim.annealing.devices import devices
from hwsim.annealing.problem import Problem
from hwsim.annealing.programming import IDEAL, Noise
from hwsim.annealing.qpu import QPUSimulator

__all__ = ["IDEAL", "Noise", "Problem", "QPUSimulator", "Run", "devices", "metropolis", "random_states", "rotor"]
