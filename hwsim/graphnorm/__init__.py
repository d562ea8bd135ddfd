"""Cycle models of GraphNorm's statistics unit, and of a graph network on an array with it."""

from hwsim.graphnorm.network import GraphRun, GraphRunner
from hwsim.graphnorm.unit import simulate

__all__ = ["GraphRun", "GraphRunner", "simulate"]
